"""Answers that say what was heard.

That nothing was heard is never kept: true or not, it costs little to ask again, and a mistake would make an agent deaf
to a recording for as long as it is kept.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from sidecar import Transcription
from sidecar_cache.fitness.documents import LARGE_BYTES, Unfit, each_event, read_by
from sidecar_cache.fitness.endings import ended
from sidecar_cache.slices import Slices

_TEXT_FORMATS: Final = frozenset(("text", "srt", "vtt"))
_DONE: Final = frozenset(("transcript.text.done", "transcription.done"))


class _Event(Struct, gc=False):
    type: Any = None
    text: Any = None


class _Alternative(Struct, gc=False):
    """Its words and their times are passed over, in whatever answer: they are most of it."""

    transcript: Any = None


class _Result(Struct, gc=False):
    alternatives: list[_Alternative] | None = None


class _Channels(Struct, gc=False):
    channels: list[_Result] | None = None


class _Best(Struct, gc=False):
    Display: Any = None


class _Phrase(Struct, gc=False):
    text: Any = None


class _Document(Struct, gc=False):
    """What all families' answers may have."""

    RecognitionStatus: Any = None
    status: Any = None
    done: Any = None
    text: Any = None
    result: Any = None
    DisplayText: Any = None
    results: _Channels | list[_Result] | None = None
    totalBilledTime: Any = UNSET
    requestId: Any = UNSET
    combinedPhrases: list[_Phrase] | None = None
    NBest: list[_Best] | None = None
    transcripts: list[_Phrase] | None = None


_event = msgspec.json.Decoder(_Event).decode
_document = msgspec.json.Decoder(_Document).decode


def check_transcript(asked: Transcription | None, endpoint: str, content_type: str, data: bytes) -> Slices[None]:
    """
    Raises:
        Unfit: it is not to be kept.
    """
    media_type = content_type.partition(";")[0].strip()
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        said: list[Any] = []

        def take(data: bytes) -> None:
            event = read_by(_event, data, "an event of the stream")
            if isinstance(event.type, str) and event.type in _DONE:
                said.append(event.text)

        yield from each_event(data, take)
        _check_heard(said[-1] if said else None)
    elif media_type.endswith("json"):
        if len(data) > LARGE_BYTES:
            yield
        _check_document(read_by(_document, data, "the answer"))
    elif media_type == "text/plain":
        _check_text(asked, data)
    else:
        raise Unfit(f"content type {media_type or 'unknown'}")


def _check_text(asked: Transcription | None, data: bytes) -> None:
    wanted = None if asked is None else asked.response_format or "json"
    if wanted is not None and wanted not in _TEXT_FORMATS:
        raise Unfit("text where JSON was expected")
    if data.lstrip()[:1] == b"<":
        raise Unfit("markup where text was expected")
    if wanted == "vtt" and not data.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT"):
        raise Unfit("not the subtitles that were asked for")
    if wanted in ("srt", "vtt"):
        if b"-->" not in data:
            raise Unfit("nothing was heard")
        if not data.endswith(b"\n"):
            raise Unfit("the last of the subtitles is cut off")
    _check_heard(data.decode("utf-8", "replace"))


def _check_document(document: _Document) -> None:
    if document.RecognitionStatus not in (None, "Success"):
        raise Unfit(f"recognition ended with {document.RecognitionStatus}")
    if document.status not in (None, "completed"):
        raise Unfit(f"a job that is {document.status}")
    if document.done is False:
        raise Unfit("a job that goes on")
    _check_heard(_heard(document))


def _check_heard(text: object) -> None:
    if not isinstance(text, str):
        raise Unfit("there is no transcript in it")
    if not text.strip():
        raise Unfit("nothing was heard")


def _heard(document: _Document) -> str | None:
    """The transcript, wherever a family has it; None if it has none."""
    for text in (document.text, document.result, document.DisplayText):
        if isinstance(text, str):
            return text
    results = document.results
    if isinstance(results, _Channels):  # Deepgram's
        return _joined(map(_first_alternative, results.channels or ()))
    if results is not None:  # Google's
        return _joined(map(_first_alternative, results)) if results else ""
    if document.totalBilledTime is not UNSET or document.requestId is not UNSET:
        return ""  # Google's, of silence
    if document.NBest is not None:
        return _joined(each.Display for each in document.NBest)
    phrases = document.combinedPhrases if document.transcripts is None else document.transcripts
    return None if phrases is None else _joined(each.text for each in phrases)


def _first_alternative(result: _Result) -> object:
    return result.alternatives[0].transcript if result.alternatives else None


def _joined(texts: Iterable[object]) -> str | None:
    found = [text for text in texts if isinstance(text, str)]
    return " ".join(found) if found else None
