"""The least of an HTTP server: enough to be a provider that is never what holds a measurement back."""

import asyncio
import json
import re
import ssl
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qsl

_LENGTH = re.compile(rb"\n[Cc]ontent-[Ll]ength: *([0-9]+)\r")


class Request:
    """A request whose head is here. ``body`` is what has come of its body, unless whoever answers it counts only."""

    __slots__ = ("body", "head", "left", "path", "query")

    def __init__(self, head: bytes) -> None:
        self.head = head
        _, target, _ = head[: head.find(b"\r")].decode("latin-1").split(" ")
        self.path, _, query = target.partition("?")
        self.query = dict(parse_qsl(query))
        length = _LENGTH.search(head)
        self.left = int(length.group(1)) if length else 0
        self.body = bytearray()


class Connection(asyncio.Protocol):
    """Takes requests in one after another; a subclass answers them."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.writable: asyncio.Future[None] | None = None
        self.lost = False
        self._begun = b""
        self._request: Request | None = None

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def body_arrived(self, request: Request, data: bytes) -> None:
        """Part of a body has come; by default it is kept."""
        request.body += data

    def request_arrived(self, request: Request) -> None:
        """A request is whole and wants its answer."""
        raise NotImplementedError

    def answer(self, body: bytes, fields: bytes = b"Content-Type: application/json\r\n") -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body))

    def answer_json(self, value: Any) -> None:
        self.answer(json.dumps(value).encode())

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.resume_writing()

    def pause_writing(self) -> None:
        self.writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def data_received(self, data: bytes) -> None:
        while data:
            request = self._request
            if request is None:
                self._begun += data
                end = self._begun.find(b"\r\n\r\n")
                if end < 0:
                    return
                request = self._request = Request(self._begun[: end + 2])
                data, self._begun = self._begun[end + 4 :], b""
            part, data = (data, b"") if len(data) <= request.left else (data[: request.left], data[request.left :])
            request.left -= len(part)
            if part:
                self.body_arrived(request, part)
            if not request.left:
                self._request = None
                self.request_arrived(request)


def serve(connection: Callable[[], asyncio.Protocol], port: int, tls_port: int = 0, chain: str = "") -> None:
    """Serve on loopback until the process is ended; with TLS on *tls_port* too, by the PEM file *chain*, if given."""
    import uvloop

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(connection, "127.0.0.1", port, backlog=1024)
        if tls_port:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_alpn_protocols(["http/1.1"])
            context.load_cert_chain(chain)
            await loop.create_server(connection, "127.0.0.1", tls_port, ssl=context, backlog=1024)
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(forever())
