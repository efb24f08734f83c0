"""Requests, taken one after another out of the bytes of a connection.

llhttp (by httptools) checks every byte; the head is kept as it came.
"""

import time
from typing import Protocol

import httptools
from msgspec.structs import replace

from sidecar.body import EMPTY, Body
from sidecar.headers import Headers
from sidecar.intercept.arriving import Arriving, Line
from sidecar.intercept.head import CannotServe, PriorHead, RequestHead, read_head
from sidecar.intercept.incoming import HIGH_BYTES, Incoming, UploadBody

#: How long a head may take once it has begun.
_HEAD_SECONDS = 60.0


class Taker(Line, Protocol):
    """Who takes the requests: the connection. ``due``: monotonic, when it has waited long enough."""

    due: float

    @property
    def max_head_bytes(self) -> int: ...

    def put(self, incoming: Incoming) -> None:
        """A request can be served. Its body is here or, if it is an `UploadBody`, on its way."""
        ...

    def refuse(self, status: int, reason: str) -> None:
        """What came is no request that can be served; nobody can tell where the next one begins."""
        ...

    def invite(self) -> None:
        """Tell the agent to go on and send the body."""
        ...

    def pause(self) -> None:
        """Enough has come for now."""
        ...


class RequestReader:
    """``requests``: how many heads have come; ``arriving``: the request whose body is coming in.

    ``last``: no request follows; ``rest``: what came after the one that ended HTTP on the connection.
    """

    def __init__(self, taker: Taker) -> None:
        self.requests = 0
        self.last = False
        self.rest = b""
        self.arriving: Arriving | None = None
        self._taker = taker
        self._parser: httptools.HttpRequestParser | None = None
        self._headed = False
        self._prior: PriorHead | None = None
        self._begun = b""
        """The bytes of a head that is not whole yet; the parser has seen them."""

    def feed(self, data: bytes) -> None:
        while data:
            arriving = self.arriving
            if arriving is not None:
                data = self._take_body(arriving, data)
            elif self.last:
                self.rest += data
                if len(self.rest) > HIGH_BYTES:
                    self._taker.pause()
                return
            else:
                data = self._take_head(data)

    # -- heads: each returns the bytes behind what it took -------------------------------------------------------------

    def _take_head(self, data: bytes) -> bytes:
        """Take the head of a request out of *data*."""
        begun, prior = self._begun, self._prior
        if not begun:
            if prior is not None and (end := prior.end(data)):
                return self._again(prior, data, end)
            data = data.lstrip(b"\r\n")  # some clients end a body with a line break too many
            if not data:
                return b""
        whole = begun + data if begun else data
        end = whole.find(b"\r\n\r\n", max(len(begun) - 3, 0))
        size = (end if end >= 0 else len(whole)) + 4
        limit = self._taker.max_head_bytes
        if size > limit:
            return self._refuse(431, f"its head is over {limit:d} bytes (listen.limits.header_size)")
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
            self._headed = False
        try:
            self._parser.feed_data(data if end < 0 else data[: end + 4 - len(begun)])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            return self._refuse(400, f"it is not valid HTTP: {error}")
        if end < 0:
            if not begun:
                self._taker.due = time.monotonic() + _HEAD_SECONDS
            self._begun = whole
            return b""
        if not self._headed:
            return self._refuse(400, "it is not valid HTTP: its head ends nowhere")
        self._begun = b""
        return self._begin(whole[: end + 2], whole[end + 4 :])

    def _again(self, prior: PriorHead, data: bytes, end: int) -> bytes:
        """The head that ends at *end* is that of a request before, but for its length."""
        self.requests += 1
        length = prior.length
        headers = Headers.from_block(data[prior.fields_at : end + 2])
        headers.template = prior.template
        rest = data[end + 4 :]
        more = len(rest) - length
        if more < 0:
            self.arriving = Arriving(self._taker, length, Incoming(prior.method, prior.target, headers, EMPTY))
            return rest
        body = Body(rest[:length] if more else rest) if length else EMPTY
        self._taker.put(Incoming(prior.method, prior.target, headers, body))
        return rest[length:] if more else b""

    def _begin(self, block: bytes, rest: bytes) -> bytes:
        """A head is whole."""
        try:
            head = read_head(block)
        except CannotServe as error:
            return self._refuse(error.status, str(error))
        self.requests += 1
        self.last = not head.keep_alive or head.socket
        parser, self._parser = self._parser, None
        length, taker, waits = head.length, self._taker, head.small and not head.invited
        if waits:
            self._prior = None if self.last else PriorHead.of(block, head)
        if head.small and length <= len(rest):
            taker.put(_incoming(head, Body(rest[:length]) if length else EMPTY, socket=head.socket))
            return rest[length:]
        if length < 0:
            self._parser = parser
        self.arriving = Arriving(taker, length, _incoming(head, EMPTY) if waits else None)
        if not waits:
            upload = UploadBody(self.arriving, None if length < 0 else length, taker.invite if head.invited else None)
            taker.put(_incoming(head, upload))
        return rest

    def _refuse(self, status: int, reason: str) -> bytes:
        self.last = True
        self._taker.refuse(status, reason)
        return b""

    # -- bodies --------------------------------------------------------------------------------------------------------

    def _take_body(self, arriving: Arriving, data: bytes) -> bytes:
        """Take what belongs to the body out of *data*; what follows it."""
        rest = b""
        if arriving.left > 0:
            if len(data) > arriving.left:
                data, rest = data[: arriving.left], data[arriving.left :]
            arriving.left -= len(data)
            arriving.feed(data)
        else:
            assert self._parser is not None
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                arriving.fail(f"the request's chunks are malformed: {error}")
                self.last, self.arriving = True, None
                return b""
        if not arriving.left:
            self.arriving = self._parser = None
            if arriving.held is not None:
                self._taker.put(replace(arriving.held, body=Body(arriving.take())))
                return rest
        arriving.wake()
        if arriving.size > HIGH_BYTES:
            self._taker.pause()
        return rest

    # -- from httptools ------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._headed:  # a request behind the last chunk of another, in the same bytes: it will have to come again
            self.last = True

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        if self.arriving is not None and self.arriving.left:
            self.arriving.feed(body)

    def on_message_complete(self) -> None:
        if self.arriving is not None:
            self.arriving.left = 0


def _incoming(head: RequestHead, body: Body, *, socket: bool = False) -> Incoming:
    return Incoming(head.method, head.target, head.headers, body, head.http_1_0, head.keep_alive, socket)
