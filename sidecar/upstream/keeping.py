"""How many connections are to be open before they are needed. No I/O, and no clock: moments are given, monotonic.

======================================  ==============================================================================
of a provider that                      are kept
======================================  ==============================================================================
is configured with ``keep_warm: N``     N connections, always
was called lately, or soon will be      one, at rest or at work
has had a WebSocket lately              ``spare_sockets`` more that have carried nothing yet: a WebSocket takes one
                                        and never gives it back
======================================  ==============================================================================

*Lately* is `LATELY_SECONDS`, or as long as connections may rest where that is longer. A connection that is about to
have rested for too long counts no more, and so is replaced while it can still be used.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

LATELY_SECONDS: Final = 300.0
#: The last part of a connection's rest, in which its successor is opened.
_LAST_SHARE, _LAST_SECONDS = 0.25, 10.0
#: Pauses between connections that the provider does not give or keep, doubling.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Use(Struct):
    """When a provider was last needed; 0.0 stands for never."""

    called: float = 0.0
    expected: float = 0.0
    """When somebody said that a call is likely soon."""
    upgraded: float = 0.0
    """When the agent last asked for a WebSocket."""


class Keeping(Struct, frozen=True, kw_only=True):
    keep_warm: int = 0
    keep_used: bool = False
    """Whether one is kept open while the provider is in use."""
    spare_sockets: int = 0
    idle_seconds: float = 120.0
    """How long a connection may rest."""

    @property
    def successor_seconds(self) -> float:
        """How long a connection may rest before its successor is opened."""
        return self.idle_seconds - min(_LAST_SECONDS, self.idle_seconds * _LAST_SHARE)

    def missing(
        self, now: float, use: Use, *, at_work: int, resting: Iterable[tuple[float, bool]], soon: bool = False
    ) -> int:
        """How many are to be open or on their way beside those that are.

        Args:
            resting: of each connection at rest, since when, and whether it has carried something.
            soon: whether a call is about to come, so that one is to rest.
        """
        lasting = [used for since, used in resting if now - since < self.successor_seconds]
        unused = len(lasting) - sum(lasting)
        lacking = max(self._open(now, use) - at_work - len(lasting), soon - len(lasting))
        if self._is_recent(now, use.upgraded):
            lacking = max(lacking, self.spare_sockets - unused)
        return max(lacking, 0)

    def _open(self, now: float, use: Use) -> int:
        in_use = self.keep_used and self._is_recent(now, max(use.called, use.expected))
        return max(self.keep_warm, in_use)

    def _is_recent(self, now: float, moment: float) -> bool:
        return bool(moment) and now - moment < max(self.idle_seconds, LATELY_SECONDS)


def pause_seconds(setbacks: int) -> float:
    """How long to wait before another connection is opened ahead of time, after so many came to nothing in a row."""
    if not setbacks:
        return 0.0
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** min(setbacks - 1, 10), _LONGEST_PAUSE_SECONDS)
