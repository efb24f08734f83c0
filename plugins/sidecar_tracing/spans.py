"""What is known of a call, told as spans: the agent's call, the operation at the provider, and each attempt.

A call that no provider was asked for (answered from a cache, say) is one span; so is a connection that was spliced.
Nothing of content is in them: no text, no audio, no header values, no query strings.

Most of what is told of a call was told of the call before it as well. That is written once (the functions with
``lru_cache``); only numbers, ids and times are written for each call.
"""

import random
import re
from functools import lru_cache
from typing import Any

from sidecar import AttemptRecord, Connecting, Fault, Headers, Key, Operation, Record, Verdict
from sidecar.traceparent import TraceParent, read_traceparent
from sidecar.websocket import TRAFFIC
from sidecar_tracing.errors import error_type_of, message_of
from sidecar_tracing.operation import operation_span
from sidecar_tracing.otlp import (
    CLIENT,
    ERROR,
    EVENT,
    FIXED64,
    SERVER,
    Numbers,
    Place,
    Value,
    attributes,
    encoded,
    event,
    event_form,
    form,
    named,
    place,
    said,
    seconds,
    span,
    status,
    trace_state,
    varint,
)

#: The span ids of attempts that were told to their providers: number and id.
ATTEMPT_SPANS: Key[dict[int, bytes]] = Key("tracing.attempt_spans")

_response_size = Numbers("http.response.body.size")
_ttfb = seconds("sidecar.ttfb")
_connecting = seconds("sidecar.attempt.connect.duration")
_dns = seconds("sidecar.attempt.connect.dns.duration")
_tcp = seconds("sidecar.attempt.connect.tcp.duration")
_tls = seconds("sidecar.attempt.connect.tls.duration")
_sent = seconds("sidecar.attempt.request_sent")
_first_byte = seconds("sidecar.attempt.first_byte")


_CONTEXT = re.compile(rb"^(?i:traceparent|tracestate|baggage):", re.MULTILINE)


def new_span_id() -> bytes:
    return random.getrandbits(64).to_bytes(8)


def has_context(headers: Headers) -> bool:
    """Whether there is a trace context; of a head that comes again this is remembered."""
    template = headers.template
    if template is None:
        return _CONTEXT.search(headers.block) is not None
    known = template.memo.get(has_context)
    if known is None:
        known = template.memo[has_context] = _CONTEXT.search(headers.block) is not None
    return known is True


def spans(record: Record, *, genai: bool = True) -> list[bytes]:
    """The spans of one call, the outermost first. *genai*: the operation at the provider gets one of its own."""
    exchange = record.exchange
    notes, headers = exchange.notes, exchange.request.headers
    parent = read_traceparent(headers.get("traceparent")) if has_context(headers) else None
    trace_id = bytes.fromhex(exchange.id if parent is None else parent.trace_id)
    clock_ns = exchange.received_ns - int(notes.received * 1e9)
    served = around = new_span_id()
    told = [_server_span(record, trace_id, served, parent, clock_ns)]
    if notes.attempts:
        if genai and exchange.operation != Operation.PASSTHROUGH:
            around = new_span_id()
            told.append(operation_span(record, trace_id, around, served, clock_ns))
        known = notes.get(ATTEMPT_SPANS) or {}
        for attempt in notes.attempts:
            span_id = known.get(attempt.number) or new_span_id()
            told.append(_attempt_span(record, attempt, trace_id, span_id, around, clock_ns))
    return told


# -- the agent's call ------------------------------------------------------------------------------------------------


