"""L1: answers in this process's memory, bounded in bytes.

Who stays is decided as S3-FIFO does it (Yang et al., SOSP 2023), in bytes, with two differences that simulations of
this traffic paid for (``python -m tests.benchmarks.cache``): the main room keeps what is asked for most per byte
instead of turning in a circle, and what has left is remembered with how much it was asked for.

- What comes for the first time stands on probation: first in, first out, and at most a twentieth of all bytes once
  there is no room. If it is asked for meanwhile, it moves into the main room, else it leaves. So calls that never come
  again leave without pushing others out.
- Of what left, a number is remembered (no key, no content). What comes back meanwhile goes to the main room at once.
- From the main room leaves what has the fewest calls per byte among a few. Calls of old count less: half, each time
  that four times the bound has come in.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

_PROBATION_SHARE: Final = 0.05
_GHOSTS_SHARE: Final = 0.05
_GHOSTS_PER_ENTRY: Final = 4
_HALF_LIFE_BOUNDS: Final = 4.0
"""How many times the bound comes in until a call counts half."""
_LOOKED_AT: Final = 32
"""How many entries are compared to find one that leaves."""
_LARGEST_SHARE: Final = 8
_TINY_BYTES: Final = 1024 * 1024
"""Below this the one large answer is what somebody made so small a cache for."""
_SLOT_BYTES: Final = 352
"""A key, its place in the dictionary (which may just have doubled) and in a room, and the slot."""
_GHOST_BYTES: Final = 216
_WORTH_RANGE: Final = 2.0**400


class Weighed(Protocol):
    """What can be kept: an ``Entry``, or whatever else knows what it holds."""

    @property
    def held_bytes(self) -> int: ...


Kept = TypeVar("Kept", bound=Weighed)


class Held(NamedTuple, Generic[Kept]):
    """What is in memory under a key."""

    key: str
    entry: Kept
    calls: float
    """That asked for it; old ones count less."""


class _Slot(Struct, Generic[Kept], gc=False):
    key: str
    entry: Kept
    weight: float
    """The worth of all calls that asked for it, as it was when they did."""
    held_bytes: int
    at: int
    """Its index in the main room; -1 on probation."""


class Memory(Generic[Kept]):
    """
    Args:
        max_bytes: what everything may hold together: entries, keys, what is remembered of those that left.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self.evicted = 0
        self.refused = 0
        """Entries that would have taken too large a share."""
        self._added: list[Callable[[str, Kept], None]] = []
        self._removed: list[Callable[[str, Kept], None]] = []
        self._slots: dict[str, _Slot[Kept]] = {}
        self._probation: OrderedDict[str, _Slot[Kept]] = OrderedDict()
        self._probation_bytes = 0
        self._main: list[_Slot[Kept]] = []
        self._hand = 0
        self._ghosts: OrderedDict[int, float] = OrderedDict()
        self._worth = 1.0
        """Of a call now. It grows, which is as if all earlier calls became worth less."""

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, key: str) -> bool:
        return key in self._slots

    def watch(self, added: Callable[[str, Kept], None], removed: Callable[[str, Kept], None]) -> None:
        """Have *added* called with what comes in from now on, and *removed* with what goes, replaced ones included."""
        self._added.append(added)
        self._removed.append(removed)

    def recall(self, key: str) -> Kept | None:
        """What is kept under *key*, which counts as a call for it."""
        slot = self._slots.get(key)
        if slot is None:
            return None
        slot.weight += self._worth
        return slot.entry

    def peek(self, key: str) -> Kept | None:
        """The same, for whoever only looks."""
        slot = self._slots.get(key)
        return None if slot is None else slot.entry

    def keep(self, key: str, entry: Kept, calls: float = 0.0) -> bool:
        """Keep *entry*; whether there is room for it.

        Args:
            calls: how many are known to have asked for it, as ``items`` told once, and a disk has noted.
        """
        held_bytes = entry.held_bytes + _SLOT_BYTES
        if held_bytes > (self.max_bytes if self.max_bytes < _TINY_BYTES else self.max_bytes // _LARGEST_SHARE):
            self.refused += 1
            self.forget(key)
            return False
        self._age(held_bytes)
        weight = calls * self._worth
        if (before := self._slots.get(key)) is not None:
            weight += before.weight
            self._take_out(before)
        elif (remembered := self._ghosts.pop(hash(key), None)) is not None:
            self.held_bytes -= _GHOST_BYTES
            weight = max(weight, remembered + self._worth)
        slot = self._slots[key] = _Slot(key, entry, weight, held_bytes, -1)
        self.held_bytes += held_bytes
        if weight > 0.0:
            self._settle(slot)
        else:
            self._probation[key] = slot
            self._probation_bytes += held_bytes
        for added in self._added:
            added(key, entry)
        self._make_room(self.max_bytes)
        return key in self._slots

    def forget(self, key: str) -> bool:
        """Whether anything was kept under *key*."""
        slot = self._slots.get(key)
        if slot is None:
            return False
        self._take_out(slot)
        return True

    def shrink(self, to_bytes: int) -> None:
        """Give memory back until *to_bytes* or less are held; the bound stays."""
        while self._ghosts and self.held_bytes > to_bytes:
            self._ghosts.popitem(last=False)
            self.held_bytes -= _GHOST_BYTES
        self._make_room(to_bytes, remembering=False)

    def clear(self) -> None:
        for slot in list(self._slots.values()):
            self._take_out(slot)
        self._ghosts.clear()
        self.held_bytes = 0

    def items(self) -> Iterator[Held[Kept]]:
        """Everything, in no order. What changes meanwhile may or may not show."""
        for slot in list(self._slots.values()):
            yield Held(slot.key, slot.entry, slot.weight / self._worth)

    def _make_room(self, to_bytes: int, *, remembering: bool = True) -> None:
        while self.held_bytes > to_bytes and self._slots:
            crowded = len(self._probation) > 1 and self._probation_bytes > _PROBATION_SHARE * self.max_bytes
            on_probation = crowded or not self._main
            slot = next(iter(self._probation.values())) if on_probation else self._least()
            if on_probation and slot.weight > 0.0:
                self._leave_probation(slot)
                slot.weight += self._worth
                self._settle(slot)
                continue
            self.evicted += 1
            self._take_out(slot)
            if remembering:
                self._remember(slot)

    def _least(self) -> _Slot[Kept]:
        """What has the fewest calls per byte among some of the main room, other ones each time."""
        main = self._main
        if self._hand >= len(main):
            self._hand = 0
        looked_at = main[self._hand : self._hand + _LOOKED_AT]
        self._hand += _LOOKED_AT
        return min(looked_at, key=_calls_per_byte)

    def _remember(self, slot: _Slot[Kept]) -> None:
        most = min(_GHOSTS_PER_ENTRY * len(self._slots), int(_GHOSTS_SHARE * self.max_bytes) // _GHOST_BYTES)
        ghost = hash(slot.key)
        if ghost not in self._ghosts:
            self.held_bytes += _GHOST_BYTES
        self._ghosts[ghost] = max(slot.weight, self._worth)
        while len(self._ghosts) > most:
            self._ghosts.popitem(last=False)
            self.held_bytes -= _GHOST_BYTES

    def _settle(self, slot: _Slot[Kept]) -> None:
        slot.at = len(self._main)
        self._main.append(slot)

    def _leave_probation(self, slot: _Slot[Kept]) -> None:
        del self._probation[slot.key]
        self._probation_bytes -= slot.held_bytes

    def _take_out(self, slot: _Slot[Kept]) -> None:
        del self._slots[slot.key]
        self.held_bytes -= slot.held_bytes
        if slot.at < 0:
            self._leave_probation(slot)
        else:
            last = self._main.pop()
            if last is not slot:
                self._main[slot.at] = last
                last.at = slot.at
        for removed in self._removed:
            removed(slot.key, slot.entry)

    def _age(self, incoming_bytes: int) -> None:
        self._worth *= math.exp2(incoming_bytes / (_HALF_LIFE_BOUNDS * max(self.max_bytes, 1)))
        if self._worth > _WORTH_RANGE:
            for slot in self._slots.values():
                slot.weight /= _WORTH_RANGE
            for ghost in self._ghosts:
                self._ghosts[ghost] /= _WORTH_RANGE
            self._worth /= _WORTH_RANGE


def _calls_per_byte(slot: _Slot[Any]) -> float:
    return slot.weight / slot.held_bytes
