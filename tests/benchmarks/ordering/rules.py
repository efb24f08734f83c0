"""The rules of the peers, as their sources have them."""

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from sidecar_ordering.candidates import Asked, Candidate
from sidecar_ordering.course import Send, Step
from sidecar_ordering.tries import Why

from sidecar.dialect import Limit
from tests.benchmarks.ordering.world import Arrival, World

#: Given to all of them, though their own defaults are minutes: after so long an attempt is given up.
ATTEMPT_SECONDS: Final = 6.0
#: The first try and two more: LiteLLM's ``num_retries``; the others are given as many.
MOST_TRIES: Final = 3


class Peer:
    """One attempt after the other, without hedging.

    Args:
        world: of which the providers' names are taken.
    """

    overhead_seconds = 0.0

    def __init__(self, world: World, draw: random.Random) -> None:
        self.count = len(world.providers)
        self.candidates = [Candidate(name=each.nature.name, provider=each.nature.name) for each in world.providers]
        self.draw = draw
        self.pending = [0] * self.count

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        """Whom to ask, of those not in *tried*."""
        raise NotImplementedError

    def limits(self, provider: str, limits: tuple[Limit, ...], now: float) -> None: ...
    def good(self, provider: int, seconds: float, now: float) -> None: ...
    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None: ...

    def call(self, asked: Asked, arrival: Arrival, wake: Callable[[], None]) -> "Turns":
        return Turns(self, asked)


class Turns:
    """A call of a `Peer`."""

    def __init__(self, peer: Peer, asked: Asked) -> None:
        self._peer = peer
        self._asked = asked
        self._tried: list[int] = []
        self._number = 0
        self._sent_at = 0.0

    def begin(self, now: float) -> Step:
        return self._send(now)

    def woken(self, now: float) -> Step:
        self._over(self._tried[-1])
        if now >= self._asked.deadline:
            self._peer.bad(self._tried[-1], now - self._sent_at, "timeout", None, now)
            return Step(cancel=(self._number,), over=True)
        self._peer.bad(self._tried[-1], now - self._sent_at, "timeout", None, now)
        return self._send(now, (self._number,))

    def answered(self, number: int, now: float) -> Step:
        self._over(self._tried[-1])
        self._peer.good(self._tried[-1], now - self._sent_at, now)
        return Step(over=True, winner=number)

    def failed(self, number: int, failure: Any, now: float) -> Step:
        self._over(self._tried[-1])
        self._peer.bad(self._tried[-1], now - self._sent_at, failure.kind, failure.retry_after_seconds, now)
        return self._send(now)

    def ended(self, now: float) -> None: ...

    def _over(self, provider: int) -> None:
        self._peer.pending[provider] -= 1

    def _send(self, now: float, cancel: tuple[int, ...] = ()) -> Step:
        picked = self._peer.pick(self._tried, now) if len(self._tried) < MOST_TRIES else None
        if picked is None:
            return Step(cancel=cancel, over=True)
        self._tried.append(picked)
        self._peer.pending[picked] += 1
        self._number += 1
        self._sent_at = now
        send = Send(self._number, self._peer.candidates[picked], Why.FIRST)
        return Step((send,), cancel, min(now + ATTEMPT_SECONDS, self._asked.deadline))


class Fixed(Peer):
    """Always in the same order: static fallback (OpenRouter, Portkey, LiteLLM's ``fallbacks``)."""

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        return next((each for each in range(self.count) if each not in tried), None)


class Naive(Fixed):
    """The same without a pool and without compression: for each attempt 0.15 s for a fresh TLS connection (three round
    trips of 50 ms) and 0.2 s for 160 KB of WAV instead of 16 KB. These two are assumed, not measured.
    """

    overhead_seconds = 0.35


class Cooled(Peer):
    """With LiteLLM's cooldown: 5 s after a 429, and after half of at least five calls in a minute have failed."""

    COOL_SECONDS: Final = 5.0

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self.until = [-math.inf] * self.count
        self._minute: list[deque[tuple[float, bool]]] = [deque() for _ in range(self.count)]

    def warm(self, now: float) -> list[int]:
        warm = [each for each in range(self.count) if now >= self.until[each]]
        return warm or list(range(self.count))

    def good(self, provider: int, seconds: float, now: float) -> None:
        self._minute[provider].append((now, True))

    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None:
        minute = self._minute[provider]
        minute.append((now, False))
        while minute and minute[0][0] < now - 60.0:
            minute.popleft()
        failed = sum(not good for _, good in minute)
        if kind == "rate":
            self.until[provider] = now + max(self.COOL_SECONDS, retry_after or 0.0)
        elif len(minute) >= 5 and failed >= 0.5 * len(minute):
            self.until[provider] = now + self.COOL_SECONDS


class Weighted(Cooled):
    """Drawn anew for each attempt, all being equal: LiteLLM's ``simple-shuffle``, its default."""

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        return self.draw.choice(self.warm(now))


