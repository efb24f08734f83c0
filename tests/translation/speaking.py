"""Calls to speak, as agents of every dialect make them, for tests."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sidecar import dialects
from sidecar.body import Body
from sidecar.exchange import Exchange, Request
from sidecar.headers import Headers
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.translation import Target

TEXT = "We are open."
VOICES = {
    "assemblyai": "aai-jane",
    "azure_openai": "alloy",
    "azure_speech": "en-US-JennyNeural",
    "cartesia": "694f9389-aac1-45b6-b726-9d9369183238",
    "deepgram": "aura-2-thalia-en",
    "elevenlabs": "JBFqnCBsd6RMkjVDRZzb",
    "google_cloud": "en-US-Wavenet-A",
    "groq": "autumn",
    "mistral": "en_paul_neutral",
    "openai": "alloy",
    "yandex": "john",
}
MODELS = {
    "azure_openai": "gpt-4o-mini-tts",
    "cartesia": "sonic-3",
    "elevenlabs": "eleven_flash_v2_5",
    "groq": "playai-tts",
    "mistral": "voxtral-mini-tts",
    "openai": "gpt-4o-mini-tts",
}
DIALECTS = tuple(VOICES)
JSON = {"Content-Type": "application/json"}


def target(name: str, *may_lose: str, **fields: Any) -> Target:
    """*name* with a voice and a model of its own, unless *fields* say otherwise."""
    chosen = {"voice": VOICES[name], "model": MODELS.get(name)} | fields
    return Target(dialect=dialects.load(name), may_lose=frozenset(may_lose), **chosen)


def exchange(dialect: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Exchange:
    """A call of an agent as `translate` is given it."""
    spoken = dialects.load(dialect)
    fields = Headers((name.encode(), value.encode()) for name, value in (JSON | dict(headers or {})).items())
    request = Request(method="POST", target=path, headers=fields).with_body(Body(body))
    provider = Provider(name=dialect, origin=Origin("https", "provider.example", 443), dialect=spoken)
    return Exchange(
        id="0" * 31 + "1",
        request=request,
        provider=provider,
        candidates=(provider,),
        notes=Notes(time.monotonic()),
        call=spoken.recognise("POST", request.path, request.query),
    )


class Asking(NamedTuple):
    """What an agent sends, and how the audio in its answer is to be understood.

    ``codec`` and ``rate``: of samples without a header; "" for a file that tells itself what it is. ``inside``: the
    member of JSON, or of events, in which the audio comes as base64.
    """

    dialect: str
    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = {}
    codec: str = ""
    rate: int = 0
    inside: str = ""

    def exchange(self) -> Exchange:
        return exchange(self.dialect, self.path, self.body, self.headers)

    def __str__(self) -> str:
        return f"{self.dialect}-{self.name}"


def openai(text: str = TEXT, **fields: Any) -> bytes:
    return json.dumps({"model": "gpt-4o-mini-tts", "input": text, "voice": "coral"} | fields).encode()


def azure(text: str = TEXT, language: str = "en-US") -> bytes:
    voice = f"<voice name='en-US-AvaNeural'>{text}</voice>"
    return f"<speak version='1.0' xml:lang='{language}'>{voice}</speak>".encode()


def google(text: str = TEXT, **config: Any) -> bytes:
    voice = {"languageCode": "en-US", "name": "en-US-Wavenet-F"}
    return json.dumps({"input": {"text": text}, "voice": voice, "audioConfig": config}).encode()


def cartesia(text: str = TEXT, **output: Any) -> bytes:
    asked = {"model_id": "sonic-3", "transcript": text, "voice": {"mode": "id", "id": "v"}, "output_format": output}
    return json.dumps(asked).encode()


def yandex(text: str = TEXT, **fields: Any) -> bytes:
    return urlencode({"text": text, "lang": "en-US", "voice": "john"} | fields).encode()


def eleven(text: str = TEXT, **fields: Any) -> bytes:
    return json.dumps({"text": text, "model_id": "eleven_flash_v2_5"} | fields).encode()


def assemblyai(text: str = TEXT, **fields: Any) -> bytes:
    return json.dumps({"text": text, "voice_id": "aai-alba"} | fields).encode()


def mistral(text: str = TEXT, **fields: Any) -> bytes:
    return json.dumps({"model": "voxtral-mini-tts", "input": text, "voice_id": "gb_jane_neutral"} | fields).encode()


_AZURE_FORMAT = "X-Microsoft-OutputFormat"
_SSML = {"Content-Type": "application/ssml+xml", "User-Agent": "shop"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CARTESIA = {"Cartesia-Version": "2026-03-01"}


def _openai_kind(dialect: str, path: str) -> Iterator[Asking]:
    yield Asking(dialect, "pcm", path, openai(response_format="pcm"), codec="pcm_s16le", rate=24000)
    for name in ("wav", "mp3", "opus", "aac", "flac"):
        yield Asking(dialect, name, path, openai(response_format=name))
    events = openai(response_format="wav", stream_format="sse")
    yield Asking(dialect, "events", path, events, inside="audio")


def askings() -> Iterator[Asking]:
    """Of every dialect, one for each kind of audio that is worth a test."""
    yield from _openai_kind("openai", "/v1/audio/speech")
    yield from _openai_kind("azure_openai", "/openai/deployments/tts/audio/speech?api-version=2025-03-01-preview")
    groq, path = "groq", "/openai/v1/audio/speech"
    for name in ("wav", "mp3", "flac", "ogg", "mulaw"):
        yield Asking(groq, name, path, openai(response_format=name, sample_rate=8000 if name == "mulaw" else 24000))
    path = "/v1/audio/speech"
    for name in ("wav", "mp3", "flac", "opus"):
        yield Asking("mistral", name, path, mistral(response_format=name), inside="audio_data")
    floats = mistral(response_format="pcm", stream=True)
    yield Asking("mistral", "events", path, floats, codec="pcm_f32le", rate=24000, inside="audio_data")
    path = "/cognitiveservices/v1"
    for name, codec, rate in (
        ("raw-24khz-16bit-mono-pcm", "pcm_s16le", 24000),
        ("raw-8khz-8bit-mono-mulaw", "mulaw", 8000),
        ("riff-16khz-16bit-mono-pcm", "", 0),
        ("ogg-48khz-16bit-mono-opus", "", 0),
        ("audio-24khz-96kbitrate-mono-mp3", "", 0),
    ):
        yield Asking("azure_speech", name, path, azure(), _SSML | {_AZURE_FORMAT: name}, codec, rate)
    for name, codec, rate in (
        ("pcm_16000", "pcm_s16le", 16000),
        ("ulaw_8000", "mulaw", 8000),
        ("wav_24000", "", 0),
        ("mp3_44100_128", "", 0),
        ("opus_48000_64", "", 0),
    ):
        path = f"/v1/text-to-speech/voice/stream?output_format={name}"
        yield Asking(
            "elevenlabs", name, path.replace("/stream", "") if "wav" in name else path, eleven(), {}, codec, rate
        )
    path = "/v1/text:synthesize"
    for name in ("LINEAR16", "MP3", "OGG_OPUS", "MULAW"):
        body = google(audioEncoding=name, sampleRateHertz=8000 if name == "MULAW" else 24000)
        yield Asking("google_cloud", name, path, body, inside="audioContent")
    body = google(audioEncoding="PCM", sampleRateHertz=16000)
    yield Asking("google_cloud", "PCM", path, body, {}, "pcm_s16le", 16000, "audioContent")
    path = "/speech/v1/tts:synthesize"
    yield Asking("yandex", "lpcm", path, yandex(format="lpcm", sampleRateHertz=16000), _FORM, "pcm_s16le", 16000)
    yield Asking("yandex", "oggopus", path, yandex(), _FORM)
    yield Asking("yandex", "mp3", path, yandex(format="mp3"), _FORM)
    for rate, encoding, codec in ((44100, "pcm_f32le", "pcm_f32le"), (24000, "pcm_s16le", "pcm_s16le")):
        body = cartesia(container="raw", encoding=encoding, sample_rate=rate)
        yield Asking("cartesia", f"sse-{encoding}", "/tts/sse", body, _CARTESIA, codec, rate, "data")
    body = cartesia(container="wav", encoding="pcm_s16le", sample_rate=16000)
    yield Asking("cartesia", "wav", "/tts/bytes", body, _CARTESIA)
    body = cartesia(container="mp3", sample_rate=44100, bit_rate=128000)
    yield Asking("cartesia", "mp3", "/tts/bytes", body, _CARTESIA)
    for name, query, codec, rate in (
        ("linear16", "encoding=linear16&container=none&sample_rate=16000", "pcm_s16le", 16000),
        ("wav", "encoding=linear16&sample_rate=24000", "", 0),
        ("mulaw", "encoding=mulaw&container=none&sample_rate=8000", "mulaw", 8000),
        ("mp3", "encoding=mp3", "", 0),
        ("opus", "encoding=opus", "", 0),
        ("flac", "encoding=flac&sample_rate=16000", "", 0),
    ):
        path = f"/v1/speak?model=aura-2-zeus-en&{query}"
        yield Asking("deepgram", name, path, json.dumps({"text": TEXT}).encode(), {}, codec, rate)
    path = "/v1/speech"
    yield Asking("assemblyai", "raw", path, assemblyai(stream=True), {}, "pcm_s16le", 24000)
    yield Asking("assemblyai", "wav", path, assemblyai(container="wav", sample_rate=16000))
    yield Asking("assemblyai", "mp3", path, assemblyai(encoding="mp3", sample_rate=44100, bit_rate=128000, stream=True))
