"""What a module is that knows one wire: it reads and writes requests, hears answers and tells them. No I/O."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from msgspec import Struct

from sidecar.dialects.fields import Fields
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.sse import Event
from sidecar.translation.contract import Inexpressible
from sidecar.translation.transcription.neutral import Ask, Piece, Transcript

JSON = "application/json"

_NOTHING = frozenset(("", "null"))
_OFF = frozenset(("false", "0", "none", "[]", "{}"))


class Able(Struct, frozen=True, kw_only=True):
    """What a provider can do with one of its models."""

    words: bool = False
    """Words with times."""
    segments: bool = False
    speakers: bool = False
    prompt: int = 0
    """The most characters of a prompt; 0 for none at all."""
    terms: int = 0
    """The most words and phrases to listen for."""
    detects: bool = False
    """Whether it finds out itself what language is spoken."""
    candidates: int = 1
    """How many languages can be named of which one is spoken."""
    languages: frozenset[str] | None = None
    """Those that it takes, as ISO 639-1; None for many."""
    translates: bool = False
    """Into English."""
    punctuates: bool = True
    filters_profanity: bool = False
    fetches: bool = False
    """Whether it takes the address of a recording."""
    samples_text: bool = False
    """Whether a temperature means anything to it."""
    confident: bool = False
    """Whether it says how sure it is."""
    streams: bool = False
    needs_model: bool = False
    language_excludes: frozenset[str] = frozenset()
    """Features beside which no language can be named."""


class Leave:
    """What may be left out of a request, and what was."""

    def __init__(self, may_lose: frozenset[str] = frozenset()) -> None:
        self._may_lose = may_lose
        self.lost: list[str] = []

    def without(self, feature: str, reason: str) -> None:
        """Go on without *feature*.

        Raises:
            Inexpressible: that is not allowed.
        """
        if feature not in self._may_lose:
            raise Inexpressible(feature, reason)
        self.note(feature)

    def note(self, feature: str) -> None:
        """*feature* is left out, which makes no difference, or none that the agent asked for."""
        if feature not in self.lost:
            self.lost.append(feature)


class Written(NamedTuple):
    """A request as its wire has it. ``target`` is path and query."""

    target: str
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Told(NamedTuple):
    """An answer as its wire has it."""

    content_type: str
    body: bytes


#: Takes the events of a stream in order.
#:
#: Gives what each says, if that is anything. Raises any of `sidecar.dialects.documents.UNREADABLE` for what cannot be
#: read, `sidecar.translation.Untranslatable` where it reports that it failed.
Hearing = Callable[[Event], Piece | None]
#: Gives the events that say what a piece of a stream says.
Telling = Callable[[Piece], list[Event]]


class Wire(ABC):
    """One family's way to have speech written down. Implementations are stateless."""

    dialect: ClassVar[str]
    """As in `sidecar.translation.transcription.accepted.TAKES`."""
    tells_confidence: ClassVar[bool] = False
    """Whether its answers always say how sure the provider is."""
    unmarked: ClassVar[str | None] = None
    """What an agent's recording is that says nothing of itself and is not declared."""

    @abstractmethod
    def read(self, asked: Transcription, exchange: Exchange) -> Ask:
        """What an agent asks for. Of the recording it says only how many channels were declared; the caller puts it in.

        Args:
            asked: the typed view of *exchange*'s request.

        Raises:
            any of `sidecar.dialects.documents.UNREADABLE`: the request is not what the endpoint takes.
            Inexpressible: it asks for what nobody else has, a job for example.
        """

    @abstractmethod
    def able(self, model: str | None, *, translate: bool = False) -> Able:
        """What a provider with this wire can do with *model*, transcribing or translating."""

    @abstractmethod
    def write(self, ask: Ask, model: str | None) -> Written:
        """*ask*, which has nothing in it that `able` denies.

        Raises:
            Inexpressible: a value in it cannot be said: a language, an address.
        """

    @abstractmethod
    def hear(self, data: bytes) -> Transcript:
        """What a whole answer of status 2xx says.

        Raises:
            any of `sidecar.dialects.documents.UNREADABLE`, Untranslatable: it is no transcript.
        """

    @abstractmethod
    def tell(self, transcript: Transcript, ask: Ask) -> Told:
        """A whole answer for the agent who asked that."""

    def hearing(self) -> Hearing | None:
        """For a streamed answer, if there can be one."""
        return None

    def telling(self, ask: Ask) -> Telling | None:
        """For an agent who asked for a stream."""
        return None


def left_over(
    rest: Fields, indifferent: Mapping[str, str], peculiar: Mapping[str, str]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Of the fields that a reader had no use for: which only the agent's provider can heed, and which do not matter.

    Args:
        indifferent: names of fields that make no difference, with the reason.
        peculiar: names of features of one provider; switched off, they make none either. An unknown field is one too.
    """
    alone: dict[str, str] = {}
    harmless = []
    for written, value in rest.rest():
        name = written.partition("[")[0]
        if value in _NOTHING:
            continue
        if name in indifferent:
            harmless.append(name)
        elif name not in peculiar:
            alone.setdefault(name, "it is a field that nobody knows here")
        elif value.lower() not in _OFF:
            alone.setdefault(name, peculiar[name])
    return tuple(alone.items()), tuple(dict.fromkeys(harmless))
