"""The built-in providers."""

import pytest

from sidecar.catalogue import CATALOGUE
from sidecar.configuration import hosts, load, providers
from sidecar.dialects import names
from sidecar.hosts import Hosts

BUILT = providers(load())
FOUND = Hosts(hosts(load(), BUILT))


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("mtls.api.openai.com", None),
        ("my-resource.openai.azure.com", "azure-openai"),
        ("westeurope.tts.speech.microsoft.com", "azure-speech"),
        ("westeurope.api.cognitive.microsoft.com", "azure-speech"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("oauth2.googleapis.com", None),
        ("eu-speech.googleapis.com", "google-speech"),
        ("texttospeech.googleapis.com", "google-tts"),
        ("api.groq.com", "groq"),
        ("api.eu.mistral.ai", "mistral"),
        ("agent.deepgram.com", "deepgram-agent"),
        ("api.eu.residency.elevenlabs.io", "elevenlabs"),
        ("stt.api.cloud.yandex.net", "yandex-stt"),
        ("tts.api.cloud.yandex.net", "yandex-tts"),
        ("llm.api.cloud.yandex.net", "yandex-llm"),
        ("api.cartesia.ai", "cartesia"),
        ("sync.assemblyai.com", "assemblyai-sync"),
        ("streaming.eu.assemblyai.com", "assemblyai-streaming"),
        ("tts.us.assemblyai.com", "assemblyai-tts"),
        ("llm-gateway.assemblyai.com", "assemblyai-llm"),
        ("openrouter.ai", "openrouter"),
        ("api.x.ai", "xai"),
        ("example.com", None),
    ],
)
def test_a_provider_is_known_by_its_hosts(host: str, provider: str | None) -> None:
    found = FOUND.find(host)
    assert (found and found.name) == provider


def test_every_entry_can_be_reached() -> None:
    for name, provider in CATALOGUE.items():
        assert provider.url or provider.hosts, name
        assert provider.url is None or FOUND.find(provider.url.origin.host) is BUILT[name], name


def test_every_entry_speaks_a_dialect_that_there_is() -> None:
    assert {provider.dialect for provider in CATALOGUE.values()} <= set(names())


def test_no_host_belongs_to_two() -> None:
    patterns = [pattern for provider in CATALOGUE.values() for pattern in provider.hosts or ()]
    assert len(patterns) == len(set(patterns))
