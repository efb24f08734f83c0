"""The fields of OpenAI's responses that make no difference to an answer, or cannot be said anywhere else."""

from collections.abc import Mapping
from typing import Final

#: What an answer does not depend on: name -> why.
HARMLESS: Final[Mapping[str, str]] = {
    "background_options": "when an answer is made in the background, which is refused",
    "metadata": "kept with the answer, for its owner to find it",
    "prompt_cache_key": "where the provider looks for what it has read before",
    "prompt_cache_options": "what the provider keeps of what it has read",
    "prompt_cache_retention": "how long it keeps it",
    "safety_identifier": "tells the provider's users apart when it looks for abuse",
    "service_tier": "which of the provider's queues the call waits in, and its price",
    "user": "tells the provider's users apart",
}
#: What would be sealed, or is of tools that are refused: there is nothing of it to be included.
HARMLESS_INCLUDED: Final = frozenset(
    (
        *("code_interpreter_call.outputs", "computer_call_output.output.image_url", "file_search_call.results"),
        *("message.input_image.image_url", "reasoning.encrypted_content", "web_search_call.action.sources"),
        "web_search_call.results",
    )
)
#: Values, as JSON, that say what goes without saying.
USUAL: Final[Mapping[str, tuple[bytes, ...]]] = {
    "background": (b"false",),
    "parallel_tool_calls": (b"true",),
    "top_logprobs": (b"0",),
    "truncation": (b'"disabled"',),
}
_KEPT: Final = "it is kept by the agent's provider"
#: What only one who keeps conversations can answer: name -> why.
STATEFUL: Final[Mapping[str, str]] = {
    "background": "the answer would have to be fetched later, by name",
    "conversation": _KEPT,
    "previous_response_id": _KEPT,
    "prompt": _KEPT,
}
REASONS: Final[Mapping[str, str]] = {
    **STATEFUL,
    "context_management": "no other provider shortens conversations",
    "max_tool_calls": "built-in tools are not translated",
    "top_logprobs": "probabilities of tokens are not translated",
    "truncation": "no other provider shortens conversations",
}
