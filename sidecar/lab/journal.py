"""What an emulated provider received, kept for whoever wants to look at it, and awaitable."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from typing import Self

from msgspec import Struct

Field = tuple[bytes, bytes]


class Signal:
    """Wakes those who wait for something to become true."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def fire(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def until(self, condition: Callable[[], bool], timeout_seconds: float) -> None:
        async with asyncio.timeout(timeout_seconds):
            while not condition():
                waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.add(waiting)
                try:
                    await waiting
                finally:
                    self._waiting.discard(waiting)


class Frame(Struct, frozen=True):
    """One WebSocket message. ``sender`` is ``client`` or ``server``."""

    sender: str
    data: str | bytes


class Received:
    """One request, from its head to the end of its answer."""

    def __init__(
        self,
        provider: str,
        connection: int,
        method: str,
        target: str,
        headers: tuple[Field, ...],
        *,
        kept_bytes: int = 4 << 20,
        secure: bool = False,
    ) -> None:
        self.provider = provider
        self.connection = connection
        """Which of the provider's connections it came over, counted from 1."""
        self.secure = secure
        """Whether it came over TLS."""
        self.method = method
        self.target = target
        """Path and query as on the wire."""
        self.headers = headers
        """Pairs of name and value in order, case and all."""
        self.body = b""
        """As on the wire (content codings included), cut off after a limit."""
        self.body_bytes = 0
        self.frames: list[Frame] = []
        """Of a socket."""
        self.fault = ""
        """The fault that was done to it."""
        self.status = 0
        self.answer_bytes = 0
        """Of the answer's body, so far."""
        self.cancelled = False
        """Whether the client went away before the answer was whole."""
        self._kept_bytes = kept_bytes
        self._digest = hashlib.sha256()
        self._body_whole = False
        self._finished = False
        self._signal = Signal()

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def sha256(self) -> str:
        """Of the whole body, or of as much as has come."""
        return self._digest.hexdigest()

    def header(self, name: str) -> str | None:
        wanted = name.lower().encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), None)

    def add_body(self, chunk: bytes) -> None:
        self.body_bytes += len(chunk)
        self._digest.update(chunk)
        if (room := self._kept_bytes - len(self.body)) > 0:
            self.body += chunk[:room]
        self._signal.fire()

    def end_body(self) -> None:
        self._body_whole = True
        self._signal.fire()

    def add_frame(self, sender: str, data: str | bytes) -> None:
        self.frames.append(Frame(sender, data))
        self._signal.fire()

    def close(self) -> None:
        self._finished = True
        self._signal.fire()

    async def body_reached(self, size_bytes: int, *, timeout_seconds: float = 10.0) -> Self:
        """Wait until so much of the body has come."""
        await self._signal.until(lambda: self.body_bytes >= size_bytes, timeout_seconds)
        return self

    async def body_whole(self, *, timeout_seconds: float = 10.0) -> Self:
        await self._signal.until(lambda: self._body_whole, timeout_seconds)
        return self

    async def frames_reached(self, count: int, sender: str = "client", *, timeout_seconds: float = 10.0) -> list[Frame]:
        """Wait for so many messages of a sender, and return all that there are of it."""
        await self._signal.until(lambda: len(self._frames_of(sender)) >= count, timeout_seconds)
        return self._frames_of(sender)

    async def finished(self, *, timeout_seconds: float = 10.0) -> Self:
        """Wait for the end: the answer is written, or the client is gone."""
        await self._signal.until(lambda: self._finished, timeout_seconds)
        return self

    def _frames_of(self, sender: str) -> list[Frame]:
        return [frame for frame in self.frames if frame.sender == sender]

    def __repr__(self) -> str:
        return f"<{self.provider} {self.method} {self.path} {self.status or 'open'}>"


class Journal:
    """Requests in the order in which their heads came."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._shown = 0
        self._signal = Signal()

    def add(self, received: Received) -> None:
        self.requests.append(received)
        self._signal.fire()

    async def next_request(self, *, timeout_seconds: float = 10.0) -> Received:
        """The first request that no earlier call has returned, as soon as its head is there."""
        await self._signal.until(lambda: len(self.requests) > self._shown, timeout_seconds)
        self._shown += 1
        return self.requests[self._shown - 1]

    def clear(self) -> None:
        self.requests.clear()
        self._shown = 0

    def __len__(self) -> int:
        return len(self.requests)

    def __iter__(self) -> Iterator[Received]:
        return iter(self.requests)
