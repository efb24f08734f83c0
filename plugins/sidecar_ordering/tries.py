"""One attempt of a call: when it is hedged and given up, and what is learned from how it goes. No I/O."""

import math
from collections.abc import Sequence
from enum import StrEnum

from sidecar.failure import Failure, Kind
from sidecar_ordering.circuit import STRIKES
from sidecar_ordering.deadlines import PATIENCE_QUANTILE, patience_seconds
from sidecar_ordering.hedging import HedgePolicy, delay_seconds, hedged_share
from sidecar_ordering.member import Member


class Why(StrEnum):
    """For what an attempt is sent."""

    FIRST = "first"
    TRIAL = "trial"
    """To find out whether a candidate has recovered."""
    HEDGE = "hedge"
    """Beside one that is late."""
    RACE = "race"
    FAILOVER = "failover"
    """After one that has failed, or is given up."""
    RESCUE = "rescue"
    """Because the caller's time is nearly over: everybody who is left is asked."""


class Try:
    """
    Args:
        size: of the call.
        deadline: when its caller gives up.
    """

    __slots__ = (
        "deadline",
        "hedge_at",
        "member",
        "number",
        "overdue",
        "patience_at",
        "sent_at",
        "size",
        "waited",
        "why",
    )

    def __init__(self, number: int, member: Member, why: Why, size: float, deadline: float, now: float) -> None:
        self.number = number
        self.member = member
        self.why = why
        self.size = size
        self.deadline = deadline
        self.sent_at = now
        self.waited: float | None = None
        """For how long it is known to have been silent."""
        self.overdue = False
        """Whether it is given up: it may still answer, but nobody counts on it."""
        self.hedge_at = self.patience_at = math.inf

    def time(self, others: Sequence[Member], hedging: HedgePolicy, fullness: float, now: float) -> None:
        """Say when it is hedged and given up, there being *others* to be asked.

        Args:
            fullness: of the bucket that pays for hedges.
        """
        size, first = self.size, self.member.statistics.first
        usual, slower, _ = first.regime.outlook(now)
        late = first.quantile_seconds(PATIENCE_QUANTILE, size, now)
        if self.why is Why.TRIAL:
            bound = min(each.statistics.first.quantile_seconds(hedging.quantile, size, now) for each in others)
            self.hedge_at = now + min(first.quantile_seconds(hedging.trial_share, size, now), bound)
        else:
            quantile = first.quantile_seconds(hedged_share(hedging.quantile, fullness), size, now)
            self.hedge_at = now + delay_seconds(quantile, usual, slower)
            late = delay_seconds(late, usual, slower)
        after = min(each.statistics.first.usual_log(size, now) for each in others)
        usual_seconds = math.exp(first.usual_log(size, now))
        self.patience_at = now + patience_seconds(late, usual_seconds, self.deadline - now, math.exp(after))

    # -- what is learned -----------------------------------------------------------------------------------------------

    def late(self, now: float) -> None:
        """It is still silent."""
        waited = now - self.sent_at
        self.member.statistics.late(self.size, waited, now, self.waited)
        self.waited = waited

    def answered(self, now: float) -> None:
        """Its first byte came."""
        self.member.answered(self.size, self.sent_at, now, self.waited)

    def ended(self, longest_pause: float, now: float) -> None:
        """Its answer is whole."""
        self.member.statistics.ended(self.size, now - self.sent_at, now, self.waited)
        self.member.statistics.paused(longest_pause)
        self.release(now)

    def broke(self, failure: Failure, longest_pause: float, now: float) -> None:
        """Its answer broke off, or stalled."""
        if failure.counts_against_health:
            self.member.failed(self.sent_at, now, _strikes(failure))
        if failure.kind is Kind.TIMEOUT:
            self.member.statistics.paused_at_least(longest_pause)
        self.release(now)

    def failed(self, failure: Failure, now: float, *, is_told: bool) -> None:
        """It failed before its first byte.

        Args:
            is_told: the agent is told of it, and it is not hidden by another's answer; nor will it be the next time.
        """
        member = self.member
        if not (is_told and failure.kind is Kind.AUTH):
            member.account.refused(failure, member.meter, now)
        if failure.counts_against_health:
            if failure.kind is Kind.TIMEOUT:
                self.late(now)
            member.failed(self.sent_at, now, _strikes(failure))
        elif failure.sent and not failure.is_limit:
            member.circuit.good(self.sent_at, now)  # it is well enough to say what is wrong
        self.release(now)

    def let_go(self, now: float) -> None:
        """Nobody waits for it any longer: if it was given up before, it counts as failed."""
        if self.overdue:
            self.late(now)
            self.member.failed(self.sent_at, now, STRIKES if now >= self.deadline else 1)
        else:
            self.member.let_go(self.size, self.sent_at, now, self.waited)
        self.release(now)

    def release(self, now: float) -> None:
        self.member.account.places.leave(now - self.sent_at, now)


def _strikes(failure: Failure) -> int:
    """A time-out costs as much as several quick failures, so one is enough."""
    return STRIKES if failure.kind is Kind.TIMEOUT else 1
