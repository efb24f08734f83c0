"""What is known of a call, told as spans: the agent's call, the operation at the provider, and each attempt.

A call that no provider was asked for (answered from a cache, say) is one span; so is a connection that was spliced.
Nothing of content is in them: no text, no audio, no header values, no query strings.

Most of what is told of a call was told of the call before it as well. That is written once (the functions with
``lru_cache``); only numbers, ids and times are written for each call.
"""

import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sidecar import AttemptRecord, Fault, Key, Operation, Record, Verdict
from sidecar.traceparent import TraceParent, read_traceparent
from sidecar.websocket import TRAFFIC
from sidecar_tracing.errors import error_type_of, message_of
from sidecar_tracing.operation import operation_span
from sidecar_tracing.otlp import (
    CLIENT,
    ERROR,
    EVENT,
    SERVER,
    Numbers,
    Seconds,
    Texts,
    Value,
    attributes,
    event,
    named,
    said,
    span,
    status,
    trace_state,
)

#: The span ids of attempts that were told to their providers: number and id.
ATTEMPT_SPANS: Key[dict[int, bytes]] = Key("tracing.attempt_spans")

_request_id = Texts("sidecar.request.id")
_request_size = Numbers("http.request.body.size")
_response_size = Numbers("http.response.body.size")
_ttfb = Seconds("sidecar.ttfb")
_connecting = Seconds("sidecar.attempt.connect.duration")
_sent = Seconds("sidecar.attempt.request_sent")
_first_byte = Seconds("sidecar.attempt.first_byte")


def new_span_id() -> bytes:
    return random.getrandbits(64).to_bytes(8)


def spans(record: Record, *, genai: bool = True) -> list[bytes]:
    """The spans of one call, the outermost first. *genai*: the operation at the provider gets one of its own."""
    exchange = record.exchange
    notes = exchange.notes
    value = exchange.request.headers.get_bytes(b"traceparent")
    parent = None if value is None else read_traceparent(value.decode("latin-1"))
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
    exchange, call, notes = record.exchange, record.exchange.call, record.exchange.notes
    code = record.status or 0
    error_type = ""
    if record.outcome == "failed":
        error_type = error_type_of(record.error, code)
    elif code >= 500:
        error_type = str(code)
    parts = [
        _server_said(
            exchange.request.method,
            exchange.door,
            exchange.operation,
            exchange.provider.name,
            record.outcome,
            len(notes.attempts),
            "" if call is None else call.route,
            "" if call is None else call.endpoint,
            code,
            record.answered_by or "",
            error_type,
            parent is not None,
        ),
        _request_id(exchange.id),
        _request_size(record.request_bytes),
        _response_size(record.response_bytes),
    ]
    if record.first_byte:
        parts.append(_ttfb(record.first_byte - notes.received))
    if record.chunks > 1:
        gap = ("sidecar.stream.longest_gap", record.longest_gap_seconds)
        parts.append(attributes((("sidecar.stream.chunks", record.chunks), gap)))
    if (traffic := notes.get(TRAFFIC)) is not None:
        messages = (
            ("sidecar.socket.messages_sent", traffic.from_agent.messages),
            ("sidecar.socket.messages_received", traffic.from_provider.messages),
            ("sidecar.socket.close_code", traffic.close_code or 0),
        )
        parts.append(attributes(messages))
    parts += [_verdict_event(verdict, exchange.received_ns) for verdict in notes.verdicts]
    if notes.faults:
        parts += [_fault_event(fault, exchange.received_ns) for fault in notes.faults]
    if error_type:
        parts.append(status(ERROR, message_of(record.error)))
    if parent is None:
        parent_id = b""
    else:
        parent_id = bytes.fromhex(parent.span_id)
        if state := exchange.request.headers.get("tracestate"):
            parts.append(trace_state(state))
    return span(trace_id, span_id, parent_id, exchange.received_ns, clock_ns + int(record.ended * 1e9), parts)


@lru_cache(4096)
def _server_said(
    method: str,
    door: str,
    operation: Operation,
    provider: str,
    outcome: str,
    attempts: int,
    route: str,
    endpoint: str,
    code: int,
    answered_by: str,
    error_type: str,
    remote_parent: bool,
) -> bytes:
    pairs: list[tuple[str, Value]] = [
        ("http.request.method", method),
        ("url.scheme", "https" if door in ("connect", "transparent") else "http"),
        ("sidecar.door", door),
        ("sidecar.operation", operation.value),
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
    return said(name, SERVER, remote_parent=remote_parent) + attributes(pairs)


# -- what the layers did, and what went wrong with them --------------------------------------------------------------


def _verdict_event(verdict: Verdict, received_ns: int) -> bytes:
    plugin = verdict.plugin
    parts = [_verdict_said(plugin, verdict.outcome, verdict.reason)]
    for name, value in verdict.detail.items():
        parts.append(_detail(plugin, name, type(value))(value))  # type: ignore[arg-type]
    return event(received_ns + int(verdict.at_seconds * 1e9), parts)


@lru_cache(1024)
def _verdict_said(plugin: str, outcome: str, reason: str) -> bytes:
    pairs: list[tuple[str, Value]] = [("sidecar.plugin", plugin), ("sidecar.verdict", outcome)]
    if reason:
        pairs.append(("sidecar.reason", reason))
    return named("sidecar.verdict") + attributes(pairs, EVENT)


@lru_cache(1024)
def _detail(plugin: str, name: str, kind: type) -> Callable[[Any], bytes]:
    """What writes a verdict's detail *name*, whose values are of *kind*."""
    key = f"sidecar.{plugin}.{name}"
    if kind is str:
        return Texts(key, EVENT)
    if kind is float:
        return Seconds(key, EVENT)
    return lambda value: attributes(((key, value),), EVENT)


def _fault_event(fault: Fault, received_ns: int) -> bytes:
    told = (
        ("sidecar.plugin", fault.plugin),
        ("sidecar.hook", fault.hook),
        ("sidecar.reason", fault.reason),
        ("sidecar.action", fault.action),
    )
    parts = (named("sidecar.fault"), attributes(told, EVENT))
    return event(received_ns + int(fault.at_seconds * 1e9), parts)


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
    parts = [
        _attempt_said(
            record.exchange.request.method,
            provider.origin.host,
            provider.origin.port,
            provider.name,
            attempt.number,
            attempt.reused,
            attempt.peer,
            attempt.status,
            error_type,
        ),
        _response_size(attempt.body_bytes),
    ]
    if attempt.connect_seconds:
        parts.append(_connecting(attempt.connect_seconds))
    if attempt.requested:
        parts.append(_sent(attempt.requested - started))
    if attempt.first_byte:
        parts.append(_first_byte(attempt.first_byte - started))
    if error_type:
        parts.append(status(ERROR, message_of(attempt.error)))
    ended = attempt.ended or record.ended
    return span(trace_id, span_id, parent_id, clock_ns + int(started * 1e9), clock_ns + int(ended * 1e9), parts)


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
