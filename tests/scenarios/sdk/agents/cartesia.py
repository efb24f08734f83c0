"""Cartesia's SDK."""

import base64
from typing import Any

from cartesia import AsyncCartesia, Cartesia

from tests.scenarios.sdk.material import KEY, RATE, SPOKEN, Samples, as_socket, given, recording, samples

VOICE: Any = {"mode": "id", "id": "6ccbfb76"}
RAW: Any = {"container": "raw", "encoding": "pcm_f32le", "sample_rate": 44100}
WAV: Any = {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 24000}


def client(url: str | None) -> Cartesia:
    return Cartesia(api_key=KEY, **given(base_url=url, websocket_base_url=None if url is None else as_socket(url)))


def tts_bytes(url: str | None) -> bytes:
    with client(url) as cartesia:
        answer = cartesia.tts.generate(
            model_id="sonic-3.5", transcript=SPOKEN, voice=VOICE, output_format=WAV, language="en"
        )
        return answer.read()


async def tts_bytes_async(url: str | None) -> bytes:
    async with AsyncCartesia(api_key=KEY, **given(base_url=url)) as cartesia:
        answer = await cartesia.tts.generate(model_id="sonic-3.5", transcript=SPOKEN, voice=VOICE, output_format=WAV)
        return await answer.read()


def tts_sse(url: str | None) -> Samples:
    sound = b""
    with client(url) as cartesia:
        for event in cartesia.tts.generate_sse(model_id="sonic-3.5", transcript=SPOKEN, voice=VOICE, output_format=RAW):
            if event.type == "chunk":
                sound += base64.b64decode(event.data)
    return Samples(sound, 44100, "pcm_f32le")


def tts_socket(url: str | None) -> Samples:
    sound = b""
    wanted: Any = {"model_id": "sonic-3.5", "voice": VOICE, "output_format": RAW, "context_id": "c1"}
    with client(url) as cartesia, cartesia.tts.websocket_connect() as connection:
        connection.send(wanted | {"transcript": SPOKEN, "continue": False})
        for event in connection:
            if event.type == "chunk":
                sound += base64.b64decode(event.data)
            elif event.type == "done":
                break
    return Samples(sound, 44100, "pcm_f32le")


def tts_socket_by_base_url_alone(url: str | None) -> str:
    with Cartesia(api_key=KEY, **given(base_url=url)) as cartesia, cartesia.tts.websocket_connect():
        return "connected"


def stt(url: str | None) -> str:
    with client(url) as cartesia:
        file = ("question.wav", recording())
        return cartesia.stt.transcribe(file=file, model="ink-whisper", language="en").text


def stt_socket(url: str | None) -> str:
    text = ""
    with (
        client(url) as cartesia,
        cartesia.stt.manual_finalize.websocket(
            model="ink-whisper", encoding="pcm_s16le", sample_rate=RATE, language="en"
        ) as connection,
    ):
        connection.send_raw(samples())
        connection.send_raw("done")
        for event in connection:
            if event.type == "transcript" and event.is_final:
                text += event.text
            elif event.type == "done":
                break
    return text


# -- leaving and failing ----------------------------------------------------------------------------------------------


def tts_left(url: str | None) -> str:
    wanted: Any = {"model_id": "sonic-3.5", "transcript": SPOKEN, "voice": VOICE, "output_format": RAW}
    with client(url) as cartesia, cartesia.tts.with_streaming_response.generate(**wanted) as answer:
        return "left" if next(answer.iter_bytes()) else "nothing came"
