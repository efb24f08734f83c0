"""OpenAI's responses, read: whole, and as streams of typed events."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from sidecar.translation.chat.calls import Calls
from sidecar.translation.chat.events import (
    Event,
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

_ENDS: Final = frozenset(("response.completed", "response.incomplete"))
_FAILURES: Final = frozenset(("error", "response.failed", "response.cancelled"))


class _Details(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    input_tokens_details: _Details | None = None
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None

    @property
    def tokens(self) -> Tokens:
        asked, given = self.input_tokens_details or _Details(), self.output_tokens_details or _Details()
        return Tokens(
            input=self.input_tokens,
            cached=asked.cached_tokens,
            cache_written=asked.cache_write_tokens,
            output=self.output_tokens,
            reasoning=given.reasoning_tokens,
        )


class _Part(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(Struct):
    type: str = ""
    name: str | None = None
    arguments: str | None = None
    content: list[_Part] | None = None
    summary: list[_Part] | None = None


class _Incomplete(Struct):
    reason: str | None = None


class _Response(Struct):
    status: str | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None
    error: Raw = Raw()
    incomplete_details: _Incomplete | None = None


class _Event(Struct):
    type: str = ""
    delta: str | None = None
    arguments: str | None = None
    output_index: int = 0
    item: _Item | None = None
    response: _Response | None = None
    error: Raw = Raw()


_response = msgspec.json.Decoder(_Response).decode
_event = msgspec.json.Decoder(_Event).decode


def read_whole(body: bytes) -> list[Event]:
    """
    Raises:
        Untranslatable: it is an error, or no complete answer.
        any of `sidecar.dialects.documents.UNREADABLE`: it is no JSON of this kind.
    """
    response = _response(body)
    if is_there(response.error) or response.status == "failed":
        raise Untranslatable("an error came in place of an answer")
    if response.output is None or response.status not in ("completed", "incomplete"):
        raise Untranslatable("there is no complete answer in it")
    events: list[Event] = []
    for item in response.output:
        events += _whole_item(item)
    return [*events, *_ended(response, called=any(item.type == "function_call" for item in response.output))]


def _whole_item(item: _Item) -> Iterable[Event]:
    if item.type == "function_call":
        calls = Calls()
        yield from calls.take(0, item.name or "", item.arguments or "")
        yield from calls.end()
    for part in item.summary or ():
        if part.text:
            yield ReasoningDelta(part.text)
    for part in item.content or ():
        if part.refusal:
            yield RefusalDelta(part.refusal)
        elif part.text:
            yield ReasoningDelta(part.text) if part.type == "reasoning_text" else TextDelta(part.text)


def _ended(response: _Response, *, called: bool) -> list[Event]:
    reason = Reason.TOOL_CALLS if called else Reason.STOP
    if response.status == "incomplete":
        why = response.incomplete_details and response.incomplete_details.reason
        reason = Reason.FILTERED if why == "content_filter" else Reason.LENGTH
    ended: list[Event] = [Finished(reason)]
    return ended if response.usage is None else [*ended, Used(response.usage.tokens)]


class ResponsesReader(StreamReader):
    def __init__(self) -> None:
        super().__init__()
        self._calls = Calls()
        self._with_arguments: set[int] = set()
        self._called = False

    def take(self, data: bytes) -> list[Event]:
        event = _event(data)
        if event.type in _FAILURES or is_there(event.error):
            error = event.response.error if event.response is not None else event.error
            return [failure_of(error if is_there(error) else data)]
        if event.type in _ENDS:
            self.complete = self.closed = True
            response = event.response or _Response()
            response.status = event.type.removeprefix("response.")
            return [*self._calls.end(), *_ended(response, called=self._called)]
        return self._piece(event)

    def _piece(self, event: _Event) -> list[Event]:
        delta, index = event.delta or "", event.output_index
        match event.type:
            case "response.output_text.delta" if delta:
                return [*self._calls.end(), TextDelta(delta)]
            case "response.refusal.delta" if delta:
                return [*self._calls.end(), RefusalDelta(delta)]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" if delta:
                return [*self._calls.end(), ReasoningDelta(delta)]
            case "response.function_call_arguments.delta" if delta:
                self._with_arguments.add(index)
                return self._calls.take(index, "", delta)
            case "response.function_call_arguments.done":
                return self._rest(index, "", event.arguments)
            case "response.output_item.added" | "response.output_item.done" if event.item is not None:
                if event.item.type == "function_call":
                    self._called = True
                    return self._rest(index, event.item.name or "", event.item.arguments)
        return []

    def _rest(self, index: int, name: str, arguments: str | None) -> list[Event]:
        """A call as far as it is known, of which no pieces may have come."""
        if index in self._with_arguments:
            return self._calls.take(index, name, "")
        if arguments:
            self._with_arguments.add(index)
        return self._calls.take(index, name, arguments or "")
