"""What is on the disk is there, after a restart too, whatever happened to process or disk; no call waits for it."""

import asyncio
import logging
import os
import random
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sidecar_cache.codec import Codec
from sidecar_cache.disk import SMALLEST_BYTES, Disk
from sidecar_cache.entry import Entry
from sidecar_cache.index import Index
from sidecar_cache.rows import DAMAGED, FILE, Row, Rows
from sidecar_cache.worth import calls_of, journal_bytes, worth
from sidecar_cache.writing import row_of

from sidecar import Secret
from tests.plugins.kept_entries import entry

CODEC = Codec()
MiB = 1024 * 1024
BOUND = 8 * MiB


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Loaded:
    """What a disk delivers."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.calls: dict[str, float] = {}

    def __call__(self, batch: Iterable[tuple[str, Entry, float]]) -> None:
        for key, found, calls in batch:
            self.entries[key] = found
            self.calls[key] = calls


@asynccontextmanager
async def opened(
    directory: Path, *, codec: Codec = CODEC, max_bytes: int = BOUND, load_bytes: int = BOUND, within: float = 10.0
) -> AsyncIterator[tuple[Disk, Loaded]]:
    disk, loaded = Disk(directory, max_bytes, codec), Loaded()
    disk.start(loaded, load_bytes)
    try:
        yield disk, loaded
    finally:
        await disk.close(within)
        await asyncio.sleep(0)


async def what_is_there(directory: Path, **settings: object) -> Loaded:
    """As the next start reads it."""
    async with opened(directory, **settings) as (disk, loaded):  # type: ignore[arg-type]
        await settled(disk)
    return loaded


async def settled(disk: Disk) -> None:
    """Until the thread has done all that was asked of it."""
    async with asyncio.timeout(20):
        disk.keep("settled", entry(1))
        while disk._pending.find("settled") is not None and not disk.trouble:
            await asyncio.sleep(0.002)
        disk.forget("settled")


def taken_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


async def test_what_was_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    kept = {f"{number}": entry(number * 100) for number in range(50)}
    async with opened(tmp_path) as (disk, loaded):
        for key, each in kept.items():
            disk.keep(key, each)
    assert loaded.entries == {}
    assert (disk.stored, disk.dropped) == (50, 0)
    assert (await what_is_there(tmp_path)).entries == kept


async def test_of_several_under_one_key_the_last_is_there_and_forgotten_ones_are_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        disk.keep("a", entry(1))
        disk.keep("b", entry(2))
        await settled(disk)
        disk.keep("a", entry(3))
        disk.keep("c", entry(4))
        disk.forget("c")
        disk.forget("b")
    assert (await what_is_there(tmp_path)).entries == {"a": entry(3)}


async def test_it_can_be_emptied_and_filled_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        disk.keep("a", entry(1))
        await settled(disk)
        disk.keep("b", entry(2))
        disk.clear()
        disk.keep("c", entry(3))
    assert (await what_is_there(tmp_path)).entries == {"c": entry(3)}


async def test_what_was_asked_for_most_is_read_first_and_only_as_much_as_there_is_room_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        for number in range(40):
            disk.keep(f"{number}", entry(10_000))
        await settled(disk)
        disk.rank((f"{number}", float(number)) for number in range(40))
        await settled(disk)
    loaded = await what_is_there(tmp_path, load_bytes=10 * entry(10_000).held_bytes)
    assert list(loaded.entries) == [f"{number}" for number in reversed(range(30, 40))]
    assert loaded.calls["39"] == pytest.approx(39.0, rel=0.001)


async def test_what_was_asked_for_until_the_end_is_noted(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        for number in range(10):
            disk.keep(f"{number}", entry(10_000))
        await settled(disk)
        disk.rank([("7", 100.0)])
    loaded = await what_is_there(tmp_path)
    assert next(iter(loaded.entries)) == "7"
    assert loaded.calls["7"] == pytest.approx(100.0, rel=0.01)


async def test_it_never_takes_more_than_it_may_and_what_is_worth_least_makes_room(tmp_path: Path) -> None:
    chance = random.Random(1)
    most = 0
    async with opened(tmp_path) as (disk, _):
        for number in range(40):
            disk.keep(f"asked {number}", entry(data=chance.randbytes(20_000)), calls=50.0)
        for number in range(600):
            disk.keep(f"{number}", entry(data=chance.randbytes(chance.randrange(200, 60_000))))
            if number % 20 == 0:
                await settled(disk)
                most = max(most, taken_bytes(tmp_path))
    assert disk.trouble == ""
    assert max(most, taken_bytes(tmp_path)) <= BOUND
    assert disk.evicted > 100
    there = (await what_is_there(tmp_path)).entries
    assert sum(key.startswith("asked") for key in there) == 40
    assert sum(len(each.data) for each in there.values()) > 0.6 * BOUND


async def test_however_small_they_are_there_are_never_more_than_the_index_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar_cache.rows.MOST_ENTRIES", 20)
    async with opened(tmp_path) as (disk, _):
        for number in range(50):
            disk.keep(f"{number}", entry(10), calls=float(number))
        await settled(disk)
        assert len(disk) in (19, 20)
    assert "49" in (await what_is_there(tmp_path)).entries


async def test_a_smaller_bound_than_last_time_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path, max_bytes=4 * BOUND) as (disk, _):
        for number in range(300):
            disk.keep(f"{number}", entry(40_000))
            if number % 50 == 0:
                await settled(disk)
    assert taken_bytes(tmp_path) > BOUND
    await what_is_there(tmp_path)
    assert taken_bytes(tmp_path) <= BOUND


async def test_an_entry_too_large_for_it_is_not_written_and_what_it_replaces_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        disk.keep("a", entry())
        await settled(disk)
        disk.keep("a", entry(BOUND // 4))
        disk.keep("b", entry())
    assert disk.dropped == 1
    assert (await what_is_there(tmp_path)).entries == {"b": entry()}


def test_a_bound_too_small_for_anything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too small"):
        Disk(tmp_path, SMALLEST_BYTES - 1, CODEC)


def test_while_it_is_moved_aside_nothing_is_said_to_be_there(tmp_path: Path) -> None:
    index = Index()
    rows = Rows(tmp_path, BOUND, index)
    rows.open()
    with rows.batch():
        rows.keep(row_of(CODEC, "a", entry(), 0.0))
    assert "a" in index
    rows.move_aside()
    assert "a" not in index


@pytest.mark.parametrize(("calls", "hours", "left"), [(3.0, 0, 3.0), (3.0, 24, 1.0), (3.0, 72, 0.0), (0.0, 0, 0.0)])
def test_calls_count_half_after_a_day_and_what_is_worth_more_stays(calls: float, hours: int, left: float) -> None:
    then = 1.7e9
    assert calls_of(worth(calls, then), then + 3600.0 * hours) == pytest.approx(left, abs=1e-3)


def test_more_calls_and_later_ones_are_worth_more_whatever_the_clock_says() -> None:
    assert worth(0.0, 1e9) < worth(0.0, 1e9 + 60) < worth(1.0, 1e9) < worth(5.0, 1e9) < worth(0.0, 2e9)
    assert calls_of(worth(1.0, 2e9), 0.0) < 1e13


def test_of_very_much_at_once_the_journal_holds_no_more_than_its_share(tmp_path: Path) -> None:
    chance, most, rows = random.Random(1), 0, Rows(tmp_path, SMALLEST_BYTES, Index())
    rows.open()
    with rows.batch():
        for number in range(80):
            rows.keep(row_of(CODEC, f"{number}", entry(data=chance.randbytes(100_000)), 0.0))
            most = max(most, (tmp_path / f"{FILE}-wal").stat().st_size)
    rows.close()
    assert 0 < most <= journal_bytes(SMALLEST_BYTES)


async def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "here"
    async with opened(directory) as (disk, _):
        disk.keep("a", entry())
        await settled(disk)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


async def test_more_than_can_be_written_is_dropped_and_not_gathered(tmp_path: Path) -> None:
    disk = Disk(tmp_path, BOUND, CODEC)  # nobody writes yet
    for number in range(100):
        disk.keep(f"{number}", entry(MiB // 2))
    assert disk.dropped == 100 - 32
    disk.keep("0", entry(1))  # what it replaces counts no more
    assert disk.dropped == 100 - 32


async def test_what_was_dropped_takes_its_older_spelling_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        disk.keep("a", entry(1))
    later = Disk(tmp_path, BOUND, CODEC)
    for number in range(32):
        later.keep(f"{number}", entry(MiB // 2))
    later.keep("a", entry(MiB))
    later.start(Loaded(), 0)
    await later.close(10)
    assert "a" not in (await what_is_there(tmp_path)).entries


async def test_damaged_entries_are_left_out_and_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path) as (disk, _):
        for number in range(5):
            disk.keep(f"{number}", entry())
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE answers SET found = zeroblob(200) WHERE id = 2")
        connection.execute("UPDATE answers SET found = (SELECT found FROM answers WHERE id = 4) WHERE id = 3")
    connection.close()
    async with opened(tmp_path) as (disk, loaded):
        await settled(disk)
    assert sorted(loaded.entries) == ["0", "3", "4"]
    assert disk.garbled == 2
    assert caplog.text.count("2 entries left out") == 1
    caplog.clear()
    await what_is_there(tmp_path)
    assert caplog.text == ""


async def test_entries_sealed_with_another_secret_are_left_out(tmp_path: Path) -> None:
    sealed, other = Codec(Secret("a secret of one pod")), Codec(Secret("a secret of another"))
    async with opened(tmp_path, codec=sealed) as (disk, _):
        disk.keep("a", entry(data=b"legible, were it not sealed"))
    assert b"legible" not in (tmp_path / FILE).read_bytes()
    assert (await what_is_there(tmp_path, codec=sealed)).entries.keys() == {"a"}
    assert (await what_is_there(tmp_path, codec=other)).entries == {}


@pytest.mark.parametrize("kind", ["garbage", "headless", "torn", "of another version"])
async def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as (disk, _):
        for number in range(50):
            disk.keep(f"{number}", entry(data=random.Random(number).randbytes(5000)))
    file = tmp_path / FILE
    whole = file.read_bytes()
    if kind == "of another version":
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version = 7")
        connection.close()
    else:
        file.write_bytes(
            {"garbage": os.urandom(50_000), "headless": bytes(4096) + whole[4096:], "torn": whole[:20_000]}[kind]
        )
    async with opened(tmp_path) as (disk, loaded):
        disk.keep("new", entry(7))
        await settled(disk)
    assert all(found == entry(data=random.Random(int(key)).randbytes(5000)) for key, found in loaded.entries.items())
    assert caplog.text.count("moved aside") == 1
    assert (tmp_path / DAMAGED).exists()
    assert disk.trouble == ""
    assert (await what_is_there(tmp_path)).entries == {"new": entry(7)}
    assert taken_bytes(tmp_path) <= BOUND


async def test_a_damaged_file_that_takes_much_room_is_not_saved(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(os.urandom(BOUND // 2))
    async with opened(tmp_path) as (disk, _):
        disk.keep("a", entry())
    assert not (tmp_path / DAMAGED).exists()
    assert (await what_is_there(tmp_path)).entries == {"a": entry()}


async def test_where_nothing_can_be_written_that_is_said_once_and_memory_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    async with opened(tmp_path / "file") as (disk, _):
        for number in range(20):
            disk.keep(f"{number}", entry())
            await asyncio.sleep(0.001)
    assert disk.stored == 0
    assert disk.dropped == 20
    assert "NotADirectoryError" in disk.trouble or "FileExistsError" in disk.trouble
    assert caplog.text.count("goes on in memory alone") == 1


async def test_a_full_disk_is_said_once_tried_again_later_and_what_was_forgotten_meanwhile_stays_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    disk = Disk(tmp_path, BOUND, CODEC, clock)
    disk.start(Loaded(), 0)
    disk.keep("wrong", entry())
    await settled(disk)
    keep = Rows.keep

    def full(rows: Rows, row: Row) -> bool:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Rows, "keep", full)
    disk.keep("a", entry())
    async with asyncio.timeout(5):
        while not disk.trouble:
            await asyncio.sleep(0.002)
    disk.forget("wrong")
    for number in range(10):
        disk.keep(f"{number}", entry())
    assert caplog.text.count("disk is full") == 1
    monkeypatch.setattr(Rows, "keep", keep)
    clock.now += 31
    disk.keep("b", entry())
    async with asyncio.timeout(5):
        while disk.trouble:
            await asyncio.sleep(0.002)
    assert caplog.text.count("works again") == 1
    await disk.close(10)
    assert disk.dropped == 11
    assert (await what_is_there(tmp_path)).entries == {"b": entry()}


async def test_what_was_forgotten_while_the_disk_failed_is_removed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (disk, _):
        disk.keep("wrong", entry())
        await settled(disk)
        with monkeypatch.context() as broken:
            broken.setattr(Rows, "forget", lambda rows, key: (_ for _ in ()).throw(sqlite3.OperationalError("hm")))
            disk.forget("wrong")
            async with asyncio.timeout(5):
                while not disk.trouble:
                    await asyncio.sleep(0.002)
    assert (await what_is_there(tmp_path)).entries == {}


async def test_closing_takes_no_longer_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hanging(rows: Rows, row: Row) -> bool:
        asyncio.run_coroutine_threadsafe(going_on.wait(), loop).result(20)
        return True

    monkeypatch.setattr(Rows, "keep", hanging)
    disk = Disk(tmp_path, BOUND, CODEC)
    disk.start(Loaded(), 0)
    disk.keep("a", entry())
    thread = disk._writer._thread
    async with asyncio.timeout(5):
        await disk.close(0.05)
    going_on.set()
    assert thread is not None
    await asyncio.to_thread(thread.join)


async def test_handing_over_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    disk = Disk(tmp_path, BOUND, CODEC)
    loop = asyncio.get_running_loop()
    disk.start(Loaded(), 0)
    large = entry(400_000)
    began = loop.time()
    for number in range(40):
        disk.keep(f"{number}", large)
    handed_over_seconds = loop.time() - began
    await disk.close(10)
    assert handed_over_seconds < 0.5 < 40  # writing them takes that long only where the disk is slow; this must not


WRITER = """
import asyncio, random, sys
from pathlib import Path
from sidecar_cache.codec import Codec
from sidecar_cache.disk import Disk
from sidecar_cache.memory import Memory
from tests.plugins.kept_entries import entry

