"""Answers of every dialect as the lab's emulated providers give them, each with the call that it answers."""

import io
import json
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
from msgspec import Struct
from sidecar_cache.entry import About, Entry

from sidecar import Exchange, Headers, Response
from sidecar.lab import Lab
from sidecar.lab.audio import wav
from sidecar.lab.audio.samples import resampled
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import EchoSynthesizer
from sidecar.testing import call

TEXT: Final = "Your table is booked for tomorrow at seven. Shall I send you a message about it?"
_DIALECTS: Final = {"azure": "azure_openai", "azure-speech": "azure_speech", "google-speech": "google_cloud"}
_CREDENTIALS: Final = {
    "anthropic": {"x-api-key": "k", "anthropic-version": "2023-06-01"},
    "assemblyai": {"Authorization": "k", "X-AAI-Model": "universal"},
    "azure": {"api-key": "k"},
    "azure-speech": {"Ocp-Apim-Subscription-Key": "k", "User-Agent": "test"},
    "cartesia": {"Cartesia-Version": "2026-08-14"},
    "deepgram": {"Authorization": "Token k"},
    "elevenlabs": {"xi-api-key": "k"},
    "gemini": {"x-goog-api-key": "k"},
    "yandex": {"Authorization": "Api-Key k"},
}
TOOL: Final = {
    "name": "book",
    "description": "Book a table.",
    "parameters": {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]},
}
_ASKED: Final = [{"role": "user", "content": "What are your opening hours on Saturday?"}]
_FORM_TYPE: Final = "multipart/form-data; boundary=lab-boundary"


class Asked(Struct, frozen=True):
    """A call to one of the lab's providers."""

    name: str
    provider: str
    target: str
    body: bytes
    content_type: str = "application/json"
    more: dict[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        credential = {"Authorization": "Bearer k", **_CREDENTIALS.get(self.provider, {})}
        return {**credential, "Content-Type": self.content_type, **self.more}

    def exchange(self) -> Exchange:
        dialect = _DIALECTS.get(self.provider, self.provider)
        return call(dialect, self.target, self.body, headers=self.headers)


class Given(Struct, frozen=True):
    """What was answered."""

    response: Response
    data: bytes
    cuts: list[int] = []

    @property
    def content_type(self) -> str:
        return self.response.headers.get("content-type") or ""


def _json(name: str, provider: str, target: str, **body: Any) -> Asked:
    return Asked(name, provider, target, json.dumps(body, ensure_ascii=False).encode())


def speeches() -> list[Asked]:
    """Of every family and in every format."""
    found = []
    for audio in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "response_format": audio}
        found.append(_json(f"openai {audio}", "openai", "/v1/audio/speech", **body))
        sse = _json(f"openai {audio} in events", "openai", "/v1/audio/speech", **body, stream_format="sse")
        found.append(sse)
    for audio in ("mp3", "ogg", "flac", "wav", "mulaw"):
        body = {"model": "playai-tts", "voice": "Fritz", "input": TEXT, "response_format": audio}
        found.append(_json(f"groq {audio}", "groq", "/openai/v1/audio/speech", **body))
    for audio in ("mp3", "pcm", "wav", "opus", "flac"):
        body = {"model": "voxtral-tts", "voice_id": "v", "input": TEXT, "response_format": audio}
        found.append(_json(f"mistral {audio}", "mistral", "/v1/audio/speech", **body))
        found.append(_json(f"mistral {audio} in events", "mistral", "/v1/audio/speech", **body, stream=True))
    for query in (
        *("encoding=mp3", "encoding=linear16&sample_rate=16000", "encoding=opus", "encoding=flac", "encoding=aac"),
        *("encoding=mulaw&sample_rate=8000&container=none", "encoding=alaw&sample_rate=8000&container=wav"),
    ):
        target = f"/v1/speak?model=aura-2-thalia-en&{query}"
        found.append(_json(f"deepgram {query}", "deepgram", target, text=TEXT))
    for audio in ("mp3_44100_128", "pcm_16000", "ulaw_8000", "alaw_8000", "wav_24000", "opus_48000_32"):
        for way in ("", "/stream", "/with-timestamps", "/stream/with-timestamps"):
            target = f"/v1/text-to-speech/Rachel{way}?output_format={audio}"
            found.append(_json(f"elevenlabs{way} {audio}", "elevenlabs", target, text=TEXT))
    cartesia = {"model_id": "sonic-3", "transcript": TEXT, "voice": {"mode": "id", "id": "v"}, "language": "en"}
    for container, encoding in (("raw", "pcm_f32le"), ("raw", "pcm_mulaw"), ("wav", "pcm_s16le"), ("mp3", "")):
        form = {"container": container, "encoding": encoding or "pcm_s16le", "sample_rate": 24000}
        found.append(
            _json(f"cartesia {container} {encoding}", "cartesia", "/tts/bytes", **cartesia, output_format=form)
        )
        if container == "raw":
            asked = {**cartesia, "output_format": form, "add_timestamps": True}
            found.append(_json(f"cartesia {encoding} in events", "cartesia", "/tts/sse", **asked))
    for audio in (
        *("riff-24khz-16bit-mono-pcm", "raw-16khz-16bit-mono-pcm", "audio-24khz-48kbitrate-mono-mp3"),
        *("ogg-24khz-16bit-mono-opus", "webm-24khz-16bit-mono-opus", "raw-8khz-8bit-mono-mulaw"),
    ):
        ssml = f"<speak version='1.0' xml:lang='en-US'><voice name='en-US-AvaNeural'>{TEXT}</voice></speak>".encode()
        output = {"X-Microsoft-OutputFormat": audio}
        found.append(
            Asked(f"azure {audio}", "azure-speech", "/cognitiveservices/v1", ssml, "application/ssml+xml", output)
        )
    for audio in ("MP3", "LINEAR16", "OGG_OPUS", "MULAW", "ALAW", "PCM"):
        body = {"input": {"text": TEXT}, "voice": {"languageCode": "en-US"}, "audioConfig": {"audioEncoding": audio}}
        found.append(_json(f"google {audio}", "google-speech", "/v1/text:synthesize", **body))
    for audio in ("lpcm", "oggopus", "mp3"):
        form = f"text={TEXT.replace(' ', '+')}&lang=en-US&voice=john&format={audio}".encode()
        kind = "application/x-www-form-urlencoded"
        found.append(Asked(f"yandex {audio}", "yandex", "/speech/v1/tts:synthesize", form, kind))
    for audio in ("WAV", "OGG_OPUS", "MP3"):
        spec = {"containerAudio": {"containerAudioType": audio}}
        body = {"text": TEXT, "hints": [{"voice": "john"}], "outputAudioSpec": spec}
        found.append(_json(f"yandex v3 {audio}", "yandex", "/tts/v3/utteranceSynthesis", **body))
    ways: list[dict[str, Any]] = [{}, {"container": "wav"}, {"encoding": "mp3"}, {"stream": True}]
    body = {"text": TEXT, "voice_id": "jane"}
    return [*found, *(_json(f"assemblyai {more}", "assemblyai", "/v1/speech", **body, **more) for more in ways)]


