"""The head of a request: what it asks for, how its body is framed, and how to know it again. No I/O."""

import re
from typing import NamedTuple

from sidecar.headers import TRACE_BYTES, TRACEPARENT, Headers, Template
from sidecar.intercept.incoming import SMALL_BYTES


class CannotServe(Exception):
    """A head that no call can be made of. ``status`` is what the agent is answered."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RequestHead(NamedTuple):
    """A head whose request can be served. ``target`` is as on the request line."""

    method: str
    target: str
    headers: Headers
    length: int
    """Bytes of the body; -1 for one in chunks."""
    http_1_0: bool
    keep_alive: bool
    """Whether the agent wants to keep the connection."""
    invited: bool
    """Whether it waits to be told to go on before it sends the body."""
    socket: bool
    """Whether it asks to become a WebSocket."""

    @property
    def small(self) -> bool:
        """Whether the call can wait for the body: it is as good as here already."""
        return 0 <= self.length <= SMALL_BYTES


def read_head(head: bytes) -> RequestHead:
    """Read *head*: request line and fields with their CRLFs, without the empty line. A parser has accepted it.

    Raises:
        CannotServe: and why.
    """
    line_end = head.find(b"\r\n")
    match head[:line_end].decode("latin-1").split(" "):
        case method, target, ("HTTP/1.1" | "HTTP/1.0") as version:
            http_1_0 = version == "HTTP/1.0"
        case method, target, version:
            raise CannotServe(505, f"{version[:20]} is not spoken here; HTTP/1.1 is")
        case _:  # llhttp takes more than one space, and none where HTTP/0.9 ends its line
            raise CannotServe(400, "its request line is not a method, a target and a version")
    headers = Headers.from_block(head[line_end + 2 :])
    length, chunked, keep_alive, invited, upgrade, socket = 0, False, not http_1_0, False, False, False
    for name, value, *_ in headers.marks:
        if name == b"content-length":
            length = int(value)
        elif name == b"connection":
            keep_alive = keep_alive and b"close" not in value
            upgrade = upgrade or b"upgrade" in value
        elif name == b"transfer-encoding":
            if value != b"chunked":
                raise CannotServe(501, f"the transfer coding {value.decode('latin-1')!r} is not understood")
            chunked = True
        elif name == b"expect":
            invited = value == b"100-continue" and not http_1_0
        elif name == b"upgrade":
            socket = value == b"websocket"
    if method == "CONNECT":
        raise CannotServe(400, "CONNECT must be the first request of a connection")
    length = -1 if chunked else length
    return RequestHead(method, target, headers, length, http_1_0, keep_alive, invited, socket and upgrade)


_LENGTH = re.compile(rb"\n[Cc]ontent-[Ll]ength: ([0-9]+)\r")
_TRACE = re.compile(rb"[0-9a-f-]{%d}" % TRACE_BYTES).match


class PriorHead:
    """The head of a request, to know it again: agents send the same one with every call, but for ``Content-Length``
    and, if they are traced themselves, ``traceparent``.

    What was found valid is so again with other digits in those places, and nothing of it needs to be looked at anew.
    """

    __slots__ = (
        "_after",
        "_before",
        "_between",
        "_rest",
        "_trace_at",
        "fields_at",
        "length",
        "method",
        "target",
        "template",
    )

    def __init__(self, before: bytes, after: bytes, head: RequestHead) -> None:
        """*before* and *after* stand round the digits of the length; *after* is the empty line where there are none."""
        self.fields_at = before.find(b"\r\n") + 2
        """Where in such a head the fields begin."""
        self.method = head.method
        self.target = head.target
        self.length = 0
        self._before, self._between = before, b""
        self._after, self._rest = after, b""
        self._trace_at = 0
        trace: slice | None = None
        if found := TRACEPARENT.search(before):
            begin, end = found.span(1)
            self._before, self._between, self._trace_at = before[:begin], before[end:], begin
            trace = slice(begin - self.fields_at, end - self.fields_at)
        elif found := TRACEPARENT.search(after):
            begin, end = found.span(1)
            self._after, self._rest = after[:begin], after[end:]
            trace = slice(begin - len(after) + 2, end - len(after) + 2)  # whatever number of digits comes before it
        self.template = head.headers.template = Template(trace)

    @classmethod
    def of(cls, data: bytes, head: RequestHead) -> "PriorHead | None":
        """The memory of *data*, which was read as *head*; None if its length is written in an unusual way."""
        found = _LENGTH.search(data)
        if found is None and any(name == b"content-length" for name, *_ in head.headers.marks):
            return None
        begin, end = (len(data), len(data)) if found is None else found.span(1)
        return cls(data[:begin], data[end:] + b"\r\n", head)

    def end(self, data: bytes) -> int:
        """Where the head's last line ends if *data* begins with this head, else 0; ``length`` is then the new one."""
        if not data.startswith(self._before):
            return 0
        at = len(self._before)
        if self._trace_at:
            if not _TRACE(data, at) or not data.startswith(self._between, at + TRACE_BYTES):
                return 0
            at += TRACE_BYTES + len(self._between)
        after = self._after
        if after == b"\r\n":  # a request without a body
            self.length = 0
            return at - 2 if data.startswith(after, at) else 0
        stop = data.find(b"\r", at, at + 8)
        digits = data[at:stop]
        if stop < 0 or not digits.isdigit() or not data.startswith(after, stop):
            return 0
        end = stop + len(after)
        if self._rest:
            if not _TRACE(data, end) or not data.startswith(self._rest, end + TRACE_BYTES):
                return 0
            end += TRACE_BYTES + len(self._rest)
        self.length = int(digits)
        return end - 4 if self.length <= SMALL_BYTES else 0
