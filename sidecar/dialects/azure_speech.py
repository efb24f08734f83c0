"""Azure Speech over HTTP: short audio, fast transcription, SSML to speech. Its SDK's own sockets are known as such."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import fields, formats, members
from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Asked, Family, Reader, phrase
from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Speech, Transcription, Usage

# Under a resource's own host name the paths stand below /stt and /tts.
_EXACT = {
    ("POST", "/cognitiveservices/v1"): (Operation.TTS, "synthesize"),
    ("POST", "/tts/cognitiveservices/v1"): (Operation.TTS, "synthesize"),
    ("GET", "/cognitiveservices/websocket/v1"): (Operation.TTS, "synthesize.socket"),
    ("GET", "/cognitiveservices/websocket/v2"): (Operation.TTS, "synthesize.socket"),
    ("GET", "/tts/cognitiveservices/websocket/v1"): (Operation.TTS, "synthesize.socket"),
    ("GET", "/tts/cognitiveservices/websocket/v2"): (Operation.TTS, "synthesize.socket"),
    ("GET", "/speech/universal/v2"): (Operation.STT, "recognize.socket"),
    ("GET", "/stt/speech/universal/v2"): (Operation.STT, "recognize.socket"),
    ("POST", "/speechtotext/transcriptions:transcribe"): (Operation.STT, "transcribe"),
}
_RECOGNITION = re.compile(r"(/stt)?/speech/recognition/(conversation|dictation|interactive)/cognitiveservices/v1")
_RECOGNIZING = {"POST": "recognize", "GET": "recognize.socket"}
_WITH_STATUS = frozenset(_RECOGNIZING.values())

_VOICE = re.compile(r"""<voice\b[^>]*?\bname\s*=\s*["']([^"']+)""")
_LANGUAGE = re.compile(r"""\bxml:lang\s*=\s*["']([^"']+)""")
_OUTPUT_RATE = re.compile(r"-([\d.]+)khz|-(\d+)hz", re.IGNORECASE)
_OUTPUT_BIT_RATE = re.compile(r"-(\d+)kbitrate|-(\d+)kbps", re.IGNORECASE)
_CODECS = ("mp3", "opus", "mulaw", "alaw", "pcm", "truesilk")
_CONTENT_RATE = re.compile(r"samplerate=(\d+)", re.IGNORECASE)
_TICKS_PER_SECOND = 10_000_000

_KINDS = {(502, ""): Kind.OVERLOADED, (None, "insufficientquota"): Kind.QUOTA}
# Of the free tier, for the rest of the month.
_PHRASES = ((403, "out of call volume quota", Kind.QUOTA), (429, "out of call volume quota", Kind.QUOTA))
_REFUSALS = {
    Kind.RATE: (429, "429"),
    Kind.CONCURRENCY: (429, "429"),
    Kind.QUOTA: (403, "InsufficientQuota"),
    Kind.AUTH: (401, "401"),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (415, ""),
    Kind.REFUSED: (400, "content_filter"),
    Kind.OVERLOADED: (503, "503"),
    Kind.SERVER: (500, "500"),
    Kind.TIMEOUT: (504, "504"),
    Kind.NETWORK: (502, ""),
}

_model = fields.query_value("cid")
_voice_model = fields.query_value("deploymentId")


def _read_recognize(asked: Asked) -> Transcription:
    named = fields.of_query(asked.query)
    media_type = asked.headers.get("content-type") or ""
    rate = _CONTENT_RATE.search(media_type)
    return Transcription(
        audio=asked.body if asked.complete else None,
        media_type=media_type or None,
        format=formats.of_media_type(media_type),
        sample_rate=int(rate[1]) if rate else None,
        model=named.take("cid"),
        language=named.take("language"),
        response_format=named.take("format"),
        timestamps=("word",) if fields.flag(named.take("wordLevelTimestamps")) else (),
        parameters=named.rest(),
    )


def _read_transcribe(asked: Asked) -> Transcription:
    """The ``definition`` part is JSON."""
    form = fields.of_form(asked, "audio")
    definition = members.of((form.fields.take("definition") or "{}").encode())
    locales = members.texts(definition, "locales")
    known = ("audioUrl", "locales") if len(locales) < 2 else ("audioUrl",)
    return Transcription(
        audio=form.audio,
        audio_url=members.text(definition, "audioUrl"),
        media_type=form.media_type,
        filename=form.filename,
        format=form.format,
        language=locales[0] if len(locales) == 1 else None,
        parameters=members.rest(definition, known) + form.fields.rest(),
    )


def _read_synthesize(asked: Asked) -> Speech:
    """The body is SSML; a header picks the format, like ``riff-24khz-16bit-mono-pcm``."""
    text, named = asked.body.decode("utf-8", "replace"), fields.of_query(asked.query)
    voice, language = _VOICE.search(text), _LANGUAGE.search(text)
    output = (asked.headers.get("x-microsoft-outputformat") or "").lower()
    codec = next((codec for codec in _CODECS if output.endswith(codec)), None)
    rate, bit_rate = _OUTPUT_RATE.search(output), _OUTPUT_BIT_RATE.search(output)
    return Speech(
        text=text if asked.complete else "",
        ssml=True,
        model=named.take("deploymentId"),
        voice=voice[1] if voice else None,
        language=language[1] if language else None,
        format="wav" if output.startswith("riff-") else codec,
        sample_rate=_hertz(rate) if rate else None,
        bit_rate=int(bit_rate[1] or bit_rate[2]) * 1000 if bit_rate else None,
        parameters=(("output_format", output), *named.rest()),
    )


def _hertz(rate: re.Match[str]) -> int:
    return int(float(rate[1]) * 1000) if rate[1] else int(rate[2])


class _Error(Struct):
    code: str | int | None = None


class _Document(Struct):
    RecognitionStatus: str | None = None
    Duration: int | str | None = None
    durationMilliseconds: float | None = None
    error: _Error | str | None = None
    code: str | int | None = None


_document = msgspec.json.Decoder(_Document).decode


@lru_cache(maxsize=256)
def _recognition(path: str) -> str | None:
    """The route of a path that recognises speech in one of its modes."""
    found = _RECOGNITION.fullmatch(path)
    return None if found is None else f"{found[1] or ''}/speech/recognition/{{mode}}/cognitiveservices/v1"


class AzureSpeech(Family):
    name: ClassVar[str] = "azure_speech"
    system: ClassVar[str] = "azure.speech"
    credential_header: ClassVar[str] = "ocp-apim-subscription-key"
    credential_format: ClassVar[str] = "{}"
    rules: ClassVar[Rules] = Rules(phrases=_PHRASES, kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {
        "recognize": _read_recognize,
        "transcribe": _read_transcribe,
        "synthesize": _read_synthesize,
    }

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        known = _EXACT.get((method, path))
        if known is not None:
            (operation, endpoint), route = known, path
        elif method in _RECOGNIZING and (mode := _recognition(path)) is not None:
            operation, endpoint, route = Operation.STT, _RECOGNIZING[method], mode
        else:
            return None
        model = _model(query) if operation is Operation.STT else _voice_model(query)
        return Call(operation=operation, endpoint=endpoint, route=route, model=model, socket=method == "GET")

    def answer_of_headers(self, call: Call, headers: Headers) -> Answer:
        return Answer(id=headers.get("x-requestid"))

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        """A recording in which nothing could be understood is answered with 200 and any status but Success."""
        said = _document(document)
        seconds = None if said.durationMilliseconds is None else said.durationMilliseconds / 1000
        if said.Duration is not None:
            seconds = int(said.Duration) / _TICKS_PER_SECOND
        failed = said.error.code or "error" if isinstance(said.error, _Error) else said.error and "error"
        status = None if said.RecognitionStatus == "Success" else said.RecognitionStatus
        return Answer(
            usage=None if seconds is None else Usage(audio_seconds=seconds),
            error_type=str(failed) if failed else status,
        )

    def failure_said(self, call: Call, document: bytes | Raw) -> Failure | None:
        """Of all statuses but Success, Error alone is one: the others say that there was nothing to be understood."""
        if call.endpoint in _WITH_STATUS and _document(document).RecognitionStatus == "Error":
            return Failure(kind=Kind.SERVER, code="Error")
        return super().failure_said(call, document)

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase(status, {"error": {"code": kind, "message": message}})


DIALECT = AzureSpeech()
