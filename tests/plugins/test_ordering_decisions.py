"""What the plugin decides, in simulated worlds and by invariants; the same `Balancer` and `Course` that serve."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_ordering.balancer import Balancer
from sidecar_ordering.candidates import Asked, Candidate, Prior
from sidecar_ordering.gates import Accounts
from sidecar_ordering.hedging import Budget, HedgePolicy
from sidecar_ordering.score import Mode, Policy, worth
from sidecar_ordering.sharing import Snapshot, decode, encode, merged

from sidecar.failure import Failure, Kind
from tests.benchmarks.ordering import ours, rules
from tests.benchmarks.ordering.driving import Told, drive
from tests.benchmarks.ordering.scenarios import SCENARIOS, THREE, Scenario, quiet
from tests.benchmarks.ordering.world import Episode, World


def balancer(*candidates: Candidate, policy: Policy | None = None, hedging: HedgePolicy | None = None) -> Balancer:
    draw = random.Random(1)
    return Balancer("stt", candidates, policy or Policy(), hedging or HedgePolicy(), Accounts(draw), draw, 0.0)


def candidate(name: str, seconds: float = 1.0, **more: Any) -> Candidate:
    prior = Prior(first_byte_seconds=seconds, end_seconds=seconds)
    return Candidate(name=name, provider=name, prior=prior, **more)


def names(places: Sequence[Any]) -> list[str]:
    return [place.candidate.name for place in places]


def lived(held: Balancer, at: float, calls: int = 1, *, failing: str = "", **seconds: float) -> None:
    """So many calls, ten seconds apart; *seconds* that each candidate takes, and who fails."""
    for _ in range(calls):
        now = at
        course = held.course(Asked(deadline=at + 60.0), lambda: None)
        step = course.begin(now)
        while step.send and not step.over:
            send = step.send[0]
            now += seconds[send.candidate.name]
            if send.candidate.name == failing:
                step = course.failed(send.number, Failure(kind=Kind.SERVER), now)
            else:
                course.answered(send.number, now)
                course.ended(now)
                break
        else:
            course.left(now)
        at += 10.0


# -- whom to ask first -------------------------------------------------------------------------------------------------


def test_priors_are_believed_until_something_is_known() -> None:
    held = balancer(candidate("slow", 2.0), candidate("fast", 0.5))
    assert names(held.rank(Asked(), 0.0).order) == ["fast", "slow"]


def test_one_that_turns_out_slow_is_left() -> None:
    held = balancer(candidate("a", 1.0), candidate("b", 1.2))
    lived(held, 0.0, 4, a=3.0, b=1.2)
    assert names(held.rank(Asked(), 40.0).order)[0] == "b"


def test_one_that_fails_twice_in_a_row_is_a_last_resort_and_never_gone() -> None:
    held = balancer(candidate("a", 1.0), candidate("b", 1.5))
    lived(held, 0.0, 2, failing="a", a=0.1, b=1.5)
    ranking = held.rank(Asked(), 13.0)
    assert names(ranking.order)[0] == "b"
    assert "a" in names(ranking.resorts) + names(ranking.order)


def test_modes() -> None:
    three = (
        candidate("a", 1.0, price=3.0, priority=1),
        candidate("b", 1.1, price=1.0, priority=2),
        candidate("c", 9.0, price=0.1, priority=0),
    )

    def first(mode: Mode, **more: Any) -> str:
        return names(balancer(*three, policy=Policy(mode=mode, **more)).rank(Asked(), 0.0).order)[0]

    assert first(Mode.FASTEST) == "a"
    assert first(Mode.CHEAPEST_WITHIN, within=0.5) == "b"
    assert first(Mode.PRIORITY) == "c"
    assert first(Mode.FASTEST, max_price=2.0) == "b"


def test_a_conversation_stays_with_whom_it_began() -> None:
    held = balancer(candidate("a", 1.0), candidate("b", 1.0), policy=Policy(mode=Mode.STICKY))
    held.settle(Asked(conversation="x"), "b")
    assert names(held.rank(Asked(conversation="x"), 0.0).order)[0] == "b"


@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.01, 100.0))
def test_values_fall_with_time_and_price_and_rise_with_chance(
    one: float, other: float, chance: float, better: float, price: float
) -> None:
    policy, named = Policy(price_weight=0.5), candidate("a", price=price)
    low, high = sorted((one, other))
    assert worth(named, low, chance, policy, 1.0).value >= worth(named, high, chance, policy, 1.0).value
    less, more = sorted((chance, better))
    assert worth(named, one, more, policy, 1.0).value >= worth(named, one, less, policy, 1.0).value
    dearer = candidate("b", price=price * 2.0)
    assert worth(named, one, chance, policy, 1.0).value >= worth(dearer, one, chance, policy, 1.0).value


@given(st.lists(st.sampled_from(["earn", "take"]), max_size=300), st.floats(0.0, 1.0), st.floats(0.0, 10.0))
def test_a_budget_is_never_exceeded(steps: list[str], share: float, floor: float) -> None:
    budget, earned, taken = Budget(share, floor), 0, 0
    for step in steps:
        if step == "earn":
            budget.earn()
            earned += 1
        else:
            taken += budget.take()
        assert taken <= floor + share * earned + 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_somebody_is_always_asked_while_anybody_may_be(seed: int) -> None:
    draw = random.Random(seed)
    held = balancer(candidate("a"), candidate("b"), candidate("c"))
    at = 0.0
    for _ in range(30):
        took = {name: draw.uniform(0.1, 5.0) for name in "abc"}
        lived(held, at, failing=draw.choice(["", "a", "b", "c"]), **took)
        at += draw.uniform(1.0, 60.0)
        ranking = held.rank(Asked(), at)
        assert ranking.order or ranking.resorts


# -- kept and shared ---------------------------------------------------------------------------------------------------


def test_what_was_learned_can_be_kept() -> None:
    held = balancer(candidate("a", 1.0))
    lived(held, 0.0, 30, a=4.0)
    kept = decode(encode(held.snapshot(300.0, 1_000_300.0)))
    assert kept is not None
    new = balancer(candidate("a", 1.0), candidate("b", 1.2))
    assert names(new.rank(Asked(), 0.0).order)[0] == "a"
    new.restore(kept, 0.0, 1_000_301.0)
    assert names(new.rank(Asked(), 0.0).order)[0] == "b"


@given(st.binary(max_size=200))
def test_garbage_is_no_snapshot(data: bytes) -> None:
    assert decode(data) is None or isinstance(decode(data), Snapshot)


def test_of_each_pod_the_newest_counts_in_whatever_order() -> None:
    def seen(taken: float) -> Snapshot:
        return Snapshot(taken, {}, {})

    one, other = {"x": seen(1.0), "y": seen(5.0)}, {"x": seen(2.0), "y": seen(4.0)}
    assert merged(one, other) == merged(other, one) == {"x": seen(2.0), "y": seen(5.0)}
    assert merged(one, one) == one


# -- in simulated worlds -----------------------------------------------------------------------------------------------


def lives(world: World, seed: int) -> list[Told]:
    return drive(world, ours.Ours(world, random.Random(seed)))


def test_nearly_all_calls_succeed_where_each_provider_alone_does_not() -> None:
    scenario = next(each for each in SCENARIOS if "88-92" in each.name)
    world = scenario.world(7)
    told, fixed = lives(world, 7), drive(world, rules.Fixed(world, random.Random(7)))
    success = sum(each.succeeded for each in told) / len(told)
    assert success >= 0.999
    assert success > sum(each.succeeded for each in fixed) / len(fixed)
    assert sum(each.attempts for each in told) / len(told) - 1.0 <= 0.08 + 0.01


SLOW_FROM, SLOW_UNTIL = 3600.0, 5400.0


@pytest.mark.parametrize("seeds", [range(20)])
def test_one_that_turns_slow_is_left_within_three_calls_and_taken_again(seeds: range) -> None:
    left = again = slow_runs = 0
    for seed in seeds:

        def slow(draw: random.Random, number: int, lasts: float) -> list[Episode]:
            return [Episode(SLOW_FROM, SLOW_UNTIL, factor=3.0)] if number == 0 else []

        scenario = Scenario(name="slow", episodes=slow, natures=THREE, per_minute=5.0, calls=600)
        told = lives(scenario.world(seed), seed)
        before = [each for each in told if SLOW_FROM - 600.0 < each.at < SLOW_FROM]
        if sum(each.first == 0 for each in before) < 0.5 * len(before):
            continue  # another one was as good in this world
        slow_runs += 1
        during = [each for each in told if SLOW_FROM <= each.at < SLOW_UNTIL]
        first = next(number for number, each in enumerate(during) if each.first == 0)
        after = during[first + 3 : first + 13]
        left += sum(each.first != 0 for each in after) >= 0.75 * len(after)
        recovered = [each for each in told if SLOW_UNTIL <= each.at < SLOW_UNTIL + 300.0]
        again += any(each.answered_by == 0 for each in recovered)
    assert slow_runs >= 10
    assert left >= 0.75 * slow_runs
    assert again >= 0.75 * slow_runs


def test_where_nothing_happens_few_calls_are_sent_twice() -> None:
    world = Scenario(name="quiet", episodes=quiet, calls=1000).world(3)
    told = lives(world, 3)
    assert all(each.succeeded for each in told)
    assert sum(each.attempts for each in told) / len(told) <= 1.08
