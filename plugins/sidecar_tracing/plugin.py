"""The tracing plugin: notes nothing on the path of a call, tells everything after it."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import unquote

from sidecar import (
    AroundAttempt,
    Attempt,
    AttemptHandler,
    ExchangeClosed,
    Headers,
    Lifespan,
    Record,
    Response,
    Runtime,
    Sample,
    Samples,
    __version__,
    hookimpl,
)
from sidecar.traceparent import TraceParent, read_traceparent
from sidecar_tracing.config import TracingConfig
from sidecar_tracing.exporter import Exporter
from sidecar_tracing.otlp import Resource, Value, resource
from sidecar_tracing.semconv import SCHEMA_URL, SCOPE
from sidecar_tracing.shipping import Shipper
from sidecar_tracing.spans import ATTEMPT_SPANS, has_context, new_span_id, spans

#: How long the end of the process may be held up for traces.
_FLUSH_SECONDS = 3.0


class Tracing(Lifespan, AroundAttempt, ExchangeClosed, Samples):
    """Every call becomes a trace. The trace context goes only to providers that the configuration trusts with it."""

    Config = TracingConfig
    sockets = True

    def __init__(self, config: TracingConfig) -> None:
        self._config = config
        self._shipper: Shipper | None = None

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            yield
            return
        config = self._config
        exporter = Exporter(config)
        self._shipper = shipper = Shipper(
            exporter.connect,
            exporter.disconnect,
            _resource(config, os.environ),
            partial(spans, genai=config.genai),
            batch_calls=config.batch_calls,
            delay_seconds=config.delay,
            queue_calls=config.queue_calls,
        )
        shipper.start()
        try:
            yield
        finally:
            self._shipper = None
            await asyncio.shield(shipper.stop(_FLUSH_SECONDS))

    @hookimpl
    async def around_attempt(self, attempt: Attempt, call_next: AttemptHandler) -> Response:
        headers = attempt.request.headers
        if attempt.provider.propagate_trace:
            attempt = attempt.with_request(attempt.request.with_headers(_propagated(attempt, headers)))
        elif has_context(headers):
            stripped = headers.without("traceparent", "tracestate", "baggage")
            attempt = attempt.with_request(attempt.request.with_headers(stripped))
        return await call_next(attempt)

    @hookimpl
    def exchange_closed(self, record: Record) -> None:
        if self._shipper is not None and self._kept(record):
            self._shipper.put(record)

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        return () if self._shipper is None else self._shipper.samples()

    def _kept(self, record: Record) -> bool:
        """Whether a call is told: the agent's own decision holds, then ours, which is made knowing how it ended."""
        sample = self._config.sample
        if sample >= 1.0 and not has_context(record.exchange.request.headers):
            return True
        parent = read_traceparent(record.exchange.request.headers.get("traceparent"))
        if parent is not None and not parent.sampled:
            return False
        if sample >= 1.0 or random.random() < sample:
            return True
        notes = record.exchange.notes
        remarkable = record.outcome != "completed" or (record.status or 0) >= 400
        return self._config.keep_failed and (remarkable or len(notes.attempts) > 1 or bool(notes.faults))


def _propagated(attempt: Attempt, headers: Headers) -> Headers:
    """*headers* with a ``traceparent`` that names the span of this attempt; baggage never goes out."""
    exchange, span_id = attempt.exchange, new_span_id()
    known = exchange.notes.get(ATTEMPT_SPANS)
    if known is None:
        known = {}
        exchange.notes.put(ATTEMPT_SPANS, known)
    known[attempt.record.number] = span_id
    parent = read_traceparent(headers.get("traceparent"))
    trace_id = exchange.id if parent is None else parent.trace_id
    context = TraceParent(trace_id, span_id.hex(), parent is None or parent.sampled)
    # the state belongs to the trace that the agent named; without a valid name it is nobody's
    unwanted = ("baggage", "tracestate") if parent is None else ("baggage",)
    return headers.without(*unwanted).with_field("traceparent", str(context))


def _resource(config: TracingConfig, environ: Mapping[str, str]) -> Resource:
    """Who sends the traces: the configuration before the environment, as OpenTelemetry's specification orders it."""
    attributes: dict[str, Value] = {"service.name": "agent-sidecar", "service.version": __version__}
    for pair in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = pair.partition("=")
        if equals and key.strip():
            attributes[key.strip()] = unquote(value.strip())
    if name := environ.get("OTEL_SERVICE_NAME", "").strip():
        attributes["service.name"] = name
    attributes.update(config.resource)
    if config.service_name:
        attributes["service.name"] = config.service_name
    return resource(attributes, SCOPE, __version__, SCHEMA_URL)
