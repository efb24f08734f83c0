"""Requests for chat completions, written."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sidecar.dialect import Dialect
from sidecar.translation.chat import media, schemas
from sidecar.translation.chat.ask import (
    NOTHING_SAID,
    Ask,
    Choice,
    Function,
    Media,
    Output,
    Part,
    Text,
    ToolResult,
    Turn,
)
from sidecar.translation.chat.completions.styles import Style, style_of
from sidecar.translation.chat.conversation import hoisted, settled
from sidecar.translation.chat.functions import allowed_tools, bound_parameters, tool_name
from sidecar.translation.chat.losses import Losses
from sidecar.translation.chat.wire import Written


def write_request(ask: Ask, dialect: Dialect, losses: Losses) -> Written:
    """
    Raises:
        Inexpressible: it asks for something that is not known there.
    """
    style = style_of(dialect.name)
    body: dict[str, Any] = {"model": ask.model, "messages": write_messages(ask, style, losses)}
    tools = allowed_tools(ask)
    if tools:
        body["tools"] = [_tool(tool, style, losses) for tool in tools]
        body["tool_choice"] = write_choice(ask.choice)
        if not ask.parallel:
            body["parallel_tool_calls"] = False
    if ask.output is not None:
        body["response_format"] = write_output(ask.output, style, losses)
    body |= _sampling(ask, style, losses)
    if len(ask.stop) > style.most_stops:
        losses.cannot("stop", f"there can be {style.most_stops} texts to stop at there")
    if ask.stop:
        body["stop"] = list(ask.stop[: style.most_stops])
    if ask.max_tokens is not None:
        body[style.max_tokens] = ask.max_tokens
    if ask.effort is not None:
        body["reasoning_effort"] = ask.effort if style.efforts is None else style.efforts[ask.effort]
    if ask.verbosity is not None:
        if style.verbosity:
            body["verbosity"] = ask.verbosity
        else:
            losses.cannot("verbosity", "how long answers are cannot be set there")
    if ask.stream:
        body["stream"] = True
        if style.usage == "asked":
            body["stream_options"] = {"include_usage": True}
    return Written(style.path, msgspec.json.encode(body))


def write_messages(ask: Ask, style: Style, losses: Losses) -> list[dict[str, Any]]:
    """The conversation of *ask*, its instructions first.

    Raises:
        Inexpressible: something in it cannot be said there.
    """
    if style.strict_order:
        ask = hoisted(ask, losses)
    messages: list[dict[str, Any]] = [{"role": "system", "content": text} for text in ask.system]
    for turn in settled(ask.turns):
        messages += _messages_of(turn, style, losses)
    if ask.prefill and messages and messages[-1]["role"] == "assistant":
        if style.strict_order:
            messages[-1]["prefix"] = True
        else:
            losses.cannot("prefill", "an answer cannot be made to go on from what was said")
    return _in_order(messages) if style.strict_order else messages


def _messages_of(turn: Turn, style: Style, losses: Losses) -> list[dict[str, Any]]:
    if turn.role == "system":
        return [{"role": "system", "content": turn.text}]
    if turn.role == "user":
        results = [_result(part, style, losses) for part in turn.parts if isinstance(part, ToolResult)]
        said = [part for part in turn.parts if not isinstance(part, ToolResult)]
        return [*results, {"role": "user", "content": _content(said, style, losses)}] if said else results
    message: dict[str, Any] = {"role": "assistant", "content": turn.text}
    calls = [
        {
            "id": style.call_ids.fitting(call.id),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in turn.calls
    ]
    if calls:
        message |= {"content": turn.text or None, "tool_calls": calls}
    return [message] if calls or turn.text else []


def _result(result: ToolResult, style: Style, losses: Losses) -> dict[str, Any]:
    if any(isinstance(part, Media) for part in result.parts):
        losses.cannot("image", "tools can give nothing but text there")
    if result.failed:
        losses.harmless("tool_result.is_error")
    text = result.text or ("error" if result.failed else "")
    return {"role": "tool", "tool_call_id": style.call_ids.fitting(result.id), "content": text}


def _content(parts: Sequence[Part], style: Style, losses: Losses) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    made = []
    for part in parts:
        if isinstance(part, Text):
            made.append({"type": "text", "text": part.text})
        elif isinstance(part, Media) and (said := _media(part, style, losses)) is not None:
            made.append(said)
    return made or ""


def _media(part: Media, style: Style, losses: Losses) -> dict[str, Any] | None:
    if part.kind == "image":
        return {"type": "image_url", "image_url": {"url": part.url or media.data_url(part)}}
    if part.kind == "audio":
        return _audio(part, style, losses)
    return _file(part, style, losses)


def _audio(part: Media, style: Style, losses: Losses) -> dict[str, Any] | None:
    if style.audio == "text":
        return {"type": "input_audio", "input_audio": part.data or part.url}
    form = media.audio_format(part)
    if style.audio == "object" and part.data is not None and form in ("wav", "mp3"):
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    but = " but WAV and MP3 in the request itself" if style.audio else ""
    losses.cannot("audio", f"no recordings{but} can be heard there")
    return None


def _file(part: Media, style: Style, losses: Losses) -> dict[str, Any] | None:
    if style.files == "data" and part.data is not None:
        return {"type": "file", "file": {"filename": part.filename or "file", "file_data": media.data_url(part)}}
    if style.files == "url" and part.url is not None:
        named = {"document_name": part.filename} if part.filename else {}
        return {"type": "document_url", "document_url": part.url, **named}
    where = {"data": " that are not in the request itself", "url": " that do not stand at a URL"}.get(style.files, "")
    losses.cannot("file", f"files{where} cannot be read there")
    return None


def _in_order(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As mistral-common's validator wants it: no user after a tool, and the last word not the assistant's."""
    made: list[dict[str, Any]] = []
    for message in messages:
        if made and made[-1]["role"] == "tool" and message["role"] == "user":
            made.append({"role": "assistant", "content": NOTHING_SAID})
        made.append(message)
    if not made or made[-1]["role"] == "system" or (made[-1]["role"] == "assistant" and not made[-1].get("prefix")):
        made.append({"role": "user", "content": NOTHING_SAID})
    return made


