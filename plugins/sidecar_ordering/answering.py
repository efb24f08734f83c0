"""An answer on its way to the agent: how it flows is learned from, and silence is not waited out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from sidecar import Body, Stream, UpstreamTimeout
from sidecar.failure import failure_of
from sidecar_ordering.clock import Clock
from sidecar_ordering.course import Course

#: What follows an answer that broke off by an error, after its last bytes: the rest of it, or what tells the agent that
#: there is none.
Following = Callable[[Exception, bytes], Awaitable[AsyncIterator[bytes] | None]]
#: So much of the end is remembered at least: enough to see whether an event has ended with it.
TAIL_BYTES = 4


class Answering(Stream):
    """
    Args:
        course: of the call; told of pauses, and how it ends.
        following: asked once, when the answer breaks off.
        remembered: bytes of its end, at most, that are remembered for that.
    """

    __slots__ = (
        "_chunks",
        "_clock",
        "_course",
        "_following",
        "_inner",
        "_last",
        "_over",
        "_remembered",
        "_stall",
        "_stalled",
        "_tail",
        "_task",
    )

    def __init__(
        self, inner: Body, course: Course, following: Following, clock: Clock, remembered: int = TAIL_BYTES
    ) -> None:
        super().__init__(inner.length)
        self._remembered = remembered
        self._clock = clock
        self._inner = inner
        self._course = course
        self._following: Following | None = following
        self._chunks: AsyncIterator[bytes] = aiter(inner)
        self._last = self._clock.now()
        self._over = self._stalled = False
        self._tail = bytearray()
        self._task: asyncio.Task[object] | None = None
        self._stall: asyncio.TimerHandle | None = None

    @property
    def waited_seconds(self) -> float:
        return self._inner.waited_seconds

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._next()
        except StopAsyncIteration:
            self._end()
            if not self._over:
                self._over = True
                self._course.ended(self._clock.now())
            raise
        except asyncio.CancelledError:
            raise
        except Exception as error:
            return await self._broken(error)
        now = self._clock.now()
        self._course.paused(now - self._last)
        self._last = now
        self._tail += chunk[-self._remembered :]
        if len(self._tail) > 2 * self._remembered:
            del self._tail[: -self._remembered]
        return chunk

    async def _next(self) -> bytes:
        """The next chunk.

        Raises:
            UpstreamTimeout: none comes.
        """
        if self._over or self._following is None:
            return await anext(self._chunks)
        self._task = asyncio.current_task()
        if self._stall is None:
            self._watch()
        try:
            return await anext(self._chunks)
        except asyncio.CancelledError:
            if not self._stalled or (self._task is not None and self._task.uncancel() > 0):
                raise
            raise UpstreamTimeout("between_chunks", self._clock.now() - self._last) from None
        finally:
            self._task = None

    def _watch(self, left: float | None = None) -> None:
        """One timer looks again and again: to arm one for each chunk would cost more than the chunk."""
        gap = self._gap_seconds(self._clock.now()) if left is None else left
        self._stall = self._clock.after(max(gap, 0.001), self._look)

    def _look(self) -> None:
        self._stall = None
        if self._over:
            return
        now = self._clock.now()
        left = self._gap_seconds(now) - (now - self._last)
        if left > 0 or self._task is None:  # nobody waits for a chunk: the agent is slow, not the provider
            if self._task is None:
                self._last = now
            self._watch(max(left, 0.05))
            return
        self._stalled = True
        self._task.cancel()

    def _gap_seconds(self, now: float) -> float:
        return self._course.gap_seconds(now, resumable=self._remembered > TAIL_BYTES)

    async def _broken(self, error: Exception) -> bytes:
        """What the agent gets instead of a chunk that never comes.

        Raises:
            Exception: *error*, if there is nothing.
        """
        self._end()
        if self._over:
            raise error
        self._over = True
        self._course.broke(failure_of(error), self._clock.now())
        following, self._following = self._following, None
        await self._inner.aclose()
        if following is not None and (chunks := await following(error, bytes(self._tail))) is not None:
            self._chunks = chunks
            chunk = await anext(chunks, None)
            if chunk is not None:
                return chunk
        raise error

    def _end(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    async def aclose(self) -> None:
        self._end()
        if not self._over:
            self._over = True
            self._course.left(self._clock.now())
        try:
            if self._following is None and (close := getattr(self._chunks, "aclose", None)):
                await close()
        finally:
            await self._inner.aclose()
