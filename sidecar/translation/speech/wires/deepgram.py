"""Deepgram: all but the text stands in the query, and a model is a voice."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import urlencode

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, SpeechAsk
from sidecar.translation.speech.offers import DEEPGRAM, Offers
from sidecar.translation.speech.reading import Given, Query
from sidecar.translation.speech.wires.wire import Order, Wire, Written, encoded

_HARMLESS: Final = {"tag": "a label for the provider's records", "extra": "a label for the provider's records"}
_VALUES: Final = {"mip_opt_out": ("false",), "expressivity": ("0",)}
_TYPES: Final = {
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "adts": "audio/aac",
}
_RAW_TYPES: Final = {"pcm_s16le": "audio/l16", "mulaw": "audio/mulaw", "alaw": "audio/alaw"}
_HEADED: Final = ("linear16", "mulaw", "alaw")
#: [D] what is given where no rate is named.
_USUAL_RATES: Final = {"linear16": 24000, "mulaw": 8000, "alaw": 8000, "flac": 48000}
#: Encodings whose rate cannot be chosen; the only one that may be named is this.
_FIXED_RATES: Final = {"mp3": 22050, "opus": 48000, "aac": 22050}
_FLUX: Final = "flux-"
#: [D] "Voice controls"
_FLUX_SPEEDS: Final = (0.5, 1.5)
_PACED: Final = re.compile(r"aura-2-.*-(?:en|es)")
_CONTROL: Final = re.compile(r"\\?\{(?:pause:|\"word\")")


class Deepgram(Wire):
    name: ClassVar[str] = "Deepgram"
    endpoints: ClassVar[frozenset[str]] = frozenset(("speak", "speak.v2"))
    offers: ClassVar[Offers] = DEEPGRAM
    speeds: ClassVar[tuple[float, float] | None] = (0.7, 1.5)  # [D] of Aura
    longest: ClassVar[int | None] = 2000

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said, query = Given(request.body.data or b""), Query(request.query)
        voice, text = query.text("model"), said.text("text") or ""
        if "url" in said:
            raise Inexpressible("url", "the text is elsewhere")
        audio, rate_named = self._format(query)
        return SpeechAsk(
            text=text,
            audio=audio,
            rate_matters=rate_named or audio.container == "raw",
            model=voice,
            voice=voice,
            language=languages.of_voice(voice),
            speed=query.number("speed"),
            markup=_CONTROL.search(text) is not None,
            extras=said.rest({}) + query.rest(_HARMLESS, _VALUES),
        )

    def _format(self, query: Query) -> tuple[Audio, bool]:
        encoding, container = query.text("encoding") or "mp3", query.text("container")
        rate, bits = query.integer("sample_rate"), query.integer("bit_rate")
        if encoding in _HEADED:
            container = container or "wav"
        fixed = _FIXED_RATES.get(encoding)
        for offer in self.offers:
            words, audio = offer.named, offer.audio
            if words["encoding"] != encoding or (container or words.get("container")) != words.get("container"):
                continue
            if audio.rate == (rate or fixed or _USUAL_RATES.get(encoding)) and bits in (None, audio.bit_rate):
                return (audio if bits else Audio(audio.codec, audio.container, audio.rate)), rate is not None
        raise Inexpressible("format", "it is none that others have too")

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        query = {
            "model": order.voice,
            **order.offer.named,
            **({} if ask.speed is None else {"speed": f"{self._pace(ask.speed, order):g}"}),
        }
        version = "v2" if order.voice.startswith(_FLUX) else "v1"
        return Written(f"/{version}/speak?{urlencode(query)}", encoded({"text": ask.text}))

    @staticmethod
    def _pace(speed: float, order: Order) -> float:
        """Flux takes steps of 0.05, which nobody can tell from what lies between them."""
        return round(round(speed * 20) / 20, 2) if order.voice.startswith(_FLUX) else speed

    def paces(self, order: Order) -> tuple[float, float] | None:
        return _FLUX_SPEEDS if order.voice.startswith(_FLUX) else self.speeds

    def without_speed(self, ask: SpeechAsk, order: Order) -> str | None:
        paced = order.voice.startswith(_FLUX) or _PACED.fullmatch(order.voice)
        return None if paced else "only English and Spanish voices of Aura-2 heed it"

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """A voice speaks one language."""
        if ask.language is not None:
            leave.note("language")
        return None

    def misread(self, text: str) -> bool:
        return _CONTROL.search(text) is not None

    def unmarked(self, text: str) -> str:
        raise Inexpressible("markup", "pauses and phonemes stand in it")

    def content_type(self, audio: Audio) -> str:
        if audio.container != "raw":
            return _TYPES[audio.container]
        return f"{_RAW_TYPES[audio.codec]};rate={audio.rate};channels=1"

    def answer_headers(self, ask: SpeechAsk, usage: Usage) -> Mapping[str, str]:
        return {
            **({} if ask.model is None else {"dg-model-name": ask.model}),
            "dg-char-count": str(len(ask.text) if usage.characters is None else usage.characters),
        }
