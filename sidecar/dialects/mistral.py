"""Mistral: the family of OpenAI with own names for voices and recordings, and audio in JSON."""

from collections.abc import Mapping
from typing import ClassVar

from sidecar.dialect import Operation, Phrase
from sidecar.dialects.error_kinds import Kinds, Rules
from sidecar.dialects.family import Reader, phrase
from sidecar.dialects.openai_audio import read_speech
from sidecar.dialects.openai_chat import read_chat, read_completion
from sidecar.dialects.openai_family import READERS, REFUSALS, OpenAIFamily, Routes, routes
from sidecar.failure import Kind

_KINDS: Kinds = {
    # the tier has no room at the time: not this caller alone is too fast
    (None, "service_tier_capacity_exceeded"): Kind.OVERLOADED,
    (None, "unreachable_backend"): Kind.OVERLOADED,
}
# Never 422: for that one the SDK wants a list of what a validator found.
_REFUSALS = {
    **REFUSALS,
    Kind.RATE: (429, "rate_limited"),
    Kind.CONCURRENCY: (429, "rate_limited"),
    Kind.QUOTA: (402, "quota_exceeded"),
    Kind.AUTH: (401, "authentication_error"),
    Kind.OVERLOADED: (503, "service_unavailable"),
    Kind.SERVER: (500, "internal_server_error"),
}

_POSTED = {
    "chat/completions": (Operation.CHAT, "chat.completions"),
    "agents/completions": (Operation.CHAT, "agents.completions"),
    "fim/completions": (Operation.CHAT, "fim.completions"),
    "responses": (Operation.CHAT, "responses"),
    "embeddings": (Operation.PASSTHROUGH, "embeddings"),
    "audio/transcriptions": (Operation.STT, "audio.transcriptions"),
    "audio/speech": (Operation.TTS, "audio.speech"),
}
_SOCKETS = {
    "audio/transcriptions/realtime": (Operation.STT, "audio.transcriptions.realtime"),
    "audio/speech/realtime": (Operation.TTS, "audio.speech.realtime"),
}


class Mistral(OpenAIFamily):
    name: ClassVar[str] = "mistral"
    system: ClassVar[str] = "mistral_ai"
    exact: ClassVar[Routes] = routes("/v1", _POSTED, _SOCKETS)
    readers: ClassVar[Mapping[str, Reader]] = {
        **READERS,
        "agents.completions": read_chat,
        "fim.completions": read_completion,
        "audio.speech": read_speech,
    }

    rules: ClassVar[Rules] = Rules(kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = _REFUSALS

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        envelope = {"object": "error", "message": message, "type": kind, "param": None, "code": None}
        return phrase(status, envelope | {"raw_status_code": status})


DIALECT = Mistral()
