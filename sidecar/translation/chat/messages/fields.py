"""The fields of Anthropic's messages that make no difference to an answer, or cannot be said anywhere else."""

import re
from collections.abc import Mapping
from typing import Final

_CACHED: Final = "what the provider is to keep of what it has read"

#: https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6#prefill-removal: later ones refuse it.
_PREFILLED: Final = re.compile(
    r"(?:.*[./])?claude-(?:(?:[23]\b|instant).*|(?:opus|sonnet|haiku)-4(?:-[015])?(?:[-@]\d{8})?)"
)

#: What an answer does not depend on: name -> why.
HARMLESS: Final[Mapping[str, str]] = {
    "cache_control": _CACHED,
    "diagnostics": "asks why nothing was read from the cache",
    "metadata": "tells the provider's users apart",
    "service_tier": "which of the provider's queues the call waits in, and its price",
    "speed": "makes an answer come sooner, and no other answer",
}
HARMLESS_IN_BLOCK: Final[Mapping[str, str]] = {
    "cache_control": _CACHED,
    "caller": "which of the provider's own tools made the call",
}
HARMLESS_IN_TOOL: Final[Mapping[str, str]] = {
    "cache_control": _CACHED,
    "eager_input_streaming": "in how large pieces arguments come",
}
#: Values, as JSON, that say what goes without saying.
USUAL_IN_TOOL: Final[Mapping[str, tuple[bytes, ...]]] = {"defer_loading": (b"false",)}
#: What only one who keeps something can answer: name -> why.
STATEFUL: Final[Mapping[str, str]] = {"container": "it is kept by the agent's provider"}
REASONS: Final[Mapping[str, str]] = {
    **STATEFUL,
    "context_management": "no other provider shortens conversations",
    "inference_geo": "where an answer is made cannot be asked for elsewhere",
    "mcp_servers": "built-in tools are not translated",
}


def takes_prefill(model: str) -> bool:
    """Whether *model* goes on from a last turn that is its own."""
    return _PREFILLED.fullmatch(model) is not None
