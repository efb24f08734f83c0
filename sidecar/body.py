"""Bytes on their way: what a request or a response carries after its headers.

A body is read once, front to back, chunk by chunk. Whoever lets go of one closes it; closing twice is harmless, and
closing early tells the other side that nobody is listening any more. Combinators (`tap`, `replay`) wrap a body in
another; each closes what it wraps, started or not.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Self, TypeVar

from sidecar.errors import BodyAlreadyStarted, BodyTooLarge

T = TypeVar("T")


class Body:
    """The base of all bodies, and the one that has all its bytes at hand: such a body can be read again and again."""

    __slots__ = ("data",)

    def __init__(self, data: bytes = b"") -> None:
        #: The whole content where it is in memory, else None.
        self.data: bytes | None = data

    @property
    def started(self) -> bool:
        """Whether reading has begun of a body that can be read only once."""
        return False

    @property
    def waited_seconds(self) -> float:
        """How long its readers have waited for whoever sends it, the present wait included."""
        return 0.0

    @property
    def length(self) -> int | None:
        """Bytes in all, where that is known beforehand."""
        return None if self.data is None else len(self.data)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self.data or b"")

    async def aclose(self) -> None:
        """Let go. For a body still on its way this ends the work behind it."""

    async def buffered(self, limit: int) -> "Body":
        """A body with the same content that is in memory if it fits into *limit* bytes, else one that still streams.

        Reads at most one chunk more than *limit*; nothing is lost either way.
        """
        if self.data is not None or (self.length is not None and self.length > limit):
            return self
        chunks: list[bytes] = []
        size, rest = 0, aiter(self)
        while (chunk := await anext(rest, None)) is not None:
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                return StreamedBody(_chained(chunks, rest), length=self.length, wrapped=self)
        await self.aclose()
        return Body(b"".join(chunks))

    async def read(self, limit: int) -> bytes:
        """All of it; closes the body.

        Raises:
            BodyTooLarge: there is more than *limit* bytes of it.
        """
        whole = await self.buffered(limit)
        await self.aclose()
        if whole.data is None:
            raise BodyTooLarge(limit)
        return whole.data


class _Once:
    """One reading of bytes in memory: two attempts may read the same body side by side."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data, self._data = self._data, b""
        if not data:
            raise StopAsyncIteration
        return data


EMPTY = Body()


class Stream(Body):
    """The base of bodies that are still on their way: subclasses give `__anext__` and `aclose`."""

    __slots__ = ("_length", "_started", "_waited_seconds", "_waiting_since")

    def __init__(self, length: int | None = None) -> None:
        self.data = None
        self._length = length
        self._started = False
        self._waited_seconds = self._waiting_since = 0.0

    @property
    def started(self) -> bool:
        return self._started

    @property
    def length(self) -> int | None:
        return self._length

    def __aiter__(self) -> Self:
        """
        Raises:
            BodyAlreadyStarted: somebody reads, or has read, this body.
        """
        if self._started:
            raise BodyAlreadyStarted
        self._started = True
        return self

    async def __anext__(self) -> bytes:
        raise NotImplementedError

    @property
    def waited_seconds(self) -> float:
        waiting = time.monotonic() - self._waiting_since if self._waiting_since else 0.0
        return self._waited_seconds + waiting

    async def _waited(self, coming: Awaitable[T]) -> T:
        """What is *coming*; subclasses await it here, so that it is known how long that takes."""
        self._waiting_since = time.monotonic()
        try:
            return await coming
        finally:
            self._waited_seconds += time.monotonic() - self._waiting_since
            self._waiting_since = 0.0


class StreamedBody(Stream):
    """A body made of an async iterator, most often a generator. Closing it closes the iterator, then *wrapped*."""

    __slots__ = ("_closed", "_source", "_wrapped")

    def __init__(self, source: AsyncIterator[bytes], *, length: int | None = None, wrapped: Body | None = None) -> None:
        super().__init__(length)
        self._source = source
        self._wrapped = wrapped
        self._closed = False

    async def __anext__(self) -> bytes:
        return await self._waited(anext(self._source))

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            # A generator that never ran does not run its `finally` either: hence `wrapped` is closed on its own.
            if close := getattr(self._source, "aclose", None):
                await close()
        finally:
            if self._wrapped is not None:
                await self._wrapped.aclose()


async def _chained(chunks: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    chunks.clear()
    async for chunk in rest:
        yield chunk


class Ending(Exception):
    """Why a tapped body ended before its end: the reader let go of it."""


class _Tapped(Stream):
    __slots__ = ("_chunks", "_inner", "_last", "_on_chunk", "_on_end")

    def __init__(
        self,
        inner: Body,
        on_chunk: Callable[[bytes], None] | None,
        on_end: Callable[[BaseException | None], None] | None,
    ) -> None:
        super().__init__(inner.length)
        self._inner = inner
        self._chunks: AsyncIterator[bytes] | None = None
        self._last = b""
        self._on_chunk = on_chunk
        self._on_end = on_end

    @property
    def waited_seconds(self) -> float:
        return self._inner.waited_seconds

    async def __anext__(self) -> bytes:
        self._observe()
        if self._chunks is None:
            self._chunks = aiter(self._inner)
        try:
            chunk = self._last = await anext(self._chunks)
        except StopAsyncIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        return chunk

    def _observe(self) -> None:
        chunk, self._last = self._last, b""
        if chunk and self._on_chunk is not None:
            try:
                self._on_chunk(chunk)
            except Exception as fault:
                self._end(fault)

    def _end(self, error: BaseException | None) -> None:
        on_end, self._on_end, self._on_chunk = self._on_end, None, None
        if on_end is not None:
            try:
                on_end(error)
            except Exception as fault:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a body's observer failed", "exception": fault}
                )

    async def aclose(self) -> None:
        self._observe()
        self._end(Ending("the reader let go before the end"))
        await self._inner.aclose()


def tap(
    body: Body,
    on_chunk: Callable[[bytes], None] | None = None,
    on_end: Callable[[BaseException | None], None] | None = None,
) -> Body:
    """Let *body* flow, and observe it: each chunk after it was passed on, then the end once.

    ``on_end`` is given None for a clean end, else what broke the body (`Ending` if its reader let go). An observer
    that raises is dropped and its ``on_end`` told so; the chunks flow on. A body that is in memory is observed at
    once and given back as it is.
    """
    tapped = _Tapped(body, on_chunk, on_end)
    if body.data is None:
        return tapped
    tapped._last = body.data
    tapped._observe()
    tapped._end(None)
    return body


def replay(chunks: Iterable[bytes], gaps_seconds: Iterable[float] | None = None) -> Body:
    """A stored answer as a stream of its *chunks*; each waits for its gap first if *gaps_seconds* are given."""

    async def paced() -> AsyncIterator[bytes]:
        gaps = iter(gaps_seconds or ())
        for chunk in chunks:
            if gap := next(gaps, 0.0):
                await asyncio.sleep(gap)
            yield chunk

    return StreamedBody(paced())
