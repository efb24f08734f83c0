"""JSON that a model was asked for, held against the topmost level of its schema: types, required members, enums.

What lies deeper is left to the agent, which checks it anyway: this catches answers of another form altogether.
"""

from typing import Any, Final

from sidecar import Chat
from sidecar_cache.fitness.documents import Unfit, decode
from sidecar_cache.forms.pieces import UNREADABLE

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def check_json(asked: Chat, text: str) -> None:
    """
    Raises:
        Unfit: *text* is not what was asked for.
    """
    schema = _schema(asked.output_schema)
    try:
        value = decode(text)
    except UNREADABLE:
        # Gemini answers a choice of words by the word alone
        if text in (schema.get("enum") or ()):
            return
        raise Unfit("what it says is not the JSON that was asked for") from None
    if schema:
        _check_value(value, schema, "what it says")
    elif not isinstance(value, dict | list):
        raise Unfit("what it says is not the JSON that was asked for")


def check_arguments(asked: Chat | None, name: str, arguments: Any) -> None:
    """
    Args:
        arguments: JSON text, or what it says; None where they are free text.

    Raises:
        Unfit: no such tool was offered, or it does not take these arguments.
    """
    tools = () if asked is None else asked.tools
    offered = {tool.name: tool.parameters for tool in tools}
    # tools that are built in are called by other names than they are offered under
    if tools and name not in offered and None not in offered.values():
        raise Unfit("it calls a tool that was not offered")
    if arguments is None:
        return
    if isinstance(arguments, str):
        try:
            arguments = decode(arguments or "{}")
        except UNREADABLE:
            raise Unfit("the arguments of a tool call are not valid JSON") from None
    if not isinstance(arguments, dict):
        raise Unfit("the arguments of a tool call are no JSON object")
    if schema := _schema(offered.get(name)):
        _check_value(arguments, {**schema, "type": "object"}, "a tool call")


def _schema(raw: Any) -> dict[str, Any]:
    if raw is None:
        return {}
    try:
        schema = decode(raw)
    except UNREADABLE:
        return {}
    return schema if isinstance(schema, dict) else {}


def _check_value(value: Any, schema: dict[str, Any], what: str) -> None:
    if value is None and schema.get("nullable"):
        return
    if not _is_one_of(value, schema.get("type")):
        raise Unfit(f"{what} is of another type than asked for")
    if isinstance(choices := schema.get("enum"), list) and value not in choices:
        raise Unfit(f"{what} is none of the values asked for")
    if not isinstance(value, dict):
        return
    required = schema.get("required")
    if isinstance(required, list) and not {name for name in required if isinstance(name, str)} <= value.keys():
        raise Unfit(f"{what} lacks a member that was asked for")
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if name in value and isinstance(inner, dict) and not _is_fit_member(value[name], inner):
            raise Unfit(f"a member of {what} is none of the values asked for")


def _is_fit_member(value: Any, schema: dict[str, Any]) -> bool:
    if value is None:  # optional members are left out in two ways
        return True
    choices = schema.get("enum")
    return _is_one_of(value, schema.get("type")) and (not isinstance(choices, list) or value in choices)


def _is_one_of(value: Any, types: Any) -> bool:
    """Whether *value* is of a JSON Schema's ``type``; Gemini writes those in capitals."""
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    known = [_TYPES[name.lower()] for name in names if isinstance(name, str) and name.lower() in _TYPES]
    if not known:
        return True
    kinds = tuple(kind for each in known for kind in each)
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, float) and value.is_integer():
        return int in kinds or float in kinds
    return isinstance(value, kinds)
