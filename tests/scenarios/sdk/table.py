"""Which SDK makes which calls through which doors, and what is known of each call afterwards."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.scenarios.sdk.material import GREETING, KEY, SPOKEN

DIRECT, BASE_URL, PORT, CONNECT = "direct", "base_url", "port", "connect"
EVERY = (BASE_URL, PORT, CONNECT)
BY_URL = (BASE_URL, PORT)
DESK = "billing"
BEARER = ("authorization", f"Bearer {KEY}")

Facts = Mapping[str, object]
"""Of `sidecar.journal.CallTold`, by field."""


class SdkCall(NamedTuple):
    """A call of an SDK: which function of `agents` makes it, to which provider, and which doors it can take.

    ``tls``: the SDK insists on TLS, so without the sidecar it is sent to the lab's TLS port.
    """

    sdk: str
    name: str
    provider: str
    answer: str
    calls: tuple[Facts, ...]
    """One for each request, in the order in which they end."""
    credential: tuple[str, str] = BEARER
    doors: tuple[str, ...] = EVERY
    tls: bool = False


class Cell(NamedTuple):
    call: SdkCall
    door: str

    def __str__(self) -> str:
        return f"{self.call.sdk}-{self.call.name}-{self.door}"


def chat(endpoint: str = "chat.completions", **facts: object) -> Facts:
    return {"operation": "chat", "endpoint": endpoint, **facts}


def tts(endpoint: str, **facts: object) -> Facts:
    return {"operation": "tts", "endpoint": endpoint, **facts}


def stt(endpoint: str, **facts: object) -> Facts:
    return {"operation": "stt", "endpoint": endpoint, **facts}


def socket(operation: str, endpoint: str, **facts: object) -> Facts:
    return {"operation": operation, "endpoint": endpoint, "method": "GET", "status": 101, "close_code": 1000, **facts}


def over(sdk: str, provider: str, credential: tuple[str, str] = BEARER) -> Callable[..., SdkCall]:
    """Makes lines of the table for one SDK."""

    def line(name: str, answer: str, *calls: Facts, to: str = provider, **options: Any) -> SdkCall:
        return SdkCall(sdk, name, to, answer, calls, **{"credential": credential} | options)

    return line


MINI = {"model": "gpt-4.1-mini"}
VOICE = {"model": "gpt-4o-mini-tts", "voice": "alloy"}
AZURE: dict[str, Any] = {"to": "azure-openai", "credential": ("api-key", KEY)}

_openai = over("openai", "openai")
OPENAI = [
    _openai("chat", GREETING, chat(**MINI)),
    _openai("chat_stream", GREETING, chat(**MINI, stream=True)),
    _openai("chat_async", GREETING, chat(**MINI)),
    _openai("chat_async_stream", GREETING, chat(**MINI, stream=True)),
    _openai("chat_schema", DESK, chat(**MINI)),
    _openai("responses", GREETING, chat("responses", model="gpt-5.2")),
    _openai("responses_stream", GREETING, chat("responses", model="gpt-5.2", stream=True)),
    _openai("responses_socket", GREETING, socket("chat", "responses.socket")),
    _openai("decisions", DESK, chat("decisions", model="gpt-6-luna")),
    _openai("speech", SPOKEN, tts("audio.speech", **VOICE)),
    _openai("speech_stream", SPOKEN, tts("audio.speech", **VOICE, format="pcm")),
    _openai("transcription", SPOKEN, stt("audio.transcriptions", model="whisper-1", language="en", format="wav")),
    _openai("transcription_stream", SPOKEN, stt("audio.transcriptions", model="gpt-4o-transcribe", stream=True)),
    _openai("realtime", GREETING, socket("realtime", "realtime", model="gpt-realtime")),
    _openai("realtime_async", GREETING, socket("realtime", "realtime", model="gpt-realtime")),
    _openai("realtime_transcription", SPOKEN, socket("stt", "realtime.transcription")),
    _openai("models", "models", {"operation": "passthrough", "endpoint": "", "method": "GET"}),
    _openai("azure_chat", GREETING, chat(model="prod-mini"), **AZURE),
    _openai("azure_chat_async_stream", GREETING, chat(model="prod-mini", stream=True), **AZURE),
    _openai("azure_transcription", SPOKEN, stt("audio.transcriptions", model="whisper"), **AZURE),
    _openai("azure_speech", SPOKEN, tts("audio.speech", model="tts", voice="alloy", format="wav"), **AZURE),
    _openai(
        "azure_realtime",
        GREETING,
        socket("realtime", "realtime", model="prod-realtime"),
        **AZURE,
        doors=(CONNECT,),
        tls=True,
    ),
]

LANGCHAIN = [
    (_langchain := over("langchain", "openai"))("invoke", GREETING, chat(**MINI)),
    _langchain("stream", GREETING, chat(**MINI, stream=True)),
    _langchain("structured_schema", DESK, chat(**MINI)),
    _langchain("structured_tool", DESK, chat(**MINI)),
]

SONNET = {"model": "claude-sonnet-5"}
ANTHROPIC = [
    (_anthropic := over("anthropic", "anthropic"))("messages", GREETING, chat("messages", **SONNET)),
    _anthropic("messages_stream", GREETING, chat("messages", **SONNET, stream=True)),
    _anthropic("messages_async_stream", GREETING, chat("messages", **SONNET, stream=True)),
    _anthropic("messages_schema", DESK, chat("messages", **SONNET)),
    _anthropic("count_tokens", "counted", {"operation": "passthrough"}),
]

AURA = {"model": "aura-2-thalia-en", "voice": "aura-2-thalia-en"}
DEEPGRAM = [
    (_deepgram := over("deepgram", "deepgram", ("authorization", f"Token {KEY}")))(
        "listen", SPOKEN, stt("listen", model="nova-3", language="en")
    ),
    _deepgram("listen_async", SPOKEN, stt("listen", model="nova-3")),
    _deepgram("speak", SPOKEN, tts("speak", **AURA, format="pcm")),
    _deepgram("listen_live", SPOKEN, socket("stt", "listen.socket", model="nova-3")),
    _deepgram("listen_live_async", SPOKEN, socket("stt", "listen.socket", model="nova-3"), doors=BY_URL),
    _deepgram("listen_turns", SPOKEN, socket("stt", "listen.v2.socket", model="flux-general-en")),
    _deepgram("speak_live", SPOKEN, socket("tts", "speak.socket", **AURA)),
]

ANNA = {"voice": "JBFqnCBsd6RMkjVDRZzb"}
FLASH = {"model": "eleven_flash_v2_5", **ANNA}
ELEVENLABS = [
    (_elevenlabs := over("elevenlabs", "elevenlabs", ("xi-api-key", KEY)))(
        "convert", SPOKEN, tts("text-to-speech", model="eleven_multilingual_v2", **ANNA, format="mp3")
    ),
    _elevenlabs("stream", SPOKEN, tts("text-to-speech.stream", **FLASH, language="en", format="pcm", stream=True)),
    _elevenlabs("stream_async", SPOKEN, tts("text-to-speech.stream", **FLASH, format="pcm", stream=True)),
    _elevenlabs("with_timestamps", SPOKEN, tts("text-to-speech.with-timestamps", **ANNA, format="pcm")),
    _elevenlabs("transcribe", SPOKEN, stt("speech-to-text", model="scribe_v2", language="en", format="wav")),
    _elevenlabs(
        "convert_realtime", SPOKEN, socket("tts", "text-to-speech.stream-input", **FLASH), doors=(CONNECT,), tls=True
    ),
    _elevenlabs("transcribe_realtime", SPOKEN, socket("stt", "speech-to-text.realtime", model="scribe_v2_realtime")),
]

#: They take a host, not a path, so no prefix.
HOST_ONLY: dict[str, Any] = {"doors": EVERY}
GOOGLE = [
    (_google := over("google_cloud", "google-speech"))(
        "recognize", SPOKEN, stt("speech.recognize", model="latest_short", language="en-US"), **HOST_ONLY
    ),
    _google("recognize_v2", SPOKEN, stt("speech.v2.recognize", model="chirp_3", language="en-US"), **HOST_ONLY),
    _google(
        "synthesize",
        SPOKEN,
        tts("text.synthesize", voice="en-US-Wavenet-A", language="en-US", format="opus"),
        to="google-tts",
        **HOST_ONLY,
    ),
]

GEMINI_3 = {"model": "gemini-3-flash"}
GEMINI = [
    (_gemini := over("gemini", "gemini", ("x-goog-api-key", KEY)))(
        "generate", GREETING, chat("generateContent", **GEMINI_3)
    ),
    _gemini("generate_async", GREETING, chat("generateContent", **GEMINI_3)),
    _gemini("generate_stream", GREETING, chat("streamGenerateContent", **GEMINI_3, stream=True)),
    _gemini("generate_async_stream", GREETING, chat("streamGenerateContent", **GEMINI_3, stream=True)),
    _gemini("generate_schema", DESK, chat("generateContent", **GEMINI_3)),
    _gemini("speak", SPOKEN, chat("generateContent", model="gemini-3-flash-tts")),
    _gemini("live", GREETING, socket("realtime", "live"), doors=(CONNECT,), tls=True),
]

GROQ = [
    (_groq := over("groq", "groq"))("chat", GREETING, chat(model="llama-4-scout")),
    _groq("chat_async_stream", GREETING, chat(model="llama-4-scout", stream=True)),
    _groq("speech", SPOKEN, tts("audio.speech", model="playai-tts", voice="Fritz-PlayAI", format="wav")),
    _groq("transcription", SPOKEN, stt("audio.transcriptions", model="whisper-large-v3-turbo", language="en")),
]

SMALL = {"model": "mistral-small-latest"}
MISTRAL = [
    (_mistral := over("mistral", "mistral"))("chat", GREETING, chat(**SMALL)),
    _mistral("chat_stream", GREETING, chat(**SMALL, stream=True)),
    _mistral("chat_async_stream", GREETING, chat(**SMALL, stream=True)),
    _mistral("transcription", SPOKEN, stt("audio.transcriptions", model="voxtral-mini-latest", language="en")),
    _mistral("speech", SPOKEN, tts("audio.speech", model="voxtral-tts", voice="anna", format="wav")),
]

SONIC = {"model": "sonic-3.5", "voice": "6ccbfb76"}
CARTESIA = [
    (_cartesia := over("cartesia", "cartesia"))(
        "tts_bytes", SPOKEN, tts("tts.bytes", **SONIC, language="en", format="wav")
    ),
    _cartesia("tts_bytes_async", SPOKEN, tts("tts.bytes", **SONIC, format="wav")),
    _cartesia("tts_sse", SPOKEN, tts("tts.sse", **SONIC, format="pcm_f32le", stream=True)),
    _cartesia("tts_socket", SPOKEN, socket("tts", "tts.socket")),
    _cartesia("stt", SPOKEN, stt("stt", model="ink-whisper", language="en")),
    _cartesia("stt_socket", SPOKEN, socket("stt", "stt.socket", model="ink-whisper")),
]

POLL = {"operation": "passthrough", "method": "GET", "endpoint": "transcript.poll"}
ASSEMBLYAI = [
    (_assemblyai := over("assemblyai", "assemblyai", ("authorization", KEY)))(
        "transcript",
        SPOKEN,
        {"operation": "passthrough", "endpoint": "upload"},
        stt("transcript", model="universal-3-pro", language="en"),
        POLL,
    ),
    _assemblyai("sync", SPOKEN, stt("transcribe.live", model="universal-3-5-pro", language="en"), to="assemblyai-sync"),
    _assemblyai("speech", SPOKEN, tts("speech", voice="aai-alba", format="wav"), to="assemblyai-tts"),
    _assemblyai(
        "streaming",
        SPOKEN,
        socket("stt", "streaming", model="universal-streaming-english"),
        to="assemblyai-streaming",
    ),
]

YANDEX: dict[str, Any] = {"credential": ("authorization", f"Api-Key {KEY}"), "doors": BY_URL}
PLAIN = [
    (_plain := over("plain", "openai"))("requests_chat", GREETING, chat(**MINI)),
    _plain("httpx_chat", GREETING, chat(**MINI)),
    _plain("aiohttp_chat", GREETING, chat(**MINI)),
    _plain("websockets_responses", GREETING, socket("chat", "responses.socket")),
    _plain(
        "yandex_recognize", SPOKEN, stt("stt.recognize", model="general", language="en-US"), to="yandex-stt", **YANDEX
    ),
    _plain(
        "yandex_synthesize",
        SPOKEN,
        tts("tts.synthesize", voice="john", language="en-US", format="mp3"),
        to="yandex-tts",
        **YANDEX,
    ),
]

SDK_CALLS = [
    *OPENAI,
    *LANGCHAIN,
    *ANTHROPIC,
    *DEEPGRAM,
    *ELEVENLABS,
    *GOOGLE,
    *GEMINI,
    *GROQ,
    *MISTRAL,
    *CARTESIA,
    *ASSEMBLYAI,
    *PLAIN,
]


def cells() -> Iterator[Cell]:
    """Every call by every door that it can take; by a port of the provider's own the first request and the first
    socket of each SDK, for to an SDK a port is one URL more.
    """
    shown: set[tuple[str, bool]] = set()
    for call in SDK_CALLS:
        kind = (call.sdk, "close_code" in call.calls[0])
        for door in call.doors:
            if door != PORT or kind not in shown:
                yield Cell(call, door)
            if door == PORT:
                shown.add(kind)
