"""What a realtime session answers: said or written, in events."""

import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import Any, Protocol

from sidecar.dialect import Operation
from sidecar.lab.audio import samples
from sidecar.lab.call import Call, Json
from sidecar.lab.engines.chat import text_pieces
from sidecar.lab.engines.contract import Prompt, Turn, Voice
from sidecar.lab.providers.openai_family.chat import tool_choice_of, tools_of
from sidecar.lab.speech import sounds

_CODECS = {"audio/pcm": ("pcm_s16le", 24000), "audio/pcmu": ("mulaw", 8000), "audio/pcma": ("alaw", 8000)}
_ENCODE = {"pcm_s16le": lambda pcm: pcm.samples, "mulaw": samples.to_mulaw, "alaw": samples.to_alaw}


class Tell(Protocol):
    """Sends an event of the session."""

    def __call__(self, kind: str, **fields: Any) -> Awaitable[None]: ...


def codec_of(audio: Json) -> tuple[str, int]:
    """Codec and rate of a format such as ``{"type": "audio/pcmu"}``."""
    return _CODECS.get(str(audio.get("type", "audio/pcm")), _CODECS["audio/pcm"])


class RealtimeAnswer:
    """One answer, said or written, in events."""

    def __init__(self, call: Call, settings: Json, turns: list[Turn], tell: Tell, wanted: Json) -> None:
        self._call = call
        self._settings = {**settings, **wanted}
        self._turns = turns
        self._tell = tell
        self._id = call.ids.named("resp_")
        self._item_id = call.ids.named("item_")
        self._aloud = "audio" in (self._settings.get("output_modalities") or ["audio"])

    def _state(self, status: str, output: list[Json], usage: Json | None = None) -> Json:
        return {
            "object": "realtime.response",
            "id": self._id,
            "status": status,
            "status_details": {"type": "cancelled", "reason": "client_cancelled"} if status == "cancelled" else None,
            "output": output,
            "output_modalities": ["audio" if self._aloud else "text"],
            "usage": usage,
            "metadata": None,
        }

    async def run(self) -> None:
        await self._tell("response.created", response=self._state("in_progress", []))
        try:
            output, usage = await self._make()
        except asyncio.CancelledError:
            await self._tell("response.done", response=self._state("cancelled", []))
            raise
        await self._tell("response.done", response=self._state("completed", output, usage))
        limits = [
            {"name": name, "limit": limit, "remaining": limit - 10, "reset_seconds": 0.1}
            for name, limit in (("requests", 10_000), ("tokens", 2_000_000))
        ]
        await self._tell("rate_limits.updated", rate_limits=limits)

    async def _make(self) -> tuple[list[Json], Json]:
        instructions = str(self._settings.get("instructions") or "")
        completion = await self._call.engines.chat.complete(
            Prompt(
                turns=(Turn("system", instructions), *self._turns),
                tools=tools_of(self._settings.get("tools") or ()),
                tool_choice=tool_choice_of(self._settings.get("tool_choice")),
            )
        )
        await self._call.take_time(Operation.REALTIME, completion.input_tokens / 1000)
        usage = {
            "total_tokens": completion.total_tokens,
            "input_tokens": completion.input_tokens,
            "output_tokens": completion.output_tokens,
            "input_token_details": {"text_tokens": completion.input_tokens, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": completion.output_tokens, "audio_tokens": 0},
        }
        if completion.calls:
            return [await self._call_tool(one.name, json.dumps(one.arguments)) for one in completion.calls], usage
        return [await self._say(completion.text)], usage

    async def _call_tool(self, name: str, arguments: str) -> Json:
        item = {
            "id": self._item_id,
            "object": "realtime.item",
            "type": "function_call",
            "status": "completed",
            "name": name,
            "call_id": self._call.ids.named("call_"),
            "arguments": arguments,
        }
        where = {"response_id": self._id, "output_index": 0}
        begun = {**item, "status": "in_progress", "arguments": ""}
        await self._tell("response.output_item.added", **where, item=begun)
        at = {**where, "item_id": self._item_id, "call_id": item["call_id"]}
        await self._tell("response.function_call_arguments.delta", **at, delta=arguments)
        await self._tell("response.function_call_arguments.done", **at, name=name, arguments=arguments)
        await self._tell("response.output_item.done", **where, item=item)
        return item

    async def _say(self, text: str) -> Json:
        kind = "audio" if self._aloud else "text"
        words = "transcript" if self._aloud else "text"
        base = {"id": self._item_id, "object": "realtime.item", "type": "message", "role": "assistant"}
        where = {"response_id": self._id, "output_index": 0}
        at = {**where, "item_id": self._item_id, "content_index": 0}
        begun: Json = {**base, "status": "in_progress", "content": []}
        await self._tell("response.output_item.added", **where, item=begun)
        await self._tell("conversation.item.added", previous_item_id=None, item=begun)
        await self._tell("response.content_part.added", **at, part={"type": kind, words: ""})
        if self._aloud:
            await self._speak(text, at)
        else:
            for piece in text_pieces(text):
                await self._call.pace_tokens()
                await self._tell("response.output_text.delta", **at, delta=piece)
            await self._tell("response.output_text.done", **at, text=text)
        self._turns.append(Turn("assistant", text))
        part = {"type": f"output_{kind}", words: text}
        item: Json = {**base, "status": "completed", "content": [part]}
        await self._tell("response.content_part.done", **at, part={"type": kind, words: text})
        await self._tell("response.output_item.done", **where, item=item)
        await self._tell("conversation.item.done", previous_item_id=None, item=item)
        return item

    async def _speak(self, text: str, at: Json) -> None:
        output = (self._settings.get("audio") or {}).get("output") or {}
        codec, rate = codec_of(output.get("format") or {})
        for piece in text_pieces(text):
            await self._tell("response.output_audio_transcript.delta", **at, delta=piece)
        voice = Voice(str(output.get("voice") or ""), str(self._settings.get("model") or ""))
        async for sound in sounds(self._call, text, voice, rate):
            encoded = base64.b64encode(_ENCODE[codec](sound)).decode()
            await self._tell("response.output_audio.delta", **at, delta=encoded)
        await self._tell("response.output_audio.done", **at)
        await self._tell("response.output_audio_transcript.done", **at, transcript=text)
