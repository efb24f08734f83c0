"""``multipart/form-data`` bodies (RFC 7578), read whole or as far as they have come, and written. No I/O.

Reading is as tolerant as servers are: a preamble, bare LF for line ends, a missing closing line, unquoted or
backslash-escaped names. The content of a part is a view of the body; nothing is copied until somebody asks.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from msgspec import Struct

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.IGNORECASE)
_AFTER_DELIMITER = re.compile(rb"(--)|[ \t]*(?:\r?\n|[-\r]?\Z)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_BLANK_LINE = re.compile(rb"\r?\n")
_USUAL_HEAD_BYTES = 256
_ESCAPED = re.compile(r'\\(["\\])')
_ENCODED = {"%22": '"', "%0D": "\r", "%0A": "\n"}


class Part(Struct, frozen=True):
    """One field of a form."""

    name: str
    data: memoryview | bytes
    head: bytes
    """Its header lines as they stood, without the empty line after them."""
    filename: str | None = None
    content_type: str | None = None
    complete: bool = True
    """False for the last part of a body that was cut off in its content."""

    @property
    def text(self) -> str:
        return str(self.data, "utf-8", "replace")

    @staticmethod
    def of(name: str, data: bytes | str, filename: str | None = None, content_type: str | None = None) -> "Part":
        """A part to be written, its head made as browsers make it."""
        disposition = f'Content-Disposition: form-data; name="{_encoded(name)}"'
        if filename is not None:
            disposition += f'; filename="{_encoded(filename)}"'
        if content_type is not None:
            disposition += f"\r\nContent-Type: {content_type}"
        content = data.encode() if isinstance(data, str) else data
        return Part(name, content, disposition.encode(), filename, content_type)


class Form(Struct, frozen=True):
    parts: tuple[Part, ...]
    complete: bool
    """Whether the closing line was there."""


def boundary_of(content_type: str) -> str | None:
    found = _BOUNDARY.search(content_type)
    return None if found is None else found[1] or found[2]


def parse(content_type: str, body: bytes) -> Form:
    """The parts of *body* that are whole, and the last one as far as it came if its head is whole.

    A boundary missing from *content_type* is taken from the body's first line. Never raises: what is no form has no
    parts.
    """
    boundary = boundary_of(content_type)
    delimiter = b"--" + boundary.encode() if boundary else body[: max(body.find(b"\n"), 0)].rstrip()
    if len(delimiter) < 3 or not delimiter.startswith(b"--"):
        return Form((), False)
    lines = list(_delimiter_lines(body, delimiter))
    parts = [
        part
        for line, following in zip(lines, [*lines[1:], None], strict=False)
        if not line.closing and (part := _part(body, line.end, following)) is not None
    ]
    return Form(tuple(parts), bool(lines) and lines[-1].closing)


class _Line(NamedTuple):
    """Where a delimiter line begins (with the line break before it, which is its own) and ends."""

    begin: int
    end: int
    closing: bool


def _delimiter_lines(body: bytes, delimiter: bytes) -> Iterator[_Line]:
    found = -1 if body.startswith(delimiter) else body.find(b"\n" + delimiter)
    if found < 0 and not body.startswith(delimiter):
        return
    while True:
        if after := _AFTER_DELIMITER.match(body, found + 1 + len(delimiter)):
            begin = found - 1 if found > 0 and body[found - 1] == 0x0D else found
            yield _Line(begin, after.end(), after[1] is not None)
            if after[1] is not None:
                return
        if (found := body.find(b"\n" + delimiter, found + 1)) < 0:
            return


def _part(body: bytes, start: int, following: _Line | None) -> Part | None:
    """The part between two delimiter lines; None if its head is not all there, or there is nothing between them."""
    end = len(body) if following is None else following.begin
    if blank := _BLANK_LINE.match(body, start, end):
        head, data_start = b"", blank.end()
    elif head_end := _HEAD_END.search(body, start, end):
        head, data_start = body[start : head_end.start()], head_end.end()
    elif following is not None and start < end:
        head, data_start = body[start:end], end
    else:
        return None
    name, filename, content_type = _told(head) if len(head) <= _USUAL_HEAD_BYTES else _told.__wrapped__(head)
    return Part(name, memoryview(body)[data_start:end], head, filename, content_type, following is not None)


# An agent's forms look alike from call to call: reading a head takes half the time of reading a form.
@lru_cache(maxsize=256)
def _told(head: bytes) -> tuple[str, str | None, str | None]:
    """Name, file name and content type of a part."""
    fields: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    named = _parameters(fields.get("content-disposition", ""))
    return named.get("name", ""), named.get("filename"), fields.get("content-type")


def _parameters(disposition: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(disposition):
        value = quoted or bare.strip()
        if "\\" in value:
            value = _ESCAPED.sub(r"\1", value)
        if "%" in value:
            for encoded, character in _ENCODED.items():
                value = value.replace(encoded, character)
        found.setdefault(name.lower(), value)
    if extended := found.pop("filename*", None):
        found["filename"] = unquote(extended.rpartition("'")[2])
    return found


def _encoded(value: str) -> str:
    for encoded, character in _ENCODED.items():
        value = value.replace(character, encoded)
    return value


def write(parts: Iterable[Part], boundary: str) -> bytes:
    """A body of *parts* for ``multipart/form-data; boundary=…``. *boundary* must not stand in any of them."""
    delimiter = b"--" + boundary.encode()
    pieces: list[bytes | memoryview] = []
    for part in parts:
        pieces += (delimiter, b"\r\n", part.head, b"\r\n\r\n" if part.head else b"\r\n", part.data, b"\r\n")
    return b"".join((*pieces, delimiter, b"--\r\n"))
