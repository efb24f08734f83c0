"""The opening of a forward-proxy connection: ``CONNECT host:port HTTP/1.1`` (RFC 9110 section 9.3.6). No I/O."""

import re

from msgspec import Struct

_LINE = re.compile(rb"CONNECT (\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5}) HTTP/1\.[01]")


class Connect(Struct, frozen=True):
    """``host`` is in lower case and without brackets."""

    host: str
    port: int


class NotConnect(Struct, frozen=True):
    reason: str


def read_connect(head: bytes) -> Connect | NotConnect:
    """Read a head (without its empty line). Its fields are for us alone and end here."""
    line, *fields = head.split(b"\r\n")
    match = _LINE.fullmatch(line)
    if match is None or not 0 < int(match[2]) < 65536:
        return NotConnect("CONNECT wants host:port")
    if any(not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*", field) for field in fields):
        return NotConnect("a header line of the CONNECT request is malformed")
    return Connect(match[1].decode("ascii").strip("[]").lower().rstrip("."), int(match[2]))
