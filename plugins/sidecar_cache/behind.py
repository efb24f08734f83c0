"""Calls that the cache makes itself, behind the agents' backs: to refresh answers, or to learn what hits save."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from sidecar import CallError, Calls, Exchange, Key
from sidecar_cache.keeping import Purpose

logger = logging.getLogger(__name__)

#: By this the cache knows its own calls.
PURPOSE: Key[Purpose] = Key("cache.purpose")
_AT_ONCE = 8
_PATIENCE_SECONDS = 60.0


class Behind:
    def __init__(self, calls: Calls, max_bytes: int) -> None:
        self._calls = calls
        self._max_bytes = max_bytes
        self._tasks: set[asyncio.Task[Any]] = set()
        self._keys: set[str] = set()
        self.failed = 0

    def again(self, exchange: Exchange, key: str, purpose: Purpose) -> bool:
        """Make the call of *exchange* once more, unless that is being done; whether it is."""
        if key in self._keys or len(self._tasks) >= _AT_ONCE:
            return False
        self._keys.add(key)
        own = self._calls.exchange(exchange.provider, exchange.request, patience_seconds=_PATIENCE_SECONDS)
        own.notes.put(PURPOSE, purpose)
        self.run(self._made(own, key))
        return True

    def run(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _made(self, own: Exchange, key: str) -> None:
        try:
            await self._calls.call(own, self._max_bytes)
        except CallError as error:
            self.failed += 1
            logger.debug("a call of the cache's own failed: %s", error)
        finally:
            self._keys.discard(key)
