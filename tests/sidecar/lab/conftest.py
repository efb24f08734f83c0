"""A lab to call, and clients to call it with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from sidecar.lab import Lab


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """All providers with echo engines; it may not break by itself."""
    async with Lab() as lab:
        yield lab
        assert not lab.failures


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Wire:
    """One connection to a lab's port, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, target: str, body: bytes = b"{}", *headers: str, method: str = "POST") -> None:
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: lab",
            "Authorization: Bearer sk-lab",
            f"Content-Length: {len(body)}",
            *headers,
        ]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self, timeout_seconds: float = 5) -> bytes:
        """Everything until the other side closes; a reset raises."""
        async with asyncio.timeout(timeout_seconds):
            return await self.reader.read()

    async def answer(self) -> tuple[bytes, bytes]:
        """Head and body of an answer whose length is told."""
        head = await self.head()
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        async with asyncio.timeout(5):
            return head, await self.reader.readexactly(int(lengths[0].split(b":")[1]))


@pytest.fixture
async def wire(lab: Lab) -> AsyncIterator[Callable[[str], Awaitable[Wire]]]:
    """Opens connections to providers of the lab."""
    opened: list[Wire] = []

    async def connect(provider: str) -> Wire:
        host, _, port = lab.url(provider).removeprefix("http://").partition(":")
        made = Wire(*await asyncio.open_connection(host, int(port)))
        opened.append(made)
        return made

    yield connect
    for one in opened:
        one.writer.close()
