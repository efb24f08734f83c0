"""Answers that the cache has forwarded: what it says of them, and whose they must be to be kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from sidecar_cache import Cache

from sidecar import (
    AroundExchange,
    Attempt,
    Exchange,
    ExchangeHandler,
    Headers,
    PluginConfig,
    Response,
    StreamedBody,
    hookimpl,
)
from sidecar.errors import ConnectFailed
from sidecar.testing import Played, Stage, answer, call, configured, provider
from tests.plugins.test_cache_life import Clock, clock

__all__ = ["clock"]

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
COMPLETION = {"id": "c", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
EVENTS = [
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]


def chat(body: Any = CHAT, **headers: str) -> Exchange:
    return call("openai", "/v1/chat/completions", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def status(played: Played) -> str | None:
    """What ``Cache-Status`` says, of all caches."""
    return ", ".join(played.headers.get_all("cache-status")) or None


@asynccontextmanager
async def caching(config: str = "cache_status: all") -> AsyncIterator[Callable[..., Any]]:
    async with Stage(configured(Cache, config)) as stage:
        yield stage.play


class TestWhyACallWasForwarded:
    async def test_is_said_of_each_answer_of_a_provider(self, clock: Clock) -> None:
        async with caching("{cache_status: all, chat: {ttl: 60s}, jitter: 0.0}") as ask:
            assert status(await ask(chat(), answer(COMPLETION))) == "agent-sidecar; fwd=uri-miss; stored"
            assert (status(await ask(chat())) or "").startswith("agent-sidecar; hit; ttl=")
            fresh = await ask(chat(cache_control="no-cache"), answer(COMPLETION))
            assert status(fresh) == "agent-sidecar; fwd=request; stored"
            assert status(await ask(chat(cache_control="no-store"), answer(COMPLETION))) == "agent-sidecar; fwd=bypass"
            stored = chat({**CHAT, "store": True})
            assert status(await ask(stored, answer(COMPLETION))) == "agent-sidecar; fwd=bypass"
            clock.passes(61)
            assert status(await ask(chat(), answer(COMPLETION))) == "agent-sidecar; fwd=stale; stored"

    async def test_is_that_what_is_kept_has_no_form_that_would_do(self) -> None:
        async with caching() as ask:
            await ask(chat({**CHAT, "stream": True}), answer(EVENTS, content_type="text/event-stream"))
            whole = await ask(chat(), answer(COMPLETION))
            assert whole.verdicts[-1].reason == "the stream does not say what was used"
            assert status(whole) == "agent-sidecar; fwd=miss; stored"

    @pytest.mark.parametrize("failure", [answer({"error": {"type": "x"}}, 400), answer({"error": {"type": "x"}}, 503)])
    async def test_is_said_of_failures_which_are_not_stored(self, failure: Response) -> None:
        async with caching() as ask:
            assert status(await ask(chat(), failure)) == "agent-sidecar; fwd=uri-miss"
            assert status(await ask(chat(), ConnectFailed("nobody there"))) is None, "that answer is the sidecar's own"

    async def test_stands_behind_what_caches_nearer_to_the_provider_say(self) -> None:
        async with caching() as ask:
            told = answer(COMPLETION, cache_status="cdn; hit")
            assert status(await ask(chat(), told)) == "cdn; hit, agent-sidecar; fwd=uri-miss; stored"
            assert "cdn" not in (status(await ask(chat())) or "")

    async def test_changes_nothing_else(self) -> None:
        said = answer(EVENTS, content_type="text/event-stream", x_request_id="r", connection="close")
        async with caching() as ask:
            played = await ask(chat({**CHAT, "stream": True}), said)
        assert played.chunks == tuple(EVENTS)
        names = [name.lower() for name, _ in played.headers.fields]
        assert names == [b"content-type", b"x-request-id", b"cache-status", b"transfer-encoding"]
        said = answer(StreamedBody(_pieces(), length=10), content_type="audio/wav")
        async with caching() as ask:
            played = await ask(call("openai", "/v1/audio/speech", {"input": "x"}), said)
        assert (played.headers.get("content-length"), played.body) == ("10", b"x" * 10)

    async def test_is_not_said_by_those_who_share_it_twice(self) -> None:
        together = asyncio.Event()

        async def slow(attempt: Attempt) -> Response:
            await together.wait()
            return answer(EVENTS, content_type="text/event-stream")

        async with caching() as ask, asyncio.timeout(10):
            tasks = [asyncio.create_task(ask(chat({**CHAT, "stream": True}), slow)) for _ in range(3)]
            await asyncio.sleep(0)
            together.set()
            said = sorted(status(played) or "" for played in await asyncio.gather(*tasks))
        assert said == [*["agent-sidecar; fwd=uri-miss; collapsed"] * 2, "agent-sidecar; fwd=uri-miss; stored"]

    async def test_is_not_said_unless_it_is_wanted(self) -> None:
        async with caching("") as ask:
            for exchange in (chat(), chat(cache_control="no-store"), chat({**CHAT, "store": True})):
                assert status(await ask(exchange, answer(COMPLETION))) is None


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(2):
        yield b"x" * 5


# -- substitutes -------------------------------------------------------------------------------------------------------


class Substituting(AroundExchange):
    """Has another provider answer, as one does that fails over and translates."""

    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None:
        self.is_needed = True

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        if not self.is_needed:
            return await call_next(exchange)
        response = await call_next(exchange.with_candidates(provider("groq", "substitute")))
        assert response.answered_by == "substitute"
        return response


class Answering(AroundExchange):
    """Answers itself."""

    Config = PluginConfig

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        return replace(answer(COMPLETION), answered_by="answering")


class TestAnAnswerBySomebodyElse:
    async def test_is_not_kept_as_that_of_the_provider_that_was_asked(self) -> None:
        substituting = configured(Substituting)
        async with Stage(configured(Cache), substituting) as stage:
            for _ in range(2):
                came = await stage.play(chat(), answer(COMPLETION))
                assert (came.json, came.record.answered_by, len(came.attempts)) == (COMPLETION, "substitute", 1)
            assert stage.samples()['cache_refused_total{plugin="cache"}'] == 2
            substituting.is_needed = False
            assert len((await stage.play(chat(), answer(COMPLETION))).attempts) == 1
            assert (await stage.play(chat())).attempts == ()

    async def test_is_kept_if_that_is_wanted(self) -> None:
        async with Stage(configured(Cache, "keep_substitutes: true"), configured(Substituting)) as stage:
            await stage.play(chat(), answer(COMPLETION))
            again = await stage.play(chat())
            assert (again.attempts, again.record.answered_by) == ((), "cache")

    async def test_by_another_plugin_is_not_kept_either(self) -> None:
        async with Stage(configured(Cache), Answering()) as stage:
            for _ in range(2):
                assert (await stage.play(chat())).record.answered_by == "answering"

    async def test_does_not_take_the_place_of_the_right_one_that_is_out_of_date(self, clock: Clock) -> None:
        substituting = configured(Substituting)
        config = "{chat: {ttl: 60s, stale_while_revalidate: 600s}, jitter: 0.0}"
        async with Stage(configured(Cache, config), substituting) as stage:
            substituting.is_needed = False
            await stage.play(chat(), answer({**COMPLETION, "model": "right"}))
            substituting.is_needed = True
            clock.passes(61)
            for _ in range(2):
                stale = await stage.play(chat(), answer({**COMPLETION, "model": "other"}))
                assert (stale.json["model"], stale.verdicts[-1].outcome) == ("right", "stale")

    async def test_is_shared_by_all_who_ask_the_same_at_once(self) -> None:
        arrived = asyncio.Event()

        async def slow(attempt: Attempt) -> Response:
            await arrived.wait()
            return answer(EVENTS, content_type="text/event-stream")

        async with Stage(configured(Cache), configured(Substituting)) as stage, asyncio.timeout(10):
            tasks = [asyncio.create_task(stage.play(chat({**CHAT, "stream": True}), slow)) for _ in range(3)]
            await asyncio.sleep(0)
            arrived.set()
            played = await asyncio.gather(*tasks)
        assert {each.body for each in played} == {b"".join(EVENTS)}
        assert sum(len(each.attempts) for each in played) == 1
        assert {each.record.answered_by for each in played} == {"substitute"}

    async def test_is_no_reason_to_call_a_stored_one_wrong(self) -> None:
        """Nor is anything learned from it of what hits save."""
        substituting, plugin = configured(Substituting), configured(Cache, "control: {share: 1.0}")
        async with Stage(plugin, substituting) as stage:
            substituting.is_needed = False
            await stage.play(chat(), answer(COMPLETION))
            substituting.is_needed = True
            await stage.play(chat(), answer({**COMPLETION, "choices": []}))
            assert next(iter(plugin.holdings.control.saved())).control_calls == 0


def test_headers_of_a_forwarded_answer_are_not_taken_apart() -> None:
    """Nearly free: what the answer goes out with is made anyway, and one line comes to it."""
    from sidecar_cache.freshness import URI_MISS, forwarded

    response = replace(answer(b""), headers=Headers.from_block(b"A: b\r\nContent-Length: 3\r\n"))
    headers = forwarded(response, URI_MISS).headers
    assert headers._fields is None
    assert headers.end_to_end() is headers
    assert headers.stated_length == 3
