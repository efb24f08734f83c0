"""Which trace a call belongs to, who is told of it, and which calls are told at all."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sidecar_tracing import Tracing

from sidecar import AroundExchange, Exchange, ExchangeHandler, Operation, PluginConfig, Response, hookimpl
from sidecar.errors import ConnectFailed
from sidecar.testing import Played, Stage, answer, call, configured, provider, socket_answer
from tests.collector import Collector, collecting
from tests.plugins.telling import played, told

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
CHAT = {"model": "gpt-4o", "messages": []}


def chat(headers: Mapping[str, str] | None = None, *, trusted: bool = False) -> Exchange:
    to = provider("openai", propagate_trace=trusted)
    return call("openai", "/v1/chat/completions", CHAT, headers=headers, to=[to])


class TestTheAgentsTrace:
    async def test_goes_on_here(self) -> None:
        root, *others = told(await played(chat({"traceparent": SAMPLED, "tracestate": "vendor=1,other=2"}), answer({})))
        assert (root.trace_id, root.parent_id, root.remote_parent) == (TRACE, SPAN, True)
        assert root.trace_state == "vendor=1,other=2"
        assert {span.trace_id for span in others} == {TRACE}
        assert not any(span.remote_parent for span in others)

    @pytest.mark.parametrize("value", ["", "nonsense", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01"])
    async def test_begins_here_if_what_came_is_no_name_for_one(self, value: str) -> None:
        exchange = chat({"traceparent": value, "tracestate": "vendor=1"})
        root, *_ = told(await played(exchange, answer({})))
        assert (root.trace_id, root.parent_id, root.remote_parent) == (exchange.id, "", False)
        assert root.trace_state == ""


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is exported."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")


@pytest.mark.usefixtures("silent")
class TestWhatProvidersAreTold:
    async def play(self, exchange: Exchange, *answers: Any) -> Played:
        async with Stage(configured(Tracing)) as stage:
            return await stage.play(exchange, *(answers or (answer({}),)))

    async def test_vendors_learn_nothing(self) -> None:
        headers = {"TraceParent": SAMPLED, "tracestate": "a=b", "Baggage": "user=4711", "X-Other": "kept"}
        (sent,) = (await self.play(chat(headers))).sent
        assert [name for name, _ in sent.headers] == [b"Host", b"Content-Type", b"Content-Length", b"X-Other"]

    async def test_a_call_without_a_trace_goes_out_as_it_came(self) -> None:
        exchange = chat({"X-Order": "kept"})
        (sent,) = (await self.play(exchange)).sent
        assert sent.headers is exchange.request.headers

    async def test_trusted_servers_are_told_of_the_attempt(self) -> None:
        came = await self.play(
            chat({"traceparent": SAMPLED, "tracestate": "a=b", "baggage": "user=4711"}, trusted=True)
        )
        (sent,) = came.sent
        _, _, attempt = told(came.record)
        assert sent.headers.get("traceparent") == f"00-{TRACE}-{attempt.span_id}-01"
        assert sent.headers.get("tracestate") == "a=b"
        assert "baggage" not in sent.headers

    async def test_trusted_servers_join_a_trace_that_begins_here(self) -> None:
        exchange = chat(trusted=True)
        came = await self.play(exchange)
        _, _, attempt = told(came.record)
        assert came.sent[0].headers.get("traceparent") == f"00-{exchange.id}-{attempt.span_id}-01"

    async def test_the_agents_decision_not_to_sample_goes_on(self) -> None:
        (sent,) = (await self.play(chat({"traceparent": NOT_SAMPLED}, trusted=True))).sent
        value = sent.headers.get("traceparent") or ""
        assert value.startswith(f"00-{TRACE}-")
        assert value.endswith("-00")

    async def test_the_state_of_a_trace_that_has_no_valid_name_is_dropped(self) -> None:
        exchange = chat({"traceparent": "nonsense", "tracestate": "a=b"}, trusted=True)
        (sent,) = (await self.play(exchange)).sent
        assert (sent.headers.get("traceparent") or "").startswith(f"00-{exchange.id}-")
        assert "tracestate" not in sent.headers

    async def test_each_attempt_has_a_name_of_its_own(self) -> None:
        to = [provider("openai", f"p{number}", propagate_trace=number != 1) for number in range(3)]
        exchange = call("openai", "/v1/chat/completions", CHAT, headers={"traceparent": SAMPLED}, to=to)
        seen: list[str | None] = []

        def unreachable(attempt: Any) -> Any:
            seen.append(attempt.request.headers.get("traceparent"))
            return answer({}) if len(seen) == 3 else ConnectFailed("no")

        came = await self.play(exchange, unreachable)
        attempts = told(came.record)[2:]
        assert seen[1] is None, "the second is not trusted"
        for number in (0, 2):
            assert seen[number] == f"00-{TRACE}-{attempts[number].span_id}-01"
        assert seen[0] != seen[2]

    async def test_sockets_are_no_exception(self) -> None:
        target, headers = "/v1/realtime?model=x", {"traceparent": SAMPLED}
        for trusted in (False, True):
            to = [provider("openai", propagate_trace=trusted)]
            came = await self.play(call("openai", target, headers=headers, to=to, socket=True), socket_answer())
            assert ("traceparent" in came.sent[0].headers) is trusted

    async def test_calls_that_nobody_reads_are_not_touched_unless_the_configuration_says_so(self) -> None:
        """A passthrough goes byte for byte; ``operations: [passthrough, …]`` makes the plugin stand around it too."""
        target, headers = "/v1/embeddings", {"traceparent": SAMPLED}
        untouched = await self.play(call("openai", target, {}, headers=headers))
        assert "traceparent" in untouched.sent[0].headers
        async with Stage(configured(Tracing), operations=list(Operation)) as stage:
            came = await stage.play(call("openai", target, {}, headers=headers), answer({}))
        assert "traceparent" not in came.sent[0].headers


class Failing(AroundExchange):
    Config = PluginConfig

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        raise ZeroDivisionError


@asynccontextmanager
async def exporting(config: str, *others: object, **options: Any) -> AsyncIterator[tuple[Stage, Collector]]:
    """A stage with the plugin, exporting to a collector; at its end all that was to be told has been."""
    async with collecting() as collector:
        plugin = configured(Tracing, f"endpoint: {collector.url}\ndelay: 10ms\n{config}")
        async with Stage(*others, plugin, guarded=True, **options) as stage:
            yield stage, collector


class TestSampling:
    async def test_all_calls_are_told_by_default(self) -> None:
        async with exporting("") as (stage, collector):
            for _ in range(5):
                await stage.play(chat(), answer({}))
        assert len(collector.roots()) == 5

    async def test_the_agents_decision_holds(self) -> None:
        async with exporting("sample: 0\nkeep_failed: true") as (stage, collector):
            await stage.play(chat({"traceparent": NOT_SAMPLED}), ConnectFailed("no"))
        assert collector.spans == []
        async with exporting("") as (stage, collector):
            await stage.play(chat({"traceparent": NOT_SAMPLED}), answer({}))
            await stage.play(chat({"traceparent": SAMPLED}), answer({}))
            await stage.play(chat({"tracestate": "a=b"}), answer({}))
        assert sorted(span.trace_id == TRACE for span in collector.roots()) == [False, True]

    async def test_a_share_is_told_and_what_went_wrong_always(self) -> None:
        async with exporting("sample: 0", Failing()) as (stage, collector):
            await stage.play(chat(), answer({}))
        assert len(collector.roots()) == 1, "a fault is remarkable"
        async with exporting("sample: 0") as (stage, collector):
            await stage.play(chat(), answer({}))
            await stage.play(chat(), ConnectFailed("no"))
            await stage.play(chat(), answer({}, 429))
            await stage.play(chat(), answer([b"a", b"b"]), leave_after=1)
            spare = [provider("openai"), provider("openai", "spare")]
            await stage.play(call("openai", "/v1/chat/completions", CHAT, to=spare), ConnectFailed("no"), answer({}))
        outcomes = [
            (root.attributes["http.response.status_code"], root.attributes["sidecar.outcome"])
            for root in collector.roots()
        ]
        assert sorted(outcomes) == [(200, "cancelled"), (200, "completed"), (429, "completed"), (502, "failed")]

    async def test_a_share_is_a_share(self) -> None:
        async with exporting("sample: 0.5") as (stage, collector):
            for _ in range(200):
                await stage.play(chat(), answer({}))
        assert 60 < len(collector.roots()) < 140  # six standard deviations

    async def test_nothing_is_told_of_what_is_not_wanted(self) -> None:
        async with exporting("sample: 0\nkeep_failed: false") as (stage, collector):
            await stage.play(chat(), ConnectFailed("no"))
        assert collector.requests == []

    async def test_operations_that_are_not_wanted_are_not_told(self) -> None:
        async with exporting("", operations=[Operation.TTS]) as (stage, collector):
            await stage.play(chat(), answer({}))
            await stage.play(call("openai", "/v1/audio/speech", {"input": "x"}), answer(b"x"))
        assert [root.attributes["sidecar.operation"] for root in collector.roots()] == ["tts"]


async def test_calls_beside_each_other_do_not_mix_their_traces() -> None:
    async with exporting("") as (stage, collector):
        exchanges = [chat() for _ in range(20)]
        await asyncio.gather(*(stage.play(exchange, answer({})) for exchange in exchanges))
    assert {root.trace_id for root in collector.roots()} == {exchange.id for exchange in exchanges}
    assert len({span.span_id for span in collector.spans}) == 60
