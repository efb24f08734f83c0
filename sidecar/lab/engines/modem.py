"""Text hidden in sound, as in a modem: what the echo engines speak is what they understand.

Each byte is a pair of tones that sound for 60 ms, one of sixteen low and one of sixteen high frequencies, over the hum
that makes a voice. All frequencies are whole multiples of 50 Hz, so that symbols join without clicks and one does not
leak into another. At some 16 characters a second it takes as long as speech does, and like speech it survives
resampling, telephony and lossy codecs.

A text goes out in frames, at best one sentence each: three bytes to find it by, length, flags, text, checksum.
"""

import binascii
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sidecar.lab.audio.pcm import Pcm
from sidecar.lab.audio.samples import Floats, floats, resampled

Flags = NDArray[np.bool_]

SYMBOL_SECONDS = 0.06
_SYNC = bytes((0x1E, 0xD2, 0x87))
_CONTINUES = 1
"""Flag: belongs to the same text as the frame before it."""
MAX_TEXT_BYTES = 200
_LOW_HZ = tuple(400 + 50 * number for number in range(16))
_HIGH_HZ = tuple(1300 + 100 * number for number in range(16))
_TRIES = 6
"""Positions within a symbol at which the beginning of a frame is looked for."""
_CLEAR = 0.35
"""Least share of a symbol's energy that its two tones must have."""
_TONAL = 0.8
"""Least share of clear symbols among the loud ones of a sound of this kind."""
_LOUD = 1e-4
"""Mean square of a sample from which on a symbol is no silence."""


class Hum(Struct, frozen=True):
    """What makes a voice: two partials."""

    low_hz: int = 100
    high_hz: int = 200
    low_volume: float = 0.06
    high_volume: float = 0.03


class Found(Struct, frozen=True):
    """A frame that was heard. ``whole`` is false for one whose end is missing."""

    text: str
    start_seconds: float
    end_seconds: float
    continues: bool
    whole: bool


class Reception(Struct, frozen=True):
    frames: tuple[Found, ...]
    tonal: bool
    """Whether the sound is of this kind, even if no frame was complete enough to be understood."""


def symbol_samples(rate: int) -> int | None:
    """Samples per symbol, if that is a whole number."""
    return rate * 6 // 100 if rate * 6 % 100 == 0 else None


def modulated(piece: str, hum: Hum, rate: int, *, continues: bool) -> Pcm:
    """One frame as sound: *piece* of at most `MAX_TEXT_BYTES`, at a rate for which `symbol_samples` is whole."""
    data = piece.encode()
    head = bytes((len(data), _CONTINUES if continues else 0))
    checksum = _checksum(head + data)
    sounds = _sounds(hum, rate)
    return Pcm(b"".join([sounds[byte] for byte in _SYNC + head + data + checksum]), rate)


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "big")


@lru_cache(maxsize=128)
def _sounds(hum: Hum, rate: int) -> tuple[bytes, ...]:
    """The sound of each of the 256 bytes."""
    times = np.arange(symbol_samples(rate) or 0) / rate

    def tone(frequency: float, volume: float) -> Floats:
        return (np.sin(2 * np.pi * frequency * times) * volume).astype(np.float32)

    ground = tone(hum.low_hz, hum.low_volume) + tone(hum.high_hz, hum.high_volume)
    lows = [tone(frequency, 0.22) + ground for frequency in _LOW_HZ]
    highs = [tone(frequency, 0.18) for frequency in _HIGH_HZ]
    return tuple(np.rint((lows[byte >> 4] + highs[byte & 15]) * 32767).astype("<i2").tobytes() for byte in range(256))


@lru_cache(maxsize=16)
def _listening(rate: int) -> Floats:
    """Columns to multiply a symbol's samples by: cosines and sines of the 32 frequencies."""
    times = np.arange(symbol_samples(rate) or 0) / rate
    angles = 2 * np.pi * np.outer(times, np.array(_LOW_HZ + _HIGH_HZ))
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=1).astype(np.float32)


