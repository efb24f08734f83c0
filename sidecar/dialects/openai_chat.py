"""Requests to language models as OpenAI and those who follow it write them: chat, completions, responses, decisions."""

from collections.abc import Iterable
from functools import partial

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.family import Asked, given
from sidecar.payload import Chat, Message, Tool, Turns

#: Kinds of parts in the words of `sidecar.payload.Message.parts`; any other kind goes by its own name.
PART_KINDS = {
    "audio_url": "audio",
    "document_url": "file",
    "image_url": "image",
    "input_audio": "audio",
    "input_file": "file",
    "input_image": "image",
    "input_json": "json",
    "input_text": "text",
    "output_text": "text",
}
_INSTRUCTING = frozenset(("system", "developer"))
_TEXT = ("text",)


class _Part(Struct):
    type: str = "text"
    text: str | None = None


class _Turn(Struct):
    role: str | None = None
    type: str | None = None
    content: str | list[_Part | str] | None = None
    output: str | list[_Part | str] | None = None
    tool_calls: list[Raw] | None = None


class _Named(Struct):
    name: str | None = None


class _Function(Struct):
    name: str = ""
    description: str | None = None
    parameters: Raw = Raw()


class _Tool(Struct):
    type: str = "function"
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    function: _Function | None = None
    custom: _Function | None = None


class _AllowedTools(Struct):
    mode: str | None = None


class _Choice(Struct):
    type: str | None = None
    name: str | None = None
    mode: str | None = None
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _AllowedTools | None = None


class _Schema(Struct):
    schema: Raw = Raw()


class _Format(Struct):
    type: str | None = None
    schema: Raw = Raw()
    json_schema: _Schema | None = None


class _ChatRequest(Struct):
    model: str | None = None
    messages: list[Raw] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    functions: list[_Function] | None = None
    function_call: str | _Choice | None = None
    response_format: _Format | None = None
    max_tokens: int | float | None = None
    max_completion_tokens: int | float | None = None
    temperature: float | None = None
    stream: bool | None = None
    stop: str | list[str] | None = None
    agent_id: str | None = None


class _CompletionRequest(Struct):
    model: str | None = None
    prompt: Raw = Raw()
    max_tokens: int | float | None = None
    temperature: float | None = None
    stream: bool | None = None
    stop: str | list[str] | None = None


class _Text(Struct):
    format: _Format | None = None


class _Conversation(Struct):
    id: str | None = None


class _ResponsesRequest(Struct):
    model: str | None = None
    input: str | list[Raw] | None = None
    instructions: str | list[Raw] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    text: _Text | None = None
    max_output_tokens: int | float | None = None
    temperature: float | None = None
    stream: bool | None = None
    conversation: str | _Conversation | None = None
    previous_response_id: str | None = None


class _DecisionsRequest(Struct):
    model: str | None = None
    input: str | list[Raw] | None = None
    questions: Raw = Raw()


_turn = msgspec.json.Decoder(_Turn).decode
_chat = msgspec.json.Decoder(_ChatRequest).decode
_prompt = msgspec.json.Decoder(str | list[str] | None).decode
_completion = msgspec.json.Decoder(_CompletionRequest).decode
_responses = msgspec.json.Decoder(_ResponsesRequest).decode
_decisions = msgspec.json.Decoder(_DecisionsRequest).decode


def read_chat(asked: Asked) -> Chat:
    request = _chat(asked.json)
    tools = request.tools and tuple(map(_read_tool, request.tools))
    return Chat(
        model=request.model or request.agent_id or asked.call.model,
        read_turns=partial(turns, request.messages or ()),
        tools=tools or tuple(map(_from_function, request.functions or ())),
        tool_choice=_read_choice(request.tool_choice or request.function_call),
        output_schema=_read_schema(request.response_format),
        json_output=_wants_json(request.response_format),
        max_output_tokens=whole(request.max_completion_tokens or request.max_tokens),
        temperature=request.temperature,
        stream=bool(request.stream),
        stop=listed(request.stop),
    )


def read_completion(asked: Asked) -> Chat:
    request = _completion(asked.json)
    try:
        prompts = listed(_prompt(request.prompt))
    except UNREADABLE:  # a prompt may also be a list of tokens
        prompts = ()
    return Chat(
        model=request.model or asked.call.model,
        turns=(tuple([Message(role="user", text=prompt, parts=_TEXT) for prompt in prompts]), ""),
        max_output_tokens=whole(request.max_tokens),
        temperature=request.temperature,
        stream=bool(request.stream),
        stop=listed(request.stop),
    )


