"""What is known of a candidate: soon sensible, quick to notice, forgetting, the same in whatever order it is told."""

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_ordering.candidates import Awaited, Candidate, Prior
from sidecar_ordering.quantiles import BUCKETS, Histogram
from sidecar_ordering.regime import STATES, USUALLY, Regime
from sidecar_ordering.sharing import Snapshot, decode, encode, is_sound
from sidecar_ordering.statistics import Prediction, Statistics

FIRST = Awaited.FIRST_BYTE


def statistics(seconds: float = 1.0, **more: Any) -> Statistics:
    prior = Prior(first_byte_seconds=seconds, end_seconds=2.0 * seconds, spread=0.3, **more)
    return Statistics(Candidate(name="a", provider="a", prior=prior), 0.0)


def seen(known: Statistics, times: list[float], at: float = 0.0, every: float = 12.0) -> float:
    """When the last of them was told."""
    for seconds in times:
        at += every
        known.answered(1.0, seconds, at)
    return at


def drawn(calls: int, median: float, spread: float = 0.3, seed: int = 1) -> list[float]:
    draw = random.Random(seed)
    return [median * math.exp(draw.gauss(0.0, spread)) for _ in range(calls)]


def predicted(known: Statistics, now: float, size: float = 1.0) -> Prediction:
    return known.predict(size, FIRST, now)


# -- times -------------------------------------------------------------------------------------------------------------


def test_before_anything_is_known_the_prior_is_believed() -> None:
    known = predicted(statistics(0.8), 0.0)
    assert known.usual_seconds == pytest.approx(0.8)
    assert known.failure == pytest.approx(0.3 / 20.3, rel=0.9)


@pytest.mark.parametrize("true", [0.5, 1.0, 1.8])
def test_after_three_calls_it_is_half_believed_and_after_thirty_no_longer(true: float) -> None:
    known = statistics(1.0)
    at = seen(known, [true] * 3)
    assert abs(math.log(predicted(known, at).usual_seconds / true)) < 0.7 * abs(math.log(true)) + 0.01
    at = seen(known, drawn(60, true), at)
    assert predicted(known, at).usual_seconds == pytest.approx(true, rel=0.15)


def test_a_straggler_changes_little() -> None:
    known = statistics()
    at = seen(known, [*drawn(30, 1.0), 6.0])
    assert predicted(known, at).usual_seconds == pytest.approx(1.0, rel=0.12)
    assert predicted(known, at).seconds < 1.5


@pytest.mark.parametrize("factor", [3.0, 5.0])
def test_two_slow_answers_in_a_row_are_not_stragglers(factor: float) -> None:
    known = statistics()
    at = seen(known, [*drawn(50, 1.0), factor, factor])
    assert predicted(known, at).usual < 0.5
    assert predicted(known, at).seconds > 1.7
    assert predicted(known, at).usual_seconds == pytest.approx(1.0, rel=0.15), "how it usually is is not forgotten"


def test_and_one_quick_answer_is_enough_to_trust_it_again() -> None:
    known = statistics()
    at = seen(known, [*drawn(50, 1.0), 3.0, 3.2, 2.8, 3.1])
    assert predicted(known, at).usual < 0.05
    at = seen(known, [0.95], at + 120.0)
    assert predicted(known, at).usual > 0.9


def test_without_calls_a_trouble_is_believed_to_pass() -> None:
    known = statistics()
    at = seen(known, [*drawn(50, 1.0), 3.0, 3.2, 2.8])
    slow = [predicted(known, at + later).seconds for later in (0.0, 120.0, 600.0, 7200.0)]
    assert slow == sorted(slow, reverse=True)
    assert slow[-1] == pytest.approx(statistics_at_rest(), rel=0.3)


def statistics_at_rest() -> float:
    return predicted(statistics(), 0.0).seconds


def test_what_has_changed_slowly_is_followed_and_what_was_long_ago_forgotten() -> None:
    known = statistics()
    at = seen(known, drawn(100, 1.0))
    before = predicted(known, at).seconds
    at = seen(known, drawn(150, 1.35, seed=2), at)
    assert predicted(known, at).seconds == pytest.approx(1.35 * before, rel=0.1)
    later = [predicted(known, at + hours * 3600.0).seconds for hours in (1, 3, 12, 48)]
    assert later == sorted(later, reverse=True), "towards the prior"
    assert later[-1] == pytest.approx(statistics_at_rest(), rel=0.1)


def test_one_that_was_cancelled_while_it_waited_is_known_to_take_longer() -> None:
    """Otherwise a slow one looks fast for ever, since each slow call is saved by another."""
    known, deaf = statistics(), statistics()
    at = seen(known, drawn(30, 1.0))
    seen(deaf, drawn(30, 1.0))
    for _ in range(3):
        at += 12.0
        known.let_go(1.0, 2.7, at)
    assert predicted(known, at).seconds > 1.5 * predicted(deaf, at).seconds