def write_choice(choice: Choice) -> str | dict[str, Any]:
    if choice.mode == "required" and len(choice.names) == 1:
        return {"type": "function", "function": {"name": choice.names[0]}}
    return choice.mode


def _tool(tool: Function, style: Style, losses: Losses) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool_name(tool.name)}
    if tool.description:
        function["description"] = tool.description
    parameters, strict = bound_parameters(tool, losses, binds=style.binds_schemas)
    function["parameters"] = parameters
    if strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def write_output(output: Output, style: Style, losses: Losses) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": named_schema(output, losses, binds=style.binds_schemas)}


def named_schema(output: Output, losses: Losses, *, binds: bool = True) -> dict[str, Any]:
    """The members of a ``json_schema``.

    Args:
        binds: whether a strict schema must require all its properties.
    """
    assert output.schema is not None
    made: dict[str, Any] = {"name": output.name or "answer"}
    if output.description:
        made["description"] = output.description
    schema, strict = schemas.for_openai(output.schema)
    strict = strict or not binds
    if output.strict and not strict:
        losses.cannot("json_schema", "a schema is only followed there to the letter if it requires all its properties")
    return {**made, "schema": schema if output.strict and strict else output.schema, "strict": output.strict and strict}


def _sampling(ask: Ask, style: Style, losses: Losses) -> dict[str, Any]:
    sampling, made = ask.sampling, {}
    if sampling.temperature is not None:
        if sampling.temperature > style.top_temperature:
            losses.cannot("temperature", f"it can be {style.top_temperature} at most there")
        else:
            made["temperature"] = sampling.temperature
    for name in ("top_p", "frequency_penalty", "presence_penalty"):
        if (value := getattr(sampling, name)) is not None:
            made[name] = value
    if sampling.top_k is not None:
        if "top_k" in style.takes:
            made["top_k"] = sampling.top_k
        else:
            losses.cannot("top_k", "it is not known there")
    if sampling.seed is not None:
        made[style.seed] = sampling.seed
    return made
