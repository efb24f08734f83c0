"""What the cache saves and whether it is right, measured: a share of hits is sent to the provider as well.

Only such calls tell what a hit would have cost. Everything is kept by kind of call (operation and model), for whose
hits the mean of its own control calls stands, with Student's interval. A kind whose stored answers differ from fresh
ones too often is not answered any more.
"""

import math
import random
from collections import deque
from collections.abc import Iterator
from statistics import NormalDist
from typing import Final, NamedTuple

from msgspec import Struct

#: How many comparisons are looked at, and how many there must be before they say anything.
WINDOW: Final = 200
ENOUGH: Final = 30
#: Kinds beyond so many are counted together.
_MOST_KINDS: Final = 64
_CONFIDENCE: Final = 0.95


class Kind(NamedTuple):
    operation: str
    model: str = ""


OTHERS: Final = Kind("others")


class Interval(NamedTuple):
    """A mean and half the width of its 95 % interval, which is infinite for less than two values."""

    mean: float
    half_width: float

    def times(self, factor: float) -> "Interval":
        return Interval(self.mean * factor, self.half_width * factor)


class Moments:
    """Mean and spread of numbers as they come (Welford, Technometrics 1962)."""

    __slots__ = ("_squares", "mean", "number")

    def __init__(self) -> None:
        self.number = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        self.number += 1
        before = value - self.mean
        self.mean += before / self.number
        self._squares += before * (value - self.mean)

    @property
    def interval(self) -> Interval:
        if self.number < 2:
            return Interval(self.mean, math.inf)
        spread = math.sqrt(self._squares / (self.number - 1))
        return Interval(self.mean, student(self.number - 1) * spread / math.sqrt(self.number))


def student(degrees: int, confidence: float = _CONFIDENCE) -> float:
    """The two-sided quantile of Student's t (Abramowitz and Stegun, 26.7.5): to 1 % from 3 degrees on."""
    if degrees < 3:
        return {1: 12.706, 2: 4.303}[degrees] if confidence == _CONFIDENCE else math.inf
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


class Compared(NamedTuple):
    """What a control call has told."""

    waited_seconds: float
    """Until the first byte."""
    took_seconds: float
    """Until the last."""
    cost: float | None
    """In whatever the prices are in; None if there is no price."""
    agrees: bool | None
    """Whether it says what the stored answer says; None where that cannot be told."""


class Saved(Struct, frozen=True, kw_only=True):
    """What is known of a kind's hits. Times in seconds."""

    operation: str
    model: str
    hits: int
    control_calls: int
    waited_seconds: Interval
    """Saved until the first byte, by all hits."""
    took_seconds: Interval
    """Saved until the last byte, by all hits."""
    cost: Interval | None
    agreement: float | None
    """The share of the last comparisons; None if there was none."""
    compared: int
    answered: bool
    """Whether hits are answered; not while stored answers differ too often."""


class Tally:
    """What is counted of a kind."""

    __slots__ = ("agreed", "answer_seconds", "cost", "hits", "off", "took", "waited")

    def __init__(self) -> None:
        self.hits = 0
        self.answer_seconds = 0.0
        """In which all of them were answered."""
        self.waited, self.took, self.cost = Moments(), Moments(), Moments()
        self.agreed: deque[bool] = deque(maxlen=WINDOW)
        self.off = False
        """Such hits are not to be answered."""

    @property
    def agreement(self) -> float | None:
        return sum(self.agreed) / len(self.agreed) if self.agreed else None


class Control:
    """
    Args:
        share: of hits that are sent to the provider as well, from 0 to 1.
        floors: by operation, the least share of stored answers that agree with fresh ones; 0 for any.
    """

    def __init__(self, share: float, floors: dict[str, float]) -> None:
        self.share = share
        self._floors = floors
        self._tallies: dict[Kind, Tally] = {}

    def draws(self) -> bool:
        """Whether this hit is one of those."""
        return self.share > 0.0 and random.random() < self.share

    def compared(self, kind: Kind, told: Compared) -> bool:
        """Take a comparison in; whether *kind* is switched off by it."""
        tally = self.tally(kind)
        tally.waited.add(told.waited_seconds)
        tally.took.add(told.took_seconds)
        if told.cost is not None:
            tally.cost.add(told.cost)
        if told.agrees is None:
            return False
        tally.agreed.append(told.agrees)
        floor = self._floors.get(kind.operation, 0.0)
        share = tally.agreement or 0.0
        before, tally.off = tally.off, tally.off or (len(tally.agreed) >= ENOUGH and share < floor)
        return tally.off and not before

    def switch_on(self) -> int:
        """Answer again what was switched off, with a clean slate; how many kinds that were."""
        off = [tally for tally in self._tallies.values() if tally.off]
        for tally in off:
            tally.off = False
            tally.agreed.clear()
        return len(off)

    def saved(self) -> Iterator[Saved]:
        for kind, tally in self._tallies.items():
            answered_in = tally.answer_seconds / max(tally.hits, 1)
            waited, took = tally.waited.interval, tally.took.interval
            yield Saved(
                operation=kind.operation,
                model=kind.model,
                hits=tally.hits,
                control_calls=tally.waited.number,
                waited_seconds=Interval(waited.mean - answered_in, waited.half_width).times(tally.hits),
                took_seconds=Interval(took.mean - answered_in, took.half_width).times(tally.hits),
                cost=tally.cost.interval.times(tally.hits) if tally.cost.number else None,
                agreement=tally.agreement,
                compared=len(tally.agreed),
                answered=not tally.off,
            )

    def tally(self, kind: Kind) -> Tally:
        """That of *kind*."""
        tally = self._tallies.get(kind)
        if tally is None:
            if len(self._tallies) >= _MOST_KINDS:
                kind = OTHERS
            tally = self._tallies.setdefault(kind, Tally())
        return tally
