"""One HTTP/1.1 connection to a provider, on asyncio's protocol interface. It carries one call at a time."""

import asyncio
import contextlib
import logging
import select
import time
from typing import Protocol, cast

from sidecar.body import Body
from sidecar.errors import CallError, UpstreamBroken
from sidecar.notes import Connecting
from sidecar.upstream.answer import Answer
from sidecar.upstream.head import RequestHead
from sidecar.upstream.reading import AnswerReader
from sidecar.upstream.sessions import Handshake
from sidecar.watchdog import NEVER, Watchdog

logger = logging.getLogger(__name__)

#: Up to here head and body are joined into one write; a copy of more costs as much as the second system call.
_JOIN_BYTES = 64 * 1024


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

    # Of a new connection; an older one has only what it needs.
    connecting: Connecting | None = None
    """What opening it took."""
    handshake: Handshake | None = None
    """Of its TLS, until the session that came of it is kept."""

    def __init__(self, owner: Owner) -> None:
        self.loop = owner.loop
        self.reused = False
        self.idle_since = 0.0
        self.peer = ""
        self.transport: asyncio.Transport | None = None
        self._owner = owner
        self._reader = AnswerReader(owner.max_head_bytes)
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

    # -- the request ---------------------------------------------------------------------------------------------------

    def request(self, head: RequestHead, body: Body, answer: Answer) -> asyncio.Future[None]:
        """Send a request; ``headed`` of *answer*, which this connection fills from now on.

        It fails with an `UpstreamError` if there is no answer; the connection is closed then.
        """
        transport = self.transport
        assert transport is not None
        self._reader.answer = answer
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
                if not chunk:  # on the wire that would be the end
                    continue
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
        except Exception as error:
            self._upload = None  # or failing the answer would cancel us before the body is closed
            if not isinstance(error, CallError):
                error = UpstreamBroken(f"the request's body failed: {error}", kind="proxy_internal_error")
            answer.fail(error)
        finally:
            try:
                await body.aclose()
            except Exception:
                logger.warning("the body of a request could not be closed", exc_info=True)

    # -- the answer ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        answer = self._reader.answer
        if answer is None:  # nobody asked: a farewell, or nonsense
            if self.transport is not None:
                self.transport.abort()
            return
        now = time.monotonic()
        if self._reader.feed(answer, data, now):
            self._answered(answer, now)

    def _answered(self, answer: Answer, now: float) -> None:
        """The last byte is in: the connection is free, if it stays."""
        reader = self._reader
        reader.answer = None
        if answer.status == 101:
            self.pause()  # until somebody else takes over as the transport's protocol
            answer.finish(now)
            return
        answer.finish(now)
        if self._upload is not None:  # an early answer: the provider does not want the rest
            self._upload.cancel()
            self._upload = None
            reader.keep = False
        if self.transport is None:
            return
        if reader.keep and not self.transport.is_closing():
            self.idle_since = now
            self._owner.released(self)
            self.reused = True
        else:
            self.transport.close()

    # -- from the answer -----------------------------------------------------------------------------------------------

    def pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def abort(self) -> None:
        self._reader.answer = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        if self.transport is not None:
            with contextlib.suppress(AttributeError):  # asyncio's before 3.11.4 has forgotten what it closed twice
                self.transport.abort()

    def hand_over(self) -> None:
        """Its transport becomes somebody else's, who will hear of its end instead of us."""
        self._owner.watchdog.release(self)
        self._owner.lost(self)

    # -- from the watchdog ---------------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        answer = self._reader.answer
        return NEVER if answer is None else answer.due

    def overdue(self, now: float) -> None:
        if self._reader.answer is not None:
            self._reader.answer.overdue(now)

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self.idle_since = time.monotonic()
        if address := transport.get_extra_info("peername"):
            self.peer = f"{address[0]}:{address[1]}"

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._owner.watchdog.release(self)
        self.resume_writing()
        answer = self._reader.answer
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
        answer = self._reader.answer
        if answer is not None and not answer.record.requested:
            answer.stalled()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._unsent and self._reader.answer is not None:
            self._unsent = False
            self._reader.answer.sent()
