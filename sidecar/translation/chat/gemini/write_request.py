"""Requests to Gemini, written."""

import re
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw

from sidecar.dialect import Dialect
from sidecar.dialects.documents import UNREADABLE
from sidecar.translation.chat import efforts, schemas
from sidecar.translation.chat.ask import Ask, Function, Media, Part, Text, ToolCall, ToolResult
from sidecar.translation.chat.conversation import alternating, hoisted
from sidecar.translation.chat.functions import allowed_tools, arguments_of
from sidecar.translation.chat.gemini.fields import FOREIGN_SIGNATURE, wants_signatures
from sidecar.translation.chat.losses import Losses
from sidecar.translation.chat.wire import Written
from sidecar.translation.contract import Inexpressible

#: google/genai/types.py, ``FunctionDeclaration.name``.
_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_MOST_STOPS: Final = 5
_ROLES: Final = {"assistant": "model", "user": "user"}
_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

_object = msgspec.json.Decoder(dict[str, Raw]).decode


def write_request(ask: Ask, dialect: Dialect, losses: Losses) -> Written:
    """
    Raises:
        Inexpressible: it asks for something that is not known there.
    """
    ask = hoisted(ask, losses)
    if ask.prefill:
        losses.cannot("prefill", "an answer cannot be made to go on from what was said")
        ask = msgspec.structs.replace(ask, prefill=False)
    body: dict[str, Any] = {
        "contents": [
            {"role": _ROLES[turn.role], "parts": _parts(turn.parts, ask.model, losses)} for turn in alternating(ask)
        ]
    }
    if ask.system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in ask.system]}
    if tools := allowed_tools(ask):
        body["tools"] = [{"functionDeclarations": [_function(tool, losses) for tool in tools]}]
        body["toolConfig"] = {"functionCallingConfig": {"mode": _mode(ask)}}
        if not ask.parallel and ask.choice.mode != "none":
            losses.cannot("parallel_tool_calls", "several tools may always be called at once there")
    if config := _config(ask, losses):
        body["generationConfig"] = config
    return Written(_target(ask.model, stream=ask.stream), msgspec.json.encode(body))


def _target(model: str, *, stream: bool) -> str:
    collection, slash, name = model.rpartition("/")
    resource = f"{collection}/{quote(name, safe='')}" if slash and _is_collection(collection) else quote(model, safe="")
    resource = resource if slash and _is_collection(collection) else f"models/{resource}"
    return f"/v1beta/{resource}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"


def _is_collection(name: str) -> bool:
    return name in ("models", "tunedModels")


def _parts(parts: tuple[Part, ...], model: str, losses: Losses) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    called = False
    for part in parts:
        if isinstance(part, Text):
            made.append({"text": part.text})
        elif isinstance(part, ToolCall):
            call: dict[str, Any] = {"functionCall": {"name": part.name, "args": arguments_of(part)}}
            if not called and wants_signatures(model):  # of several calls, the first is the sealed one
                call["thoughtSignature"] = FOREIGN_SIGNATURE
            called = True
            made.append(call)
        elif isinstance(part, ToolResult):
            made.append({"functionResponse": {"name": part.name, "response": _response(part, losses)}})
        elif (said := _media(part, losses)) is not None:
            made.append(said)
    return made


def _response(result: ToolResult, losses: Losses) -> dict[str, Any]:
    if any(isinstance(part, Media) for part in result.parts):
        losses.cannot("image", "tools can give nothing but text there")
    text = result.text
    if result.failed:
        return {"error": text or "error"}
    try:
        return dict(_object(text.encode("utf-8", "replace")))
    except UNREADABLE:
        return {"output": text}


def _media(part: Media, losses: Losses) -> dict[str, Any] | None:
    if part.data is None:
        losses.cannot(part.kind, "what stands at a URL cannot be sent there")
        return None
    if part.media_type is None:
        losses.cannot(part.kind, "its media type is not told")
        return None
    return {"inlineData": {"mimeType": part.media_type, "data": part.data}}


def _function(tool: Function, losses: Losses) -> dict[str, Any]:
    if not _NAME.fullmatch(tool.name):
        raise Inexpressible("tools", "a tool's name can only have up to 64 letters, digits, _, ., : and - there")
    made: dict[str, Any] = {"name": tool.name, "description": tool.description}
    if tool.parameters is not None:
        made["parametersJsonSchema"] = schemas.for_gemini(tool.parameters, losses, "tool_schema")
    return made


def _mode(ask: Ask) -> str:
    strict = any(tool.strict for tool in ask.tools)
    return "VALIDATED" if strict and ask.choice.mode == "auto" else _MODES[ask.choice.mode]


def _config(ask: Ask, losses: Losses) -> dict[str, Any]:
    sampling = ask.sampling
    values: dict[str, Any] = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": sampling.seed,
        "frequencyPenalty": sampling.frequency_penalty,
        "presencePenalty": sampling.presence_penalty,
        "maxOutputTokens": ask.max_tokens,
    }
    config = {name: value for name, value in values.items() if value is not None}
    if ask.stop:
        if len(ask.stop) > _MOST_STOPS:
            losses.cannot("stop", f"there can be {_MOST_STOPS} texts to stop at there")
        config["stopSequences"] = list(ask.stop[:_MOST_STOPS])
    if ask.output is not None and ask.tools and not efforts.is_levelled(ask.model):
        losses.cannot("json_schema" if ask.output.schema else "json_object", "JSON is not known together with tools")
    elif ask.output is not None:
        config["responseMimeType"] = "application/json"
        if ask.output.schema is not None:
            config["responseJsonSchema"] = schemas.for_gemini(ask.output.schema, losses, "json_schema")
    thinking: dict[str, object] = {} if ask.effort is None else efforts.for_gemini(ask.effort, ask.model)
    if ask.thoughts:
        thinking["includeThoughts"] = True
    if thinking:
        config["thinkingConfig"] = thinking
    if ask.verbosity is not None:
        losses.cannot("verbosity", "how long answers are cannot be set there")
    return config
