"""What answers in OpenAI's manner say of themselves: whole, in events, and errors."""

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects.family import problem_kind
from sidecar.payload import Answer, Usage

T = TypeVar("T")


class _Details(Struct):
    cached_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None


class UsageFields(Struct):
    """Chat says prompt and completion, all else input and output; transcriptions say ``token`` without an s."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_token_details: _Details | None = None
    seconds: float | None = None
    prompt_audio_seconds: float | None = None


class _Choice(Struct):
    finish_reason: str | None = None


class ErrorFields(Struct):
    code: str | int | None = None
    type: str | None = None
    status: str | int | None = None

    @property
    def kind(self) -> str:
        return telling(self.code, self.type, self.status)


class _Incomplete(Struct):
    reason: str | None = None


class _Response(Struct):
    """The object of the Responses API; in a stream it stands inside an event."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: UsageFields | None = None
    error: ErrorFields | None = None


class _GroqExtra(Struct):
    usage: UsageFields | None = None
    error: str | None = None


class _Document(Struct):
    id: str | None = None
    request_id: str | None = None
    model: str | None = None
    object: str | None = None
    type: str | None = None
    code: str | int | None = None
    error_code: str | None = None
    choices: list[_Choice] | None = None
    usage: UsageFields | None = None
    duration: float | str | None = None
    error: ErrorFields | str | None = None
    detail: Raw = Raw()
    response: _Response | None = None
    x_groq: _GroqExtra | None = None


_response = msgspec.json.Decoder(_Response).decode
_document = msgspec.json.Decoder(_Document).decode


def read_document(document: bytes | Raw) -> Answer:
    said = _document(document)
    if said.response is not None:
        return _of_response(said.response)
    if said.object == "response":
        return _of_response(_response(document))
    if error_type := _error(said):
        return Answer(id=said.id, model=said.model, error_type=error_type)
    reasons = tuple([choice.finish_reason for choice in said.choices or () if choice.finish_reason])
    fields = said.usage or (said.x_groq and said.x_groq.usage)
    usage = read_usage(fields) if fields else None
    if said.duration is not None and (usage is None or usage.audio_seconds is None):
        seconds = _seconds(said.duration)
        usage = Usage(audio_seconds=seconds) if usage is None else msgspec.structs.replace(usage, audio_seconds=seconds)
    return Answer(id=said.id or said.request_id, model=said.model, finish_reasons=reasons, usage=usage)


def read_usage(fields: UsageFields) -> Usage:
    asked = fields.prompt_tokens_details or fields.input_tokens_details or fields.input_token_details
    given = fields.completion_tokens_details or fields.output_tokens_details or fields.output_token_details
    return Usage(
        input_tokens=_first(fields.prompt_tokens, fields.input_tokens),
        output_tokens=_first(fields.completion_tokens, fields.output_tokens),
        cached_input_tokens=asked.cached_tokens if asked else None,
        reasoning_tokens=given.reasoning_tokens if given else None,
        audio_input_tokens=asked.audio_tokens if asked else None,
        audio_output_tokens=given.audio_tokens if given else None,
        audio_seconds=_first(fields.seconds, fields.prompt_audio_seconds),
    )


def _of_response(response: _Response) -> Answer:
    reason = response.incomplete_details.reason if response.incomplete_details else None
    running = response.status in (None, "in_progress", "queued")
    return Answer(
        id=response.id,
        model=response.model,
        finish_reasons=() if running else (reason or str(response.status),),
        usage=read_usage(response.usage) if response.usage else None,
        error_type=response.error.kind if response.error else None,
    )


def _error(said: _Document) -> str | None:
    if said.x_groq and said.x_groq.error:
        return said.x_groq.error
    if isinstance(said.error, ErrorFields):
        return said.error.kind
    if said.error is not None or said.error_code or said.object == "error" or said.type == "error":
        return telling(said.error_code, said.code, said.type)
    return problem_kind(said.detail) if said.detail and said.choices is None and said.id is None else None


def telling(*codes: str | int | None) -> str:
    """The first of an error's codes that is a word, else the first there is, else "error"."""
    found = [str(code) for code in codes if code]
    return next((code for code in found if not code.isdigit()), found[0] if found else "error")


def _seconds(duration: float | str) -> float | None:
    try:
        return float(duration)
    except ValueError:
        return None


def _first(one: T | None, other: T | None) -> T | None:
    return other if one is None else one
