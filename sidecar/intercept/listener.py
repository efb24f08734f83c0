"""The listener: accepts, looks at the first bytes, and hands the untouched socket to whoever can serve it.

================================  ====================================================================================
first bytes                       what becomes of the connection
================================  ====================================================================================
HTTP                              served: base URL by path prefix, a provider's own port, or a request for a whole URL
CONNECT to a provider, then TLS   TLS ends here with a leaf for the name; spliced if the client insists on h2
CONNECT to anybody else           spliced byte for byte
TLS without CONNECT               the same by its SNI (transparent doors); without a known name there is nowhere to go
half a ClientHello, or none       reset: splicing what we cannot read would be a way round
================================  ====================================================================================
"""

import asyncio
import contextlib
import errno
import logging
import random
import socket
import ssl
import struct
import time
from typing import Protocol, cast

from aiohttp import web

from sidecar.body import EMPTY
from sidecar.errors import CallError, ConnectFailed
from sidecar.exchange import Exchange, Notes, Origin, Provider, Record, Request
from sidecar.intercept.authority import Authority
from sidecar.intercept.calls import Service, serve
from sidecar.intercept.connection import AgentConnection
from sidecar.intercept.flow import BASE_URL, Flow
from sidecar.intercept.forward import NotConnect, read_connect
from sidecar.intercept.hello import Hello, Incomplete, Malformed, read_hello
from sidecar.intercept.outgoing import refusal
from sidecar.intercept.peek import peek
from sidecar.intercept.splice import Splice
from sidecar.routing import OTHER
from sidecar.upstream.dial import Resolver, dial

logger = logging.getLogger(__name__)

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
#: A client may connect long before it speaks; once it has begun, it is to finish soon.
_SILENCE_SECONDS, _HELLO_SECONDS, _HANDSHAKE_SECONDS = 3600.0, 10.0, 10.0
_MAX_CONNECT_BYTES = 16 * 1024
_CONNECT_SECONDS = 10.0


class Application(Protocol):
    """What the listener serves for."""

    @property
    def service(self) -> Service:
        """The configuration in force at this moment."""
        ...

    @property
    def authority(self) -> Authority | None:
        """None where TLS is not to be ended."""
        ...

    @property
    def resolver(self) -> Resolver: ...

    @property
    def max_connections(self) -> int: ...

    @property
    def max_head_bytes(self) -> int: ...

    def distrusted(self, name: str, reason: str) -> None:
        """A client did not accept our certificate for *name*."""
        ...


