"""What may be down is asked until it fails, then tried now and then, and used again once it answers."""

import pytest
from sidecar_cache.circuit import Circuit, Leave


class Story:
    """A circuit, its clock, and what it told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[str] = []
        self.circuit = Circuit(lambda: self.now, self.told.append)

    def fails(self, times: int = 1) -> None:
        for _ in range(times):
            self.circuit.bad("refused")


@pytest.fixture
def story() -> Story:
    return Story()


def test_three_failures_in_a_row_and_nothing_is_asked_any_more(story: Story) -> None:
    story.fails(2)
    assert story.circuit.leave() is Leave.ASK
    story.fails()
    assert story.circuit.leave() is Leave.REFRAIN
    assert story.circuit.is_open
    assert story.told == ["refused"]


def test_a_failure_now_and_then_changes_nothing(story: Story) -> None:
    for _ in range(100):
        story.fails()
        for _ in range(3):
            story.circuit.good()
    assert not story.circuit.is_open


def test_every_second_one_failing_for_long_is_too_much(story: Story) -> None:
    for _ in range(6):
        story.fails()
        story.circuit.good()
    assert story.circuit.is_open


def test_after_a_while_one_may_try_and_the_others_refrain(story: Story) -> None:
    story.fails(3)
    story.now += 1.3
    assert story.circuit.leave() is Leave.PROBE
    assert story.circuit.leave() is Leave.REFRAIN


def test_a_try_that_goes_well_ends_it_and_that_is_told_once(story: Story) -> None:
    story.fails(3)
    story.now += 1.3
    story.circuit.leave()
    story.circuit.good()
    assert story.circuit.leave() is Leave.ASK
    assert story.circuit.rests_seconds == 0.0
    assert story.told == ["refused", ""]


def test_tries_come_at_ever_longer_intervals_up_to_half_a_minute(story: Story) -> None:
    story.fails(3)
    rests = []
    for _ in range(9):
        rests.append(story.circuit.rests_seconds)
        story.now += rests[-1]
        assert story.circuit.leave() is Leave.PROBE
        story.fails()
    assert rests[0] < 1.3
    assert rests[3] > 6
    assert 23 < rests[-1] <= 36
    assert story.told == ["refused"]


def test_a_try_that_never_ends_does_not_stop_further_ones(story: Story) -> None:
    story.fails(3)
    story.now += 2
    assert story.circuit.leave() is Leave.PROBE
    story.now += 31
    assert story.circuit.leave() is Leave.PROBE


def test_late_answers_from_before_do_not_count_as_a_try(story: Story) -> None:
    story.fails(3)
    story.circuit.good()
    story.fails(5)
    assert story.circuit.is_open
    assert story.circuit.rests_seconds < 1.3


def test_what_fails_again_right_away_is_left_alone_for_longer_and_what_held_for_long_is_not(story: Story) -> None:
    def down() -> float:
        story.fails(3)
        rest = story.circuit.rests_seconds
        story.now += rest
        story.circuit.leave()
        story.circuit.good()
        return rest

    assert down() < 1.3
    assert down() > 1.5
    story.now += 61
    assert down() < 1.3
