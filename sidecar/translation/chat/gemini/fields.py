"""The fields of requests to Gemini that make no difference to an answer, or cannot be said anywhere else."""

from collections.abc import Mapping
from typing import Final

from sidecar.translation.chat import efforts

#: In the place of what Gemini seals its thoughts with: a call that it has not made itself. Documented at
#: https://ai.google.dev/gemini-api/docs/thought-signatures for conversations that come from other models.
FOREIGN_SIGNATURE: Final = "skip_thought_signature_validator"

#: What an answer does not depend on: name -> why.
HARMLESS: Final[Mapping[str, str]] = {
    "labels": "whom the bill names",
    "model": "it stands in the path",
    "serviceTier": "which of the provider's queues the call waits in, and its price",
    "store": "whether the provider keeps the answer, for its owner to look at",
}
HARMLESS_IN_CONFIG: Final[Mapping[str, str]] = {
    "mediaResolution": "how closely an image is looked at; others choose by themselves",
}
HARMLESS_IN_PART: Final[Mapping[str, str]] = {
    "mediaResolution": "how closely an image is looked at; others choose by themselves",
    "partMetadata": "the agent's own remarks",
    "thoughtSignature": "what another model thought, sealed by its provider",
}
#: Values, as JSON, that say what goes without saying.
USUAL_IN_CONFIG: Final[Mapping[str, tuple[bytes, ...]]] = {
    "candidateCount": (b"1",),
    "enableEnhancedCivicAnswers": (b"false",),
    "frequencyPenalty": (b"0", b"0.0"),
    "presencePenalty": (b"0", b"0.0"),
    "responseLogprobs": (b"false",),
    "responseModalities": (b'["TEXT"]', b'["text"]'),
}
#: What only one who keeps something can answer: name -> why.
STATEFUL: Final[Mapping[str, str]] = {"cachedContent": "it is kept by the agent's provider"}
REASONS: Final[Mapping[str, str]] = STATEFUL
REASONS_IN_CONFIG: Final[Mapping[str, str]] = {
    "candidateCount": "only one answer can be asked for",
    "logprobs": "probabilities of tokens are not translated",
    "responseLogprobs": "probabilities of tokens are not translated",
    "responseModalities": "no other provider speaks or draws its answers",
    "speechConfig": "no other provider speaks its answers",
}


def wants_signatures(model: str) -> bool:
    """Whether *model* refuses conversations with calls that are not sealed: from the third generation on."""
    return efforts.is_levelled(model)
