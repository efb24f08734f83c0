"""Requests for responses, written."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from sidecar.dialect import Dialect
from sidecar.translation.chat import identifiers, media
from sidecar.translation.chat.ask import Ask, Choice, Function, Media, Part, Text, ToolResult, Turn
from sidecar.translation.chat.completions.write_request import named_schema
from sidecar.translation.chat.conversation import settled
from sidecar.translation.chat.functions import allowed_tools, bound_parameters, tool_name
from sidecar.translation.chat.losses import Losses
from sidecar.translation.chat.wire import Written

_PATHS: Final = {"azure_openai": "/openai/v1/responses", "groq": "/openai/v1/responses"}
#: The least that can be asked for there.
_LEAST_TOKENS: Final = 16


def write_request(ask: Ask, dialect: Dialect, losses: Losses) -> Written:
    """
    Raises:
        Inexpressible: it asks for something that is not known there.
    """
    body: dict[str, Any] = {"model": ask.model, "input": _items(ask, losses), "store": False}
    if ask.system:
        body["instructions"] = "\n".join(ask.system)
    if tools := allowed_tools(ask):
        body["tools"] = [_tool(tool, losses) for tool in tools]
        body["tool_choice"] = _choice(ask.choice)
        if not ask.parallel:
            body["parallel_tool_calls"] = False
    text: dict[str, Any] = {}
    if ask.output is not None:
        if ask.output.schema is None:
            text["format"] = {"type": "json_object"}
        else:
            text["format"] = {"type": "json_schema", **named_schema(ask.output, losses)}
    if ask.verbosity is not None:
        text["verbosity"] = ask.verbosity
    if text:
        body["text"] = text
    _limits(ask, body, losses)
    if ask.effort is not None:
        body["reasoning"] = {"effort": ask.effort}
    if ask.stream:
        body["stream"] = True
    return Written(_PATHS.get(dialect.name, "/v1/responses"), msgspec.json.encode(body))


def _limits(ask: Ask, body: dict[str, Any], losses: Losses) -> None:
    sampling = ask.sampling
    for name in ("temperature", "top_p"):
        if (value := getattr(sampling, name)) is not None:
            body[name] = value
    for name in ("top_k", "seed", "frequency_penalty", "presence_penalty"):
        if getattr(sampling, name):
            losses.cannot(name, "it is not known there")
    if ask.stop:
        losses.cannot("stop", "an answer cannot be made to stop at a text there")
    if ask.max_tokens is not None:
        if ask.max_tokens < _LEAST_TOKENS:
            losses.cannot("max_tokens", f"it must be {_LEAST_TOKENS} at least there")
        else:
            body["max_output_tokens"] = ask.max_tokens


def _items(ask: Ask, losses: Losses) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for turn in settled(ask.turns):
        if turn.role == "user":
            items += _user(turn, losses)
        elif turn.text:
            items.append({"role": turn.role, "content": turn.text})
        items += [
            {
                "type": "function_call",
                "call_id": identifiers.RESPONSES.fitting(call.id),
                "name": call.name,
                "arguments": call.arguments,
            }
            for call in turn.calls
        ]
    if ask.prefill:
        losses.cannot("prefill", "an answer cannot be made to go on from what was said")
    return items


def _user(turn: Turn, losses: Losses) -> list[dict[str, Any]]:
    results = [_result(part, losses) for part in turn.parts if isinstance(part, ToolResult)]
    said = [part for part in turn.parts if not isinstance(part, ToolResult)]
    if not said:
        return results
    if len(said) == 1 and isinstance(said[0], Text):
        return [*results, {"role": "user", "content": said[0].text}]
    return [*results, {"role": "user", "content": _parts(said, losses)}]


def _result(result: ToolResult, losses: Losses) -> dict[str, Any]:
    if result.failed:
        losses.harmless("tool_result.is_error")
    output: str | list[dict[str, Any]] = result.text or ("error" if result.failed else "")
    if any(isinstance(part, Media) for part in result.parts):
        output = _parts(result.parts, losses)
    identifier = identifiers.RESPONSES.fitting(result.id)
    return {"type": "function_call_output", "call_id": identifier, "output": output}


def _parts(parts: Sequence[Part], losses: Losses) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text):
            made.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Media) and part.kind == "image":
            made.append({"type": "input_image", "image_url": part.url or media.data_url(part), "detail": "auto"})
        elif isinstance(part, Media) and part.kind == "file":
            where = {"file_url": part.url} if part.url else {"file_data": media.data_url(part)}
            made.append({"type": "input_file", **({} if part.url else {"filename": part.filename or "file"}), **where})
        elif isinstance(part, Media):
            losses.cannot("audio", "no recordings can be heard there")
    return made


def _tool(tool: Function, losses: Losses) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    parameters, strict = bound_parameters(tool, losses)
    name = tool_name(tool.name)
    return {"type": "function", "name": name, **described, "parameters": parameters, "strict": strict}


def _choice(choice: Choice) -> str | dict[str, Any]:
    if choice.mode == "required" and len(choice.names) == 1:
        return {"type": "function", "name": choice.names[0]}
    return choice.mode
