"""How much a call asks for, by what a provider's time for it grows with. No I/O."""

from typing import Final

from sidecar import Exchange, Speech, Transcription

#: Bytes of a second of sound, by format, in the middle of what is common.
_BYTES_PER_SECOND: Final = {"wav": 32_000, "pcm": 32_000, "flac": 18_000, "mulaw": 8_000, "alaw": 8_000, "mp3": 8_000}
_OTHERWISE: Final = 4_000
_BYTES_PER_TOKEN: Final = 4


def size_of(exchange: Exchange) -> float:
    """Seconds of sound, characters to speak, or tokens that go in: about."""
    payload = exchange.payload
    if isinstance(payload, Speech):
        return float(len(payload.text))
    if isinstance(payload, Transcription):
        return len(payload.audio or b"") / _BYTES_PER_SECOND.get(payload.format or "", _OTHERWISE)
    return (exchange.request.body.length or 0) / _BYTES_PER_TOKEN
