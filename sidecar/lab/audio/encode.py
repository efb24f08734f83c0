"""Encoders that give bytes as sound goes in."""

import io
from collections.abc import Callable, Iterable
from typing import Protocol

import soundfile

from sidecar.lab.audio import samples, wav
from sidecar.lab.audio.formats import RAW_CODECS, AudioFormat, UnsupportedFormat
from sidecar.lab.audio.pcm import Pcm

_RAW: dict[str, Callable[[Pcm], bytes]] = {
    "pcm_s16le": lambda pcm: pcm.samples,
    "pcm_f32le": samples.to_float32_bytes,
    "mulaw": samples.to_mulaw,
    "alaw": samples.to_alaw,
}


class Encoder(Protocol):
    """Takes sound of any one rate. Not every call of `feed` gives bytes."""

    def feed(self, pcm: Pcm) -> bytes: ...

    def finish(self) -> bytes: ...


class RawEncoder:
    """Samples one by one, behind a WAV header with placeholder sizes if so asked."""

    def __init__(self, audio: AudioFormat) -> None:
        self._rate = audio.rate
        self._encode = _RAW[audio.codec]
        self._head = wav.header(audio.codec, audio.rate) if audio.container == "wav" else b""

    def feed(self, pcm: Pcm) -> bytes:
        head, self._head = self._head, b""
        return head + self._encode(samples.resampled(pcm, self._rate))

    def finish(self) -> bytes:
        head, self._head = self._head, b""
        return head


class _Spout(io.RawIOBase):
    """A file for an encoder to write: `take` gives what is new. Corrections to what was taken are dropped."""

    def __init__(self) -> None:
        self._taken = 0
        self._position = 0
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        start = self._position - self._taken
        self._position += len(chunk)
        if (skipped := max(-start, 0)) < len(chunk):
            start = max(start, 0)
            self._pending[start : start + len(chunk) - skipped] = chunk[skipped:]
        return len(chunk)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        end = self._taken + len(self._pending)
        self._position = offset + (0, self._position, end)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken = bytes(self._pending)
        self._taken += len(taken)
        self._pending.clear()
        return taken


class SoundFileEncoder:
    """MP3, Ogg/Opus and FLAC by libsndfile."""

    _FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}

    def __init__(self, audio: AudioFormat) -> None:
        container, subtype = self._FORMATS[audio.codec]
        self._rate = audio.rate
        self._spout = _Spout()
        try:
            self._file = soundfile.SoundFile(
                self._spout,
                "w",
                audio.rate,
                1,
                subtype,
                format=container,
                compression_level=_compression_level(audio),
                bitrate_mode="CONSTANT" if audio.codec == "mp3" else None,
            )
        except (soundfile.LibsndfileError, ValueError) as error:
            raise UnsupportedFormat(f"{audio.codec} at {audio.rate} Hz: {error}") from None

    def feed(self, pcm: Pcm) -> bytes:
        self._file.buffer_write(samples.resampled(pcm, self._rate).samples, dtype="int16")
        return self._spout.take()

    def finish(self) -> bytes:
        self._file.close()
        return self._spout.take()


def _compression_level(audio: AudioFormat) -> float | None:
    """libsndfile's scale from 0 (best) to 1, linear in the bit rate between bounds of its own."""
    if audio.codec == "opus":
        low, high, wanted = 6_000, 256_000, audio.bits_per_second or 32_000
    elif audio.codec == "mp3":
        low, high = (32_000, 320_000) if audio.rate >= 32_000 else (8_000, 160_000 if audio.rate >= 16_000 else 64_000)
        wanted = audio.bits_per_second or 64_000
    else:
        return None
    return min(max(1 - (wanted - low) / (high - low), 0.0), 1.0)


class FfmpegEncoder:
    """AAC in ADTS frames and Opus in WebM. PyAV comes with faster-whisper, and is loaded only if it is needed."""

    _CODECS = {"aac": ("aac", "fltp"), "opus": ("libopus", "flt")}

    def __init__(self, audio: AudioFormat) -> None:
        try:
            import av
        except ImportError:
            message = f"{audio.codec} in {audio.container} needs PyAV, which comes with the extra `lab`"
            raise UnsupportedFormat(message) from None
        codec, self._sample_format = self._CODECS[audio.codec]
        self._rate = audio.rate
        self._spout = _Spout()
        self._frame = av.AudioFrame
        try:
            self._container = av.open(self._spout, "w", format=audio.container)
            stream = self._container.add_stream(codec, rate=audio.rate)
            assert isinstance(stream, av.AudioStream)
            stream.bit_rate = audio.bits_per_second or 64_000
            stream.layout = "mono"
            stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            raise UnsupportedFormat(f"{audio.codec} at {audio.rate} Hz: {error}") from None
        self._stream = stream
        self._written = 0

    def feed(self, pcm: Pcm) -> bytes:
        values = samples.floats(samples.resampled(pcm, self._rate)).reshape(1, -1)
        frame = self._frame.from_ndarray(values, format=self._sample_format, layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._written
        self._written += values.shape[1]
        self._container.mux(self._stream.encode(frame))
        return self._spout.take()

    def finish(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._spout.take()


def encoder(audio: AudioFormat) -> Encoder:
    """Raises:
    UnsupportedFormat: the lab cannot make *audio*.
    """
    if audio.codec in RAW_CODECS and audio.container in ("raw", "wav"):
        return RawEncoder(audio)
    if audio.container in ("adts", "webm"):
        return FfmpegEncoder(audio)
    if audio.codec in ("mp3", "opus", "flac"):
        return SoundFileEncoder(audio)
    raise UnsupportedFormat(f"{audio.codec} in {audio.container}")


def encoded(pieces: Iterable[Pcm], audio: AudioFormat) -> bytes:
    """A whole file, with true sizes where its container has any."""
    encoding = encoder(audio)
    body = b"".join([encoding.feed(piece) for piece in pieces]) + encoding.finish()
    if audio.container != "wav":
        return body
    placeholder = wav.header(audio.codec, audio.rate)
    data = body[len(placeholder) :]
    return wav.header(audio.codec, audio.rate, len(data)) + data
