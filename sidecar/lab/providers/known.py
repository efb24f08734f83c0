"""Which providers there are; each is imported only when a lab wants it."""

from importlib import import_module
from typing import cast

from sidecar.lab.emulation import Emulation

_WHERE = {
    "openai": "openai:OpenAI",
    "generic": "openai:Generic",
    "azure-openai": "azure:AzureOpenAI",
    "azure-speech": "azure_speech:AzureSpeech",
    "anthropic": "anthropic:Anthropic",
    "gemini": "gemini:Gemini",
    "groq": "groq:Groq",
    "mistral": "mistral:Mistral",
    "deepgram": "deepgram:Deepgram",
    "elevenlabs": "elevenlabs:ElevenLabs",
    "google-speech": "google_speech:GoogleSpeech",
    "yandex": "yandex:Yandex",
    "cartesia": "cartesia:Cartesia",
    "assemblyai": "assemblyai:AssemblyAI",
}

NAMES = tuple(_WHERE)


def emulation_of(name: str) -> type[Emulation]:
    """Raises:
    ValueError: no provider of that name is emulated.
    """
    if name not in _WHERE:
        raise ValueError(f"no provider is called {name!r}; there are {', '.join(NAMES)}")
    module, _, attribute = _WHERE[name].partition(":")
    return cast(type[Emulation], getattr(import_module(f"sidecar.lab.providers.{module}"), attribute))
