"""Looking at a connection's first bytes without consuming them, so that any decision is still open."""

import asyncio
import contextlib
import socket

_ESTABLISHED = 1
#: The kernel may wake us before the low-water mark when it is short of memory: do not spin then.
_EARLY_SECONDS, _PAUSE_SECONDS = 0.001, 0.005


async def peek(sock: socket.socket, need_bytes: int, timeout_seconds: float) -> bytes:
    """At least *need_bytes* from the start of what *sock* will give; fewer only if its peer will send no more.

    *sock* is non-blocking and nobody else reads it.

    Raises:
        TimeoutError: they did not come in time.
        OSError: the connection is broken.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    while True:
        try:
            data = sock.recv(max(need_bytes, 4096), socket.MSG_PEEK)
            ended = not data or (len(data) < need_bytes and _finished(sock))
        except BlockingIOError:
            data, ended = b"", _finished(sock)
        if len(data) >= need_bytes or ended:
            return data
        began = loop.time()
        if began >= deadline:
            raise TimeoutError
        await _readable(loop, sock, need_bytes, deadline - began)
        if loop.time() - began < _EARLY_SECONDS:
            await asyncio.sleep(_PAUSE_SECONDS)


async def _readable(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, low_water: int, timeout_seconds: float
) -> None:
    """Wait until *low_water* bytes are there, or the connection has ended."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, low_water)
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, wake)
    try:
        async with asyncio.timeout(timeout_seconds):
            await ready
    finally:
        loop.remove_reader(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _finished(sock: socket.socket) -> bool:
    """Whether the peer has closed its side."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