def read_responses(asked: Asked) -> Chat:
    request = _responses(asked.json)
    conversation = request.conversation
    output = request.text.format if request.text else None
    return Chat(
        model=request.model or asked.call.model,
        read_turns=partial(_instructed, request.input, request.instructions),
        tools=tuple(map(_read_tool, request.tools or ())),
        tool_choice=_read_choice(request.tool_choice),
        output_schema=_read_schema(output),
        json_output=_wants_json(output),
        max_output_tokens=whole(request.max_output_tokens),
        temperature=request.temperature,
        stream=bool(request.stream),
        conversation_id=(conversation.id if isinstance(conversation, _Conversation) else conversation)
        or request.previous_response_id,
    )


def read_decisions(asked: Asked) -> Chat:
    request = _decisions(asked.json)
    return Chat(
        model=request.model or asked.call.model,
        read_turns=partial(_input, request.input),
        questions=given(request.questions),
    )


def turns(raws: Iterable[Raw]) -> Turns:
    """The turns of a conversation, and apart from them the text of those that instruct the model."""
    messages, instructions = [], []
    for raw in raws:
        try:
            turn = _turn(raw)
        except UNREADABLE:
            messages.append(Message(role="", raw=raw))
            continue
        content, role = turn.content, turn.role
        if role is None or role == "tool" or turn.tool_calls is not None:
            messages.append(_special_turn(turn, raw))
            continue
        text, parts = (content, _TEXT) if isinstance(content, str) else _read_parts(content)
        if role in _INSTRUCTING:
            instructions.append(text)
        else:
            messages.append(Message(role=role, text=text, raw=raw, parts=parts))
    return tuple(messages), "\n".join(instructions)


def _special_turn(turn: _Turn, raw: Raw) -> Message:
    """A turn of tools: a call of them, what they gave, or an item of the Responses API that is no message."""
    kind = turn.type or ""
    text, parts = _read_parts(turn.content)
    if turn.role == "tool":
        return Message(role="tool", text=text, raw=raw, parts=("tool_result",))
    if turn.role is not None:
        return Message(role=turn.role, text=text, raw=raw, parts=parts + ("tool_call",) * len(turn.tool_calls or ()))
    if kind.endswith("_call_output"):
        return Message(role="tool", text=_read_parts(turn.output)[0], raw=raw, parts=("tool_result",))
    if kind.endswith("_call"):
        return Message(role="assistant", raw=raw, parts=("tool_call",))
    if kind == "reasoning":
        return Message(role="assistant", raw=raw, parts=("thinking",))
    return Message(role="", text=text, raw=raw, parts=parts or ((kind,) if kind else ()))


def _read_parts(content: str | list[_Part | str] | None) -> tuple[str, tuple[str, ...]]:
    if content is None:
        return "", ()
    if isinstance(content, str):
        return content, _TEXT
    parts = [_Part(text=part) if isinstance(part, str) else part for part in content]
    text = "\n".join([part.text for part in parts if part.text])
    return text, tuple([PART_KINDS.get(part.type, part.type) for part in parts])


def _input(content: str | list[Raw] | None) -> Turns:
    if isinstance(content, str):
        return (Message(role="user", text=content, parts=_TEXT),), ""
    return turns(content or ())


def _instructed(content: str | list[Raw] | None, instructions: str | list[Raw] | None) -> Turns:
    messages, system = _input(content)
    if instructions:
        own = instructions if isinstance(instructions, str) else turns(instructions)[1]
        system = f"{own}\n{system}" if system else own
    return messages, system


def _read_tool(tool: _Tool) -> Tool:
    if (function := tool.function or tool.custom) is not None:
        return _from_function(function)
    return Tool(name=tool.name or tool.type, description=tool.description or "", parameters=given(tool.parameters))


def _from_function(function: _Function) -> Tool:
    return Tool(name=function.name, description=function.description or "", parameters=given(function.parameters))


def _read_choice(choice: str | _Choice | None) -> str | None:
    if not isinstance(choice, _Choice):
        return "required" if choice == "any" else choice
    named = choice.function or choice.custom
    mode = choice.allowed_tools.mode if choice.allowed_tools else choice.mode
    return (named.name if named else choice.name) or mode or choice.type


def _read_schema(output: _Format | None) -> Raw | None:
    if output is None:
        return None
    return given(output.json_schema.schema if output.json_schema else output.schema)


def _wants_json(output: _Format | None) -> bool:
    return output is not None and output.type in ("json_object", "json_schema")


def listed(value: str | list[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def whole(value: float | None) -> int | None:
    return None if value is None else int(value)
