"""What the tracing plugin tells of a call, read back from the bytes it would send."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sidecar_tracing.otlp import request, resource
from sidecar_tracing.semconv import SCHEMA_URL, SCOPE
from sidecar_tracing.spans import spans

from sidecar import Exchange, ExchangeClosed, PluginConfig, Record, hookimpl
from sidecar.testing import Scripted, Stage
from tests.collector import values

KINDS = {1: "internal", 2: "server", 3: "client"}
STATUSES = {0: "unset", 1: "ok", 2: "error"}


class Told:
    """One span; ids are hexadecimal, times in ns since the epoch."""

    def __init__(self, span: Any) -> None:
        self.name: str = span.name
        self.kind = KINDS[span.kind]
        self.trace_id: str = span.trace_id.hex()
        self.span_id: str = span.span_id.hex()
        self.parent_id: str = span.parent_span_id.hex()
        self.trace_state: str = span.trace_state
        self.remote_parent = bool(span.flags & 0x200)
        self.start_ns: int = span.start_time_unix_nano
        self.end_ns: int = span.end_time_unix_nano
        self.attributes: Mapping[str, Any] = values(span.attributes)
        self.events = [(event.name, values(event.attributes)) for event in span.events]
        self.event_times = [event.time_unix_nano for event in span.events]
        self.status = STATUSES[span.status.code]
        self.message: str = span.status.message
        assert len(span.attributes) == len(self.attributes), "an attribute is there twice"

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]

    def __contains__(self, attribute: str) -> bool:
        return attribute in self.attributes

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} {self.attributes}>"


class Watching(ExchangeClosed):
    """Keeps what plugins are told at a call's end."""

    Config = PluginConfig
    sockets = True

    def __init__(self) -> None:
        self.records: list[Record] = []

    @hookimpl
    def exchange_closed(self, record: Record) -> None:
        self.records.append(record)


def told(record: Record, *, genai: bool = True) -> list[Told]:
    """The spans of *record*, outermost first, as a collector reads them."""
    return read(encoded(record, genai=genai))


def encoded(record: Record, *, genai: bool = True) -> bytes:
    """What goes over the wire."""
    common = resource({"service.name": "test"}, SCOPE, "0", SCHEMA_URL)
    return request(common, b"".join(spans(record, genai=genai)))


def read(data: bytes) -> list[Told]:
    whole = ExportTraceServiceRequest.FromString(data)
    return [
        Told(span)
        for resource_spans in whole.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


async def played(
    exchange: Exchange, *answers: Scripted, plugins: Sequence[object] = (), leave_after: int | None = None
) -> Record:
    """The record of *exchange*, answered as scripted."""
    watching = Watching()
    async with Stage(*plugins, watching, guarded=True) as stage:
        await stage.play(exchange, *answers, leave_after=leave_after)
    return watching.records[0]
