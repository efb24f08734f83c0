"""A collector of traces: takes OTLP over HTTP or gRPC, and can refuse or stay silent."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Told:
    """One span, as it arrived. Ids are hexadecimal; times ns since the epoch."""

    def __init__(self, span: Any, resource: dict[str, Any], scope: Any) -> None:
        self.name: str = span.name
        self.kind: int = span.kind
        self.trace_id: str = span.trace_id.hex()
        self.span_id: str = span.span_id.hex()
        self.parent_id: str = span.parent_span_id.hex()
        self.start_ns: int = span.start_time_unix_nano
        self.end_ns: int = span.end_time_unix_nano
        self.attributes = values(span.attributes)
        self.events = [(event.name, values(event.attributes)) for event in span.events]
        self.status: int = span.status.code
        self.message: str = span.status.message
        self.resource = resource
        self.scope: str = scope.name

    def __repr__(self) -> str:
        return f"<{self.name} {self.attributes}>"


def values(attributes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        told[attribute.key] = (
            [getattr(v, v.WhichOneof("value")) for v in value.values] if kind == "array_value" else value
        )
    return told


class Collector:
    """``spans`` in the order of their arrival; ``behaviour`` is ok, refuse (503) or silent."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.requests: list[dict[str, str]] = []
        """Headers of each batch, names in lower case."""
        self.behaviour = "ok"
        self.url = ""
        self._arrived = asyncio.Condition()

    async def take(self, data: bytes, headers: dict[str, str]) -> None:
        request = ExportTraceServiceRequest.FromString(data)
        async with self._arrived:
            self.requests.append(headers)
            for resource_spans in request.resource_spans:
                resource = values(resource_spans.resource.attributes)
                for scope_spans in resource_spans.scope_spans:
                    self.spans += [Told(span, resource, scope_spans.scope) for span in scope_spans.spans]
            self._arrived.notify_all()

    async def wait_for(self, number: int, seconds: float = 10.0) -> list[Told]:
        """The spans, once there are at least *number*."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.spans) >= number)
        return self.spans

    def roots(self) -> list[Told]:
        ids = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_id not in ids]


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector of OTLP over HTTP on a free port of loopback; ``url`` is its endpoint for traces."""
    collector = Collector()
    released = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        data = await request.read()
        if collector.behaviour == "silent":
            await released.wait()
        if collector.behaviour == "refuse":
            return web.Response(status=503)
        if request.headers.get("Content-Encoding") == "gzip":
            data = gzip.decompress(data)
        await collector.take(data, {name.lower(): value for name, value in request.headers.items()})
        return web.Response(content_type="application/x-protobuf")

    application = web.Application(client_max_size=1 << 30)
    application.router.add_post("/v1/traces", take)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    try:
        yield collector
    finally:
        released.set()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def collecting_by_grpc() -> AsyncIterator[Collector]:
    """The same over gRPC."""
    import grpc.aio
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    collector = Collector()

    class Service(trace_service_pb2_grpc.TraceServiceServicer):
        async def Export(self, request: Any, context: Any) -> Any:
            await collector.take(request.SerializeToString(), dict(context.invocation_metadata()))
            return ExportTraceServiceResponse()

    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]
    collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(0)
