"""The second tier: what is in memory, and more, on a disk. What memory has no room for is found there, and a container
that starts again has it: an emptyDir survives it.

One thread writes, another reads; the loop hands over and goes on. Which keys are there is known without asking. What is
written once stays until it makes room for what is worth more; that memory lets go of it changes nothing.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from sidecar_cache.codec import Codec, Garbled
from sidecar_cache.entry import Entry
from sidecar_cache.index import Index
from sidecar_cache.pending import Pending, Unwanted
from sidecar_cache.reading import Reader
from sidecar_cache.rows import Rows, is_damage
from sidecar_cache.rows.view import View
from sidecar_cache.writing import Delivered, Writer, summary_of

logger = logging.getLogger(__name__)

SMALLEST_BYTES: Final = 4 * 1024 * 1024
"""A smaller bound has no room for a journal and one speech."""
_PAGE: Final = 512
"""Entries that are told of at once."""
_PATIENCE_SECONDS: Final = 5.0
"""Of those who look into it."""

Seen = TypeVar("Seen")
Deliver = Callable[[Sequence[Delivered]], object]


class Told(NamedTuple):
    """What is known of an entry without reading all of it."""

    key: str
    entry: Entry
    """Without its data, its chunks and the parts of its key."""
    size_bytes: int
    """Of its data."""
    calls: float


class Disk:
    """
    Args:
        max_bytes: what may be taken there, journals included: a little less than the volume's ``sizeLimit``.
        clock: monotonic.
        budget_seconds: how long a call waits for it at most.

    Raises:
        ValueError: *max_bytes* is too small.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int,
        codec: Codec,
        clock: Callable[[], float] = time.monotonic,
        budget_seconds: float = 0.02,
    ) -> None:
        if max_bytes < SMALLEST_BYTES:
            raise ValueError(f"is too small: at least {SMALLEST_BYTES} bytes")
        self.max_bytes = max_bytes
        self._codec = codec
        self._index = Index()
        self._rows = Rows(directory, max_bytes, self._index)
        self._pending = Pending()
        self._reader = Reader(self._read, self._leave, self._fail, budget_seconds=budget_seconds, clock=clock)
        self._writer = Writer(self._rows, self._pending, codec, clock, self._reader.let_go)
        self._view: View | None = None
        """The reader's."""
        self._looking = asyncio.Lock()
        self._loading: _Loading | None = None
        self._deliver: Deliver
        self._refused = self._garbled = 0

    def __contains__(self, key: str) -> bool:
        """Whether it is there, or on its way there."""
        job = self._pending.find(key)
        if job is not None:
            return job.entry is not None
        return key in self._index and not self._pending.clears

    def start(self, deliver: Deliver, max_bytes: int) -> None:
        """Begin, in the background, with what was kept before.

        Args:
            deliver: is given entries, the best first, by the running loop; at last none, which is the end. What is
                recalled is given to it, too.
            max_bytes: at most so much of what was kept before.
        """
        loop, self._deliver, self._loading = asyncio.get_running_loop(), deliver, _Loading()

        def loaded(batch: list[Delivered]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(self._loaded, batch)

        self._writer.start(loaded, max_bytes)
        self._reader.start(lambda read: deliver([read]))

    async def recall(self, key: str) -> Entry | str:
        """The entry under *key*, which is delivered as well; or why there is none, "" if it is simply not there.

        What is not there, and what is still on its way there, costs no time; all else is waited for within the budget.
        """
        job = self._pending.find(key)
        if job is not None:
            if job.entry is None:
                return ""
            self._reader.counts["hit"] += 1
            self._deliver([Delivered(key, job.entry, job.calls + 1.0)])
            return job.entry
        if key not in self._index or self._pending.clears:
            return ""
        return await self._reader.recall(key, self._pending.unwanted)

    def keep(self, key: str, entry: Entry, calls: float = 0.0) -> None:
        """Have *entry* written, unless too much waits already."""
        self._void(key)
        if self._writer.is_paused:
            self._pending.forget(key)  # what stands there under this key is out of date
            self._refused += 1
        elif not self._pending.keep(key, entry, calls):
            self._refused += 1

    def forget(self, key: str) -> None:
        """Have it gone, however long that takes; from now on it is not found."""
        self._void(key)
        self._pending.forget(key)

    def forget_all(self, unwanted: Unwanted) -> None:
        """Have those gone of which *unwanted* says so; it is asked by the disk's threads, too."""
        self._pending.forget_all(unwanted)
        self._reader.void_all()
        if self._loading is not None:
            self._loading.unwanted.append(unwanted)

    def clear(self) -> None:
        self._pending.clear()
        self._reader.void_all()
        if self._loading is not None:
            self._loading.unwanted.append(lambda _: True)

    def rank(self, calls: Iterable[tuple[str, float]]) -> None:
        """Note how many calls asked for what: it decides who stays and who is read first at the next start."""
        self._pending.rank(calls)

    async def close(self, within_seconds: float) -> None:
        """Write what waits, at most so long."""
        await self._reader.close(within_seconds / 4)
        await self._writer.close(within_seconds)

    # -- for whoever has time ------------------------------------------------------------------------------------------

    async def look(self, key: str) -> Delivered | None:
        """The entry under *key*, without a call that asks for it; None as well if it cannot be read."""
        job = self._pending.find(key)
        if job is not None:
            return None if job.entry is None else Delivered(key, job.entry, job.calls)
        unwanted = self._pending.unwanted
        read = await self._aside(lambda view: self._found(view, key)) if key in self else None
        return None if read is None or any(each(read.entry) for each in unwanted) else read

    def waiting(self) -> list[Delivered]:
        """What is still to be written."""
        jobs = self._pending.items().values()
        return [Delivered(job.key, job.entry, job.calls) for job in jobs if job.entry is not None]

    async def told(self, prefix: str = "", after: str = "") -> AsyncIterator[list[Told]]:
        """What has been written under keys that begin with *prefix* and come after *after*, in order of the keys, some
        at a time; nothing if it cannot be read.
        """
        unwanted, pending, more = self._pending.unwanted, self._pending.items(), not self._pending.clears
        while more and (found := await self._aside(partial(self._page, prefix, after))):
            page, after, more = found
            yield [each for each in page if each.key not in pending and not any(no(each.entry) for no in unwanted)]

    async def _aside(self, action: Callable[[View], Seen]) -> Seen | None:
        """What *action* sees, by another thread, one at a time; None if the disk fails, or hangs."""

        def seen() -> Seen:
            with contextlib.closing(View(self._rows.path, self._rows.generation)) as view:
                return action(view)

        if not self._rows.is_open:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._looking.acquire()
                looking = asyncio.create_task(asyncio.to_thread(seen))
                looking.add_done_callback(lambda _: self._looking.release())
                return await asyncio.shield(looking)
        except Exception as error:
            logger.warning("cache on disk: cannot be looked into: %s: %s", type(error).__name__, error)
            return None

    def _page(self, prefix: str, after: str, view: View) -> tuple[list[Told], str, bool]:
        """Some, the key that comes last, and whether there may be more."""
        found, told = view.summaries(prefix, after, _PAGE), []
        for row in found:
            with contextlib.suppress(Garbled):
                told.append(Told(row.key, summary_of(self._codec, row.key, row.summary), row.size, row.calls))
        return told, found[-1].key if found else "", len(found) == _PAGE

    # -- in the reader's thread ----------------------------------------------------------------------------------------

    def _read(self, key: str) -> Delivered | None:
        generation = self._rows.generation
        if self._view is None or self._view.generation != generation:
            self._leave()
            self._view = View(self._rows.path, generation)
        try:
            read = self._found(self._view, key)
        except Garbled:
            raise
        except Exception as error:
            self._leave()
            if is_damage(error):
                self._writer.suspect(error, generation)
            raise
        return None if read is None else read._replace(calls=read.calls + 1.0)

    def _found(self, view: View, key: str) -> Delivered | None:
        found = view.found(key)
        return None if found is None else Delivered(key, self._codec.decode(key, found[0]), found[1])

    def _leave(self) -> None:
        view, self._view = self._view, None
        if view is not None:
            view.close()

    # -- what threads found --------------------------------------------------------------------------------------------

    def _fail(self, key: str, error: Exception) -> bool:
        """What could not be read under *key*; whether that is the disk's fault."""
        if isinstance(error, Garbled):
            self._garbled += 1
            if key:
                self.forget(key)
            return False
        return True

    def _loaded(self, batch: list[Delivered]) -> None:
        loading = self._loading
        assert loading is not None
        if not batch:
            self._loading = None
            self._deliver([])
        elif valid := [each for each in batch if loading.is_valid(each)]:
            self._deliver(valid)

    def _void(self, key: str) -> None:
        """What is being read under *key* is out of date."""
        self._reader.void(key)
        if self._loading is not None:
            self._loading.keys.add(key)

    # -- telling -------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Entries that have been written and are there still."""
        return len(self._index)

    @property
    def counts(self) -> dict[str, int]:
        """What became of calls that asked for what is there."""
        return self._reader.counts

    @property
    def stored(self) -> int:
        return self._writer.stored

    @property
    def dropped(self) -> int:
        """Not written: the disk was too slow, full or broken."""
        return self._writer.dropped + self._refused

    @property
    def garbled(self) -> int:
        """Read, and found damaged or sealed with another secret."""
        return self._writer.garbled + self._garbled

    @property
    def evicted(self) -> int:
        return self._rows.evicted

    @property
    def trouble(self) -> str:
        """What is wrong with the disk now; "" if nothing is."""
        return self._writer.trouble

    @property
    def is_answering(self) -> bool:
        """Whether calls ask it at all."""
        return self._reader.is_answering

    @property
    def taken_bytes(self) -> int:
        """By entries there; journals come to that."""
        return self._rows.taken_bytes

    @property
    def index_bytes(self) -> int:
        """In memory, to know which keys are there."""
        return self._index.held_bytes


class _Loading:
    """What has become void while it was read to be delivered at the start."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.unwanted: list[Unwanted] = []

    def is_valid(self, read: Delivered) -> bool:
        return read.key not in self.keys and not any(no(read.entry) for no in self.unwanted)
