"""What is written down about an exchange on its way. No I/O."""

import time
from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct, field

from sidecar.body import Body
from sidecar.payload import Answer, Payload
from sidecar.provider import Provider

T = TypeVar("T")

Detail = str | int | float | bool


class Verdict(Struct, frozen=True, gc=False):
    """What a layer did with a call, and why: `cache: miss, nearest key differs in voice`."""

    plugin: str
    outcome: str
    reason: str = ""
    detail: Mapping[str, Detail] = field(default_factory=dict)
    at_seconds: float = 0.0
    """Since the call came in."""


class Fault(Struct, frozen=True, gc=False):
    """A plugin's own failure, and what was done about it: bypassed, failed (the call), ignored (an observer)."""

    plugin: str
    hook: str
    reason: str
    action: str
    at_seconds: float = 0.0


class Connecting(Struct, frozen=True, gc=False):
    """What opening a connection took, in seconds; 0.0 for a step that was not needed."""

    dns_seconds: float = 0.0
    tcp_seconds: float = 0.0
    tls_seconds: float = 0.0
    tls: str = ""
    """``TLSv1.3``; empty for a connection without TLS."""
    resumed: bool = False
    """Whether TLS went on with a session of before."""

    @property
    def seconds(self) -> float:
        return self.dns_seconds + self.tcp_seconds + self.tls_seconds

    def last(self, seconds: float) -> "Connecting":
        """The last *seconds* of it: what somebody sees who came when it was under way."""
        tls = min(self.tls_seconds, seconds)
        tcp = min(self.tcp_seconds, seconds - tls)
        dns = min(self.dns_seconds, seconds - tls - tcp)
        return Connecting(dns, tcp, tls, self.tls, self.resumed)


class AttemptRecord:
    """What is known of an attempt so far. The times are monotonic; 0.0 stands for not yet."""

    __slots__ = (
        "body_bytes",
        "connect_seconds",
        "connected",
        "connecting",
        "ended",
        "error",
        "first_byte",
        "number",
        "peer",
        "provider",
        "requested",
        "reused",
        "started",
        "status",
        "trailers",
    )

    def __init__(self, provider: Provider, number: int) -> None:
        self.provider = provider
        self.number = number
        self.started = time.monotonic()
        self.connected = 0.0
        self.connect_seconds = 0.0
        """How long the attempt waited for a new connection; 0.0 for one that was open already."""
        self.connecting: Connecting | None = None
        """What that connection took, where the client knows."""
        self.reused = False
        self.peer = ""
        """The address that was dialled."""
        self.requested = 0.0
        """When the last byte of the request was handed to the connection."""
        self.first_byte = 0.0
        self.ended = 0.0
        self.status = 0
        self.error: BaseException | None = None
        self.body_bytes = 0
        self.trailers: tuple[str, ...] = ()
        """Names of trailers that the provider sent; they are not passed on."""

    def begin_again(self) -> None:
        """The connection was given up in the moment in which it was taken up: nothing has happened yet."""
        self.error = None
        self.requested = self.first_byte = self.ended = 0.0
        self.status = self.body_bytes = 0

    def failed(self, error: BaseException) -> None:
        self.error = error
        self.ended = self.ended or time.monotonic()


class Key(Generic[T]):
    """A typed key for `Notes`: a layer makes one, and keeps it to itself or exports it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Notes:
    """What is written down about an exchange on its way: the one thing of it that can change."""

    __slots__ = (
        "_answer",
        "_kept",
        "_payload",
        "attempts",
        "faults",
        "open_bodies",
        "received",
        "released",
        "verdicts",
    )

    def __init__(self, received: float) -> None:
        self.received = received
        self.released = False
        """Whether nothing more is remembered for whoever asks next."""
        self.verdicts: list[Verdict] = []
        self.faults: list[Fault] = []
        self.attempts: list[AttemptRecord] = []
        self.open_bodies: list[Body] = []
        """Bodies of answers that streamed when they came; closed when the exchange is over, whoever dropped them."""
        self._kept: dict[object, object] | None = None
        self._payload: tuple[Body, Payload | None] | None = None
        self._answer: tuple[bytes, Answer] | None = None

    def put(self, key: Key[T], value: T) -> None:
        if self._kept is None:
            self._kept = {}
        self._kept[key] = value

    def get(self, key: Key[T]) -> T | None:
        return None if self._kept is None else self._kept.get(key)  # type: ignore[return-value]

    def taken_over(self) -> tuple[Body, ...]:
        """The bodies of answers that stream: whoever asks closes them from now on, for they outlive the exchange."""
        bodies = tuple(self.open_bodies)
        self.open_bodies.clear()
        return bodies

    def release(self) -> None:
        """Let go of what only mattered while the exchange was under way."""
        self.released = True
        self._payload = self._answer = None
        self.open_bodies.clear()

    def since(self) -> float:
        """Seconds since the call came in."""
        return time.monotonic() - self.received
