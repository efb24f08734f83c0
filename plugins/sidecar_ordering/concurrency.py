"""How many calls a provider takes at the same time, learned from its refusals, and who waits for a place. No I/O."""

import math
from collections.abc import Callable
from typing import Final

#: After so long without a refusal, with all places taken, one more is tried.
_MORE_AFTER_SECONDS: Final = 60.0
#: Until it is known how long a call holds its place.
_HELD_SECONDS: Final = 1.0
_SMOOTHING: Final = 0.1
#: So many wait at most; beyond that it is better to be told at once.
LONGEST_QUEUE: Final = 64


class Places:
    """Of one provider. Without a limit until one is told or met."""

    __slots__ = ("_changed_at", "_held_seconds", "_most", "_queue", "_taken")

    def __init__(self) -> None:
        self._most = math.inf
        self._taken = 0
        self._held_seconds = _HELD_SECONDS
        self._changed_at = -math.inf
        self._queue: list[Callable[[], None]] = []

    @property
    def limited(self) -> bool:
        """Whether a second attempt might be one too many."""
        return self._most < math.inf

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def most(self) -> float:
        """Infinite while no limit is known."""
        return self._most

    def free(self) -> bool:
        return self._taken < self._most

    def waits_seconds(self) -> float:
        """Until a place is free for who comes now, in the mean; infinite if too many wait already."""
        if self.free() and not self._queue:
            return 0.0
        if len(self._queue) >= LONGEST_QUEUE:
            return math.inf
        return (len(self._queue) + 1) * self._held_seconds / self._most

    def take(self) -> None:
        self._taken += 1

    def leave(self, held_seconds: float, now: float) -> None:
        """A call has ended, after so long; who waits longest is told that there is a place."""
        if self._taken >= self._most and now - self._changed_at > _MORE_AFTER_SECONDS:
            self._most += 1.0
            self._changed_at = now
        self._taken = max(self._taken - 1, 0)
        if held_seconds > 0.0:
            self._held_seconds += _SMOOTHING * (held_seconds - self._held_seconds)
        if self._queue and self.free():
            self._taken += 1  # it is handed over, so that nobody who comes now gets it
            self._queue.pop(0)()

    def refused(self, now: float) -> None:
        """One was too many. The place of the refused call is still taken."""
        if self._taken <= self._most:
            self._most = float(max(self._taken - 1, 1))
        self._changed_at = now

    def told(self, most: float, elsewhere: float, now: float) -> None:
        """An answer said how many there are, and how many of them others have."""
        if most >= 1.0:
            self._most = max(math.floor(most - max(elsewhere, 0.0)), 1.0)
            self._changed_at = now

    def join(self, handed: Callable[[], None]) -> None:
        """Have *handed* called once when a place is taken for it, in turn."""
        self._queue.append(handed)

    def leave_queue(self, handed: Callable[[], None]) -> None:
        if handed in self._queue:
            self._queue.remove(handed)


class Turn:
    """A call that waits for a place, or has been handed one that it has not used yet.

    Args:
        wake: called when it is handed one.
    """

    __slots__ = ("_handed", "_places", "_wake", "until")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._places: Places | None = None
        self._handed = False
        self.until = math.inf
        """When it has waited long enough."""

    @property
    def waits(self) -> bool:
        return self._places is not None and not self._handed

    def join(self, places: Places, until: float) -> None:
        """Wait for one of *places*."""
        self._places, self._handed, self.until = places, False, until
        places.join(self._given)

    def take(self) -> Places | None:
        """Those of which one has been handed over, to be used now; None if none has."""
        if not self._handed:
            return None
        places, self._places, self._handed = self._places, None, False
        return places

    def leave(self, now: float) -> None:
        """Wait no longer, and give back what was handed over."""
        if self._places is not None:
            if self._handed:
                self._places.leave(0.0, now)
            else:
                self._places.leave_queue(self._given)
            self._places, self._handed = None, False

    def _given(self) -> None:
        self._handed = True
        self._wake()
