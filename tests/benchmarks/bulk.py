"""Bytes in bulk by one connection after another, to see what a splice lets through.

    python -m tests.benchmarks.bulk serve ADDRESS PORT
    python -m tests.benchmarks.bulk < HAUL.json > SECONDS

A connection begins with a ClientHello, so that whoever looks at it passes it on by its server name, and goes on with
orders of 9 bytes: a letter, and how many bytes are wanted (big-endian). Nothing is encrypted: that would be what is
measured.
"""

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from typing import Literal

import msgspec

DOWN, UP = "down", "up"
_PIECE_BYTES = 1 << 20
_ORDER = struct.Struct("!cQ")
_LETTERS = {DOWN: b"d", UP: b"u"}
_SO_BINDTODEVICE = 25


class Haul(msgspec.Struct, frozen=True, kw_only=True):
    """
    Args:
        authority: what CONNECT asks for; empty for no CONNECT.
        server_name: what the ClientHello asks for.
    """

    address: str
    port: int
    authority: str = ""
    server_name: str = "bulk.benchmark.example"
    direction: Literal["down", "up"]
    size: int


def hello(server_name: str) -> bytes:
    """A ClientHello of TLS 1.2 that asks for *server_name* and says nothing else of note."""
    name = server_name.encode("ascii")
    entry = struct.pack("!BH", 0, len(name)) + name
    extension = struct.pack("!HHH", 0, len(entry) + 2, len(entry)) + entry
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + struct.pack("!H", len(extension)) + extension
    message = b"\1" + len(body).to_bytes(3) + body
    return b"\x16\3\1" + struct.pack("!H", len(message)) + message


def haul(task: Haul) -> float:
    """Seconds from the order to the last byte: at the far end, of what goes up.

    Raises:
        OSError: it did not come to a good end.
    """
    with socket.create_connection((task.address, task.port), 30) as sock:
        if task.authority:
            sock.sendall(f"CONNECT {task.authority} HTTP/1.1\r\nHost: {task.authority}\r\n\r\n".encode())
            if not (said := sock.recv(4096)).startswith(b"HTTP/1.1 200"):
                raise OSError(f"CONNECT to {task.authority} was answered with {said[:200]!r}")
        sock.sendall(hello(task.server_name))
        sock.sendall(_ORDER.pack(_LETTERS[task.direction], 0))
        _taken(sock, 1)  # the way is open
        sock.sendall(_ORDER.pack(_LETTERS[task.direction], task.size))
        began = time.monotonic()
        if task.direction == DOWN:
            _taken(sock, task.size)
        else:
            _given(sock, task.size)
            _taken(sock, 1)
        return time.monotonic() - began


def _taken(sock: socket.socket, size: int) -> None:
    buffer = memoryview(bytearray(_PIECE_BYTES))
    while size:
        received = sock.recv_into(buffer[: min(size, _PIECE_BYTES)])
        if not received:
            raise ConnectionResetError(f"it ended {size} bytes early")
        size -= received


def _given(sock: socket.socket, size: int) -> None:
    piece = memoryview(bytes(_PIECE_BYTES))
    while size:
        sent = sock.send(piece[:size])
        size -= sent


def serve(address: str, port: int) -> None:
    """Take orders at *address*, or at all of loopback's if that is 0.0.0.0, until the process is ended."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address == "0.0.0.0":
        listening.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, b"lo")
    listening.bind((address, port))
    listening.listen(256)
    while True:
        sock, _ = listening.accept()
        threading.Thread(target=_served, args=(sock,), daemon=True).start()


def _served(sock: socket.socket) -> None:
    with sock, contextlib.suppress(OSError):
        record = _read(sock, 5)
        _read(sock, int.from_bytes(record[3:]))
        while order := _read(sock, _ORDER.size):
            letter, size = _ORDER.unpack(order)
            if letter == _LETTERS[DOWN] and size:
                _given(sock, size)
                continue
            _taken(sock, size)
            sock.sendall(b"!")


def _read(sock: socket.socket, size: int) -> bytes:
    """So many bytes, or none at the end."""
    data = b""
    while len(data) < size:
        if not (piece := sock.recv(size - len(data))):
            return b""
        data += piece
    return data


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        print(haul(msgspec.json.decode(os.read(0, 65536), type=Haul)))
