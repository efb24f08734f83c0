"""Which wire is spoken, by the agent and by a target, and what the agent asks for."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from sidecar.dialects.documents import UNREADABLE
from sidecar.exchange import Exchange
from sidecar.payload import Transcription
from sidecar.translation.contract import Inexpressible, Target
from sidecar.translation.transcription.assemblyai import AssemblyAI
from sidecar.translation.transcription.azure_speech import AzureSpeech
from sidecar.translation.transcription.cartesia import Cartesia
from sidecar.translation.transcription.deepgram import Deepgram
from sidecar.translation.transcription.elevenlabs import ElevenLabs
from sidecar.translation.transcription.google import GoogleCloud, GoogleCloudV2, recognizer_of
from sidecar.translation.transcription.mistral import Mistral
from sidecar.translation.transcription.neutral import Ask
from sidecar.translation.transcription.openai import AzureOpenAI, Groq, OpenAI
from sidecar.translation.transcription.recording import sound_of
from sidecar.translation.transcription.wire import Wire
from sidecar.translation.transcription.yandex import Yandex

_WIRES: Final = (
    *(OpenAI(), AzureOpenAI(), Groq(), Mistral(), Deepgram(), ElevenLabs(), GoogleCloud(), Yandex()),
    *(Cartesia(), AzureSpeech(), AssemblyAI()),
)
#: By dialect: what a target is spoken to in.
TARGETS: Final[Mapping[str, Wire]] = {wire.dialect: wire for wire in _WIRES}
GOOGLE_V2: Final = GoogleCloudV2()
#: Endpoints of agents that more than one call goes to.
JOBS: Final[Mapping[str, str]] = {
    "transcript": "the job's result is asked for by calls of its own",
    "speech.longrunningrecognize": "the operation's result is asked for by calls of its own",
    "stt.v3.recognizeFileAsync": "the operation's result is asked for by calls of its own",
}
#: By endpoint of each dialect: what agents speak.
_ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "assemblyai": ("transcribe", "transcribe.live"),
    "azure_openai": ("audio.transcriptions", "audio.translations"),
    "azure_speech": ("recognize",),
    "cartesia": ("stt",),
    "deepgram": ("listen",),
    "elevenlabs": ("speech-to-text",),
    "google_cloud": ("speech.recognize",),
    "groq": ("audio.transcriptions", "audio.translations"),
    "mistral": ("audio.transcriptions",),
    "openai": ("audio.transcriptions", "audio.translations"),
    "yandex": ("stt.recognize",),
}
_AGENTS: Final[Mapping[tuple[str, str], Wire]] = {
    **{(dialect, endpoint): TARGETS[dialect] for dialect, endpoints in _ENDPOINTS.items() for endpoint in endpoints},
    ("google_cloud", "speech.v2.recognize"): GOOGLE_V2,
}
#: What dialects call one and the same.
_ENCODINGS: Final = {"linear32": "pcm_f32le"}


def agents_wire(dialect: str, endpoint: str) -> Wire:
    """
    Raises:
        Inexpressible: calls to that endpoint cannot be said in another dialect.
    """
    wire = _AGENTS.get((dialect, endpoint))
    if wire is None:
        raise Inexpressible("call", JOBS.get(endpoint, "this endpoint has no counterpart elsewhere"))
    return wire


def targets_wire(target: Target) -> Wire:
    """
    Raises:
        Inexpressible: providers of that dialect do not write down speech.
    """
    dialect = target.dialect.name
    if dialect == "google_cloud" and recognizer_of(target.model)[0] is not None:
        return GOOGLE_V2
    wire = TARGETS.get(dialect)
    if wire is None:
        raise Inexpressible("call", f"{dialect} does not write down speech")
    return wire


def asked(exchange: Exchange, wire: Wire) -> Ask:
    """What the agent asks for by *exchange*, which speaks *wire*.

    Raises:
        Inexpressible: it cannot be read, has no recording, or asks for what nobody else has.
    """
    coding = (exchange.request.headers.get("content-encoding") or "identity").strip().lower()
    if coding != "identity":
        raise Inexpressible("body", "it comes with a content coding")
    view = exchange.payload
    if not isinstance(view, Transcription):
        raise Inexpressible("body", "it cannot be read")
    try:
        ask = wire.read(view, exchange)
    except UNREADABLE:
        raise Inexpressible("body", "it cannot be read") from None
    audio = view.audio or b""
    if not audio and ask.address is None:
        raise Inexpressible("body", "there is no recording in it")
    if audio and ask.address is not None:
        raise Inexpressible("audio_url", "there are two recordings")
    if ask.address is not None and not ask.address.startswith(("https://", "http://")):
        raise Inexpressible("audio_url", "only the agent's provider can fetch it")
    declared = wire.unmarked or _ENCODINGS.get(view.format or "", view.format)
    return replace(ask, audio=audio, sound=sound_of(audio, declared, view.sample_rate, ask.sound.channels))
