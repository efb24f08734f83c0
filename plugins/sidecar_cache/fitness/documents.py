"""JSON of answers, as far as it takes to judge them: only looked at, never passed on."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from sidecar_cache.forms.pieces import BOM, UNREADABLE, documents
from sidecar_cache.slices import Slices

T = TypeVar("T")

Document = dict[str, Any]

decode: Final = msgspec.json.Decoder().decode
_object: Final = msgspec.json.Decoder(Document).decode
_SPACE_BETWEEN: Final = re.compile(rb"\}\s*\{")

#: What is done of an answer before others have their turn: so many of its events, in about so many of its bytes.
_SLICE_EVENTS: Final = 8
_SLICE_BYTES: Final = 4096
#: From here on each thing that is done with all of an answer is a slice.
LARGE_BYTES: Final = 8 * 1024


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


def read_by(reader: Callable[[bytes], T], text: bytes, what: str) -> T:
    """What *reader*, a decoder of only what matters, makes of a JSON text.

    Raises:
        Unfit: it is none, or in another form than *reader* knows. *what* is what it is called then.
    """
    try:
        if not text.isascii():
            text.decode()  # what a reader passes over it does not look into
        return reader(text)
    except msgspec.ValidationError:
        raise Unfit(f"{what} is in no form that is known") from None
    except UNREADABLE:
        raise Unfit(f"{what} is not valid JSON") from None


def event_of(data: bytes) -> Document:
    """
    Raises:
        Unfit: *data* of an event is no JSON object.
    """
    return read_by(_object, data, "an event of the stream")


def each_event(stream: bytes, take: Callable[[bytes], object]) -> Slices[None]:
    """Gives *take* the data of a stream's events, but for the word that ends it."""
    begun = len(stream) > LARGE_BYTES
    for window in _windows(stream.removeprefix(BOM)):
        datas = list(documents(window))
        for at in range(0, len(datas), _SLICE_EVENTS):
            if begun:
                yield
            begun = True
            for data in datas[at : at + _SLICE_EVENTS]:
                take(data)


def _windows(stream: bytes) -> Iterator[bytes]:
    """A stream in pieces, each of which ends where an event ends."""
    at, end = 0, len(stream)
    separator = b"\n\n" if b"\r" not in stream else b"\r\n\r\n"
    while end - at > _SLICE_BYTES:
        found = stream.find(separator, at + _SLICE_BYTES)
        if found < 0:
            break
        yield stream[at : found + len(separator)]
        at = found + len(separator)
    yield stream[at:]


def objects_of(text: bytes) -> Iterator[Document]:
    """One JSON object, or several one after another.

    Raises:
        Unfit: there is something else in *text*.
    """
    try:
        only = document_of(text)
    except Unfit:
        # objects touch each other nowhere inside a JSON text, and in its strings only with a quotation mark near by
        lines = [line for line in text.splitlines() if line.strip()]
        several = lines if len(lines) > 1 else _SPACE_BETWEEN.sub(b"}\n{", text).split(b"\n")
        yield from map(document_of, several)
    else:
        yield only


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
