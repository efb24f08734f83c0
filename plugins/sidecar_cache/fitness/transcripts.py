"""Answers that say what was heard.

That nothing was heard is never kept: true or not, it costs little to ask again, and a mistake would make an agent deaf
to a recording for as long as it is kept.
"""

from typing import Any, Final

from sidecar import Transcription
from sidecar_cache.fitness.documents import Document, Unfit, document_of, events_of
from sidecar_cache.fitness.endings import ended

_TEXT_FORMATS: Final = frozenset(("text", "srt", "vtt"))
_DONE: Final = frozenset(("transcript.text.done", "transcription.done"))


def check_transcript(asked: Transcription | None, endpoint: str, content_type: str, data: bytes) -> None:
    """
    Raises:
        Unfit: it is not to be kept.
    """
    media_type = content_type.partition(";")[0].strip()
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        said = [event for event in events_of(data) if event.get("type") in _DONE]
        _check_heard(said[-1].get("text") if said else None)
    elif media_type.endswith("json"):
        _check_document(document_of(data))
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


def _check_document(document: Document) -> None:
    status = document.get("RecognitionStatus")
    if status not in (None, "Success"):
        raise Unfit(f"recognition ended with {status}")
    state = document.get("status")
    if state not in (None, "completed"):
        raise Unfit(f"a job that is {state}")
    if document.get("done") is False:
        raise Unfit("a job that goes on")
    _check_heard(_heard(document))


def _check_heard(text: object) -> None:
    if not isinstance(text, str):
        raise Unfit("there is no transcript in it")
    if not text.strip():
        raise Unfit("nothing was heard")


def _heard(document: Document) -> str | None:
    """The transcript, wherever a family has it; None if it has none."""
    for name in ("text", "result", "DisplayText"):
        if isinstance(text := document.get(name), str):
            return text
    results = document.get("results")
    if isinstance(results, dict):  # Deepgram's
        return _joined(_first_alternative(channel) for channel in _listed(results.get("channels")))
    if isinstance(results, list):  # Google's
        return _joined(_first_alternative(result) for result in results) if results else ""
    if "results" not in document and ({"totalBilledTime", "requestId"} & document.keys() or not document):
        return ""  # Google's, of silence
    for name, member in (("combinedPhrases", "text"), ("NBest", "Display"), ("transcripts", "text")):
        if isinstance(listed := document.get(name), list):
            return _joined(each.get(member) for each in listed if isinstance(each, dict))
    return None


def _first_alternative(channel: Any) -> str | None:
    alternatives = _listed(channel.get("alternatives")) if isinstance(channel, dict) else []
    first = alternatives[0] if alternatives else None
    text = first.get("transcript") if isinstance(first, dict) else None
    return text if isinstance(text, str) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(texts: Any) -> str | None:
    found = [text for text in texts if isinstance(text, str)]
    return " ".join(found) if found else None
