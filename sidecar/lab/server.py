"""A port that stands for one provider: receives, records, answers, and fails when told to."""

import asyncio
import gzip
import logging
import random
import ssl
import zlib
from contextlib import aclosing

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sidecar.lab.call import Bench, Call
from sidecar.lab.emulation import Emulation
from sidecar.lab.faults import EARLY, Fault, FaultPlan
from sidecar.lab.journal import Journal, Received, Signal
from sidecar.lab.reply import Chunks, Refusal, Reply, Trouble, Upgrade, Work, text_reply
from sidecar.lab.sockets import Socket, SocketEnded
from sidecar.lab.writing import Line, Written, forever, write_reply

_log = logging.getLogger(__name__)

_GZIP_FROM_BYTES = 512


class Listener(web.Server):
    """aiohttp's low-level server, counting its connections: those on which no request ever comes as well."""

    def __init__(self, provider: "EmulatedProvider") -> None:
        super().__init__(
            provider.serve,
            handler_cancellation=True,
            # bodies are recorded as they came, and URLs of speech services are long
            auto_decompress=False,
            max_line_size=65536,
            max_field_size=65536,
            access_log=None,
            keepalive_timeout=300.0,
        )
        self._provider = provider

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._provider.connected(handler)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._provider.disconnected(handler)


