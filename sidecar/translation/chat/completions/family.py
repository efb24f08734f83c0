"""Requests for chat completions from one to another of those who follow OpenAI: the bytes are kept, and only what the
other names otherwise or refuses is edited.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.payload import edited
from sidecar.translation.chat.ask import Ask
from sidecar.translation.chat.completions import fields as known
from sidecar.translation.chat.completions.read_messages import read_messages
from sidecar.translation.chat.completions.read_request import read_choice, read_effort, read_tools
from sidecar.translation.chat.completions.styles import Style
from sidecar.translation.chat.completions.write_request import write_choice, write_messages
from sidecar.translation.chat.losses import UNKNOWN, Fields, Losses
from sidecar.translation.contract import Inexpressible

_NULL: Final = Raw(b"null")
#: Fields of which answers have something that is not written anew.
_ANSWERED: Final = ("n", "logprobs", "top_logprobs", "prompt_logprobs", "functions", "audio")

_raws = msgspec.json.Decoder(list[Raw]).decode
_number = msgspec.json.Decoder(float).decode


def rewritten(body: bytes, model: str, own: Style, other: Style, losses: Losses) -> bytes:
    """*body*, written for *own*, as *other* takes it, asking for *model*.

    Raises:
        Inexpressible: something in it is not known there.
    """
    try:
        fields = dict(members.of(body))
    except UNREADABLE:
        raise Inexpressible("request", "it is no JSON object") from None
    changes: dict[str, Any] = {"model": model}
    for name, there in _renamed(fields, own, other):
        value = fields.pop(name)
        changes[name] = None
        if value != _NULL and (there not in fields or name == "max_completion_tokens"):  # the newer name holds
            changes[there] = value
    anew = answered_anew(own, other, stream=is_streamed(fields))
    options = fields.pop("stream_options", _NULL)
    if other.usage != "asked":
        changes["stream_options"] = None
    elif anew and is_streamed(fields):
        changes["stream_options"] = {"include_usage": True}
    elif options == _NULL:
        changes["stream_options"] = None
    for name, value in fields.items():
        if name not in other.takes or (anew and name in _ANSWERED):
            _drop(name, value, losses)
            changes[name] = None
    if own.own_messages or other.own_messages:
        changes |= _conversation(fields, other, losses)
    return edited(body, changes | _values(fields, other, losses))


def answered_anew(own: Style, other: Style, *, stream: bool) -> bool:
    """Whether answers of *other* differ from *own* ones in more than an SDK overlooks: Mistral's client insists on
    fields and whole calls, and its models think in parts of their own; in streams all differ in how they count.
    """
    return own.usage != other.usage and (stream or "last" in (own.usage, other.usage))


def is_streamed(fields: Mapping[str, Raw]) -> bool:
    return bytes(fields.get("stream", _NULL)) == b"true"


def _renamed(fields: Mapping[str, Raw], own: Style, other: Style) -> Iterator[tuple[str, str]]:
    """Fields that are called otherwise there, and how."""
    for mine, there in (
        (("max_completion_tokens", "max_tokens"), other.max_tokens),
        (("seed", "random_seed"), other.seed),
    ):
        for name in mine:
            usual = name in (own.max_tokens, own.seed)
            if name in fields and name != there and (usual or name not in other.takes):
                yield name, there


def _drop(name: str, value: Raw, losses: Losses) -> None:
    """
    Raises:
        Inexpressible: an answer without it is another.
    """
    if value == _NULL or bytes(value) in known.USUAL.get(name, ()):
        return
    if name in known.HARMLESS:
        losses.harmless(name)
    else:
        losses.cannot(name, known.REASONS.get(name, UNKNOWN))


def _conversation(fields: Mapping[str, Raw], other: Style, losses: Losses) -> dict[str, Any]:
    """Messages in the other's form; tools keep theirs, as long as they are functions."""
    try:
        raws = _raws(fields.get("messages", Raw(b"[]")))
        tools = [] if _given(fields, "tools") is None else _raws(fields["tools"])
    except UNREADABLE:
        raise Inexpressible("messages", "they are no list") from None
    system, turns, prefill = read_messages(raws, losses)
    ask = Ask(model="", system=system, turns=turns, prefill=prefill)
    changes: dict[str, Any] = {"messages": write_messages(ask, other, losses)}
    functions = {tool.name for tool in read_tools(tools, losses)}
    if (said := _given(fields, "tool_choice")) is not None:
        choice = read_choice(said, losses)
        changes["tool_choice"] = told = write_choice(choice)
        if choice.names and isinstance(told, str):  # which ones cannot be told
            functions &= set(choice.names)
    if tools and len(functions) != len(tools):
        changes["tools"] = [raw for raw in tools if _name_of(raw) in functions] or None
    return changes


def _name_of(tool: Raw) -> str | None:
    function = Fields(tool, Losses()).inner("function")
    return None if function is None else function.text("name")


def _values(fields: Mapping[str, Raw], other: Style, losses: Losses) -> dict[str, Any]:
    """Values that are not known there."""
    changes: dict[str, Any] = {}
    if other.efforts is not None and (said := _given(fields, "reasoning_effort")) is not None:
        effort = read_effort(Fields(b'{"reasoning_effort":%b}' % bytes(said), losses), "reasoning_effort")
        changes["reasoning_effort"] = None if effort is None else other.efforts[effort]
    if (temperature := _given(fields, "temperature")) is not None and _above(temperature, other.top_temperature):
        losses.cannot("temperature", f"it can be {other.top_temperature} at most there")
        changes["temperature"] = None
    return changes


def _above(raw: Raw, most: float) -> bool:
    try:
        return _number(raw) > most
    except msgspec.MsgspecError:
        return False


def _given(fields: Mapping[str, Raw], name: str) -> Raw | None:
    value = fields.get(name)
    return None if value is None or value == _NULL else value
