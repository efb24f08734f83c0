"""What each rule makes of each scenario, over several seeds."""

import math
import random
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Final, NamedTuple

from sidecar_cache.control import student

from tests.benchmarks.figures import percentile
from tests.benchmarks.ordering import foresight, rules
from tests.benchmarks.ordering.driving import Driving, Rule, Told
from tests.benchmarks.ordering.ours import Ours
from tests.benchmarks.ordering.scenarios import BY_NAME, Scenario
from tests.benchmarks.ordering.world import World

OURS: Final = "ours"
CHOICE: Final = "clairvoyant choice"
CLAIRVOYANT: Final = "clairvoyant, hedging"
FIXED: Final = "fixed order, failover"
NAIVE: Final = "fixed, naive client"
#: The rules of others, as they come.
PEERS: Final[dict[str, Callable[[World, random.Random], Rule]]] = {
    FIXED: rules.Fixed,
    "latency window": rules.LatencyWindow,
    "P2C, peak EWMA": rules.PeakEwma,
    "P2C, health and EWMA": rules.HealthEwma,
    "weighted random": rules.Weighted,
    "Thompson": rules.Thompson,
}
FORESIGHT: Final[dict[str, Callable[[World, random.Random], Rule]]] = {
    CHOICE: foresight.Clairvoyant,
    CLAIRVOYANT: foresight.HedgingClairvoyant,
}
RULES: Final = (OURS, *PEERS, NAIVE, *FORESIGHT)
#: Constants were chosen with seeds 1 to 8; the figures are from these.
FIRST_SEED: Final = 101


class Figures(NamedTuple):
    """Of one rule in one run. A call that is not answered in time counts as long as its caller waits."""

    success: float
    mean: float
    p95: float
    p99: float
    extra: float
    """Attempts beyond one for each call, as a share of all calls."""


class Interval(NamedTuple):
    """A mean over seeds, and half the width of its 95 % interval."""

    mean: float
    half: float


class Row(NamedTuple):
    """All runs of one scenario, by rule, in order of seeds."""

    scenario: str
    runs: dict[str, list[Figures]]
    reachable: list[float]
    """Of each seed: the share of calls that any provider would have answered in time, had it been asked at once."""

    def of(self, rule: str, figure: str) -> Interval:
        return interval([getattr(each, figure) for each in self.runs[rule]])

    def regret(self, rule: str) -> Interval:
        """By how much the mean is above that of the hedging clairvoyant, as a share; of the same calls."""
        return self.against(rule, CLAIRVOYANT, "mean")

    def against(self, rule: str, other: str, figure: str) -> Interval:
        pairs = zip(self.runs[rule], self.runs[other], strict=True)
        return interval([getattr(one, figure) / getattr(two, figure) - 1.0 for one, two in pairs])


def interval(values: Sequence[float]) -> Interval:
    """Student's, at 95 %."""
    if len(values) < 2:
        return Interval(fmean(values), math.inf)
    return Interval(fmean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values)))


def made(rule: str, scenario: Scenario, world: World, seed: int) -> Rule:
    draw = random.Random(seed)
    if rule == OURS:
        return Ours(world, draw, believed=scenario.believed)
    if rule == NAIVE:
        return rules.Naive(world, draw)
    return (PEERS.get(rule) or FORESIGHT[rule])(world, draw)


def run(name: str, seed: int) -> tuple[str, int, dict[str, Figures], float]:
    """All rules in one scenario with one seed; with the scenario's name, for whoever runs many at once."""
    scenario = BY_NAME[name]
    world = scenario.world(seed)
    found = {rule: figures(Driving(world, made(rule, scenario, world, seed)).run()) for rule in RULES}
    return name, seed, found, reachable(world)


def figures(told: Sequence[Told]) -> Figures:
    seconds = [each.seconds for each in told]
    return Figures(
        fmean(each.succeeded for each in told),
        fmean(seconds),
        percentile(seconds, 0.95),
        percentile(seconds, 0.99),
        fmean(each.attempts for each in told) - 1.0,
    )


def reachable(world: World) -> float:
    """What somebody could reach who knows how lucky each call will be, without asking anybody twice."""
    found = 0
    for arrival in world.arrivals:
        outcomes = (
            provider.ask(arrival.size, arrival.at, luck[0])
            for provider, luck in zip(world.providers, arrival.luck, strict=True)
        )
        found += any(not each.kind and each.seconds <= world.deadline_seconds for each in outcomes)
    return found / len(world.arrivals)
