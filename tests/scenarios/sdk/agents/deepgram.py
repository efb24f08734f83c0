"""Deepgram's SDK."""

from typing import Any

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from tests.scenarios.sdk.material import KEY, RATE, SPOKEN, Samples, as_socket, given, recording, samples

LIVE: dict[str, Any] = {"model": "nova-3", "encoding": "linear16", "sample_rate": RATE}


def places(url: str | None) -> DeepgramClientEnvironment | None:
    if url is None:
        return None
    return DeepgramClientEnvironment(base=url, production=as_socket(url), agent=as_socket(url), agent_rest=url)


def client(url: str | None) -> DeepgramClient:
    return DeepgramClient(api_key=KEY, **given(environment=places(url)))


def async_client(url: str | None) -> AsyncDeepgramClient:
    return AsyncDeepgramClient(api_key=KEY, **given(environment=places(url)))


def listen(url: str | None) -> str:
    media = client(url).listen.v1.media
    answer: Any = media.transcribe_file(request=recording(), model="nova-3", language="en", smart_format=True)
    return str(answer.results.channels[0].alternatives[0].transcript)


async def listen_async(url: str | None) -> str:
    media = async_client(url).listen.v1.media
    answer: Any = await media.transcribe_file(request=recording(), model="nova-3", smart_format=True)
    return str(answer.results.channels[0].alternatives[0].transcript)


def speak(url: str | None) -> Samples:
    sound = client(url).speak.v1.audio.generate(
        text=SPOKEN, model="aura-2-thalia-en", encoding="linear16", container="none", sample_rate=24000
    )
    return Samples(b"".join(sound), 24000)


def listen_live(url: str | None) -> str:
    text = ""
    with client(url).listen.v1.connect(**LIVE, smart_format=True) as connection:
        connection.send_media(samples())
        connection.send_close_stream()
        for message in connection:
            if getattr(message, "type", "") == "Results":
                text += message.channel.alternatives[0].transcript
    return text


async def listen_live_async(url: str | None) -> str:
    text = ""
    async with async_client(url).listen.v1.connect(**LIVE, smart_format=True) as connection:
        await connection.send_media(samples())
        await connection.send_close_stream()
        async for message in connection:
            if getattr(message, "type", "") == "Results":
                text += message.channel.alternatives[0].transcript
    return text


def listen_turns(url: str | None) -> str:
    model: Any = {**LIVE, "model": "flux-general-en"}
    with client(url).listen.v2.connect(**model) as connection:
        connection.send_media(samples())
        connection.send_close_stream()
        turns = [message.transcript for message in connection if getattr(message, "event", "") == "EndOfTurn"]
    return " ".join(turns)


def speak_live(url: str | None) -> Samples:
    sound = b""
    with client(url).speak.v1.connect(model="aura-2-thalia-en", encoding="linear16", sample_rate="24000") as connection:
        connection.send_text(SpeakV1Text(type="Speak", text=SPOKEN))
        connection.send_flush()
        for message in connection:
            if isinstance(message, bytes):
                sound += message
            elif message.type == "Flushed":
                connection.send_close()
    return Samples(sound, 24000)


# -- leaving and failing ----------------------------------------------------------------------------------------------


def speak_left(url: str | None) -> str:
    sound: Any = client(url).speak.v1.audio.generate(text=SPOKEN, model="aura-2-thalia-en")
    begun = len(next(iter(sound)))
    sound.close()
    return "left" if begun else "nothing came"