def test_one_that_was_cancelled_at_once_tells_nothing() -> None:
    known = statistics()
    at = seen(known, drawn(30, 1.0))
    before = predicted(known, at)
    for _ in range(50):
        known.let_go(1.0, 0.05, at)
    assert predicted(known, at).usual_seconds == pytest.approx(before.usual_seconds, rel=0.01)
    assert predicted(known, at).seconds == pytest.approx(before.seconds, rel=0.05)


def test_to_be_told_of_a_wait_twice_is_to_be_told_of_it_once() -> None:
    once, twice = statistics(), statistics()
    for known in (once, twice):
        seen(known, drawn(20, 1.0))
    once.late(1.0, 3.0, 300.0)
    twice.late(1.0, 1.8, 300.0)
    twice.late(1.0, 3.0, 300.0, waited_seconds=1.8)
    assert predicted(twice, 300.0).usual == pytest.approx(predicted(once, 300.0).usual, rel=0.01)


def test_how_times_grow_with_the_size_is_learned() -> None:
    draw, known = random.Random(4), statistics(1.0, typical_size=10.0, size_share=0.2)
    for call in range(150):
        size = draw.uniform(1.0, 60.0)
        known.answered(size, (0.3 + 0.07 * size) * math.exp(draw.gauss(0.0, 0.2)), 10.0 * call)
    for size in (2.0, 10.0, 50.0):
        assert predicted(known, 1500.0, size).usual_seconds == pytest.approx(0.3 + 0.07 * size, rel=0.3)


def test_what_is_waited_for_is_what_is_predicted() -> None:
    known = statistics()
    for call in range(40):
        known.answered(1.0, 0.5, 10.0 * call)
        known.ended(1.0, 4.0, 10.0 * call)
    assert known.predict(1.0, Awaited.FIRST_BYTE, 400.0).usual_seconds == pytest.approx(0.5, rel=0.15)
    assert known.predict(1.0, Awaited.END, 400.0).usual_seconds == pytest.approx(4.0, rel=0.15)


# -- failures ----------------------------------------------------------------------------------------------------------


def test_failures_in_a_row_are_a_state_and_now_and_then_a_share() -> None:
    row, sparse = statistics(), statistics()
    at = 0.0
    for call in range(60):
        at += 10.0
        row.answered(1.0, 1.0, at)
        if call % 10 == 9:
            sparse.failed(0.2, at)
        else:
            sparse.answered(1.0, 1.0, at)
    for _ in range(3):
        row.failed(0.2, at)
    assert predicted(row, at).failure > 0.6
    assert 0.03 < predicted(sparse, at).failure < 0.4
    for _ in range(12):
        row.answered(1.0, 1.0, at)
    assert predicted(row, at).failure < 0.05, "the burst is not held against it"
    assert predicted(sparse, at).failing_seconds == pytest.approx(0.2, rel=0.3)


# -- quantiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95])
def test_quantiles_are_those_of_what_was_seen(share: float) -> None:
    histogram, draw = Histogram(), random.Random(3)
    values = [draw.gauss(0.2, 0.4) for _ in range(4000)]
    for value in values:
        histogram.add(value)
    wanted = sorted(values[-300:])[int(share * 300)]
    assert histogram.quantile(share, 0.3, 10.0) == pytest.approx(wanted, abs=0.15)


def test_without_any_they_are_the_priors() -> None:
    assert Histogram().quantile(0.95, 0.3, 10.0) == pytest.approx(1.645 * 0.3, abs=0.03)


def test_what_was_not_waited_for_is_above_where_it_ended() -> None:
    known, deaf = Histogram(), Histogram()
    for histogram in (known, deaf):
        for _ in range(50):
            histogram.add(0.0)
    for _ in range(5):
        known.add_at_least(1.0, 0.3)
    assert known.quantile(0.95, 0.3, 10.0) > 1.0 > deaf.quantile(0.95, 0.3, 10.0)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50), st.floats(0.01, 0.99))
def test_quantiles_rise_with_the_share_whatever_was_seen(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
        histogram.add_at_least(value, 0.3)
    low, high = histogram.quantile(share * 0.9, 0.3, 1.0), histogram.quantile(share, 0.3, 1.0)
    assert low <= high
    assert sum(histogram.counts()) >= 0.0
    assert len(histogram.counts()) == BUCKETS


# -- whatever is told --------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["answered", "ended", "late", "let_go", "failed", "paused"]),
        st.floats(0.0, 1e6),
        st.floats(0.0, 1e5),
        st.floats(0.0, 1e7),
    ),
    max_size=40,
)


