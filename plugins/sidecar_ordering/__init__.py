"""Sends each call to the provider that will answer it soonest and surest, and asks a second one before it is too late.

What decides does no I/O and reads no clock: `Balancer` knows the candidates of one operation, `Course` is the life of
one call among them. The plugin (or a simulator) does what a course says and tells it what happened; all times are
seconds of one monotonic clock, all waiting is the caller's.

    balancer = Balancer("stt", candidates, Policy(), Random())                    # one per operation, for long
    course = balancer.course(Asked(size=4.2, deadline=now() + 8.0), wake)         # one per call; wake(): ask `woken`
    step = course.begin(now())
    while not step.over:
        for send in step.send:                           # number, candidate, why: first, probe, hedge, failover, …
            attempts[send.number] = start(send.candidate)
        for number in step.cancel:                       # too slow, or no longer needed; what it told is noted already
            attempts.pop(number).cancel()
        match await first_event(attempts, until=step.wake_at):        # None: nothing happened until then
            case None: step = course.woken(now())
            case Answered(number): step = course.answered(number, now())      # its first byte, and it is no error
            case Failed(number, failure): step = course.failed(number, failure, now())
    # then, cancelling what is in step.cancel: step.winner is the attempt that answers (None: step.failure, and
    # step.retry_after_seconds). Its body flows; a pause longer than course.gap_seconds(now()) is a stall.
    course.paused(seconds)                                                        # each pause between two chunks
    course.ended(now())  # or course.broke(failure, now()) -> the candidate that may go on, None if none; course.left()

Beside that: `balancer.limits(candidate, limits, now)` takes in what any answer says of limits, `balancer.rank(asked,
now)` and `course.ranking` tell every candidate's place and why, `balancer.snapshot`, `restore` and `absorb` keep what
was learned over a restart and between pods.
"""

from sidecar_ordering.config import OrderingConfig
from sidecar_ordering.plugin import Ordering

__all__ = ["Ordering", "OrderingConfig"]
