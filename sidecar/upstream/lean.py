"""The pool of connections to one provider, and the upstream that serves from it."""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable

from sidecar.body import Body
from sidecar.errors import ConnectFailed, UpstreamBroken
from sidecar.exchange import Attempt, AttemptRecord, Provider, Response
from sidecar.upstream.answer import Answer
from sidecar.upstream.connection import Connection
from sidecar.upstream.dial import Resolver, dial, remember_session
from sidecar.upstream.head import request_head
from sidecar.watchdog import Watchdog

logger = logging.getLogger(__name__)

_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))


def _repeatable(attempt: Attempt) -> bool:
    """Whether a call may be sent again that came to nothing because the provider closed a resting connection in the
    moment in which we took it up: its bytes must be here, and it must do nothing but cost.
    """
    request = attempt.request
    return request.body.data is not None and (request.method in _IDEMPOTENT or attempt.exchange.call is not None)


class LeanUpstream:
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
        self._provider = provider
        self._authority = provider.origin.authority.encode("latin-1")
        self._resolver = resolver
        self._permit = permit
        self._context = context
        self._idle_seconds = idle_seconds
        self._keep_warm = keep_warm
        self._max_connections = max_connections
        self.max_head_bytes = max_head_bytes
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._used = 0.0
        self._warming: asyncio.Task[None] | None = None
        self.opened = 0
        """Connections ever opened."""
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

    def used(self) -> None:
        """The agent calls this provider, so its connections are worth keeping warm."""
        self._used = time.monotonic()

    async def send(self, attempt: Attempt) -> Response:
        request, record, provider = attempt.request, attempt.record, attempt.provider
        upgrade = attempt.exchange.socket
        head = request_head(attempt, self._authority)
        self._used = record.started
        # A WebSocket never gives its connection back, so it gets one of its own.
        connection = self._resting(record) if self._idle and not upgrade else None
        while True:
            if connection is None:
                connection = await self._acquire(attempt, fresh=upgrade)
            answer = Answer(
                connection,
                record,
                provider.timeouts,
                attempt.exchange.deadline,
                bodiless=request.method == "HEAD",
                upgrade=upgrade,
            )
            try:
                await connection.request(head, request.body, answer)
                break
            except UpstreamBroken as error:
                if error.begun or not record.reused or not _repeatable(attempt):
                    raise
                connection = await self._acquire(attempt, fresh=True)
            except asyncio.CancelledError:
                await answer.aclose()
                raise
        tunnel = answer.tunnel(connection.transport) if upgrade else None
        if tunnel is not None:
            connection.hand_over()
        return Response(
            status=answer.status,
            headers=answer.headers,
            reason=answer.reason,
            body=Body(answer.take()) if answer.complete else answer,
            answered_by=provider.name,
            chunked=answer.chunked,
            tunnel=tunnel,
        )

    # -- the pool --------------------------------------------------------------------------------------------------

    def _resting(self, record: AttemptRecord) -> Connection | None:
        """The connection that was used last, if any is still good."""
        while self._idle:
            connection = self._idle.pop()
            if self._usable(connection):
                record.reused = True
                record.connected = time.monotonic()
                record.peer = connection.peer
                return connection
        return None

    async def _acquire(self, attempt: Attempt, *, fresh: bool) -> Connection:
        record = attempt.record
        while True:
            if not fresh and (connection := self._resting(record)) is not None:
                return connection
            if len(self._open) + self._opening < self._max_connections:
                record.reused = False
                return await self._open_new(attempt)
            await self._turn(attempt)

    async def _turn(self, attempt: Attempt) -> None:
        """Wait until a connection is free or may be opened."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(attempt.provider.timeouts.connect):
                await waiter
        except TimeoutError:
            raise ConnectFailed(
                f"all {self._max_connections} connections to {attempt.provider.name} are in use",
                kind="connection_limit_reached",
            ) from None
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    async def _open_new(self, attempt: Attempt) -> Connection:
        record = attempt.record
        began = time.monotonic()
        connection = await self._connect()
        record.connected = time.monotonic()
        record.connect_seconds = record.connected - began
        record.peer = connection.peer
        return connection

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

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

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

    # -- warm connections ------------------------------------------------------------------------------------------

    async def warm(self) -> None:
        while not self._closed and len(self._idle) + self._opening < self._keep_warm:
            try:
                connection = await self._connect()
            except ConnectFailed as error:
                logger.info("no connection ahead of time to %s: %s", self._provider.name, error)
                return
            self.released(connection)

    def _rewarm(self) -> None:
        """The provider closed a resting connection: open the next one, unless the agent has not called for long."""
        in_use = time.monotonic() - self._used < max(self._idle_seconds, 300)
        if self._keep_warm and in_use and not self._closed and (self._warming is None or self._warming.done()):
            self._warming = self.loop.create_task(self.warm())

    def retire(self) -> None:
        """Close what rests, and everything else as soon as it is done."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def aclose(self) -> None:
        self._closed = True
        if self._warming is not None:
            self._warming.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()
        if self._open:  # a transport is closed only when the loop has come round to it
            self._emptied = self.loop.create_future()
            await asyncio.wait((self._emptied,), timeout=1.0)
