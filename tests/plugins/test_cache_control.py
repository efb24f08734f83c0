"""What the cache says that it saves is measured, and what is wrong too often is not answered."""

import math
import random

import pytest
from sidecar_cache.control import ENOUGH, OTHERS, WINDOW, Compared, Control, Kind, Moments, Saved, student

CHAT = Kind("chat", "gpt-4.1-mini")


def compared(seconds: float = 1.0, agrees: bool | None = None, cost: float | None = None) -> Compared:
    return Compared(seconds, 2 * seconds, cost, agrees)


def hit(control: Control, kind: Kind, seconds: float) -> None:
    tally = control.tally(kind)
    tally.hits += 1
    tally.answer_seconds += seconds


def answers(control: Control, kind: Kind) -> bool:
    return all(saved.answered for saved in control.saved() if (saved.operation, saved.model) == kind)


def only(control: Control) -> Saved:
    (saved,) = control.saved()
    return saved


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)]
)
def test_the_quantile_is_that_of_the_tables(degrees: int, quantile: float) -> None:
    assert student(degrees) == pytest.approx(quantile, rel=0.01)


def test_an_interval_is_that_of_the_textbook() -> None:
    moments = Moments()
    for value in (4.0, 5.0, 6.0, 7.0, 8.0):
        moments.add(value)
    assert moments.interval.mean == 6.0
    assert moments.interval.half_width == pytest.approx(2.776 * math.sqrt(2.5 / 5), rel=0.01)
    assert Moments().interval.half_width == math.inf


def test_nineteen_of_twenty_intervals_have_the_truth_in_them() -> None:
    chance = random.Random(7)
    within = 0
    for _ in range(1000):
        moments = Moments()
        for _ in range(12):
            moments.add(chance.gauss(2.0, 0.5))
        within += abs(moments.interval.mean - 2.0) <= moments.interval.half_width
    assert 925 <= within <= 975


def test_a_hit_saves_what_a_call_of_its_kind_takes_but_for_its_own_time() -> None:
    control = Control(0.1, {})
    for _ in range(10):
        hit(control, CHAT, 0.001)
    for seconds in (0.9, 1.0, 1.1):
        control.compared(CHAT, compared(seconds, cost=0.01))
    saved = only(control)
    assert (saved.hits, saved.control_calls, saved.compared, saved.agreement) == (10, 3, 0, None)
    assert saved.waited_seconds.mean == pytest.approx(9.99)
    assert saved.took_seconds.mean == pytest.approx(19.99)
    assert saved.waited_seconds.half_width == pytest.approx(10 * 4.303 * 0.1 / math.sqrt(3), rel=0.01)
    assert saved.cost is not None
    assert saved.cost.mean == pytest.approx(0.1)


def test_nothing_is_claimed_without_control_calls() -> None:
    control = Control(0.0, {})
    hit(control, CHAT, 0.001)
    assert only(control).waited_seconds.half_width == math.inf
    assert only(control).cost is None
    assert not any(control.draws() for _ in range(100))


def test_the_share_of_control_calls_is_what_was_asked_for() -> None:
    control = Control(0.1, {})
    assert 800 < sum(control.draws() for _ in range(10_000)) < 1200


def test_what_disagrees_too_often_is_switched_off_once() -> None:
    control = Control(0.1, {"chat": 0.98})
    told = [control.compared(CHAT, compared(agrees=number % 10 != 0)) for number in range(ENOUGH + 5)]
    assert told.count(True) == 1
    assert told.index(True) == ENOUGH - 1, "there must be enough to say so"
    assert not answers(control, CHAT)
    assert answers(control, Kind("chat", "another")), "other kinds are"
    assert not only(control).answered
    for _ in range(WINDOW):
        control.compared(CHAT, compared(agrees=True))
    assert not answers(control, CHAT), "it comes back when somebody says so"
    assert control.switch_on() == 1
    assert answers(control, CHAT)
    assert only(control).agreement is None


@pytest.mark.parametrize(("floor", "wrong", "answered"), [(0.0, ENOUGH, True), (0.9, 2, True), (0.9, 4, False)])
def test_a_floor_is_what_it_says(floor: float, wrong: int, answered: bool) -> None:
    control = Control(0.1, {"chat": floor})
    for number in range(ENOUGH):
        control.compared(CHAT, compared(agrees=number >= wrong))
    assert answers(control, CHAT) is answered


def test_what_cannot_be_compared_switches_nothing_off() -> None:
    control = Control(0.1, {"chat": 1.0})
    for _ in range(WINDOW):
        assert not control.compared(CHAT, compared())
    assert answers(control, CHAT)


def test_kinds_are_bounded() -> None:
    control = Control(0.1, {})
    for number in range(1000):
        hit(control, Kind("chat", f"model-{number}"), 0.0)
    saved = list(control.saved())
    assert len(saved) == 65
    assert (saved[-1].operation, saved[-1].hits) == (OTHERS.operation, 1000 - 64)
