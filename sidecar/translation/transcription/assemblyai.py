"""AssemblyAI's wire for recordings transcribed in one call. Its SDK checks what it gets.

The job of three calls is no agent's wire here: what the first is answered with, the other two ask for again.
"""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import members
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.multipart import Part
from sidecar.payload import Transcription
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import form, recording
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish, Word
from sidecar.translation.transcription.recording import Sound
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {}
#: assemblyai/types.py, `SyncTranscriptionConfig`.
_LANGUAGES: Final = frozenset(
    ("en", "es", "de", "fr", "it", "pt", "tr", "nl", "sv", "no", "da", "fi", "hi", "vi", "ar", "he", "ja", "ur", "zh")
)
_LONGEST_PROMPT: Final = 6000
_MOST_TERMS: Final = 100

_encode = msgspec.json.encode


class _Word(Struct):
    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None


class _Document(Struct):
    text: str
    audio_duration_ms: float | None = None
    confidence: float | None = None
    words: list[_Word] | None = None


_document = msgspec.json.Decoder(_Document).decode


class AssemblyAI(Wire):
    dialect: ClassVar[str] = "assemblyai"
    unmarked: ClassVar[str | None] = "pcm"
    tells_confidence: ClassVar[bool] = True

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        """Where nothing else instructs, what was said before does what a prompt does elsewhere."""
        said = dict(asked.parameters)
        config: dict[str, msgspec.Raw] = {
            name: msgspec.Raw(said[name].encode()) for name in (*_LISTS, "channels") if name in said
        }
        several, terms, context = (members.texts(config, name) for name in _LISTS)
        rest = [pair for pair in asked.parameters if pair[0] not in config]
        peculiar, indifferent = left_over(Fields(rest), INDIFFERENT, {})
        if context and asked.prompt:
            peculiar = (*peculiar, ("conversation_context", "no other provider takes that and a prompt"))
        return Ask(
            sound=Sound(channels=members.integer(config, "channels")),
            model=asked.model,
            languages=(asked.language,) if asked.language else several,
            prompt=asked.prompt or "\n".join(context),
            terms=tuple(term.strip() for term in terms if term.strip()),
            words=Wish.REQUIRED if asked.timestamps else Wish.NO,
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        return Able(
            words=True,
            prompt=_LONGEST_PROMPT,
            terms=_MOST_TERMS,
            detects=True,
            candidates=len(_LANGUAGES),
            languages=_LANGUAGES,
            language_excludes=frozenset(("prompt",)),
            confident=True,
            needs_model=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        """The configuration must come before the recording, and the model in a header."""
        config: dict[str, Any] = {}
        if ask.languages:
            config["language_codes"] = [languages.short(language) for language in ask.languages]
        if ask.prompt:
            config["prompt"] = ask.prompt
        if ask.terms:
            config["keyterms_prompt"] = list(ask.terms)
        if ask.words or ask.segments:
            config["timestamps"] = True
        if ask.sound.format == "pcm":
            config |= {"sample_rate": ask.sound.rate, "channels": ask.sound.channels or 1}
        said = Part.of("config", _encode(config), content_type=JSON)
        content_type, body = form((), said, *recording("audio", ask))
        return Written("/v1/transcribe", content_type, body, (("X-AAI-Model", model or ""),))

    def hear(self, data: bytes) -> Transcript:
        said = _document(data)
        return Transcript(
            text=said.text.strip(),
            seconds=None if said.audio_duration_ms is None else said.audio_duration_ms / 1000,
            confidence=said.confidence,
            words=tuple(_heard_word(word) for word in said.words or ()),
        )

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        sure = float(bool(transcript.text)) if transcript.confidence is None else transcript.confidence
        told = {
            "text": transcript.text,
            "words": [_told_word(word, ask, sure) for word in transcript.words],
            "confidence": sure,
            "audio_duration_ms": round((transcript.seconds or 0.0) * 1000),
            "session_id": str(uuid.uuid4()),
            "request_time_ms": None,
        }
        return Told(JSON, _encode(told))


_LISTS: Final[tuple[str, ...]] = ("language_codes", "keyterms_prompt", "conversation_context")


def _heard_word(said: _Word) -> Word:
    start, end = (None if at is None else at / 1000 for at in (said.start, said.end))
    return Word(said.text, start, end, said.confidence)


def _told_word(word: Word, ask: Ask, sure: float) -> dict[str, Any]:
    told: dict[str, Any] = {"text": word.text, "confidence": sure if word.confidence is None else word.confidence}
    if ask.words and word.start is not None and word.end is not None:
        told |= {"start": round(word.start * 1000), "end": round(word.end * 1000)}
    return told
