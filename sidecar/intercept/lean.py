"""A connection of the agent, on asyncio's protocol interface and llhttp (by httptools).

aiohttp's server costs three times as much per request (`sidecar.intercept.reference` serves by it, and is held to the
same tests): it makes header maps, URLs, requests, answers and tasks that nobody here looks at. llhttp checks every
byte; the head is kept as it came.
"""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import httptools
from msgspec.structs import replace

from sidecar.body import EMPTY, Body
from sidecar.headers import Headers, Template
from sidecar.intercept.flow import Flow
from sidecar.intercept.incoming import (
    CONTINUE,
    HIGH_BYTES,
    LINGER_SECONDS,
    SMALL_BYTES,
    AgentSide,
    BrokenRequest,
    Incoming,
    UploadBody,
)
from sidecar.intercept.outgoing import refusal
from sidecar.intercept.splice import reset
from sidecar.watchdog import NEVER, Watchdog

logger = logging.getLogger(__name__)

#: How long a connection may rest between two requests, and how long a head may take once it has begun.
_REST_SECONDS, _HEAD_SECONDS = 3600.0, 60.0
#: How long an agent has to take the answer to what is no HTTP.
_REFUSAL_SECONDS = 1.0
#: Requests that are taken in ahead of their turn (pipelining) before reading pauses.
_AHEAD = 8

Serve = Callable[[AgentSide, Incoming], Awaitable[bool]]


class Kept(Protocol):
    """A connection, as its keeper knows it. ``requests``: how many came by it."""

    @property
    def flow(self) -> Flow: ...

    @property
    def requests(self) -> int: ...

    def finish(self) -> None:
        """Take no further request; close when the one being served is answered, at once if there is none."""
        ...

    async def ended(self, grace_seconds: float) -> None:
        """Wait for the end, and bring it about after *grace_seconds*."""
        ...


class Keeper(Protocol):
    """Who keeps the connections: the listener."""

    @property
    def patience(self) -> Watchdog:
        """Sees to it that nothing rests for ever. Its ticks are slow."""
        ...

    @property
    def max_head_bytes(self) -> int: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def connection_opened(self, connection: Kept) -> None: ...

    def connection_closed(self, connection: Kept) -> None: ...


class _Message:
    """A request on its way in, and the source of its body. ``left`` is -1 for a body in chunks."""

    __slots__ = ("_waiter", "chunks", "connection", "error", "held", "left", "size")

    def __init__(self, connection: "AgentConnection", left: int) -> None:
        self.connection = connection
        self.left = left
        self.held: Incoming | None = None
        """The request, if it is to be served only when its body is whole."""
        self.chunks: list[bytes] = []
        self.size = 0
        self.error: BrokenRequest | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)

    def take(self) -> bytes:
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self.chunks, self.size = [], 0
        return data

    def fail(self, reason: str) -> None:
        self.error = BrokenRequest(reason)
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next_chunk(self) -> bytes:
        while not self.size:
            if not self.left:
                return b""
            if self.error is not None:
                raise self.error
            waiter = self._waiter = self.connection.loop.create_future()
            try:
                await waiter
            finally:
                if self._waiter is waiter:  # else another reader waits: one that was cancelled may be late to go
                    self._waiter = None
        data = self.take()
        self.connection.read_on()
        return data


