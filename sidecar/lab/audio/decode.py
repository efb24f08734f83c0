"""Uploads made into sound, whatever they are."""

import io
from collections.abc import Callable

import numpy as np
import soundfile

from sidecar.lab.audio import samples, wav
from sidecar.lab.audio.pcm import Pcm

_RAW: dict[str, Callable[[bytes, int], Pcm]] = {
    "pcm_s16le": lambda data, rate: Pcm(data[: len(data) // 2 * 2], rate),
    "pcm_f32le": samples.from_float32_bytes,
    "mulaw": samples.from_mulaw,
    "alaw": samples.from_alaw,
}


class Undecodable(ValueError):
    """The bytes are no audio that can be read here."""


def decoded_raw(data: bytes, codec: str, rate: int, channels: int = 1) -> Pcm:
    """Headerless samples, mixed down to one channel."""
    pcm = _RAW[codec](data, rate)
    if channels == 1:
        return pcm
    values = np.frombuffer(pcm.samples, "<i2")
    return _mixed(values[: len(values) // channels * channels].reshape(-1, channels), rate)


def decoded(data: bytes) -> Pcm:
    """A file of a format that tells its own name, mixed down to one channel.

    Raises:
        Undecodable: it is none that is known here.
    """
    try:
        codec, rate, channels, payload = wav.parse(data)
    except wav.NotWav:
        return _by_libsndfile(data)
    return decoded_raw(payload, codec, rate, channels)


def _mixed(frames: "np.ndarray[tuple[int, int], np.dtype[np.int16]]", rate: int) -> Pcm:
    if frames.shape[1] == 1:
        return Pcm(frames.astype("<i2").tobytes(), rate)
    return Pcm(np.rint(frames.astype(np.float32).mean(axis=1)).astype("<i2").tobytes(), rate)


def _by_libsndfile(data: bytes) -> Pcm:
    try:
        frames, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    except (soundfile.LibsndfileError, ValueError, TypeError):
        return _by_ffmpeg(data)
    return _mixed(frames, rate)


def _by_ffmpeg(data: bytes) -> Pcm:
    """M4A, WebM, AMR and the like."""
    try:
        import av
    except ImportError:
        raise Undecodable("the audio is of a format that needs PyAV, which comes with the extra `lab`") from None
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.audio:
                raise Undecodable("there is no audio in it")
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler("s16", "mono", rate)
            pieces = [
                resampled.to_ndarray().astype("<i2").tobytes()
                for frame in (*container.decode(audio=0), None)
                for resampled in resampler.resample(frame)
            ]
    except (av.FFmpegError, ValueError) as error:
        raise Undecodable(str(error)) from None
    return Pcm(b"".join(pieces), rate)
