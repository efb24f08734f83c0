"""Names of OpenTelemetry's semantic conventions, in one place because they move.

They are those of the last frozen text on generative AI (semantic-conventions v1.41.1, docs/gen-ai). Speech has no
convention yet: the operation names are those of its open proposal, and what has no name stands under ``sidecar.``.
"""

from typing import Final

from sidecar import Operation

SCOPE: Final = "agent-sidecar"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"

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


def operation_name(operation: Operation, endpoint: str) -> str:
    return _BY_ENDPOINT.get(endpoint) or _OPERATIONS.get(operation, operation.value)


def output_type(operation: Operation) -> str:
    """``gen_ai.output.type``."""
    return "speech" if operation in (Operation.TTS, Operation.REALTIME) else "text"
