"""Names of OpenTelemetry's semantic conventions, in one place because they move.

``genai-1.41`` is the last frozen text (semantic-conventions v1.41.1, docs/gen-ai); ``genai-next`` follows the
repository semantic-conventions-genai, where some names differ. Speech has no convention yet: the operation names are
those of its open proposal, and what has no name stands under ``sidecar.``.
"""

from typing import Final

from sidecar import Operation

SCOPE: Final = "agent-sidecar"
SCHEMA_URLS: Final = {
    "genai-1.41": "https://opentelemetry.io/schemas/1.41.0",
    "genai-next": "https://opentelemetry.io/schemas/1.44.0",
}

#: ``gen_ai.operation.name`` by our own word; chat is told apart by its endpoint.
_OPERATIONS: Final = {
    Operation.STT: "speech_to_text",
    Operation.TTS: "text_to_speech",
    Operation.CHAT: "chat",
    Operation.REALTIME: "realtime_inference",
}
_BY_ENDPOINT: Final = {
    "completions": "text_completion",
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
}

#: Attributes whose names the conventions are still changing: by profile.
CACHE_WRITE_TOKENS: Final = {
    "genai-1.41": "gen_ai.usage.cache_creation.input_tokens",
    "genai-next": "gen_ai.usage.cache_write.input_tokens",
}


def operation_name(operation: Operation, endpoint: str) -> str:
    return _BY_ENDPOINT.get(endpoint) or _OPERATIONS.get(operation, operation.value)


def output_type(operation: Operation) -> str:
    """``gen_ai.output.type``."""
    return "speech" if operation in (Operation.TTS, Operation.REALTIME) else "text"
