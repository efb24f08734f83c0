"""What happens while a language model answers, in no provider's words.

Readers keep to this order: pieces of text, of refusals, of thoughts and calls of tools, one after another; all pieces
of a call's arguments come before anything else does. Then, in either order, why it ended and what was used. Or it
fails.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"
    """The provider would not say more, or anything."""


class TextDelta(Struct, frozen=True):
    text: str


class RefusalDelta(Struct, frozen=True):
    """A piece of why the model will not answer."""

    text: str


class ReasoningDelta(Struct, frozen=True):
    text: str


class CallBegun(Struct, frozen=True):
    name: str


class ArgumentsDelta(Struct, frozen=True):
    """A piece of JSON, of the call that began last."""

    text: str


class Finished(Struct, frozen=True):
    reason: Reason
    stop_sequence: str | None = None
    """What was found of what the agent asked to stop at, where the provider tells."""


class Tokens(Struct, frozen=True, kw_only=True):
    """What the provider says an answer took. None where it says nothing."""

    input: int | None = None
    """All that went in, cached ones included."""
    cached: int | None = None
    """Of those, read from the provider's cache."""
    cache_written: int | None = None
    """Of those, written to it."""
    audio_input: int | None = None
    output: int | None = None
    """All that came out, thoughts included."""
    reasoning: int | None = None
    audio_output: int | None = None

    def updated(self, later: "Tokens") -> "Tokens":
        """Counts grow as an answer comes: what *later* says holds."""
        return Tokens(
            **{
                name: getattr(self, name) if (value := getattr(later, name)) is None else value
                for name in Tokens.__struct_fields__
            }
        )


class Used(Struct, frozen=True):
    tokens: Tokens


class Failed(Struct, frozen=True):
    """The provider gave up. ``kind`` is its own word for why, ``status`` the HTTP status that it would have had."""

    kind: str
    message: str
    status: int


Event = TextDelta | RefusalDelta | ReasoningDelta | CallBegun | ArgumentsDelta | Finished | Used | Failed


class Called(Struct):
    """A whole call of a tool."""

    name: str
    arguments: str = ""


class Said(Struct, kw_only=True):
    """A whole answer."""

    blocks: list[TextDelta | RefusalDelta | ReasoningDelta | Called]
    """In order; no two texts, refusals or thoughts stand side by side."""
    finished: Finished = Finished(Reason.STOP)
    tokens: Tokens = Tokens()

    @property
    def text(self) -> str:
        return "".join([block.text for block in self.blocks if isinstance(block, TextDelta)])

    @property
    def refusal(self) -> str:
        return "".join([block.text for block in self.blocks if isinstance(block, RefusalDelta)])

    @property
    def reasoning(self) -> str:
        return "".join([block.text for block in self.blocks if isinstance(block, ReasoningDelta)])

    @property
    def calls(self) -> list[Called]:
        return [block for block in self.blocks if isinstance(block, Called)]


def gathered(events: Iterable[Event]) -> Said:
    """The answer that *events* give piece by piece."""
    said = Said(blocks=[])
    runs: list[tuple[type, list[str]]] = []
    names: list[str] = []
    for event in events:
        match event:
            case TextDelta(text) | RefusalDelta(text) | ReasoningDelta(text):
                if not runs or runs[-1][0] is not type(event):
                    runs.append((type(event), []))
                    names.append("")
                runs[-1][1].append(text)
            case CallBegun(name):
                runs.append((Called, []))
                names.append(name)
            case ArgumentsDelta(text):
                runs[-1][1].append(text)
            case Finished():
                said.finished = event
            case Used(tokens):
                said.tokens = said.tokens.updated(tokens)
            case Failed():
                pass
    for (kind, pieces), name in zip(runs, names, strict=True):
        text = "".join(pieces)
        said.blocks.append(Called(name, text) if kind is Called else kind(text))
    return said