def lived(events: list[tuple[str, float, float, float]]) -> tuple[Statistics, float]:
    known, now = statistics(1.0, size_share=0.5), 0.0
    for what, seconds, later, size in events:
        now += later
        if what == "failed":
            known.failed(seconds, now)
        elif what == "paused":
            known.paused(seconds)
        else:
            getattr(known, what)(size, seconds, now)
    return known, now


@settings(deadline=None)
@given(EVENTS)
def test_predictions_are_numbers_whatever_happened(events: list[tuple[str, float, float, float]]) -> None:
    known, now = lived(events)
    for size in (0.0, 1.0, 1e7):
        for awaited in Awaited:
            told = known.predict(size, awaited, now + 1.0)
            assert all(math.isfinite(number) and number >= 0.0 for number in told)
            assert told.usual <= 1.0
            assert told.failure <= 1.0
            assert told.seconds > 0.0
    assert math.isfinite(known.gap_seconds(0.99))


@settings(deadline=None)
@given(EVENTS)
def test_what_is_kept_is_sound_and_bounded_and_says_the_same_after_it(
    events: list[tuple[str, float, float, float]],
) -> None:
    known, now = lived(events)
    kept = known.kept(now)
    assert is_sound(kept)
    assert len(msgspec.msgpack.encode(kept)) < 4096
    snapshot = decode(encode(Snapshot(1000.0, {"a": kept}, {})))
    assert snapshot is not None
    again = statistics(1.0, size_share=0.5)
    again.restore(snapshot.candidates["a"], now, now)
    assert predicted(again, now).usual_seconds == pytest.approx(predicted(known, now).usual_seconds, rel=1e-6)
    assert again.gap_seconds(0.9) == pytest.approx(known.gap_seconds(0.9), rel=1e-6)


@settings(deadline=None)
@given(EVENTS, EVENTS)
def test_what_others_have_seen_counts_the_same_in_whatever_order_and_however_often(
    one: list[tuple[str, float, float, float]], other: list[tuple[str, float, float, float]]
) -> None:
    (first, at), (second, then) = lived(one), lived(other)
    a, b = (first.kept(at), at), (second.kept(then), then)
    now = max(at, then)
    mine, theirs = statistics(1.0, size_share=0.5), statistics(1.0, size_share=0.5)
    mine.absorb([a, b], now)
    theirs.absorb([b, a], now)
    told = predicted(mine, now).usual_seconds
    assert told == pytest.approx(predicted(theirs, now).usual_seconds, rel=1e-6)
    mine.absorb([a, b], now)
    assert told == pytest.approx(predicted(mine, now).usual_seconds, rel=1e-9)


def test_a_pod_that_is_new_knows_what_the_others_know_and_adds_its_own() -> None:
    old, new = statistics(), statistics()
    at = seen(old, drawn(100, 2.0))
    new.absorb([(old.kept(at), at)], at)
    assert predicted(new, at).usual_seconds == pytest.approx(2.0, rel=0.1)
    assert new.kept(at).first.sums.calls == 0.0, "what others have seen is not passed on as its own"
    seen(new, drawn(10, 2.0), at)
    assert 8.0 < new.kept(at).first.sums.calls < 10.1


@pytest.mark.parametrize(
    "nonsense", [{"calls": math.nan}, {"recent_calls": -1.0}, {"logs": math.inf}, {"weight": 1e300}, {"squares": -0.1}]
)
def test_nonsense_is_not_taken_over(nonsense: dict[str, float]) -> None:
    kept = statistics().kept(0.0)
    kept.first.sums = msgspec.structs.replace(kept.first.sums, **nonsense)
    snapshot = decode(encode(Snapshot(0.0, {"a": kept}, {})))
    assert snapshot is not None
    assert snapshot.candidates == {}


# -- regimes -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["answered", "late", "failed"]), st.floats(-50.0, 50.0)), max_size=60))
def test_states_are_always_likelihoods(outcomes: list[tuple[str, float]]) -> None:
    regime, now = Regime(0.0), 0.0
    for what, ratio in outcomes:
        now += 5.0
        if what == "answered":
            regime.answered(ratio, 0.3, 0.01, now, None)
        elif what == "late":
            regime.late(ratio, 0.3, now)
        else:
            regime.failed(0.01, now)
        assert math.isclose(sum(regime._likely), 1.0, rel_tol=1e-9)
        assert min(regime._likely) > 0.0
    assert len(USUALLY) == STATES
    usual, factor, failing = regime.outlook(now + 1e9)
    assert usual == pytest.approx(USUALLY[0])
    assert failing == pytest.approx(USUALLY[-1])
    assert 1.0 < factor < 1.3
