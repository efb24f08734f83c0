"""What is known of a call, told as spans: the agent's call, the operation at the provider, and each attempt.

A call that no provider was asked for (answered from a cache, say) is one span; so is a connection that was spliced.
Nothing of content is in them: no text, no audio, no header values, no query strings.
"""

import random
from collections.abc import Iterator

from sidecar import AttemptRecord, Chat, Key, Operation, Record, Speech, Transcription
from sidecar.errors import CallError
from sidecar.exchange import Provider
from sidecar.payload import Answer, Usage
from sidecar.traceparent import TraceParent, read_traceparent
from sidecar.websocket import TRAFFIC
from sidecar_tracing.otlp import CLIENT, ERROR, SERVER, UNSET, Event, Span, Value
from sidecar_tracing.semconv import CACHE_WRITE_TOKENS, operation_name, output_type

#: The span ids of attempts that were told to their providers: number and id.
ATTEMPT_SPANS: Key[dict[int, bytes]] = Key("tracing.attempt_spans")

_Attributes = list[tuple[str, Value]]


def new_span_id() -> bytes:
    return random.getrandbits(64).to_bytes(8)


class SpanWriter:
    """
    Args:
        genai: whether the operation at the provider gets a span of its own.
        conventions: a profile of `sidecar_tracing.semconv`.
    """

    def __init__(self, *, genai: bool = True, conventions: str = "genai-1.41") -> None:
        self._genai = genai
        self._cache_write_tokens = CACHE_WRITE_TOKENS[conventions]

    def spans(self, record: Record) -> list[Span]:
        """The spans of one call, the outermost first."""
        exchange = record.exchange
        parent = read_traceparent(exchange.request.headers.get("traceparent"))
        trace_id = bytes.fromhex(exchange.id if parent is None else parent.trace_id)
        times = _Times(record)
        server = self._server_span(record, trace_id, parent, times)
        spans = [server]
        attempts = exchange.notes.attempts
        around = server.span_id
        if attempts and self._genai and exchange.operation != Operation.PASSTHROUGH:
            operation = self._operation_span(record, trace_id, server.span_id, times)
            spans.append(operation)
            around = operation.span_id
        known = exchange.notes.get(ATTEMPT_SPANS) or {}
        spans += [
            self._attempt_span(record, attempt, trace_id, around, times, known.get(attempt.number))
            for attempt in attempts
        ]
        return spans

    # -- the agent's call --------------------------------------------------------------------------------------------

    def _server_span(self, record: Record, trace_id: bytes, parent: TraceParent | None, times: "_Times") -> Span:
        exchange, call = record.exchange, record.exchange.call
        method = exchange.request.method
        attributes: _Attributes = [
            ("http.request.method", method),
            ("url.scheme", "https" if exchange.door in ("connect", "transparent") else "http"),
            ("sidecar.request.id", exchange.id),
            ("sidecar.door", exchange.door),
            ("sidecar.operation", exchange.operation.value),
            ("sidecar.provider", exchange.provider.name),
            ("sidecar.outcome", record.outcome),
            ("sidecar.attempts", len(exchange.notes.attempts)),
            ("http.request.body.size", record.request_bytes),
            ("http.response.body.size", record.response_bytes),
        ]
        if call is not None:
            attributes.append(("http.route", call.route))
            attributes.append(("sidecar.endpoint", call.endpoint))
        if record.status:
            attributes.append(("http.response.status_code", record.status))
        if record.answered_by:
            attributes.append(("sidecar.answered_by", record.answered_by))
        if (first_byte := record.first_byte_seconds) is not None:
            attributes.append(("sidecar.ttfb", first_byte))
        if record.chunks > 1:
            attributes.append(("sidecar.stream.chunks", record.chunks))
            attributes.append(("sidecar.stream.longest_gap", record.longest_gap_seconds))
        if (traffic := exchange.notes.get(TRAFFIC)) is not None:
            attributes += [
                ("sidecar.socket.messages_sent", traffic.from_agent.messages),
                ("sidecar.socket.messages_received", traffic.from_provider.messages),
            ]
            if traffic.close_code is not None:
                attributes.append(("sidecar.socket.close_code", traffic.close_code))
        status, message = UNSET, ""
        if record.outcome == "failed":
            status, message = ERROR, _message(record.error)
            attributes.append(("error.type", _error_type(record.error, record.status)))
        elif (record.status or 0) >= 500:
            status = ERROR
            attributes.append(("error.type", str(record.status)))
        return Span(
            trace_id=trace_id,
            span_id=new_span_id(),
            parent_id=b"" if parent is None else bytes.fromhex(parent.span_id),
            name=method if call is None else f"{method} {call.route}",
            kind=SERVER,
            start_ns=exchange.received_ns,
            end_ns=times.at(record.ended),
            attributes=attributes,
            events=list(_events(record, times)),
            status=status,
            message=message,
            trace_state=("" if parent is None else exchange.request.headers.get("tracestate")) or "",
            remote_parent=parent is not None,
        )

    # -- the operation -----------------------------------------------------------------------------------------------

    def _operation_span(self, record: Record, trace_id: bytes, parent_id: bytes, times: "_Times") -> Span:
        exchange, call, attempts = record.exchange, record.exchange.call, record.exchange.notes.attempts
        assert call is not None
        answerer = next((a.provider for a in attempts if a.provider.name == record.answered_by), exchange.provider)
        operation = operation_name(exchange.operation, call.endpoint)
        answer, payload = record.answer, record.payload
        model = (payload.model if payload is not None else None) or call.model
        attributes: _Attributes = [
            ("gen_ai.operation.name", operation),
            ("gen_ai.provider.name", answerer.system),
            ("gen_ai.output.type", _output_type(record, payload)),
            *_server_address(answerer),
        ]
        if model:
            attributes.append(("gen_ai.request.model", model))
        if payload is not None:
            attributes.append(("gen_ai.request.stream", payload.stream))
            attributes += _asked(payload)
        if call.voice and not isinstance(payload, Speech):
            attributes.append(("gen_ai.speech.voice", call.voice))
        attributes += self._answered(answer)
        first = attempts[-1].first_byte
        if record.first_byte and first:
            attributes.append(("gen_ai.response.time_to_first_chunk", record.first_byte - attempts[0].started))
        status, message = UNSET, ""
        if record.outcome == "failed" or (record.status or 0) >= 400:
            status, message = ERROR, _message(record.error)
            attributes.append(("error.type", answer.error_type or _error_type(record.error, record.status)))
        elif record.outcome == "cancelled":
            attributes.append(("sidecar.outcome", "cancelled"))
        return Span(
            trace_id=trace_id,
            span_id=new_span_id(),
            parent_id=parent_id,
            name=f"{operation} {model}" if model else operation,
            kind=CLIENT,
            start_ns=times.at(attempts[0].started),
            end_ns=times.at(max(attempt.ended or record.ended for attempt in attempts)),
            attributes=attributes,
            status=status,
            message=message,
        )

    def _answered(self, answer: Answer) -> _Attributes:
        attributes: _Attributes = []
        if answer.id:
            attributes.append(("gen_ai.response.id", answer.id))
        if answer.model:
            attributes.append(("gen_ai.response.model", answer.model))
        if answer.finish_reasons:
            attributes.append(("gen_ai.response.finish_reasons", answer.finish_reasons))
        if answer.usage is not None:
            attributes += _used(answer.usage)
        return attributes

    # -- an attempt --------------------------------------------------------------------------------------------------

    def _attempt_span(
        self,
        record: Record,
        attempt: AttemptRecord,
        trace_id: bytes,
        parent_id: bytes,
        times: "_Times",
        span_id: bytes | None,
    ) -> Span:
        method = record.exchange.request.method
        attributes: _Attributes = [
            ("http.request.method", method),
            *_server_address(attempt.provider),
            ("sidecar.provider", attempt.provider.name),
            ("sidecar.attempt.number", attempt.number),
            ("sidecar.connection.reused", attempt.reused),
        ]
        if attempt.number:
            attributes.append(("http.request.resend_count", attempt.number))
        if attempt.peer:
            attributes.append(("network.peer.address", attempt.peer.rpartition(":")[0]))
        if attempt.status:
            attributes.append(("http.response.status_code", attempt.status))
        if not attempt.reused and attempt.connect_seconds:
            attributes.append(("sidecar.connect.duration", attempt.connect_seconds))
        if attempt.body_bytes:
            attributes.append(("http.response.body.size", attempt.body_bytes))
        events = [
            Event(times.at(moment), name, ())
            for name, moment in (
                ("connected", attempt.connected),
                ("request_sent", attempt.requested),
                ("first_byte", attempt.first_byte),
            )
            if moment
        ]
        status, message = UNSET, ""
        if attempt.error is not None and record.outcome != "cancelled":
            status, message = ERROR, _message(attempt.error)
            attributes.append(("error.type", _error_type(attempt.error, attempt.status)))
        elif attempt.status >= 400:
            status = ERROR
            attributes.append(("error.type", str(attempt.status)))
        return Span(
            trace_id=trace_id,
            span_id=span_id or new_span_id(),
            parent_id=parent_id,
            name=method,
            kind=CLIENT,
            start_ns=times.at(attempt.started),
            end_ns=times.at(attempt.ended or record.ended),
            attributes=attributes,
            events=events,
            status=status,
            message=message,
        )


