"""Mistral's wire. Its SDK checks what it gets: all of an answer's required members are always there."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription, Usage
from sidecar.sse import Event
from sidecar.translation.contract import Untranslatable
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import form, recording
from sidecar.translation.transcription.neutral import Ask, Delta, Piece, Segment, Transcript, Wish, Word
from sidecar.translation.transcription.timing import segments_of, speakers_of
from sidecar.translation.transcription.wire import JSON, Able, Hearing, Telling, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {}
PECULIAR: Final[Mapping[str, str]] = {
    "file_id": "the recording is kept by the agent's provider",
    "speaker_references": "no other provider knows speakers by samples of their voices",
}
_MOST_TERMS: Final = 100

_encode = msgspec.json.encode


class _Usage(Struct):
    prompt_audio_seconds: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Segment(Struct):
    text: str
    start: float | None = None
    end: float | None = None
    speaker_id: str | int | None = None


class _Document(Struct):
    text: str
    language: str | None = None
    segments: list[_Segment] | None = None
    usage: _Usage | None = None


class _Event(Struct):
    type: str | None = None
    text: str | None = None
    audio_language: str | None = None
    error: Raw | UnsetType = UNSET


_document = msgspec.json.Decoder(_Document).decode
_event = msgspec.json.Decoder(_Event).decode
_segment = msgspec.json.Decoder(_Segment).decode


class Mistral(Wire):
    dialect: ClassVar[str] = "mistral"

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        rest = Fields((*asked.parameters, *fields.of_query(exchange.request.query).rest()))
        terms, diarize, temperature = rest.take_all("context_bias"), rest.take("diarize"), rest.take("temperature")
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        speakers = fields.flag(diarize)
        return Ask(
            address=asked.audio_url,
            model=asked.model,
            languages=(asked.language,) if asked.language else (),
            terms=tuple(term.replace("_", " ") for term in terms),
            words=Wish.REQUIRED if "word" in asked.timestamps else Wish.NO,
            segments=Wish.REQUIRED if speakers or "segment" in asked.timestamps else Wish.NO,
            speakers=speakers,
            temperature=fields.number(temperature),
            stream=asked.stream,
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """Words are no longer timed ("Migrate from Voxtral 2", docs.mistral.ai), and segments are only where no
        language is named ("Offline transcription", the same).
        """
        return Able(
            segments=True,
            speakers=True,
            terms=_MOST_TERMS,
            detects=True,
            language_excludes=frozenset(("diarization", "segment_timestamps")),
            fetches=True,
            samples_text=True,
            streams=True,
            needs_model=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        """A phrase to listen for has underscores in place of spaces."""
        pairs = [("model", model or "")]
        if ask.languages:
            pairs.append(("language", languages.short(ask.languages[0])))
        if ask.temperature is not None:
            pairs.append(("temperature", f"{ask.temperature:g}"))
        if ask.stream:
            pairs.append(("stream", "true"))
        if ask.speakers:
            pairs.append(("diarize", "true"))
        pairs += [("context_bias", "_".join(term.replace(",", " ").split())) for term in ask.terms if term.strip(" ,")]
        granularities = (("segment", ask.segments), ("word", ask.words))
        pairs += [("timestamp_granularities", name) for name, wanted in granularities if wanted]
        if ask.address is not None:
            pairs.append(("file_url", ask.address))
        content_type, body = form(pairs, *recording("file", ask))
        return Written("/v1/audio/transcriptions", content_type, body)

    def hear(self, data: bytes) -> Transcript:
        return _heard(data)

    def hearing(self) -> Hearing:
        spoken: list[Segment] = []
        language: str | None = None

        def hear(event: Event) -> Piece | None:
            nonlocal language
            if event.data == b"[DONE]":
                return None
            said = _event(event.data)
            if said.error is not UNSET or (said.type or event.type) == "error":
                raise Untranslatable("the provider reports an error in its stream")
            match said.type or event.type:
                case "transcription.language":
                    language = said.audio_language
                case "transcription.text.delta":
                    return Delta(said.text) if said.text else None
                case "transcription.segment":
                    if segment := _heard_segment(_segment(event.data)):
                        spoken.append(segment)
                    return segment
                case "transcription.done":
                    return _heard(event.data, language, tuple(spoken))
            return None

        return hear

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        return Told(JSON, _encode(_told(transcript, ask)))

    def telling(self, ask: Ask) -> Telling:
        known = languages.short(ask.languages[0]) if len(ask.languages) == 1 else None
        speakers: dict[str, int] = {}
        begun = False

        def begin(language: str | None) -> list[Event]:
            nonlocal begun
            if begun or not language:
                return []
            begun = True
            return [_made("transcription.language", {"audio_language": language})]

        def tell(piece: Piece) -> list[Event]:
            if isinstance(piece, Delta):
                return [*begin(known), _made("transcription.text.delta", {"text": piece.text})]
            if isinstance(piece, Segment):
                if not ask.segments:
                    return []
                if ask.speakers and piece.speaker is not None:
                    speakers.setdefault(piece.speaker, len(speakers))
                return [*begin(known), _made("transcription.segment", _told_segment(piece, speakers))]
            return [*begin(piece.language or known), _made("transcription.done", _told(piece, ask))]

        return tell


def _made(kind: str, data: dict[str, Any]) -> Event:
    return Event(_encode({"type": kind, **data}), kind)


def _heard(data: bytes, language: str | None = None, spoken: tuple[Segment, ...] = ()) -> Transcript:
    said = _document(data)
    language, usage = said.language or language, said.usage or _Usage()
    return Transcript(
        text=said.text.strip(),
        language=languages.short(language) if language else None,
        seconds=usage.prompt_audio_seconds,
        segments=tuple(found for one in said.segments or () if (found := _heard_segment(one))) or spoken,
        usage=Usage(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            audio_seconds=usage.prompt_audio_seconds,
        ),
    )


def _heard_segment(said: _Segment) -> Segment | None:
    """None for one without times."""
    if said.start is None or said.end is None:
        return None
    speaker = None if said.speaker_id is None else str(said.speaker_id)
    return Segment(said.text.strip(), said.start, said.end, None, speaker)


def _told(transcript: Transcript, ask: Ask) -> dict[str, Any]:
    """Words that were to be timed are segments, as Mistral has them."""
    usage = transcript.usage or Usage()
    asked, given = usage.input_tokens or 0, usage.output_tokens or 0
    speakers = speakers_of(transcript) if ask.speakers else {}
    spoken: tuple[Segment | Word, ...] = ()
    if ask.words:
        spoken = transcript.words
    elif ask.segments:
        spoken = segments_of(transcript)
    counted = {"prompt_tokens": asked, "completion_tokens": given, "total_tokens": asked + given}
    if transcript.seconds is not None:
        counted["prompt_audio_seconds"] = math.ceil(transcript.seconds)
    return {
        "model": ask.model or "",
        "text": transcript.text,
        "language": transcript.language,
        "segments": [{"type": "transcription_segment", **_told_segment(one, speakers)} for one in spoken],
        "usage": counted,
    }


def _told_segment(said: Segment | Word, speakers: dict[str, int]) -> dict[str, Any]:
    told: dict[str, Any] = {"text": said.text, "start": said.start, "end": said.end}
    if said.speaker is not None and speakers:
        told["speaker_id"] = f"speaker_{speakers[said.speaker] + 1}"
    return told
