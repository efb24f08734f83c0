"""What is in memory, on a disk as well, so that a container that starts again has it: an emptyDir survives it.

One thread does all reading and writing; the loop hands over and goes on. Whatever goes wrong there is reported once and
costs entries, never a call. SQLite keeps its file whole over a crash; what a disk may still do to it is caught entry by
entry, by the proof that each carries.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sidecar_cache.codec import Codec, Garbled
from sidecar_cache.entry import Entry
from sidecar_cache.rows import Row, Rows

logger = logging.getLogger(__name__)

SMALLEST_BYTES: Final = 4 * 1024 * 1024
"""A smaller bound has no room for a journal and one speech."""
_WAITING: Final = 4096
_WAITING_BYTES: Final = 16 * 1024 * 1024
_FORGETTING: Final = 65_536
"""Keys that wait to be removed; with more than that, everything is."""
_DELIVERED_BYTES: Final = 1024 * 1024
_DELIVERED: Final = 32
_LOADING_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 30.0
"""How long a disk that failed is left alone."""


class _Job(NamedTuple):
    key: str
    entry: Entry | None
    """None to forget the key."""
    calls: float = 0.0

    @property
    def data_bytes(self) -> int:
        return 0 if self.entry is None else len(self.entry.data)


class Disk:
    """
    Args:
        max_bytes: what may be taken there, journals included: a little less than the volume's ``sizeLimit``.
        clock: monotonic.

    Raises:
        ValueError: *max_bytes* is too small.
    """

    def __init__(
        self, directory: Path, max_bytes: int, codec: Codec, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if max_bytes < SMALLEST_BYTES:
            raise ValueError(f"is too small: at least {SMALLEST_BYTES} bytes")
        self.stored = 0
        self.dropped = 0
        """Not written: the disk was too slow, full or broken."""
        self.garbled = 0
        """Read, and found damaged or sealed with another secret."""
        self.trouble = ""
        """What is wrong with the disk now; "" if nothing is."""
        self._rows = Rows(directory, max_bytes)
        self._codec = codec
        self._clock = clock
        self._jobs: dict[str, _Job] = {}
        self._waiting_bytes = 0
        self._ranking: dict[str, float] = {}
        self._clearing = False
        self._unwanted: list[Callable[[Entry], bool]] = []
        self._wake = threading.Condition()
        self._closing_at: float | None = None
        self._paused_until = 0.0
        self._thread: threading.Thread | None = None

    @property
    def evicted(self) -> int:
        return self._rows.evicted

    def start(self, deliver: Callable[[Sequence[tuple[str, Entry, float]]], object], max_bytes: int) -> None:
        """Begin, in the background, with what was kept before.

        Args:
            deliver: is given keys, entries and how many calls asked for them, some at a time and the best first, by
                the running loop; at last none, which is the end.
            max_bytes: at most so much of it.
        """
        loop = asyncio.get_running_loop()

        def given(batch: list[tuple[str, Entry, float]]) -> None:
            loop.call_soon_threadsafe(deliver, batch)

        self._closing_at = None
        self._thread = threading.Thread(target=self._run, args=(given, max_bytes), name="sidecar-cache", daemon=True)
        self._thread.start()

    def keep(self, key: str, entry: Entry, calls: float = 0.0) -> None:
        """Have *entry* written, unless too much waits already."""
        with self._wake:
            before = self._jobs.get(key)
            waiting_bytes = self._waiting_bytes + len(entry.data) - (before.data_bytes if before else 0)
            paused = self._clock() < self._paused_until
            if paused or waiting_bytes > _WAITING_BYTES or len(self._jobs) >= _WAITING:
                # what stands there under this key is out of date
                self._put(_Job(key, None))
                self.dropped += 1
            else:
                self._put(_Job(key, entry, calls))

    def forget(self, key: str) -> None:
        """Have it gone: this waits as long as it must, for it may be wrong."""
        with self._wake:
            self._put(_Job(key, None))
            if len(self._jobs) > _FORGETTING:
                self._clear()

    def forget_all(self, unwanted: Callable[[Entry], bool]) -> None:
        """Have those gone of which *unwanted* says so; it is asked by the disk's thread, too."""
        with self._wake:
            for job in list(self._jobs.values()):
                if job.entry is not None and unwanted(job.entry):
                    self._put(_Job(job.key, None))
            self._unwanted.append(unwanted)
            self._wake.notify()

    def clear(self) -> None:
        with self._wake:
            self._clear()

    def rank(self, calls: Iterable[tuple[str, float]]) -> None:
        """Note how many calls asked for what: it decides who stays and who is read first at the next start."""
        with self._wake:
            self._ranking = dict(calls)
            self._wake.notify()

    def _put(self, job: _Job) -> None:
        before = self._jobs.pop(job.key, None)
        self._waiting_bytes += job.data_bytes - (before.data_bytes if before else 0)
        self._jobs[job.key] = job
        self._wake.notify()

    def _clear(self) -> None:
        self._jobs.clear()
        self._ranking.clear()
        self._waiting_bytes = 0
        self._clearing = True
        self._wake.notify()

    async def close(self, within_seconds: float) -> None:
        """Write what waits, at most so long."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._wake:
            self._closing_at = self._clock() + within_seconds
            self._wake.notify()
        await asyncio.to_thread(thread.join, within_seconds + 0.5)
        if thread.is_alive():
            logger.warning("cache on disk: still writing after %g s; the rest is left", within_seconds)

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _run(self, deliver: Callable[[list[tuple[str, Entry, float]]], None], max_bytes: int) -> None:
        self._trying(lambda: self._load(deliver, max_bytes))
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            deliver([])
        while self._awaits_work():
            self._work()
        if self._jobs:
            logger.warning("cache on disk: %d entries were not written or removed in time", len(self._jobs))
        self._trying(self._rows.close)

    def _awaits_work(self) -> bool:
        """Wait until there is something to do; False at the end."""
        with self._wake:
            while self._closing_at is None:
                pause_seconds = self._paused_until - self._clock()
                if pause_seconds <= 0.0 and (self._jobs or self._ranking or self._clearing or self._unwanted):
                    return True
                self._wake.wait(pause_seconds if pause_seconds > 0.0 else None)
            self._paused_until = 0.0  # one last try
            return bool(self._jobs or self._clearing or self._unwanted) and not self._is_late

    def _work(self) -> None:
        """Write all there is to write now: first what is to go."""
        with self._wake:
            jobs, self._jobs = sorted(self._jobs.values(), key=lambda job: job.entry is not None), {}
            clearing, self._clearing = self._clearing, False
            ranking, self._ranking = self._ranking, {}
            unwanted, self._unwanted = self._unwanted, []
        done = 0
        if clearing:
            clearing = not self._trying(self._erase)
        if unwanted and not self._trying(lambda: self._forget_all(unwanted)):
            self._unwanted = unwanted + self._unwanted
        if not clearing and ranking:
            self._trying(lambda: self._note_ranks(ranking))
        while not clearing and done < len(jobs) and not self._is_late:
            batch = self._batch(jobs, done)
            if not self._trying(lambda batch=batch: self._write(batch)):  # type: ignore[misc]
                break
            done += len(batch)
        self._put_back(jobs[done:], clearing)

    @property
    def _is_late(self) -> bool:
        return self._closing_at is not None and self._clock() >= self._closing_at

    def _batch(self, jobs: list[_Job], start: int) -> list[_Job]:
        size, end = jobs[start].data_bytes, start + 1
        while end < len(jobs) and (size := size + jobs[end].data_bytes) < self._rows.batch_bytes:
            end += 1
        return jobs[start:end]

    def _put_back(self, jobs: list[_Job], clearing: bool) -> None:
        """Of what could not be done: what was to go has still to go, what was to be kept is no longer."""
        with self._wake:
            self._clearing |= clearing
            self._waiting_bytes = sum(job.data_bytes for job in self._jobs.values())
            for job in jobs:
                self.dropped += job.entry is not None
                self._jobs.setdefault(job.key, _Job(job.key, None))
            if self._closing_at is not None and (jobs or clearing or self._unwanted):
                self._closing_at = self._clock()

    def _trying(self, action: Callable[[], None]) -> bool:
        """Whether *action* went well; if it did not, somebody is told, once."""
        if self._clock() < self._paused_until:
            return False
        try:
            if not self._rows.is_open:
                self._rows.open()
            action()
        except (sqlite3.OperationalError, OSError) as error:
            self._fail(f"{type(error).__name__}: {error}")
            return False
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)
            return False
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            return False
        if self.trouble:
            self.trouble = ""
            logger.warning("cache on disk: works again")
        return True

    def _fail(self, trouble: str) -> None:
        self._paused_until = self._clock() + _PAUSE_SECONDS
        if trouble != self.trouble:
            self.trouble = trouble
            logger.warning(
                "cache on disk: %s: %s; the cache goes on in memory alone, and tries it again every %d s",
                self._rows.path,
                trouble,
                _PAUSE_SECONDS,
            )

    def _begin_anew(self, error: Exception) -> None:
        try:
            self._rows.move_aside()
            self._rows.open()
        except (OSError, sqlite3.Error) as further:
            self._fail(f"{type(further).__name__}: {further}")
            return
        logger.warning("cache on disk: %s: %s; it was moved aside, and a new one begun", self._rows.path, error)

    def _load(self, deliver: Callable[[list[tuple[str, Entry, float]]], None], max_bytes: int) -> None:
        until = self._clock() + _LOADING_SECONDS
        batch: list[tuple[str, Entry, float]] = []
        size = loaded = 0
        garbled: list[str] = []
        for row in self._rows.best():
            try:
                entry = self._codec.decode(row.key, row.found)
            except Garbled:
                garbled.append(row.key)
                continue
            loaded += entry.held_bytes
            if loaded > max_bytes or self._closing_at is not None or self._clock() > until:
                break
            batch.append((row.key, entry, row.calls))
            size += entry.held_bytes
            if len(batch) >= _DELIVERED or size >= _DELIVERED_BYTES:
                deliver(batch)
                batch, size = [], 0
        if batch:
            deliver(batch)
        if garbled:
            self.garbled += len(garbled)
            logger.warning("cache on disk: %d entries left out: damaged, or sealed with another secret", len(garbled))
            with self._rows.batch():
                for key in garbled:
                    self._rows.forget(key)

    def _write(self, jobs: list[_Job]) -> None:
        stored = refused = 0
        with self._rows.batch():
            for job in jobs:
                if job.entry is None:
                    self._rows.forget(job.key)
                elif self._rows.keep(Row(job.key, self._codec.encode(job.key, job.entry), job.calls)):
                    stored += 1
                else:
                    refused += 1
        self.stored += stored
        self.dropped += refused

    def _forget_all(self, unwanted: list[Callable[[Entry], bool]]) -> None:
        going = []
        for row in self._rows.best():
            with contextlib.suppress(Garbled):
                entry = self._codec.decode(row.key, row.found)
                if any(each(entry) for each in unwanted):
                    going.append(row.key)
        with self._rows.batch():
            for key in going:
                self._rows.forget(key)

    def _erase(self) -> None:
        with self._rows.batch():
            self._rows.clear()

    def _note_ranks(self, ranking: dict[str, float]) -> None:
        with self._rows.batch():
            self._rows.rank(ranking.items())
