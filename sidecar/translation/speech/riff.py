"""WAV headers written, and taken off samples that flow. No I/O.

Layout: "Multimedia Programming Interface and Data Specifications 1.0" (Microsoft and IBM, 1991) and RFC 2361 for the
format tags. Services that stream WAV cannot know its sizes and write all ones, zero, or a number near two gigabytes.
"""

import struct
from typing import Final

from sidecar.errors import UpstreamBroken
from sidecar.translation.contract import Untranslatable
from sidecar.translation.speech.ask import SAMPLE_BYTES

_UNKNOWN: Final = 0xFFFFFFFF
#: Sizes from here on are no sizes.
_UNTIL_THE_END: Final = 0x7FFF0000
_TAGS: Final = {"pcm_s16le": 1, "pcm_f32le": 3, "alaw": 6, "mulaw": 7}
_CODECS: Final = {(tag, SAMPLE_BYTES[codec] * 8): codec for codec, tag in _TAGS.items()}
_EXTENSIBLE: Final = 0xFFFE
#: The longest that chunks before the samples may be together.
_MOST_HEAD_BYTES: Final = 1 << 20
_chunk = struct.Struct("<4sI")
_format = struct.Struct("<HHIIHH")


def header(codec: str, rate: int, data_bytes: int | None = None) -> bytes:
    """44 bytes to stand before the samples of one channel; with sizes of all ones where *data_bytes* is not known."""
    width = SAMPLE_BYTES[codec]
    whole, data = (_UNKNOWN, _UNKNOWN) if data_bytes is None else (data_bytes + 36, data_bytes)
    shape = _format.pack(_TAGS[codec], 1, rate, rate * width, width, width * 8)
    return b"".join((_chunk.pack(b"RIFF", whole), b"WAVE", _chunk.pack(b"fmt ", 16), shape, _chunk.pack(b"data", data)))


class Unwrapping:
    """Takes a WAV header off, if there is one.

    ``codec`` is what the samples are: what the header says, or *codec* where there is none.

    Args:
        codec, rate: what is expected.
        headed: whether there must be a header.
    """

    __slots__ = ("_head", "_headed", "_left", "_past_head", "_rate", "codec")

    def __init__(self, codec: str, rate: int, *, headed: bool) -> None:
        self.codec = codec
        self._rate = rate
        self._headed = headed
        self._head = b""
        self._past_head = False
        self._left: int | None = None

    def feed(self, data: bytes) -> bytes:
        """The samples in *data*.

        Raises:
            Untranslatable: a header is missing, cannot be read, or is of something else.
        """
        if self._past_head:
            return self._within(data)
        self._head += data
        if not b"RIFF".startswith(self._head[:4]):
            if self._headed:
                raise Untranslatable("there is no WAV header before the samples")
            return self._opened(0)
        start = self._samples_at()
        return b"" if start is None else self._opened(start)

    def finish(self) -> bytes:
        """What was held back.

        Raises:
            UpstreamBroken: there is less than was announced, or nothing but a header that is not whole.
        """
        if not self._past_head:
            if self._headed or len(self._head) >= 4:
                raise UpstreamBroken("the audio ends within its WAV header", begun=True)
            return self._opened(0)
        if self._left:
            raise UpstreamBroken(f"{self._left} bytes of samples are missing that the WAV header announced", begun=True)
        return b""

    def _opened(self, start: int) -> bytes:
        self._past_head, head, self._head = True, self._head, b""
        return self._within(head[start:])

    def _within(self, data: bytes) -> bytes:
        """*data* up to where the samples end; chunks may follow them."""
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def _samples_at(self) -> int | None:
        """Where in the head the samples begin; None if that is not there yet."""
        head, at, shaped = self._head, 12, False
        if len(head) >= 12 and head[8:12] != b"WAVE":
            raise Untranslatable("it is a RIFF file without waves in it")
        while at + 8 <= len(head):
            name, size = _chunk.unpack_from(head, at)
            at += 8
            if name == b"data":
                if not shaped:
                    raise Untranslatable("its WAV header does not say what its samples are")
                self._left = size if 0 < size < _UNTIL_THE_END else None
                return at
            if name == b"fmt ":
                if at + size > len(head):
                    break
                self._check(head[at : at + size])
                shaped = True
            at += size + size % 2
        if len(head) > _MOST_HEAD_BYTES:
            raise Untranslatable("there are no samples in the first megabyte of its WAV file")
        return None

    def _check(self, chunk: bytes) -> None:
        if len(chunk) < _format.size:
            raise Untranslatable("its WAV header is cut")
        tag, channels, rate, _, _, bits = _format.unpack_from(chunk)
        if tag == _EXTENSIBLE and len(chunk) >= 26:
            tag = int.from_bytes(chunk[24:26], "little")
        codec = _CODECS.get((tag, bits))
        if codec is None or channels != 1:
            raise Untranslatable(f"its WAV header says format {tag}, {bits} bits, {channels} channels")
        if rate != self._rate:
            raise Untranslatable(f"its samples are at {rate} Hz where {self._rate} were asked for")
        self.codec = codec
