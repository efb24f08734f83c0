"""Which keys are on the disk, told without asking it. No I/O."""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

_DRAWERS: Final = 1024
_LAST: Final = _DRAWERS - 1
_DRAWER_BYTES: Final = 88
"""Of an array, and its place in the list of them."""


class Index:
    """Eight bytes a key, a digest of it, in sorted arrays; and 88 KiB.

    Of keys that are not there, one in 2**64 for each that is will be said to be: whoever reads then finds nothing under
    the whole key. A key is added as often as it is there, so that two with one digest do not hide each other. Threads
    may share it.
    """

    __slots__ = ("_count", "_drawers", "_lock")

    def __init__(self) -> None:
        self._drawers = _empty()
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: str) -> bool:
        digest = hash(key)
        with self._lock:
            drawer = self._drawers[digest & _LAST]
            at = bisect_left(drawer, digest)
            return at < len(drawer) and drawer[at] == digest

    @property
    def held_bytes(self) -> int:
        return 8 * self._count + _DRAWERS * _DRAWER_BYTES

    def add(self, key: str) -> None:
        digest = hash(key)
        with self._lock:
            drawer = self._drawers[digest & _LAST]
            drawer.insert(bisect_left(drawer, digest), digest)
            self._count += 1

    def discard(self, key: str) -> None:
        digest = hash(key)
        with self._lock:
            drawer = self._drawers[digest & _LAST]
            at = bisect_left(drawer, digest)
            if at < len(drawer) and drawer[at] == digest:
                del drawer[at]
                self._count -= 1

    def fill(self, keys: Iterable[str]) -> None:
        """Have it know *keys* and no others."""
        drawers, count = _empty(), 0
        for digest in sorted(map(hash, keys)):
            drawers[digest & _LAST].append(digest)
            count += 1
        with self._lock:
            self._drawers, self._count = drawers, count


def _empty() -> "list[array[int]]":
    return [array("q") for _ in range(_DRAWERS)]
