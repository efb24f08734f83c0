"""A provider with TLS that tells of its handshakes, and a client that trusts it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from sidecar.lab.certificates import Authority
from sidecar.provider import Provider
from sidecar.upstream.dial import client_context
from tests.making import provider
from tests.wire import Line, Peer, Script, answer, peer

HOST = "localhost"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Secure:
    """``handshakes``: of each connection that was made, whether it went on with a session; ``peer``: who answers."""

    def __init__(self, serving: Peer, authority: Authority, directory: Path) -> None:
        self.handshakes: list[bool] = []
        self.peer = serving
        ca_file = directory / "ca.pem"
        ca_file.write_bytes(authority.pem)
        self.trusting = client_context([str(ca_file)])

    def context(self) -> ssl.SSLContext:
        """One for all, as in service."""
        return self.trusting

    def to(self, port: int | None = None, **fields: object) -> Provider:
        return provider(port or self.peer.port, scheme="https", host=HOST, **fields)


def server_context(authority: Authority, version: str = "1.3", tickets: int = 2) -> ssl.SSLContext:
    context = authority.server_context([])
    context.num_tickets = tickets
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


async def once(line: Line) -> None:
    """One answer, and no connection for a second."""
    await line.request()
    await line.send(answer(b"ok", "200 OK", "Connection: close"))


async def joined(line: Line, port: int, first: bytes = b"") -> None:
    """Pass everything on to *port* and back, *first* before all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)

    async def copied(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                to.write(data)
        to.close()

    back = asyncio.create_task(copied(reader, line.writer))
    try:
        await copied(line.reader, writer)
        await writer.wait_closed()
        await back
    finally:
        writer.transport.abort()
        back.cancel()


@contextlib.asynccontextmanager
async def secure(
    directory: Path, script: Script = once, *, version: str = "1.3", tickets: int = 2
) -> AsyncIterator[Secure]:
    authority = Authority()

    async def counted(line: Line) -> None:
        tls = line.writer.get_extra_info("ssl_object")
        serving.handshakes.append(bool(tls.session_reused))
        await script(line)

    async with peer(counted, server_context(authority, version, tickets)) as listening:
        serving = Secure(listening, authority, directory)
        yield serving
