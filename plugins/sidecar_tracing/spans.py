"""What is known of a call, told as spans: the agent's call, the operation at the provider, and each attempt.

A call that no provider was asked for (answered from a cache, say) is one span; so is a connection that was spliced.
Nothing of content is in them: no text, no audio, no header values, no query strings.

Most attributes of a call are those of the call before it. They are written once (the functions with ``lru_cache``);
only numbers and ids are written for each call.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

from sidecar import AttemptRecord, Chat, Key, Operation, Record, Speech, Transcription
from sidecar.errors import CallError
from sidecar.payload import Usage
from sidecar.traceparent import TraceParent, read_traceparent
from sidecar.websocket import TRAFFIC
from sidecar_tracing.otlp import (
    CLIENT,
    ERROR,
    SERVER,
    UNSET,
    Event,
    Numbers,
    Seconds,
    Span,
    Texts,
    Value,
    attributes,
)
from sidecar_tracing.semconv import operation_name, output_type

#: The span ids of attempts that were told to their providers: number and id.
ATTEMPT_SPANS: Key[dict[int, bytes]] = Key("tracing.attempt_spans")

_Pairs = list[tuple[str, Value]]

_request_id = Texts("sidecar.request.id")
_request_size = Numbers("http.request.body.size")
_response_size = Numbers("http.response.body.size")
_ttfb = Seconds("sidecar.ttfb")
_first_chunk = Seconds("gen_ai.response.time_to_first_chunk")
_response_id = Texts("gen_ai.response.id")
_connecting = Seconds("sidecar.attempt.connect.duration")
_sent = Seconds("sidecar.attempt.request_sent")
_first_byte = Seconds("sidecar.attempt.first_byte")
_characters = Numbers("sidecar.tts.characters")
_USAGE = (
    ("input_tokens", Numbers("gen_ai.usage.input_tokens")),
    ("output_tokens", Numbers("gen_ai.usage.output_tokens")),
    ("cached_input_tokens", Numbers("gen_ai.usage.cache_read.input_tokens")),
    ("reasoning_tokens", Numbers("gen_ai.usage.reasoning.output_tokens")),
    ("audio_input_tokens", Numbers("gen_ai.usage.audio.input_tokens")),
    ("audio_output_tokens", Numbers("gen_ai.usage.audio.output_tokens")),
    ("characters", Numbers("sidecar.tts.characters_billed")),
)
_audio_seconds = Seconds("sidecar.audio.input.duration")


def new_span_id() -> bytes:
    return random.getrandbits(64).to_bytes(8)


def spans(record: Record, *, genai: bool = True) -> list[Span]:
    """The spans of one call, the outermost first. *genai*: the operation at the provider gets one of its own."""
    exchange = record.exchange
    parent = read_traceparent(exchange.request.headers.get("traceparent"))
    trace_id = bytes.fromhex(exchange.id if parent is None else parent.trace_id)
    times = _Times(record)
    server = _server_span(record, trace_id, parent, times)
    told = [server]
    attempts = exchange.notes.attempts
    around = server.span_id
    if attempts and genai and exchange.operation != Operation.PASSTHROUGH:
        operation = _operation_span(record, trace_id, server.span_id, times)
        told.append(operation)
        around = operation.span_id
    known = exchange.notes.get(ATTEMPT_SPANS) or {}
    told += [_attempt_span(record, attempt, trace_id, around, times, known.get(attempt.number)) for attempt in attempts]
    return told


class _Times:
    """Moments of the monotonic clock as wall-clock time."""

    __slots__ = ("_offset_ns",)

    def __init__(self, record: Record) -> None:
        self._offset_ns = record.exchange.received_ns - int(record.exchange.notes.received * 1e9)

    def at(self, moment: float) -> int:
        return self._offset_ns + int(moment * 1e9)


# -- the agent's call ------------------------------------------------------------------------------------------------


def _server_span(record: Record, trace_id: bytes, parent: TraceParent | None, times: _Times) -> Span:
    exchange, call, notes = record.exchange, record.exchange.call, record.exchange.notes
    method, route = exchange.request.method, "" if call is None else call.route
    status, error_type = UNSET, ""
    if record.outcome == "failed":
        status, error_type = ERROR, _error_type(record.error, record.status)
    elif (record.status or 0) >= 500:
        status, error_type = ERROR, str(record.status)
    written = [
        _server_attributes(
            method,
            exchange.door,
            exchange.operation,
            exchange.provider.name,
            record.outcome,
            len(notes.attempts),
            route,
            "" if call is None else call.endpoint,
            record.status or 0,
            record.answered_by or "",
            error_type,
        ),
        _request_id(exchange.id),
        _request_size(record.request_bytes),
        _response_size(record.response_bytes),
    ]
    if record.first_byte:
        written.append(_ttfb(record.first_byte - notes.received))
    if record.chunks > 1:
        gap = ("sidecar.stream.longest_gap", record.longest_gap_seconds)
        written.append(attributes((("sidecar.stream.chunks", record.chunks), gap)))
    if (traffic := notes.get(TRAFFIC)) is not None:
        written.append(
            attributes(
                (
                    ("sidecar.socket.messages_sent", traffic.from_agent.messages),
                    ("sidecar.socket.messages_received", traffic.from_provider.messages),
                    ("sidecar.socket.close_code", traffic.close_code or 0),
                )
            )
        )
    return Span(
        trace_id=trace_id,
        span_id=new_span_id(),
        parent_id=b"" if parent is None else bytes.fromhex(parent.span_id),
        name=f"{method} {route}" if route else method,
        kind=SERVER,
        start_ns=exchange.received_ns,
        end_ns=times.at(record.ended),
        attributes=b"".join(written),
        events=list(_events(record)) if notes.verdicts or notes.faults else (),
        status=status,
        message=_message(record.error) if status else "",
        trace_state=("" if parent is None else exchange.request.headers.get("tracestate")) or "",
        remote_parent=parent is not None,
    )


@lru_cache(4096)
def _server_attributes(
    method: str,
    door: str,
    operation: Operation,
    provider: str,
    outcome: str,
    attempts: int,
    route: str,
    endpoint: str,
    status: int,
    answered_by: str,
    error_type: str,
) -> bytes:
    pairs: _Pairs = [
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
    if status:
        pairs.append(("http.response.status_code", status))
    if answered_by:
        pairs.append(("sidecar.answered_by", answered_by))
    if error_type:
        pairs.append(("error.type", error_type))
    return attributes(pairs)


def _events(record: Record) -> Iterator[Event]:
    """What the layers did, and what went wrong with them."""
    received_ns = record.exchange.received_ns
    for verdict in record.exchange.notes.verdicts:
        pairs: _Pairs = [("sidecar.plugin", verdict.plugin), ("sidecar.verdict", verdict.outcome)]
        if verdict.reason:
            pairs.append(("sidecar.reason", verdict.reason))
        pairs += [(f"sidecar.{verdict.plugin}.{name}", value) for name, value in verdict.detail.items()]
        yield Event(received_ns + int(verdict.at_seconds * 1e9), "sidecar.verdict", pairs)
    for fault in record.exchange.notes.faults:
        told = (
            ("sidecar.plugin", fault.plugin),
            ("sidecar.hook", fault.hook),
            ("sidecar.reason", fault.reason),
            ("sidecar.action", fault.action),
        )
        yield Event(received_ns + int(fault.at_seconds * 1e9), "sidecar.fault", told)


# -- the operation ---------------------------------------------------------------------------------------------------


def _operation_span(record: Record, trace_id: bytes, parent_id: bytes, times: _Times) -> Span:
    exchange, call, attempts = record.exchange, record.exchange.call, record.exchange.notes.attempts
    assert call is not None
    provider = exchange.provider
    for attempt in attempts:
        if attempt.provider.name == record.answered_by:
            provider = attempt.provider
    answer, payload = record.answer, record.payload
    model = (payload.model if payload is not None else None) or call.model or ""
    status, error_type = UNSET, ""
    if record.outcome == "failed" or (record.status or 0) >= 400 or answer.error_type:
        status, error_type = ERROR, answer.error_type or _error_type(record.error, record.status)
    operation = operation_name(exchange.operation, call.endpoint)
    written = [
        _operation_attributes(
            operation,
            provider.system,
            _output_type(exchange.operation, payload),
            provider.origin.host,
            provider.origin.port,
            model,
            payload is not None and payload.stream,
            answer.model or "",
            answer.finish_reasons,
            record.outcome,
            error_type,
        )
    ]
    if payload is not None or call.voice:
        written.append(_asked(payload, call.voice))
    if answer.id:
        written.append(_response_id(answer.id))
    if answer.usage is not None:
        written.append(_used(answer.usage))
    if record.first_byte and attempts[-1].first_byte:
        written.append(_first_chunk(record.first_byte - attempts[0].started))
    return Span(
        trace_id=trace_id,
        span_id=new_span_id(),
        parent_id=parent_id,
        name=f"{operation} {model}" if model else operation,
        kind=CLIENT,
        start_ns=times.at(attempts[0].started),
        end_ns=times.at(max([attempt.ended or record.ended for attempt in attempts])),
        attributes=b"".join(written),
        status=status,
        message=_message(record.error) if status else "",
    )


@lru_cache(4096)
def _operation_attributes(
    operation: str,
    system: str,
    output: str,
    host: str,
    port: int,
    model: str,
    stream: bool,
    answering_model: str,
    finish_reasons: tuple[str, ...],
    outcome: str,
    error_type: str,
) -> bytes:
    pairs: _Pairs = [
        ("gen_ai.operation.name", operation),
        ("gen_ai.provider.name", system),
        ("gen_ai.output.type", output),
        ("gen_ai.request.stream", stream),
        ("server.address", host),
        ("server.port", port),
    ]
    if model:
        pairs.append(("gen_ai.request.model", model))
    if answering_model:
        pairs.append(("gen_ai.response.model", answering_model))
    if finish_reasons:
        pairs.append(("gen_ai.response.finish_reasons", finish_reasons))
    if outcome == "cancelled":
        pairs.append(("sidecar.outcome", outcome))
    if error_type:
        pairs.append(("error.type", error_type))
    return attributes(pairs)


def _output_type(operation: Operation, payload: Chat | Speech | Transcription | None) -> str:
    if isinstance(payload, Chat) and (payload.output_schema is not None or payload.json_output):
        return "json"
    return output_type(operation)


def _asked(payload: Chat | Speech | Transcription | None, voice: str | None) -> bytes:
    match payload:
        case Chat():
            asked = payload.max_output_tokens, payload.temperature, payload.conversation_id
            return _sampling_attributes(*asked) if asked != (None, None, None) else b""
        case Speech():
            fixed = _speech_attributes(payload.voice or voice, payload.language, payload.format)
            return fixed + _characters(len(payload.text))
        case Transcription():
            return _transcription_attributes(payload.language, payload.format)
        case None:
            return _speech_attributes(voice, None, None)


@lru_cache(1024)
def _sampling_attributes(max_tokens: int | None, temperature: float | None, conversation_id: str | None) -> bytes:
    return _present(
        ("gen_ai.request.max_tokens", max_tokens),
        ("gen_ai.request.temperature", None if temperature is None else float(temperature)),
        ("gen_ai.conversation.id", conversation_id),
    )


@lru_cache(1024)
def _speech_attributes(voice: str | None, language: str | None, audio_format: str | None) -> bytes:
    return _present(
        ("gen_ai.speech.voice", voice),
        ("sidecar.audio.language", language),
        ("sidecar.audio.format", audio_format),
    )


@lru_cache(1024)
def _transcription_attributes(language: str | None, audio_format: str | None) -> bytes:
    return _present(("gen_ai.speech.input.language", language), ("sidecar.audio.format", audio_format))


def _present(*pairs: tuple[str, Value | None]) -> bytes:
    return attributes([(name, value) for name, value in pairs if value is not None])


def _used(usage: Usage) -> bytes:
    written = []
    for name, write in _USAGE:
        value = getattr(usage, name)
        if value is not None and 0 <= value < 1 << 63:
            written.append(write(value))
    if usage.audio_seconds is not None:
        written.append(_audio_seconds(usage.audio_seconds))
    return b"".join(written)


# -- an attempt ------------------------------------------------------------------------------------------------------


def _attempt_span(
    record: Record, attempt: AttemptRecord, trace_id: bytes, parent_id: bytes, times: _Times, span_id: bytes | None
) -> Span:
    method, started = record.exchange.request.method, attempt.started
    status, error_type = UNSET, ""
    if attempt.error is not None and record.outcome != "cancelled":
        status, error_type = ERROR, _error_type(attempt.error, attempt.status)
    elif attempt.status >= 400:
        status, error_type = ERROR, str(attempt.status)
    written = [
        _attempt_attributes(
            method,
            attempt.provider.origin.host,
            attempt.provider.origin.port,
            attempt.provider.name,
            attempt.number,
            attempt.reused,
            attempt.peer,
            attempt.status,
            error_type,
        ),
        _response_size(attempt.body_bytes),
    ]
    if attempt.connect_seconds:
        written.append(_connecting(attempt.connect_seconds))
    if attempt.requested:
        written.append(_sent(attempt.requested - started))
    if attempt.first_byte:
        written.append(_first_byte(attempt.first_byte - started))
    return Span(
        trace_id=trace_id,
        span_id=span_id or new_span_id(),
        parent_id=parent_id,
        name=method,
        kind=CLIENT,
        start_ns=times.at(started),
        end_ns=times.at(attempt.ended or record.ended),
        attributes=b"".join(written),
        status=status,
        message=_message(attempt.error) if status else "",
    )


@lru_cache(4096)
def _attempt_attributes(
    method: str, host: str, port: int, provider: str, number: int, reused: bool, peer: str, status: int, error_type: str
) -> bytes:
    pairs: _Pairs = [
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
    if status:
        pairs.append(("http.response.status_code", status))
    if error_type:
        pairs.append(("error.type", error_type))
    return attributes(pairs)


# -- errors ----------------------------------------------------------------------------------------------------------


def _error_type(error: BaseException | None, status: int | None) -> str:
    """``error.type``: of low cardinality."""
    if isinstance(error, CallError):
        return error.kind
    if error is not None:
        return type(error).__name__
    return str(status) if status else "_OTHER"


def _message(error: BaseException | None) -> str:
    return str(error)[:500] if isinstance(error, CallError) else ""
