"""The heads of messages to and from a provider, as bytes. No I/O."""

import re
from typing import NamedTuple

from sidecar.credentials import identified
from sidecar.exchange import Attempt
from sidecar.headers import HOP_BY_HOP, TRACE_BYTES, TRACEPARENT, Headers

_SAYS_NOTHING = frozenset((b"keep-alive", b"close", b""))


class RequestHead(NamedTuple):
    data: bytes
    chunked: bool
    """Whether the body goes out in chunks."""
    length: int
    """Bytes of the body where it does not."""


#: What ends here: the fields of the agent's hop, and any repetition of what may stand once.
_CUT = HOP_BY_HOP | {b"expect", b"host", b"content-length"}


def request_head(attempt: Attempt, authority: bytes) -> RequestHead:
    """What goes out before the body: the agent's fields in their order and case, without those of its own hop.

    ``Host`` is *authority*, in the place where the agent's stood. A body in memory defines its own ``Content-Length``,
    so that a layer cannot make the two differ.
    """
    request, provider = attempt.request, attempt.provider
    template = request.headers.template
    if template is None:
        before, after, chunked = _rendered(attempt, authority)
    else:
        key = (provider, request.method, request.target)
        remembered = template.rendered.get(key)
        if remembered is None:
            if len(template.rendered) >= _REMEMBERED:
                template.rendered.clear()
            remembered = template.rendered[key] = _Remembered(*_rendered(attempt, authority))
        before, after, chunked = remembered.before, remembered.after, remembered.chunked
        if template.trace is not None:
            trace = request.headers.block[template.trace]
            if at := remembered.trace_before:
                before = b"%b%b%b" % (before[:at], trace, before[at + TRACE_BYTES :])
            elif at := remembered.trace_after:
                after = b"%b%b%b" % (after[:at], trace, after[at + TRACE_BYTES :])
    if chunked or not after:
        return RequestHead(before + after, chunked, 0)
    length = request.body.length
    if length is None:
        length = request.headers.stated_length or 0
    return RequestHead(b"%b%d%b" % (before, length, after), False, length)


_REMEMBERED = 8


class _Remembered:
    """A rendered head, and where in its pieces the value of ``traceparent`` is; 0 for nowhere."""

    __slots__ = ("after", "before", "chunked", "trace_after", "trace_before")

    def __init__(self, before: bytes, after: bytes, chunked: bool) -> None:
        self.before, self.after, self.chunked = before, after, chunked
        self.trace_before, self.trace_after = (
            0 if (found := TRACEPARENT.search(piece)) is None else found.start(1) for piece in (before, after)
        )


def _rendered(attempt: Attempt, authority: bytes) -> tuple[bytes, bytes, bool]:
    """A head in two pieces, between which the length of the body stands; and whether it goes out in chunks instead.

    A request that has neither is one piece.
    """
    request, provider = identified(attempt), attempt.provider
    headers, socket = request.headers, attempt.exchange.socket
    block, before = headers.block, b""
    measured, chunked, hosted, at = False, False, False, 0
    pieces = [f"{request.method} {provider.path}{request.target} HTTP/1.1\r\n".encode("latin-1")]
    for name, value, start, value_start, end in headers.marks:
        if name == b"host" and not hosted:
            hosted = True
            pieces += (block[at:value_start], authority, b"\r\n")
        elif name == b"content-length" and not measured:
            measured = True
            before = b"".join((*pieces, block[at:value_start]))
            pieces = [b"\r\n"]
        elif name == b"transfer-encoding" and not chunked:
            chunked = True
            if value == b"chunked":
                continue
            pieces += (block[at:value_start], b"chunked\r\n")
        elif name == b"connection" and not socket and value not in _SAYS_NOTHING:
            plain = attempt.with_request(request.with_headers(request.headers.end_to_end()))
            return _rendered(plain, authority)
        elif name in _CUT and not (socket and name in (b"connection", b"upgrade")):
            pieces.append(block[at:start])
        else:
            continue
        at = end
    pieces.append(block[at:])
    if not hosted:
        line, rest = (before or b"".join(pieces)).split(b"\r\n", 1)
        whole = b"%b\r\nHost: %b\r\n%b" % (line, authority, rest)
        before, pieces = (whole, pieces) if before else (before, [whole])
    if not measured and not chunked:
        length = request.body.length
        if length:
            before, pieces = b"".join((*pieces, b"Content-Length: ")), [b"\r\n"]
        elif length is None:
            chunked = True
            pieces.append(b"Transfer-Encoding: chunked\r\n")
    pieces.append(b"\r\n")
    after = b"".join(pieces)
    return (before, after, chunked) if before else (after, b"", chunked)


class ResponseHead(NamedTuple):
    reason: str
    headers: Headers
    """End-to-end fields only, unless it is a 101."""
    chunked: bool
    length: int | None
    """None for chunked bodies and for those that end with the connection."""
    close: bool
    """Whether the provider says that it will close the connection."""


#: What is rarely there to be cut out of an answer's head.
_RARE = re.compile(rb"\n(?:keep-alive|trailer|upgrade|proxy-(?:authenticate|connection)):")


def response_head(head: bytes) -> ResponseHead:
    """Read *head*: status line and fields with their CRLFs, without the empty line. A parser has accepted it.

    Most answers have only ``Connection`` or ``Transfer-Encoding`` to be cut out, which a few searches find faster than
    `Headers.marks` does.

    Raises:
        ValueError: it is framed in a way that cannot be passed on.
    """
    lowered = head.lower()
    begin = head.find(b"\n") + 1
    reason = "OK" if head.startswith(b" 200 OK\r", 8) else head[13 : begin - 2].decode("latin-1")
    close, chunked, length = head.startswith(b"HTTP/1.0"), False, None
    block, rare = head[begin:], False
    if (at := lowered.find(b"\ncontent-length:")) >= 0:
        length = int(head[at + 16 : head.find(b"\r", at)])
    if (at := lowered.find(b"\ntransfer-encoding:")) >= 0:
        end = head.find(b"\r", at)
        if (coding := lowered[at + 19 : end].strip(b" \t")) != b"chunked":
            raise ValueError(f"transfer coding {coding.decode('latin-1')!r} is not understood")
        chunked, length = True, None
        block = head[begin : at + 1] + head[end + 2 :]
    if (at := lowered.find(b"\nconnection:")) >= 0:
        end = head.find(b"\r", at)
        says = lowered[at + 12 : end].strip(b" \t")
        close = close or b"close" in says
        rare = chunked or says not in _SAYS_NOTHING or lowered.find(b"\nconnection:", end) >= 0
        block = head[begin : at + 1] + head[end + 2 :]
    if rare or _RARE.search(lowered):
        headers = Headers.from_block(head[begin:])
        if not head.startswith(b" 101", 8):
            headers = headers.end_to_end()
    else:
        headers = Headers.passing(block, length)
    return ResponseHead(reason, headers, chunked, length, close)
