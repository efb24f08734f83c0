"""Getting a connection to a provider: names, addresses, trust."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import aiohappyeyeballs

from sidecar.errors import ConnectFailed
from sidecar.provider import Origin
from sidecar.upstream.names import AddressInfo, Names
from sidecar.upstream.sessions import ResumingContext

#: After that long without an answer the next address is tried as well (RFC 8305 section 5); after a refusal at once.
_NEXT_ADDRESS_SECONDS = 0.25


class Resolver(Protocol):
    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Addresses in the shape of ``socket.getaddrinfo``, best first.

        Raises:
            OSError: the name cannot be resolved.
        """
        ...

    def doubt(self, host: str, port: int) -> None:
        """Nobody answered at them: look the name up before it is used again."""
        ...

    def prefer(self, host: str, port: int, address: tuple[object, ...]) -> None:
        """This one answered before those that stand before it."""
        ...


class SystemResolver:
    """The system's own resolver, which is asked seldom: see `Names`."""

    def __init__(self, ttl_seconds: float = 30.0) -> None:
        self.ours: frozenset[tuple[str, int]] = frozenset()
        """Addresses and ports at which we listen for others: calls that were led to them would go round for ever."""
        self._names = Names(self._theirs, ttl_seconds)
        self.resolve = self._names.resolve
        self.doubt = self._names.doubt
        self.prefer = self._names.prefer

    async def _theirs(self, host: str, port: int) -> Sequence[AddressInfo]:
        found = await self._asked(host, port)
        if self.ours and not (found := [each for each in found if each[4][:2] not in self.ours]):
            raise OSError("it is an entry of the hosts file that leads to us; set upstream.resolver: dns")
        return found

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def aclose(self) -> None:
        """Let go of what asking has opened."""
        await self._names.aclose()


def client_context(extra_ca_files: Sequence[str] = ()) -> ssl.SSLContext:
    """A context that trusts the system's roots and *extra_ca_files* (PEM) besides; ALPN ``http/1.1``.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: a file holds no certificates.
    """
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    for file in extra_ca_files:
        context.load_verify_locations(cadata=Path(file).expanduser().read_text())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialled(NamedTuple):
    """A connected TCP socket, and what getting it took, in seconds."""

    sock: socket.socket
    dns_seconds: float
    tcp_seconds: float


async def dial(
    origin: Origin,
    resolver: Resolver,
    timeout_seconds: float,
    permit: Callable[[str, str], None] | None = None,
) -> Dialled:
    """Connect to *origin*; its addresses are tried as RFC 8305 (happy eyeballs) says.

    Where none of those that were known takes the connection, the name is looked up anew, once.

    Args:
        permit: raises if a host (first) must not be dialled at an address (second).

    Raises:
        ConnectFailed: no address took the connection.
    """
    host, port = origin.host, origin.port
    try:
        async with asyncio.timeout(timeout_seconds):
            began = time.monotonic()
            addresses = await _permitted(origin, resolver, permit)
            resolved = time.monotonic()
            try:
                sock = await _connected(addresses)
            except OSError:
                resolver.doubt(host, port)
                moved = await _permitted(origin, resolver, permit)
                if {each[4] for each in moved} <= {each[4] for each in addresses}:
                    raise
                sock = await _connected(moved)
            connected = time.monotonic()
    except TimeoutError:
        resolver.doubt(host, port)
        message = f"no connection to {origin} within {timeout_seconds:g} s"
        raise ConnectFailed(message, kind="connection_timeout") from None
    except OSError as error:
        raise ConnectFailed(f"no connection to {origin}: {error.strerror or error}") from error
    with contextlib.suppress(OSError):  # it may have hung up already
        resolver.prefer(host, port, sock.getpeername())
    return Dialled(sock, resolved - began, connected - resolved)


async def _permitted(
    origin: Origin, resolver: Resolver, permit: Callable[[str, str], None] | None
) -> Sequence[AddressInfo]:
    """
    Raises:
        ConnectFailed: there is no such name.
    """
    try:
        addresses = await resolver.resolve(origin.host, origin.port)
    except OSError as error:
        raise ConnectFailed(f"the name {origin.host} cannot be resolved: {error}", kind="dns_error") from error
    if permit is not None:
        for address in addresses:
            permit(origin.host, address[4][0])
    return addresses


async def _connected(addresses: Sequence[AddressInfo]) -> socket.socket:
    """
    Raises:
        OSError: nobody took the connection.
    """
    try:
        return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
    except (RuntimeError, ValueError) as error:  # uvloop raises the one in place of OSError; there may be no address
        raise OSError(str(error)) from error
