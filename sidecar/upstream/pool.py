"""The connections to one provider: opened, kept, handed out."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable

from sidecar.errors import ConnectFailed
from sidecar.notes import AttemptRecord
from sidecar.provider import Provider
from sidecar.upstream.ahead import Ahead, wake_first
from sidecar.upstream.connection import Connection
from sidecar.upstream.dial import Resolver
from sidecar.upstream.keeping import Keeping
from sidecar.upstream.opening import Connected, Opening
from sidecar.watchdog import Watchdog


class Pool:
    """Keeps connections to *provider*: the one used last is used first.

    Args:
        context: for https; None for http.
        idle_seconds, keep_warm, keep_used, spare_sockets: see `Keeping`.
        max_connections: calls beyond it wait for one to be free, up to the connect time-out.
        permit: see `dial`.
        connected: hears of each new connection.
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
        keep_used: bool = False,
        spare_sockets: int = 0,
        max_connections: int = 100,
        max_head_bytes: int = 65536,
        permit: Callable[[str, str], None] | None = None,
        connected: Connected | None = None,
    ) -> None:
        self.watchdog = watchdog
        self.loop = asyncio.get_running_loop()
        self.max_head_bytes = max_head_bytes
        self.authority = provider.origin.authority.encode("latin-1")
        """What calls to the provider say in ``Host``."""
        self.opened = 0
        """Connections ever opened."""
        self.at_rest: list[Connection] = []
        """Connections that are free for a call, newest last; those that have carried nothing come first."""
        keeping = Keeping(
            keep_warm=keep_warm, keep_used=keep_used, spare_sockets=spare_sockets, idle_seconds=idle_seconds
        )
        self.ahead = Ahead(self, keeping, provider.name)
        self._provider = provider
        self._opener = Opening(provider, resolver, context, permit, connected)
        self._idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._open: set[Connection] = set()
        self._opening = 0
        """Those that calls have begun to open."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._emptied: asyncio.Future[None] | None = None

    @property
    def idle(self) -> int:
        """Connections at rest."""
        return len(self.at_rest)

    @property
    def connections(self) -> int:
        """Connections in all."""
        return len(self._open)

    @property
    def at_work(self) -> int:
        """Those in use, and those that calls have begun to open."""
        return len(self._open) - len(self.at_rest) + self._opening

    @property
    def room(self) -> int:
        """How many more there may be."""
        return self._max_connections - len(self._open) - self._opening - self.ahead.opening

    # -- for calls -----------------------------------------------------------------------------------------------------

    def resting(self, record: AttemptRecord) -> Connection | None:
        """The connection that was used last, if any is still good."""
        while self.at_rest:
            connection = self.at_rest.pop()
            if self._usable(connection):
                record.reused = True
                record.connected = time.monotonic()
                record.peer = connection.peer
                return connection
        return None

    def unused(self, record: AttemptRecord) -> Connection | None:
        """A connection for somebody who will not give it back: one that has carried nothing; or any, if none has."""
        for connection in reversed(self.at_rest):
            if not connection.reused:
                self.at_rest.remove(connection)
                if self._usable(connection):
                    self.at_rest.append(connection)
                    break
        return self.resting(record)

    def add(self, connection: Connection) -> None:
        """Put *connection*, which has carried nothing, among those at rest."""
        self.at_rest.insert(sum(not each.reused for each in self.at_rest), connection)

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

    async def acquire(self, record: AttemptRecord) -> Connection:
        """A connection for one call: one that has come free, one that is on its way already, or a new one.

        Raises:
            ConnectFailed: there is none to be had.
        """
        began, hoped = time.monotonic(), False
        while True:
            if (connection := self.resting(record)) is not None:
                if hoped and not connection.reused and connection.connecting is not None:
                    record.reused = False
                    record.connect_seconds = record.connected - began
                    record.connecting = connection.connecting.last(record.connect_seconds)
                return connection
            if self.ahead.unclaimed:
                await self.ahead.hope()
                hoped = True
            elif self.room > 0:
                return await self.dialled(record)
            else:
                await self._turn()

    async def dialled(self, record: AttemptRecord) -> Connection:
        """A new connection for one call.

        Raises:
            ConnectFailed: there is none to be had.
        """
        while self.room <= 0:
            if self.at_rest:  # not what is wanted, but in its place
                self.at_rest.pop(0).abort()
            await self._turn()
        record.reused = False
        began = time.monotonic()
        self._opening += 1
        try:
            connection = await self.connect()
        finally:
            self._opening -= 1
            self.woken()
        record.connected = time.monotonic()
        record.connect_seconds = record.connected - began
        record.connecting = connection.connecting
        record.peer = connection.peer
        return connection

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

    def woken(self) -> None:
        """There may be room now: whoever waits first looks."""
        wake_first(self._waiting)

    async def connect(self) -> Connection:
        """A new connection, which is at work until it is put among those that rest.

        Raises:
            CallError: there is none to be had.
        """
        connection = await self._opener.opened(self, self._open)
        self._open.add(connection)
        self.watchdog.watch(connection)  # not earlier: whoever is cancelled while connecting never hears of its end
        self.opened += 1
        return connection

    # -- connections ahead of calls ------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Open the connections that are to be there before the first call. Never raises."""
        await self.ahead.warm()

    def expect(self) -> None:
        """A call is likely soon: have a connection at rest by then. Returns at once, never raises."""
        self.ahead.expect()

    def succeed(self, before: "Pool") -> None:
        """Take the place of another pool of the same provider: what calls found there, they are to find here."""
        self.ahead.succeed(before.ahead)

    # -- from connections ----------------------------------------------------------------------------------------------

    def released(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
            return
        self.at_rest.append(connection)
        self.ahead.rests()
        if self._waiting:
            self.woken()

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._opener.leaves(connection)
        if self._emptied is not None and not self._open and not self._emptied.done():
            self._emptied.set_result(None)
        if connection in self.at_rest:
            self.at_rest.remove(connection)
            self.ahead.lost(connection)
        self.woken()
        self.ahead.tend()

    # -- the end -------------------------------------------------------------------------------------------------------

    def retire(self) -> None:
        """Close what rests, and everything else as soon as it is done."""
        self._closed = True
        self.ahead.stop()
        for connection in self.at_rest:
            connection.close()
        self.at_rest.clear()

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        self.retire()
        await self.ahead.aclose()
        for connection in list(self._open):
            connection.abort()
        if self._open:  # a transport is closed only when the loop has come round to it
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=1.0)
