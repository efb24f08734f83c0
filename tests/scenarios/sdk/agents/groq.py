"""Groq's SDK."""

from groq import AsyncGroq, Groq

from tests.scenarios.sdk.material import KEY, MESSAGES, SPOKEN, given, recording


def client(url: str | None) -> Groq:
    return Groq(api_key=KEY, **given(base_url=url))


def chat(url: str | None) -> str:
    with client(url) as groq:
        return groq.chat.completions.create(model="llama-4-scout", messages=MESSAGES).choices[0].message.content or ""


async def chat_async_stream(url: str | None) -> str:
    async with AsyncGroq(api_key=KEY, **given(base_url=url)) as groq:
        chunks = await groq.chat.completions.create(model="llama-4-scout", messages=MESSAGES, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


def speech(url: str | None) -> bytes:
    with client(url) as groq:
        answer = groq.audio.speech.create(model="playai-tts", voice="Fritz-PlayAI", input=SPOKEN, response_format="wav")
        return answer.read()


def transcription(url: str | None) -> str:
    with client(url) as groq:
        file = ("question.wav", recording())
        return groq.audio.transcriptions.create(model="whisper-large-v3-turbo", file=file, language="en").text