def _server_span(record: Record, trace_id: bytes, span_id: bytes, parent: TraceParent | None, clock_ns: int) -> bytes:
    exchange = record.exchange
    call, notes, received_ns, code = exchange.call, exchange.notes, exchange.received_ns, record.status or 0
    error_type = ""
    if record.outcome == "failed":
        error_type = error_type_of(record.error, code)
    elif code >= 500:
        error_type = str(code)
    route, endpoint, operation = ("", "", "") if call is None else (call.route, call.endpoint, call.operation.value)
    request_size, response_size = varint(record.request_bytes), varint(record.response_bytes)
    fixed = _server_form(
        exchange.request.method,
        exchange.door,
        operation,
        exchange.provider.name,
        record.outcome,
        len(notes.attempts),
        route,
        endpoint,
        code,
        record.answered_by or "",
        error_type,
        parent is not None,
        len(request_size),
        len(response_size),
    ) % (exchange.id.encode(), request_size, response_size)
    rest = [_verdict_event(verdict, received_ns) for verdict in notes.verdicts]
    if record.first_byte:
        rest.append(_ttfb(record.first_byte - notes.received))
    if parent is not None or error_type or record.chunks > 1 or notes.faults or exchange.socket:
        rest += _rarely_said(record, parent, error_type)
    parent_id = b"" if parent is None else bytes.fromhex(parent.span_id)
    return span(fixed, trace_id, span_id, parent_id, received_ns, clock_ns + int(record.ended * 1e9), b"".join(rest))


def _rarely_said(record: Record, parent: TraceParent | None, error_type: str) -> list[bytes]:
    """What most calls do not have."""
    exchange, parts = record.exchange, []
    if record.chunks > 1:
        gap = ("sidecar.stream.longest_gap", record.longest_gap_seconds)
        parts.append(attributes((("sidecar.stream.chunks", record.chunks), gap)))
    if (traffic := exchange.notes.get(TRAFFIC)) is not None:
        messages = (
            ("sidecar.socket.messages_sent", traffic.from_agent.messages),
            ("sidecar.socket.messages_received", traffic.from_provider.messages),
            ("sidecar.socket.close_code", traffic.close_code or 0),
        )
        parts.append(attributes(messages))
    if exchange.notes.faults:
        parts += [_fault_event(fault, exchange.received_ns) for fault in exchange.notes.faults]
    if error_type:
        parts.append(status(ERROR, message_of(record.error)))
    if parent is not None and (state := exchange.request.headers.get("tracestate")):
        parts.append(trace_state(state))
    return parts


@lru_cache(4096)
def _server_form(
    method: str,
    door: str,
    operation: str,
    provider: str,
    outcome: str,
    attempts: int,
    route: str,
    endpoint: str,
    code: int,
    answered_by: str,
    error_type: str,
    remote_parent: bool,
    request_size: int,
    response_size: int,
) -> bytes:
    """To be filled in with the call's id and the sizes of its bodies, which have so many bytes as varints."""
    pairs: list[tuple[str, Value | Place]] = [
        ("sidecar.request.id", place(str, 32)),
        ("http.request.body.size", place(int, request_size)),
        ("http.response.body.size", place(int, response_size)),
        ("http.request.method", method),
        ("url.scheme", "https" if door in ("connect", "transparent") else "http"),
        ("sidecar.door", door),
        ("sidecar.operation", operation),
        ("sidecar.provider", provider),
        ("sidecar.outcome", outcome),
        ("sidecar.attempts", attempts),
    ]
    if route:
        pairs += [("http.route", route), ("sidecar.endpoint", endpoint)]
    if code:
        pairs.append(("http.response.status_code", code))
    if answered_by:
        pairs.append(("sidecar.answered_by", answered_by))
    if error_type:
        pairs.append(("error.type", error_type))
    name = f"{method} {route}" if route else method
    return form(said(name, SERVER, remote_parent=remote_parent), pairs)


# -- what the layers did, and what went wrong with them --------------------------------------------------------------


def _verdict_event(verdict: Verdict, received_ns: int) -> bytes:
    shape: list[Any] = [verdict.plugin, verdict.outcome, verdict.reason]
    values = [FIXED64(received_ns + int(verdict.at_seconds * 1e9))]
    for name, value in verdict.detail.items():
        written = encoded(value)
        shape += (name, type(value), len(written))
        values.append(written)
    return _verdict_form(*shape) % tuple(values)


