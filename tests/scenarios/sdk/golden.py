"""Raw bytes to a provider, straight or through a door, and what arrives on either side, taken apart very little."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import NamedTuple

from sidecar.headers import HOP_BY_HOP
from tests.running import Running
from tests.wire import Line

DIRECT, DOORS = "direct", ("base_url", "port", "connect")
_SECONDS = 10.0


class Message(NamedTuple):
    """An HTTP message. ``chunked``: how its body was framed."""

    start: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    chunked: bool = False

    @classmethod
    def of(cls, head: bytes, body: bytes) -> "Message":
        start, *lines = head[:-4].split(b"\r\n")
        fields = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in fields)
        return cls(start, tuple(fields), body, chunked)

    def passing(self, *names: bytes) -> list[tuple[bytes, bytes]]:
        """The fields that a proxy is to pass on, without those called *names* (in lower case)."""
        connection = [value.split(b",") for name, value in self.fields if name.lower() == b"connection"]
        nominated = {token.strip().lower() for tokens in connection for token in tokens}
        unwanted = HOP_BY_HOP | nominated | set(names)
        return [field for field in self.fields if field[0].lower() not in unwanted]

    def names(self, *without: bytes) -> list[bytes]:
        """Of the fields that a proxy is to pass on, in lower case."""
        return [name.lower() for name, _ in self.passing(*without)]

    def without_host(self) -> list[tuple[bytes, bytes]]:
        return [field for field in self.fields if field[0].lower() != b"host"]

    def value(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.fields if key.lower() == name), None)


class Way(NamedTuple):
    """How to reach a provider: by which door of which sidecar, or straight at its *port*."""

    door: str
    sidecar: Running
    provider: str
    host: str
    """Its real name."""
    port: int
    """Where it really is."""

    @contextlib.asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """A connection that is ready for a request."""
        authority = f"127.0.0.1:{self.port}"
        if self.door == "port":
            authority = self.sidecar.port(self.provider).removeprefix("http://")
        elif self.door != DIRECT:
            authority = self.sidecar.proxy.removeprefix("http://")
        host, _, port = authority.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
        line = Line(reader, writer)
        try:
            if self.door == "connect":
                await line.send(f"CONNECT {self.host}:443 HTTP/1.1\r\nHost: {self.host}:443\r\n\r\n".encode())
                assert (await line.head()).startswith(b"HTTP/1.1 200 ")
                await writer.start_tls(trusting(self.sidecar), server_hostname=self.host)
            yield line
        finally:
            writer.transport.abort()

    def placed(self, raw: bytes) -> bytes:
        """A request as an agent sends it that takes this way: with its prefix, if it has one."""
        if self.door != "base_url":
            return raw
        method, target, rest = raw.split(b" ", 2)
        return b"%b /%b%b %b" % (method, self.provider.encode(), target, rest)


@cache
def trusting(sidecar: Running) -> ssl.SSLContext:
    """TLS for an agent that trusts the sidecar's bundle."""
    context = ssl.create_default_context(cafile=str(sidecar.bundle))
    context.set_alpn_protocols(["http/1.1"])
    return context


async def answered(line: Line, method: str, on_interim: Callable[[bytes], None] | None = None) -> Message:
    """The next answer on *line*, of which interim ones are no part."""
    async with asyncio.timeout(_SECONDS):
        head = await line.head()
        while head.startswith(b"HTTP/1.1 1") and not head.startswith(b"HTTP/1.1 101"):
            if on_interim is not None:
                on_interim(head)
            head = await line.head()
        message = Message.of(head, b"")
        status, length = message.start.split(b" ")[1], message.value(b"content-length")
        if method == "HEAD" or status in (b"101", b"204", b"304"):
            return message
        if message.chunked:
            return message._replace(body=await line.chunks())
        if length is not None:
            return message._replace(body=await line.reader.readexactly(int(length)))
        return message._replace(body=await line.reader.read())
