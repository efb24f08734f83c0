"""Calls to write down speech, as agents of every dialect make them, and what providers answer, for tests."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sidecar import dialects, multipart
from sidecar.body import Body, StreamedBody
from sidecar.exchange import Exchange, Request, Response
from sidecar.headers import Headers
from sidecar.multipart import Part
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.translation import Target
from sidecar.translation.transcription import recording

TEXT = "We are open. Come in!"
DIALECTS = (
    *("openai", "azure_openai", "groq", "mistral", "deepgram", "elevenlabs", "google_cloud", "yandex"),
    *("cartesia", "azure_speech", "assemblyai"),
)
MODELS = {
    "openai": "whisper-1",
    "azure_openai": "whisper",
    "groq": "whisper-large-v3",
    "mistral": "voxtral-mini-latest",
    "deepgram": "nova-3",
    "elevenlabs": "scribe_v2",
    "google_cloud": "latest_short",
    "yandex": "general",
    "cartesia": "ink-whisper",
    "azure_speech": None,
    "assemblyai": "universal-3-5-pro",
}
RECOGNIZER = "projects/shop-1/locations/eu/recognizers/_"
BOUNDARY = "b0und"
SECRETS = {"authorization": "Bearer sk-agents-own", "api-key": "sk-agents-own", "cookie": "sk-agents-own"}


def wav(rate: int = 16000, seconds: float = 1.0, codec: str = "pcm", channels: int = 1) -> bytes:
    """Silence."""
    silence = bytes(int(rate * seconds) * recording.SAMPLE_BYTES[codec] * channels)
    return recording.wav_header(codec, rate, channels, len(silence)) + silence


WAV = wav()


def target(name: str, *may_lose: str, **fields: Any) -> Target:
    """*name* with a model of its own, unless *fields* say otherwise."""
    return Target(dialect=dialects.load(name), may_lose=frozenset(may_lose), **({"model": MODELS[name]} | fields))


class Call(NamedTuple):
    """What an agent sends."""

    dialect: str
    target: str
    body: bytes
    headers: Mapping[str, str] = {}

    def exchange(self) -> Exchange:
        """As `translate` is given it."""
        spoken = dialects.load(self.dialect)
        fields = {"host": "agent", "user-agent": "agent/1", **SECRETS, **self.headers}
        headers = Headers((name.encode(), value.encode("latin-1")) for name, value in fields.items())
        request = Request(method="POST", target=self.target, headers=headers).with_body(Body(self.body))
        provider = Provider(name=self.dialect, origin=Origin("https", "provider.example", 443), dialect=spoken)
        return Exchange(
            id="0" * 31 + "1",
            request=request,
            provider=provider,
            candidates=(provider,),
            notes=Notes(time.monotonic()),
            call=spoken.recognise("POST", request.path, request.query),
        )


Field = tuple[str, str]


def form(
    dialect: str, path: str, *fields: Field, audio: bytes | None = WAV, part: str = "file", filename: str = "a.wav"
) -> Call:
    """A form with *audio* in *part*, last."""
    parts = [Part.of(name, value) for name, value in fields]
    if audio is not None:
        parts.append(Part.of(part, audio, filename, "application/octet-stream"))
    body = multipart.write(parts, BOUNDARY)
    return Call(dialect, path, body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})


def openai(*fields: Field, dialect: str = "openai", path: str = "", **options: Any) -> Call:
    base = {"openai": "/v1", "groq": "/openai/v1", "azure_openai": "/openai/deployments/whisper"}[dialect]
    asked = fields if any(name == "model" for name, _ in fields) else (("model", MODELS[dialect] or ""), *fields)
    return form(dialect, path or f"{base}/audio/transcriptions", *asked, **options)


def mistral(*fields: Field, **options: Any) -> Call:
    return form("mistral", "/v1/audio/transcriptions", ("model", "voxtral-mini-latest"), *fields, **options)


def elevenlabs(*fields: Field, query: str = "", **options: Any) -> Call:
    return form("elevenlabs", f"/v1/speech-to-text{query}", ("model_id", "scribe_v1"), *fields, **options)


def cartesia(*fields: Field, query: str = "", **options: Any) -> Call:
    made = form("cartesia", f"/stt{query}", ("model", "ink-whisper"), *fields, **options)
    return made._replace(headers={**made.headers, "cartesia-version": "2026-08-14"})


def assemblyai(audio: bytes = WAV, **config: Any) -> Call:
    parts = [
        Part.of("config", json.dumps(config), content_type="application/json"),
        Part.of("audio", audio, "a.wav", "audio/wav"),
    ]
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    headers = {"content-type": kind, "x-aai-model": "universal-3-5-pro"}
    return Call("assemblyai", "/v1/transcribe/live", multipart.write(parts, BOUNDARY), headers)


def deepgram(*fields: Field, audio: bytes = WAV, media_type: str = "audio/wav") -> Call:
    return Call("deepgram", f"/v1/listen?{urlencode(fields)}", audio, {"content-type": media_type})


def yandex(*fields: Field, audio: bytes | None = None) -> Call:
    samples = WAV[44:] if audio is None else audio
    asked = fields or (("lang", "en-US"), ("format", "lpcm"), ("sampleRateHertz", "16000"))
    return Call("yandex", f"/speech/v1/stt:recognize?{urlencode(asked)}", samples)


def azure(*fields: Field, audio: bytes = WAV, media_type: str = "audio/wav; codecs=audio/pcm", **headers: str) -> Call:
    path = "/speech/recognition/conversation/cognitiveservices/v1"
    query = urlencode((("language", "en-US"), *fields))
    return Call("azure_speech", f"{path}?{query}", audio, {"content-type": media_type, **headers})


def google(audio: bytes = WAV, query: str = "", **config: Any) -> Call:
    content = {"content": base64.b64encode(audio).decode()}
    body = {"config": {"languageCode": "en-US", "model": "latest_short"} | config, "audio": content}
    return Call("google_cloud", f"/v1/speech:recognize{query}", json.dumps(body).encode(), _JSON)


def google_v2(audio: bytes = WAV, recognizer: str = RECOGNIZER, **config: Any) -> Call:
    wanted = {"autoDecodingConfig": {}, "languageCodes": ["en-US"], "model": "chirp_2"} | config
    body = {"config": wanted, "content": base64.b64encode(audio).decode()}
    headers = {**_JSON, "x-goog-request-params": f"recognizer={recognizer}"}
    return Call("google_cloud", f"/v2/{recognizer}:recognize", json.dumps(body).encode(), headers)


_JSON = {"content-type": "application/json"}


def plain(audio: bytes = WAV) -> dict[str, Call]:
    """Of every wire, the plainest call in English.

    Args:
        audio: a WAV file of 16 kHz.
    """
    return {
        "openai": openai(("language", "en"), audio=audio),
        "azure_openai": openai(("language", "en"), dialect="azure_openai", audio=audio),
        "groq": openai(("language", "en"), dialect="groq", audio=audio),
        "mistral": mistral(("language", "en"), audio=audio),
        "deepgram": deepgram(("model", "nova-3"), ("language", "en"), audio=audio),
        "elevenlabs": elevenlabs(("language_code", "en"), audio=audio),
        "google_cloud": google(audio),
        "google_cloud.v2": google_v2(audio),
        "yandex": yandex(audio=audio[44:]),
        "cartesia": cartesia(("language", "en"), audio=audio),
        "azure_speech": azure(audio=audio),
        "assemblyai": assemblyai(audio, language_codes=["en"]),
    }


def text_of(wire: str, answer: Mapping[str, Any]) -> str:
    """The transcript in an answer as agents of *wire* read it."""
    match wire:
        case "deepgram":
            return str(answer["results"]["channels"][0]["alternatives"][0]["transcript"])
        case "google_cloud" | "google_cloud.v2":
            return " ".join(one["alternatives"][0]["transcript"] for one in answer.get("results", []))
        case "yandex":
            return str(answer["result"])
        case "azure_speech":
            return str(answer.get("DisplayText", ""))
    return str(answer["text"])


def fields_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form, by name; its file is told by its name, type and length."""
    assert request.body.data is not None
    found: dict[str, list[str]] = {}
    for part in multipart.parse(request.headers.get("content-type") or "", request.body.data).parts:
        said = part.text if part.filename is None else f"{part.filename} {part.content_type} {len(part.data)}"
        found.setdefault(part.name, []).append(said)
    return found


def answer(body: bytes | str | object, content_type: str = "application/json", **headers: str) -> Response:
    """An answer of a provider that is all there."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    fields = {"content-type": content_type, **headers}
    return Response(status=200, headers=Headers((k.encode(), v.encode()) for k, v in fields.items()), body=Body(body))


def streamed(*chunks: bytes, content_type: str = "text/event-stream", **headers: str) -> Response:
    """An answer of a provider that is still on its way."""

    async def flowing() -> Any:
        for chunk in chunks:
            yield chunk

    made = answer(b"", content_type, **headers)
    return made.with_body(StreamedBody(flowing()))
