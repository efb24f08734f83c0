"""Drives rules through a world, in virtual time: arrivals, answers, failures, and what is to be done in between."""

import heapq
import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from sidecar_ordering.candidates import Asked
from sidecar_ordering.course import Step

from sidecar.dialect import Limit, Resource
from sidecar.failure import Failure, Kind
from tests.benchmarks.ordering.world import TRIES, Arrival, Nature, Outcome, World


class Call(Protocol):
    """A rule's dealing with one call; as `sidecar_ordering.course.Course`."""

    def begin(self, now: float) -> Step: ...
    def woken(self, now: float) -> Step: ...
    def answered(self, number: int, now: float) -> Step: ...
    def failed(self, number: int, failure: Any, now: float) -> Step: ...
    def ended(self, now: float) -> None: ...


class Rule(Protocol):
    overhead_seconds: float
    """What it takes for each attempt more than others."""

    def call(self, asked: Asked, arrival: Arrival, wake: Callable[[], None]) -> Call: ...

    def limits(self, provider: str, limits: tuple[Limit, ...], now: float) -> None:
        """An answer said so."""


class Told(NamedTuple):
    """What came of a call."""

    at: float
    seconds: float
    """Until the answer; the caller's patience if there was none in time."""
    succeeded: bool
    attempts: int
    first: int
    """The provider that was asked first."""
    why: str
    """For what."""
    answered_by: int


class _Under:
    """A call under way."""

    __slots__ = ("answered_by", "arrival", "asked", "attempts", "call", "first", "limit", "over", "version", "why")

    def __init__(self, arrival: Arrival, deadline: float) -> None:
        self.arrival = arrival
        self.limit = deadline
        self.attempts: dict[int, tuple[int, float]] = {}
        self.asked: dict[int, int] = {}
        self.version = 0
        self.over = False
        self.first = self.answered_by = -1
        self.why = ""
        self.call: Call


def drive(world: World, rule: Rule) -> list[Told]:
    """Every call of *world* by *rule*, in order of arrival."""
    return Driving(world, rule).run()


class Driving:
    def __init__(self, world: World, rule: Rule) -> None:
        self._world = world
        self._rule = rule
        self._names = {provider.nature.name: number for number, provider in enumerate(world.providers)}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._now = 0.0
        self._told: list[Told | None] = [None] * len(world.arrivals)
        self._meters = [_Meter(provider.nature) for provider in world.providers]

    @property
    def refused(self) -> int:
        """Calls that were one too many for a provider."""
        return sum(meter.refused for meter in self._meters)

    def run(self) -> list[Told]:
        for number, arrival in enumerate(self._world.arrivals):
            self._run_until(arrival.at)
            self._now = arrival.at
            self._arrive(number, arrival)
        self._run_until(math.inf)
        return [each for each in self._told if each is not None]

    def _run_until(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self._now, _, act = heapq.heappop(self._heap)
            act()

    def _at(self, when: float, act: Callable[[], None]) -> None:
        if when < math.inf:
            self._sequence += 1
            heapq.heappush(self._heap, (when, self._sequence, act))

    def _arrive(self, index: int, arrival: Arrival) -> None:
        deadline = arrival.at + self._world.deadline_seconds
        under = _Under(arrival, deadline)

        def wake() -> None:
            self._at(self._now, lambda: None if under.over else step(under.call.woken(self._now)))

        def step(todo: Step) -> None:
            under.version += 1
            version = under.version
            for number in todo.cancel:
                provider, _ = under.attempts.pop(number)
                self._meters[provider].under_way -= 1
            for send in todo.send:
                self._send(under, send.number, self._names[send.candidate.name], send.why, step)
            if todo.over:
                finish(todo)
            else:
                self._at(max(todo.wake_at, self._now), lambda: look(version))

        def look(version: int) -> None:
            if version == under.version and not under.over:
                step(under.call.woken(self._now))

        def finish(todo: Step) -> None:
            under.over = True
            won = todo.winner is not None and self._now <= deadline
            seconds = self._now - arrival.at if won else self._world.deadline_seconds
            sent = sum(under.asked.values())
            self._told[index] = Told(arrival.at, seconds, won, sent, under.first, under.why, under.answered_by)
            if todo.winner is not None:
                under.call.ended(self._now)

        asked = Asked(size=arrival.size, deadline=deadline)
        under.call = self._rule.call(asked, arrival, wake)
        step(under.call.begin(self._now))

    def _send(self, under: _Under, number: int, provider: int, why: str, step: Callable[[Step], None]) -> None:
        tried = under.asked.get(provider, 0)
        under.asked[provider] = tried + 1
        if under.first < 0:
            under.first, under.why = provider, why
        draw = under.arrival.luck[provider][min(tried, TRIES - 1)]
        meter = self._meters[provider]
        outcome = meter.refusal(self._now) or self._world.providers[provider].ask(under.arrival.size, self._now, draw)
        under.attempts[number] = (provider, self._now)

        def tell() -> None:
            if number not in under.attempts:
                return
            del under.attempts[number]
            meter.under_way -= 1
            if outcome.kind:
                failure = Failure(kind=Kind(outcome.kind), retry_after_seconds=outcome.retry_after_seconds)
                step(under.call.failed(number, failure, self._now))
            else:
                if limits := meter.limits(self._now):
                    self._rule.limits(self._world.providers[provider].nature.name, limits, self._now)
                under.answered_by = provider
                step(under.call.answered(number, self._now))

        self._at(self._now + self._rule.overhead_seconds + outcome.seconds, tell)


class _Meter:
    """What a provider counts."""

    def __init__(self, nature: Nature) -> None:
        self._nature = nature
        self._minute = -1
        self._answered = 0
        self.under_way = 0
        self.refused = 0

    def refusal(self, now: float) -> Outcome | None:
        """Of a call that is one too many."""
        nature = self._nature
        self.under_way += 1
        if int(now // 60.0) != self._minute:
            self._minute, self._answered = int(now // 60.0), 0
        if nature.places and self.under_way > nature.places:
            self.refused += 1
            return Outcome(0.12, "concurrency")
        if nature.per_minute and self._answered >= nature.per_minute:
            self.refused += 1
            return Outcome(0.12, "rate", 60.0 * (self._minute + 1) - now)
        self._answered += 1
        return None

    def limits(self, now: float) -> tuple[Limit, ...]:
        nature = self._nature
        if not nature.per_minute:
            return ()
        left = nature.per_minute - self._answered if int(now // 60.0) == self._minute else nature.per_minute
        resets = 60.0 * (int(now // 60.0) + 1) - now
        return (Limit(what=Resource.REQUESTS, limit=nature.per_minute, remaining=left, resets_in_seconds=resets),)
