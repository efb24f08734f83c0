"""Entries read off the disk for calls, which wait for that no longer than they may.

One thread reads, one entry after the other. Those who ask for the same at the same time share one reading, and what
comes too late for them is delivered all the same. After some that are late nobody asks, until a try that nobody waits
for is in time.
"""

import asyncio
import contextlib
import logging
import math
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

from sidecar_cache.circuit import Circuit, Leave
from sidecar_cache.entry import Entry
from sidecar_cache.pending import Unwanted
from sidecar_cache.writing import Delivered

logger = logging.getLogger(__name__)

_MOST: Final = 64
"""Readings under way at once; whoever comes then goes on without."""
LATE: Final = "the disk has it, and did not give it in time"
LEFT_ALONE: Final = "the disk has it, and is left alone: it is slow, or fails"


class _Reading:
    __slots__ = ("began", "found", "key", "probing", "unwanted")

    def __init__(
        self,
        key: str,
        found: "asyncio.Future[Entry | None]",
        unwanted: tuple[Unwanted, ...],
        probing: bool,
        began: float,
    ) -> None:
        self.key = key
        self.found = found
        self.unwanted = unwanted
        """What is to go by then."""
        self.probing = probing
        self.began = began


class Reader:
    """
    Args:
        read: is called by the thread with a key; None if there is no such entry. It may raise anything.
        leave: is called by the thread at its end, and when there is another file.
        failed: is told of what *read* raised, and under which key, "" if that is out of date; whether it says something
            of the disk, and not of this entry alone.
        budget_seconds: how long a call waits at most.
        clock: monotonic.
    """

    def __init__(
        self,
        read: Callable[[str], Delivered | None],
        leave: Callable[[], None],
        failed: Callable[[str, Exception], bool],
        *,
        budget_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.counts = dict.fromkeys(("hit", "miss", "late", "failed", "refrained"), 0)
        self._read = read
        self._let_go = leave
        self._failed = failed
        self._budget_seconds = budget_seconds
        self._clock = clock
        self._circuit = Circuit(clock, self._reads_otherwise)
        self._work: queue.SimpleQueue[Callable[[], bool]] = queue.SimpleQueue()
        self._readings: dict[str, _Reading] = {}
        self._late_at = -math.inf
        self._deliver: Callable[[Delivered], object]
        self._thread: threading.Thread | None = None

    @property
    def is_answering(self) -> bool:
        return not self._circuit.is_open

    def start(self, deliver: Callable[[Delivered], object]) -> None:
        """
        Args:
            deliver: is given by the running loop what was read.
        """
        self._deliver, self._work = deliver, queue.SimpleQueue()
        self._thread = threading.Thread(target=_run, args=(self._work,), name="sidecar-cache-reader", daemon=True)
        self._thread.start()

    async def recall(self, key: str, unwanted: tuple[Unwanted, ...]) -> Entry | str:
        """The entry under *key*; or why there is none, "" if it is simply not there.

        Args:
            unwanted: which entries are to go from the disk just now.
        """
        if self._thread is None:
            return ""
        reading = None if self._circuit.is_open else self._readings.get(key)
        if reading is None:
            leave = self._circuit.leave()
            if leave is Leave.REFRAIN or len(self._readings) >= _MOST:
                self.counts["refrained"] += 1
                return LEFT_ALONE
            reading = self._ask(key, unwanted, probing=leave is Leave.PROBE)
            if leave is Leave.PROBE:
                self.counts["refrained"] += 1
                return LEFT_ALONE
        await asyncio.wait((reading.found,), timeout=self._budget_seconds)
        if not reading.found.done():
            self.counts["late"] += 1
            now = self._clock()
            if now - self._late_at >= self._budget_seconds / 2:  # who waits behind the one that is late is late with it
                self._late_at = now
                self._circuit.bad(f"no answer within {self._budget_seconds * 1e3:g} ms")
            return LATE
        entry = reading.found.result()
        self.counts["miss" if entry is None else "hit"] += 1
        return "" if entry is None else entry

    def void(self, key: str) -> None:
        """What is being read under *key* is out of date."""
        reading = self._readings.pop(key, None)
        if reading is not None:
            _set(reading, None)

    def void_all(self) -> None:
        for key in list(self._readings):
            self.void(key)

    async def close(self, within_seconds: float) -> None:
        """End, at the latest after so long."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.void_all()
        self._work.put(self._end)
        await asyncio.to_thread(thread.join, within_seconds)

    def let_go(self) -> None:
        """Have the thread let go of what it reads from: there is another file now. Any thread may say so."""
        self._work.put(self._leave)

    def _ask(self, key: str, unwanted: tuple[Unwanted, ...], *, probing: bool) -> _Reading:
        found: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        reading = self._readings[key] = _Reading(key, found, unwanted, probing, self._clock())
        self._work.put(partial(self._look, reading, asyncio.get_running_loop()))
        return reading

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _look(self, reading: _Reading, loop: asyncio.AbstractEventLoop) -> bool:
        if reading.found.done():
            return True  # it is void
        read: Delivered | Exception | None
        try:
            read = self._read(reading.key)
        except Exception as error:
            read = error
        took_seconds = self._clock() - reading.began
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(self._arrived, reading, read, took_seconds)
        return True

    def _leave(self) -> bool:
        self._let_go()
        return True

    def _end(self) -> bool:
        self._let_go()
        return False

    # -- what it found -------------------------------------------------------------------------------------------------

    def _arrived(self, reading: _Reading, read: Delivered | Exception | None, took_seconds: float) -> None:
        current = self._readings.get(reading.key) is reading
        if isinstance(read, Exception):
            self.counts["failed"] += 1
            of_disk = self._failed(reading.key if current else "", read)
            if of_disk and (reading.probing or not self._circuit.is_open):
                self._circuit.bad(f"{type(read).__name__}: {read}")
        elif took_seconds <= self._budget_seconds:
            self._circuit.good()
        elif reading.probing:
            self._circuit.bad("answers late")
        if not current:
            return
        del self._readings[reading.key]
        if not isinstance(read, Delivered) or any(each(read.entry) for each in reading.unwanted):
            _set(reading, None)
            return
        self._deliver(read)
        _set(reading, read.entry)

    def _reads_otherwise(self, trouble: str) -> None:
        if trouble:
            logger.warning("cache on disk: reading: %s; calls go on without it, and it is tried again", trouble)
        else:
            logger.warning("cache on disk: reading: it answers again")


def _run(work: "queue.SimpleQueue[Callable[[], bool]]") -> None:
    """Do what comes until something says that it was the last."""
    while work.get()():
        pass


def _set(reading: _Reading, entry: Entry | None) -> None:
    if not reading.found.done():
        reading.found.set_result(entry)
