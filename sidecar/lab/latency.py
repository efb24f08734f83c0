"""How long an emulated provider takes.

First byte: ``fixed + per_unit * n + jitter``, the jitter lognormal; n counts characters to speak, seconds of audio to
recognise, or thousands of input tokens. Then audio comes at a multiple of real time, and text at so many tokens a
second. The figures of `REALISTIC` are medians that were published or measured in 2026: time to first audio by Coval
for speech synthesis, end of speech to final transcript by pipecat for recognition; language models by common
experience.
"""

import math
import random
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from sidecar.dialect import Operation


class FirstByte(Struct, frozen=True):
    """From the end of a request to the first byte of its answer, in seconds."""

    fixed_seconds: float = 0.0
    per_unit_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """The median of the lognormal part."""
    jitter_sigma: float = 0.5

    def draw(self, amount: float, random_source: random.Random) -> float:
        jitter = self.jitter_seconds * math.exp(random_source.gauss(0.0, self.jitter_sigma))
        return self.fixed_seconds + self.per_unit_seconds * amount + jitter

    def scaled(self, factor: float) -> "FirstByte":
        return FirstByte(
            self.fixed_seconds * factor, self.per_unit_seconds * factor, self.jitter_seconds * factor, self.jitter_sigma
        )


class Pace(Struct, frozen=True, kw_only=True):
    """One provider's habits. 0.0 for a speed means: as fast as it goes."""

    first_byte: Mapping[Operation, FirstByte] = MappingProxyType({})
    audio_speed: float = 0.0
    """Seconds of audio sent per second."""
    tokens_per_second: float = 0.0

    def scaled(self, factor: float) -> "Pace":
        if factor <= 0:
            return Pace()
        return replace(
            self,
            first_byte={operation: first.scaled(factor) for operation, first in self.first_byte.items()},
            audio_speed=self.audio_speed / factor,
            tokens_per_second=self.tokens_per_second / factor,
        )


def _pace(
    stt: float, tts: float, chat: float, *, tokens_per_second: float = 90.0, tts_per_character: float = 0.0
) -> Pace:
    """A provider by its medians: a fifth of each is jitter, the rest is always there."""

    def first(median: float, per_unit: float) -> FirstByte:
        return FirstByte(median * 0.8, per_unit, median * 0.2, 0.6)

    return Pace(
        first_byte={
            Operation.STT: first(stt, 0.03),
            Operation.TTS: first(tts, tts_per_character),
            Operation.CHAT: first(chat, 0.05),
            Operation.REALTIME: first(chat, 0.05),
        },
        audio_speed=4.0,
        tokens_per_second=tokens_per_second,
    )


REALISTIC: Mapping[str, Pace] = {
    "openai": _pace(0.75, 0.9, 0.5, tts_per_character=0.004),
    "azure-openai": _pace(0.75, 0.9, 0.55, tts_per_character=0.004),
    "azure-speech": _pace(0.7, 0.35, 0.5),
    "anthropic": _pace(0.5, 0.5, 0.7, tokens_per_second=70.0),
    "gemini": _pace(0.5, 0.8, 0.45, tokens_per_second=150.0),
    "groq": _pace(0.35, 0.4, 0.2, tokens_per_second=400.0),
    "mistral": _pace(0.75, 0.7, 0.4, tokens_per_second=100.0),
    "deepgram": _pace(0.25, 0.313, 0.5),
    "elevenlabs": _pace(0.7, 0.288, 0.5),
    "google-speech": _pace(0.6, 0.4, 0.5, tts_per_character=0.001),
    "yandex": _pace(0.5, 0.4, 0.6),
    "cartesia": _pace(0.35, 0.188, 0.5),
    "assemblyai": _pace(0.3, 0.4, 0.5),
}

PROFILES: Mapping[str, Mapping[str, Pace]] = {"none": {}, "realistic": REALISTIC}


class Latency:
    """One provider's latency: draws from its own seeded source."""

    def __init__(self, pace: Pace, random_source: random.Random) -> None:
        self.pace = pace
        self._random = random_source

    def first_byte_seconds(self, operation: Operation, amount: float) -> float:
        """*amount* counts characters (TTS), seconds of audio (STT) or thousands of tokens (CHAT)."""
        first = self.pace.first_byte.get(operation)
        return 0.0 if first is None else first.draw(amount, self._random)

    def audio_seconds(self, played_seconds: float) -> float:
        """How long a chunk of audio that plays so long takes to come."""
        return played_seconds / self.pace.audio_speed if self.pace.audio_speed else 0.0

    def tokens_seconds(self, tokens: int) -> float:
        return tokens / self.pace.tokens_per_second if self.pace.tokens_per_second else 0.0


def profile(name: str) -> Mapping[str, Pace]:
    """Paces by provider for ``NAME`` or ``NAME:FACTOR`` (2 is twice as slow).

    Raises:
        ValueError: no such profile, or no such number.
    """
    name, _, factor = name.partition(":")
    if name not in PROFILES:
        raise ValueError(f"no latency profile is called {name!r}; there are {', '.join(PROFILES)}")
    paces = PROFILES[name]
    return {provider: pace.scaled(float(factor)) for provider, pace in paces.items()} if factor else paces
