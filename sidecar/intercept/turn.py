"""Answers that become ready in the same turn of the event loop leave together.

A write wakes the process at the other end of the socket if that waits, and to wake one costs as much as to make an
answer from a cache. So where several requests have come in at once, the first answers wait for the last of them:
less than a millisecond, and only while this process has more to do than it can. An answer that is alone goes out at
once.
"""

import asyncio
from typing import Protocol


class Holding(Protocol):
    def put_out(self) -> None:
        """Write what is held back. Must not raise."""
        ...


class Turn:
    """Belongs to one event loop."""

    __slots__ = ("_holding", "_loop", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._holding: list[Holding] = []
        self.waiting = 0
        """Requests that are here and will be looked at in this turn; whoever brings one counts it, and uncounts it."""

    def hold(self, connection: Holding) -> None:
        """*connection* holds something back until the end of the turn."""
        if not self._holding:
            self._loop.call_soon(self.end)
        self._holding.append(connection)

    def end(self) -> None:
        holding, self._holding = self._holding, []
        for connection in holding:
            connection.put_out()
