"""Cartesia: speech as bytes, events or over a socket of many contexts, and transcriptions."""

import base64
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.emulation import Emulation, Route, bearer, get, post, socket
from sidecar.lab.engines.contract import Voice
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers import cartesia_sockets
from sidecar.lab.providers.cartesia_words import CODECS, raw_format, voice_of, word_times
from sidecar.lab.reply import (
    STATUS,
    Chunks,
    HeaderList,
    Refusal,
    Reply,
    Trouble,
    Work,
    event,
    event_reply,
    json_reply,
    stream_reply,
    text_reply,
)
from sidecar.lab.speech import audio_stream, paced, speech

_CODES = {
    Trouble.AUTH: ("unauthorized", "Unauthorized"),
    Trouble.NOT_FOUND: ("not_found", "Not Found"),
    Trouble.METHOD: ("method_not_allowed", "Method Not Allowed"),
    Trouble.INVALID: ("invalid_request", "Invalid request"),
    Trouble.TOO_LARGE: ("payload_too_large", "Payload too large"),
    Trouble.UNSUPPORTED: ("unsupported_media_type", "Unsupported media type"),
    Trouble.RATE: ("rate_limited", "Rate limited"),
    Trouble.CONCURRENCY: ("concurrency_limited", "Too many concurrent requests"),
    Trouble.QUOTA: ("quota_exceeded", "Credit limit reached"),
    Trouble.SERVER: ("internal_error", "Internal server error"),
    Trouble.OVERLOADED: ("service_unavailable", "Service unavailable"),
    Trouble.TIMEOUT: ("timeout", "Timeout"),
}
_STRUCTURED_SINCE = "2026-03-01"


class Cartesia(Emulation):
    name = "cartesia"
    hosts = ("api.cartesia.ai",)

    def routes(self) -> Sequence[Route]:
        return (
            post("/tts/bytes", self._speak),
            post("/tts/sse", self._speak_events),
            socket("/tts/websocket", cartesia_sockets.speak),
            post("/stt", self._transcribe),
            socket("/stt/websocket", cartesia_sockets.transcribe),
            socket("/stt/turns/websocket", cartesia_sockets.transcribe_turns),
            get("/voices", self._voices),
        )

    def credential(self, call: Call) -> str | None:
        return bearer(call) or call.headers.get("X-API-Key") or call.query("api_key")

    def check(self, call: Call) -> None:
        super().check(call)
        if not version_of(call):
            raise Refusal(Trouble.INVALID, "The Cartesia-Version header is required.", param="Cartesia-Version")

    def refuse(self, refusal: Refusal) -> Reply:
        """Structured; `_plainly` makes text of it for clients of an older version."""
        usual = 402 if refusal.trouble is Trouble.QUOTA else STATUS[refusal.trouble]
        code, title = _CODES[refusal.trouble]
        body = {
            "error_code": code,
            "title": title,
            "message": refusal.message,
            "status_code": refusal.status_or(usual),
            "request_id": self.bench.ids.uuid(),
            "doc_url": "https://docs.cartesia.ai/errors",
        }
        return json_reply(body, status=refusal.status_or(usual), headers=refusal.retry_headers)

    def refuse_call(self, call: Call, refusal: Refusal) -> Reply:
        if (version := version_of(call)) and version < _STRUCTURED_SINCE:
            structured = self.refuse(refusal)
            reply = text_reply(f"{_CODES[refusal.trouble][1]}: {refusal.message}", status=structured.status)
            reply.headers += refusal.retry_headers
            return reply
        return self.refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        return [("cartesia-file-id", call.ids.named("file_", 20)), ("x-request-id", call.ids.uuid())]

    async def _voices(self, call: Call) -> Reply:
        voice = {
            "id": "694f9389-aac1-45b6-b726-9d9369183238",
            "name": "Lab",
            "tagline": "",
            "description": "The lab's voice.",
            "language": "en",
            "locales": [],
            "access": "public",
            "visibility": "all",
            "is_owner": False,
            "created_at": "2026-01-01T00:00:00Z",
        }
        return json_reply({"data": [voice], "has_more": False, "next_page": None})

    async def _speak(self, call: Call) -> Reply:
        body = call.json()
        text, voice, audio = text_field(body, "transcript"), voice_of(body), _output_format(body)
        chunks = audio_stream(call, text, voice, audio)
        return stream_reply(chunks, audio.content_type, work=Work(Operation.TTS, len(text)))

    async def _speak_events(self, call: Call) -> Reply:
        body = call.json()
        text, audio = text_field(body, "transcript"), raw_format(body)
        return event_reply(_events(call, body, text, voice_of(body), audio), work=Work(Operation.TTS, len(text)))

    async def _transcribe(self, call: Call) -> Reply:
        form = call.multipart()
        part = form.part("file")
        if not form.text("model") or part is None:
            raise Refusal(Trouble.INVALID, "model and file are required.", param="file")
        codec = CODECS.get(form.text("encoding") or call.query("encoding"))
        rate = int(form.text("sample_rate") or call.query_number("sample_rate", 16000))
        raw = None if codec is None else RawAudio(codec, rate)
        language = form.text("language", "en")
        transcript = await transcript_of(call, part.data, raw, language=language)
        answer: Json = {
            "type": "transcript",
            "is_final": True,
            "request_id": call.ids.uuid(),
            "text": transcript.text,
            "duration": round(transcript.duration_seconds, 3),
            "language": language,
        }
        if "word" in form.texts("timestamp_granularities"):
            answer["words"] = [
                {"word": word.text, "start": word.start_seconds, "end": word.end_seconds} for word in transcript.words
            ]
        return json_reply(answer, work=Work(Operation.STT, transcript.duration_seconds))


def version_of(call: Call) -> str:
    return call.headers.get("Cartesia-Version", "") or call.query("cartesia_version")


def _output_format(body: Json) -> AudioFormat:
    wanted: Json = body.get("output_format") or {}
    if wanted.get("container") == "mp3":
        return formats.mp3(int(wanted.get("sample_rate") or 44100), int(wanted.get("bit_rate") or 128_000))
    audio = raw_format(body)
    return formats.wav(audio.rate, audio.codec) if wanted.get("container") == "wav" else audio


async def _events(call: Call, body: Json, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    context = {"context_id": body["context_id"]} if "context_id" in body else {}

    def made(kind: str, *, done: bool = False, **fields: Any) -> bytes:
        return event({"type": kind, "status_code": 206 if not done else 200, "done": done, **fields, **context}, kind)

    played_seconds = 0.0
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, seconds in chunks:
            played_seconds += seconds
            yield made("chunk", data=base64.b64encode(chunk).decode(), step_time=round(seconds * 1000, 3))
    if body.get("add_timestamps"):
        yield made("timestamps", word_timestamps=word_times(text, played_seconds))
    yield made("done", done=True)
