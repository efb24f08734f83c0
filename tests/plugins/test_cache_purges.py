"""Entries that were thrown out: gone from the store that pods share, and given by no pod that hears of it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache import Cache
from sidecar_cache.backends import redis_backend
from sidecar_cache.codec import Codec
from sidecar_cache.entry import Entry
from sidecar_cache.listing import Misunderstood
from sidecar_cache.purges import MOST, SKEW_SECONDS, Purge, Purges, purge_of, read, written
from sidecar_cache.purging import Purging
from sidecar_cache.shared import Shared, Unreachable

from sidecar import Secret
from sidecar.testing import Stage, answer, call, configured
from tests.plugins.kept_entries import entry
from tests.plugins.redis_server import PROGRAM, Server, running
from tests.plugins.test_cache_shared import Fickle, becomes

CODEC = Codec(Secret("what all pods of one agent know"))
NOW = time.time_ns()
SECOND = 1_000_000_000
DAYS = 86_400.0


def stored(at_seconds: float, voice: str = "alloy", **changed: Any) -> Entry:
    """An entry that was stored so long after `NOW`."""
    made = entry(stored_ns=NOW + int(at_seconds * SECOND), **changed)
    return msgspec.structs.replace(made, about=msgspec.structs.replace(made.about, voice=voice))


def key(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar_cache.purging.LOOKED_SECONDS", 0.01)


# -- what is remembered ------------------------------------------------------------------------------------------------


def known(*purges: Purge, now_ns: int = NOW) -> Purges:
    purges_of = Purges(40 * DAYS)
    purges_of.add(purges, now_ns)
    return purges_of


class TestWhatAPurgeCovers:
    def test_is_what_was_stored_by_then_and_fits(self) -> None:
        voices = known(purge_of(NOW, filters={"voice": "al*", "operation": "tts"}))
        keys = known(purge_of(NOW, keys=[key(1), key(2)]))
        everything = known(purge_of(NOW))
        for purges, covered, spared in (
            (voices, (key(1), stored(0)), (key(1), stored(0, "echo"))),
            (keys, (key(2), stored(0)), (key(3), stored(0))),
            (everything, (key(3), stored(0, "echo")), (key(3), stored(SKEW_SECONDS + 1))),
        ):
            assert purges.covers(*covered)
            assert not purges.covers(*spared)
            assert not purges.covers(covered[0], msgspec.structs.replace(covered[1], stored_ns=NOW + 60 * SECOND))

    def test_allows_for_clocks_that_differ(self) -> None:
        assert known(purge_of(NOW)).covers(key(1), stored(SKEW_SECONDS * 0.9))

    def test_does_not_move_with_time_where_an_age_is_meant(self) -> None:
        purges = known(purge_of(NOW, filters={"older": "1h", "voice": "alloy"}))
        assert purges.covers(key(1), stored(-3600))
        assert not purges.covers(key(1), stored(-3000)), "nor when it is an hour old"
        assert not purges.covers(key(1), stored(-4000, "echo"))
        assert known(purge_of(NOW, filters={"older": "1h"})).covers(key(1), stored(-4000, "echo"))

    def test_is_nothing_where_there_is_none(self) -> None:
        assert not known().covers(key(1), stored(-1e6))

    def test_with_a_filter_that_is_none_is_refused(self) -> None:
        with pytest.raises(Misunderstood):
            purge_of(NOW, filters={"voise": "x"})

    def test_is_forgotten_when_all_of_it_is_useless(self) -> None:
        purges = known(purge_of(NOW, filters={"voice": "alloy"}))
        later = NOW + int(41 * DAYS) * SECOND
        assert purges.add((purge_of(later, keys=[key(1)]),), later) != []
        assert len(purges) == 1
        assert known(purge_of(NOW), now_ns=later).covers(key(1), stored(0)) is False

    def test_is_told_once(self) -> None:
        purges, purge = Purges(40 * DAYS), purge_of(NOW)
        assert purges.add((purge, purge), NOW) in ([purge], [purge, purge])
        assert purges.add((purge,), NOW) == []


plans = st.lists(
    st.tuples(
        st.integers(-1000, 1000),
        st.one_of(
            st.builds(
                lambda numbers: {"keys": [key(number) for number in numbers]}, st.lists(st.integers(0, 3), min_size=1)
            ),
            st.sampled_from([{"filters": {"voice": "alloy"}}, {"filters": {"voice": "e*", "source": "call"}}, {}]),
        ),
    ),
    max_size=8,
)


@given(plans, plans, st.integers(0, 3), st.integers(-1100, 1100), st.sampled_from(["alloy", "echo", "nova"]))
def test_who_is_told_later_covers_no_less(one: Any, other: Any, number: int, at: int, voice: str) -> None:
    """However purges of many pods come together, what one of them covers is covered."""
    each = [purge_of(NOW + seconds * SECOND, **what) for seconds, what in (*one, *other)]
    written_down = known(*each[: len(one)]).together(each[len(one) :], NOW)
    later = known(*read(written(written_down)))
    found = stored(at, voice)
    if any(known(purge).covers(key(number), found) for purge in each):
        assert later.covers(key(number), found)


def test_there_are_never_too_many_and_the_oldest_are_counted_for_too_much_rather_than_too_little() -> None:
    purges = Purges(40 * DAYS)
    for number in range(3 * MOST):
        purges.add((purge_of(NOW + number * SECOND, filters={"voice": f"voice-{number}"}),), NOW)
    assert len(purges) == MOST
    assert purges.covers(key(1), stored(-1, "of whom nobody spoke"))
    assert not purges.covers(key(1), stored(2 * MOST + 10, "of whom nobody spoke"))
    assert purges.covers(key(1), stored(2 * MOST + 10, f"voice-{3 * MOST - 1}"))


def test_keys_that_are_purged_one_by_one_are_one_purge() -> None:
    purges = Purges(40 * DAYS)
    for number in range(2000):
        purges.add((purge_of(NOW + number * SECOND // 100, keys=[key(number)]),), NOW)
    assert len(purges) < 10
    assert all(purges.covers(key(number), stored(0)) for number in range(2000))
    assert not purges.covers(key(2000), stored(0))


@given(st.binary(max_size=200))
def test_no_list_is_too_odd(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        read(content)


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", msgspec.msgpack.encode([{"id": "a", "until_ns": 1, "filters": {"voise": "x"}}])]
)
def test_what_is_no_list_is_none(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(no list of purges|no filter is called)"):
        read(content)


# -- a store -----------------------------------------------------------------------------------------------------------


class Listing(Fickle):
    """A store that says which keys it has, a few at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0
        self._keys: list[str] = []

    async def listed(self, prefix: str, cursor: int) -> tuple[int, list[str]]:
        await self._obstacle("list", prefix)
        self.pages += 1
        if not cursor:
            self._keys = sorted(self._cache)  # what is there all the while is told, whatever goes meanwhile
        found = [each for each in self._keys[cursor : cursor + 3] if each.startswith(prefix)]
        return (cursor + 3 if cursor + 3 < len(self._keys) else 0), found


