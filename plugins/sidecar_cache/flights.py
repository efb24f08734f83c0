"""Calls that are the same, and under way at the same time, share one call at the provider.

The first leads: it calls on as it would alone, and what flows by it is kept. Whoever comes later gets what has flowed
so far, then what comes, as it comes. Until somebody follows, nothing stands between the leader and its answer; from
then on a task of the flight's own reads on, so that the leader may leave as anybody else. The last to leave ends the
call.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable

from msgspec.structs import replace

from sidecar import Body, Notes, Response, Stream

logger = logging.getLogger(__name__)


class Flight:
    """One call at a provider, for all who ask the same.

    Args:
        max_bytes: so much of an answer is held. In one that is longer whoever reads slowly holds up those who follow
            with it, and nobody can join any more.
    """

    __slots__ = (
        "_bodies",
        "_changed",
        "_closed",
        "_error",
        "_notes",
        "_on_end",
        "_readers",
        "abandoned",
        "began",
        "chunks",
        "done",
        "dropped",
        "failed",
        "followers",
        "held_bytes",
        "max_bytes",
        "pulling",
        "pump",
        "response",
        "source",
        "times",
    )

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.response: Response | None = None
        """The leader's, once it is there."""
        self.chunks: list[bytes] = []
        self.times: list[float] = []
        """When each chunk came; monotonic."""
        self.held_bytes = 0
        self.dropped = 0
        """Chunks that are held no more."""
        self.done = False
        self.failed = False
        """There is no answer, or no more of it."""
        self.abandoned = False
        """The leader has left before anybody could go on for it; who follows has got nothing yet."""
        self.followers = 0
        """Who wait for the answer to begin."""
        self.began = time.monotonic()
        self.pulling = False
        """The leader waits for a chunk."""
        self.source: AsyncIterator[bytes]
        self.pump: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._notes: Notes
        self._readers: set[Reading]
        self._bodies: tuple[Body, ...] = ()
        self._closed = False
        self._changed: asyncio.Future[None] | None = None
        self._on_end: Callable[[Flight], None] | None = None

    @property
    def whole(self) -> bool:
        """Whether all of the answer is held."""
        return self.done and not (self.failed or self.abandoned or self.dropped)

    @property
    def joinable(self) -> bool:
        return self.whole if self.done else not self.dropped

    # -- the leader --------------------------------------------------------------------------------------------------

    def leads(self, response: Response, notes: Notes, on_end: "Callable[[Flight], None]") -> Response:
        """*response* for the leader; *on_end* is told when all of it has come, or no more will.

        Args:
            notes: of the leader's exchange, which would close the answer with itself.
        """
        self.response, self._on_end = response, on_end
        data = response.body.data
        if data is not None:
            self.chunks, self.times, self.held_bytes = [data], [time.monotonic()], len(data)
            self.end(None)
            return response
        self._notes, self._bodies, self.source = notes, (response.body,), aiter(response.body)
        reading = Reading(self, response.body)
        self._readers = {reading}
        if self.followers:
            self.take_over()
        return replace(response, body=reading)

    def end(self, error: BaseException | None) -> None:
        """No more will come. That the leader was cancelled is no error: somebody else may call instead."""
        if self.done:
            return
        self.done = True
        self.failed, self._error = error is not None, error
        if isinstance(error, asyncio.CancelledError):
            self.failed, self.abandoned = False, True
        self._wake()
        if (told := self._on_end) is not None:
            self._on_end = None
            told(self)

    # -- those who follow --------------------------------------------------------------------------------------------

    async def join(self) -> Response | None:
        """The answer as soon as it has begun; None if there is none: see `joinable`, `failed` and `abandoned`."""
        if self.dropped:
            return None
        self.followers += 1
        try:
            if self.response is not None and not (self.done or self.pulling or self.pump):
                self.take_over()
            while not (self.done or self.pump):
                await self._change()
            response = self.response
            if response is None or self.abandoned or self.failed:
                return None
            if response.body.data is not None:
                return response
            reading = Reading(self, None)
            self._readers.add(reading)
            return replace(response, body=reading)
        finally:
            self.followers -= 1
            self._wake()
            self._end_if_nobody_is_left()

    # -- what flows --------------------------------------------------------------------------------------------------

    def add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.times.append(time.monotonic())
        self.held_bytes += len(chunk)

    def take_over(self) -> None:
        """Read on for all from now on. Nobody may be waiting for a chunk."""
        self._bodies = (*self._bodies, *self._notes.taken_over())
        self.pump = asyncio.get_running_loop().create_task(self._read_on())
        self.pump.add_done_callback(self._over)
        self._wake()

    def _over(self, pump: asyncio.Task[None]) -> None:
        """A task that is cancelled before it begins does nothing at all, not even close."""
        if not self._closed:
            self.pump = pump.get_loop().create_task(self._close())
            self.end(asyncio.CancelledError())

    async def _read_on(self) -> None:
        error: BaseException | None = None
        try:
            while (chunk := await anext(self.source, None)) is not None:
                if chunk:
                    self.add(chunk)
                    self._wake()
                while self.held_bytes > self.max_bytes:
                    self.drop()
                    if self.held_bytes > self.max_bytes:
                        await self._change()
        except (Exception, asyncio.CancelledError) as failure:
            error = failure
        finally:
            await self._close()
            self.end(error)

    async def _close(self) -> None:
        self._closed = True
        for body in self._bodies:
            try:
                await body.aclose()
            except Exception:
                logger.debug("an answer could not be closed", exc_info=True)

    def drop(self) -> None:
        """Let go of what everybody has read, unless somebody is about to begin."""
        if self.followers:
            return
        behind = min((reading.position for reading in self._readers), default=self.dropped + len(self.chunks))
        gone = behind - self.dropped
        self.held_bytes -= sum(map(len, self.chunks[:gone]))
        del self.chunks[:gone]
        self.dropped = behind

    # -- readers -----------------------------------------------------------------------------------------------------

    async def following(self, reading: "Reading") -> bytes:
        """The next chunk for *reading*, of those that the pump brings.

        Raises:
            StopAsyncIteration: there is none.
            Exception: what broke the answer.
        """
        while True:
            index = reading.position - self.dropped
            if index < len(self.chunks):
                reading.position += 1
                chunk = self.chunks[index]
                if self.held_bytes > self.max_bytes:
                    self._wake()
                return chunk
            if self.done:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            await self._change()

    async def left(self, reading: "Reading") -> None:
        self._readers.discard(reading)
        if self.pump is None:
            self.end(asyncio.CancelledError())
            await self._close()
        else:
            self._wake()
            self._end_if_nobody_is_left()

    def _end_if_nobody_is_left(self) -> None:
        if self.pump is not None and not (self.done or self._readers or self.followers):
            self.pump.cancel()

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if (changed := self._changed) is not None:
            self._changed = None
            changed.set_result(None)

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)


class Reading(Stream):
    """One agent's way through the answer."""

    __slots__ = ("_flight", "_led", "_over", "position")

    def __init__(self, flight: Flight, led: Body | None) -> None:
        assert flight.response is not None
        super().__init__(flight.response.body.length)
        self._flight = flight
        self._led = led
        """The leader reads this itself as long as nobody follows."""
        self._over = False
        self.position = 0

    @property
    def waited_seconds(self) -> float:
        return super().waited_seconds + (0.0 if self._led is None else self._led.waited_seconds)

    async def __anext__(self) -> bytes:
        flight = self._flight
        if flight.pump is not None or flight.done:
            return await self._waited(flight.following(self))
        flight.pulling = True
        try:
            chunk = await anext(flight.source)
        except StopAsyncIteration:
            flight.end(None)
            raise
        except BaseException as error:
            flight.end(error)
            raise
        finally:
            flight.pulling = False
        flight.add(chunk)
        self.position += 1
        if flight.held_bytes > flight.max_bytes:
            flight.drop()
        if flight.followers:
            flight.take_over()
        return chunk

    async def aclose(self) -> None:
        if not self._over:
            self._over = True
            await self._flight.left(self)
