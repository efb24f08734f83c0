"""What is known of a candidate: how long it takes until the first byte and the end, how often it fails, how it pauses.

Everything is told in a few arithmetic steps per call, in bounded memory, and forgets. No I/O.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from sidecar_ordering.candidates import Awaited, Candidate
from sidecar_ordering.quantiles import Histogram, added
from sidecar_ordering.regime import FAILS
from sidecar_ordering.times import Kept, Times

FAILURE_HALF_LIFE_SECONDS: Final = 3600.0
#: Pseudo-calls, of which so many failed: 1.5 % until it is known better.
_BAD_CALLS: Final = 0.3
_CALLS: Final = 20.3
#: Until a failure is known, in the mean, until that is known better.
_FAILING_SECONDS: Final = 0.5
#: The longest pause of an answer, in the median, until it is known better.
_PAUSE_SECONDS: Final = 0.5
_PAUSE_SPREAD: Final = 1.0
_PAUSE_CALLS: Final = 10.0


class Prediction(NamedTuple):
    """Of one call to one candidate."""

    seconds: float
    """The mean, given that it answers, until what the caller waits for."""
    usual_seconds: float
    """The median while all is as usual."""
    usual: float
    """How likely it is that all is as usual."""
    failure: float
    """How likely it is to fail."""
    failing_seconds: float
    """Until a failure is known, in the mean."""


class Chances(Struct):
    """Calls that were answered and that failed, each counting half after an hour."""

    at: float = 0.0
    good: float = 0.0
    bad: float = 0.0
    failures: float = 0.0
    """All of them; ``bad`` leaves out those of a time in which nearly all calls fail."""
    failing_seconds: float = 0.0

    def fade(self, now: float) -> None:
        aged = now - self.at
        if aged > 0.0:
            share = math.exp2(-aged / FAILURE_HALF_LIFE_SECONDS)
            self.at = now
            self.good *= share
            self.bad *= share
            self.failures *= share
            self.failing_seconds *= share

    def add(self, other: "Chances") -> None:
        """Take in what another has seen, as of the same time."""
        self.good += other.good
        self.bad += other.bad
        self.failures += other.failures
        self.failing_seconds += other.failing_seconds

    @property
    def failure(self) -> float:
        return (_BAD_CALLS + self.bad) / (_CALLS + self.good + self.bad)

    @property
    def until_failed_seconds(self) -> float:
        """In the mean."""
        return (_FAILING_SECONDS + self.failing_seconds) / (1.0 + self.failures)


class KeptStatistics(Struct):
    """What one pod has seen of a candidate, as of when it was taken; to be stored."""

    first: Kept
    end: Kept
    chances: Chances
    pauses: list[float]


class Statistics:
    """Of one candidate. All sizes are in the unit of the operation, all times in seconds of one monotonic clock.

    Args:
        now: when nothing is known.
    """

    __slots__ = ("_all", "_own", "_own_pauses", "_pauses", "end", "first")

    def __init__(self, candidate: Candidate, now: float) -> None:
        prior = candidate.prior
        self.first = Times(prior, prior.first_byte_seconds, prior.size_share, now)
        self.end = Times(prior, prior.end_seconds, prior.end_size_share, now)
        self._own, self._all = Chances(now), Chances(now)
        self._own_pauses, self._pauses = Histogram(), Histogram()

    def times(self, awaited: Awaited) -> Times:
        return self.first if awaited is Awaited.FIRST_BYTE else self.end

    def predict(self, size: float, awaited: Awaited, now: float) -> Prediction:
        times = self.times(awaited)
        usual_seconds = math.exp(times.usual_log(size, now))
        usual, factor, failing = times.regime.outlook(now)
        spread = times.spread
        return Prediction(
            usual_seconds * factor * math.exp(0.5 * spread * spread),
            usual_seconds,
            usual,
            failing * FAILS + (1.0 - failing) * self._all.failure,
            self._all.until_failed_seconds,
        )

    def calls(self, now: float) -> float:
        """How many of the last quarter of an hour are known."""
        return self.first.calls(now)

    # -- what happens --------------------------------------------------------------------------------------------------

    def answered(self, size: float, seconds: float, now: float, waited_seconds: float | None = None) -> None:
        """The first byte of an answer came.

        Args:
            waited_seconds: what `late` was told of this call last.
        """
        self.first.took(size, seconds, self._all.failure, now, waited_seconds)
        for chances in (self._own, self._all):
            chances.fade(now)
            chances.good += 1.0

    def ended(self, size: float, seconds: float, now: float, waited_seconds: float | None = None) -> None:
        """The last byte of an answer came."""
        self.end.took(size, seconds, self._all.failure, now, waited_seconds)

    def late(self, size: float, seconds: float, now: float, waited_seconds: float | None = None) -> None:
        """No byte came for so long, and it is still waited."""
        self.first.late(size, seconds, now, waited_seconds)
        self.end.late(size, seconds, now, waited_seconds)

    def let_go(self, size: float, seconds: float, now: float, waited_seconds: float | None = None) -> None:
        """No byte came for so long, and it is not waited any longer, since another answered."""
        self.first.let_go(size, seconds, now, waited_seconds)
        self.end.let_go(size, seconds, now, waited_seconds)

    def failed(self, seconds: float, now: float) -> None:
        """It failed after so long, not by the call's own fault."""
        failure = self._all.failure
        usually = self.first.regime.outlook(now)[0]
        self.first.regime.failed(failure, now)
        self.end.regime.failed(failure, now)
        usually = min(usually, 1.0 - self.first.regime.outlook(now)[2])
        for chances in (self._own, self._all):
            chances.fade(now)
            chances.bad += usually
            chances.failures += 1.0
            chances.failing_seconds += seconds

    def paused(self, seconds: float) -> None:
        """The longest time between two chunks of an answer."""
        ratio = math.log(max(seconds, 1e-4) / _PAUSE_SECONDS)
        self._own_pauses.add(ratio)
        self._pauses.add(ratio)

    def paused_at_least(self, seconds: float) -> None:
        """The same of an answer that was given up while it paused."""
        ratio = math.log(max(seconds, 1e-4) / _PAUSE_SECONDS)
        self._own_pauses.add_at_least(ratio, _PAUSE_SPREAD)
        self._pauses.add_at_least(ratio, _PAUSE_SPREAD)

    def gap_seconds(self, share: float) -> float:
        """Below which the longest pause of *share* of the answers is."""
        return _PAUSE_SECONDS * math.exp(self._pauses.quantile(share, _PAUSE_SPREAD, _PAUSE_CALLS))

    # -- kept, and shared ----------------------------------------------------------------------------------------------

    def kept(self, now: float) -> KeptStatistics:
        """What this pod has seen."""
        self._own.fade(now)
        own = msgspec.structs.replace(self._own, at=0.0)
        return KeptStatistics(self.first.kept(now), self.end.kept(now), own, self._own_pauses.counts())

    def restore(self, kept: KeptStatistics, taken: float, now: float) -> None:
        """Begin with what this pod has seen until *taken*, by the clock of *now* (which may be before it began)."""
        self.first.restore(kept.first, taken, now)
        self.end.restore(kept.end, taken, now)
        self._own = msgspec.structs.replace(kept.chances, at=taken)
        self._own_pauses = Histogram(kept.pauses)
        self.absorb([], now)

    def absorb(self, others: Sequence[tuple[KeptStatistics, float]], now: float) -> None:
        """Take what *others* have seen, until when, for all that is known beside what this pod has seen itself."""
        self.first.absorb([(each.first, taken) for each, taken in others], now)
        self.end.absorb([(each.end, taken) for each, taken in others], now)
        self._own.fade(now)
        known, pauses = msgspec.structs.replace(self._own), self._own_pauses.counts()
        for each, taken in others:
            chances = msgspec.structs.replace(each.chances, at=taken)
            chances.fade(now)
            known.add(chances)
            pauses = added(pauses, each.pauses)
        self._all, self._pauses = known, Histogram(pauses)
