"""Requests to Gemini. Its own SDK mixes camelCase and snake_case in one body, so both are read everywhere."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.family import Asked, given
from sidecar.dialects.members import Members
from sidecar.dialects.openai_chat import turns
from sidecar.payload import Chat, Message, Tool

_ROLES = {"model": "assistant", "function": "tool", None: "user"}
_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_JSON_TYPES = ("application/json", "text/x.enum")


class _Blob(Struct):
    mimeType: str | None = None
    mime_type: str | None = None

    @property
    def kind(self) -> str:
        kind = (self.mimeType or self.mime_type or "").partition("/")[0]
        return kind if kind in ("audio", "image", "video") else "file"


class _Part(Struct):
    text: str | None = None
    thought: bool | None = None
    inlineData: _Blob | None = None
    inline_data: _Blob | None = None
    fileData: _Blob | None = None
    file_data: _Blob | None = None
    functionCall: Raw = Raw()
    function_call: Raw = Raw()
    functionResponse: Raw = Raw()
    function_response: Raw = Raw()

    @property
    def kind(self) -> str:
        if self.text is not None:
            return "thinking" if self.thought else "text"
        blob = self.inlineData or self.inline_data or self.fileData or self.file_data
        if blob is not None:
            return blob.kind
        if self.functionCall or self.function_call:
            return "tool_call"
        return "tool_result" if self.functionResponse or self.function_response else "other"


class _Content(Struct):
    role: str | None = None
    parts: list[_Part] | _Part | None = None


class _Step(Struct):
    """An item of an interaction's input: a turn, or a piece of content of the user's."""

    type: str = "text"
    role: str | None = None
    text: str | None = None
    content: Raw = Raw()


_content = msgspec.json.Decoder(_Content).decode
_contents = msgspec.json.Decoder(list[Raw]).decode
_step = msgspec.json.Decoder(_Step).decode
_steps = msgspec.json.Decoder(list[_Step]).decode
_text_or_content = msgspec.json.Decoder(str | _Content | None).decode
_text = msgspec.json.Decoder(str).decode
_choice = msgspec.json.Decoder(str | dict[str, Raw] | None).decode


def read_content(asked: Asked) -> Chat:
    request = members.camel(asked.json)
    config = members.inner(request, "generationConfig")
    calling = members.inner(members.inner(request, "toolConfig"), "functionCallingConfig")
    allowed = members.texts(calling, "allowedFunctionNames")
    mode = members.text(calling, "mode")
    return Chat(
        model=asked.call.model,
        read_turns=lambda: (
            tuple([_read_turn(raw) for raw in _listed(request.get("contents"))]),
            _instruction(request),
        ),
        tools=tuple([tool for raw in _listed(request.get("tools")) for tool in _read_tools(raw)]),
        tool_choice=allowed[0] if mode == "ANY" and len(allowed) == 1 else mode and _MODES.get(mode, mode),
        output_schema=_schema(config, "responseJsonSchema", "ResponseJsonSchema", "responseSchema"),
        json_output=members.text(config, "responseMimeType") in _JSON_TYPES,
        max_output_tokens=members.integer(config, "maxOutputTokens"),
        temperature=members.number(config, "temperature"),
        stream=asked.call.stream,
        stop=members.texts(config, "stopSequences"),
    )


def read_interaction(asked: Asked) -> Chat:
    request = members.camel(asked.json)
    config = members.inner(request, "generationConfig")
    form = _first_object(request.get("responseFormat"))
    choice = _choice(config.get("toolChoice", Raw(b"null")))
    return Chat(
        model=members.text(request, "model") or members.text(request, "agent"),
        read_turns=lambda: (_read_input(request.get("input")), _instruction(request)),
        tools=tuple([_read_tool(members.camel(raw)) for raw in _listed(request.get("tools"))]),
        tool_choice=choice if isinstance(choice, str) else None,
        output_schema=_schema(form, "schema"),
        json_output=(members.text(form, "mimeType") or members.text(request, "responseMimeType")) in _JSON_TYPES,
        max_output_tokens=members.integer(config, "maxOutputTokens"),
        temperature=members.number(config, "temperature"),
        stream=members.flag(request, "stream"),
        stop=members.texts(config, "stopSequences"),
        conversation_id=members.text(request, "previousInteractionId"),
    )


def read_decision(asked: Asked) -> Chat:
    request = members.camel(asked.json)
    return Chat(
        model=(members.text(request, "model") or "").removeprefix("models/") or None,
        read_turns=lambda: (_read_input(request.get("input")), ""),
        questions=given(request.get("questions", Raw())),
    )


def _instruction(request: Members) -> str:
    instruction = _text_or_content(request.get("systemInstruction", Raw(b"null")))
    return instruction if isinstance(instruction, str) else _texts(instruction)


def _read_turn(raw: Raw) -> Message:
    try:
        content = _content(raw)
    except UNREADABLE:
        return Message(role="", raw=raw)
    parts = _parts(content)
    kinds = tuple([part.kind for part in parts])
    role = _ROLES.get(content.role, content.role) or "user"
    if kinds and all(kind == "tool_result" for kind in kinds):
        role = "tool"
    return Message(role=role, text=_texts(content), raw=raw, parts=kinds)


def _parts(content: _Content | None) -> Iterable[_Part]:
    if content is None or content.parts is None:
        return ()
    return content.parts if isinstance(content.parts, list) else (content.parts,)


def _texts(content: _Content | None) -> str:
    return "\n".join([part.text for part in _parts(content) if part.text and not part.thought])


def _read_tools(raw: Raw) -> Iterable[Tool]:
    for name, value in members.camel(raw).items():
        if name == "functionDeclarations":
            yield from [_read_tool(members.camel(declared)) for declared in _listed(value)]
        else:
            yield Tool(name=name)


def _read_tool(tool: Members) -> Tool:
    return Tool(
        name=members.text(tool, "name") or members.text(tool, "type") or "",
        description=members.text(tool, "description") or "",
        parameters=_schema(tool, "parametersJsonSchema", "parameters"),
    )


def _read_input(raw: Raw | None) -> tuple[Message, ...]:
    if members.begins(raw, b'"'):
        return (Message(role="user", text=_text(raw or b""), raw=raw or Raw(), parts=("text",)),)
    return tuple([_read_step(step) for step in _listed(raw)])


def _read_step(raw: Raw) -> Message:
    """A step of an interaction or a piece of content; turns in OpenAI's shape are taken too."""
    try:
        step = _step(raw)
        pieces = _steps(step.content) if members.begins(step.content, b"[") else [step]
    except UNREADABLE:
        return Message(role="", raw=raw)
    if step.role is not None:
        messages, instruction = turns((raw,))
        return messages[0] if messages else Message(role=step.role, text=instruction, raw=raw, parts=("text",))
    if step.type.endswith("_result"):
        return Message(role="tool", raw=raw, parts=("tool_result",))
    if step.type.endswith("_call"):
        return Message(role="assistant", raw=raw, parts=("tool_call",))
    if step.type == "thought":
        return Message(role="assistant", raw=raw, parts=("thinking",))
    text = "\n".join([piece.text for piece in pieces if piece.text])
    kinds = tuple([piece.type for piece in pieces])
    return Message(role="assistant" if step.type == "model_output" else "user", text=text, raw=raw, parts=kinds)


def _listed(raw: Raw | None) -> list[Raw]:
    """The items of a list, or the one that stands there without it."""
    if raw is None or given(raw) is None:
        return []
    return [raw] if members.begins(raw, b"{") else _contents(raw)


def _first_object(raw: Raw | None) -> Members:
    listed = _listed(raw)
    return members.camel(listed[0]) if listed else {}


def _schema(of: Members, *names: str) -> Raw | None:
    return next((raw for name in names if (raw := given(of.get(name, Raw()))) is not None), None)