class _Times:
    """Moments of the monotonic clock as wall-clock time."""

    def __init__(self, record: Record) -> None:
        self._offset_ns = record.exchange.received_ns - int(record.exchange.notes.received * 1e9)

    def at(self, moment: float) -> int:
        return self._offset_ns + int(moment * 1e9)


def _events(record: Record, times: _Times) -> Iterator[Event]:
    """What the layers did, and what went wrong with them."""
    received_ns = record.exchange.received_ns
    for verdict in record.exchange.notes.verdicts:
        attributes: _Attributes = [("sidecar.plugin", verdict.plugin), ("sidecar.verdict", verdict.outcome)]
        if verdict.reason:
            attributes.append(("sidecar.reason", verdict.reason))
        attributes += [(f"sidecar.{verdict.plugin}.{name}", value) for name, value in verdict.detail.items()]
        yield Event(received_ns + int(verdict.at_seconds * 1e9), "sidecar.verdict", attributes)
    for fault in record.exchange.notes.faults:
        yield Event(
            received_ns + int(fault.at_seconds * 1e9),
            "sidecar.fault",
            [
                ("sidecar.plugin", fault.plugin),
                ("sidecar.hook", fault.hook),
                ("sidecar.reason", fault.reason),
                ("sidecar.action", fault.action),
            ],
        )


