"""Real SDKs before a real sidecar that knows several providers: who answers when the agent's own one does not."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest

from sidecar.lab import Lab
from tests.running import Running, running
from tests.scenarios.sdk.world import free_ports, heard, spoken

KEYS = {name: f"key-of-{name}" for name in ("BACKUP", "ANTHROPIC", "ELEVENLABS", "DEEPGRAM")}
ORDERING = """
- use: ordering
  config:
    chat:
      mode: priority
      candidates:
        - {provider: openai}
        - {provider: anthropic, model: claude-haiku-4-5}
    tts:
      mode: priority
      candidates:
        - {provider: openai}
        - {provider: elevenlabs, model: eleven_flash_v2_5, voice: JBFqnCBsd6RMkjVDRZzb}
    stt:
      mode: priority
      candidates:
        - {provider: openai}
        - {provider: deepgram, model: nova-3}
    realtime:
      mode: priority
      candidates:
        - {provider: openai}
        - {provider: backup}
"""


@asynccontextmanager
async def several(openai_url: str | None = None) -> AsyncIterator[tuple[Lab, Running]]:
    async with Lab("openai", "anthropic", "elevenlabs", "deepgram") as lab:
        urls = {name: lab.url(name) for name in ("openai", "anthropic", "elevenlabs", "deepgram")}
        overrides = [
            f"providers.openai.url={openai_url or urls['openai']}",
            *(
                f"providers.{name}={{url: '{urls[name]}', credential: '${{env:{name.upper()}}}'}}"
                for name in ("anthropic", "elevenlabs", "deepgram")
            ),
            f"providers.backup={{url: '{urls['openai']}', dialect: openai, credential: '${{env:BACKUP}}'}}",
        ]
        async with running(*overrides, plugins=ORDERING, environ=KEYS) as sidecar:
            yield lab, sidecar


def client(sidecar: Running, **options: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{sidecar.proxy}/openai/v1", api_key="sk-agent", **options)


def asked(lab: Lab) -> list[str]:
    return [request.provider for request in lab.requests]


ASKED: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Are you open on Sunday?"}]


async def test_a_model_of_another_dialect_answers_whole() -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=0) as agent:
        lab.provider("openai").fail_next("overloaded")
        said = await agent.chat.completions.create(model="gpt-4o", messages=ASKED)
        assert asked(lab) == ["openai", "anthropic"]
        assert said.choices[0].message.content
        assert said.choices[0].finish_reason == "stop"
        assert said.usage is not None
        assert said.usage.completion_tokens > 0
        headers = lab.requests[-1].headers
        assert "sk-agent" not in str(headers)
        assert KEYS["ANTHROPIC"] in str(headers)


@pytest.mark.parametrize("fault", ["500", "reset", "malformed-head", "cut:0"])
async def test_a_model_of_another_dialect_answers_as_a_stream(fault: str) -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=0) as agent:
        lab.provider("openai").fail_next(fault)
        stream = await agent.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


async def test_another_voice_speaks() -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=0) as agent:
        lab.provider("openai").fail_next("500")
        audio = await agent.audio.speech.create(
            model="gpt-4o-mini-tts", voice="alloy", input="Good morning.", response_format="mp3"
        )
        assert asked(lab) == ["openai", "elevenlabs"]
        assert (await heard(audio.content)).lower().startswith("good morning")


async def test_another_one_writes_it_down() -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=0) as agent:
        lab.provider("openai").fail_next("500")
        recording = io.BytesIO(await spoken())
        recording.name = "a.wav"
        said = await agent.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording)
        assert asked(lab) == ["openai", "deepgram"]
        assert said.text


async def test_if_nobody_answers_the_sdk_raises_what_it_knows_and_does_not_try_again() -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=3) as agent:
        lab.provider("openai").fail_rate("500", 1.0)
        lab.provider("anthropic").fail_rate("500", 1.0)
        with pytest.raises(openai.InternalServerError):
            await agent.chat.completions.create(model="gpt-4o", messages=ASKED)
        assert len(sidecar.calls()) == 1


async def test_a_stream_that_breaks_is_never_taken_for_whole() -> None:
    async with several() as (lab, sidecar), client(sidecar, max_retries=0) as agent:
        lab.provider("openai").fail_next("cut")
        stream = await agent.chat.completions.create(model="gpt-4o", messages=ASKED, stream=True)
        with pytest.raises((openai.APIError, aiohttp.ClientError, Exception)) as raised:
            async for _ in stream:
                pass
        assert not isinstance(raised.value, StopAsyncIteration | asyncio.CancelledError)
        verdicts = [verdict.outcome for verdict in sidecar.calls()[-1].verdicts]
        assert verdicts[-1] == "broken"


async def test_a_socket_goes_elsewhere_while_it_is_opened() -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with several(nowhere) as (lab, sidecar), aiohttp.ClientSession() as session:
        url = f"{sidecar.proxy}/openai/v1/realtime?model=gpt-realtime"
        async with session.ws_connect(url, headers={"Authorization": "Bearer sk-agent"}) as socket:
            first = await socket.receive_json()
        assert first["type"].startswith("session")
        assert asked(lab) == ["openai"]
        assert KEYS["BACKUP"] in str(lab.requests[-1].headers)
        assert "sk-agent" not in str(lab.requests[-1].headers)


async def test_a_socket_that_is_refused_is_opened_elsewhere() -> None:
    async with Lab("openai", seed=1) as other, several(other.url("openai")) as (lab, sidecar):
        other.provider("openai").fail_next("503")
        async with aiohttp.ClientSession() as session:
            url = f"{sidecar.proxy}/openai/v1/realtime?model=gpt-realtime"
            async with session.ws_connect(url, headers={"Authorization": "Bearer sk-agent"}) as socket:
                assert (await socket.receive_json())["type"].startswith("session")
        assert (asked(other), asked(lab)) == (["openai"], ["openai"])
