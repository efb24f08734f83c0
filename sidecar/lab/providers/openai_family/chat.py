"""Chat completions, whole and streamed, and the older completions of a plain prompt."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.call import Call, Json, from_base64, list_field, text_field
from sidecar.lab.engines.chat import text_pieces
from sidecar.lab.engines.contract import Completion, Prompt, ToolCall, ToolSpec, Turn, Voice
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers.openai_family.words import now_seconds
from sidecar.lab.reply import Chunks, Refusal, Reply, Trouble, Work, event, event_reply, json_reply
from sidecar.lab.speech import audio_file


class ChatStyle(Struct, frozen=True):
    """In what the family's members differ."""

    id_prefix: str = "chatcmpl-"
    usage_unasked: bool = False
    """Whether the last chunk with choices carries the usage, asked for or not."""
    usage_in: str = ""
    """Where else the last chunk carries it: Groq's ``x_groq``."""
    call_id_prefix: str = "call_"
    plain: bool = False
    """Whether fields that only OpenAI knows are left out."""


_OPENAI = ChatStyle()


def chat_completions(style: ChatStyle = _OPENAI) -> Callable[[Call], Awaitable[Reply]]:
    """A handler in that style."""

    async def handler(call: Call) -> Reply:
        body = call.json()
        if "deployment" in call.params:
            body.setdefault("model", call.params["deployment"])
        prompt = await prompt_of(call, body)
        completion = await call.engines.chat.complete(prompt)
        work = Work(Operation.CHAT, completion.input_tokens / 1000)
        answer = _Answer(call, body, completion, style)
        if body.get("stream"):
            return event_reply(answer.chunks(), work=work)
        return json_reply(await answer.whole(), work=work)

    return handler


