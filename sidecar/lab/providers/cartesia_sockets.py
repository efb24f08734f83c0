"""Cartesia's sockets: speech in many contexts at once; transcription closed by hand or by turns."""

import asyncio
import base64
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json
from sidecar.lab.hearing import RawAudio
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.providers.cartesia_words import CODECS, raw_format, voice_of, word_times
from sidecar.lab.reply import Refusal, Trouble, Upgrade
from sidecar.lab.sockets import Socket, cancelled, message_of
from sidecar.lab.speech import paced, speech


async def speak(call: Call) -> Upgrade:
    return Upgrade(run=lambda one: _Speaking(call, one).run())


async def transcribe(call: Call) -> Upgrade:
    return Upgrade(run=lambda one: _Transcribing(call, one).run())


async def transcribe_turns(call: Call) -> Upgrade:
    return Upgrade(run=lambda one: _Turns(call, one).run())


class _Speaking:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._contexts: dict[str, asyncio.Queue[Json]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        try:
            async for data in self._socket:
                message: Json = {}
                try:
                    message = message_of(data if isinstance(data, str) else "")
                    await self._take(message)
                except Refusal as refusal:
                    await self._tell(
                        "error",
                        str(message.get("context_id") or ""),
                        done=True,
                        status_code=400,
                        title="Invalid request",
                        message=refusal.message,
                        error_code="invalid_request",
                        request_id=self._call.ids.uuid(),
                    )
        finally:
            for worker in self._workers.values():
                await cancelled(worker)

    async def _tell(self, kind: str, context: str, **fields: Any) -> None:
        await self._socket.send({"type": kind, "context_id": context, "done": False, "status_code": 206, **fields})

    async def _take(self, message: Json) -> None:
        context = str(message.get("context_id") or "")
        if message.get("cancel"):
            await cancelled(self._workers.pop(context, None))
            self._contexts.pop(context, None)
            return
        raw_format(message)
        voice_of(message)
        if context not in self._contexts:
            self._contexts[context] = asyncio.Queue()
            self._workers[context] = asyncio.create_task(self._work(context, self._contexts[context]))
        self._contexts[context].put_nowait(message)

    async def _work(self, context: str, queue: asyncio.Queue[Json]) -> None:
        played_seconds, flushed = 0.0, 0
        while True:
            message = await queue.get()
            text = str(message.get("transcript") or "")
            if text.strip():
                played_seconds += await self._say(context, message, text, played_seconds)
            if message.get("flush"):
                await self._tell("flush_done", context, flush_done=True, flush_id=flushed)
                flushed += 1
            if not message.get("continue"):
                break
        self._contexts.pop(context, None)
        await self._tell("done", context, done=True, status_code=200)

    async def _say(self, context: str, message: Json, text: str, from_seconds: float) -> float:
        played_seconds = 0.0
        audio = raw_format(message)
        await self._call.take_time(Operation.TTS, len(text))
        async with aclosing(paced(self._call, speech(self._call, text, voice_of(message), audio))) as chunks:
            async for chunk, seconds in chunks:
                played_seconds += seconds
                data = base64.b64encode(chunk).decode()
                await self._tell("chunk", context, data=data, step_time=round(seconds * 1000, 3))
        if message.get("add_timestamps"):
            times = word_times(text, played_seconds, from_seconds)
            await self._tell("timestamps", context, word_timestamps=times)
        return played_seconds


def _ear(call: Call, pause_seconds: float | None) -> Ear:
    codec = CODECS.get(call.query("encoding", "pcm_s16le"), "pcm_s16le")
    raw = RawAudio(codec, int(call.query_number("sample_rate", 16000)))
    return Ear(call, raw, pause_seconds=pause_seconds, language=call.query("language") or None)


class _Transcribing:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._call = call
        self._socket = socket
        self._id = call.ids.uuid()
        self._ear = _ear(call, call.query_number("max_silence_duration_secs", 1.0))

    async def run(self) -> None:
        async for data in self._socket:
            if isinstance(data, bytes):
                async for heard in self._ear.feed(data):
                    if heard.moment is not Moment.STARTED:
                        await self._tell(heard)
                continue
            if data not in ("finalize", "done", "close"):
                raise Refusal(Trouble.INVALID, f"Unknown command {data!r}.")
            if (last := await self._ear.flush()) is not None:
                await self._tell(last)
            await self._socket.send({"type": "flush_done", "request_id": self._id})
            if data != "finalize":
                await self._socket.send({"type": "done", "request_id": self._id})
                return

    async def _tell(self, heard: Heard) -> None:
        words = [{"word": one.text, "start": one.start_seconds, "end": one.end_seconds} for one in heard.words]
        await self._socket.send(
            {
                "type": "transcript",
                "is_final": heard.moment is Moment.ENDED,
                "request_id": self._id,
                "text": heard.text,
                "duration": round(heard.end_seconds - heard.start_seconds, 3),
                "language": self._call.query("language", "en"),
                "words": words,
            }
        )


class _Turns:
    def __init__(self, call: Call, socket: Socket) -> None:
        self._socket = socket
        self._id = call.ids.uuid()
        self._ear = _ear(call, min(call.query_number("turn_end_timeout_ms", 600) / 1000, 0.6))

    async def run(self) -> None:
        await self._tell("connected")
        async for data in self._socket:
            if isinstance(data, bytes):
                async for heard in self._ear.feed(data):
                    await self._heed(heard)
            elif message_of(data).get("type") == "close":
                if (last := await self._ear.flush()) is not None:
                    await self._heed(last)
                return

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self._socket.send({"type": kind, "request_id": self._id, **fields})

    async def _heed(self, heard: Heard) -> None:
        if heard.moment is Moment.STARTED:
            await self._tell("turn.start")
        elif heard.moment is Moment.INTERIM:
            await self._tell("turn.update", transcript=heard.text)
        else:
            await self._tell("turn.eager_end", transcript=heard.text)
            await self._tell("turn.end", transcript=heard.text)
