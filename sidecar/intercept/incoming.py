"""The agent's request as aiohttp's parser gives it, made into the request of an exchange."""

from collections.abc import Callable

from aiohttp import StreamReader
from aiohttp.http_parser import RawRequestMessage

from sidecar.body import EMPTY, Body, Stream
from sidecar.errors import CallError
from sidecar.headers import Headers

#: A body of up to this many bytes is awaited before the call goes on: it is as good as here already.
SMALL_BYTES = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BrokenRequest(CallError):
    """The agent's request body came to no good end."""

    status = 400
    kind = "http_request_error"


class UploadBody(Stream):
    """A request body on its way from the agent. ``head`` keeps how it began, for those who only want to know that.

    Args:
        invite: called before the first chunk is read; tells an agent that waits for it to go on.
    """

    __slots__ = ("_invite", "_payload", "_rest", "head", "received_bytes")

    HEAD_BYTES = 4096

    def __init__(self, payload: StreamReader, length: int | None, invite: Callable[[], None] | None) -> None:
        super().__init__(length)
        self._payload = payload
        self._invite = invite
        self.head = b""
        self.received_bytes = 0

    async def __anext__(self) -> bytes:
        if self._invite is not None:
            self._invite()
            self._invite = None
        try:
            chunk = await self._payload.readany()
        except CallError:
            raise
        except Exception as error:
            raise BrokenRequest(f"the request's body is broken: {error}") from error
        if not chunk:
            raise StopAsyncIteration
        self.received_bytes += len(chunk)
        if len(self.head) < self.HEAD_BYTES:
            self.head += chunk[: self.HEAD_BYTES - len(self.head)]
        return chunk


async def request_body(
    message: RawRequestMessage, payload: StreamReader, length: int | None, send: Callable[[bytes], None]
) -> Body:
    """The body of *message*: in memory if it is small, else as it comes.

    Raises:
        BrokenRequest: a small body is not as long as it says, or badly framed.
    """
    if payload.is_eof():
        return Body(payload.read_nowait(-1)) if payload.total_bytes else EMPTY
    invite = None
    if message.version >= (1, 1) and message.headers.get("Expect", "").lower() == "100-continue":

        def invite() -> None:
            send(_CONTINUE)

    body = UploadBody(payload, length, invite)
    if length is not None and length <= SMALL_BYTES:
        return await body.buffered(SMALL_BYTES)
    return body


def request_headers(message: RawRequestMessage) -> Headers:
    return Headers(message.raw_headers)