class _Answer:
    def __init__(self, call: Call, body: Json, completion: Completion, style: ChatStyle) -> None:
        self._call = call
        self._body = body
        self._completion = completion
        self._style = style
        self._id = call.ids.named(style.id_prefix, 29)
        self._model = text_field(body, "model")

    def _envelope(self, kind: str) -> dict[str, Any]:
        envelope = {"id": self._id, "object": kind, "created": now_seconds(), "model": self._model}
        if not self._style.plain:
            envelope |= {"service_tier": "default", "system_fingerprint": "fp_lab"}
        return envelope

    async def whole(self) -> dict[str, Any]:
        completion = self._completion
        message: dict[str, Any] = {"role": "assistant", "content": completion.text or None}
        if not self._style.plain:
            message |= {"refusal": None, "annotations": []}
        if completion.calls:
            message["tool_calls"] = [self._tool_call(one) for one in completion.calls]
        elif "audio" in (self._body.get("modalities") or ()):
            message |= {"content": None, "audio": await self._audio()}
        choices = [
            {"index": index, "message": message, "logprobs": None, "finish_reason": completion.finish}
            for index in range(int(self._body.get("n") or 1))
        ]
        return {**self._envelope("chat.completion"), "choices": choices, "usage": usage_of(completion)}

    async def chunks(self) -> Chunks:
        style, completion = self._style, self._completion
        asked = bool((self._body.get("stream_options") or {}).get("include_usage"))

        def chunk(delta: dict[str, Any], finish: str | None = None, extra: Json | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            made = {**self._envelope("chat.completion.chunk"), "choices": [choice]}
            if asked and not style.plain:
                made["usage"] = None
            return event({**made, **(extra or {})})

        first: dict[str, Any] = {"role": "assistant", "content": None if completion.calls else ""}
        if style.usage_in:
            yield chunk(first, None, {style.usage_in: {"id": self._id}})
        else:
            yield chunk(first if style.plain else {**first, "refusal": None})
        for index, one in enumerate(completion.calls):
            made = self._tool_call(one)
            arguments = made["function"]["arguments"]
            yield chunk({"tool_calls": [{"index": index, **made, "function": {**made["function"], "arguments": ""}}]})
            for piece in text_pieces(arguments):
                await self._call.pace_tokens()
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        for piece in text_pieces(completion.text):
            await self._call.pace_tokens()
            yield chunk({"content": piece})
        usage = usage_of(completion)
        last: dict[str, Any] = {"usage": usage} if style.usage_unasked else {}
        if style.usage_in:
            last[style.usage_in] = {"id": self._id, "usage": usage}
        yield chunk({}, completion.finish, last)
        if asked and not style.usage_unasked:
            yield event({**self._envelope("chat.completion.chunk"), "choices": [], "usage": usage})
        yield event("[DONE]")

    def _tool_call(self, one: ToolCall) -> dict[str, Any]:
        return {
            "id": self._call.ids.named(self._style.call_id_prefix, 24 if self._style.call_id_prefix else 9),
            "type": "function",
            "function": {"name": one.name, "arguments": json.dumps(one.arguments, ensure_ascii=False)},
        }

    async def _audio(self) -> dict[str, Any]:
        wanted = self._body.get("audio") or {}
        audio = {
            "wav": formats.wav(24000),
            "mp3": formats.mp3(24000),
            "flac": formats.flac(24000),
            "opus": formats.opus(24000),
            "pcm16": formats.raw("pcm_s16le", 24000),
        }.get(wanted.get("format", "wav"))
        if audio is None:
            raise Refusal(Trouble.INVALID, "Unsupported audio format.", param="audio.format")
        text = self._completion.text
        data, _ = await audio_file(self._call, text, Voice(str(wanted.get("voice", "")), self._model), audio)
        return {
            "id": self._call.ids.named("audio_"),
            "data": base64.b64encode(data).decode(),
            "expires_at": now_seconds() + 3600,
            "transcript": text,
        }


def usage_of(completion: Completion) -> dict[str, Any]:
    return {
        "prompt_tokens": completion.input_tokens,
        "completion_tokens": completion.output_tokens,
        "total_tokens": completion.total_tokens,
        "prompt_tokens_details": {"cached_tokens": completion.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


async def prompt_of(call: Call, body: Json) -> Prompt:
    text_field(body, "model")
    messages = list_field(body, "messages")
    if not messages:
        raise Refusal(Trouble.INVALID, "Invalid 'messages': empty array.", param="messages")
    turns = [Turn(_role(message), await _content(call, message)) for message in messages]
    wanted = body.get("response_format") or {}
    schema = wanted.get("json_schema", {}).get("schema") if wanted.get("type") == "json_schema" else None
    return Prompt(
        turns=tuple(turns),
        tools=tools_of(body.get("tools") or ()),
        tool_choice=tool_choice_of(body.get("tool_choice")),
        schema=schema,
        json_output=wanted.get("type") == "json_object",
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        context=json.dumps([body.get("tools"), wanted], sort_keys=True),
    )


def _role(message: Json) -> str:
    role = str(message.get("role"))
    if role not in ("system", "developer", "user", "assistant", "tool", "function"):
        raise Refusal(Trouble.INVALID, f"Invalid value: '{role}'.", param="messages[0].role")
    return {"developer": "system", "function": "tool"}.get(role, role)


async def _content(call: Call, message: Json) -> str:
    content = message.get("content")
    if content is None:
        return json.dumps(message.get("tool_calls") or "")
    if isinstance(content, str):
        return content
    return "\n".join([await _part(call, part) for part in content])


async def _part(call: Call, part: Json) -> str:
    if (audio := part.get("input_audio")) is not None:
        raw = RawAudio(rate=24000) if audio.get("format") == "pcm16" else None
        return (await transcript_of(call, from_base64(text_field(audio, "data"), "input_audio.data"), raw)).text
    return str(part.get("text") or part.get("refusal") or "")


def tools_of(tools: list[Json] | tuple[Json, ...]) -> tuple[ToolSpec, ...]:
    """Tools in the nested form of chat completions, or the flat one of responses; built-in ones are left out."""
    functions = [tool.get("function") or tool for tool in tools if tool.get("type", "function") == "function"]
    return tuple(
        ToolSpec(str(one.get("name")), str(one.get("description") or ""), one.get("parameters") or {})
        for one in functions
    )


def tool_choice_of(choice: object) -> str:
    if isinstance(choice, dict):
        return str((choice.get("function") or choice).get("name", "required"))
    return {"any": "required", None: "auto"}.get(choice, str(choice))  # type: ignore[call-overload, no-any-return]


async def completions(call: Call) -> Reply:
    """The older kind: ``prompt`` in, ``text`` out."""
    body = call.json()
    model, text = text_field(body, "model"), body.get("prompt")
    question = text if isinstance(text, str) else "\n".join(str(part) for part in text or ())
    prompt = Prompt(turns=(Turn("user", question),), max_tokens=body.get("max_tokens", 256))
    completion = await call.engines.chat.complete(prompt)
    envelope = {
        "id": call.ids.named("cmpl-", 29),
        "object": "text_completion",
        "created": now_seconds(),
        "model": model,
    }

    def choice(text: str, finish: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}

    async def chunks() -> Chunks:
        for piece in text_pieces(completion.text):
            await call.pace_tokens()
            yield event({**envelope, "choices": [choice(piece, None)]})
        yield event({**envelope, "choices": [choice("", completion.finish)]})
        yield event("[DONE]")

    work = Work(Operation.CHAT, completion.input_tokens / 1000)
    if body.get("stream"):
        return event_reply(chunks(), work=work)
    usage = {key: value for key, value in usage_of(completion).items() if not key.endswith("details")}
    return json_reply({**envelope, "choices": [choice(completion.text, completion.finish)], "usage": usage}, work=work)
