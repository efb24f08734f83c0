"""AssemblyAI's SDK, which has its settings in one place for the whole process."""

import threading
from typing import Any

import assemblyai as aai
from assemblyai.streaming.v3 import StreamingClient, StreamingClientOptions, StreamingEvents, StreamingParameters

from tests.scenarios.sdk.material import KEY, RATE, SPOKEN, as_socket, given, recording, samples

_PLACES = ("base_url", "sync_base_url", "tts_base_url")
_OWN = {name: getattr(aai.settings, name) for name in _PLACES}


def settle(url: str | None) -> None:
    aai.settings.api_key = KEY
    aai.settings.polling_interval = 0.05
    for name in _PLACES:
        setattr(aai.settings, name, url or _OWN[name])


def transcript(url: str | None) -> str:
    """An upload, a job, and one look at it."""
    settle(url)
    config = aai.TranscriptionConfig(language_code="en", speech_models=["universal-3-pro"])
    return str(aai.Transcriber(config=config).transcribe(recording()).text)


def sync(url: str | None) -> str:
    settle(url)
    return str(aai.SyncTranscriber().transcribe(recording(), aai.SyncTranscriptionConfig(language_codes=["en"])).text)


def speech(url: str | None) -> bytes:
    settle(url)
    config = aai.TTSConfig(voice_id="aai-alba", container=aai.TTSContainer.wav)
    return bytes(aai.TextToSpeech().synthesize(SPOKEN, config).audio)


def streaming(url: str | None) -> str:
    settle(url)
    turns: list[str] = []
    ended = threading.Event()
    host = None if url is None else as_socket(url)
    transcriber = StreamingClient(StreamingClientOptions(api_key=KEY, max_connection_retries=0, **given(api_host=host)))

    def turned(_: Any, event: Any) -> None:
        if event.end_of_turn:
            turns.append(event.transcript)

    def failed(_: Any, error: Any) -> None:
        turns.append(f"failed: {error}")
        ended.set()

    transcriber.on(StreamingEvents.Turn, turned)
    transcriber.on(StreamingEvents.Error, failed)
    transcriber.on(StreamingEvents.Termination, lambda *_: ended.set())
    wanted: Any = {"sample_rate": RATE, "speech_model": "universal-streaming-english"}
    transcriber.connect(StreamingParameters(**wanted))
    if not ended.is_set():
        transcriber.stream(samples())
    transcriber.disconnect(terminate=True)
    return " ".join(turns)
