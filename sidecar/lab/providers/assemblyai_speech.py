"""AssemblyAI's speech: one call, or a socket that takes text bit by bit."""

import asyncio
import base64
import time
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.engines.contract import Voice
from sidecar.lab.reply import HeaderList, Refusal, Reply, Trouble, Upgrade, Work, stream_reply
from sidecar.lab.sockets import Socket, cancelled, message_of
from sidecar.lab.speech import audio_file, audio_stream, paced, speech

_CODECS = {
    "pcm_s16le": "pcm_s16le",
    "pcm_mulaw": "mulaw",
    "mulaw": "mulaw",
    "pcm_alaw": "alaw",
    "alaw": "alaw",
    "mp3": "mp3",
}
_NAMES = {"pcm_s16le": "pcm_s16le", "mulaw": "pcm_mulaw", "alaw": "pcm_alaw", "mp3": "mp3"}
_MAX_CHARACTERS = 2000
_SESSION_SECONDS = 3600


def _audio_of(settings: Json) -> AudioFormat:
    codec = _CODECS.get(str(settings.get("encoding") or "pcm_s16le"))
    if codec is None:
        raise Refusal(Trouble.INVALID, "encoding is not supported", param="encoding")
    rate = int(settings.get("sample_rate") or 24000)
    if codec == "mp3":
        return formats.mp3(rate, int(settings.get("bit_rate") or 64_000))
    return formats.wav(rate, codec) if settings.get("container") == "wav" else formats.raw(codec, rate)


def _voice_of(settings: Json) -> Voice:
    name, model = settings.get("voice_id") or "aai-jane", settings.get("model_id") or "assemblyai-tts-1"
    return Voice(str(name), str(model), 1.0, str(settings.get("language") or ""))


def _headers(text: str, settings: Json, audio: AudioFormat) -> HeaderList:
    voice = _voice_of(settings)
    return [
        ("X-TTS-Region", "lab"),
        ("X-TTS-Model", voice.model),
        ("X-TTS-Voice-Id", voice.name),
        ("X-TTS-Language", voice.style or "english"),
        ("X-TTS-Encoding", _NAMES[audio.codec]),
        ("X-TTS-Sample-Rate", str(audio.rate)),
        ("X-TTS-Billed-Characters", str(len(text))),
        *([] if audio.codec == "mp3" else [("X-TTS-Container", audio.container)]),
    ]


async def speak(call: Call) -> Reply:
    body = call.json()
    text, voice, audio = text_field(body, "text"), _voice_of(body), _audio_of(body)
    headers = _headers(text, body, audio)
    kind = f"audio/pcm;rate={audio.rate};channels=1" if audio.container == "raw" else audio.content_type
    work = Work(Operation.TTS, len(text))
    if body.get("stream"):
        return stream_reply(audio_stream(call, text, voice, audio), kind, headers=headers, work=work)
    data, seconds = await audio_file(call, text, voice, audio)
    headers.append(("X-TTS-Audio-Duration-Ms", str(round(seconds * 1000))))
    return Reply(headers=[("Content-Type", kind), *headers], body=data, work=work)


async def speak_socket(call: Call) -> Upgrade:
    settings: Json = dict(call.query_items)
    audio = _audio_of(settings)
    return Upgrade(run=lambda one: _Session(call, one, settings, audio).run())


class _Session:
    def __init__(self, call: Call, socket: Socket, settings: Json, audio: AudioFormat) -> None:
        self._call = call
        self._socket = socket
        self._voice = _voice_of(settings)
        self._audio = audio
        self._text = ""
        self._characters = 0
        self._flushed = 0
        self._spoken_seconds = 0.0
        self._worker: asyncio.Task[None] | None = None

    async def run(self) -> None:
        expires = time.time_ns() // 1_000_000_000 + _SESSION_SECONDS
        configuration = {"model": self._voice.model, "voice_id": self._voice.name}
        await self._tell("Begin", id=self._call.ids.uuid(), expires_at=expires, configuration=configuration)
        try:
            async for data in self._socket:
                if not await self._take(message_of(data if isinstance(data, str) else "")):
                    return
        finally:
            await cancelled(self._worker)

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self._socket.send({"type": kind, **fields})

    async def _take(self, message: Json) -> bool:
        """Whether the talk goes on."""
        kind = message.get("type")
        if kind == "Generate":
            text = str(message.get("text") or "")
            if len(text) > _MAX_CHARACTERS:
                await self._tell("Error", error="text is too long", error_code=3006, error_type="invalid_parameter")
                await self._socket.close(3006, "text is too long")
                return False
            self._text += text
        elif kind == "Flush":
            await self._settle()
            self._worker = asyncio.create_task(self._say())
        elif kind == "Cancel":
            await cancelled(self._worker)
            self._worker, self._text = None, ""
            await self._tell("Cancelled", audio_duration_seconds=round(self._spoken_seconds, 3))
        elif kind == "Terminate":
            await self._settle()
            await self._tell(
                "Termination",
                session_duration_seconds=round(self._call.elapsed_seconds()),
                total_input_char_length=self._characters,
                audio_duration_seconds=round(self._spoken_seconds, 3),
            )
            return False
        return True

    async def _settle(self) -> None:
        if self._worker is not None:
            await self._worker

    async def _say(self) -> None:
        text, self._text = self._text, ""
        number, self._flushed = self._flushed, self._flushed + 1
        self._characters += len(text)
        played_seconds = 0.0
        if text.strip():
            await self._call.take_time(Operation.TTS, len(text))
            async with aclosing(paced(self._call, speech(self._call, text, self._voice, self._audio))) as chunks:
                async for chunk, seconds in chunks:
                    played_seconds += seconds
                    await self._tell("Audio", flush_id=number, audio=base64.b64encode(chunk).decode())
        self._spoken_seconds += played_seconds
        await self._tell("FlushDone", flush_id=number, audio_duration_ms=round(played_seconds * 1000))
