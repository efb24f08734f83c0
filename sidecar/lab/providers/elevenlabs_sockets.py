"""ElevenLabs' sockets: text streamed in for one voice or many contexts, and streaming transcription."""

import asyncio
import base64
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, from_base64
from sidecar.lab.engines.contract import Voice
from sidecar.lab.hearing import RawAudio
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.providers.elevenlabs_audio import Alignment, CharacterTime, output_format, voice_of
from sidecar.lab.reply import Refusal, Trouble, Upgrade
from sidecar.lab.sockets import Socket, cancelled, message_of
from sidecar.lab.speech import paced, speech

_ENDS = (".", "!", "?", "…", "\n")


async def stream_input(call: Call) -> Upgrade:
    return _upgrade(call, multi=False)


async def multi_stream_input(call: Call) -> Upgrade:
    return _upgrade(call, multi=True)


def _upgrade(call: Call, *, multi: bool) -> Upgrade:
    audio = output_format(call.query("output_format", "mp3_44100_128"))
    return Upgrade(run=lambda one: _Input(call, one, audio, multi=multi).run())


class _Context:
    """One stream of text, spoken in order."""

    def __init__(self, call: Call, socket: Socket, audio: AudioFormat, voice: Voice, name: str | None) -> None:
        self._call = call
        self._socket = socket
        self._audio = audio
        self._voice = voice
        self._where = {} if name is None else {"contextId": name}
        self._pending = ""
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.worker = asyncio.create_task(self._work())
        self.ended = False

    def add(self, text: str, *, now: bool, enough: int) -> None:
        """Take more text; it is spoken once it is *enough* and a sentence ends, or *now*."""
        self._pending += text
        ready = len(self._pending) >= enough and self._pending.rstrip().endswith(_ENDS)
        if self._pending.strip() and (now or ready):
            self._queue.put_nowait(self._pending)
            self._pending = ""

    def end(self) -> None:
        self.add("", now=True, enough=0)
        self._queue.put_nowait(None)
        self.ended = True

    async def _work(self) -> None:
        while (text := await self._queue.get()) is not None:
            await self._say(text)
        await self._socket.send({"isFinal": True, **self._where})

    async def _say(self, text: str) -> None:
        alignment, played_seconds = Alignment(text), 0.0
        await self._call.take_time(Operation.TTS, len(text))
        async with aclosing(paced(self._call, speech(self._call, text, self._voice, self._audio))) as chunks:
            async for chunk, seconds in chunks:
                await self._tell(chunk, _aligned(alignment.during(seconds), played_seconds))
                played_seconds += seconds
        if rest := alignment.rest():
            await self._tell(b"", _aligned(rest, played_seconds))

    async def _tell(self, data: bytes, times: Json | None) -> None:
        await self._socket.send(
            {
                "audio": base64.b64encode(data).decode(),
                "isFinal": None,
                "normalizedAlignment": times,
                "alignment": times,
                **self._where,
            }
        )


def _aligned(times: list[CharacterTime], from_seconds: float) -> Json | None:
    if not times:
        return None
    return {
        "chars": [one.character for one in times],
        "charStartTimesMs": [max(round((one.start_seconds - from_seconds) * 1000), 0) for one in times],
        "charDurationsMs": [round((one.end_seconds - one.start_seconds) * 1000) for one in times],
    }


