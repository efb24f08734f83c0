"""The table that the modules beside this one fill."""

import io
import math
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple


class SdkCall(NamedTuple):
    dialect: str
    cases: tuple[str, ...]
    """One name for each request that the call sends, in order."""
    host: str
    run: Callable[[str], object]
    """Given the receiver's authority."""
    tls: bool
    answers: Mapping[str, bytes]
    """JSON for targets that contain the key; ``{}`` is the answer to all others."""


CALLS: list[SdkCall] = []


def sends(
    dialect: str, host: str, *cases: str, tls: bool = False, answers: Mapping[str, bytes] | None = None
) -> Callable[[Callable[[str], object]], Callable[[str], object]]:
    def register(run: Callable[[str], object]) -> Callable[[str], object]:
        CALLS.append(SdkCall(dialect, cases, host, run, tls, answers or {}))
        return run

    return register


def pcm(seconds: float = 0.03, rate: int = 16000) -> bytes:
    """A tone as 16-bit samples, small enough to keep in a repository."""
    count = int(seconds * rate)
    return b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * n / rate))) for n in range(count))


def wav(seconds: float = 0.03, rate: int = 16000) -> bytes:
    samples = pcm(seconds, rate)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return head + struct.pack("<4sI", b"data", len(samples)) + samples


def wav_file(name: str = "question.wav") -> io.BytesIO:
    file = io.BytesIO(wav())
    file.name = name
    return file
