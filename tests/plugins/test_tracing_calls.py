"""Traces of calls through a running sidecar, over real sockets, and collectors that are not what they should be."""

import asyncio
import contextlib
import json
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.lab.certificates import Authority
from tests.collector import collecting
from tests.running import Running, running
from tests.wire import Line, Peer, answer, answering, peer

JSON = "Content-Type: application/json"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
PATIENCE = 10.0


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine has set of proxies is not for the way to a collector on loopback."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@contextlib.asynccontextmanager
async def traced(endpoint: str, provider: Peer, *overrides: str, **config: str | int) -> AsyncIterator[Running]:
    config = {"endpoint": endpoint, "delay": "10ms", "timeout": "300ms", **config}
    plugins = json.dumps([{"use": "tracing", "config": config}])
    url = f"providers.openai.url=http://127.0.0.1:{provider.port}"
    async with running(url, "tls.intercept=false", *overrides, plugins=plugins) as sidecar:
        yield sidecar


async def ask(sidecar: Running, http: aiohttp.ClientSession, **headers: str) -> tuple[int, bytes, str]:
    """Status, body, and the id of the call."""
    async with http.post(f"{sidecar.proxy}/openai/v1/chat/completions", json=CHAT, headers=headers) as reply:
        return reply.status, await reply.read(), reply.headers["x-sidecar-request-id"]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


def metrics(sidecar: Running) -> dict[str, float]:
    """What ``/metrics`` says of the plugin."""
    text = re.sub(r'{plugin="tracing"}|plugin="tracing",', "", sidecar.application.metrics_text())
    lines = re.findall(r"(?m)^sidecar_tracing_(\S+) (\S+)$", text)
    return {name: float(value) for name, value in lines}


