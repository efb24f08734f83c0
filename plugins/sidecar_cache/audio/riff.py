"""WAV. Services that stream it write sizes that mean "until the end"; of all others the sizes must be there."""

import struct

from sidecar_cache.audio.sound import Sound, broken, playing

#: Sizes from here on are no sizes: 0xFFFFFFFF, 0x7FFFFFFF and what is left of them after a header or a rounding.
_UNTIL_THE_END = 0x7FFF0000
_EXTENSIBLE = 0xFFFE
#: Codecs whose samples all have one width: PCM, float, A-law, µ-law.
_EVEN = frozenset((1, 3, 6, 7))
_format = struct.Struct("<HHIIH").unpack_from
_chunk = struct.Struct("<4sI").unpack_from


def wav(data: bytes) -> Sound:
    stated, at, shape = int.from_bytes(data[4:8], "little"), 12, None
    if 0 < stated < _UNTIL_THE_END and len(data) + stated % 2 < stated + 8:
        return broken("wav", f"it has {len(data)} bytes where {stated + 8} were announced")
    while at + 8 <= len(data):
        name, size = _chunk(data, at)
        at += 8
        if name == b"data":
            return _playing(data, at, size, shape)
        if name == b"fmt " and at + 16 <= len(data):
            shape = _shape(data, at)
        at += size + size % 2
    return broken("wav", "it ends before the samples")


def _shape(data: bytes, at: int) -> tuple[int, int, int]:
    """Bytes a second; bytes a frame; and those again if only whole frames play, else 1."""
    tag, _, rate, byte_rate, align = _format(data, at)
    if tag == _EXTENSIBLE:
        tag = int.from_bytes(data[at + 24 : at + 26], "little")
    return (rate * align, align, align) if tag in _EVEN else (byte_rate, align, 1)


def _playing(data: bytes, at: int, size: int, shape: tuple[int, int, int] | None) -> Sound:
    if shape is None or not all(shape):
        return broken("wav", "it does not say of what kind its samples are")
    there = len(data) - at
    if not 0 < size < _UNTIL_THE_END:
        size = there
    elif size > there:
        return broken("wav", f"it has {there} bytes of samples where {size} were announced")
    byte_rate, _, unit = shape
    return playing("wav", size // unit * unit / byte_rate)
