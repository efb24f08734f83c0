"""Entries that pods share: found where another put them, and never in the way when the store is slow or broken."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiocache import SimpleMemoryCache
from aiocache.serializers import NullSerializer
from sidecar_cache.backends import Unusable, named_backend, redis_backend
from sidecar_cache.codec import Codec
from sidecar_cache.shared import Shared, Unreachable

from sidecar import Secret
from tests.plugins.kept_entries import entry

CODEC = Codec(Secret("what all pods of one agent know"))
BUDGET_SECONDS = 0.02


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Fickle(SimpleMemoryCache):  # type: ignore[misc]
    """A backend that does what a test wants."""

    def __init__(self) -> None:
        super().__init__(serializer=NullSerializer(encoding=None), timeout=None)
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[tuple[str, str]] = []
        self.ttls: list[float] = []

    async def _obstacle(self, what: str, key: str) -> None:
        self.asked.append((what, key))
        await self.answers.wait()
        if self.error is not None:
            raise self.error

    async def _get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        await self._obstacle("get", key)
        return await super()._get(key, *args, **kwargs)

    async def _set(self, key: str, value: Any, ttl: Any = None, **kwargs: Any) -> Any:
        await self._obstacle("set", key)
        self.ttls.append(ttl)
        return await super()._set(key, value, **kwargs)

    async def _delete(self, key: str, *args: Any, **kwargs: Any) -> Any:
        await self._obstacle("delete", key)
        return await super()._delete(key, *args, **kwargs)


@asynccontextmanager
async def sharing(backend: Any, codec: Codec = CODEC, **settings: Any) -> AsyncIterator[Shared]:
    settings.setdefault("budget_seconds", 5.0)  # where time is not what is tested
    shared = Shared(backend, codec, name="shared store", **settings)
    shared.start()
    try:
        yield shared
    finally:
        await shared.close(5.0)


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def written(shared: Shared) -> None:
    await becomes(lambda: shared.waiting == 0 and not shared._asking)


@pytest.mark.both_loops
async def test_what_one_pod_kept_another_finds() -> None:
    backend = named_backend("aiocache:SimpleMemoryCache", {})
    async with sharing(backend) as one, sharing(backend) as other:
        one.keep("k", entry(), 60.0)
        one.keep("large", entry(600_000), 60.0)
        await written(one)
        assert await other.recall("k") == entry()
        assert await other.recall("large") == entry(600_000)
        assert await other.recall("unknown") is None
        other.forget("k")
        assert await other.recall("k") is None
        await written(other)
        assert await one.recall("k") is None
        assert (one.counts["stored"], other.counts["hit"], other.counts["forgotten"]) == (2, 2, 1)


async def test_those_of_another_namespace_or_secret_find_nothing() -> None:
    backend = Fickle()
    async with sharing(backend) as one:
        one.keep("k", entry(), 60.0)
        await written(one)
    for codec, namespace in ((CODEC, "other"), (Codec(), "agent-sidecar"), (Codec(Secret("a" * 20)), "agent-sidecar")):
        async with sharing(backend, codec, namespace=namespace) as other:
            assert await other.recall("k") is None
            assert other.counts["garbled"] == 0
    assert b"alloy" not in b"".join(backend._cache.values())


async def test_how_long_it_may_be_given_goes_with_it() -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        for seconds in (0.2, 59.1, 3600.0):
            shared.keep(f"{seconds}", entry(), seconds)
        await written(shared)
    assert backend.ttls == [1, 60, 3600]


async def test_what_is_no_entry_is_left_out_removed_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        whole = CODEC.encode("moved", entry())
        for number, garbage in enumerate((b"", b"garbage", whole[:-1], whole, os.urandom(2000), "text", 7)):
            backend._cache[f"agent-sidecar:{CODEC.label}:{number}"] = garbage
        for number in range(7):
            assert await shared.recall(f"{number}") is None
        assert shared.counts["garbled"] == 7
        await written(shared)
        assert backend._cache == {}
    assert caplog.text.count("is no entry") == 1


async def test_a_call_waits_no_longer_than_it_may_and_then_nothing_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    backend = Fickle()
    clock = Clock()
    async with sharing(backend, budget_seconds=BUDGET_SECONDS, clock=clock) as shared:
        shared.keep("k", entry(), 60.0)
        await written(shared)
        backend.answers.clear()
        async with asyncio.timeout(5):  # it never answers
            for _ in range(3):
                assert await shared.recall("k") is None
        assert shared.counts["late"] == 3
        assert not shared.is_answering
        asked = len(backend.asked)
        for _ in range(100):
            assert await shared.recall("k") is None
        assert len(backend.asked) == asked
        assert shared.counts["refrained"] == 100

        backend.answers.set()
        clock.now += 1.5
        assert await shared.recall("k") is None  # nobody waits for the try
        await becomes(lambda: shared.is_answering)
        assert await shared.recall("k") == entry()
    assert [record.message.split(": ")[1].split(";")[0] for record in caplog.records] == [
        "no answer within 20 ms",
        "answers again",
    ]


async def test_no_more_is_asked_at_once_than_the_store_can_bear() -> None:
    backend = Fickle()
    async with sharing(backend, budget_seconds=BUDGET_SECONDS) as shared:
        await written(shared)
        backend.answers.clear()
        await asyncio.gather(*(shared.recall(f"{number}") for number in range(500)))
        assert sum(what == "get" for what, _ in backend.asked) <= 17
        backend.answers.set()


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), RuntimeError("hm"), TimeoutError()])
async def test_no_failure_reaches_a_call(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        await written(shared)
        backend.error = error
        for number in range(50):
            assert await shared.recall("k") is None
            shared.keep(f"{number}", entry(), 60.0)
            await asyncio.sleep(0)
        await written(shared)
        assert shared.counts["failed"] == 3
        assert shared.counts["dropped"] == 50
        backend.error = None
    assert len([record for record in caplog.records if "goes on" in record.message or "go on" in record.message]) == 1


async def test_where_nothing_can_be_written_reading_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Fickle):
        full = False

        async def _set(self, *args: Any, **kwargs: Any) -> Any:
            if self.full:
                raise RuntimeError("OOM command not allowed")
            return await super()._set(*args, **kwargs)

    backend, clock = Full(), Clock()
    async with sharing(backend, clock=clock) as shared:
        shared.keep("k", entry(), 60.0)
        await written(shared)
        backend.full = True
        for number in range(20):
            shared.keep(f"{number}", entry(), 60.0)
        await written(shared)
        assert await shared.recall("k") == entry()
        assert shared.counts["dropped"] == 20
        backend.full = False
        clock.now += 1.5
        shared.keep("new", entry(), 60.0)
        await written(shared)
        assert await shared.recall("new") == entry()
    assert "takes nothing: RuntimeError: OOM" in caplog.text
    assert caplog.text.count("takes entries again") == 1


async def test_more_than_can_be_written_is_dropped_and_the_newest_stays() -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        await written(shared)
        backend.answers.clear()
        for number in range(2000):
            shared.keep(f"{number}", entry(), 60.0)
        assert shared.waiting <= 513
        for number in range(60):
            shared.keep(f"large {number}", entry(1 << 20), 60.0)
        assert shared.waiting <= 17
        backend.answers.set()
        await written(shared)
        assert await shared.recall("large 59") is not None


async def test_what_is_to_be_forgotten_is_not_found_while_the_store_is_down_and_gone_once_it_is_back() -> None:
    backend, clock = Fickle(), Clock()
    async with sharing(backend, clock=clock) as shared:
        shared.keep("wrong", entry(), 60.0)
        await written(shared)
        backend.error = ConnectionResetError()
        with pytest.raises(Unreachable, match="ConnectionResetError"):
            await shared.purge(["wrong"], within_seconds=0.1)
        backend.error = None
        assert await shared.recall("wrong") is None
        assert backend._cache
        clock.now += 40
        shared.keep("b", entry(), 60.0)
        await written(shared)
        assert await shared.recall("wrong") is None
        assert len(backend._cache) == 1


async def test_what_is_forgotten_while_it_is_asked_for_is_not_given() -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        shared.keep("wrong", entry(), 60.0)
        await written(shared)
        backend.answers.clear()
        asked = asyncio.create_task(shared.recall("wrong"))
        await becomes(lambda: backend.asked[-1][0] == "get")
        shared.forget("wrong")
        backend.answers.set()
        assert await asked is None


async def test_a_purge_is_over_when_the_store_has_confirmed_it() -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        for number in range(50):
            shared.keep(f"{number}", entry(), 60.0)
        await written(shared)
        await shared.purge(f"{number}" for number in range(49))
        assert len(backend._cache) == 1


async def test_closing_writes_what_waits_and_takes_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    backend = Fickle()
    async with sharing(backend) as shared:
        for number in range(50):
            shared.keep(f"{number}", entry(), 60.0)
    assert len(backend._cache) == 50
    async with asyncio.timeout(5):
        hanging = Shared(backend, CODEC, name="shared store")
        backend.answers.clear()
        hanging.start()
        hanging.keep("k", entry(), 60.0)
        hanging.forget("0")
        await hanging.close(0.05)
    assert "1 entries could not be removed there" in caplog.text


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("http://host", "is not an address"),
        ("redis://", "is not an address"),
        ("redis://host/first", "is not an address"),
        ("redis://host:port", "has a port that is none"),
        ("redis://host?pool=3", "unknown field pool"),
    ],
)
def test_an_address_that_is_none_is_refused_and_its_password_not_shown(url: str, wrong: str) -> None:
    with pytest.raises(Unusable, match=wrong) as refused:
        redis_backend(url.replace("//", "//user:hunter2@") if "host" in url else url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "arguments", "wrong"),
    [
        ("nowhere:Nothing", {}, "cannot be imported"),
        ("aiocache:Nothing", {}, "cannot be imported"),
        ("Nothing", {}, "cannot be imported"),
        ("asyncio:Event", {}, "is no backend"),
        ("aiocache:SimpleMemoryCache", {"size": 3}, "cannot be made"),
    ],
)
def test_a_class_that_is_no_backend_is_refused(path: str, arguments: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Unusable, match=wrong):
        named_backend(path, arguments)


async def test_what_it_logs_names_no_key_and_no_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sidecar_cache")
    backend = Fickle()
    async with sharing(backend) as shared:
        backend._cache[f"agent-sidecar:{CODEC.label}:the key"] = b"the content"
        await shared.recall("the key")
        backend.error = ConnectionResetError("reset")
        for _ in range(5):
            shared.keep("the key", entry(data=b"the content"), 60.0)
            await shared.recall("another")
            await asyncio.sleep(0)
        await becomes(lambda: not shared.is_answering)
        backend.error = None
    said = "".join(record.message for record in caplog.records if record.name.startswith("sidecar_cache"))
    assert said
    assert "the key" not in said
    assert "the content" not in said
