"""What a language model is asked, in no provider's words."""

from typing import Final, Literal

from msgspec import Raw, Struct

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Role = Literal["user", "assistant", "system"]

#: What stands where a provider wants something to be said and nobody has said anything.
NOTHING_SAID: Final = "(empty)"


class Text(Struct, frozen=True):
    text: str


class Media(Struct, frozen=True, kw_only=True):
    """An image, a recording or another file: in the request itself, or elsewhere."""

    kind: Literal["image", "audio", "file"]
    media_type: str | None = None
    data: str | None = None
    """Base64 in the standard alphabet."""
    url: str | None = None
    filename: str | None = None


class ToolCall(Struct, frozen=True):
    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it: an object, if it did well."""


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool gave: a part of what is said to the model."""

    id: str
    """Of its call."""
    name: str = ""
    """Of the tool, where that is known."""
    parts: tuple[Text | Media, ...] = ()
    failed: bool = False

    @property
    def text(self) -> str:
        return "\n".join([part.text for part in self.parts if isinstance(part, Text)])


Part = Text | Media | ToolCall | ToolResult


class Turn(Struct, frozen=True):
    """Results of tools are the user's parts, calls of tools the assistant's. A system turn is an instruction that was
    given in the middle of a conversation.
    """

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "\n".join([part.text for part in self.parts if isinstance(part, Text)])

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple([part for part in self.parts if isinstance(part, ToolCall)])


class Function(Struct, frozen=True):
    """A tool that the agent has."""

    name: str
    description: str = ""
    parameters: Raw | None = None
    """JSON Schema of an object; None for no parameters."""
    strict: bool = False
    """Whether calls must follow the schema to the letter."""


class Choice(Struct, frozen=True):
    """Whether tools are to be called."""

    mode: Literal["auto", "none", "required"] = "auto"
    names: tuple[str, ...] = ()
    """If there are any, the only tools that may be called."""


class Output(Struct, frozen=True):
    """The answer is to be JSON."""

    schema: Raw | None = None
    """None for any object."""
    name: str = ""
    description: str = ""
    strict: bool = True
    """Whether the answer must follow the schema to the letter."""


class Sampling(Struct, frozen=True, kw_only=True):
    """None where the provider is to choose."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None


class Ask(Struct, frozen=True, kw_only=True):
    model: str
    """In the agent's words until `sidecar.translation.chat` puts in the target's."""
    system: tuple[str, ...] = ()
    """What instructs the model before the conversation begins."""
    turns: tuple[Turn, ...] = ()
    prefill: bool = False
    """Whether the answer is to go on from where the last turn, an assistant's, ends."""
    tools: tuple[Function, ...] = ()
    choice: Choice = Choice()
    parallel: bool = True
    """Whether several tools may be called at once."""
    output: Output | None = None
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    effort: Effort | None = None
    """How much the model is to think; None where that is the provider's choice."""
    verbosity: Literal["low", "medium", "high"] | None = None
    stream: bool = False
    usage: bool = False
    """Whether a stream is to say what was used, where that is the agent's choice."""
    thoughts: bool = False
    """Whether the agent wants to read what the model thinks."""
    listed: bool = False
    """Whether a stream is to come as a JSON list."""
