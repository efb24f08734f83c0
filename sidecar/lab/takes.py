"""Utterances that have been encoded before."""

from collections import OrderedDict

TimedChunk = tuple[bytes, float]
"""Encoded audio, and for how many seconds it plays."""


class Takes:
    """Utterances already encoded, for synthesizers that would do the same again: encoders are slow."""

    def __init__(self, limit_bytes: int = 64 << 20) -> None:
        self._takes: OrderedDict[object, list[TimedChunk]] = OrderedDict()
        self._room_bytes = limit_bytes

    def get(self, key: object) -> list[TimedChunk] | None:
        if (take := self._takes.get(key)) is not None:
            self._takes.move_to_end(key)
        return take

    def put(self, key: object, take: list[TimedChunk]) -> None:
        self._takes[key] = take
        self._room_bytes -= _size(take)
        while self._room_bytes < 0:
            _, oldest = self._takes.popitem(last=False)
            self._room_bytes += _size(oldest)


def _size(take: list[TimedChunk]) -> int:
    return sum(len(chunk) for chunk, _ in take)
