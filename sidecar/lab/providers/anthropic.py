"""Anthropic: messages, whole and as events."""

import json
from collections.abc import Sequence
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json, list_field, text_field
from sidecar.lab.emulation import Emulation, Route, bearer, get, post
from sidecar.lab.engines.chat import text_pieces
from sidecar.lab.engines.contract import Completion, Prompt, ToolSpec, Turn
from sidecar.lab.reply import STATUS, Chunks, HeaderList, Refusal, Reply, Trouble, Work, event, event_reply, json_reply

_KINDS = {
    Trouble.AUTH: "authentication_error",
    Trouble.NOT_FOUND: "not_found_error",
    Trouble.METHOD: "invalid_request_error",
    Trouble.INVALID: "invalid_request_error",
    Trouble.TOO_LARGE: "request_too_large",
    Trouble.UNSUPPORTED: "invalid_request_error",
    Trouble.RATE: "rate_limit_error",
    Trouble.CONCURRENCY: "rate_limit_error",
    Trouble.QUOTA: "rate_limit_error",
    Trouble.SERVER: "api_error",
    Trouble.OVERLOADED: "overloaded_error",
    Trouble.TIMEOUT: "timeout_error",
}
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class Anthropic(Emulation):
    name = "anthropic"
    hosts = ("api.anthropic.com",)

    def routes(self) -> Sequence[Route]:
        return (
            post("/v1/messages", self._messages),
            post("/v1/messages/count_tokens", self._count),
            get("/v1/models", self._models),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("X-Api-Key") or bearer(call)

    def check(self, call: Call) -> None:
        super().check(call)
        if "anthropic-version" not in call.headers:
            raise Refusal(Trouble.INVALID, "anthropic-version: header is required")

    def refuse(self, refusal: Refusal) -> Reply:
        usual = 529 if refusal.trouble is Trouble.OVERLOADED else STATUS[refusal.trouble]
        status = refusal.status_or(usual)
        error: dict[str, Any] = {"type": _KINDS[refusal.trouble], "message": refusal.message}
        if status == 402:
            error["type"] = "billing_error"
        elif refusal.trouble is Trouble.QUOTA:
            error["details"] = {"error_code": "enforced_spend_limit_reached"}
        body = {"type": "error", "error": error, "request_id": self.bench.ids.named("req_011C")}
        return json_reply(body, status=status, headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        limits = [
            (f"anthropic-ratelimit-{kind}-{what}", value)
            for kind, limit in (("requests", 4000), ("input-tokens", 2_000_000), ("output-tokens", 400_000))
            for what, value in (
                ("limit", str(limit)),
                ("remaining", str(limit - 1)),
                ("reset", "2027-01-01T00:00:00Z"),
            )
        ]
        return [*limits, ("request-id", call.ids.named("req_011C")), ("anthropic-organization-id", "lab")]

    async def _models(self, call: Call) -> Reply:
        model = {"type": "model", "id": "claude-lab", "display_name": "Lab", "created_at": "2026-01-01T00:00:00Z"}
        return json_reply({"data": [model], "has_more": False, "first_id": model["id"], "last_id": model["id"]})

    async def _count(self, call: Call) -> Reply:
        completion = await call.engines.chat.complete(_prompt(call.json()))
        return json_reply({"input_tokens": completion.input_tokens})

    async def _messages(self, call: Call) -> Reply:
        body = call.json()
        model = text_field(body, "model")
        if not isinstance(body.get("max_tokens"), int):
            raise Refusal(Trouble.INVALID, "max_tokens: Field required", param="max_tokens")
        completion = await call.engines.chat.complete(_prompt(body))
        answer = _Answer(call, model, completion)
        work = Work(Operation.CHAT, completion.input_tokens / 1000)
        if body.get("stream"):
            return event_reply(answer.events(), work=work)
        return json_reply(answer.whole(), work=work)


def _prompt(body: Json) -> Prompt:
    turns = [Turn("system", _text(body.get("system") or ""))] if body.get("system") else []
    for message in list_field(body, "messages"):
        content = message.get("content") or ""
        results = [block for block in content if isinstance(block, dict) and block.get("type") == "tool_result"]
        if results:
            turns.append(Turn("tool", "\n".join(_text(block.get("content") or "") for block in results)))
        else:
            turns.append(Turn(str(message.get("role")), _text(content)))
    wanted = (body.get("output_config") or {}).get("format") or {}
    choice = body.get("tool_choice") or {}
    return Prompt(
        turns=tuple(turns),
        tools=tuple(
            ToolSpec(tool["name"], str(tool.get("description") or ""), tool.get("input_schema") or {})
            for tool in body.get("tools") or ()
            if "input_schema" in tool
        ),
        tool_choice={"any": "required", "tool": str(choice.get("name"))}.get(
            str(choice.get("type")), str(choice.get("type", "auto"))
        ),
        schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
        max_tokens=body.get("max_tokens"),
        context=json.dumps([body.get("tools"), wanted], sort_keys=True),
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(block.get("text") or json.dumps(block.get("input") or "")) for block in content)


class _Answer:
    def __init__(self, call: Call, model: str, completion: Completion) -> None:
        self._call = call
        self._completion = completion
        self._id = call.ids.named("msg_01")
        self._model = model
        self._blocks: list[dict[str, Any]] = [
            {"type": "tool_use", "id": call.ids.named("toolu_01"), "name": one.name, "input": one.arguments}
            for one in completion.calls
        ] or [{"type": "text", "text": completion.text, "citations": None}]

    def _usage(self, output_tokens: int) -> dict[str, Any]:
        completion = self._completion
        return {
            "input_tokens": completion.input_tokens - completion.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": completion.cached_tokens,
            "output_tokens": output_tokens,
            "service_tier": "standard",
        }

    def _message(self, content: list[dict[str, Any]], stop_reason: str | None, output_tokens: int) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": self._usage(output_tokens),
        }

    def whole(self) -> dict[str, Any]:
        completion = self._completion
        return self._message(self._blocks, _STOP_REASONS[completion.finish], completion.output_tokens)

    async def events(self) -> Chunks:
        yield _event("message_start", message=self._message([], None, 1))
        for index, block in enumerate(self._blocks):
            called = block["type"] == "tool_use"
            empty = {**block, "input": {}} if called else {**block, "text": ""}
            yield _event("content_block_start", index=index, content_block=empty)
            if not index:
                yield _event("ping")
            kind, field = ("input_json_delta", "partial_json") if called else ("text_delta", "text")
            for piece in text_pieces(json.dumps(block["input"]) if called else block["text"]):
                await self._call.pace_tokens()
                yield _event("content_block_delta", index=index, delta={"type": kind, field: piece})
            yield _event("content_block_stop", index=index)
        completion = self._completion
        delta = {"stop_reason": _STOP_REASONS[completion.finish], "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage=self._usage(completion.output_tokens))
        yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)
