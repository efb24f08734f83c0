"""A timer that is precise to microseconds; the loops' own count in milliseconds."""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable

_CLOCK_MONOTONIC, _ABSOLUTE = 1, 1
#: How long before the moment the kernel is asked to wake us; the rest is spent looking at the clock.
_EARLY_NS = 60_000
_libc = ctypes.CDLL(None, use_errno=True)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Calls *ring* at the moment given last to `set`. Belongs to the running loop."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._due_ns = 0
        self._descriptor = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._wake)

    def set(self, due_ns: int) -> None:
        """Ring at *due_ns* (CLOCK_MONOTONIC); at once if that has passed."""
        self._due_ns = due_ns
        seconds, nanoseconds = divmod(max(due_ns - _EARLY_NS, 1), 1_000_000_000)
        setting = _Setting(_Timespec(0, 0), _Timespec(seconds, nanoseconds))
        if _libc.timerfd_settime(self._descriptor, _ABSOLUTE, ctypes.byref(setting), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")

    def _wake(self) -> None:
        os.read(self._descriptor, 8)
        while time.monotonic_ns() < self._due_ns:
            pass
        self._ring()

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
