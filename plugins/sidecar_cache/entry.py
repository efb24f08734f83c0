"""What is kept of an answer. No I/O."""

import time

from msgspec import Struct

#: Of an entry: the object itself with its numbers and what tells about it; of each text and each part of its key.
_ENTRY_BYTES, _TEXT_BYTES, _PART_BYTES = 464, 64, 112
#: What the interpreter adds to bytes, what they leave unused around them, and of large ones up to a page.
_BYTES_OVERHEAD, _GAPS_SHARE, _MAPPED_BYTES, _PAGE_BYTES = 48, 32, 128 * 1024, 4096


class About(Struct, frozen=True, gc=False, kw_only=True):
    """What may be told of an entry without telling what it says."""

    provider: str
    operation: str
    endpoint: str
    dialect: str
    model: str = ""
    voice: str = ""
    language: str = ""
    characters: int = 0
    """Of the text that is spoken or asked."""
    audio_seconds: float = 0.0
    streamed: bool = False
    """Asked for as a stream."""


class Entry(Struct, frozen=True, gc=False):
    """A kept answer. Nothing of what was asked is in it, but digests and counts."""

    status: int
    block: bytes
    """What is kept of its headers, as they stand on the wire: lines ended by CRLF, no Content-Length."""
    data: bytes
    """The whole body as it came, in the content coding it came in."""
    chunked: bool
    """Whether it came in chunks."""
    cuts: bytes
    """``array("I")`` as bytes: where each chunk of *data* ended, but for the last."""
    gaps: bytes
    """``array("I")`` as bytes: microseconds before each chunk but the first; as many as *cuts*."""
    stored_ns: int
    """Time of day."""
    fresh_seconds: float
    """From *stored_ns* on, jitter included."""
    waited_seconds: float
    """What the provider took to its first byte."""
    took_seconds: float
    """And to its last."""
    about: About
    parts: tuple[tuple[str, int], ...]
    """Of its key: their names, and 64 bits of a digest each."""
    source: str = "call"
    """Where it is from: ``call``, ``warm``, ``refresh`` or ``import``."""

    @property
    def held_bytes(self) -> int:
        """What it takes in memory, all objects counted, and rounded up as the allocator does."""
        about = self.about
        named = (about.model, about.voice, about.language, about.endpoint)
        return (
            _ENTRY_BYTES
            + sum(_allocated_bytes(each) for each in (self.data, self.block, self.cuts, self.gaps) if each)
            + sum(_TEXT_BYTES + len(each) for each in named if each)
            + _PART_BYTES * len(self.parts)
        )


def _allocated_bytes(content: bytes) -> int:
    """What *content* takes in memory."""
    size = len(content) + len(content) // _GAPS_SHARE + _BYTES_OVERHEAD
    return size if size < _MAPPED_BYTES else size + _PAGE_BYTES


def age_seconds(entry: Entry) -> float:
    """How long ago *entry* was stored; 0.0 where the clock was set back since."""
    return max(time.time_ns() - entry.stored_ns, 0) / 1e9
