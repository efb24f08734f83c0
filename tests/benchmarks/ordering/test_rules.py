"""The decisions that serve are better than the rules of the peers, in small versions of what happens to providers."""

from statistics import fmean

import pytest
from msgspec.structs import replace

from tests.benchmarks.ordering.cost import microseconds
from tests.benchmarks.ordering.driving import Driving, Told
from tests.benchmarks.ordering.measuring import CLAIRVOYANT, OURS, PEERS, RULES, figures, interval, made, run
from tests.benchmarks.ordering.scenarios import BY_NAME, THREE, TROUBLE, Scenario, of_the_best, quiet
from tests.benchmarks.ordering.turning import CALLS, shares, turned
from tests.benchmarks.ordering.world import Nature

LIMITED = Scenario(
    name="20 calls a minute each, 30 come",
    episodes=quiet,
    natures=tuple(replace(each, per_minute=20) for each in THREE),
    per_minute=30.0,
    calls=600,
)
PLACES = replace(LIMITED, natures=(replace(THREE[0], places=2), *THREE[1:]), per_minute=60.0)
SLOW = Scenario(name="slow", episodes=of_the_best(1800.0, (600.0, 1200.0), factor=3.0), per_minute=5.0, calls=600)
TROUBLED = replace(BY_NAME[TROUBLE], calls=800, per_minute=10.0)


def played(rule: str, scenario: Scenario, seed: int) -> tuple[Driving, list[Told]]:
    world = scenario.world(seed)
    driving = Driving(world, made(rule, scenario, world, seed))
    return driving, driving.run()


@pytest.mark.parametrize("scenario", [SLOW, TROUBLED], ids=["slow", "troubled"])
def test_the_wait_is_shorter_than_by_any_rule_of_the_peers(scenario: Scenario) -> None:
    means = {rule: figures(played(rule, scenario, 5)[1]).mean for rule in (OURS, CLAIRVOYANT, *PEERS)}
    assert means[OURS] < min(means[peer] for peer in PEERS)
    assert means[OURS] < 1.1 * means[CLAIRVOYANT]


@pytest.mark.parametrize("scenario", [LIMITED, PLACES], ids=["rate", "places"])
def test_limits_are_kept_to_before_they_are_met(scenario: Scenario) -> None:
    ours, told = played(OURS, scenario, 5)
    fixed, _ = played("fixed order, failover", scenario, 5)
    assert ours.refused < 0.15 * fixed.refused
    assert all(each.succeeded for each in told)


def test_what_is_hedged_keeps_to_the_budget() -> None:
    _, told = played(OURS, Scenario(name="", episodes=quiet, calls=1000), 6)
    extra = sum(each.attempts - 1 for each in told)
    assert extra <= 8.0 + 0.05 * len(told) + 0.02 * len(told), (
        "the floor, the share, and the few that fail or are tried"
    )


def test_one_that_is_dead_from_the_beginning_is_hardly_asked() -> None:
    dead = replace(THREE[0], errors=1.0)
    scenario = Scenario(name="", episodes=quiet, natures=(dead, *THREE[1:]), calls=600)
    _, told = played(OURS, scenario, 7)
    assert fmean(each.first == 0 for each in told[50:]) < 0.06
    assert fmean(each.seconds for each in told) < 1.5


def test_one_that_turns_slow_is_left() -> None:
    runs = [found for seed in range(201, 207) if (found := turned(seed, 3.0, 5.0)) is not None]
    assert len(runs) >= 4
    assert shares(runs)[3] >= 0.75
    assert all(len(each.elsewhere) == CALLS for each in runs)


def test_the_same_seed_is_the_same_world_for_all_and_every_call_ends() -> None:
    one, other = (figures(played(OURS, TROUBLED, 3)[1]) for _ in range(2))
    assert one == other
    for rule in RULES:
        _, told = played(rule, replace(TROUBLED, calls=200), 3)
        assert len(told) == 200
        assert all(0.0 < each.seconds <= TROUBLED.deadline_seconds for each in told)


def test_a_row_has_all_rules() -> None:
    BY_NAME["small"] = replace(TROUBLED, name="small", calls=60)  # type: ignore[index]
    try:
        _, seed, found, reachable = run("small", 9)
    finally:
        del BY_NAME["small"]  # type: ignore[attr-defined]
    assert (seed, set(found)) == (9, set(RULES))
    assert 0.9 < reachable <= 1.0
    assert interval([1.0, 1.0, 1.0]) == (1.0, 0.0)


def test_ranking_is_cheap() -> None:
    least, _ = microseconds(5)
    assert least < 200.0, "50 µs are to be reached (python -m tests.benchmarks.ordering); this machine may be busy"


def test_a_provider_is_as_its_nature_says() -> None:
    world = Scenario(name="", episodes=quiet, natures=(Nature(name="a", seconds=2.0, drift=0.0),), calls=2000).world(1)
    provider = world.providers[0]
    seconds = [provider.ask(1.0, each.at, each.luck[0][0]).seconds for each in world.arrivals]
    assert fmean(seconds) == pytest.approx(provider.mean(1.0, 0.0), rel=0.05)
