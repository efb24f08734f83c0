"""What a call to speak asks for, in no provider's words, and the account of what is left out of it."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.translation.contract import Inexpressible

#: Bytes of one sample of the codecs that need no container. One channel is all that anybody speaks with.
SAMPLE_BYTES: Final = {"pcm_s16le": 2, "pcm_f32le": 4, "mulaw": 1, "alaw": 1}

#: What each value of ``SpeechAsk`` is called where it cannot be said, and in ``Target.may_lose``.
FEATURES: Final = ("instructions", "emotion", "pitch", "volume", "seed")


class Manner(StrEnum):
    """How the agent wants its audio."""

    BYTES = "bytes"
    """As it is made; a WAV header may say "until the end"."""
    FILE = "file"
    """The same once it is whole, with true sizes in its header."""
    EVENTS = "events"
    """In an event stream, as it is made."""
    DOCUMENT = "document"
    """Base64 in one JSON document."""
    LINES = "lines"
    """Base64 in JSON documents one after another, as it is made."""


class Audio(Struct, frozen=True):
    """A form of audio, always of one channel.

    ``codec`` is one of `SAMPLE_BYTES`, mp3, opus, aac, flac; ``container`` raw, wav, ogg, webm, adts, mp3, flac.
    """

    codec: str
    container: str
    rate: int
    """In Hz. Opus decodes at 48000 whatever was encoded (RFC 7845 section 5.1), so there it is always that."""
    bit_rate: int | None = None
    """In bit/s, where there is a choice; None for whatever is usual."""

    @property
    def sample_bytes(self) -> int | None:
        """Of one sample, where samples stand one by one; None for what is compressed in blocks."""
        return SAMPLE_BYTES.get(self.codec)

    def __str__(self) -> str:
        wrapped = " in WAV" if self.container == "wav" else " in WebM" if self.container == "webm" else ""
        return f"{self.codec}{wrapped} at {self.rate} Hz"


class Extra(Struct, frozen=True):
    """A field of a request that no other provider knows."""

    name: str
    harmless: str | None = None
    """Why an answer without it is the same; None where it is not."""


class Original(Struct, frozen=True, eq=False):
    """The request as the agent sent it, and what it was to speak."""

    request: Request
    call: Call
    text: str
    ssml: bool


class SpeechAsk(Struct, frozen=True, kw_only=True, eq=False):
    """A request to speak. What is None was not asked for."""

    text: str
    """Of SSML, what stands inside its root and its only voice."""
    audio: Audio
    dialect: str = ""
    """The agent's."""
    ssml: bool = False
    rate_matters: bool = True
    """Whether the agent relies on the sample rate: it named it, or the audio does not say it."""
    manner: Manner = Manner.BYTES
    model: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    """1.0 is the voice's normal pace."""
    pitch: float | None = None
    """Semitones above the voice's own."""
    volume: float | None = None
    """Gain in dB."""
    instructions: str | None = None
    """How to speak, in prose."""
    emotion: str | None = None
    """The same in one word."""
    seed: int | None = None
    timestamps: str | None = None
    """What is to be timed in the answer: characters, words, phonemes."""
    markup: bool = False
    """Whether there are marks in ``text`` that only the agent's provider understands."""
    extras: tuple[Extra, ...] = ()
    echo: str | None = None
    """What the agent's provider says again in its answer."""
    original: Original | None = None
    """None for what no agent has sent."""


class Leave:
    """What may be left out of a request, and what was."""

    def __init__(self, may_lose: frozenset[str] = frozenset()) -> None:
        self._may_lose = may_lose
        self.lost: list[str] = []

    def without(self, feature: str, reason: str) -> None:
        """Go on without *feature*.

        Raises:
            Inexpressible: that is not allowed.
        """
        if feature not in self._may_lose:
            raise Inexpressible(feature, reason)
        self.note(feature)

    def note(self, feature: str) -> None:
        """*feature* is left out, which makes no difference."""
        if feature not in self.lost:
            self.lost.append(feature)