class _Input:
    """A socket that takes text: for one context without a name, or for many."""

    def __init__(self, call: Call, socket: Socket, audio: AudioFormat, *, multi: bool) -> None:
        self._call = call
        self._socket = socket
        self._audio = audio
        self._multi = multi
        self._contexts: dict[str | None, _Context] = {}
        self._enough = 0 if call.query_flag("auto_mode") else 50
        self._authorised = bool(call.headers.get("xi-api-key") or call.query("token") or call.query("authorization"))

    async def run(self) -> None:
        try:
            async for data in self._socket:
                if not await self._take(message_of(data if isinstance(data, str) else "")):
                    break
            await asyncio.gather(*(context.worker for context in self._contexts.values() if context.ended))
        except Refusal as refusal:
            await self._socket.send({"message": refusal.message, "error": "invalid_request", "code": 1008})
            await self._socket.close(1008, refusal.message)
        finally:
            for context in self._contexts.values():
                await cancelled(context.worker)

    async def _take(self, message: Json) -> bool:
        """Whether the talk goes on."""
        self._authorised |= any(message.get(name) for name in ("xi_api_key", "xi-api-key", "authorization"))
        if not self._authorised:
            raise Refusal(Trouble.AUTH, "Neither authorization header nor xi-api-key received, please provide one.")
        if message.get("close_socket"):
            for context in self._contexts.values():
                context.end()
            return False
        name = str(message.get("context_id") or "default") if self._multi else None
        context = self._contexts.get(name) or self._open(name, message)
        if context.ended:
            context = self._open(name, message)
        schedule = (message.get("generation_config") or {}).get("chunk_length_schedule")
        if schedule:
            self._enough = int(schedule[0])
        return self._speak(context, message)

    def _open(self, name: str | None, message: Json) -> _Context:
        voice = voice_of(self._call, message, self._call.query("model_id", "eleven_flash_v2_5"))
        context = self._contexts[name] = _Context(self._call, self._socket, self._audio, voice, name)
        return context

    def _speak(self, context: _Context, message: Json) -> bool:
        text = message.get("text")
        if message.get("close_context") or (text == "" and not self._multi):
            context.end()
            return self._multi
        if text:
            context.add(str(text), now=bool(message.get("flush")), enough=self._enough)
        elif message.get("flush"):
            context.add("", now=True, enough=0)
        return True


async def transcribe(call: Call) -> Upgrade:
    if not call.query("model_id"):
        raise Refusal(Trouble.INVALID, "Missing field: model_id", param="model_id")
    return Upgrade(run=lambda one: _Transcribing(call, one).run())


class _Transcribing:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        name = call.query("audio_format", "pcm_16000")
        codec, _, rate = name.partition("_")
        by_vad = call.query("commit_strategy", "manual") == "vad"
        pause = call.query_number("vad_silence_threshold_secs", 1.5) if by_vad else None
        self._timed = call.query_flag("include_timestamps")
        self._config = {"sample_rate": int(rate), "audio_format": name, "model_id": call.query("model_id")}
        raw = RawAudio("mulaw" if codec == "ulaw" else "pcm_s16le", int(rate))
        self._ear = Ear(call, raw, pause_seconds=pause, language=call.query("language_code") or None)

    async def run(self) -> None:
        started = {"session_id": self._call.ids.hex(32), "config": self._config}
        await self._socket.send({"message_type": "session_started", **started})
        async for data in self._socket:
            try:
                message = message_of(data if isinstance(data, str) else "")
                if message.get("message_type") != "input_audio_chunk":
                    raise Refusal(Trouble.INVALID, f"Unknown message type {message.get('message_type')!r}.")
                await self._hear(message)
            except Refusal as refusal:
                await self._socket.send({"message_type": "input_error", "error": refusal.message})

    async def _hear(self, message: Json) -> None:
        async for heard in self._ear.feed(from_base64(str(message.get("audio_base_64") or ""), "audio_base_64")):
            if heard.moment is Moment.INTERIM:
                await self._socket.send({"message_type": "partial_transcript", "text": heard.text})
            elif heard.moment is Moment.ENDED:
                await self._commit(heard)
        if message.get("commit"):
            last = await self._ear.flush()
            await self._commit(last or Heard(Moment.ENDED, self._ear.seconds, self._ear.seconds))

    async def _commit(self, heard: Heard) -> None:
        await self._socket.send({"message_type": "committed_transcript", "text": heard.text})
        if self._timed:
            words: list[dict[str, Any]] = [
                {
                    "text": word.text,
                    "start": word.start_seconds,
                    "end": word.end_seconds,
                    "type": "word",
                    "logprob": -0.02,
                }
                for word in heard.words
            ]
            message = {"text": heard.text, "language_code": "eng", "words": words}
            await self._socket.send({"message_type": "committed_transcript_with_timestamps", **message})
