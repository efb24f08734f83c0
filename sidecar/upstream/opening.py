"""A new connection to a provider: its name, TCP, and TLS that goes on with a session of before."""

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable

from sidecar.errors import ConnectFailed
from sidecar.notes import Connecting
from sidecar.provider import Provider
from sidecar.upstream.connection import Connection, Owner
from sidecar.upstream.dial import Dialled, Resolver, dial
from sidecar.upstream.sessions import Handshake, Sessions

logger = logging.getLogger(__name__)

#: Of so many connections is asked, before a new one is opened, whether they have got a session by now.
_ASKED = 2

#: Is told a provider's name, and what a new connection to it took.
Connected = Callable[[str, Connecting], None]


class Opening:
    """Opens connections to *provider*.

    Args:
        context: for https; None for http.
        permit: see `dial`.
        connected: hears of each one.
    """

    def __init__(
        self,
        provider: Provider,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext] | None,
        permit: Callable[[str, str], None] | None = None,
        connected: Connected | None = None,
    ) -> None:
        self._provider = provider
        self._resolver = resolver
        self._context = context
        self._permit = permit
        self._connected = connected
        self._sessions = Sessions()

    async def opened(self, owner: Owner, others: Iterable[Connection]) -> Connection:
        """A new connection of *owner*, who has *others* already.

        Raises:
            ConnectFailed: there is none to be had.
        """
        connection = Connection(owner)
        if self._context is None:
            dialled = await self._dialled(self._provider.timeouts.connect)
            await self._joined(connection, dialled.sock)
            connection.connecting = Connecting(dialled.dns_seconds, dialled.tcp_seconds)
        else:
            if not self._sessions:
                self._learn(others)
            await self._secured(connection, self._trusting(self._context))
        if connection.transport is None:
            message = f"{self._provider.origin} closed the connection at once"
            raise ConnectFailed(message, kind="connection_terminated")
        if self._connected is not None and connection.connecting is not None:
            self._connected(self._provider.name, connection.connecting)
        return connection

    def leaves(self, connection: Connection) -> None:
        """*connection* has ended or is somebody else's now: the session that it got stays."""
        if connection.handshake is not None and not self._sessions.full:
            self._sessions.keep(connection.handshake)
        connection.handshake = None

    def _learn(self, connections: Iterable[Connection]) -> None:
        asked = 0
        for connection in connections:
            if connection.handshake is None:
                continue
            if self._sessions.keep(connection.handshake) or connection.reused:  # with the first answer it was due
                connection.handshake = None
            asked += 1
            if self._sessions.full or asked == _ASKED:
                return

    def _trusting(self, context: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        try:
            return context()
        except OSError as error:
            message = f"what {self._provider.name} is to be trusted by cannot be read: {error}"
            raise ConnectFailed(message, kind="tls_certificate_error") from error

    async def _dialled(self, seconds: float) -> Dialled:
        return await dial(self._provider.origin, self._resolver, seconds, self._permit)

    async def _joined(
        self, connection: Connection, sock: socket.socket, context: ssl.SSLContext | None = None, seconds: float = 0.0
    ) -> None:
        try:
            await connection.loop.create_connection(
                lambda: connection,
                sock=sock,
                ssl=context,
                server_hostname=None if context is None else self._provider.origin.host,
                ssl_handshake_timeout=None if context is None else max(seconds, 0.001),
            )
        except OSError as error:
            if context is not None:
                raise
            raise ConnectFailed(f"no connection to {self._provider.origin}: {error}") from error
        except BaseException:
            sock.close()
            raise

    async def _secured(self, connection: Connection, context: ssl.SSLContext) -> None:
        """Dial, and make TLS on top. If it fails with a session, everything is tried once more without any."""
        origin, seconds = self._provider.origin, self._provider.timeouts.connect
        began = time.monotonic()
        while True:
            dialled = await self._dialled(max(0.0, began + seconds - time.monotonic()))
            start = time.monotonic()
            with Handshake(self._sessions) as handshake:
                try:
                    await self._joined(connection, dialled.sock, context, began + seconds - start)
                    break
                except ssl.SSLCertVerificationError as error:
                    self._sessions.forget()
                    message = f"the certificate of {origin.host} cannot be trusted: {error.verify_message}"
                    raise ConnectFailed(message, kind="tls_certificate_error") from error
                except ConnectionAbortedError as error:
                    message = f"no TLS with {origin.host} within {seconds:g} s"
                    raise ConnectFailed(message, kind="connection_timeout") from error
                except OSError as error:
                    if handshake.offered is None:
                        raise ConnectFailed(f"no TLS with {origin.host}: {error}", kind="tls_protocol_error") from error
                    logger.info("TLS with %s cannot be resumed: %s", origin.host, error)
                    self._sessions.forget()
        connection.handshake = handshake
        connection.connecting = Connecting(
            dialled.dns_seconds,
            dialled.tcp_seconds,
            time.monotonic() - start,
            handshake.version,
            handshake.resumed,
        )
