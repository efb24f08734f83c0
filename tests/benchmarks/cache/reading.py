"""What a hit on the disk takes: ``python -m tests.benchmarks.cache.reading [SECONDS]``.

Entries are asked for at random moments, 300 a second, none twice, on the loop that serves. Measured is what a call
waits: for the index to be asked, a thread to read and prove, memory to take in.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from sidecar_cache.codec import Codec
from sidecar_cache.disk import Disk
from sidecar_cache.entry import Entry
from sidecar_cache.memory import Memory
from sidecar_cache.rows import FILE
from sidecar_cache.worth import MOST_ENTRIES
from sidecar_cache.writing import Delivered

from sidecar import Secret
from tests.benchmarks.cache.policies import MiB
from tests.plugins.kept_entries import speech

PER_SECOND: Final = 300.0
WRITTEN_PER_SECOND: Final = 20.0
BUDGET_SECONDS: Final = 0.02
#: A tenth and a half of the budget; to find out that something is not there costs next to nothing.
WANTED_P50_SECONDS, WANTED_P99_SECONDS, WANTED_MISS_SECONDS = BUDGET_SECONDS / 10, BUDGET_SECONDS / 2, 5e-6
_WARMING: Final = 50
_LARGEST_BATCH: Final = 20
_MISSES: Final = 20_000
_DISK_BYTES: Final = 1024 * MiB
"""For none of them to be asked for twice."""


class Case(NamedTuple):
    size_bytes: int
    sealed: bool = False
    cold: bool = False
    """The kernel has forgotten the file."""
    writing: bool = False
    """Others are being written."""

    @property
    def name(self) -> str:
        how = {"sealed": self.sealed, "not in the page cache": self.cold, "20 written a second": self.writing}
        return ", ".join((f"{self.size_bytes // 1000} KB", *(what for what, so in how.items() if so)))


CASES: Final = tuple(
    case
    for size in (64_000, 200_000)
    for case in (Case(size), Case(size, sealed=True), Case(size, writing=True), Case(size, cold=True))
)


class Measured(NamedTuple):
    waited_seconds: Sequence[float]
    """By those that were answered, sorted."""
    missed: int
    """Late, or refrained from."""

    def quantile(self, share: float) -> float:
        return self.waited_seconds[min(int(share * len(self.waited_seconds)), len(self.waited_seconds) - 1)]

    @property
    def reached(self) -> bool:
        return self.quantile(0.5) <= WANTED_P50_SECONDS and self.quantile(0.99) <= WANTED_P99_SECONDS


def printed(seconds: float = 10.0) -> int:
    """Print the table; how many of its rows miss what is wanted."""
    wanted = f"{WANTED_P50_SECONDS * 1e3:g} and {WANTED_P99_SECONDS * 1e3:g}"
    print(f"hits on the disk, {PER_SECOND:g} a second for {seconds:g} s; ms, wanted {wanted} at most")
    print(f"{'':40} {'p50':>6} {'p99':>6} {'most':>6} {'hits':>6} {'late':>6}")
    short = 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as directory:
            found = uvloop.run(measured(case, seconds, Path(directory)))
        times = " ".join(f"{found.quantile(share) * 1e3:6.2f}" for share in (0.5, 0.99, 1.0))
        verdict = "" if found.reached else "  MISSED"
        print(f"{case.name:40} {times} {len(found.waited_seconds):6} {found.missed:6}{verdict}", flush=True)
        short += not found.reached
    for entries in (20_000, MOST_ENTRIES):
        miss_seconds = miss(entries)
        verdict = "" if miss_seconds <= WANTED_MISS_SECONDS else "  MISSED"
        told = f"wanted {WANTED_MISS_SECONDS * 1e6:g}"
        print(f"not there, of {entries:,} entries: {miss_seconds * 1e6:.2f} us, {told}{verdict}")
        short += bool(verdict)
    return short


async def measured(case: Case, seconds: float, directory: Path) -> Measured:
    chance, count = random.Random(1), int(1.2 * PER_SECOND * seconds) + 2 * _WARMING
    codec = Codec(Secret("what nobody else knows") if case.sealed else None)
    keys = [chance.randbytes(16).hex() for _ in range(count)]
    filling = _opened(directory, codec)
    for number, key in enumerate(keys):
        filling.keep(key, speech(case.size_bytes, chance))
        if number % _LARGEST_BATCH == 0:
            await _idle(filling)
    await _idle(filling)
    await filling.close(60.0)
    if case.cold:
        _have_forgotten(directory / FILE)
    disk = _opened(directory, codec)
    while len(disk) < count:
        await asyncio.sleep(0.01)
    for key in keys[:_WARMING]:
        await disk.recall(key)
    waited: list[float] = []
    writing = asyncio.create_task(_write(disk, case, chance)) if case.writing else None
    await _ask(disk, keys[_WARMING:], seconds, chance, waited)
    if writing is not None:
        writing.cancel()
    missed = disk.counts["late"] + disk.counts["refrained"]
    await disk.close(60.0)
    return Measured(sorted(waited), missed)


def _opened(directory: Path, codec: Codec) -> Disk:
    disk, memory = Disk(directory, _DISK_BYTES, codec, budget_seconds=BUDGET_SECONDS), Memory[Entry](64 * MiB)

    def take_in(batch: Sequence[Delivered]) -> None:
        for key, entry, calls in batch:
            memory.keep(key, entry, calls)

    disk.start(take_in, 0)
    return disk


async def _idle(disk: Disk) -> None:
    while disk.waiting():
        await asyncio.sleep(0.002)


def _have_forgotten(file: Path) -> None:
    """Have the kernel forget *file*."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


async def _write(disk: Disk, case: Case, chance: random.Random) -> None:
    while True:
        disk.keep(chance.randbytes(16).hex(), speech(case.size_bytes, chance))
        await asyncio.sleep(1.0 / WRITTEN_PER_SECOND)


async def _ask(disk: Disk, keys: list[str], seconds: float, chance: random.Random, waited: list[float]) -> None:
    """Ask for *keys* at random moments, whether the last one has been answered or not."""

    async def ask(key: str) -> None:
        began = time.perf_counter()
        if not isinstance(await disk.recall(key), str):
            waited.append(time.perf_counter() - began)

    loop = asyncio.get_running_loop()
    at = began = loop.time()
    async with asyncio.TaskGroup() as asking:
        for key in keys:
            at += chance.expovariate(PER_SECOND)
            if at - began > seconds:
                break
            await asyncio.sleep(max(at - loop.time(), 0.0))
            asking.create_task(ask(key))


def miss(entries: int) -> float:
    """What a call pays in seconds to find out that of so many *entries* none is its own."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        disk = Disk(Path(directory), _DISK_BYTES, Codec())
        disk._index.fill(chance.randbytes(16).hex() for _ in range(entries))
        missing = [chance.randbytes(16).hex() for _ in range(_MISSES)]

        async def ask() -> float:
            began = time.perf_counter()
            for key in missing:
                await disk.recall(key)
            return (time.perf_counter() - began) / _MISSES

        return uvloop.run(ask())


if __name__ == "__main__":
    sys.exit(min(printed(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0), 1))
