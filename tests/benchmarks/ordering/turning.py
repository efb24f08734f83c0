"""How soon a provider that turns slow is left, and how soon it is used again once it has recovered."""

import random
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from sidecar_ordering.tries import Why

from tests.benchmarks.ordering.driving import Told, drive
from tests.benchmarks.ordering.ours import Ours
from tests.benchmarks.ordering.scenarios import THREE
from tests.benchmarks.ordering.world import Episode, world

SLOW_SECONDS: Final = 3600.0
RECOVERS_SECONDS: Final = 5400.0
_ENDS_SECONDS: Final = 7800.0
#: So many calls are looked at after the first slow answer.
CALLS: Final = 8
#: A run says nothing if the provider was not in use when it turned slow.
_SOON_SECONDS: Final = 300.0


class Turned(NamedTuple):
    """Of one run."""

    elsewhere: list[bool]
    """Of each call after the first slow answer: whether it was sent elsewhere first."""
    used_seconds: float
    """After recovery, until it answers a call again."""
    trusted_seconds: float
    """After recovery, until it is asked first again, and not only to find out."""


def turned(seed: int, factor: float, per_minute: float) -> Turned | None:
    """The best provider is *factor* times slower for half an hour; None if it was not in use then."""

    def episodes(draw: random.Random, number: int, lasts: float) -> list[Episode]:
        return [Episode(SLOW_SECONDS, RECOVERS_SECONDS, factor=factor)] if number == 0 else []

    calls = int(_ENDS_SECONDS / 60.0 * per_minute)
    made = world(THREE, episodes, seed=seed, calls=calls, per_minute=per_minute)
    told = drive(made, Ours(made, random.Random(seed)))
    slow = next((each for each in told if each.at >= SLOW_SECONDS and each.first == 0), None)
    if slow is None or slow.at > SLOW_SECONDS + _SOON_SECONDS:
        return None
    after = [each for each in told if each.at >= slow.at + slow.seconds]
    recovered = [each for each in told if each.at >= RECOVERS_SECONDS]
    return Turned(
        [each.first != 0 for each in after[:CALLS]],
        _first(recovered, lambda each: each.answered_by == 0),
        _first(recovered, lambda each: each.first == 0 and each.why != Why.TRIAL),
    )


def _first(told: Sequence[Told], wanted: Callable[[Told], bool]) -> float:
    return next((each.at - RECOVERS_SECONDS for each in told if wanted(each)), _ENDS_SECONDS - RECOVERS_SECONDS)


def shares(runs: Sequence[Turned]) -> list[float]:
    """Of all runs: how many have left it by the first, second, … call after the first slow answer."""
    return [fmean(run.elsewhere[at] for run in runs) for at in range(CALLS)]
