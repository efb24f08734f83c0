"""One HTTP/1.1 connection to a provider, on asyncio's protocol interface. It carries one call at a time."""

import asyncio
import select
from typing import Protocol, cast

from sidecar.body import Body
from sidecar.errors import CallError, UpstreamBroken
from sidecar.upstream.answer import Answer
from sidecar.upstream.head import RequestHead, ResponseHead
from sidecar.watchdog import NEVER, Watchdog

#: Up to here head and body are joined into one write; a copy of more costs as much as the second system call.
_JOIN_BYTES = 64 * 1024


class Owner(Protocol):
    """Whom a connection tells about itself: its pool."""

    watchdog: Watchdog

    def released(self, connection: "Connection") -> None:
        """It is free for another call."""
        ...

    def lost(self, connection: "Connection") -> None:
        """It is gone."""
        ...


class Connection(asyncio.Protocol):
    """``reused``: it has carried a call before; ``idle_since``: since when it rests, monotonic; ``peer``: address."""

    def __init__(self, owner: Owner) -> None:
        self.reused = False
        self.idle_since = 0.0
        self.peer = ""
        self.transport: asyncio.Transport | None = None
        self._owner = owner
        self._answer: Answer | None = None
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

    def request(self, head: RequestHead, body: Body, answer: Answer) -> asyncio.Future[ResponseHead]:
        """Send a request; the future head of *answer*, which this connection feeds from now on.

        It fails with an `UpstreamError` if there is no answer; the connection is closed then.
        """
        assert self.transport is not None
        self._answer = answer
        if self._owner.watchdog.asleep:
            self._owner.watchdog.rouse()
        data = body.data
        if data is None:
            self.transport.write(head.data)
            self._upload = asyncio.get_running_loop().create_task(self._send(body, head))
        else:
            if head.chunked:
                data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
            if len(data) <= _JOIN_BYTES:
                self.transport.write(head.data + data)
            else:
                self.transport.writelines((head.data, data))
            if self._writable is None:
                answer.sent()
            else:
                self._unsent = True
        return answer.head

    async def _send(self, body: Body, head: RequestHead) -> None:
        """Send a body as it comes, and close it. Runs beside the answer, which may be there before the end."""
        answer, transport, left = self._answer, self.transport, head.length
        assert answer is not None
        assert transport is not None
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

    # -- from the answer -------------------------------------------------------------------------------------------

    def pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def answered(self, *, keep: bool) -> None:
        self._answer = None
        if self._upload is not None:  # an early answer: the provider does not want the rest
            self._upload.cancel()
            self._upload = None
            keep = False
        if self.transport is None:
            return
        if keep and not self.transport.is_closing():
            self.reused = True
            self._owner.released(self)
        else:
            self.transport.close()

    def upgraded(self) -> None:
        self._answer = None
        self.pause()  # until somebody else takes over as the transport's protocol

    def abort(self) -> None:
        self._answer = None
        if self._upload is not None:
            self._upload.cancel()
            self._upload = None
        if self.transport is not None:
            self.transport.abort()

    # -- from the watchdog -----------------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        return NEVER if self._answer is None else self._answer.due

    def overdue(self, now: float) -> None:
        if self._answer is not None:
            self._answer.overdue(now)

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._owner.watchdog.watch(self)
        if address := transport.get_extra_info("peername"):
            self.peer = f"{address[0]}:{address[1]}"

    def data_received(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.feed(data)
        elif self.transport is not None:  # nobody asked: a farewell, or nonsense
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._owner.watchdog.release(self)
        self.resume_writing()
        if self._answer is not None:
            self._answer.ended(exc)
        self._owner.lost(self)

    def pause_writing(self) -> None:
        self._writable = asyncio.get_running_loop().create_future()
        if self._answer is not None and not self._answer.record.requested:
            self._answer.stalled()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        if self._unsent and self._answer is not None:
            self._unsent = False
            self._answer.sent()
