"""The candidates of one operation, and all that is known of them: whom to ask first, now. No I/O."""

import math
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Final

from sidecar.dialect import Limit
from sidecar_ordering.candidates import Asked, Candidate
from sidecar_ordering.course import Course
from sidecar_ordering.gates import Accounts
from sidecar_ordering.hedging import Budget, HedgePolicy
from sidecar_ordering.member import Member
from sidecar_ordering.score import Contender, Mode, Policy, Ranking, Standing, rank
from sidecar_ordering.sharing import Snapshot

#: For so long what is learned of a candidate is of use: about as long as providers stay as they are.
HORIZON_SECONDS: Final = 3600.0
_MOST_CONVERSATIONS: Final = 4096


class Balancer:
    """
    Args:
        accounts: what is known of providers, for all operations.
        draw: for jitter and weights.
        now: when it begins.
    """

    def __init__(
        self,
        operation: str,
        candidates: Sequence[Candidate],
        policy: Policy,
        hedging: HedgePolicy,
        accounts: Accounts,
        draw: random.Random,
        now: float,
    ) -> None:
        self.operation = operation
        self.policy = policy
        self.hedging = hedging
        self.hedges = Budget(hedging.extra_share, hedging.floor)
        self.retries = Budget(0.2, 10.0)
        self._draw = draw
        self._accounts = accounts
        self.members = {each.name: Member(each, accounts, draw, now) for each in candidates}
        prices = [each.price for each in candidates if each.price is not None]
        self._middle_price = median(prices) if prices else 0.0
        self._incumbents: dict[int, str] = {}
        self._conversations: OrderedDict[str, str] = OrderedDict()
        self._calls, self._calls_at = 0.0, now

    def course(self, asked: Asked, wake: Callable[[], None]) -> Course:
        """The life of one call."""
        return Course(self, asked, wake)

    def count(self, now: float) -> None:
        """There is a call."""
        kept = math.exp(-max(now - self._calls_at, 0.0) / HORIZON_SECONDS)
        self._calls, self._calls_at = self._calls * kept + 1.0, now
        self.hedges.earn()
        self.retries.earn()
        for member in self.members.values():
            member.called()

    def rank(self, asked: Asked, now: float) -> Ranking:
        zeal = self._zeal()
        contenders = [self._contender(each, asked, now, zeal) for each in self.members.values()]
        octave = _octave(asked.size)
        settled = None if asked.conversation is None else self._conversations.get(asked.conversation)
        ranking = rank(
            contenders,
            self.policy,
            self._draw,
            incumbent=self._incumbents.get(octave),
            settled=settled,
            middle_price=self._middle_price,
        )
        if ranking.order:
            self._incumbents[octave] = ranking.order[0].candidate.name
        return ranking

    def stays(self, asked: Asked) -> bool:
        """Whether the call is of a conversation that is to stay where it is: a change of voice is heard."""
        return self.policy.mode is Mode.STICKY and asked.conversation in self._conversations

    def settle(self, asked: Asked, name: str) -> None:
        """A conversation is answered by that candidate."""
        if asked.conversation is not None:
            self._conversations[asked.conversation] = name
            self._conversations.move_to_end(asked.conversation)
            if len(self._conversations) > _MOST_CONVERSATIONS:
                self._conversations.popitem(last=False)

    def jitter(self, seconds: float) -> float:
        """Between half of *seconds* and all of them, so that calls that failed together do not come together again."""
        return seconds * self._draw.uniform(0.5, 1.0)

    def limits(self, candidate: str, limits: Iterable[Limit], now: float) -> None:
        """Take in what an answer of *candidate* said of its limits."""
        member = self.members[candidate]
        for limit in limits:
            member.account.told(limit, member.meter, now)

    # -- kept, and shared ----------------------------------------------------------------------------------------------

    def snapshot(self, now: float, unix_now: float) -> Snapshot:
        """What has been seen here."""
        candidates = {name: member.statistics.kept(now) for name, member in self.members.items()}
        return Snapshot(unix_now, candidates, self._accounts.kept(now))

    def restore(self, snapshot: Snapshot, now: float, unix_now: float) -> None:
        """Begin with what was seen here before a restart, by `snapshot`."""
        taken = now - max(unix_now - snapshot.taken, 0.0)
        for name, member in self.members.items():
            if (kept := snapshot.candidates.get(name)) is not None:
                member.statistics.restore(kept, taken, now)
        self._accounts.absorb(snapshot.gates, now - taken, now)

    def absorb(self, others: Sequence[Snapshot], now: float, unix_now: float) -> None:
        """Know what *others* have seen (`sidecar_ordering.sharing.worth_knowing`) beside what has been seen here.

        It takes the place of what was absorbed before.
        """
        aged = [(other, max(unix_now - other.taken, 0.0)) for other in others]
        for name, member in self.members.items():
            known = [(other.candidates[name], now - age) for other, age in aged if name in other.candidates]
            member.statistics.absorb(known, now)
        for other, age in aged:
            self._accounts.absorb(other.gates, age, now)

    # -- ranking -------------------------------------------------------------------------------------------------------

    def _zeal(self) -> float:
        """How many standard deviations of what a trial may tell are worth its cost, with so many calls to come.

        What is learned is worth N·s·ψ(u) for N calls, where u = gap/s and ψ is the unit normal's loss, and costs the
        gap (the knowledge gradient: Frazier, Powell and Dayanik, SIAM J. Control Optim. 47, 2008). The u where both
        are equal is 0.6·√(2 ln N) to 15 % between 10 and 2,000 calls.
        """
        return 0.6 * math.sqrt(2.0 * math.log(max(self._calls, 1.0)))

    def _contender(self, member: Member, asked: Asked, now: float, zeal: float) -> Contender:
        known = member.statistics.predict(asked.size, asked.awaits, now)
        standing, reason, opens_at = Standing.OPEN, "", 0.0
        waits = member.account.places.waits_seconds()
        if (obstacle := asked.excluded.get(member.candidate.name)) is not None:
            standing, reason, opens_at = Standing.CLOSED, obstacle, math.inf
        elif (closed := member.account.closed(now) or member.meter.closed(now)) is not None:
            standing = Standing.CLOSED if closed.firm else Standing.RESORT
            reason, opens_at = closed.reason(now), closed.until
        elif waits == math.inf:
            standing, reason, opens_at = Standing.CLOSED, "too many calls wait for a place", now + 1.0
        elif (until := member.circuit.open_until) is not None:
            if member.circuit.may_try(now):
                standing, reason = Standing.TRIAL, "it failed, and may be tried"
            else:
                standing, reason, opens_at = Standing.RESORT, "it fails", until
        trial = member.trial_seconds(known, standing, now, zeal)
        return Contender(member.candidate, known, standing, reason, waits, opens_at, trial)


def _octave(size: float) -> int:
    return math.frexp(min(max(size, 0.0), 1e12))[1]
