"""What Gemini is asked, read from its JSON in either spelling."""

import json
import re
from collections.abc import Sequence

from msgspec import Struct

from sidecar.lab.call import Call, Json, from_base64, list_field
from sidecar.lab.engines.contract import Prompt, ToolSpec, Turn, Voice
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers.google_words import field
from sidecar.lab.reply import Refusal, Trouble


class Asked(Struct, frozen=True):
    prompt: Prompt
    heard: str | None
    """What is said in the audio that came last, if any did."""


def config_of(body: Json) -> Json:
    config: Json = field(body, "generationConfig") or {}
    return config


def voice_of(config: Json, model: str) -> Voice:
    """The voice that a ``speechConfig`` names."""
    prebuilt = field(field(config, "voiceConfig") or {}, "prebuiltVoiceConfig") or {}
    return Voice(str(field(prebuilt, "voiceName") or ""), model, 1.0, str(field(config, "languageCode") or ""))


def tools_of(tools: Sequence[Json]) -> tuple[ToolSpec, ...]:
    declared = [one for tool in tools for one in field(tool, "functionDeclarations") or ()]
    return tuple(
        ToolSpec(
            one["name"],
            str(one.get("description") or ""),
            field(one, "parametersJsonSchema") or one.get("parameters") or {},
        )
        for one in declared
    )


async def asked(call: Call, body: Json) -> Asked:
    contents = list_field(body, "contents")
    if not contents:
        raise Refusal(Trouble.INVALID, "* GenerateContentRequest.contents: contents is not specified", param="contents")
    turns, heard = [], None
    if instruction := field(body, "systemInstruction"):
        turns.append(Turn("system", "\n".join(str(part.get("text") or "") for part in instruction.get("parts") or ())))
    for content in contents:
        texts = []
        role = "assistant" if content.get("role") == "model" else "user"
        for part in content.get("parts") or ():
            if (inline := field(part, "inlineData")) is not None:
                heard = await _heard(call, inline)
                texts.append(heard)
            elif (answer := field(part, "functionResponse")) is not None:
                role = "tool"
                texts.append(json.dumps(answer.get("response")))
            else:
                texts.append(str(part.get("text") or json.dumps(field(part, "functionCall") or "")))
        turns.append(Turn(role, "\n".join(texts)))
    return Asked(_prompt(body, tuple(turns)), heard)


def _prompt(body: Json, turns: tuple[Turn, ...]) -> Prompt:
    config = config_of(body)
    calling = field(field(body, "toolConfig") or {}, "functionCallingConfig") or {}
    allowed = field(calling, "allowedFunctionNames") or []
    mode = {"ANY": "required", "NONE": "none"}.get(str(calling.get("mode")), "auto")
    return Prompt(
        turns=turns,
        tools=tools_of(body.get("tools") or ()),
        tool_choice=allowed[0] if mode == "required" and len(allowed) == 1 else mode,
        schema=field(config, "responseJsonSchema") or field(config, "responseSchema"),
        json_output=field(config, "responseMimeType") == "application/json",
        max_tokens=field(config, "maxOutputTokens"),
        context=json.dumps(body.get("tools"), sort_keys=True),
    )


async def _heard(call: Call, inline: Json) -> str:
    kind = str(field(inline, "mimeType") or "").lower()
    if not kind.startswith("audio/"):
        return ""
    data = from_base64(str(inline.get("data") or ""), "inline_data.data")
    return (await transcript_of(call, data, raw_audio(kind))).text


def raw_audio(mime_type: str) -> RawAudio | None:
    """How to read samples of a type like ``audio/L16;rate=16000``; None if it names a file format."""
    if not mime_type.lower().startswith(("audio/l16", "audio/pcm")):
        return None
    rate = re.search(r"rate=(\d+)", mime_type)
    return RawAudio(rate=int(rate.group(1)) if rate else 16000)
