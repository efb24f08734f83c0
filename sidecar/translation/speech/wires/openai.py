"""OpenAI's speech, and Groq's, which follows it with formats of its own."""

import base64
from typing import ClassVar, Final

from msgspec import Raw

from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.family import given
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.sse import Event
from sidecar.translation.contract import Inexpressible, Untranslatable
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import GROQ, OPENAI, Offer, Offers
from sidecar.translation.speech.reading import Given
from sidecar.translation.speech.wires.wire import Order, Piece, Wire, Written, audio_member, encoded, object_in

_HARMLESS: Final = {
    "user": "says whom the agent serves, for the provider's records",
    "metadata": "notes of the agent's for the provider's records",
    "safety_identifier": "says whom the agent serves, for the provider's records",
}
_VALUES: Final = {"stream_format": (b'"audio"',), "stream": (b"false",)}
_TYPES: Final = {
    "mp3": "audio/mpeg",
    "ogg": "audio/opus",
    "adts": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "raw": "audio/pcm",
}
_DELTA, _DONE = "speech.audio.delta", "speech.audio.done"
#: Models that speak without events ([D] of ``stream_format``) and take no instructions.
_OLD: Final = "tts-1"


class OpenAI(Wire):
    name: ClassVar[str] = "OpenAI"
    endpoints: ClassVar[frozenset[str]] = frozenset(("audio.speech",))
    offers: ClassVar[Offers] = OPENAI
    needs_model: ClassVar[bool] = True
    speeds: ClassVar[tuple[float, float] | None] = (0.25, 4.0)  # [D]
    longest: ClassVar[int | None] = 4096  # [S]
    path: ClassVar[str] = "/v1/audio/speech"

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said = Given(request.body.data or b"")
        offer, rate_named = self.read_format(said)
        manner = Manner.EVENTS if self._events(said) else Manner.BYTES
        return SpeechAsk(
            text=said.text("input") or "",
            audio=offer.audio,
            rate_matters=rate_named or offer.audio.container == "raw",
            manner=manner,
            model=said.text("model") or call.model,
            voice=said.named_or("voice", "id"),
            speed=said.number("speed"),
            instructions=said.text("instructions") or None,
            extras=said.rest(_HARMLESS, _VALUES),
        )

    def read_format(self, said: Given) -> tuple[Offer, bool]:
        """What is asked for, and whether its sample rate was named."""
        name = said.text("response_format") or "mp3"
        return _of(self.offers, response_format=name), False

    @staticmethod
    def _events(said: Given) -> bool:
        wanted = said.raw("stream_format")
        if wanted in (None, Raw(b'"audio"')):
            return False
        if wanted == Raw(b'"sse"'):
            return True
        raise Inexpressible("stream_format", "it is neither audio nor sse")

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        model = order.model or ""
        in_events = ask.manner is Manner.EVENTS and self.offers is OPENAI and not model.startswith(_OLD)
        body = {
            "model": model,
            "input": ask.text,
            "voice": order.voice,
            **order.offer.named,
            **({} if ask.speed is None else {"speed": ask.speed}),
            **({} if ask.instructions is None else {"instructions": ask.instructions}),
            **({"stream_format": "sse"} if in_events else {}),
        }
        return Written(self.path, encoded(body))

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        if feature != "instructions":
            return super().lacks(feature, ask, order)
        return "these models take none" if (order.model or "").startswith(_OLD) else None

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """Its voices speak whatever language the text is in."""
        if ask.language is not None:
            leave.note("language")
        return None

    def content_type(self, audio: Audio) -> str:
        return _TYPES[audio.container]

    def audio_of_event(self, event: Event) -> Piece:
        return event_piece(event, "audio", "delta")

    def events_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        return Event(encoded({"type": _DELTA, "audio": base64.b64encode(audio).decode()})).encode()

    def last_events(self, ask: SpeechAsk, usage: Usage) -> bytes:
        """Clients expect numbers of tokens; where nobody told any, none were used of theirs."""
        asked, given = usage.input_tokens or 0, usage.output_tokens or 0
        used = {"input_tokens": asked, "output_tokens": given, "total_tokens": asked + given}
        return Event(encoded({"type": _DONE, "usage": used})).encode()


class AzureOpenAI(OpenAI):
    """The deployment stands in the body, as the undated surface takes it ([D] "v1 preview API")."""

    name: ClassVar[str] = "Azure OpenAI"
    path: ClassVar[str] = "/openai/v1/audio/speech?api-version=preview"


class Groq(OpenAI):
    name: ClassVar[str] = "Groq"
    offers: ClassVar[Offers] = GROQ
    speeds: ClassVar[tuple[float, float] | None] = (0.5, 5.0)  # [D]
    path: ClassVar[str] = "/openai/v1/audio/speech"

    def read_format(self, said: Given) -> tuple[Offer, bool]:
        name, rate = said.text("response_format") or "mp3", said.integer("sample_rate")
        return _of(self.offers, response_format=name, sample_rate=rate or 48000), rate is not None

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        return Wire.lacks(self, feature, ask, order)

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        """[D] 200 characters for Orpheus, 10000 for PlayAI."""
        return self.longer(ask, 200 if "orpheus" in (order.model or "") else 10000)

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """A model speaks one language: Arabic those that are called so, English all others."""
        spoken = "ar" if "arabic" in (order.model or "") else "en"
        if languages.differ(ask.language, spoken):
            leave.without("language", f"the model speaks {spoken} alone")
        elif ask.language is not None:
            leave.note("language")
        return None

    def content_type(self, audio: Audio) -> str:
        return "audio/ogg" if audio.container == "ogg" else super().content_type(audio)


def _of(offers: Offers, **words: str | int) -> Offer:
    found = next((offer for offer in offers if offer.named == words), None)
    if found is None:
        raise Inexpressible("format", "it is none of those that its provider has")
    return found


def event_piece(event: Event, *names: str) -> Piece:
    """What an event of those that follow OpenAI's names brings.

    Raises:
        UpstreamBroken: it is an error, or none of theirs.
    """
    if event.data == b"[DONE]":
        return Piece()
    try:
        said = object_in(event.data)
        kind = members.text(said, "type")
        if kind == _DELTA:
            return Piece(audio_member(event.data, *names))
    except (Untranslatable, *UNREADABLE) as error:
        raise UpstreamBroken(f"an event of the answer cannot be read: {type(error).__name__}", begun=True) from None
    if kind == _DONE:
        return Piece(done=True)
    if kind == "error" or given(said.get("error", Raw())) is not None:
        raise UpstreamBroken("the provider reported an error while it spoke", begun=True)
    return Piece()
