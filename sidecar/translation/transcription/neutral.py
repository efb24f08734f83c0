"""What all wires can be put into: a request to write down speech, and what was heard. No dialect's words."""

from enum import IntEnum

from msgspec import Struct

from sidecar.payload import Usage
from sidecar.translation.transcription.recording import Sound


class Wish(IntEnum):
    """How much an agent wants something."""

    NO = 0
    WELCOME = 1
    """Its provider gives it anyway: another that cannot is no obstacle, but it is said."""
    REQUIRED = 2
    """It asked for it in so many words."""


class Ask(Struct, frozen=True, kw_only=True):
    """A request to write down what is said in a recording."""

    audio: bytes = b""
    sound: Sound = Sound()
    """What ``audio`` is."""
    address: str | None = None
    """Where the recording is instead, for a provider that fetches it: http or https."""
    model: str | None = None
    """As the agent named it."""
    languages: tuple[str, ...] = ()
    """As the agent wrote them, the likeliest first; none where the provider is to find out."""
    prompt: str = ""
    """Text that goes before, or instructs."""
    terms: tuple[str, ...] = ()
    """Words and phrases to listen for."""
    words: Wish = Wish.NO
    """Words with their times."""
    segments: Wish = Wish.NO
    """Stretches of the text with their times."""
    speakers: bool = False
    """Who says what."""
    speaker_count: int | None = None
    logprobs: bool = False
    """How likely each token was."""
    translate: bool = False
    """Whether the text is to be in English, whatever is spoken."""
    punctuation: Wish = Wish.WELCOME
    """``NO`` where the agent's dialect has a switch for it that is off: then it is taken out of the text again."""
    filter_profanity: bool = False
    temperature: float | None = None
    stream: bool = False
    output: str = ""
    """The form of the answer, where the agent's dialect has several: json, text, verbose_json, srt, vtt, …"""
    peculiar: tuple[tuple[str, str], ...] = ()
    """Fields that only the agent's provider can heed, each with the reason."""
    indifferent: tuple[str, ...] = ()
    """Fields that make no difference to the answer; each wire has a table of them with reasons."""


class Word(Struct, frozen=True):
    """Times are in seconds from the beginning, confidence between 0 and 1."""

    text: str
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speaker: str | None = None
    """Any label; the same one for the same speaker."""


class Segment(Struct, frozen=True):
    """A stretch of the text, most often a sentence."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


class Transcript(Struct, frozen=True, kw_only=True):
    """What was heard. Silence has an empty text."""

    text: str
    language: str | None = None
    """ISO 639-1 where there is such a code, in lower case."""
    seconds: float | None = None
    """How long the recording is."""
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    usage: Usage | None = None

    @property
    def timed(self) -> "tuple[Word | Segment, ...]":
        """All that may have times, and speakers."""
        return (*self.words, *self.segments)


class Delta(Struct, frozen=True):
    """Of a stream: the text goes on."""

    text: str


Piece = Delta | Segment | Transcript
"""Of a stream. The transcript is its last; what comes without one has broken off."""
