"""FLAC (RFC 9639). Its frames do not say how long they are, so only the last one is looked for, and summed up: it ends
where the file ends, or something is missing.
"""

from msgspec import Struct

from sidecar_cache.audio.sound import Sound, broken, playing
from sidecar_cache.slices import Slices

_STREAMINFO_BYTES = 34
#: How far before the end the last frame is looked for, and how many places that look like its beginning are tried.
_SEARCHED_BYTES = 128 * 1024
_TRIED = 4
#: Bytes that are summed up before others have their turn.
_SLICE_BYTES = 512
_BLOCK_SIZES = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class _Frame(Struct):
    start: int
    """Samples before it."""
    samples: int


def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask, found = 1 << bits - 1, (1 << bits) - 1, []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        found.append(value)
    return tuple(found)


_CRC_8, _CRC_16 = _table(0x07, 8), _table(0x8005, 16)


def flac(data: bytes) -> Slices[Sound]:
    at, info = 4, b""
    while True:
        head = data[at : at + 4]
        if len(head) < 4:
            return broken("flac", "it ends before the sound")
        if head[0] & 127 == 0:
            info = data[at + 4 : at + 4 + _STREAMINFO_BYTES]
        at += 4 + int.from_bytes(head[1:4])
        if head[0] & 128:
            break
    if len(info) < _STREAMINFO_BYTES:
        return broken("flac", "it does not say of what kind its samples are")
    rate = int.from_bytes(info[10:13]) >> 4
    total = int.from_bytes(info[13:18]) & (1 << 36) - 1
    last = (yield from _last_frame(data, at, int.from_bytes(info[2:4]))) if rate else None
    if last is None:
        return broken("flac", "its last frame is cut off")
    samples = last.start + last.samples
    if samples < total:
        return broken("flac", f"it has {samples} samples where {total} were announced")
    return playing("flac", samples / rate)


def _last_frame(data: bytes, begin: int, largest_block: int) -> Slices[_Frame | None]:
    at, tried = len(data), 0
    begin = max(begin, len(data) - _SEARCHED_BYTES)
    while tried < _TRIED:
        at = max(data.rfind(b"\xff\xf8", begin, at), data.rfind(b"\xff\xf9", begin, at))
        if at < 0:
            return None
        if (frame := _frame(data, at, largest_block)) is not None:
            tried += 1
            if (yield from _is_summed(data[at:])):
                return frame
        # the byte before may be another's first
        at += 1
    return None


def _is_summed(frame: bytes) -> Slices[bool]:
    """Whether *frame* ends in its own checksum: then that of all of it is 0."""
    checksum, table = 0, _CRC_16
    for at in range(0, len(frame), _SLICE_BYTES):
        if at:
            yield
        for byte in frame[at : at + _SLICE_BYTES]:
            checksum = checksum << 8 & 0xFFFF ^ table[checksum >> 8 ^ byte]
    return checksum == 0


def _frame(data: bytes, at: int, largest_block: int) -> _Frame | None:
    """The frame whose header begins at *at*, if one does."""
    if at + 6 > len(data):
        return None
    size_code, rate_code = data[at + 2] >> 4, data[at + 2] & 15
    if size_code == 0 or rate_code == 15 or data[at + 3] & 1 or data[at + 3] >> 4 > 10:
        return None
    counted = _coded_number(data, at + 4)
    if counted is None:
        return None
    number, end = counted
    samples = _BLOCK_SIZES[size_code]
    if size_code in (6, 7):
        samples = int.from_bytes(data[end : end + size_code - 5]) + 1
        end += size_code - 5
    end += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if end >= len(data) or _checksum_8(data[at:end]) != data[end]:
        return None
    # frames of one size are counted, and the last may be shorter than that; where sizes vary, samples are counted
    return _Frame(number if data[at + 1] & 1 else number * largest_block, samples)


def _coded_number(data: bytes, at: int) -> tuple[int, int] | None:
    """A number in the manner of UTF-8, up to 36 bits long, and where it ends."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    following = 7 - (first ^ 0xFF).bit_length()
    if not 1 <= following <= 6:
        return None
    value = first & (1 << 6 - following) - 1 if following < 6 else 0
    for byte in data[at + 1 : at + 1 + following]:
        if byte & 0xC0 != 0x80:
            return None
        value = value << 6 | byte & 0x3F
    return value, at + 1 + following


def _checksum_8(head: bytes) -> int:
    checksum = 0
    for byte in head:
        checksum = _CRC_8[checksum ^ byte]
    return checksum
