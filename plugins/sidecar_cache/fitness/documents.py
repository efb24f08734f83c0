"""JSON of answers, as far as it takes to judge them: only looked at, never passed on."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sidecar_cache.forms.pieces import UNREADABLE, documents

Document = dict[str, Any]

decode: Final = msgspec.json.Decoder().decode
_SPACE_BETWEEN: Final = re.compile(rb"\}\s*\{")


class Unfit(Exception):
    """An answer that is not to be kept. ``str()`` says why, without any of its content."""


def document_of(text: bytes | str) -> Document:
    """
    Raises:
        Unfit: *text* is no JSON, or no object.
    """
    try:
        document = decode(text)
    except UNREADABLE:
        raise Unfit("not valid JSON") from None
    if not isinstance(document, dict):
        raise Unfit("not a JSON object")
    return document


def events_of(stream: bytes) -> Iterator[Document]:
    """The events of a stream, but for the word that ends it.

    Raises:
        Unfit: one of them is no JSON object.
    """
    for data in documents(stream):
        try:
            document = decode(data)
        except UNREADABLE:
            document = None
        if not isinstance(document, dict):
            raise Unfit("an event of the stream is not valid JSON")
        yield document


def objects_of(text: bytes) -> list[Document]:
    """One JSON object, or several one after another.

    Raises:
        Unfit: there is something else in *text*.
    """
    try:
        return [document_of(text)]
    except Unfit:
        # objects touch each other nowhere inside a JSON text, and in its strings only with a quotation mark near by
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1:
            return [document_of(line) for line in lines]
        return [document_of(each) for each in _SPACE_BETWEEN.sub(b"}\n{", text).split(b"\n")]


def listed_objects(value: Any) -> list[Document]:
    """The objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def object_of(value: Any) -> Document:
    """An object; an empty one where there is something else."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    """A text, or the texts in a list of parts."""
    if isinstance(value, list):
        return "".join([text_of(part.get("text")) for part in listed_objects(value)])
    return value if isinstance(value, str) else ""
