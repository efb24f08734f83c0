"""Anthropic: the Messages API, and the door it keeps open for clients of OpenAI's."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.error_kinds import Kinds, Rules
from sidecar.dialects.family import Asked, Family, Reader, given, phrase
from sidecar.dialects.openai_answer import read_document
from sidecar.dialects.openai_chat import read_chat
from sidecar.dialects.openai_family import Routes, routes
from sidecar.failure import Kind
from sidecar.payload import Answer, Chat, Message, Tool, Turns, Usage

_MESSAGES = Call(operation=Operation.CHAT, endpoint="messages", route="/v1/messages")
_COMPATIBLE = routes("/v1", {"chat/completions": (Operation.CHAT, "chat.completions")}, {})

_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_KINDS: Kinds = {
    # of 429s, those that no waiting of minutes helps; without Retry-After
    (None, "contract_spend_limit_reached"): Kind.QUOTA,
    (None, "enforced_spend_limit_reached"): Kind.QUOTA,
    (None, "ramp_limit_exceeded"): Kind.RATE,
    # of 400s, those that are not the request's fault
    (None, "organization_on_hold"): Kind.AUTH,
    (None, "claude_code_key_creator_not_member"): Kind.AUTH,
    (None, "cmek_key_disabled"): Kind.AUTH,
    (None, "cmek_key_network_blocked"): Kind.AUTH,
    (None, "user_profile_not_found"): Kind.AUTH,
    (None, "user_profile_required"): Kind.AUTH,
    (None, "image_dimensions_too_large"): Kind.UNSUPPORTED,
    (None, "available_tools_limit_exceeded"): Kind.UNSUPPORTED,
    (None, "organization_not_enrolled_in_beta"): Kind.UNSUPPORTED,
    (None, "organization_type_not_supported"): Kind.UNSUPPORTED,
    (None, "request_body_encoding_unsupported"): Kind.UNSUPPORTED,
    (None, "thread_unsupported_request"): Kind.UNSUPPORTED,
    (None, "request_body_timeout"): Kind.TIMEOUT,
    (None, "compaction_unavailable"): Kind.OVERLOADED,
}
# These come as invalid requests without a code of their own.
_PHRASES = (
    (400, "credit balance is too low", Kind.QUOTA),
    (400, "api usage limits", Kind.QUOTA),
    (400, "prompt is too long", Kind.UNSUPPORTED),
    (400, "content filtering policy", Kind.REFUSED),
)
_REFUSALS = {
    Kind.RATE: (429, ""),
    Kind.CONCURRENCY: (429, ""),
    Kind.QUOTA: (402, ""),
    Kind.AUTH: (401, ""),
    Kind.INVALID: (400, ""),
    Kind.UNSUPPORTED: (400, ""),
    Kind.REFUSED: (400, "content_policy_violation"),
    Kind.OVERLOADED: (529, ""),
    Kind.SERVER: (500, ""),
    Kind.TIMEOUT: (504, ""),
    Kind.NETWORK: (502, ""),
}
_PART_KINDS = {
    "container_upload": "file",
    "document": "file",
    "redacted_thinking": "thinking",
    "server_tool_use": "tool_call",
    "tool_use": "tool_call",
}


class _Block(Struct):
    type: str = "text"
    text: str | None = None
    content: Raw = Raw()

    @property
    def kind(self) -> str:
        return "tool_result" if self.type.endswith("tool_result") else _PART_KINDS.get(self.type, self.type)


class _Turn(Struct):
    role: str = ""
    content: str | list[_Block] | None = None


class _Tool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = Raw()


class _Choice(Struct):
    type: str | None = None
    name: str | None = None


class _Format(Struct):
    type: str | None = None
    schema: Raw = Raw()


class _OutputConfig(Struct):
    format: _Format | None = None


class _Request(Struct):
    model: str | None = None
    messages: list[Raw] | None = None
    system: str | list[_Block] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _Choice | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    max_tokens: int | float | None = None
    temperature: float | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None


_request = msgspec.json.Decoder(_Request).decode
_turn = msgspec.json.Decoder(_Turn).decode
_content = msgspec.json.Decoder(str | list[_Block] | None).decode


def _read_messages(asked: Asked) -> Chat:
    request = _request(asked.json)
    output = (request.output_config and request.output_config.format) or request.output_format
    return Chat(
        model=request.model,
        read_turns=partial(_read_turns, request),
        tools=tuple([_read_tool(tool) for tool in request.tools or ()]),
        tool_choice=_read_choice(request.tool_choice),
        output_schema=given(output.schema) if output else None,
        json_output=output is not None and output.type == "json_schema",
        max_output_tokens=None if request.max_tokens is None else int(request.max_tokens),
        temperature=request.temperature,
        stream=bool(request.stream),
        stop=tuple(request.stop_sequences or ()),
    )


def _read_turns(request: _Request) -> Turns:
    messages = tuple([_read_turn(raw) for raw in request.messages or ()])
    instructions = [_text(request.system), *[message.text for message in messages if message.role == "system"]]
    others = tuple([message for message in messages if message.role != "system"])
    return others, "\n".join([text for text in instructions if text])


def _read_turn(raw: Raw) -> Message:
    """A turn that does nothing but hand over what tools gave is the tools', not the user's."""
    try:
        turn = _turn(raw)
    except UNREADABLE:
        return Message(role="", raw=raw)
    content = turn.content
    if isinstance(content, str):
        return Message(role=turn.role, text=content, raw=raw, parts=("text",))
    parts = tuple([block.kind for block in content or ()])
    if parts and all(kind == "tool_result" for kind in parts):
        results = "\n".join([_text(_content(block.content or Raw(b"null"))) for block in content or ()])
        return Message(role="tool", text=results, raw=raw, parts=parts)
    return Message(role=turn.role, text=_text(content), raw=raw, parts=parts)


def _text(content: str | list[_Block] | None) -> str:
    if isinstance(content, str):
        return content
    return "\n".join([block.text for block in content or () if block.text])


def _read_tool(tool: _Tool) -> Tool:
    name = tool.name if tool.type in (None, "custom") else tool.type
    return Tool(name=name or "", description=tool.description or "", parameters=given(tool.input_schema))


def _read_choice(choice: _Choice | None) -> str | None:
    return None if choice is None else choice.name or ("required" if choice.type == "any" else choice.type)


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Details(Struct):
    error_code: str | None = None


class _Error(Struct):
    type: str | None = None
    details: _Details | None = None


class _Delta(Struct):
    stop_reason: str | None = None


class _Document(Struct):
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    message: "_Document | str | None" = None
    delta: _Delta | None = None
    error: _Error | None = None


_document = msgspec.json.Decoder(_Document).decode


def _read_document(said: _Document) -> Answer:
    if said.error is not None:
        code = said.error.details and said.error.details.error_code
        return Answer(error_type=code or said.error.type or "error")
    if isinstance(said.message, _Document):
        return _read_document(said.message)
    reason = said.stop_reason or (said.delta and said.delta.stop_reason)
    usage = _read_usage(said.usage) if said.usage else None
    return Answer(id=said.id, model=said.model, finish_reasons=(reason,) if reason else (), usage=usage)


def _read_usage(usage: _Usage) -> Usage:
    """Anthropic counts cached input apart from other input; in `Usage` it is part of it."""
    counted = usage.input_tokens
    if counted is not None:
        counted += (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return Usage(
        input_tokens=counted,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cache_read_input_tokens,
        reasoning_tokens=usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None,
    )


class Anthropic(Family):
    name: ClassVar[str] = "anthropic"
    system: ClassVar[str] = "anthropic"
    # Clients from 2.0 on send a bearer token instead; this is what every version of the API takes.
    credential_header: ClassVar[str] = "x-api-key"
    credential_format: ClassVar[str] = "{}"
    heeds_should_retry: ClassVar[bool] = True
    rules: ClassVar[Rules] = Rules(phrases=_PHRASES, kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS
    readers: ClassVar[Mapping[str, Reader]] = {"messages": _read_messages, "chat.completions": read_chat}
    exact: ClassVar[Routes] = {("POST", _MESSAGES.route): _MESSAGES, **_COMPATIBLE}

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        return self.exact.get((method, path))

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        return _read_document(_document(document)) if call.endpoint == "messages" else read_document(document)

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        default = "api_error" if status >= 500 else "invalid_request_error"
        error = {"type": _ERROR_TYPES.get(status, default), "message": message, "details": {"error_code": kind}}
        return phrase(status, {"type": "error", "error": error, "request_id": None})


DIALECT = Anthropic()
