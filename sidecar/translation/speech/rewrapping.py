"""Audio on its way from the form in which it is given into the one that is wanted, without a codec. No I/O."""

from collections.abc import Callable
from typing import Final

from sidecar.errors import UpstreamBroken
from sidecar.translation.contract import Untranslatable
from sidecar.translation.speech.ask import SAMPLE_BYTES, Audio
from sidecar.translation.speech.riff import Unwrapping
from sidecar.translation.speech.samples import to_float, to_sixteen_bits

#: How files begin whose audio stands in blocks: ID3 tag or MPEG frame, ADTS frame, …
_BEGINNINGS: Final[dict[str, Callable[[bytes], bool]]] = {
    "mp3": lambda head: head.startswith(b"ID3") or (head[0] == 0xFF and head[1] & 0xE0 == 0xE0),
    "adts": lambda head: head[0] == 0xFF and head[1] & 0xF6 == 0xF0,
    "ogg": lambda head: head.startswith(b"OggS"),
    "flac": lambda head: head.startswith(b"fLaC"),
    "webm": lambda head: head.startswith(b"\x1aE\xdf\xa3"),
}
_BEGINNING_BYTES: Final = 4
_CONVERSIONS: Final[dict[tuple[str, str], Callable[[bytes], bytes]]] = {
    ("pcm_s16le", "pcm_f32le"): to_float,
    ("pcm_f32le", "pcm_s16le"): to_sixteen_bits,
}


class _Blocks:
    """Passes a file on, once it has been seen to begin as one of its kind."""

    __slots__ = ("_begins", "_container", "_head", "_seen")

    def __init__(self, container: str) -> None:
        self._container = container
        self._begins = _BEGINNINGS[container]
        self._head = b""
        self._seen = False

    def feed(self, data: bytes) -> bytes:
        if self._seen:
            return data
        self._head += data
        if len(self._head) < _BEGINNING_BYTES:
            return b""
        if not self._begins(self._head):
            raise Untranslatable(f"it does not begin as {self._container} does")
        self._seen, head, self._head = True, self._head, b""
        return head

    def finish(self) -> bytes:
        if not self._seen:
            raise UpstreamBroken("the audio ends before it has begun", begun=True)
        return b""


class _Samples:
    """Samples without a header, in whole ones, of the width that is wanted."""

    __slots__ = ("_convert", "_count", "_header", "_rest", "_wanted")

    def __init__(self, given: Audio, wanted: Audio) -> None:
        self._header = Unwrapping(given.codec, given.rate, headed=given.container == "wav")
        self._wanted = wanted.codec
        self._convert: Callable[[bytes], bytes] | None = None
        self._rest = b""
        self._count = 0

    def feed(self, data: bytes) -> bytes:
        return self._whole(self._header.feed(data))

    def _whole(self, samples: bytes) -> bytes:
        if not samples:
            return b""
        codec = self._header.codec
        if codec != self._wanted and (codec, self._wanted) not in _CONVERSIONS:
            raise Untranslatable(f"its samples are {codec}")
        samples = self._rest + samples
        end = len(samples) - len(samples) % SAMPLE_BYTES[codec]
        samples, self._rest = samples[:end], samples[end:]
        self._count += end
        return samples if codec == self._wanted else _CONVERSIONS[codec, self._wanted](samples)

    def finish(self) -> bytes:
        last = self._whole(self._header.finish())
        if self._rest:
            raise UpstreamBroken("the audio ends within a sample", begun=True)
        if not self._count:
            raise UpstreamBroken("there is no audio in the answer", begun=True)
        return last


class Rewrapping:
    """Takes audio in the form *given*, and gives the one *wanted*, bare: without a WAV header.

    ``feed`` raises `Untranslatable` for what is something else, ``finish`` `UpstreamBroken` for what is not all there.
    """

    __slots__ = ("_stage",)

    def __init__(self, given: Audio, wanted: Audio) -> None:
        headerless = given.codec in SAMPLE_BYTES
        self._stage: _Samples | _Blocks = _Samples(given, wanted) if headerless else _Blocks(given.container)

    def feed(self, data: bytes) -> bytes:
        return self._stage.feed(data)

    def finish(self) -> bytes:
        return self._stage.finish()
