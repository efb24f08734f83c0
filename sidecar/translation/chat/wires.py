"""Which wire an endpoint speaks, and which ones a provider takes."""

from collections.abc import Mapping
from typing import Final

from sidecar.dialect import Call, Dialect
from sidecar.translation.chat.completions import COMPLETIONS
from sidecar.translation.chat.gemini import GEMINI
from sidecar.translation.chat.messages import MESSAGES
from sidecar.translation.chat.responses import RESPONSES
from sidecar.translation.chat.wire import Wire
from sidecar.translation.contract import Inexpressible

#: By ``Call.endpoint``.
_SPOKEN: Final[Mapping[str, Wire]] = {
    "chat.completions": COMPLETIONS,
    "generateContent": GEMINI,
    "messages": MESSAGES,
    "responses": RESPONSES,
    "streamGenerateContent": GEMINI,
}
#: By dialect, the one to be tried first: many who follow OpenAI know chat completions alone, and what these cannot say
#: (results of tools with images in them, files at a URL) is said in responses.
_TAKEN: Final[Mapping[str, tuple[Wire, ...]]] = {
    "anthropic": (MESSAGES,),
    "assemblyai": (COMPLETIONS,),
    "azure_openai": (COMPLETIONS, RESPONSES),
    "gemini": (GEMINI,),
    "groq": (COMPLETIONS,),
    "mistral": (COMPLETIONS,),
    "openai": (COMPLETIONS, RESPONSES),
}
#: The dialects that have language models.
DIALECTS: Final = tuple(_TAKEN)


def wire_of(call: Call) -> Wire:
    """
    Raises:
        Inexpressible: what it asks for is not said anywhere else.
    """
    wire = _SPOKEN.get(call.endpoint)
    if wire is None or call.socket:
        raise Inexpressible("call", f"{call.endpoint} is not said in other dialects")
    return wire


def target_wires(dialect: Dialect) -> tuple[Wire, ...]:
    """
    Raises:
        Inexpressible: it has no language models.
    """
    wires = _TAKEN.get(dialect.name)
    if wires is None:
        raise Inexpressible("call", f"{dialect.name} has no language models")
    return wires
