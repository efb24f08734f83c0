"""When a second attempt is sent beside the first, and how many calls may be sent beyond those asked for. No I/O."""

from typing import Final

from msgspec import Struct


class HedgePolicy(Struct, frozen=True, kw_only=True):
    """When a call is sent a second time before the first attempt has failed."""

    quantile: float = 0.95
    """Of the first attempt's times: sent when it is later than this share of the answers."""
    extra_share: float = 0.05
    """At most so many extra calls, as a share of all."""
    floor: float = 8.0
    """So many may be sent at once, however few calls there were before."""
    trial_share: float = 0.9
    """A call that tries what was out of order is hedged at this quantile of its usual times."""
    race: int = 1
    """So many candidates are asked at once for critical calls; 1: none beside the first."""


class Budget:
    """Tokens: each call earns a share of one, an extra call costs one. Never more than ``floor + share · calls``.

    A window of calls would forbid all extra calls where there are few; a bucket that is full at the beginning does not
    (linkerd has ``min_retries_per_second`` for that reason).
    """

    __slots__ = ("_floor", "_share", "_tokens")

    def __init__(self, share: float, floor: float) -> None:
        self._share = share
        self._floor = self._tokens = floor

    def earn(self) -> None:
        """A call has come."""
        self._tokens = min(self._tokens + self._share, self._floor)

    def take(self) -> bool:
        """Whether an extra call may be sent; if so, it is counted."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def charge(self, tokens: float) -> None:
        """Something else was sent that is an extra call too, and did not ask."""
        self._tokens = max(self._tokens - tokens, 0.0)

    @property
    def tokens(self) -> float:
        return self._tokens

    @property
    def fullness(self) -> float:
        """From 0 to 1."""
        return self._tokens / self._floor if self._floor else 0.0


#: How much of the answers' tail is hedged when the bucket is empty, and how much more when it is full: while nothing is
#: wrong the bucket stays full enough for when something is.
_THRIFTY, _LAVISH = 0.5, 0.6


def hedged_share(quantile: float, fullness: float) -> float:
    """The quantile at which a call is hedged, with the bucket that full."""
    return round(1.0 - (1.0 - quantile) * (_THRIFTY + _LAVISH * fullness), 3)


#: Where nearly all answers are late, a second attempt is as late: the usual times are then taken to be longer.
_MOSTLY: Final = 0.5


def delay_seconds(quantile_seconds: float, usual: float, slower: float) -> float:
    """After which the second attempt is sent.

    Args:
        quantile_seconds: of the first attempt's usual times.
        usual: how likely it is that its times are as usual.
        slower: by what factor they are longer in the mean.
    """
    return quantile_seconds if usual >= _MOSTLY else quantile_seconds * max(slower, 1.0)
