"""Yandex SpeechKit's wire, version 1: the recording as it is, wishes in the query, no more than a text as answer."""

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import fields
from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.contract import Inexpressible
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.forms import named, query
from sidecar.translation.transcription.neutral import Ask, Transcript
from sidecar.translation.transcription.wire import JSON, Able, Told, Wire, Written, left_over

INDIFFERENT: Final[Mapping[str, str]] = {
    "folderId": "who pays at the agent's provider",
    "sampleRateHertz": "of a recording that says its rate itself",
}
PECULIAR: Final[Mapping[str, str]] = {"rawResults": "no other provider writes all numbers in words"}
#: "Recognition models" of SpeechKit, with the region in which each is heard.
_REGIONAL: Final = {
    code.partition("-")[0]: code
    for code in (
        *("de-DE", "en-US", "es-ES", "fi-FI", "fr-FR", "he-IL", "it-IT", "kk-KZ"),
        *("nl-NL", "pl-PL", "pt-BR", "ru-RU", "sv-SE", "tr-TR", "uz-UZ"),
    )
}
_PORTUGAL: Final = "pt-PT"


class _Document(Struct):
    result: str


_document = msgspec.json.Decoder(_Document).decode


class Yandex(Wire):
    dialect: ClassVar[str] = "yandex"

    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        rest = Fields(asked.parameters)
        profane = rest.take("profanityFilter")
        peculiar, indifferent = left_over(rest, INDIFFERENT, PECULIAR)
        return Ask(
            model=asked.model,
            languages=(asked.language,) if asked.language else (),
            filter_profanity=fields.flag(profane),
            peculiar=peculiar,
            indifferent=indifferent,
        )

    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """Version 1 does not find out the language: its page lists no such value for ``lang``."""
        return Able(languages=frozenset(_REGIONAL), punctuates=False, filters_profanity=True)

    def write(self, ask: Ask, model: str | None) -> Written:
        pairs = [("topic", model)] if model else []
        if ask.languages:
            pairs.append(("lang", _written_language(ask.languages[0])))
        if ask.filter_profanity:
            pairs.append(("profanityFilter", "true"))
        if ask.sound.format == "pcm":
            pairs += [("format", "lpcm"), ("sampleRateHertz", str(ask.sound.rate))]
            return Written(query("/speech/v1/stt:recognize", pairs), "application/octet-stream", ask.audio)
        pairs.append(("format", "oggopus"))
        return Written(query("/speech/v1/stt:recognize", pairs), named(ask)[1], ask.audio)

    def hear(self, data: bytes) -> Transcript:
        return Transcript(text=_document(data).result.strip())

    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        return Told(JSON, msgspec.json.encode({"result": transcript.text}))


def _written_language(language: str) -> str:
    if language.replace("_", "-") == _PORTUGAL:
        return _PORTUGAL
    written = _REGIONAL.get(languages.short(language))
    if written is None:
        raise Inexpressible("language", "Yandex does not have it")
    return written
