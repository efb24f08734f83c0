"""The emulated provider of streams, audio and sockets.

    python -m tests.benchmarks.provider PORT TLS_PORT CHAIN_FILE

========================================================  =========================================================
``POST /v1/chat/completions?chunks=N&gap_ms=M``           N events; each says when it was sent (CLOCK_MONOTONIC, ns)
``POST /v1/chat/completions``                             a small answer
``POST /v1/audio/speech?bytes=N``                         N bytes in chunks
``POST /v1/audio/transcriptions[?bytes_per_second=R]``    reads all of it, R at most, and says how much that was
``GET /v1/realtime``                                      a WebSocket that sends each text frame back
``GET /stats``                                            `Stats` as JSON
========================================================  =========================================================
"""

import asyncio
import base64
import hashlib
import re
import sys
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.calls import ANSWER, ANSWER_FIELDS, SPEECH_BYTES, audio
from tests.benchmarks.serving import Connection, Request, serve

_FIELDS = b"".join(f"{name}: {value}\r\n".encode() for name, value in ANSWER_FIELDS)
_EVENT = (
    b'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1790000000,"model":"gpt-4.1-'
    b'mini","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"at":%020d}\n\n'
)
_DONE = b"data: [DONE]\n\n"
_CHUNK_BYTES = 4096
_KEY = re.compile(rb"\n[Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey: *([^\r]+)\r")
_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def framed(data: bytes) -> bytes:
    """*data* as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _speech(size: int) -> bytes:
    data = audio(size)
    return b"".join(framed(data[at : at + _CHUNK_BYTES]) for at in range(0, size, _CHUNK_BYTES))


_SPEECH_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\n%bTransfer-Encoding: chunked\r\n\r\n" % _FIELDS
_SPEECH = _SPEECH_HEAD + _speech(SPEECH_BYTES) + b"0\r\n\r\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%bTransfer-Encoding: chunked\r\n\r\n" % _FIELDS
_MEBIBYTE = _speech(1 << 20)


@dataclass
class Stats:
    connections: int = 0
    requests: int = 0
    streams_open: int = 0
    streams_whole: int = 0
    streams_cut: int = 0
    sockets_open: int = 0
    uploaded_bytes: int = 0


STATS = Stats()


class Provider(Connection):
    def __init__(self) -> None:
        super().__init__()
        self._timer: asyncio.TimerHandle | None = None
        self._downloading: asyncio.Task[None] | None = None
        self._socket = self._streaming = False
        STATS.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._streaming:
            STATS.streams_open -= 1
            STATS.streams_cut += 1
        if self._socket:
            STATS.sockets_open -= 1
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._socket:
            self._echo(data)
        else:
            super().data_received(data)

    def body_arrived(self, request: Request, data: bytes) -> None:
        STATS.uploaded_bytes += len(data)
        if rate := request.query.get("bytes_per_second"):
            self.transport.pause_reading()
            self.loop.call_later(len(data) / float(rate), self._read_on)

    def _read_on(self) -> None:
        if not self.lost:
            self.transport.resume_reading()

    def request_arrived(self, request: Request) -> None:
        if request.path == "/stats":
            self.answer_json(asdict(STATS))
            return
        STATS.requests += 1
        if request.path == "/v1/audio/speech":
            size = int(request.query.get("bytes", SPEECH_BYTES))
            if size == SPEECH_BYTES:
                self.transport.write(_SPEECH)
            else:
                self._downloading = self.loop.create_task(self._download(size))
        elif request.path == "/v1/audio/transcriptions":
            self.answer(b'{"text":"Are you open on Sunday?"}', b"Content-Type: application/json\r\n" + _FIELDS)
        elif request.path == "/v1/realtime":
            self._open_socket(request)
        elif "chunks" in request.query:
            self._streaming = True
            STATS.streams_open += 1
            gap_seconds = int(request.query["gap_ms"]) / 1000
            self._next_event(int(request.query["chunks"]), gap_seconds, self.loop.time(), _STREAM_HEAD)
        else:
            self.answer(ANSWER, b"Content-Type: application/json\r\n" + _FIELDS)

    def _next_event(self, left: int, gap_seconds: float, due: float, before: bytes = b"") -> None:
        self.transport.write(before + framed(_EVENT % time.monotonic_ns()))
        if left > 1:
            due += gap_seconds
            self._timer = self.loop.call_at(due, self._next_event, left - 1, gap_seconds, due)
        else:
            self.transport.write(framed(_DONE) + b"0\r\n\r\n")
            self._streaming = False
            STATS.streams_open -= 1
            STATS.streams_whole += 1

    async def _download(self, size: int) -> None:
        """*size* bytes rounded up to whole MiB, as fast as they are taken."""
        self.transport.write(_SPEECH_HEAD)
        for _ in range(-(-size >> 20)):
            self.transport.write(_MEBIBYTE)
            if self.writable is not None:
                await self.writable
            if self.lost:
                return
        self.transport.write(b"0\r\n\r\n")

    # -- sockets -----------------------------------------------------------------------------------------------------

    def _open_socket(self, request: Request) -> None:
        key = _KEY.search(request.head)
        digest = hashlib.sha1((key.group(1) if key else b"") + _ACCEPT_SUFFIX).digest()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)
        )
        self._socket = True
        STATS.sockets_open += 1

    def _echo(self, data: bytes) -> None:
        """Send short text frames back; the agent masks with zeros, so nothing needs unmasking."""
        if data[0] & 0x0F == 8:
            self.transport.write(b"\x88\x02\x03\xe8")
            self.transport.close()
            return
        at, back = 0, b""
        while at < len(data):
            size = data[at + 1] & 0x7F
            back += bytes((0x81, size)) + data[at + 6 : at + 6 + size]
            at += 6 + size
        self.transport.write(back)


if __name__ == "__main__":
    serve(Provider, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
