"""What a recording is, by its first bytes and a few of its last: nothing is decoded, and nothing makes a reader raise.

Formats go by the words of `sidecar.payload.Speech.format`.
"""

import struct
from collections.abc import Callable
from typing import Final

from msgspec import Struct

#: Bytes of one sample, by codec: what there is without a header, and inside of WAV.
SAMPLE_BYTES: Final = {"pcm": 2, "mulaw": 1, "alaw": 1, "pcm_f32le": 4, "pcm_s32le": 4}
#: Codecs of WAV by format tag and bits a sample (RFC 2361; tag 0xFFFE says it further on).
_WAV_CODECS: Final = {(1, 16): "pcm", (1, 32): "pcm_s32le", (3, 32): "pcm_f32le", (6, 8): "alaw", (7, 8): "mulaw"}
_WAV_TAGS: Final = {codec: shape for shape, codec in _WAV_CODECS.items()}
_EXTENSIBLE = 0xFFFE

_format_chunk = struct.Struct("<HHIIHH")
_OGG_HEAD_BYTES = 27
_OPUS_RATE = 48000
_SEARCHED_BYTES = 65536
"""How far from its end the last page of an Ogg file is looked for: a page is no longer."""
_WEBM_HEAD_BYTES = 4096
_MP3_SAMPLES = {3: 1152, 2: 576, 0: 576}
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_BIT_RATES = {
    3: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Sound(Struct, frozen=True):
    """What is known of a recording."""

    format: str = ""
    """Container or codec; "" for bytes of which nothing is known."""
    codec: str = ""
    """Of a WAV file, in the words of `SAMPLE_BYTES`; "" for any other."""
    rate: int | None = None
    """In Hz."""
    channels: int | None = None
    seconds: float | None = None
    begin: int = 0
    """Of a WAV file, where its samples begin."""
    end: int = 0


def sound_of(data: bytes, declared: str | None, rate: int | None = None, channels: int | None = None) -> Sound:
    """What *data* is: by what it says of itself, else as it was *declared*, with *rate* in Hz and *channels*."""
    headerless = declared in SAMPLE_BYTES
    # two bytes of a frame's beginning are nothing that samples could not be as well
    for marked, read in _LONG_MARKS if headerless else _MARKS:
        if marked(data):
            found = read(data)
            return Sound("opus") if found == _SOME_OGG and declared == "opus" else found
    if declared is not None and headerless:
        return samples(declared, len(data), rate, channels or 1)
    return Sound(declared if declared in _UNMARKED else "", rate=rate, channels=channels)


def samples(codec: str, length: int, rate: int | None, channels: int) -> Sound:
    """*length* bytes of nothing but samples."""
    seconds = length / (SAMPLE_BYTES[codec] * channels * rate) if rate and channels else None
    return Sound(codec, "", rate, channels, seconds, 0, length)


def wav_header(codec: str, rate: int, channels: int, length: int) -> bytes:
    """The 44 bytes that stand before *length* bytes of samples of a codec in `SAMPLE_BYTES`."""
    tag, bits = _WAV_TAGS[codec]
    frame = bits // 8 * channels
    shape = _format_chunk.pack(tag, channels, rate, rate * frame, frame, bits)
    head = struct.pack("<4sI4s4sI", b"RIFF", length + length % 2 + 36, b"WAVE", b"fmt ", len(shape))
    return head + shape + struct.pack("<4sI", b"data", length)


def _wav(data: bytes) -> Sound:
    """Sizes that mean "until the end", as those who stream write them, are taken as that."""
    at, shape = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"fmt " and at + _format_chunk.size <= len(data):
            shape = _format_chunk.unpack_from(data, at)
            if shape[0] == _EXTENSIBLE and size >= 26:
                shape = (int.from_bytes(data[at + 24 : at + 26], "little"), *shape[1:])
        elif name == b"data":
            end = min(at + size, len(data))
            return Sound("wav") if shape is None else _samples_of_wav(shape, at, end)
        at += size + size % 2
    return Sound("wav")


def _samples_of_wav(shape: tuple[int, ...], begin: int, end: int) -> Sound:
    tag, channels, rate, byte_rate, _, bits = shape
    seconds = (end - begin) / byte_rate if byte_rate else None
    return Sound("wav", _WAV_CODECS.get((tag, bits), ""), rate or None, channels or None, seconds, begin, end)


def _flac(data: bytes) -> Sound:
    """RFC 9639, section 8.2: STREAMINFO comes first."""
    info = data[8:42]
    if len(info) < 34:
        return Sound("flac")
    rate, channels = int.from_bytes(info[10:13]) >> 4, (info[12] >> 1 & 7) + 1
    total = int.from_bytes(info[13:18]) & (1 << 36) - 1
    return Sound("flac", "", rate or None, channels, total / rate if rate and total else None)


def _ogg(data: bytes) -> Sound:
    """RFC 3533 and, for Opus, RFC 7845: where the last page ends tells how long it plays."""
    packet = _OGG_HEAD_BYTES + (data[26] if len(data) > 26 else 0)
    head = data[packet : packet + 19]
    if head[:8] == b"OpusHead" and len(head) == 19:
        skipped, stated = int.from_bytes(head[10:12], "little"), int.from_bytes(head[12:16], "little")
        reached = _last_granule(data)
        seconds = None if reached is None else max(reached - skipped, 0) / _OPUS_RATE
        return Sound("opus", "", stated or _OPUS_RATE, head[9] or None, seconds)
    if head[:7] == b"\x01vorbis" and len(head) >= 16:
        rate, reached = int.from_bytes(head[12:16], "little"), _last_granule(data)
        return Sound("ogg", "", rate or None, head[11] or None, reached / rate if rate and reached else None)
    return _SOME_OGG


def _last_granule(data: bytes) -> int | None:
    at = data.rfind(b"OggS", max(len(data) - _SEARCHED_BYTES, 0))
    granule = data[at + 6 : at + 14] if at >= 0 else b""
    return int.from_bytes(granule, "little") if len(granule) == 8 and granule != b"\xff" * 8 else None


def _mp3(data: bytes) -> Sound:
    """By its first frame: the count of frames if that says it, else as if all had its bit rate."""
    at = _after_tag(data)
    head = data[at : at + 4]
    version, index = head[1] >> 3 & 3, head[2] >> 4
    rate, channels = _MP3_RATES[version][head[2] >> 2 & 3], 1 if head[3] >> 6 == 3 else 2
    mark = at + 4 + ((17 if channels == 1 else 32) if version == 3 else (9 if channels == 1 else 17))
    if data[mark : mark + 4] in (b"Xing", b"Info") and data[mark + 7 : mark + 8] and data[mark + 7] & 1:
        frames = int.from_bytes(data[mark + 8 : mark + 12])
        return Sound("mp3", "", rate, channels, frames * _MP3_SAMPLES[version] / rate)
    bit_rate = _MP3_BIT_RATES[3 if version == 3 else 2][index - 1]
    return Sound("mp3", "", rate, channels, (len(data) - at) / (bit_rate * 125))


def _is_mp3(data: bytes) -> bool:
    head = data[(at := _after_tag(data)) : at + 4]
    return (
        len(head) == 4
        and head[0] == 0xFF
        and head[1] & 0xE6 == 0xE2  # a frame of layer III
        and head[1] >> 3 & 3 != 1
        and 0 < head[2] >> 4 < 15
        and head[2] >> 2 & 3 != 3
    )


def _after_tag(data: bytes) -> int:
    """Where the sound begins behind a tag, ID3 in its second version."""
    size = data[6:10]
    if data[:3] != b"ID3" or len(size) < 4:
        return 0
    footer = 10 if data[5] & 0x10 else 0
    return 10 + footer + ((size[0] & 127) << 21 | (size[1] & 127) << 14 | (size[2] & 127) << 7 | size[3] & 127)


def _mp4(data: bytes) -> Sound:
    """ISO 14496-12, section 8.2.2: the header of the movie says how long it is."""
    at = data.find(b"mvhd")
    if at < 0 or len(data) < at + 36:
        return Sound("m4a")
    wide = data[at + 4] == 1
    scale_at, width = (at + 24, 8) if wide else (at + 16, 4)
    scale = int.from_bytes(data[scale_at : scale_at + 4])
    length = int.from_bytes(data[scale_at + 4 : scale_at + 4 + width])
    return Sound("m4a", seconds=length / scale if scale and length else None)


def _webm(data: bytes) -> Sound:
    return Sound("webm", "" if b"A_OPUS" in data[:_WEBM_HEAD_BYTES] else "other")


_SOME_OGG: Final = Sound("ogg")
_Marks = tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Sound]], ...]

_LONG_MARKS: Final[_Marks] = (
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WAVE", _wav),
    (lambda data: data[:4] == b"OggS", _ogg),
    (lambda data: data[:4] == b"fLaC", _flac),
    (lambda data: data[:4] == b"\x1a\x45\xdf\xa3", _webm),
    (lambda data: data[4:8] == b"ftyp", _mp4),
)
_MARKS: Final[_Marks] = (
    *_LONG_MARKS,
    (lambda data: data[:9] == b"#!AMR-WB\n", lambda _: Sound("amr_wb", rate=16000, channels=1)),
    (lambda data: data[:6] == b"#!AMR\n", lambda _: Sound("amr", rate=8000, channels=1)),
    (lambda data: data[:4] == b"FORM" and data[8:11] == b"AIF", lambda _: Sound("aiff")),
    (lambda data: len(data) > 6 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0, lambda _: Sound("aac")),
    (_is_mp3, _mp3),
)
#: What has no mark of its own, and is believed to be what it was declared as.
_UNMARKED: Final = frozenset(("speex", "g729", "amr", "amr_wb"))
