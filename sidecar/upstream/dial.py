"""Getting a connection to a provider: names, addresses, TLS."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import aiohappyeyeballs

from sidecar.errors import ConnectFailed
from sidecar.provider import Origin

#: So many sessions are kept, with the certificates of their servers.
_SESSIONS = 256

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


class Resolver(Protocol):
    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """Addresses in the shape of ``socket.getaddrinfo``, best first.

        Raises:
            OSError: the name cannot be resolved.
        """
        ...


class SystemResolver:
    """The system's own resolver, asked at most once per *ttl_seconds* and name."""

    def __init__(self, ttl_seconds: float = 30.0) -> None:
        self.ours: frozenset[tuple[str, int]] = frozenset()
        """Addresses and ports at which we listen for others: calls that were led to them would go round for ever."""
        self._ttl_seconds = ttl_seconds
        self._known: dict[tuple[str, int], tuple[float, Sequence[AddressInfo]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        known = self._known.get((host, port))
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        found = await self._asked(host, port)
        if self.ours and not (found := [each for each in found if each[4][:2] not in self.ours]):
            raise OSError("it is an entry of the hosts file that leads to us; set upstream.resolver: dns")
        if len(self._known) > 256:  # names come from CONNECT requests too
            self._known.clear()
        self._known[host, port] = (time.monotonic() + self._ttl_seconds, found)
        return found

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)

    async def aclose(self) -> None:
        """Let go of what asking has opened."""


class _ResumingContext(ssl.SSLContext):
    """A client context that goes on with the last TLS session of each server: one round trip less per connection.

    asyncio and uvloop have no parameter for this, but both make their TLS objects by `wrap_bio`.
    """

    sessions: dict[str, ssl.SSLSession]

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        tls = super().wrap_bio(*args, **kwargs)
        session = self.sessions.get(tls.server_hostname or "")
        if session is not None:
            tls.session = session
        return tls


def client_context(extra_ca_files: Sequence[str] = ()) -> ssl.SSLContext:
    """A context that trusts the system's roots and *extra_ca_files* (PEM) besides; ALPN ``http/1.1``.

    Raises:
        OSError: a file cannot be read.
        ssl.SSLError: a file holds no certificates.
    """
    context = _ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sessions = {}
    context.load_default_certs()
    for file in extra_ca_files:
        context.load_verify_locations(cadata=Path(file).expanduser().read_text())
    context.set_alpn_protocols(["http/1.1"])
    return context


def remember_session(context: ssl.SSLContext, transport: asyncio.BaseTransport) -> None:
    """Keep the session of an established connection for the next one to the same server."""
    tls = transport.get_extra_info("ssl_object")
    if isinstance(context, _ResumingContext) and tls is not None and tls.session is not None:
        if len(context.sessions) >= _SESSIONS:  # a provider may be called by any name below a suffix
            context.sessions.clear()
        context.sessions[tls.server_hostname or ""] = tls.session


async def dial(
    origin: Origin,
    resolver: Resolver,
    timeout_seconds: float,
    permit: Callable[[str, str], None] | None = None,
) -> socket.socket:
    """A connected TCP socket to *origin*; addresses are tried as RFC 8305 (happy eyeballs) says.

    Args:
        permit: raises if a host (first) must not be dialled at an address (second).

    Raises:
        ConnectFailed: no address took the connection.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            try:
                addresses = await resolver.resolve(origin.host, origin.port)
            except OSError as error:
                raise ConnectFailed(f"the name {origin.host} cannot be resolved: {error}", kind="dns_error") from error
            if permit is not None:
                for address in addresses:
                    permit(origin.host, address[4][0])
            return await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=0.25)
    except TimeoutError:
        message = f"no connection to {origin} within {timeout_seconds:g} s"
        raise ConnectFailed(message, kind="connection_timeout") from None
    except OSError as error:
        raise ConnectFailed(f"no connection to {origin}: {error.strerror or error}") from error
