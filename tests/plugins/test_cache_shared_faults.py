"""A real Redis or Valkey, killed, paused, full of garbage, slow, full: no call fails, and none waits for long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sidecar_cache.backends import redis_backend
from sidecar_cache.codec import Codec
from sidecar_cache.shared import Shared

from sidecar import Secret
from tests.plugins.kept_entries import entry
from tests.plugins.redis_server import PROGRAM, Server, running, slowly

CODEC = Codec(Secret("what all pods of one agent know"))
BUDGET_SECONDS = 0.05
#: Far above the budget, for busy machines, and far below what a client would wait of its own accord.
BEARABLE_SECONDS = 0.5


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


@asynccontextmanager
async def sharing(url: str, budget_seconds: float = BUDGET_SECONDS) -> AsyncIterator[Shared]:
    shared = Shared(redis_backend(url), CODEC, name="shared store", budget_seconds=budget_seconds)
    shared.start()
    try:
        await becomes(lambda: not shared._asking)
        yield shared
    finally:
        await shared.close(1.0)


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def filled(shared: Shared, count: int = 20) -> None:
    for number in range(count):
        shared.keep(f"{number}", entry(number * 100), 60.0)
    await becomes(lambda: shared.waiting == 0)
    assert shared.counts["stored"] == count


async def asked_often(shared: Shared, times: int = 100) -> float:
    """The longest that a call waited."""
    loop = asyncio.get_running_loop()
    longest = 0.0
    for number in range(times):
        began = loop.time()
        found = await shared.recall(f"{number % 20}")
        longest = max(longest, loop.time() - began)
        assert found in (None, entry(number % 20 * 100))
        shared.keep(f"{number % 20}", entry(number % 20 * 100), 60.0)
    return longest


async def comes_back(shared: Shared) -> None:
    """Tries are made by calls, at most a second or two apart at first."""
    async with asyncio.timeout(60):
        while not shared.is_answering:
            assert await shared.recall("0") is None
            await asyncio.sleep(0.01)


@pytest.mark.both_loops
async def test_what_one_pod_kept_another_finds_until_its_time_is_over(server: Server) -> None:
    async with sharing(server.url, 5.0) as one, sharing(server.url, 5.0) as other:
        one.keep("k", entry(300_000), 60.0)
        one.keep("short", entry(), 0.5)
        await becomes(lambda: one.waiting == 0)
        assert await other.recall("k") == entry(300_000)
        assert await other.recall("short") == entry()
        async with asyncio.timeout(10):
            while await other.recall("short") is not None:
                await asyncio.sleep(0.05)
        await other.purge(["k"])
        assert await one.recall("k") is None


async def test_killed_and_started_again(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with sharing(server.url) as shared:
        await filled(shared)
        await server.kill()
        assert await asked_often(shared) < BEARABLE_SECONDS
        assert not shared.is_answering
        await server.start()
        await comes_back(shared)
        shared.keep("0", entry(0), 60.0)
    assert caplog.text.count("calls go on without it") == 1
    assert caplog.text.count("answers again") == 1


async def test_paused_and_going_on(server: Server) -> None:
    async with sharing(server.url) as shared:
        await filled(shared)
        server.pause()
        try:
            assert await asked_often(shared) < BEARABLE_SECONDS
            assert shared.counts["late"] == 3
        finally:
            server.go_on()
        await comes_back(shared)


async def test_not_there_from_the_start(server: Server) -> None:
    await server.kill()
    async with sharing(server.url) as shared:
        assert await asked_often(shared) < BEARABLE_SECONDS
        await server.start()
        await comes_back(shared)


async def test_filled_with_garbage(server: Server) -> None:
    async with sharing(server.url, 5.0) as shared:
        await filled(shared)
        client = redis_backend(server.url).client
        for number in range(20):
            key = f"agent-sidecar:{CODEC.label}:{number}"
            whole = await client.get(key)
            if number % 4 == 0:
                await client.set(key, b"garbage" * 1000)
            elif number % 4 == 1:
                await client.set(key, whole[:-1])
            elif number % 4 == 2:
                await client.delete(key)
                await client.rpush(key, b"a", b"list")
            else:
                await client.set(key, await client.get(f"agent-sidecar:{CODEC.label}:{(number + 4) % 20}"))
        await client.aclose()
        for number in range(20):
            assert await shared.recall(f"{number}") is None
        assert shared.counts["garbled"] + shared.counts["failed"] >= 3
        assert shared.counts["hit"] == 0


async def test_slow_under_load(server: Server) -> None:
    delay_seconds = 0.0
    async with slowly(server.port, lambda: delay_seconds) as port, sharing(f"redis://127.0.0.1:{port}") as shared:
        await filled(shared)
        delay_seconds = 1.5
        waits = await asyncio.gather(*(asked_often(shared, 20) for _ in range(20)))
        assert max(waits) < BEARABLE_SECONDS
        assert not shared.is_answering
        delay_seconds = 0.0
        await comes_back(shared)


async def test_full(tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        running(tmp_path, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as small,
        sharing(small.url, 5.0) as shared,
    ):
        for number in range(60):
            shared.keep(f"{number}", entry(200_000), 60.0)
        await becomes(lambda: shared.waiting == 0)
        assert shared.counts["stored"] > 0
        assert shared.counts["dropped"] > 0
        assert await shared.recall("0") == entry(200_000)
    assert caplog.text.count("takes nothing") == 1


async def test_a_late_answer_is_never_taken_for_that_of_another_question(server: Server) -> None:
    async with slowly(server.port, iter_of(0.0, 0.12)) as port, sharing(f"redis://127.0.0.1:{port}") as shared:
        await becomes(lambda: shared.waiting == 0)
        for number in range(20):
            shared.keep(f"{number}", entry(number * 100), 60.0)
        await becomes(lambda: shared.waiting == 0)
        await asyncio.gather(*(asked_often(shared, 40) for _ in range(4)))


def iter_of(*delays: float) -> Callable[[], float]:
    """One after the other, again and again."""
    at = -1

    def following() -> float:
        nonlocal at
        at = (at + 1) % len(delays)
        return delays[at]

    return following
