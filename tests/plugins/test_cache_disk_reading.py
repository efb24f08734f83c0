"""What memory has let go of is read off the disk for the call that asks for it; what is wrong there costs it little."""

import asyncio
import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sidecar_cache.codec import Codec
from sidecar_cache.disk import Disk
from sidecar_cache.entry import Entry
from sidecar_cache.reading import _MOST, LATE, LEFT_ALONE
from sidecar_cache.rows import DAMAGED, FILE, Row, Rows
from sidecar_cache.rows.view import View
from sidecar_cache.writing import Delivered

from sidecar import Secret
from tests.plugins.kept_entries import entry

MiB = 1024 * 1024
BOUND = 8 * MiB
CODEC = Codec()
PATIENT_SECONDS = 30.0
"""A budget, where time is not what is tested."""
BUDGET_SECONDS = 0.03
#: Far above the budget, for busy machines, and far below what a client would wait of its own accord.
BEARABLE_SECONDS = 0.5


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Delivery:
    """What a disk delivers."""

    def __init__(self) -> None:
        self.calls: dict[str, float] = {}
        self.entries: dict[str, Entry] = {}
        self.loaded = asyncio.Event()

    def __call__(self, batch: Sequence[Delivered]) -> None:
        for key, found, calls in batch:
            self.entries[key], self.calls[key] = found, calls
        if not batch:
            self.loaded.set()


