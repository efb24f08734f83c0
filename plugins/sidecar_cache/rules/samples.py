"""What is recorded, whatever lossless container it came in. Anything doubtful stands for its bytes.

Opt-in, since a container may say more than its samples (a provider may give back a digest of what it was sent).
"""

import io
import struct
from typing import Final, NamedTuple

#: What is unpacked at most: half a minute of 16 kHz. Nothing else goes on meanwhile, for up to some 20 ms.
MOST_UNPACKED_BYTES: Final = 1024 * 1024
#: A WAV file has two chunks and some notes.
_MOST_CHUNKS: Final = 32

PCM: Final = 1
_FLOAT, _EXTENSIBLE = 3, 0xFFFE
#: What follows the kind in the sub-format of an extensible header.
_SUB_FORMAT: Final = bytes.fromhex("000000001000800000aa00389b71")
_FLAC_WIDTHS: Final = {"PCM_16": 16, "PCM_24": 24}


class Samples(NamedTuple):
    rate: int
    """Hz."""
    channels: int
    width: int
    """Bits of a sample."""
    kind: int
    """1 for whole numbers, 3 for floating ones."""
    data: bytes | memoryview
    """Interleaved, little-endian."""

    @property
    def head(self) -> bytes:
        return b"samples %d %d %d %d" % self[:4]


def read(data: bytes | memoryview) -> Samples | None:
    """None for anything but a sound WAV or FLAC file of moderate size."""
    magic = bytes(data[:4])
    if magic == b"RIFF" and bytes(data[8:12]) == b"WAVE":
        return _read_wav(memoryview(data))
    return _read_flac(bytes(data)) if magic == b"fLaC" and len(data) <= 2 * MOST_UNPACKED_BYTES else None


def _read_wav(data: memoryview) -> Samples | None:
    if int.from_bytes(data[4:8], "little") + 8 != len(data):
        return None  # made up while it streamed, or cut
    form: tuple[int, int, int, int] | None = None
    found: Samples | None = None
    at = 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            break
        name, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at + 8 : at + 8 + size]
        if len(chunk) < size:
            return None
        if name == b"fmt ":
            if form is not None or (form := _format(bytes(chunk))) is None:
                return None
        elif name == b"data":
            if form is None or found is not None or not size or size % (form[1] * form[2] // 8):
                return None
            found = Samples(*form, chunk)
        at += 8 + size + size % 2
    return found if at == len(data) else None


def _format(chunk: bytes) -> tuple[int, int, int, int] | None:
    """Rate, channels, width and kind."""
    if len(chunk) < 16:
        return None
    kind, channels, rate, _, block, width = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE:
        if len(chunk) < 40:
            return None
        _, valid, mask, kind = struct.unpack_from("<HHIH", chunk, 16)
        usual = mask in (0, 3 if channels == 2 else 4)
        if chunk[26:40] != _SUB_FORMAT or valid != width or channels > 2 or not usual:
            return None
    known = width in (8, 16, 24, 32) if kind == PCM else kind == _FLOAT and width in (32, 64)
    return (rate, channels, width, kind) if known and channels and rate and block == channels * width // 8 else None


def _read_flac(data: bytes) -> Samples | None:
    try:
        import soundfile
    except (ImportError, OSError):
        return None
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            width = _FLAC_WIDTHS.get(file.subtype)
            frames, rate, channels = file.frames, file.samplerate, file.channels
            if width is None or channels > 2 or not 0 < frames * channels * width // 8 <= MOST_UNPACKED_BYTES:
                return None
            samples = bytes(file.buffer_read(frames, dtype="int16" if width == 16 else "int32"))
    except (RuntimeError, ValueError, AssertionError):
        return None
    if len(samples) != frames * channels * (2 if width == 16 else 4):
        return None
    if width == 24:  # it fills the upper three of four bytes
        packed = bytearray(len(samples) // 4 * 3)
        for byte in range(3):
            packed[byte::3] = samples[byte + 1 :: 4]
        samples = bytes(packed)
    return Samples(rate, channels, width, PCM, samples)
