"""One timer for everything that may take too long.

Arming a timer per phase of every call costs more than the phases of a short call do. Whoever has a deadline keeps it in
``due`` instead and moves it as it likes; the watchdog looks at all of them every few milliseconds, and only while one
of them has a deadline. A deadline is therefore noticed up to one tick late.
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
        self.loop: asyncio.AbstractEventLoop | None = None
        """None until there was something to watch."""
        self._handle: asyncio.TimerHandle | None = None
        self.asleep = True
        """Whether nothing that is watched has a deadline, as far as is known: see `rouse`."""

    def watch(self, watched: Watched) -> None:
        """Look at *watched* from now on."""
        self._watched.add(watched)
        if self.asleep:
            self.rouse()

    def rouse(self) -> None:
        """Something that is watched has got a deadline after having had none."""
        if self.asleep:
            self.asleep = False
            if self.loop is None:
                self.loop = asyncio.get_running_loop()
            self._handle = self.loop.call_later(self._tick_seconds, self._look)

    def release(self, watched: Watched) -> None:
        self._watched.discard(watched)

    def _look(self) -> None:
        now, waiting, overdue = time.monotonic(), False, []
        for watched in self._watched:
            due = watched.due
            if due <= now:
                overdue.append(watched)
            elif due != NEVER:
                waiting = True
        for watched in overdue:
            watched.overdue(now)
        self.asleep = True
        if waiting or overdue:
            self.rouse()

    def close(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._watched.clear()
