"""Requests for messages, written."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from sidecar.dialect import Dialect
from sidecar.translation.chat import efforts, identifiers, schemas
from sidecar.translation.chat.ask import Ask, Choice, Function, Media, Part, Text, ToolCall, ToolResult
from sidecar.translation.chat.conversation import alternating, hoisted
from sidecar.translation.chat.functions import allowed_tools, arguments_of, tool_name
from sidecar.translation.chat.losses import Losses
from sidecar.translation.chat.messages.fields import takes_prefill
from sidecar.translation.chat.wire import Written
from sidecar.translation.contract import Inexpressible

#: Anthropic wants a limit from everybody. Every model since its fourth generation can say as much.
MAX_TOKENS: Final = 8192
_PATH: Final = "/v1/messages"
#: What every server takes; later ones have changed what clients may ask for, not how.
_VERSION: Final = (("anthropic-version", "2023-06-01"),)
_IMAGES: Final = frozenset(("image/gif", "image/jpeg", "image/png", "image/webp"))
_NOT_SET: Final = "how words are chosen cannot be set there"


def write_request(ask: Ask, dialect: Dialect, losses: Losses) -> Written:
    """
    Raises:
        Inexpressible: it asks for something that is not known there.
    """
    ask = hoisted(ask, losses)
    if ask.prefill and (not takes_prefill(ask.model) or ask.effort not in (None, "none")):
        losses.cannot("prefill", "models later than 4.5, and those that think, cannot go on from what was said")
        ask = replace(ask, prefill=False)
    limit = MAX_TOKENS if ask.max_tokens is None else ask.max_tokens
    body: dict[str, Any] = {"model": ask.model, "max_tokens": limit}
    if ask.system:
        body["system"] = "\n".join(ask.system)
    body["messages"] = [{"role": turn.role, "content": _content(turn.parts, losses)} for turn in alternating(ask)]
    if tools := allowed_tools(ask):
        body["tools"] = [_tool(tool, losses) for tool in tools]
        body["tool_choice"] = _choice(ask.choice, parallel=ask.parallel)
    config: dict[str, Any] = {}
    if ask.effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif ask.effort is not None:
        config["effort"] = efforts.ANTHROPIC[ask.effort]
    if ask.output is not None:
        config |= _format(ask.output.schema, losses)
    if config:
        body["output_config"] = config
    _sampling(ask, losses)
    if ask.stop:
        if not all(text.strip() for text in ask.stop):
            losses.cannot("stop", "an answer cannot be made to stop at white space there")
        body["stop_sequences"] = [text for text in ask.stop if text.strip()]
    if ask.stream:
        body["stream"] = True
    return Written(_PATH, msgspec.json.encode(body), _VERSION)


def _sampling(ask: Ask, losses: Losses) -> None:
    """Its client, from 2.0 on, has no such fields, since newer models refuse them."""
    usual: Mapping[str, float] = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}
    for name in ask.sampling.__struct_fields__:
        value = getattr(ask.sampling, name)
        if value is not None and value != usual.get(name):
            losses.cannot(name, _NOT_SET)
    if ask.verbosity is not None:
        losses.cannot("verbosity", "how long answers are cannot be set there")


def _format(schema: Raw | None, losses: Losses) -> dict[str, Any]:
    if schema is None:
        losses.cannot("json_object", "an answer in JSON needs a schema there")
        return {}
    return {"format": {"type": "json_schema", "schema": schemas.for_anthropic(schema, losses, "json_schema")}}


def _content(parts: Sequence[Part], losses: Losses) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    made = [_block(part, losses) for part in parts]
    return [block for block in made if block is not None]


def _block(part: Part, losses: Losses) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, ToolCall):
        identifier = identifiers.ANTHROPIC.fitting(part.id)
        return {"type": "tool_use", "id": identifier, "name": part.name, "input": arguments_of(part)}
    if isinstance(part, ToolResult):
        return _result(part, losses)
    return _image(part, losses) if part.kind == "image" else _document(part, losses)


def _result(result: ToolResult, losses: Losses) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "tool_result", "tool_use_id": identifiers.ANTHROPIC.fitting(result.id)}
    parts = [part for part in result.parts if not isinstance(part, Text) or part.text.strip()]
    if parts:
        made["content"] = _content(parts, losses)
    return {**made, "is_error": True} if result.failed else made


def _image(image: Media, losses: Losses) -> dict[str, Any] | None:
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    if image.media_type not in _IMAGES:
        losses.cannot("image", "images can only be GIF, JPEG, PNG or WebP there")
        return None
    return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.data}}


def _document(file: Media, losses: Losses) -> dict[str, Any] | None:
    if file.kind == "audio":
        losses.cannot("audio", "no recordings can be heard there")
        return None
    source: dict[str, Any] | None = None
    if file.media_type == "application/pdf":
        if file.url is not None:
            source = {"type": "url", "url": file.url}
        else:
            source = {"type": "base64", "media_type": file.media_type, "data": file.data}
    elif (file.media_type or "").startswith("text/") and file.data is not None:
        try:
            text = base64.b64decode(file.data, validate=True).decode()
        except (binascii.Error, ValueError):
            text = ""
        source = {"type": "text", "media_type": "text/plain", "data": text} if text.strip() else None
    if source is None:
        losses.cannot("file", "files can only be PDF or text there")
        return None
    return {"type": "document", "source": source, **({"title": file.filename} if file.filename else {})}


def _tool(tool: Function, losses: Losses) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool_name(tool.name)}
    if tool.description:
        made["description"] = tool.description
    schema = schemas.object_schema(tool.parameters)
    if schema.get("type") != "object" or schema.keys() & {"anyOf", "oneOf", "allOf"}:
        raise Inexpressible("tools", "the parameters of a tool must be one object there")
    if tool.strict:
        schema = schemas.for_anthropic(schemas.raw_of(schema), losses, "strict")
        made["strict"] = True
    return {**made, "input_schema": schema}


def _choice(choice: Choice, *, parallel: bool) -> dict[str, Any]:
    if choice.mode == "none":
        return {"type": "none"}
    made: dict[str, Any] = {"type": "any" if choice.mode == "required" else "auto"}
    if choice.mode == "required" and len(choice.names) == 1:
        made = {"type": "tool", "name": choice.names[0]}
    return made if parallel else {**made, "disable_parallel_tool_use": True}
