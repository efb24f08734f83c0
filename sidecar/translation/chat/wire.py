"""What each wire brings: how requests and answers are read and written there. Any two of them meet in the middle."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Raw, Struct

from sidecar import sse
from sidecar.dialect import Call, Dialect
from sidecar.dialects.documents import UNREADABLE
from sidecar.errors import UpstreamBroken
from sidecar.translation.chat.ask import Ask
from sidecar.translation.chat.events import Event, Failed, Said
from sidecar.translation.chat.losses import Losses

#: Of one event: a whole file may come in it.
EVENT_BYTES: Final = 32 << 20


class Asked(Struct, frozen=True):
    """A request as it came."""

    call: Call
    dialect: Dialect
    query: str
    body: bytes


class Written(Struct, frozen=True):
    """A request for a provider."""

    target: str
    """Path and query."""
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """Besides those of every request in JSON."""


class Agent(Struct, frozen=True, kw_only=True):
    """Who waits for an answer, and what it must look like."""

    dialect: Dialect
    model: str
    """As asked."""
    stream: bool = False
    usage: bool = False
    thoughts: bool = False
    listed: bool = False
    request: Mapping[str, Raw] = {}
    """The members of its request, for those who get them back."""
    is_vertex: bool = False
    """Whether it has called Gemini in Google's cloud, where calls of tools have no identifiers."""

    @property
    def family(self) -> str:
        return self.dialect.name


class StreamReader(ABC):
    """An answer's event stream, taken apart as it comes.

    Nothing is raised, so that what could be read is not lost: `broken` says what is wrong, once that is so.
    """

    def __init__(self) -> None:
        self._sse = sse.Reader(EVENT_BYTES)
        self.complete = False
        """Whether all has been said."""
        self.closed = False
        """Whether the stream says so of itself: nothing that comes after is part of the answer."""
        self.failed = False
        """Whether the provider has said that it gives up."""
        self.broken: UpstreamBroken | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        try:
            return self._read(self._sse.feed(chunk))
        except sse.EventTooLarge as error:
            self.broken = UpstreamBroken(str(error), begun=True)
            return []

    def end(self) -> list[Event]:
        """What the end of the bytes reveals; an answer that was not complete then is `broken`."""
        last = self._sse.end()
        events = [] if last is None else self._read([last])
        if not (self.complete or self.failed or self.broken):
            self.broken = UpstreamBroken("the stream ended before the answer was complete", begun=True)
        return events

    def _read(self, stream: Iterable[sse.Event]) -> list[Event]:
        found: list[Event] = []
        for event in stream:
            if self.closed or self.failed or self.broken:
                break
            try:
                taken = self.take(event.data)
            except UNREADABLE:
                self.broken = UpstreamBroken("an event of the stream cannot be read", begun=True)
                break
            found += taken
            self.failed = any(isinstance(each, Failed) for each in taken)
        if self.closed and not self.complete and not self.failed:
            self.broken = UpstreamBroken("the stream says that it is over before the answer is complete", begun=True)
        return found

    @abstractmethod
    def take(self, data: bytes) -> list[Event]:
        """What the data of one event say.

        Raises:
            any of `sidecar.dialects.documents.UNREADABLE`: they are not of this kind.
        """


class Writer(ABC):
    """One answer, in the form that an agent waits for."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.stream_type = "text/event-stream; charset=utf-8"
        self.whole_type = "application/json"

    @abstractmethod
    def write(self, event: Event) -> bytes:
        """The bytes of a stream that *event* becomes; maybe none yet.

        Raises:
            UpstreamBroken: it is a failure, and there is no other way to tell of it.
        """

    @abstractmethod
    def end(self) -> bytes:
        """The last bytes of a stream of which all has been written."""

    @abstractmethod
    def whole(self, said: Said) -> bytes:
        """The answer as one document."""


class Wire(Struct, frozen=True):
    """How one kind of endpoint is spoken to."""

    name: str
    read_request: Callable[[Asked, Losses], Ask]
    """Raises `sidecar.translation.Inexpressible`."""
    write_request: Callable[[Ask, Dialect, Losses], Written]
    """Raises `sidecar.translation.Inexpressible`."""
    read_whole: Callable[[bytes], list[Event]]
    """Raises `sidecar.translation.Untranslatable` or any of `sidecar.dialects.documents.UNREADABLE`."""
    reader: Callable[[], StreamReader]
    writer: Callable[[Agent], Writer]
