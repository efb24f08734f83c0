"""Whether a candidate is as it usually is, slower, or failing: a filter over a few states, told by each call. No I/O.

Averages are slow to notice that something has changed. What is surprising is weighed here instead: each state says how
likely an outcome is (a slow answer, a failure, nothing after so long), Bayes' rule says how likely each state is then,
and between calls states come and go at a known pace (a hidden Markov model's forward filter; Rabiner, "A tutorial on
hidden Markov models", 1989). One slow answer among fast ones is most likely a straggler; two in a row are not.
"""

import math
from typing import Final

#: The logarithm of the times, against the usual ones, in each state; the first is the usual one, the last one fails.
SHIFTS: Final = (0.0, -0.8, 0.5, 1.05, 1.65, 0.0)
FACTORS: Final = tuple(math.exp(shift) for shift in SHIFTS)
STATES: Final = len(SHIFTS)
FAILING: Final = STATES - 1
#: The share of calls that fail while a candidate is failing.
FAILS: Final = 0.75
#: What is believed without a call: most of the time all is as usual, else it is so, or so.
USUALLY: Final = (0.93, 0.01, 0.015, 0.015, 0.015, 0.015)
#: In which two thirds of what a call has told of the state are forgotten. Incidents of providers last from 19 minutes
#: to 4 hours, but a candidate that has recovered is to be found out before long.
FORGOTTEN_SECONDS: Final = 600.0
#: Stragglers: so many answers are late (or early) for no lasting reason, by so much.
_STRAY: Final = 0.025
_STRAY_SHIFT: Final = 0.8
_STRAY_SPREAD: Final = 0.9
_LEAST: Final = 1e-9
_USUAL_FACTOR: Final = sum(factor * usually for factor, usually in zip(FACTORS, USUALLY, strict=True))
_ROOT_TAU: Final = math.sqrt(2.0 * math.pi)


class Regime:
    """How likely each state is.

    Args:
        now: when nothing is known.
    """

    __slots__ = ("_at", "_factor", "_likely")

    def __init__(self, now: float) -> None:
        self._at = now
        self._likely = list(USUALLY)
        self._factor = _USUAL_FACTOR

    def outlook(self, now: float) -> tuple[float, float, float]:
        """How likely it is that all is as usual, by what factor times are longer in the mean, and how likely it is
        that it is failing.
        """
        kept = math.exp(-(now - self._at) / FORGOTTEN_SECONDS) if now > self._at else 1.0
        lost = 1.0 - kept
        return (
            kept * self._likely[0] + lost * USUALLY[0],
            kept * self._factor + lost * _USUAL_FACTOR,
            kept * self._likely[FAILING] + lost * USUALLY[FAILING],
        )

    def shift(self) -> float:
        """Of the logarithm of times, expected at the last outcome."""
        return sum(shift * likely for shift, likely in zip(SHIFTS, self._likely, strict=True))

    def answered(self, log_ratio: float, spread: float, failure: float, now: float, waited: float | None) -> None:
        """An answer came.

        Args:
            log_ratio: of the time that it took to the usual one.
            spread: of that logarithm.
            failure: the share of calls that fail while all is as usual.
            waited: what it was told to be at least (`late`), if it was.
        """
        told = []
        for state, shift in enumerate(SHIFTS):
            likelihood = _density(log_ratio - shift, spread)
            if waited is not None:
                likelihood /= max(_survival(waited - shift, spread), _LEAST)
            told.append(likelihood * (1.0 - (FAILS if state == FAILING else failure)))
        self._take(told, now)

    def late(self, log_ratio: float, spread: float, now: float, waited: float | None = None) -> None:
        """Nothing came within that time; *waited* is how long that was told already."""
        told = []
        for shift in SHIFTS:
            likelihood = _survival(log_ratio - shift, spread)
            if waited is not None:
                likelihood /= max(_survival(waited - shift, spread), _LEAST)
            told.append(likelihood)
        self._take(told, now)

    def failed(self, failure: float, now: float) -> None:
        """It failed, not by the call's own fault."""
        self._take([FAILS if state == FAILING else failure for state in range(STATES)], now)

    def _take(self, told: list[float], now: float) -> None:
        kept = math.exp(-(now - self._at) / FORGOTTEN_SECONDS) if now > self._at else 1.0
        likely = [
            max((kept * before + (1.0 - kept) * usually) * each, _LEAST)
            for before, usually, each in zip(self._likely, USUALLY, told, strict=True)
        ]
        total = sum(likely)
        self._likely = [each / total for each in likely]
        self._factor = sum(factor * each for factor, each in zip(FACTORS, self._likely, strict=True))
        self._at = max(now, self._at)


def _density(residual: float, spread: float) -> float:
    return (1.0 - _STRAY) * _normal(residual, spread) + _STRAY * _normal(residual - _STRAY_SHIFT, _STRAY_SPREAD)


def _survival(residual: float, spread: float) -> float:
    return (1.0 - _STRAY) * _above(residual, spread) + _STRAY * _above(residual - _STRAY_SHIFT, _STRAY_SPREAD)


def _normal(value: float, spread: float) -> float:
    ratio = value / spread
    return math.exp(-0.5 * ratio * ratio) / (spread * _ROOT_TAU)


def _above(value: float, spread: float) -> float:
    return 0.5 * math.erfc(value / (spread * math.sqrt(2.0)))
