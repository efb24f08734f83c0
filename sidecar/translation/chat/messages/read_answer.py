"""Anthropic's messages, read: whole, and as streams of named events."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from sidecar.translation.chat.events import (
    ArgumentsDelta,
    CallBegun,
    Event,
    Failed,
    Finished,
    Reason,
    ReasoningDelta,
    TextDelta,
    Tokens,
    Used,
)
from sidecar.translation.chat.failures import failure_of
from sidecar.translation.chat.losses import is_there
from sidecar.translation.chat.wire import StreamReader
from sidecar.translation.contract import Untranslatable

_REASONS: Final = {
    "end_turn": Reason.STOP,
    "max_tokens": Reason.LENGTH,
    "model_context_window_exceeded": Reason.LENGTH,
    "refusal": Reason.FILTERED,
    "stop_sequence": Reason.STOP,
    "tool_use": Reason.TOOL_CALLS,
}
_EMPTY: Final = (b"", b"null", b"{}")


class _Details(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None

    @property
    def tokens(self) -> Tokens:
        """Anthropic counts what it has cached apart from other input."""
        counted = self.input_tokens
        if counted is not None:
            counted += (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return Tokens(
            input=counted,
            cached=self.cache_read_input_tokens,
            cache_written=self.cache_creation_input_tokens,
            output=self.output_tokens,
            reasoning=self.output_tokens_details.thinking_tokens if self.output_tokens_details else None,
        )

    def updated(self, later: "_Usage") -> "_Usage":
        """Counts in a stream are of all so far; those that have not changed may be left out."""
        changes = {name: value for name in later.__struct_fields__ if (value := getattr(later, name)) is not None}
        return msgspec.structs.replace(self, **changes)


class _Block(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    name: str | None = None
    input: Raw = Raw()
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(Struct):
    type: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


class _Event(Struct):
    type: str = ""
    message: _Message | str | None = None
    content_block: _Block | None = None
    delta: _Block | None = None
    usage: _Usage | None = None
    error: Raw = Raw()


_message = msgspec.json.Decoder(_Message).decode
_event = msgspec.json.Decoder(_Event).decode


def read_whole(body: bytes) -> list[Event]:
    """
    Raises:
        Untranslatable: it is an error, or no answer.
        any of `sidecar.dialects.documents.UNREADABLE`: it is no JSON of this kind.
    """
    message = _message(body)
    if message.type == "error" or is_there(message.error):
        raise Untranslatable("an error came in place of an answer")
    if message.content is None or message.stop_reason is None:
        raise Untranslatable("there is no complete answer in it")
    events: list[Event] = []
    for block in message.content:
        events += _begun(block)
        if block.type == "tool_use":
            events.append(ArgumentsDelta(_json(block.input)))
    events.append(_finished(message.stop_reason, message.stop_sequence))
    return events if message.usage is None else [*events, Used(message.usage.tokens)]


class MessagesReader(StreamReader):
    def __init__(self) -> None:
        super().__init__()
        self._usage = _Usage()
        self._unsaid = ""
        """Arguments that came with a call's beginning, and are all unless pieces of them follow."""

    def take(self, data: bytes) -> list[Event]:
        event = _event(data)
        match event.type:
            case "message_start":
                return self._used(event.message.usage if isinstance(event.message, _Message) else None)
            case "content_block_start" if event.content_block is not None:
                return self._start(event.content_block)
            case "content_block_delta" if event.delta is not None:
                return self._piece(event.delta)
            case "content_block_stop":
                return self._stop()
            case "message_delta":
                return [*self._used(event.usage), *self._end(event.delta or _Block())]
            case "message_stop":
                self.closed = True
            case "error":
                return [failure_of(event.error if is_there(event.error) else data)]
        return []

    def _used(self, usage: _Usage | None) -> list[Event]:
        if usage is None:
            return []
        self._usage = self._usage.updated(usage)
        return [Used(self._usage.tokens)]

    def _start(self, block: _Block) -> list[Event]:
        events = self._stop()
        if block.type == "tool_use":
            self._unsaid = _json(block.input)
        return [*events, *_begun(block)]

    def _piece(self, delta: _Block) -> list[Event]:
        if delta.text:
            return [TextDelta(delta.text)]
        if delta.thinking:
            return [ReasoningDelta(delta.thinking)]
        if delta.partial_json:
            self._unsaid = ""
            return [ArgumentsDelta(delta.partial_json)]
        return []

    def _stop(self) -> list[Event]:
        said, self._unsaid = self._unsaid, ""
        return [ArgumentsDelta(said)] if said else []

    def _end(self, delta: _Block) -> list[Event]:
        if delta.stop_reason is None:
            return []
        self.complete = True
        return [*self._stop(), _finished(delta.stop_reason, delta.stop_sequence)]


def _begun(block: _Block) -> list[Event]:
    if block.type == "text" and block.text:
        return [TextDelta(block.text)]
    if block.type == "thinking" and block.thinking:
        return [ReasoningDelta(block.thinking)]
    return [CallBegun(block.name or "")] if block.type == "tool_use" else []


def _json(raw: Raw) -> str:
    return "{}" if bytes(raw) in _EMPTY else bytes(raw).decode("utf-8", "replace")


def _finished(reason: str, sequence: str | None) -> Finished | Failed:
    """An answer that waits for the provider's own tools (``pause_turn``) is no end, and none was asked for."""
    known = _REASONS.get(reason)
    return failure_of(kind="error") if known is None else Finished(known, sequence)
