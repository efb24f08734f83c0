"""OpenAI's responses, written: whole, and as streams of typed events with their numbers."""

import time
from typing import Any, Final

import msgspec

from sidecar.translation.chat import identifiers
from sidecar.translation.chat.events import (
    ArgumentsDelta,
    CallBegun,
    Called,
    Event,
    Failed,
    Finished,
    Reason,
    ReasoningDelta,
    RefusalDelta,
    Said,
    TextDelta,
    Tokens,
    Used,
)
from sidecar.translation.chat.losses import is_there
from sidecar.translation.chat.wire import Agent, Writer

#: What a response says that the request has said, and what it says if the request has not.
_ECHOED: Final[dict[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE: Final = {Reason.LENGTH: "max_output_tokens", Reason.FILTERED: "content_filter"}
#: The words for errors that OpenAI's client knows.
_CODES: Final = {429: "rate_limit_exceeded", 400: "invalid_prompt"}

_encode = msgspec.json.encode


class ResponsesWriter(Writer):
    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self._id = _identifier("resp_")
        self._created = time.time_ns() // 1_000_000_000
        self._number = 0
        self._begun = False
        self._output: list[dict[str, Any]] = []
        """Items that are done."""
        self._item: dict[str, Any] | None = None
        """The one that is on its way."""
        self._finished = Finished(Reason.STOP)
        self._tokens = Tokens()

    # -- a stream ----------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                return self._say("output_text", text)
            case RefusalDelta(text):
                return self._say("refusal", text)
            case ReasoningDelta():
                return b""  # thoughts go back to who sealed them, and nobody has
            case CallBegun(name):
                return self._begin() + self._end_item() + self._begin_call(name)
            case ArgumentsDelta(text):
                return self._argue(text)
            case Finished():
                self._finished = event
                return b""
            case Used(tokens):
                self._tokens = self._tokens.updated(tokens)
                return b""
            case Failed():
                return self._begin() + self._fail(event)

    def end(self) -> bytes:
        status = "incomplete" if self._finished.reason in _INCOMPLETE else "completed"
        out = self._begin() + self._end_item(status)
        if not self._output:
            out += self._say("output_text", "") + self._end_item(status)
        return out + self._event(f"response.{status}", response=self._response(status, _usage(self._tokens)))

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        begun = self._response("in_progress", None)
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def _say(self, kind: str, text: str) -> bytes:
        out, item = self._begin(), self._item
        if item is None or item["type"] != "message":
            out += self._end_item()
            item = self._item = {
                "id": _identifier("msg_"),
                "type": "message",
                "status": "in_progress",
                "content": [],
                "role": "assistant",
            }
            out += self._event("response.output_item.added", output_index=len(self._output), item=item)
        if not item["content"] or item["content"][-1]["type"] != kind:
            out += self._end_part()
            item["content"].append(_part(kind, ""))
            out += self._event("response.content_part.added", **self._place(), part=_part(kind, ""))
        part = item["content"][-1]
        name = "refusal" if kind == "refusal" else "text"
        part[name] += text
        if not text:
            return out
        more: dict[str, Any] = {} if kind == "refusal" else {"logprobs": []}
        return out + self._event(f"response.{kind}.delta", **self._place(), delta=text, **more)

    def _end_part(self) -> bytes:
        if self._item is None or not self._item.get("content"):
            return b""
        part = self._item["content"][-1]
        if part["type"] == "refusal":
            out = self._event("response.refusal.done", **self._place(), refusal=part["refusal"])
        else:
            out = self._event("response.output_text.done", **self._place(), text=part["text"], logprobs=[])
        return out + self._event("response.content_part.done", **self._place(), part=part)

    def _begin_call(self, name: str) -> bytes:
        self._item = _call_item(Called(name), "in_progress")
        return self._event("response.output_item.added", output_index=len(self._output), item=self._item)

    def _argue(self, text: str) -> bytes:
        if self._item is None or self._item["type"] != "function_call":
            return b""
        self._item["arguments"] += text
        where = {"item_id": self._item["id"], "output_index": len(self._output)}
        return self._event("response.function_call_arguments.delta", **where, delta=text)

    def _end_item(self, status: str = "completed") -> bytes:
        item = self._item
        if item is None:
            return b""
        index = len(self._output)
        if item["type"] == "function_call":
            item["arguments"] = item["arguments"] or "{}"
            done = {"name": item["name"], "arguments": item["arguments"]}
            where = {"item_id": item["id"], "output_index": index}
            out = self._event("response.function_call_arguments.done", **where, **done)
        else:
            out = self._end_part()
        item["status"] = status
        out += self._event("response.output_item.done", output_index=index, item=item)
        self._output.append(item)
        self._item = None
        return out

    def _place(self) -> dict[str, Any]:
        assert self._item is not None
        content = len(self._item["content"]) - 1
        return {"item_id": self._item["id"], "output_index": len(self._output), "content_index": content}

    def _fail(self, failed: Failed) -> bytes:
        error = {"code": _CODES.get(failed.status, "server_error"), "message": failed.message}
        return self._event("response.failed", response={**self._response("failed", None), "error": error})

    def _event(self, kind: str, **members: Any) -> bytes:
        document = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(document))

    # -- one document ------------------------------------------------------------------------------------------------

    def whole(self, said: Said) -> bytes:
        self._finished = said.finished
        status = "incomplete" if said.finished.reason in _INCOMPLETE else "completed"
        for block in said.blocks:
            if isinstance(block, Called):
                self._output.append(_call_item(block, status))
            elif not isinstance(block, ReasoningDelta):
                self._add(block, status)
        if not self._output:
            self._add(TextDelta(""), status)
        return _encode(self._response(status, _usage(said.tokens)))

    def _add(self, block: TextDelta | RefusalDelta, status: str) -> None:
        part = _part("refusal" if isinstance(block, RefusalDelta) else "output_text", block.text)
        if self._output and self._output[-1]["type"] == "message":
            self._output[-1]["content"].append(part)
        else:
            item = {"id": _identifier("msg_"), "type": "message", "status": status, "content": [part]}
            self._output.append({**item, "role": "assistant"})

    def _response(self, status: str, usage: dict[str, Any] | None) -> dict[str, Any]:
        why = _INCOMPLETE.get(self._finished.reason) if status == "incomplete" else None
        asked = {name: raw for name, raw in self.agent.request.items() if name in _ECHOED and is_there(raw)}
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": None if why is None else {"reason": why},
            "model": self.agent.model,
            "output": list(self._output),
            "service_tier": "default",
            "usage": usage,
            **_ECHOED,
            **asked,
        }


def _identifier(prefix: str) -> str:
    return prefix + identifiers.hexadecimal(48)


def _part(kind: str, text: str) -> dict[str, Any]:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _call_item(called: Called, status: str) -> dict[str, Any]:
    whole = status != "in_progress"
    return {
        "id": _identifier("fc_"),
        "type": "function_call",
        "status": status,
        "arguments": (called.arguments or "{}") if whole else "",
        "call_id": identifiers.RESPONSES.fresh(),
        "name": called.name,
    }


def _usage(tokens: Tokens) -> dict[str, Any]:
    """All kinds of tokens, 0 where the provider did not tell."""
    asked, given = tokens.input or 0, tokens.output or 0
    return {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": tokens.cached or 0,
            "cache_write_tokens": tokens.cache_written or 0,
        },
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning or 0},
        "total_tokens": asked + given,
    }
