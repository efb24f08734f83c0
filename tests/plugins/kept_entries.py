"""Entries for tests of where they are kept."""

import random
from array import array

from sidecar_cache.entry import About, Entry


def entry(size: int = 100, *, data: bytes | None = None, content_type: str = "audio/mpeg", **changed: object) -> Entry:
    """An answer of *size* bytes, or of *data*."""
    fields: dict[str, object] = {
        "status": 200,
        "block": b"Content-Type: %b\r\n" % content_type.encode(),
        "data": b"x" * size if data is None else data,
        "chunked": True,
        "cuts": b"",
        "gaps": b"",
        "stored_ns": 1_700_000_000_000_000_000,
        "fresh_seconds": 3600.0,
        "waited_seconds": 0.25,
        "took_seconds": 1.5,
        "about": About(
            provider="openai",
            operation="tts",
            endpoint="audio.speech",
            dialect="openai",
            model="tts-1",
            voice="alloy",
            characters=24,
        ),
        "parts": (("text", 2**64 - 1), ("voice", 7)),
        **changed,
    }
    return Entry(**fields)  # type: ignore[arg-type]


def speech(size: int, chance: random.Random) -> Entry:
    """One as they really are, none of it shared with another: streamed in chunks of 4 KB, its key of twelve parts."""
    cuts = range(4096, size, 4096)
    return Entry(
        status=200,
        block=b"Content-Type: audio/mpeg\r\nX-Part: %d\r\n" % chance.getrandbits(40),
        data=chance.randbytes(size),
        chunked=True,
        cuts=array("I", cuts).tobytes(),
        gaps=array("I", (chance.randrange(100_000) for _ in cuts)).tobytes(),
        stored_ns=1_700_000_000_000_000_000 + chance.getrandbits(50),
        fresh_seconds=chance.random(),
        waited_seconds=chance.random(),
        took_seconds=chance.random(),
        about=About(
            provider="openai",
            operation="tts",
            endpoint="audio.speech",
            dialect="openai",
            model="".join(("gpt-4o", "-mini-tts")),
            voice=f"voice {chance.getrandbits(20)}",
            characters=chance.randrange(300, 1000),
            audio_seconds=chance.random(),
        ),
        parts=tuple((name, chance.getrandbits(64)) for name in _PARTS),
    )


_PARTS = ("tenant", "place", "headers", *(f"part {number}" for number in range(9)))
