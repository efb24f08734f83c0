"""How often calls come again, and why: what an infinite cache could have answered, to hold this one against. No I/O.

How many different calls there were is estimated (HyperLogLog, 4 KiB, to 1.6 %; estimator of Ertl, arXiv:1702.01284).
"""

import math
from collections import Counter
from typing import Final

from sidecar import Operation

_REGISTERS: Final = 4096
_REGISTER_BITS: Final = 12
#: Of a key, so many hexadecimal digits are looked at; the bits that do not choose the register are the rest.
_DIGITS: Final = 12
_REST_BITS: Final = 4 * _DIGITS - _REGISTER_BITS

RETRIES: Final = "retries"
"""The agent's library says that it tries again (``x-stainless-retry-count``)."""
FAN_OUT: Final = "fan_out"
"""The same was under way already."""
_BY_OPERATION: Final = {Operation.TTS: "phrases", Operation.STT: "replays", Operation.CHAT: "questions"}
"""All others: the same text spoken, the same recording heard, or the same question asked again."""
SOURCES: Final = (RETRIES, FAN_OUT, *_BY_OPERATION.values())
#: Together, many are counted in a third of the time.
_AT_ONCE: Final = 128


class Distinct:
    """How many different keys there were."""

    __slots__ = ("_registers",)

    def __init__(self) -> None:
        self._registers = bytearray(_REGISTERS)

    def add(self, key: str) -> None:
        """
        Args:
            key: 12 hexadecimal digits or more, evenly spread.
        """
        number = int(key[:_DIGITS], 16)
        rank = _REST_BITS + 1 - (number >> _REGISTER_BITS).bit_length()
        register = number & (_REGISTERS - 1)
        if rank > self._registers[register]:
            self._registers[register] = rank

    def __len__(self) -> int:
        counts = [self._registers.count(rank) for rank in range(_REST_BITS + 2)]
        total = _REGISTERS * _tau(1.0 - counts[-1] / _REGISTERS)
        for count in counts[_REST_BITS:0:-1]:
            total = 0.5 * (total + count)
        total += _REGISTERS * _sigma(counts[0] / _REGISTERS)
        return round(_REGISTERS * _REGISTERS / (2.0 * math.log(2.0) * total))


def _sigma(x: float) -> float:
    if x == 1.0:
        return math.inf
    before, factor, total = -1.0, 1.0, x
    while total != before:
        x *= x
        before = total
        total += x * factor
        factor += factor
    return total


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    before, factor, total = -1.0, 1.0, 1.0 - x
    while total != before:
        x = math.sqrt(x)
        before = total
        factor *= 0.5
        total -= (1.0 - x) ** 2 * factor
    return total / 3.0


class Repeats:
    """What came again, by why it did, of all calls that were looked up."""

    __slots__ = ("_by_source", "_distinct", "_keys", "_looked_up", "_waiting")

    def __init__(self) -> None:
        self._looked_up = 0
        self._by_source = dict.fromkeys(SOURCES, 0)
        self._distinct = Distinct()
        self._keys: list[str] = []
        self._waiting: list[tuple[str, Operation, bool]] = []

    @property
    def looked_up(self) -> int:
        self._count()
        return self._looked_up

    @property
    def by_source(self) -> dict[str, int]:
        self._count()
        return self._by_source

    def take(self, outcome: str, key: str, operation: Operation, retried: bool) -> None:
        """A call was looked up, or answered after it had been missed.

        Args:
            outcome: the verdict's: hit, stale and miss are what a look-up comes to; joined and spare follow a miss.
            retried: the agent's library says that it tries again.
        """
        self._keys.append(key)
        self._waiting.append((outcome, operation, retried))
        if len(self._keys) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        keys, self._keys = self._keys, []
        waiting, self._waiting = self._waiting, []
        for key in set(keys):  # what follows a miss has been added with it
            self._distinct.add(key)
        for (outcome, operation, retried), number in Counter(waiting).items():
            if outcome in ("hit", "stale", "miss"):
                self._looked_up += number
            if outcome != "miss":
                self._by_source[_source(outcome, operation, retried)] += number

    @property
    def answered(self) -> int:
        """Without a call of their own."""
        return sum(self.by_source.values())

    @property
    def distinct(self) -> int:
        self._count()
        return min(len(self._distinct), self._looked_up)

    @property
    def ratio(self) -> float | None:
        """The share of look-ups that needed no call of their own; None if there was none."""
        return self.answered / self.looked_up if self.looked_up else None

    @property
    def bound(self) -> float | None:
        """The same of a cache that forgets nothing and began as empty; None if there was no look-up."""
        return 1.0 - self.distinct / self.looked_up if self.looked_up else None


def _source(outcome: str, operation: Operation, retried: bool) -> str:
    if outcome == "joined":
        return FAN_OUT
    return RETRIES if retried else _BY_OPERATION.get(operation, FAN_OUT)
