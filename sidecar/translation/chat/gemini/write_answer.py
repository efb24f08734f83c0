"""Gemini's answers, written: whole, as events, and as a list."""

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
from sidecar.translation.chat.gemini.fields import FOREIGN_SIGNATURE, wants_signatures
from sidecar.translation.chat.wire import Agent, Writer

_REASONS: Final = {
    Reason.FILTERED: "SAFETY",
    Reason.LENGTH: "MAX_TOKENS",
    Reason.STOP: "STOP",
    Reason.TOOL_CALLS: "STOP",
}
_MALFORMED: Final = "MALFORMED_FUNCTION_CALL"

_encode = msgspec.json.encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


class GeminiWriter(Writer):
    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        self.whole_type = "application/json; charset=UTF-8"
        self.stream_type = self.whole_type if agent.listed else "text/event-stream"
        self._id = identifiers.letters(22)
        self._begun = False
        self._call: Called | None = None
        """The one that has begun: Gemini's calls come whole."""
        self._called = 0
        self._malformed = False
        self._finished = Finished(Reason.STOP)
        self._tokens = Tokens()

    # -- a stream ----------------------------------------------------------------------------------------------------

    def write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                return self._end_call() + self._chunk([{"text": text}])
            case ReasoningDelta(text):
                thought = self._chunk([{"text": text, "thought": True}]) if self.agent.thoughts else b""
                return self._end_call() + thought
            case CallBegun(name):
                out = self._end_call()
                self._call = Called(name)
                return out
            case ArgumentsDelta(text):
                if self._call is not None:
                    self._call.arguments += text
                return b""
            case Finished():
                self._finished = event
                return b""
            case Used(tokens):
                self._tokens = self._tokens.updated(tokens)
                return b""
            case Failed():
                phrase = self.agent.dialect.phrase_error(event.status, event.kind, event.message)
                return self._framed(phrase.body) + (b"]" if self.agent.listed else b"")

    def end(self) -> bytes:
        out = self._end_call()
        parts: list[dict[str, Any]] = [] if self._called else [{"text": ""}]
        out += self._chunk(parts, self._reason(self._finished))
        return out + (b"]" if self.agent.listed else b"")

    def _end_call(self) -> bytes:
        called, self._call = self._call, None
        part = None if called is None else self._part(called)
        return b"" if part is None else self._chunk([part])

    def _chunk(self, parts: list[dict[str, Any]], reason: str | None = None) -> bytes:
        return self._framed(_encode(self._answer(parts, reason, self._tokens)))

    def _framed(self, document: bytes) -> bytes:
        if not self.agent.listed:
            return b"data: %b\r\n\r\n" % document
        opening, self._begun = (b",\r\n" if self._begun else b"["), True
        return opening + document

    # -- one document ------------------------------------------------------------------------------------------------

    def whole(self, said: Said) -> bytes:
        parts: list[dict[str, Any]] = []
        for block in said.blocks:
            if isinstance(block, Called):
                part = self._part(block)
                parts += [] if part is None else [part]
            elif not isinstance(block, ReasoningDelta):
                parts.append({"text": block.text})
            elif self.agent.thoughts:
                parts.append({"text": block.text, "thought": True})
        return _encode(self._answer(parts, self._reason(said.finished), said.tokens))

    def _part(self, called: Called) -> dict[str, Any] | None:
        """A call as a part; None where the model has written no JSON object, for which Gemini has a reason to end."""
        try:
            given = _object((called.arguments.strip() or "{}").encode())
        except UNREADABLE:
            self._malformed = True
            return None
        named = {} if self.agent.is_vertex else {"id": identifiers.GEMINI.fresh()}
        part: dict[str, Any] = {"functionCall": {**named, "name": called.name, "args": given}}
        self._called += 1
        if self._called == 1 and wants_signatures(self.agent.model):
            part["thoughtSignature"] = FOREIGN_SIGNATURE
        return part

    def _reason(self, finished: Finished) -> str:
        return _MALFORMED if self._malformed else _REASONS[finished.reason]

    def _answer(self, parts: list[dict[str, Any]], reason: str | None, tokens: Tokens) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if reason is not None:
            candidate["finishReason"] = reason
        return {
            "candidates": [candidate],
            "usageMetadata": _usage(tokens),
            "modelVersion": self.agent.model,
            "responseId": self._id,
        }


def _usage(tokens: Tokens) -> dict[str, Any]:
    """Thoughts are counted apart from what is said; what the provider did not tell is left out."""
    thought = tokens.reasoning or 0
    counts = {
        "promptTokenCount": tokens.input or 0,
        "candidatesTokenCount": max((tokens.output or 0) - thought, 0),
        "totalTokenCount": (tokens.input or 0) + (tokens.output or 0),
    }
    if tokens.cached:
        counts["cachedContentTokenCount"] = tokens.cached
    if thought:
        counts["thoughtsTokenCount"] = thought
    return counts
