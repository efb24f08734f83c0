"""When the next call of the cache's own may begin: so many, so many at once, so many a second, and never in the way."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sidecar_cache.config import Warm

#: While more of agents' calls are under way than this, nothing new is begun.
BUSY_CALLS: Final = 4
_LOOK_SECONDS: Final = 0.1
#: After a failure nobody asks the provider for a second; each further one in a row doubles that.
_FIRST_REST_SECONDS: Final = 1.0
_LONGEST_REST_SECONDS: Final = 60.0
_MOST_FAILURES: Final = 6


class Budget:
    """
    Args:
        calls_under_way: tells how many calls of agents are waiting for providers.
    """

    def __init__(self, limits: Warm, calls_under_way: Callable[[], int]) -> None:
        self.at_once = asyncio.Semaphore(limits.at_once)
        self.left = limits.calls
        """Calls that may still be made."""
        self._apart_seconds = 1.0 / limits.per_second
        self._next = 0.0
        self._calls_under_way = calls_under_way
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}

    async def turn(self, provider: str) -> bool:
        """Wait until *provider* may be asked; False if it is to be left alone, or no more calls are to be made."""
        while True:
            if self.left <= 0 or self.is_given_up(provider):
                return False
            now = time.monotonic()
            wait_seconds = max(self._rests_until.get(provider, 0.0), self._next) - now
            if wait_seconds <= 0.0 and self._calls_under_way() > BUSY_CALLS:
                wait_seconds = _LOOK_SECONDS
            if wait_seconds <= 0.0:
                break
            await asyncio.sleep(wait_seconds)
        self._next = now + self._apart_seconds
        self.left -= 1
        return True

    def is_given_up(self, provider: str) -> bool:
        return self._failures.get(provider, 0) >= _MOST_FAILURES

    def failed(self, provider: str, asked_seconds: float = 0.0) -> bool:
        """Let *provider* rest; whether it is left alone from now on.

        Args:
            asked_seconds: how long it asks for itself.
        """
        failures = self._failures[provider] = self._failures.get(provider, 0) + 1
        own_seconds = _FIRST_REST_SECONDS * 2.0 ** (failures - 1)
        rest_seconds = min(max(own_seconds, asked_seconds), _LONGEST_REST_SECONDS)
        self._rests_until[provider] = time.monotonic() + rest_seconds
        return failures == _MOST_FAILURES

    def succeeded(self, provider: str) -> None:
        self._failures.pop(provider, None)
