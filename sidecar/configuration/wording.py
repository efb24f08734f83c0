"""How values and types are called in messages."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sidecar.configuration.document import Node
from sidecar.configuration.problem import without_user
from sidecar.configuration.shape import Form, Shape

_LONGEST = 60
_MOST_CHOICES = 16


def shown(node: Node) -> str:
    """A value as it stands in the source, in quotes if it is text."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing" if not node.written else node.written
    text = without_user(node.written)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return msgspec.json.encode(text).decode() if isinstance(value, str) and not node.unclear else text


def kind_of(node: Node) -> str:
    """What sort of value it is."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "a switch"
    names: dict[type, str] = {int: "a whole number", float: "a number", str: "text"}
    return names.get(type(value), "nothing")


def expected(shape: Shape) -> str:
    """What can stand there."""
    return f"{_expected(shape)}, or null" if shape.nullable else _expected(shape)


def choices(words: Iterable[str]) -> str:
    """``one of a, b, c``, cut short if there are many."""
    words = list(words)
    if len(words) == 1:
        return words[0]
    listed = ", ".join(words[:_MOST_CHOICES])
    return f"one of {listed}, …" if len(words) > _MOST_CHOICES else f"one of {listed}"


def nearest(word: str, words: Iterable[str]) -> str:
    """``did you mean "listen"?``, or "" if nothing is near."""
    import difflib  # as above

    folded = {other.lower().replace("-", "_"): other for other in words}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), folded, 1)
    return f"did you mean {folded[near[0]]}?" if near else ""


def _expected(shape: Shape) -> str:
    if shape.form is Form.TEXT:
        return str(shape.kind.expected)
    if shape.form is Form.SECRET:
        return "${env:NAME} or ${file:/path}"
    if shape.form is Form.SEQUENCE and shape.inner is not None:
        return f"a list, each item {_expected(shape.inner)}"
    if shape.form is Form.LEAF:
        return _leaf(_type_info(shape.kind))
    return "a mapping"


def choices_of(shape: Shape) -> list[str]:
    """The words that can stand there, if it is one of a few."""
    if shape.form is not Form.LEAF:
        return []
    from msgspec import inspect

    info = _type_info(shape.kind)
    if isinstance(info, inspect.UnionType):
        return [word for part in info.types for word in _words(part)]
    return _words(info)


def _type_info(kind: Any) -> Any:
    from msgspec import inspect  # only where something is wrong: it costs a start of the process 5 ms

    info = inspect.type_info(kind)
    while isinstance(info, inspect.Metadata):
        info = info.type
    return info


def _words(info: Any) -> list[str]:
    from msgspec import inspect

    if isinstance(info, inspect.LiteralType):
        return [str(value) for value in info.values]
    if isinstance(info, inspect.EnumType):
        return [str(member.value) for member in info.cls]
    return []


def _leaf(info: Any) -> str:
    from msgspec import inspect

    if isinstance(info, inspect.Metadata):
        return _leaf(info.type)
    if isinstance(info, inspect.UnionType):
        return " or ".join(_leaf(part) for part in info.types if not isinstance(part, inspect.NoneType))
    if words := _words(info):
        return choices(words)
    if isinstance(info, inspect.BoolType):
        return "true or false"
    if isinstance(info, (inspect.IntType, inspect.FloatType)):
        noun = "a whole number" if isinstance(info, inspect.IntType) else "a number"
        return " ".join((noun, *_range(info))).strip()
    if isinstance(info, inspect.StrType):
        return f"text like {info.pattern}" if info.pattern else " ".join(("text", *_length(info)))
    if isinstance(info, inspect.AnyType):
        return "a value"
    return "a mapping" if isinstance(info, (inspect.StructType, inspect.DataclassType)) else "another kind of value"


def _range(info: Any) -> list[str]:
    if info.ge is not None and info.le is not None:
        return [f"from {info.ge} to {info.le}"]
    bounds = {"of at least": info.ge, "above": info.gt, "of at most": info.le, "below": info.lt}
    stated = [f"{word} {bound}" for word, bound in bounds.items() if bound is not None]
    return [" and ".join(stated)] if stated else []


def _length(info: Any) -> list[str]:
    bounds = {"of at least": info.min_length, "of at most": info.max_length}
    stated = [f"{word} {bound} characters" for word, bound in bounds.items() if bound is not None]
    return [" and ".join(stated)] if stated else []
