"""Entries in one SQLite file that never takes more than it may, journal included. For one thread."""

import contextlib
import math
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "cache.sqlite3"
DAMAGED: Final = f"{FILE}.damaged"
_JOURNALS: Final = ("-wal", "-shm")
#: Of all bytes, what the journal may take; one batch of it; and the largest entry.
_JOURNAL_SHARE, _BATCH_SHARE, _LARGEST_SHARE = 8, 32, 16
_PAGE_BYTES: Final = 4096
_ROW_BYTES: Final = 160
_KEPT_DAMAGED_SHARE: Final = 4
_BUSY_SECONDS: Final = 1.0
_LEAVING: Final = 64
_HALF_LIFE_SECONDS: Final = 86_400.0
"""Of a call: after a day without any, half as many count as much."""

_VERSION: Final = 1
_SCHEMA: Final = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS entries
  (key TEXT PRIMARY KEY, calls REAL NOT NULL, worth REAL NOT NULL, found BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_worth ON entries (worth);
"""


class Row(NamedTuple):
    key: str
    found: bytes
    """As it was given; nobody has looked into it."""
    calls: float


class Rows:
    """
    Args:
        max_bytes: what the file and its journals may take together.

    Raises:
        OSError, sqlite3.Error: by all methods; a ``sqlite3.DatabaseError`` that is no ``OperationalError`` means that
            the file is damaged, see ``move_aside``.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.evicted = 0
        self.largest_bytes = max_bytes // _LARGEST_SHARE
        self.batch_bytes = max_bytes // _BATCH_SHARE
        self._max_bytes = max_bytes
        self._most_pages = 0
        self._connection: sqlite3.Connection | None = None

    @property
    def path(self) -> Path:
        return self.directory / FILE

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def open(self) -> None:
        """Open the file, or make it: legible for its owner alone."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, 0o600)
        os.close(descriptor)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=16, check_same_thread=True
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        damaged = self.directory / DAMAGED
        spent_bytes = self._max_bytes // _JOURNAL_SHARE + (damaged.stat().st_size if damaged.exists() else 0)
        self._most_pages = max(self._max_bytes - spent_bytes, 0) // _PAGE_BYTES
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={max(self.batch_bytes // _PAGE_BYTES, 16)}")
        connection.execute(f"PRAGMA journal_size_limit={2 * self.batch_bytes}")
        connection.execute("PRAGMA cache_size=-1024")
        if _number(connection, "user_version") not in (0, _VERSION):
            raise sqlite3.DatabaseError("it was written by another version")
        connection.executescript(_SCHEMA)
        self._make_room(connection, 0)
        connection.executescript("PRAGMA incremental_vacuum")  # execute() would free one page of it
        connection.execute(f"PRAGMA max_page_count={max(self._most_pages, 1)}")

    def __len__(self) -> int:
        (count,) = self._opened.execute("SELECT count(*) FROM entries").fetchone()
        return int(count)

    def best(self) -> Iterator[Row]:
        """All entries, those first that were asked for most and last. Nothing may be written meanwhile."""
        cursor = self._opened.execute("SELECT key, found, calls FROM entries ORDER BY worth DESC")
        try:
            yield from map(Row._make, cursor)
        finally:
            cursor.close()

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """What is done within is there as a whole, or not at all."""
        connection = self._opened
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def keep(self, row: Row) -> bool:
        """Whether it is small enough. What is worth least makes room."""
        if len(row.found) > self.largest_bytes:
            return False
        connection = self._opened
        connection.execute("DELETE FROM entries WHERE key = ?", (row.key,))
        self._make_room(connection, (len(row.found) + _ROW_BYTES) // (_PAGE_BYTES - 8) + 3)
        connection.execute(
            "INSERT INTO entries (key, calls, worth, found) VALUES (?, ?, ?, ?)",
            (row.key, row.calls, _worth(row.calls), row.found),
        )
        return True

    def rank(self, calls: Iterable[tuple[str, float]]) -> None:
        """How many calls asked for entries until now."""
        self._opened.executemany(
            "UPDATE entries SET calls = ?, worth = ? WHERE key = ?",
            ((count, _worth(count), key) for key, count in calls),
        )

    def forget(self, key: str) -> None:
        self._opened.execute("DELETE FROM entries WHERE key = ?", (key,))

    def clear(self) -> None:
        self._opened.execute("DELETE FROM entries")

    def close(self) -> None:
        """What is in the journal goes into the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.close()

    def move_aside(self) -> None:
        """Put a damaged file where somebody may look at it, unless it would take too much room there."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        for journal in _JOURNALS:
            self.path.with_name(FILE + journal).unlink(missing_ok=True)
        if self.path.stat().st_size > self._max_bytes // _KEPT_DAMAGED_SHARE:
            self.path.unlink()
        else:
            self.path.replace(self.directory / DAMAGED)

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("not open")
        return self._connection

    def _make_room(self, connection: sqlite3.Connection, pages: int) -> None:
        """Until *pages* are free, or nothing is left."""
        while _number(connection, "page_count") - _number(connection, "freelist_count") + pages > self._most_pages:
            leaving = connection.execute("SELECT rowid FROM entries ORDER BY worth LIMIT ?", (_LEAVING,)).fetchall()
            if not leaving:
                return
            for row in leaving:
                connection.execute("DELETE FROM entries WHERE rowid = ?", row)
                self.evicted += 1
                used = _number(connection, "page_count") - _number(connection, "freelist_count")
                if used + pages <= self._most_pages:
                    return


def _worth(calls: float) -> float:
    """Larger for more calls, and for later ones."""
    return math.log2(1.0 + calls) + time.time_ns() / 1e9 / _HALF_LIFE_SECONDS


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