def _server_address(provider: Provider) -> _Attributes:
    return [("server.address", provider.origin.host), ("server.port", provider.origin.port)]


def _output_type(record: Record, payload: Chat | Speech | Transcription | None) -> str:
    if isinstance(payload, Chat) and (payload.output_schema is not None or payload.json_output):
        return "json"
    return output_type(record.exchange.operation)


def _asked(payload: Chat | Speech | Transcription) -> _Attributes:
    attributes: _Attributes = []
    if isinstance(payload, Chat):
        if payload.max_output_tokens is not None:
            attributes.append(("gen_ai.request.max_tokens", payload.max_output_tokens))
        if payload.temperature is not None:
            attributes.append(("gen_ai.request.temperature", float(payload.temperature)))
        if payload.conversation_id:
            attributes.append(("gen_ai.conversation.id", payload.conversation_id))
    elif isinstance(payload, Speech):
        attributes.append(("sidecar.tts.characters", len(payload.text)))
        for name, value in (
            ("gen_ai.speech.voice", payload.voice),
            ("sidecar.audio.language", payload.language),
            ("sidecar.audio.format", payload.format),
        ):
            if value:
                attributes.append((name, value))
    else:
        if payload.language:
            attributes.append(("gen_ai.speech.input.language", payload.language))
        if payload.format:
            attributes.append(("sidecar.audio.format", payload.format))
    return attributes


def _used(usage: Usage) -> _Attributes:
    named = (
        ("gen_ai.usage.input_tokens", usage.input_tokens),
        ("gen_ai.usage.output_tokens", usage.output_tokens),
        ("gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning_tokens),
        ("gen_ai.usage.audio.input_tokens", usage.audio_input_tokens),
        ("gen_ai.usage.audio.output_tokens", usage.audio_output_tokens),
        ("sidecar.audio.input.duration", usage.audio_seconds),
        ("sidecar.tts.characters_billed", usage.characters),
    )
    return [(name, value) for name, value in named if value is not None]


def _error_type(error: BaseException | None, status: int | None) -> str:
    """``error.type``: of low cardinality."""
    if isinstance(error, CallError):
        return error.kind
    if error is not None:
        return type(error).__name__
    return str(status) if status else "_OTHER"


def _message(error: BaseException | None) -> str:
    return str(error)[:500] if isinstance(error, CallError) else ""
