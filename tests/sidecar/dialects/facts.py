"""Views as plain data, only what differs from the defaults: what the tables beside this say in few words."""

import hashlib
import json
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import fields

from sidecar.payload import Chat, Message, Tool

Facts = dict[str, Any]
#: What a view keeps for itself.
_HOW = frozenset(("raw", "read_turns", "turns"))


def facts(view: Struct | None) -> Facts | None:
    if view is None:
        return None
    found = {
        field.name: _plain(value)
        for field in fields(view)
        if field.name not in _HOW and (value := getattr(view, field.name)) != field.default
    }
    if isinstance(view, Chat):
        found |= {name: value for name in ("messages", "system") if (value := _plain(getattr(view, name)))}
    return {"kind": type(view).__name__} | found


def _plain(value: object) -> object:
    match value:
        case Message():
            return (value.role, value.text, " ".join(value.parts))
        case Tool():
            return (value.name, value.description, None if value.parameters is None else _plain(value.parameters))
        case Struct():
            return {name: told for name, told in (facts(value) or {}).items() if name != "kind"}
        case Raw():
            return json.loads(bytes(value))
        case bytes():
            return value if len(value) < 32 else f"{len(value)} bytes {hashlib.sha256(value).hexdigest()[:12]}"
        case tuple():
            return [_plain(item) for item in value]
        case str():
            return str(value)
        case _:
            return value
