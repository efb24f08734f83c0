"""Pods, and a world outside of them."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio

from sidecar.lab.certificates import Authority
from tests.namespaces.pod import Pod, a_pod, missing
from tests.wire import Line, answer, answering

PROVIDER, OTHER = "api.openai.com", "other.example"


@pytest_asyncio.fixture
async def pod(tmp_path: Path, skip_or_fail: Callable[[str], None]) -> AsyncIterator[Pod]:
    if why := missing():
        skip_or_fail(why)
    for parent in (tmp_path, *tmp_path.parents[:3]):  # pytest's own are for one user alone
        with contextlib.suppress(PermissionError):
            parent.chmod(0o755)
    async with a_pod(tmp_path / "pod") as made:
        yield made


class World:
    """What is outside a pod: a provider and somebody else, each by IPv4 and IPv6, on port 443.

    ``authority`` is theirs, as public CAs are: the sidecar trusts it, and agents that are spliced must.
    """

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.authority = Authority()
        self.file = pod.directory / "world.crt"
        self.file.write_bytes(self.authority.pem)
        self.file.chmod(0o644)
        self.trusting = f"tls.extra_ca_files=['{self.file}']"

    def context(self) -> ssl.SSLContext:
        return self.authority.server_context([PROVIDER, OTHER])


@pytest_asyncio.fixture
async def world(pod: Pod) -> AsyncIterator[World]:
    """Answers every request with a chat completion that says ``from the world``."""
    made = World(pod)
    chat = b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    chat += b'"message":{"role":"assistant","content":"from the world"}}]}'
    script = answering(answer(chat, "200 OK", "Content-Type: application/json"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await script(Line(reader, writer))

    servers = [await _serving(serve, address, made.context()) for address in (pod.outside, pod.outside6)]
    try:
        yield made
    finally:
        for server in servers:
            server.close()


async def _serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], address: str, context: ssl.SSLContext
) -> asyncio.Server:
    """A new address of IPv6 takes its time to become one that can be bound."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return await asyncio.start_server(serve, address, 443, ssl=context)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
