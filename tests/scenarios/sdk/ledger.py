"""The calls that a sidecar has ended, as they end: nobody has to guess when a record is there."""

import asyncio
from typing import Self

from sidecar.exchange import Record
from sidecar.journal import CallTold, tell
from tests.running import Running

_SECONDS = 5.0


class Ledger:
    """Enter it to follow *sidecar*."""

    def __init__(self, sidecar: Running) -> None:
        self._sidecar = sidecar
        self._records: asyncio.Queue[Record] = asyncio.Queue()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        await asyncio.sleep(0)  # from here on it misses none
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._following is not None
        self._following.cancel()
        await asyncio.wait((self._following,))

    async def _follow(self) -> None:
        async for record in self._sidecar.application.journal.follow():
            self._records.put_nowait(record)

    async def records(self, count: int) -> list[Record]:
        """The next *count* calls that end."""
        async with asyncio.timeout(_SECONDS):
            return [await self._records.get() for _ in range(count)]

    async def calls(self, count: int) -> list[CallTold]:
        """The same as people are told of them."""
        return [tell(record) for record in await self.records(count)]

    def untold(self) -> list[CallTold]:
        """Calls that have ended and that nobody has asked for; they are forgotten."""
        self._sidecar.application.account()
        return [tell(self._records.get_nowait()) for _ in range(self._records.qsize())]
