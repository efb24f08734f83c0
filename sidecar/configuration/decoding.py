"""From a tree of values to the Structs that it describes, with everything that is wrong found in one go.

msgspec ends at the first mistake, so the tree is walked here, setting by setting; only single values are left to it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import NODEFAULT, Struct, ValidationError, convert
from msgspec.structs import replace

from sidecar.configuration.document import Node, plain
from sidecar.configuration.problem import Finding, Place, Span
from sidecar.configuration.reference import WHOLE, Missing, Unresolved, refers, resolved
from sidecar.configuration.shape import Field, Form, Shape, fields_of
from sidecar.configuration.wording import choices, choices_of, expected, kind_of, nearest, shown
from sidecar.provider import Secret


class Wrong:
    """Stands for a value that could not be made; why has been reported."""


WRONG: Final = Wrong()

_ADDRESSABLE = re.compile(r"[\x21-\x7e]+")


class Decoder:
    """Decodes against one environment.

    Args:
        environ: what ``${env:NAME}`` refers to.
        report: told of everything that is wrong.
    """

    def __init__(self, environ: Mapping[str, str], report: Callable[[Finding], None]) -> None:
        self._environ = environ
        self._report = report

    def section(self, node: Node, kind: type[Struct], path: str, base: Struct | None = None) -> Any:
        """A *kind* with what *node* gives, and *base*'s or the default values for the rest.

        What is wrong leaves the value of *base*, so that the others can still be held against each other; without a
        *base* it makes the whole WRONG.
        """
        if node.value is None:
            node = replace(node, value={})  # all its lines may be commented out
        if not isinstance(node.value, dict):
            return self._mismatch(node, path, "a mapping", _as_entry(node, fields_of(kind)))
        fields = fields_of(kind)
        given: dict[str, Any] = {}
        for key, child in node.value.items():
            if (field := fields.get(key)) is None:
                self._unknown(child, _joined(path, key), key, fields)
            else:
                below = field.default if base is None else getattr(base, field.name)
                given[field.name] = self.value(child, field.shape, _joined(path, key), below)
        missing = [key for key, field in fields.items() if base is None and field.required and key not in node.value]
        for key in missing:
            message = f"is missing; expected {expected(fields[key].shape)}"
            self._wrong(node.head, _joined(path, key), message)
        good = {name: value for name, value in given.items() if value is not WRONG}
        if missing or (base is None and len(good) < len(given)):
            return WRONG
        try:
            return kind(**good) if base is None else replace(base, **good)
        except (ValueError, TypeError) as error:  # what __post_init__ of a plugin's Struct has against it
            return self._wrong(node.place, path, *_reasons(error)) if len(good) == len(given) else WRONG

    def value(self, node: Node, shape: Shape, path: str, base: Any = NODEFAULT) -> Any:
        """What *node* stands for, or WRONG. *base* is what would hold without it."""
        form = shape.form
        if node.value is None and shape.nullable and form is not Form.LEAF:
            return None
        if form is Form.SECTION:
            return self.section(node, shape.kind, path, base if isinstance(base, Struct) else None)
        if form is Form.TABLE:
            return self._table(node, shape, path, base)
        if form is Form.SEQUENCE:
            return self._sequence(node, shape, path)
        if form is Form.SECRET:
            return self._secret(node, path)
        if form is Form.TEXT:
            return self._text(node, shape, path)
        if form is Form.DEFERRED:
            return self._deferred(node, path)
        return self._leaf(node, shape, path)

    def _table(self, node: Node, shape: Shape, path: str, base: Any) -> Any:
        if node.value is None:
            node = replace(node, value={})
        if not isinstance(node.value, dict) or shape.inner is None or shape.key is None:
            return self._mismatch(node, path, "a mapping")
        below: Mapping[str, Any] = base if isinstance(base, Mapping) else {}
        table: dict[Any, Any] = dict(below)
        for key, child in node.value.items():
            inner = _joined(path, key)
            name = self._name(key, child, shape.key, inner)
            value = self.value(child, shape.inner, inner, below.get(key, NODEFAULT))
            if name is not WRONG and value is not WRONG:
                table[name] = value
        return table

    def _name(self, key: str, child: Node, shape: Shape, path: str) -> Any:
        """A key of a table. References have no meaning in it."""
        place = child.key or child.place
        if shape.form is not Form.TEXT:
            return self._leaf(Node(key, place, place), shape, path)
        try:
            return shape.kind(key)
        except ValueError as error:
            wrong, hint = _reasons(error)
            return self._wrong(place, path, f"the key {wrong}; expected {expected(shape)}", hint)

    def _sequence(self, node: Node, shape: Shape, path: str) -> Any:
        if not isinstance(node.value, list) or shape.inner is None:
            hint = "write [] for none" if node.value is None else ""
            if isinstance(node.value, (str, int, float)) and shape.inner and shape.inner.form is not Form.SECTION:
                hint = f"write [{node.written}]" if len(node.written) <= 60 else ""
            return self._mismatch(node, path, expected(shape), hint)
        items = [self.value(item, shape.inner, f"{path}[{index}]") for index, item in enumerate(node.value)]
        if len(items) < shape.least or (shape.most is not None and len(items) > shape.most):
            bound = f"at least {shape.least}" if len(items) < shape.least else f"at most {shape.most}"
            return self._wrong(node.place, path, f"has {len(items)} items; expected {bound}")
        return WRONG if any(item is WRONG for item in items) else shape.kind(items)

    def _secret(self, node: Node, path: str) -> Any:
        if not isinstance(node.value, str) or not WHOLE.fullmatch(node.value):
            hides = (Span(node.place, node.end),)
            message = "is not a reference; expected ${env:NAME} or ${file:/path}"
            hint = "put the secret into a variable or a file and refer to it: secrets do not stand in a configuration"
            self._report(Finding(place=node.place, path=path, message=message, hint=hint, hides=hides))
            return WRONG
        text = self._resolved(node, path)
        if not isinstance(text, str):
            return WRONG
        text = text.rstrip("\r\n")
        if not text:
            return self._wrong(node.place, path, f"{node.value} is empty; expected a secret")
        if not _ADDRESSABLE.fullmatch(text):
            message = f"{node.value} has characters that no credential has; expected visible ASCII without spaces"
            return self._wrong(node.place, path, message, "look for quotes, spaces and line ends around it")
        return Secret(text)

    def _text(self, node: Node, shape: Shape, path: str) -> Any:
        if isinstance(node.value, (dict, list, bool)) or node.value is None or node.unclear:
            return self._mismatch(node, path, expected(shape), _quoted(node) if _reads(shape, node.written) else "")
        text = self._resolved(node, path) if isinstance(node.value, str) else node.written
        if not isinstance(text, str):
            return WRONG
        try:
            read = shape.kind(text)
        except ValueError as error:
            wrong, hint = _reasons(error)
            # a hint may repeat what a reference stands for
            hint = "" if refers(node.written) else hint
            return self._wrong(node.place, path, f"{shown(node)} {wrong}; expected {expected(shape)}", hint)
        return read if isinstance(node.value, str) else self._mismatch(node, path, "text", _quoted(node))

    def _deferred(self, node: Node, path: str) -> Any:
        """As written; but references must stand for something now, not when the plugin is made."""
        if node.value is None:
            return {}
        if not isinstance(node.value, dict):
            return self._mismatch(node, path, "a mapping")
        self._try_references(node, path)
        return plain(node)

    def _try_references(self, node: Node, path: str) -> None:
        if isinstance(node.value, dict):
            for key, child in node.value.items():
                self._try_references(child, _joined(path, key))
        elif isinstance(node.value, list):
            for index, item in enumerate(node.value):
                self._try_references(item, f"{path}[{index}]")
        elif isinstance(node.value, str):
            self._resolved(node, path)

    def _leaf(self, node: Node, shape: Shape, path: str) -> Any:
        value = self._builtins(node, path, nullable=shape.nullable)
        if value is WRONG:
            return WRONG
        try:
            converted = convert(value, shape.kind, dec_hook=_read)
        except ValidationError as error:
            return self._not_valid(node, shape, path, str(error))
        if node.unclear and not isinstance(converted, bool):
            return self._mismatch(node, path, expected(shape))
        return converted

    def _builtins(self, node: Node, path: str, nullable: bool = False) -> Any:
        """The value with its references resolved, or WRONG."""
        if isinstance(node.value, dict):
            table = {key: self._builtins(child, _joined(path, key)) for key, child in node.value.items()}
            return WRONG if any(value is WRONG for value in table.values()) else table
        if isinstance(node.value, list):
            items = [self._builtins(item, f"{path}[{at}]") for at, item in enumerate(node.value)]
            return WRONG if any(item is WRONG for item in items) else items
        return self._resolved(node, path) if isinstance(node.value, str) else node.value

    def _resolved(self, node: Node, path: str) -> str | Wrong:
        try:
            return resolved(str(node.value), self._environ)
        except Unresolved as unresolved:
            message, hint = _reasons(unresolved)
            missing = isinstance(unresolved, Missing)
            self._report(Finding(place=node.place, path=path, message=message, hint=hint, missing=missing))
            return WRONG

    def _not_valid(self, node: Node, shape: Shape, path: str, error: str) -> Wrong:
        """*error* is what msgspec says; its own words only where it is about the inside of a value."""
        reason, _, inside = error.partition(" - at `$")
        if inside:
            for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", inside):
                inner = _inner(node, name, index)
                if inner is None:
                    break
                node, path = inner, _joined(path, name) if name else f"{path}[{index}]"
            return self._wrong(node.place, path, f"{shown(node)} does not fit; {reason[0].lower()}{reason[1:]}")
        wanted, words = expected(shape), choices_of(shape)
        if isinstance(node.value, str) and refers(node.value):
            variable = "" if "[" in path else f": SIDECAR__{path.replace('.', '__').upper()}"
            hint = "" if words else f"a reference is always text; use an override instead{variable}"
            return self._wrong(node.place, path, f"what {shown(node)} stands for does not fit; expected {wanted}", hint)
        if words and isinstance(node.value, str):
            hint = nearest(node.value, words)
            return self._wrong(node.place, path, f"{shown(node)} is not known; expected {wanted}", hint)
        if isinstance(node.value, str) and not node.unclear and wanted.startswith("text"):
            return self._wrong(node.place, path, f"{shown(node)} does not fit; expected {wanted}")
        if not node.unclear and wanted.startswith(_numbers(node.value)):
            return self._wrong(node.place, path, f"{shown(node)} is out of range; expected {wanted}")
        return self._mismatch(node, path, wanted, _quoted(node) if wanted.startswith("text") or words else "")

    def _mismatch(self, node: Node, path: str, wanted: str, hint: str = "") -> Wrong:
        """Another kind of value than *wanted*."""
        if node.unclear:
            message = f"{node.written} without quotes is {node.unclear} to some readers of YAML and text to others"
            hint = hint or ("write it in plain decimal digits" if "number" in wanted else "")
        elif node.value is None:
            message = "has no value" if not node.written else f"{node.written} is no value for it"
        elif isinstance(node.value, (dict, list)):
            message, hint = f"is {kind_of(node)}", ""
        else:
            message = f"{shown(node)} is {kind_of(node)}"
        return self._wrong(node.place, path, f"{message}; expected {wanted}", hint)

    def _unknown(self, node: Node, path: str, key: str, fields: Mapping[str, Field]) -> None:
        # the value of a misspelt key may be a secret
        hides = (Span(node.place, node.end),)
        message = f"is not a setting; expected {choices(fields)}" if fields else "is not a setting; expected none"
        place = node.key or node.place
        hint = nearest(key, fields)
        self._report(Finding(place=place, path=path, message=message, hint=hint, hides=hides))

    def _wrong(self, place: Place, path: str, message: str, hint: str = "") -> Wrong:
        self._report(Finding(place=place, path=path, message=message, hint=hint))
        return WRONG


def _joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _inner(node: Node, name: str, index: str) -> Node | None:
    if isinstance(node.value, dict):
        return node.value.get(name)
    if isinstance(node.value, list) and index and int(index) < len(node.value):
        return node.value[int(index)]
    return None


def _read(kind: type[Any], value: Any) -> Any:
    """msgspec's hook for the classes that read one text."""
    if hasattr(kind, "expected") and isinstance(value, str):
        return kind(value)
    raise ValueError(f"expected {getattr(kind, 'expected', kind.__name__)}")


def _as_entry(node: Node, fields: Mapping[str, Field]) -> str:
    """``- cache`` in a list whose items have one key that they must have."""
    required = [key for key, field in fields.items() if field.required]
    return f"write {required[0]}: {node.written}" if len(required) == 1 and isinstance(node.value, str) else ""


def _quoted(node: Node) -> str:
    return "" if isinstance(node.value, (dict, list)) else f'quote it if text is meant: "{node.written}"'


def _reads(shape: Shape, text: str) -> bool:
    try:
        shape.kind(text)
    except ValueError:
        return False
    return True


def _numbers(value: object) -> tuple[str, ...]:
    """How what is expected begins if *value* is of the right kind for it."""
    if isinstance(value, bool):
        return ()
    return {int: ("a whole number", "a number"), float: ("a number",)}.get(type(value), ())


def _reasons(error: BaseException) -> tuple[str, str]:
    """What is wrong and what to do, from the arguments of a ``ValueError``."""
    wrong, hint = (*map(str, error.args), "", "")[:2]
    return wrong, hint
