"""YAML as a tree in which every value knows where it stands.

The events of PyYAML's C parser are put together here and not by its composer: that one keeps the last of two equal keys
without a word, and a file that nests deeply enough ends the process by overrunning the C stack.

Scalars are read as YAML 1.2 does, as far as YAML 1.1 agrees; what the two read differently (``no``, ``012``, ``1:30``,
``1e3``) is kept with a note, for only the type of the setting tells what may be meant.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml
from msgspec import Struct
from msgspec.structs import replace

from sidecar.configuration.problem import LINE_BREAK, Finding, Place, Source, Span

_EVENTS = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: A ConfigMap cannot be larger either.
MOST_BYTES = 1 << 20
_ONE_OF_TWO = "remove one of them"
_MOST_NESTING = 32
_MOST_VALUES = 20_000

Scalar = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]*(?:[eE][-+][0-9]+)?")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_BOOLEANS_OF_1_1 = {
    **dict.fromkeys(("yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "off", "Off", "OFF"), False),
}
_NUMBER_LIKE = (
    r"(?x) [-+]? (?: 0[0-9_]+ | 0[bB][01_]+ | 0[oO][0-7]+ | 0[xX][0-9A-Fa-f_]+ | [0-9][0-9_]*_[0-9_]*"
    r"| [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )? | [0-9][0-9_]* (?: \.[0-9_]* )? (?: [eE][-+]?[0-9]+ )?"
    r"| \.[0-9_]+ (?: [eE][-+]?[0-9]+ )? | \.(?: inf | Inf | INF | nan | NaN | NAN ) )"
)


class Node(Struct, frozen=True, eq=False):
    """A value and where it stands."""

    value: "dict[str, Node] | list[Node] | Scalar"
    place: Place
    end: Place
    written: str = ""
    """A scalar as it was written, without quotes."""
    unclear: str = ""
    """What YAML 1.1 makes of a plain scalar that YAML 1.2 reads otherwise: ``false``, ``a number``."""
    key: Place | None = None
    """Where the key stands whose value this is."""

    @property
    def head(self) -> Place:
        """Where to look for the whole of it: a mapping begins with its key, if it has one."""
        return self.key if isinstance(self.value, dict) and self.key is not None else self.place


def at(root: Node | None, path: Sequence[str | int]) -> Node | None:
    """The node at *path*, or None where there is none."""
    node = root
    for part in path:
        if node is None:
            return None
        if isinstance(node.value, dict) and isinstance(part, str):
            node = node.value.get(part)
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            return None
    return node


def plain(node: Node) -> Any:
    """The value without places, as it was written."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def parsed(source: Source, report: Callable[[Finding], None]) -> Node | None:
    """The tree of *source*; None if it is empty or cannot be parsed, which *report* is told."""
    if len(source.text) > MOST_BYTES:
        report(Finding(place=Place(source), path="", message=f"is larger than {MOST_BYTES} bytes"))
        return None
    try:
        return _Composer(source, report).document()
    except UnicodeEncodeError as error:
        report(_bad_character(source, source.text[error.start]))
    except yaml.reader.ReaderError as error:
        report(_bad_character(source, chr(error.character)))
    except yaml.YAMLError as error:
        report(_syntax_error(source, error))
    except _Refused as refusal:
        report(refusal.finding)
    return None


class _Refused(Exception):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding


