"""Cartesia: bytes or events, and every combination of codec, container and rate."""

import base64
import math
import re
from typing import ClassVar, Final

from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.sse import Event
from sidecar.translation.contract import Inexpressible, Untranslatable
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import CARTESIA, Offer, Offers
from sidecar.translation.speech.reading import Given
from sidecar.translation.speech.wires.wire import Order, Piece, Wire, Written, audio_member, encoded, object_in

#: Of the API ([S]); an answer to speech is the same in all.
_VERSION: Final = "2026-08-14"
_HARMLESS: Final = {"use_normalized_timestamps": "of which text the times are told, where times are asked for"}
_VALUES: Final = {"save": (b"false",), "normalization": (b'"auto"',), "speed": (b'"normal"',)}
_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_RAW_TYPES: Final = {"mulaw": "audio/basic", "alaw": "audio/x-alaw-basic"}
#: [D] "SSML tags", and the laughter of sonic-3.
_TAG: Final = re.compile(r"</?(?:speed|volume|emotion|break|spell)\b[^<>]*>|\[laughter\]")
#: [S] `SupportedLanguage`
_LANGUAGE_NAMES = """
    en fr de es pt zh ja hi it ko nl pl ru sv tr tl bg ro ar cs el fi hr ms sk da ta uk hu no vi bn th he ka id te gu
    kn ml mr pa or ur
"""
_LANGUAGES: Final = frozenset(_LANGUAGE_NAMES.split())
#: [S] `Emotion`
_EMOTION_NAMES = """
    neutral happy excited enthusiastic elated euphoric triumphant amazed surprised flirtatious curious content
    peaceful serene calm grateful affectionate trust sympathetic anticipation mysterious angry mad outraged frustrated
    agitated threatened disgusted contempt envious sarcastic ironic sad dejected melancholic disappointed hurt guilty
    bored tired rejected nostalgic wistful apologetic hesitant insecure confused resigned anxious panicked alarmed
    scared proud confident distant skeptical contemplative determined
"""
_EMOTIONS: Final = frozenset(_EMOTION_NAMES.split())
#: [S] the volume's factor, in dB.
_QUIETEST, _LOUDEST = 20 * math.log10(0.5), 20 * math.log10(2.0)


class Cartesia(Wire):
    name: ClassVar[str] = "Cartesia"
    endpoints: ClassVar[frozenset[str]] = frozenset(("tts.bytes", "tts.sse"))
    offers: ClassVar[Offers] = CARTESIA
    needs_model: ClassVar[bool] = True
    speeds: ClassVar[tuple[float, float] | None] = (0.6, 1.5)  # [S]

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said = Given(request.body.data or b"")
        wanted, how = said.inner("output_format"), said.inner("generation_config")
        language, locale = said.text("language"), said.text("locale")
        voice = said.named_or("voice", "id")
        volume = _gain(how.number("volume"))
        text = said.text("transcript") or ""
        words, phonemes = said.flag("add_timestamps"), said.flag("add_phoneme_timestamps")
        return SpeechAsk(
            text=text,
            audio=self._format(wanted).audio,
            manner=Manner.EVENTS if call.endpoint == "tts.sse" else Manner.BYTES,
            model=said.text("model_id"),
            voice=voice,
            language=locale or language,
            speed=how.number("speed"),
            volume=volume,
            emotion=how.text("emotion"),
            timestamps="phonemes" if phonemes else "words" if words else None,
            markup=_TAG.search(text) is not None,
            echo=said.text("context_id"),
            extras=wanted.rest({}) + how.rest({}) + said.rest(_HARMLESS, _VALUES),
        )

    def _format(self, wanted: Given) -> Offer:
        words = {
            "container": wanted.text("container") or "raw",
            "encoding": wanted.text("encoding"),
            "sample_rate": wanted.integer("sample_rate"),
            "bit_rate": wanted.integer("bit_rate"),
        }
        words = {name: value for name, value in words.items() if value is not None}
        found = next((offer for offer in self.offers if offer.named == words), None)
        if found is None:
            raise Inexpressible("format", "it is none of those that its provider has")
        return found

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        how = {
            **({} if ask.speed is None else {"speed": ask.speed}),
            **({} if ask.volume is None else {"volume": round(10 ** (ask.volume / 20), 4)}),
            **({} if ask.emotion is None else {"emotion": ask.emotion}),
        }
        body = {
            "model_id": order.model,
            "transcript": ask.text,
            "voice": {"mode": "id", "id": order.voice},
            "output_format": order.offer.named,
            **({} if ask.language is None else {"language": ask.language}),
            **({"generation_config": how} if how else {}),
        }
        in_events = ask.manner is Manner.EVENTS and order.offer.audio.container == "raw"
        path = "/tts/sse" if in_events else "/tts/bytes"
        return Written(path, encoded(body), (("Cartesia-Version", _VERSION),))

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        if feature not in ("volume", "emotion"):
            return super().lacks(feature, ask, order)
        if (reason := self.without_speed(ask, order)) is not None:
            return reason
        if feature == "emotion":
            return None if ask.emotion in _EMOTIONS else "it is none of those there"
        return None if _QUIETEST <= (ask.volume or 0) <= _LOUDEST else "it lies between half and twice the usual"

    def without_speed(self, ask: SpeechAsk, order: Order) -> str | None:
        """[S] ``generation_config`` has no effect on earlier models."""
        known = (order.model or "").startswith(("sonic-3", "sonic-latest"))
        return None if known else "only models from sonic-3 on heed it"

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        if ask.language is None:
            return None
        name = languages.primary(ask.language)
        name = "no" if name == "nb" else name
        if name in _LANGUAGES:
            return name
        leave.without("language", f"{self.name} does not speak it")
        return None

    def misread(self, text: str) -> bool:
        return _TAG.search(text) is not None

    def unmarked(self, text: str) -> str:
        return _TAG.sub(" ", text)

    def content_type(self, audio: Audio) -> str:
        return _TYPES.get(audio.container) or _RAW_TYPES.get(audio.codec, "audio/pcm")

    def audio_of_event(self, event: Event) -> Piece:
        try:
            said = object_in(event.data)
            kind = members.text(said, "type")
            if kind == "chunk":
                return Piece(audio_member(event.data, "data"))
        except (Untranslatable, *UNREADABLE) as error:
            raise UpstreamBroken(f"an event of the answer cannot be read: {type(error).__name__}", begun=True) from None
        if kind == "error" or "error" in said or "error_code" in said:
            raise UpstreamBroken("the provider reported an error while it spoke", begun=True)
        return Piece(done=kind == "done")

    def events_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        data = base64.b64encode(audio).decode()
        return _event("chunk", ask, done=False, status_code=206, step_time=0.0, data=data)

    def last_events(self, ask: SpeechAsk, usage: Usage) -> bytes:
        return _event("done", ask, done=True, status_code=200)


def _gain(factor: float | None) -> float | None:
    """In dB."""
    if factor is not None and factor <= 0:
        raise Inexpressible("volume", "it is no factor")
    return None if factor in (None, 1.0) else round(20 * math.log10(factor), 4)


def _event(kind: str, ask: SpeechAsk, **fields: object) -> bytes:
    context = {} if ask.echo is None else {"context_id": ask.echo}
    return Event(encoded({"type": kind, **fields, **context}), kind).encode()
