"""The cache's memory is bounded, forgets what was asked for least recently, and nothing outlives its time."""

import asyncio
import tracemalloc
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache.entry import Entry
from sidecar_cache.store import BoundedMemory


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def entry(size: int = 100, name: str = "") -> Entry:
    return Entry(200, name.encode(), b"x" * size, False, 0.0)


HELD = entry(100).held_bytes


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> BoundedMemory:
    """Room for three entries, each for a minute."""
    return BoundedMemory(3 * HELD, 60.0, clock)


async def test_what_was_kept_is_there_and_what_was_not_is_not(store: BoundedMemory) -> None:
    kept = entry()
    assert await store.set("a", kept)
    assert store.recall("a") is kept
    assert await store.get("a") is kept
    assert await store.exists("a")
    assert store.recall("b") is None
    assert await store.get("b") is None
    assert (len(store), store.held_bytes) == (1, HELD)


async def test_what_was_asked_for_least_recently_makes_room(store: BoundedMemory) -> None:
    for key in "abc":
        await store.set(key, entry())
    store.recall("a")
    await store.set("d", entry())
    assert [key for key in "abcd" if store.recall(key)] == ["a", "c", "d"]
    assert store.evicted == 1
    assert store.held_bytes <= store.max_bytes


async def test_one_large_entry_makes_several_go(store: BoundedMemory) -> None:
    for key in "abc":
        await store.set(key, entry())
    await store.set("d", entry(2 * HELD))
    assert [key for key in "abcd" if store.recall(key)] == ["d"]
    assert store.evicted == 3


async def test_what_is_larger_than_all_room_is_not_kept_and_costs_no_other_its_place(store: BoundedMemory) -> None:
    await store.set("a", entry())
    assert not await store.set("b", entry(4 * HELD))
    assert store.recall("a") is not None
    assert store.evicted == 0


async def test_keeping_again_replaces(store: BoundedMemory) -> None:
    await store.set("a", entry())
    newer = entry(10)
    await store.set("a", newer)
    assert store.recall("a") is newer
    assert (len(store), store.held_bytes) == (1, newer.held_bytes)
    assert store.evicted == 0


async def test_nothing_outlives_its_time(store: BoundedMemory, clock: Clock) -> None:
    await store.set("a", entry())
    clock.now += 59.9
    assert store.recall("a") is not None
    clock.now += 0.1
    assert store.recall("a") is None
    assert (len(store), store.held_bytes) == (0, 0)


async def test_asking_does_not_prolong_it(store: BoundedMemory, clock: Clock) -> None:
    await store.set("a", entry())
    for _ in range(6):
        clock.now += 10
        found = store.recall("a")
    assert found is None


async def test_keeping_again_does(store: BoundedMemory, clock: Clock) -> None:
    await store.set("a", entry())
    clock.now += 50
    await store.set("a", entry())
    clock.now += 50
    assert store.recall("a") is not None


async def test_a_time_of_its_own_can_be_given(store: BoundedMemory, clock: Clock) -> None:
    await store.set("short", entry(), ttl=1)
    await store.set("for ever", entry(), ttl=None)
    clock.now += 10**9
    assert store.recall("short") is None
    assert store.recall("for ever") is not None


async def test_no_time_at_all_keeps_nothing(clock: Clock) -> None:
    store = BoundedMemory(HELD, 0.0, clock)
    await store.set("a", entry())
    assert store.recall("a") is None


async def test_no_room_at_all_keeps_nothing(clock: Clock) -> None:
    store = BoundedMemory(0, 60.0, clock)
    assert not await store.set("a", entry(0))
    assert len(store) == 0


async def test_it_can_be_emptied(store: BoundedMemory) -> None:
    await store.set("a", entry())
    await store.set("b", entry())
    assert await store.delete("a") == 1
    assert await store.delete("a") == 0
    assert await store.clear()
    assert (len(store), store.held_bytes) == (0, 0)


async def test_many_at_once_leave_it_in_order(store: BoundedMemory) -> None:
    async def use(number: int) -> None:
        key = f"k{number % 7}"
        await store.set(key, entry(number % 50))
        await asyncio.sleep(0)
        store.recall(key)

    await asyncio.gather(*(use(number) for number in range(200)))
    assert store.held_bytes <= store.max_bytes
    assert store.held_bytes == sum(kept.held_bytes for kept, _ in store._entries.values())


async def test_memory_stays_within_what_was_said() -> None:
    limit = 4 << 20
    store = BoundedMemory(limit, 60.0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            await store.set(f"{number:032x}", Entry(200, b"Content-Type: x\r\n", bytes(700), True, 0.0))
        assert tracemalloc.get_traced_memory()[0] - before < 1.3 * limit
    finally:
        tracemalloc.stop()
    assert store.evicted > 10_000


keys = st.sampled_from("abcde")
actions = st.one_of(
    st.tuples(st.just("set"), keys, st.integers(0, 3 * HELD)),
    st.tuples(st.just("recall"), keys, st.just(0)),
    st.tuples(st.just("delete"), keys, st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.integers(0, 40)),
)


@given(st.lists(actions, max_size=40))
def test_it_does_what_the_plainest_such_memory_would(steps: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    store = BoundedMemory(3 * HELD, 60.0, clock)
    model: OrderedDict[str, tuple[Entry, float]] = OrderedDict()

    async def act() -> None:
        for what, key, number in steps:
            if what == "set":
                kept = entry(number)
                await store.set(key, kept)
                model.pop(key, None)
                if kept.held_bytes <= store.max_bytes:
                    model[key] = (kept, clock.now + 60)
                while sum(each.held_bytes for each, _ in model.values()) > store.max_bytes:
                    model.popitem(last=False)
            elif what == "delete":
                await store.delete(key)
                model.pop(key, None)
            elif what == "wait":
                clock.now += number
            else:
                found = model.get(key)
                if found is not None and found[1] <= clock.now:
                    found = model.pop(key) and None
                if found is not None:
                    model.move_to_end(key)
                assert store.recall(key) is (found and found[0])
            assert store.held_bytes == sum(each.held_bytes for each, _ in model.values())
            assert list(store._entries) == list(model)

    asyncio.run(act())
