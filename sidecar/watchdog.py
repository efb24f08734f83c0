"""One timer for everything that may take too long.

Arming a timer per phase of every call costs more than the phases of a short call do. Whoever has a deadline keeps it in
``due`` instead and moves it as it likes; the watchdog looks at all of them every few milliseconds, and only while there
is anything to look at. A deadline is therefore noticed up to one tick late.
"""

import asyncio
import time
from typing import Final, Protocol

NEVER: Final = float("inf")


class Watched(Protocol):
    @property
    def due(self) -> float:
        """Monotonic; infinity while there is nothing to wait for."""
        ...

    def overdue(self, now: float) -> None:
        """``due`` has passed. Called once per tick until it is moved; must not raise."""
        ...


class Watchdog:
    """Belongs to one event loop."""

    def __init__(self, tick_seconds: float = 0.05) -> None:
        self._tick_seconds = tick_seconds
        self._watched: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None

    def watch(self, watched: Watched) -> None:
        self._watched.add(watched)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(self._tick_seconds, self._look)

    def release(self, watched: Watched) -> None:
        self._watched.discard(watched)

    def _look(self) -> None:
        if not self._watched:
            self._handle = None
            return
        now = time.monotonic()
        for watched in [watched for watched in self._watched if watched.due <= now]:
            watched.overdue(now)
        self._handle = asyncio.get_running_loop().call_later(self._tick_seconds, self._look)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._watched.clear()
