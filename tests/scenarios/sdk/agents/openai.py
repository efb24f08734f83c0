"""OpenAI's SDK, to OpenAI and to Azure."""

import asyncio
import base64
import json
from typing import Any

from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from tests.scenarios.sdk.material import (
    BILL,
    KEY,
    MESSAGES,
    RATE,
    SCHEMA,
    SPOKEN,
    Samples,
    below,
    given,
    recording,
    samples,
)

AZURE_ENDPOINT = "https://shop.openai.azure.com"
HELLO: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
SPEECH: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": SPOKEN}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "route", "strict": True, "schema": SCHEMA}}


def client(url: str | None, **options: Any) -> OpenAI:
    return OpenAI(api_key=KEY, **given(base_url=below(url, "/v1"), **options))


def async_client(url: str | None, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=KEY, **given(base_url=below(url, "/v1"), **options))


def chat(url: str | None) -> str:
    with client(url) as openai:
        return openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES).choices[0].message.content or ""


def chat_stream(url: str | None) -> str:
    with client(url) as openai:
        chunks = openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


async def chat_async(url: str | None) -> str:
    async with async_client(url) as openai:
        answer = await openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES)
        return answer.choices[0].message.content or ""


async def chat_async_stream(url: str | None) -> str:
    async with async_client(url) as openai:
        chunks = await openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


def chat_schema(url: str | None) -> str:
    with client(url) as openai:
        answer = openai.chat.completions.create(model="gpt-4.1-mini", messages=BILL, response_format=FORMAT)
        return str(json.loads(answer.choices[0].message.content or "")["desk"])


def responses(url: str | None) -> str:
    with client(url) as openai:
        return openai.responses.create(model="gpt-5.2", input="hello").output_text


def responses_stream(url: str | None) -> str:
    with client(url) as openai, openai.responses.create(model="gpt-5.2", input="hello", stream=True) as events:
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def responses_socket(url: str | None) -> str:
    text = ""
    with client(url) as openai, openai.responses.connect() as connection:
        connection.send({"type": "response.create", "model": "gpt-5.2", "input": "hello"})
        for event in connection:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.completed":
                return text
    return text


def decisions(url: str | None) -> str:
    question: Any = {"type": "choice", "instructions": "?", "choices": [{"value": "billing"}, {"value": "repairs"}]}
    with client(url) as openai:
        answer: Any = openai.decisions.create(model="gpt-6-luna", input=BILL, questions=[question])
        return str(answer.model_dump()["answers"][0]["choice"])


def speech(url: str | None) -> bytes:
    with client(url) as openai:
        return openai.audio.speech.create(**SPEECH).read()


async def speech_stream(url: str | None) -> Samples:
    async with (
        async_client(url) as openai,
        openai.audio.speech.with_streaming_response.create(**SPEECH, response_format="pcm") as answer,
    ):
        return Samples(b"".join([chunk async for chunk in answer.iter_bytes()]), 24000)


def transcription(url: str | None) -> str:
    with client(url) as openai:
        file = ("question.wav", recording())
        return openai.audio.transcriptions.create(model="whisper-1", file=file, language="en").text


def transcription_stream(url: str | None) -> str:
    with client(url) as openai:
        file = ("question.wav", recording())
        events = openai.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)
        return next(event.text for event in events if event.type == "transcript.text.done")


def realtime(url: str | None) -> str:
    """A question by text, an answer by text."""
    with client(url) as openai, openai.realtime.connect(model="gpt-realtime") as connection:
        connection.conversation.item.create(item=HELLO)
        connection.response.create(response={"output_modalities": ["text"]})
        return _written(connection)


def _written(connection: Any) -> str:
    """The answer's text. Read to the last event: who closes with many of them unread has to wait for long."""
    text = ""
    for event in connection:
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "rate_limits.updated":
            break
    return text


async def realtime_async(url: str | None) -> Samples:
    """An answer by voice."""
    sound = b""
    async with async_client(url) as openai, openai.realtime.connect(model="gpt-realtime") as connection:
        await connection.conversation.item.create(item=HELLO)
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_audio.delta":
                sound += base64.b64decode(event.delta)
            if event.type == "response.done":
                break
    return Samples(sound, 24000)


def realtime_transcription(url: str | None) -> str:
    audio: Any = {"input": {"format": {"type": "audio/pcm", "rate": RATE}, "turn_detection": None}}
    with client(url) as openai, openai.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        connection.session.update(session={"type": "transcription", "audio": audio})
        connection.input_audio_buffer.append(audio=base64.b64encode(samples()).decode())
        connection.input_audio_buffer.commit()
        for event in connection:
            if event.type == "conversation.item.input_audio_transcription.completed":
                return event.transcript
    raise AssertionError("the session ended without a transcript")


def models(url: str | None) -> str:
    with client(url) as openai:
        return openai.models.list().data[0].object + "s"


def _azure(url: str | None) -> AzureOpenAI:
    return AzureOpenAI(api_key=KEY, azure_endpoint=url or AZURE_ENDPOINT, api_version="2025-03-01-preview")


def azure_chat(url: str | None) -> str:
    with _azure(url) as openai:
        return openai.chat.completions.create(model="prod-mini", messages=MESSAGES).choices[0].message.content or ""


async def azure_chat_async_stream(url: str | None) -> str:
    endpoint, version = url or AZURE_ENDPOINT, "2025-03-01-preview"
    async with AsyncAzureOpenAI(api_key=KEY, azure_endpoint=endpoint, api_version=version) as openai:
        chunks = await openai.chat.completions.create(model="prod-mini", messages=MESSAGES, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])


def azure_transcription(url: str | None) -> str:
    with _azure(url) as openai:
        file = ("question.wav", recording())
        return openai.audio.transcriptions.create(model="whisper", file=file).text


def azure_speech(url: str | None) -> bytes:
    with _azure(url) as openai:
        return openai.audio.speech.create(model="tts", voice="alloy", input=SPOKEN, response_format="wav").read()


def azure_realtime(url: str | None) -> str:
    with _azure(url) as openai, openai.realtime.connect(model="prod-realtime") as connection:
        connection.conversation.item.create(item=HELLO)
        connection.response.create(response={"output_modalities": ["text"]})
        return _written(connection)


# -- leaving and failing ----------------------------------------------------------------------------------------------


def chat_left(url: str | None) -> str:
    with (
        client(url) as openai,
        openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES, stream=True) as chunks,
    ):
        return "left" if next(iter(chunks)).id else "nothing came"


async def chat_left_async(url: str | None) -> str:
    """Cancelled from outside, as a barge-in does."""
    begun = asyncio.Event()

    async def converse() -> None:
        async with async_client(url) as openai:
            chunks = await openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES, stream=True)
            async for _ in chunks:
                begun.set()

    task = asyncio.create_task(converse())
    await begun.wait()
    task.cancel()
    await asyncio.wait((task,))
    return "cancelled" if task.cancelled() else "went on"


async def speech_left_async(url: str | None) -> str:
    async with (
        async_client(url) as openai,
        openai.audio.speech.with_streaming_response.create(**SPEECH) as answer,
    ):
        async for chunk in answer.iter_bytes():
            return "left" if chunk else "nothing came"
    return "nothing came"


def chat_impatient(url: str | None) -> str:
    """Waits less than it says that it does, so that nobody but itself gives up."""
    patience = {"x-stainless-read-timeout": "60"}
    with client(url, timeout=0.3, max_retries=1) as openai:
        answer = openai.chat.completions.create(model="gpt-4.1-mini", messages=MESSAGES, extra_headers=patience)
        return answer.choices[0].message.content or ""
