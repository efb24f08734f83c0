"""The realtime socket: speech in and speech out, or transcription only."""

import asyncio
from typing import Any

from sidecar.lab.call import Call, Json, from_base64
from sidecar.lab.engines.chat import text_pieces
from sidecar.lab.engines.contract import Turn
from sidecar.lab.hearing import RawAudio
from sidecar.lab.listening import Ear, Heard, Moment
from sidecar.lab.providers.openai_family.decisions import text_of
from sidecar.lab.providers.openai_family.realtime_answer import RealtimeAnswer, codec_of
from sidecar.lab.providers.openai_family.words import error_object, now_seconds
from sidecar.lab.reply import Refusal, Trouble, Upgrade
from sidecar.lab.sockets import Socket, cancelled, message_of


async def connect(call: Call) -> Upgrade:
    model = call.query("model") or call.query("deployment") or "gpt-realtime"
    transcribing = call.query("intent") == "transcription"
    return Upgrade(
        run=lambda socket: _Session(call, socket, model, transcribing=transcribing).run(),
        protocols=("realtime",),
    )


class _Session:
    def __init__(self, call: Call, socket: Socket, model: str, *, transcribing: bool) -> None:
        self._call = call
        self._socket = socket
        self._settings = _transcription_settings() if transcribing else _conversation_settings(model)
        self._settings |= {"id": call.ids.named("sess_"), "object": "realtime.session"}
        self._turns: list[Turn] = []
        self._last_item: str | None = None
        self._response: asyncio.Task[None] | None = None
        self._item = call.ids.named("item_")
        self._ear = self._new_ear()

    def _audio(self, direction: str) -> dict[str, Any]:
        return (self._settings.get("audio") or {}).get(direction) or {}

    def _codec(self, direction: str) -> tuple[str, int]:
        wanted = self._audio(direction).get("format") or {}
        codec, rate = codec_of(wanted)
        return codec, int(wanted.get("rate") or rate) if codec == "pcm_s16le" else rate

    def _new_ear(self) -> Ear:
        detection = self._audio("input").get("turn_detection")
        pause = None if detection is None else detection.get("silence_duration_ms", 500) / 1000
        codec, rate = self._codec("input")
        return Ear(self._call, RawAudio(codec, rate), pause_seconds=pause, interim=False)

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self._socket.send({"type": kind, "event_id": self._call.ids.named("event_"), **fields})

    async def run(self) -> None:
        await self._tell("session.created", session=self._settings)
        try:
            async for data in self._socket:
                try:
                    await self._take(message_of(data if isinstance(data, str) else ""))
                except Refusal as refusal:
                    await self._tell("error", error={**error_object(refusal), "event_id": None})
        finally:
            await cancelled(self._response)

    async def _take(self, message: Json) -> None:
        kind = message.get("type")
        if kind == "session.update":
            await self._update(message.get("session") or {})
        elif kind == "input_audio_buffer.append":
            async for heard in self._ear.feed(from_base64(str(message.get("audio") or ""), "audio")):
                await self._heed(heard)
        elif kind == "input_audio_buffer.commit":
            await self._commit(await self._ear.flush())
        elif kind == "input_audio_buffer.clear":
            self._ear.clear()
            await self._tell("input_audio_buffer.cleared")
        elif kind == "conversation.item.create":
            await self._add(message.get("item") or {})
        elif kind == "response.create":
            self._respond(message.get("response") or {})
        elif kind == "response.cancel":
            await cancelled(self._response)
        elif kind not in ("conversation.item.truncate", "conversation.item.delete", "output_audio_buffer.clear"):
            raise Refusal(Trouble.INVALID, f"Invalid value: '{kind}'.", param="type")

    async def _update(self, changes: Json) -> None:
        audio = {**self._settings["audio"]}
        for direction, change in (changes.get("audio") or {}).items():
            audio[direction] = {**(audio.get(direction) or {}), **change}
        self._settings = {**self._settings, **changes, "audio": audio}
        self._ear = self._new_ear()
        await self._tell("session.updated", session=self._settings)

    async def _heed(self, heard: Heard) -> None:
        if heard.moment is Moment.STARTED and self._audio("input").get("turn_detection") is not None:
            await self._tell(
                "input_audio_buffer.speech_started",
                audio_start_ms=round(heard.start_seconds * 1000),
                item_id=self._item,
            )
            # whoever speaks interrupts the answer
            await cancelled(self._response)
        elif heard.moment is Moment.ENDED:
            await self._tell(
                "input_audio_buffer.speech_stopped", audio_end_ms=round(heard.end_seconds * 1000), item_id=self._item
            )
            await self._commit(heard)
            if self._settings["type"] == "realtime" and self._audio("input")["turn_detection"].get(
                "create_response", True
            ):
                self._respond({})

    async def _commit(self, heard: Heard | None) -> None:
        if heard is None:
            raise Refusal(Trouble.INVALID, "Error committing input audio buffer: buffer too small.")
        item_id, self._item = self._item, self._call.ids.named("item_")
        await self._tell("input_audio_buffer.committed", previous_item_id=self._last_item, item_id=item_id)
        content = {"type": "input_audio", "transcript": None}
        await self._add({"id": item_id, "type": "message", "role": "user", "content": [content]}, heard.text)
        if self._audio("input").get("transcription") or self._settings["type"] == "transcription":
            where = {"item_id": item_id, "content_index": 0}
            for piece in text_pieces(heard.text):
                await self._tell("conversation.item.input_audio_transcription.delta", **where, delta=piece)
            seconds = round(heard.end_seconds - heard.start_seconds, 2)
            await self._tell(
                "conversation.item.input_audio_transcription.completed",
                **where,
                transcript=heard.text,
                usage={"type": "duration", "seconds": seconds},
            )

    async def _add(self, item: Json, text: str | None = None) -> None:
        made = {"id": self._call.ids.named("item_"), "object": "realtime.item", "status": "completed", **item}
        if text is None:
            text = text_of(item.get("content") or item.get("output") or "")
        role = "tool" if item.get("type") == "function_call_output" else str(item.get("role", "user"))
        self._turns.append(Turn(role, text))
        await self._tell("conversation.item.added", previous_item_id=self._last_item, item=made)
        await self._tell("conversation.item.done", previous_item_id=self._last_item, item=made)
        self._last_item = made["id"]

    def _respond(self, wanted: Json) -> None:
        if self._response is not None and not self._response.done():
            raise Refusal(Trouble.INVALID, "Conversation already has an active response in progress.")
        self._response = asyncio.create_task(
            RealtimeAnswer(self._call, self._settings, self._turns, self._tell, wanted).run()
        )


def _conversation_settings(model: str) -> Json:
    return {
        "type": "realtime",
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "expires_at": now_seconds() + 3600,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
        },
    }


def _transcription_settings() -> Json:
    settings = _conversation_settings("")
    return {
        "type": "transcription",
        "audio": {"input": {**settings["audio"]["input"], "transcription": {"model": "gpt-4o-transcribe"}}},
        "expires_at": settings["expires_at"],
    }
