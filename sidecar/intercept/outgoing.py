"""An answer on its way to the agent: straight to the transport, with as few copies as framing allows.

What is observed of it (times, sizes, how it ended) is observed here, where the bytes flow anyway.
"""

import re
import time
from collections import deque
from http import HTTPStatus

import msgspec

from sidecar.body import Body
from sidecar.dialect import Phrase
from sidecar.errors import CallError, UpstreamBroken
from sidecar.exchange import Exchange, Record, Response
from sidecar.headers import Headers
from sidecar.intercept.incoming import AgentSide
from sidecar.websocket import TRAFFIC

#: How much of an answer's end is kept for what it says of itself.
TAIL_BYTES = 16 * 1024
#: Above this a chunk is handed over beside its framing instead of being copied into it.
_COPY_BYTES = 16 * 1024
_NONE = Headers()
_BODILESS = frozenset((204, 304))
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_STATUS_LINES: dict[tuple[int, str | None], bytes] = {}


def status_line(status: int, reason: str | None) -> bytes:
    line = _STATUS_LINES.get((status, reason))
    if line is None:
        line = f"HTTP/1.1 {status} {_phrase(status) if reason is None else reason}\r\n".encode("latin-1")
        if len(_STATUS_LINES) < 256:
            _STATUS_LINES[status, reason] = line
    return line


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class Delivery:
    """Writes one answer to the agent and knows, afterwards, how that went.

    Args:
        http_1_0: the agent knows no chunks: an answer of unknown length ends with the connection.
        bodiless: the agent asked with HEAD.
        keep_alive: the agent wants to keep the connection.
        told: whether the answer gets our own header fields.
    """

    __slots__ = (
        "_bodiless",
        "_exchange",
        "_http_1_0",
        "_side",
        "_tail",
        "_tail_bytes",
        "_told",
        "begun",
        "chunks",
        "first_byte",
        "keep_alive",
        "longest_gap_seconds",
        "reading",
        "response_bytes",
    )

    def __init__(
        self, side: AgentSide, exchange: Exchange, *, http_1_0: bool, bodiless: bool, keep_alive: bool, told: bool
    ) -> None:
        self._side = side
        self._exchange = exchange
        self._http_1_0 = http_1_0
        self._bodiless = bodiless
        self._told = told
        self._tail: deque[bytes] | None = None
        self._tail_bytes = 0
        self.begun = False
        """Whether anything was written."""
        self.reading = False
        """Whether it waits for more of the answer: an error is the answer's then, and not one of writing."""
        self.keep_alive = keep_alive and not http_1_0
        self.first_byte = 0.0
        self.response_bytes = 0
        self.chunks = 0
        self.longest_gap_seconds = 0.0

    @property
    def tail(self) -> bytes:
        """How the answer's body ended."""
        return b"" if self._tail is None else b"".join(self._tail)

    def record(
        self,
        response: Response | None,
        outcome: str,
        error: BaseException | None,
        *,
        request_bytes: int,
        request_head: bytes,
    ) -> Record:
        """What is known of the exchange, which ends now. *request_head*: see `Record`."""
        response_bytes = self.response_bytes
        if (traffic := self._exchange.notes.get(TRAFFIC)) is not None:
            request_bytes, response_bytes = traffic.agent_bytes, traffic.provider_bytes
        return Record(
            exchange=self._exchange,
            outcome=outcome,
            status=None if response is None else response.status,
            answered_by=None if response is None else response.answered_by,
            headers=_NONE if response is None else response.headers,
            error=error,
            ended=time.monotonic(),
            first_byte=self.first_byte,
            request_bytes=request_bytes,
            response_bytes=response_bytes,
            chunks=self.chunks,
            longest_gap_seconds=self.longest_gap_seconds,
            request_head=request_head,
            answer_tail=self.tail,
        )

    def send_whole(self, response: Response, data: bytes) -> None:
        """Write an answer whose body is *data*.

        Raises:
            ConnectionError: the agent has left.
        """
        headers = response.headers.end_to_end()
        if self._bodiless or response.status in _BODILESS:
            self._start(response, headers.block, b"")
            return
        if headers.stated_length != len(data):
            headers = headers.with_field("Content-Length", str(len(data)))
        self._start(response, headers.block, data)
        self.response_bytes = len(data)
        if data:
            self.chunks = 1
            self.first_byte = time.monotonic()
            if self._exchange.call is not None:
                self._tail = deque((data if len(data) <= 4 * TAIL_BYTES else data[-TAIL_BYTES:],))

    async def send(self, response: Response) -> None:
        """Write an answer whose body streams, waiting where the agent reads slowly. Does not close the body.

        Raises:
            ConnectionError: the agent has left, unless ``reading`` is true.
            Exception: what the body raised. The agent has been shown that the answer broke off.
        """
        headers = response.headers.end_to_end()
        length = headers.stated_length
        if self._bodiless or response.status in _BODILESS:
            self._start(response, headers.block, b"")
        elif length is not None and not response.chunked:
            await self._stream(response, headers.block, chunked=False, length=length)
        elif self._http_1_0:
            await self._stream(response, headers.without("content-length").block, chunked=False, length=None)
        else:
            if length is not None:
                headers = headers.without("content-length")
            await self._stream(response, headers.block + _CHUNKED, chunked=True, length=None)

    def _start(self, response: Response, block: bytes, data: bytes) -> None:
        own = own_fields(self._exchange, response.answered_by) if self._told else b""
        end = b"\r\n" if self.keep_alive else b"Connection: close\r\n\r\n"
        parts: tuple[bytes, ...] = (status_line(response.status, response.reason), block, own, end)
        if len(data) > _COPY_BYTES:
            parts = (b"".join(parts), data)
        else:
            parts = (b"".join((*parts, data)),)
        self.begun = True
        self._side.write(*parts)

    async def _stream(self, response: Response, block: bytes, *, chunked: bool, length: int | None) -> None:
        side, last = self._side, 0.0
        keeps_tail = self._exchange.call is not None and not _is_audio(response.headers)
        if keeps_tail:
            self._tail = deque()
        self._start(response, block, b"")
        self.reading = True
        try:
            async for chunk in response.body:
                size = len(chunk)
                if not size:
                    continue
                self.reading = False
                if not chunked:
                    side.write(chunk)
                elif size > _COPY_BYTES:
                    side.write(b"%x\r\n" % size, chunk, b"\r\n")
                else:
                    side.write(b"%x\r\n%b\r\n" % (size, chunk))
                now = time.monotonic()
                if last:
                    self.longest_gap_seconds = max(self.longest_gap_seconds, now - last)
                else:
                    self.first_byte = now
                last = now
                self.chunks += 1
                self.response_bytes += size
                if keeps_tail:
                    self._keep(chunk)
                if side.full:
                    await side.drain()
                self.reading = True
            self.reading = False
            if length is not None and self.response_bytes != length:
                raise UpstreamBroken(f"it has {self.response_bytes} bytes where {length} were announced", begun=True)
        except Exception:
            # What has arrived is worth having, but the agent must see that it is not all: a length or a last chunk
            # that never comes says so; where the end of the connection is the end of the body, only a reset does.
            self.keep_alive = False
            if chunked or length is not None:
                side.close_after_flush()
            else:
                side.reset()
            raise
        if chunked:
            side.write(b"0\r\n\r\n")

    def _keep(self, chunk: bytes) -> None:
        tail = self._tail
        assert tail is not None
        tail.append(chunk if len(chunk) <= TAIL_BYTES else chunk[-TAIL_BYTES:])
        self._tail_bytes += len(tail[-1])
        while self._tail_bytes - len(tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(tail.popleft())


def _is_audio(headers: Headers) -> bool:
    media_type = headers.get_bytes(b"content-type") or b""
    return media_type.startswith((b"audio/", b"application/octet-stream"))


def own_fields(exchange: Exchange, answered_by: str) -> bytes:
    """What we tell the agent: who answered, after how many attempts, and where the time went (in ms)."""
    notes, now = exchange.notes, time.monotonic()
    own, attempts, upstream = now - notes.received, notes.attempts, 0.0
    if attempts:
        last = attempts[-1]
        upstream = (last.first_byte or now) - last.started
        own -= upstream
    return _OWN_FIELDS % (
        exchange.id.encode(),
        (answered_by or exchange.provider.name).encode("latin-1"),
        len(attempts),
        upstream * 1000,
        own * 1000,
    )


_OWN_FIELDS = (
    b"x-sidecar-request-id: %b\r\n"
    b"x-sidecar-provider: %b\r\n"
    b"x-sidecar-attempts: %d\r\n"
    b"Server-Timing: upstream;dur=%.2f, sidecar;dur=%.2f\r\n"
)


def error_response(exchange: Exchange, error: CallError) -> Response:
    """An error of ours, phrased as the agent's SDK expects it from its provider."""
    dialect = exchange.provider.dialect
    message = f"agent-sidecar: {error}"
    phrase = None if dialect is None else dialect.phrase_error(error.status, error.kind, message)
    return _phrased(phrase or plain_error(error.status, error.kind, message), error)


def plain_error(status: int, kind: str, message: str) -> Phrase:
    """The envelope most clients understand, for callers whose dialect is not known."""
    body = msgspec.json.encode({"error": {"message": message, "type": "agent_sidecar", "code": kind}})
    return Phrase(status=status, content_type="application/json", body=body)


def refusal(status: int, kind: str, message: str) -> bytes:
    """The whole of an answer, on the wire, to what cannot become a call; the connection ends with it."""
    phrase = plain_error(status, kind, f"agent-sidecar: {message}")
    head = f"Content-Type: {phrase.content_type}\r\nContent-Length: {len(phrase.body)}\r\nConnection: close\r\n\r\n"
    return status_line(status, None) + head.encode("latin-1") + phrase.body


def _phrased(phrase: Phrase, error: CallError) -> Response:
    detail = re.sub(r'[^ -~]|["\\]', "?", str(error))[:200]
    own = Headers.of(
        content_type=phrase.content_type,
        content_length=str(len(phrase.body)),
        proxy_status=f'agent-sidecar; error={error.kind}; details="{detail}"',
    )
    headers = Headers((*own.fields, *phrase.headers.fields))
    return Response(status=phrase.status, headers=headers, body=Body(phrase.body), answered_by="agent-sidecar")
