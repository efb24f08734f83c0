"""AssemblyAI: recordings as a job of three calls or as one, speech, and a gateway to language models.

Of a job, only the call that asks for the transcript is a call for text; the upload before it and the polls after it are
recognised by name but pass as they are, since one of them means nothing without the others.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Asked, Family, Reader, phrase
from sidecar.dialects.openai_answer import read_document
from sidecar.dialects.openai_chat import read_chat
from sidecar.failure import Failure, Kind
from sidecar.payload import Answer, Speech, Transcription, Usage

_CALLS = {
    ("POST", "/v2/upload"): (Operation.PASSTHROUGH, "upload"),
    ("POST", "/v2/transcript"): (Operation.STT, "transcript"),
    ("POST", "/v1/transcribe"): (Operation.STT, "transcribe"),
    ("POST", "/v1/transcribe/live"): (Operation.STT, "transcribe.live"),
    ("GET", "/v3/ws"): (Operation.STT, "streaming"),
    ("POST", "/v1/speech"): (Operation.TTS, "speech"),
    ("GET", "/v1/ws"): (Operation.TTS, "speech.socket"),
    ("POST", "/v1/chat/completions"): (Operation.CHAT, "chat.completions"),
}
_SOCKETS = frozenset(("streaming", "speech.socket"))
_POLL = re.compile(r"/v2/transcript/[^/]+")

_JOB_FIELDS = frozenset(("audio_url", "speech_model", "speech_models", "language_code", "prompt"))
_SYNC_FIELDS = frozenset(("model", "prompt", "sample_rate", "language_codes", "timestamps"))

_KINDS = {
    (429, "at_capacity"): Kind.CONCURRENCY,
    (None, "at_capacity"): Kind.OVERLOADED,
    (None, "auth_unavailable"): Kind.OVERLOADED,
    (None, "biometric_terms_not_accepted"): Kind.UNSUPPORTED,
    (None, "bad_request"): Kind.INVALID,
    (0, "inference_error"): Kind.SERVER,
    (0, "inference_timeout"): Kind.TIMEOUT,
    # the sockets' own
    (0, "1008"): Kind.AUTH,
    (0, "4001"): Kind.AUTH,
    (0, "4002"): Kind.QUOTA,
    (0, "4003"): Kind.QUOTA,
    (0, "4029"): Kind.RATE,
    (0, "4102"): Kind.CONCURRENCY,
}
_PHRASES = ((400, "account balance", Kind.QUOTA),)
_JOBS = frozenset(("transcript", "transcript.poll"))
_REFUSALS = {
    Kind.RATE: (429, "rate_limited"),
    Kind.CONCURRENCY: (429, "at_capacity"),
    Kind.QUOTA: (402, "insufficient_funds"),
    Kind.AUTH: (401, "unauthorized"),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (415, ""),
    Kind.REFUSED: (400, "content_policy_violation"),
    Kind.OVERLOADED: (503, "capacity_exceeded"),
    Kind.SERVER: (500, "internal_error"),
    Kind.TIMEOUT: (504, "inference_timeout"),
    Kind.NETWORK: (502, ""),
}

_model = fields.query_value("speech_model")
_voice = fields.query_value("voice_id")


def _read_job(asked: Asked) -> Transcription:
    named = members.of(asked.json)
    models = members.texts(named, "speech_models") or members.texts(named, "speech_model")
    return Transcription(
        audio_url=members.text(named, "audio_url"),
        model=models[0] if models else None,
        language=members.text(named, "language_code"),
        prompt=members.text(named, "prompt"),
        parameters=members.rest(named, _JOB_FIELDS),
    )


def _read_transcription(asked: Asked) -> Transcription:
    """The ``config`` part is JSON; a header names the model. Headerless audio has its rate in the config."""
    form = fields.of_form(asked, "audio")
    config = members.of((form.fields.take("config") or "{}").encode())
    languages = members.texts(config, "language_codes")
    known = _SYNC_FIELDS if len(languages) < 2 else _SYNC_FIELDS - {"language_codes"}
    return Transcription(
        audio=form.audio,
        media_type=form.media_type,
        filename=form.filename,
        format=form.format,
        sample_rate=members.integer(config, "sample_rate"),
        model=members.text(config, "model") or asked.headers.get("x-aai-model"),
        language=languages[0] if len(languages) == 1 else None,
        prompt=members.text(config, "prompt"),
        timestamps=("word",) if members.flag(config, "timestamps") else (),
        parameters=members.rest(config, known) + form.fields.rest(),
    )


class _SpeechRequest(Struct):
    text: str | None = None
    model_id: str | None = None
    voice_id: str | None = None
    language: str | None = None
    encoding: str | None = None
    container: str | None = None
    sample_rate: int | None = None
    bit_rate: int | None = None
    stream: bool | None = None


_speech = msgspec.json.Decoder(_SpeechRequest).decode


def _read_speech(asked: Asked) -> Speech:
    request = _speech(asked.json)
    headerless = request.container in (None, "raw")
    return Speech(
        text=request.text or "",
        model=request.model_id,
        voice=request.voice_id,
        language=request.language,
        format=formats.of_encoding(request.encoding if headerless else request.container),
        sample_rate=request.sample_rate,
        bit_rate=request.bit_rate,
        stream=bool(request.stream),
        parameters=members.rest(members.of(asked.json), _SpeechRequest.__struct_fields__),
    )


class _Document(Struct):
    """A job's state, a transcript, or an error: ``error_code``, or a title, or no more than a sentence."""

    id: str | None = None
    session_id: str | None = None
    status: str | int | None = None
    speech_model: str | None = None
    audio_duration: float | None = None
    audio_duration_ms: float | None = None
    error: str | None = None
    error_code: str | None = None
    title: str | None = None


