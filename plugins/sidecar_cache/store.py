"""Where entries are kept: an aiocache backend in memory that is bounded in bytes, and forgets what was asked for least
recently.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from sidecar_cache.entry import Entry


class BoundedMemory(BaseCache):  # type: ignore[misc]
    """
    Args:
        max_bytes: what all entries may hold together.
        clock: monotonic.
    """

    NAME = "bounded_memory"

    def __init__(self, max_bytes: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(serializer=NullSerializer(), timeout=None, ttl=ttl_seconds)
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self.evicted = 0
        self._clock = clock
        self._entries: OrderedDict[str, tuple[Entry, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    async def _get(self, key: str, encoding: str | None = None, _conn: Any = None) -> Entry | None:
        return self.recall(key)

    def recall(self, key: str) -> Entry | None:
        """What ``get`` gives, without what aiocache puts around it: that costs as much as the rest of a hit."""
        found = self._entries.get(key)
        if found is None:
            return None
        entry, expires = found
        if expires <= self._clock():
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return entry

    async def _set(
        self, key: str, value: Entry, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        return self.keep(key, value, ttl)

    def keep(self, key: str, value: Entry, ttl_seconds: float | None) -> bool:
        """What ``set`` does, without what aiocache puts around it; whether there is room for *value*."""
        self._forget(key)
        held_bytes = value.held_bytes
        if held_bytes > self.max_bytes:
            return False
        self._entries[key] = (value, self._clock() + (float("inf") if ttl_seconds is None else ttl_seconds))
        self.held_bytes += held_bytes
        while self.held_bytes > self.max_bytes:
            self.evicted += 1
            self._forget(next(iter(self._entries)))
        return True

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return self._forget(key)

    async def _exists(self, key: str, _conn: Any = None) -> bool:
        return key in self._entries

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        self._entries.clear()
        self.held_bytes = 0
        return True

    def _forget(self, key: str) -> int:
        found = self._entries.pop(key, None)
        if found is None:
            return 0
        self.held_bytes -= found[0].held_bytes
        return 1
