"""``/v1/responses``: whole, as events, and over a socket; remembers what it said, for ``previous_response_id``."""

import json
from collections import OrderedDict
from collections.abc import AsyncGenerator
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.engines.chat import text_pieces
from sidecar.lab.engines.contract import Completion, Prompt, Turn
from sidecar.lab.providers.openai_family.chat import tool_choice_of, tools_of
from sidecar.lab.providers.openai_family.decisions import text_of
from sidecar.lab.providers.openai_family.words import error_object, now_seconds
from sidecar.lab.reply import Chunks, Refusal, Reply, Trouble, Upgrade, Work, event, event_reply, json_reply
from sidecar.lab.sockets import Socket, message_of

_KEPT = 1000


class Responses:
    """The endpoints, and what they remember."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[dict[str, Any], tuple[Turn, ...]]] = OrderedDict()

    async def create(self, call: Call) -> Reply:
        body = call.json()
        making = await self._begin(call, body)
        work = Work(Operation.CHAT, making.completion.input_tokens / 1000)
        if body.get("stream"):
            return event_reply(_as_events(making.events()), work=work)
        return json_reply(making.finished(), work=work)

    async def retrieve(self, call: Call) -> Reply:
        kept = self._kept.get(call.params["response_id"])
        if kept is None:
            raise Refusal(Trouble.NOT_FOUND, f"Response with id '{call.params['response_id']}' not found.", param="id")
        return json_reply(kept[0])

    async def connect(self, call: Call) -> Upgrade:
        async def run(socket: Socket) -> None:
            async for data in socket:
                try:
                    message = message_of(data if isinstance(data, str) else "")
                    if message.get("type") != "response.create":
                        raise Refusal(Trouble.INVALID, f"Invalid value: '{message.get('type')}'.", param="type")
                    making = await self._begin(call, message)
                    await call.take_time(Operation.CHAT, making.completion.input_tokens / 1000)
                    stream = {"stream_id": message["stream_id"]} if "stream_id" in message else {}
                    async for made in making.events():
                        await socket.send({**made, **stream})
                except Refusal as refusal:
                    await socket.send({"type": "error", "status": 400, "error": error_object(refusal)})

        return Upgrade(run=run)

    async def _begin(self, call: Call, body: Json) -> "_Making":
        turns = self._turns(body)
        wanted = (body.get("text") or {}).get("format") or {}
        prompt = Prompt(
            turns=turns,
            tools=tools_of(body.get("tools") or ()),
            tool_choice=tool_choice_of(body.get("tool_choice")),
            schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
            json_output=wanted.get("type") == "json_object",
            max_tokens=body.get("max_output_tokens"),
            context=json.dumps([body.get("tools"), wanted], sort_keys=True),
        )
        making = _Making(call, body, await call.engines.chat.complete(prompt))
        if body.get("store", True):
            said = Turn("assistant", making.completion.text)
            self._kept[making.id] = (making.finished(), (*turns, said))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return making

    def _turns(self, body: Json) -> tuple[Turn, ...]:
        text_field(body, "model")
        turns: list[Turn] = []
        if (previous := body.get("previous_response_id")) is not None:
            if previous not in self._kept:
                raise Refusal(
                    Trouble.INVALID, f"Previous response with id '{previous}' not found.", param="previous_response_id"
                )
            turns += self._kept[previous][1]
        if instructions := body.get("instructions"):
            turns.append(Turn("system", str(instructions)))
        given = body.get("input")
        if given is None:
            raise Refusal(Trouble.INVALID, "Missing required parameter: 'input'.", param="input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        return (*turns, *(_turn(item) for item in items))


def _turn(item: Json) -> Turn:
    if item.get("type") == "function_call_output":
        return Turn("tool", text_of(item.get("output") or ""))
    if item.get("type") == "function_call":
        return Turn("assistant", f"{item.get('name')} {item.get('arguments')}")
    role = str(item.get("role", "user"))
    return Turn("system" if role == "developer" else role, text_of(item.get("content") or ""))


async def _as_events(events: AsyncGenerator[dict[str, Any], None]) -> Chunks:
    async for made in events:
        yield event(made, made["type"])


class _Making:
    """One response on its way."""

    def __init__(self, call: Call, body: Json, completion: Completion) -> None:
        self.id = call.ids.named("resp_", 48)
        self.completion = completion
        self._call = call
        self._body = body
        self._created = now_seconds()
        self._items = [self._function_call(one.name, one.arguments) for one in completion.calls] or [self._message()]

    def _function_call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self._call.ids.named("fc_", 48),
            "type": "function_call",
            "status": "completed",
            "arguments": json.dumps(arguments, ensure_ascii=False),
            "call_id": self._call.ids.named("call_"),
            "name": name,
        }

    def _message(self) -> dict[str, Any]:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": self.completion.text}
        return {
            "id": self._call.ids.named("msg_", 48),
            "type": "message",
            "status": "completed",
            "content": [part],
            "role": "assistant",
        }

    def _response(self, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        body = self._body
        incomplete = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": incomplete,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": body.get("truncation") or "disabled",
            "usage": usage,
            "user": None,
            "metadata": body.get("metadata") or {},
        }

    def finished(self) -> dict[str, Any]:
        completion = self.completion
        usage = {
            "input_tokens": completion.input_tokens,
            "input_tokens_details": {"cached_tokens": completion.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": completion.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": completion.total_tokens,
        }
        return self._response("incomplete" if completion.finish == "length" else "completed", self._items, usage)

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        number = 0
        async for kind, fields in self._happenings():
            yield {"type": kind, "sequence_number": number, **fields}
            number += 1

    async def _happenings(self) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        begun = self._response("in_progress", [], None)
        yield "response.created", {"response": begun}
        yield "response.in_progress", {"response": begun}
        for index, item in enumerate(self._items):
            steps = self._spoken(index, item) if item["type"] == "message" else self._called(index, item)
            async for step in steps:
                yield step
            yield "response.output_item.done", {"output_index": index, "item": item}
        finished = self.finished()
        yield f"response.{finished['status']}", {"response": finished}

    async def _spoken(self, index: int, item: dict[str, Any]) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        part = item["content"][0]
        where = {"item_id": item["id"], "output_index": index, "content_index": 0}
        added = {**item, "status": "in_progress", "content": []}
        yield "response.output_item.added", {"output_index": index, "item": added}
        yield "response.content_part.added", {**where, "part": {**part, "text": ""}}
        for piece in text_pieces(part["text"]):
            await self._call.pace_tokens()
            yield "response.output_text.delta", {**where, "delta": piece, "logprobs": []}
        yield "response.output_text.done", {**where, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**where, "part": part}

    async def _called(self, index: int, item: dict[str, Any]) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        where = {"item_id": item["id"], "output_index": index}
        added = {**item, "status": "in_progress", "arguments": ""}
        yield "response.output_item.added", {"output_index": index, "item": added}
        for piece in text_pieces(item["arguments"]):
            await self._call.pace_tokens()
            yield "response.function_call_arguments.delta", {**where, "delta": piece}
        done = {**where, "name": item["name"], "arguments": item["arguments"]}
        yield "response.function_call_arguments.done", done
