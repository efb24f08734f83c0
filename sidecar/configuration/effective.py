"""A configuration as plain values, and where each of them came from: what ``config show --effective`` prints."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from sidecar.catalogue import CATALOGUE
from sidecar.configuration.document import Node, plain
from sidecar.configuration.reference import refers
from sidecar.configuration.shape import Form, Shape, fields_of
from sidecar.settings import Settings

_FROM_THE_CATALOGUE = ("dialect", "url", "hosts")


def effective(settings: Settings, root: Node | None) -> dict[str, Any]:
    """All of *settings*, spelled as in a file. What came by a reference stands as the reference in *root*."""
    return _section(settings, root)


def origins(values: Mapping[str, Any], root: Node | None) -> dict[str, str]:
    """Where each of *values* came from, by its path."""
    built_in = CATALOGUE if values["catalogue"] else {}
    return {
        ".".join(path).replace(".[", "["): str(node.place) if node is not None else _silent_origin(path, built_in)
        for path, node in _leaves(values, root, ())
    }


def _silent_origin(path: tuple[str, ...], built_in: Mapping[str, Any]) -> str:
    """Where a value came from that nobody gave."""
    known = path[0] == "providers" and len(path) > 2 and path[1] in built_in and path[2] in _FROM_THE_CATALOGUE
    return "catalogue" if known else "default"


def _leaves(value: Any, node: Node | None, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node | None]]:
    below = None if node is None else node.value
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, below.get(key) if isinstance(below, dict) else None, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            child = below[index] if isinstance(below, list) and index < len(below) else None
            yield from _leaves(item, child, (*path, f"[{index}]"))
    else:
        yield path, node


def _section(section: Struct, node: Node | None) -> dict[str, Any]:
    below = node.value if node is not None and isinstance(node.value, dict) else {}
    kind: type[Struct] = type(section)
    return {
        key: _plain(getattr(section, field.name), field.shape, below.get(key)) for key, field in fields_of(kind).items()
    }


def _plain(value: Any, shape: Shape, node: Node | None) -> Any:
    if node is not None and refers(node.written):
        return node.written
    if value is None:
        return None
    if shape.form is Form.SECTION:
        return _section(value, node)
    if shape.form is Form.TABLE and shape.inner is not None:
        entries = node.value if node is not None and isinstance(node.value, dict) else {}
        return {str(key): _plain(item, shape.inner, entries.get(key)) for key, item in value.items()}
    if shape.form is Form.SEQUENCE and shape.inner is not None:
        items: list[Any] = node.value if node is not None and isinstance(node.value, list) else [None] * len(value)
        if node is not None and len(items) != len(value):  # one of them could not be read, so a default holds
            return plain(node)
        return [_plain(item, shape.inner, child) for item, child in zip(value, items, strict=True)]
    if shape.form is Form.SECRET:
        return str(value)
    return str(value) if shape.form is Form.TEXT else msgspec.to_builtins(value)
