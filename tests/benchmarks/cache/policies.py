"""Who stays, by several rules, at equal bytes: each answer counted with all that keeping it takes."""

import heapq
from collections import OrderedDict
from functools import cache
from itertools import takewhile
from typing import Final, Protocol

from msgspec import Struct
from sidecar_cache.memory import _SLOT_BYTES, Memory
from sidecar_cache.rows import NOTED_FROM
from sidecar_cache.worth import MOST_ENTRIES, PAGE_BYTES, calls_of, most_pages, pages_of, worth

from tests.benchmarks.cache.workloads import Asked
from tests.plugins.kept_entries import entry

MiB: Final = 1024 * 1024
DISK_BYTES: Final = 512 * MiB
#: What SQLite takes for a row beside what the row has, and what the row has beside the answer: measured by
#: ``test_hit_ratios``, which holds the simulated disk against the one that serves.
_ROW_BYTES, _RECORD_BYTES, _SUMMARY_BYTES = 1000, 660, 400
_RANKED_SECONDS: Final = 60.0


@cache
def held_bytes(size_bytes: int) -> int:
    """Of an entry with so large an answer, as it is in memory."""
    return entry(size_bytes).held_bytes


class Stored(Struct, frozen=True, gc=False):
    """Stands for an entry, without its data."""

    held_bytes: int


class Policy(Protocol):
    def ask(self, asked: Asked) -> bool:
        """Whether it was there; if not, it comes in."""

    def forget(self, key: int) -> None: ...


class Infinite:
    """The bound: everything that ever was."""

    def __init__(self, max_bytes: int) -> None:
        self._keys: set[int] = set()

    def ask(self, asked: Asked) -> bool:
        there = asked.key in self._keys
        self._keys.add(asked.key)
        return there

    def forget(self, key: int) -> None:
        self._keys.discard(key)


class Lru:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._held: OrderedDict[int, int] = OrderedDict()

    def ask(self, asked: Asked) -> bool:
        if asked.key in self._held:
            self._held.move_to_end(asked.key)
            return True
        size_bytes = held_bytes(asked.size_bytes) + _SLOT_BYTES
        self._held[asked.key] = size_bytes
        self._held_bytes += size_bytes
        while self._held_bytes > self._max_bytes:
            self._held_bytes -= self._held.popitem(last=False)[1]
        return False

    def forget(self, key: int) -> None:
        self._held_bytes -= self._held.pop(key, 0)


