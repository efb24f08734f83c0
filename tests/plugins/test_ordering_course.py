"""The life of a call: whom it is sent to when, what is given up, and what never happens, whatever happens."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_ordering.balancer import Balancer
from sidecar_ordering.candidates import Asked, Candidate, Prior
from sidecar_ordering.course import MOST_ATTEMPTS, MOST_QUEUED_SECONDS, Course, Step
from sidecar_ordering.gates import Accounts, Closed
from sidecar_ordering.hedging import HedgePolicy
from sidecar_ordering.score import Policy

from sidecar.dialect import Limit, Resource
from sidecar.failure import Failure, Kind

SERVER = Failure(kind=Kind.SERVER)


def candidate(name: str, seconds: float = 1.0, **more: Any) -> Candidate:
    prior = Prior(first_byte_seconds=seconds, end_seconds=seconds, spread=0.3)
    return Candidate(name=name, provider=name, prior=prior, **more)


class Story:
    """A balancer, a clock, and the steps of one call."""

    def __init__(
        self, *candidates: Candidate, policy: Policy | None = None, hedging: HedgePolicy | None = None
    ) -> None:
        self.now = 1000.0
        self.closed: list[tuple[str, Closed]] = []
        draw = random.Random(1)
        accounts = Accounts(draw, lambda provider, closed: self.closed.append((provider, closed)))
        offered = candidates or (candidate("a", 1.0), candidate("b", 1.2), candidate("c", 2.0))
        self.balancer = Balancer("stt", offered, policy or Policy(), hedging or HedgePolicy(), accounts, draw, self.now)
        self.roused = 0
        self.course: Course

    def asks(self, **asked: Any) -> Step:
        asked.setdefault("deadline", self.now + 8.0)
        self.course = self.balancer.course(Asked(**asked), self._rouse)
        return self.course.begin(self.now)

    def _rouse(self) -> None:
        self.roused += 1

    def wakes(self, step: Step) -> Step:
        """At the time that *step* says."""
        self.now = step.wake_at
        return self.course.woken(self.now)

    def answers(self, number: int, after: float) -> Step:
        self.now += after
        return self.course.answered(number, self.now)

    def fails(self, number: int, failure: Failure = SERVER, after: float = 0.1) -> Step:
        self.now += after
        return self.course.failed(number, failure, self.now)

    def taken(self) -> dict[str, int]:
        return {name: member.account.places.taken for name, member in self.balancer.members.items()}

    def order(self) -> list[str]:
        return [place.candidate.name for place in self.balancer.rank(Asked(), self.now).order]


def told(step: Step) -> list[tuple[int, str, str]]:
    return [(send.number, send.candidate.name, send.why.value) for send in step.send]


# -- one after the other -----------------------------------------------------------------------------------------------


def test_the_best_is_asked_and_its_answer_ends_it() -> None:
    story = Story()
    assert told(story.asks()) == [(1, "a", "first")]
    step = story.answers(1, 0.9)
    assert (step.over, step.winner, step.cancel) == (True, 1, ())
    story.course.ended(story.now)
    assert story.taken() == {"a": 0, "b": 0, "c": 0}


def test_when_it_fails_the_next_is_asked_at_once() -> None:
    story = Story()
    story.asks()
    assert told(story.fails(1)) == [(2, "b", "failover")]
    assert told(story.fails(2)) == [(3, "c", "failover")]


def test_who_failed_in_passing_is_asked_again_if_there_is_no_other_but_not_at_once() -> None:
    story = Story(candidate("a"))
    story.asks()
    step = story.fails(1)
    assert (step.send, step.over) == ((), False)
    assert 0.0 < step.wake_at - story.now <= 0.2
    assert told(story.wakes(step)) == [(2, "a", "failover")]


def test_it_is_not_asked_for_ever() -> None:
    story, sent = Story(), 0
    step = story.asks()
    while not step.over:
        sent += len(step.send)
        step = story.fails(step.send[0].number, after=0.01) if step.send else story.wakes(step)
    assert (sent, step.winner, step.failure) == (MOST_ATTEMPTS, None, SERVER)


@pytest.mark.parametrize(
    ("kind", "own", "elsewhere", "asks_another"),
    [
        (Kind.INVALID, False, (), False),
        (Kind.REFUSED, False, (), False),
        (Kind.REFUSED, False, ("refused",), True),
        (Kind.AUTH, True, (), False),
        (Kind.AUTH, True, ("auth",), True),
        (Kind.AUTH, False, (), True),
        (Kind.QUOTA, True, (), True),
        (Kind.RATE, True, (), True),
        (Kind.UNSUPPORTED, True, (), True),
    ],
)
def test_who_is_to_blame_decides_whether_another_is_asked(
    kind: Kind, own: bool, elsewhere: tuple[str, ...], asks_another: bool
) -> None:
    story = Story(candidate("a", own=own), candidate("b", 1.2), policy=Policy(elsewhere=frozenset(elsewhere)))
    story.asks()
    step = story.fails(1, Failure(kind=kind))
    assert told(step) == ([(2, "b", "failover")] if asks_another else [])
    assert step.over is not asks_another


def test_that_the_agents_own_key_is_refused_is_seen_by_it_the_next_time_too() -> None:
    story = Story(candidate("a", own=True), candidate("b", 1.2))
    story.asks()
    story.fails(1, Failure(kind=Kind.AUTH))
    assert told(story.asks()) == [(1, "a", "first")]


def test_another_whose_key_is_refused_is_left_alone_and_that_is_told() -> None:
    story = Story(candidate("a"), candidate("b", 1.2, own=True))
    story.asks()
    story.fails(1, Failure(kind=Kind.AUTH))
    assert story.order() == ["b"]
    assert [(provider, closed.kind) for provider, closed in story.closed] == [("a", "auth")]


# -- side effects ------------------------------------------------------------------------------------------------------


def test_what_may_have_been_done_is_not_done_twice() -> None:
    story = Story()
    step = story.asks(repeatable=False)
    assert step.wake_at == story.course.asked.deadline, "nor is it hedged"
    step = story.fails(1)
    assert (step.over, step.failure) == (True, SERVER)


@pytest.mark.parametrize("failure", [Failure(kind=Kind.NETWORK, sent=False), Failure(kind=Kind.RATE)])
def test_what_was_surely_not_done_is_asked_of_another(failure: Failure) -> None:
    story = Story()
    story.asks(repeatable=False)
    assert told(story.fails(1, failure)) == [(2, "b", "failover")]


# -- late --------------------------------------------------------------------------------------------------------------


def test_one_that_is_late_gets_company_and_the_first_answer_counts() -> None:
    story = Story()
    step = story.asks()
    assert 1.4 < step.wake_at - story.now < 2.2, "the 95th percentile or so of 1 s with a spread of 0.3"
    assert told(story.wakes(step)) == [(2, "b", "hedge")]
    step = story.answers(2, 1.0)
    assert (step.winner, step.cancel) == (2, (1,))
    assert story.taken() == {"a": 0, "b": 1, "c": 0}


def test_the_one_that_is_late_may_still_win() -> None:
    story = Story()
    story.wakes(story.asks())
    step = story.answers(1, 0.2)
    assert (step.winner, step.cancel) == (1, (2,))


def test_no_second_is_sent_without_a_token_until_the_first_is_given_up() -> None:
    story = Story(hedging=HedgePolicy(extra_share=0.0, floor=0.0))
    step = story.wakes(story.asks())
    assert step.send == ()
    assert told(story.wakes(step)) == [(2, "b", "failover")]
    assert story.answers(1, 0.1).winner == 1, "it was not cancelled"


@pytest.mark.parametrize("never", [{"may_hedge": False}, {"limited": True}])
def test_who_must_not_be_asked_beside_another_is_not(never: dict[str, bool]) -> None:
    story = Story(candidate("a"), candidate("b", 1.2, may_hedge=never.get("may_hedge", True)))
    if never.get("limited"):
        story.balancer.limits("b", [Limit(what=Resource.CONCURRENCY, limit=5)], story.now)
    assert story.wakes(story.asks()).send == ()


def test_time_that_runs_out_is_used_for_everybody_who_is_left() -> None:
    story = Story(hedging=HedgePolicy(extra_share=0.0, floor=0.0))
    step, sent = story.asks(deadline=story.now + 6.0), {}
    while not step.over:
        step = story.wakes(step)
        sent.update({send.candidate.name: story.now for send in step.send})
    assert set(sent) == {"b", "c"}
    assert max(sent.values()) <= story.course.asked.deadline - 2.9


def test_at_the_deadline_all_is_over() -> None:
    story = Story()
    step = story.asks()
    while not step.over:
        step = story.wakes(step)
    assert story.now == story.course.asked.deadline
    assert step.failure is not None
    assert step.failure.kind is Kind.TIMEOUT
    assert set(story.taken().values()) == {0}
    assert story.order()[0] != "a", "who was silent is not asked first the next time"


def test_a_call_whose_time_is_short_says_nothing_of_who_was_asked() -> None:
    story = Story()
    for _ in range(3):
        story.asks(deadline=story.now + 0.3)
        assert story.wakes(Step(wake_at=story.now + 0.3)).over
    assert story.order()[0] == "a"


# -- races and trials --------------------------------------------------------------------------------------------------


def test_critical_calls_are_raced_if_the_policy_says_so() -> None:
    story = Story(hedging=HedgePolicy(race=2))
    assert told(story.asks(critical=True)) == [(1, "a", "first"), (2, "b", "race")]
    assert [name for _, name, _ in told(story.asks())] == ["a"]
    assert [name for _, name, _ in told(story.asks(critical=True, repeatable=False))] == ["a"]


def test_one_that_was_out_of_order_is_tried_by_a_call_that_is_hedged_early() -> None:
    story = Story(candidate("a"), candidate("b", 1.3))
    for _ in range(2):
        story.balancer.members["a"].failed(story.now, story.now)
    firsts = []
    for _ in range(30):
        story.now += 5.0
        step = story.asks()
        firsts.append(step.send[0])
        if step.send[0].why == "trial":
            break
        story.answers(1, 1.3)
        story.course.ended(story.now)
    assert [send.candidate.name for send in firsts[:-1]] == ["b"] * (len(firsts) - 1)
    assert len(firsts) > 10
    assert told(step) == [(1, "a", "trial")]
    assert step.wake_at - story.now < 1.6
    assert told(story.wakes(step)) == [(2, "b", "hedge")]


def test_priors_that_are_far_off_are_found_out() -> None:
    true, firsts = {"a": 1.0, "b": 0.4}, []
    story = Story(candidate("a", 1.0), candidate("b", 1.5))
    for _ in range(60):
        story.now += 10.0
        step = story.asks()
        firsts.append(step.send[0].candidate.name)
        story.answers(1, true[firsts[-1]])
        story.course.ended(story.now)
    assert firsts[0] == "a"
    assert set(firsts[-10:]) == {"b"}


# -- places and limits -------------------------------------------------------------------------------------------------


def test_who_finds_no_place_waits_for_one_in_turn() -> None:
    story = Story(candidate("a"))
    story.balancer.limits("a", [Limit(what=Resource.CONCURRENCY, limit=1)], story.now)
    story.asks()
    first = story.course
    step = story.asks()
    second = story.course
    assert (step.send, step.over) == ((), False)
    assert step.wake_at == pytest.approx(story.now + 8.0)
    first.answered(1, story.now + 0.5)
    assert story.roused == 0
    first.ended(story.now + 0.7)
    assert story.roused == 1
    assert told(second.woken(story.now + 0.7)) == [(1, "a", "first")]
    second.left(story.now + 0.8)
    assert story.taken() == {"a": 0}


def test_nobody_waits_for_a_place_for_long() -> None:
    story = Story(candidate("a"))
    story.balancer.limits("a", [Limit(what=Resource.CONCURRENCY, limit=1)], story.now)
    story.asks(deadline=math.inf)
    step = story.asks(deadline=math.inf)
    assert step.wake_at == story.now + MOST_QUEUED_SECONDS
    assert story.wakes(step).over


def test_a_place_that_was_handed_over_to_one_that_left_goes_on_to_the_next() -> None:
    story = Story(candidate("a"))
    story.balancer.limits("a", [Limit(what=Resource.CONCURRENCY, limit=1)], story.now)
    courses = []
    for _ in range(3):
        story.asks()
        courses.append(story.course)
    courses[0].left(story.now)
    courses[1].left(story.now)
    assert told(courses[2].woken(story.now)) == [(1, "a", "first")]


def test_one_too_many_waits_and_is_not_sent_elsewhere_if_that_takes_longer() -> None:
    story = Story(candidate("a", 1.0), candidate("b", 30.0))
    story.asks()
    held = story.course
    story.asks(deadline=story.now + 60.0)
    step = story.fails(1, Failure(kind=Kind.CONCURRENCY))
    assert step.send == ()
    held.answered(1, story.now)
    held.ended(story.now)
    assert told(story.course.woken(story.now)) == [(2, "a", "failover")]


def test_a_short_wait_for_the_only_one_is_waited() -> None:
    story = Story(candidate("a"))
    story.asks()
    step = story.fails(1, Failure(kind=Kind.RATE, retry_after_seconds=2.0))
    assert (step.over, step.wake_at) == (True, math.inf), "what was refused is not sent to the same one again"
    assert step.retry_after_seconds == pytest.approx(2.0)
    step = story.asks()
    assert (step.send, step.wake_at) == ((), pytest.approx(story.now + 2.0))
    assert told(story.wakes(step)) == [(1, "a", "first")]


def test_for_a_long_wait_the_provider_is_left_to_refuse_itself() -> None:
    story = Story(candidate("a"), candidate("b", 1.2, own=True))
    for name in ("a", "b"):
        member = story.balancer.members[name]
        member.account.refused(Failure(kind=Kind.QUOTA, retry_after_seconds=3600.0), member.meter, story.now)
    assert told(story.asks()) == [(1, "b", "first")], "the agent's own"


# -- once it flows -----------------------------------------------------------------------------------------------------


def test_an_answer_that_stalls_counts_as_a_failure() -> None:
    story = Story()
    assert told(story.asks()) == [(1, "a", "first")]
    story.answers(1, 0.5)
    story.course.broke(Failure(kind=Kind.TIMEOUT), story.now + 1.0)
    assert story.order() == ["b", "c"]
    assert set(story.taken().values()) == {0}


def test_patience_with_pauses_is_learned_and_longer_where_nobody_can_go_on() -> None:
    story = Story(candidate("a"))
    for _ in range(60):
        story.now += 5.0
        story.asks()
        story.answers(1, 0.5)
        for pause in (0.02, 0.2, 0.03):
            story.course.paused(pause)
        story.course.ended(story.now + 1.0)
    story.asks()
    story.answers(1, 0.5)
    assert story.course.gap_seconds(story.now, resumable=True) < 4.0
    assert story.course.gap_seconds(story.now) == 10.0


# -- whatever happens --------------------------------------------------------------------------------------------------

KINDS = [Failure(kind=kind, retry_after_seconds=after) for kind in Kind for after in (None, 0.0, 3.0)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_happens_a_call_ends_in_time_and_gives_everything_back(data: st.DataObject) -> None:
    draw: Callable[..., Any] = data.draw
    story = Story(
        *(
            candidate(name, draw(st.sampled_from([0.1, 1.0, 5.0])), may_hedge=draw(st.booleans()), own=name == "a")
            for name in "abc"[: draw(st.integers(1, 3))]
        ),
        hedging=HedgePolicy(race=draw(st.integers(1, 3)), floor=draw(st.sampled_from([0.0, 8.0]))),
    )
    if draw(st.booleans()):
        story.balancer.limits("a", [Limit(what=Resource.CONCURRENCY, limit=draw(st.integers(1, 2)))], story.now)
    for _ in range(draw(st.integers(1, 5))):
        deadline = story.now + draw(st.sampled_from([0.0, 0.5, 8.0, 60.0]))
        step = story.asks(deadline=deadline, repeatable=draw(st.booleans()), critical=draw(st.booleans()))
        running: set[int] = set()
        seen: set[int] = set()
        for _ in range(200):
            assert running >= set(step.cancel)
            running -= set(step.cancel)
            for send in step.send:
                assert send.number not in seen
                seen.add(send.number)
                running.add(send.number)
            assert len(seen) <= MOST_ATTEMPTS
            if step.over:
                break
            assert running or step.wake_at < math.inf, "somebody must wake it"
            assert step.wake_at <= max(deadline, story.now)
            happens = draw(st.sampled_from(["answers", "fails", "nothing", "nothing", "leaves"]))
            if happens == "leaves":
                story.course.left(story.now)
                running.clear()
                break
            if happens == "nothing" or not running:
                story.now = max(story.now, step.wake_at)
                step = story.course.woken(story.now)
                continue
            number = draw(st.sampled_from(sorted(running)))
            story.now = min(story.now + draw(st.floats(0.0, 3.0)), max(step.wake_at, story.now))
            running.discard(number)
            if happens == "answers":
                step = story.answers(number, 0.0)
                assert step.over
            else:
                step = story.fails(number, draw(st.sampled_from(KINDS)), 0.0)
        else:
            pytest.fail("it never ends")
        if step.winner is not None:
            assert step.winner in seen
            running -= set(step.cancel)
            story.course.ended(story.now + 1.0)
        assert running == set(), "all the others are cancelled"
        assert set(story.taken().values()) == {0}
        story.now += draw(st.floats(0.0, 300.0))