class _Composer:
    """Puts together the events of one document."""

    def __init__(self, source: Source, report: Callable[[Finding], None]) -> None:
        self._source = source
        self._lines = source.lines
        self._report = report
        self._events = _EVENTS(source.text)
        self._anchors: dict[str, Node] = {}
        self._left = _MOST_VALUES

    def document(self) -> Node | None:
        self._events.get_event()  # the stream begins
        if isinstance(self._events.get_event(), yaml.StreamEndEvent):
            return None
        root = self._node(self._events.get_event(), "", depth=0)
        self._events.get_event()  # the document ends
        if not isinstance(event := self._events.get_event(), yaml.StreamEndEvent):
            raise self._refused(self._place(event.start_mark), "a second document begins; expected one", "remove ---")
        return root

    def _node(self, event: Any, path: str, depth: int) -> Node:
        place = self._place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            if (found := self._anchors.get(event.anchor or "")) is None:
                hint = f"define it above as &{event.anchor}, or quote the text if a star is meant"
                raise self._refused(place, f"the anchor of *{event.anchor} is not defined", hint)
            self._count(found, place)
            return found
        if depth > _MOST_NESTING:
            raise self._refused(place, f"is nested more than {_MOST_NESTING} levels deep")
        self._count(None, place)
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, place, "tag:yaml.org,2002:seq")
            node = self._sequence(place, path, depth)
        else:
            self._check_tag(event, place, "tag:yaml.org,2002:map")
            node = self._mapping(place, path, depth)
        if event.anchor is not None:
            # only now: an anchor within itself would never end
            self._anchors[event.anchor] = node
        return node

    def _sequence(self, place: Place, path: str, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := self._events.get_event(), yaml.SequenceEndEvent):
            items.append(self._node(event, f"{path}[{len(items)}]", depth + 1))
        return Node(items, place, self._place(event.end_mark))

    def _mapping(self, place: Place, path: str, depth: int) -> Node:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := self._events.get_event(), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            inner = f"{path}.{key.written}" if path else key.written
            value = self._node(self._events.get_event(), inner, depth + 1)
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                self._merge(value, merged)
            elif isinstance(key.value, (dict, list)) or (key.value is None and not key.written):
                raise self._refused(key.place, "is not a key; expected a name before the colon")
            elif (first := entries.get(key.written)) is not None and first.key is not None:
                message = f"stands here for the second time; the first is on line {first.key.line}"
                hides = (Span(value.place, value.end),)
                self._report(Finding(place=key.place, path=inner, message=message, hint=_ONE_OF_TWO, hides=hides))
            else:
                entries[key.written] = replace(value, key=key.place)
        return Node({**merged, **entries}, place, self._place(event.end_mark))

    def _merge(self, value: Node, into: dict[str, Node]) -> None:
        for part in value.value if isinstance(value.value, list) else [value]:
            if not isinstance(part.value, dict):
                raise self._refused(part.place, "is not a mapping; expected one, or a list of them, to merge by <<")
            for key, node in part.value.items():
                into.setdefault(key, node)

    def _scalar(self, event: Any, place: Place) -> Node:
        self._check_tag(event, place, "tag:yaml.org,2002:str")
        end = self._place(event.end_mark)
        if event.implicit[0] and event.tag is None:
            value, unclear = _resolved(event.value)
            return Node(value, place, end, event.value, unclear)
        return Node(event.value, place, end, event.value)

    def _check_tag(self, event: Any, place: Place, permitted: str) -> None:
        if event.tag not in (None, "!", permitted):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._refused(place, f"the tag {tag} has no meaning here", "leave it out")

    def _count(self, alias: Node | None, place: Place) -> None:
        """Keep a small file from growing into millions of values by aliases of aliases."""
        self._left -= 1 if alias is None else _size(alias)
        if self._left < 0:
            raise self._refused(place, f"there are more than {_MOST_VALUES} values")

    def _place(self, mark: Any) -> Place:
        return _clamped(self._source, self._lines, mark)

    def _refused(self, place: Place, message: str, hint: str = "") -> _Refused:
        return _Refused(Finding(place=place, path="", message=message, hint=hint))


def _resolved(text: str) -> tuple[Scalar, str]:
    """What a plain scalar means, and what YAML 1.1 makes of it if that differs from YAML 1.2."""
    first = text[:1]
    if first.isdecimal() or first in ("-", "+", "."):
        return _number(text)
    if text in _NULLS:
        return None, ""
    if text in _BOOLEANS:
        return _BOOLEANS[text], ""
    if text in _BOOLEANS_OF_1_1:
        return _BOOLEANS_OF_1_1[text], "true" if _BOOLEANS_OF_1_1[text] else "false"
    return text, ""


def _number(text: str) -> tuple[Scalar, str]:
    if len(text) <= 18 and _INTEGER.fullmatch(text):
        return int(text), ""
    if len(text) <= 40 and _DECIMAL.fullmatch(text):
        return float(text), ""
    # the limit keeps the expression from trying for minutes
    return text, "a number" if len(text) <= 64 and re.fullmatch(_NUMBER_LIKE, text) else ""


def _size(node: Node) -> int:
    value = node.value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, children))


def _bad_character(source: Source, character: str) -> Finding:
    before = LINE_BREAK.split(source.text.partition(character)[0])
    place = Place(source, len(before), len(before[-1]) + 1)
    return Finding(place=place, path="", message=f"the character U+{ord(character):04X} cannot stand in YAML")


def _clamped(source: Source, lines: list[str], mark: Any) -> Place:
    """The place of *mark*; the end of the text for what lies beyond it."""
    line = min(mark.line, len(lines) - 1)
    column = mark.column if line == mark.line else len(lines[line])
    return Place(source, line + 1, min(column, len(lines[line])) + 1)


def _syntax_error(source: Source, error: yaml.YAMLError) -> Finding:
    mark, context_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        return Finding(place=Place(source), path="", message="is not YAML")
    lines = source.lines
    unclosed = mark.index >= len(source.text.rstrip()) and context_mark is not None
    place = _clamped(source, lines, context_mark if unclosed else mark)
    message = ", ".join(
        part for part in (getattr(error, "problem", None), getattr(error, "context", None)) if part is not None
    )
    character = lines[place.line - 1][place.column - 1 : place.column]
    if "cannot start any token" in message:
        name = "a tab" if character == "\t" else f"the character {character}"
        hint = "indent with spaces" if character == "\t" else f"quote the text that begins with {character}"
        message = f"{name} cannot stand here"
    elif "mapping values are not allowed" in message:
        hint = "quote the text if it has a colon and a space, or check the indentation"
    elif "flow" in message and "${" in lines[place.line - 1]:
        hint = "quote a reference that stands in braces or brackets"
    elif context_mark is not None and (unclosed or "flow" in message):
        hint = f"close what begins on line {min(context_mark.line, len(lines) - 1) + 1}"
    else:
        hint = "check the indentation" if "did not find expected" in message else ""
    return Finding(place=place, path="", message=f"is not YAML: {message}", hint=hint, unparsed=True)