ROOM = 400_000

def is_whole(key, found):
    return found.data == random.Random(key).randbytes(len(found.data))

async def write(directory, seed):
    chance = random.Random(seed)
    disk, memory = Disk(Path(directory), 4 << 20, Codec(), budget_seconds=5.0), Memory(ROOM)
    count = read = 0
    def delivered(batch):
        nonlocal count
        for key, found, calls in batch:
            assert is_whole(key, found), key
            memory.keep(key, found, calls)
            count += 1
    async def ask(key):
        nonlocal read
        if memory.recall(key) is None and not isinstance(found := await disk.recall(key), str):
            assert is_whole(key, found), key
            read += 1
    disk.start(delivered, ROOM)
    disk.keep("ready", entry(data=random.Random("ready").randbytes(9)))
    while not disk.stored:
        await asyncio.sleep(0.0005)
    for _ in range(20):
        await ask(str(chance.randrange(500)))
    sys.stdout.write(f"{count} {read} {disk.garbled} {disk.trouble}\\n")
    sys.stdout.flush()
    while True:
        key = str(chance.randrange(500))
        what = chance.random()
        if what < 0.1:
            memory.forget(key)
            disk.forget(key)
        elif what < 0.4:
            await ask(key)
        elif what < 0.401:
            memory.clear()
            disk.clear()
        else:
            kept = entry(data=random.Random(key).randbytes(chance.randrange(100, 60_000)))
            memory.keep(key, kept)
            disk.keep(key, kept)
        await asyncio.sleep(0 if chance.random() < 0.9 else 0.002)

