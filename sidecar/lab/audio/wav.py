"""WAV: written with placeholder sizes, as services do that stream it, and read in spite of them."""

import struct

from sidecar.lab.audio.pcm import Pcm

UNKNOWN_SIZE = 0xFFFFFFFF

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
FORMAT_TAGS = {"pcm_s16le": (_PCM, 16), "pcm_f32le": (_FLOAT, 32), "alaw": (_ALAW, 8), "mulaw": (_MULAW, 8)}
_CODECS = {tag_and_bits: codec for codec, tag_and_bits in FORMAT_TAGS.items()}


class NotWav(ValueError):
    """The bytes are no WAV file that can be read here."""


def header(codec: str, rate: int, data_bytes: int | None = None) -> bytes:
    """44 bytes in front of one channel of samples; without *data_bytes* the sizes are placeholders."""
    tag, bits = FORMAT_TAGS[codec]
    width = bits // 8
    riff_size, data_size = (UNKNOWN_SIZE, UNKNOWN_SIZE) if data_bytes is None else (data_bytes + 36, data_bytes)
    format_chunk = struct.pack("<HHIIHH", tag, 1, rate, rate * width, width, bits)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff_size, b"WAVE", b"fmt ", 16)
        + format_chunk
        + struct.pack("<4sI", b"data", data_size)
    )


def file(pcm: Pcm) -> bytes:
    """A whole file of 16-bit samples with true sizes."""
    return header("pcm_s16le", pcm.rate, len(pcm.samples)) + pcm.samples


def parse(data: bytes) -> tuple[str, int, int, bytes]:
    """Codec, rate, channels and samples.

    Raises:
        NotWav: the bytes are something else, or of a codec unknown here.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise NotWav("no RIFF header")
    position, codec, rate, channels = 12, "", 0, 0
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8
        if name == b"data":
            if not codec:
                raise NotWav("the samples come before their format")
            return codec, rate, channels, data[position : position + size]
        if name == b"fmt ":
            codec, rate, channels = _format(data[position : position + size])
        position += size + size % 2
    raise NotWav("no samples")


def _format(chunk: bytes) -> tuple[str, int, int]:
    if len(chunk) < 16:
        raise NotWav("a format chunk that is too short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    codec = _CODECS.get((tag, bits))
    if codec is None or not channels or not rate:
        raise NotWav(f"format {tag} of {bits} bits")
    return codec, rate, channels
