"""Purges in the store that pods share: told to all of them, and carried out on what is there.

The list of purges stands under one key, at which every pod looks again and again: a store that makes room does not take
what is asked for so often. Whoever adds to it has it for itself meanwhile. Entries are removed where the store can say
which it has; where it cannot, or takes too long, no pod gives them any more all the same.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol

from sidecar_cache.codec import Codec, Garbled
from sidecar_cache.purges import Purge, Purges, read, written

logger = logging.getLogger(__name__)

LOOKED_SECONDS: Final = 5.0
"""How often every pod looks for purges, each of which may take a second to be read."""
_ANSWERING_SECONDS: Final = 1.0
_LIST: Final = "purges"
_LOCK: Final = "purging"
_LOCKED_SECONDS: Final = 10
_LOCKING_SECONDS: Final = 3.0
_AGAIN_SECONDS: Final = 0.05
_KEY: Final = re.compile(r"[0-9a-f]{32}")
#: Entries that are read at once: they may be large.
_AT_ONCE: Final = 4
#: From here on an entry is opened in a thread.
_LARGE_BYTES: Final = 32 * 1024


class Store(Protocol):
    """What is used of an aiocache backend. One that can be listed has ``listed`` as well; see `Listed`."""

    async def get(self, key: str) -> Any: ...

    async def set(self, key: str, value: bytes, ttl: int) -> Any: ...

    async def add(self, key: str, value: bytes, ttl: int) -> Any:
        """Raises `ValueError` where there is such a key."""
        ...

    async def delete(self, key: str) -> Any: ...


class Listed(Protocol):
    async def listed(self, prefix: str, cursor: int) -> tuple[int, list[str]]:
        """Some of the keys that begin with *prefix*, and where to go on; 0 is where to begin, and the end."""
        ...


class Swept(NamedTuple):
    removed: int
    rest: str
    """Why there may be more of what was to be removed; "" if there is none."""


class Locked(Exception):
    """Somebody else is adding to the list, and does not come to an end."""


class Purging:
    """
    Args:
        prefix: of all keys there.
        remembered_seconds: for how long an entry is of any use at most.
        purged: is told of what other pods have purged.
        wall_ns: the time of day.
    """

    def __init__(
        self,
        store: Store,
        codec: Codec,
        prefix: str,
        remembered_seconds: float,
        purged: Callable[[list[Purge]], Awaitable[object]] | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.looked = asyncio.Event()
        """It is known what was purged: before that, what is found may not be given."""
        self.purges = Purges(remembered_seconds)
        self._store = store
        self._codec = codec
        self._prefix = prefix
        self._remembered_seconds = max(int(remembered_seconds), 1)
        self._purged = purged
        self._wall_ns = wall_ns
        self._seen: Any = None
        self._is_told = True
        self._said_garbled = False

    async def watch(self) -> None:
        """Hear of what other pods have purged, until cancelled."""
        while True:
            try:
                new = await self.look()
                self.looked.set()
                if new and self._purged is not None:
                    await self._purged(new)
                await self.tell()
            except Exception as error:
                logger.debug("the shared cache: not looked for purges: %s: %s", type(error).__name__, error)
            await asyncio.sleep(LOOKED_SECONDS if self.looked.is_set() else _ANSWERING_SECONDS)

    async def look(self) -> list[Purge]:
        """Purges that this pod has not heard of.

        Raises:
            Exception: the store gives no answer.
        """
        async with asyncio.timeout(_ANSWERING_SECONDS):
            found = await self._store.get(self._prefix + _LIST)
        if found is None or found == self._seen:
            return []
        self._seen = found
        return self.purges.add(self._read(found), self._wall_ns())

    def remember(self, purge: Purge) -> None:
        """What *purge* covers is not given here from now on, and others are to be told."""
        self.purges.add((purge,), self._wall_ns())
        self._is_told = False

    async def tell(self) -> None:
        """Have all pods know what others are to be told.

        Raises:
            Exception: the store does not confirm.
        """
        if self._is_told:
            return
        holder = secrets.token_bytes(8)
        await self._lock(holder)
        try:
            async with asyncio.timeout(_LOCKED_SECONDS / 2):
                found = await self._store.get(self._prefix + _LIST)
                purges = self.purges.together([] if found is None else self._read(found), self._wall_ns())
                sealed = self._codec.seal(_LIST, written(purges))
                await self._store.set(self._prefix + _LIST, sealed, ttl=self._remembered_seconds)
            self._is_told = True
        finally:
            await self._unlock(holder)

    async def sweep(self, purge: Purge, within_seconds: float) -> Swept:
        """Remove what *purge* covers.

        Raises:
            Exception: the store gives no answer.
        """
        lister: Listed | None = self._store if hasattr(self._store, "listed") else None  # type: ignore[assignment]
        if lister is None:
            return Swept(0, "it cannot say what it has")
        only = Purges(self._remembered_seconds)
        only.add((purge,), self._wall_ns())
        removed = unread = 0
        try:
            async with asyncio.timeout(within_seconds):
                async for keys in self._pages(lister):
                    for at in range(0, len(keys), _AT_ONCE):
                        some = [self._removed(only, purge, key) for key in keys[at : at + _AT_ONCE]]
                        done = await asyncio.gather(*some, return_exceptions=True)
                        failed = [each for each in done if isinstance(each, BaseException)]
                        if len(failed) == _AT_ONCE:
                            raise failed[0]
                        unread += len(failed)
                        removed += done.count(True)
        except TimeoutError:
            return Swept(removed, f"not all of it was looked through within {within_seconds:g} s")
        return Swept(removed, f"{unread} entries could not be read" if unread else "")

    async def _pages(self, lister: Listed) -> AsyncIterator[list[str]]:
        """The keys of entries, some at a time."""
        cursor, begun = 0, False
        while cursor or not begun:
            begun = True
            cursor, found = await lister.listed(self._prefix, cursor)
            keys = [each.removeprefix(self._prefix) for each in found if each.startswith(self._prefix)]
            yield [key for key in keys if _KEY.fullmatch(key)]

    async def _removed(self, only: Purges, purge: Purge, key: str) -> bool:
        if not purge.is_everything:
            found = await self._store.get(self._prefix + key)
            if not isinstance(found, bytes):
                return False
            try:
                if len(found) < _LARGE_BYTES:
                    entry = self._codec.decode(key, found)
                else:
                    entry = await asyncio.to_thread(self._codec.decode, key, found)
            except Garbled:
                return False
            if not only.covers(key, entry):
                return False
        await self._store.delete(self._prefix + key)
        return True

    async def _lock(self, holder: bytes) -> None:
        until = time.monotonic() + _LOCKING_SECONDS
        while True:
            try:
                async with asyncio.timeout(_ANSWERING_SECONDS):
                    await self._store.add(self._prefix + _LOCK, holder, ttl=_LOCKED_SECONDS)
            except ValueError:
                if time.monotonic() > until:
                    raise Locked("another pod is purging, and does not come to an end") from None
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return

    async def _unlock(self, holder: bytes) -> None:
        try:
            async with asyncio.timeout(_ANSWERING_SECONDS):
                if await self._store.get(self._prefix + _LOCK) == holder:
                    await self._store.delete(self._prefix + _LOCK)
        except Exception as error:
            logger.debug("a list of purges is left locked: %s: %s", type(error).__name__, error)

    def _read(self, found: object) -> list[Purge]:
        """What is in the list; nothing if it is none."""
        try:
            if not isinstance(found, bytes):
                raise Garbled("not bytes")
            return read(self._codec.opened(_LIST, found))
        except (Garbled, ValueError) as error:
            if not self._said_garbled:
                self._said_garbled = True
                logger.warning("the shared cache: what is kept there is no list of purges: %s", error)
            return []
