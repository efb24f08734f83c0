"""How values are distributed, by a histogram of their logarithms that forgets. No I/O.

A hundred-odd counts instead of samples: what two pods have seen is added, a prior is a few calls more, and a call that
was given up after a while (so that only a lower bound is known) is spread over what is above that (Efron's
redistribution to the right: "The two sample problem with censored data", 1967).
"""

import math
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Final

#: Of the logarithm: a bucket is 10 % wide, so that a quantile is right to 5 %.
WIDTH: Final = 0.1
LOWEST: Final = -2.5
BUCKETS: Final = 64
_HIGHEST: Final = LOWEST + WIDTH * BUCKETS
#: What a value counts halves with every so many that come after it.
HALF_LIFE_CALLS: Final = 100.0
_GROWTH: Final = 2.0 ** (1.0 / HALF_LIFE_CALLS)
_LARGEST_WEIGHT: Final = 1e12


class Histogram:
    """Values as the logarithm of their ratio to what was expected, from e**-2.5 to e**3.9.

    Args:
        counts: as `counts` of another gave them.
    """

    __slots__ = ("_counts", "_known", "_weight")

    def __init__(self, counts: list[float] | None = None) -> None:
        self._counts = list(counts) if counts is not None and len(counts) == BUCKETS else [0.0] * BUCKETS
        self._weight = 1.0
        """What the next value counts: growing, so that the earlier ones need not be made smaller each time."""
        self._known: dict[tuple[float, float, float], float] = {}

    def counts(self) -> list[float]:
        """In calls, the latest of which counts one."""
        return [count / self._weight for count in self._counts]

    def add(self, log_ratio: float, share: float = 1.0) -> None:
        """A value, or *share* of one."""
        self._counts[_bucket(log_ratio)] += self._weight * share
        self._grow()

    def add_at_least(self, log_ratio: float, spread: float) -> None:
        """A value that was not waited for: it would have been above *log_ratio*."""
        at = _bucket(log_ratio)
        prior = normal(spread)
        mass = [self._counts[each] + self._weight * prior[each] for each in range(at, BUCKETS)]
        total = sum(mass)
        if total > 0.0:
            for each, part in enumerate(mass, at):
                self._counts[each] += self._weight * part / total
        self._grow()

    def quantile(self, share: float, spread: float, prior_calls: float) -> float:
        """The logarithm below which *share* of the values are, with *prior_calls* more that are normal around 0."""
        key = (share, spread, prior_calls)
        if (known := self._known.get(key)) is not None:
            return known
        prior = normal(spread)
        scale = prior_calls * self._weight
        wanted = share * (sum(self._counts) + scale)
        below, found = 0.0, _HIGHEST
        for each in range(BUCKETS):
            here = self._counts[each] + scale * prior[each]
            if below + here >= wanted and here > 0.0:
                found = LOWEST + WIDTH * (each + (wanted - below) / here)
                break
            below += here
        self._known[key] = found
        return found

    def _grow(self) -> None:
        self._known.clear()
        self._weight *= _GROWTH
        if self._weight > _LARGEST_WEIGHT:
            self._counts = self.counts()
            self._weight = 1.0


def added(one: list[float], other: list[float]) -> list[float]:
    """What two have seen."""
    return [a + b for a, b in zip(one, other, strict=True)]


def _bucket(log_ratio: float) -> int:
    if not log_ratio > LOWEST:  # nor is what is no number
        return 0
    return min(int((log_ratio - LOWEST) / WIDTH), BUCKETS - 1) if log_ratio < _HIGHEST else BUCKETS - 1


@lru_cache(maxsize=64)
def normal(spread: float) -> tuple[float, ...]:
    """One call, normal around 0 with *spread*."""
    law = NormalDist(0.0, max(spread, 1e-3))
    edges = [-math.inf, *(LOWEST + WIDTH * each for each in range(1, BUCKETS)), math.inf]
    return tuple(law.cdf(high) - law.cdf(low) for low, high in pairwise(edges))
