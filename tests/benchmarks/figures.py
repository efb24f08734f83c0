"""Statistics of rounds and samples. Pure."""

import math
from collections.abc import Mapping, Sequence

#: Fewer samples than this tell nothing about their 99th percentile.
P99_SAMPLES = 1000


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least *share* of all are not above (nearest rank): a value that was measured.

    Raises:
        ValueError: there are no samples, or *share* is not above 0 and at most 1.
    """
    if not samples or not 0 < share <= 1:
        raise ValueError("percentile wants samples, and a share above 0 and at most 1")
    return sorted(samples)[math.ceil(share * len(samples)) - 1]


def median(samples: Sequence[float]) -> float:
    """The middle of *samples*; between the two middle ones if there are two.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("median wants samples")
    ordered, half = sorted(samples), len(samples) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def pair_ratios(of: Mapping[int, float], to: Mapping[int, float]) -> list[float]:
    """Ratios *of* / *to* round by round, by the round's number: what both suffered in one round cancels out.

    Rounds that only one of them has, or where *to* is 0, are left out.
    """
    return [of[number] / to[number] for number in sorted(of.keys() & to.keys()) if to[number]]


def void(lateness: Sequence[float], p50: float, *, resolvable: float) -> bool:
    """Whether a generator that was so late (one entry per call) measured itself instead of the proxy.

    So it is if the 99th percentile of its lateness is above 5 ms, or above a tenth of the median latency *p50*. All in
    microseconds. What is below *resolvable* is not held against it: no generator in Python keeps to a tenth of the
    0.2 ms that a call takes over loopback.
    """
    late = percentile(lateness, 0.99)
    return late > 5000 or late > max(p50 / 10, resolvable)