class LatencyWindow(Cooled):
    """The least mean of the last ten times, a time-out counting 1000 s: LiteLLM's ``latency-based-routing``."""

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self._last: list[deque[float]] = [deque(maxlen=10) for _ in range(self.count)]

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        warm = self.warm(now)
        self.draw.shuffle(warm)
        return min(warm, key=lambda each: sum(self._last[each]) / len(self._last[each]) if self._last[each] else 0.0)

    def good(self, provider: int, seconds: float, now: float) -> None:
        super().good(provider, seconds, now)
        self._last[provider].append(seconds)

    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None:
        super().bad(provider, seconds, kind, retry_after, now)
        if kind == "timeout":
            self._last[provider].append(1000.0)


class PeakEwma(Peer):
    """Power of two choices by peak EWMA, 10 s, times pending calls: Finagle, linkerd, Helicone. No cooldown."""

    DECAY_SECONDS: Final = 10.0

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self._cost = [1.0] * self.count
        self._at = [0.0] * self.count

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        left = [each for each in range(self.count) if each not in tried]
        if len(left) < 2:
            return left[0] if left else None
        return min(self.draw.sample(left, 2), key=lambda each: self._cost[each] * (self.pending[each] + 1))

    def good(self, provider: int, seconds: float, now: float) -> None:
        self._observe(provider, seconds, now)

    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None:
        self._observe(provider, max(seconds, ATTEMPT_SECONDS), now)

    def _observe(self, provider: int, seconds: float, now: float) -> None:
        kept = math.exp(-(now - self._at[provider]) / self.DECAY_SECONDS)
        before = self._cost[provider]
        self._cost[provider] = seconds if seconds > before else before * kept + seconds * (1.0 - kept)
        self._at[provider] = now


class HealthEwma(Peer):
    """Power of two choices by health/(1 + latency·(1 + 0.1·pending)), averages of 0.3, and eviction for 3 s, 6 s, …
    or ``Retry-After``: agentgateway.
    """

    ALPHA: Final = 0.3

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self._health = [1.0] * self.count
        self._latency = [0.0] * self.count
        self._until = [-math.inf] * self.count
        self._times = [0] * self.count

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        left = [each for each in range(self.count) if each not in tried]
        left = [each for each in left if now >= self._until[each]] or left
        if len(left) < 2:
            return left[0] if left else None
        return max(self.draw.sample(left, 2), key=self._score)

    def _score(self, each: int) -> float:
        return self._health[each] / (1.0 + self._latency[each] * (1.0 + 0.1 * self.pending[each]))

    def good(self, provider: int, seconds: float, now: float) -> None:
        before = self._latency[provider]
        self._latency[provider] = before + self.ALPHA * (seconds - before) if before else seconds
        self._health[provider] += self.ALPHA * (1.0 - self._health[provider])
        self._times[provider] = 0

    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None:
        self._health[provider] *= 1.0 - self.ALPHA
        if kind == "rate" or self._health[provider] < 0.5:
            self._times[provider] += 1
            self._until[provider] = now + (retry_after or 3.0 * self._times[provider])


class Thompson(Cooled):
    """The least of a draw from each posterior of log times (half-life 15 minutes, priors); a failure counts 6 s."""

    def __init__(self, world: World, draw: random.Random) -> None:
        super().__init__(world, draw)
        self._sums = [[0.0, 0.0, 0.0] for _ in range(self.count)]  # at, calls, logs
        self._prior = [math.log(each.nature.seconds) for each in world.providers]

    def pick(self, tried: Sequence[int], now: float) -> int | None:
        left = [each for each in self.warm(now) if each not in tried] or [
            each for each in range(self.count) if each not in tried
        ]
        return min(left, key=lambda each: self._drawn(each, now)) if left else None

    def _drawn(self, each: int, now: float) -> float:
        at, calls, logs = self._sums[each]
        kept = 2.0 ** (-(now - at) / 900.0)
        calls, logs = 3.0 + calls * kept, 3.0 * self._prior[each] + logs * kept
        return self.draw.gauss(logs / calls, 0.35 / math.sqrt(calls))

    def good(self, provider: int, seconds: float, now: float) -> None:
        super().good(provider, seconds, now)
        self._observe(provider, seconds, now)

    def bad(self, provider: int, seconds: float, kind: str, retry_after: float | None, now: float) -> None:
        super().bad(provider, seconds, kind, retry_after, now)
        if kind != "rate":
            self._observe(provider, ATTEMPT_SECONDS, now)

    def _observe(self, provider: int, seconds: float, now: float) -> None:
        sums = self._sums[provider]
        kept = 2.0 ** (-(now - sums[0]) / 900.0)
        sums[:] = [now, sums[1] * kept + 1.0, sums[2] * kept + math.log(seconds)]
