"""What we use of OpenTelemetry's OTLP exporters is there and does what we rely on, in the version that is installed.

An upgrade of ``opentelemetry-exporter-otlp`` that breaks `sidecar_tracing.exporter` fails here first.
"""

import asyncio
import contextlib
import inspect
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sidecar_tracing import Tracing, TracingConfig
from sidecar_tracing.exporter import Export, Exporter
from sidecar_tracing.otlp import SERVER, attributes, request, resource, said, span

from sidecar.lab.certificates import Authority
from sidecar.testing import Stage, answer, call, configured
from tests.collector import Collector, collecting, collecting_by_grpc

INSTALLED = f"opentelemetry-exporter-otlp {version('opentelemetry-exporter-otlp')}"
CHANGED = f"{INSTALLED} is not the one that sidecar_tracing.exporter was written for: mend that, or pin the version; "
BATCH = request(
    resource({"service.name": "x"}, "scope", "1", ""),
    span(said("told", SERVER), b"t" * 16, b"s" * 8, b"", 1, 2, attributes([("k", "v")])),
)
PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


class Connected:
    """An exporter in service, called off the event loop as the plugin's thread does."""

    def __init__(self, exporter: Exporter, export: Export) -> None:
        self.exporter = exporter
        self._export = export

    async def export(self, data: bytes = BATCH) -> bool:
        """Whether *data* arrived; an exporter that raises has not brought it there either."""
        try:
            return bool(await asyncio.to_thread(self._export, data))
        except Exception:
            return False

    async def failure(self, data: bytes = BATCH) -> str:
        """Why *data* does not arrive."""
        with pytest.raises(Exception) as refused:  # noqa: PT011
            await asyncio.to_thread(self._export, data)
        return str(refused.value)


@contextlib.asynccontextmanager
async def connected(**config: Any) -> AsyncIterator[Connected]:
    exporter = Exporter(TracingConfig(**{"timeout": 2.0, **config}))
    export = await asyncio.to_thread(exporter.connect)
    try:
        yield Connected(exporter, export)
    finally:
        exporter.disconnect()


def collector_of(protocol: str) -> contextlib.AbstractAsyncContextManager[Collector]:
    return collecting() if protocol == "http/protobuf" else collecting_by_grpc()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's own has a say. What requests reads comes before what is given to it."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name.lower().endswith(("_ca_bundle", "_proxy")):
            monkeypatch.delenv(name)


