"""Groq: the family of OpenAI below ``/openai/v1``, with an own set of speech formats and a choice of sample rate."""

from collections.abc import Mapping
from typing import ClassVar

from sidecar.dialects.family import Reader
from sidecar.dialects.openai_audio import read_speech
from sidecar.dialects.openai_family import READERS, OpenAIFamily, Routes, routes


class Groq(OpenAIFamily):
    name: ClassVar[str] = "groq"
    system: ClassVar[str] = "groq"
    exact: ClassVar[Routes] = routes("/openai/v1", sockets={})
    readers: ClassVar[Mapping[str, Reader]] = {**READERS, "audio.speech": read_speech}


DIALECT = Groq()
