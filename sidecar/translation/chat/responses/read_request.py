"""Requests for responses, read."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Raw

from sidecar.translation.chat import media
from sidecar.translation.chat.ask import Ask, Function, Media, Part, Role, Sampling, Text, ToolCall, ToolResult, Turn
from sidecar.translation.chat.completions.read_request import (
    read_choice,
    read_effort,
    read_function,
    read_output,
    read_stream_options,
    read_verbosity,
)
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.chat.responses import fields as known
from sidecar.translation.chat.wire import Asked
from sidecar.translation.contract import Inexpressible

_ROLES: Final[dict[str, Role]] = {
    "assistant": "assistant",
    "developer": "system",
    "system": "system",
    "user": "user",
}
_HARMLESS_IN_ITEM: Final = {
    "annotations": "where a built-in tool found what was said; the text is whole without it",
    "phase": "whether a text was the last of several",
    "prompt_cache_breakpoint": "what the provider is to keep of what it has read",
}
#: What the provider calls an item, and whether it is complete.
_BOOKKEEPING: Final = ("id", "status")
_HARMLESS_IN_REASONING: Final = {
    "context": "which of its own earlier thoughts a model reads",
    "generate_summary": "thoughts are sealed by the provider that made them",
    "summary": "thoughts are sealed by the provider that made them",
}
_NO_MORE: Final = "built-in tools and what they give are not translated"

_string = msgspec.json.Decoder(str).decode
_raws = msgspec.json.Decoder(list[Raw]).decode


def read_request(asked: Asked, losses: Losses) -> Ask:
    """
    Raises:
        Inexpressible: something in it is known only to its provider.
    """
    fields = Fields(asked.body, losses)
    fields.usual(known.USUAL)
    model = fields.text("model") or asked.call.model or ""
    instructions = fields.text("instructions")
    turns = _read_input(fields.raw("input"), losses)
    first = next((at for at, turn in enumerate(turns) if turn.role != "system"), len(turns))
    own = (instructions,) if instructions else ()
    text = fields.inner("text")
    verbosity = None if text is None else read_verbosity(text)
    output = None if text is None else read_output(text.inner("format"), losses)
    if text is not None:
        text.rest()
    ask = Ask(
        model=model,
        system=(*own, *[turn.text for turn in turns[:first]]),
        turns=tuple(turns[first:]),
        tools=_read_tools(fields.list("tools"), losses),
        choice=read_choice(fields.raw("tool_choice"), losses),
        parallel=fields.flag("parallel_tool_calls") is not False,
        output=output,
        sampling=Sampling(temperature=fields.number("temperature"), top_p=fields.number("top_p")),
        max_tokens=fields.whole_number("max_output_tokens"),
        effort=_read_effort(fields),
        verbosity=verbosity,
        stream=bool(fields.flag("stream")),
        usage=True,
    )
    read_stream_options(fields.inner("stream_options"))
    if fields.flag("store") is not False:
        losses.harmless("store")
    _read_included(fields, losses)
    fields.harmless(known.HARMLESS)
    fields.rest(known.REASONS)
    return ask


def _read_effort(fields: Fields) -> Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None:
    reasoning = fields.inner("reasoning")
    if reasoning is None:
        return None
    effort = read_effort(reasoning, "effort")
    reasoning.usual({"mode": (b'"standard"',)})
    reasoning.harmless(_HARMLESS_IN_REASONING)
    reasoning.rest()
    return effort


def _read_included(fields: Fields, losses: Losses) -> None:
    for name in fields.texts("include"):
        if name in known.HARMLESS_INCLUDED:
            losses.harmless("include")
        else:
            losses.cannot("include", "it asks for what no other provider gives")


def _read_tools(raws: list[Raw], losses: Losses) -> tuple[Function, ...]:
    found = []
    for raw in raws:
        tool = Fields(raw, losses, "tools")
        if tool.text("type") != "function":
            losses.cannot("tools", _NO_MORE)
            continue
        tool.usual({"async": (b"false",), "defer_loading": (b"false",), "allowed_callers": (b'["direct"]',)})
        tool.harmless({"output_schema": "what a tool gives, which is seen when it has given it"})
        found.append(read_function(tool))
    return tuple(found)


def _read_input(raw: Raw | None, losses: Losses) -> list[Turn]:
    if raw is None:
        return []
    if is_text(raw):
        return [Turn("user", (Text(_string(raw)),))]
    try:
        raws = _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("input", "it is neither a text nor a list of items") from None
    turns: list[Turn] = []
    for each in raws:
        turn = _read_item(each, losses)
        if turn is None:
            continue
        before = turns[-1] if turns else None
        if turn.calls and before is not None and before.role == "assistant":
            turns[-1] = Turn("assistant", before.parts + turn.parts)
        else:
            turns.append(turn)
    return turns


def _read_item(raw: Raw, losses: Losses) -> Turn | None:
    fields = Fields(raw, losses, "input")
    kind = fields.text("type") or ("message" if "role" in fields else "item_reference")
    reader = _ITEMS.get(kind)
    if reader is None:
        reason = known.STATEFUL["conversation"] if kind == "item_reference" else _NO_MORE
        losses.cannot(kind if kind.isascii() and kind.isidentifier() else "input", reason)
        return None
    turn = reader(fields, losses)
    for name in _BOOKKEEPING:
        fields.raw(name)
    fields.harmless(_HARMLESS_IN_ITEM)
    fields.rest()
    return turn


def _message(fields: Fields, losses: Losses) -> Turn | None:
    role = _ROLES.get(fields.text("role") or "user")
    if role is None:
        raise Inexpressible("input.role", "a role that is not known")
    return Turn(role, _read_content(fields.raw("content"), losses))


def _call(fields: Fields, losses: Losses) -> Turn | None:
    identifier, name = fields.text("call_id") or "", fields.text("name") or ""
    arguments = fields.text("arguments") or "{}"
    return Turn("assistant", (ToolCall(identifier, name, arguments),))


def _result(fields: Fields, losses: Losses) -> Turn | None:
    identifier = fields.text("call_id") or ""
    read = _read_content(fields.raw("output"), losses)
    fields.raw("name")
    parts = tuple([part for part in read if isinstance(part, Text | Media)])
    return Turn("user", (ToolResult(id=identifier, parts=parts),))


def _reasoning(fields: Fields, losses: Losses) -> Turn | None:
    """What another model thought, sealed by its provider."""
    for name in ("summary", "content", "encrypted_content"):
        fields.raw(name)
    losses.harmless("input.reasoning")
    return None


_ITEMS: Final[Mapping[str, Callable[[Fields, Losses], Turn | None]]] = {
    "function_call": _call,
    "function_call_output": _result,
    "message": _message,
    "reasoning": _reasoning,
}


def _read_content(raw: Raw | None, losses: Losses) -> tuple[Part, ...]:
    if raw is None:
        return ()
    try:
        if is_text(raw):
            return (Text(_string(raw)),)
        raws = _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("input.content", "it is neither a text nor a list of parts") from None
    read = [_read_part(each, losses) for each in raws]
    return tuple([part for part in read if part is not None])


def _read_part(raw: Raw, losses: Losses) -> Part | None:
    fields = Fields(raw, losses, "content")
    kind = fields.text("type") or "input_text"
    part: Part | None = None
    if kind in ("input_text", "output_text", "text", "summary_text"):
        part = Text(fields.text("text") or "")
        fields.raw("logprobs")
    elif kind == "refusal":
        part = Text(fields.text("refusal") or "")
    elif kind == "input_image":
        part = _image(fields, losses)
    elif kind == "input_file":
        part = _file(fields, losses)
    elif kind == "input_audio":
        audio = fields.inner("input_audio") or Fields(b"{}", losses)
        part = media.of_audio(audio.text("format") or "wav", audio.text("data") or "")
        audio.rest()
    else:
        losses.cannot(kind if kind.isascii() and kind.isidentifier() else "content", "parts of this kind are not known")
        return None
    fields.usual({"annotations": (b"[]",)})
    fields.harmless(_HARMLESS_IN_ITEM)
    fields.rest()
    return part


def _image(fields: Fields, losses: Losses) -> Media | None:
    url, identifier = fields.text("image_url"), fields.text("file_id")
    if fields.text("detail") not in (None, "auto"):
        losses.harmless("content.detail")
    if url is None or identifier is not None:
        losses.cannot("image", "it is kept by the agent's provider")
        return None
    return media.of_url(url, "image")


def _file(fields: Fields, losses: Losses) -> Media | None:
    data, url, name = fields.text("file_data"), fields.text("file_url"), fields.text("filename")
    identifier = fields.text("file_id")
    if fields.text("detail") not in (None, "auto"):
        losses.harmless("content.detail")
    if identifier is not None or (data is None and url is None):
        losses.cannot("file", "it is kept by the agent's provider")
        return None
    if data is None or data.startswith("data:"):
        return media.of_url(data or url or "", "file", filename=name)
    return Media(kind="file", media_type=media.guessed_type(name), data=media.plain_base64(data), filename=name)
