"""A connection of the agent, on asyncio's protocol interface and llhttp (by httptools).

aiohttp's server costs three times as much per request (`sidecar.intercept.reference` serves by it, and is held to the
same tests): it makes header maps, URLs, requests, answers and tasks that nobody here looks at. llhttp checks every
byte; the head is kept as it came.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from sidecar.intercept.flow import Flow
from sidecar.intercept.incoming import (
    CONTINUE,
    HIGH_BYTES,
    LINGER_SECONDS,
    AgentSide,
    BrokenRequest,
    Incoming,
    UploadBody,
)
from sidecar.intercept.outgoing import refusal
from sidecar.intercept.reading import RequestReader
from sidecar.intercept.splice import reset
from sidecar.intercept.turn import Turn
from sidecar.watchdog import NEVER, Watchdog

logger = logging.getLogger(__name__)

#: How long a connection may rest between two requests.
_REST_SECONDS = 3600.0
#: How long an agent has to take the answer to what is no HTTP.
_REFUSAL_SECONDS = 1.0
#: Requests that are taken in ahead of their turn (pipelining) before reading pauses.
_AHEAD = 8

Serve = Callable[[AgentSide, Incoming], Awaitable[bool]]


class Kept(Protocol):
    """A connection, as its keeper knows it. ``requests``: how many came by it."""

    @property
    def flow(self) -> Flow: ...

    @property
    def requests(self) -> int: ...

    def finish(self) -> None:
        """Take no further request; close when the one being served is answered, at once if there is none."""
        ...

    async def ended(self, grace_seconds: float) -> None:
        """Wait for the end, and bring it about after *grace_seconds*."""
        ...


class Keeper(Protocol):
    """Who keeps the connections: the listener."""

    @property
    def patience(self) -> Watchdog:
        """Sees to it that nothing rests for ever. Its ticks are slow."""
        ...

    @property
    def turn(self) -> Turn: ...

    @property
    def max_head_bytes(self) -> int: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def connection_opened(self, connection: Kept) -> None: ...

    def connection_closed(self, connection: Kept) -> None: ...


class AgentConnection(asyncio.Protocol):
    """Takes requests in and has them served one after another.

    Args:
        serve: answers one request, and returns whether another may follow on this connection.
    """

    def __init__(self, keeper: Keeper, flow: Flow, serve: Serve) -> None:
        self.flow = flow
        self.loop = keeper.loop
        self.due = NEVER
        self._keeper = keeper
        self._turn = keeper.turn
        self._held = b""
        self._serve = serve
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._requests = RequestReader(self)
        self._ready: deque[Incoming] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._busy = self._paused = False
        self._refusal = b""

    # -- for answers (AgentSide) ---------------------------------------------------------------------------------------

    def write(self, *parts: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the agent has left")
        if self._held:
            self.put_out()
        elif self._turn.waiting and len(parts) == 1:
            self._held = parts[0]
            self._turn.hold(self)
            return
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    @property
    def full(self) -> bool:
        return self._writable is not None

    async def drain(self) -> None:
        if self._writable is not None:
            await self._writable
        if self._transport is None:
            raise ConnectionResetError("the agent has left")

    def close_after_flush(self) -> None:
        if self._transport is not None:
            self._close(self._transport)

    def reset(self) -> None:
        if self._transport is not None:
            reset(self._transport)

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        self.put_out()
        transport, self._transport = self._transport, None
        if transport is None:
            raise ConnectionResetError("the agent has left")
        return transport, self._requests.rest

    def put_out(self) -> None:
        """Write what was held back until the end of the turn."""
        held, self._held = self._held, b""
        if held and self._transport is not None and not self._transport.is_closing():
            self._transport.write(held)

    def _close(self, transport: asyncio.Transport) -> None:
        self.put_out()
        transport.close()

    # -- life ----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self.due = time.monotonic() + _REST_SECONDS
        self._keeper.patience.watch(self)
        self._keeper.connection_opened(self)
        self._task = self.loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._requests.feed(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def overdue(self, now: float) -> None:
        self.due = NEVER
        if self._transport is not None and not self._busy:  # the next head may take its time while a call is served
            self._transport.abort()

    @property
    def requests(self) -> int:
        return self._requests.requests

    def finish(self) -> None:
        requests = self._requests
        requests.last = True
        if not self._busy and not self._ready and requests.arriving is None and self._transport is not None:
            self._close(self._transport)

    async def ended(self, grace_seconds: float) -> None:
        task = self._task
        if task is None:
            return
        await asyncio.wait((task,), timeout=grace_seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._keeper.patience.release(self)
        self._keeper.connection_closed(self)
        if not task.cancelled() and (defect := task.exception()) is not None:
            logger.error("a connection could not be served; this is a defect of the sidecar", exc_info=defect)

    # -- serving -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                if not self._ready:
                    if self._requests.last and self._requests.arriving is None:
                        break
                    self._waiter = self.loop.create_future()
                    try:
                        await self._waiter
                    finally:
                        self._turn.waiting -= self._waiter.done() and not self._waiter.cancelled()
                        self._waiter = None
                    continue
                incoming = self._ready.popleft()
                self._busy, self.due = True, NEVER
                try:
                    keep = await self._serve(self, incoming)
                except ConnectionError:
                    return  # the agent left; whoever was concerned has noted it
                self._busy = False
                if self._transport is None:  # somebody has taken it over
                    return
                if isinstance(incoming.body, UploadBody) and not await self._linger(incoming.body):
                    return
                if not keep:
                    return
                self.due = time.monotonic() + _REST_SECONDS
                self.read_on()
            if self._refusal:
                await self._say_no()
        finally:
            if self._transport is not None:
                self._close(self._transport)

    async def _linger(self, upload: UploadBody) -> bool:
        """Read what is left of a request that was answered early: closing at once would reset the answer away."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while await upload.source.next_chunk():
                    pass
        except (TimeoutError, BrokenRequest):
            return False
        return True

    async def _say_no(self) -> None:
        """Send the refusal and wait a moment for the agent to take it."""
        self.put_out()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(self._refusal)
        if transport.can_write_eof():
            transport.write_eof()
            await asyncio.sleep(_REFUSAL_SECONDS)  # ends early when the agent has closed

    # -- from the reader of requests -----------------------------------------------------------------------------------

    @property
    def max_head_bytes(self) -> int:
        return self._keeper.max_head_bytes

    def put(self, incoming: Incoming) -> None:
        self._ready.append(incoming)
        self._wake()
        if len(self._ready) >= _AHEAD:
            self.pause()

    def refuse(self, status: int, reason: str) -> None:
        """It is answered after all that is being served."""
        logger.info("refused a request: %s", reason)
        self._refusal = refusal(status, "http_request_error", f"the request cannot be served: {reason}")
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
            self._turn.waiting += 1

    def invite(self) -> None:
        self.write(CONTINUE)

    def pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def read_on(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            arriving = self._requests.arriving
            if (arriving is None or arriving.size <= HIGH_BYTES) and len(self._ready) < _AHEAD:
                self._paused = False
                self._transport.resume_reading()
