"""Yandex: SpeechKit over HTTP, versions 1 and 3, and the models it serves in OpenAI's manner."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.family import Asked, Family, Reader, phrase
from sidecar.dialects.fields import Fields
from sidecar.dialects.openai_answer import read_document
from sidecar.dialects.openai_family import READERS, Routes, routes
from sidecar.failure import Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Speech, Transcription

_SPEECH_KIT = {
    "/speech/v1/stt:recognize": (Operation.STT, "stt.recognize"),
    "/speech/v1/tts:synthesize": (Operation.TTS, "tts.synthesize"),
    "/tts/v3/utteranceSynthesis": (Operation.TTS, "tts.v3.utteranceSynthesis"),
    "/stt/v3/recognizeFileAsync": (Operation.STT, "stt.v3.recognizeFileAsync"),
}
_COMPATIBLE = routes(
    "/v1",
    {
        "chat/completions": (Operation.CHAT, "chat.completions"),
        "responses": (Operation.CHAT, "responses"),
        "embeddings": (Operation.PASSTHROUGH, "embeddings"),
    },
    {},
)
_COMPATIBLE_ENDPOINTS = frozenset(call.endpoint for call in _COMPATIBLE.values())

# A folder's limits in time, and all others, are told by one word.
_REFUSALS = {
    Kind.RATE: (429, "TOO_MANY_REQUESTS"),
    Kind.CONCURRENCY: (429, "TOO_MANY_REQUESTS"),
    Kind.QUOTA: (429, "QUOTA_EXCEEDED"),
    Kind.AUTH: (401, "UNAUTHORIZED"),
    Kind.INVALID: (400, "BAD_REQUEST"),
    Kind.UNSUPPORTED: (404, ""),
    Kind.REFUSED: (400, "CONTENT_FILTER"),
    Kind.OVERLOADED: (503, "SERVICE_UNAVAILABLE"),
    Kind.SERVER: (500, "INTERNAL_SERVER_ERROR"),
    Kind.TIMEOUT: (504, "GATEWAY_TIMEOUT"),
    Kind.NETWORK: (502, ""),
}

_FORM = frozenset(
    ("text", "ssml", "lang", "voice", "emotion", "role", "speed", "format", "sampleRateHertz", "folderId")
)
_CONTAINERS = {"WAV": "wav", "OGG_OPUS": "opus", "MP3": "mp3"}
_RATE = 48000


def _read_recognize(asked: Asked) -> Transcription:
    named = fields.of_query(asked.query)
    audio_format = formats.of_encoding(named.take("format")) or "opus"
    rate = fields.integer(named.take("sampleRateHertz"))
    language = named.take("lang")
    return Transcription(
        audio=asked.body if asked.complete else None,
        media_type=asked.headers.get("content-type"),
        format=audio_format,
        sample_rate=rate if rate is not None or audio_format != "pcm" else _RATE,
        model=named.take("topic"),
        language=None if language == "auto" else language or "ru-RU",
        parameters=named.rest(),
    )


def _read_synthesize(asked: Asked) -> Speech:
    named = _form(fields.whole_pairs(asked))
    ssml, text = named.take("ssml"), named.take("text")
    audio_format = formats.of_encoding(named.take("format")) or "opus"
    rate = fields.integer(named.take("sampleRateHertz"))
    return Speech(
        text=ssml or text or "",
        ssml=ssml is not None,
        model=named.take("model"),
        voice=named.take("voice"),
        language=named.take("lang") or "ru-RU",
        format=audio_format,
        sample_rate=rate if rate is not None or audio_format != "pcm" else _RATE,
        speed=fields.number(named.take("speed")),
        instructions=named.take("emotion") or named.take("role"),
        parameters=named.rest(),
    )


def _form(form: str) -> Fields:
    """The form's fields, encoded or not.

    Some clients send the text as it is, in raw UTF-8. There nothing is decoded (a plus marks a stressed vowel), and
    what follows an ampersand without being one of the fields belongs to the text.
    """
    if form.isascii() and " " not in form:
        return Fields(fields.decoded_pairs(form))
    pairs: list[tuple[str, str]] = []
    for item in form.split("&"):
        name, _, value = item.partition("=")
        if name in _FORM or not pairs:
            pairs.append((name, value))
        else:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]}&{item}")
    return Fields(pairs)


class _AudioType(Struct):
    containerAudioType: str | None = None
    audioEncoding: str | None = None
    sampleRateHertz: str | int | None = None


class _OutputAudio(Struct):
    rawAudio: _AudioType | None = None
    containerAudio: _AudioType | None = None


class _Utterance(Struct):
    """Each hint is an object with one member."""

    text: str | None = None
    model: str | None = None
    hints: list[dict[str, Raw]] | None = None
    outputAudioSpec: _OutputAudio | None = None


_utterance = msgspec.json.Decoder(_Utterance).decode


def _read_utterance(asked: Asked) -> Speech:
    request = _utterance(asked.json)
    hints = {name: value for hint in request.hints or () for name, value in hint.items()}
    output = request.outputAudioSpec or _OutputAudio()
    container, raw = output.containerAudio, output.rawAudio
    by_container = _CONTAINERS.get(container.containerAudioType or "") if container else None
    return Speech(
        text=request.text or "",
        model=request.model,
        voice=members.text(hints, "voice"),
        format=by_container or ("pcm" if raw else "wav"),
        sample_rate=fields.integer(str(raw.sampleRateHertz)) if raw else None,
        speed=members.number(hints, "speed"),
        instructions=members.text(hints, "role"),
        stream=True,
        parameters=members.rest(hints, ("voice", "speed", "role"))
        + members.rest(members.of(asked.json), ("text", "model", "hints", "outputAudioSpec")),
    )


def _read_file(asked: Asked) -> Transcription:
    request = members.camel(asked.json)
    model = members.inner(request, "recognitionModel")
    return Transcription(
        audio=members.audio(request, "content"),
        audio_url=members.text(request, "uri"),
        model=members.text(model, "model"),
        parameters=members.rest(model, ("model",)),
    )


class _Error(Struct):
    code: int | str | None = None
    grpcCode: int | None = None
    message: str | None = None


class _Document(Struct):
    """Version 1 says ``error_code``, version 3 an ``error`` with numbers; ``id`` is that of a job."""

    id: str | None = None
    error_code: str | None = None
    error: _Error | None = None


_document = msgspec.json.Decoder(_Document).decode


class Yandex(Family):
    name: ClassVar[str] = "yandex"
    system: ClassVar[str] = "yandex"
    credential_format: ClassVar[str] = "Api-Key {}"
    heeds_should_retry: ClassVar[bool] = True
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "stt.recognize": _read_recognize,
        "tts.synthesize": _read_synthesize,
        "tts.v3.utteranceSynthesis": _read_utterance,
        "stt.v3.recognizeFileAsync": _read_file,
        "chat.completions": READERS["chat.completions"],
        "responses": READERS["responses"],
    }
    exact: ClassVar[Routes] = {
        **_COMPATIBLE,
        **{
            ("POST", path): Call(operation=operation, endpoint=endpoint, route=path, stream="tts.v3" in endpoint)
            for path, (operation, endpoint) in _SPEECH_KIT.items()
        },
    }

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        return self.exact.get((method, path))

    def answer_of_headers(self, call: Call, headers: Headers) -> Answer:
        return Answer(id=None if call.endpoint in _COMPATIBLE_ENDPOINTS else headers.get("x-request-id"))

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        if call.endpoint in _COMPATIBLE_ENDPOINTS:
            return read_document(document)
        said = _document(document)
        code = (said.error.code or said.error.grpcCode or "error") if said.error else None
        return Answer(id=said.id, error_type=said.error_code or (str(code) if code else None))

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"error_code": kind.upper(), "error_message": message})


DIALECT = Yandex()
