"""A connection of the emulated agent: straight to a server, or through a forward proxy and TLS."""

import asyncio
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import cast

from msgspec import Struct

from tests.benchmarks.answers import Answer, Malformed


class Route(Struct, frozen=True):
    """How to get there.

    Args:
        authority: what CONNECT asks for; empty for no CONNECT.
        ca_file: whom to trust; empty for no TLS.
        server_name: whose certificate is expected.
    """

    port: int
    authority: str = ""
    ca_file: str = ""
    server_name: str = "127.0.0.1"


class Broken(Exception):
    """A connection or an answer that did not come to a good end."""


class Line(asyncio.Protocol):
    """One call at a time: `send`, then *done* is called with the line. ``answer`` is filled meanwhile."""

    def __init__(self, done: Callable[["Line"], None] | None = None) -> None:
        self.answer: Answer | None = None
        self.error = ""
        self.began_ns = 0
        """When the call was to begin, for whoever sends it to note."""
        self.ended_ns = 0
        self.transport: asyncio.Transport
        self.lost = False
        self.writable: asyncio.Future[None] | None = None
        self._done = done
        self._raw: asyncio.Future[bytes] | None = None
        self._news: asyncio.Future[None] | None = None

    def send(self, request: bytes) -> None:
        self.answer, self.error, self.ended_ns = Answer(), "", 0
        self.transport.write(request)

    async def call(self, request: bytes) -> Answer:
        """Send *request* and wait for the whole of its answer.

        Raises:
            Broken: there was none.
        """
        ended = asyncio.get_running_loop().create_future()
        self._done = lambda line: None if ended.done() else ended.set_result(None)
        self.send(request)
        await ended
        assert self.answer is not None
        if self.error:
            raise Broken(self.error)
        return self.answer

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has come that makes *condition* hold, or the connection is lost."""
        while not self.lost and not condition():
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def greet(self, request: bytes) -> bytes:
        """Send *request* and wait for the first bytes that come back, whatever they are."""
        self._raw = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._raw

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if self._raw is not None:
            raw, self._raw = self._raw, None
            raw.set_result(data)
            return
        if self.answer is None:
            return
        try:
            whole = self.answer.feed(data, now_ns)
        except Malformed as malformed:
            self._end(now_ns, str(malformed))
            self.transport.abort()
            return
        if whole:
            self._end(now_ns, "" if self.answer.status == 200 else f"status {self.answer.status}")
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.resume_writing()
        if self._raw is not None and not self._raw.done():
            self._raw.set_result(b"")
        if self.answer is not None and not self.ended_ns:
            self._end(time.monotonic_ns(), "the connection was closed")
        self._tell()

    def pause_writing(self) -> None:
        self.writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _end(self, now_ns: int, error: str) -> None:
        self.ended_ns, self.error = now_ns, error
        if self._done is not None:
            self._done(self)


@cache
def _trusting(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


async def open_line(route: Route, done: Callable[[Line], None] | None = None) -> Line:
    """
    Raises:
        Broken: the proxy refuses, or TLS fails.
    """
    loop = asyncio.get_running_loop()
    context = _trusting(route.ca_file) if route.ca_file else None
    try:
        if not route.authority:
            _, line = await loop.create_connection(
                lambda: Line(done),
                "127.0.0.1",
                route.port,
                ssl=context,
                server_hostname=route.server_name if context else None,
            )
            return line
        transport, line = await loop.create_connection(lambda: Line(done), "127.0.0.1", route.port)
        opening = f"CONNECT {route.authority} HTTP/1.1\r\nHost: {route.authority}\r\n\r\n"
        greeting = await line.greet(opening.encode())
        if not greeting.startswith(b"HTTP/1.1 200"):
            raise Broken(f"CONNECT to {route.authority} was answered with {greeting[:200]!r}")
        if context is not None:
            secured = await loop.start_tls(transport, line, context, server_hostname=route.server_name)
            assert secured is not None
            line.transport = secured
        return line
    except (OSError, ssl.SSLError) as error:
        raise Broken(f"no connection: {error}") from error
