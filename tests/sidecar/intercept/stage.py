"""A real sidecar between an agent and a provider that say, byte for byte, what a test tells them to.

What holds for every test is asserted here: nothing hangs, no error goes unhandled, nothing is reported as a defect of
the sidecar, and no call is left under way.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from msgspec import Struct

from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.names import AddressInfo
from tests.running import Running, running
from tests.wire import Line, Peer, Script, peer

#: Tests that hold for both servers at the door.
BOTH_DOORS = pytest.mark.parametrize("server", ["lean", "aiohttp"])

PATIENCE_SECONDS = 15.0


class BrokenAnswer(Exception):
    """The agent sees that an answer is not whole; ``body`` is what has arrived of it."""

    def __init__(self, reason: str, body: bytes = b"") -> None:
        super().__init__(f"{reason}, after {body[-60:]!r}")
        self.body = body


class Answer(Struct, frozen=True):
    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    interim: tuple[int, ...] = ()
    version: str = "HTTP/1.1"

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.encode()]

    def get(self, name: str) -> str | None:
        found = self.all(name)
        return found[0].decode("latin-1") if found else None


class Agent:
    """One connection to the sidecar, and a reader of answers as strict as any SDK's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Each part in a segment of its own, as far as that can be brought about."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0)

    async def ask(self, data: bytes, method: str = "") -> Answer:
        await self.send(data)
        return await self.answer(method or data.split(b" ", 1)[0].decode())

    async def answer(self, method: str = "GET") -> Answer:
        """
        Raises:
            BrokenAnswer: it is not whole.
        """
        interim = []
        while True:
            version, status, fields = await self.head()
            if status >= 200 or status == 101:
                break
            interim.append(status)
        body = await self._body(method, status, fields)
        return Answer(status, fields, body, tuple(interim), version)

    async def head(self) -> tuple[str, int, tuple[tuple[bytes, bytes], ...]]:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise BrokenAnswer("the connection ended in the head", error.partial) from error
        except ConnectionError as error:
            raise BrokenAnswer(f"the connection broke: {error}") from error
        line, *rest = head[:-4].split(b"\r\n")
        version, status = line.split(b" ")[:2]
        fields = tuple((name, value.strip()) for name, _, value in (text.partition(b":") for text in rest))
        return version.decode(), int(status), fields

    async def _body(self, method: str, status: int, fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
        if method == "HEAD" or status in (101, 204, 304):
            return b""
        named: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            named.setdefault(name.lower(), []).append(value)
        lengths, codings = named.get(b"content-length", []), named.get(b"transfer-encoding", [])
        assert len(lengths) + len(codings) <= 1, f"the answer is framed twice: {fields}"
        try:
            if codings:
                assert codings == [b"chunked"], codings
                return await self.chunks()
            if lengths:
                return await self.reader.readexactly(int(lengths[0]))
            return await self.rest()
        except asyncio.IncompleteReadError as error:
            raise BrokenAnswer("the connection ended in the body", error.partial) from error
        except ConnectionError as error:
            raise BrokenAnswer(f"the connection broke: {error}") from error

    async def chunks(self) -> bytes:
        body = b""
        while True:
            try:
                chunk = await self.chunk()
            except asyncio.IncompleteReadError as error:
                raise BrokenAnswer("the connection ended between chunks", body + error.partial) from error
            except ConnectionError as error:
                raise BrokenAnswer(f"the connection broke: {error}", body) from error
            if not chunk:
                return body
            body += chunk

    async def chunk(self) -> bytes:
        """The next chunk of a chunked answer; b"" for the last, after which nothing may stand but the end."""
        size = int((await self.reader.readuntil(b"\r\n"))[:-2], 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def rest(self) -> bytes:
        """All until the sidecar closes.

        Raises:
            ConnectionError: it did so by a reset.
        """
        return await self.reader.read()

    async def gone(self) -> bytes:
        """The same, for a sidecar that may close as it likes."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await self.reader.read(65536):
                data += chunk
        return data

    def half_close(self) -> None:
        self.writer.write_eof()

    def leave(self) -> None:
        """Close at once: with FIN if everything was read, as a process that ends does."""
        self.writer.transport.close()

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Stage:
    """``provider`` is the raw server that stands behind provider ``lab``."""

    def __init__(self, sidecar: Running, provider: Peer) -> None:
        self.sidecar = sidecar
        self.provider = provider
        self.agents: list[Agent] = []

    @property
    def port(self) -> int:
        return int(self.sidecar.proxy.rpartition(":")[2])

    async def agent(self, port: int | None = None, receive_buffer_bytes: int | None = None) -> Agent:
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port or self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        agent = Agent(reader, writer)
        self.agents.append(agent)
        return agent

    async def agent_over_tls(self, host: str, context: ssl.SSLContext | None = None, port: int = 443) -> Agent:
        """One that has come by CONNECT and trusts the pod's bundle."""
        agent = await self.agent()
        answer = await agent.ask(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode(), "HEAD")
        assert answer.status == 200
        if context is None:
            context = ssl.create_default_context(cafile=str(self.sidecar.bundle))
        await agent.writer.start_tls(context, server_hostname=host)
        return agent

    def close(self) -> None:
        for agent in self.agents:
            agent.writer.transport.abort()

    async def calls(self, number: int) -> list[Any]:
        """The calls that have ended, once there are *number* of them."""
        while len(found := self.sidecar.calls()) < number:
            await asyncio.sleep(0.005)
        assert len(found) == number
        return found

    async def metrics(self) -> str:
        return self.sidecar.application.metrics_text()


class _Defects(logging.Handler):
    """Catches what the sidecar calls its own defect."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "defect" in record.getMessage():
            self.found.append(logging.Formatter().format(record))


@contextlib.contextmanager
def nothing_goes_unhandled() -> Iterator[None]:
    """Fail if a callback or task died of an error, or if the sidecar logs a defect of its own."""
    loop, defects = asyncio.get_running_loop(), _Defects()
    unhandled: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    logging.getLogger("sidecar").addHandler(defects)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
        logging.getLogger("sidecar").removeHandler(defects)
    assert not defects.found, "\n".join(defects.found)
    assert not unhandled, unhandled


@contextlib.asynccontextmanager
async def stage(
    script: Script,
    *overrides: str,
    server: str = "lean",
    plugins: str = "[]",
    context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Stage]:
    """Serve with the provider ``lab`` (dialect openai), which runs *script* for each connection."""
    with nothing_goes_unhandled():
        async with asyncio.timeout(PATIENCE_SECONDS), peer(script, context) as provider:
            scheme = "http" if context is None else "https"
            lab = f"providers.lab={{url: '{scheme}://{host}:{provider.port}', dialect: openai}}"
            async with running(f"listen.server={server}", lab, *overrides, plugins=plugins) as sidecar:
                set_up = Stage(sidecar, provider)
                try:
                    yield set_up
                finally:
                    set_up.close()
            assert sidecar.application.metrics.in_flight == 0, "a call was left under way"


class Names(SystemResolver):
    """A resolver for tests: what it does not know does not exist. ``known``: name to addresses, each with its port."""

    def __init__(self) -> None:
        super().__init__(ttl_seconds=0.0)
        self.known: dict[str, list[tuple[str, int | None]]] = {}
        self.asked: list[str] = []

    def __call__(self, *_: object) -> "Names":
        return self

    def add(self, name: str, *addresses: str, port: int | None = None) -> None:
        self.known[name] = [(address, port) for address in addresses]

    async def _asked(self, host: str, port: int) -> list[AddressInfo]:
        self.asked.append(host)
        if host not in self.known:
            if not host.replace(".", "").isdecimal():
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, own or port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, own or port))
            for address, own in self.known[host]
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """What names resolve to for every sidecar of a test."""
    resolver = Names()
    monkeypatch.setattr("sidecar.application.SystemResolver", resolver)
    return resolver


class Received:
    """A provider's script that keeps what it receives and answers with *reply*."""

    def __init__(self, *replies: bytes) -> None:
        self.requests: list[tuple[bytes, bytes]] = []
        self._replies = replies

    async def __call__(self, line: Line) -> None:
        while True:
            try:
                self.requests.append(await line.request())
            except ValueError:
                return  # chunks that ended nowhere
            await line.send(self._replies[min(len(self.requests), len(self._replies)) - 1])

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.requests]


class Streaming:
    """A provider's script: the first chunk at once, the second once `go_on` is set. ``ended``: nobody listens."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, line: Line) -> None:
        try:
            while True:
                await line.request()
                await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                self.begun.set()
                await self._gone_or_going_on(line)
                await line.send(b"6\r\nsecond\r\n0\r\n\r\n")
        finally:
            self.ended.set()

    async def _gone_or_going_on(self, line: Line) -> None:
        gone, going = asyncio.ensure_future(line.gone()), asyncio.ensure_future(self.go_on.wait())
        done, _ = await asyncio.wait((gone, going), return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        going.cancel()
        await asyncio.gather(gone, going, return_exceptions=True)
        if going not in done:
            raise ConnectionResetError


def post(body: bytes, *fields: str, path: str = "/lab/x", version: str = "HTTP/1.1") -> bytes:
    """A request with a length."""
    lines = [f"POST {path} {version}", "Host: agent", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def get(*fields: str, path: str = "/lab/x", method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", "Host: agent", *fields]).encode("latin-1") + b"\r\n\r\n"


def chunked(*chunks: bytes, path: str = "/lab/x", fields: tuple[str, ...] = (), end: bytes = b"0\r\n\r\n") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: agent", *fields, "Transfer-Encoding: chunked"]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: a connection to it is neither taken nor refused."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            filling = held.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of."""
    while not condition():
        await asyncio.sleep(0.002)
