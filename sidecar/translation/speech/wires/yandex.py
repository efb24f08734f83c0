"""Yandex SpeechKit, version 1: a form, with marks of its own in the text."""

import re
from typing import ClassVar, Final
from urllib.parse import urlencode

from sidecar.dialect import Call
from sidecar.dialects.yandex import DIALECT
from sidecar.exchange import Request
from sidecar.payload import Speech
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages, ssml
from sidecar.translation.speech.ask import Audio, Extra, Leave, SpeechAsk
from sidecar.translation.speech.offers import YANDEX, Offer, Offers
from sidecar.translation.speech.reading import shown
from sidecar.translation.speech.wires.wire import Order, Wire, Written

_HARMLESS: Final = {"folderId": "says who pays, and another account does"}
_TYPES: Final = {"ogg": "audio/ogg", "mp3": "audio/mpeg", "raw": "audio/pcm"}
_FORMATS: Final = {"pcm": "lpcm", "opus": "oggopus", "mp3": "mp3"}
#: Values that must be numbers: where one is none, the view of the form has nothing, or the usual, in its place.
_SPEED: Final = re.compile(rb"(?:^|&)speed=[^&]")
_NO_RATE: Final = re.compile(rb"(?:^|&)sampleRateHertz=(?!\d+(?:&|$))[^&]")
_VOWELS: Final = "аеёиоуыэюяАЕЁИОУЫЭЮЯ"
#: [D] "TTS markup": stress, emphasis; pauses; phonemes instead of a word.
_STRESS: Final = re.compile(rf"(?<![\d+])\+(?=[{_VOWELS}])")
_EMPHASIS: Final = re.compile(r"\*\*(?=\S)(.{1,60}?)(?<=\S)\*\*")
_PAUSE: Final = re.compile(r"sil<\[\d+\]>|<\[\w+\]>")
_PHONEMES: Final = "[["
#: [D] emotions and roles, each of some voices.
_EMOTIONS: Final = frozenset(("neutral", "good", "evil", "strict", "friendly", "whisper"))
_LIMIT_BYTES: Final = 15 << 10


class Yandex(Wire):
    name: ClassVar[str] = "Yandex"
    endpoints: ClassVar[frozenset[str]] = frozenset(("tts.synthesize",))
    offers: ClassVar[Offers] = YANDEX
    speeds: ClassVar[tuple[float, float] | None] = (0.1, 3.0)  # [D]
    elements: ClassVar[ssml.Elements | None] = ssml.FEW
    longest: ClassVar[int | None] = 5000  # [D]

    def read(self, call: Call, request: Request) -> SpeechAsk:
        """By the dialect's own view, which knows how clients write this form."""
        body = request.body.data or b""
        said = DIALECT.read(call, request.query, request.headers, body)
        if not isinstance(said, Speech):
            raise Inexpressible("request", "it is not the form that is expected")
        if said.speed is None and _SPEED.search(body):
            raise Inexpressible("speed", "it is no number")
        text, is_ssml = said.text, said.ssml
        if is_ssml:
            text, is_ssml = ssml.content(text)
        offer = self._format(said, body)
        simple = _STRESS.sub("", _EMPHASIS.sub(r"\1", text))
        return SpeechAsk(
            text=simple,
            ssml=is_ssml,
            markup=_PAUSE.search(simple) is not None or _PHONEMES in simple,
            audio=offer.audio,
            rate_matters=offer.audio.container == "raw",
            model=said.model,
            voice=said.voice,
            language=said.language,
            speed=said.speed,
            emotion=said.instructions,
            extras=(
                *([Extra("stress", "how a word sounds that others know too")] if simple != text else ()),
                *(Extra(shown(name), _HARMLESS.get(name)) for name, _ in said.parameters),
            ),
        )

    def _format(self, said: Speech, body: bytes) -> Offer:
        name = _FORMATS.get(said.format or "")
        rate = said.sample_rate if name == "lpcm" else None
        words = {"format": name, **({} if rate is None else {"sampleRateHertz": rate})}
        found = next((offer for offer in self.offers if offer.named == words), None)
        if found is None or _NO_RATE.search(body):
            raise Inexpressible("format", "it is none of those that its provider has")
        return found

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        form = {
            **({"ssml": f"<speak>{ask.text}</speak>"} if ask.ssml else {"text": ask.text}),
            "lang": ask.language or "",
            "voice": order.voice,
            **({} if ask.emotion is None else {"emotion": ask.emotion}),
            **({} if ask.speed is None else {"speed": f"{ask.speed:g}"}),
            **order.offer.named,
        }
        return Written(
            "/speech/v1/tts:synthesize",
            urlencode(form).encode(),
            (("Content-Type", "application/x-www-form-urlencoded"),),
        )

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        if feature == "emotion":
            return None if ask.emotion in _EMOTIONS else "it is none of those there"
        return super().lacks(feature, ask, order)

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        if len(self.write(ask, order).body) > _LIMIT_BYTES:
            return f"{self.name} takes {_LIMIT_BYTES} bytes as they are encoded"
        return super().too_long(ask, order)

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        known = languages.with_region(ask.language, order.voice)
        if known is None:
            raise Inexpressible("language", f"{self.name} takes Russian without one, and none is known")
        return known

    def misread(self, text: str) -> bool:
        return bool(_STRESS.search(text) or _EMPHASIS.search(text) or _PAUSE.search(text) or _PHONEMES in text)

    def unmarked(self, text: str) -> str:
        if _PHONEMES in text:
            raise Inexpressible("markup", "phonemes stand in it instead of words")
        return _PAUSE.sub(" ", text)

    def content_type(self, audio: Audio) -> str:
        return _TYPES[audio.container]
