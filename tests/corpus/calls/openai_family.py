"""Calls to those who speak as OpenAI does: Azure, Groq, Mistral."""

import asyncio
from functools import partial
from typing import Any

from tests.corpus.calls.conversation import MESSAGES, openai
from tests.corpus.calls.table import sends, wav, wav_file

AZURE = partial(sends, "azure_openai", "shop.openai.azure.com")


def azure(authority: str) -> Any:
    from openai import AzureOpenAI

    return AzureOpenAI(
        api_key="dummy", azure_endpoint=f"http://{authority}", api_version="2025-03-01-preview", max_retries=0
    )


@AZURE("chat.completions")
def _(authority: str) -> None:
    azure(authority).chat.completions.create(model="prod-mini", messages=MESSAGES)


@AZURE("audio.transcriptions")
def _(authority: str) -> None:
    azure(authority).audio.transcriptions.create(model="whisper", file=wav_file(), language="ru")


@AZURE("audio.speech")
def _(authority: str) -> None:
    azure(authority).audio.speech.create(model="tts", voice="alloy", input="Hello")


@AZURE("responses")
def _(authority: str) -> None:
    azure(authority).responses.create(model="prod-mini", input="Hello")


@AZURE("realtime", tls=True)
def _(authority: str) -> None:
    with azure(authority).realtime.connect(model="prod-realtime") as connection:
        connection.recv()


@AZURE("chat.completions.v1")
def _(authority: str) -> None:
    openai(authority, "/openai/v1").chat.completions.create(model="prod-mini", messages=MESSAGES[:2])


GROQ = partial(sends, "groq", "api.groq.com")


def groq(authority: str) -> Any:
    from groq import Groq

    return Groq(api_key="gsk_dummy", base_url=f"http://{authority}", max_retries=0)


@GROQ("chat.completions")
def _(authority: str) -> None:
    groq(authority).chat.completions.create(model="llama-4-scout", messages=MESSAGES, max_completion_tokens=9)


@GROQ("audio.transcriptions")
def _(authority: str) -> None:
    groq(authority).audio.transcriptions.create(
        model="whisper-large-v3-turbo", file=("voice.ogg", b"OggS-not-really"), response_format="verbose_json"
    )


@GROQ("audio.transcriptions.url")
def _(authority: str) -> None:
    groq(authority).audio.transcriptions.create(
        model="whisper-large-v3", url="https://example.com/a.wav", language="ru", temperature=0.0
    )


@GROQ("audio.speech")
def _(authority: str) -> None:
    groq(authority).audio.speech.create(
        model="playai-tts", voice="Fritz-PlayAI", input="Hello", response_format="mulaw", sample_rate=8000
    )


MISTRAL = partial(sends, "mistral", "api.mistral.ai")


def mistral(authority: str) -> Any:
    from mistralai.client import Mistral

    return Mistral(api_key="dummy", server_url=f"http://{authority}")


@MISTRAL("chat.completions")
def _(authority: str) -> None:
    mistral(authority).chat.complete(
        model="mistral-small-latest", messages=MESSAGES[:2], random_seed=7, response_format={"type": "json_object"}
    )


@MISTRAL("audio.transcriptions")
def _(authority: str) -> None:
    mistral(authority).audio.transcriptions.complete(
        model="voxtral-mini-latest",
        file={"file_name": "question.wav", "content": wav()},
        language="ru",
        context_bias=["lamp", "lustre"],
        timestamp_granularities=["segment"],
    )


@MISTRAL("audio.transcriptions.url")
def _(authority: str) -> None:
    mistral(authority).audio.transcriptions.stream(model="voxtral-mini-latest", file_url="https://example.com/a.mp3")


@MISTRAL("audio.speech")
def _(authority: str) -> None:
    mistral(authority).audio.speech.complete(model="voxtral-tts", input="Hello", voice_id="anna", response_format="pcm")


@MISTRAL("audio.transcriptions.realtime")
def _(authority: str) -> None:
    async def connect() -> None:
        connection = await mistral(authority).audio.realtime.connect(model="voxtral-realtime")
        await connection.close()

    asyncio.run(connect())


@MISTRAL("audio.speech.realtime")
def _(authority: str) -> None:
    async def connect() -> None:
        from mistralai.extra.realtime.speech import RealtimeSpeech

        connection = await RealtimeSpeech(mistral(authority).sdk_configuration).connect(model="voxtral-tts")
        await connection.close()

    asyncio.run(connect())
