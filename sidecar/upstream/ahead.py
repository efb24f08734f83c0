"""Connections that are opened before a call needs them: when, and who gets one that is still on its way."""

import asyncio
import logging
import time
from collections import deque
from typing import Final, Protocol

from sidecar.errors import CallError
from sidecar.upstream.connection import Connection
from sidecar.upstream.keeping import Keeping, Use, pause_seconds

logger = logging.getLogger(__name__)

#: So many are opened at the same time.
_AT_ONCE: Final = 4
#: A provider that closes a connection so soon before anything came by it does not want it.
_UNWANTED_SECONDS: Final = 10.0
_SOONEST_SECONDS: Final = 0.01


class Stock(Protocol):
    """The pool, as far as it matters here."""

    loop: asyncio.AbstractEventLoop
    at_rest: list[Connection]

    @property
    def at_work(self) -> int:
        """Those in use, and those that calls have begun to open."""
        ...

    @property
    def room(self) -> int:
        """How many more there may be."""
        ...

    async def connect(self) -> Connection:
        """
        Raises:
            CallError: there is none to be had.
        """
        ...

    def add(self, connection: Connection) -> None:
        """*connection*, which is new, rests from now on."""
        ...

    def woken(self) -> None:
        """There may be room now."""
        ...


class Ahead:
    """Opens for *stock* what *keeping* says. ``use``: what the agent did last.

    Args:
        name: the provider's.
    """

    def __init__(self, stock: Stock, keeping: Keeping, name: str) -> None:
        self.use = Use()
        self._stock = stock
        self._keeping = keeping
        self._name = name
        self._opening: set[asyncio.Task[None]] = set()
        self._hoping: deque[asyncio.Future[None]] = deque()
        self._look: asyncio.TimerHandle | None = None
        self._setbacks, self._set_back = 0, 0.0
        self._stopped = False

    @property
    def opening(self) -> int:
        """How many are on their way."""
        return len(self._opening)

    # -- for calls -----------------------------------------------------------------------------------------------------

    @property
    def unclaimed(self) -> bool:
        """Whether a connection is on its way that no call waits for."""
        return len(self._opening) > len(self._hoping)

    async def hope(self) -> None:
        """Wait until one is there, or cannot be had: it has begun earlier than one of the call's own could."""
        waiter: asyncio.Future[None] = self._stock.loop.create_future()
        self._hoping.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._hoping:
                self._hoping.remove(waiter)

    # -- for others ----------------------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Open what is missing, and wait for it."""
        self.tend()
        while self._opening:
            await asyncio.wait(set(self._opening))

    def expect(self) -> None:
        """A call is likely soon."""
        self.use.expected = time.monotonic()
        self.tend(soon=True)

    def succeed(self, before: "Ahead") -> None:
        """Do what *before* did until now."""
        self.use = before.use
        self.tend()

    def rests(self) -> None:
        """A connection has come to rest."""
        if self._look is None:
            self._look = self._stock.loop.call_later(self._keeping.successor_seconds, self.tend)

    def lost(self, connection: Connection) -> None:
        """*connection* ended while it rested."""
        if not connection.reused and time.monotonic() - connection.idle_since < _UNWANTED_SECONDS:
            self._came_to_nothing()

    # -- what is to be there -------------------------------------------------------------------------------------------

    def tend(self, *, soon: bool = False) -> None:
        """Open what is missing, close what has rested for too long, and look again in time. Never raises.

        *soon*: a call is about to come.
        """
        if self._stopped:
            return
        stock, keeping, now = self._stock, self._keeping, time.monotonic()
        for connection in [each for each in stock.at_rest if now - each.idle_since >= keeping.idle_seconds]:
            stock.at_rest.remove(connection)
            connection.close()
        resting = [(each.idle_since, each.reused) for each in stock.at_rest]
        missing = keeping.missing(now, self.use, at_work=stock.at_work, resting=resting, soon=soon)
        missing -= len(self._opening)
        pause = self._paused_until() - now
        if missing > 0 and pause <= 0:
            for _ in range(min(missing, stock.room, _AT_ONCE - len(self._opening))):
                task = stock.loop.create_task(self._open())
                self._opening.add(task)
                task.add_done_callback(self._opened)
        self._look_again(now, pause if missing > 0 and pause > 0 else None)

    def _look_again(self, now: float, pause: float | None) -> None:
        """Come back when a connection wants a successor or has rested for too long, or after a *pause*."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        delays = [] if pause is None else [pause]
        for connection in self._stock.at_rest:
            rested, wants = now - connection.idle_since, self._keeping.successor_seconds
            delays.append((wants if rested < wants else self._keeping.idle_seconds) - rested)
        if delays:
            self._look = self._stock.loop.call_later(max(min(delays), _SOONEST_SECONDS), self.tend)

    async def _open(self) -> None:
        try:
            connection = await self._stock.connect()
        except CallError as error:
            self._came_to_nothing()
            level = logging.INFO if self._setbacks == 1 else logging.DEBUG
            logger.log(level, "no connection ahead of time to %s: %s", self._name, error)
            return
        if connection.closing:
            self._came_to_nothing()
        elif self._stopped:
            connection.close()
        else:
            self._stock.add(connection)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (defect := task.exception()) is not None:
            self._came_to_nothing()
            logger.error("a connection could not be opened ahead; this is a defect of the sidecar", exc_info=defect)
        wake_first(self._hoping)
        self._stock.woken()
        self.tend()

    def _came_to_nothing(self) -> None:
        self._paused_until()
        self._setbacks += 1
        self._set_back = time.monotonic()

    def _paused_until(self) -> float:
        """When the next may be opened: at once if a call was made since the last one came to nothing."""
        if self._setbacks and max(self.use.called, self.use.upgraded) > self._set_back:
            self._setbacks = 0
        return self._set_back + pause_seconds(self._setbacks)

    # -- the end -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Open nothing more; what is on its way is closed when it is there."""
        self._stopped = True
        if self._look is not None:
            self._look.cancel()

    async def aclose(self) -> None:
        self.stop()
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(set(self._opening))


def wake_first(waiters: deque[asyncio.Future[None]]) -> None:
    """Let the first go on that still waits."""
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
