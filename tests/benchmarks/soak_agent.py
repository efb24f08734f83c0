"""Agents that are hard on a proxy.

    python -m tests.benchmarks.soak_agent < TASK.json > REPORT.json

A task of kind hold says ``held`` on a line of its own once everything is held.
"""

import asyncio
import sys
import time
from typing import Literal

import msgspec
import uvloop

from tests.benchmarks import calls
from tests.benchmarks.agent import Broken, Line, Route, open_line

_PIECE_BYTES = 64 * 1024
_FRAME = b"\x81\x85\0\0\0\0hello"
_ECHO = b"\x81\x05hello"
_ECHO_SECONDS = 0.5


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """
    Args:
        kind: cut: begin *streams* streams, *at_once* at a time, and leave each in the middle;
            upload, download: *size* bytes, downloaded at *bytes_per_second* at most;
            hold: *streams* streams of *chunks* events and *sockets* sockets, until the streams have ended.
    """

    kind: Literal["cut", "upload", "download", "hold"]
    port: int
    prefix: str
    streams: int = 0
    sockets: int = 0
    at_once: int = 50
    chunks: int = 0
    gap_ms: int = 0
    size: int = 0
    bytes_per_second: int = 0


class Told(msgspec.Struct, kw_only=True):
    whole: int = 0
    """Streams, uploads and downloads that came to a good end."""
    broken: int = 0
    moved_bytes: int = 0
    seconds: float = 0.0
    sockets_open: int = 0
    """When the streams had ended."""
    echoes: int = 0
    lost_echoes: int = 0


def _events(line: Line) -> int:
    return 0 if line.answer is None else len(line.answer.delays_ns)


async def cut(task: Task, told: Told) -> None:
    turns = asyncio.Semaphore(task.at_once)

    async def one(number: int) -> None:
        async with turns:
            line = await open_line(Route(task.port))
            line.send(calls.stream(task.prefix, chunks=task.chunks, gap_ms=task.gap_ms).render(number))
            await line.until(lambda: _events(line) >= 3)
            told.whole += not line.lost
            if number % 2:
                line.transport.abort()
            else:
                line.transport.close()

    await asyncio.gather(*map(one, range(task.streams)))


async def upload(task: Task, told: Told) -> None:
    line = await open_line(Route(task.port))
    query = f"?bytes_per_second={task.bytes_per_second}" if task.bytes_per_second else ""
    line.send(calls.transcription_head(task.prefix, task.size, query=query))
    piece = calls.audio(_PIECE_BYTES)
    for at in range(0, task.size, _PIECE_BYTES):
        line.transport.write(piece[: task.size - at])
        if line.writable is not None:
            await line.writable
        if line.lost:
            break
    line.transport.write(calls.form()[1])
    await line.until(lambda: bool(line.ended_ns))
    told.whole += not line.error
    told.moved_bytes = task.size


class _SlowReader(Line):
    """Reads at most so many bytes per second."""

    def __init__(self, bytes_per_second: int) -> None:
        super().__init__()
        self._bytes_per_second = bytes_per_second
        self._due = 0.0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        loop = asyncio.get_running_loop()
        self._due = max(self._due, loop.time()) + len(data) / self._bytes_per_second
        if self._due - loop.time() > 0.002 and not self.ended_ns:
            self.transport.pause_reading()
            loop.call_at(self._due, self._read_on)

    def _read_on(self) -> None:
        if not self.lost:
            self.transport.resume_reading()


async def download(task: Task, told: Told) -> None:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(lambda: _SlowReader(task.bytes_per_second), "127.0.0.1", task.port)
    answer = await line.call(calls.speech(task.prefix, task.size).render(1))
    told.whole, told.moved_bytes = 1, answer.body_bytes


async def hold(task: Task, told: Told) -> None:
    streams = [await open_line(Route(task.port)) for _ in range(task.streams)]
    request = calls.stream(task.prefix, chunks=task.chunks, gap_ms=task.gap_ms, new_bodies=6)
    answers = [asyncio.ensure_future(line.call(request.render(number))) for number, line in enumerate(streams)]
    sockets = [await open_line(Route(task.port)) for _ in range(task.sockets)]
    for line in sockets:
        if not (await line.greet(calls.socket_opening(task.prefix))).startswith(b"HTTP/1.1 101"):
            raise Broken("a socket could not be opened")
    echoing = [asyncio.ensure_future(_echo(line, told)) for line in sockets]
    for line in streams:
        await line.until(lambda line=line: _events(line) > 0)  # type: ignore[misc]
    print("held", flush=True)
    ended = await asyncio.gather(*answers, return_exceptions=True)
    told.whole = sum(not isinstance(end, BaseException) for end in ended)
    told.broken = len(ended) - told.whole
    told.sockets_open = sum(not line.lost for line in sockets)
    for task_ in echoing:
        task_.cancel()
    await asyncio.gather(*echoing, return_exceptions=True)


async def _echo(line: Line, told: Told) -> None:
    while not line.lost:
        if (await line.greet(_FRAME)).startswith(_ECHO):
            told.echoes += 1
        elif not line.lost:
            told.lost_echoes += 1
        await asyncio.sleep(_ECHO_SECONDS)


async def run(task: Task) -> Told:
    told, began = Told(), time.monotonic()
    await {"cut": cut, "upload": upload, "download": download, "hold": hold}[task.kind](task, told)
    told.seconds = time.monotonic() - began
    return told


if __name__ == "__main__":
    report = uvloop.run(run(msgspec.json.decode(sys.stdin.buffer.read(), type=Task)))
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
