"""The operation at the provider as a span, in the names of OpenTelemetry's conventions for generative AI."""

from functools import lru_cache

from sidecar import Chat, Operation, Record, Speech, Transcription
from sidecar.payload import Usage
from sidecar_tracing.errors import error_type_of, message_of
from sidecar_tracing.otlp import CLIENT, ERROR, Numbers, Texts, Value, attributes, said, seconds, span, status
from sidecar_tracing.semconv import operation_name, output_type

_first_chunk = seconds("gen_ai.response.time_to_first_chunk")
_response_id = Texts("gen_ai.response.id")
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
_audio_seconds = seconds("sidecar.audio.input.duration")


def operation_span(record: Record, trace_id: bytes, span_id: bytes, parent_id: bytes, clock_ns: int) -> bytes:
    """*clock_ns*: what the monotonic clock's zero is, in ns since the epoch."""
    exchange, call, attempts = record.exchange, record.exchange.call, record.exchange.notes.attempts
    assert call is not None
    provider = exchange.provider
    for attempt in attempts:
        if attempt.provider.name == record.answered_by:
            provider = attempt.provider
    answer, payload = record.answer, record.payload
    error_type = ""
    if record.outcome == "failed" or (record.status or 0) >= 400 or answer.error_type:
        error_type = answer.error_type or error_type_of(record.error, record.status)
    fixed = _operation_said(
        operation_name(exchange.operation, call.endpoint),
        provider.system,
        _output_type(exchange.operation, payload),
        provider.origin.host,
        provider.origin.port,
        (payload.model if payload is not None else None) or call.model or "",
        payload is not None and payload.stream,
        answer.model or "",
        answer.finish_reasons,
        record.outcome,
        error_type,
    )
    rest: list[bytes] = []
    if payload is not None or call.voice:
        rest.append(_asked(payload, call.voice))
    if answer.id:
        rest.append(_response_id(answer.id))
    if answer.usage is not None:
        _add_usage(answer.usage, rest)
    if record.first_byte and attempts[-1].first_byte:
        rest.append(_first_chunk(record.first_byte - attempts[0].started))
    if error_type:
        rest.append(status(ERROR, message_of(record.error)))
    started = attempts[0].started
    ended = max([attempt.ended or record.ended for attempt in attempts])
    times = clock_ns + int(started * 1e9), clock_ns + int(ended * 1e9)
    return span(fixed, trace_id, span_id, parent_id, *times, b"".join(rest))


@lru_cache(4096)
def _operation_said(
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
    pairs: list[tuple[str, Value]] = [
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
    return said(f"{operation} {model}" if model else operation, CLIENT) + attributes(pairs)


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


def _add_usage(usage: Usage, parts: list[bytes]) -> None:
    for name, write in _USAGE:
        value = getattr(usage, name)
        if value is not None and 0 <= value < 1 << 63:
            parts.append(write(value))
    if usage.audio_seconds is not None:
        parts.append(_audio_seconds(usage.audio_seconds))