class Listener:
    """Serves one listening socket. *flow* is what it knows of every connection."""

    def __init__(self, application: Application, sock: socket.socket, flow: Flow = BASE_URL) -> None:
        self._application = application
        self._sock = sock
        self._flow = flow
        self._loop = asyncio.get_running_loop()
        self._server = web.Server(_not_used, handler_cancellation=True)
        self._greeting: set[asyncio.Task[None]] = set()
        self._splicing: set[asyncio.Task[None]] = set()
        self._open = 0
        self._accepting = False

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._sock.getsockname()[:2]
        return host, port

    def start(self) -> None:
        self._sock.setblocking(False)
        self._resume()

    def _resume(self) -> None:
        if not self._accepting and self._sock.fileno() >= 0:
            self._accepting = True
            self._loop.add_reader(self._sock, self._accept)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._sock)

    def _accept(self) -> None:
        for _ in range(64):
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                logger.error("cannot accept connections: %s; trying again in 0.1 s", error.strerror)
                self._pause()
                self._loop.call_later(0.1, self._resume)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._greet(connection))
            self._greeting.add(task)
            task.add_done_callback(self._greeting.discard)
            self._open += 1
            if self._open >= self._application.max_connections:  # the backlog holds the rest
                self._pause()

    def _left(self) -> None:
        self._open -= 1
        if self._open < self._application.max_connections:
            self._resume()

    # -- the first bytes ---------------------------------------------------------------------------------------------

    async def _greet(self, sock: socket.socket) -> None:
        handed_over = False
        try:
            handed_over = await self._introduce(sock, self._flow)
        except TimeoutError:
            _reset(sock)
        except CallError as error:
            self._application.service.rejected(error)
            logger.warning("reset a connection: %s", error)
            _reset(sock)
        except (OSError, ssl.SSLError) as error:
            logger.debug("a connection ended before it could be served: %s", error)
        except asyncio.CancelledError:
            _reset(sock)
            raise
        except Exception:
            logger.exception("a connection could not be served; this is a defect of the sidecar")
        finally:
            if not handed_over:
                sock.close()
                self._left()

    async def _introduce(self, sock: socket.socket, flow: Flow) -> bool:
        """Find out what *sock* speaks, and hand it over. False: it is done with.

        Raises:
            TimeoutError: what came is too little to know.
        """
        first = await peek(sock, 1, _SILENCE_SECONDS)
        if not first:
            return False
        if first[0] == 0x16:
            hello = await self._hello(sock)
            return isinstance(hello, Hello) and await self._tls(sock, hello, flow)
        if first[0] == ord("C") and flow.door in ("base_url", "port"):
            opening = await peek(sock, 8, _HELLO_SECONDS)
            if opening[:8] == b"CONNECT ":
                return await self._connect(sock)
        if flow.host is not None and not self._application.service.routes.knows(flow.host):
            return await self._splice(sock, flow.host, flow.port)
        await self._http(sock, flow, None)
        return True

    async def _hello(self, sock: socket.socket) -> Hello | None:
        need = 5
        deadline = self._loop.time() + _HELLO_SECONDS
        while True:
            data = await peek(sock, need, deadline - self._loop.time())
            match read_hello(data):
                case Hello() as hello:
                    return hello
                case Incomplete(need_bytes) if len(data) >= need or need_bytes > need:
                    if len(data) < need:  # the client will send no more
                        _reset(sock)
                        return None
                    need = need_bytes
                case Incomplete():
                    _reset(sock)
                    return None
                case Malformed(reason):
                    logger.info("reset a connection that began with %s", reason)
                    _reset(sock)
                    return None

    async def _http(self, sock: socket.socket, flow: Flow, context: ssl.SSLContext | None) -> None:
        """Hand *sock* to HTTP, inside TLS if there is a *context*."""
        application = self._application

        def connection() -> AgentConnection:
            return AgentConnection(
                self._server,
                loop=self._loop,
                flow=flow,
                serve=lambda connection, message, payload: serve(application.service, connection, message, payload),
                on_closed=self._connection_closed,
                max_head_bytes=application.max_head_bytes,
            )

        try:
            await self._loop.connect_accepted_socket(
                connection,
                sock,
                ssl=context,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_SECONDS,
            )
        except (OSError, ssl.SSLError) as error:
            if context is not None and flow.host is not None:
                application.distrusted(flow.host, _handshake_reason(error))
            raise

    def _connection_closed(self, flow: Flow, requests: int) -> None:
        if flow.tls and flow.host is not None and not requests:
            self._application.distrusted(flow.host, "it closed the connection after our certificate, without a request")
        self._left()

    # -- TLS and CONNECT ---------------------------------------------------------------------------------------------

    async def _tls(self, sock: socket.socket, hello: Hello, flow: Flow) -> bool:
        application = self._application
        name = hello.name or flow.host
        if name is None:
            logger.info("reset a TLS connection that names no server; without CONNECT there is nowhere to take it")
            _reset(sock)
            return False
        routes, authority = application.service.routes, application.authority
        port = flow.port
        if routes.knows(name) and authority is not None and authority.covers(name) and hello.speaks_http1:
            door = flow.door if flow.host is not None else "transparent"
            context = authority.context(name)
            await self._http(sock, Flow(door=door, host=name, port=port, tls=True), context)
            return True
        if flow.host is None:
            routes.permit_connect(name, port)
        return await self._splice(sock, flow.host or name, port)

    async def _connect(self, sock: socket.socket) -> bool:
        head = b""
        deadline = self._loop.time() + _HELLO_SECONDS
        while (end := head.find(b"\r\n\r\n")) < 0:
            seen = len(head)
            head = await peek(sock, seen + 1, deadline - self._loop.time())
            if len(head) == seen or len(head) > _MAX_CONNECT_BYTES:
                await self._loop.sock_sendall(
                    sock, refusal(400, "http_request_error", "CONNECT is not a whole HTTP request")
                )
                return False
        sock.recv(end + 4)
        request = read_connect(head[:end])
        if isinstance(request, NotConnect):
            await self._loop.sock_sendall(sock, refusal(400, "http_request_error", request.reason))
            return False
        service = self._application.service
        try:
            service.routes.permit_connect(request.host, request.port)
        except CallError as error:
            service.rejected(error)
            logger.warning("refused CONNECT to %s:%d: %s", request.host, request.port, error)
            await self._loop.sock_sendall(sock, refusal(error.status, error.kind, str(error)))
            return False
        if service.routes.knows(request.host):
            await self._loop.sock_sendall(sock, _ESTABLISHED)
            return await self._introduce(sock, Flow(door="connect", host=request.host, port=request.port))
        return await self._splice(sock, request.host, request.port, greet=True)

    async def _splice(self, sock: socket.socket, host: str, port: int, *, greet: bool = False) -> bool:
        """Join *sock* to the host that it wants, until both have closed. *greet*: answer its CONNECT first."""
        service = self._application.service
        exchange = _spliced(host, port)
        service.opened(exchange)
        task = asyncio.current_task()
        assert task is not None
        self._splicing.add(task)
        outcome, error = "failed", cast("BaseException | None", None)
        splice = Splice()
        try:
            far = await dial(exchange.provider.origin, self._application.resolver, _CONNECT_SECONDS)
            if greet:
                await self._loop.sock_sendall(sock, _ESTABLISHED)
            await self._loop.create_connection(lambda: splice.provider, sock=far)
            await self._loop.connect_accepted_socket(lambda: splice.agent, sock)
            await splice.done
            outcome = "completed"
        except ConnectFailed as failure:
            error = failure
            if greet:
                await self._loop.sock_sendall(sock, refusal(502, failure.kind, str(failure)))
            else:
                _reset(sock)
        except asyncio.CancelledError as cancelled:
            outcome, error = "cancelled", cancelled
            raise
        finally:
            self._splicing.discard(task)
            splice.abort()
            service.closed(
                Record(
                    exchange=exchange,
                    outcome=outcome,
                    error=error,
                    ended=time.monotonic(),
                    request_bytes=splice.agent.received_bytes,
                    response_bytes=splice.provider.received_bytes,
                )
            )
        return False

    # -- the end -----------------------------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        self._pause()
        self._sock.close()

    async def shutdown(self, grace_seconds: float) -> None:
        """End all connections: idle ones at once, busy ones when their call is over, at the latest after the grace."""
        self._server.pre_shutdown()
        for task in self._greeting - self._splicing:
            task.cancel()
        spliced = list(self._splicing)
        closing = asyncio.ensure_future(self._server.shutdown(grace_seconds))
        if spliced:
            await asyncio.wait(spliced, timeout=grace_seconds)
        await closing
        for task in self._greeting:
            task.cancel()
        await asyncio.gather(*self._greeting, return_exceptions=True)


async def _not_used(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("connections serve by themselves")


def _spliced(host: str, port: int) -> Exchange:
    """A spliced connection as an exchange: what can be told of it is told like of any call."""
    provider = Provider(name=OTHER, origin=Origin("https" if port == 443 else "http", host, port))
    return Exchange(
        id=f"{random.getrandbits(128):032x}",
        request=Request(method="CONNECT", target=f"{host}:{port}", body=EMPTY),
        candidates=(provider,),
        notes=Notes(time.monotonic()),
        door="connect",
        received_ns=time.time_ns(),
    )


def _reset(sock: socket.socket) -> None:
    """Close with RST, as a closed port would answer."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _handshake_reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return f"its TLS handshake failed: {reason or error}"
