"""How fast a provider may be asked so that what it has left lasts until it gives more. No I/O.

A limit of requests or tokens is a bucket that fills again at a known time, and every answer says what is left. While
more is left than will be used, nothing is held back. Otherwise calls are spread over the time until then, and the
others go elsewhere, before the provider refuses them. What a call takes is seen from one answer to the next, and so
contains what other pods with the same account take beside it.
"""

import math
from typing import Final

#: What an own call takes, and how often there is one: smoothed over so many.
_SMOOTHING: Final = 0.2
#: Left for others, and for what is in flight: nothing is sent when less than so many calls are left.
_RESERVED_CALLS: Final = 1.0
#: Calls are spread when those that are expected until then would use more than this of what is left.
_SPREAD_SHARE: Final = 0.8


class Pace:
    """Of one provider and one kind of limit."""

    __slots__ = ("_calls_between", "_next_at", "_per_call", "_remaining", "_resets_at", "_sent_at", "_spacing_seconds")

    def __init__(self) -> None:
        self._remaining = math.inf
        self._resets_at = -math.inf
        self._per_call: float | None = None
        self._spacing_seconds: float | None = None
        self._sent_at: float | None = None
        self._calls_between = 0
        self._next_at = -math.inf

    def told(self, remaining: float, resets_at: float, now: float) -> None:
        """An answer said that so much is left, until when."""
        if self._calls_between and now < self._resets_at and remaining < self._remaining:
            taken = (self._remaining - remaining) / self._calls_between
            before = taken if self._per_call is None else self._per_call
            self._per_call = before + _SMOOTHING * (taken - before)
        self._calls_between = 0
        self._remaining, self._resets_at = max(remaining, 0.0), resets_at

    def sent(self, now: float) -> None:
        """A call is sent."""
        if self._sent_at is not None:
            before = self._spacing_seconds
            spacing = now - self._sent_at
            self._spacing_seconds = spacing if before is None else before + _SMOOTHING * (spacing - before)
        self._sent_at = now
        self._calls_between += 1
        spread = self._spread_seconds(now)
        self._next_at = now + spread if spread else -math.inf

    def opens_at(self, now: float) -> float:
        """When the next call may be sent; not after *now* if that is now."""
        if now >= self._resets_at:
            return -math.inf
        if self._left() < _RESERVED_CALLS:
            return self._resets_at
        return min(self._next_at, self._resets_at) if self._spread_seconds(now) else -math.inf

    def spares(self, now: float) -> bool:
        """Whether something is left, though it is held back."""
        return now < self._resets_at and self._left() >= _RESERVED_CALLS

    def _left(self) -> float:
        """Calls that what is left is enough for."""
        per_call = max(self._per_call or 1.0, 1e-9)
        return (self._remaining / per_call) - self._calls_between

    def _spread_seconds(self, now: float) -> float:
        """From one call to the next; 0 if there is enough for all."""
        until = self._resets_at - now
        left = self._left()
        if until <= 0.0 or self._spacing_seconds is None or left <= 0.0:
            return 0.0
        expected = until / max(self._spacing_seconds, 1e-3)
        return until / left if expected > left * _SPREAD_SHARE else 0.0
