"""One call among its candidates: what is sent to whom and when, what is given up, and who answers. No I/O.

A course is told what happens, and says what to do. Whoever drives it starts and cancels attempts, and asks `woken` at
the time that the last step named. After the step that is over, at most one attempt is left: the one that answers.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar.failure import Failure, Kind
from sidecar_ordering.candidates import Asked, Candidate
from sidecar_ordering.concurrency import Turn
from sidecar_ordering.deadlines import STALL_QUANTILE, rescue_at, stall_seconds
from sidecar_ordering.member import Member
from sidecar_ordering.score import Place, Ranking
from sidecar_ordering.tries import Try, Why

if TYPE_CHECKING:
    from sidecar_ordering.balancer import Balancer

#: Of one call, hedges included; and of those, to one candidate.
MOST_ATTEMPTS: Final = 6
MOST_OF_ONE: Final = 3
_MOST_AT_ONCE: Final = 3
#: Longer than that no call waits for a place, or for a candidate to open.
MOST_QUEUED_SECONDS: Final = 10.0
MOST_WAITED_SECONDS: Final = 5.0
#: A call that failed so may be sent to the same candidate again, if there is no other: after so long, twice as long, …
_PASSING: Final = frozenset({Kind.OVERLOADED, Kind.SERVER, Kind.NETWORK})
_AGAIN_SECONDS: Final = 0.2
#: A failover cannot wait for a budget, but it is an extra call: where many fail, fewer are hedged.
_FAILOVER_CHARGE: Final = 1.0
_TRIAL_CHARGE: Final = 0.8
_GIVEN_UP: Final = Failure(kind=Kind.TIMEOUT, code="first_byte_timeout")


class Send(NamedTuple):
    number: int
    candidate: Candidate
    why: Why


class Step(NamedTuple):
    """What to do now."""

    send: tuple[Send, ...] = ()
    cancel: tuple[int, ...] = ()
    wake_at: float = math.inf
    """When `Course.woken` is to be asked, if nothing happens before."""
    over: bool = False
    winner: int | None = None
    failure: Failure | None = None
    """Of the attempt that failed last, if nobody answers; None also if nobody was asked."""
    retry_after_seconds: float | None = None
    """When it makes sense to come again, if that is known and nobody answers."""


class Course:
    """
    Args:
        wake: called when it waits for a place and gets one: `woken` is to be asked then.
    """

    def __init__(self, balancer: "Balancer", asked: Asked, wake: Callable[[], None]) -> None:
        self.asked = asked
        self.ranking: Ranking
        """The first one, before anything was sent."""
        self._balancer = balancer
        self._number = 0
        self._running: dict[int, Try] = {}
        self._tried: dict[str, int] = {}
        self._barred: set[str] = set()
        self._turn = Turn(wake)
        self._queued: Member | None = None
        self._winner: Try | None = None
        self._last: Failure | None = None
        self._rescue_at = self._again_at = math.inf
        self._stays = balancer.stays(asked)
        self._longest_pause = 0.0

    # -- what happens --------------------------------------------------------------------------------------------------

    def begin(self, now: float) -> Step:
        """Send the first attempt."""
        self._balancer.count(now)
        self.ranking = ranking = self._balancer.rank(self.asked, now)
        if len(ranking.order) > 1 and self.asked.repeatable:
            self._rescue_at = rescue_at(self.asked.deadline, now, min(each.usual_seconds for each in ranking.order))
        return self._next(ranking, now, Why.FIRST)

    def woken(self, now: float) -> Step:
        """It is later than the last step said, or a place is free."""
        if now >= self.asked.deadline:
            return self._out_of_time(now)
        if not self._running:
            return self._resumed(now)
        if now >= self._rescue_at:
            return self._rescued(now)
        for attempt in [each for each in self._running.values() if now >= each.patience_at]:
            attempt.patience_at = attempt.hedge_at = math.inf
            attempt.overdue = True
            attempt.late(now)
        if all(attempt.overdue for attempt in self._running.values()) and len(self._running) < _MOST_AT_ONCE:
            return self._beside(now)
        return self._hedged(now)

    def _resumed(self, now: float) -> Step:
        """Nothing is under way: it waits for a place, for a candidate to open, or to ask one again."""
        why = Why.FAILOVER if self._tried else Why.FIRST
        if self._queued is not None:
            if self._turn.take() is not None:
                member, self._queued = self._queued, None
                return Step((self._send(member, why, now, held=True),), wake_at=self._wakes_at())
            if now < self._turn.until:
                return Step(wake_at=min(self._turn.until, self.asked.deadline))
            self._turn.leave(now)
            self._barred.add(self._queued.candidate.name)
            self._queued = None
        if now < self._again_at < math.inf:
            return Step(wake_at=self._again_at)
        return self._next(self._balancer.rank(self.asked, now), now, why)

    def answered(self, number: int, now: float) -> Step:
        """The first byte of an answer came: the attempt *number* wins."""
        winner = self._winner = self._running.pop(number)
        winner.answered(now)
        self._balancer.settle(self.asked, winner.member.candidate.name)
        return Step(cancel=self._let_go(now), over=True, winner=number)

    def failed(self, number: int, failure: Failure, now: float) -> Step:
        """The attempt *number* failed before its first byte."""
        attempt = self._running.pop(number)
        name = attempt.member.candidate.name
        self._last = failure
        if failure.kind is Kind.CONCURRENCY:
            self._tried[name] -= 1
        elif failure.kind not in _PASSING:
            self._barred.add(name)
        ends = self._ends_with(failure, attempt.member.candidate)
        attempt.failed(failure, now, is_told=ends)
        if ends:
            return self._give_up(now, self._let_go(now))
        return Step(wake_at=self._wakes_at()) if self._running else self._failover(now)

    def left(self, now: float) -> None:
        """The agent has gone, or nobody drives this any longer."""
        self._turn.leave(now)
        self._let_go(now)
        if self._winner is not None:
            self._winner.release(now)

    # -- while the answer flows ----------------------------------------------------------------------------------------

    def gap_seconds(self, now: float, *, resumable: bool = False) -> float:
        """Of silence after which the answer is stalled.

        Args:
            resumable: whether another candidate could go on with it: otherwise nothing is gained by haste.
        """
        assert self._winner is not None
        known = self._winner.member.statistics.gap_seconds(STALL_QUANTILE)
        return stall_seconds(known, resumable=resumable)

    def paused(self, seconds: float) -> None:
        """There was so long between two chunks."""
        if seconds > self._longest_pause:
            self._longest_pause = seconds

    def ended(self, now: float) -> None:
        """The answer is whole."""
        assert self._winner is not None
        self._winner.ended(self._longest_pause, now)

    def broke(self, failure: Failure, now: float) -> None:
        """The answer broke off, or stalled. What is missing may be asked for by another course."""
        assert self._winner is not None
        self._winner.broke(failure, self._longest_pause, now)

    # -- sending -------------------------------------------------------------------------------------------------------

    def _next(self, ranking: Ranking, now: float, why: Why) -> Step:
        """Send to the best that has not been tried, or wait for it, or give up."""
        if why is Why.FIRST and (tried := self._trial(ranking)) is not None:
            tried.tried(now)
            return Step((self._send(tried, Why.TRIAL, now),), wake_at=self._wakes_at())
        place = self._best(ranking)
        if place is None:
            return self._wait_for_opening(ranking, now)
        member = self._member(place)
        if member.account.places.waits_seconds() > 0.0:
            self._queued = member
            self._turn.join(member.account.places, now + MOST_QUEUED_SECONDS)
            return Step(wake_at=min(self._turn.until, self.asked.deadline))
        if (already := self._tried.get(place.candidate.name, 0)) and self._again_at == math.inf:
            self._again_at = now + self._balancer.jitter(_AGAIN_SECONDS * 2.0 ** (already - 1))
            return Step(wake_at=min(self._again_at, self.asked.deadline))
        self._again_at = math.inf
        sends = [self._send(member, why, now)]
        if why is Why.FIRST and self.asked.critical and self.asked.repeatable:
            for other in self._untried(ranking):
                if len(sends) < self._balancer.hedging.race:
                    sends.append(self._send(other, Why.RACE, now))
        return Step(tuple(sends), wake_at=self._wakes_at())

    def _send(self, member: Member, why: Why, now: float, *, held: bool = False) -> Send:
        self._number += 1
        asked, name = self.asked, member.candidate.name
        attempt = Try(self._number, member, why, asked.size, asked.deadline, now)
        self._running[self._number] = attempt
        self._tried[name] = self._tried.get(name, 0) + 1
        if not held:
            member.account.places.take()
        member.sent(now)
        others = [
            each for other, each in self._balancer.members.items() if other != name and other not in asked.excluded
        ]
        if others and asked.repeatable:
            attempt.time(others, self._balancer.hedging, self._balancer.hedges.fullness, now)
        return Send(self._number, member.candidate, why)

    def _trial(self, ranking: Ranking) -> Member | None:
        """Who is tried by this call. Only calls that can be hedged try what was out of order."""
        if ranking.trial is None or len(ranking.order) < 2 or not self.asked.repeatable:
            return None
        member = self._member(ranking.trial)
        return member if member.account.places.waits_seconds() == 0.0 else None

    def _hedged(self, now: float) -> Step:
        """Send a second attempt beside one that is late, if that is due and may be."""
        for attempt in [each for each in self._running.values() if now >= each.hedge_at]:
            attempt.hedge_at = math.inf
            attempt.late(now)
            if len(self._running) == 1 and self._number < MOST_ATTEMPTS and not self._stays:
                others = self._untried(self._balancer.rank(self.asked, now))
                # a trial is rare anyway, and what has recovered is to be found out even while others are in trouble
                budget = self._balancer.retries if attempt.why is Why.TRIAL else self._balancer.hedges
                if others and budget.take():
                    if attempt.why is Why.TRIAL:
                        self._balancer.hedges.charge(_TRIAL_CHARGE)
                    return Step((self._send(others[0], Why.HEDGE, now),), wake_at=self._wakes_at())
        return Step(wake_at=self._wakes_at())

    def _beside(self, now: float) -> Step:
        """Send another attempt beside those that are given up."""
        ranking = self._balancer.rank(self.asked, now)
        place = self._best(ranking) if self._number < MOST_ATTEMPTS else None
        if place is not None and self._may_hedge(self._member(place)) and self._balancer.retries.take():
            self._balancer.hedges.charge(_FAILOVER_CHARGE)
            return Step((self._send(self._member(place), Why.FAILOVER, now),), wake_at=self._wakes_at())
        return Step(wake_at=self._wakes_at())

    def _rescued(self, now: float) -> Step:
        """Send to everybody who was not asked yet, since there is no time for one after the other."""
        self._rescue_at = math.inf
        sends = [
            self._send(each, Why.RESCUE, now)
            for each in self._untried(self._balancer.rank(self.asked, now))
            if self._number < MOST_ATTEMPTS and self._balancer.retries.take()
        ]
        return Step(tuple(sends), wake_at=self._wakes_at())

    def _failover(self, now: float) -> Step:
        """Ask the next, after all that were asked have failed."""
        nothing_sent = self._last is not None and not self._last.sent
        if now >= self.asked.deadline or self._number >= MOST_ATTEMPTS:
            return self._give_up(now)
        if not nothing_sent and not self._balancer.retries.take():
            return self._give_up(now)
        self._balancer.hedges.charge(_FAILOVER_CHARGE)
        return self._next(self._balancer.rank(self.asked, now), now, Why.FAILOVER)

    # -- whom ----------------------------------------------------------------------------------------------------------

    def _best(self, ranking: Ranking) -> Place | None:
        """The first of those that were tried least often, and are not being asked now."""
        running = {each.member.candidate.name for each in self._running.values()}
        found, least = None, MOST_OF_ONE
        for place in (*ranking.order, *ranking.resorts):
            name = place.candidate.name
            if (tried := self._tried.get(name, 0)) < least and name not in self._barred and name not in running:
                found, least = place, tried
        return found

    def _untried(self, ranking: Ranking) -> list[Member]:
        """Who may be asked beside others, the best first."""
        members = (self._member(place) for place in ranking.order if place.candidate.name not in self._tried)
        return [member for member in members if self._may_hedge(member)]

    def _may_hedge(self, member: Member) -> bool:
        return member.candidate.may_hedge and not member.account.places.limited

    def _member(self, place: Place) -> Member:
        return self._balancer.members[place.candidate.name]

    def _ends_with(self, failure: Failure, candidate: Candidate) -> bool:
        """Whether nobody else is to be asked."""
        if failure.may_have_taken_effect and not self.asked.repeatable:
            return True
        if failure.retry_elsewhere or failure.kind in self._balancer.policy.elsewhere:
            return False
        return failure.kind is not Kind.AUTH or candidate.own

    # -- the end -------------------------------------------------------------------------------------------------------

    def _wait_for_opening(self, ranking: Ranking, now: float) -> Step:
        """Nobody may be asked now: wait if somebody may be soon enough."""
        closed = [each for each in ranking.closed if self._may_open(each)]
        soonest = min(closed, key=lambda place: place.opens_at, default=None)
        if soonest is None:
            return self._give_up(now)
        until = min(now + MOST_WAITED_SECONDS, self.asked.deadline - soonest.usual_seconds)
        if soonest.opens_at <= until:
            return Step(wake_at=max(soonest.opens_at, now))
        if self._tried:
            return self._give_up(now, opens_at=soonest.opens_at)
        # what the provider says to it is for the agent to see: without us it would be no different
        own = next((each for each in closed if each.candidate.own), soonest)
        return Step((self._send(self._member(own), Why.FIRST, now),), wake_at=self._wakes_at())

    def _may_open(self, place: Place) -> bool:
        return place.opens_at < math.inf and place.candidate.name not in self._barred

    def _give_up(self, now: float, cancel: tuple[int, ...] = (), *, opens_at: float = math.inf) -> Step:
        self._turn.leave(now)
        after = None if self._last is None else self._last.retry_after_seconds
        if opens_at < math.inf:
            after = max(opens_at - now, 0.0)
        return Step(cancel=cancel, over=True, failure=self._last, retry_after_seconds=after)

    def _out_of_time(self, now: float) -> Step:
        cancel = self._let_go(now)
        self._last = self._last or _GIVEN_UP
        return self._give_up(now, cancel)

    def _let_go(self, now: float) -> tuple[int, ...]:
        """Nobody waits for any of those that are under way: their numbers."""
        numbers = tuple(self._running)
        for attempt in self._running.values():
            attempt.let_go(now)
        self._running.clear()
        return numbers

    def _wakes_at(self) -> float:
        times = [min(each.hedge_at, each.patience_at) for each in self._running.values()]
        return min([self.asked.deadline, self._rescue_at, *times])
