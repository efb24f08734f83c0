"""Entries in one SQLite file that never takes more than it may, journal included. One thread writes, others look."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sidecar_cache.index import Index
from sidecar_cache.journal import Journal
from sidecar_cache.rows.view import Summary, now, summary_of
from sidecar_cache.worth import MOST_ENTRIES, PAGE_BYTES, calls_of, most_pages, pages_of, worth

FILE: Final = "cache.sqlite3"
DAMAGED: Final = f"{FILE}.damaged"
#: Of all bytes, what is written at once; and the largest entry.
_BATCH_SHARE, _LARGEST_SHARE = 32, 16
_KEPT_DAMAGED_SHARE: Final = 4
_BUSY_SECONDS: Final = 1.0
_LEAVING: Final = 64
NOTED_FROM: Final = 0.25
"""Of worth: a quarter of a half-life, or a fifth more calls. A smaller change is not worth writing."""

_VERSION: Final = 2
#: What is told of entries stands apart from what they say, so that a list of them reads little.
_SCHEMA: Final = f"""
PRAGMA user_version = {_VERSION};
CREATE TABLE IF NOT EXISTS entries
  (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, worth REAL NOT NULL, size INTEGER NOT NULL, summary BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, found BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_worth ON entries (worth);
"""


class Row(NamedTuple):
    key: str
    found: bytes
    """As it was given; nobody has looked into it."""
    summary: bytes
    """The same, of what may be told of it."""
    size: int
    """Of what it says, in bytes."""
    calls: float
    """That asked for it; old ones count less."""


def is_damage(error: Exception) -> bool:
    """Whether *error* says that the file is damaged, or none of ours."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)


class Rows:
    """
    Args:
        max_bytes: what the file and its journals may take together.
        index: is kept to say what is there: from the time on that it is there, until it is no more.

    Raises:
        OSError, sqlite3.Error: by all methods; ``is_damage`` tells which of them mean that the file is damaged, see
            ``move_aside``.
    """

    def __init__(self, directory: Path, max_bytes: int, index: Index) -> None:
        self.directory = directory
        self.evicted = 0
        self.taken_bytes = 0
        """By entries; the file may be larger, and its journal comes to that."""
        self.largest_bytes = max_bytes // _LARGEST_SHARE
        self.batch_bytes = max_bytes // _BATCH_SHARE
        self.generation = 0
        """Another one each time that the file is opened: it may be another file."""
        self._max_bytes = max_bytes
        self._most_pages = 0
        self._journal = Journal(self.path, max_bytes)
        self._index = index
        self._count = 0
        self._changes: list[tuple[str, bool]] = []
        """In this batch: which keys came, or left."""
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
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, cached_statements=24, check_same_thread=True
        )
        try:
            self._prepare(connection)
            self.generation += 1
            self._index.fill(key for (key,) in connection.execute("SELECT key FROM entries"))
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        damaged = self.directory / DAMAGED
        spent_bytes = damaged.stat().st_size if damaged.exists() else 0
        self._most_pages = most_pages(self._max_bytes) - -(-spent_bytes // PAGE_BYTES)
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={max(self.batch_bytes // PAGE_BYTES, 16)}")
        connection.execute(f"PRAGMA journal_size_limit={self.batch_bytes}")
        connection.execute(f"PRAGMA cache_size=-{self._journal.cache_bytes // 1024}")
        _overwrite(connection, False)
        if _number(connection, "user_version") not in (0, _VERSION):
            raise sqlite3.DatabaseError("it was written by another version")
        connection.executescript(_SCHEMA)
        (self._count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        self._make_room(connection, 0)
        connection.executescript("PRAGMA incremental_vacuum")  # execute() would free one page of it
        connection.execute(f"PRAGMA max_page_count={max(self._most_pages, 1)}")
        self.taken_bytes = _taken_pages(connection) * PAGE_BYTES

    def best(self) -> Iterator[Row]:
        """All entries, those first that were asked for most and last. Nothing may be written meanwhile."""
        cursor = self._opened.execute(
            "SELECT key, found, summary, size, worth FROM entries JOIN answers USING (id) ORDER BY worth DESC"
        )
        try:
            for key, found, summary, size, value in cursor:
                yield Row(key, found, summary, size, calls_of(value, now()))
        finally:
            cursor.close()

    def summaries(self) -> Iterator[Summary]:
        """Of all entries. Nothing may be written meanwhile."""
        cursor = self._opened.execute("SELECT key, summary, size, worth FROM entries")
        try:
            yield from map(summary_of, cursor)
        finally:
            cursor.close()

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """What is done within is done at its end, or when the journal is full; each change as a whole or not at all."""
        connection = self._opened
        self._begin(connection, 0)
        try:
            yield
            self._commit(connection)
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self._count = len(self._index)
            raise

    def keep(self, row: Row) -> bool:
        """Whether it is small enough. What is worth least makes room; what stood under its key goes in any case."""
        connection = self._opened
        self._remove(connection, row.key)
        if len(row.found) > self.largest_bytes:
            return False
        self._make_room(connection, pages_of(len(row.found), len(row.summary)), 1)
        self._make_way(connection, len(row.found) + len(row.summary))
        cursor = connection.execute(
            "INSERT INTO entries (key, worth, size, summary) VALUES (?, ?, ?, ?)",
            (row.key, worth(row.calls, now()), row.size, row.summary),
        )
        connection.execute("INSERT INTO answers (id, found) VALUES (?, ?)", (cursor.lastrowid, row.found))
        self._count += 1
        self._changes.append((row.key, True))
        return True

    def rank(self, calls: Iterable[tuple[str, float]]) -> None:
        """How many calls asked for entries until now; what hardly changes is left as it is."""
        at, connection = now(), self._opened
        for key, count in calls:
            self._make_way(connection, 0)
            connection.execute(
                "UPDATE entries SET worth = ?1 WHERE key = ?2 AND abs(worth - ?1) > ?3",
                (worth(count, at), key, NOTED_FROM),
            )

    def forget(self, key: str) -> None:
        """What it said is overwritten, too."""
        connection = self._opened
        _overwrite(connection, True)
        try:
            self._remove(connection, key)
        finally:
            _overwrite(connection, False)

    def clear(self) -> None:
        """Begin a new file in the place of this one."""
        self._let_go()
        self.path.unlink(missing_ok=True)
        self.open()

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
        self._let_go()
        if self.path.stat().st_size > self._max_bytes // _KEPT_DAMAGED_SHARE:
            self.path.unlink()
        else:
            self.path.replace(self.directory / DAMAGED)

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("not open")
        return self._connection

    def _let_go(self) -> None:
        """Of the file, as it is; nothing is said to be there any more."""
        self._index.fill(())
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        self._journal.remove()

    def _remove(self, connection: sqlite3.Connection, key: str) -> None:
        for number, size in connection.execute("SELECT id, size FROM entries WHERE key = ?", (key,)).fetchall():
            self._make_way(connection, size)
            connection.execute("DELETE FROM entries WHERE id = ?", (number,))
            connection.execute("DELETE FROM answers WHERE id = ?", (number,))
            self._count -= 1
            self._changes.append((key, False))

    def _make_room(self, connection: sqlite3.Connection, pages: int, entries: int = 0) -> None:
        """Until *pages* are free and *entries* may come, or nothing is left."""

        def is_room() -> bool:
            return _taken_pages(connection) + pages <= self._most_pages and self._count + entries <= MOST_ENTRIES

        while not is_room():
            leaving = connection.execute("SELECT key FROM entries ORDER BY worth LIMIT ?", (_LEAVING,)).fetchall()
            if not leaving:
                return
            for (key,) in leaving:
                self._remove(connection, key)
                self.evicted += 1
                if is_room():
                    return

    def _begin(self, connection: sqlite3.Connection, needed_bytes: int) -> None:
        if not self._journal.has_room(needed_bytes):
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise sqlite3.OperationalError("its journal cannot be emptied: somebody is still reading")
        self._changes = []
        connection.execute("BEGIN IMMEDIATE")

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        for key, came in self._changes:
            (self._index.add if came else self._index.discard)(key)
        self.taken_bytes = _taken_pages(connection) * PAGE_BYTES

    def _make_way(self, connection: sqlite3.Connection, needed_bytes: int) -> None:
        """In a journal that would grow too long: whoever looks on keeps it from being used anew."""
        if connection.in_transaction and not self._journal.has_room(needed_bytes):
            self._commit(connection)
            self._begin(connection, needed_bytes)


def _overwrite(connection: sqlite3.Connection, so: bool) -> None:
    """Whether what is removed is overwritten: else what is there of it stays until its place is used again."""
    connection.execute(f"PRAGMA secure_delete={'ON' if so else 'FAST'}").fetchall()


def _taken_pages(connection: sqlite3.Connection) -> int:
    return _number(connection, "page_count") - _number(connection, "freelist_count")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (value,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(value)