def demodulated(pcm: Pcm) -> Reception:
    """What can be understood of *pcm*, wherever its frames begin."""
    values, rate = _thinned(pcm)
    length = symbol_samples(rate) or 1
    best: dict[int, Found] = {}
    tonal = False
    for attempt in range(_TRIES):
        symbols = _symbols(values, rate, attempt * length // _TRIES)
        tonal |= symbols.tonal
        for found in symbols.frames():
            # two tries may hear the same frame, half a symbol apart
            near = next(
                (start for start in best if abs(start - found.start_seconds * 1000) < 1000 * SYMBOL_SECONDS), None
            )
            if near is None:
                best[round(found.start_seconds * 1000)] = found
            elif found.whole and not best[near].whole:
                best[near] = found
        if attempt == 0 and best and _explained(best, values, rate):
            break
    return Reception(tuple(best[start] for start in sorted(best)), tonal)


def _thinned(pcm: Pcm) -> tuple[Floats, int]:
    """*pcm* at the lowest rate that is easily had and still holds all tones."""
    if symbol_samples(pcm.rate) is None:
        pcm = resampled(pcm, 8000)
    values = floats(pcm)
    factor = next(
        factor
        for factor in range(max(pcm.rate // 8000, 1), 0, -1)
        if pcm.rate % factor == 0 and symbol_samples(pcm.rate // factor) is not None
    )
    if factor > 1:
        values = values[: len(values) // factor * factor].reshape(-1, factor).mean(axis=1)
    return values, pcm.rate // factor


def _explained(found: dict[int, Found], values: Floats, rate: int) -> bool:
    """Whether the frames found make up nearly all of what is not silence."""
    length = symbol_samples(rate) or 1
    loud = np.abs(values[: len(values) // length * length].reshape(-1, length)).max(axis=1) > 0.01
    covered = sum(frame.end_seconds - frame.start_seconds for frame in found.values() if frame.whole)
    return covered >= 0.9 * float(loud.sum()) * SYMBOL_SECONDS


class _Symbols(Struct):
    """The bytes that would have been sent, and which of them sound as such."""

    data: bytes
    clear: Flags
    loud: Flags
    offset_seconds: float

    @property
    def tonal(self) -> bool:
        loud = int(self.loud.sum())
        return loud > 0 and int((self.clear & self.loud).sum()) >= _TONAL * loud

    def frames(self) -> Iterator[Found]:
        position = self.data.find(_SYNC)
        while position >= 0:
            frame = _frame(self.data, self.clear, position, self.offset_seconds)
            if frame is not None:
                yield frame
            position = self.data.find(_SYNC, position + 1)


def _symbols(values: Floats, rate: int, offset: int) -> _Symbols:
    length = symbol_samples(rate) or 1
    count = max(len(values) - offset, 0) // length
    symbols = values[offset : offset + count * length].reshape(-1, length)
    projections = symbols @ _listening(rate)
    powers = projections[:, :32] ** 2 + projections[:, 32:] ** 2
    low, high = powers[:, :16], powers[:, 16:]
    data = (low.argmax(axis=1) * 16 + high.argmax(axis=1)).astype(np.uint8).tobytes()
    energy = (symbols**2).sum(axis=1)
    clear = (low.max(axis=1) + high.max(axis=1)) > _CLEAR * np.maximum(energy * (length / 2), 1e-9)
    return _Symbols(data, clear, energy > _LOUD * length, offset / rate)


def _frame(data: bytes, clear: Flags, position: int, offset_seconds: float) -> Found | None:
    """The frame whose first symbol stands at *position*; None if it is none after all."""
    start = position + len(_SYNC)
    if start + 2 > len(data) or not data[start]:
        return None
    end = start + 2 + data[start]
    unclear = np.flatnonzero(~clear[position : end + 2])
    heard = position + int(unclear[0]) if len(unclear) else min(end + 2, len(data))
    whole = data[end : end + 2] == _checksum(data[start:end])
    if not whole and (heard == end + 2 or heard <= start + 2):
        return None
    # one that breaks off still says something up to there
    text = data[start + 2 : end if whole else heard].decode("utf-8", "replace" if whole else "ignore")
    last = end + 2 if whole else heard
    return Found(
        text,
        offset_seconds + position * SYMBOL_SECONDS,
        offset_seconds + last * SYMBOL_SECONDS,
        bool(data[start + 1] & _CONTINUES),
        whole,
    )
