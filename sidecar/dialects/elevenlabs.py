"""ElevenLabs: the voice stands in the path, the audio format in the query, and the cost in a header of the answer."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Asked, Family, Reader, phrase, problem_kind
from sidecar.failure import Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Speech, Transcription, Usage

_EXACT = {
    ("POST", "/v1/speech-to-text"): (Operation.STT, "speech-to-text"),
    ("POST", "/v1/text-to-dialogue"): (Operation.TTS, "text-to-dialogue"),
    ("POST", "/v1/text-to-dialogue/with-timestamps"): (Operation.TTS, "text-to-dialogue.with-timestamps"),
    ("POST", "/v1/text-to-dialogue/stream"): (Operation.TTS, "text-to-dialogue.stream"),
    ("POST", "/v1/text-to-dialogue/stream/with-timestamps"): (Operation.TTS, "text-to-dialogue.stream.with-timestamps"),
    ("GET", "/v1/text-to-dialogue/stream-input"): (Operation.TTS, "text-to-dialogue.stream-input"),
    ("GET", "/v1/text-to-dialogue/multi-stream-input"): (Operation.TTS, "text-to-dialogue.multi-stream-input"),
    ("GET", "/v1/speech-to-text/realtime"): (Operation.STT, "speech-to-text.realtime"),
    ("GET", "/v1/convai/conversation"): (Operation.REALTIME, "convai.conversation"),
}
_VOICED = re.compile(r"/v1/text-to-speech/([^/]+)(/.+)?")
_BELOW_VOICE = {
    ("POST", None): "text-to-speech",
    ("POST", "/with-timestamps"): "text-to-speech.with-timestamps",
    ("POST", "/stream"): "text-to-speech.stream",
    ("POST", "/stream/with-timestamps"): "text-to-speech.stream.with-timestamps",
    ("GET", "/stream-input"): "text-to-speech.stream-input",
    ("GET", "/multi-stream-input"): "text-to-speech.multi-stream-input",
}

# Of the 401s, some are about money and some about what a plan has.
_KINDS = {
    (None, "system_busy"): Kind.OVERLOADED,
    (None, "payment_issue"): Kind.QUOTA,
    (None, "max_character_limit_exceeded"): Kind.UNSUPPORTED,
    (None, "model_can_not_do_text_to_speech"): Kind.UNSUPPORTED,
    (None, "output_format_not_allowed"): Kind.UNSUPPORTED,
    (None, "paid_plan_required"): Kind.UNSUPPORTED,
    (None, "subscription_required"): Kind.UNSUPPORTED,
    (None, "text_too_long"): Kind.UNSUPPORTED,
    (None, "content_against_policy"): Kind.REFUSED,
    # what sockets for transcription say
    (0, "auth_error"): Kind.AUTH,
    (0, "unaccepted_terms"): Kind.AUTH,
    (0, "commit_throttled"): Kind.RATE,
    (0, "queue_overflow"): Kind.OVERLOADED,
    (0, "resource_exhausted"): Kind.OVERLOADED,
    (0, "session_time_limit_exceeded"): Kind.UNSUPPORTED,
    (0, "chunk_size_exceeded"): Kind.INVALID,
    (0, "input_error"): Kind.INVALID,
    (0, "insufficient_audio_activity"): Kind.INVALID,
}
_REFUSALS = {
    Kind.RATE: (429, "rate_limit_exceeded"),
    Kind.CONCURRENCY: (429, "too_many_concurrent_requests"),
    Kind.QUOTA: (401, "quota_exceeded"),
    Kind.AUTH: (401, "invalid_api_key"),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (404, ""),
    Kind.REFUSED: (400, "content_against_policy"),
    Kind.OVERLOADED: (429, "system_busy"),
    Kind.SERVER: (500, "internal_server_error"),
    Kind.TIMEOUT: (504, ""),
    Kind.NETWORK: (502, ""),
}

_DEFAULT_FORMAT = "mp3_44100_128"
_RAW_PCM = "pcm_s16le_16"

_model = fields.query_value("model_id")


class _VoiceSettings(Struct):
    speed: float | None = None


class _Line(Struct):
    text: str = ""
    voice_id: str = ""


class _SpeechRequest(Struct):
    text: str | None = None
    inputs: list[_Line] | None = None
    model_id: str | None = None
    language_code: str | None = None
    voice_settings: _VoiceSettings | None = None


# The settings of a voice are more than its speed, and so stay among the parameters.
_SPOKEN = frozenset(_SpeechRequest.__struct_fields__) - {"voice_settings"}

_speech = msgspec.json.Decoder(_SpeechRequest).decode


def _read_speech(asked: Asked) -> Speech:
    """Of a dialogue, the lines make the text, and each line's voice stands in ``voice``, joined by commas."""
    request = _speech(asked.json)
    lines, query = request.inputs or (), fields.of_query(asked.query)
    codec, rate, bit_rate = _format(query.take("output_format") or _DEFAULT_FORMAT)
    return Speech(
        text="\n".join([line.text for line in lines]) if lines else request.text or "",
        model=request.model_id,
        voice=",".join([line.voice_id for line in lines]) if lines else asked.call.voice,
        language=request.language_code,
        format=codec,
        sample_rate=rate,
        bit_rate=bit_rate,
        speed=request.voice_settings.speed if request.voice_settings else None,
        stream=asked.call.stream,
        parameters=query.rest() + members.rest(members.of(asked.json), _SPOKEN),
    )


