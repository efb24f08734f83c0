"""A request whose body is still on its way from the agent."""

import asyncio
from typing import Protocol

from sidecar.intercept.incoming import BrokenRequest, Incoming


class Line(Protocol):
    """The connection, as the body that comes by it knows it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def read_on(self) -> None:
        """Somebody has read: there is room for more."""
        ...


class Arriving:
    """What has come of a body and was not read yet; the source of an `UploadBody`.

    Args:
        left: bytes still to come; -1 for a body in chunks.
        held: the request, if it is to be served only when its body is whole.
    """

    __slots__ = ("_chunks", "_error", "_line", "_waiter", "held", "left", "size")

    def __init__(self, line: Line, left: int, held: Incoming | None = None) -> None:
        self.left = left
        self.held = held
        self.size = 0
        """Bytes that were not read yet."""
        self._line = line
        self._chunks: list[bytes] = []
        self._error: BrokenRequest | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.size += len(chunk)

    def take(self) -> bytes:
        """All that was not read yet."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks, self.size = [], 0
        return data

    def fail(self, reason: str) -> None:
        """There will be no more of it. What has come is read first."""
        self._error = BrokenRequest(reason)
        self.wake()

    def wake(self) -> None:
        """Tell the reader that something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next_chunk(self) -> bytes:
        while not self.size:
            if not self.left:
                return b""
            if self._error is not None:
                raise self._error
            waiter = self._waiter = self._line.loop.create_future()
            try:
                await waiter
            finally:
                if self._waiter is waiter:  # else another reader waits: one that was cancelled may be late to go
                    self._waiter = None
        data = self.take()
        self._line.read_on()
        return data
