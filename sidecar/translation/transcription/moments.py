"""Moments and durations as wires write them."""

import re
import time
from typing import Final

_SECONDS: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NANOSECONDS: Final = 1_000_000_000


def iso_time() -> str:
    """Now, as ``2026-11-22T10:00:00.000Z``."""
    now = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // _NANOSECONDS)) + f".{now // 1_000_000 % 1000:03}Z"


def duration(seconds: float) -> str:
    """As protobuf's JSON has it: ``1.500s``."""
    return f"{seconds:.3f}s"


def seconds_of(written: str | None) -> float | None:
    """The number in such a text; None for anything else."""
    found = _SECONDS.fullmatch(written or "")
    return None if found is None else float(found[1])
