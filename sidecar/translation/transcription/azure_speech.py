"""Azure Speech's wire for short audio: the recording as it is, and a status inside of every answer."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.contract import Inexpressible, Untranslatable
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import query
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish, Word
from sidecar.translation.transcription.plain import bare
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {}
_PRONUNCIATION: Final = "Pronunciation-Assessment"
_PATH: Final = "/speech/recognition/conversation/cognitiveservices/v1"
_TICKS_PER_SECOND: Final = 10_000_000
#: Nothing was said, or nothing that could be understood: no failure, but an empty text.
_SILENT: Final = frozenset(("NoMatch", "InitialSilenceTimeout", "BabbleTimeout"))
_MEDIA_TYPES: Final = {
    "wav": "audio/wav; codecs=audio/pcm; samplerate=16000",
    "opus": "audio/ogg; codecs=opus",
}

_encode = msgspec.json.encode


class _Word(Struct):
    """``Confidence`` comes only where it is asked for in another way."""

    Word: str
    Offset: int | str
    Duration: int | str
    Confidence: float | None = None


class _Best(Struct):
    Display: str | None = None
    Confidence: float | None = None
    Words: list[_Word] | None = None


class _Document(Struct):
    RecognitionStatus: str
    DisplayText: str | None = None
    Duration: int | str | None = None
    Offset: int | str | None = None
    NBest: list[_Best] | None = None


_document = msgspec.json.Decoder(_Document).decode


class AzureSpeech(Wire):
    dialect: ClassVar[str] = "azure_speech"
    tells_confidence: ClassVar[bool] = True

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        rest = Fields(asked.parameters)
        profanity = rest.take("profanity")
        peculiar, indifferent = left_over(rest, INDIFFERENT, {})
        if exchange.request.headers.get(_PRONUNCIATION) is not None:
            peculiar = (*peculiar, (_PRONUNCIATION, "no other provider judges how something is pronounced"))
        return Ask(
            model=asked.model,
            languages=(asked.language,) if asked.language else (),
            words=Wish.REQUIRED if asked.timestamps else Wish.NO,
            filter_profanity=profanity in ("masked", "removed"),
            output=asked.response_format or "simple",
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """Words are timed by a switch that everybody uses and the page on the REST API does not mention."""
        return Able(words=True, filters_profanity=True, confident=True)

    def write(self, ask: Ask, model: str | None) -> Written:
        """Detailed, since only that says how sure it is. Without a word about it, profanity would be masked."""
        if not ask.languages:
            raise Inexpressible("detect_language", "Azure Speech has to be told which language is spoken")
        pairs = [("language", languages.regional(ask.languages[0])), ("format", "detailed")]
        pairs.append(("profanity", "masked" if ask.filter_profanity else "raw"))
        if ask.words or ask.segments:
            pairs.append(("wordLevelTimestamps", "true"))
        if model:
            pairs.append(("cid", model))
        return Written(query(_PATH, pairs), _MEDIA_TYPES[ask.sound.format], ask.audio)

    def hear(self, data: bytes) -> Transcript:
        said = _document(data)
        if said.RecognitionStatus in _SILENT:
            return Transcript(text="")
        if said.RecognitionStatus != "Success":
            raise Untranslatable("the recognition failed, which a status inside of a 200 says")
        best = said.NBest[0] if said.NBest else _Best()
        text = best.Display if best.Display is not None else said.DisplayText
        if text is None:
            raise Untranslatable("it says success and has no text")
        return Transcript(
            text=text.strip(),
            confidence=best.Confidence,
            words=tuple(_heard_word(word) for word in best.Words or ()),
        )

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        start = next((word.start for word in transcript.words if word.start is not None), 0.0)
        length = _ticks(max((transcript.seconds or 0.0) - start, 0.0))
        told: dict[str, Any] = {"Id": uuid.uuid4().hex, "RecognitionStatus": "Success"}
        told |= {"Offset": _ticks(start), "Duration": length}
        if not transcript.text:
            return Told(JSON, _encode(told | {"RecognitionStatus": "InitialSilenceTimeout"}))
        if ask.output != "detailed":
            return Told(JSON, _encode(told | {"DisplayText": transcript.text}))
        plain = bare(transcript.text)
        best: dict[str, Any] = {
            "Confidence": 1.0 if transcript.confidence is None else transcript.confidence,
            "Lexical": plain,
            "ITN": plain,
            "MaskedITN": plain,
            "Display": transcript.text,
        }
        if ask.words:
            best["Words"] = [
                {"Word": bare(word.text), "Offset": _ticks(word.start), "Duration": _ticks(word.end - word.start)}
                for word in transcript.words
                if word.start is not None and word.end is not None
            ]
        return Told(JSON, _encode(told | {"NBest": [best], "DisplayText": transcript.text}))


def _ticks(seconds: float) -> int:
    return round(seconds * _TICKS_PER_SECOND)


def _heard_word(said: _Word) -> Word:
    start = _whole(said.Offset) / _TICKS_PER_SECOND
    return Word(said.Word, start, start + _whole(said.Duration) / _TICKS_PER_SECOND, said.Confidence)


def _whole(ticks: int | str) -> int:
    number = fields.integer(str(ticks))
    if number is None:
        raise Untranslatable("a time in it is no number")
    return number
