"""Who may not be asked, for how long, and what a provider's limits are used for before it refuses."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_ordering.circuit import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STRIKES, Circuit
from sidecar_ordering.concurrency import LONGEST_QUEUE, Places, Turn
from sidecar_ordering.deadlines import patience_seconds, rescue_at, stall_seconds
from sidecar_ordering.gates import AUTH_SECONDS, QUOTA_SECONDS, RATE_SECONDS, Account, Accounts, Closed
from sidecar_ordering.hedging import Budget, delay_seconds, hedged_share
from sidecar_ordering.pacing import Pace

from sidecar.dialect import Limit, Resource
from sidecar.failure import Failure, Kind


def drawing() -> random.Random:
    return random.Random(1)


# -- circuits ----------------------------------------------------------------------------------------------------------


def test_two_failures_in_a_row_or_one_time_out_open_it() -> None:
    one, other = Circuit(drawing()), Circuit(drawing())
    assert not one.bad(0.0, 1.0)
    assert one.bad(1.0, 2.0)
    assert other.bad(0.0, 6.0, STRIKES)
    assert one.open_until == pytest.approx(2.0 + FIRST_PAUSE_SECONDS, abs=0.2 * FIRST_PAUSE_SECONDS)


def test_a_failure_now_and_then_does_not() -> None:
    circuit = Circuit(drawing())
    for call in range(100):
        circuit.bad(call, call + 0.1)
        circuit.good(call + 0.2, call + 0.3)
    assert circuit.open_until is None


def test_it_is_tried_after_longer_and_longer_pauses() -> None:
    circuit, now, pauses = Circuit(drawing()), 0.0, []
    circuit.bad(now, now, STRIKES)
    for _ in range(8):
        assert circuit.open_until is not None
        pauses.append(circuit.open_until - now)
        assert not circuit.may_try(circuit.open_until - 0.01)
        now = circuit.open_until
        assert circuit.may_try(now)
        circuit.tries(now)
        assert not circuit.may_try(now + 1.0), "one at a time"
        circuit.bad(now, now + 0.1)
        now += 0.1
    for pause, wanted in zip(pauses, (15.0, 30.0, 60.0, 120.0, 240.0, 240.0), strict=False):
        assert 0.79 * wanted <= pause <= 1.21 * min(wanted, LONGEST_PAUSE_SECONDS)


def test_what_was_sent_before_it_opened_neither_closes_it_nor_opens_it_for_longer() -> None:
    circuit = Circuit(drawing())
    circuit.bad(10.0, 11.0, STRIKES)
    until = circuit.open_until
    assert not circuit.good(9.0, 12.0)
    assert not circuit.bad(9.0, 12.0)
    assert circuit.open_until == until
    assert circuit.good(12.0, 13.0)
    assert circuit.open_until is None


def test_a_trial_that_told_nothing_may_be_made_again() -> None:
    circuit = Circuit(drawing())
    circuit.bad(0.0, 0.0, STRIKES)
    circuit.tries(100.0)
    circuit.forgets_trial()
    assert circuit.may_try(100.1)
    circuit.tries(101.0)
    assert circuit.may_try(200.0), "nor is one waited for, for ever"


# -- refusals ----------------------------------------------------------------------------------------------------------


def account() -> tuple[Account, list[Closed]]:
    told: list[Closed] = []
    return Account(drawing(), told.append), told


@pytest.mark.parametrize(
    ("kind", "least", "most"), [(Kind.RATE, *RATE_SECONDS), (Kind.QUOTA, *QUOTA_SECONDS), (Kind.AUTH, *AUTH_SECONDS)]
)
def test_without_a_word_of_when_to_come_again_pauses_double(kind: Kind, least: float, most: float) -> None:
    held, _ = account()
    meter, now, pauses = held.meter("m"), 0.0, []
    for _ in range(12):
        held.refused(Failure(kind=kind), meter, now)
        held.refused(Failure(kind=kind), meter, now)  # those that were under way say nothing new
        closed = held.closed(now) or meter.closed(now)
        assert closed is not None
        pauses.append(closed.until - now)
        now = closed.until
    assert pauses[0] == pytest.approx(least, rel=0.11)
    assert pauses[1] == pytest.approx(2.0 * least, rel=0.11)
    assert pauses[-1] == pytest.approx(most, rel=0.11)
    held.answered(meter)
    held.refused(Failure(kind=kind), meter, now)
    closed = held.closed(now) or meter.closed(now)
    assert closed is not None
    assert closed.until - now == pytest.approx(least, rel=0.11)


@pytest.mark.parametrize("kind", [Kind.RATE, Kind.QUOTA, Kind.AUTH, Kind.OVERLOADED, Kind.SERVER])
def test_what_the_provider_says_is_kept_to(kind: Kind) -> None:
    held, _ = account()
    meter = held.meter("m")
    held.refused(Failure(kind=kind, retry_after_seconds=37.0), meter, 100.0)
    for now, open_again in ((136.9, False), (137.1, True)):
        assert ((held.closed(now) or meter.closed(now)) is None) is open_again


@pytest.mark.parametrize(
    "kind", [Kind.SERVER, Kind.TIMEOUT, Kind.NETWORK, Kind.INVALID, Kind.UNSUPPORTED, Kind.REFUSED]
)
def test_other_failures_close_nothing(kind: Kind) -> None:
    held, told = account()
    meter = held.meter("m")
    held.refused(Failure(kind=kind), meter, 0.0)
    assert (held.closed(0.0), meter.closed(0.0), told) == (None, None, [])


def test_limits_of_the_rate_are_by_model_and_quotas_by_account() -> None:
    held, told = account()
    one, other = held.meter("one"), held.meter("other")
    held.refused(Failure(kind=Kind.RATE), one, 0.0)
    assert one.closed(1.0) is not None
    assert other.closed(1.0) is None
    assert told == []
    held.refused(Failure(kind=Kind.QUOTA), one, 0.0)
    assert held.closed(1.0) is not None
    assert [closed.kind for closed in told] == ["quota"]
    assert "quota" in told[0].reason(1.0)


def test_other_pods_are_told_of_limits_but_not_of_credentials() -> None:
    one, other = Accounts(drawing()), Accounts(drawing())
    for accounts in (one, other):
        accounts.of("x").meter("m")
    for kind in (Kind.RATE, Kind.AUTH, Kind.QUOTA):
        failure = Failure(kind=kind, retry_after_seconds=100.0)
        one.of("x").refused(failure, one.of("x").meter("m"), 0.0)
    other.absorb(one.kept(10.0), 20.0, 5000.0)
    quota, rate = other.of("x").closed(5000.0), other.of("x").meter("m").closed(5000.0)
    assert quota is not None
    assert rate is not None
    assert (rate.kind, rate.until, quota.until) == ("rate", pytest.approx(5070.0), pytest.approx(5070.0))
    other.absorb({"unknown": one.kept(10.0)["x"]}, 0.0, 5000.0)
    assert dict(other).keys() == {"x"}


def test_models_that_agents_make_up_are_forgotten() -> None:
    held, _ = account()
    for number in range(2000):
        held.meter(f"model {number}")
    assert len(held._meters) <= 256


# -- pacing ------------------------------------------------------------------------------------------------------------


def test_while_there_is_enough_nothing_is_held_back() -> None:
    pace = Pace()
    for call in range(20):
        now = 2.0 * call
        assert pace.opens_at(now) <= now
        pace.sent(now)
        pace.told(100.0 - call, 60.0, now + 0.5)


def test_what_is_left_is_spread_until_there_is_more() -> None:
    pace, now, sent = Pace(), 0.0, []
    while now < 60.0:
        if pace.opens_at(now) <= now:
            pace.sent(now)
            sent.append(now)
            pace.told(20.0 - len(sent), 60.0, now + 0.1)
        now += 0.5
    assert 15 <= len(sent) <= 20, "it is never refused, nor is much wasted"
    assert sent[-1] > 45.0
    assert pace.opens_at(60.0) <= 60.0


def test_with_nothing_left_nothing_is_sent_until_there_is_more() -> None:
    pace = Pace()
    pace.sent(0.0)
    pace.told(0.0, 30.0, 0.5)
    assert pace.opens_at(1.0) == 30.0
    assert not pace.spares(1.0)


def test_what_others_use_beside_is_reckoned_with() -> None:
    pace, left = Pace(), 1000.0
    for call in range(10):
        pace.sent(float(call))
        left -= 90.0  # tokens, and other pods
        pace.told(left, 120.0, call + 0.5)
    assert pace.opens_at(10.0) > 10.0, "enough for one call more, not for a hundred"


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 1e4), st.floats(-10.0, 1e5), st.floats(0.0, 100.0)), max_size=50)
)
def test_it_always_opens_again(told: list[tuple[bool, float, float, float]]) -> None:
    pace, now, latest = Pace(), 0.0, -math.inf
    for sends, left, resets, later in told:
        now += later
        if sends:
            pace.sent(now)
        else:
            pace.told(left, now + resets, now)
            latest = now + resets
        assert pace.opens_at(now) <= max(latest, now)


# -- places ------------------------------------------------------------------------------------------------------------


def test_there_are_as_many_places_as_were_not_refused() -> None:
    places = Places()
    for _ in range(5):
        places.take()
    assert places.free()
    places.refused(0.0)
    places.leave(1.0, 0.1)
    assert (places.most, places.free()) == (4.0, False)
    places.refused(0.2)
    assert places.most == 3.0
    places.refused(0.3)
    assert places.most == 3.0, "that one was sent before the limit was known"


def test_after_a_while_with_all_of_them_taken_one_more_is_tried() -> None:
    places = Places()
    places.told(2.0, 0.0, 0.0)
    for call in range(100):
        places.take()
        places.take()
        places.leave(1.0, 2.0 * call)
        places.leave(1.0, 2.0 * call)
    assert 3.0 <= places.most <= 6.0


def test_what_others_have_is_not_ours() -> None:
    places = Places()
    places.told(10.0, 7.0, 0.0)
    assert places.most == 3.0
    places.told(10.0, 12.0, 0.0)
    assert places.most == 1.0


def test_limits_that_answers_tell_are_taken_in() -> None:
    held, _ = account()
    held.told(Limit(what=Resource.CONCURRENCY, limit=5, remaining=2), held.meter("m"), 0.0)
    assert held.places.most == 2.0
    held.told(Limit(what=Resource.CONCURRENCY), held.meter("m"), 0.0)
    assert held.places.most == 2.0
    held.told(Limit(what=Resource.REQUESTS, limit=60, remaining=0, resets_in_seconds=9.0), held.meter("m"), 0.0)
    closed = held.meter("m").closed(1.0)
    assert closed is not None
    assert (closed.until, closed.firm) == (9.0, True)


def test_who_waits_longest_is_next_and_who_left_is_not() -> None:
    places, woken = Places(), []
    places.told(1.0, 0.0, 0.0)
    places.take()
    turns = [Turn(lambda number=number: woken.append(number)) for number in range(3)]  # type: ignore[misc]
    for turn in turns:
        turn.join(places, 10.0)
    assert places.waits_seconds() > 3.0
    turns[0].leave(1.0)
    places.leave(1.0, 1.0)
    assert woken == [1]
    assert not places.free(), "it is kept for who was woken"
    turns[1].leave(1.1)
    assert woken == [1, 2]
    assert turns[2].take() is places
    assert turns[2].take() is None
    places.leave(1.0, 2.0)
    assert (places.taken, places.free()) == (0, True)


def test_too_many_do_not_wait() -> None:
    places = Places()
    places.told(1.0, 0.0, 0.0)
    places.take()
    for _ in range(LONGEST_QUEUE):
        Turn(lambda: None).join(places, 10.0)
    assert places.waits_seconds() == math.inf


# -- budgets and times -------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["earn", "take", "charge"]), max_size=300))
def test_what_is_charged_is_not_there_to_be_taken(steps: list[str]) -> None:
    budget, earned, spent = Budget(0.1, 5.0), 0, 0.0
    for step in steps:
        if step == "earn":
            budget.earn()
            earned += 1
        elif step == "take":
            spent += budget.take()
        else:
            spent += min(1.0, budget.tokens)
            budget.charge(1.0)
        assert spent <= 5.0 + 0.1 * earned + 1e-6
        assert 0.0 <= budget.fullness <= 1.0


def test_a_full_bucket_is_spent_more_freely() -> None:
    shares = [hedged_share(0.95, fullness) for fullness in (0.0, 0.5, 1.0)]
    assert shares == sorted(shares, reverse=True)
    assert 0.93 < shares[-1] < 0.95 < shares[0] < 0.99


@pytest.mark.parametrize(("usual", "slower", "wanted"), [(0.9, 3.0, 1.5), (0.1, 3.0, 4.5), (0.1, 0.5, 1.5)])
def test_where_everybody_is_slow_the_second_is_sent_later(usual: float, slower: float, wanted: float) -> None:
    assert delay_seconds(1.5, usual, slower) == wanted


@pytest.mark.parametrize(
    ("late", "usual", "left", "after", "wanted"),
    [
        (2.0, 1.0, 60.0, 1.0, 3.0),  # one and a half times what nearly all take
        (2.0, 1.0, 4.5, 1.0, 2.5),  # two usual times are kept for the next one
        (2.0, 1.0, 2.5, 1.0, 2.5),  # two do not fit
        (2.0, 1.0, 60.0, None, 60.0),  # there is no other
        (0.1, 0.05, 60.0, 1.0, 1.0),  # not hasty
    ],
)
def test_patience(late: float, usual: float, left: float, after: float | None, wanted: float) -> None:
    assert patience_seconds(late, usual, left, after) == pytest.approx(wanted)


def test_everybody_is_asked_three_usual_times_before_the_end() -> None:
    assert rescue_at(110.0, 100.0, 1.0) == 107.0
    assert rescue_at(102.0, 100.0, 1.0) == math.inf
    assert rescue_at(math.inf, 100.0, 1.0) == math.inf


@pytest.mark.parametrize(
    ("pause", "resumable", "wanted"),
    [(0.1, True, 1.0), (2.0, True, 3.0), (0.1, False, 10.0), (10.0, False, 15.0), (100.0, True, 30.0)],
)
def test_silence_that_is_a_stall(pause: float, resumable: bool, wanted: float) -> None:
    assert stall_seconds(pause, resumable=resumable) == pytest.approx(wanted)
