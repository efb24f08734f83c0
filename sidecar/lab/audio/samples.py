"""Arithmetic on samples: other rates, other widths, the two laws of telephony."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sidecar.lab.audio.pcm import Pcm

Floats = NDArray[np.float32]
Integers = NDArray[np.int16]


def floats(pcm: Pcm) -> Floats:
    """Between -1 and 1."""
    return np.frombuffer(pcm.samples, "<i2").astype(np.float32) / np.float32(32768.0)


def from_floats(values: Floats, rate: int) -> Pcm:
    scaled = np.clip(np.rint(values * 32768.0), -32768, 32767).astype("<i2")
    return Pcm(scaled.tobytes(), rate)


def resampled(pcm: Pcm, rate: int) -> Pcm:
    """Band-limited, by way of the spectrum of the whole piece."""
    if pcm.rate == rate or not pcm.samples:
        return Pcm(pcm.samples, rate)
    values = floats(pcm)
    length = max(round(len(values) * rate / pcm.rate), 1)
    spectrum = np.fft.rfft(values)
    kept = np.zeros(length // 2 + 1, spectrum.dtype)
    width = min(len(kept), len(spectrum))
    kept[:width] = spectrum[:width]
    return from_floats((np.fft.irfft(kept, length) * (length / len(values))).astype(np.float32), rate)


def to_float32_bytes(pcm: Pcm) -> bytes:
    return floats(pcm).astype("<f4").tobytes()


def from_float32_bytes(data: bytes, rate: int) -> Pcm:
    return from_floats(np.frombuffer(data[: len(data) // 4 * 4], "<f4").astype(np.float32), rate)


def to_mulaw(pcm: Pcm) -> bytes:
    codes: NDArray[np.uint8] = _mulaw_of_sample()[np.frombuffer(pcm.samples, "<u2")]
    return codes.tobytes()


def to_alaw(pcm: Pcm) -> bytes:
    codes: NDArray[np.uint8] = _alaw_of_sample()[np.frombuffer(pcm.samples, "<u2")]
    return codes.tobytes()


def from_mulaw(data: bytes, rate: int) -> Pcm:
    return Pcm(_sample_of_mulaw()[np.frombuffer(data, np.uint8)].tobytes(), rate)


def from_alaw(data: bytes, rate: int) -> Pcm:
    return Pcm(_sample_of_alaw()[np.frombuffer(data, np.uint8)].tobytes(), rate)


@cache
def _sample_of_mulaw() -> Integers:
    """G.711: the sample for each of the 256 codes."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(code & 128, -magnitude, magnitude).astype("<i2")


@cache
def _sample_of_alaw() -> Integers:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0))
    return np.where(code & 128, magnitude, -magnitude).astype("<i2")


@cache
def _mulaw_of_sample() -> NDArray[np.uint8]:
    return _nearest_codes(_sample_of_mulaw())


@cache
def _alaw_of_sample() -> NDArray[np.uint8]:
    return _nearest_codes(_sample_of_alaw())


def _nearest_codes(samples: Integers) -> NDArray[np.uint8]:
    """For each 16-bit pattern, read as unsigned, the code whose sample is nearest."""
    order = np.argsort(samples, kind="stable")
    ascending = samples[order].astype(np.int32)
    patterns = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    above = np.clip(np.searchsorted(ascending, patterns), 1, 255)
    nearer_below = patterns - ascending[above - 1] <= ascending[above] - patterns
    return order[np.where(nearer_below, above - 1, above)].astype(np.uint8)
