"""Deepgram's wire: a recording as it is, all wishes in the query, and an answer with words, channels and metadata."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import named, query
from sidecar.translation.transcription.moments import iso_time
from sidecar.translation.transcription.neutral import Ask, Segment, Transcript, Wish, Word
from sidecar.translation.transcription.plain import bare, capitalless
from sidecar.translation.transcription.recording import SAMPLE_BYTES, Sound
from sidecar.translation.transcription.timing import segments_of, speakers_of
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {
    "tag": "a label for the provider's own bills",
    "version": "which version of the agent's model is meant",
    "utt_split": "what the provider takes for a pause",
    "callback_method": "of a callback, which is refused by its own name",
    "custom_topic_mode": "of topics, which are refused by their own name",
    "custom_intent_mode": "of intents, which are refused by their own name",
}
_ALONE = "no other provider does that in the same way"
PECULIAR: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sentiment", "summarize", "topics", "custom_topic", "intents", "custom_intent"), _ALONE),
    **dict.fromkeys(("detect_entities", "dictation", "filler_words", "measurements", "numerals", "paragraphs"), _ALONE),
    **dict.fromkeys(("redact", "replace", "search", "extra"), _ALONE),
    "callback": "the answer would go elsewhere",
    "mip_opt_out": "a promise about the recording that only the agent's provider can give",
    "multichannel": "no other provider hears channels apart",
}
_DEFAULT_LANGUAGE: Final = "en"
#: developers.deepgram.com, "Models & Languages Overview".
_REGIONAL: Final = frozenset(
    (
        *("da-DK", "de-CH", "en-AU", "en-CA", "en-GB", "en-IN", "en-NZ", "en-US", "es-419", "fr-CA", "ko-KR", "nl-BE"),
        *("pt-BR", "pt-PT", "sv-SE", "th-TH", "zh-CN", "zh-HK", "zh-TW"),
    )
)
_DETECTED: Final = frozenset(("multi", "auto"))
_MOST_TERMS: Final = 100
_ENCODINGS: Final = {"pcm": "linear16", "mulaw": "mulaw", "alaw": "alaw", "pcm_f32le": "linear32"}

_encode = msgspec.json.encode


class _Word(Struct):
    word: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    punctuated_word: str | None = None
    speaker: int | None = None


class _Alternative(Struct):
    transcript: str
    confidence: float | None = None
    words: list[_Word] | None = None


class _Channel(Struct):
    alternatives: list[_Alternative]
    detected_language: str | None = None


class _Utterance(Struct):
    transcript: str
    start: float
    end: float
    confidence: float | None = None
    speaker: int | None = None


class _Results(Struct):
    channels: list[_Channel]
    utterances: list[_Utterance] | None = None


class _Metadata(Struct):
    duration: float | None = None


class _Document(Struct):
    results: _Results
    metadata: _Metadata | None = None


_document = msgspec.json.Decoder(_Document).decode


class Deepgram(Wire):
    dialect: ClassVar[str] = "deepgram"
    tells_confidence: ClassVar[bool] = True

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        rest = Fields(asked.parameters)
        hints, detected = rest.take_all("language_hint"), rest.take_all("detect_language")
        formatted = [fields.flag(rest.take(name)) for name in ("punctuate", "smart_format")]
        speakers = [fields.flag(rest.take("diarize")), rest.take("diarize_model") is not None]
        terms, weighted = rest.take_all("keyterm"), rest.take_all("keywords")
        utterances, profane = fields.flag(rest.take("utterances")), fields.flag(rest.take("profanity_filter"))
        channels = fields.integer(rest.take("channels"))
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        if any(_weight(word) < 0 for word in weighted):
            peculiar = (*peculiar, ("keywords", "no other provider can be told what not to hear"))
        return Ask(
            sound=Sound(channels=channels),
            address=asked.audio_url,
            model=asked.model,
            languages=_languages(asked.language, hints, detected),
            terms=(*terms, *(word.partition(":")[0] for word in weighted)),
            words=Wish.REQUIRED if any(speakers) else Wish.WELCOME,
            segments=Wish.REQUIRED if utterances else Wish.NO,
            speakers=any(speakers),
            punctuation=Wish.REQUIRED if any(formatted) else Wish.NO,
            filter_profanity=profane,
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        return Able(
            words=True,
            segments=True,
            speakers=True,
            terms=_MOST_TERMS,
            detects=True,
            filters_profanity=True,
            fetches=True,
            confident=True,
        )

    def write(self, ask: Ask, model: str | None) -> Written:
        pairs = [("model", model)] if model else []
        if ask.languages:
            pairs.append(("language", _written_language(ask.languages[0])))
        else:
            pairs.append(("detect_language", "true"))
        # with numbers as figures and the like, as models of other families write without being asked
        pairs += {
            Wish.REQUIRED: [("punctuate", "true")],
            Wish.WELCOME: [("smart_format", "true")],
            Wish.NO: [],
        }[ask.punctuation]
        switches = (
            ("diarize", ask.speakers),
            ("utterances", bool(ask.segments)),
            ("profanity_filter", ask.filter_profanity),
        )
        pairs += [(name, "true") for name, wanted in switches if wanted]
        # the older models know keywords only
        name = "keywords" if model and not model.startswith(("nova-3", "flux")) else "keyterm"
        pairs += [(name, term) for term in ask.terms]
        if ask.address is not None:
            return Written(query("/v1/listen", pairs), JSON, _encode({"url": ask.address}))
        media_type = named(ask)[1]
        if ask.sound.format in SAMPLE_BYTES:
            media_type = "application/octet-stream"
            pairs.append(("encoding", _ENCODINGS.get(ask.sound.format, ask.sound.format)))
            pairs.append(("sample_rate", str(ask.sound.rate)))
            pairs.append(("channels", str(ask.sound.channels or 1)))
        return Written(query("/v1/listen", pairs), media_type, ask.audio)

    def hear(self, data: bytes) -> Transcript:
        said = _document(data)
        channel = said.results.channels[0] if said.results.channels else _Channel([])
        best = channel.alternatives[0] if channel.alternatives else _Alternative("")
        language = channel.detected_language
        return Transcript(
            text=best.transcript.strip(),
            language=languages.short(language) if language else None,
            seconds=said.metadata.duration if said.metadata else None,
            confidence=best.confidence,
            words=tuple(_heard_word(word) for word in best.words or ()),
            segments=tuple(
                Segment(one.transcript.strip(), one.start, one.end, one.confidence, _label(one.speaker))
                for one in said.results.utterances or ()
            ),
        )

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        """The digest is that of the recording as the agent sent it, as Deepgram's is."""
        shown = (lambda text: text) if ask.punctuation else bare
        confidence = transcript.confidence if transcript.confidence is not None else float(bool(transcript.text))
        speakers = speakers_of(transcript) if ask.speakers else {}
        words = [
            _told_word(word, ask, speakers, confidence)
            for word in transcript.words
            if word.start is not None and word.end is not None
        ]
        alternative = {"transcript": shown(transcript.text), "confidence": confidence, "words": words}
        channel: dict[str, Any] = {"alternatives": [alternative]}
        if len(ask.languages) != 1 and transcript.language:
            channel |= {"detected_language": transcript.language, "language_confidence": confidence}
        results: dict[str, Any] = {"channels": [channel]}
        if ask.segments:
            results["utterances"] = [
                _told_utterance(one, words, shown(one.text), speakers, confidence) for one in segments_of(transcript)
            ]
        return Told(JSON, _encode({"metadata": _metadata(transcript, ask), "results": results}))


