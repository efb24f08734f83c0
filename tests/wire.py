"""Peers that say exactly what a test tells them to, on real sockets."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable


class Line:
    """One accepted connection, in the hands of a test's script."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The next request's head, with its empty line."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> tuple[bytes, bytes]:
        """The next request's head and body, by its length or chunks."""
        head = await self.head()
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return head, await self.reader.readexactly(int(value))
            if name.lower() == b"transfer-encoding":
                return head, await self.chunks()
        return head, b""

    async def chunks(self) -> bytes:
        body = b""
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


Script = Callable[[Line], Awaitable[None]]


class Peer:
    """A server that runs *script* for each connection. ``connections`` counts them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.lines: list[Line] = []
        self.errors: list[BaseException] = []
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = Line(reader, writer)
        self.lines.append(line)
        try:
            await self.script(line)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side left, as it may
        except Exception as error:
            self.errors.append(error)
        finally:
            await line.close()


@contextlib.asynccontextmanager
async def peer(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serve *script* on a free port of loopback; its failures fail the test."""
    serving = Peer(script)
    server = await asyncio.start_server(serving._serve, "127.0.0.1", 0, ssl=context, limit=1 << 20)
    serving.port = server.sockets[0].getsockname()[1]
    try:
        yield serving
    finally:
        server.close()
        for line in serving.lines:
            with contextlib.suppress(AttributeError):  # asyncio's before 3.11.4 has forgotten what it closed twice
                line.writer.transport.abort()
        await server.wait_closed()
    if serving.errors:
        raise serving.errors[0]


def answer(body: bytes = b"ok", status: str = "200 OK", *fields: str) -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(*answers: bytes) -> Script:
    """Answer request after request on one connection; the last answer is repeated."""

    async def script(line: Line) -> None:
        for number in range(1_000_000):
            await line.request()
            await line.send(answers[min(number, len(answers) - 1)])

    return script
