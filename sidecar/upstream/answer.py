"""One answer of a provider on its way: llhttp's callbacks fill it, the agent's side reads it.

llhttp (by httptools) checks every byte and finds the ends. The head is not taken apart: once llhttp has accepted it, it
is cut out of the bytes as a block. An answer has a buffer of its own, so that its connection is free for the next call
as soon as the last byte is in, however slowly the agent reads.
"""

import asyncio
import time
from typing import Protocol

import httptools

from sidecar.body import Stream
from sidecar.errors import CallError, UpstreamBroken, UpstreamTimeout
from sidecar.exchange import AttemptRecord, Timeouts, Tunnel
from sidecar.upstream.head import ResponseHead, response_head

#: Unread bytes at which reading from the provider pauses.
_HIGH_BYTES = 256 * 1024
_MAX_INTERIM = 10


class Line(Protocol):
    """The connection, as its answer knows it."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def answered(self, *, keep: bool) -> None:
        """The last byte is in; *keep*: the provider keeps the connection open."""
        ...

    def upgraded(self) -> None:
        """HTTP has ended on it; it stays open."""
        ...

    def abort(self) -> None: ...


class Answer(Stream):
    """The body of an answer; its head is awaited by ``head``.

    Args:
        line: the connection it comes by.
        record: gets its times and sizes.
        timeouts: for its phases.
        deadline: monotonic moment by which the agent wants its head.
        bodiless: it answers HEAD: whatever its head says, no body follows.
        upgrade: 101 is an answer and ends HTTP on this connection; what follows it is in ``rest``.
    """

    __slots__ = (
        "_bodiless",
        "_chunks",
        "_deadline",
        "_done",
        "_error",
        "_framed",
        "_heads",
        "_interim",
        "_keep",
        "_line",
        "_max_head_bytes",
        "_parser",
        "_paused",
        "_raw",
        "_size",
        "_total_due",
        "_trailers",
        "_upgrade",
        "_waiter",
        "complete",
        "due",
        "head",
        "on_header",
        "record",
        "rest",
        "status",
        "timeouts",
    )

    def __init__(
        self,
        line: Line,
        record: AttemptRecord,
        timeouts: Timeouts,
        *,
        deadline: float,
        max_head_bytes: int,
        bodiless: bool = False,
        upgrade: bool = False,
    ) -> None:
        super().__init__()
        self.head: asyncio.Future[ResponseHead] = asyncio.get_running_loop().create_future()
        self.status = 0
        self.rest = b""
        self.record = record
        self.timeouts = timeouts
        self.complete = False
        self.due = self._total_due = time.monotonic() + timeouts.total
        self._line: Line | None = line
        self._deadline = deadline
        self._max_head_bytes = max_head_bytes
        self._bodiless = bodiless
        self._upgrade = upgrade
        self._parser: httptools.HttpResponseParser | None = None
        self._raw = b""
        self._heads: list[int] = []
        self._interim = 0
        self._framed = True
        self._done = False
        self._keep = False
        self._trailers: list[str] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._paused = False
        self._error: CallError | None = None
        self._waiter: asyncio.Future[None] | None = None

    # -- from the connection ---------------------------------------------------------------------------------------

    def sent(self) -> None:
        """The last byte of the request went out."""
        now = self.record.requested = time.monotonic()
        if not self.head.done():
            self.due = min(now + self.timeouts.first_byte, self._total_due, self._deadline)

    def stalled(self) -> None:
        """The provider does not take the request's bytes at present."""
        self.due = min(time.monotonic() + self.timeouts.between_chunks, self._total_due)

    def feed(self, data: bytes) -> None:
        now = time.monotonic()
        headless = not self.head.done()
        if self._parser is None:
            self.record.first_byte = now
            if b"hunked" in data:  # callbacks per header are dear: only for answers that may end in trailers
                self.on_header = self._note_trailer
            self._parser = httptools.HttpResponseParser(self)
        if headless:
            self._raw = self._raw + data if self._raw else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if not self._done:
                self.fail(UpstreamBroken(f"the provider's answer is not HTTP: {error}", begun=not headless))
                return
            self._keep = False  # the answer is whole, and what follows it is nonsense
        if headless and not self._take_heads():
            return
        if self._done:
            self._finish()
            return
        self.due = min(now + self.timeouts.between_chunks, self._total_due)
        if self._size > _HIGH_BYTES and self._line is not None:
            self._paused = True
            self.due = self._total_due
            self._line.pause()
        self._wake()

    def ended(self, error: Exception | None) -> None:
        """The connection is gone."""
        if not self._framed and self.head.done() and error is None:
            self._finish()
            return
        begun = bool(self.record.first_byte)
        what = "in the middle of its answer" if begun else "without answering"
        self.fail(UpstreamBroken(f"the provider closed the connection {what}", begun=begun))

    def overdue(self, now: float) -> None:
        timeouts = self.timeouts
        if now >= self._total_due:
            self.fail(UpstreamTimeout("total", timeouts.total))
        elif self.record.first_byte or not self.record.requested:
            self.fail(UpstreamTimeout("between_chunks", timeouts.between_chunks))
        else:
            self.fail(UpstreamTimeout("first_byte", now - self.record.requested))

    def fail(self, error: CallError) -> None:
        """There will be no more of it. What has arrived is read first, then *error* is raised."""
        line, self._line = self._line, None
        if line is None:
            return
        self._error = self.record.error = error
        self._parser = None
        self.record.ended = time.monotonic()
        if not self.head.done():
            self.head.set_exception(error)
        self._wake()
        line.abort()

    # -- from httptools --------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._done:
            self._keep = False  # bytes that nobody asked for

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self._heads.append(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        if not self._done:
            self._chunks.append(body)
            self._size += len(body)

    def on_message_complete(self) -> None:
        if not self._done and (self._heads[-1] >= 200 or self._upgrade):
            assert self._parser is not None
            self._done = True
            self._keep = self._parser.should_keep_alive()  # says no outside this callback

    def _note_trailer(self, name: bytes, value: bytes) -> None:
        if self.head.done() or (self._heads and self._heads[-1] >= 200):
            self._trailers.append(name.decode("latin-1"))

    # -- heads -----------------------------------------------------------------------------------------------------

    def _take_heads(self) -> bool:
        """Cut the heads that llhttp has accepted out of the raw bytes; False if that failed the answer."""
        for status in self._heads:
            end = self._raw.find(b"\r\n\r\n")
            if 100 <= status < 200 and not (status == 101 and self._upgrade):
                self._interim += 1
                self._raw = self._raw[end + 4 :]
                if status == 101 or self._interim > _MAX_INTERIM:
                    self.fail(UpstreamBroken(f"the provider sent an unexpected {status} answer"))
                    return False
                continue
            return self._take_final_head(status, self._raw[: end + 2])
        self._heads.clear()
        if len(self._raw) > self._max_head_bytes:
            self.fail(UpstreamBroken(f"the head of the provider's answer is over {self._max_head_bytes} bytes"))
            return False
        return True

    def _take_final_head(self, status: int, block: bytes) -> bool:
        self._raw = b""
        try:
            if len(block) > self._max_head_bytes:
                raise ValueError(f"it is over {self._max_head_bytes} bytes")
            head = response_head(block)
        except ValueError as error:
            self.fail(UpstreamBroken(f"the head of the provider's answer cannot be used: {error}"))
            return False
        self.status = self.record.status = status
        self._length = head.length
        if self._bodiless and not self._done:
            self._done, self._keep = True, not head.close
            self._chunks.clear()
        self._framed = head.chunked or head.length is not None or self._done
        self.head.set_result(head)
        return True

    def _finish(self) -> None:
        line, self._line = self._line, None
        self.complete = True
        self.record.ended = time.monotonic()
        self.record.trailers = tuple(self._trailers)
        self._parser = None
        self._wake()
        if line is None:
            return
        if self.status == 101:
            line.upgraded()
        else:
            line.answered(keep=self._keep and not self.rest)

    # -- from the reader -------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> bytes:
        """All that has arrived and was not taken yet."""
        chunks, size = self._chunks, self._size
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks, self._size = [], 0
        self.record.body_bytes += size
        return data

    def tunnel(self, transport: asyncio.Transport | None) -> Tunnel | None:
        """What a 101 answer leaves: bytes both ways."""
        return Tunnel(transport, self.rest) if self.status == 101 and transport is not None else None

    @property
    def connected(self) -> bool:
        """Whether its connection is still busy with it."""
        return self._line is not None

    async def __anext__(self) -> bytes:
        while not self._size:
            if self.complete:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            if self._line is None:
                raise UpstreamBroken("the answer was let go of", begun=True)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
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
            self._parser = None
            self._chunks, self._size = [], 0
            self._wake()
            line.abort()
