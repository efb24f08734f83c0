"""One HTTP/1.1 connection to a provider, on asyncio's protocol interface and llhttp (by httptools).

llhttp checks every byte and finds the ends. The head is not taken apart: once llhttp has accepted it, it is cut out of
the bytes as a block. A connection carries one call at a time.
"""

import asyncio
import select
import time
from typing import Protocol, cast

import httptools

from sidecar.body import Body
from sidecar.errors import CallError, UpstreamBroken
from sidecar.upstream.answer import Answer
from sidecar.upstream.head import RequestHead, response_head
from sidecar.watchdog import NEVER, Watchdog

#: Up to here head and body are joined into one write; a copy of more costs as much as the second system call.
_JOIN_BYTES = 64 * 1024
#: A body longer than this is counted instead of being parsed: its bytes are passed on without another copy.
_COUNTED_BYTES = 64 * 1024
_MAX_INTERIM = 10


class Owner(Protocol):
    """Whom a connection tells about itself: its pool."""

    watchdog: Watchdog
    loop: asyncio.AbstractEventLoop
    max_head_bytes: int

    def released(self, connection: "Connection") -> None:
        """It is free for another call."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It is gone."""
        ...


class Connection(asyncio.Protocol):
    """``reused``: it has carried a call before; ``idle_since``: since when it rests, monotonic; ``peer``: address."""

    def __init__(self, owner: Owner) -> None:
        self.loop = owner.loop
        self.reused = False
        self.idle_since = 0.0
        self.peer = ""
        self.transport: asyncio.Transport | None = None
        self._owner = owner
        self._answer: Answer | None = None
        self._parser = self._at_rest = httptools.HttpResponseParser(self)
        self._heads: list[int] = []
        """Statuses of the heads that the parser has accepted and that are still in the raw bytes."""
        self._raw = b""
        self._interim = 0
        self._done = self._keep = False
        self._left = 0
        """Bytes of a body that is counted, not parsed."""
        self._trailers: list[str] = []
        self._upload: asyncio.Task[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._unsent = False

    @property
    def closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def readable(self) -> bool:
        """Whether bytes or an end wait to be read, asked of the socket itself. Costs a system call."""
        if self.transport is None or (sock := self.transport.get_extra_info("socket")) is None:
            return True
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    # -- the request -------------------------------------------------------------------------------------------------

    def request(self, head: RequestHead, body: Body, answer: Answer) -> asyncio.Future[None]:
        """Send a request; ``headed`` of *answer*, which this connection fills from now on.

        It fails with an `UpstreamError` if there is no answer; the connection is closed then.
        """
        transport = self.transport
        assert transport is not None
        self._answer = answer
        self._raw, self._interim, self._done, self._keep = b"", 0, False, True
        if self._owner.watchdog.asleep:
            self._owner.watchdog.rouse()
        data = body.data
        if data is None:
            transport.write(head.data)
            self._upload = self.loop.create_task(self._send(body, head, answer, transport))
        else:
            if head.chunked:
                data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
            if len(data) <= _JOIN_BYTES:
                transport.write(head.data + data)
            else:
                transport.writelines((head.data, data))
            if self._writable is None:
                answer.sent()
            else:
                self._unsent = True
        return answer.headed

    async def _send(self, body: Body, head: RequestHead, answer: Answer, transport: asyncio.Transport) -> None:
        """Send a body as it comes, and close it. Runs beside the answer, which may be there before the end."""
        left = head.length
        try:
            async for chunk in body:
                left -= len(chunk)
                if head.chunked:
                    transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                elif left < 0:
                    raise UpstreamBroken("the request's body is longer than its Content-Length")
                else:
                    transport.write(chunk)
                if self._writable is not None:
                    await self._writable
                if transport.is_closing():
                    return
            if head.chunked:
                transport.write(b"0\r\n\r\n")
            elif left > 0:
                raise UpstreamBroken("the request's body is shorter than its Content-Length")
            self._upload = None
            answer.sent()
        except CallError as error:
            answer.fail(error)
        except Exception as error:
            answer.fail(UpstreamBroken(f"the request's body failed: {error}", kind="proxy_internal_error"))
        finally:
            await body.aclose()

    # -- the answer --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:  # nobody asked: a farewell, or nonsense
            if self.transport is not None:
                self.transport.abort()
            return
        now = time.monotonic()
        if self._left:
            self._count(answer, data, now)
            return
        headless = not answer.status
        if headless:
            if not answer.record.first_byte:
                answer.record.first_byte = now
                if b"hunked" in data:  # it may end in trailers, which cost a callback per header to be told of
                    self._parser = httptools.HttpResponseParser(_TrailerAware(self))
            self._raw = self._raw + data if self._raw else data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            answer.rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if not self._done:
                answer.fail(UpstreamBroken(f"the provider's answer is not HTTP: {error}", begun=not headless))
                return
            self._keep = False  # the answer is whole, and what follows it is nonsense
        if headless and not self._take_heads(answer):
            return
        if self._done:
            self._answered(answer, now)
        else:
            answer.arrived(now)

    def _count(self, answer: Answer, data: bytes, now: float) -> None:
        """Take *data* as part of a body whose length is known."""
        if len(data) > self._left:
            data, self._keep = data[: self._left], False
        self._left -= len(data)
        answer.feed(data)
        if self._left:
            answer.arrived(now)
        else:
            self._answered(answer, now)

    def _take_heads(self, answer: Answer) -> bool:
        """Cut the heads that the parser has accepted out of the raw bytes; False if that failed the answer."""
        raw = self._raw
        for status in self._heads:
            end = raw.find(b"\r\n\r\n")
            if status >= 200 or (status == 101 and answer.upgrade):
                self._raw = b""
                self._heads.clear()
                return self._take_head(answer, status, raw[: end + 2])
            raw = raw[end + 4 :]
            self._interim += 1
            if status == 101 or self._interim > _MAX_INTERIM:
                answer.fail(UpstreamBroken(f"the provider sent an unexpected {status} answer"))
                return False
        self._heads.clear()
        self._raw = raw
        if len(raw) > self._owner.max_head_bytes:
            answer.fail(
                UpstreamBroken(f"the head of the provider's answer is over {self._owner.max_head_bytes:d} bytes")
            )
            return False
        return True

    def _take_head(self, answer: Answer, status: int, block: bytes) -> bool:
        try:
            if len(block) > self._owner.max_head_bytes:
                raise ValueError(f"it is over {self._owner.max_head_bytes:d} bytes")
            head = response_head(block)
        except ValueError as error:
            answer.fail(UpstreamBroken(f"the head of the provider's answer cannot be used: {error}"))
            return False
        answer.set_head(status, head)
        self._keep = self._keep and not head.close
        if answer.bodiless:
            if not self._done:
                self._done = True
                self._parser = self._at_rest = httptools.HttpResponseParser(self)  # the old one waits for a body
        elif not self._done:
            if head.length is not None and head.length > _COUNTED_BYTES:
                self._left = head.length - answer.unread_bytes
                self._parser = self._at_rest = httptools.HttpResponseParser(self)  # likewise
            answer.until_close = not head.chunked and head.length is None
        return True

    def _answered(self, answer: Answer, now: float) -> None:
        """The last byte is in: the connection is free, if it stays."""
        if self._trailers:
            answer.record.trailers = tuple(self._trailers)
            self._trailers.clear()
        self._answer = None
        self._parser = self._at_rest
        if answer.status == 101:
            self.pause()  # until somebody else takes over as the transport's protocol
            answer.finish(now)
            return
        answer.finish(now)
        if self._upload is not None:  # an early answer: the provider does not want the rest
            self._upload.cancel()
            self._upload = None
            self._keep = False
        if self.transport is None:
            return
        if self._keep and not self.transport.is_closing():
            self.idle_since = now
            self._owner.released(self)
            self.reused = True
        else:
            self.transport.close()

    # -- from httptools ----------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._done:
            self._keep = False  # bytes that nobody asked for

    def on_headers_complete(self) -> None:
        self._heads.append(self._parser.get_status_code())

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._done:
            self._answer.feed(body)

    def on_message_complete(self) -> None:
        answer = self._answer
        if not self._heads or self._heads[-1] >= 200 or (answer is not None and answer.upgrade):
            self._done = True

    @property
    def headed(self) -> bool:
        """Whether the last head that the parser has accepted is an answer's, not an interim one's."""
        return bool(self._heads) and self._heads[-1] >= 200

    def trailer(self, name: str) -> None:
        self._trailers.append(name)

    # -- from the answer ---------------------------------------------------------------------------------------------

    def pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def abort(self) -> None:
        self._answer = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        if self.transport is not None:
            self.transport.abort()

    def hand_over(self) -> None:
        """Its transport becomes somebody else's, who will hear of its end instead of us."""
        self._owner.watchdog.release(self)
        self._owner.lost(self)

    # -- from the watchdog -------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        return NEVER if self._answer is None else self._answer.due

    def overdue(self, now: float) -> None:
        if self._answer is not None:
            self._answer.overdue(now)

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self.idle_since = time.monotonic()
        if address := transport.get_extra_info("peername"):
            self.peer = f"{address[0]}:{address[1]}"

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._owner.watchdog.release(self)
        self.resume_writing()
        answer = self._answer
        if answer is not None:
            if answer.until_close and exc is None:
                self._answered(answer, time.monotonic())
            else:
                begun = bool(answer.record.first_byte)
                what = "in the middle of its answer" if begun else "without answering"
                answer.fail(UpstreamBroken(f"the provider closed the connection {what}", begun=begun))
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()
        if self._answer is not None and not self._answer.record.requested:
            self._answer.stalled()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._unsent and self._answer is not None:
            self._unsent = False
            self._answer.sent()


class _TrailerAware:
    """Passes on what the parser says, and tells of trailers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._headed = False
        self.on_message_begin = connection.on_message_begin
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete

    def on_headers_complete(self) -> None:
        self._connection.on_headers_complete()
        self._headed = self._connection.headed

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headed:
            self._connection.trailer(name.decode("latin-1"))
