"""A kept answer as a response: framed as it came, at once or at the pace it came at."""

import asyncio
import time
from array import array

from sidecar import Body, Headers, Response, Stream
from sidecar_cache.entry import Entry

_MICROSECONDS = 1e-6


def replayed(entry: Entry, data: bytes, headers: Headers, *, answered_by: str, pace: float | None = None) -> Response:
    """
    Args:
        data: what is kept, or as many bytes that are given in their place.
        answered_by: the plugin's name.
        pace: what the times between the chunks are multiplied by: 1.0 is as slow as the provider was, 0.0 the same
            chunks without a pause. None, which costs least, is all in one piece; an answer that came in chunks still
            goes in one.
    """
    body = Body(data) if pace is None or not entry.cuts else Replay(entry, data, pace)
    return Response(status=entry.status, headers=headers, body=body, chunked=entry.chunked, answered_by=answered_by)


class Replay(Stream):
    """The chunks of a kept answer, each when it is due. Who falls behind gets what is due without a pause."""

    __slots__ = ("_at", "_cuts", "_data", "_due", "_gaps", "_number", "_pace")

    def __init__(self, entry: Entry, data: bytes, pace: float) -> None:
        super().__init__(None if entry.chunked else len(data))
        self._data = data
        self._cuts = array("I", entry.cuts)
        self._gaps = array("I", entry.gaps)
        self._pace = pace * _MICROSECONDS
        self._number = self._at = 0
        self._due = 0.0

    async def __anext__(self) -> bytes:
        number, begin = self._number, self._at
        if begin >= len(self._data):
            raise StopAsyncIteration
        if number == 0:
            self._due = time.monotonic()
        elif number <= len(self._gaps) and (gap := self._gaps[number - 1] * self._pace):
            self._due += gap
            if (wait := self._due - time.monotonic()) > 0:
                await self._waited(asyncio.sleep(wait))
                if self._at != begin:  # somebody has let go of it meanwhile
                    raise StopAsyncIteration
        end = self._cuts[number] if number < len(self._cuts) else len(self._data)
        self._number, self._at = number + 1, end
        return self._data[begin:end]

    async def aclose(self) -> None:
        """Nothing more is due."""
        self._at = len(self._data)
