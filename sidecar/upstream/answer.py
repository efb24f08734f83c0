"""One answer of a provider on its way: its connection fills it, the agent's side reads it.

An answer has a buffer of its own, so that its connection is free for the next call as soon as the last byte is in,
however slowly the agent reads.
"""

import asyncio
import time
from typing import Protocol

from sidecar.body import Stream
from sidecar.errors import CallError, UpstreamBroken, UpstreamTimeout
from sidecar.exchange import Tunnel
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord
from sidecar.provider import Timeouts
from sidecar.upstream.head import ResponseHead

#: Unread bytes at which reading from the provider pauses.
_HIGH_BYTES = 256 * 1024


class Line(Protocol):
    """The connection, as its answer knows it."""

    loop: asyncio.AbstractEventLoop

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abort(self) -> None: ...


class Answer(Stream):
    """The body of an answer. ``headed`` is a future that is done when its head is here, or fails if there is none.

    Args:
        line: the connection it comes by.
        record: gets its times and sizes.
        timeouts: for its phases.
        deadline: monotonic moment by which the agent wants its head.
        bodiless: it answers HEAD: whatever its head says, no body follows.
        upgrade: 101 is an answer and ends HTTP on its connection; what follows it is in ``rest``.
    """

    # What most answers never change stands at the class; an instance has its own only once it differs.
    status = 0
    reason = ""
    headers = Headers()
    chunked = False
    until_close = False
    rest = b""
    complete = False
    _size = 0
    _waited_seconds = _waiting_since = 0.0
    _paused = False
    _error: CallError | None = None
    _waiter: asyncio.Future[None] | None = None

    def __init__(
        self,
        line: Line,
        record: AttemptRecord,
        timeouts: Timeouts,
        deadline: float,
        *,
        bodiless: bool = False,
        upgrade: bool = False,
    ) -> None:
        self.data = None
        self._started = False
        self._length = None
        self.headed: asyncio.Future[None] = line.loop.create_future()
        self.record = record
        self.timeouts = timeouts
        self.bodiless = bodiless
        self.upgrade = upgrade
        self.due = self._total_due = record.started + timeouts.total
        self._deadline = deadline
        self._line: Line | None = line
        self._chunks: list[bytes] = []

    # -- from the connection ---------------------------------------------------------------------------------------

    def sent(self) -> None:
        """The last byte of the request went out."""
        now = self.record.requested = time.monotonic()
        if not self.status:
            self.due = min(now + self.timeouts.first_byte, self._total_due, self._deadline)

    def stalled(self) -> None:
        """The provider does not take the request's bytes at present."""
        self.due = min(time.monotonic() + self.timeouts.between_chunks, self._total_due)

    def set_head(self, status: int, head: ResponseHead) -> None:
        self.status = self.record.status = status
        self.reason, self.headers, self.chunked, self._length, _ = head
        if not self.headed.done():  # it is, if the agent left a moment ago
            self.headed.set_result(None)

    def feed(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)

    def arrived(self, now: float) -> None:
        """Something has come, and more will."""
        self.due = min(now + self.timeouts.between_chunks, self._total_due)
        if self._size > _HIGH_BYTES and self._line is not None:
            self._paused = True
            self.due = self._total_due
            self._line.pause()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def finish(self, now: float) -> None:
        """The last byte is in."""
        self._line = None
        self.complete = True
        self.record.ended = now
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: CallError) -> None:
        """There will be no more of it. What has arrived is read first, then *error* is raised."""
        line, self._line = self._line, None
        if line is None:
            return
        self._error = self.record.error = error
        self.record.ended = time.monotonic()
        if not self.headed.done():
            self.headed.set_exception(error)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        line.abort()

    def overdue(self, now: float) -> None:
        timeouts, record = self.timeouts, self.record
        if now >= self._total_due:
            self.fail(UpstreamTimeout("total", timeouts.total))
        elif record.first_byte or not record.requested:
            self.fail(UpstreamTimeout("between_chunks", timeouts.between_chunks))
        else:
            self.fail(UpstreamTimeout("first_byte", now - record.requested))

    # -- from the reader -------------------------------------------------------------------------------------------

    @property
    def unread_bytes(self) -> int:
        return self._size

    @property
    def connected(self) -> bool:
        """Whether its connection is still busy with it."""
        return self._line is not None

    def tunnel(self, transport: asyncio.Transport | None) -> Tunnel | None:
        """What a 101 answer leaves: bytes both ways."""
        return Tunnel(transport, self.rest) if self.status == 101 and transport is not None else None

    def take(self) -> bytes:
        """All that has arrived and was not taken yet."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.record.body_bytes += self._size
        self._chunks, self._size = [], 0
        return data

    async def __anext__(self) -> bytes:
        while not self._size:
            if self.complete:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            if self._line is None:
                raise UpstreamBroken("the answer was let go of", begun=True)
            self._waiter = self._line.loop.create_future()
            try:
                await self._waited(self._waiter)
            finally:
                self._waiter = None
        data = self.take()
        if self._paused and self._line is not None:
            self._paused = False
            self.due = min(time.monotonic() + self.timeouts.between_chunks, self._total_due)
            self._line.resume()
        return data

    async def aclose(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            self.record.ended = time.monotonic()
            self._chunks, self._size = [], 0
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
            line.abort()
