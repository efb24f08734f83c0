"""Does what a course says: starts attempts, waits for the first thing to happen, and gives up what is not needed."""

import asyncio
import math
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sidecar import Exchange, ExchangeHandler, waiting
from sidecar.failure import Failure, Kind
from sidecar_ordering.attempts import Outcome, attempt
from sidecar_ordering.candidates import Asked
from sidecar_ordering.clock import Clock
from sidecar_ordering.config import Calls
from sidecar_ordering.course import Course, Send, Step
from sidecar_ordering.options import Group

#: How long attempts that are not needed any more are waited for: they have only to let go.
_LEAVING_SECONDS: Final = 0.05


class Driven(Struct, kw_only=True, eq=False):
    """What came of a call."""

    course: Course
    sent: list[Send]
    """In order."""
    outcomes: dict[int, Outcome]
    """By number: of the attempts that came to an end by themselves."""
    seconds: dict[int, float]
    """By number: until the first byte, or until it failed; from when it was sent, which is negated until then."""
    outcome: Outcome | None = None
    """Of the attempt that answers, or of the one that failed last."""
    last: Step = Step()

    @property
    def answering(self) -> str:
        """Who answers; "" if nobody does."""
        return next((send.candidate.name for send in self.sent if send.number == self.last.winner), "")


class _Signal:
    """Wakes who waits: an attempt is done, or a place is free."""

    __slots__ = ("_clock", "_future", "done")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._future: asyncio.Future[None] | None = None
        self.done: list[int] = []

    def rouse(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, until: float) -> None:
        """Until something is done, somebody rouses, or it is *until* by the clock."""
        if self.done:
            return
        self._future = asyncio.get_running_loop().create_future()
        timer = None if until == math.inf else self._clock.after(until - self._clock.now(), self.rouse)
        try:
            await self._future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()


async def drive(
    group: Group,
    asked: Asked,
    exchange: Exchange,
    call_next: ExchangeHandler,
    tasks: set[asyncio.Task[Outcome]],
    clock: Clock,
) -> Driven:
    """Have one of *group* answer *exchange*.

    Args:
        tasks: attempts that are under way, of all calls.

    Raises:
        CallError: none of a provider's doing.
    """
    loop = asyncio.get_running_loop()
    signal, running, leaving = _Signal(clock), dict[int, asyncio.Task[Outcome]](), set[asyncio.Task[Outcome]]()
    course = group.balancer.course(asked, signal.rouse)
    driven = Driven(course=course, sent=[], outcomes={}, seconds={})

    def start(send: Send) -> None:
        option = group.options[send.candidate.name]
        task = loop.create_task(attempt(option, exchange, call_next))
        running[send.number] = task
        tasks.add(task)
        driven.sent.append(send)
        driven.seconds[send.number] = -clock.now()

        def ended(task: asyncio.Task[Outcome]) -> None:
            tasks.discard(task)
            if running.get(send.number) is task:
                signal.done.append(send.number)
                signal.rouse()
            elif not task.cancelled() and task.exception() is None:
                let_go(task.result())

        task.add_done_callback(ended)

    try:
        step = course.begin(clock.now())
        while True:
            for number in step.cancel:
                leaving.add(task := running.pop(number))
                task.cancel()
            for send in step.send:
                start(send)
            if step.over:
                break
            with waiting(call_next):
                await signal.wait(step.wake_at)
            if signal.done:
                number = signal.done.pop(0)
                if number in running:
                    outcome = running.pop(number).result()
                    step = _told(group, driven, number, outcome, clock.now())
                else:
                    step = Step(wake_at=step.wake_at)
            else:
                step = course.woken(clock.now())
        if leaving:  # whoever closes what they have opened must not meet them at it
            with waiting(call_next):
                await asyncio.wait(leaving, timeout=_LEAVING_SECONDS)
    except BaseException:
        course.left(clock.now())
        raise
    finally:
        for task in running.values():
            task.cancel()
        running.clear()
    driven.last = step
    if step.winner is not None:
        driven.outcome = driven.outcomes[step.winner]
    return driven


def _told(group: Group, driven: Driven, number: int, outcome: Outcome, now: float) -> Step:
    driven.outcomes[number] = driven.outcome = outcome
    driven.seconds[number] += now
    if outcome.limits:
        name = next(send.candidate.name for send in driven.sent if send.number == number)
        group.balancer.limits(name, outcome.limits, now)
    if outcome.failure is None:
        return driven.course.answered(number, now)
    return driven.course.failed(number, _meaning(outcome, outcome.failure, group.calls), now)


def _meaning(outcome: Outcome, failure: Failure, calls: Calls) -> Failure:
    """What *failure* means for this call: some are for the owner to decide about.

    That the agent's own credential is not accepted says nothing of its provider, whom others may call with theirs.
    """
    option = outcome.option
    if failure.kind is Kind.AUTH and not (option.own and option.provider.credential is None):
        return failure
    if not failure.elsewhere_by_choice:
        return failure
    return replace(failure, kind=Kind.UNSUPPORTED if failure.kind.value in calls.also_for else Kind.INVALID)


def let_go(outcome: Outcome) -> None:
    """Let go of an answer that came when nobody waited for it any more. Its body ends with the exchange."""
    if outcome.response is not None and outcome.response.tunnel is not None:
        outcome.response.tunnel.transport.abort()


def failures_of(driven: Driven) -> list[Failure]:
    """In the order of the attempts."""
    found = (driven.outcomes[number].failure for number in sorted(driven.outcomes))
    return [failure for failure in found if failure is not None]
