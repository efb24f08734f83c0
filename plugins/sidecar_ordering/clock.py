"""The time by which calls are ordered."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    """
    Args:
        speed: how many of its seconds pass in one: benchmarks let hours pass in minutes.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._began = time.monotonic()

    def now(self) -> float:
        return self.of(time.monotonic())

    def of(self, monotonic: float) -> float:
        """What it shows, or will show, at *monotonic*."""
        return monotonic if self._speed == 1.0 else self._began + (monotonic - self._began) * self._speed

    def after(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Have *callback* called in so many of its seconds."""
        return asyncio.get_running_loop().call_later(max(seconds, 0.0) / self._speed, callback)
