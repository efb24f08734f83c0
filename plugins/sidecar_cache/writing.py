"""The thread that writes to the disk and removes from it what is pending, after it has told what was there before.

Whatever goes wrong there is reported once and costs entries, never a call. SQLite keeps its file whole over a crash;
what a disk may still do to it is caught entry by entry, by the proof that each carries.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from sidecar_cache.codec import Codec, Garbled
from sidecar_cache.entry import Entry
from sidecar_cache.pending import Job, Pending, Unwanted, Work
from sidecar_cache.rows import Row, Rows, is_damage

logger = logging.getLogger(__name__)

_DELIVERED_BYTES: Final = 1024 * 1024
_DELIVERED: Final = 32
_LOADING_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 30.0
"""How long a disk that failed is left alone."""
_JOB_BYTES: Final = 16 * 1024
"""Of the journal, what a job may take besides its data."""
_AT_ONCE: Final = 64
"""Rows that are changed together where none is written."""

Thing = TypeVar("Thing")


class Delivered(NamedTuple):
    """An entry that was on the disk."""

    key: str
    entry: Entry
    calls: float
    """That are known to have asked for it."""


Deliver = Callable[[list[Delivered]], object]


class Writer:
    """
    Args:
        rows: for this thread alone.
        clock: monotonic.
        renewed: is called by the thread when there is another file.
    """

    def __init__(
        self,
        rows: Rows,
        pending: Pending,
        codec: Codec,
        clock: Callable[[], float],
        renewed: Callable[[], object] = lambda: None,
    ) -> None:
        self.stored = 0
        self.dropped = 0
        """Not written: the disk was too slow, full or broken."""
        self.garbled = 0
        """Read, and found damaged or sealed with another secret."""
        self.trouble = ""
        """What is wrong with the disk now; "" if nothing is."""
        self._rows = rows
        self._pending = pending
        self._codec = codec
        self._clock = clock
        self._renewed = renewed
        self._suspicion: tuple[Exception, int] | None = None
        self._closing_at: float | None = None
        self._paused_until = 0.0
        self._thread: threading.Thread | None = None

    @property
    def is_paused(self) -> bool:
        """Whether the disk failed a while ago, and nothing is tried yet."""
        return self._clock() < self._paused_until

    def start(self, deliver: Deliver, max_bytes: int) -> None:
        """
        Args:
            deliver: is called by this thread with what was kept before, some at a time and the best first; at last
                with none, which is the end.
            max_bytes: at most so much of it.
        """
        self._closing_at = None
        self._thread = threading.Thread(target=self._run, args=(deliver, max_bytes), name="sidecar-cache", daemon=True)
        self._thread.start()

    def suspect(self, error: Exception, generation: int) -> None:
        """Have the file begun anew, if it is still that *generation* of it: *error* says that it is damaged."""
        with self._pending.changed:
            self._suspicion = (error, generation)
            self._pending.changed.notify()

    async def close(self, within_seconds: float) -> None:
        """Write what waits, at most so long."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._pending.changed:
            self._closing_at = self._clock() + within_seconds
            self._pending.changed.notify()
        await asyncio.to_thread(thread.join, within_seconds + 0.5)
        if thread.is_alive():
            logger.warning("cache on disk: still writing after %g s; the rest is left", within_seconds)

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _run(self, deliver: Deliver, max_bytes: int) -> None:
        self._trying(lambda: self._load(deliver, max_bytes))
        deliver([])
        while self._awaits_work():
            self._work()
        if len(self._pending):
            logger.warning("cache on disk: %d entries were not written or removed in time", len(self._pending))
        self._trying(self._rows.close)

    def _awaits_work(self) -> bool:
        """Wait until there is something to do; False at the end."""
        pending = self._pending
        with pending.changed:
            while self._closing_at is None:
                pause_seconds = self._paused_until - self._clock()
                if pause_seconds <= 0.0 and (pending.is_due or self._suspicion is not None):
                    return True
                pending.changed.wait(pause_seconds if pause_seconds > 0.0 else None)
            self._paused_until = 0.0  # one last try
            return pending.is_due and not self._is_late

    def _work(self) -> None:
        """Do all there is to do now: first what is to go."""
        suspicion, self._suspicion = self._suspicion, None
        if suspicion is not None and self._rows.is_open and suspicion[1] == self._rows.generation:
            self._begin_anew(suspicion[0])
        work, done = self._pending.take(), 0
        clearing = work.clearing and not self._trying(self._clear)
        unwanted = work.unwanted
        if unwanted and self._trying(lambda: self._forget_all(unwanted)):
            unwanted = []
        if work.ranking and not clearing:
            self._trying(lambda: self._note_ranks(work.ranking))
        while not clearing and done < len(work.jobs) and not self._is_late:
            batch = self._batch(work.jobs, done)
            if not self._trying(lambda batch=batch: self._write(batch)):  # type: ignore[misc]
                break
            done += len(batch)
        left = Work(clearing, unwanted, {}, work.jobs[done:])
        self.dropped += sum(job.entry is not None for job in left.jobs)
        self._pending.done(left)
        if self._closing_at is not None and (left.jobs or clearing or unwanted):
            self._closing_at = self._clock()

    @property
    def _is_late(self) -> bool:
        return self._closing_at is not None and self._clock() >= self._closing_at

    def _batch(self, jobs: list[Job], start: int) -> list[Job]:
        size, end = jobs[start].data_bytes + _JOB_BYTES, start + 1
        while end < len(jobs) and (size := size + jobs[end].data_bytes + _JOB_BYTES) < self._rows.batch_bytes:
            end += 1
        return jobs[start:end]

    def _trying(self, action: Callable[[], None]) -> bool:
        """Whether *action* went well; if it did not, somebody is told, once."""
        if self.is_paused:
            return False
        try:
            if not self._rows.is_open:
                self._rows.open()
            action()
        except Exception as error:
            if is_damage(error):
                self._begin_anew(error)
            else:
                self._fail(error)
            return False
        if self.trouble:
            self.trouble = ""
            logger.warning("cache on disk: works again")
        return True

    def _fail(self, error: Exception) -> None:
        self._paused_until = self._clock() + _PAUSE_SECONDS
        trouble = f"{type(error).__name__}: {error}"
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
        except Exception as further:
            self._fail(further)
            return
        self._renewed()
        logger.warning("cache on disk: %s: %s; it was moved aside, and a new one begun", self._rows.path, error)

    def _load(self, deliver: Deliver, max_bytes: int) -> None:
        until = self._clock() + _LOADING_SECONDS
        batch: list[Delivered] = []
        size = loaded = 0
        garbled: list[str] = []
        for row in self._rows.best():
            if self._closing_at is not None or self._clock() > until:
                break
            try:
                entry = self._codec.decode(row.key, row.found)
            except Garbled:
                garbled.append(row.key)
                continue
            loaded += entry.held_bytes
            if loaded > max_bytes:
                break
            batch.append(Delivered(row.key, entry, row.calls))
            size += entry.held_bytes
            if len(batch) >= _DELIVERED or size >= _DELIVERED_BYTES:
                deliver(batch)
                batch, size = [], 0
        if batch:
            deliver(batch)
        if garbled:
            self.garbled += len(garbled)
            logger.warning("cache on disk: %d entries left out: damaged, or sealed with another secret", len(garbled))
            self._forget(garbled)

    def _write(self, jobs: list[Job]) -> None:
        stored = refused = 0
        with self._rows.batch():
            for job in jobs:
                if job.entry is None:
                    self._rows.forget(job.key)
                elif self._rows.keep(row_of(self._codec, job.key, job.entry, job.calls)):
                    stored += 1
                else:
                    refused += 1
        self.stored += stored
        self.dropped += refused

    def _forget_all(self, unwanted: list[Unwanted]) -> None:
        going = []
        for row in self._rows.summaries():
            with contextlib.suppress(Garbled):
                entry = summary_of(self._codec, row.key, row.summary)
                if any(each(entry) for each in unwanted):
                    going.append(row.key)
        self._forget(going)

    def _forget(self, keys: list[str]) -> None:
        for some in _parts(keys):
            with self._rows.batch():
                for key in some:
                    self._rows.forget(key)

    def _clear(self) -> None:
        self._rows.clear()
        self._renewed()

    def _note_ranks(self, ranking: dict[str, float]) -> None:
        for some in _parts(ranking.items()):
            with self._rows.batch():
                self._rows.rank(some)


def row_of(codec: Codec, key: str, entry: Entry, calls: float) -> Row:
    summary = replace(entry, data=b"", cuts=b"", gaps=b"", parts=())
    sealed = codec.encode(_of_summary(key), summary)
    return Row(key, codec.encode(key, entry), sealed, len(entry.data), calls)


def summary_of(codec: Codec, key: str, summary: bytes) -> Entry:
    """What may be told of the entry under *key*: all but its data and the parts of its key.

    Raises:
        Garbled: it is none of that.
    """
    return codec.decode(_of_summary(key), summary)


def _of_summary(key: str) -> str:
    return f"{key} summary"


def _parts(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    """Some at a time."""
    iterator = iter(things)
    while some := list(islice(iterator, _AT_ONCE)):
        yield some
