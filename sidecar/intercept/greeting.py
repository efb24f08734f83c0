"""What becomes of a connection, by its first bytes. They are looked at, not consumed.

================================  ====================================================================================
first bytes                       what becomes of the connection
================================  ====================================================================================
HTTP                              served: base URL by path prefix, a provider's own port, or a request for a whole URL
CONNECT to a provider, then TLS   TLS ends here with a leaf for the name; spliced if the client insists on h2
CONNECT to anybody else           spliced byte for byte
TLS without CONNECT               the same by its SNI; without a name there is nowhere to go but where it was dialled
anything else, redirected to us   spliced to where it was dialled
half a ClientHello, or none       reset: splicing what we cannot read would be a way round
================================  ====================================================================================
"""

import asyncio
import contextlib
import logging
import random
import socket
import ssl
import struct
import time
from collections.abc import Awaitable
from typing import Protocol

from sidecar.errors import CallError, Forbidden
from sidecar.exchange import Exchange, Record, Request
from sidecar.intercept.authority import Authority
from sidecar.intercept.calls import Service, serve
from sidecar.intercept.flow import Flow
from sidecar.intercept.forward import NotConnect, read_connect
from sidecar.intercept.hello import Hello, Incomplete, Malformed, read_hello
from sidecar.intercept.incoming import AgentSide, Incoming
from sidecar.intercept.lean import AgentConnection, Keeper
from sidecar.intercept.original import original_destination
from sidecar.intercept.outgoing import refusal
from sidecar.intercept.peek import peek
from sidecar.intercept.reference import ReferenceConnection
from sidecar.intercept.splice import Splice
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.routing import OTHER
from sidecar.upstream.dial import Resolver, dial

logger = logging.getLogger(__name__)

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
#: A client may connect long before it speaks; once it has begun, it is to finish soon.
_SILENCE_SECONDS, _HELLO_SECONDS, _HANDSHAKE_SECONDS = 3600.0, 10.0, 10.0
_CONNECT_SECONDS = 10.0
_MAX_CONNECT_BYTES = 16 * 1024
_CONNECT = b"CONNECT "


class Application(Protocol):
    """What connections are served for."""

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
    def server(self) -> str:
        """lean, or aiohttp for the reference."""
        ...

    @property
    def max_connections(self) -> int: ...

    @property
    def max_head_bytes(self) -> int: ...

    @property
    def splices_unknown(self) -> bool:
        """Whether connections to hosts that are no provider's pass through untouched."""
        ...

    def captured(self, mode: str) -> None: ...

    def distrusted(self, name: str, reason: str) -> None:
        """A client did not accept our certificate for *name*."""
        ...


