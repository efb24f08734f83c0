"""Mistral's speech: OpenAI's path, other field names, and base64 in JSON or in events."""

import base64
import re
from typing import ClassVar, Final

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.sse import Event
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import MISTRAL, Offers
from sidecar.translation.speech.reading import Given
from sidecar.translation.speech.wires.openai import event_piece
from sidecar.translation.speech.wires.wire import JSON, Order, Piece, Wire, Written, audio_member, encoded

_HARMLESS: Final = {
    "metadata": "notes of the agent's for the provider's records",
    "prompt_cache_key": "says which of the provider's caches to look into",
    "ref_audio": "describes a voice, and another one is mapped",
}
#: [D] emotion and pace tags.
_TAG: Final = re.compile(r"\[(?:emotion|pace)=[^\]\s]{0,40}\]")
_DELTA, _DONE = "speech.audio.delta", "speech.audio.done"


class Mistral(Wire):
    name: ClassVar[str] = "Mistral"
    endpoints: ClassVar[frozenset[str]] = frozenset(("audio.speech",))
    offers: ClassVar[Offers] = MISTRAL

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said = Given(request.body.data or b"")
        text, name = said.text("input") or "", said.text("response_format") or "mp3"
        offer = next((offer for offer in self.offers if offer.named["response_format"] == name), None)
        if offer is None:
            raise Inexpressible("format", "it is none of those that its provider has")
        return SpeechAsk(
            text=text,
            audio=offer.audio,
            rate_matters=offer.audio.container == "raw",
            manner=Manner.EVENTS if said.flag("stream") else Manner.DOCUMENT,
            model=said.text("model"),
            voice=said.text("voice_id"),
            markup=_TAG.search(text) is not None,
            extras=said.rest(_HARMLESS),
        )

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        """Always in events but where all of it is wanted at once: what is cut shows in a stream that has a last one."""
        flowing = ask.manner not in (Manner.DOCUMENT, Manner.FILE)
        body = {
            **({} if order.model is None else {"model": order.model}),
            "input": ask.text,
            "voice_id": order.voice,
            **order.offer.named,
            "stream": flowing,
        }
        accept = "text/event-stream" if flowing else JSON
        return Written("/v1/audio/speech", encoded(body), (("Accept", accept),))

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """Each voice speaks its own language ([D]), and which voice it is is mapped."""
        if ask.language is not None:
            leave.note("language")
        return None

    def misread(self, text: str) -> bool:
        return _TAG.search(text) is not None

    def unmarked(self, text: str) -> str:
        return _TAG.sub("", text)

    def content_type(self, audio: Audio) -> str:
        return JSON

    def audio_of_event(self, event: Event) -> Piece:
        return event_piece(event, "audio_data")

    def audio_of_document(self, document: bytes) -> bytes:
        return audio_member(document, "audio_data")

    def events_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        return Event(encoded({"type": _DELTA, "audio_data": base64.b64encode(audio).decode()}), _DELTA).encode()

    def last_events(self, ask: SpeechAsk, usage: Usage) -> bytes:
        """Its SDK wants numbers of tokens; where nobody told any, none were used of its."""
        asked, given = usage.input_tokens or 0, usage.output_tokens or 0
        used = {"prompt_tokens": asked, "completion_tokens": given, "total_tokens": asked + given}
        return Event(encoded({"type": _DONE, "usage": used}), _DONE).encode()

    def document_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        return encoded({"audio_data": base64.b64encode(audio).decode()})
