"""What is in memory never takes more than it may, and what is asked for stays."""

import asyncio
import gc
import os
import random
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache.entry import Entry
from sidecar_cache.memory import _GHOST_BYTES, _SLOT_BYTES, Memory

from tests.plugins.kept_entries import entry, speech

HELD = entry().held_bytes + _SLOT_BYTES
MiB = 1024 * 1024


@pytest.fixture
def memory() -> Memory[Entry]:
    """Room for a hundred entries."""
    return Memory(100 * HELD)


def filled(memory: Memory[Entry], count: int, start: int = 0) -> list[str]:
    keys = [f"{number:032x}" for number in range(start, start + count)]
    for key in keys:
        memory.keep(key, entry())
    return keys


def test_what_was_kept_is_there_and_what_was_not_is_not(memory: Memory[Entry]) -> None:
    kept = entry()
    assert memory.keep("a", kept)
    assert memory.recall("a") is kept
    assert memory.peek("a") is kept
    assert "a" in memory
    assert memory.recall("b") is None
    assert memory.peek("b") is None
    assert (len(memory), memory.held_bytes) == (1, HELD)


def test_keeping_again_replaces(memory: Memory[Entry]) -> None:
    memory.keep("a", entry())
    newer = entry(10)
    memory.keep("a", newer)
    assert memory.recall("a") is newer
    assert (len(memory), memory.held_bytes) == (1, newer.held_bytes + _SLOT_BYTES)


def test_what_was_asked_for_stays_when_much_passes_by_that_never_comes_again(memory: Memory[Entry]) -> None:
    asked = filled(memory, 60)
    for key in asked:
        memory.recall(key)
    filled(memory, 1000, start=1000)
    assert sum(key in memory for key in asked) == 60
    assert memory.evicted > 900


def test_of_what_was_asked_for_what_was_asked_for_most_stays(memory: Memory[Entry]) -> None:
    keys = filled(memory, 95)
    for number, key in enumerate(keys):
        for _ in range(1 + number % 5 * 3):
            memory.recall(key)
    for key in filled(memory, 60, start=1000):
        memory.recall(key)
        memory.recall(key)
    stayed = [sum(key in memory for key in keys[rest::5]) for rest in range(5)]
    assert stayed[0] < stayed[4]
    assert stayed[3:] == [19, 19]


def test_what_takes_the_room_of_many_has_to_be_asked_for_as_much_as_they_are(memory: Memory[Entry]) -> None:
    memory.keep("large", entry(8 * HELD))
    for key in ("large", *filled(memory, 80)):
        memory.recall(key)
    memory.recall("large")
    for number in range(1000, 1040):
        memory.keep(f"{number:032x}", entry())
        memory.recall(f"{number:032x}")
    assert "large" not in memory
    assert sum(f"{number:032x}" in memory for number in range(80)) > 55


def test_what_nobody_asks_for_any_more_leaves_in_the_end(memory: Memory[Entry]) -> None:
    old = filled(memory, 60)
    for _ in range(20):
        for key in old:
            memory.recall(key)
    for start in range(1000, 6000, 50):
        for key in filled(memory, 50, start=start):
            memory.recall(key)
            memory.recall(key)
    assert sum(key in memory for key in old) < 6


def test_what_had_to_leave_and_comes_back_is_known(memory: Memory[Entry]) -> None:
    keys = filled(memory, 200)
    left = next(key for key in reversed(keys) if key not in memory)
    memory.keep(left, entry())
    filled(memory, 300, start=1000)
    assert left in memory  # though nobody asked for it since


def test_what_was_forgotten_on_purpose_is_gone(memory: Memory[Entry]) -> None:
    memory.keep("a", entry())
    assert memory.forget("a")
    assert not memory.forget("a")
    assert memory.recall("a") is None
    assert (len(memory), memory.held_bytes) == (0, 0)


