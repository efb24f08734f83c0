"""Sound as the engines see it."""

from collections.abc import Iterator

from msgspec import Struct


class Pcm(Struct, frozen=True):
    """One channel of 16-bit little-endian samples."""

    samples: bytes
    rate: int
    """Samples per second."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / 2 / self.rate

    def slices(self, seconds: float) -> Iterator["Pcm"]:
        """The same in pieces of at most so long."""
        step = max(int(seconds * self.rate), 1) * 2
        for start in range(0, len(self.samples), step):
            yield Pcm(self.samples[start : start + step], self.rate)

    def between(self, start_seconds: float, end_seconds: float) -> "Pcm":
        start, end = (max(int(seconds * self.rate), 0) * 2 for seconds in (start_seconds, end_seconds))
        return Pcm(self.samples[start:end], self.rate)


def silence(seconds: float, rate: int) -> Pcm:
    return Pcm(bytes(2 * int(seconds * rate)), rate)


def joined(pieces: list[Pcm]) -> Pcm:
    """*pieces*, all of the same rate, one after another; at least one."""
    return Pcm(b"".join(piece.samples for piece in pieces), pieces[0].rate)
