"""Mistral's SDK."""

import base64
from typing import Any

from mistralai.client import Mistral

from tests.scenarios.sdk.material import KEY, MESSAGES, SPOKEN, given, recording


def client(url: str | None) -> Mistral:
    return Mistral(api_key=KEY, **given(server_url=url))


def chat(url: str | None) -> str:
    with client(url) as mistral:
        answer: Any = mistral.chat.complete(model="mistral-small-latest", messages=MESSAGES)
        return str(answer.choices[0].message.content)


def chat_stream(url: str | None) -> str:
    with client(url) as mistral, mistral.chat.stream(model="mistral-small-latest", messages=MESSAGES) as events:
        return "".join(str(event.data.choices[0].delta.content or "") for event in events)


async def chat_async_stream(url: str | None) -> str:
    async with client(url) as mistral:
        events: Any = await mistral.chat.stream_async(model="mistral-small-latest", messages=MESSAGES)
        return "".join([str(event.data.choices[0].delta.content or "") async for event in events])


def transcription(url: str | None) -> str:
    file: Any = {"file_name": "question.wav", "content": recording()}
    with client(url) as mistral:
        answer: Any = mistral.audio.transcriptions.complete(model="voxtral-mini-latest", file=file, language="en")
        return str(answer.text)


def speech(url: str | None) -> bytes:
    with client(url) as mistral:
        answer: Any = mistral.audio.speech.complete(
            model="voxtral-tts", input=SPOKEN, voice_id="anna", response_format="wav"
        )
        return base64.b64decode(answer.audio_data)
