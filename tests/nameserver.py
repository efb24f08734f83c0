"""A name server of a test's own."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

A, AAAA = 1, 28
NO_SUCH_NAME, SERVER_FAILURE = 3, 2


class NameServer(asyncio.DatagramProtocol):
    """Knows *addresses* by name; everything else does not exist, or ``failing`` makes it fail."""

    def __init__(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        self.addresses = addresses
        self.failing = False
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    @property
    def address(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question, labels, at = data[12:], [], 0
        while size := question[at]:
            labels.append(question[at + 1 : at + 1 + size].decode())
            at += size + 1
        name, (kind,) = ".".join(labels), struct.unpack_from("!H", question, at + 1)
        self.asked.append(name)
        records = []
        for each in self.addresses.get(name, ()):
            family = socket.AF_INET6 if ":" in each else socket.AF_INET
            packed = socket.inet_pton(family, each)
            if kind == (AAAA if ":" in each else A):
                records.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(packed)) + packed)
        code = SERVER_FAILURE if self.failing else 0 if name in self.addresses else NO_SUCH_NAME
        head = data[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        self.transport.sendto(head + question[: at + 5] + b"".join(records), addr)


@asynccontextmanager
async def name_server(
    addresses: Mapping[str, tuple[str, ...]], at: tuple[str, int] = ("127.0.0.1", 0)
) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(addresses), local_addr=at)
    try:
        yield server
    finally:
        transport.close()