def _languages(named: str | None, hints: tuple[str, ...], detected: tuple[str, ...]) -> tuple[str, ...]:
    """Detection may be among languages that are named instead of a mere "true"."""
    wanted = [one for one in detected if one.lower() not in ("false", "")]
    if wanted:
        return tuple(one for one in wanted if one.lower() != "true")
    if named is None:
        return (_DEFAULT_LANGUAGE,)
    return hints if named.lower() in _DETECTED else (named,)


def _written_language(language: str) -> str:
    """Deepgram has regions for some languages, and knows all of them without one."""
    return written if (written := language.replace("_", "-")) in _REGIONAL else languages.short(language)


def _weight(keyword: str) -> float:
    return fields.number(keyword.partition(":")[2] or None) or 0.0


def _label(speaker: int | None) -> str | None:
    return None if speaker is None else str(speaker)


def _heard_word(said: _Word) -> Word:
    return Word(said.punctuated_word or said.word, said.start, said.end, said.confidence, _label(said.speaker))


def _told_word(word: Word, ask: Ask, speakers: Mapping[str, int], confidence: float) -> dict[str, Any]:
    told: dict[str, Any] = {
        "word": bare(word.text) or capitalless(word.text),
        "start": word.start,
        "end": word.end,
        "confidence": confidence if word.confidence is None else word.confidence,
    }
    if ask.punctuation:
        told["punctuated_word"] = word.text
    if ask.speakers:
        told |= {"speaker": speakers.get(word.speaker or "", 0), "speaker_confidence": confidence}
    return told


def _told_utterance(
    segment: Segment, words: list[dict[str, Any]], text: str, speakers: Mapping[str, int], confidence: float
) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "confidence": confidence if segment.confidence is None else segment.confidence,
        "channel": 0,
        "transcript": text,
        "words": [word for word in words if segment.start <= word["start"] < segment.end],
        "speaker": speakers.get(segment.speaker or "", 0),
        "id": str(uuid.uuid4()),
    }


def _metadata(transcript: Transcript, ask: Ask) -> dict[str, Any]:
    model = ask.model or "general"
    identifier = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{model}.deepgram.com"))
    return {
        "transaction_key": "deprecated",
        "request_id": str(uuid.uuid4()),
        "sha256": hashlib.sha256(ask.audio).hexdigest() if ask.address is None else "",
        "created": iso_time(),
        "duration": transcript.seconds or 0.0,
        "channels": 1,
        "models": [identifier],
        "model_info": {identifier: {"name": model, "version": "", "arch": model}},
    }
