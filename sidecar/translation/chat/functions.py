"""Tools as those who write requests need them."""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar.dialects.documents import UNREADABLE
from sidecar.translation.chat import schemas
from sidecar.translation.chat.ask import Ask, Function, ToolCall
from sidecar.translation.chat.losses import Losses
from sidecar.translation.contract import Inexpressible

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_object = msgspec.json.Decoder(dict[str, Raw]).decode


def allowed_tools(ask: Ask) -> tuple[Function, ...]:
    """The tools of *ask* that may be called, which is all that some providers can be told."""
    names = ask.choice.names
    return tuple([tool for tool in ask.tools if not names or tool.name in names])


def tool_name(name: str) -> str:
    """
    Raises:
        Inexpressible: a tool cannot be called so; OpenAI, those who follow it, and Anthropic have the same rule.
    """
    if not _NAME.fullmatch(name):
        raise Inexpressible("tools", "a tool's name can only have up to 64 letters, digits, _ and - there")
    return name


def bound_parameters(tool: Function, losses: Losses, *, binds: bool = True) -> tuple[Any, bool]:
    """The schema of parameters as OpenAI and those who follow it take it, and whether calls will keep to it strictly.

    Args:
        binds: whether a strict schema must require all its properties.
    """
    if not tool.strict or tool.parameters is None:
        return tool.parameters or schemas.object_schema(None), tool.strict
    schema, strict = schemas.for_openai(tool.parameters)
    if binds and not strict:
        losses.cannot("strict", "a schema is only followed there to the letter if it requires all its properties")
        return tool.parameters, False
    return schema, True


def arguments_of(call: ToolCall) -> dict[str, Raw]:
    """
    Raises:
        Inexpressible: they are no JSON object.
    """
    try:
        return _object((call.arguments.strip() or "{}").encode("utf-8", "replace"))
    except UNREADABLE:
        raise Inexpressible("tools", "the arguments of a call in the conversation are no JSON object") from None
