"""Answers to chat completions, read: whole, and as streams."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from sidecar.translation.chat.calls import Calls
from sidecar.translation.chat.events import (
    Event,
    Failed,
    Finished,
    Reason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Tokens,
    Used,
)
from sidecar.translation.chat.failures import failure_of
from sidecar.translation.chat.losses import is_there
from sidecar.translation.chat.wire import StreamReader
from sidecar.translation.contract import Untranslatable

_DONE: Final = b"[DONE]"
#: Those of OpenAI and Mistral, and what servers that follow them say in their place.
_REASONS: Final = {
    "content_filter": Reason.FILTERED,
    "end_turn": Reason.STOP,
    "eos": Reason.STOP,
    "eos_token": Reason.STOP,
    "function_call": Reason.TOOL_CALLS,
    "length": Reason.LENGTH,
    "max_tokens": Reason.LENGTH,
    "model_length": Reason.LENGTH,
    "stop": Reason.STOP,
    "stop_sequence": Reason.STOP,
    "tool_calls": Reason.TOOL_CALLS,
}
_GIVEN_UP: Final = frozenset(("abort", "error", "insufficient_system_resource", "network_error"))


class _Details(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageFields(Struct):
    """What was used, by the names of chat completions."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None

    @property
    def tokens(self) -> Tokens:
        asked, given = self.prompt_tokens_details or _Details(), self.completion_tokens_details or _Details()
        return Tokens(
            input=self.prompt_tokens,
            cached=asked.cached_tokens,
            cache_written=asked.cache_write_tokens,
            audio_input=asked.audio_tokens,
            output=self.completion_tokens,
            reasoning=given.reasoning_tokens,
            audio_output=given.audio_tokens,
        )


class _Piece(Struct):
    """A part of a content that is a list, as Mistral has it for models that think."""

    type: str = "text"
    text: str | None = None
    thinking: list["_Piece"] | None = None


class _Function(Struct):
    name: str | None = None
    arguments: str | dict[str, Raw] | None = None

    @property
    def json(self) -> str:
        said = self.arguments
        return msgspec.json.encode(said).decode() if isinstance(said, dict) else said or ""


class _Call(Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Message(Struct):
    content: str | list[_Piece] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    index: int | None = None
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Own(Struct):
    usage: UsageFields | None = None
    error: str | None = None


class _Document(Struct):
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    x_groq: _Own | None = None
    error: Raw = Raw()
    object: str | None = None
    message: str | None = None
    detail: Raw = Raw()


_document = msgspec.json.Decoder(_Document).decode


def read_whole(body: bytes) -> list[Event]:
    """
    Raises:
        Untranslatable: it is an error, or no answer.
        any of `sidecar.dialects.documents.UNREADABLE`: it is no JSON of this kind.
    """
    document = _document(body)
    if _failure(document, body) is not None:
        raise Untranslatable("an error came in place of an answer")
    choice = next((choice for choice in document.choices or () if not choice.index), None)
    if choice is None or choice.message is None:
        raise Untranslatable("there is no answer in it")
    calls = Calls()
    events = list(_pieces(choice.message))
    for at, call in enumerate(choice.message.tool_calls or ()):
        function = call.function or _Function()
        events += calls.take(at, function.name or "", function.json)
    events += calls.end()
    events.append(_finished(choice.finish_reason or "stop", called=bool(choice.message.tool_calls)))
    if document.usage is not None:
        events.append(Used(document.usage.tokens))
    return events


class CompletionsReader(StreamReader):
    def __init__(self) -> None:
        super().__init__()
        self._calls = Calls()
        self._keys: dict[int, tuple[int, str]] = {}
        self._called = False

    def take(self, data: bytes) -> list[Event]:
        if data == _DONE:
            self.closed = True
            return self._calls.end()
        document = _document(data)
        if (failed := _failure(document, data)) is not None:
            return [failed]
        events: list[Event] = []
        for choice in document.choices or ():
            if not choice.index:
                events += self._choice(choice)
        own = document.x_groq or _Own()
        for usage in (document.usage, own.usage):
            if usage is not None:
                events.append(Used(usage.tokens))
        return events

    def _choice(self, choice: _Choice) -> list[Event]:
        said = choice.delta or choice.message or _Message()
        events = list(_pieces(said))
        if events:
            events = [*self._calls.end(), *events]
        for call in said.tool_calls or ():
            function = call.function or _Function()
            self._called = True
            events += self._calls.take(self._key(call, function), function.name or "", function.json)
        if choice.finish_reason:
            self.complete = True
            events += self._calls.end()
            events.append(_finished(choice.finish_reason, called=self._called))
        return events

    def _key(self, call: _Call, function: _Function) -> tuple[int, str]:
        """Of the call that a piece belongs to. Some servers give all calls one index, but identifiers of their own."""
        index = call.index or 0
        known = self._keys.get(index)
        if known is None or (call.id and function.name and known[1] and call.id != known[1]):
            known = self._keys[index] = (index, call.id or "")
        return known


def _pieces(said: _Message) -> Iterable[Event]:
    if thought := said.reasoning or said.reasoning_content:
        yield ReasoningDelta(thought)
    if isinstance(said.content, str):
        if said.content:
            yield TextDelta(said.content)
    else:
        for piece in said.content or ():
            for thought_piece in piece.thinking or ():
                if thought_piece.text:
                    yield ReasoningDelta(thought_piece.text)
            if piece.type == "text" and piece.text:
                yield TextDelta(piece.text)
    if said.refusal:
        yield RefusalDelta(said.refusal)


def _finished(reason: str, *, called: bool) -> Event:
    """An end for a reason that is not known (``error``, ``insufficient_system_resource``, …) is no good one."""
    known = _REASONS.get(reason)
    if known is None:
        return failure_of(kind=reason if reason in _GIVEN_UP else "error")
    return Finished(Reason.TOOL_CALLS if called and known is Reason.STOP else known)


def _failure(document: _Document, data: bytes) -> Failed | None:
    if document.x_groq is not None and document.x_groq.error:
        return failure_of(kind=document.x_groq.error)
    if is_there(document.error):
        return failure_of(document.error)
    if document.choices is None and (document.object == "error" or is_there(document.detail)):
        return failure_of(Raw(data))
    return None
