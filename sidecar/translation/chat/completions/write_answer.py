"""Answers to chat completions, written: whole, and as streams."""

import time
from typing import Any, Final

import msgspec

from sidecar.errors import UpstreamBroken
from sidecar.translation.chat import identifiers
from sidecar.translation.chat.completions.styles import style_of
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
from sidecar.translation.chat.wire import Agent, Writer

_DONE: Final = b"data: [DONE]\n\n"
_REASONS: Final = {
    Reason.FILTERED: "content_filter",
    Reason.LENGTH: "length",
    Reason.STOP: "stop",
    Reason.TOOL_CALLS: "tool_calls",
}

_encode = msgspec.json.encode


class CompletionsWriter(Writer):
    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self._style = style_of(agent.family)
        self._id = _identifier(agent.family)
        self._created = time.time_ns() // 1_000_000_000
        self._mistral = agent.family == "mistral"
        self._begun = False
        self._calls = 0
        self._finished = Finished(Reason.STOP)
        self._tokens = Tokens()
        self._whole: Called | None = None
        """The call that has begun, for a client that takes only whole ones."""

    # -- a stream ----------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                return self._end_call() + self._delta({"content": text})
            case ReasoningDelta(text):
                return self._end_call() + self._thought(text)
            case RefusalDelta(text):
                return self._end_call() + self._delta({"content" if self._style.own_messages else "refusal": text})
            case CallBegun(name):
                return self._end_call() + self._begin_call(name)
            case ArgumentsDelta(text):
                if self._whole is not None:
                    self._whole.arguments += text
                    return b""
                return self._delta({"tool_calls": [{"index": self._calls - 1, "function": {"arguments": text}}]})
            case Finished():
                self._finished = event
                return b""
            case Used(tokens):
                self._tokens = self._tokens.updated(tokens)
                return b""
            case Failed():
                return self._failure(event)

    def end(self) -> bytes:
        style, usage = self._style, _usage(self._tokens)
        out = self._end_call() + (b"" if self._begun else self._delta({}))
        last: dict[str, Any] = {}
        if style.usage == "last":
            last = {"usage": usage}
        elif style.usage == "x_groq":
            last = {"x_groq": {"id": f"req_{identifiers.letters(26)}", "usage": usage}}
        out += self._chunk({}, _REASONS[self._finished.reason], last)
        if style.usage == "asked" and self.agent.usage:
            out += _event({**self._envelope("chat.completion.chunk"), "choices": [], "usage": usage})
        return out + _DONE

    def _thought(self, text: str) -> bytes:
        """OpenAI never shows what a model thinks here."""
        if not self.agent.thoughts:
            return b""
        if self._mistral:
            return self._delta({"content": [_thinking(text)]})
        return self._delta({"reasoning": text})

    def _begin_call(self, name: str) -> bytes:
        if self._mistral:
            self._whole = Called(name)
            return b""
        call = {
            "index": self._calls,
            "id": self._style.call_ids.fresh(),
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        self._calls += 1
        return self._delta({"tool_calls": [call]}, {"content": None})

    def _end_call(self) -> bytes:
        called, self._whole = self._whole, None
        if called is None:
            return b""
        call = {**self._call(called), "index": self._calls}
        self._calls += 1
        return self._delta({"tool_calls": [call]})

    def _delta(self, delta: dict[str, Any], first: dict[str, Any] | None = None) -> bytes:
        """A chunk with *delta*; before it, if it is the first, one that begins the message."""
        if self._begun:
            return self._chunk(delta)
        self._begun = True
        opening = {"role": "assistant", "content": "", **(first or {})}
        if not self._style.own_messages:
            opening["refusal"] = None
        return self._chunk(opening) + (self._chunk(delta) if delta else b"")

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, extra: dict[str, Any] | None = None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        if not self._mistral:
            choice["logprobs"] = None
        told = {"usage": None} if self._style.usage == "asked" and self.agent.usage else {}
        envelope = self._envelope("chat.completion.chunk")
        return _event({**envelope, "choices": [choice], **told, **(extra or {})})

    def _failure(self, failed: Failed) -> bytes:
        """
        Raises:
            UpstreamBroken: Mistral's client knows no errors in streams.
        """
        if self._mistral:
            raise UpstreamBroken(f"the provider gave up in the middle of its answer: {failed.kind}", begun=True)
        phrase = self.agent.dialect.phrase_error(failed.status, failed.kind, failed.message)
        return b"data: %b\n\n" % phrase.body

    # -- one document ------------------------------------------------------------------------------------------------

    def whole(self, said: Said) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
        if self._style.own_messages:
            message["content"] = (said.text + said.refusal) or (None if said.calls and not self._mistral else "")
        else:
            message |= {"refusal": said.refusal or None, "annotations": []}
            if not said.calls and not said.refusal:
                message["content"] = said.text
        if said.reasoning and self.agent.thoughts:
            if self._mistral:
                message["content"] = [_thinking(said.reasoning), {"type": "text", "text": message["content"]}]
            else:
                message["reasoning"] = said.reasoning
        if said.calls:
            message["tool_calls"] = [self._call(call) for call in said.calls]
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": _REASONS[said.finished.reason]}
        if not self._mistral:
            choice["logprobs"] = None
        answer = {**self._envelope("chat.completion"), "choices": [choice], "usage": _usage(said.tokens)}
        if self.agent.family == "groq":
            answer["x_groq"] = {"id": f"req_{identifiers.letters(26)}"}
        return _encode(answer)

    def _call(self, called: Called) -> dict[str, Any]:
        function = {"name": called.name, "arguments": called.arguments or "{}"}
        return {"id": self._style.call_ids.fresh(), "type": "function", "function": function}

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self.agent.model}


def _identifier(family: str) -> str:
    if family == "mistral":
        return identifiers.hexadecimal(32)
    return f"chatcmpl-{identifiers.letters(29)}"


def _thinking(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _usage(tokens: Tokens) -> dict[str, Any]:
    """All kinds of tokens, 0 where the provider did not tell."""
    asked, given = tokens.input or 0, tokens.output or 0
    return {
        "prompt_tokens": asked,
        "completion_tokens": given,
        "total_tokens": asked + given,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached or 0,
            "cache_write_tokens": tokens.cache_written or 0,
            "audio_tokens": tokens.audio_input or 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning or 0,
            "audio_tokens": tokens.audio_output or 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _event(document: object) -> bytes:
    return b"data: %b\n\n" % _encode(document)