class Greeting:
    """``splicing``: the tasks that are busy with a spliced connection."""

    def __init__(self, application: Application, keeper: Keeper) -> None:
        self.splicing: set[asyncio.Task[None]] = set()
        self._application = application
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()

    async def introduce(self, sock: socket.socket, flow: Flow) -> bool:
        """Find out what *sock* speaks, and hand it over to HTTP. False: it is done with.

        Raises:
            TimeoutError: what came is too little to know.
            CallError: it may not go where it wants.
            OSError: it broke off.
        """
        if flow.door == "transparent":
            address, port = original_destination(sock) or (None, sock.getsockname()[1])
            self._application.captured("hosts" if address is None else "redirect")
            flow = Flow(door="transparent", address=address, port=port)
        first = await peek(sock, 1, _SILENCE_SECONDS)
        if not first:
            return False
        if first[0] == 0x16:
            hello = await self._hello(sock)
            if hello is None:
                reset_socket(sock)
                return False
            return await self._tls(sock, hello, flow)
        if first[:1] == b"C" and flow.door in ("base_url", "port"):
            opening = first if len(first) >= len(_CONNECT) else await peek(sock, len(_CONNECT), _HELLO_SECONDS)
            if opening.startswith(_CONNECT):
                return await self._connect(sock)
        if flow.door == "transparent":
            if flow.address is not None:
                return await self._splice(sock, flow.address, flow.port, door=flow.door)
            logger.info("reset a connection that is not TLS: nothing says where it was to go")
            reset_socket(sock)
            return False
        if flow.host is not None and not self._application.service.routes.knows(flow.host):
            return await self._splice(sock, flow.host, flow.port)
        await self._http(sock, flow, None)
        return True

    async def _http(self, sock: socket.socket, flow: Flow, context: ssl.SSLContext | None) -> None:
        """Hand *sock* to HTTP, inside TLS if there is a *context*."""
        application = self._application

        def serving(side: AgentSide, incoming: Incoming) -> Awaitable[bool]:
            return serve(application.service, side, incoming)

        def protocol() -> asyncio.BaseProtocol:
            if application.server == "aiohttp":
                return ReferenceConnection(self._keeper, flow, serving)()
            return AgentConnection(self._keeper, flow, serving)

        try:
            await self._loop.connect_accepted_socket(
                protocol,
                sock,
                ssl=context,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_SECONDS,
            )
        except (OSError, ssl.SSLError) as error:
            if context is not None and flow.host is not None:
                reason = getattr(error, "reason", None) or error
                application.distrusted(flow.host, f"its TLS handshake failed: {reason}")
            raise

    # -- TLS ---------------------------------------------------------------------------------------------------------

    async def _hello(self, sock: socket.socket) -> Hello | None:
        """The whole of a ClientHello, however it was cut up; None if it is none."""
        need, deadline = 5, self._loop.time() + _HELLO_SECONDS
        while True:
            data = await peek(sock, need, deadline - self._loop.time())
            match read_hello(data):
                case Hello() as hello:
                    return hello
                case Incomplete(need_bytes):
                    if len(data) < need:  # the client will send no more
                        return None
                    need = need_bytes
                case Malformed(reason):
                    logger.info("reset a connection that began with %s", reason)
                    return None

    async def _tls(self, sock: socket.socket, hello: Hello, flow: Flow) -> bool:
        application = self._application
        name, port = hello.name or flow.host, flow.port
        routes, authority = application.service.routes, application.authority
        known = name is not None and routes.knows(name)
        door = flow.door if flow.host is not None else "transparent"
        if name is not None and known and authority is not None and authority.covers(name) and hello.speaks_http1:
            self._expect(name, port)
            await self._http(sock, Flow(door=door, host=name, port=port, tls=True), authority.context(name))
            return True
        if flow.address is not None and not known:
            return await self._splice(sock, flow.address, port, door=door)
        if name is None:
            logger.info("reset a TLS connection that names no server; without CONNECT there is nowhere to take it")
            reset_socket(sock)
            return False
        if flow.host is None:
            routes.permit_connect(name, port)
        return await self._splice(sock, flow.host or name, port, door=door)

    # -- CONNECT -----------------------------------------------------------------------------------------------------

    async def _connect(self, sock: socket.socket) -> bool:
        head, deadline = b"", self._loop.time() + _HELLO_SECONDS
        while (end := head.find(b"\r\n\r\n")) < 0:
            seen = len(head)
            head = await peek(sock, seen + 1, deadline - self._loop.time())
            if len(head) == seen or len(head) > _MAX_CONNECT_BYTES:
                return await self._refuse(sock, 400, "http_request_error", "CONNECT is not a whole HTTP request")
        sock.recv(end + 4)
        request = read_connect(head[:end])
        if isinstance(request, NotConnect):
            return await self._refuse(sock, 400, "http_request_error", request.reason)
        service = self._application.service
        try:
            service.routes.permit_connect(request.host, request.port)
        except CallError as error:
            service.rejected(error)
            logger.warning("refused CONNECT to %s:%d: %s", request.host, request.port, error)
            return await self._refuse(sock, error.status, error.kind, str(error))
        if service.routes.knows(request.host):
            self._expect(request.host, request.port)
            await self._loop.sock_sendall(sock, _ESTABLISHED)
            return await self.introduce(sock, Flow(door="connect", host=request.host, port=request.port))
        return await self._splice(sock, request.host, request.port, greet=True)

    def _expect(self, host: str, port: int) -> None:
        """A call to a provider's *host* is about to come: a connection is opened while the agent makes TLS with us."""
        service, authority = self._application.service, self._application.authority
        if authority is not None and authority.covers(host):
            service.expect(service.routes.at(Origin("https", host, port)))

    async def _refuse(self, sock: socket.socket, status: int, kind: str, message: str) -> bool:
        await self._loop.sock_sendall(sock, refusal(status, kind, message))
        return False

    # -- splicing ----------------------------------------------------------------------------------------------------

    async def _splice(
        self, sock: socket.socket, host: str, port: int, *, door: str = "connect", greet: bool = False
    ) -> bool:
        """Join *sock* to the host that it wants, until both have closed. *greet*: answer its CONNECT first."""
        service = self._application.service
        exchange = _spliced(host, port, door)
        service.opened(exchange)
        task = asyncio.current_task()
        assert task is not None
        self.splicing.add(task)
        outcome: str = "failed"
        error: BaseException | None = None
        splice = Splice()
        try:
            if not self._application.splices_unknown and not service.routes.knows(host):
                raise Forbidden(f"forward.splice_unknown is off, and {host} is no provider's")
            origin = exchange.provider.origin
            dialled = await dial(origin, self._application.resolver, _CONNECT_SECONDS, service.routes.permit_address)
            if greet:
                await self._loop.sock_sendall(sock, _ESTABLISHED)
            await self._loop.create_connection(lambda: splice.provider, sock=dialled.sock)
            await self._loop.connect_accepted_socket(lambda: splice.agent, sock)
            await splice.done
            outcome = "completed"
        except CallError as failure:
            error = failure
            if greet:
                await self._refuse(sock, failure.status, failure.kind, str(failure))
            else:
                reset_socket(sock)
        except asyncio.CancelledError as cancelled:
            outcome, error = "cancelled", cancelled
            raise
        finally:
            self.splicing.discard(task)
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


def _spliced(host: str, port: int, door: str) -> Exchange:
    """A spliced connection as an exchange: what can be told of it is told like of any call."""
    provider = Provider(name=OTHER, origin=Origin("https" if port == 443 else "http", host, port))
    return Exchange(
        id=f"{random.getrandbits(128):032x}",
        request=Request(method="CONNECT", target=f"{host}:{port}"),
        provider=provider,
        candidates=(provider,),
        notes=Notes(time.monotonic()),
        door=door,
        received_ns=time.time_ns(),
    )


def reset_socket(sock: socket.socket) -> None:
    """Close with RST, as a closed port would answer."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