def test_what_would_take_an_eighth_is_refused_and_what_stood_there_before_goes() -> None:
    memory: Memory[Entry] = Memory(8 * MiB)
    memory.keep("a", entry())
    assert not memory.keep("a", entry(MiB + 1))
    assert "a" not in memory
    assert memory.keep("b", entry(MiB * 15 // 16))
    assert memory.refused == 1


def test_a_tiny_memory_takes_what_fits_at_all() -> None:
    memory: Memory[Entry] = Memory(4 * HELD)
    assert memory.keep("a", entry(2 * HELD))
    assert not memory.keep("b", entry(4 * HELD))
    assert "a" in memory


def test_no_room_at_all_keeps_nothing() -> None:
    memory: Memory[Entry] = Memory(0)
    assert not memory.keep("a", entry(0))
    assert (len(memory), memory.held_bytes) == (0, 0)


def test_one_that_fills_much_of_it_is_there_until_another_comes() -> None:
    memory: Memory[Entry] = Memory(2 * MiB)
    for number in range(60):
        memory.keep(f"{number}", entry(32 * 1024))
        memory.recall(f"{number}")
    assert memory.keep("large", entry(200 * 1024))
    assert memory.recall("large") is not None


def test_memory_can_be_given_back_at_once_and_what_is_asked_for_goes_last(memory: Memory[Entry]) -> None:
    keys = filled(memory, 150)
    asked = [key for key in keys if key in memory][:20]
    for key in asked:
        memory.recall(key)
    memory.shrink(30 * HELD)
    assert memory.held_bytes <= 30 * HELD
    assert all(key in memory for key in asked)
    memory.shrink(0)
    assert (len(memory), memory.held_bytes) == (0, 0)
    filled(memory, 150)
    assert len(memory) > 80  # the bound is what it was


def test_it_can_be_emptied(memory: Memory[Entry]) -> None:
    keys = filled(memory, 150)
    memory.clear()
    assert (len(memory), memory.held_bytes) == (0, 0)
    assert not any(key in memory for key in keys)
    filled(memory, 150)
    assert memory.held_bytes <= memory.max_bytes


def test_it_tells_what_is_in_it_and_what_was_asked_for(memory: Memory[Entry]) -> None:
    filled(memory, 3)
    memory.recall(f"{1:032x}")
    memory.recall(f"{1:032x}")
    told = {int(held.key, 16): held.calls for held in memory.items()}
    assert sorted(told) == [0, 1, 2]
    assert told[1] == pytest.approx(2.0, rel=0.05)
    assert told[0] == told[2] == 0.0


def test_what_was_asked_for_before_a_restart_still_counts() -> None:
    memory: Memory[Entry] = Memory(100 * HELD)
    for number in range(60):
        memory.keep(f"old {number}", entry(), calls=5.0)
    filled(memory, 500)
    assert sum(f"old {number}" in memory for number in range(60)) == 60


def test_what_comes_back_from_elsewhere_counts_by_what_is_known_of_it_once(memory: Memory[Entry]) -> None:
    keys = filled(memory, 200)
    left = next(key for key in reversed(keys) if key not in memory)  # it is remembered
    memory.keep(left, entry(), calls=5.0)
    told = {held.key: held.calls for held in memory.items()}
    assert told[left] == pytest.approx(5.0, rel=0.05)


def test_who_watches_is_told_of_all_that_comes_and_goes(memory: Memory[Entry]) -> None:
    there: dict[str, Entry] = {}

    def removed(key: str, gone: Entry) -> None:
        assert there.pop(key) is gone

    memory.watch(there.__setitem__, removed)
    filled(memory, 150)
    memory.keep("a", entry())
    memory.keep("a", entry(7))
    memory.keep("a", entry(200 * HELD))
    memory.forget(next(iter(there)))
    assert there == {held.key: held.entry for held in memory.items()}
    memory.clear()
    assert there == {}


def test_very_long_use_leaves_numbers_within_their_range() -> None:
    memory: Memory[Entry] = Memory(8 * HELD)
    for number in range(30_000):
        memory.keep(f"{number}", entry(), calls=1.0)
        memory.recall(f"{number}")
    assert memory._worth < 2.0**401
    assert all(held.calls < 10 for held in memory.items())


keys = st.sampled_from("abcdefghijklmno")
actions = st.one_of(
    st.tuples(st.just("keep"), keys, st.integers(0, 3 * HELD)),
    st.tuples(st.just("recall"), keys, st.just(0)),
    st.tuples(st.just("forget"), keys, st.just(0)),
    st.tuples(st.just("shrink"), st.just(""), st.integers(0, 8 * HELD)),
)


@given(st.lists(actions, max_size=80))
def test_it_gives_what_was_kept_last_or_nothing_and_its_books_are_right(steps: list[tuple[str, str, int]]) -> None:
    memory: Memory[Entry] = Memory(8 * HELD)
    last: dict[str, Entry] = {}
    for what, key, number in steps:
        if what == "keep":
            kept = entry(number)
            there = memory.keep(key, kept)
            assert there == (key in memory)
            last[key] = kept
        elif what == "recall":
            assert memory.recall(key) in (None, last.get(key))
        elif what == "forget":
            memory.forget(key)
            last.pop(key, None)
        else:
            memory.shrink(number)
            assert memory.held_bytes <= number
        books_are_right(memory)


def books_are_right(memory: Memory[Entry]) -> None:
    slots = memory._slots.values()
    held = sum(slot.entry.held_bytes + _SLOT_BYTES for slot in slots)
    assert memory.held_bytes == held + len(memory._ghosts) * _GHOST_BYTES <= memory.max_bytes
    assert memory._probation_bytes == sum(slot.held_bytes for slot in memory._probation.values())
    assert [slot.at for slot in memory._main] == list(range(len(memory._main)))
    assert len(memory._main) + len(memory._probation) == len(slots)


@pytest.mark.parametrize("size", [200, 2_000, 30_000, 200_000])
def test_memory_in_use_is_what_was_said_give_or_take_a_tenth(size: int) -> None:
    limit = 8 * MiB
    chance = random.Random(size)
    memory: Memory[Entry] = Memory(limit)
    gc.collect()
    tracemalloc.start()
    try:
        before, most = tracemalloc.get_traced_memory()[0], 0
        for number in range(int(2.5 * limit / (size + 1500))):
            key = chance.randbytes(16).hex()
            memory.keep(key, speech(chance.randrange(size // 2, size * 3 // 2), chance))
            if number % 3 == 0:
                memory.recall(key)
            if number % 50 == 0:
                most = max(most, tracemalloc.get_traced_memory()[0] - before)
        now = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert memory.evicted > 20
    # what leaves and what comes are both there for a moment
    assert most < 1.1 * limit
    assert 0.9 * limit - 1.5 * size < now <= 1.02 * limit


async def test_what_the_process_takes_is_what_was_said_give_or_take_a_tenth() -> None:
    program = """if True:
        import gc, random
        from sidecar_cache.memory import Memory
        from tests.plugins.kept_entries import speech

        def resident_bytes():
            return int(open("/proc/self/statm").read().split()[1]) * 4096

        chance, memory, limit = random.Random(1), Memory(32 << 20), 32 << 20
        gc.collect()
        before = resident_bytes()
        for number in range(4000):
            key = chance.randbytes(16).hex()
            memory.keep(key, speech(min(int(chance.lognormvariate(10.1, 0.7)), 400_000), chance))
            if number % 3 == 0:
                memory.recall(key)
        print((resident_bytes() - before) / limit, memory.evicted)
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, _ = await process.communicate()
    share, evicted = map(float, said.split())
    assert evicted > 500
    assert 0.85 < share < 1.1
