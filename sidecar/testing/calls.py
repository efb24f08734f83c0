"""Calls of every dialect and kind, what providers answer to them, and what may go wrong with either.

What no plugin may tell on is in all of them, in words that can be looked for: `CREDENTIAL`, `SAID` and `ANSWERED`.
"""

import gzip
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from sidecar.dialects import load, names
from sidecar.errors import ConnectFailed, UpstreamBroken, UpstreamTimeout
from sidecar.exchange import Attempt, Exchange
from sidecar.testing.making import answer, call, socket_answer, streamed
from sidecar.testing.provider import Said

#: The agent's credential.
CREDENTIAL: Final = "sk-nobody-may-see-this"
#: What the agent says to the provider.
SAID: Final = "nobody may hear what I ask"
#: What the provider says to the agent.
ANSWERED: Final = "nobody may hear what I am told"

_AUDIO: Final = SAID.encode() * 40
_SPOKEN: Final = ANSWERED.encode() * 40
_MESSAGES: Final = [{"role": "user", "content": SAID}]
_USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
_CHOICE: Final = {"index": 0, "message": {"role": "assistant", "content": ANSWERED}, "finish_reason": "stop"}
_COMPLETION: Final = {"id": "c-1", "object": "chat.completion", "model": "m", "choices": [_CHOICE], "usage": _USAGE}
_FORM: Final = (
    b'--bound\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--bound\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    + _AUDIO
    + b"\r\n--bound--\r\n"
)


class Example(Struct, frozen=True, kw_only=True):
    """A call, made anew each time since bodies are read once, and an answer to it."""

    name: str
    dialect: str
    target: str
    asked: Any = b""
    """Bytes, a list of bytes (an upload that streams), or anything else as JSON."""
    length: int | None = None
    """What an upload that streams says it has; None for chunks."""
    content_type: str = ""
    method: str | None = None
    socket: bool = False
    told: Any = b""
    """As for `sidecar.testing.answer`; or an error instead of an answer."""
    status: int = 200
    answer_type: str = ""
    coding: str = ""
    """Of the answer's content."""

    def exchange(self) -> Exchange:
        dialect = load(self.dialect)
        headers = {dialect.credential_header: dialect.credential_format.format(CREDENTIAL)}
        if self.content_type:
            headers["Content-Type"] = self.content_type
        body = streamed(self.asked, length=self.length) if isinstance(self.asked, list) else self.asked
        return call(self.dialect, self.target, body, method=self.method, headers=headers, socket=self.socket)

    def reply(self, attempt: Attempt) -> Said:
        if isinstance(self.told, Exception):
            return self.told
        if self.socket:
            return socket_answer()
        told = streamed(self.told[0], self.told[1]) if isinstance(self.told, tuple) else self.told
        headers = {"content_type": self.answer_type, "content_encoding": self.coding}
        return answer(told, self.status, **{name: value for name, value in headers.items() if value})


def events(*datas: Any) -> list[bytes]:
    """Server-sent events, a chunk each."""
    return [b"data: %b\n\n" % (each if isinstance(each, bytes) else msgspec.json.encode(each)) for each in datas]


_DELTAS: Final = events(
    *({"id": "c-1", "choices": [{"index": 0, "delta": {"content": word}}]} for word in (ANSWERED, " ", "!")),
    {"id": "c-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": _USAGE},
    b"[DONE]",
)


def stream_of_words() -> Example:
    """A model that answers word by word."""
    return Example(
        name="a streamed chat",
        dialect="openai",
        target="/v1/chat/completions",
        asked={"model": "gpt-4o", "messages": _MESSAGES, "stream": True},
        told=_DELTAS,
        answer_type="text/event-stream",
    )


def stream_of_audio() -> Example:
    """A voice that is heard while it speaks."""
    return Example(
        name="a streamed speech",
        dialect="openai",
        target="/v1/audio/speech",
        asked={"model": "tts-1", "voice": "alloy", "input": SAID, "response_format": "pcm"},
        told=[_SPOKEN, _SPOKEN, _SPOKEN],
        answer_type="audio/pcm",
    )


