"""The heads of messages to and from a provider, as bytes. No I/O."""

import re
from typing import Final

from msgspec import Struct

from sidecar.exchange import Attempt
from sidecar.headers import HOP_BY_HOP, Headers

_NOT_SENT: Final = HOP_BY_HOP | {b"expect"}
_FRAMING = re.compile(
    rb"^(?i:content-length[ \t]*:[ \t]*([0-9]+)|transfer-encoding[ \t]*:[ \t]*([^\r\n]*))", re.MULTILINE
)


class RequestHead(Struct, frozen=True):
    data: bytes
    chunked: bool
    """Whether the body goes out in chunks."""
    length: int
    """Bytes of the body where it does not."""


def request_head(attempt: Attempt) -> RequestHead:
    """What goes out before the body: the agent's fields in their order and case, without those of its own hop.

    ``Host`` names the provider, in the place where the agent's stood. A body in memory defines its own
    ``Content-Length``, so that a layer cannot make the two differ.
    """
    request, provider = attempt.request, attempt.provider
    authority = provider.origin.authority.encode()
    body_length = request.body.length
    credential_name = None
    if provider.credential is not None and provider.dialect is not None:
        credential_name = provider.dialect.credential_header.lower().encode()
    unsent: set[bytes] | frozenset[bytes] = _NOT_SENT
    if attempt.exchange.socket:
        unsent = _NOT_SENT - {b"connection", b"upgrade"}
    elif (connection := request.headers.get_bytes(b"connection")) and connection.lower() not in (
        b"keep-alive",
        b"close",
    ):
        unsent = _NOT_SENT | {token.strip().lower() for token in connection.split(b",")}
    host_sent = credential_sent = chunked = False
    length = -1
    parts = [f"{request.method} {provider.path}{request.target} HTTP/1.1\r\n".encode("latin-1")]
    for name, value in request.headers.fields:
        lower = name.lower()
        if lower == b"host":
            if not host_sent:
                host_sent = True
                parts.append(b"%b: %b\r\n" % (name, authority))
        elif lower == b"content-length":
            if length < 0:
                length = int(value) if body_length is None else body_length
                parts.append(b"%b: %d\r\n" % (name, length))
        elif lower == b"transfer-encoding":
            if not chunked:
                chunked = True
                parts.append(b"%b: chunked\r\n" % name)
        elif lower == credential_name:
            if not credential_sent:
                credential_sent = True
                parts.append(b"%b: %b\r\n" % (name, _credential(attempt)))
        elif lower not in unsent:
            parts.append(b"%b: %b\r\n" % (name, value))
    if not host_sent:
        parts.insert(1, b"Host: %b\r\n" % authority)
    if credential_name is not None and not credential_sent:
        parts.append(b"%b: %b\r\n" % (credential_name, _credential(attempt)))
    if length < 0 and not chunked:
        if body_length:
            length = body_length
            parts.append(b"Content-Length: %d\r\n" % length)
        elif body_length is None:
            chunked = True
            parts.append(b"Transfer-Encoding: chunked\r\n")
    parts.append(b"\r\n")
    return RequestHead(b"".join(parts), chunked, max(length, 0))


def _credential(attempt: Attempt) -> bytes:
    provider = attempt.provider
    assert provider.credential is not None
    assert provider.dialect is not None
    return provider.dialect.credential_format.format(provider.credential.reveal).encode("latin-1")


class ResponseHead(Struct, frozen=True):
    reason: str
    headers: Headers
    chunked: bool
    length: int | None
    """None for chunked bodies and for those that end with the connection."""
    close: bool
    """Whether the provider says that it will close the connection."""


_CLOSE = re.compile(rb"^(?i:connection)[ \t]*:[^\r\n]*(?i:\bclose\b)", re.MULTILINE)


def response_head(head: bytes) -> ResponseHead:
    """Read *head*: status line and fields with their CRLFs, without the empty line. A parser has accepted it.

    Raises:
        ValueError: it is framed in a way that cannot be passed on.
    """
    line, _, block = head.partition(b"\r\n")
    chunked, length = False, None
    for match in _FRAMING.finditer(block):
        if match[1] is not None:
            length = int(match[1])
        elif match[2].strip(b" \t").lower() == b"chunked":
            chunked = True
        else:
            raise ValueError(f"transfer coding {match[2].decode('latin-1')!r} is not understood")
    close = line.startswith(b"HTTP/1.0") or _CLOSE.search(block) is not None
    return ResponseHead(
        line[13:].decode("latin-1"), Headers.from_block(block), chunked, None if chunked else length, close
    )
