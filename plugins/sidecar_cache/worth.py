"""What an entry takes on the disk, and what it is worth there: who is worth least makes room. No I/O."""

import math
from typing import Final

PAGE_BYTES: Final = 4096
_ROW_BYTES: Final = 160
_JOURNAL_SHARE: Final = 8
_HALF_LIFE_SECONDS: Final = 86_400.0
"""Of a call: after a day without any, half as many count as much."""
_MOST_DOUBLINGS: Final = 40.0
"""Of calls; a clock that was set back is no reason for more."""
MOST_ENTRIES: Final = 262_144
"""On a disk, however small they are: so the index of their keys stays within 2 MiB."""


def worth(calls: float, at_seconds: float) -> float:
    """Larger for more calls, and for later ones."""
    return math.log2(1.0 + calls) + at_seconds / _HALF_LIFE_SECONDS


def calls_of(worth: float, at_seconds: float) -> float:
    """How many calls now, at *at_seconds*, would be worth that; at least none."""
    return max(math.exp2(min(worth - at_seconds / _HALF_LIFE_SECONDS, _MOST_DOUBLINGS)) - 1.0, 0.0)


def pages_of(found_bytes: int, summary_bytes: int) -> int:
    """What an entry needs, at most."""
    return (found_bytes + _ROW_BYTES) // (PAGE_BYTES - 8) + summary_bytes // PAGE_BYTES + 4


def journal_bytes(max_bytes: int) -> int:
    """What the journal may take, of *max_bytes* in all."""
    return max_bytes // _JOURNAL_SHARE


def most_pages(max_bytes: int) -> int:
    """For entries, of *max_bytes* in all."""
    return (max_bytes - journal_bytes(max_bytes)) // PAGE_BYTES
