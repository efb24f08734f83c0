"""Why a call is not known: which of the known ones differs from it least, and in what.

A call's parts are digests. All of them but one, taken together, are a number under which the call can be found by any
other that differs in that one part: as many numbers are kept for each call as it has parts, and a look-up takes as
many. A call is only ever held against others of the same tenant: what somebody else asked is nobody's business.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import xor
from typing import Final, NamedTuple

#: What two calls must have in common to be held against each other.
SCOPE: Final = frozenset(("tenant", "provider", "endpoint"))
#: Of how many calls of an endpoint those that came last are looked through one by one.
_LATEST: Final = 64
_MOST_SCOPES: Final = 256
#: What an entry of the index takes: a number, a place in a table, and half as much again for tables that are half full.
_ENTRY_BYTES: Final = 700
_PART_BYTES: Final = 160

Parts = Sequence[tuple[str, int]]


class Near(NamedTuple):
    """A known call, and the names of the parts in which it differs."""

    key: str
    differs: tuple[str, ...]


class _Known(NamedTuple):
    parts: Parts
    scope: int
    numbers: tuple[int, ...]

    @property
    def held_bytes(self) -> int:
        return _ENTRY_BYTES + _PART_BYTES * len(self.numbers)


class Nearest:
    """Bounded in bytes; of the calls that are known here, the one that was added first goes first.

    Entries are added when their answer is kept and discarded with it.
    """

    def __init__(self, most_bytes: int = 8 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._by_number: dict[int, str | dict[str, None]] = {}
        self._latest: OrderedDict[int, deque[str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: str, parts: Parts) -> None:
        self.discard(key)
        scope, total = _scope(parts), _total(parts)
        numbers = (total, *(total ^ digest for name, digest in parts if name not in SCOPE))
        known = self._known[key] = _Known(parts, scope, numbers)
        self.held_bytes += known.held_bytes
        for number in numbers:
            self._put(number, key)
        if (latest := self._latest.get(scope)) is None:
            latest = self._latest[scope] = deque(maxlen=_LATEST)
            if len(self._latest) > _MOST_SCOPES:
                self._latest.popitem(last=False)
        latest.append(key)
        while self.held_bytes > self._most_bytes:
            self.discard(next(iter(self._known)))

    def discard(self, key: str) -> None:
        known = self._known.pop(key, None)
        if known is None:
            return
        self.held_bytes -= known.held_bytes
        for number in known.numbers:
            found = self._by_number.get(number)
            if isinstance(found, dict):
                found.pop(key, None)
                if not found:
                    del self._by_number[number]
            elif found == key:
                del self._by_number[number]
        if (latest := self._latest.get(known.scope)) is not None and not any(each in self._known for each in latest):
            del self._latest[known.scope]

    def nearest(self, parts: Parts) -> Near | None:
        """The call that differs in one part, or else the one of the latest that differs in the fewest; None if nothing
        of the kind is known.
        """
        mine, total = dict(parts), _total(parts)
        # without any of mine, of a call that has one more; without one of mine, of a call that has it otherwise or not
        for number in (total, *(total ^ digest for name, digest in parts if name not in SCOPE)):
            found = self._by_number.get(number)
            key = next(reversed(found)) if isinstance(found, dict) else found
            if key is not None and len(differs := _differing(mine, self._known[key].parts)) == 1:
                return Near(key, differs)
        best: Near | None = None
        same = set(parts)
        for key in reversed(self._latest.get(_scope(parts), ())):
            if (known := self._known.get(key)) is None:
                continue
            # at least half of this are names: most need no closer look
            if best is None or len(same.symmetric_difference(known.parts)) < 2 * len(best.differs):
                differs = _differing(mine, known.parts)
                if differs and (best is None or len(differs) < len(best.differs)):
                    best = Near(key, differs)
        return best

    def _put(self, number: int, key: str) -> None:
        found = self._by_number.get(number)
        if found is None:
            self._by_number[number] = key
        elif isinstance(found, dict):
            found[key] = None
        elif found != key:
            self._by_number[number] = {found: None, key: None}


def _total(parts: Parts) -> int:
    return reduce(xor, [digest for _, digest in parts], 0)


def _scope(parts: Parts) -> int:
    return hash(tuple([part for part in parts if part[0] in SCOPE]))


def _differing(mine: Mapping[str, int], others: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """The names under which two calls do not say the same, in order."""
    theirs = dict(others)
    return tuple(sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)))
