"""A connection of the agent: aiohttp's server protocol, with our own request loop.

aiohttp parses, limits, keeps alive and shuts down; its loop, however, makes a task, a request and a response object per
call, which together cost as much as the rest of a short call. This one hands each message to `serve` in the
connection's own task. It stands on parts of aiohttp that are not its public interface; they are named, and held to what
is needed of them, in ``tests/sidecar/intercept/test_aiohttp_contract.py``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web_protocol import _ErrInfo

from sidecar.intercept.flow import Flow
from sidecar.intercept.outgoing import refusal
from sidecar.intercept.splice import reset

logger = logging.getLogger(__name__)

#: How long an agent that was answered early may go on sending what nobody reads.
_LINGER_SECONDS = 10.0

Serve = Callable[["AgentConnection", RawRequestMessage, StreamReader], Awaitable[bool]]


class AgentConnection(web.RequestHandler):
    """
    Args:
        serve: answers one message, and returns whether another may follow on this connection.
        on_closed: told once the connection has ended, with the number of requests that came by it.
    """

    __slots__ = ("_on_closed", "_serve", "flow", "taken")

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        flow: Flow,
        serve: Serve,
        on_closed: Callable[[Flow, int], None],
        max_head_bytes: int = 65536,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            max_line_size=max_head_bytes,
            max_field_size=max_head_bytes,
            max_headers=512,
            read_bufsize=128 * 1024,
            lingering_time=_LINGER_SECONDS,
        )
        self.flow = flow
        self.taken = False
        """Whether somebody else has taken over the transport."""
        self._serve = serve
        self._on_closed = on_closed

    # -- what an answer needs (sidecar.intercept.outgoing.AgentSide) -------------------------------------------------

    def write(self, *parts: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the agent has left")
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    @property
    def full(self) -> bool:
        return self._paused

    async def drain(self) -> None:
        await self._drain_helper()

    def close_after_flush(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        if self.transport is not None:
            reset(self.transport)

    # -- taking over --------------------------------------------------------------------------------------------------

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        """The transport for another protocol, and what it has brought since the last message. This one is done."""
        transport, tail = self.transport, self._message_tail
        assert transport is not None
        self.taken = True
        self.transport = None
        self._message_tail = b""
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
        if self._manager is not None:
            self._manager.connection_lost(self, None)  # it keeps us until our task has ended, and ends that at shutdown
        return transport, tail

    # -- aiohttp's protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self._task_handler is not None
        self._task_handler.add_done_callback(lambda _: self._on_closed(self.flow, self._request_count))

    async def start(self) -> None:
        """Serve one message after another until the connection ends."""
        try:
            while not self._force_close:
                if not self._messages:
                    self._waiter = self._loop.create_future()
                    try:
                        await self._waiter
                    finally:
                        self._waiter = None
                message, payload = self._messages.popleft()
                if self._parser is not None:
                    self._parser.message_consumed()
                if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                    self._resume_reading_if_drained()
                if isinstance(message, _ErrInfo):
                    self._refuse(message)
                    return
                self._request_in_progress = True
                try:
                    keep = await self._serve(self, message, payload)
                except ConnectionError:
                    return  # the agent left; whoever was concerned has noted it
                except Exception:
                    logger.exception("a call could not be served; this is a defect of the sidecar")
                    return
                finally:
                    self._request_in_progress = False
                    if self._handler_waiter is not None and not self._handler_waiter.done():
                        self._handler_waiter.set_result(None)
                if self.taken or not (payload.is_eof() or await self._linger(payload)) or not keep or self._close:
                    return
                self._rest()
        finally:
            if not self.taken and self.transport is not None:
                self.transport.close()

    async def _linger(self, payload: StreamReader) -> bool:
        """Read what is left of a request that was answered early: closing at once would reset the answer away."""
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while await payload.readany():
                    pass
        except Exception:
            return False
        return True

    def _rest(self) -> None:
        """Nothing to do until the next message: the keep-alive time begins."""
        close_time = self._loop.time() + self._keepalive_timeout
        self._next_keepalive_close_time = close_time
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(close_time, self._process_keepalive)

    def _refuse(self, error: _ErrInfo) -> None:
        """Answer what is no HTTP, and end the connection: nobody can tell where the next message would begin."""
        reason = " ".join(error.message.split())
        logger.info("refused a request that is not valid HTTP: %s", reason)
        status = 431 if isinstance(error.exc, LineTooLong) else 400
        self.write(refusal(status, "http_request_error", f"the request is not valid HTTP: {reason}"))
