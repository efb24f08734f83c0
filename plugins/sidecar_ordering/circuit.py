"""Whether a candidate that fails is asked at all, and when a call may try it again. No I/O."""

import math
import random
from typing import Final

#: Two failures in a row, or one time-out: with a few calls a minute five in a row would be minutes of failures.
STRIKES: Final = 2
FIRST_PAUSE_SECONDS: Final = 15.0
LONGEST_PAUSE_SECONDS: Final = 240.0
_JITTER: Final = 0.2
#: Answered for so long without opening, the next pause is the first one again.
_STEADY_SECONDS: Final = 300.0
#: Who tries has so long to tell how it went, then another call may.
_TRIAL_SECONDS: Final = 60.0


class Circuit:
    """Open after failures in a row: then a call may try again after 15 s, 30 s, … at most 240 s.

    Args:
        draw: for the jitter, so that pods do not try together.
    """

    __slots__ = ("_closed_at", "_draw", "_opened_at", "_pause_seconds", "_strikes", "_trial_until", "open_until")

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._strikes = 0
        self._pause_seconds = 0.0
        self._closed_at = self._opened_at = -math.inf
        self._trial_until = 0.0
        self.open_until: float | None = None
        """None while it is closed."""

    def may_try(self, now: float) -> bool:
        """Whether it is open, and a call may find out whether it needs to be."""
        return self.open_until is not None and now >= self.open_until and now >= self._trial_until

    def tries(self, now: float) -> None:
        """A call is sent while it is open."""
        self._trial_until = now + _TRIAL_SECONDS

    def forgets_trial(self) -> None:
        """The call that tried was given up before it told anything."""
        self._trial_until = 0.0

    def good(self, sent_at: float, now: float) -> bool:
        """An answer came to what was sent then; whether it closes by that."""
        if self.open_until is None:
            self._strikes = 0
            return False
        if sent_at < self._opened_at:
            return False
        self._strikes = 0
        self.open_until = None
        self._trial_until = 0.0
        self._closed_at = now
        return True

    def bad(self, sent_at: float, now: float, strikes: int = 1) -> bool:
        """A failure of what was sent then; whether it opens by that, or stays open for longer."""
        self._strikes += strikes
        if self.open_until is not None:
            if sent_at < self._opened_at:
                return False
        elif self._strikes < STRIKES:
            return False
        elif now - self._closed_at > _STEADY_SECONDS:
            self._pause_seconds = 0.0
        self._pause_seconds = min(max(2.0 * self._pause_seconds, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        self._opened_at = now
        self.open_until = now + self._pause_seconds * self._draw.uniform(1.0 - _JITTER, 1.0 + _JITTER)
        self._trial_until = 0.0
        return True
