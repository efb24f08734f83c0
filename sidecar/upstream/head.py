"""The heads of messages to and from a provider, as bytes. No I/O.

Both directions are on the path of every call: one pass over the fields of a request, and for an answer a few searches
in its bytes instead of a look at each line.
"""

from typing import Final

from msgspec import Struct

from sidecar.exchange import Attempt
from sidecar.headers import HOP_BY_HOP, Headers

_PASS, _DROP, _HOST, _LENGTH, _CODING, _CONNECTION = range(6)


class _Treatment(dict[bytes, int]):
    """What becomes of a field, by its name as written; learned per spelling, so that none is lowered twice."""

    _KNOWN: Final = {
        **dict.fromkeys(HOP_BY_HOP | {b"expect"}, _DROP),
        b"host": _HOST,
        b"content-length": _LENGTH,
        b"transfer-encoding": _CODING,
        b"connection": _CONNECTION,
    }
    _MOST: Final = 4096

    def __missing__(self, name: bytes) -> int:
        treatment = self._KNOWN.get(name.lower(), _PASS)
        if len(self) < self._MOST:
            self[name] = treatment
        return treatment


_TREATMENT = _Treatment()


class RequestHead(Struct, frozen=True):
    data: bytes
    chunked: bool
    """Whether the body goes out in chunks."""
    length: int
    """Bytes of the body where it does not."""


def request_head(attempt: Attempt, authority: bytes) -> RequestHead:
    """What goes out before the body: the agent's fields in their order and case, without those of its own hop.

    ``Host`` is *authority*, in the place where the agent's stood. A body in memory defines its own ``Content-Length``,
    so that a layer cannot make the two differ.
    """
    request, provider = attempt.request, attempt.provider
    fields = request.headers.fields
    if provider.credential is not None:
        fields = _with_credential(attempt)
    body_length = request.body.length
    length, chunked, hosted = -1, False, False
    parts = [f"{request.method} {provider.path}{request.target} HTTP/1.1\r\n".encode("latin-1")]
    for field in fields:
        treatment = _TREATMENT[field[0]]
        if treatment == _PASS:
            parts.append(b"%b: %b\r\n" % field)
        elif treatment == _HOST:
            if not hosted:
                hosted = True
                parts.append(b"%b: %b\r\n" % (field[0], authority))
        elif treatment == _LENGTH:
            if length < 0:
                length = int(field[1]) if body_length is None else body_length
                parts.append(b"%b: %d\r\n" % (field[0], length))
        elif treatment == _CODING:
            if not chunked:
                chunked = True
                parts.append(b"%b: chunked\r\n" % field[0])
        elif treatment == _CONNECTION and field[1] not in (b"keep-alive", b"close", b"Keep-Alive", b"Close"):
            return _rare_request_head(attempt, authority)
    if not hosted:
        parts.insert(1, b"Host: %b\r\n" % authority)
    if length < 0 and not chunked:
        if body_length:
            length = body_length
            parts.append(b"Content-Length: %d\r\n" % length)
        elif body_length is None:
            chunked = True
            parts.append(b"Transfer-Encoding: chunked\r\n")
    parts.append(b"\r\n")
    return RequestHead(b"".join(parts), chunked, length if length > 0 else 0)


def _rare_request_head(attempt: Attempt, authority: bytes) -> RequestHead:
    """For a request whose ``Connection`` says more than whether to keep it: which fields to drop, or to upgrade."""
    headers = attempt.request.headers
    plain = attempt.with_request(attempt.request.with_headers(headers.end_to_end()))
    head = request_head(plain, authority)
    if not attempt.exchange.socket:
        return head
    upgrade = [field for field in headers.fields if field[0].lower() in (b"connection", b"upgrade")]
    data = b"".join((head.data[:-2], *(b"%b: %b\r\n" % field for field in upgrade), b"\r\n"))
    return RequestHead(data, head.chunked, head.length)


def _with_credential(attempt: Attempt) -> tuple[tuple[bytes, bytes], ...]:
    """The request's fields with the provider's own credential in place of whatever the agent sent."""
    provider, headers = attempt.provider, attempt.request.headers
    if provider.dialect is None or provider.credential is None:
        return headers.fields
    value = provider.dialect.credential_format.format(provider.credential.reveal)
    return headers.with_field(provider.dialect.credential_header, value).fields


class ResponseHead(Struct, frozen=True):
    reason: str
    headers: Headers
    """End-to-end fields."""
    chunked: bool
    length: int | None
    """None for chunked bodies and for those that end with the connection."""
    close: bool
    """Whether the provider says that it will close the connection."""


#: What is cut out of an answer's head, as it looks in lower-case bytes. ``Proxy-Status`` is no such field.
_CUT = (
    b"\nconnection:",
    b"\ntransfer-encoding:",
    b"\nkeep-alive:",
    b"\ntrailer:",
    b"\nupgrade:",
    b"\nproxy-authenticate:",
    b"\nproxy-connection:",
)
_CONNECTION_SAYS = frozenset((b"keep-alive", b"close", b""))


def response_head(head: bytes) -> ResponseHead:
    """Read *head*: status line and fields with their CRLFs, without the empty line. A parser has accepted it.

    Raises:
        ValueError: it is framed in a way that cannot be passed on.
    """
    lowered = head.lower()
    begin = head.find(b"\n") + 1
    close, chunked, length = head.startswith(b"HTTP/1.0"), False, None
    if (at := lowered.find(b"\ncontent-length:")) >= 0:
        length = int(head[at + 16 : head.find(b"\r", at + 16)])
    cuts = []
    nominated = False
    for name in _CUT:
        at = lowered.find(name)
        while at >= 0:
            end = lowered.find(b"\r", at + len(name))
            value = lowered[at + len(name) : end].strip(b" \t")
            if name == b"\nconnection:":
                close = close or b"close" in value
                nominated = nominated or value not in _CONNECTION_SAYS
            elif name == b"\ntransfer-encoding:":
                if value != b"chunked":
                    raise ValueError(f"transfer coding {value.decode('latin-1')!r} is not understood")
                chunked = True
            cuts.append((at + 1, end + 2))
            at = lowered.find(name, end)
    if chunked:
        length = None
    if nominated:
        headers = Headers.parsed(head[begin:]).end_to_end()
    else:
        headers = Headers.passed_on(_without(head, begin, cuts) if cuts else head[begin:], length)
    return ResponseHead(head[13 : begin - 2].decode("latin-1"), headers, chunked, length, close)


def upgrade_head(head: bytes) -> ResponseHead:
    """The same for an answer that ends HTTP on its connection: ``Connection`` and ``Upgrade`` are for the agent."""
    begin = head.find(b"\n") + 1
    headers = Headers.passed_on(head[begin:], None)
    return ResponseHead(head[13 : begin - 2].decode("latin-1"), headers, False, None, False)


def _without(head: bytes, begin: int, cuts: list[tuple[int, int]]) -> bytes:
    """*head* from *begin* on, less the pieces in *cuts*."""
    cuts.sort()
    pieces = []
    for start, end in cuts:
        pieces.append(head[begin:start])
        begin = end
    pieces.append(head[begin:])
    return b"".join(pieces)