class TestThePartsWeStandOn:
    def test_of_http_are_there(self) -> None:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        taken = set(inspect.signature(OTLPSpanExporter.__init__).parameters)
        assert {"endpoint", "headers", "timeout", "compression"} <= taken, CHANGED + "an argument is gone"
        assert {"NoCompression", "Gzip"} <= set(Compression.__members__), CHANGED + "a compression is gone"
        exporter = OTLPSpanExporter(endpoint="http://127.0.0.1:9/v1/traces", timeout=0.01)
        assert exporter._endpoint == "http://127.0.0.1:9/v1/traces", CHANGED + "there is no _endpoint"
        export: Any = getattr(getattr(exporter, "_client", None), "export", None)
        assert callable(export), CHANGED + "there is no _client.export"
        assert list(inspect.signature(export).parameters) == ["data"], CHANGED + "_client.export takes other things"
        said = export(b"")
        for part in ("success", "status_code", "reason", "error"):
            assert hasattr(said, part), f"{CHANGED}what _client.export returns has no {part}"
        assert said.success is False
        exporter.shutdown()  # type: ignore[no-untyped-call]

    def test_of_grpc_are_there(self) -> None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        taken = set(inspect.signature(OTLPSpanExporter.__init__).parameters)
        assert {"endpoint", "insecure", "headers", "timeout", "compression"} <= taken, CHANGED + "an argument is gone"
        for method in ("_translate_data", "_count_data", "_export"):
            found = getattr(OTLPSpanExporter, method, None)
            assert found is not None, f"{CHANGED}there is no {method}"
            assert list(inspect.signature(found).parameters) == ["self", "data"], (
                f"{CHANGED}{method} takes other things"
            )

    @PROTOCOLS
    async def test_bring_a_batch_to_the_collector(self, protocol: str) -> None:
        async with collector_of(protocol) as collector, connected(endpoint=collector.url, protocol=protocol) as way:
            assert await way.export(), CHANGED + "a batch does not arrive"
            (span,) = collector.spans
            assert (span.name, span.attributes, span.resource) == ("told", {"k": "v"}, {"service.name": "x"})
            assert way.exporter.protocol == protocol
            for _ in range(3):
                assert await way.export()
            assert len(collector.spans) == 4

    async def test_ask_over_http_as_the_standard_says(self) -> None:
        async with collecting() as collector, connected(endpoint=collector.url) as way:
            await way.export()
            (headers,) = collector.requests
            assert headers["content-type"] == "application/x-protobuf"
            assert "content-encoding" not in headers

    @PROTOCOLS
    async def test_compress_if_asked_to(self, protocol: str) -> None:
        for compression in ("gzip", "none"):
            async with (
                collector_of(protocol) as collector,
                connected(endpoint=collector.url, protocol=protocol, compression=compression) as way,
            ):
                assert await way.export(BATCH * 20)
                if protocol == "http/protobuf":
                    assert collector.requests[0].get("content-encoding", "none") == compression
                assert len(collector.spans) == 20

    @PROTOCOLS
    async def test_send_headers_whatever_their_case(self, protocol: str) -> None:
        plugin = configured(
            Tracing,
            "headers: {Authorization: '${env:TOKEN}', x-tenant: '${env:TENANT}'}",
            {"TOKEN": "t", "TENANT": "n"},
        )
        async with (
            collector_of(protocol) as collector,
            connected(endpoint=collector.url, protocol=protocol, headers=plugin._config.headers) as way,
        ):
            assert await way.export()
            (headers,) = collector.requests
            assert (headers["authorization"], headers["x-tenant"]) == ("t", "n")

    @PROTOCOLS
    async def test_end_more_than_once_and_from_another_thread(self, protocol: str) -> None:
        async with collector_of(protocol) as collector:
            async with connected(endpoint=collector.url, protocol=protocol) as way:
                await way.export()
                await asyncio.to_thread(way.exporter.disconnect)
                way.exporter.disconnect()
            exporter = Exporter(TracingConfig())
            exporter.disconnect()


