"""Cartesia: the version header of a call decides details; what is read here is the same in all of them."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Asked, Family, Reader, phrase
from sidecar.failure import Kind
from sidecar.payload import Answer, Speech, Transcription, Usage

_CALLS = {
    ("POST", "/tts/bytes"): (Operation.TTS, "tts.bytes"),
    ("POST", "/tts/sse"): (Operation.TTS, "tts.sse"),
    ("GET", "/tts/websocket"): (Operation.TTS, "tts.socket"),
    ("POST", "/stt"): (Operation.STT, "stt"),
    ("GET", "/stt/websocket"): (Operation.STT, "stt.socket"),
    ("GET", "/stt/turns/websocket"): (Operation.STT, "stt.turns.socket"),
}

# Plans are limited by calls at the same time, and by nothing else.
_KINDS = {(429, ""): Kind.CONCURRENCY, (None, "credit_limit_reached"): Kind.QUOTA}
_REFUSALS = {
    Kind.RATE: (429, "rate_limited"),
    Kind.CONCURRENCY: (429, "concurrency_limited"),
    Kind.QUOTA: (402, "quota_exceeded"),
    Kind.AUTH: (401, "unauthorized"),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (404, ""),
    Kind.REFUSED: (400, "content_policy_violation"),
    Kind.OVERLOADED: (503, "service_unavailable"),
    Kind.SERVER: (500, "internal_error"),
    Kind.TIMEOUT: (504, "timeout"),
    Kind.NETWORK: (502, ""),
}

_model = fields.query_value("model")


class _Voice(Struct):
    id: str | None = None


class _OutputFormat(Struct):
    container: str | None = None
    encoding: str | None = None
    sample_rate: int | None = None
    bit_rate: int | None = None


class _GenerationConfig(Struct):
    speed: float | None = None


class _SpeechRequest(Struct):
    model_id: str | None = None
    transcript: str | None = None
    voice: str | _Voice | None = None
    output_format: _OutputFormat | None = None
    language: str | None = None
    locale: str | None = None
    generation_config: _GenerationConfig | None = None


# More than its speed can be said of a generation, and a voice may be described instead of named.
_SPOKEN = frozenset(_SpeechRequest.__struct_fields__) - {"generation_config", "voice"}

_speech = msgspec.json.Decoder(_SpeechRequest).decode


def _read_speech(asked: Asked) -> Speech:
    request = _speech(asked.json)
    wanted = request.output_format or _OutputFormat()
    headerless = wanted.container in (None, "raw")
    return Speech(
        text=request.transcript or "",
        model=request.model_id,
        voice=request.voice.id if isinstance(request.voice, _Voice) else request.voice,
        language=request.language or request.locale,
        format=formats.of_encoding(wanted.encoding if headerless else wanted.container),
        sample_rate=wanted.sample_rate,
        bit_rate=wanted.bit_rate,
        speed=request.generation_config.speed if request.generation_config else None,
        stream=asked.call.stream,
        parameters=members.rest(members.of(asked.json), _SPOKEN),
    )


def _read_transcription(asked: Asked) -> Transcription:
    """Of headerless audio the query says what it is."""
    form, query = fields.of_form(asked, "file"), fields.of_query(asked.query)
    named = form.fields
    encoding = query.take("encoding") or named.take("encoding")
    rate = query.take("sample_rate") or named.take("sample_rate")
    return Transcription(
        audio=form.audio,
        media_type=form.media_type,
        filename=form.filename,
        format=formats.of_encoding(encoding) or form.format,
        sample_rate=fields.integer(rate),
        model=named.take("model"),
        language=named.take("language"),
        timestamps=named.take_all("timestamp_granularities"),
        parameters=query.rest() + named.rest(),
    )


class _Document(Struct):
    """A transcript, an event, or an error; older versions say errors in plain text."""

    type: str | None = None
    request_id: str | None = None
    context_id: str | None = None
    duration: float | None = None
    error_code: str | None = None
    title: str | None = None
    error: str | None = None


_document = msgspec.json.Decoder(_Document).decode


class Cartesia(Family):
    name: ClassVar[str] = "cartesia"
    system: ClassVar[str] = "cartesia"
    heeds_should_retry: ClassVar[bool] = True
    titled_errors: ClassVar[bool] = True
    rules: ClassVar[Rules] = Rules(kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "tts.bytes": _read_speech,
        "tts.sse": _read_speech,
        "stt": _read_transcription,
    }
    answer_members: ClassVar[tuple[str, ...]] = ("duration", "request_id")

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if (known := _CALLS.get((method, path))) is None:
            return None
        operation, endpoint = known
        stream = endpoint == "tts.sse"
        socket = method == "GET"
        model = _model(query)
        return Call(operation=operation, endpoint=endpoint, route=path, model=model, socket=socket, stream=stream)

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        said = _document(document)
        failed = said.error_code or said.title or (said.type == "error" and (said.error or "error")) or said.error
        return Answer(
            id=said.request_id or said.context_id,
            usage=None if said.duration is None else Usage(audio_seconds=said.duration),
            error_type=failed or None,
        )

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        envelope = {"error_code": kind, "title": kind.replace("_", " ").capitalize(), "message": message}
        return phrase(status, envelope | {"status_code": status, "request_id": None})


DIALECT = Cartesia()
