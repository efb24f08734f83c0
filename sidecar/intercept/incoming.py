"""A request of the agent as a door hands it over, and what an answer needs of the connection it came by."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from sidecar.body import Body, Stream
from sidecar.errors import CallError
from sidecar.headers import Headers
from sidecar.intercept.flow import Flow

#: A body of up to this many bytes is awaited before the call goes on: it is as good as here already.
SMALL_BYTES = 64 * 1024
#: Unread bytes of an upload at which reading from the agent pauses.
HIGH_BYTES = 256 * 1024
#: How long an agent that was answered early may go on sending what nobody reads.
LINGER_SECONDS = 10.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenRequest(CallError):
    """The agent's request body came to no good end."""

    status = 400
    kind = "http_request_error"


class Incoming(Struct, frozen=True, eq=False):
    """A request whose head is here. ``target`` is as on the request line: a path, or a whole URL."""

    method: str
    target: str
    headers: Headers
    body: Body
    http_1_0: bool = False
    keep_alive: bool = True
    """Whether the agent wants to keep the connection."""
    socket: bool = False
    """Whether it asks to become a WebSocket."""


class AgentSide(Protocol):
    """The agent's connection, as an answer sees it."""

    @property
    def flow(self) -> Flow: ...

    def write(self, *parts: bytes) -> None:
        """
        Raises:
            ConnectionError: the agent has left.
        """
        ...

    @property
    def full(self) -> bool:
        """Whether `drain` should be awaited before more is written."""
        ...

    async def drain(self) -> None: ...

    def close_after_flush(self) -> None: ...

    def reset(self) -> None: ...

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        """The transport for another protocol, and what it has brought since the request. HTTP has ended on it."""
        ...


class Upload(Protocol):
    """Where the chunks of an `UploadBody` come from."""

    async def next_chunk(self) -> bytes:
        """The next bytes, or b"" at the end.

        Raises:
            BrokenRequest: there is no good end.
        """
        ...


class UploadBody(Stream):
    """A request body on its way from the agent. ``head`` keeps how it began, for those who only want to know that.

    Args:
        invite: called before the first chunk is read; tells an agent that waits for it to go on.
    """

    __slots__ = ("_invite", "head", "received_bytes", "source")

    HEAD_BYTES = 4096

    def __init__(self, source: Upload, length: int | None, invite: Callable[[], None] | None) -> None:
        super().__init__(length)
        self.source = source
        self._invite = invite
        self.head = b""
        self.received_bytes = 0

    async def __anext__(self) -> bytes:
        if self._invite is not None:
            self._invite()
            self._invite = None
        chunk = await self._waited(self.source.next_chunk())
        if not chunk:
            raise StopAsyncIteration
        self.received_bytes += len(chunk)
        if len(self.head) < self.HEAD_BYTES:
            self.head += chunk[: self.HEAD_BYTES - len(self.head)]
        return chunk
