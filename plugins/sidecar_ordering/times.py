"""How long a candidate takes for a call of a certain size: what was seen lately, before that, and believed at first.

    log t = log(prior · shape(size)) + level + shift + noise

The shape is affine in the size and learned slowly; the level is a posterior mean that forgets within a quarter of an
hour, and then falls back on what was seen within hours, and on the prior last; the shift is that of the regime. No I/O.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from sidecar_ordering.candidates import Prior
from sidecar_ordering.quantiles import Histogram, added
from sidecar_ordering.regime import Regime

RECENT_HALF_LIFE_SECONDS: Final = 900.0
LONG_HALF_LIFE_SECONDS: Final = 2 * 3600.0
#: Pseudo-calls: so much a prior counts against what is seen, in the level, the spread, the shape, the quantiles.
PRIOR_CALLS: Final = 3.0
_SPREAD_CALLS: Final = 8.0
_SHAPE_CALLS: Final = 4.0
_QUANTILE_CALLS: Final = 10.0
#: How far a prior may be off, as the standard deviation of its logarithm.
_UNKNOWN: Final = 0.5
#: In spreads: what is farther off is taken to be so far, since stragglers say nothing of the level.
_FARTHEST: Final = 2.5
#: What the regime explains does not move the level, but for a little: what lasts for hours is how it usually is.
_TAKEN_OFF: Final = 0.95
_LEAST_SECONDS: Final = 1e-4
_LEAST_SPREAD, _LARGEST_SPREAD = 0.1, 1.2
_LARGEST_SHARE: Final = 0.98


class Sums(Struct):
    """What is kept of calls, each counting less the older it is. It can be stored, and added to that of others.

    ``recent_…`` halve in a quarter of an hour, the others in two hours; logs are those of ratios to the prior.
    """

    at: float = 0.0
    recent_calls: float = 0.0
    recent_logs: float = 0.0
    calls: float = 0.0
    logs: float = 0.0
    squares: float = 0.0
    """Of what was not expected of logs."""
    weight: float = 0.0
    size: float = 0.0
    size_squared: float = 0.0
    time: float = 0.0
    time_by_size: float = 0.0

    def fade(self, now: float) -> None:
        """Let what is known age until *now*."""
        aged = now - self.at
        if aged <= 0.0:
            return
        recent = math.exp2(-aged / RECENT_HALF_LIFE_SECONDS)
        long = math.exp2(-aged / LONG_HALF_LIFE_SECONDS)
        self.at = now
        self.recent_calls *= recent
        self.recent_logs *= recent
        self.calls *= long
        self.logs *= long
        self.squares *= long
        self.weight *= long
        self.size *= long
        self.size_squared *= long
        self.time *= long
        self.time_by_size *= long

    def add(self, other: "Sums") -> None:
        """Take in what another has seen, as of the same time."""
        for name in self.__struct_fields__[1:]:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Kept(Struct):
    """What one pod has seen, to be stored."""

    sums: Sums
    counts: list[float]


class Times:
    """Of one candidate, until the first byte or until the end.

    Args:
        prior_seconds: the median at the prior's typical size.
        size_share: the part of that which grows with the size.
        now: when nothing is known.
    """

    __slots__ = (
        "_all",
        "_log_prior",
        "_own",
        "_own_histogram",
        "_prior",
        "_prior_share",
        "_share",
        "_typical",
        "histogram",
        "regime",
        "spread",
    )

    def __init__(self, prior: Prior, prior_seconds: float, size_share: float, now: float) -> None:
        self._prior = prior
        self._log_prior = math.log(max(prior_seconds, _LEAST_SECONDS))
        self._typical = max(prior.typical_size, 1e-9)
        self._share = self._prior_share = min(max(size_share, 0.0), _LARGEST_SHARE)
        self._own, self._all = Sums(now), Sums(now)
        self._own_histogram, self.histogram = Histogram(), Histogram()
        self.regime = Regime(now)
        self.spread = round(prior.spread, 2)
        """Of the logarithm of times, to two digits."""

    def calls(self, now: float) -> float:
        """How many of the last quarter of an hour are known."""
        return self._all.recent_calls * math.exp2(-max(now - self._all.at, 0.0) / RECENT_HALF_LIFE_SECONDS)

    def usual_log(self, size: float, now: float) -> float:
        """The logarithm of the usual time, in seconds; the median while all is as usual."""
        known = self._all
        aged = max(now - known.at, 0.0)
        recent = math.exp2(-aged / RECENT_HALF_LIFE_SECONDS)
        long = math.exp2(-aged / LONG_HALF_LIFE_SECONDS)
        before = known.logs * long / (PRIOR_CALLS + known.calls * long)
        level = (PRIOR_CALLS * before + known.recent_logs * recent) / (PRIOR_CALLS + known.recent_calls * recent)
        return self._log_prior + self._log_shape(size) + level

    def doubt(self, now: float) -> float:
        """By how much the level is expected to move with one answer more: the standard deviation of that.

        It is large for a candidate that was hardly ever asked, and vanishes for one that is asked all the time.
        """
        unknown = self._unknown(now)
        return unknown / math.sqrt(unknown + self.spread**2)

    def _unknown(self, now: float) -> float:
        """The variance of the level."""
        known = self._all
        calls = known.calls * math.exp2(-max(now - known.at, 0.0) / LONG_HALF_LIFE_SECONDS)
        return 1.0 / (1.0 / _UNKNOWN**2 + calls / self.spread**2)

    def _surprise(self, now: float) -> float:
        """The spread of what the next answer takes: while little is known, nothing is a surprise."""
        return math.sqrt(self.spread**2 + self._unknown(now))

    def quantile_seconds(self, share: float, size: float, now: float) -> float:
        """Within which *share* of the answers come while all is as usual."""
        return math.exp(self.usual_log(size, now) + self.histogram.quantile(share, self.spread, _QUANTILE_CALLS))

    def took(self, size: float, seconds: float, failure: float, now: float, waited_seconds: float | None) -> None:
        """An answer came after so long, *waited_seconds* of which `late` has told already."""
        usual, spread = self.usual_log(size, now), self.spread
        ratio = _log(seconds) - usual
        waited = None if waited_seconds is None else _log(waited_seconds) - usual
        self.regime.answered(ratio, self._surprise(now), failure, now, waited)
        self._learn(size, seconds, ratio - _TAKEN_OFF * self.regime.shift(), spread, 1.0, now)
        share = self.regime.outlook(now)[0]
        self._own_histogram.add(ratio, share)
        self.histogram.add(ratio, share)

    def late(self, size: float, seconds: float, now: float, waited_seconds: float | None) -> None:
        """Nothing came for so long, and it is still waited."""
        usual = self.usual_log(size, now)
        waited = None if waited_seconds is None else _log(waited_seconds) - usual
        self.regime.late(_log(seconds) - usual, self._surprise(now), now, waited)

    def let_go(self, size: float, seconds: float, now: float, waited_seconds: float | None) -> None:
        """Nothing came for so long, and it is no longer waited."""
        self.late(size, seconds, now, waited_seconds)
        spread = self.spread
        ratio = _log(seconds) - self.usual_log(size, now)
        beyond = (ratio - _TAKEN_OFF * self.regime.shift()) / spread
        above = 0.5 * math.erfc(beyond / math.sqrt(2.0))
        if above < 0.98:  # else it says nothing
            # what is expected of a normal value above that (the inverse Mills ratio)
            expected = math.exp(-0.5 * beyond * beyond) / (math.sqrt(2.0 * math.pi) * max(above, 1e-6))
            self._learn(size, 0.0, min(expected, _FARTHEST) * spread, spread, 1.0 - above, now)
            self._own_histogram.add_at_least(ratio, spread)
            self.histogram.add_at_least(ratio, spread)

    def _learn(self, size: float, seconds: float, residual: float, spread: float, share: float, now: float) -> None:
        """
        Args:
            seconds: 0 if only a bound is known.
            residual: of the logarithm, against what is usual.
        """
        farthest = _FARTHEST * spread
        residual = min(max(residual, -farthest), farthest)
        shape = self._log_shape(size)
        level = self.usual_log(size, now) - self._log_prior - shape
        for sums in (self._own, self._all):
            sums.fade(now)
            sums.recent_calls += share
            sums.recent_logs += share * (level + residual)
            sums.calls += share
            sums.logs += share * (level + residual)
            if seconds:
                sums.squares += residual * residual
                relative, scale = size / self._typical, math.exp(shape)
                time = math.exp(residual) * scale  # in usual times of a typical size
                weight = 1.0 / (scale * scale)
                sums.weight += weight
                sums.size += weight * relative
                sums.size_squared += weight * relative * relative
                sums.time += weight * time
                sums.time_by_size += weight * time * relative
            else:
                sums.squares += share * spread * spread
        self._fit()

    def _fit(self) -> None:
        """The spread, and the shape: weighted least squares of time over size, with a few calls as believed, half of
        them of no size and half of the typical one.
        """
        known, prior = self._all, self._prior_share
        squares = _SPREAD_CALLS * self._prior.spread**2 + known.squares
        spread = math.sqrt(squares / (_SPREAD_CALLS + known.calls))
        self.spread = round(min(max(spread, _LEAST_SPREAD), _LARGEST_SPREAD), 2)
        half, none = _SHAPE_CALLS / 2, 1.0 - prior
        at_none = half / (none * none)
        weight = known.weight + at_none + half
        size, size_squared = known.size + half, known.size_squared + half
        time, time_by_size = known.time + at_none * none + half, known.time_by_size + half
        slope = (weight * time_by_size - size * time) / (weight * size_squared - size * size)
        start = (time - slope * size) / weight
        if start + slope > 0.0:
            self._share = min(max(slope / (start + slope), 0.0), _LARGEST_SHARE)

    def _log_shape(self, size: float) -> float:
        if not self._share:
            return 0.0
        return math.log(1.0 - self._share + self._share * max(size, 0.0) / self._typical)

    # -- kept, and shared ----------------------------------------------------------------------------------------------

    def kept(self, now: float) -> Kept:
        """What this pod has seen, as of time 0."""
        self._own.fade(now)
        own = msgspec.structs.replace(self._own, at=0.0)
        return Kept(own, self._own_histogram.counts())

    def restore(self, kept: Kept, taken: float, now: float) -> None:
        """Begin with what this pod has seen until *taken*."""
        self._own = msgspec.structs.replace(kept.sums, at=taken)
        self._own.fade(now)
        self._own_histogram = Histogram(kept.counts)
        self.absorb([], now)

    def absorb(self, others: Sequence[tuple[Kept, float]], now: float) -> None:
        """Take what *others* have seen, until when, for all that is known beside what this pod has seen itself."""
        self._own.fade(now)
        known = msgspec.structs.replace(self._own)
        counts = self._own_histogram.counts()
        for kept, taken in others:
            sums = msgspec.structs.replace(kept.sums, at=taken)
            sums.fade(now)
            known.add(sums)
            counts = added(counts, kept.counts)
        self._all, self.histogram = known, Histogram(counts)
        self._fit()


def _log(seconds: float) -> float:
    return math.log(max(seconds, _LEAST_SECONDS))
