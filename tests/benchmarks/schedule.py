"""When calls are to start, and who is measured when. Pure, and the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments in [0, *seconds*) at which calls start that know nothing of each other, *rate* per second on average.

    Fixed before the run: a slow answer does not put off the next call (coordinated omission).
    """
    source, moments, now = random.Random(seed), [], 0.0
    while (now := now + source.expovariate(rate)) < seconds:
        moments.append(now)
    return moments


def rounds(contestants: Sequence[T], count: int, seed: int) -> Iterator[tuple[int, T]]:
    """Each of *contestants* once per round, in an order that differs from round to round: number of the round, who."""
    source = random.Random(seed)
    for number in range(count):
        order = list(contestants)
        source.shuffle(order)
        for contestant in order:
            yield number, contestant
