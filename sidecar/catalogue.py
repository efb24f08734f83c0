"""The providers that are known without being configured: where they answer, under which hosts, and how they speak.

Regional hosts are listed one by one where the set is small and known, for TLS is ended only for names that stand here;
a ``*.suffix`` stands where customers have hosts of their own. Hosts that ask for a client certificate are left out on
purpose, since nobody can stand between them and their clients.
"""

from collections.abc import Mapping
from types import MappingProxyType

from sidecar.addresses import Name, Url
from sidecar.hosts import HostPattern
from sidecar.settings import ProviderSettings

# name, dialect, url ("" where each customer has a host of their own), further hosts
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    (
        "openai",
        "openai",
        "https://api.openai.com",
        "us.api.openai.com eu.api.openai.com ae.api.openai.com au.api.openai.com in.api.openai.com jp.api.openai.com",
    ),
    (
        "azure-openai",
        "azure_openai",
        "",
        "*.openai.azure.com *.cognitiveservices.azure.com *.services.ai.azure.com",
    ),
    (
        "azure-speech",
        "azure_speech",
        "",
        "*.stt.speech.microsoft.com *.tts.speech.microsoft.com *.api.cognitive.microsoft.com",
    ),
    ("anthropic", "anthropic", "https://api.anthropic.com", ""),
    ("gemini", "gemini", "https://generativelanguage.googleapis.com", ""),
    ("groq", "groq", "https://api.groq.com", ""),
    ("mistral", "mistral", "https://api.mistral.ai", "api.eu.mistral.ai api.us.mistral.ai"),
    ("deepgram", "deepgram", "https://api.deepgram.com", "api.eu.deepgram.com"),
    ("deepgram-agent", "deepgram", "https://agent.deepgram.com", ""),
    (
        "elevenlabs",
        "elevenlabs",
        "https://api.elevenlabs.io",
        "api.us.elevenlabs.io api.eu.residency.elevenlabs.io api.in.residency.elevenlabs.io "
        "api.sg.residency.elevenlabs.io",
    ),
    (
        "google-speech",
        "google_cloud",
        "https://speech.googleapis.com",
        "eu-speech.googleapis.com us-speech.googleapis.com us-central1-speech.googleapis.com "
        "europe-west4-speech.googleapis.com asia-southeast1-speech.googleapis.com",
    ),
    (
        "google-tts",
        "google_cloud",
        "https://texttospeech.googleapis.com",
        "eu-texttospeech.googleapis.com us-texttospeech.googleapis.com",
    ),
    ("yandex-stt", "yandex", "https://stt.api.cloud.yandex.net", "stt.api.ml.yandexcloud.kz"),
    ("yandex-tts", "yandex", "https://tts.api.cloud.yandex.net", "tts.api.ml.yandexcloud.kz"),
    ("yandex-llm", "openai", "https://llm.api.cloud.yandex.net", "llm.api.ml.yandexcloud.kz"),
    ("cartesia", "cartesia", "https://api.cartesia.ai", ""),
    ("assemblyai", "assemblyai", "https://api.assemblyai.com", "api.eu.assemblyai.com"),
    ("assemblyai-sync", "assemblyai", "https://sync.assemblyai.com", ""),
    ("assemblyai-streaming", "assemblyai", "https://streaming.assemblyai.com", "streaming.eu.assemblyai.com"),
    ("assemblyai-tts", "assemblyai", "https://tts.us.assemblyai.com", "tts.eu.assemblyai.com"),
    ("assemblyai-dictation", "assemblyai", "https://dictation.assemblyai.com", ""),
    ("assemblyai-llm", "assemblyai", "https://llm-gateway.assemblyai.com", "llm-gateway.eu.assemblyai.com"),
    # speak OpenAI's dialect; the paths are what stands before /v1 there
    ("openrouter", "openai", "https://openrouter.ai/api", ""),
    ("together", "openai", "https://api.together.xyz", "api.together.ai"),
    ("fireworks", "openai", "https://api.fireworks.ai/inference", ""),
    ("deepseek", "openai", "https://api.deepseek.com", ""),
    ("cerebras", "openai", "https://api.cerebras.ai", ""),
    ("perplexity", "openai", "https://api.perplexity.ai", ""),
    ("xai", "openai", "https://api.x.ai", ""),
)


def _provider(dialect: str, url: str, further_hosts: str) -> ProviderSettings:
    location = Url(url) if url else None
    own = [location.origin.host] if location else []
    hosts = tuple(HostPattern(host) for host in (*own, *further_hosts.split()))
    return ProviderSettings(dialect=dialect, url=location, hosts=hosts)


#: The built-in providers by name.
CATALOGUE: Mapping[str, ProviderSettings] = MappingProxyType(
    {Name(name): _provider(dialect, url, hosts) for name, dialect, url, hosts in _TABLE}
)
