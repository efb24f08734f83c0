"""Whether to ask something that may be down. No I/O."""

import random
from collections.abc import Callable
from enum import Enum
from typing import Final

_STRIKE, _RELIEF, _OUT = 2, 1, 6
"""Three failures in a row, or more than every third for long."""
_SHORTEST_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0


class Leave(Enum):
    """What may be done now."""

    ASK = "ask"
    PROBE = "probe"
    """Ask, but let nobody wait for it."""
    REFRAIN = "refrain"


class Circuit:
    """Open after failures: then nothing is asked, but for one try after a second, two, four and so on, at most 30.

    Args:
        clock: monotonic.
        changed: called when it opens, with what went wrong, and when it closes, with "".
    """

    def __init__(self, clock: Callable[[], float], changed: Callable[[str], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._strikes = 0
        self._pause_seconds = 0.0
        self._open_until: float | None = None
        self._closed_at = clock()
        self._probing_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    @property
    def rests_seconds(self) -> float:
        """Until the next try."""
        if self._open_until is None:
            return 0.0
        return max(self._open_until, self._probing_until) - self._clock()

    def leave(self) -> Leave:
        """What the caller may do. Who may probe has a while for it, then somebody else may."""
        if self._open_until is None:
            return Leave.ASK
        now = self._clock()
        if now < self._open_until or now < self._probing_until:
            return Leave.REFRAIN
        self._probing_until = now + _LONGEST_SECONDS
        return Leave.PROBE

    def good(self) -> None:
        """It answered, in time."""
        if self._open_until is None:
            self._strikes = max(self._strikes - _RELIEF, 0)
            return
        if self._probing_until == 0.0:
            return  # the late answer to what was asked before it opened
        self._open_until = None
        self._probing_until = 0.0
        self._strikes = 0
        self._closed_at = self._clock()
        self._changed("")

    def bad(self, what: str) -> None:
        """It failed, or not in time."""
        now = self._clock()
        if self._open_until is not None:
            if self._probing_until:
                self._rest(now)
            return
        self._strikes += _STRIKE
        if self._strikes >= _OUT:
            if now - self._closed_at > _STEADY_SECONDS:
                self._pause_seconds = 0.0
            self._rest(now)
            self._changed(what)

    def _rest(self, now: float) -> None:
        self._pause_seconds = min(max(2 * self._pause_seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        self._open_until = now + self._pause_seconds * random.uniform(0.8, 1.2)
        self._probing_until = 0.0
