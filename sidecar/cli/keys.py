"""The settings that a Struct describes, one by one, for people to look up."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from sidecar.configuration.shape import Form, Shape, fields_of
from sidecar.configuration.wording import expected


class Key(Struct, frozen=True, kw_only=True):
    """One setting."""

    path: str
    """``ttl``, ``limits.size``, ``rules[].model``, ``voices.<name>``"""
    expected: str
    required: bool
    default: Any
    """As it would be written; None where it is required."""
    description: str


def keys(kind: type[Struct], prefix: str = "", base: Struct | None = None) -> Iterator[Key]:
    """All settings of *kind*, those of its sections included; a section itself is none, unless it may be null.

    Args:
        base: what holds where nothing is given; None for what the fields themselves say.
    """
    for name, field in fields_of(kind).items():
        default = field.default if base is None else getattr(base, field.name)
        yield from _below(field.shape, f"{prefix}{name}", field.required and base is None, default)


def _below(shape: Shape, path: str, required: bool, default: Any) -> Iterator[Key]:
    if shape.form is Form.SECTION and not shape.nullable:
        yield from keys(shape.kind, f"{path}.", default if isinstance(default, Struct) else None)
        return
    yield Key(
        path=path,
        expected=_expected(shape),
        required=required,
        default=None if default is NODEFAULT else plain(default),
        description=shape.description,
    )
    if shape.form is Form.SECTION:
        yield from keys(shape.kind, f"{path}.")
    inner = shape.inner
    if inner is not None and inner.form is Form.SECTION:
        yield from keys(inner.kind, f"{path}{'.<name>' if shape.form is Form.TABLE else '[]'}.")


def _expected(shape: Shape) -> str:
    inner = shape.inner
    if shape.form is Form.TABLE and inner is not None and inner.form is not Form.SECTION:
        return f"a mapping, each value {expected(inner)}"
    return expected(shape)


def plain(value: Any) -> Any:
    """A value as it would be written into a file."""
    if isinstance(value, Struct):
        return {key: plain(getattr(value, field.name)) for key, field in fields_of(type(value)).items()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if hasattr(type(value), "expected"):
        return str(value)  # a Duration is written 5s
    return msgspec.to_builtins(value)
