"""Bodies that are forms: multipart/form-data and application/x-www-form-urlencoded, each held in memory."""

import re
from email.message import Message
from urllib.parse import unquote_to_bytes

from msgspec import Struct

_DISPOSITION_PARAMETER = re.compile(rb'(\w+\*?)="((?:[^"\\]|\\.)*)"')


class Part(Struct, frozen=True):
    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


class Form:
    """The parts of a form in the order in which they came."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)

    def text(self, name: str, default: str = "") -> str:
        part = self.part(name)
        return default if part is None else part.text

    def texts(self, name: str) -> list[str]:
        """All of that name, the ``name[]`` of arrays included."""
        return [part.text for part in self.parts if part.name in (name, f"{name}[]")]

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1")


def multipart(content_type: str, body: bytes) -> Form:
    """Raises:
    ValueError: not a whole multipart body.
    """
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str):
        raise ValueError("the content type names no multipart boundary")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    _, *pieces = (b"\r\n" + body).split(delimiter)
    if not pieces or not pieces[-1].startswith(b"--"):
        raise ValueError("the multipart body has no closing boundary")
    return Form([_part(piece) for piece in pieces[:-1]])


def _part(piece: bytes) -> Part:
    head, separator, data = piece.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise ValueError("a part of the multipart body has no head")
    fields = {}
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    parameters = dict(_DISPOSITION_PARAMETER.findall(fields.get(b"content-disposition", b"")))
    if b"name" not in parameters:
        raise ValueError("a part of the multipart body has no name")
    filename = parameters.get(b"filename")
    content_type = fields.get(b"content-type")
    return Part(
        parameters[b"name"].decode("utf-8", "replace"),
        data,
        None if filename is None else filename.decode("utf-8", "replace"),
        None if content_type is None else content_type.decode("latin-1"),
    )


def urlencoded(body: bytes) -> Form:
    """Lenient, since real clients send unencoded text: a piece without ``=`` belongs to the one before it."""
    parts: list[Part] = []
    for piece in body.split(b"&"):
        name, equals, value = piece.partition(b"=")
        if not equals and parts:
            last = parts.pop()
            parts.append(Part(last.name, last.data + b"&" + _unquoted(piece)))
        elif equals:
            parts.append(Part(_unquoted(name).decode("utf-8", "replace"), _unquoted(value)))
    return Form(parts)


def _unquoted(data: bytes) -> bytes:
    return unquote_to_bytes(data.replace(b"+", b" "))
