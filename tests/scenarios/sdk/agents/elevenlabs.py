"""ElevenLabs' SDK."""

import asyncio
import base64
from typing import Any

from elevenlabs import AudioFormat, VoiceSettings
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.realtime.connection import RealtimeEvents

from tests.scenarios.sdk.material import KEY, RATE, SPOKEN, Samples, given, recording, samples

VOICE = "JBFqnCBsd6RMkjVDRZzb"


def client(url: str | None) -> ElevenLabs:
    return ElevenLabs(api_key=KEY, **given(base_url=url))


def async_client(url: str | None) -> AsyncElevenLabs:
    return AsyncElevenLabs(api_key=KEY, **given(base_url=url))


def convert(url: str | None) -> bytes:
    sound = client(url).text_to_speech.convert(
        VOICE,
        text=SPOKEN,
        model_id="eleven_multilingual_v2",
        output_format="mp3_44100_128",
        voice_settings=VoiceSettings(stability=0.4),
    )
    return b"".join(sound)


def stream(url: str | None) -> Samples:
    sound = client(url).text_to_speech.stream(
        VOICE, text=SPOKEN, model_id="eleven_flash_v2_5", language_code="en", output_format="pcm_16000"
    )
    return Samples(b"".join(sound), RATE)


async def stream_async(url: str | None) -> Samples:
    sound = async_client(url).text_to_speech.stream(
        VOICE, text=SPOKEN, model_id="eleven_flash_v2_5", output_format="pcm_16000"
    )
    return Samples(b"".join([chunk async for chunk in sound]), RATE)


def with_timestamps(url: str | None) -> Samples:
    answer: Any = client(url).text_to_speech.convert_with_timestamps(VOICE, text=SPOKEN, output_format="pcm_16000")
    return Samples(base64.b64decode(answer.audio_base_64), RATE)


def convert_realtime(url: str | None) -> Samples:
    sound: Any = client(url).text_to_speech.convert_realtime(
        VOICE, text=iter([SPOKEN]), model_id="eleven_flash_v2_5", output_format="pcm_16000"
    )
    return Samples(b"".join(sound), RATE)


def transcribe(url: str | None) -> str:
    answer: Any = client(url).speech_to_text.convert(
        model_id="scribe_v2", file=("question.wav", recording(), "audio/wav"), language_code="en"
    )
    return str(answer.text)


async def transcribe_realtime(url: str | None) -> str:
    """With a commit by hand."""
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    options: Any = {"model_id": "scribe_v2_realtime", "audio_format": AudioFormat.PCM_16000, "sample_rate": RATE}
    connection = await async_client(url).speech_to_text.realtime.connect(options)
    connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT, lambda data: heard.set_result(data["text"]))
    connection.on(RealtimeEvents.ERROR, lambda data: heard.set_exception(RuntimeError(str(data))))
    await connection.send({"audio_base_64": base64.b64encode(samples()).decode()})
    await connection.commit()
    text = await heard
    await connection.close()
    return text


# -- leaving and failing ----------------------------------------------------------------------------------------------


def stream_left(url: str | None) -> str:
    sound: Any = client(url).text_to_speech.stream(VOICE, text=SPOKEN, model_id="eleven_flash_v2_5")
    begun = len(next(iter(sound)))
    sound.close()
    return "left" if begun else "nothing came"