class _Prior:
    """The head of a request, to know it again: agents send the same one with every call, but for ``Content-Length``.

    What was found valid is so again with other digits in that place, and nothing of it needs to be looked at anew.
    """

    __slots__ = ("_after", "_before", "length", "line_end", "method", "target", "template")

    def __init__(
        self, before: bytes, after: bytes, line_end: int, method: str, target: str, template: Template
    ) -> None:
        self._before = before
        self._after = after
        self.line_end = line_end
        self.method = method
        self.target = target
        self.template = template
        self.length = 0

    def end(self, data: bytes) -> int:
        """Where the head's last line ends if *data* begins with this head, else 0; ``length`` is then the new one."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return 0
        at = len(before)
        if len(after) == 2:  # a request without a body
            self.length = 0
            return at - 2 if data.startswith(b"\r\n", at) else 0
        stop = data.find(b"\r", at, at + 8)
        digits = data[at:stop]
        if stop < 0 or not digits.isdigit() or not data.startswith(after, stop):
            return 0
        self.length = int(digits)
        return stop + len(after) - 4 if self.length <= SMALL_BYTES else 0


_LENGTH = re.compile(rb"\n[Cc]ontent-[Ll]ength: ([0-9]+)\r")


class AgentConnection(asyncio.Protocol):
    """Takes requests in and has them served one after another.

    Args:
        serve: answers one request, and returns whether another may follow on this connection.
    """

    def __init__(self, keeper: Keeper, flow: Flow, serve: Serve) -> None:
        self.flow = flow
        self.loop = keeper.loop
        self.due = NEVER
        self.requests = 0
        self._keeper = keeper
        self._serve = serve
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._parser: httptools.HttpRequestParser | None = None
        self._headed = False
        self._prior: _Prior | None = None
        self._begun = b""
        """The bytes of a head that is not whole yet; the parser has seen them."""
        self._message: _Message | None = None
        """Whose body is coming in."""
        self._ready: deque[Incoming] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._busy = self._paused = self._taken = self._last = False
        self._rest = b""
        """What came after the request that ends HTTP on this connection."""
        self._refusal = b""

    # -- for answers (AgentSide) -------------------------------------------------------------------------------------

    def write(self, *parts: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the agent has left")
        if len(parts) == 1:
            transport.write(parts[0])
        else:
            transport.writelines(parts)

    @property
    def full(self) -> bool:
        return self._writable is not None

    async def drain(self) -> None:
        if self._writable is not None:
            await self._writable
        if self._transport is None:
            raise ConnectionResetError("the agent has left")

    def close_after_flush(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        if self._transport is not None:
            reset(self._transport)

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        transport, rest = self._transport, self._rest
        if transport is None:
            raise ConnectionResetError("the agent has left")
        self._transport, self._rest, self._taken = None, b"", True
        return transport, rest

    # -- life --------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self.due = time.monotonic() + _REST_SECONDS
        self._keeper.patience.watch(self)
        self._keeper.connection_opened(self)
        self._task = self.loop.create_task(self._run())
        self._task.add_done_callback(self._ended)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def overdue(self, now: float) -> None:
        self.due = NEVER
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        self._last = True
        if not self._busy and not self._ready and self._message is None and self._transport is not None:
            self._transport.close()

    async def ended(self, grace_seconds: float) -> None:
        task = self._task
        if task is None:
            return
        await asyncio.wait((task,), timeout=grace_seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._keeper.patience.release(self)
        self._keeper.connection_closed(self)
        if not task.cancelled() and (defect := task.exception()) is not None:
            logger.error("a connection could not be served; this is a defect of the sidecar", exc_info=defect)

    # -- serving -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                if not self._ready:
                    if self._last and self._message is None:
                        break
                    self._waiter = self.loop.create_future()
                    try:
                        await self._waiter
                    finally:
                        self._waiter = None
                    continue
                incoming = self._ready.popleft()
                self._busy, self.due = True, NEVER
                try:
                    keep = await self._serve(self, incoming)
                except ConnectionError:
                    return  # the agent left; whoever was concerned has noted it
                self._busy = False
                if self._taken:
                    return
                if isinstance(incoming.body, UploadBody) and not await self._linger(incoming.body):
                    return
                if not keep:
                    return
                self.due = time.monotonic() + _REST_SECONDS
                self.read_on()
            if self._refusal and self._transport is not None:
                await self._say_no()
        finally:
            if self._transport is not None:
                self._transport.close()

    async def _linger(self, upload: UploadBody) -> bool:
        """Read what is left of a request that was answered early: closing at once would reset the answer away."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while await upload.source.next_chunk():
                    pass
        except (TimeoutError, BrokenRequest):
            return False
        return True

    async def _say_no(self) -> None:
        """Send the refusal and wait a moment for the agent to take it."""
        self.write(self._refusal)
        transport = self._transport
        if transport is not None and transport.can_write_eof():
            transport.write_eof()
            await asyncio.sleep(_REFUSAL_SECONDS)  # ends early when the agent has closed

    def read_on(self) -> None:
        """Somebody has read: there is room for more."""
        if self._paused and self._transport is not None and not self._transport.is_closing():
            message = self._message
            if (message is None or message.size <= HIGH_BYTES) and len(self._ready) < _AHEAD:
                self._paused = False
                self._transport.resume_reading()

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    # -- taking in ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        while data:
            message = self._message
            if self._last and message is None:
                self._rest += data
                if len(self._rest) > HIGH_BYTES:
                    self._pause()
                return
            data = self._take_head(data) if message is None else self._take_body(message, data)

    def _take_head(self, data: bytes) -> bytes:
        """Take the head of a request out of *data*; what follows it."""
        begun, prior = self._begun, self._prior
        if not begun:
            if prior is not None and (end := prior.end(data)):
                return self._again(prior, data, end)
            data = data.lstrip(b"\r\n")  # some clients end a body with a line break too many
            if not data:
                return b""
        whole = begun + data if begun else data
        end = whole.find(b"\r\n\r\n", max(len(begun) - 3, 0))
        size = (end if end >= 0 else len(whole)) + 4
        if size > self._keeper.max_head_bytes:
            return self._refuse(
                431, f"its head is over {self._keeper.max_head_bytes:d} bytes (listen.limits.header_size)"
            )
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
            self._headed = False
        try:
            self._parser.feed_data(data if end < 0 else data[: end + 4 - len(begun)])
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            return self._refuse(400, f"it is not valid HTTP: {error}")
        if end < 0:
            self._begun = whole
            self.due = time.monotonic() + _HEAD_SECONDS
            return b""
        if not self._headed:
            return self._refuse(400, "it is not valid HTTP: its head ends nowhere")
        self._begun = b""
        return self._begin(whole[: end + 2], whole[end + 4 :])

    def _begin(self, head: bytes, rest: bytes) -> bytes:
        """A head is whole; what follows its body, as far as that has come."""
        line_end = head.find(b"\r\n")
        match head[:line_end].decode("latin-1").split(" "):
            case method, target, ("HTTP/1.1" | "HTTP/1.0") as version:
                pass
            case method, target, version:
                return self._refuse(505, f"{version[:20]} is not spoken here; HTTP/1.1 is")
            case _:  # llhttp takes more than one space, and none where HTTP/0.9 ends its line
                return self._refuse(400, "its request line is not a method, a target and a version")
        headers = Headers.from_block(head[line_end + 2 :])
        keep_alive = version == "HTTP/1.1"
        length, measured, chunked, invited, upgrade, socket = 0, False, False, False, False, False
        for name, value, *_ in headers.marks:
            if name == b"content-length":
                length, measured = int(value), True
            elif name == b"connection":
                keep_alive = keep_alive and b"close" not in value
                upgrade = upgrade or b"upgrade" in value
            elif name == b"transfer-encoding":
                if value != b"chunked":
                    return self._refuse(501, f"the transfer coding {value.decode('latin-1')!r} is not understood")
                chunked = True
            elif name == b"expect":
                invited = value == b"100-continue" and version == "HTTP/1.1"
            elif name == b"upgrade":
                socket = value == b"websocket"
        if method == "CONNECT":
            return self._refuse(400, "CONNECT must be the first request of a connection")
        self.requests += 1
        parser, self._parser = self._parser, None
        self._last = not keep_alive or (socket and upgrade)
        http_1_0 = version == "HTTP/1.0"
        if not chunked and length <= SMALL_BYTES and not invited:
            self._remember(head, line_end, method, target, headers, measured=measured)
        if not chunked and length <= len(rest) and length <= SMALL_BYTES:
            body = Body(rest[:length]) if length else EMPTY
            self._put(Incoming(method, target, headers, body, http_1_0, keep_alive, socket and upgrade))
            return rest[length:]
        message = _Message(self, -1 if chunked else length)
        upload = UploadBody(message, None if chunked else length, self._invite if invited else None)
        incoming = Incoming(method, target, headers, upload, http_1_0, keep_alive)
        if chunked:
            self._parser = parser
        if chunked or invited or length > SMALL_BYTES:
            self._put(incoming)
        else:
            message.held = incoming
        self._message = message
        return rest

    def _remember(
        self, head: bytes, line_end: int, method: str, target: str, headers: Headers, *, measured: bool
    ) -> None:
        """Keep *head*, to know it again. *measured*: it states a length."""
        self._prior = None
        length = _LENGTH.search(head)
        if not self._last and measured == (length is not None):
            headers.template = Template()
            cut = length.span(1) if length is not None else (len(head), len(head))
            self._prior = _Prior(head[: cut[0]], head[cut[1] :] + b"\r\n", line_end, method, target, headers.template)

    def _again(self, prior: "_Prior", data: bytes, end: int) -> bytes:
        """The head that ends at *end* is that of the request before, but for its length; what follows its body."""
        self.requests += 1
        length = prior.length
        headers = Headers.from_block(data[prior.line_end + 2 : end + 2])
        headers.template = prior.template
        rest = data[end + 4 :]
        if length <= len(rest):
            body = Body(rest if length == len(rest) else rest[:length]) if length else EMPTY
            self._put(Incoming(prior.method, prior.target, headers, body))
            return rest[length:]
        message = self._message = _Message(self, length)
        message.held = Incoming(prior.method, prior.target, headers, EMPTY)
        return rest

    def _take_body(self, message: _Message, data: bytes) -> bytes:
        """Take what belongs to the body of *message* out of *data*; what follows it."""
        rest = b""
        if message.left > 0:
            if len(data) > message.left:
                data, rest = data[: message.left], data[message.left :]
            message.left -= len(data)
            message.feed(data)
        else:
            assert self._parser is not None
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                message.fail(f"the request's chunks are malformed: {error}")
                self._last, self._message = True, None
                return b""
        if not message.left:
            self._message = self._parser = None
            if message.held is not None:
                self._put(replace(message.held, body=Body(message.take())))
                return rest
        message.wake()
        if message.size > HIGH_BYTES:
            self._pause()
        return rest

    def _put(self, incoming: Incoming) -> None:
        self._ready.append(incoming)
        self._begun_serving()
        if len(self._ready) >= _AHEAD:
            self._pause()

    def _begun_serving(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _invite(self) -> None:
        self.write(CONTINUE)

    def _refuse(self, status: int, reason: str) -> bytes:
        """Answer, after all that is being served, what is no HTTP; nobody can tell where the next request begins."""
        logger.info("refused a request: %s", reason)
        self._refusal = refusal(status, "http_request_error", f"the request cannot be served: {reason}")
        self._last = True
        self._begun_serving()
        return b""

    # -- httptools ---------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._headed:  # a request behind the last chunk of another, in the same bytes: it will have to come again
            self._last = True

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        if self._message is not None and self._message.left:
            self._message.feed(body)

    def on_message_complete(self) -> None:
        if self._message is not None:
            self._message.left = 0