async def recording() -> bytes:
    """`TEXT` as WAV of 16 kHz."""
    pieces = [resampled(piece, 16000) async for piece in EchoSynthesizer().speak(TEXT, Voice(), 24000)]
    samples = b"".join(piece.samples for piece in pieces)
    return wav.header("pcm_s16le", 16000, len(samples)) + samples


def transcriptions(audio: bytes) -> list[Asked]:
    found = []
    for wanted in ("json", "text", "srt", "vtt", "verbose_json", "diarized_json"):
        form = _form(audio, model="gpt-4o-transcribe", response_format=wanted)
        found.append(Asked(f"openai {wanted}", "openai", "/v1/audio/transcriptions", form, _FORM_TYPE))
    streamed = {"model": "gpt-4o-transcribe", "stream": "true", "include[]": "logprobs"}
    found.append(Asked("openai in events", "openai", "/v1/audio/transcriptions", _form(audio, **streamed), _FORM_TYPE))
    found.append(
        Asked("groq", "groq", "/openai/v1/audio/transcriptions", _form(audio, model="whisper-large-v3"), _FORM_TYPE)
    )
    for stream in ("false", "true"):
        form = _form(audio, model="voxtral-mini", stream=stream)
        found.append(Asked(f"mistral stream={stream}", "mistral", "/v1/audio/transcriptions", form, _FORM_TYPE))
    found += [
        Asked("deepgram", "deepgram", "/v1/listen?model=nova-3&smart_format=true", audio, "audio/wav"),
        Asked("elevenlabs", "elevenlabs", "/v1/speech-to-text", _form(audio, model_id="scribe_v2"), _FORM_TYPE),
        Asked("cartesia", "cartesia", "/stt", _form(audio, model="ink-whisper"), _FORM_TYPE),
        Asked("assemblyai", "assemblyai", "/v1/transcribe", _form(audio, "audio", config="{}"), _FORM_TYPE),
        Asked("yandex", "yandex", "/speech/v1/stt:recognize?format=lpcm&sampleRateHertz=16000", audio[44:], "a/b"),
    ]
    conversation = "/speech/recognition/conversation/cognitiveservices/v1?language=en-US"
    for detail in ("simple", "detailed"):
        target = f"{conversation}&format={detail}"
        found.append(Asked(f"azure {detail}", "azure-speech", target, audio, "audio/wav"))
    fast = "/speechtotext/transcriptions:transcribe?api-version=2024-11-15"
    found.append(Asked("azure fast", "azure-speech", fast, _form(audio, "audio", definition="{}"), _FORM_TYPE))
    import base64

    content, config = base64.b64encode(audio).decode(), {"languageCode": "en-US"}
    google = {"config": config, "audio": {"content": content}}
    found.append(_json("google v1", "google-speech", "/v1/speech:recognize", **google))
    v2 = {"config": {"autoDecodingConfig": {}, "languageCodes": ["en-US"]}, "content": content}
    recognizer = "/v2/projects/p/locations/global/recognizers/_:recognize"
    found.append(_json("google v2", "google-speech", recognizer, **v2))
    return found