def unused() -> str:
    """An endpoint at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_call_is_a_trace_of_three_spans(http: aiohttp.ClientSession) -> None:
    async with (
        collecting() as collector,
        peer(answering(answer(b'{"id":"chatcmpl-1"}', "200 OK", JSON))) as provider,
        traced(collector.url, provider) as sidecar,
    ):
        _, _, call_id = await ask(sidecar, http)
        root, operation, attempt = await collector.wait_for(3)
        assert (root.name, operation.name, attempt.name) == ("POST /v1/chat/completions", "chat gpt-4o", "POST")
        assert {span.trace_id for span in (root, operation, attempt)} == {call_id}
        assert (root.parent_id, operation.parent_id, attempt.parent_id) == ("", root.span_id, operation.span_id)
        assert attempt.attributes["server.port"] == provider.port
        assert attempt.attributes["network.peer.address"] == "127.0.0.1"
        assert attempt.attributes["sidecar.connection.reused"] is False
        assert attempt.attributes["sidecar.attempt.connect.duration"] > 0
        assert root.start_ns <= operation.start_ns <= attempt.start_ns
        assert attempt.end_ns <= operation.end_ns <= root.end_ns
        assert abs(root.start_ns - time.time_ns()) < 60 * 10**9
        await ask(sidecar, http)
        again = (await collector.wait_for(6))[5]
        assert again.attributes["sidecar.connection.reused"] is True
        assert "sidecar.attempt.connect.duration" not in again.attributes


async def test_a_new_connection_is_told_in_its_parts(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer(b'{"id":"chatcmpl-1"}', "200 OK", JSON, "Connection: close"))

    authority, ca_file = Authority(), tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem)
    context = authority.server_context([])
    context.num_tickets = 2
    parts = [f"sidecar.attempt.connect.{part}.duration" for part in ("dns", "tcp", "tls")]
    async with collecting() as collector, peer(script, context) as provider:
        overrides = (
            f"providers.openai.url=https://127.0.0.1:{provider.port}",
            f"tls.extra_ca_files=[{ca_file}]",
        )
        async with traced(collector.url, provider, *overrides) as sidecar:
            await ask(sidecar, http)
            attempt = (await collector.wait_for(3))[2]
            assert attempt.attributes["tls.resumed"] is False
            assert attempt.attributes["tls.protocol.version"] == "1.3"
            assert all(attempt.attributes[part] >= 0 for part in parts)
            whole = attempt.attributes["sidecar.attempt.connect.duration"]
            assert sum(attempt.attributes[part] for part in parts) <= whole
            page = sidecar.application.metrics_text()
            assert 'sidecar_upstream_connect_seconds_count{provider="openai",tls="full"} 1' in page
            while 'tls="resumed"} 1' not in sidecar.application.metrics_text():  # for the call to come
                await asyncio.sleep(0.002)
            await ask(sidecar, http)
            again = (await collector.wait_for(6))[5]
            assert not [name for name in again.attributes if name.startswith(("tls.", "sidecar.attempt.connect"))]


async def test_the_agents_trace_goes_on(http: aiohttp.ClientSession) -> None:
    heads = []

    async def script(line: Line) -> None:
        while True:
            head, _ = await line.request()
            heads.append(head.lower())
            await line.send(answer(b"{}", "200 OK", JSON))

    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with collecting() as collector, peer(script) as provider, traced(collector.url, provider) as sidecar:
        await ask(sidecar, http, traceparent=parent, tracestate="a=b", baggage="user=4711")
        root, *_ = await collector.wait_for(3)
        assert (root.trace_id, root.parent_id) == (parent[3:35], parent[36:52])
        assert not any(name in heads[0] for name in (b"traceparent", b"tracestate", b"baggage"))
    async with (
        collecting() as collector,
        peer(script) as provider,
        traced(collector.url, provider, "providers.openai.propagate_trace=true") as sidecar,
    ):
        await ask(sidecar, http, traceparent=parent, baggage="user=4711")
        *_, attempt = await collector.wait_for(3)
        assert f"traceparent: {parent[:36]}{attempt.span_id}-01".encode() in heads[1]
        assert b"baggage" not in heads[1]


async def test_each_call_of_a_kept_connection_is_in_the_trace_of_its_own(http: aiohttp.ClientSession) -> None:
    heads: list[bytes] = []

    async def script(line: Line) -> None:
        while True:
            head, _ = await line.request()
            heads.append(head.lower())
            await line.send(answer(b"{}", "200 OK", JSON))

    parents = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 6)]
    async with collecting() as collector, peer(script) as provider, traced(collector.url, provider) as sidecar:
        for parent in parents:
            await ask(sidecar, http, traceparent=parent)
        spans = await collector.wait_for(15)
        assert [call.trace_id for call in sidecar.calls()] == [parent[3:35] for parent in parents]
    roots = [span for span in spans if span.parent_id in {parent[36:52] for parent in parents}]
    assert sorted(f"00-{root.trace_id}-{root.parent_id}-01" for root in roots) == parents
    assert len(heads) == 5
    assert not any(b"traceparent" in head for head in heads)


async def test_an_agent_that_leaves_in_the_middle_is_no_error(http: aiohttp.ClientSession) -> None:
    async def endless(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await line.send(b"5\r\nfirst\r\n")
        await line.gone()

    async with collecting() as collector, peer(endless) as provider, traced(collector.url, provider) as sidecar:
        async with http.post(f"{sidecar.proxy}/openai/v1/chat/completions", json=CHAT) as reply:
            assert await reply.content.readexactly(5) == b"first"
        spans = await collector.wait_for(3)
        assert {span.status for span in spans} == {0}
        assert not [span for span in spans if "error.type" in span.attributes]
        assert spans[0].attributes["sidecar.outcome"] == "cancelled"
        assert spans[0].attributes["http.response.body.size"] == 5


async def test_a_provider_that_breaks_off_is_an_error_on_all_levels(http: aiohttp.ClientSession) -> None:
    async def cut(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        line.reset()

    async with collecting() as collector, peer(cut) as provider, traced(collector.url, provider) as sidecar:
        with contextlib.suppress(aiohttp.ClientError):
            await ask(sidecar, http)
        spans = await collector.wait_for(3)
        assert [span.status for span in spans] == [2, 2, 2]
        assert {span.attributes["error.type"] for span in spans} == {"connection_terminated"}


class TestTheEnd:
    async def test_loses_no_span_of_what_is_over_or_still_flows(self, http: aiohttp.ClientSession) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(line: Line) -> None:
            await line.request()
            await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            begun.set()
            await go_on.wait()
            await line.send(b"after")

        async with collecting() as collector, peer(slow) as provider:
            async with traced(collector.url, provider, delay="1h") as sidecar:
                flowing = asyncio.create_task(ask(sidecar, http))
                await begun.wait()
                stopping = asyncio.create_task(sidecar.application.stop(PATIENCE))
                await asyncio.sleep(0)
                go_on.set()
                assert (await flowing)[1] == b"firstafter"
                await stopping
                assert len(collector.spans) == 3
            assert len(collector.roots()) == 1

    async def test_loses_no_span_of_what_it_cuts_off(self, http: aiohttp.ClientSession) -> None:
        begun = asyncio.Event()

        async def endless(line: Line) -> None:
            await line.request()
            await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            begun.set()
            await line.gone()

        async with collecting() as collector, peer(endless) as provider:
            async with traced(collector.url, provider) as sidecar:
                flowing = asyncio.create_task(ask(sidecar, http))
                await begun.wait()
                await sidecar.application.stop(0.0)
                with pytest.raises(aiohttp.ClientError):
                    await flowing
                (root,) = collector.roots()
                assert root.attributes["sidecar.outcome"] == "cancelled"

    async def test_does_not_wait_long_for_a_collector_that_is_silent(
        self, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sidecar_tracing.plugin._FLUSH_SECONDS", 0.3)
        async with collecting() as collector, peer(answering(answer())) as provider:
            collector.behaviour = "silent"
            async with traced(collector.url, provider, timeout="1h") as sidecar:
                await ask(sidecar, http)
                began = time.monotonic()
                await sidecar.application.stop(0.0)
                assert time.monotonic() - began < 3

    async def test_a_reload_takes_the_spans_of_both_along(self, http: aiohttp.ClientSession) -> None:
        async with collecting() as collector, peer(answering(answer())) as provider:
            async with traced(collector.url, provider, delay="1h") as sidecar:
                await ask(sidecar, http)
                assert await sidecar.application.reload()
                await ask(sidecar, http)
                await collector.wait_for(3)
            assert len(collector.roots()) == 2


@contextlib.asynccontextmanager
async def bad_collector(kind: str) -> AsyncIterator[tuple[str, Any]]:
    """The endpoint of one that takes no traces."""
    if kind == "absent":
        yield unused(), None
        return
    if kind in ("refuses", "silent"):
        async with collecting() as collector:
            collector.behaviour = kind.removesuffix("s") if kind == "refuses" else kind
            yield collector.url, collector
        return
    status = {"wants to be left alone": "503 Busy", "finds it bad": "400 Bad Request", "is no HTTP": ""}[kind]
    reply = answer(b"", status, "Retry-After: 30") if status else b"220 smtp.example\r\n"
    async with peer(answering(reply)) as server:
        yield f"http://127.0.0.1:{server.port}/v1/traces", server


KINDS = ["absent", "refuses", "silent", "wants to be left alone", "finds it bad", "is no HTTP"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_collector_that_takes_nothing_costs_calls_nothing(
    kind: str, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with (
            bad_collector(kind) as (endpoint, _),
            peer(answering(answer(b"{}", "200 OK", JSON))) as provider,
            traced(endpoint, provider, queue_calls=10, batch_calls=5) as sidecar,
        ):
            took = []
            for _ in range(50):
                began = time.perf_counter()
                assert (await ask(sidecar, http))[:2] == (200, b"{}")
                took.append(time.perf_counter() - began)
            assert sorted(took)[25] < 0.1
            await until(lambda: metrics(sidecar)['dropped_calls_total{reason="export_failed"}'] >= 5)
            told = metrics(sidecar)
            assert told['dropped_calls_total{reason="queue_full"}'] >= 25
            assert told["waiting_calls"] <= 10
            assert told["spans_exported_total"] == 0
            assert not [fault for each in sidecar.calls() for fault in each.faults]
    said = [line for line in caplog.records if line.name.startswith(("sidecar_tracing", "opentelemetry", "urllib3"))]
    (once, *end) = [line.getMessage() for line in said if line.levelno >= logging.WARNING]
    assert once.startswith("the collector does not take traces, ")
    assert endpoint in once, "it says where"
    assert all("before the end" in line for line in end)


async def test_traces_go_on_once_the_collector_is_back(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar_tracing.shipping._LONGEST_PAUSE_SECONDS", 0.02)
    with caplog.at_level(logging.INFO, "sidecar_tracing"):
        async with (
            collecting() as collector,
            peer(answering(answer(b"{}", "200 OK", JSON))) as provider,
            traced(collector.url, provider) as sidecar,
        ):
            collector.behaviour = "refuse"
            await ask(sidecar, http)
            await until(lambda: metrics(sidecar)['dropped_calls_total{reason="export_failed"}'] == 1)
            collector.behaviour = "ok"
            _, _, call_id = await ask(sidecar, http)
            spans = await collector.wait_for(3)
            assert {span.trace_id for span in spans} == {call_id}
            await until(lambda: metrics(sidecar)["spans_exported_total"] == 3)
            assert 'sidecar_tracing_spans_exported_total{plugin="tracing"} 3' in sidecar.application.metrics_text()
    assert any("takes traces again" in line.getMessage() for line in caplog.records)


async def test_without_a_plugin_for_it_nothing_is_told(http: aiohttp.ClientSession) -> None:
    async with peer(answering(answer())) as provider:
        url = f"providers.openai.url=http://127.0.0.1:{provider.port}"
        async with running(url, "tls.intercept=false", plugins="[]") as sidecar:
            await ask(sidecar, http)
            assert "tracing" not in sidecar.application.metrics_text()
