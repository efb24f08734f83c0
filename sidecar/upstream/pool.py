"""The connections to one provider: opened, kept, handed out, and kept warm."""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable

from sidecar.errors import ConnectFailed
from sidecar.notes import AttemptRecord
from sidecar.provider import Provider
from sidecar.upstream.connection import Connection
from sidecar.upstream.dial import Resolver, dial, remember_session
from sidecar.watchdog import Watchdog

logger = logging.getLogger(__name__)


class Pool:
    """Keeps connections to *provider*: the one used last is used first.

    Args:
        context: for https; None for http.
        idle_seconds: how long an unused connection is kept.
        keep_warm: how many idle connections are kept ready while the provider is in use.
        max_connections: calls beyond it wait for one to be free, up to the connect time-out.
        permit: see `dial`.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        watchdog: Watchdog,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext] | None,
        idle_seconds: float = 120.0,
        keep_warm: int = 0,
        max_connections: int = 100,
        max_head_bytes: int = 65536,
        permit: Callable[[str, str], None] | None = None,
    ) -> None:
        self.watchdog = watchdog
        self.loop = asyncio.get_running_loop()
        self.max_head_bytes = max_head_bytes
        self.authority = provider.origin.authority.encode("latin-1")
        """What calls to the provider say in ``Host``."""
        self.used = 0.0
        """When the agent called last, monotonic."""
        self.opened = 0
        """Connections ever opened."""
        self._provider = provider
        self._resolver = resolver
        self._context = context
        self._idle_seconds = idle_seconds
        self._keep_warm = keep_warm
        self._max_connections = max_connections
        self._permit = permit
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._warming: asyncio.Task[None] | None = None
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    @property
    def idle(self) -> int:
        """Connections at rest."""
        return len(self._idle)

    @property
    def connections(self) -> int:
        """Connections in all."""
        return len(self._open)

    # -- for calls -----------------------------------------------------------------------------------------------------

    def resting(self, record: AttemptRecord) -> Connection | None:
        """The connection that was used last, if any is still good."""
        while self._idle:
            connection = self._idle.pop()
            if self._usable(connection):
                record.reused = True
                record.connected = time.monotonic()
                record.peer = connection.peer
                return connection
        return None

    def _usable(self, connection: Connection) -> bool:
        if connection.closing:
            return False
        idle_seconds = time.monotonic() - connection.idle_since
        if idle_seconds > self._idle_seconds:
            connection.close()
            return False
        # The loop may not have heard yet that the peer has closed: ask the socket of one that rested for a while.
        if idle_seconds > 0.5 and connection.readable():
            connection.close()
            return False
        return True

    async def acquire(self, record: AttemptRecord, *, fresh: bool) -> Connection:
        """A connection for one call. *fresh*: it is to be a new one.

        Raises:
            ConnectFailed: there is none to be had.
        """
        while True:
            if not fresh and (connection := self.resting(record)) is not None:
                return connection
            if len(self._open) + self._opening < self._max_connections:
                record.reused = False
                began = time.monotonic()
                connection = await self._connect()
                record.connected = time.monotonic()
                record.connect_seconds = record.connected - began
                record.peer = connection.peer
                return connection
            if self._idle:  # not what is wanted, but in its place
                self._idle.pop(0).abort()
            await self._turn()

    async def _turn(self) -> None:
        """Wait until a connection is free or may be opened."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._provider.timeouts.connect):
                await waiter
        except TimeoutError:
            raise ConnectFailed(
                f"all {self._max_connections} connections to {self._provider.name} are in use",
                kind="connection_limit_reached",
            ) from None
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _connect(self) -> Connection:
        provider, timeout_seconds = self._provider, self._provider.timeouts.connect
        self._opening += 1
        try:
            sock = await dial(provider.origin, self._resolver, timeout_seconds, self._permit)
            connection = Connection(self)
            context = None if self._context is None else self._context()
            host = provider.origin.host
            try:
                await self.loop.create_connection(
                    lambda: connection,
                    sock=sock,
                    ssl=context,
                    server_hostname=None if context is None else host,
                    ssl_handshake_timeout=None if context is None else timeout_seconds,
                )
            except ssl.SSLCertVerificationError as error:
                message = f"the certificate of {host} cannot be trusted: {error.verify_message}"
                raise ConnectFailed(message, kind="tls_certificate_error") from error
            except (OSError, TimeoutError) as error:
                raise ConnectFailed(f"no TLS with {host}: {error}", kind="tls_protocol_error") from error
            except BaseException:
                sock.close()
                raise
            if connection.transport is None:
                raise ConnectFailed(f"{provider.origin} closed the connection at once", kind="connection_terminated")
            self._open.add(connection)
            self.watchdog.watch(connection)  # not earlier: whoever is cancelled while connecting never hears of its end
            self.opened += 1
            return connection
        finally:
            self._opening -= 1
            self._wake()

    # -- from connections ----------------------------------------------------------------------------------------------

    def released(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        if self._context is not None and not connection.reused and connection.transport is not None:
            remember_session(self._context(), connection.transport)
        self._idle.append(connection)
        if self._waiting:
            self._wake()

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)
        if connection in self._idle:
            self._idle.remove(connection)
            self._rewarm()
        self._wake()

    # -- warm connections ----------------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Open connections until as many rest as are to be kept warm. Never raises."""
        while not self._closed and len(self._idle) + self._opening < self._keep_warm:
            try:
                connection = await self._connect()
            except ConnectFailed as error:
                logger.info("no connection ahead of time to %s: %s", self._provider.name, error)
                return
            self.released(connection)

    def _rewarm(self) -> None:
        """The provider closed a resting connection: open the next one, unless the agent has not called for long."""
        in_use = time.monotonic() - self.used < max(self._idle_seconds, 300)
        if self._keep_warm and in_use and not self._closed and (self._warming is None or self._warming.done()):
            self._warming = self.loop.create_task(self.warm())

    # -- the end -------------------------------------------------------------------------------------------------------

    def retire(self) -> None:
        """Close what rests, and everything else as soon as it is done."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        self._closed = True
        if self._warming is not None:
            self._warming.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()
        if self._open:  # a transport is closed only when the loop has come round to it
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=1.0)
