"""A candidate and all that is known of it, and when it is worth a try. No I/O."""

import math
import random
from typing import Final

from sidecar_ordering.candidates import Candidate
from sidecar_ordering.circuit import Circuit
from sidecar_ordering.gates import Accounts
from sidecar_ordering.score import Standing
from sidecar_ordering.statistics import Prediction, Statistics

#: A candidate that was slow or is not known any more is tried so long after its last outcome: then half as long again
#: each time that it has not recovered. What has recovered is to be used within five minutes.
FIRST_TRIAL_SECONDS: Final = 60.0
LONGEST_TRIAL_SECONDS: Final = 180.0
_TRIAL_GROWTH: Final = 1.5
#: Nor is it tried before there were so many calls since the last try, likewise.
FIRST_TRIAL_CALLS: Final = 12
LONGEST_TRIAL_CALLS: Final = 20
#: Below this likelihood that all is as usual a candidate is tried, rather than trusted.
SUSPECT: Final = 0.6


class Member:
    """A candidate, and what is known of it."""

    __slots__ = (
        "_calls",
        "_recovering",
        "_trial_calls",
        "_trial_pause",
        "account",
        "candidate",
        "circuit",
        "last_at",
        "meter",
        "statistics",
        "trial_at",
    )

    def __init__(self, candidate: Candidate, accounts: Accounts, draw: random.Random, now: float) -> None:
        self.candidate = candidate
        self.statistics = Statistics(candidate, now)
        self.circuit = Circuit(draw)
        self.account = accounts.of(candidate.provider)
        self.meter = self.account.meter(candidate.model)
        self.last_at = now
        self.trial_at = -math.inf
        self._trial_pause, self._trial_calls = FIRST_TRIAL_SECONDS, float(FIRST_TRIAL_CALLS)
        self._calls = 0
        self._recovering = False

    def sent(self, now: float) -> None:
        """A call is sent to it."""
        self.meter.sent(now)
        if self.circuit.open_until is not None:
            self.circuit.tries(now)

    def answered(self, size: float, sent_at: float, now: float, waited: float | None) -> None:
        """The first byte of an answer came to what was sent then."""
        self.last_at = now
        before = self._usual(now)
        self.statistics.answered(size, now - sent_at, now, waited)
        self.circuit.good(sent_at, now)
        self.account.answered(self.meter)
        after = self._usual(now)
        self._recovering = before < after < SUSPECT
        if after >= SUSPECT:
            self._trial_pause, self._trial_calls = FIRST_TRIAL_SECONDS, float(FIRST_TRIAL_CALLS)

    def _usual(self, now: float) -> float:
        return self.statistics.first.regime.outlook(now)[0]

    def failed(self, sent_at: float, now: float, strikes: int = 1) -> None:
        """What was sent then failed, by the provider's fault."""
        self.last_at = now
        self.statistics.failed(now - sent_at, now)
        self.circuit.bad(sent_at, now, strikes)

    def let_go(self, size: float, sent_at: float, now: float, waited: float | None) -> None:
        """What was sent then is not waited for any longer."""
        self.last_at = now
        self.statistics.let_go(size, now - sent_at, now, waited)
        if self.circuit.open_until is not None:
            if self._usual(now) < SUSPECT:
                self.circuit.bad(sent_at, now)
            else:
                self.circuit.forgets_trial()

    def called(self) -> None:
        """There is a call of the operation."""
        self._calls += 1

    def tried(self, now: float) -> None:
        """A call is sent to find out how it is."""
        self._calls = 0
        self._recovering = False
        self.trial_at = now + self._trial_pause
        self._trial_pause = min(self._trial_pause * _TRIAL_GROWTH, LONGEST_TRIAL_SECONDS)
        self._trial_calls = min(self._trial_calls * _TRIAL_GROWTH, LONGEST_TRIAL_CALLS)

    def trial_seconds(self, known: Prediction, standing: Standing, now: float, zeal: float) -> float | None:
        """What it may well take, if it is worth a try.

        Args:
            zeal: how much is to be gained by finding out (`Balancer`), in standard deviations.
        """
        if self._recovering:  # the next call is to find out
            return known.usual_seconds
        if self._calls < self._trial_calls or now < self.trial_at:
            return None
        if standing is Standing.TRIAL:
            return known.usual_seconds
        if known.usual < SUSPECT and now - self.last_at < self._trial_pause:
            return None
        return known.usual_seconds * math.exp(-zeal * self.statistics.first.doubt(now))
