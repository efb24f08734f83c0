"""Gemini's answers, read: whole, and as streams of chunks that are each an answer."""

import re
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
    "BLOCKLIST": Reason.FILTERED,
    "CONTINUATION": Reason.LENGTH,
    "ESCALATION": Reason.FILTERED,
    "IMAGE_PROHIBITED_CONTENT": Reason.FILTERED,
    "IMAGE_SAFETY": Reason.FILTERED,
    "LANGUAGE": Reason.FILTERED,
    "MAX_TOKENS": Reason.LENGTH,
    "MODEL_ARMOR": Reason.FILTERED,
    "PROHIBITED_CONTENT": Reason.FILTERED,
    "RECITATION": Reason.FILTERED,
    "SAFETY": Reason.FILTERED,
    "SPII": Reason.FILTERED,
    "STOP": Reason.STOP,
}
_WORD: Final = re.compile(r"[A-Z_]{1,40}")


class _Modality(Struct):
    modality: str | None = None
    tokenCount: int | None = None


class _Usage(Struct):
    promptTokenCount: int | None = None
    toolUsePromptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    promptTokensDetails: list[_Modality] | None = None
    candidatesTokensDetails: list[_Modality] | None = None

    @property
    def tokens(self) -> Tokens:
        """Gemini counts thoughts apart from what is said."""
        said, thought = self.candidatesTokenCount, self.thoughtsTokenCount
        return Tokens(
            input=self.promptTokenCount,
            cached=self.cachedContentTokenCount,
            audio_input=_audio(self.promptTokensDetails),
            output=None if said is None and thought is None else (said or 0) + (thought or 0),
            reasoning=thought,
            audio_output=_audio(self.candidatesTokensDetails),
        )


class _Call(Struct):
    name: str | None = None
    args: Raw = Raw()


class _Part(Struct):
    text: str | None = None
    thought: bool | None = None
    functionCall: _Call | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct):
    index: int | None = None
    content: _Content | None = None
    finishReason: str | int | None = None


class _Feedback(Struct):
    blockReason: str | None = None


class _Document(Struct):
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: _Usage | None = None
    error: Raw = Raw()


_document = msgspec.json.Decoder(_Document).decode
_documents = msgspec.json.Decoder(list[Raw]).decode


def read_whole(body: bytes) -> list[Event]:
    """One answer, or a list of those that together are one.

    Raises:
        Untranslatable: it is an error, or no complete answer.
        any of `sidecar.dialects.documents.UNREADABLE`: it is no JSON of this kind.
    """
    reader = GeminiReader()
    events: list[Event] = []
    for document in _documents(body) if body.lstrip()[:1] == b"[" else [Raw(body)]:
        events += reader.take(bytes(document))
    if any(isinstance(event, Failed) for event in events):
        raise Untranslatable("an error came in place of an answer")
    if not reader.complete:
        raise Untranslatable("there is no complete answer in it")
    return events


class GeminiReader(StreamReader):
    def __init__(self) -> None:
        super().__init__()
        self._called = False

    def take(self, data: bytes) -> list[Event]:
        document = _document(data)
        if is_there(document.error):
            return [failure_of(document.error)]
        events: list[Event] = []
        if document.usageMetadata is not None:
            events.append(Used(document.usageMetadata.tokens))
        for candidate in document.candidates or ():
            if not candidate.index:
                events += self._candidate(candidate)
        if document.promptFeedback is not None and document.promptFeedback.blockReason:
            self.complete = True
            events.append(Finished(Reason.FILTERED))
        return events

    def _candidate(self, candidate: _Candidate) -> list[Event]:
        events: list[Event] = []
        for part in (candidate.content and candidate.content.parts) or ():
            if part.text:
                events.append(ReasoningDelta(part.text) if part.thought else TextDelta(part.text))
            if (call := part.functionCall) is not None:
                self._called = True
                given = bytes(call.args).decode("utf-8", "replace") if is_there(call.args) else "{}"
                events += (CallBegun(call.name or ""), ArgumentsDelta(given))
        if (reason := candidate.finishReason) and reason != "FINISH_REASON_UNSPECIFIED":
            known = _REASONS.get(str(reason))
            if known is None:  # it called nonsense, or gave up otherwise
                return [*events, failure_of(kind=str(reason).lower() if _WORD.fullmatch(str(reason)) else "error")]
            self.complete = True
            known = Reason.TOOL_CALLS if self._called and known is Reason.STOP else known
            events.append(Finished(known))
        return events


def _audio(details: list[_Modality] | None) -> int | None:
    counts = [each.tokenCount or 0 for each in details or () if (each.modality or "").upper() == "AUDIO"]
    return sum(counts) if counts else None