for line in sys.stdin:
    import os
    directory, seed = line.split()
    child = os.fork()
    if child == 0:
        asyncio.run(write(directory, seed))
    sys.stdout.write(f"{child}\\n")
    sys.stdout.flush()
    os.waitpid(child, 0)
    sys.stdout.write("gone\\n")
    sys.stdout.flush()
"""

KILLS = 200


async def test_killed_at_any_moment_it_never_serves_what_was_not_written_whole(tmp_path: Path) -> None:
    chance = random.Random()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", WRITER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    most = read = 0
    try:
        async with asyncio.timeout(100):
            for number in range(KILLS):
                process.stdin.write(f"{tmp_path} {number}\n".encode())
                child = int(await process.stdout.readline())
                said = (await process.stdout.readline()).decode().split()
                assert said[2:] == ["0"], said  # nothing damaged, no trouble
                most, read = max(most, int(said[0])), read + int(said[1])
                await asyncio.sleep(chance.random() * 0.03)
                os.kill(child, signal.SIGKILL)
                assert await process.stdout.readline() == b"gone\n"
    finally:
        process.kill()
        await process.wait()
    assert most > 20
    assert read > 500  # of what had not been loaded
    there = await what_is_there(tmp_path)
    assert there.entries
    for key, found in there.entries.items():
        assert found.data == random.Random(key).randbytes(len(found.data))
    assert not (tmp_path / DAMAGED).exists()