class EmulatedProvider(FaultPlan):
    """One provider of a lab: what it received, what it is to spoil, and where it listens."""

    def __init__(
        self, emulation: type[Emulation], bench: Bench, seed: str, *, journal: Journal | None, gzip_json: bool
    ) -> None:
        """*journal* is the whole lab's; without it nothing is kept."""
        super().__init__(random.Random(f"{seed} faults"))
        self.name = emulation.name
        self.hosts = emulation.hosts
        self.url = ""
        self.tls_url: str | None = None
        self.failures: list[Exception] = []
        """What broke in the lab itself; empty unless the lab has a bug."""
        self._emulation = emulation(bench)
        self._bench = bench
        self._journal = Journal()
        self._journals = () if journal is None else (self._journal, journal)
        self._gzip_json = gzip_json
        self._numbers: dict[RequestHandler, int] = {}
        self._connections = 0
        self._connected = Signal()
        self._servers: list[tuple[asyncio.Server, Listener]] = []

    @property
    def requests(self) -> list[Received]:
        return self._journal.requests

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._connections

    @property
    def open_connections(self) -> int:
        return len(self._numbers)

    async def next_request(self, *, timeout_seconds: float = 10.0) -> Received:
        """The first request that no earlier call has returned, as soon as its head is there."""
        return await self._journal.next_request(timeout_seconds=timeout_seconds)

    async def connections_reached(self, count: int, *, timeout_seconds: float = 10.0) -> None:
        """Wait until so many connections were accepted."""
        await self._connected.until(lambda: self._connections >= count, timeout_seconds)

    def forget(self) -> None:
        """Forget the requests received so far."""
        self._journal.clear()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Open a plain port and, with *tls*, another one for that."""
        self.url = f"http://{await self._open(host, port, None)}"
        if tls is not None:
            self.tls_url = f"https://{await self._open(host, 0, tls)}"

    async def _open(self, host: str, port: int, tls: ssl.SSLContext | None) -> str:
        listener = Listener(self)
        server = await asyncio.get_running_loop().create_server(listener, host, port, ssl=tls, backlog=1024)
        self._servers.append((server, listener))
        return f"{host}:{server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for server, listener in self._servers:
            server.close()
            await listener.shutdown(0.05)

    def connected(self, connection: RequestHandler) -> None:
        self._connections += 1
        self._connected.fire()
        self._numbers[connection] = self._connections

    def disconnected(self, connection: RequestHandler) -> None:
        self._numbers.pop(connection, None)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        received = Received(
            self.name,
            self._numbers.get(request.protocol, 0),
            request.method,
            request.raw_path,
            request.raw_headers,
            secure=request.secure,
        )
        for journal in self._journals:
            journal.add(received)
        try:
            return await self._serve(request, received)
        except (asyncio.CancelledError, ConnectionError):
            received.cancelled = True
            raise
        finally:
            received.close()

    async def _serve(self, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        line = Line(request, received)
        try:
            fault = self.at_head(received)
        except ValueError as error:
            return await write_reply(line, text_reply(f"x-lab-fault: {error}", status=400), None, keep=False)
        if fault is not None and fault.name in EARLY:
            return await self._spoil_early(line, received, fault)
        body = await _read_body(request, line, received)
        fault = fault or self.at_body(received)
        received.fault = "" if fault is None else str(fault)
        if fault is not None and fault.name in EARLY:
            return await self._spoil_early(line, received, fault)
        call = Call(received, request.headers, body, {}, self._bench, self._bench.clock.monotonic())
        outcome = await self._handle(call, fault, upgrade=_wants_socket(request))
        if isinstance(outcome, Upgrade):
            await self._wait(call, None, fault)
            return await self._talk(request, line, received, call, outcome, fault)
        return await self._reply(line, call, outcome, fault, keep=bool(request.keep_alive))

    async def _spoil_early(self, line: Line, received: Received, fault: Fault) -> Written:
        received.fault = str(fault)
        if (refusal := fault.refusal()) is not None:
            return await write_reply(line, self._emulation.refuse(refusal), None, keep=False)
        if fault.name == "silent":
            await forever()
        elif fault.name == "malformed-head":
            await line.write(b"HTP/one two-hundred\r\nNo colon here\r\n\r\n")
            await line.close()
        else:
            await line.reset()
        return Written(keep=False)

    async def _handle(self, call: Call, fault: Fault | None, *, upgrade: bool) -> Reply | Upgrade:
        emulation = self._emulation
        try:
            route, call.params = emulation.find(call.method, call.received.path, upgrade=upgrade)
            if not route.public:
                emulation.check(call)
            if fault is not None and (refusal := fault.refusal()) is not None:
                raise refusal
            outcome = await route.handler(call)
            if isinstance(outcome, Reply) and not isinstance(outcome.body, bytes):
                outcome.body = await _begun(outcome.body)
        except Refusal as refusal:
            return emulation.refuse_call(call, refusal)
        except Exception as error:
            _log.exception("the emulation of %s failed at %s %s", self.name, call.method, call.path)
            self.failures.append(error)
            return emulation.refuse_call(call, Refusal(Trouble.SERVER))
        return outcome

    async def _wait(self, call: Call, work: Work | None, fault: Fault | None) -> None:
        """Until the answer's first byte is due; what the engines took counts."""
        seconds = 0.0 if work is None else self._bench.latency.first_byte_seconds(work.operation, work.amount)
        seconds -= call.elapsed_seconds()
        if fault is not None and fault.name == "slow":
            seconds = max(seconds, 0.0) + (fault.number or 0.0)
        if seconds > 0:
            await self._bench.clock.sleep(seconds)

    async def _reply(self, line: Line, call: Call, reply: Reply, fault: Fault | None, *, keep: bool) -> Written:
        body = reply.body
        try:
            await self._wait(call, reply.work, fault)
            reply.headers = [*reply.headers, *self._emulation.answer_headers(call)]
            if self._gzip_json and isinstance(body, bytes):
                _compress(call, reply, body)
            return await write_reply(line, reply, fault, keep=keep)
        except ConnectionError:
            raise
        except Exception as error:
            # the answer has begun: it can only be broken off
            _log.exception("the emulation of %s failed in its answer to %s", self.name, call.path)
            self.failures.append(error)
            await line.reset()
            return Written(keep=False)
        finally:
            if not isinstance(body, bytes):
                await body.aclose()

    async def _talk(
        self,
        request: web.BaseRequest,
        line: Line,
        received: Received,
        call: Call,
        upgrade: Upgrade,
        fault: Fault | None,
    ) -> web.StreamResponse:
        response = web.WebSocketResponse(protocols=upgrade.protocols, max_msg_size=64 << 20)
        for name, value in (*upgrade.headers, *self._emulation.answer_headers(call)):
            response.headers.add(name, value)
        await response.prepare(request)
        received.status = 101
        socket = Socket(response, line, received, fault)
        try:
            await upgrade.run(socket)
            await response.close()
        except SocketEnded:
            return Written(keep=False)
        except Refusal as refusal:
            await response.close(code=1008, message=refusal.message.encode()[:120])
        except ConnectionError:
            raise
        except Exception as error:
            _log.exception("the emulation of %s failed on the socket %s", self.name, call.path)
            self.failures.append(error)
            await response.close(code=1011)
        return response


async def _read_body(request: web.BaseRequest, line: Line, received: Received) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await line.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    chunks = []
    async for chunk in request.content.iter_any():
        received.add_body(chunk)
        chunks.append(chunk)
    received.end_body()
    body = b"".join(chunks)
    coding = request.headers.get("Content-Encoding", "").lower()
    if coding in ("gzip", "deflate"):
        return zlib.decompress(body, zlib.MAX_WBITS | 32)
    return body


def _wants_socket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def _begun(chunks: Chunks) -> Chunks:
    """The same chunks, the first of them made: what goes wrong until then can still be told by a status."""
    try:
        first = await anext(chunks)
    except StopAsyncIteration:
        first = b""

    async def go_on() -> Chunks:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return go_on()


def _compress(call: Call, reply: Reply, body: bytes) -> None:
    accepted = "gzip" in call.headers.get("Accept-Encoding", "")
    is_json = ("Content-Type", "application/json") in reply.headers
    if accepted and is_json and len(body) >= _GZIP_FROM_BYTES:
        reply.body = gzip.compress(body, 6, mtime=0)
        reply.headers.append(("Content-Encoding", "gzip"))
