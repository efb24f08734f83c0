"""A connection of the agent, served by aiohttp's own server: the reference that the lean one is held to."""

import asyncio
from typing import Any, cast

from aiohttp import StreamReader, web

from sidecar.body import EMPTY, Body
from sidecar.headers import Headers
from sidecar.intercept.flow import Flow
from sidecar.intercept.incoming import CONTINUE, SMALL_BYTES, BrokenRequest, Incoming, UploadBody
from sidecar.intercept.lean import Keeper, Serve
from sidecar.intercept.splice import reset


class ReferenceConnection(web.Server):
    """One connection, as a server of its own: called, it gives the protocol for it."""

    def __init__(self, keeper: Keeper, flow: Flow, serve: Serve) -> None:
        super().__init__(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            auto_decompress=False,
            max_line_size=keeper.max_head_bytes,
            max_field_size=keeper.max_head_bytes,
            max_headers=512,
        )
        self.flow = flow
        self.requests = 0
        self._keeper = keeper
        self._serve = serve
        self._told = False

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._keeper.connection_opened(self)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if not self._told:
            self._told = True
            self._keeper.connection_closed(self)

    def finish(self) -> None:
        self.pre_shutdown()

    async def ended(self, grace_seconds: float) -> None:
        await self.shutdown(grace_seconds)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests += 1
        side = _Side(self, request)
        keep = await self._serve(side, _incoming(request, side))
        return cast(web.StreamResponse, _Written(keep and not side.taken))


def _incoming(request: web.BaseRequest, side: "_Side") -> Incoming:
    fields = Headers(request.raw_headers)
    invited = request.headers.get("Expect", "").lower() == "100-continue"
    length, content = request.content_length, request.content
    body: Body
    if not request.body_exists:
        body = EMPTY
    elif content.is_eof() and length is not None and length <= SMALL_BYTES:
        body = Body(content.read_nowait(-1))
    else:
        body = UploadBody(_Upload(content), length, side.invite if invited else None)
    return Incoming(
        request.method,
        request.raw_path,
        fields,
        body,
        http_1_0=request.version < (1, 1),
        keep_alive=request.keep_alive,
        socket=request.headers.get("Upgrade", "").lower() == "websocket",
    )


class _Upload:
    def __init__(self, content: StreamReader) -> None:
        self._content = content

    async def next_chunk(self) -> bytes:
        try:
            return await self._content.readany()
        except Exception as error:
            raise BrokenRequest(f"the request's body is malformed: {error}") from error


class _Side:
    """The agent's connection, as an answer sees it."""

    def __init__(self, connection: ReferenceConnection, request: web.BaseRequest) -> None:
        self.flow = connection.flow
        self.taken = False
        self._request = request
        self._protocol: Any = request.protocol

    def write(self, *parts: bytes) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the agent has left")
        transport.writelines(parts)

    def invite(self) -> None:
        self.write(CONTINUE)

    @property
    def full(self) -> bool:
        return bool(self._protocol.writing_paused)

    async def drain(self) -> None:
        await self._request.writer.drain()

    def close_after_flush(self) -> None:
        if self._request.transport is not None:
            self._request.transport.close()

    def reset(self) -> None:
        if self._request.transport is not None:
            reset(self._request.transport)

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        transport, protocol = self._request.transport, self._protocol
        if transport is None:
            raise ConnectionResetError("the agent has left")
        rest, protocol._message_tail = protocol._message_tail, b""
        protocol.transport = None
        self.taken = True
        return transport, rest


class _Written:
    """What aiohttp wants back for an answer that has been written already."""

    prepared = True

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive

    async def prepare(self, request: web.BaseRequest) -> None:
        pass

    async def write_eof(self) -> None:
        pass
