"""Deepgram: everything but the recording or the text stands in the query, and a model of speech is its voice."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Asked, Family, Reader, phrase
from sidecar.failure import Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Speech, Transcription, Usage

_CALLS = {
    ("POST", "/v1/listen"): (Operation.STT, "listen"),
    ("POST", "/v2/listen"): (Operation.STT, "listen.v2"),
    ("GET", "/v1/listen"): (Operation.STT, "listen.socket"),
    ("GET", "/v2/listen"): (Operation.STT, "listen.v2.socket"),
    ("POST", "/v1/speak"): (Operation.TTS, "speak"),
    ("POST", "/v2/speak"): (Operation.TTS, "speak.v2"),
    ("GET", "/v1/speak"): (Operation.TTS, "speak.socket"),
    ("GET", "/v2/speak"): (Operation.TTS, "speak.v2.socket"),
    ("GET", "/v1/agent/converse"): (Operation.REALTIME, "agent.socket"),
}
_HEADED = frozenset(("pcm", "mulaw", "alaw"))

# What is limited is how many of a project's calls are under way at the same time.
_KINDS = {
    (429, ""): Kind.CONCURRENCY,
    (429, "too_many_requests"): Kind.CONCURRENCY,
    (None, "asr_payment_required"): Kind.QUOTA,
    # of a key that is good: its project may not use the model
    (403, "insufficient_permissions"): Kind.UNSUPPORTED,
    (None, "slow_upload"): Kind.TIMEOUT,
    # the sockets' own: nothing was heard for too long, or nothing that could be decoded
    (0, "data_0000"): Kind.INVALID,
    (0, "net_0001"): Kind.INVALID,
}
_REFUSALS = {
    Kind.RATE: (429, "TOO_MANY_REQUESTS"),
    Kind.CONCURRENCY: (429, "TOO_MANY_REQUESTS"),
    Kind.QUOTA: (402, "ASR_PAYMENT_REQUIRED"),
    Kind.AUTH: (401, "INVALID_AUTH"),
    Kind.INVALID: (400, "Bad Request"),
    Kind.UNSUPPORTED: (415, ""),
    Kind.REFUSED: (400, "CONTENT_FILTER"),
    Kind.OVERLOADED: (503, "SERVICE_UNAVAILABLE"),
    Kind.SERVER: (500, "INTERNAL_SERVER_ERROR"),
    Kind.TIMEOUT: (504, "GATEWAY_TIMEOUT"),
    Kind.NETWORK: (502, ""),
}

_model = fields.query_value("model")


class _Source(Struct):
    url: str | None = None


_source = msgspec.json.Decoder(_Source).decode


def _read_listen(asked: Asked) -> Transcription:
    """The content type decides what the body is: JSON names a recording, anything else or nothing is one."""
    named = fields.of_query(asked.query)
    media_type = asked.headers.get("content-type")
    is_json = media_type is not None and media_type.lower().startswith("application/json")
    return Transcription(
        audio=asked.body if asked.complete and not is_json else None,
        audio_url=_source(asked.json).url if is_json else None,
        media_type=None if is_json else media_type,
        format=formats.of_encoding(named.take("encoding")) or formats.of_media_type(media_type),
        sample_rate=fields.integer(named.take("sample_rate")),
        model=named.take("model"),
        language=named.take("language"),
        parameters=named.rest(),
    )


def _read_speak(asked: Asked) -> Speech:
    """Without a container being named, headerless encodings come as WAV, and MP3 is what comes without any wish."""
    named, text = fields.of_query(asked.query), members.of(asked.json)
    model = named.take("model")
    encoding = formats.of_encoding(named.take("encoding")) or "mp3"
    container = named.take("container") or ("wav" if encoding in _HEADED else "none")
    return Speech(
        text=members.text(text, "text") or "",
        model=model,
        voice=model,
        format="wav" if container == "wav" else encoding,
        sample_rate=fields.integer(named.take("sample_rate")),
        bit_rate=fields.integer(named.take("bit_rate")),
        speed=fields.number(named.take("speed")),
        parameters=named.rest() + members.rest(text, ("text",)),
    )


class _Model(Struct):
    name: str | None = None


class _Metadata(Struct):
    request_id: str | None = None
    duration: float | None = None
    model_info: dict[str, _Model] | None = None


class _Document(Struct):
    """An answer, or an error in its older or newer form."""

    metadata: _Metadata | None = None
    request_id: str | None = None
    err_code: str | None = None
    category: str | None = None
    message: str | None = None


_document = msgspec.json.Decoder(_Document).decode


class Deepgram(Family):
    name: ClassVar[str] = "deepgram"
    system: ClassVar[str] = "deepgram"
    credential_format: ClassVar[str] = "Token {}"
    rules: ClassVar[Rules] = Rules(kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "listen": _read_listen,
        "listen.v2": _read_listen,
        "speak": _read_speak,
        "speak.v2": _read_speak,
    }
    answer_members: ClassVar[tuple[str, ...]] = ("metadata",)

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if (known := _CALLS.get((method, path))) is None:
            return None
        operation, endpoint = known
        model = _model(query)
        voice = model if operation is Operation.TTS else None
        socket = method == "GET"
        return Call(operation=operation, endpoint=endpoint, route=path, model=model, voice=voice, socket=socket)

    def answer_of_headers(self, call: Call, headers: Headers) -> Answer:
        characters = fields.integer(headers.get("dg-char-count"))
        return Answer(
            id=headers.get("dg-request-id"),
            model=headers.get("dg-model-name"),
            usage=None if characters is None else Usage(characters=characters),
        )

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        said = _document(document)
        metadata = said.metadata or _Metadata()
        models = [model.name for model in (metadata.model_info or {}).values() if model.name]
        return Answer(
            id=metadata.request_id or said.request_id,
            model=models[0] if models else None,
            usage=None if metadata.duration is None else Usage(audio_seconds=metadata.duration),
            error_type=said.err_code or said.category,
        )

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"err_code": kind, "err_msg": message, "request_id": None})


DIALECT = Deepgram()
