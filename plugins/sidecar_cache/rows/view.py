"""A look at the entries in the file, beside the thread that writes there."""

import sqlite3
import time
from pathlib import Path
from typing import Final, NamedTuple

from sidecar_cache.worth import calls_of

_BUSY_SECONDS: Final = 0.05
_LAST_KEY: Final = "\U0010ffff"


class Summary(NamedTuple):
    """A row without what was found."""

    key: str
    summary: bytes
    size: int
    calls: float


class View:
    """Another way to the same file, which only looks; each look is a transaction of its own. For one thread at a time.

    Args:
        generation: of the ``Rows`` whose file it is.

    Raises:
        OSError, sqlite3.Error: as those.
    """

    def __init__(self, path: Path, generation: int) -> None:
        self.generation = generation
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._connection.execute("PRAGMA query_only=1")
            self._connection.execute("PRAGMA cache_size=-256")
        except BaseException:
            self._connection.close()
            raise

    def found(self, key: str) -> tuple[bytes, float] | None:
        """What was kept under *key*, and how many calls are known to have asked for it; None if there is nothing."""
        row = self._connection.execute(
            "SELECT found, worth FROM entries JOIN answers USING (id) WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else (row[0], calls_of(row[1], now()))

    def summaries(self, prefix: str, after: str, most: int) -> list[Summary]:
        """Of those whose keys begin with *prefix* and come after *after*, in order of their keys."""
        found = self._connection.execute(
            "SELECT key, summary, size, worth FROM entries WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
            (after, prefix, prefix + _LAST_KEY, most),
        )
        return [summary_of(row) for row in found]

    def close(self) -> None:
        self._connection.close()


def summary_of(row: tuple[str, bytes, int, float]) -> Summary:
    """
    Args:
        row: key, summary, size and worth.
    """
    return Summary(*row[:3], calls_of(row[3], now()))


def now() -> float:
    """The time of day, in seconds, by which things are worth more or less."""
    return time.time_ns() / 1e9
