"""In what the providers differ that offer chat completions."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from sidecar.translation.chat import efforts, identifiers
from sidecar.translation.chat.ask import Effort
from sidecar.translation.chat.completions import fields


class Style(Struct, frozen=True, kw_only=True):
    path: str = "/v1/chat/completions"
    takes: frozenset[str] = fields.OPENAI
    """The top-level fields that it takes."""
    max_tokens: str = "max_completion_tokens"
    seed: str = "seed"
    call_ids: identifiers.Form = identifiers.OPENAI
    usage: Literal["asked", "last", "x_groq"] = "asked"
    """How a stream says what was used: if ``asked``, in the ``last`` chunk with a choice, or there in ``x_groq``."""
    strict_order: bool = False
    """Whether turns must come in an order."""
    own_messages: bool = False
    """Whether messages differ in more than a name from OpenAI's."""
    audio: Literal["object", "text", ""] = "object"
    """How recordings are written: an object with data and format, the data alone; not at all."""
    files: Literal["data", "url", ""] = "data"
    """Whether files must be in the request or stand at a URL."""
    top_temperature: float = 2.0
    most_stops: int = 4
    efforts: Mapping[Effort, str] | None = None
    """None where the words are the usual ones."""
    verbosity: bool = False
    binds_schemas: bool = True
    """Whether a strict schema must require all its properties."""


OPENAI: Final = Style(verbosity=True)
#: Its newer interface, which needs no version and has the deployment's name in the body.
AZURE: Final = Style(path="/openai/v1/chat/completions", verbosity=True)
ASSEMBLYAI: Final = Style(max_tokens="max_tokens")
GROQ: Final = Style(
    path="/openai/v1/chat/completions",
    takes=fields.GROQ,
    usage="x_groq",
    own_messages=True,
    audio="",
    files="",
    efforts=efforts.GROQ,
)
MISTRAL: Final = Style(
    takes=fields.MISTRAL,
    max_tokens="max_tokens",
    seed="random_seed",
    call_ids=identifiers.MISTRAL,
    usage="last",
    strict_order=True,
    own_messages=True,
    audio="text",
    files="url",
    top_temperature=1.5,
    most_stops=1000,
    binds_schemas=False,
)
STYLES: Final[Mapping[str, Style]] = {
    "assemblyai": ASSEMBLYAI,
    "azure_openai": AZURE,
    "groq": GROQ,
    "mistral": MISTRAL,
    "openai": OPENAI,
}


def style_of(dialect: str) -> Style:
    """Whoever else opens a door for OpenAI's clients does it as OpenAI does."""
    return STYLES.get(dialect, OPENAI)