@asynccontextmanager
async def opened(
    directory: Path,
    *,
    codec: Codec = CODEC,
    budget_seconds: float = PATIENT_SECONDS,
    load_bytes: int = 0,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[tuple[Disk, Delivery]]:
    disk, delivery = Disk(directory, BOUND, codec, clock, budget_seconds), Delivery()
    disk.start(delivery, load_bytes)
    try:
        yield disk, delivery
    finally:
        await disk.close(10.0)
        await asyncio.sleep(0)


def taken_bytes(directory: Path) -> int:
    taken = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            taken += path.stat().st_size
    return taken


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def written(disk: Disk, *keys: str, size: int = 1000) -> None:
    """Until entries under *keys* are there, and nothing waits."""
    for key in keys:
        disk.keep(key, entry(size))
    await becomes(lambda: not disk.waiting() and all(key in disk._index for key in keys))


class Gate:
    """Readings wait here."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.waiting = 0
        self.read: list[str] = []

    @contextmanager
    def before_reading(self, monkeypatch: pytest.MonkeyPatch) -> Iterator["Gate"]:
        found = View.found

        def waiting(view: View, key: str) -> Any:
            self.waiting += 1
            self.open.wait(20)
            self.read.append(key)
            return found(view, key)

        with monkeypatch.context() as patched:
            patched.setattr(View, "found", waiting)
            try:
                yield self
            finally:
                self.open.set()


# -- what is found -----------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_what_was_written_is_given_and_delivered_with_the_calls_that_asked_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, delivery):
        kept = {f"{number}": entry(number * 1000) for number in range(30)}
        for key, each in kept.items():
            disk.keep(key, each, calls=3.0)
        await written(disk, "other")
        assert not delivery.entries
        for key, each in kept.items():
            assert key in disk
            assert await disk.recall(key) == each
        assert delivery.entries == kept
        assert delivery.calls["7"] == pytest.approx(4.0, rel=0.01)
        assert (disk.counts["hit"], disk.counts["miss"], len(disk)) == (30, 0, 31)
        assert disk.stored == 31, "and is not written again"


async def test_it_is_found_after_a_restart_though_there_was_no_room_to_load_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")
    async with opened(tmp_path, codec=CODEC) as (disk, delivery):
        await delivery.loaded.wait()
        assert not delivery.entries
        assert await disk.recall("a") == entry(1000)


async def test_it_is_found_while_others_are_still_being_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")
    going_on, decode = threading.Event(), Codec.decode

    def slow(codec: Codec, key: str, found: bytes) -> Entry:
        if threading.current_thread().name == "sidecar-cache":
            going_on.wait(20)
        return decode(codec, key, found)

    monkeypatch.setattr(Codec, "decode", slow)
    async with opened(tmp_path, load_bytes=BOUND) as (disk, delivery):
        await becomes(lambda: len(disk) == 2)
        assert await disk.recall("a") == entry(1000)
        going_on.set()
        await delivery.loaded.wait()
        assert sorted(delivery.entries) == ["a", "b"]


async def test_what_is_not_there_is_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a")
        gate = Gate()
        with gate.before_reading(monkeypatch):
            asked = disk.recall("b")
            with pytest.raises(StopIteration) as over:  # it never waits for anything
                asked.send(None)
            assert over.value.value == ""
        assert gate.waiting == 0
        assert "b" not in disk


async def test_what_is_on_its_way_there_is_found_without_reading(tmp_path: Path) -> None:
    disk = Disk(tmp_path, BOUND, CODEC)  # nobody writes yet
    delivery = Delivery()
    disk._deliver = delivery
    disk.keep("a", entry(5))
    assert "a" in disk
    assert await disk.recall("a") == delivery.entries["a"] == entry(5)
    disk.forget("a")
    assert "a" not in disk
    assert await disk.recall("a") == ""


async def test_what_is_being_written_is_found_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on, keep = threading.Event(), Rows.keep

    def slow(rows: Rows, row: Row) -> bool:
        going_on.wait(20)
        return keep(rows, row)

    async with opened(tmp_path) as (disk, _):
        monkeypatch.setattr(Rows, "keep", slow)
        disk.keep("a", entry(5))
        disk.keep("b", entry(6))
        await becomes(lambda: not disk._pending._jobs)
        assert await disk.recall("a") == entry(5)
        disk.forget("a")
        disk.keep("b", entry(7))
        assert (await disk.recall("a"), await disk.recall("b")) == ("", entry(7))
        going_on.set()
        await becomes(lambda: not disk.waiting())
        assert (await disk.recall("a"), await disk.recall("b")) == ("", entry(7))


async def test_those_who_ask_for_the_same_share_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")
        with (gate := Gate()).before_reading(monkeypatch):
            asked = [asyncio.create_task(disk.recall(key)) for key in "aabab"]
            await becomes(lambda: gate.waiting == 1)
            asked[0].cancel()  # one who leaves takes it from nobody
            gate.open.set()
            assert await asyncio.gather(*asked[1:]) == [entry(1000)] * 4
        assert sorted(gate.read) == ["a", "b"]


async def test_of_two_keys_with_one_digest_each_has_its_own(tmp_path: Path) -> None:
    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

    async with opened(tmp_path) as (disk, _):
        disk._index.add(Same("a"))
        assert Same("b") in disk
        assert await disk.recall(Same("b")) == ""
        assert disk.counts["miss"] == 1


# -- what is not given any more ----------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[Disk], object]] = {
    "forgotten": lambda disk: disk.forget("a"),
    "replaced": lambda disk: disk.keep("a", entry(2000)),
    "purged by a filter": lambda disk: disk.forget_all(lambda each: each.about.voice == "alloy"),
    "purged with all": lambda disk: disk.clear(),
}


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_while_it_is_read_is_neither_given_nor_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    async with opened(tmp_path) as (disk, delivery):
        await written(disk, "a")
        with (gate := Gate()).before_reading(monkeypatch):
            asked = asyncio.create_task(disk.recall("a"))
            await becomes(lambda: gate.waiting == 1)
            ENDS[end](disk)
            assert await asked == "", "at once"
            gate.open.set()
            await becomes(lambda: gate.read == ["a"] and not disk.waiting())
        await becomes(lambda: not disk._pending.is_due)
        assert not delivery.entries
        assert await disk.recall("a") == (entry(2000) if end == "replaced" else "")


async def test_what_was_read_before_it_was_replaced_is_not_taken_for_what_is_read_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, found, reading = threading.Event(), View.found, threading.Event()

    def held_up(view: View, key: str) -> Any:
        seen = found(view, key)
        reading.set()
        going_on.wait(20)
        return seen

    async with opened(tmp_path) as (disk, delivery):
        await written(disk, "a")
        monkeypatch.setattr(View, "found", held_up)
        early = asyncio.create_task(disk.recall("a"))
        await becomes(reading.is_set)
        await written(disk, "a", size=2000)
        later = asyncio.create_task(disk.recall("a"))
        await asyncio.sleep(0)
        going_on.set()
        assert (await early, await later) == ("", entry(2000))
        assert delivery.entries == {"a": entry(2000)}


@pytest.mark.parametrize("end", [end for end in ENDS if end != "replaced"])
async def test_what_is_to_go_is_not_found_however_long_the_disk_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")
        going_on = threading.Event()
        batch = Rows.batch

        @contextmanager
        def slow(rows: Rows) -> Iterator[None]:
            going_on.wait(20)
            with batch(rows):
                yield

        monkeypatch.setattr(Rows, "batch", slow)
        ENDS[end](disk)
        for _ in range(3):
            await asyncio.sleep(0.005)
            assert await disk.recall("a") == ""
            assert await disk.look("a") is None
            assert [each async for page in disk.told("a") for each in page] == []
        disk.keep("a", entry(3000))
        assert await disk.recall("a") == entry(3000), "what came after that is another"
        going_on.set()
        await becomes(lambda: not disk.waiting())
        assert await disk.recall("a") == entry(3000)


async def test_what_is_purged_while_it_is_loaded_stays_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as (disk, _):
        for number in range(40):
            disk.keep(f"{number}", entry())
        await written(disk, "a")
    loaded, purges = Disk._loaded, {"forgotten": 40, "purged by a filter": 0}
    for purge, left in purges.items():
        batches = 0

        def purged_first(disk: Disk, batch: list[Delivered], purge: str = purge) -> None:
            nonlocal batches
            batches += 1
            if batches == 1:  # it has been read
                ENDS[purge](disk)
            loaded(disk, batch)

        monkeypatch.setattr(Disk, "_loaded", purged_first)
        async with opened(tmp_path, load_bytes=BOUND) as (_, delivery):
            await delivery.loaded.wait()
        assert batches > 2
        assert len(delivery.entries) == left
        assert "a" not in delivery.entries


# -- trouble -----------------------------------------------------------------------------------------------------------


async def test_a_damaged_entry_is_no_answer_and_goes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, delivery):
        await written(disk, *"abc")
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute("UPDATE answers SET found = zeroblob(1200) WHERE id = 1")
            connection.execute("UPDATE answers SET found = (SELECT found FROM answers WHERE id = 3) WHERE id = 2")
        connection.close()
        assert [await disk.recall(key) for key in "abc"] == ["", "", entry(1000)]
        assert sorted(delivery.entries) == ["c"]
        assert (disk.garbled, disk.is_answering) == (2, True)
        await becomes(lambda: len(disk) == 1)


async def test_entries_sealed_with_another_secret_are_none(tmp_path: Path) -> None:
    async with opened(tmp_path, codec=Codec(Secret("a secret of one pod"))) as (disk, _):
        await written(disk, "a")
        assert await disk.recall("a") == entry(1000)
        (told,) = [each async for page in disk.told() for each in page]
        assert told.entry.about == entry().about
    async with opened(tmp_path, codec=Codec(Secret("a secret of another"))) as (disk, _):
        await becomes(lambda: disk.garbled == 1)
        assert await disk.recall("a") == ""
        assert [each async for page in disk.told() for each in page] == []


async def test_a_file_that_is_damaged_in_service_is_moved_aside_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(1)
    async with opened(tmp_path) as (disk, _):
        kept = {f"{number}": entry(data=chance.randbytes(30_000)) for number in range(60)}
        for key, each in kept.items():
            disk.keep(key, each)
        await written(disk, "other")
    async with opened(tmp_path) as (disk, _):
        await becomes(lambda: len(disk) == 61)
        size = (tmp_path / FILE).stat().st_size
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(size - 4096))
        for key, each in kept.items():
            assert await disk.recall(key) in ("", LEFT_ALONE, each)
        await becomes(lambda: (tmp_path / DAMAGED).exists())
        await becomes(lambda: len(disk) == 0)
        await written(disk, "0", size=77)
        async with asyncio.timeout(10):
            while isinstance(found := await disk.recall("0"), str):
                await asyncio.sleep(0.05)  # it may be left alone for a second
        assert found == entry(77), "the new file's, and not the old one's"
    assert caplog.text.count("moved aside") == 1


async def test_of_a_new_file_nothing_is_taken_for_the_old_ones_and_no_old_suspicion_falls_on_it(tmp_path: Path) -> None:
    damage = sqlite3.DatabaseError("database disk image is malformed")
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")
        assert await disk.recall("a") == entry(1000)
        disk._writer.suspect(damage, disk._rows.generation)
        await becomes(lambda: len(disk) == 0)
        await written(disk, "a", size=2000)
        assert await disk.recall("a") == entry(2000)
        disk._writer.suspect(damage, disk._rows.generation - 1)
        await written(disk, "c")
        assert sorted(key for key in "abc" if key in disk) == ["a", "c"]


async def test_when_nothing_can_be_written_any_more_what_is_there_is_still_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a", "b")

        def refused(rows: Rows, row: Row) -> bool:
            raise sqlite3.OperationalError("attempt to write a readonly database")

        monkeypatch.setattr(Rows, "keep", refused)
        disk.keep("b", entry(2000))
        await becomes(lambda: bool(disk.trouble))
        assert await disk.recall("a") == entry(1000)
        assert await disk.recall("b") == "", "it is out of date, and cannot be removed yet"


async def test_a_slow_disk_holds_up_nobody_for_longer_than_the_budget_and_then_nobody_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    loop = asyncio.get_running_loop()
    keys = [f"{number}" for number in range(20)]
    async with opened(tmp_path, budget_seconds=BUDGET_SECONDS) as (disk, delivery):
        await written(disk, *keys)
        with (gate := Gate()).before_reading(monkeypatch):
            answers = []
            for key in keys:
                began = loop.time()
                answers.append(await disk.recall(key))
                assert loop.time() - began < BEARABLE_SECONDS
            assert answers == [LATE] * 3 + [LEFT_ALONE] * 17
            assert (disk.counts["late"], disk.counts["refrained"], disk.is_answering) == (3, 17, False)
            assert not delivery.entries
            gate.open.set()
            await becomes(lambda: sorted(delivery.entries) == keys[:3])  # what was late is not lost
        async with asyncio.timeout(20):
            while not disk.is_answering:
                await disk.recall("5")
                await asyncio.sleep(0.01)
        assert await disk.recall("5") == entry(1000)
    assert caplog.text.count("goes on without it") + caplog.text.count("go on without it") == 1
    assert caplog.text.count("answers again") == 1


async def test_one_slow_reading_is_one_failure_however_many_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, budget_seconds=BUDGET_SECONDS) as (disk, _):
        await written(disk, "a")
        with (gate := Gate()).before_reading(monkeypatch):
            assert await asyncio.gather(*(disk.recall("a") for _ in range(10))) == [LATE] * 10
            assert disk.is_answering
            gate.open.set()


async def test_neither_are_many_failures_those_that_wait_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"{number}" for number in range(20)]
    async with opened(tmp_path, budget_seconds=BUDGET_SECONDS) as (disk, _):
        await written(disk, *keys)
        with (gate := Gate()).before_reading(monkeypatch):
            assert await asyncio.gather(*(disk.recall(key) for key in keys)) == [LATE] * 20
            assert disk.is_answering
            gate.open.set()


async def test_of_very_many_at_once_some_go_on_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{number}" for number in range(_MOST + 10)]
    async with opened(tmp_path) as (disk, _):
        await written(disk, *keys)
        with (gate := Gate()).before_reading(monkeypatch):
            asked = [asyncio.create_task(disk.recall(key)) for key in keys]
            await becomes(lambda: disk.counts["refrained"] == 10)
            gate.open.set()
            answers = await asyncio.gather(*asked)
        assert answers.count(LEFT_ALONE) == 10
        assert answers.count(entry(1000)) == _MOST


async def test_a_disk_whose_reading_fails_is_left_alone_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    async with opened(tmp_path, clock=clock) as (disk, _):
        await written(disk, *"abcde")

        def broken(view: View, key: str) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        with monkeypatch.context() as patched:
            patched.setattr(View, "found", broken)
            assert [await disk.recall(key) for key in "abcd"] == ["", "", "", LEFT_ALONE]
            assert (disk.counts["failed"], disk.trouble) == (3, "")
        clock.now += 2
        assert await disk.recall("e") == LEFT_ALONE, "nobody waits for the try"
        await becomes(lambda: disk.is_answering)
        assert await disk.recall("d") == entry(1000)


async def test_a_hanging_disk_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(tmp_path, BOUND, CODEC)
    disk.start(Delivery(), 0)
    await written(disk, "a")
    with (gate := Gate()).before_reading(monkeypatch):
        asked = asyncio.create_task(disk.recall("a"))
        await becomes(lambda: gate.waiting == 1)
        async with asyncio.timeout(5):
            await disk.close(0.2)
            assert isinstance(await asked, str)
            assert await disk.recall("a") == ""
        gate.open.set()


# -- its bound ---------------------------------------------------------------------------------------------------------


async def test_it_never_takes_more_than_it_may_while_others_read_and_everything_else_goes_on(tmp_path: Path) -> None:
    chance, most, over = random.Random(3), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.0005):
            most = max(most, taken_bytes(tmp_path))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        async with opened(tmp_path) as (disk, _):
            for number in range(1500):
                key, what = f"{chance.randrange(600)}", chance.random()
                if what < 0.6:
                    disk.keep(key, entry(data=chance.randbytes(chance.randrange(200, 60_000))))
                elif what < 0.85:
                    await disk.recall(key)
                elif what < 0.95:
                    disk.forget(key)
                elif what < 0.98:
                    disk.rank((f"{each}", chance.random() * 1000) for each in range(600))
                elif number % 300 == 7:
                    disk.clear() if chance.random() < 0.5 else disk.forget_all(lambda _: chance.random() < 0.5)
                if number % 10 == 0:
                    await asyncio.sleep(0.001)
            await becomes(lambda: not disk.waiting())
            assert disk.trouble == ""
    finally:
        over.set()
        watching.join()
    assert disk.evicted > 50
    assert BOUND // 2 < most <= BOUND


@pytest.mark.parametrize("sizes", [(200, 3000, 30_000, 250_000), (200, 1000, 2000), (130_000, 250_000)])
async def test_neither_do_large_entries_that_push_out_many_small_ones(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    chance, over, most = random.Random(1), threading.Event(), 0
    bound = 4 * MiB

    def watch() -> None:
        nonlocal most
        while not over.wait(0.0003):
            most = max(most, taken_bytes(tmp_path))

    disk = Disk(tmp_path, bound, CODEC)
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        disk.start(Delivery(), 0)
        for number in range(1000):
            disk.keep(f"{chance.randrange(1000)}", entry(data=chance.randbytes(chance.choice(sizes))))
            if number % 50 == 49:
                disk.forget(f"{chance.randrange(1000)}")
                disk.rank((f"{each}", chance.random() * 1000) for each in range(1000))
            if number % 5 == 0:
                await asyncio.sleep(0.002)
        await becomes(lambda: not disk.waiting())
        assert disk.trouble == ""
    finally:
        await disk.close(10.0)
        over.set()
        watching.join()
    assert bound // 4 < most <= bound


async def test_what_is_thrown_out_cannot_be_read_in_the_file_any_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        for key in "ab":
            disk.keep(key, entry(data=b"what %b said " % key.encode() * 500))
        await written(disk, "other")
        disk.forget("a")
        await becomes(lambda: not disk._pending.items())
    content = (tmp_path / FILE).read_bytes()
    assert b"what b said" in content
    assert b"what a said" not in content
    async with opened(tmp_path) as (disk, _):
        await becomes(lambda: len(disk) == 2)
        assert not isinstance(await disk.recall("b"), str)
        disk.clear()
        await becomes(lambda: len(disk) == 0 and not disk._pending.clears)
        await becomes(lambda: disk._view is None)  # nobody holds the old file open
    assert b"what b said" not in (tmp_path / FILE).read_bytes()


async def test_somebody_who_reads_on_and_on_cannot_make_it_take_more(tmp_path: Path) -> None:
    chance, most = random.Random(3), 0
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a")
        reading = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM entries").fetchone()
        for number in range(300):
            disk.keep(f"{number}", entry(data=chance.randbytes(40_000)))
            await asyncio.sleep(0.002)
            most = max(most, taken_bytes(tmp_path))
        await becomes(lambda: bool(disk.trouble))
        assert "somebody is still reading" in disk.trouble
        assert most <= BOUND
        reading.close()


async def test_what_is_asked_for_as_often_as_before_is_not_written_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, _):
        await written(disk, *(f"{number}" for number in range(50)))

        async def ranked(calls: float) -> list[float]:
            disk.rank((f"{number}", calls) for number in range(50))
            await becomes(lambda: not disk._pending.is_due)
            await written(disk, "sync")
            with sqlite3.connect(tmp_path / FILE) as connection:
                rows = connection.execute("SELECT worth FROM entries WHERE key != 'sync' ORDER BY key").fetchall()
            connection.close()
            return [worth for (worth,) in rows]

        first = await ranked(10.0)
        assert await ranked(11.0) == first
        assert max(first) < min(await ranked(20.0))


# -- for whoever has time ----------------------------------------------------------------------------------------------


async def test_what_is_there_is_told_in_order_without_reading_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar_cache.disk._PAGE", 7)
    async with opened(tmp_path) as (disk, _):
        keys = [f"{number:02d}" for number in range(40)]
        for key in keys:
            disk.keep(key, entry(500, fresh_seconds=9.0), calls=3.0)
        await written(disk, "other")
        monkeypatch.setattr(View, "found", None)
        pages = [page async for page in disk.told()]
        told = [each for page in pages for each in page]
        assert [each.key for each in told] == [*keys, "other"]
        assert len(pages) == 6
        assert (told[3].size_bytes, told[3].entry.fresh_seconds, told[3].entry.data) == (500, 9.0, b"")
        assert told[3].calls == pytest.approx(3.0, rel=0.01)
        assert [each.key async for page in disk.told("1", "14") for each in page] == ["15", "16", "17", "18", "19"]
        assert [each.key async for page in disk.told("othe") for each in page] == ["other"]


async def test_looking_counts_for_nothing_and_delivers_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (disk, delivery):
        await written(disk, "a")
        seen = await disk.look("a")
        assert seen is not None
        assert (seen.entry, await disk.look("b")) == (entry(1000), None)
        assert not delivery.entries
        assert disk.counts["hit"] == 0


async def test_looking_into_a_disk_that_hangs_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar_cache.disk._PATIENCE_SECONDS", 0.05)
    async with opened(tmp_path) as (disk, _):
        await written(disk, "a")
        with (gate := Gate()).before_reading(monkeypatch):
            assert await disk.look("a") is None
            assert await disk.look("a") is None
            assert gate.waiting == 1, "one thread hangs there, and no more"
            gate.open.set()
        async with asyncio.timeout(10):
            while await disk.look("a") is None:
                await asyncio.sleep(0.01)
