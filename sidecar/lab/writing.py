"""Answers put on the wire by our own hand, since half of the lab's purpose is to do it wrong."""

import asyncio
import os
import socket
import struct
from contextlib import aclosing
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from sidecar.lab.faults import Fault
from sidecar.lab.journal import Received
from sidecar.lab.reply import Chunks, Reply

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Written(web.StreamResponse):
    """Tells aiohttp that the answer has been written, and whether the connection can go on."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._keep = keep

    @property
    def keep_alive(self) -> bool | None:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


async def forever() -> None:
    """Wait until cancelled: the client goes away, or the lab ends."""
    await asyncio.get_running_loop().create_future()


class Line:
    """The server's end of one connection, during one request."""

    def __init__(self, request: web.BaseRequest, received: Received) -> None:
        assert request.transport is not None
        self._transport = request.transport
        self._writer = request.writer
        self._received = received

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._writer.drain()

    async def flush(self) -> None:
        """Wait until everything is with the kernel."""
        # not 0: a TLS transport would take an empty buffer for a full one
        self._transport.set_write_buffer_limits(high=1, low=0)
        await self._writer.drain()

    async def reset(self) -> None:
        """RST, after everything written so far."""
        await self.flush()
        transport_socket = self._transport.get_extra_info("socket")
        # uvloop's socket object cannot set options, and the option belongs to the socket, not to its descriptor
        with socket.socket(fileno=os.dup(transport_socket.fileno())) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    async def close(self) -> None:
        """FIN, after everything written so far."""
        await self.flush()
        self._transport.close()

    async def write_head(self, reply: Reply, framing: list[tuple[str, str]], *, first: bytes = b"") -> None:
        """Status line and fields, with the beginning of the body in the same segment if there is one already."""
        self._received.status = reply.status
        self._received.answer_bytes += len(first)
        fields = [("Date", formatdate(usegmt=True)), *reply.headers, *framing]
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}", *(f"{name}: {value}" for name, value in fields)]
        await self.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + first)

    async def write_chunk(self, data: bytes) -> None:
        self._received.answer_bytes += len(data)
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Site Is Overloaded" if status == 529 else "Unknown"


async def write_reply(line: Line, reply: Reply, fault: Fault | None, *, keep: bool) -> Written:
    """Send *reply*, spoilt as *fault* says.

    Returns:
        What the connection is to do next; not every fault lets it come to that.
    """
    name = "" if fault is None else fault.name
    if fault is not None and name == "informational":
        await line.write(
            f"HTTP/1.1 {fault.size} {_phrase(fault.size or 103)}\r\nLink: </>; rel=preload\r\n\r\n".encode()
        )
    if fault is not None and name in ("stall", "cut", "close", "short"):
        await _write_part(line, reply, fault, keep=keep)
    elif name in ("length-long", "length-short"):
        await _write_misjudged(line, reply, name)
    elif isinstance(reply.body, bytes) and name != "trailers":
        await _write_whole(line, reply, reply.body, keep=keep)
    else:
        body = reply.body
        chunks = _as_chunks(body) if isinstance(body, bytes) else body
        if name == "malformed-sse":
            chunks = _with_broken_event(chunks)
        await _write_chunked(line, reply, chunks, trailers=name == "trailers", keep=keep)
    if name == "close-after":
        await line.close()
    return Written(keep=keep and name not in ("close-after", "close", "cut", "length-long", "length-short"))


def _connection(keep: bool) -> list[tuple[str, str]]:
    return [] if keep else [("Connection", "close")]


async def _write_whole(line: Line, reply: Reply, body: bytes, *, keep: bool) -> None:
    framing = [] if reply.status in (204, 304) else [("Content-Length", str(len(body)))]
    await line.write_head(reply, [*framing, *_connection(keep)], first=body)


async def _write_chunked(
    line: Line, reply: Reply, chunks: Chunks, *, trailers: bool = False, keep: bool = True
) -> None:
    framing = [("Transfer-Encoding", "chunked"), *_connection(keep)]
    await line.write_head(reply, [("Trailer", "X-Lab-Trailer"), *framing] if trailers else framing)
    async for chunk in chunks:
        if chunk:
            await line.write_chunk(chunk)
    await line.write(b"0\r\nX-Lab-Trailer: written\r\n\r\n" if trailers else b"0\r\n\r\n")


async def _write_part(line: Line, reply: Reply, fault: Fault, *, keep: bool) -> None:
    if isinstance(reply.body, bytes):
        size = fault.size if fault.size is not None else len(reply.body) // 2
        part = reply.body[:size]
        length = len(part) if fault.name == "short" else len(reply.body)
        await line.write_head(reply, [("Content-Length", str(length)), *_connection(keep)], first=part)
    else:
        await line.write_head(reply, [("Transfer-Encoding", "chunked"), *_connection(keep)])
        async with aclosing(_beginning(reply.body, fault.size)) as chunks:
            async for chunk in chunks:
                await line.write_chunk(chunk)
        if fault.name == "short":
            await line.write(b"0\r\n\r\n")
    if fault.name == "stall":
        await forever()
    elif fault.name == "cut":
        await line.reset()
    elif fault.name == "close":
        await line.close()


async def _write_misjudged(line: Line, reply: Reply, name: str) -> None:
    body = reply.body if isinstance(reply.body, bytes) else b"".join([chunk async for chunk in reply.body])
    length = len(body) + 64 if name == "length-long" else max(len(body) - 64, len(body) // 2)
    await line.write_head(reply, [("Content-Length", str(length))], first=body)
    await line.close()


async def _as_chunks(body: bytes) -> Chunks:
    half = (len(body) + 1) // 2
    yield body[:half]
    yield body[half:]


async def _beginning(chunks: Chunks, size: int | None) -> Chunks:
    """As much of *chunks* as a fault lets through: *size* bytes, or one chunk and a half."""
    sent = number = 0
    async for chunk in chunks:
        number += 1
        if size is None and number == 2:
            yield chunk[: (len(chunk) + 1) // 2]
            return
        part = chunk if size is None else chunk[: size - sent]
        if part:
            yield part
        sent += len(part)
        if size is not None and sent >= size:
            return


async def _with_broken_event(chunks: Chunks) -> Chunks:
    number = 0
    async for chunk in chunks:
        number += 1
        if number == 2:
            yield chunk[: max(len(chunk) // 2, 8)].rstrip(b"\n") + b"\n\n"
        else:
            yield chunk
