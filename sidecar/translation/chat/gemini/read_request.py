"""Requests to Gemini, read. Its own client mixes camelCase and snake_case in one body, so both are read everywhere."""

from typing import Final, Literal

import msgspec
from msgspec import Raw

from sidecar.dialects.members import begins
from sidecar.translation.chat import efforts, schemas
from sidecar.translation.chat.ask import Ask, Choice, Effort, Function, Output, Sampling
from sidecar.translation.chat.gemini import fields as known
from sidecar.translation.chat.gemini.read_contents import Contents
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.chat.wire import Asked
from sidecar.translation.contract import Inexpressible

_MODES: Final[dict[str, Literal["auto", "none", "required"]]] = {
    "ANY": "required",
    "AUTO": "auto",
    "MODE_UNSPECIFIED": "auto",
    "NONE": "none",
    "VALIDATED": "auto",
}
#: Thresholds that let everything through, which is what providers without such settings do.
_OPEN: Final = frozenset(("BLOCK_NONE", "OFF"))

_string = msgspec.json.Decoder(str).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_names = msgspec.json.Decoder(list[str]).decode


def read_request(asked: Asked, losses: Losses) -> Ask:
    """
    Raises:
        Inexpressible: something in it is known only to its provider.
    """
    fields = Fields(asked.body, losses, camel=True)
    config = fields.inner("generationConfig", camel=True) or Fields(b"{}", losses)
    config.usual(known.USUAL_IN_CONFIG)
    contents = Contents(losses)
    system = contents.read_turn(fields.raw("systemInstruction")).text
    turns = tuple([contents.read_turn(raw) for raw in listed(fields.raw("contents"))])
    tools = _read_tools(listed(fields.raw("tools")), losses)
    choice, strict = _read_choice(fields.inner("toolConfig", camel=True))
    effort, thoughts = _read_thinking(config.inner("thinkingConfig", camel=True))
    ask = Ask(
        model=asked.call.model or "",
        system=(system,) if system else (),
        turns=turns,
        tools=tuple([_stricter(tool) for tool in tools]) if strict else tools,
        choice=choice,
        output=_read_output(config, losses),
        sampling=Sampling(
            temperature=config.number("temperature"),
            top_p=config.number("topP"),
            top_k=config.whole_number("topK"),
            seed=config.whole_number("seed"),
            frequency_penalty=config.number("frequencyPenalty"),
            presence_penalty=config.number("presencePenalty"),
        ),
        stop=config.texts("stopSequences"),
        max_tokens=config.whole_number("maxOutputTokens"),
        effort=effort,
        stream=asked.call.stream,
        usage=True,
        thoughts=thoughts,
        listed=asked.call.stream and "alt=sse" not in asked.query.split("&"),
    )
    config.harmless(known.HARMLESS_IN_CONFIG)
    config.rest(known.REASONS_IN_CONFIG)
    _read_safety(fields, losses)
    fields.harmless(known.HARMLESS)
    fields.rest(known.REASONS)
    return ask


def listed(raw: Raw | None) -> list[Raw]:
    """The items of a list, or the one that stands there without it.

    Raises:
        Inexpressible: it is neither.
    """
    if raw is None:
        return []
    if is_text(raw):
        return [Raw(msgspec.json.encode({"parts": [{"text": _string(raw)}]}))]
    if begins(raw, b"{"):
        return [raw]
    try:
        return _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("contents", "it is neither an object nor a list of them") from None


def _read_thinking(thinking: Fields | None) -> tuple[Effort | None, bool]:
    if thinking is None:
        return None, False
    budget, level = thinking.whole_number("thinkingBudget"), thinking.text("thinkingLevel")
    thoughts = bool(thinking.flag("includeThoughts"))
    thinking.rest()
    try:
        return (efforts.of_word(level) if budget is None else efforts.of_budget(budget)), thoughts
    except ValueError:
        raise Inexpressible("thinkingConfig.thinkingLevel", "it is none that is known") from None


def _read_output(config: Fields, losses: Losses) -> Output | None:
    media_type = config.text("responseMimeType") or "text/plain"
    older, schema = config.raw("responseSchema"), config.raw("responseJsonSchema")
    if media_type == "text/plain":
        return None
    if media_type != "application/json":
        losses.cannot("responseMimeType", "answers can be text or JSON")
        return None
    if schema is None and older is not None:
        schema = schemas.of_openapi(older)
    return Output(schema=schema)


def _read_tools(raws: list[Raw], losses: Losses) -> tuple[Function, ...]:
    found = []
    for raw in raws:
        tool = Fields(raw, losses, "tools", camel=True)
        found += [_read_function(each, losses) for each in listed(tool.raw("functionDeclarations"))]
        for name in tool.names():
            losses.cannot("tools", "built-in tools are not translated")
            tool.raw(name)
    return tuple(found)


def _read_function(raw: Raw, losses: Losses) -> Function:
    function = Fields(raw, losses, "tools", camel=True)
    older, parameters = function.raw("parameters"), function.raw("parametersJsonSchema")
    if parameters is None and older is not None:
        parameters = schemas.of_openapi(older)
    function.usual({"behavior": (b'"BLOCKING"', b'"UNSPECIFIED"')})
    seen = "what a tool gives, which is seen when it has given it"
    function.harmless({"response": seen, "responseJsonSchema": seen})
    made = Function(
        name=function.text("name") or "", description=function.text("description") or "", parameters=parameters
    )
    function.rest()
    return made


def _stricter(tool: Function) -> Function:
    return msgspec.structs.replace(tool, strict=tool.parameters is not None)


def _read_choice(config: Fields | None) -> tuple[Choice, bool]:
    """What is to be called, and whether calls must follow their schemas to the letter."""
    calling = None if config is None else config.inner("functionCallingConfig", camel=True)
    if config is not None:
        config.rest()
    if calling is None:
        return Choice(), False
    mode = (calling.text("mode") or "AUTO").upper()
    names: tuple[str, ...] = tuple(calling.take("allowedFunctionNames", _names) or ())
    calling.usual({"streamFunctionCallArguments": (b"false",)})
    calling.harmless({"streamFunctionCallArguments": "in how large pieces arguments come"})
    calling.rest()
    if mode not in _MODES:
        raise Inexpressible("tool_choice", "it is none that is known")
    return Choice(_MODES[mode], names), mode == "VALIDATED"


def _read_safety(fields: Fields, losses: Losses) -> None:
    for raw in listed(fields.raw("safetySettings")):
        setting = Fields(raw, losses, "safetySettings", camel=True)
        if (setting.text("threshold") or "").upper() in _OPEN:
            losses.harmless("safetySettings")
        else:
            losses.cannot("safetySettings", "what is blocked cannot be set elsewhere")
