"""Two that know what nobody can know: how each provider is now, and how lucky each call will be."""

import math
import random
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, Final

from sidecar_ordering.candidates import Asked
from sidecar_ordering.course import Send, Step
from sidecar_ordering.tries import Why

from tests.benchmarks.ordering.rules import ATTEMPT_SECONDS, Peer, Turns
from tests.benchmarks.ordering.world import Arrival, Provider, World

#: When it hedges: at this quantile of what is true now.
HEDGE_QUANTILE: Final = 0.95


class Clairvoyant(Peer):
    """Knows how each provider is at each moment, but not the luck of a call: the least expected time, with failover."""

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self.providers = world.providers
        self.size = 1.0

    def call(self, asked: Asked, arrival: Arrival, wake: Callable[[], None]) -> Turns:
        self.size = arrival.size
        return Turns(self, asked)

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        left = [each for each in range(self.count) if each not in tried]
        return min(left, key=lambda each: expected(self.providers[each], self.size, now), default=None)


class HedgingClairvoyant(Clairvoyant):
    """The same, and a second attempt at the next best at the true quantile, without a budget."""

    def call(self, asked: Asked, arrival: Arrival, wake: Callable[[], None]) -> "Pair":  # type: ignore[override]
        self.size = arrival.size
        return Pair(self, asked, arrival.size)


class Pair:
    """A call with up to two attempts at a time."""

    def __init__(self, rule: HedgingClairvoyant, asked: Asked, size: float) -> None:
        self._rule = rule
        self._asked = asked
        self._size = size
        self._tried: list[int] = []
        self._running: dict[int, tuple[float, float]] = {}  # when it is hedged, and given up

    def begin(self, now: float) -> Step:
        return self._send(now)

    def woken(self, now: float) -> Step:
        if now >= self._asked.deadline:
            return Step(cancel=tuple(self._running), over=True)
        late = [number for number, (_, until) in self._running.items() if now >= until]
        for number in late:
            del self._running[number]
        for number, (hedged, until) in self._running.items():
            self._running[number] = (math.inf if now >= hedged else hedged, until)
        return self._send(now, tuple(late)) if len(self._running) < 2 else Step(wake_at=self._wakes())

    def answered(self, number: int, now: float) -> Step:
        return Step(cancel=tuple(each for each in self._running if each != number), over=True, winner=number)

    def failed(self, number: int, failure: Any, now: float) -> Step:
        del self._running[number]
        return Step(wake_at=self._wakes()) if self._running else self._send(now)

    def ended(self, now: float) -> None: ...

    def _wakes(self) -> float:
        return min([self._asked.deadline, *(min(each) for each in self._running.values())])

    def _send(self, now: float, cancel: tuple[int, ...] = ()) -> Step:
        self._rule.size = self._size
        picked = self._rule.pick(self._tried, now)
        if picked is None:
            over = not self._running
            return Step(cancel=cancel, over=over, wake_at=self._wakes())
        self._tried.append(picked)
        number = len(self._tried)
        hedged = now + quantile(self._rule.providers[picked], self._size, now)
        self._running[number] = (hedged, now + ATTEMPT_SECONDS)
        return Step((Send(number, self._rule.candidates[picked], Why.FIRST),), cancel, self._wakes())


def expected(provider: Provider, size: float, now: float) -> float:
    """Seconds, with what a failure costs."""
    errors, hangs, limited = provider.failure(now)
    return provider.mean(size, now) + hangs * ATTEMPT_SECONDS + (errors + limited) * 1.5


def quantile(provider: Provider, size: float, now: float) -> float:
    """Within which so many answers come, stragglers among them."""
    nature = provider.nature
    share = min((HEDGE_QUANTILE) / (1.0 - nature.stragglers), 0.999)
    return provider.median(size, now) * math.exp(NormalDist(0.0, nature.spread).inv_cdf(share))