def every_dialect() -> Iterator[Example]:
    """What the providers of each dialect are asked for, and what they answer when all is well."""
    chat = {"model": "m", "messages": _MESSAGES}
    for dialect, target in (
        ("openai", "/v1/chat/completions"),
        ("azure_openai", "/openai/deployments/mini/chat/completions?api-version=2025-03-01"),
        ("groq", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
    ):
        yield _of("chat", dialect, target, chat, _COMPLETION)
    yield _of("responses", "openai", "/v1/responses", {"model": "m", "input": SAID}, {"output_text": ANSWERED})
    message = {"id": "m-1", "content": [{"type": "text", "text": ANSWERED}], "stop_reason": "end_turn"}
    yield _of("messages", "anthropic", "/v1/messages", {**chat, "max_tokens": 64}, message)
    parts = {"contents": [{"role": "user", "parts": [{"text": SAID}]}]}
    candidate = {"candidates": [{"content": {"parts": [{"text": ANSWERED}]}, "finishReason": "STOP"}]}
    gemini = "/v1beta/models/gemini-2.5-flash"
    yield _of("chat", "gemini", f"{gemini}:generateContent?key={CREDENTIAL}", parts, candidate)
    told_in_two = events(candidate, candidate)
    sse = f"{gemini}:streamGenerateContent?alt=sse"
    yield _of("streamed chat", "gemini", sse, parts, told_in_two, answer_type="text/event-stream")
    yield stream_of_words()
    yield stream_of_audio()
    for dialect, target, asked in (
        ("elevenlabs", "/v1/text-to-speech/Rachel/stream", {"text": SAID, "model_id": "eleven_flash_v2_5"}),
        ("cartesia", "/tts/bytes", {"model_id": "sonic-3", "transcript": SAID, "voice": {"mode": "id", "id": "v"}}),
        ("deepgram", "/v1/speak?model=aura-2-thalia-en", {"text": SAID}),
    ):
        yield _of("speech", dialect, target, asked, [_SPOKEN, _SPOKEN], answer_type="audio/mpeg")
    ssml = f"<speak version='1.0' xml:lang='en-US'><voice name='en-US-AvaNeural'>{SAID}</voice></speak>".encode()
    told = {"audioContent": ANSWERED}
    spoken = {"input": {"text": SAID}, "voice": {"languageCode": "en-US"}, "audioConfig": {"audioEncoding": "MP3"}}
    yield _of("speech", "google_cloud", "/v1/text:synthesize", spoken, told)
    yield _of("speech", "azure_speech", "/cognitiveservices/v1", ssml, _SPOKEN, "application/ssml+xml", "audio/mpeg")
    form = f"text={SAID.replace(' ', '+')}&lang=en-US&voice=john".encode()
    media = "application/x-www-form-urlencoded"
    yield _of("speech", "yandex", "/speech/v1/tts:synthesize", form, _SPOKEN, media, "audio/ogg")
    heard = {"results": [{"alternatives": [{"transcript": ANSWERED}]}], "text": ANSWERED}
    yield _of("form", "openai", "/v1/audio/transcriptions", _FORM, heard, "multipart/form-data; boundary=bound")
    azure = "/speech/recognition/conversation/cognitiveservices/v1?language=en-US"
    for dialect, target in (
        ("deepgram", "/v1/listen?model=nova-3"),
        ("azure_speech", azure),
        ("yandex", "/speech/v1/stt:recognize?lang=en-US"),
    ):
        yield _of("transcription", dialect, target, _AUDIO, heard, "audio/wav")
    recording = {"config": {"languageCode": "en-US"}, "audio": {"content": "T2dnUw=="}}
    yield _of("transcription", "google_cloud", "/v1/speech:recognize", recording, heard)
    yield _of("transcription", "assemblyai", "/v2/transcript", {"audio_url": "https://a.example/b.wav"}, {"id": "t-1"})
    for dialect, target in (
        ("openai", "/v1/realtime?model=gpt-realtime"),
        ("deepgram", "/v1/listen?model=nova-3"),
        ("elevenlabs", "/v1/text-to-speech/Rachel/stream-input?model_id=m"),
    ):
        yield Example(name=f"a socket to {dialect}", dialect=dialect, target=target, socket=True)
    for dialect in names():
        yield _of("unknown call", dialect, "/no/such/call?a=1", {"text": SAID}, {"text": ANSWERED})


def odd_requests() -> Iterator[Example]:
    """What agents send that is unlike what the documentation shows."""
    chat, forms = "/v1/chat/completions", "multipart/form-data; boundary=bound"
    for name, body in (
        ("an empty body", b""),
        ("a body that is no JSON", b'{"model": "gpt-4o", "messages": [' + SAID.encode()),
        ("a body that is no text", b"\xff\xfe\x00\x01"),
        ("JSON of another shape", [SAID]),
        ("JSON of wrong types", {"model": 7, "messages": SAID, "stream": "yes"}),
        ("JSON with much in it", {"model": "m", "messages": _MESSAGES * 1000, "metadata": {"of": [None, 1e9, ""]}}),
    ):
        asked = msgspec.json.encode(body) if isinstance(body, list) else body
        yield _of(name, "openai", chat, asked, _COMPLETION, "application/json")
    halves = [_FORM[:500], _FORM[500:]]
    for name, length in (("an upload in chunks", None), ("an upload with a length", len(_FORM))):
        yield Example(
            name=name,
            dialect="openai",
            target="/v1/audio/transcriptions",
            asked=halves,
            length=length,
            content_type=forms,
            told={"text": ANSWERED},
        )
    yield Example(name="a call without a body", dialect="openai", target="/v1/models", method="GET", told={"data": []})
    yield Example(name="a call for headers", dialect="openai", target="/v1/models", method="HEAD", told=b"unseen")


def odd_answers() -> Iterator[Example]:
    """What providers answer when not all is well."""
    error = {"error": {"message": ANSWERED, "type": "t", "code": "c"}}
    for status in (400, 401, 404, 429, 500, 503, 529):
        yield _chat(f"a refusal with {status}", error, status)
    yield _chat("no content", b"", 204)
    yield _chat("a page of HTML", f"<html>{ANSWERED}</html>".encode(), 502, "text/html")
    yield _chat("an empty answer", b"")
    yield _chat("an answer of a type unheard of", ANSWERED.encode(), 200, "x/unheard-of")
    yield _chat("an answer that is no JSON", ANSWERED.encode(), 200, "application/json")
    yield _chat("a compressed answer", gzip.compress(msgspec.json.encode(_COMPLETION), mtime=0), coding="gzip")
    yield _chat("an answer that is not compressed as it says", ANSWERED.encode(), coding="br")
    yield _chat("events that make no sense", [b"data: {", b"\n\ndata", b": 1\n\n\n", b"\xff"], 200, "text/event-stream")
    yield _chat("a stream without any chunk", [], 200, "text/event-stream")
    yield _chat("a stream cut in small pieces", [b"%c" % byte for byte in b"".join(_DELTAS)], 200, "text/event-stream")
    gone = UpstreamBroken("the connection ended", begun=True)
    yield _chat("a stream that breaks off", (_DELTAS[:2], gone), 200, "text/event-stream")
    yield _chat("nobody there", ConnectFailed("nobody is there"))
    yield _chat("nobody who answers in time", UpstreamTimeout("first_byte", 1.0))
    yield _chat("a connection that ends before the answer", UpstreamBroken("the connection ended"))


def everything() -> Iterator[Example]:
    yield from every_dialect()
    yield from odd_requests()
    yield from odd_answers()


def _of(
    what: str, dialect: str, target: str, asked: Any, told: Any, content_type: str = "", answer_type: str = ""
) -> Example:
    return Example(
        name=f"{what} ({dialect})",
        dialect=dialect,
        target=target,
        asked=asked,
        told=told,
        content_type=content_type,
        answer_type=answer_type,
    )


def _chat(name: str, told: Any, status: int = 200, answer_type: str = "", *, coding: str = "") -> Example:
    return Example(
        name=name,
        dialect="openai",
        target="/v1/chat/completions",
        asked={"model": "gpt-4o", "messages": _MESSAGES},
        told=told,
        status=status,
        answer_type=answer_type or ("application/json" if coding else ""),
        coding=coding,
    )
