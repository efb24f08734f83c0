"""How answers grow old, what happens then, and what is found out about those that are given."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sidecar_cache import Cache
from sidecar_cache.holdings import Flood
from sidecar_cache.reading import LATE
from sidecar_cache.rows.view import View

from sidecar import Attempt, Exchange, Response
from sidecar.errors import ConnectFailed
from sidecar.testing import Played, Stage, answer, call, configured
from tests.plugins.kept_entries import entry

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "which way?"}]}
AGES = "{chat: {ttl: 60s, stale_while_revalidate: 30s, stale_if_error: 600s}, jitter: 0.0}"
SECRETS = {"SECRET": "the-same-in-all-pods", "SHORT": "short"}
BUSY = answer({"error": {"type": "server_error", "message": "busy"}}, 503)


def chat(**headers: str) -> Exchange:
    return call("openai", "/v1/chat/completions", CHAT, headers={k.replace("_", "-"): v for k, v in headers.items()})


def says(text: str) -> Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}
    return answer({"id": "c", "object": "chat.completion", "model": "gpt-4o", "choices": [choice], "usage": usage})


def said(played: Played) -> str:
    text: str = played.json["choices"][0]["message"]["content"]
    return text


def outcome(played: Played) -> str:
    return played.verdicts[-1].outcome


class Clock:
    """Time of day, of which a test may let some pass."""

    def __init__(self) -> None:
        self.passed_ns = 0

    def passes(self, seconds: float) -> None:
        self.passed_ns += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made, real = Clock(), time.time_ns
    monkeypatch.setattr("sidecar_cache.giving.time.time_ns", lambda: real() + made.passed_ns)
    return made


@asynccontextmanager
async def caching(config: str = AGES, **options: Any) -> AsyncIterator[Stage]:
    async with Stage(configured(Cache, config, SECRETS), **options) as stage:
        yield stage


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_what_is_fresh_is_given_and_what_is_stale_is_fetched_behind_the_call(clock: Clock) -> None:
    async with caching() as stage:
        await stage.play(chat(), says("left"))
        clock.passes(59)
        assert outcome(await stage.play(chat(), says("right"))) == "hit"
        clock.passes(2)
        stale = await stage.play(chat(), says("right"))
        assert (outcome(stale), said(stale), len(stale.attempts)) == ("stale", "left", 1)
        status = stale.headers.get("cache-status") or ""
        assert status.startswith("agent-sidecar; hit; ttl=-1; detail=stale")
        assert stale.headers.get("age") == "61"
        await until(lambda: stage.samples()['cache_refreshed_total{plugin="cache"}'] == 1)
        again = await stage.play(chat())
        assert (outcome(again), said(again), again.attempts) == ("hit", "right", ())


async def test_a_stale_answer_is_fetched_once_however_many_ask(clock: Clock) -> None:
    begun, go_on, asked = asyncio.Event(), asyncio.Event(), 0

    async def slow(attempt: Attempt) -> Response:
        nonlocal asked
        asked += 1
        begun.set()
        await go_on.wait()
        return says("right")

    async with caching() as stage:
        await stage.play(chat(), says("left"))
        clock.passes(61)
        tasks = [asyncio.create_task(stage.play(chat(), slow)) for _ in range(5)]
        await begun.wait()
        go_on.set()
        assert {said(played) for played in await asyncio.gather(*tasks)} == {"left"}
        assert asked == 1


@pytest.mark.parametrize("failure", [BUSY, ConnectFailed("nobody there")])
async def test_while_the_provider_fails_what_is_known_is_given(clock: Clock, failure: Any) -> None:
    async with caching() as stage:
        await stage.play(chat(), says("left"))
        clock.passes(100)
        spared = await stage.play(chat(), failure)
        assert (spared.status, said(spared), outcome(spared)) == (200, "left", "spare")
        assert "the provider failed" in spared.verdicts[-1].reason
        assert len(spared.attempts) == 1
        well = await stage.play(chat(), says("right"))
        assert (said(well), outcome(well)) == ("right", "miss")
        clock.passes(661)
        assert (await stage.play(chat(), failure)).status in (502, 503), "it is too old now"


async def test_a_mistake_of_the_agents_is_no_outage(clock: Clock) -> None:
    async with caching() as stage:
        await stage.play(chat(), says("left"))
        clock.passes(100)
        refused = await stage.play(chat(), answer({"error": {"type": "invalid_request_error"}}, 400))
        assert refused.status == 400


async def test_an_agent_may_say_how_old_an_answer_may_be(clock: Clock) -> None:
    async with caching() as stage:
        await stage.play(chat(), says("left"))
        clock.passes(20)
        assert outcome(await stage.play(chat(cache_control="max-age=30"))) == "hit"
        assert outcome(await stage.play(chat(cache_control="max-age=10"), says("right"))) == "miss"
        clock.passes(300)
        assert said(await stage.play(chat(cache_control="max-stale"))) == "right"


# -- what outlives it --------------------------------------------------------------------------------------------------


async def test_what_is_on_a_disk_is_there_after_a_restart(tmp_path: Path) -> None:
    config = f"{{disk: {{directory: {tmp_path}/cache}}}}"
    async with caching(config) as stage:
        await stage.play(chat(), says("left"))
    async with caching(config) as stage:
        await until(lambda: stage.samples()['cache_entries{plugin="cache"}'] == 1)
        assert said(await stage.play(chat())) == "left"
    assert (tmp_path / "cache" / "secret").stat().st_mode & 0o777 == 0o600


DEEP = "{disk: {directory: %s, budget: 10s}, max_memory: 24KiB, chat: {ttl: 1h}, jitter: 0.0}"


def another(number: int, **headers: str) -> Exchange:
    body = {**CHAT, "seed": number}
    return call("openai", "/v1/chat/completions", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def tier(played: Played) -> str:
    return str(played.verdicts[-1].detail["tier"])


async def filled(stage: Stage, cache: Cache, count: int = 40) -> None:
    """So many answers that most have had to leave memory, all of them on the disk."""
    for number in range(count):
        await stage.play(another(number), says(f"way {number}"))
    disk = cache.holdings.storage.disk
    assert disk is not None
    await until(lambda: len(disk) == count and not disk.waiting())
    assert len(cache.holdings.storage.memory) < count / 2


async def test_what_memory_has_no_room_for_is_given_from_the_disk_and_is_in_memory_then(tmp_path: Path) -> None:
    cache = configured(Cache, DEEP % tmp_path)
    async with Stage(cache) as stage:
        await filled(stage, cache)
        first, again = await stage.play(another(0)), await stage.play(another(0))
        assert (outcome(first), said(first), tier(first), first.attempts) == ("hit", "way 0", "disk", ())
        assert (outcome(again), said(again), tier(again)) == ("hit", "way 0", "memory")
        disk = cache.holdings.storage.disk
        assert disk is not None
        for number in range(40):
            assert said(await stage.play(another(number))) == f"way {number}"
        assert disk.stored == 40, "nothing is written twice"
        samples = stage.samples()
        given = {name: samples[f'cache_given_total{{plugin="cache",tier="{name}"}}'] for name in ("memory", "disk")}
        assert given["disk"] >= 20
        assert given["memory"] + given["disk"] == 42
        assert samples['cache_disk_entries{plugin="cache"}'] == 40
        assert samples['cache_disk_reads_total{plugin="cache",outcome="hit"}'] == given["disk"]
        assert samples['cache_disk_answering{plugin="cache"}'] == 1


async def test_what_is_on_the_disk_is_out_of_date_when_it_would_be_in_memory(tmp_path: Path, clock: Clock) -> None:
    cache = configured(Cache, DEEP % tmp_path)
    async with Stage(cache) as stage:
        await filled(stage, cache)
        clock.passes(1800)
        assert outcome(await stage.play(another(1, cache_control="max-age=60"), says("anew"))) == "miss"
        await until(lambda: said_by(stage, cache, "anew"))
        assert said(await stage.play(another(1))) == "anew", "the newer one is there now, in memory and on the disk"
        clock.passes(1801)
        passed = await stage.play(another(2), says("anew"))
        assert (outcome(passed), passed.verdicts[-1].reason) == ("miss", "what is kept is out of date")
        spared = await stage.play(another(3), BUSY)
        assert (outcome(spared), said(spared)) == ("spare", "way 3")


def said_by(stage: Stage, cache: Cache, text: str) -> bool:
    return any(text.encode() in held.entry.data for held in cache.holdings.storage.memory.items())


async def test_two_agents_do_not_meet_on_the_disk(tmp_path: Path) -> None:
    cache = configured(Cache, DEEP % tmp_path)
    async with Stage(cache) as stage:
        await filled(stage, cache)
        assert outcome(await stage.play(another(0, authorization="Bearer other"), says("hers"))) == "miss"


async def test_a_disk_that_is_late_is_gone_past_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, going_on, found = configured(Cache, (DEEP % tmp_path).replace("10s", "20ms")), threading.Event(), View.found

    def slow(view: View, key: str) -> Any:
        going_on.wait(20)
        return found(view, key)

    async with Stage(cache) as stage:
        await filled(stage, cache)
        monkeypatch.setattr(View, "found", slow)
        passed = await stage.play(another(0), says("anew"))
        assert (outcome(passed), said(passed), len(passed.attempts)) == ("miss", "anew", 1)
        assert passed.verdicts[-1].reason == LATE
        going_on.set()
        await until(
            lambda: cache.holdings.storage.disk is not None and not cache.holdings.storage.disk._reader._readings
        )
        assert said(await stage.play(another(0))) == "anew", "what is read too late does not replace what is newer"


async def test_the_disk_is_asked_before_what_pods_share(tmp_path: Path) -> None:
    shared = "backend: 'tests.plugins.one_for_all:OneForAll', namespace: the-disk-first"
    config = f"{DEEP[:-1] % tmp_path}, secret: '${{env:SECRET}}', shared: {{{shared}}}}}"
    cache = configured(Cache, config, SECRETS)
    async with Stage(cache) as stage:
        await filled(stage, cache)
        disk, both = cache.holdings.storage.disk, cache.holdings.storage.shared
        assert disk is not None
        assert both is not None
        await until(lambda: both.waiting == 0)
        assert tier(await stage.play(another(0))) == "disk"
        assert both.counts["hit"] == both.counts["late"] == 0
        disk.clear()
        last = await stage.play(another(1))
        assert (outcome(last), tier(last)) == ("hit", "shared")


async def test_what_a_clock_that_was_set_back_makes_of_the_disk_is_not_given(tmp_path: Path) -> None:
    cache = configured(Cache, DEEP % tmp_path)
    async with Stage(cache) as stage:
        await filled(stage, cache)
        storage = cache.holdings.storage
        assert storage.disk is not None
        storage.disk.keep("0" * 32, entry(stored_ns=1 << 62))
        assert await storage.recall_behind("0" * 32) == (None, "")
        assert storage.memory.peek("0" * 32) is None


async def test_a_disk_that_is_none_costs_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    async with caching(f"{{disk: {{directory: {tmp_path}/file}}}}") as stage:
        assert said(await stage.play(chat(), says("left"))) == "left"
        assert said(await stage.play(chat())) == "left"
    assert any("cannot be kept" in line.getMessage() for line in caplog.records)


SHARED = "{secret: '${env:SECRET}', shared: {backend: 'tests.plugins.one_for_all:OneForAll', namespace: %s}}"


async def test_pods_share_what_they_keep() -> None:
    config = SHARED % "pods-share"
    async with caching(config) as one, caching(config) as other:
        await one.play(chat(), says("left"))
        await until(lambda: one.samples()['cache_shared_total{plugin="cache",outcome="stored"}'] == 1)
        there = await other.play(chat())
        assert (said(there), outcome(there), there.attempts) == ("left", "hit", ())
        assert other.samples()['cache_shared_total{plugin="cache",outcome="hit"}'] == 1


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{shared: {url: 'redis://host'}}", "shared needs a secret of the cache"),
        ("{secret: '${env:SECRET}', shared: {}}", "shared needs either url or backend"),
        ("{secret: '${env:SECRET}', shared: {backend: 'nothing:Here'}}", "shared cannot be imported"),
        ("{disk: {size: 1MiB}}", "disk is too small"),
        ("{disk: {secret: '${env:SHORT}'}}", "disk is too short"),
    ],
)
def test_what_cannot_be_is_refused_at_start(config: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        configured(Cache, config, SECRETS)


# -- a new configuration -----------------------------------------------------------------------------------------------


async def test_a_new_configuration_goes_on_with_what_is_there(clock: Clock) -> None:
    async with caching() as old:
        await old.play(chat(), says("left"))
        new = Stage(configured(Cache, "{chat: {ttl: 1h}, max_memory: 1MiB}"), before=old)
        async with new:
            there = await new.play(chat())
            assert (said(there), there.attempts) == ("left", ())
            assert new.samples()['cache_requests_total{plugin="cache",outcome="miss"}'] == 1, "it goes on counting"
        assert said(await old.play(chat())) == "left", "calls that it has begun go on"


async def test_a_new_place_is_not_mixed_with_the_old_one(tmp_path: Path) -> None:
    async with caching() as old:
        await old.play(chat(), says("left"))
        new = Stage(configured(Cache, f"{{disk: {{directory: {tmp_path}}}}}"), before=old)
        async with new:
            assert outcome(await new.play(chat(), says("left"))) == "miss"


# -- control group -----------------------------------------------------------------------------------------------------

CONTROLLED = (
    "{chat: {ttl: 1h, floor: 0.9}, control: {share: 1.0, prices: [{model: 'gpt-*', input: 2.0, output: 8.0}]}, "
    "jitter: 0.0}"
)


async def test_hits_of_the_control_group_tell_what_hits_save() -> None:
    plugin = configured(Cache, CONTROLLED)
    async with Stage(plugin) as stage:
        await stage.play(chat(), says("left"))
        for number in range(4):
            hit = await stage.play(chat(), says("left"))
            assert (outcome(hit), said(hit)) == ("hit", "left")
            await until(lambda: not plugin.behind._tasks)
            assert next(iter(plugin.holdings.control.saved())).control_calls == number + 1
        (saved,) = plugin.holdings.control.saved()
    assert (saved.hits, saved.control_calls, saved.agreement) == (4, 4, 1.0)
    assert saved.cost is not None
    assert saved.cost.mean == pytest.approx(4 * (1000 * 2.0 + 10 * 8.0) / 1e6)


async def test_a_model_whose_stored_answers_are_wrong_is_not_answered_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugin = configured(Cache, CONTROLLED)
    answers = 0

    def another(attempt: Attempt) -> Response:
        nonlocal answers
        answers += 1
        return says(f"way {answers}")

    async with Stage(plugin) as stage:
        await stage.play(chat(), another)
        async with asyncio.timeout(20):
            while outcome(await stage.play(chat(), another)) == "hit":
                await until(lambda: not plugin.behind._tasks)
        passed = await stage.play(chat(), another)
    assert (outcome(passed), len(passed.attempts)) == ("miss", 1)
    assert "switched off" in passed.verdicts[-1].reason
    (warning,) = [line for line in caplog.records if line.levelno == logging.WARNING]
    assert "stored answers of chat gpt-4o differ from fresh ones too often" in warning.getMessage()


# -- floods ------------------------------------------------------------------------------------------------------------


async def test_a_flood_that_never_comes_again_is_looked_at_in_part_and_whatever_comes_again_ends_that() -> None:
    def another(number: int) -> Exchange:
        return call("openai", "/v1/chat/completions", {**CHAT, "seed": number})

    plugin = configured(Cache)
    async with Stage(plugin) as stage:
        skipped = 0
        for number in range(600):
            played = await stage.play(another(number), says("left"))
            skipped += outcome(played) == "skip"
            plugin.holdings.flood._began = time.monotonic() - 0.1  # however slow this machine is
        assert 250 < skipped < 345, "one in eight is looked at"
        for _ in range(60):  # others are looked at in turn: what comes again is soon among them
            if outcome(await stage.play(chat(), says("left"))) == "hit":
                break
            plugin.holdings.flood._salt += 1
        assert outcome(await stage.play(another(9999), says("left"))) == "miss"


def test_calls_as_slow_as_a_voice_agents_are_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("sidecar_cache.holdings.time.monotonic", lambda: now)
    flood = Flood()
    for number in range(1000):
        now += 0.01
        assert not flood.carries(b"%d" % number)
    for number in range(1000):
        now += 0.001
        flood.carries(b"%d" % number)
    assert flood.is_one
    flood.hits += 1
    assert not flood.carries(b"anything")