@lru_cache(1024)
def _verdict_form(plugin: str, outcome: str, reason: str, *detail: Any) -> bytes:
    """To be filled in with its time and details. *detail*: of each its name, type, and size in bytes."""
    pairs: list[tuple[str, Value | Place]] = [("sidecar.plugin", plugin), ("sidecar.verdict", outcome)]
    if reason:
        pairs.append(("sidecar.reason", reason))
    for name, kind, size in zip(detail[::3], detail[1::3], detail[2::3], strict=True):
        pairs.append((f"sidecar.{plugin}.{name}", place(kind, size)))
    return event_form("sidecar.verdict", pairs)


def _fault_event(fault: Fault, received_ns: int) -> bytes:
    told = (
        ("sidecar.plugin", fault.plugin),
        ("sidecar.hook", fault.hook),
        ("sidecar.reason", fault.reason),
        ("sidecar.action", fault.action),
    )
    return event(received_ns + int(fault.at_seconds * 1e9), named("sidecar.fault") + attributes(told, EVENT))


# -- an attempt ------------------------------------------------------------------------------------------------------


def _attempt_span(
    record: Record, attempt: AttemptRecord, trace_id: bytes, span_id: bytes, parent_id: bytes, clock_ns: int
) -> bytes:
    started, error_type = attempt.started, ""
    if attempt.error is not None and record.outcome != "cancelled":
        error_type = error_type_of(attempt.error, attempt.status)
    elif attempt.status >= 400:
        error_type = str(attempt.status)
    provider = attempt.provider
    fixed = _attempt_said(
        record.exchange.request.method,
        provider.origin.host,
        provider.origin.port,
        provider.name,
        attempt.number,
        attempt.reused,
        attempt.peer,
        attempt.status,
        error_type,
    )
    rest = [_response_size(attempt.body_bytes)]
    if attempt.connect_seconds:
        rest.append(_connecting(attempt.connect_seconds))
        if attempt.connecting is not None:
            rest.append(_connection(attempt.connecting))
    if attempt.requested:
        rest.append(_sent(attempt.requested - started))
    if attempt.first_byte:
        rest.append(_first_byte(attempt.first_byte - started))
    if error_type:
        rest.append(status(ERROR, message_of(attempt.error)))
    ended = attempt.ended or record.ended
    times = clock_ns + int(started * 1e9), clock_ns + int(ended * 1e9)
    return span(fixed, trace_id, span_id, parent_id, *times, b"".join(rest))


def _connection(connecting: Connecting) -> bytes:
    """Of a new connection: where its time went, and how TLS was made."""
    told = _dns(connecting.dns_seconds) + _tcp(connecting.tcp_seconds)
    if connecting.tls:
        told += _tls(connecting.tls_seconds) + _tls_said(connecting.tls, connecting.resumed)
    return told


@lru_cache(16)
def _tls_said(version: str, resumed: bool) -> bytes:
    number = version.removeprefix("TLSv")
    return attributes((("tls.protocol.version", number), ("tls.resumed", resumed)))


@lru_cache(4096)
def _attempt_said(
    method: str, host: str, port: int, provider: str, number: int, reused: bool, peer: str, code: int, error_type: str
) -> bytes:
    pairs: list[tuple[str, Value]] = [
        ("http.request.method", method),
        ("server.address", host),
        ("server.port", port),
        ("sidecar.provider", provider),
        ("sidecar.attempt.number", number),
        ("sidecar.connection.reused", reused),
    ]
    if number:
        pairs.append(("http.request.resend_count", number))
    if peer:
        pairs.append(("network.peer.address", peer.rpartition(":")[0]))
    if code:
        pairs.append(("http.response.status_code", code))
    if error_type:
        pairs.append(("error.type", error_type))
    return said(method, CLIENT) + attributes(pairs)