def _format(name: str) -> tuple[str | None, int | None, int | None]:
    """``mp3_44100_128``: codec, Hz, and kbit/s, which become bit/s."""
    codec, _, rates = name.partition("_")
    rate, _, kilobits = rates.partition("_")
    bits = fields.integer(kilobits)
    return formats.of_encoding(codec), fields.integer(rate), None if bits is None else bits * 1000


def _read_transcription(asked: Asked) -> Transcription:
    """The SDK sends some fields that it was not given, as the word null: they are left out."""
    form = fields.of_form(asked, "file")
    named = form.fields
    is_raw = named.take("file_format") == _RAW_PCM
    granularity = named.take("timestamps_granularity")
    return Transcription(
        audio=form.audio,
        audio_url=named.take("cloud_storage_url", "source_url"),
        media_type=form.media_type,
        filename=form.filename,
        format="pcm" if is_raw else form.format,
        sample_rate=16000 if is_raw else None,
        model=named.take("model_id"),
        language=named.take("language_code"),
        timestamps=(granularity,) if granularity and granularity != "none" else (),
        parameters=tuple([(name, value) for name, value in named.rest() if value != "null"]),
    )


class _Document(Struct):
    transcription_id: str | None = None
    request_id: str | None = None
    detail: Raw = Raw()


_document = msgspec.json.Decoder(_Document).decode


@lru_cache(maxsize=256)
def _voiced(method: str, path: str) -> tuple[str, str, str] | None:
    """Endpoint, route and voice of a path with a voice in it."""
    found = _VOICED.fullmatch(path)
    if found is None or (endpoint := _BELOW_VOICE.get((method, found[2]))) is None:
        return None
    return endpoint, f"/v1/text-to-speech/{{voice_id}}{found[2] or ''}", fields.path_value(found[1])


class ElevenLabs(Family):
    name: ClassVar[str] = "elevenlabs"
    system: ClassVar[str] = "elevenlabs"
    credential_header: ClassVar[str] = "xi-api-key"
    credential_format: ClassVar[str] = "{}"
    rules: ClassVar[Rules] = Rules(kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "speech-to-text": _read_transcription,
        **{endpoint: _read_speech for (method, _), endpoint in _BELOW_VOICE.items() if method == "POST"},
        **{
            endpoint: _read_speech
            for (method, _), (operation, endpoint) in _EXACT.items()
            if operation is Operation.TTS and method == "POST"
        },
    }

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if (known := _EXACT.get((method, path))) is not None:
            (operation, endpoint), route, voice = known, path, None
        elif (voiced := _voiced(method, path)) is not None:
            operation, (endpoint, route, voice) = Operation.TTS, voiced
        else:
            return None
        posted = method == "POST"
        return Call(
            operation=operation,
            endpoint=endpoint,
            route=route,
            model=_model(query),
            voice=voice,
            socket=not posted,
            stream=posted and ".stream" in endpoint,
        )

    def answer_of_headers(self, call: Call, headers: Headers) -> Answer:
        characters = fields.integer(headers.get("character-cost"))
        usage = None if characters is None else Usage(characters=characters)
        return Answer(id=headers.get("request-id"), usage=usage)

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        said = _document(document)
        return Answer(
            id=said.transcription_id or said.request_id, error_type=problem_kind(said.detail) if said.detail else None
        )

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"detail": {"status": kind, "message": message}})


DIALECT = ElevenLabs()
