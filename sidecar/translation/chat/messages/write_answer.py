"""Anthropic's messages, written: whole, and as streams of named events. Its client drops events without a name."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar.dialects.documents import UNREADABLE
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
from sidecar.translation.chat.wire import Agent, Writer
from sidecar.translation.contract import Untranslatable

_REASONS: Final = {
    Reason.FILTERED: "refusal",
    Reason.LENGTH: "max_tokens",
    Reason.STOP: "end_turn",
    Reason.TOOL_CALLS: "tool_use",
}

_encode = msgspec.json.encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


class MessagesWriter(Writer):
    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self._id = f"msg_01{identifiers.letters(22)}"
        self._begun = False
        self._block: str | None = None
        """The kind of the block that is open."""
        self._index = 0
        self._refused = False
        self._finished = Finished(Reason.STOP)
        self._tokens = Tokens()

    # -- a stream ----------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                self._refused = self._refused or isinstance(event, RefusalDelta)
                out = self._open("text", {"type": "text", "text": "", "citations": None})
                return out + self._delta({"type": "text_delta", "text": text})
            case ReasoningDelta():
                return b""  # thoughts go back to who sealed them, and nobody has
            case CallBegun(name):
                block = {"type": "tool_use", "id": identifiers.ANTHROPIC.fresh(), "name": name, "input": {}}
                return self._open("tool_use", block)
            case ArgumentsDelta(text):
                if self._block != "tool_use":
                    return b""
                return self._delta({"type": "input_json_delta", "partial_json": text})
            case Finished():
                self._finished = event
                return b""
            case Used(tokens):
                self._tokens = self._tokens.updated(tokens)
                return b""
            case Failed():
                phrase = self.agent.dialect.phrase_error(event.status, event.kind, event.message)
                return self._begin() + b"event: error\ndata: %b\n\n" % phrase.body

    def end(self) -> bytes:
        out = self._begin() + self._close()
        reason, sequence = _stop_reason(self._finished, refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        out += _event("message_delta", delta=delta, usage=_usage(self._tokens))
        return out + _event("message_stop")

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        usage = {**_usage(self._tokens), "output_tokens": 1}
        return _event("message_start", message=self._message([], None, None, usage))

    def _open(self, kind: str, block: dict[str, Any]) -> bytes:
        out = self._begin()
        if self._block == kind and kind == "text":
            return out
        out += self._close()
        self._block = kind
        return out + _event("content_block_start", index=self._index, content_block=block)

    def _close(self) -> bytes:
        if self._block is None:
            return b""
        self._block = None
        self._index += 1
        return _event("content_block_stop", index=self._index - 1)

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    # -- one document ------------------------------------------------------------------------------------------------

    def whole(self, said: Said) -> bytes:
        """
        Raises:
            Untranslatable: the arguments of a call are no JSON object.
        """
        content: list[dict[str, Any]] = []
        for block in said.blocks:
            if isinstance(block, Called):
                content.append(_tool_use(block))
            elif not isinstance(block, ReasoningDelta):
                content.append({"type": "text", "text": block.text, "citations": None})
        reason, sequence = _stop_reason(said.finished, refused=bool(said.refusal))
        return _encode(self._message(content, reason, sequence, _usage(said.tokens)))

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, sequence: str | None, usage: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self.agent.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": usage,
        }


def _tool_use(called: Called) -> dict[str, Any]:
    try:
        given = _object((called.arguments.strip() or "{}").encode())
    except UNREADABLE:
        raise Untranslatable("the arguments of a call are no JSON object") from None
    return {"type": "tool_use", "id": identifiers.ANTHROPIC.fresh(), "name": called.name, "input": given}


def _stop_reason(finished: Finished, *, refused: bool) -> tuple[str, str | None]:
    if refused and finished.reason is Reason.STOP:
        return "refusal", None
    if finished.reason is Reason.STOP and finished.stop_sequence is not None:
        return "stop_sequence", finished.stop_sequence
    return _REASONS[finished.reason], None


def _usage(tokens: Tokens) -> dict[str, Any]:
    """What was cached is counted apart from other input; 0 where the provider did not tell."""
    cached, written = tokens.cached or 0, tokens.cache_written or 0
    thought = {} if tokens.reasoning is None else {"output_tokens_details": {"thinking_tokens": tokens.reasoning}}
    return {
        "input_tokens": max((tokens.input or 0) - cached - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": tokens.output or 0,
        **thought,
    }


def _event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode({"type": kind, **members}))
