"""One attempt: a call to one who may answer, until the first byte of an answer that is one."""

import time
from collections.abc import AsyncIterator

from msgspec import Struct
from msgspec.structs import replace

from sidecar import Body, Call, Exchange, ExchangeHandler, Response, Stream, UpstreamError
from sidecar.dialect import Dialect, Limit
from sidecar.failure import Failure, Kind, failure_of
from sidecar.sse import blocks, event_of
from sidecar.translation import Inexpressible, Untranslatable
from sidecar_ordering.options import Option

#: So much of an error is read: what it says of itself stands at its beginning.
_ERROR_BYTES = 64 * 1024


class Outcome(Struct, frozen=True, kw_only=True, eq=False):
    """What came of an attempt."""

    option: Option
    response: Response | None = None
    """Begun, in the agent's dialect; of a failure: what the provider said, in its own."""
    failure: Failure | None = None
    error: UpstreamError | None = None
    """What was raised instead of an answer."""
    limits: tuple[Limit, ...] = ()
    """What the answer says of them."""
    obstacle: Inexpressible | None = None
    """Nothing was sent, since the call cannot be said there."""


async def attempt(option: Option, exchange: Exchange, call_next: ExchangeHandler) -> Outcome:
    """Send *exchange* to *option*, and wait for the first byte of its answer.

    Raises:
        CallError: none of the provider's doing.
    """
    try:
        translated = option.translated(exchange)
    except Inexpressible as obstacle:
        failure = Failure(kind=Kind.UNSUPPORTED, code="inexpressible", message=str(obstacle), sent=False)
        return Outcome(option=option, failure=failure, obstacle=obstacle)
    call, dialect = exchange.call, option.provider.dialect
    if translated is None:
        asked = exchange.with_candidates(exchange.provider)  # whatever host the agent has called it by
    else:
        call = translated.call
        asked = exchange.with_translation(option.provider, translated.request, call)
    assert call is not None
    response: Response | None = None
    limits: tuple[Limit, ...] = ()
    try:
        response = await call_next(asked)
        if dialect is not None:
            limits = dialect.limits(response.headers, time.time_ns() / 1e9)
        response, found = await _judged(response, call, dialect)
        if found is None and translated is not None and 200 <= response.status < 300:
            response, found = await _begun(await translated.answer(response), None, None)
    except UpstreamError as error:
        await _closed(response)
        raised = error if response is None else None
        return Outcome(option=option, failure=failure_of(error), error=raised, limits=limits)
    except Untranslatable as defect:
        await _closed(response)
        failure = Failure(kind=Kind.SERVER, code="untranslatable", message=str(defect))
        return Outcome(option=option, failure=failure, limits=limits)
    except BaseException:
        await _closed(response)
        raise
    return Outcome(option=option, response=response, failure=found, limits=limits)


async def _judged(response: Response, call: Call, dialect: Dialect | None) -> tuple[Response, Failure | None]:
    """*response* with its first bytes at hand, and what is wrong with it.

    Raises:
        UpstreamError: it breaks off before that.
    """
    if 200 <= response.status < 300:
        return await _begun(response, call, dialect)
    if response.status < 400:
        return response, None
    body = await response.body.buffered(_ERROR_BYTES)
    if body.data is None:  # longer than any error that says something
        await body.aclose()
        body = Body()
    response = _with_data(response, body.data or b"")
    known = None if dialect is None else dialect.failure(call, response.status, response.headers, body.data or b"")
    return response, known or Failure(kind=_kind_by_status(response.status), status=response.status)


async def _begun(response: Response, call: Call | None, dialect: Dialect | None) -> tuple[Response, Failure | None]:
    """*response* once its body has begun.

    Raises:
        UpstreamError: it breaks off before that.
    """
    data = response.body.data
    if data is not None:
        if not data and response.status == 200:
            return response, Failure(kind=Kind.SERVER, code="empty", status=200)
        if call is None or dialect is None:
            return response, None
        return response, dialect.failure(call, response.status, response.headers, data)
    chunks = aiter(response.body)
    first = await anext(chunks, b"")
    while not first:
        if (chunk := await anext(chunks, None)) is None:
            await response.body.aclose()
            return _with_data(response, b""), Failure(kind=Kind.SERVER, code="empty", status=response.status)
        first = chunk
    begun = response.with_body(Begun(response.body, first, chunks))
    if call is None or dialect is None or not _is_stream_of_events(response):
        return begun, None
    for block in blocks(first):
        event = event_of(block)
        if event is not None and (failure := dialect.failure_in_event(call, event.data)) is not None:
            await response.body.aclose()
            return _with_data(response, first), failure
    return begun, None


def _is_stream_of_events(response: Response) -> bool:
    said = response.headers.get_bytes(b"content-type") or b""
    return said.startswith(b"text/event-stream") and response.headers.get_bytes(b"content-encoding") is None


def _with_data(response: Response, data: bytes) -> Response:
    headers = response.headers.without("transfer-encoding").with_field("Content-Length", str(len(data)))
    return replace(response, headers=headers, body=Body(data), chunked=False)


def _kind_by_status(status: int) -> Kind:
    if status == 429:
        return Kind.RATE
    return Kind.SERVER if status >= 500 else Kind.INVALID


async def _closed(response: Response | None) -> None:
    if response is not None:
        await response.body.aclose()


class Begun(Stream):
    """A body whose first chunk has been read."""

    __slots__ = ("_chunks", "_first", "_inner")

    def __init__(self, inner: Body, first: bytes, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(inner.length)
        self._inner, self._first, self._chunks = inner, first, chunks

    @property
    def waited_seconds(self) -> float:
        return self._inner.waited_seconds

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await anext(self._chunks)

    async def aclose(self) -> None:
        self._first = b""
        await self._inner.aclose()
