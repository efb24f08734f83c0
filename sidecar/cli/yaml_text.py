"""Plain values as YAML with a comment behind each: what PyYAML's own writer cannot do."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.configuration.document import parsed
from sidecar.configuration.problem import Source

_HARMLESS = re.compile(r"[A-Za-z0-9_/](?:[A-Za-z0-9_./@:+-]*[A-Za-z0-9_./@+-])?")
#: What YAML does not want to see as it is: control characters, breaks of lines, halves of surrogates.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_LONGEST_LIST = 80


def written(values: Mapping[str, Any], comments: Mapping[str, str]) -> str:
    """*values* as a YAML document.

    Args:
        values: mappings, lists, texts, numbers, switches and None, however deep.
        comments: what to write behind a value, by its path: ``providers.openai.url``, ``plugins[0].use``.
    """
    lines = list(_mapping(values, "", "", comments))
    width = min(max((len(line) for line, comment in lines if comment), default=0), 60)
    return "\n".join(f"{line:<{width}}  # {comment}" if comment else line for line, comment in lines) + "\n"


def _mapping(
    values: Mapping[str, Any], indent: str, path: str, comments: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        below = f"{path}.{key}" if path else key
        yield from _entry(f"{indent}{_scalar(str(key))}:", value, indent, below, comments)


def _entry(start: str, value: Any, indent: str, path: str, comments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """*value* behind *start*, or below it."""
    if isinstance(value, Mapping) and value:
        yield start, ""
        yield from _mapping(value, f"{indent}  ", path, comments)
    elif isinstance(value, list) and value and not _short(value):
        yield start, comments.get(path, "")
        for index, item in enumerate(value):
            yield from _item(item, f"{indent}  ", f"{path}[{index}]", comments)
    else:
        yield f"{start} {_scalar(value)}", comments.get(path, "")


def _item(value: Any, indent: str, path: str, comments: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """One item of a list: what belongs to it stands two further in than its hyphen."""
    if not (isinstance(value, Mapping) and value):
        yield f"{indent}- {_scalar(value)}", comments.get(path, "")
        return
    lines = list(_mapping(value, f"{indent}  ", path, comments))
    first, comment = lines[0]
    yield f"{indent}- {first[len(indent) + 2 :]}", comment
    yield from lines[1:]


def _short(value: list[Any]) -> bool:
    return not any(isinstance(item, (Mapping, list)) for item in value) and len(_scalar(value)) <= _LONGEST_LIST


def _scalar(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(item, (Mapping, list)) for item in value):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, str) and _HARMLESS.fullmatch(value) and _is_text(value):
        return value
    return _UNPRINTABLE.sub(_escaped, json.dumps(value, ensure_ascii=False))  # JSON is YAML, but for this


def _escaped(matched: re.Match[str]) -> str:
    code = ord(matched[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_text(plain: str) -> bool:
    """Whether YAML takes it for text without quotes, and versions 1.1 and 1.2 agree about that."""
    node = parsed(Source("", plain), lambda finding: None)
    return node is not None and node.value == plain and not node.unclear
