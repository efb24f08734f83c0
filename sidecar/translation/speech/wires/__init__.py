"""How each kind of providers is asked to speak, and answers: one module for each, by the name of its dialect."""

from typing import Final

from sidecar.translation.speech.wires.assemblyai import AssemblyAI
from sidecar.translation.speech.wires.azure import Azure
from sidecar.translation.speech.wires.cartesia import Cartesia
from sidecar.translation.speech.wires.deepgram import Deepgram
from sidecar.translation.speech.wires.elevenlabs import ElevenLabs
from sidecar.translation.speech.wires.google import Google
from sidecar.translation.speech.wires.mistral import Mistral
from sidecar.translation.speech.wires.openai import AzureOpenAI, Groq, OpenAI
from sidecar.translation.speech.wires.wire import Wire
from sidecar.translation.speech.wires.yandex import Yandex

WIRES: Final[dict[str, Wire]] = {
    "assemblyai": AssemblyAI(),
    "azure_openai": AzureOpenAI(),
    "azure_speech": Azure(),
    "cartesia": Cartesia(),
    "deepgram": Deepgram(),
    "elevenlabs": ElevenLabs(),
    "google_cloud": Google(),
    "groq": Groq(),
    "mistral": Mistral(),
    "openai": OpenAI(),
    "yandex": Yandex(),
}
