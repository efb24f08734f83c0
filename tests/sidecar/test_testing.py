"""The kit for plugin authors: what it lets a plugin see is what the sidecar would, and mistakes reach the test."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from msgspec import Meta

from sidecar import (
    AroundAttempt,
    AroundExchange,
    Attempt,
    AttemptHandler,
    Body,
    Chat,
    Console,
    Exchange,
    ExchangeClosed,
    ExchangeHandler,
    Lifespan,
    Operation,
    PluginConfig,
    Question,
    Record,
    Response,
    Runtime,
    Sample,
    Samples,
    Speech,
    StreamedBody,
    Told,
    hookimpl,
)
from sidecar.configuration import InvalidConfiguration
from sidecar.errors import ConnectFailed, UpstreamBroken, UpstreamTimeout
from sidecar.host import Unusable
from sidecar.provider import Secret
from sidecar.testing import Stage, answer, call, configured, play, provider, socket_answer, streamed
from sidecar.units import Duration
from sidecar.websocket import TRAFFIC

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


def chat(**options: Any) -> Exchange:
    return call("openai", "/v1/chat/completions", CHAT, **options)


class Layer(AroundExchange):
    """A layer that does what a test gives it to do."""

    Config = PluginConfig

    def __init__(self, does: Callable[[Exchange, ExchangeHandler], Awaitable[Response]]) -> None:
        self.does = does

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        return await self.does(exchange, call_next)


class AttemptLayer(AroundAttempt):
    Config = PluginConfig

    def __init__(self, does: Callable[[Attempt, AttemptHandler], Awaitable[Response]]) -> None:
        self.does = does

    @hookimpl
    async def around_attempt(self, attempt: Attempt, call_next: AttemptHandler) -> Response:
        return await self.does(attempt, call_next)


class Watching(Lifespan, ExchangeClosed, Samples):
    """Sees everything that a plugin can see from outside."""

    Config = PluginConfig
    sockets = True

    def __init__(self, *samples: Sample) -> None:
        self.said = samples
        self.records: list[Record] = []
        self.life: list[str] = []

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.life.append(f"in as {runtime.name}")
        yield
        self.life.append("out")

    @hookimpl
    def exchange_closed(self, record: Record) -> None:
        self.records.append(record)

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        return self.said


async def passing(exchange: Exchange, call_next: ExchangeHandler) -> Response:
    return await call_next(exchange)


class TestWhatGoesIn:
    def test_a_call_is_recognised_and_read_as_the_sidecar_would(self) -> None:
        exchange = chat()
        assert exchange.operation == Operation.CHAT
        assert exchange.call is not None
        assert exchange.call.endpoint == "chat.completions"
        assert isinstance(exchange.payload, Chat)
        assert exchange.payload.messages[0].text == "hello"
        assert exchange.request.headers.get("content-length") == str(len(exchange.request.body.data or b""))
        assert exchange.request.headers.get("content-type") == "application/json"

    def test_no_two_calls_have_the_same_id(self) -> None:
        assert len({chat().id for _ in range(100)}) == 100

    def test_a_call_that_no_dialect_knows_is_a_passthrough(self) -> None:
        exchange = call("openai", "/v1/embeddings", {"input": "x"})
        assert exchange.operation == Operation.PASSTHROUGH
        assert exchange.payload is None

    def test_headers_and_method_are_the_tests(self) -> None:
        exchange = call(
            "openai", "/v1/models?limit=1", method="GET", headers={"authorization": "Bearer sk", "Host": "a"}
        )
        assert exchange.request.method == "GET"
        assert exchange.request.headers.fields == ((b"Host", b"a"), (b"authorization", b"Bearer sk"))
        assert exchange.request.query == "limit=1"

    def test_the_first_candidate_is_whom_the_agent_called(self) -> None:
        first, second = provider("openai"), provider("openai", "spare")
        exchange = chat(to=[first, second])
        assert exchange.provider is first
        assert exchange.candidates == (first, second)

    def test_an_upload_without_a_length_comes_in_chunks(self) -> None:
        exchange = call("openai", "/v1/audio/transcriptions", streamed([b"a", b"b"]))
        assert exchange.request.headers.get("transfer-encoding") == "chunked"
        assert exchange.payload is None
        sized = call("openai", "/v1/audio/transcriptions", streamed([b"a", b"b"], length=2))
        assert sized.request.headers.get("content-length") == "2"

    async def test_an_answer_is_whole_streamed_or_json(self) -> None:
        whole = answer(b"RIFF", content_type="audio/wav")
        assert whole.headers.fields == ((b"Content-Type", b"audio/wav"), (b"Content-Length", b"4"))
        assert answer({"a": 1}).body.data == b'{"a":1}'
        chunks = answer([b"a", b"b"])
        assert chunks.chunked
        assert [chunk async for chunk in chunks.body] == [b"a", b"b"]
        sized = answer(streamed([b"abc"], length=3), 206)
        assert (sized.status, sized.chunked, sized.headers.get("content-length")) == (206, False, "3")


class VoiceConfig(PluginConfig, frozen=True):
    voice: str
    patience: Duration = Duration("1s")
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    token: Secret | None = None


class Voice(Layer):
    Config = VoiceConfig

    def __init__(self, config: VoiceConfig) -> None:
        super().__init__(passing)
        self.config = config


class TestConfiguration:
    def test_a_plugin_is_made_of_what_a_user_writes(self) -> None:
        plugin = configured(Voice, "voice: alloy\npatience: 300ms\ntoken: ${env:TOKEN}", {"TOKEN": "sk-1"})
        assert plugin.config == VoiceConfig(voice="alloy", patience=Duration("300ms"), token=Secret("sk-1"))

    def test_all_that_is_wrong_is_said_as_the_user_is_told(self) -> None:
        with pytest.raises(InvalidConfiguration) as refused:
            configured(Voice, "voise: alloy\nshare: 2\n")
        told = str(refused.value)
        assert "3 problems" in told
        assert "config:1:1: voise: is not a setting" in told
        assert "did you mean voice?" in told
        assert "config:2:8: share: 2 is out of range; expected a number from 0 to 1" in told
        assert "voice: is missing; expected text" in told

    def test_what_is_no_yaml_is_refused(self) -> None:
        with pytest.raises(InvalidConfiguration):
            configured(Voice, "voice: [")

    def test_a_plugin_without_settings_needs_none(self) -> None:
        class Plain(Watching):
            def __init__(self, config: PluginConfig) -> None:
                super().__init__()

        assert isinstance(configured(Plain), Plain)


class TestAroundTheExchange:
    async def test_what_is_passed_on_and_what_comes_back_can_be_seen(self) -> None:
        async def hurry(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            exchange.note("layer", "changed", "shorter", tokens=5)
            return await call_next(exchange.with_fields(max_tokens=5))

        played = await play(Layer(hurry), chat(), answer({"id": "chatcmpl-1"}, x_vendor="kept"))
        assert (played.status, played.outcome, played.json) == (200, "completed", {"id": "chatcmpl-1"})
        assert played.headers.get("x-vendor") == "kept"
        (passed,) = played.passed_on
        assert isinstance(passed.payload, Chat)
        assert passed.payload.max_output_tokens == 5
        assert b'"max_tokens":5' in (played.sent[0].body.data or b"")
        assert played.sent[0].headers.get("content-length") == str(len(played.sent[0].body.data or b""))
        (verdict,) = played.verdicts
        assert (verdict.plugin, verdict.outcome, verdict.detail) == ("layer", "changed", {"tokens": 5})

    async def test_a_layer_that_answers_itself_asks_nobody(self) -> None:
        async def answering(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            return Response(status=418, body=Body(b"short and stout"), answered_by="layer")

        played = await play(Layer(answering), chat(), answer(b"unheard"))
        assert (played.status, played.body, played.attempts, played.passed_on) == (418, b"short and stout", (), ())
        assert played.headers.get("content-length") == "15"
        assert played.record.answered_by == "layer"

    async def test_a_stream_arrives_chunk_by_chunk(self) -> None:
        async def loud(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            response = await call_next(exchange)
            inner = response.body

            async def upper() -> AsyncIterator[bytes]:
                async for chunk in inner:
                    yield chunk.upper()

            return response.with_body(StreamedBody(upper(), wrapped=inner))

        played = await play(Layer(loud), chat(), answer([b"a", b"b", b"c"]))
        assert played.chunks == (b"A", b"B", b"C")
        assert played.headers.get("transfer-encoding") == "chunked"
        assert played.record.chunks == 3
        assert played.record.answer_tail == b"ABC"

    async def test_an_answer_that_does_not_fit_its_length_is_a_mistake(self) -> None:
        async def longer(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            response = await call_next(exchange)
            return response.with_body(streamed([b"more than", b" was said"]))

        with pytest.raises(UpstreamBroken, match="it has 18 bytes where 5 were announced"):
            await play(Layer(longer), chat(), answer(b"short"))

    async def test_layers_stand_in_their_order_and_several_of_a_kind_too(self) -> None:
        def adding(letter: str) -> Layer:
            async def add(exchange: Exchange, call_next: ExchangeHandler) -> Response:
                exchange.note(letter, "passed")
                return await call_next(exchange)

            return Layer(add)

        async with Stage(adding("a"), adding("b"), adding("c")) as stage:
            played = await stage.play(chat())
        assert [verdict.plugin for verdict in played.verdicts] == ["a", "b", "c"]

    async def test_a_passthrough_call_passes_by_unless_the_operations_say_otherwise(self) -> None:
        async def mark(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            exchange.note("layer", "seen")
            return await call_next(exchange)

        embedding = call("openai", "/v1/embeddings", {"input": "x"})
        assert not (await play(Layer(mark), embedding)).verdicts
        async with Stage(Layer(mark), operations=[Operation.PASSTHROUGH]) as stage:
            assert (await stage.play(call("openai", "/v1/embeddings", {"input": "x"}))).verdicts
            assert not (await stage.play(chat())).verdicts

    async def test_an_upload_streams_through(self) -> None:
        played = await play(Layer(passing), call("openai", "/v1/audio/transcriptions", streamed([b"a", b"b"])))
        assert played.sent[0].body.data == b"ab"
        assert (played.record.request_bytes, played.record.request_head) == (2, b"ab")

    async def test_a_head_request_gets_no_body(self) -> None:
        played = await play(Layer(passing), call("openai", "/v1/models", method="HEAD"), answer(b"unseen"))
        assert played.body == b""


class TestAroundTheAttempt:
    async def test_each_provider_tried_is_one_attempt(self) -> None:
        async def named(attempt: Attempt, call_next: AttemptHandler) -> Response:
            request = attempt.request.with_headers(attempt.request.headers.with_field("X-To", attempt.provider.name))
            return await call_next(attempt.with_request(request))

        candidates = [provider("openai"), provider("openai", "spare")]
        played = await play(AttemptLayer(named), chat(to=candidates), ConnectFailed("nobody there"), answer(b"late"))
        assert played.body == b"late"
        assert [attempt.request.headers.get("x-to") for attempt in played.attempts] == ["openai", "spare"]
        assert [attempt.error is None for attempt in played.record.attempts] == [False, True]
        assert played.record.answered_by == "spare"
        assert len(played.sent) == 1, "who could not be reached was sent nothing"

    async def test_what_a_provider_is_sent_has_the_right_credential(self) -> None:
        to = [provider("openai"), provider("anthropic", "other")]
        exchange = chat(to=to, headers={"authorization": "Bearer of-openai"})
        await play(AttemptLayer(_attempt), exchange, answer())
        played = await play(
            AttemptLayer(_attempt), chat(to=to, headers={"authorization": "x"}), ConnectFailed("no"), answer()
        )
        assert played.sent[0].headers.get("authorization") is None, "the agent's own is for whom it called"

    async def test_what_a_client_writes_down_is_there(self) -> None:
        played = await play(AttemptLayer(_attempt), chat(), answer([b"abc", b"de"]))
        (attempt,) = played.record.attempts
        assert (attempt.status, attempt.body_bytes, attempt.error) == (200, 5, None)
        assert attempt.started <= attempt.requested <= attempt.first_byte <= attempt.ended
        assert attempt.peer


async def _attempt(attempt: Attempt, call_next: AttemptHandler) -> Response:
    return await call_next(attempt)


class TestTheProvider:
    async def test_gives_its_answers_in_turn_and_the_last_for_ever(self) -> None:
        async with Stage(Watching()) as stage:
            for expected in (b"one", b"two"):
                assert (await stage.play(chat(), answer(expected))).body == expected

        async def again(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            answers = [await call_next(exchange) for _ in range(4)]
            return Response(status=200, body=Body(b" ".join([await each.body.read(10) for each in answers])))

        assert (await play(Layer(again), chat(), answer(b"one"), answer(b"two"))).body == b"one two two two"

    async def test_can_make_its_answer_of_the_attempt(self) -> None:
        def echo(attempt: Attempt) -> Response:
            return answer(attempt.request.body.data)

        async def slow(attempt: Attempt) -> Response:
            await asyncio.sleep(0)
            return answer([b"later"])

        assert (await play(Watching(), chat(), echo)).json == CHAT
        assert (await play(Watching(), chat(), slow)).body == b"later"
        assert (await play(Watching(), chat())).status == 200

    async def test_can_be_out_of_reach_late_or_broken_and_the_agent_is_told(self) -> None:
        watching = Watching()
        played = await play(watching, chat(), UpstreamTimeout("first_byte", 3))
        assert (played.status, played.outcome) == (504, "failed")
        assert "first byte timed out" in played.json["error"]["message"]
        assert watching.records[-1].error is played.record.error

        played = await play(watching, chat(), lambda attempt: ValueError("not even a call's error"))
        assert (played.status, played.outcome) == (502, "failed")

    async def test_can_break_off_in_its_answer(self) -> None:
        broken = UpstreamBroken("gone", begun=True)
        played = await play(Watching(), chat(), answer(streamed([b"a", b"b"], broken)))
        assert (played.chunks, played.outcome, played.record.error) == ((b"a", b"b"), "failed", broken)
        assert played.record.attempts[0].error is broken

    async def test_takes_its_time(self) -> None:
        played = await play(Watching(), chat(), answer(streamed([b"a", b"b", b"c"], gap_seconds=0.01)))
        assert 0.005 < played.record.longest_gap_seconds < 1


class TestTheAgent:
    async def test_may_leave_and_the_provider_is_let_go(self) -> None:
        let_go = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x"
            finally:
                let_go.set()

        watching = Watching()
        played = await play(watching, chat(), answer(StreamedBody(endless())), leave_after=3)
        assert (played.chunks, played.outcome) == ((b"x",) * 3, "cancelled")
        assert let_go.is_set()
        assert watching.records[0].outcome == "cancelled"

    async def test_may_leave_before_the_answer(self) -> None:
        watching = Watching()

        async def never(attempt: Attempt) -> Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with Stage(watching) as stage:
            playing = asyncio.create_task(stage.play(chat(), never))
            await asyncio.sleep(0)
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
        assert watching.records[0].outcome == "cancelled"
        assert watching.records[0].status is None

    async def test_answers_that_a_layer_dropped_are_let_go(self) -> None:
        let_go = []

        def telling(name: str) -> Response:
            async def chunks() -> AsyncIterator[bytes]:
                yield name.encode()

            class Telling(StreamedBody):
                async def aclose(self) -> None:
                    let_go.append(name)
                    await super().aclose()

            return answer(Telling(chunks()))

        async def twice(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            await call_next(exchange)
            return await call_next(exchange)

        played = await play(Layer(twice), chat(), telling("dropped"), telling("used"))
        assert played.body == b"used"
        assert set(let_go) == {"dropped", "used"}


class TestSockets:
    async def test_only_layers_that_ask_for_it_stand_around_a_socket(self) -> None:
        async def mark(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            exchange.note("layer", "seen")
            return await call_next(exchange)

        class Socketed(Layer):
            sockets = True

        target = "/v1/realtime?model=gpt-realtime"
        played = await play(Socketed(mark), call("openai", target, socket=True), socket_answer())
        assert (played.status, played.outcome) == (101, "completed")
        assert played.verdicts
        assert not (await play(Layer(mark), call("openai", target, socket=True), socket_answer())).verdicts

    async def test_what_went_over_it_is_told_at_the_end(self) -> None:
        watching = Watching()
        await play(
            watching,
            call("openai", "/v1/realtime?model=x", socket=True),
            socket_answer(sent=3, received=7, close_code=1001),
        )
        (record,) = watching.records
        traffic = record.exchange.notes.get(TRAFFIC)
        assert traffic is not None
        assert (traffic.from_agent.messages, traffic.from_provider.messages, traffic.close_code) == (3, 7, 1001)

    async def test_it_may_break_off(self) -> None:
        played = await play(
            Watching(), call("openai", "/v1/realtime?model=x", socket=True), socket_answer(close_code=None)
        )
        assert played.outcome == "failed"


class TestMistakes:
    async def test_reach_the_test(self) -> None:
        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            await play(Layer(wrong), chat())

    async def test_in_a_stream_reach_the_test(self) -> None:
        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            async def chunks() -> AsyncIterator[bytes]:
                yield b"a"
                raise ZeroDivisionError("mine")

            return Response(status=200, body=StreamedBody(chunks()))

        with pytest.raises(ZeroDivisionError, match="mine"):
            await play(Layer(wrong), chat())

    async def test_of_an_observer_reach_the_test(self) -> None:
        class Wrong(Watching):
            @hookimpl
            def exchange_closed(self, record: Record) -> None:
                raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            await play(Wrong(), chat())

    async def test_in_the_background_reach_the_test(self) -> None:
        tasks = []

        async def later() -> None:
            await asyncio.sleep(0.01)
            raise ZeroDivisionError("mine")

        async def starting(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            tasks.append(asyncio.create_task(later()))
            return await call_next(exchange)

        with pytest.raises(ZeroDivisionError, match="mine"):
            await play(Layer(starting), chat())

    async def test_that_the_sidecar_refuses_are_refused(self) -> None:
        class Forgetful:
            Config = PluginConfig

            async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
                return await call_next(exchange)

        class Mistaken(AroundExchange):
            Config = PluginConfig

            @hookimpl
            async def around_exchange(self, exchange: Exchange, wrong_name: ExchangeHandler) -> Response:
                return await wrong_name(exchange)

        with pytest.raises(Unusable, match="lacks @hookimpl"):
            Stage(Forgetful())
        with pytest.raises(Unusable, match="wrong_name"):
            Stage(Mistaken())


class TestUnderGuard:
    async def test_a_failing_layer_is_bypassed_and_the_fault_told(self) -> None:
        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            raise ZeroDivisionError("mine")

        played = await play(Layer(wrong), chat(), answer(b"all the same"), guarded=True)
        assert (played.body, played.outcome) == (b"all the same", "completed")
        (fault,) = played.faults
        assert (fault.plugin, fault.hook, fault.action) == ("layer", "around_exchange", "bypassed")
        assert fault.reason == "raised ZeroDivisionError: mine"

    async def test_a_layer_that_must_not_be_skipped_fails_the_call(self) -> None:
        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            raise ZeroDivisionError("mine")

        async with Stage(Layer(wrong), guarded=True, on_fault="fail") as stage:
            played = await stage.play(chat())
        assert (played.status, played.outcome, played.attempts) == (502, "failed", ())
        assert "plugin layer failed" in played.json["error"]["message"]

    async def test_time_of_its_own_is_limited_time_of_the_provider_is_not(self) -> None:
        async def slow(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            await asyncio.sleep(10)
            return await call_next(exchange)

        async def late(attempt: Attempt) -> Response:
            await asyncio.sleep(0.1)
            return answer(b"ok")

        async with Stage(Layer(slow), guarded=True, budget_seconds=0.02) as stage:
            began = time.monotonic()
            played = await stage.play(chat(), answer(b"ok"))
            assert time.monotonic() - began < 5
        assert played.faults[0].reason == "took longer than its 0.02 s"
        async with Stage(Layer(passing), guarded=True, budget_seconds=0.02) as stage:
            assert not (await stage.play(chat(), late)).faults

    async def test_faults_in_a_row_lead_to_quarantine(self) -> None:
        calls = []

        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            calls.append(exchange)
            raise ZeroDivisionError

        async with Stage(Layer(wrong), guarded=True, quarantine_after=2) as stage:
            faults = [len((await stage.play(chat(), answer(b"ok"))).faults) for _ in range(4)]
        assert faults == [1, 1, 0, 0]
        assert len(calls) == 2

    async def test_an_observer_harms_nobody(self) -> None:
        class Wrong(Watching):
            @hookimpl
            def exchange_closed(self, record: Record) -> None:
                raise ZeroDivisionError("mine")

        played = await play(Wrong(), chat(), guarded=True)
        assert played.outcome == "completed"
        assert [(fault.hook, fault.action) for fault in played.faults] == [("exchange_closed", "ignored")]

    async def test_a_stream_that_breaks_in_the_plugin_ends_the_answer_short(self) -> None:
        async def wrong(exchange: Exchange, call_next: ExchangeHandler) -> Response:
            async def chunks() -> AsyncIterator[bytes]:
                yield b"a"
                raise ZeroDivisionError("mine")

            return Response(status=200, body=StreamedBody(chunks()))

        played = await play(Layer(wrong), chat(), guarded=True)
        assert (played.body, played.outcome) == (b"a", "failed")


class TestLifespanAndSamples:
    async def test_resources_are_held_while_it_serves(self) -> None:
        watching = Watching()
        async with Stage(watching) as stage:
            assert watching.life == ["in as watching"]
            await stage.play(chat())
        assert watching.life == ["in as watching", "out"]

    async def test_what_was_begun_is_ended_when_the_next_cannot_start(self) -> None:
        first = Watching()

        class Broken(Watching):
            @hookimpl
            @asynccontextmanager
            async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
                raise OSError("no room")
                yield

        with pytest.raises(OSError, match="no room"):
            async with Stage(first, Broken()):
                pass
        assert first.life == ["in as watching", "out"]

    async def test_samples_are_numbers_by_name_and_labels(self) -> None:
        labels = (("voice", "alloy"),)
        async with Stage(
            Watching(Sample("calls_total", 3, "Calls.", "counter", labels), Sample("open", 1, "Open."))
        ) as stage:
            assert stage.samples() == {
                'calls_total{plugin="watching",voice="alloy"}': 3,
                'open{plugin="watching"}': 1,
            }

    @pytest.mark.parametrize(
        ("samples", "objection"),
        [
            ([Sample("calls", 1, "Calls.", "counter")], "_total"),
            ([Sample("calls_total", 1, "Calls.")], "_total"),
            ([Sample("calls", 1, "Calls.", "histogram")], "histogram"),
            ([Sample("my-calls", 1, "Calls.")], "names"),
            ([Sample("calls", 1, "Calls.", labels=(("a-b", "c"),))], "names"),
            ([Sample("calls", 1, "Calls."), Sample("calls", 2, "Calls.")], "twice"),
        ],
    )
    async def test_samples_that_prometheus_would_refuse_are_refused(
        self, samples: list[Sample], objection: str
    ) -> None:
        async with Stage(Watching(*samples)) as stage:
            with pytest.raises(ValueError, match=objection):
                stage.samples()


async def test_a_speech_call_has_its_text() -> None:
    exchange = call("openai", "/v1/audio/speech", {"model": "tts-1", "voice": "alloy", "input": "hello"})
    assert isinstance(exchange.payload, Speech)
    assert exchange.payload.text == "hello"


class Asker(AroundExchange, Lifespan, Console):
    """Makes calls of its own, and tells of them."""

    Config = PluginConfig

    def __init__(self) -> None:
        self.runtime: Runtime

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.runtime = runtime
        yield

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        exchange.note("asker", "seen", exchange.door)
        return await call_next(exchange)

    @hookimpl
    async def console(self, question: Question) -> Told:
        if question.path == "warm":
            self.runtime.warm(self.runtime.providers["deepgram"])
            return Told(value=None)
        if question.path != "ask":
            return Told(value={"error": "ask, no more"}, status=404)
        exchange = self.runtime.calls.exchange(self.runtime.providers["openai"], chat().request)
        response = await self.runtime.calls.call(exchange, 1000)
        verdicts = [(each.outcome, each.reason) for each in exchange.notes.verdicts]
        return Told(value=[question.query, question.body, response.body.data, verdicts])


async def test_a_plugin_asked_over_the_admin_interface_may_make_calls_of_its_own() -> None:
    async with Stage(Asker()) as stage:
        with pytest.raises(ConnectFailed, match="no call has been played yet"):
            await stage.console("asker", "ask")
        await stage.play(chat(), answer(b"{}"))
        told = await stage.console("asker", "ask", "POST", b"body", much="1")
        assert told is not None
        assert told.value == [{"much": "1"}, b"body", b"{}", [("seen", "background")]]
        assert (await stage.console("asker", "nothing")) == Told(value={"error": "ask, no more"}, status=404)
        assert await stage.console("nobody", "ask") is None


async def test_connections_that_a_plugin_wants_ahead_are_told() -> None:
    async with Stage(Asker()) as stage:
        assert not stage.warmed
        await stage.console("asker", "warm")
        assert [provider.name for provider in stage.warmed] == ["deepgram"]


async def test_a_plugin_is_given_the_one_that_it_takes_over_from() -> None:
    before = Asker()
    async with Stage(Layer(lambda exchange, call_next: call_next(exchange)), before) as old:
        assert before.runtime.before is None
        async with Stage(after := Asker(), before=old):
            assert after.runtime.before is before
