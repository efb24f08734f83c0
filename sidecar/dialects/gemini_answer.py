"""What Gemini's answers say of themselves: content, whole, in events or as one list; decisions; interactions."""

from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects.google_errors import Error
from sidecar.payload import Answer, Usage


class _Modality(Struct):
    modality: str | None = None
    tokenCount: int | None = None
    tokens: int | None = None


class _UsageMetadata(Struct):
    promptTokenCount: int | None = None
    candidatesTokenCount: int | None = None
    responseTokenCount: int | None = None
    thoughtsTokenCount: int | None = None
    cachedContentTokenCount: int | None = None
    promptTokensDetails: list[_Modality] | None = None
    candidatesTokensDetails: list[_Modality] | None = None


class _InteractionUsage(Struct):
    total_input_tokens: int | None = None
    total_output_tokens: int | None = None
    total_thought_tokens: int | None = None
    total_cached_tokens: int | None = None
    input_tokens_by_modality: list[_Modality] | None = None
    output_tokens_by_modality: list[_Modality] | None = None


class _Content(Struct):
    parts: list[Raw] | None = None


class _Candidate(Struct):
    finishReason: str | int | None = None


class _GivenCandidate(Struct):
    finishReason: str | int | None = None
    finish_reason: str | int | None = None
    content: _Content | None = None


class _Feedback(Struct):
    blockReason: str | int | None = None


class _SnakeFeedback(Struct):
    block_reason: str | int | None = None


class _Interaction(Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _InteractionUsage | None = None
    errors: list[Error] | None = None


class _Document(Struct):
    responseId: str | None = None
    modelVersion: str | None = None
    candidates: list[_Candidate] | None = None
    promptFeedback: _Feedback | None = None
    usageMetadata: _UsageMetadata | None = None
    error: Error | None = None
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: _InteractionUsage | None = None
    errors: list[Error] | None = None
    interaction: _Interaction | None = None
    prompt_feedback: _SnakeFeedback | None = None


class _GivenDocument(Struct):
    candidates: list[_GivenCandidate] | None = None
    promptFeedback: _Feedback | None = None
    prompt_feedback: _SnakeFeedback | None = None


_document = msgspec.json.Decoder(_Document).decode
_given = msgspec.json.Decoder(_GivenDocument).decode

#: Reasons for which content was kept back: by policy, not by mistake.
BLOCKED: Final = frozenset(
    (
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    )
)
_LONGEST_REASON = 64


class Given(NamedTuple):
    """What one document of an answer has in it."""

    candidates: bool
    content: bool
    reasons: tuple[str, ...]
    """Why each candidate ended that did."""
    blocked: str | None
    """Why the prompt was not answered."""


def given_by(document: bytes | Raw) -> Given:
    """
    Raises:
        any of `sidecar.dialects.documents.UNREADABLE`: it is no such document.
    """
    said = _given(document)
    candidates = said.candidates or []
    blocked = said.promptFeedback.blockReason if said.promptFeedback else None
    if said.prompt_feedback:
        blocked = said.prompt_feedback.block_reason
    ends = [one.finishReason or one.finish_reason for one in candidates]
    return Given(
        candidates=bool(candidates),
        content=any(one.content is not None and one.content.parts for one in candidates),
        reasons=tuple([str(end)[:_LONGEST_REASON] for end in ends if end]),
        blocked=None if not blocked else str(blocked)[:_LONGEST_REASON],
    )


def read_document(document: bytes | Raw) -> Answer:
    said = _document(document)
    if said.error is not None:
        return Answer(error_type=said.error.kind)
    if (interaction := said.interaction) is not None:
        return _of_interaction(interaction)
    if said.status is not None or said.usage is not None:
        return _of_interaction(_Interaction(said.id, said.model, said.status, said.usage, said.errors))
    blocked = said.promptFeedback.blockReason if said.promptFeedback else None
    if said.prompt_feedback:
        blocked = said.prompt_feedback.block_reason
    return Answer(
        id=said.responseId or said.id,
        model=said.modelVersion or said.model,
        finish_reasons=tuple([str(one.finishReason) for one in said.candidates or () if one.finishReason]),
        usage=_of_metadata(said.usageMetadata) if said.usageMetadata else None,
        error_type=str(blocked) if blocked else None,
    )


def _of_metadata(usage: _UsageMetadata) -> Usage:
    """Thinking is counted apart from what is said; in `Usage` it is part of the output."""
    said = usage.candidatesTokenCount if usage.candidatesTokenCount is not None else usage.responseTokenCount
    return Usage(
        input_tokens=usage.promptTokenCount,
        output_tokens=_sum(said, usage.thoughtsTokenCount),
        cached_input_tokens=usage.cachedContentTokenCount,
        reasoning_tokens=usage.thoughtsTokenCount,
        audio_input_tokens=_audio(usage.promptTokensDetails),
        audio_output_tokens=_audio(usage.candidatesTokensDetails),
    )


def _of_interaction(interaction: _Interaction) -> Answer:
    usage, status = interaction.usage, interaction.status
    counted = usage and Usage(
        input_tokens=usage.total_input_tokens,
        output_tokens=_sum(usage.total_output_tokens, usage.total_thought_tokens),
        cached_input_tokens=usage.total_cached_tokens,
        reasoning_tokens=usage.total_thought_tokens,
        audio_input_tokens=_audio(usage.input_tokens_by_modality),
        audio_output_tokens=_audio(usage.output_tokens_by_modality),
    )
    return Answer(
        id=interaction.id,
        model=interaction.model,
        finish_reasons=() if status in (None, "in_progress", "queued") else (str(status),),
        usage=counted or None,
        error_type=interaction.errors[0].kind if interaction.errors else None,
    )


def _sum(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _audio(details: list[_Modality] | None) -> int | None:
    counts = [one.tokenCount or one.tokens or 0 for one in details or () if (one.modality or "").upper() == "AUDIO"]
    return sum(counts) if counts else None