def _form(audio: bytes, part: str = "file", **fields: str) -> bytes:
    made = io.BytesIO()
    for name, value in fields.items():
        made.write(b'--lab-boundary\r\nContent-Disposition: form-data; name="%b"\r\n\r\n' % name.encode())
        made.write(value.encode() + b"\r\n")
    made.write(b'--lab-boundary\r\nContent-Disposition: form-data; name="%b"; filename="a.wav"\r\n' % part.encode())
    made.write(b"Content-Type: audio/wav\r\n\r\n" + audio + b"\r\n--lab-boundary--\r\n")
    return made.getvalue()


def chats(*, stream: bool, tools: bool = False, schema: dict[str, Any] | None = None) -> list[Asked]:
    """The same question to every family, as a stream or not; with a tool that must be called, or a schema."""
    openai: dict[str, Any] = {"model": "m", "messages": _ASKED, "stream": stream}
    messages: dict[str, Any] = {**openai, "max_tokens": 400}
    responses: dict[str, Any] = {
        "model": "m",
        "input": "What are your opening hours?",
        "stream": stream,
        "store": False,
    }
    gemini: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "What are your opening hours?"}]}]}
    if tools:
        openai |= {"tools": [{"type": "function", "function": TOOL}], "tool_choice": "required"}
        messages |= {"tools": [{"name": "book", "input_schema": TOOL["parameters"]}], "tool_choice": {"type": "any"}}
        responses |= {"tools": [{"type": "function", **TOOL}], "tool_choice": "required"}
        gemini |= {
            "tools": [{"functionDeclarations": [TOOL]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        }
    if schema is not None:
        openai["response_format"] = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        messages["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        responses["text"] = {"format": {"type": "json_schema", "name": "s", "schema": schema}}
        gemini["generationConfig"] = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    asked_usage: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    model = "/v1beta/models/gemini-lab"
    found = [
        _json("openai", "openai", "/v1/chat/completions", **openai, **asked_usage),
        _json("groq", "groq", "/openai/v1/chat/completions", **openai, **asked_usage),
        _json("mistral", "mistral", "/v1/chat/completions", **openai),
        _json("responses", "openai", "/v1/responses", **responses),
        _json("anthropic", "anthropic", "/v1/messages", **messages),
    ]
    if stream:
        found.append(_json("gemini", "gemini", f"{model}:streamGenerateContent?alt=sse", **gemini))
        found.append(_json("gemini list", "gemini", f"{model}:streamGenerateContent", **gemini))
    else:
        found.append(_json("gemini", "gemini", f"{model}:generateContent", **gemini))
    return found


async def ask(lab: Lab, asked: Asked, fault: str = "") -> Given:
    """
    Args:
        fault: what goes wrong with it, in the lab's words.
    """
    headers = {**asked.headers, **({"x-lab-fault": fault} if fault else {})}
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.post(lab.url(asked.provider) + asked.target, data=asked.body, headers=headers) as answer:
            pieces: list[bytes] = []
            cuts, size, chunk = [], 0, b""
            async for part, ends in answer.content.iter_chunks():
                chunk += part
                if ends:
                    pieces.append(chunk)
                    size, chunk = size + len(chunk), b""
                    cuts.append(size)
            pieces.append(chunk)
            data = b"".join(pieces)
            chunked = answer.headers.get("transfer-encoding") == "chunked"
            fields = Headers(
                (name, value) for name, value in answer.raw_headers if name.lower() != b"transfer-encoding"
            )
            return Given(Response(status=answer.status, headers=fields, chunked=chunked), data, cuts[:-1])


def kept(data: bytes, content_type: str, *, chunked: bool = True, **about: Any) -> Entry:
    """An entry of *data* with everything else defaulted."""
    fields: dict[str, Any] = {"provider": "p", "operation": "chat", "endpoint": "e", "dialect": "d", **about}
    return Entry(
        status=200,
        block=f"Content-Type: {content_type}\r\n".encode(),
        data=data,
        chunked=chunked,
        cuts=b"",
        gaps=b"",
        stored_ns=0,
        fresh_seconds=60.0,
        waited_seconds=0.1,
        took_seconds=1.0,
        about=About(**fields),
        parts=(),
    )


def names(asked: Sequence[Asked]) -> list[str]:
    return [each.name for each in asked]