_document = msgspec.json.Decoder(_Document).decode


class AssemblyAI(Family):
    name: ClassVar[str] = "assemblyai"
    system: ClassVar[str] = "assemblyai"
    credential_format: ClassVar[str] = "{}"
    heeds_should_retry: ClassVar[bool] = True
    rules: ClassVar[Rules] = Rules(phrases=_PHRASES, kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "transcript": _read_job,
        "transcribe": _read_transcription,
        "transcribe.live": _read_transcription,
        "speech": _read_speech,
        "chat.completions": read_chat,
    }
    answer_members: ClassVar[tuple[str, ...]] = ("usage", "audio_duration", "audio_duration_ms")

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        known = _CALLS.get((method, path))
        if known is None:
            if method != "GET" or _POLL.fullmatch(path) is None:
                return None
            return Call(operation=Operation.PASSTHROUGH, endpoint="transcript.poll", route="/v2/transcript/{id}")
        operation, endpoint = known
        if endpoint not in _SOCKETS:
            return Call(operation=operation, endpoint=endpoint, route=path)
        model, voice = _model(query), _voice(query)
        return Call(operation=operation, endpoint=endpoint, route=path, model=model, voice=voice, socket=True)

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        if call.endpoint == "chat.completions":
            return read_document(document)
        said = _document(document)
        seconds = said.audio_duration if said.audio_duration_ms is None else said.audio_duration_ms / 1000
        return Answer(
            id=said.id or said.session_id,
            model=said.speech_model,
            usage=None if seconds is None else Usage(audio_seconds=seconds),
            error_type=said.error_code or said.title or ("error" if said.error or said.status == "error" else None),
        )

    def failure_said(self, call: Call, document: bytes | Raw) -> Failure | None:
        """A job that ended badly most often had nothing that could be transcribed, and says no more than a sentence."""
        failure = super().failure_said(call, document)
        if failure is None or call.endpoint not in _JOBS or "server error" in failure.message.lower():
            return failure
        return replace(failure, kind=Kind.INVALID)

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        """The job API's clients look for ``error``, those of the newer hosts for the other two."""
        return phrase(status, self._envelope(kind, message))

    def phrase_wait(self, status: int, kind: str, message: str, retry_after_seconds: float) -> Phrase:
        return phrase(status, self._envelope(kind, message) | {"retry_after_seconds": retry_after_seconds})

    def _envelope(self, kind: str, message: str) -> dict[str, object]:
        return {"error": message, "error_code": kind, "message": message}


DIALECT = AssemblyAI()