class Sieve:
    """Zhang et al., NSDI 2024."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._held: OrderedDict[int, list[int]] = OrderedDict()  # oldest first: size, whether asked for, number
        self._came = 0
        self._hand: list[int] = []  # what the hand passes next, the nearest last
        self._passed = 0

    def ask(self, asked: Asked) -> bool:
        if (held := self._held.get(asked.key)) is not None:
            held[1] = 1
            return True
        size_bytes = held_bytes(asked.size_bytes) + _SLOT_BYTES
        while self._held and self._held_bytes + size_bytes > self._max_bytes:
            self._leave()
        self._came += 1
        self._held[asked.key] = [size_bytes, 0, self._came]
        self._held_bytes += size_bytes
        return False

    def forget(self, key: int) -> None:
        if (held := self._held.pop(key, None)) is not None:
            self._held_bytes -= held[0]

    def _leave(self) -> None:
        """The hand goes from the oldest to the newest, and starts over."""
        while True:
            if not self._hand:
                newer = takewhile(lambda key: self._held[key][2] > self._passed, reversed(self._held))
                self._hand = list(newer) or list(reversed(self._held))
            key = self._hand.pop()
            held = self._held.get(key)
            if held is None:
                continue
            self._passed = held[2]
            if not held[1]:
                self.forget(key)
                return
            held[1] = 0


class Ours:
    """The very memory that serves."""

    def __init__(self, max_bytes: int) -> None:
        self.memory: Memory[Stored] = Memory(max_bytes)

    def ask(self, asked: Asked) -> bool:
        key = f"{asked.key & (1 << 128) - 1:032x}"
        if self.memory.recall(key) is not None:
            return True
        self.memory.keep(key, Stored(held_bytes(asked.size_bytes)))
        return False

    def forget(self, key: int) -> None:
        self.memory.forget(f"{key & (1 << 128) - 1:032x}")


class Simulated(Struct, gc=False):
    """An answer on a simulated disk."""

    taken_bytes: int
    worth: float
    size_bytes: int


class SimulatedDisk:
    """Stands for ``Rows``: so large, by the same worth, without the data."""

    def __init__(self, max_bytes: int) -> None:
        self._most_bytes = most_pages(max_bytes) * PAGE_BYTES
        self.held: dict[str, Simulated] = {}
        self._taken_bytes = 0
        self._least: list[tuple[float, str]] = []

    def keep(self, key: str, size_bytes: int, calls: float, at_seconds: float) -> None:
        self.forget(key)
        needed = pages_of(size_bytes + _RECORD_BYTES, _SUMMARY_BYTES) * PAGE_BYTES
        while self.held and (self._taken_bytes + needed > self._most_bytes or len(self.held) >= MOST_ENTRIES):
            least, leaving = heapq.heappop(self._least)
            if (held := self.held.get(leaving)) is not None and held.worth == least:
                self.forget(leaving)
        taken_bytes = size_bytes + _RECORD_BYTES + _SUMMARY_BYTES + _ROW_BYTES
        self._taken_bytes += taken_bytes
        self.held[key] = Simulated(taken_bytes, 0.0, size_bytes)
        self._put(key, worth(calls, at_seconds))

    def rank(self, key: str, calls: float, at_seconds: float) -> None:
        value = worth(calls, at_seconds)
        if (held := self.held.get(key)) is not None and abs(value - held.worth) > NOTED_FROM:
            self._put(key, value)

    def forget(self, key: str) -> None:
        if (held := self.held.pop(key, None)) is not None:
            self._taken_bytes -= held.taken_bytes

    def _put(self, key: str, value: float) -> None:
        self.held[key].worth = value
        heapq.heappush(self._least, (value, key))


class Deep:
    """The memory that serves, and behind it a disk; one call a second where the workload does not say when."""

    def __init__(self, max_bytes: int) -> None:
        self.memory: Memory[Stored] = Memory(max_bytes)
        self.disk = SimulatedDisk(DISK_BYTES)
        self.hits_in_memory = self.hits_on_disk = 0
        self._now_seconds = self._ranked_at = 0.0

    def ask(self, asked: Asked) -> bool:
        self._now_seconds = asked.at_seconds or self._now_seconds + 1.0
        if self._now_seconds - self._ranked_at >= _RANKED_SECONDS:
            self._ranked_at = self._now_seconds
            for each in self.memory.items():
                self.disk.rank(each.key, each.calls, self._now_seconds)
        key = f"{asked.key & (1 << 128) - 1:032x}"
        if self.memory.recall(key) is not None:
            self.hits_in_memory += 1
            return True
        kept = Stored(held_bytes(asked.size_bytes))
        if (held := self.disk.held.get(key)) is not None:
            self.hits_on_disk += 1
            self.memory.keep(key, kept, calls_of(held.worth, self._now_seconds) + 1.0)
            return True
        self.memory.keep(key, kept)
        self.disk.keep(key, asked.size_bytes, 0.0, self._now_seconds)
        return False

    def forget(self, key: int) -> None:
        name = f"{key & (1 << 128) - 1:032x}"
        self.memory.forget(name)
        self.disk.forget(name)


class S3Fifo:
    """Yang et al., SOSP 2023, in bytes, as published: what ours came from."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._small_bytes = max_bytes // 10
        self._held: dict[int, list[int]] = {}  # size, calls
        self._small: OrderedDict[int, int] = OrderedDict()
        self._main: OrderedDict[int, int] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()
        self._in_small = self._in_main = 0

    def ask(self, asked: Asked) -> bool:
        key = asked.key
        if (held := self._held.get(key)) is not None:
            held[1] = min(held[1] + 1, 3)
            return True
        size_bytes = held_bytes(asked.size_bytes) + _SLOT_BYTES
        while self._held and self._in_small + self._in_main + size_bytes > self._max_bytes:
            self._leave()
        self._held[key] = [size_bytes, 0]
        if key in self._ghosts:
            del self._ghosts[key]
            self._main[key] = size_bytes
            self._in_main += size_bytes
        else:
            self._small[key] = size_bytes
            self._in_small += size_bytes
        return False

    def forget(self, key: int) -> None:
        if self._held.pop(key, None) is not None:
            self._in_small -= self._small.pop(key, 0)
            self._in_main -= self._main.pop(key, 0)

    def _leave(self) -> None:
        if self._small and (self._in_small > self._small_bytes or not self._main):
            key, size_bytes = self._small.popitem(last=False)
            self._in_small -= size_bytes
            if self._held[key][1]:
                self._held[key][1] = 0
                self._main[key] = size_bytes
                self._in_main += size_bytes
                return
            del self._held[key]
            self._ghosts[key] = None
            while len(self._ghosts) > max(len(self._main), 10):
                self._ghosts.popitem(last=False)
            return
        key, size_bytes = self._main.popitem(last=False)
        if self._held[key][1]:
            self._held[key][1] -= 1
            self._main[key] = size_bytes
            return
        del self._held[key]
        self._in_main -= size_bytes
