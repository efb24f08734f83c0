"""What an engine is to the emulated providers."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from msgspec import Struct

from sidecar.lab.audio.pcm import Pcm


class EngineMissing(RuntimeError):
    """A real engine cannot be had: what it needs is not installed, or is not what it should be."""


class Progress(Struct, frozen=True):
    """How far the start of an engine has come; ``part`` between 0 and 1."""

    engine: str
    step: str
    part: float


ProgressCallback = Callable[[Progress], None]


class Voice(Struct, frozen=True):
    """Who speaks, and how. Engines take from it what they can; a difference in any of it may be heard."""

    name: str = ""
    model: str = ""
    speed: float = 1.0
    style: str = ""
    """Instructions, emotion, language and whatever else shapes the voice, in any form."""


class Word(Struct, frozen=True):
    text: str
    start_seconds: float
    end_seconds: float
    confidence: float = 0.98


class Segment(Struct, frozen=True):
    """A stretch of speech. ``text`` keeps the space that separates it from the next."""

    text: str
    start_seconds: float
    end_seconds: float
    words: tuple[Word, ...] = ()


class Transcript(Struct, frozen=True):
    segments: tuple[Segment, ...]
    duration_seconds: float
    language: str = "en"

    @property
    def text(self) -> str:
        return "".join(segment.text for segment in self.segments).strip()

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)


class Synthesizer(Protocol):
    repeatable: bool
    """Whether the same text is always the same sound."""

    def speak(self, text: str, voice: Voice, rate: int) -> AsyncGenerator[Pcm, None]:
        """*text* as sound, sentence by sentence as it is made. *rate* is a wish, heeded if the engine can."""
        ...


class Recognizer(Protocol):
    interim_seconds: float
    """How much new audio is worth another interim transcript, as against the work."""

    async def transcribe(self, audio: Pcm, language: str | None = None, prompt: str = "") -> Transcript:
        """What is said in *audio*; no segments if nothing is."""
        ...

    def unreadable(self, data: bytes) -> Transcript | None:
        """What is to be said of *data*, which is no audio of any known format; None to refuse it."""
        ...


class Turn(Struct, frozen=True):
    """One turn of a conversation: ``role`` is system, user, assistant or tool."""

    role: str
    text: str


class ToolSpec(Struct, frozen=True):
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    """A JSON Schema."""


class Prompt(Struct, frozen=True, kw_only=True):
    """What a language model is asked."""

    turns: tuple[Turn, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    """auto, none, required, or the name of the tool that must be called."""
    schema: dict[str, Any] | None = None
    """The JSON Schema that the answer must follow."""
    json_output: bool = False
    max_tokens: int | None = None
    context: str = ""
    """What stands before the conversation and counts as input but is not read: tool definitions and the like."""


class ToolCall(Struct, frozen=True):
    name: str
    arguments: dict[str, Any]


class Completion(Struct, frozen=True, kw_only=True):
    text: str
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int
    cached_tokens: int = 0
    """Of the input tokens, those whose prefix was seen before."""
    output_tokens: int
    finish: str = "stop"
    """stop, length or tool_calls."""

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class ChatModel(Protocol):
    async def complete(self, prompt: Prompt) -> Completion: ...


class Engines(Struct, frozen=True):
    synthesizer: Synthesizer
    recognizer: Recognizer
    chat: ChatModel
