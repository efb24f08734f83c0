"""What a wire is: how the providers of one kind are asked to speak, and how they answer. No I/O."""

import binascii
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.sse import Event
from sidecar.translation.contract import Untranslatable
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, SpeechAsk
from sidecar.translation.speech.offers import Offer, Offers
from sidecar.translation.speech.ssml import Elements

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream; charset=utf-8"

_encode = msgspec.json.encode
_text = msgspec.json.Decoder(str).decode
_NULL = Raw(b"null")
_URL_SAFE = str.maketrans("-_", "+/")
_TRUNCATED = "truncated"


class Order(Struct, frozen=True):
    """What is asked of a provider besides what the agent asked for."""

    model: str | None
    voice: str
    offer: Offer


class Written(Struct, frozen=True):
    """A request as it goes out; always a POST."""

    target: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Besides those that all requests have; the media type of the body, if it is not JSON, among them."""


class Piece(Struct, frozen=True):
    """What one event of an answer brings."""

    audio: bytes = b""
    done: bool = False


class Wire(ABC):
    """One kind of providers. What it can do is said by class variables, and by methods where it depends."""

    name: ClassVar[str]
    """As it is called in reasons."""
    endpoints: ClassVar[frozenset[str]]
    """Those of its dialect that are read."""
    offers: ClassVar[Offers]
    needs_model: ClassVar[bool] = False
    """Whether a call must name a model."""
    speeds: ClassVar[tuple[float, float] | None] = None
    """The slowest and the fastest; None where the pace cannot be chosen."""
    elements: ClassVar[Elements | None] = None
    """Of SSML; None where none is understood."""
    longest: ClassVar[int | None] = None
    """How many characters a text may have."""
    streams: ClassVar[bool] = True
    """Whether its answers flow while it speaks."""

    # -- requests ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def read(self, call: Call, request: Request) -> SpeechAsk:
        """What *request* asks for. Its body is in memory.

        Raises:
            sidecar.translation.contract.Inexpressible: it cannot be read, or is of a kind that nobody else has.
        """

    @abstractmethod
    def write(self, ask: SpeechAsk, order: Order) -> Written:
        """The request that says *ask*, which has nothing in it any more that cannot be said here."""

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        """Why one of `sidecar.translation.speech.ask.FEATURES` cannot be said; None if it can."""
        return f"{self.name} cannot be told of it"

    def paces(self, order: Order) -> tuple[float, float] | None:
        """The slowest and the fastest, where that depends on model or voice."""
        return self.speeds

    def without_speed(self, ask: SpeechAsk, order: Order) -> str | None:
        """Why no pace can be chosen, where that depends on model or voice."""
        return None

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        """Why the text does not fit into one call."""
        return None if self.longest is None else self.longer(ask, self.longest)

    def longer(self, ask: SpeechAsk, limit: int) -> str | None:
        """That the text has more than *limit* characters, if it has."""
        length = len(ask.text)
        return None if length <= limit else f"{self.name} takes {limit} characters, and there are {length}"

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """The language as it is said here; None if it is not.

        Raises:
            Inexpressible: one is needed and none known, or there is none like that.
        """
        return None if ask.language is None else languages.primary(ask.language)

    def misread(self, text: str) -> bool:
        """Whether there is something in a plain *text* that would be taken for a mark."""
        return False

    def unmarked(self, text: str) -> str:
        """*text* without the marks that ``SpeechAsk.markup`` tells of."""
        return text

    # -- answers -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def content_type(self, audio: Audio) -> str:
        """What this provider calls *audio*."""

    def audio_of_event(self, event: Event) -> Piece:
        """What an event of an answer says.

        Raises:
            UpstreamBroken: it is an error, or none that can be read.
        """
        raise UpstreamBroken(f"{self.name} does not answer in events", begun=True)

    def audio_of_document(self, document: bytes) -> bytes:
        """The audio in an answer that is one JSON document.

        Raises:
            UpstreamBroken: it is not whole.
            Untranslatable: there is none in it.
        """
        raise Untranslatable(f"{self.name} answered with JSON instead of audio")

    def events_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        """The event that brings *audio*."""
        raise NotImplementedError

    def last_events(self, ask: SpeechAsk, usage: Usage) -> bytes:
        """How an event stream ends that is whole."""
        raise NotImplementedError

    def document_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        """The JSON document, or line, that brings *audio*."""
        raise NotImplementedError

    def answer_headers(self, ask: SpeechAsk, usage: Usage) -> Mapping[str, str]:
        """What else its SDK looks for in the head of an answer."""
        return {}


def audio_member(document: bytes | Raw, *names: str) -> bytes:
    """The audio under the first of *names* that *document* has.

    Raises:
        UpstreamBroken: the document is not whole, or its base64 is not.
        Untranslatable: it is none, or has no such member, or says that something went wrong.
    """
    found = object_in(document)
    name = next((name for name in names if name in found), None)
    if name is None:
        raise Untranslatable("there is an error or nothing where the audio should be")
    if found[name] == _NULL:
        raise Untranslatable("there is nothing where the audio should be")
    try:
        encoded_audio = _text(found[name])
        if "-" in encoded_audio or "_" in encoded_audio:
            encoded_audio = encoded_audio.translate(_URL_SAFE)
        return binascii.a2b_base64(encoded_audio, strict_mode=True)
    except UNREADABLE:
        raise UpstreamBroken("the audio is not whole base64", begun=True) from None


def object_in(document: bytes | Raw) -> members.Members:
    """
    Raises:
        UpstreamBroken: *document* is not whole.
        Untranslatable: it is no JSON object.
    """
    try:
        return members.of(document)
    except UNREADABLE as error:
        if _TRUNCATED in str(error):
            raise UpstreamBroken("the document ends before its end", begun=True) from None
        raise Untranslatable("the answer is no JSON object") from None


def encoded(value: Any) -> bytes:
    return _encode(value)
