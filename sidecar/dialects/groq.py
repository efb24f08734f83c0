"""Groq: the family of OpenAI below ``/openai/v1``, with an own set of speech formats and a choice of sample rate."""

from collections.abc import Mapping
from typing import ClassVar

from sidecar.dialects.error_kinds import Rules
from sidecar.dialects.family import Reader
from sidecar.dialects.openai_audio import read_speech
from sidecar.dialects.openai_family import KINDS, PHRASES, READERS, OpenAIFamily, Routes, routes
from sidecar.failure import Kind

_KINDS = {
    # more at once than a minute's limit: waiting is of no use
    (413, "rate_limit_exceeded"): Kind.UNSUPPORTED,
    # the flexible tier's capacity
    (498, ""): Kind.OVERLOADED,
    (None, "blocked_api_access"): Kind.QUOTA,
    (None, "organization_restricted"): Kind.AUTH,
    # what the model wrote was not what was asked of it
    (None, "json_validate_failed"): Kind.SERVER,
    (None, "tool_use_failed"): Kind.SERVER,
}


class Groq(OpenAIFamily):
    name: ClassVar[str] = "groq"
    system: ClassVar[str] = "groq"
    exact: ClassVar[Routes] = routes("/openai/v1", sockets={})
    rules: ClassVar[Rules] = Rules(phrases=PHRASES, kinds={**KINDS, **_KINDS})
    readers: ClassVar[Mapping[str, Reader]] = {**READERS, "audio.speech": read_speech}


DIALECT = Groq()
