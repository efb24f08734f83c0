"""What the types of `sidecar.settings` and of plugins' configurations look like to whoever walks along them."""

from collections.abc import Mapping
from enum import Enum, auto
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import fields

from sidecar.provider import Secret


class Form(Enum):
    SECTION = auto()
    """A Struct: `kind` is it."""
    TABLE = auto()
    """A dict from names to values of one shape."""
    SEQUENCE = auto()
    """A list or tuple of values of one shape."""
    SECRET = auto()
    """A credential: `sidecar.provider.Secret`."""
    TEXT = auto()
    """A class that reads one text: `kind` is it. See `sidecar.units`."""
    DEFERRED = auto()
    """Settings whose type is not known yet: a plugin's."""
    LEAF = auto()
    """Anything else: msgspec knows it. `kind` is the type with all its annotations, null included."""


class Shape(Struct, frozen=True, eq=False):
    form: Form
    kind: Any
    nullable: bool = False
    inner: "Shape | None" = None
    """Of a table's values or a sequence's items."""
    key: "Shape | None" = None
    """Of a table's keys."""
    description: str = ""
    least: int = 0
    """How many items a sequence must have."""
    most: int | None = None


class Field(Struct, frozen=True, eq=False):
    name: str
    """In Python."""
    shape: Shape
    required: bool
    default: Any
    """NODEFAULT where it is required."""


@cache
def fields_of(section: type[Struct]) -> Mapping[str, Field]:
    """The fields of a Struct by the names that a configuration has for them."""
    return {
        info.encode_name: Field(
            info.name,
            shape_of(info.type),
            info.required,
            info.default_factory() if info.default_factory is not NODEFAULT else info.default,
        )
        for info in fields(section)
    }


def shape_of(kind: Any) -> Shape:
    """The shape of a type as it stands in an annotation."""
    bare, metas = _unwrapped(kind)
    origin, arguments = get_origin(bare), get_args(bare)
    nullable = False
    if origin in (Union, UnionType):
        others = [argument for argument in arguments if argument is not NoneType]
        if len(others) == 1 and len(arguments) == 2:
            nullable = True
            bare, inner_metas = _unwrapped(others[0])
            metas = (*metas, *inner_metas)
            origin, arguments = get_origin(bare), get_args(bare)
    description = next((meta.description for meta in metas if meta.description), "")
    if (
        reader := next((meta.extra["reads"] for meta in metas if meta.extra and "reads" in meta.extra), None)
    ) is not None:
        return Shape(Form.TEXT, reader, nullable, description=description)
    if any((meta.extra or {}).get("deferred") for meta in metas):
        return Shape(Form.DEFERRED, bare, nullable, description=description)
    if origin is dict and len(arguments) == 2:
        key, inner = (shape_of(argument) for argument in arguments)
        return Shape(Form.TABLE, dict, nullable, inner, key, description=description)
    if origin in (list, frozenset, set) or (origin is tuple and arguments[1:] == (...,)):
        least = max((meta.min_length or 0 for meta in metas), default=0)
        most = next((meta.max_length for meta in metas if meta.max_length is not None), None)
        return Shape(Form.SEQUENCE, origin, nullable, shape_of(arguments[0]), None, description, least, most)
    return Shape(_form(bare), kind if _form(bare) is Form.LEAF else bare, nullable, description=description)


def _form(bare: Any) -> Form:
    if bare is Secret:
        return Form.SECRET
    if isinstance(bare, type):
        if issubclass(bare, Struct) and not bare.__struct_config__.array_like and bare.__struct_config__.tag is None:
            return Form.SECTION
        if hasattr(bare, "expected") and hasattr(bare, "schema"):
            return Form.TEXT
    return Form.LEAF


def _unwrapped(kind: Any) -> tuple[Any, tuple[Meta, ...]]:
    metas: tuple[Meta, ...] = ()
    while get_origin(kind) is Annotated:
        kind, *extras = get_args(kind)
        metas = (*(extra for extra in extras if isinstance(extra, Meta)), *metas)
    return kind, metas
