"""Pods, and a world outside of them."""

import asyncio
import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.lab.certificates import Authority
from tests.namespaces.pod import Pod, a_pod, forbidden, missing
from tests.wire import Line, Script, answer

PROVIDER, OTHER = "api.openai.com", "other.example"
DEEPGRAM, ELEVENLABS, GOOGLE = "api.deepgram.com", "api.elevenlabs.io", "speech.googleapis.com"
PROVIDERS = (PROVIDER, DEEPGRAM, ELEVENLABS, GOOGLE)
CHAT = answer(
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"from the world"}}]}',
    "200 OK",
    "Content-Type: application/json",
)


@pytest_asyncio.fixture
async def pod(skip_or_fail: Callable[[str], None]) -> AsyncIterator[Pod]:
    if why := missing():
        skip_or_fail(why)
    if why := forbidden():
        pytest.skip(why)
    # pytest's own directories are for one user alone, and each of its processes that begins makes them so again
    with tempfile.TemporaryDirectory(prefix="sidecar-pod-") as directory:
        os.chmod(directory, 0o755)
        async with a_pod(Path(directory, "pod")) as made:
            yield made


class World:
    """What is outside a pod: providers and somebody else, each by IPv4 and IPv6, on port 443.

    ``authority`` is theirs, as public CAs are: the sidecar trusts it, and agents that are spliced must.
    """

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.authority = Authority()
        self.file = pod.directory / "world.crt"
        self.file.write_bytes(self.authority.pem)
        self.file.chmod(0o644)
        self.trusting = f"tls.extra_ca_files=['{self.file}']"
        self.addresses: dict[str, tuple[str, ...]] = dict.fromkeys((*PROVIDERS, OTHER), (pod.outside, pod.outside6))
        """Where each name is."""
        self.answers: dict[str, bytes] = {}
        """What each name answers, if not a chat completion that says ``from the world``."""
        self.asked: list[str] = []
        """The name, method and path of each request."""

    def context(self, *protocols: str) -> ssl.SSLContext:
        """TLS as all of the names; it selects of *protocols*."""
        context = self.authority.server_context(self.addresses)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context

    async def answer(self, line: Line) -> None:
        """Request after request."""
        while True:
            head, _ = await line.request()
            request, _, fields = head.decode().partition("\r\n")
            (host,) = [field[5:].strip() for field in fields.split("\r\n") if field.lower().startswith("host:")]
            self.asked.append(f"{host} {request.rpartition(' ')[0]}")
            await line.send(self.answers.get(host, CHAT))


@pytest_asyncio.fixture
async def world(pod: Pod) -> AsyncIterator[World]:
    async with a_world(pod) as made:
        yield made


@contextlib.asynccontextmanager
async def a_world(pod: Pod) -> AsyncIterator[World]:
    made = World(pod)
    async with contextlib.AsyncExitStack() as servers:
        for address in (pod.outside, pod.outside6):
            await servers.enter_async_context(serving(made.answer, address, context=made.context()))
        yield made


@contextlib.asynccontextmanager
async def serving(
    script: Script, address: str, port: int = 443, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Run *script* for each connection to *address*; port 0 stands for any that is free. Yields the port."""
    lines: list[Line] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(line := Line(reader, writer))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await script(line)
        await line.close()

    # a new address of IPv6 takes its time to become one that can be bound
    deadline = time.monotonic() + 10
    while True:
        try:
            server = await asyncio.start_server(serve, address, port, ssl=context)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for line in lines:
            line.writer.transport.abort()
        await server.wait_closed()