@contextlib.asynccontextmanager
async def answering(
    respond: Callable[[web.Request], web.Response], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A server that answers every POST so; its base URL."""

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return respond(request)

    application = web.Application()
    application.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class TestACollectorThatDoesNotTakeIt:
    @PROTOCOLS
    async def test_is_no_collector_at_all(self, protocol: str, unused_tcp_port: int) -> None:
        endpoint = f"http://127.0.0.1:{unused_tcp_port}/v1/traces"
        async with connected(endpoint=endpoint, protocol=protocol, timeout=0.2) as way:
            began = asyncio.get_running_loop().time()
            assert not await way.export()
            assert asyncio.get_running_loop().time() - began < 2

    @pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
    async def test_refuses_for_good_and_is_asked_once(self, status: int) -> None:
        asked = []

        def refuse(request: web.Request) -> web.Response:
            asked.append(request.path)
            return web.Response(status=status, reason="No Thanks")

        async with answering(refuse) as url, connected(endpoint=f"{url}/v1/traces") as way:
            said = await way.failure()
            assert asked == ["/v1/traces"]
            assert str(status) in said
            assert "No Thanks" in said
            assert url in said

    async def test_asks_to_come_back_sooner_than_the_time_allows(self) -> None:
        asked = []

        def once(request: web.Request) -> web.Response:
            asked.append(request.path)
            return web.Response(status=503, headers={"Retry-After": "0"}) if len(asked) == 1 else web.Response()

        async with answering(once) as url, connected(endpoint=f"{url}/v1/traces") as way:
            assert await way.export()
            assert len(asked) == 2

    async def test_asks_to_come_back_later_than_the_time_allows(self) -> None:
        asked = []

        def later(request: web.Request) -> web.Response:
            asked.append(request.path)
            return web.Response(status=503, headers={"Retry-After": "30"})

        async with answering(later) as url, connected(endpoint=f"{url}/v1/traces") as way:
            began = asyncio.get_running_loop().time()
            assert not await way.export()
            assert asyncio.get_running_loop().time() - began < 1.5
            assert len(asked) == 1

    async def test_says_nothing(self) -> None:
        async with collecting() as collector, connected(endpoint=collector.url, timeout=0.2) as way:
            collector.behaviour = "silent"
            began = asyncio.get_running_loop().time()
            assert not await way.export()
            assert 0.09 < asyncio.get_running_loop().time() - began < 2

    async def test_is_meant_by_an_endpoint_that_is_no_url(self) -> None:
        async with connected(endpoint="collector:4318") as way:
            assert not await way.export()


class TestTls:
    @pytest.fixture
    def trusted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
        """A collector's TLS, with a CA that OpenTelemetry's own variable names."""
        authority = Authority()
        file = tmp_path / "ca.pem"
        file.write_bytes(authority.pem)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(file))
        return authority.server_context(["collector.example"])

    async def test_a_ca_of_ones_own_is_trusted(self, trusted: ssl.SSLContext) -> None:
        async with (
            answering(lambda request: web.Response(), trusted) as url,
            connected(endpoint=f"{url}/v1/traces") as way,
        ):
            assert await way.export()

    async def test_nobody_else_is(self, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OTEL_EXPORTER_OTLP_CERTIFICATE")
        async with (
            answering(lambda request: web.Response(), trusted) as url,
            connected(endpoint=f"{url}/v1/traces") as way,
        ):
            assert "certificate" in (await way.failure()).lower()


class TestVariables:
    """OpenTelemetry's own, as its specification has them, where the configuration says nothing."""

    async def paths(self, *variables: tuple[str, str], config: dict[str, Any] | None = None) -> dict[str, str]:
        """Where a batch went and with what, when *variables* are set; ``{}`` in them is the collector's base URL."""
        seen: dict[str, str] = {}

        def note(request: web.Request) -> web.Response:
            seen.update({"path": request.path, **{name.lower(): value for name, value in request.headers.items()}})
            return web.Response()

        with pytest.MonkeyPatch.context() as patched:
            async with answering(note) as url:
                for name, value in variables:
                    patched.setenv(name, value.format(url))
                async with connected(**(config or {})) as way:
                    assert await way.export()
        return seen

    async def test_an_endpoint_for_all_signals_gets_the_path_of_traces(self) -> None:
        assert (await self.paths(("OTEL_EXPORTER_OTLP_ENDPOINT", "{}")))["path"] == "/v1/traces"
        assert (await self.paths(("OTEL_EXPORTER_OTLP_ENDPOINT", "{}/otlp/")))["path"] == "/otlp/v1/traces"

    async def test_an_endpoint_for_traces_is_taken_as_it_is_and_comes_first(self) -> None:
        seen = await self.paths(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "{}/mine")
        )
        assert seen["path"] == "/mine"

    async def test_an_empty_one_is_none(self) -> None:
        seen = await self.paths(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "{}"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", ""),
            ("OTEL_EXPORTER_OTLP_HEADERS", ""),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", ""),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", ""),
        )
        assert seen["path"] == "/v1/traces"

    async def test_headers_of_both_are_sent(self) -> None:
        headers = TracingConfig().headers
        seen = await self.paths(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "{}"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc,x-team=voice%20agents"),
            config={"headers": headers},
        )
        assert (seen["api-key"], seen["x-team"]) == ("abc", "voice agents")

    async def test_compression(self) -> None:
        seen = await self.paths(("OTEL_EXPORTER_OTLP_ENDPOINT", "{}"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"))
        assert seen["content-encoding"] == "gzip"

    async def test_the_configuration_comes_first(self) -> None:
        seen = await self.paths(
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "{}"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            config={"compression": "none"},
        )
        assert "content-encoding" not in seen

    @pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"])
    async def test_the_time_a_batch_may_take(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, "0.2")
        async with collecting() as collector, connected(endpoint=collector.url, timeout=None) as way:
            collector.behaviour = "silent"
            began = asyncio.get_running_loop().time()
            assert not await way.export()
            assert asyncio.get_running_loop().time() - began < 1.5

    @pytest.mark.parametrize(
        ("variables", "config", "protocol"),
        [
            ({}, None, "http/protobuf"),
            ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, None, "grpc"),
            (
                {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
                None,
                "http/protobuf",
            ),
            ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf", "http/protobuf"),
            ({"OTEL_EXPORTER_OTLP_PROTOCOL": " "}, None, "http/protobuf"),
        ],
    )
    def test_the_protocol(self, variables: dict[str, str], config: Any, protocol: str) -> None:
        assert Exporter(TracingConfig(protocol=config), variables).protocol == protocol

    async def test_a_protocol_that_is_not_spoken_here_is_said(self) -> None:
        exporter = Exporter(TracingConfig(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
        with pytest.raises(ValueError, match=r"http/json; expected http/protobuf or grpc"):
            exporter.connect()

    async def test_over_grpc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with collecting_by_grpc() as collector:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc")
            async with connected() as way:
                assert await way.export()
            assert collector.requests[0]["api-key"] == "abc"

    @pytest.mark.parametrize(
        ("variables", "config", "told"),
        [
            ({}, "", {"service.name": "agent-sidecar"}),
            ({"OTEL_SERVICE_NAME": "voice"}, "", {"service.name": "voice"}),
            ({"OTEL_SERVICE_NAME": ""}, "", {"service.name": "agent-sidecar"}),
            (
                {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,k8s.pod.name=p-1, x = y ,team=voice%20agents,none,=x"},
                "",
                {"service.name": "a", "k8s.pod.name": "p-1", "x": "y", "team": "voice agents"},
            ),
            (
                {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,env=dev", "OTEL_SERVICE_NAME": "b"},
                "resource: {env: prod}\nservice_name: c",
                {"service.name": "c", "env": "prod"},
            ),
            ({"OTEL_SERVICE_NAME": "b"}, "resource: {service.name: r}", {"service.name": "r"}),
        ],
    )
    async def test_the_resource(
        self, variables: dict[str, str], config: str, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        async with collecting() as collector:
            plugin = configured(Tracing, f"endpoint: {collector.url}\ndelay: 1ms\n{config}")
            async with Stage(plugin) as stage:
                await stage.play(call("openai", "/v1/audio/speech", {"input": "x"}), answer(b"x"))
        resource_told = collector.spans[0].resource
        assert resource_told.pop("service.version")
        assert resource_told == told
        assert collector.spans[0].scope == "agent-sidecar"

    @pytest.mark.parametrize(
        ("value", "exports"), [("true", False), ("TRUE", False), ("false", True), ("", True), ("1", True)]
    )
    async def test_it_can_be_switched_off(self, value: str, exports: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_SDK_DISABLED", value)
        async with collecting() as collector:
            async with Stage(configured(Tracing, f"endpoint: {collector.url}\ndelay: 1ms")) as stage:
                await stage.play(call("openai", "/v1/audio/speech", {"input": "x"}), answer(b"x"))
                assert bool(stage.samples()) is exports
        assert bool(collector.spans) is exports


IMPORTS = """
import asyncio, sys
from sidecar.testing import Stage, answer, call, configured
from sidecar_tracing import Tracing

assert not [name for name in sys.modules if name.startswith(("opentelemetry", "grpc", "google.protobuf", "requests"))]

async def main():
    async with Stage(configured(Tracing, CONFIG)) as stage:
        await stage.play(call("openai", "/v1/audio/speech", {"input": "x"}), answer(b"x"))

asyncio.run(main())
print("grpc" in sys.modules, "requests" in sys.modules)
"""


@pytest.mark.parametrize(("protocol", "grpc", "http"), [("http/protobuf", "False", "True"), ("grpc", "True", "False")])
async def test_only_what_is_configured_is_imported_and_not_before_it_serves(
    protocol: str, grpc: str, http: str
) -> None:
    async with collector_of(protocol) as collector:
        config = f"endpoint: {collector.url}\nprotocol: {protocol}\ndelay: 1ms"
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", f"CONFIG = {config!r}\n{IMPORTS}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.split() == [grpc, http], done.stderr
        assert len(collector.spans) == 3
