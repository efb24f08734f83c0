"""Requests as the providers' SDKs really send them, and answers in the providers' shapes.

`<dialect>/<case>.http` is a request, byte for byte: captured by `tests.corpus.capture`, or, where its name ends in
``.by_hand``, written after the provider's documentation. `<dialect>/<case>~<what>.answer` is an answer to that case,
written after the documentation and the SDKs' types; its heads are cut down to the fields that matter.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sidecar.headers import Headers

HERE = Path(__file__).parent


class Case(NamedTuple):
    dialect: str
    name: str
    method: str
    target: str
    headers: Headers
    body: bytes
    """Without chunked framing."""
    raw: bytes
    """The request as it was on the wire."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def is_socket(self) -> bool:
        return self.headers.get("upgrade") == "websocket"


class CapturedAnswer(NamedTuple):
    dialect: str
    case: str
    """The name of the request that it answers."""
    what: str
    status: int
    headers: Headers
    body: bytes


@cache
def cases() -> tuple[Case, ...]:
    return tuple(_case(file) for file in sorted(HERE.glob("*/*.http")))


@cache
def answers() -> tuple[CapturedAnswer, ...]:
    return tuple(_answer(file) for file in sorted(HERE.glob("*/*.answer")))


def case(dialect: str, name: str) -> Case:
    return _case(HERE / dialect / f"{name}.http")


def _case(file: Path) -> Case:
    raw = file.read_bytes()
    start, headers, body = _message(raw)
    method, target, _ = start.split(" ")
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_unchunked(body))
    return Case(file.parent.name, file.stem, method, target, headers, body, raw)


def _answer(file: Path) -> CapturedAnswer:
    start, headers, body = _message(file.read_bytes())
    name, _, what = file.stem.partition("~")
    return CapturedAnswer(file.parent.name, name, what, int(start.split(" ")[1]), headers, body)


def _message(raw: bytes) -> tuple[str, Headers, bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    start, _, block = head.partition(b"\r\n")
    fields = (line.partition(b":") for line in block.split(b"\r\n"))
    return start.decode("latin-1"), Headers((name, value.strip()) for name, _, value in fields), body


def _unchunked(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        yield rest[:length]
        body = rest[length + 2 :]
