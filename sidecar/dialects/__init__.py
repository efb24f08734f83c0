"""How each provider family speaks: one module per dialect, all under the contract of `sidecar.dialect`.

A module is imported when its dialect is first asked for, so that a sidecar pays only for the families it serves.
"""

from importlib import import_module
from typing import Final

from sidecar.dialect import Dialect

_NAMES: Final = (
    "anthropic",
    "assemblyai",
    "azure_openai",
    "azure_speech",
    "cartesia",
    "deepgram",
    "elevenlabs",
    "gemini",
    "google_cloud",
    "groq",
    "mistral",
    "openai",
    "yandex",
)


def names() -> tuple[str, ...]:
    """The dialects there are, in alphabetical order."""
    return _NAMES


def load(name: str) -> Dialect:
    """
    Raises:
        ValueError: there is no dialect *name*; the message lists those there are.
    """
    if name not in _NAMES:
        raise ValueError(f"no dialect {name!r}; known are {', '.join(_NAMES)}")
    dialect: Dialect = import_module(f"sidecar.dialects.{name}").DIALECT
    return dialect
