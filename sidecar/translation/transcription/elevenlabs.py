"""ElevenLabs' wire: a form, and an answer in which the spaces between words are members of their own."""

import math
import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import form, recording
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish, Word
from sidecar.translation.transcription.timing import speakers_of
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {
    "seed": "the provider itself promises nothing by it",
    "diarization_threshold": "how finely the provider tells speakers apart",
    "numbers_format": "how the provider's newest model writes numbers",
    "webhook_id": "of a webhook, which is refused by its own name",
    "webhook_metadata": "of a webhook, which is refused by its own name",
    "entity_redaction_mode": "of redaction, which is refused by its own name",
    "multichannel_output_style": "of channels, which are refused by their own name",
}
_ALONE = "no other provider does that in the same way"
PECULIAR: Final[Mapping[str, str]] = {
    **dict.fromkeys(("additional_formats", "detect_speaker_roles", "entity_detection", "entity_redaction"), _ALONE),
    **dict.fromkeys(("no_verbatim", "tag_audio_events", "transcript_edit"), _ALONE),
    "use_multi_channel": "no other provider hears channels apart",
    "use_speaker_library": "the voices are kept by the agent's provider",
    "webhook": "the answer would go elsewhere",
    "character_timestamps": "no other provider times characters",
    "enable_logging": "a promise about the recording that only the agent's provider can give",
}
_MOST_TERMS: Final = 1000
_LONGEST_TERM: Final = 50
_FORBIDDEN: Final = re.compile(r"[<>{}\[\]\\]")
_FEWEST_SPEAKERS, _MOST_SPEAKERS = 1, 32

_encode = msgspec.json.encode


class _Word(Struct):
    text: str
    type: str = "word"
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None
    logprob: float | None = None


class _Document(Struct):
    text: str
    language_code: str | None = None
    words: list[_Word] | None = None
    audio_duration_secs: float | None = None


_document = msgspec.json.Decoder(_Document).decode


class ElevenLabs(Wire):
    dialect: ClassVar[str] = "elevenlabs"
    tells_confidence: ClassVar[bool] = True

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        """Words come with their times unless that is switched off."""
        rest = Fields((*asked.parameters, *_logging(fields.of_query(exchange.request.query))))
        several, terms = rest.take_all("secondary_language_codes"), rest.take_all("keyterms")
        speakers, count, temperature = (rest.take(name) for name in ("diarize", "num_speakers", "temperature"))
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        if asked.timestamps == ("character",):
            peculiar = (*peculiar, ("character_timestamps", PECULIAR["character_timestamps"]))
        timed = Wish.REQUIRED if asked.timestamps or fields.flag(speakers) else Wish.WELCOME
        return Ask(
            address=asked.audio_url,
            model=asked.model,
            languages=(asked.language, *several) if asked.language else several,
            terms=terms,
            words=timed,
            speakers=fields.flag(speakers),
            speaker_count=fields.integer(count),
            temperature=fields.number(temperature),
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        several = (model or "").startswith("scribe_v3")
        return Able(
            words=True,
            speakers=True,
            terms=_MOST_TERMS,
            detects=True,
            candidates=10 if several else 1,
            fetches=True,
            samples_text=True,
            confident=True,
            needs_model=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        """Laughter and footsteps stay unwritten: that is so with everybody else."""
        pairs = [("model_id", model or ""), ("tag_audio_events", "false")]
        if ask.languages:
            pairs.append(("language_code", languages.short(ask.languages[0])))
        pairs += [("secondary_language_codes", languages.short(language)) for language in ask.languages[1:]]
        pairs += [("keyterms", _FORBIDDEN.sub(" ", term)[:_LONGEST_TERM]) for term in ask.terms]
        if ask.speakers:
            pairs.append(("diarize", "true"))
            if ask.speaker_count and _FEWEST_SPEAKERS <= ask.speaker_count <= _MOST_SPEAKERS:
                pairs.append(("num_speakers", str(ask.speaker_count)))
        if not (ask.words or ask.segments):
            pairs.append(("timestamps_granularity", "none"))
        if ask.temperature is not None:
            pairs.append(("temperature", f"{ask.temperature:g}"))
        if ask.sound.format == "pcm":
            pairs.append(("file_format", "pcm_s16le_16"))
        if ask.address is not None:
            pairs.append(("source_url", ask.address))
        content_type, body = form(pairs, *recording("file", ask))
        return Written("/v1/speech-to-text", content_type, body)

    def hear(self, data: bytes) -> Transcript:
        said = _document(data)
        words = [word for word in said.words or () if word.type == "word"]
        sure = [math.exp(min(word.logprob, 0.0)) for word in words if word.logprob is not None]
        return Transcript(
            text=said.text.strip(),
            language=languages.short(said.language_code) if said.language_code else None,
            seconds=said.audio_duration_secs,
            confidence=sum(sure) / len(sure) if sure else None,
            words=tuple(_heard_word(word) for word in words),
        )

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        language = transcript.language or (ask.languages[0] if ask.languages else None)
        told: dict[str, Any] = {
            "language_code": languages.long(language) if language else "",
            "language_probability": 1.0 if transcript.text else 0.0,
            "text": transcript.text,
            "words": _told_words(transcript, ask),
            "transcription_id": secrets.token_urlsafe(15),
        }
        if transcript.seconds is not None:
            told["audio_duration_secs"] = transcript.seconds
        return Told(JSON, _encode(told))


def _logging(query: Fields) -> tuple[tuple[str, str], ...]:
    """Here it is switching it off that asks for something."""
    logging = query.take("enable_logging")
    wish = () if logging is None or fields.flag(logging) else (("enable_logging", "forbidden"),)
    return (*wish, *query.rest())


def _heard_word(said: _Word) -> Word:
    confidence = None if said.logprob is None else math.exp(min(said.logprob, 0.0))
    return Word(said.text, said.start, said.end, confidence, said.speaker_id)


def _told_words(transcript: Transcript, ask: Ask) -> list[dict[str, Any]]:
    speakers = speakers_of(transcript) if ask.speakers else {}
    told: list[dict[str, Any]] = []
    for word in transcript.words:
        if told:
            before = told[-1]
            gap = {"text": " ", "type": "spacing", "logprob": 0.0, "start": before["end"], "end": word.start}
            told.append({**gap, "speaker_id": before["speaker_id"]})
        speaker = None if word.speaker is None or not speakers else f"speaker_{speakers[word.speaker]}"
        told.append(
            {
                "text": word.text,
                "type": "word",
                "logprob": math.log(word.confidence) if word.confidence else 0.0,
                "start": word.start,
                "end": word.end,
                "speaker_id": speaker,
            }
        )
    return told
