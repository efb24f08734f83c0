"""Google's SDK for Gemini."""

import asyncio
import json
from typing import Any

from google import genai
from google.genai import types

from tests.scenarios.sdk.material import KEY, SPOKEN, Samples, below, given

FLASH = "gemini-3-flash"


def client(url: str | None) -> genai.Client:
    return genai.Client(api_key=KEY, **given(http_options=None if url is None else {"base_url": url}))


def generate(url: str | None) -> str:
    with client(url) as gemini:
        return gemini.models.generate_content(model=FLASH, contents="hello").text or ""


async def generate_async(url: str | None) -> str:
    async with client(url).aio as gemini:
        return (await gemini.models.generate_content(model=FLASH, contents="hello")).text or ""


def generate_stream(url: str | None) -> str:
    with client(url) as gemini:
        chunks = gemini.models.generate_content_stream(model=FLASH, contents="hello")
        return "".join(chunk.text or "" for chunk in chunks)


async def generate_async_stream(url: str | None) -> str:
    async with client(url).aio as gemini:
        chunks = await gemini.models.generate_content_stream(model=FLASH, contents="hello")
        return "".join([chunk.text or "" async for chunk in chunks])


def generate_schema(url: str | None) -> str:
    schema: Any = {"type": "OBJECT", "properties": {"desk": {"type": "STRING", "enum": ["billing", "repairs"]}}}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=schema)
    with client(url) as gemini:
        answer = gemini.models.generate_content(model=FLASH, contents="I want to pay my bill", config=config)
        return str(json.loads(answer.text or "")["desk"])


def speak(url: str | None) -> Samples:
    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
    config = types.GenerateContentConfig(
        response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice)
    )
    with client(url) as gemini:
        answer: Any = gemini.models.generate_content(model="gemini-3-flash-tts", contents=SPOKEN, config=config)
        return Samples(answer.candidates[0].content.parts[0].inline_data.data, 24000)


async def live(url: str | None) -> str:
    """A question by text, an answer by text. (The SDK's own URL ends in a slash, which makes it two in the path.)"""
    text = ""
    config: Any = {"response_modalities": ["TEXT"]}
    async with client(below(url, "/")).aio.live.connect(model="gemini-live", config=config) as session:
        await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="hello")]))
        async for message in session.receive():
            text += message.text or ""
    return text


# -- leaving and failing ----------------------------------------------------------------------------------------------


async def generate_left(url: str | None) -> str:
    """Cancelled from outside, as a barge-in does."""
    begun = asyncio.Event()

    async def converse() -> None:
        async with client(url).aio as gemini:
            async for _ in await gemini.models.generate_content_stream(model=FLASH, contents="hello"):
                begun.set()

    task = asyncio.create_task(converse())
    await begun.wait()
    task.cancel()
    await asyncio.wait((task,))
    return "cancelled" if task.cancelled() else "went on"
