"""How many connections are to be there, by what the agent did last."""

import pytest

from sidecar.upstream.keeping import Keeping, Use, pause_seconds

NOW = 10_000.0
LATELY, LONG_AGO = NOW - 299.0, NOW - 301.0
FRESH, OLD = (NOW - 1.0, False), (NOW - 111.0, False)
USED, WORN = (NOW - 1.0, True), (NOW - 111.0, True)


@pytest.mark.parametrize(
    ("keeping", "use", "at_work", "resting", "missing"),
    [
        # nothing is asked for
        (Keeping(), Use(called=LATELY, upgraded=LATELY, expected=LATELY), 0, [], 0),
        # keep_warm: always, at rest or at work
        (Keeping(keep_warm=3), Use(), 0, [], 3),
        (Keeping(keep_warm=3), Use(), 1, [FRESH], 1),
        (Keeping(keep_warm=3), Use(called=LONG_AGO), 2, [USED, USED], 0),
        # one of a provider in use, and what is about to have rested for too long is as good as gone
        (Keeping(keep_used=True), Use(), 0, [], 0),
        (Keeping(keep_used=True), Use(called=LATELY), 0, [], 1),
        (Keeping(keep_used=True), Use(called=LATELY), 1, [], 0),
        (Keeping(keep_used=True), Use(called=LATELY), 0, [USED], 0),
        (Keeping(keep_used=True), Use(called=LATELY), 0, [WORN, OLD], 1),
        (Keeping(keep_used=True), Use(called=LONG_AGO), 0, [], 0),
        (Keeping(keep_used=True), Use(expected=LATELY), 0, [], 1),
        (Keeping(keep_used=True, idle_seconds=600.0), Use(called=NOW - 599.0), 0, [], 1),
        # a spare one for the next WebSocket, beside those that calls have had
        (Keeping(spare_sockets=1), Use(called=LATELY), 0, [], 0),
        (Keeping(spare_sockets=1), Use(upgraded=LATELY), 0, [], 1),
        (Keeping(spare_sockets=1), Use(upgraded=LATELY), 5, [USED], 1),
        (Keeping(spare_sockets=1), Use(upgraded=LATELY), 5, [FRESH], 0),
        (Keeping(spare_sockets=1), Use(upgraded=LATELY), 0, [OLD], 1),
        (Keeping(spare_sockets=1), Use(upgraded=LONG_AGO), 0, [], 0),
        (Keeping(spare_sockets=2, keep_warm=1), Use(upgraded=LATELY), 0, [], 2),
        (Keeping(spare_sockets=1, keep_warm=2), Use(upgraded=LATELY), 0, [FRESH], 1),
        (Keeping(spare_sockets=0, keep_used=True), Use(upgraded=LATELY), 0, [], 0),
    ],
)
def test_what_is_missing(
    keeping: Keeping, use: Use, at_work: int, resting: list[tuple[float, bool]], missing: int
) -> None:
    assert keeping.missing(NOW, use, at_work=at_work, resting=resting) == missing


@pytest.mark.parametrize(("resting", "missing"), [([], 1), ([FRESH], 0), ([USED], 0), ([WORN], 1)])
def test_before_a_call_one_is_to_rest_however_many_are_at_work(resting: list[tuple[float, bool]], missing: int) -> None:
    assert Keeping().missing(NOW, Use(), at_work=7, resting=resting, soon=True) == missing


@pytest.mark.parametrize(("idle_seconds", "successor"), [(120.0, 110.0), (600.0, 590.0), (4.0, 3.0)])
def test_a_successor_is_opened_before_the_end(idle_seconds: float, successor: float) -> None:
    assert Keeping(idle_seconds=idle_seconds).successor_seconds == successor


def test_pauses_grow_and_have_an_end() -> None:
    assert [pause_seconds(each) for each in (0, 1, 2, 3, 7, 1000)] == [0.0, 1.0, 2.0, 4.0, 60.0, 60.0]