@asynccontextmanager
async def pods(backend: Any, number: int, **options: Any) -> AsyncIterator[list[Shared]]:
    made: list[Shared] = []
    async with AsyncExitStack() as closing:
        for _ in range(number):
            shared = Shared(backend, CODEC, name="shared store", budget_seconds=5.0, **options)
            shared.start()
            closing.push_async_callback(shared.close, 5.0)
            made.append(shared)
        yield made


async def filled(shared: Shared, count: int = 10) -> None:
    for number in range(count):
        shared.keep(key(number), stored(0, "alloy" if number % 2 else "echo"), 60.0)
    await becomes(lambda: shared.waiting == 0)


class TestTheSharedStore:
    async def test_is_rid_of_what_filters_choose_and_nothing_else(self) -> None:
        backend = Listing()
        async with pods(backend, 1) as (shared,):
            await filled(shared)
            shared.keep(key(99), stored(0, "alloy"), 60.0)  # it is still to be written
            swept = await shared.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 5.0)
            await becomes(lambda: shared.waiting == 0)
            left = {
                each for each in backend._cache if each.rpartition(":")[2] in {key(number) for number in range(100)}
            }
            assert (swept.removed, swept.rest) == (5, "")
            assert left == {f"agent-sidecar:{CODEC.label}:{key(number)}" for number in range(0, 10, 2)}
            assert backend.pages > 2

    async def test_is_rid_of_everything_that_is_an_entry(self) -> None:
        backend = Listing()
        async with pods(backend, 1) as (shared,), pods(backend, 1, namespace="others") as (other,):
            await filled(shared)
            await filled(other, 3)
            assert (await shared.purge_all(purge_of(NOW), 5.0)).removed == 10
            assert len([each for each in backend._cache if each.startswith("others")]) == 3
            assert await shared.recall(key(1)) is None

    async def test_that_cannot_be_listed_keeps_what_no_pod_gives_any_more(self) -> None:
        backend = Fickle()
        async with pods(backend, 2) as (one, other):
            await filled(one)
            assert await other.recall(key(1)) is not None
            swept = await one.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 5.0)
            assert swept == (0, "it cannot say what it has")
            await becomes(lambda: other.covers(key(1), stored(0)))
            for shared in (one, other):
                assert await shared.recall(key(1)) is None
                assert await shared.recall(key(2)) is not None
            assert other.counts["purged"] + one.counts["purged"] >= 1
            await becomes(lambda: one.waiting == other.waiting == 0)
            assert f"agent-sidecar:{CODEC.label}:{key(1)}" not in backend._cache, "what is found to be gone is removed"

    async def test_that_hangs_is_looked_through_no_longer_than_it_may(self) -> None:
        class Hanging(Listing):
            async def listed(self, prefix: str, cursor: int) -> tuple[int, list[str]]:
                if cursor:
                    await asyncio.Event().wait()
                return await super().listed(prefix, cursor)

        async with pods(Hanging(), 1) as (shared,):
            await filled(shared)
            async with asyncio.timeout(5):
                swept = await shared.purge_all(purge_of(NOW), 0.05)
            assert swept.removed == 3
            assert swept.rest == "not all of it was looked through within 0.05 s"
            assert await shared.recall(key(9)) is None

    async def test_in_which_something_else_stands_is_looked_through_all_the_same(self) -> None:
        class Odd(Listing):
            async def _get(self, key: str, *args: Any, **kwargs: Any) -> Any:
                if key.endswith("3"):
                    raise RuntimeError("WRONGTYPE")
                return await super()._get(key, *args, **kwargs)

        backend = Odd()
        async with pods(backend, 1) as (shared,):
            await filled(shared)
            backend._cache[f"agent-sidecar:{CODEC.label}:{key(5)}"] = b"garbage"
            swept = await shared.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 5.0)
            assert (swept.removed, swept.rest) == (3, "1 entries could not be read")

    async def test_that_fails_is_told_of_it_later(self) -> None:
        backend = Fickle()
        async with pods(backend, 2) as (one, other):
            await filled(one)
            backend.error = ConnectionResetError()
            with pytest.raises(Unreachable, match="ConnectionResetError"):
                await one.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 5.0)
            assert one.covers(key(1), stored(0)), "it is not given here from now on"
            backend.error = None
            await becomes(lambda: other.covers(key(1), stored(0)))

    async def test_has_one_list_however_many_pods_purge_at_once(self) -> None:
        class Busy(Listing):
            async def _obstacle(self, what: str, key: str) -> None:
                await asyncio.sleep(0)  # others are served in between
                await super()._obstacle(what, key)

            async def _add(self, key: str, value: Any, **kwargs: Any) -> bool:
                await self._obstacle("add", key)
                if key in self._cache:
                    raise ValueError(key)
                self._cache[key] = value
                return True

        async with pods(Busy(), 8) as every:
            purges = [purge_of(NOW, filters={"voice": f"voice-{number}"}) for number in range(len(every))]
            await asyncio.gather(*(each.purge_all(purge, 5.0) for each, purge in zip(every, purges, strict=True)))
            for shared in every:
                for number in range(len(every)):
                    await becomes(lambda: shared.covers(key(1), stored(0, f"voice-{number}")))  # noqa: B023

    async def test_that_somebody_has_left_locked_is_not_waited_for_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sidecar_cache.purging._LOCKING_SECONDS", 0.05)
        backend = Fickle()
        backend._cache[f"agent-sidecar:{CODEC.label}:purging"] = b"somebody"
        async with pods(backend, 2) as (one, other):
            with pytest.raises(Unreachable, match="Locked: another pod is purging"):
                await one.purge_all(purge_of(NOW), 5.0)
            del backend._cache[f"agent-sidecar:{CODEC.label}:purging"]
            await becomes(lambda: other.covers(key(1), stored(0)))
        assert f"agent-sidecar:{CODEC.label}:purging" not in backend._cache

    async def test_gives_nothing_before_it_is_known_what_was_purged(self) -> None:
        class Hesitant(Fickle):
            told = asyncio.Event()

            async def _get(self, key: str, *args: Any, **kwargs: Any) -> Any:
                if key.endswith("purges"):
                    await self.told.wait()
                return await super()._get(key, *args, **kwargs)

        backend = Hesitant()
        backend.told.set()
        async with pods(backend, 1) as (one,):
            await filled(one)
            await one.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 5.0)
            await filled(one)  # somebody who has not heard of it puts it there again
            backend.told.clear()
            async with pods(backend, 1) as (late,):
                asked = [asyncio.create_task(late.recall(key(number))) for number in range(4)]
                await becomes(lambda: {("get", f"agent-sidecar:{CODEC.label}:{key(3)}")} <= {*backend.asked[-6:]})
                backend.told.set()
                found = await asyncio.gather(*asked)
            assert [each is not None for each in found] == [True, False, True, False]

    @pytest.mark.parametrize(
        "garbage",
        [b"", b"garbage", "text", 7, CODEC.seal("purges", b"\xc1"), CODEC.seal("x", b"")],
        ids=["nothing", "garbage", "text", "number", "sealed garbage", "sealed for something else"],
    )
    async def test_with_a_list_that_is_none_goes_on_and_gets_another(
        self, garbage: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        backend = Fickle()
        backend._cache[f"agent-sidecar:{CODEC.label}:purges"] = garbage
        async with pods(backend, 2) as (one, other):
            await filled(one)
            assert await other.recall(key(1)) == stored(0)
            await one.purge_all(purge_of(NOW), 5.0)
            await becomes(lambda: other.covers(key(1), stored(0)))
        assert "no list of purges" in caplog.text

    async def test_keeps_a_list_that_nobody_without_the_secret_can_read_or_write(self) -> None:
        backend = Fickle()
        async with pods(backend, 1) as (shared,):
            await shared.purge_all(purge_of(NOW, filters={"voice": "a-telling-voice"}), 5.0)
        assert b"telling" not in b"".join(each for each in backend._cache.values() if isinstance(each, bytes))

    async def test_is_not_asked_while_nothing_is_purged_but_for_the_list(self) -> None:
        backend = Fickle()
        purging = Purging(backend, CODEC, "p:", 60.0)
        for _ in range(3):
            assert await purging.look() == []
        assert backend.asked == [("get", "p:purges")] * 3


# -- whole pods --------------------------------------------------------------------------------------------------------

SPEECH = {"model": "tts-1", "voice": "alloy", "input": "hello", "response_format": "pcm"}
SPOKEN = bytes(9600)
SECRETS = {"SECRET": "the-same-in-all-pods"}


def config(namespace: str, more: str = "") -> str:
    backend = f"backend: 'tests.plugins.one_for_all:OneForAll', namespace: {namespace}"
    return f"{{secret: '${{env:SECRET}}', shared: {{{backend}}}{more}}}"


async def speak(stage: Stage, voice: str = "alloy") -> bool:
    """Whether the provider was asked."""
    said = answer(SPOKEN, content_type="audio/pcm")
    return bool((await stage.play(call("openai", "/v1/audio/speech", {**SPEECH, "voice": voice}), said)).attempts)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def entries(stage: Stage) -> int:
    return int(stage.samples()['cache_entries{plugin="cache"}'])


class TestPods:
    async def test_forget_what_another_one_has_purged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sidecar_cache.purges.SKEW_SECONDS", 0.0)
        shared = config("forget-purged")
        async with Stage(configured(Cache, shared, SECRETS)) as one, Stage(configured(Cache, shared, SECRETS)) as other:
            for voice in ("alloy", "echo"):
                assert await speak(one, voice)
            await until(lambda: one.samples()['cache_shared_total{plugin="cache",outcome="stored"}'] == 2)
            assert not await speak(other, "alloy")
            assert not await speak(other, "echo")
            told = await one.console("cache", "purge", "POST", voice="alloy")
            assert told is not None
            assert told.value["removed"] == 1
            assert told.value["pods"].startswith("told: they look every")
            assert told.value["shared"].startswith(
                "not confirmed: it cannot say what it has; what is left is given by no"
            )
            await until(lambda: other.samples()['cache_entries{plugin="cache"}'] == 1)
            assert await speak(other, "alloy"), "it is asked anew"
            assert not await speak(other, "echo")
            assert not await speak(other, "alloy"), "and that answer stays"

    async def test_forget_one_by_its_key(self) -> None:
        shared = config("forget-key")
        async with Stage(configured(Cache, shared, SECRETS)) as one, Stage(configured(Cache, shared, SECRETS)) as other:
            for stage in (one, other):
                await speak(stage)
                await speak(stage, "echo")
            told = await one.console("cache", "entries")
            assert told is not None
            (wrong,) = [each.key for each in told.value["entries"] if each.voice == "alloy"]
            done = await one.console("cache", f"entries/{wrong}", "DELETE")
            assert done is not None
            assert done.value.pop("pods").startswith("told: they look every")
            assert done.value == {"removed": 1, "disk": None, "shared": "confirmed", "shared_removed": 0}
            await until(lambda: other.samples()['cache_entries{plugin="cache"}'] == 1)

    async def test_forget_it_on_their_disk_even_if_they_were_not_there(self, tmp_path: Path) -> None:
        shared, disk = config("forget-disk"), f", disk: {{directory: {tmp_path}}}"
        async with Stage(configured(Cache, config("forget-disk", disk), SECRETS)) as one:
            assert await speak(one, "alloy")
            assert await speak(one, "echo")
        async with Stage(configured(Cache, shared, SECRETS)) as other:
            await other.console("cache", "purge", "POST", voice="alloy")
        plugin = configured(Cache, config("forget-disk", disk), SECRETS)
        async with Stage(plugin) as one:
            storage = plugin.holdings.storage
            assert storage.shared is not None
            await until(lambda: storage.shared.covers("", stored(0)))
            await storage.loaded(10.0)
            assert not await speak(one, "echo")
            assert await speak(one, "alloy")


# -- a real one --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path, skip_or_fail: Callable[[str], None]) -> AsyncIterator[Server]:
    if PROGRAM is None:
        skip_or_fail("redis-server is not installed: apt-get install redis-server")
    try:
        import redis  # noqa: F401
    except ImportError:
        skip_or_fail("redis is not installed: pip install redis")
    async with running(tmp_path) as server:
        yield server


@pytest.mark.both_loops
async def test_redis_is_looked_through_whatever_else_is_there(server: Server) -> None:
    namespace = "a*b[c]?\\d"
    one = Shared(redis_backend(server.url), CODEC, name="one", namespace=namespace, budget_seconds=5.0)
    other = Shared(redis_backend(server.url), CODEC, name="other", namespace=namespace, budget_seconds=5.0)
    client = redis_backend(server.url).client
    one.start()
    other.start()
    try:
        await filled(one, 100)
        one.keep(key(1001), stored(0, data=b"x" * 300_000), 60.0)
        await becomes(lambda: one.waiting == 0)
        prefix = f"{namespace}:{CODEC.label}:"
        for number in range(3000):
            await client.set(f"another:{number}", b"x")
        await client.rpush(f"{prefix}{key(2000)}", b"a", b"list")
        await client.set(f"{prefix}{key(2001)}", b"garbage")
        await client.set("aXb[c]Xd:1", b"not ours")
        swept = await one.purge_all(purge_of(NOW, filters={"voice": "alloy"}), 30.0)
        assert (swept.removed, swept.rest) == (51, "1 entries could not be read")
        await becomes(lambda: other.covers(key(1), stored(0)))
        assert await other.recall(key(2)) == stored(0, "echo")
        assert await other.recall(key(1)) is None
        assert 0 < await client.ttl(f"{prefix}purges") <= 45 * 86_400
        assert await client.exists(f"{prefix}purging") == 0
        everything = await other.purge_all(purge_of(NOW), 30.0)
        assert everything.rest == ""
        left = [each async for each in client.scan_iter(count=1000)]
        assert {each for each in left if not each.startswith(b"another:")} == {
            *(b"aXb[c]Xd:1", f"{prefix}purges".encode())
        }
    finally:
        await one.close(1.0)
        await other.close(1.0)
        await client.aclose()
