"""Cartesia's wire: a form, with the encoding of headerless audio in the query."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import form, query, recording
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish, Word
from sidecar.translation.transcription.recording import SAMPLE_BYTES
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {"cartesia_version": "which version of the agent's provider it is written for"}
_DEFAULT_LANGUAGE: Final = "en"
#: What the answers that are read here have the shape of (cartesia 4.2).
_VERSION: Final = "2026-08-14"
_ENCODINGS: Final = {
    "pcm": "pcm_s16le",
    "mulaw": "pcm_mulaw",
    "alaw": "pcm_alaw",
    "pcm_f32le": "pcm_f32le",
    "pcm_s32le": "pcm_s32le",
}

_encode = msgspec.json.encode


class _Word(Struct):
    word: str
    start: float
    end: float


class _Document(Struct):
    text: str
    language: str | None = None
    duration: float | None = None
    words: list[_Word] | None = None


_document = msgspec.json.Decoder(_Document).decode


class Cartesia(Wire):
    dialect: ClassVar[str] = "cartesia"

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        peculiar, indifferent = left_over(Fields(asked.parameters), INDIFFERENT, {})
        return Ask(
            model=asked.model,
            languages=(asked.language or _DEFAULT_LANGUAGE,),
            words=Wish.REQUIRED if asked.timestamps else Wish.NO,
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """Where no language is named it is English, whatever is spoken (cartesia/types/stt_transcribe_params.py)."""
        return Able(words=True, needs_model=True)

    def write(self, ask: Ask, model: str | None) -> Written:
        pairs = [("model", model or "")]
        if ask.languages:
            pairs.append(("language", languages.short(ask.languages[0])))
        if ask.words or ask.segments:
            pairs.append(("timestamp_granularities[]", "word"))
        encoded: list[tuple[str, str]] = []
        if ask.sound.format in SAMPLE_BYTES:
            encoded = [("encoding", _ENCODINGS[ask.sound.format]), ("sample_rate", str(ask.sound.rate))]
        content_type, body = form(pairs, *recording("file", ask))
        return Written(query("/stt", encoded), content_type, body, (("Cartesia-Version", _VERSION),))

    def hear(self, data: bytes) -> Transcript:
        said = _document(data)
        return Transcript(
            text=said.text.strip(),
            language=languages.short(said.language) if said.language else None,
            seconds=said.duration,
            words=tuple(Word(one.word, one.start, one.end) for one in said.words or ()),
        )

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        told: dict[str, Any] = {
            "type": "transcript",
            "is_final": True,
            "request_id": str(uuid.uuid4()),
            "text": transcript.text,
            "language": languages.short(ask.languages[0]) if ask.languages else transcript.language,
        }
        if transcript.seconds is not None:
            told["duration"] = transcript.seconds
        if ask.words:
            told["words"] = [
                {"word": word.text, "start": word.start, "end": word.end}
                for word in transcript.words
                if word.start is not None and word.end is not None
            ]
        return Told(JSON, _encode(told))
