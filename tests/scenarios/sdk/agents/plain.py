"""HTTP clients without an SDK, as many agents use them."""

import json
from typing import Any

import aiohttp
import httpx
import requests
from websockets.asyncio.client import connect

from tests.scenarios.sdk.material import KEY, MESSAGES, RATE, SPOKEN, as_socket, samples

OPENAI = "https://api.openai.com"
YANDEX = "https://{}.api.cloud.yandex.net"
BEARER = {"Authorization": f"Bearer {KEY}"}
CHAT: dict[str, Any] = {"model": "gpt-4.1-mini", "messages": MESSAGES}


def requests_chat(url: str | None) -> str:
    answer = requests.post(f"{url or OPENAI}/v1/chat/completions", json=CHAT, headers=BEARER, timeout=10)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


def httpx_chat(url: str | None) -> str:
    answer = httpx.post(f"{url or OPENAI}/v1/chat/completions", json=CHAT, headers=BEARER)
    answer.raise_for_status()
    return str(answer.json()["choices"][0]["message"]["content"])


async def aiohttp_chat(url: str | None) -> str:
    """With a session that heeds its environment."""
    async with (
        aiohttp.ClientSession(trust_env=True, raise_for_status=True) as session,
        session.post(f"{url or OPENAI}/v1/chat/completions", json=CHAT, headers=BEARER) as answer,
    ):
        return str((await answer.json())["choices"][0]["message"]["content"])


async def websockets_responses(url: str | None) -> str:
    text = ""
    async with connect(f"{as_socket(url or OPENAI)}/v1/responses", additional_headers=BEARER) as socket:
        await socket.send(json.dumps({"type": "response.create", "model": "gpt-5.2", "input": "hello"}))
        async for message in socket:
            event = json.loads(message)
            text += event["delta"] if event["type"] == "response.output_text.delta" else ""
            if event["type"] == "response.completed":
                break
    return text


async def yandex_recognize(url: str | None) -> str:
    """As the original's client does: a session for each call, the URL written out, the body as it is."""
    query = f"lang=en-US&topic=general&format=lpcm&sampleRateHertz={RATE}&rawResults=false&folderId=b1g"
    async with aiohttp.ClientSession(headers={"Authorization": f"Api-Key {KEY}"}) as session:
        place = f"{url or YANDEX.format('stt')}/speech/v1/stt:recognize?{query}"
        async with session.post(place, data=samples()) as answer:
            answer.raise_for_status()
            return str(json.loads(await answer.text())["result"])


async def yandex_synthesize(url: str | None) -> bytes:
    """As the original's client does: the form is not encoded."""
    body = f"text={SPOKEN}&lang=en-US&voice=john&format=mp3&folderId=b1g"
    headers = {"Authorization": f"Api-Key {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession(headers=headers) as session:
        place = f"{url or YANDEX.format('tts')}/speech/v1/tts:synthesize"
        async with session.post(place, data=body.encode()) as answer:
            answer.raise_for_status()
            return await answer.read()
