"""The documents of a manifest as text: read, and written again so that every reader takes them for the same.

What is not changed stays as it is to the last byte. In what is changed, a scalar without quotes stays as it was
written, for YAML 1.1 and 1.2, Kubernetes and others differ in what ``y``, ``0123`` or ``1e3`` mean; text that had
quotes gets them again wherever anybody might take it for something else. Comments are lost there.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml

_SEPARATOR = re.compile(r"^---[^\n]*(?:\n|\Z)", re.MULTILINE)
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: What some reader takes for a number, a date or a switch.
_NOT_FOR_ALL_TEXT: Final = re.compile(r"(?i)[-+]?[.0-9][0-9_.,:xob a-f+-]*|y|n|yes|no|on|off|true|false|null|~|=|<<")
#: What is a break of lines to YAML 1.1 alone.
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
_WIDEST = 1 << 20


class Unreadable(Exception):
    """It is neither YAML nor JSON; the message says where and why."""


class Document(NamedTuple):
    separator: str
    """The line before it, "" if there is none."""
    text: str
    value: Any
    json: bool

    def written(self, value: Any) -> str:
        """The text with *value* in place of this document's own."""
        if value is self.value:
            return self.separator + self.text
        if self.json:
            indent = re.match(r"\{\r?\n([ \t]+)", self.text.lstrip())
            separators = None if indent else (",", ":")
            text = json.dumps(value, indent=indent[1] if indent else None, separators=separators, ensure_ascii=False)
        else:
            text = yaml.dump(
                value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=_WIDEST
            )
        return self.separator + text.rstrip("\n") + "\n"


def documents(text: str) -> list[Document]:
    """The documents of *text*, YAML or JSON.

    Raises:
        Unreadable: as said.
    """
    if text.lstrip().startswith("{"):
        try:
            return list(_of_json(text))
        except ValueError:
            pass  # a YAML flow mapping begins so as well
    return list(_of_yaml(text))


def _of_json(text: str) -> Iterator[Document]:
    start, decoder = 0, json.JSONDecoder()
    while text[start:].strip():
        leading = len(text[start:]) - len(text[start:].lstrip())
        value, end = decoder.raw_decode(text, start + leading)
        rest = re.compile(r"\s*").match(text, end)
        end = rest.end() if rest else end
        yield Document("", text[start:end], value, json=True)
        start = end


def _of_yaml(text: str) -> Iterator[Document]:
    starts = [*_SEPARATOR.finditer(text)]
    if not starts or starts[0].start() > 0:
        yield _document("", text[: starts[0].start() if starts else None], 0)
    for at, separator in enumerate(starts):
        line = text.count("\n", 0, separator.start())
        if not re.fullmatch(r"---\s*(#.*)?\s*", separator[0]):
            raise Unreadable(f"{line + 1}:4: something stands behind ---; put it on the next line")
        end = starts[at + 1].start() if at + 1 < len(starts) else None
        yield _document(separator[0], text[separator.end() : end], line + 1)


def _document(separator: str, text: str, line: int) -> Document:
    try:
        # the empty lines make the parser count as the reader does
        value = yaml.load("\n" * line + text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{mark.line + 1}:{mark.column + 1}: " if mark else ""
        raise Unreadable(f"{place}is not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"{line + 1}:1: is not YAML: {' '.join(str(error).split())}") from error
    return Document(separator, text, value, json=False)


class _Written(str):
    """Text that stands without quotes."""

    __slots__ = ()


class _Integer(int):
    written: str


class _Number(float):
    written: str


class _Loader(_LOADER):  # type: ignore[misc]
    def get_single_node(self) -> Any:
        node = super().get_single_node()
        _check_keys(node, set())
        return node

    def text(self, node: Any) -> str:
        return str(node.value) if node.style else _Written(node.value)

    def integer(self, node: Any) -> int:
        value = _Integer(self.construct_yaml_int(node))
        value.written = node.value
        return value

    def number(self, node: Any) -> float:
        value = _Number(self.construct_yaml_float(node))
        value.written = node.value
        return value


for _name, _construct in (
    ("str", _Loader.text),
    ("timestamp", _Loader.text),
    ("value", _Loader.text),
    ("int", _Loader.integer),
    ("float", _Loader.number),
):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _construct)


def _check_keys(node: Any, seen: set[int]) -> None:
    """PyYAML keeps the last of two equal keys without a word.

    Raises:
        yaml.MarkedYAMLError: there are two.
    """
    if node is None or isinstance(node, yaml.ScalarNode) or id(node) in seen:
        return
    seen.add(id(node))
    keys = set()
    for child in node.value:
        if isinstance(node, yaml.MappingNode):
            key, child = child
            if isinstance(key, yaml.ScalarNode) and key.value in keys and key.value != "<<":
                problem = f"the key {key.value} stands here for the second time; remove one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        _check_keys(child, seen)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def as_written(self, data: Any) -> yaml.ScalarNode:
        text = getattr(data, "written", None) or str(data)
        tag = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return yaml.ScalarNode(tag, text)

    def text(self, data: str) -> yaml.ScalarNode:
        quoted = _NOT_FOR_ALL_TEXT.fullmatch(data) or _BREAKS.search(data)
        style = '"' if quoted else "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.text)
for _kind in (_Written, _Integer, _Number):
    _Dumper.add_representer(_kind, _Dumper.as_written)
