"""The cache at work: what it answers, what it asks, what it keeps, and what it says of that."""

import asyncio
import gzip
import json
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace
from sidecar_cache import Cache

from sidecar import (
    AroundExchange,
    Attempt,
    Exchange,
    ExchangeHandler,
    PluginConfig,
    Response,
    Secret,
    StreamedBody,
    hookimpl,
)
from sidecar.errors import ConnectFailed, UpstreamBroken
from sidecar.lab import Lab
from sidecar.testing import Played, Stage, answer, call, configured, play, provider, socket_answer, streamed
from tests.running import Running, running
from tests.wire import Line, Peer, answering, peer
from tests.wire import answer as wire_answer

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
STREAMED = {**CHAT, "stream": True}
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "hello", "response_format": "wav"}
COMPLETION = {"id": "c", "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
EVENTS = [
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]


def chat(body: Any = CHAT, **headers: str) -> Exchange:
    return call("openai", "/v1/chat/completions", body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def speech() -> Exchange:
    return call("openai", "/v1/audio/speech", SPEECH)


def wav(size: int = 16_044) -> bytes:
    """*size* bytes of silence at 16 kHz: a second is 32,000."""
    data = size - 44
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE") + form + struct.pack("<4sI", b"data", data) + bytes(data)


WAV = wav()


def events(attempt: Attempt) -> Response:
    return answer(EVENTS, content_type="text/event-stream")


def outcomes(played: Played) -> list[tuple[str, str]]:
    return [(verdict.outcome, verdict.reason) for verdict in played.verdicts]


@asynccontextmanager
async def caching(config: str = "", **options: Any) -> AsyncIterator[Callable[..., Awaitable[Played]]]:
    """Plays calls through one cache."""
    async with Stage(configured(Cache, config), **options) as stage:
        yield stage.play


class TestOneCache:
    async def test_answers_the_second_time_what_the_provider_said_the_first(self) -> None:
        async with caching() as ask:
            first = await ask(chat(), answer(COMPLETION, x_request_id="req_1"))
            second = await ask(chat(), answer(b"never asked"))
        assert first.body == second.body
        assert len(first.attempts) == 1
        assert second.attempts == ()
        assert second.record.answered_by == "cache"
        assert second.headers.get("content-type") == first.headers.get("content-type")
        assert "x-request-id" not in second.headers
        assert second.headers.get("age") == "0"
        assert outcomes(first) == [("miss", "nothing kept under this key")]
        (verdict,) = second.verdicts
        assert (verdict.plugin, verdict.outcome) == ("cache", "hit")
        assert verdict.detail["key"] == first.verdicts[0].detail["key"]
        assert 0 <= float(verdict.detail["age_seconds"]) < 60

    async def test_gives_a_stream_again_as_a_stream(self) -> None:
        async with caching() as ask:
            first, second = await ask(chat(STREAMED), events), await ask(chat(STREAMED))
        assert first.chunks == tuple(EVENTS), "the first agent does not wait for the end"
        assert second.body == b"".join(EVENTS)
        assert first.headers.get("transfer-encoding") == second.headers.get("transfer-encoding") == "chunked"

    async def test_gives_audio_again_with_its_length(self) -> None:
        async with caching() as ask:
            await ask(speech(), answer(streamed([WAV[:9], WAV[9:]], length=len(WAV)), content_type="audio/wav"))
            again = await ask(speech())
        assert (again.body, again.headers.get("content-length")) == (WAV, str(len(WAV)))

    async def test_keeps_callers_apart(self) -> None:
        async with caching() as ask:
            await ask(chat(authorization="Bearer a"), answer(COMPLETION))
            other = await ask(chat(authorization="Bearer b"), answer(COMPLETION))
            same = await ask(chat(authorization="Bearer a"), answer(COMPLETION))
        assert (len(other.attempts), len(same.attempts)) == (1, 0)

    @pytest.mark.parametrize(("config", "shared"), [("", False), ("tenant: agent", False), ("tenant: pod", True)])
    async def test_keeps_two_tenants_apart_whose_credentials_are_replaced_unless_the_pod_is_one(
        self, config: str, shared: bool
    ) -> None:
        """The provider sees one account: whether that makes one tenant is for the owner to say."""
        keyed = replace(provider("openai"), credential=Secret("sk-the-pods"))
        agents = [{"authorization": "Bearer a"}, {"authorization": "Bearer b"}, {"openai-organization": "c"}, {}]
        async with caching(config) as ask:
            came = [
                await ask(call("openai", "/v1/chat/completions", CHAT, headers=each, to=[keyed]), answer(COMPLETION))
                for each in agents
            ]
            attempts = [len(each.attempts) for each in came]
            assert attempts == ([1, 0, 0, 0] if shared else [1, 1, 1, 1])
            assert {each.sent[0].headers.get("authorization") for each in came if each.sent} == {"Bearer sk-the-pods"}

    @pytest.mark.parametrize("credential", [None, Secret("sk-the-pods")])
    async def test_keeps_apart_in_one_pod_what_is_the_agents_own_with_the_provider(
        self, credential: Secret | None
    ) -> None:
        to = replace(provider("openai"), credential=credential)
        own = [{"x-folder-id": each} if credential else {"authorization": f"Bearer {each}"} for each in "ab"]
        async with caching("tenant: pod") as ask:
            for headers in own:
                exchange = call("openai", "/v1/chat/completions", CHAT, headers=headers, to=[to])
                assert len((await ask(exchange, answer(COMPLETION))).attempts) == 1

    async def test_heeds_what_the_agent_wants_of_caches(self) -> None:
        async with caching() as ask:
            silent = await ask(chat(cache_control="no-store"), answer(COMPLETION))
            assert outcomes(silent) == [("skip", "the agent forbids it")]
            assert outcomes(await ask(chat(), answer(COMPLETION))) == [("miss", "nothing kept under this key")]
            fresh = await ask(chat(cache_control="no-cache"), answer({**COMPLETION, "model": "newer"}))
            assert outcomes(fresh) == [("miss", "what is kept is out of date")]
            assert fresh.json["model"] == "newer"
            assert (await ask(chat())).json["model"] == "newer", "what was fetched anew is kept"

    async def test_gives_nothing_but_what_is_kept_if_only_that_is_asked_for(self) -> None:
        async with caching() as ask:
            nothing = await ask(chat(cache_control="only-if-cached"), answer(COMPLETION))
            assert (nothing.status, nothing.attempts, nothing.outcome) == (504, (), "completed")
            assert "agent-sidecar" in nothing.json["error"]["message"]
            await ask(chat(), answer(COMPLETION))
            assert (await ask(chat(cache_control="only-if-cached"))).status == 200

    async def test_says_to_which_stored_call_a_missed_one_is_nearest(self) -> None:
        async with caching() as ask:
            await ask(chat(), answer(COMPLETION))
            other = await ask(chat({**CHAT, "model": "gpt-5"}), answer(COMPLETION))
            assert outcomes(other) == [("miss", "nearest key differs in body.model")]

    async def test_gives_identifiers_of_its_own(self) -> None:
        said = {**COMPLETION, "id": "chatcmpl-abcdefghijkl", "created": 1_700_000_000}
        async with caching() as ask:
            first, second, third = await ask(chat(), answer(said)), await ask(chat()), await ask(chat())
        assert len({each.json["id"] for each in (first, second, third)}) == 3
        assert second.json["created"] > 1_700_000_000
        assert {**second.json, "id": 0, "created": 0} == {**said, "id": 0, "created": 0}

    async def test_gives_what_was_kept_whole_as_a_stream_and_the_other_way_round(self) -> None:
        async with caching() as ask:
            await ask(chat(), answer({**COMPLETION, "object": "chat.completion", "created": 1, "model": "m"}))
            stream = await ask(chat(STREAMED))
            assert stream.attempts == ()
            assert stream.headers.get("content-type") == "text/event-stream; charset=utf-8"
            assert b'"content":"hi"' in stream.body
            assert stream.body.endswith(b"data: [DONE]\n\n")
        async with caching() as ask:
            usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
            told = [*EVENTS[:-1], b"data: %b\n\n" % json.dumps(usage).encode(), EVENTS[-1]]
            asked = {**STREAMED, "stream_options": {"include_usage": True}}
            await ask(chat(asked), answer(told, content_type="text/event-stream"))
            whole = await ask(chat())
            assert whole.attempts == ()
            assert whole.json["choices"][0]["message"]["content"] == "hi"

    @pytest.mark.parametrize(
        ("exchange", "reason"),
        [
            (lambda: call("openai", "/v1/responses/resp_1", method="GET"), ""),
            (lambda: chat({**CHAT, "store": True}), "the provider is to keep the answer"),
            (lambda: call("openai", "/v1/audio/transcriptions", streamed([b"x"])), "the request's body streams past"),
        ],
    )
    async def test_lets_pass_what_it_cannot_answer_and_says_why(
        self, exchange: Callable[[], Exchange], reason: str
    ) -> None:
        async with caching() as ask:
            for _ in range(2):
                came = await ask(exchange(), answer(COMPLETION))
                assert came.json == COMPLETION
                assert len(came.attempts) == 1
                assert outcomes(came) == ([("skip", reason)] if reason else [])

    async def test_passes_what_the_provider_stores_unless_nobody_reads_it_there(self) -> None:
        said = {
            "id": "resp_0123456789abcdef0123",
            "object": "response",
            "status": "completed",
            "output": [{"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "hi"}]}],
        }

        def asked(**more: Any) -> Exchange:
            return call("openai", "/v1/responses", {"model": "gpt-4o", "input": "hello", **more})

        async with caching() as ask:
            came = await ask(asked(), answer(said))
            ((_, reason),) = outcomes(came)
            assert reason.endswith("it does unless store is false; if nobody reads it there, set responses: stateless")
        async with caching("responses: stateless") as ask:
            first, again = await ask(asked(), answer(said)), await ask(asked(), answer(said))
            assert (len(first.attempts), again.attempts) == (1, ())
            assert again.json["output"] == said["output"]
            assert again.json["id"] != said["id"], "nobody is led to think that the provider knows it"
            assert (await ask(asked(store=False), answer(said))).attempts != (), "what is said is in the key"
            for more in ({"store": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}):
                assert outcomes(await ask(asked(**more), answer(said)))[0][0] == "skip"
        body = {"model": "gemini-3-flash-preview", "input": "hello"}
        async with caching("responses: stateless") as ask:
            came = await ask(call("gemini", "/v1beta/interactions", body), answer(said))
            assert outcomes(came)[0][1] == "the provider is to keep the answer: it does unless store is false"

    async def test_lets_sockets_pass(self) -> None:
        played = await play(
            configured(Cache), call("openai", "/v1/realtime?model=x", socket=True), socket_answer(), guarded=True
        )
        assert (played.status, played.faults, played.verdicts) == (101, (), ())

    async def test_counts_what_it_does(self) -> None:
        async with Stage(configured(Cache, "max_memory: 8KiB")) as stage:
            for number in range(4):
                await stage.play(chat({**CHAT, "seed": number}), answer(COMPLETION))
            await stage.play(chat({**CHAT, "seed": 3}))
            await stage.play(chat({**CHAT, "store": True}), answer(COMPLETION))
            await stage.play(chat({**CHAT, "seed": 9}), answer(b"oops", 200, content_type="application/json"))
            told = {
                name.replace('{plugin="cache"}', "").replace('plugin="cache",', ""): value
                for name, value in stage.samples().items()
            }
        assert told.pop("cache_bytes") <= 8192
        assert told.pop("cache_other_bytes") > 0
        assert told.pop("cache_entries") + told.pop("cache_evicted_total") == 4
        assert told == {
            'cache_requests_total{outcome="hit"}': 1,
            'cache_requests_total{outcome="stale"}': 0,
            'cache_requests_total{outcome="joined"}': 0,
            'cache_requests_total{outcome="miss"}': 5,
            'cache_requests_total{outcome="spare"}': 0,
            'cache_requests_total{outcome="skip"}': 1,
            "cache_stored_total": 4,
            "cache_refused_total": 1,
            "cache_refreshed_total": 0,
            "cache_own_calls_failed_total": 0,
            "cache_in_flight": 0,
            'cache_given_total{tier="memory"}': 1,
            'cache_given_total{tier="disk"}': 0,
            'cache_given_total{tier="shared"}': 0,
            'cache_repeats_total{source="retries"}': 0,
            'cache_repeats_total{source="fan_out"}': 0,
            'cache_repeats_total{source="phrases"}': 0,
            'cache_repeats_total{source="replays"}': 0,
            'cache_repeats_total{source="questions"}': 1,
            "cache_looked_up_total": 6,
            "cache_distinct_calls": 5,
            "cache_hit_ratio": pytest.approx(1 / 6),
            "cache_hit_ratio_bound": pytest.approx(1 / 6),
            'cache_hits_total{operation="chat",model="gpt-4o"}': 1,
        }

    async def test_counts_what_came_again_by_why_it_did_beside_what_could_have_been_answered(self) -> None:
        async def say(number: int, **headers: str) -> None:
            exchange = call("openai", "/v1/audio/speech", {**SPEECH, "input": f"say {number}"}, headers=headers)
            await stage.play(exchange, answer(WAV, content_type="audio/wav"))

        plugin = configured(Cache)
        async with Stage(plugin) as stage:
            before = stage.samples()
            assert 'cache_hit_ratio_bound{plugin="cache"}' not in before, "nothing is claimed before the first call"
            for number in range(20):
                await say(number)
                await say(number)
                await say(number, **{"x-stainless-retry-count": "1"})
            plugin.holdings.storage.memory.clear()
            for number in range(20):
                await say(number)
            told = {name.replace('plugin="cache",', ""): value for name, value in stage.samples().items()}
        assert told['cache_repeats_total{source="phrases"}'] == told['cache_repeats_total{source="retries"}'] == 20
        assert told['cache_hit_ratio{plugin="cache"}'] == pytest.approx(40 / 80)
        assert told['cache_hit_ratio_bound{plugin="cache"}'] == pytest.approx(60 / 80, rel=0.05)
        assert told['cache_distinct_calls{plugin="cache"}'] == pytest.approx(20, abs=1)
        kinds = {name.partition("{")[0] for name in told} - {name.partition("{")[0] for name in before}
        assert kinds == {"cache_hit_ratio", "cache_hit_ratio_bound", "cache_hits_total"}

    async def test_serves_again_after_it_was_stopped(self) -> None:
        plugin = configured(Cache)
        for _ in range(2):
            async with Stage(plugin) as stage:
                await stage.play(chat(), answer(COMPLETION))
                assert not (await stage.play(chat())).attempts


class TestWhatIsNotKept:
    async def asked_again(self, *answers: Any, config: str = "", **options: Any) -> Played:
        """The second of two equal calls; the first was answered so."""
        async with caching(config) as ask:
            await ask(chat(), *answers, **options)
            return await ask(chat(), answer(COMPLETION))

    @pytest.mark.parametrize(
        "said",
        [
            answer(b"busy", 503),
            answer({"error": {"type": "server_error"}}),
            answer({**COMPLETION, "choices": [{"index": 0, "finish_reason": "length"}]}),
            answer(COMPLETION, cache_control="no-store"),
            answer(b""),
        ],
    )
    async def test_what_nobody_wants_twice(self, said: Response) -> None:
        assert len((await self.asked_again(said)).attempts) == 1

    async def test_what_broke_off(self) -> None:
        broken = answer(streamed(EVENTS, UpstreamBroken("gone", begun=True)), content_type="text/event-stream")
        async with caching() as ask:
            assert (await ask(chat(STREAMED), broken)).outcome == "failed"
            assert len((await ask(chat(STREAMED), events)).attempts) == 1

    async def test_what_the_agent_did_not_wait_for(self) -> None:
        for chunks in (1, 2):
            async with caching() as ask:
                await ask(chat(STREAMED), events, leave_after=chunks)
                assert len((await ask(chat(STREAMED), events)).attempts) == 1

    async def test_what_is_too_large(self) -> None:
        size = 16 * 1024
        big = wav(size + 2)
        async with caching("max_entry: 16KiB") as ask:
            assert (await ask(speech(), answer([big[:600], big[600:]], content_type="audio/wav"))).body == big
            assert len((await ask(speech(), answer(wav(size), content_type="audio/wav"))).attempts) == 1
            assert (await ask(speech())).attempts == (), "what just fits is kept"

    async def test_no_call_at_all(self) -> None:
        async with caching() as ask:
            failed = await ask(chat(), ConnectFailed("nobody there"))
            assert (failed.status, failed.outcome) == (502, "failed")
            assert len((await ask(chat(), answer(COMPLETION))).attempts) == 1

    async def test_an_upload_that_is_too_large_flows_past(self) -> None:
        async with caching("max_request: 1KiB") as ask:
            for _ in range(2):
                body = streamed([b"x" * 600] * 2, length=1200)
                came = await ask(call("openai", "/v1/audio/transcriptions", body), answer({"text": "x"}))
                assert outcomes(came) == [("skip", "the request's body streams past")]
                assert came.sent[0].body.data == b"x" * 1200

    async def test_an_upload_that_fits_is_held_and_answered(self) -> None:
        async with caching("max_request: 2KiB") as ask:
            for attempts in (1, 0):
                body = streamed([b"x" * 600] * 2, length=1200)
                transcript = {"results": {"channels": [{"alternatives": [{"transcript": "x"}]}]}}
                came = await ask(call("deepgram", "/v1/listen?model=nova-3", body), answer(transcript))
                assert len(came.attempts) == attempts


class TestItsOwnTroubles:
    async def test_in_looking_up_cost_the_call_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(key: str) -> None:
            raise ZeroDivisionError("a defect")

        plugin = configured(Cache)
        monkeypatch.setattr(plugin._storage.memory, "recall", broken)
        played = await play(plugin, chat(), answer(COMPLETION), guarded=True)
        assert (played.json, played.outcome) == (COMPLETION, "completed")
        assert [fault.action for fault in played.faults] == ["bypassed"]

    async def test_in_keeping_cost_the_call_nothing_and_are_counted(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(key: str, value: object, ttl_seconds: float) -> bool:
            raise OSError("no room")

        plugin = configured(Cache)
        monkeypatch.setattr(plugin._storage, "keep", broken)
        async with Stage(plugin) as stage:
            assert (await stage.play(chat(), answer(COMPLETION))).json == COMPLETION
            assert stage.samples()['cache_refused_total{plugin="cache"}'] == 1
        assert any("no room" in line.getMessage() for line in caplog.records)

    async def test_it_goes_by_the_name_that_the_configuration_gives_it(self) -> None:
        """Verdicts, who answered, numbers: two caches in one configuration can be told apart."""
        async with Stage(configured(Cache), configured(Cache)) as stage:
            first = await stage.play(chat(), answer(COMPLETION))
            second = await stage.play(chat())
            assert [verdict.plugin for verdict in first.verdicts] == ["cache", "cache-2"]
            assert second.record.answered_by == "cache"
            told = stage.samples()
            assert len([name for name in told if name.startswith("cache_requests_total")]) == 12


class Dawdling(AroundExchange):
    """Never comes to an end of its own accord."""

    Config = PluginConfig

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        await asyncio.Event().wait()
        return await call_next(exchange)


async def overrun(budget_seconds: float) -> None:
    """Come back when a layer that began now would have been found to take longer than that for itself, twice over."""
    for _ in range(2):
        async with Stage(Dawdling(), guarded=True, budget_seconds=budget_seconds) as stage:
            (fault,) = (await stage.play(chat(), answer(COMPLETION))).faults
            assert fault.reason.startswith("took longer than")


class TestAtOnce:
    async def test_fifty_that_ask_the_same_at_once_make_one_call(self) -> None:
        under_way, go_on = asyncio.Event(), asyncio.Event()

        async def coming() -> AsyncIterator[bytes]:
            yield EVENTS[0]
            under_way.set()
            await go_on.wait()
            for event in EVENTS[1:]:
                yield event

        def begun(attempt: Attempt) -> Response:
            return answer(StreamedBody(coming()), content_type="text/event-stream")

        async with Stage(configured(Cache), guarded=True, budget_seconds=0.05) as stage, asyncio.timeout(20):
            tasks = [asyncio.create_task(stage.play(chat(STREAMED), begun)) for _ in range(25)]
            await under_way.wait()
            tasks += [asyncio.create_task(stage.play(chat(STREAMED), begun)) for _ in range(25)]
            await overrun(0.05)
            go_on.set()
            played = await asyncio.gather(*tasks)
        assert {each.body for each in played} == {b"".join(EVENTS)}
        assert sum(len(each.attempts) for each in played) == 1
        assert [fault for each in played for fault in each.faults] == []
        (leading,) = [each for each in played if each.attempts]
        for each in played:
            if each is not leading:
                assert outcomes(each)[-1] == ("joined", "the same is being asked already")
                assert each.headers.get("cache-status") == "agent-sidecar; fwd=uri-miss; collapsed"

    async def test_if_the_first_leaves_before_it_has_an_answer_another_asks(self) -> None:
        asked = asyncio.Event()
        release = asyncio.Event()

        async def slow(attempt: Attempt) -> Response:
            asked.set()
            await release.wait()
            return answer(COMPLETION)

        async with caching() as ask, asyncio.timeout(20):
            first = asyncio.create_task(ask(chat(), slow))
            await asked.wait()
            others = [asyncio.create_task(ask(chat(), slow)) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.cancel()
            release.set()
            played = await asyncio.gather(*others)
        assert sum(len(each.attempts) for each in played) == 1
        assert [each.json for each in played] == [COMPLETION] * 3

    async def test_if_there_is_no_answer_each_asks_for_itself(self) -> None:
        arrived = asyncio.Event()

        async def failing(attempt: Attempt) -> Response | Exception:
            await arrived.wait()
            return ConnectFailed("nobody there")

        async with caching() as ask, asyncio.timeout(20):
            tasks = [asyncio.create_task(ask(chat(), failing)) for _ in range(3)]
            await asyncio.sleep(0)
            arrived.set()
            played = await asyncio.gather(*tasks)
        assert [each.status for each in played] == [502] * 3

    async def test_who_wants_a_new_answer_does_not_join(self) -> None:
        arrived = asyncio.Barrier(2)

        async def together(attempt: Attempt) -> Response:
            await arrived.wait()
            return answer(COMPLETION)

        async with caching() as ask, asyncio.timeout(5):
            exchanges = chat(), chat(cache_control="no-cache")
            first, second = await asyncio.gather(*(ask(exchange, together) for exchange in exchanges))
            assert (len(first.attempts), len(second.attempts)) == (1, 1)

    async def test_many_hits_do_not_disturb_each_other(self) -> None:
        async with caching() as ask:
            first = await ask(chat(STREAMED), events)
            again = await asyncio.gather(*(ask(chat(STREAMED)) for _ in range(20)))
        assert {each.body for each in again} == {first.body}


# -- over real sockets -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def served(provider: Peer | Lab, *overrides: str, **config: Any) -> AsyncIterator[Running]:
    url = f"http://127.0.0.1:{provider.port}" if isinstance(provider, Peer) else provider.url("openai")
    plugins = json.dumps([{"use": "cache", "config": config}])
    async with running(f"providers.openai.url={url}", "tls.intercept=false", *overrides, plugins=plugins) as sidecar:
        yield sidecar


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def ask(
    http: aiohttp.ClientSession, sidecar: Running, path: str = "/v1/chat/completions", body: Any = CHAT, **headers: str
) -> tuple[int, bytes, aiohttp.typedefs.LooseHeaders]:
    headers = {"Authorization": "Bearer sk-lab", **headers}
    async with http.post(f"{sidecar.proxy}/openai{path}", json=body, headers=headers) as reply:
        return reply.status, await reply.read(), reply.headers


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hit_is_byte_for_byte_the_answer_and_asks_nobody(stream: bool, http: aiohttp.ClientSession) -> None:
    async with Lab("openai") as lab, served(lab) as sidecar:
        body = {**CHAT, "stream": stream}
        first, second = [await ask(http, sidecar, body=body) for _ in range(2)]
        own = re.compile(rb'"(?:id|created)":(?:"[^"]*"|\d+)')
        assert [own.sub(b"", each[1]) for each in (first, second)] == [own.sub(b"", first[1])] * 2
        assert len(first[1]) == len(second[1])
        assert len(lab.requests) == 1
        told: Any = second[2]
        assert told["x-sidecar-provider"] == "cache"
        assert told["x-sidecar-attempts"] == "0"
        assert told["Cache-Status"].startswith("agent-sidecar; hit; ttl=")
        assert told["Age"] == "0"
        assert ("Transfer-Encoding" in told) is stream
        calls = sidecar.calls()
        assert [each.verdicts[0].outcome for each in calls] == ["miss", "hit"]
        assert calls[1].answered_by == "cache"
        assert calls[1].attempts == ()
        assert 'sidecar_cache_requests_total{plugin="cache",outcome="hit"} 1' in sidecar.application.metrics_text()


async def test_audio_comes_again_byte_for_byte(http: aiohttp.ClientSession) -> None:
    async with Lab("openai") as lab, served(lab) as sidecar:
        first, second = [await ask(http, sidecar, "/v1/audio/speech", SPEECH) for _ in range(2)]
        assert first[1] == second[1]
        assert len(first[1]) > 1000
        assert first[2]["Content-Type"] == second[2]["Content-Type"]  # type: ignore[call-overload,index]
        assert len(lab.requests) == 1


async def test_two_agents_with_their_own_credentials_never_meet(http: aiohttp.ClientSession) -> None:
    async with Lab("openai") as lab, served(lab) as sidecar:
        for name in ("sk-a", "sk-b", "sk-a"):
            await ask(http, sidecar, Authorization=f"Bearer {name}")
        assert [request.header("authorization") for request in lab.requests] == ["Bearer sk-a", "Bearer sk-b"]


async def test_an_agent_that_leaves_in_the_middle_leaves_nothing_behind(http: aiohttp.ClientSession) -> None:
    asked = 0

    async def script(line: Line) -> None:
        nonlocal asked
        while True:
            await line.request()
            asked += 1
            head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: %d\r\n\r\n" % len(WAV)
            await line.send(head + WAV[:500])
            if asked == 1:
                return await line.gone()
            await line.send(WAV[500:])

    async with peer(script) as provider, served(provider) as sidecar:
        async with http.post(f"{sidecar.proxy}/openai/v1/audio/speech", json=SPEECH) as reply:
            await reply.content.readexactly(5)
            reply.close()
        for _ in range(2):
            async with http.post(f"{sidecar.proxy}/openai/v1/audio/speech", json=SPEECH) as reply:
                assert await reply.read() == WAV
        assert asked == 2


async def test_a_provider_that_breaks_off_leaves_nothing_behind(http: aiohttp.ClientSession) -> None:
    asked = 0

    async def script(line: Line) -> None:
        nonlocal asked
        await line.request()
        asked += 1
        head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\n"
        await line.send(b"%b%x\r\n%b\r\n" % (head, len(WAV), WAV))
        if asked == 1:
            line.reset()
        else:
            await line.send(b"0\r\n\r\n")

    async with peer(script) as provider, served(provider) as sidecar:
        with pytest.raises(aiohttp.ClientError):
            await ask(http, sidecar, "/v1/audio/speech", SPEECH)
        for _ in range(2):
            assert (await ask(http, sidecar, "/v1/audio/speech", SPEECH))[1] == WAV
        assert asked == 2


async def test_what_asks_for_no_answer_of_its_own_is_passed_on(http: aiohttp.ClientSession) -> None:
    async with peer(answering(wire_answer(b"{}"))) as provider, served(provider) as sidecar:
        for method in ("GET", "HEAD", "DELETE"):
            for _ in range(2):
                async with http.request(method, f"{sidecar.proxy}/openai/v1/chat/completions") as reply:
                    assert reply.status == 200
        assert {each.answered_by for each in sidecar.calls()} == {"openai"}


TRANSCRIPT = {"text": "hello, and much more that is worth being packed " * 20}


class TestCodings:
    def asked(self, codings: str) -> Exchange:
        fields = {"content-type": "multipart/form-data; boundary=b", "accept-encoding": codings}
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'
        return call("openai", "/v1/audio/transcriptions", form, headers={k: v for k, v in fields.items() if v})

    def packed(self, attempt: Attempt) -> Response:
        data = gzip.compress(json.dumps(TRANSCRIPT).encode())
        return answer(data, content_type="application/json", content_encoding="gzip")

    @pytest.mark.parametrize("codings", ["gzip", "deflate, gzip;q=0.1", "*", "br, gzip"])
    async def test_what_is_kept_in_one_is_given_as_it_is_to_who_accepts_it(self, codings: str) -> None:
        async with caching() as ask:
            first = await ask(self.asked("gzip, deflate"), self.packed)
            again = await ask(self.asked(codings))
        assert (again.body, again.headers.get("content-encoding"), again.attempts) == (first.body, "gzip", ())

    @pytest.mark.parametrize("codings", ["", "identity", "deflate", "br", "gzip;q=0", "*, gzip;q=0"])
    async def test_and_without_it_to_who_does_not(self, codings: str) -> None:
        async with caching() as ask:
            await ask(self.asked("gzip, deflate"), self.packed)
            for _ in range(2):
                again = await ask(self.asked(codings))
                assert (again.json, again.headers.get("content-encoding"), again.attempts) == (TRANSCRIPT, None, ())
            assert (await ask(self.asked("gzip"))).headers.get("content-encoding") == "gzip", "nor does one spoil it"

    @pytest.mark.parametrize("codings", ["identity;q=0, deflate", "*;q=0, deflate"])
    async def test_who_accepts_nothing_else_is_not_given_it_plain(self, codings: str) -> None:
        async with caching() as ask:
            await ask(self.asked("gzip"), self.packed)
            assert len((await ask(self.asked(codings), self.packed)).attempts) == 1
            assert len((await ask(chat(accept_encoding="gzip, identity;q=0"), packed_chat)).attempts) == 1
            kept = await ask(chat(accept_encoding="gzip, identity;q=0"), packed_chat)
            assert outcomes(kept) == [("miss", "the agent does not accept it without a content coding")]

    async def test_nobody_joins_a_call_whose_answer_may_be_coded_otherwise(self) -> None:
        together = asyncio.Barrier(2)

        async def slow(attempt: Attempt) -> Response:
            await together.wait()
            return self.packed(attempt) if attempt.request.headers.get("accept-encoding") else answer(TRANSCRIPT)

        async with caching() as ask, asyncio.timeout(10):
            played = await asyncio.gather(*(ask(self.asked(codings), slow) for codings in ("gzip", "")))
        assert [each.headers.get("content-encoding") for each in played] == ["gzip", None]

    async def test_over_the_wire(self, http: aiohttp.ClientSession) -> None:
        async with Lab("openai", gzip_json=True) as lab, served(lab) as sidecar:
            body = {**CHAT, "messages": [{"role": "user", "content": "tell me a long story " * 60}]}
            await ask(http, sidecar, body=body)
            headers = {"Authorization": "Bearer sk-lab", "Accept-Encoding": "identity"}
            async with http.post(f"{sidecar.proxy}/openai/v1/chat/completions", json=body, headers=headers) as reply:
                assert "Content-Encoding" not in reply.headers
                assert json.loads(await reply.read())["choices"]
            assert len(lab.requests) == 1


def packed_chat(attempt: Attempt) -> Response:
    data = gzip.compress(json.dumps(COMPLETION).encode())
    return answer(data, content_type="application/json", content_encoding="gzip")


async def test_an_answer_grows_old(http: aiohttp.ClientSession) -> None:
    async with Lab("openai") as lab, served(lab, chat={"ttl": "0s"}) as sidecar:
        for _ in range(2):
            await ask(http, sidecar)
        assert len(lab.requests) == 2
        assert sidecar.calls()[0].verdicts[0].reason == "such answers are not kept"


async def test_a_reload_forgets_nothing(http: aiohttp.ClientSession) -> None:
    async with Lab("openai") as lab, served(lab) as sidecar:
        await ask(http, sidecar)
        for _ in range(2):
            assert await sidecar.application.reload()
            await ask(http, sidecar)
        assert len(lab.requests) == 1


async def test_an_upload_that_comes_slowly_is_no_fault_of_the_cache() -> None:
    """What it waits for is the agent, however long that takes."""
    async with peer(answering(wire_answer(b'{"text":"x"}', "200 OK", "Content-Type: application/json"))) as provider:
        async with served(provider, "plugins[0].budget=50ms") as sidecar:
            host, _, port = sidecar.proxy.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            head = "POST /openai/v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
            writer.write(head.encode())
            for _ in range(4):
                writer.write(b"x" * 50_000)
                await writer.drain()
                await asyncio.sleep(0.06)
            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
            writer.close()
            (told,) = sidecar.calls()
            assert told.faults == ()
            assert told.request_bytes == 200_000
