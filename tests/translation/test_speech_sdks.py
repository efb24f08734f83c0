"""The providers' own SDKs, answered by somebody else, and none the wiser."""

import asyncio
import base64
import importlib.util
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.lab import Lab
from sidecar.lab.audio.decode import decoded_raw
from sidecar.lab.engines.echo import EchoRecognizer
from tests.scenarios.sdk.material import SPOKEN
from tests.scenarios.sdk.process import Agent, Outcome, clean_environment
from tests.scenarios.sdk.world import heard
from tests.translation.test_speech_calls import NAMES, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Whose SDK makes which call to which provider, and who answers it.
ANSWERED = [
    ("openai", "speech", "openai", "elevenlabs"),
    ("openai", "speech", "openai", "google_cloud"),
    ("openai", "speech_stream", "openai", "cartesia"),
    ("openai", "speech_stream", "openai", "azure_speech"),
    ("openai", "speech_stream", "openai", "mistral"),
    ("openai", "azure_speech", "azure-openai", "deepgram"),
    ("openai", "speech", "openai", "azure_openai"),
    ("mistral", "speech", "mistral", "openai"),
    ("mistral", "speech", "mistral", "google_cloud"),
    ("google_cloud", "synthesize", "google-tts", "openai"),
    ("google_cloud", "synthesize", "google-tts", "yandex"),
    ("elevenlabs", "convert", "elevenlabs", "cartesia"),
    ("elevenlabs", "stream", "elevenlabs", "deepgram"),
    ("elevenlabs", "stream_async", "elevenlabs", "yandex"),
    ("cartesia", "tts_sse", "cartesia", "elevenlabs"),
    ("cartesia", "tts_bytes", "cartesia", "openai"),
    ("cartesia", "tts_bytes_async", "cartesia", "groq"),
    ("deepgram", "speak", "deepgram", "azure_speech"),
    ("deepgram", "speak", "deepgram", "mistral"),
    ("assemblyai", "speech", "assemblyai-tts", "google_cloud"),
    ("groq", "speech", "groq", "deepgram"),
    ("plain", "yandex_synthesize", "yandex-tts", "azure_speech"),
]
#: Whose answer breaks off.
CUT = [
    ("openai", "speech_stream", "openai", "elevenlabs"),
    ("openai", "speech", "openai", "mistral"),
    ("elevenlabs", "stream", "elevenlabs", "deepgram"),
    ("cartesia", "tts_sse", "cartesia", "elevenlabs"),
    ("deepgram", "speak", "deepgram", "azure_speech"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with Lab() as lab:
        yield World(lab, tmp_path_factory.mktemp("rerouted"))
        assert not lab.failures


class Agents:
    """One process for each SDK, started when it is first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: dict[str, Agent] = {}

    async def get(self, sdk: str) -> Agent:
        if sdk not in self._started:
            self._started[sdk] = await Agent.start(sdk, self._directory, clean_environment())
        agent = self._started[sdk]
        await agent.ready()
        return agent

    async def end(self) -> None:
        for agent in self._started.values():
            await agent.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def agents(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Agents]:
    started = Agents(tmp_path_factory.mktemp("agents"))
    yield started
    await started.end()


async def made(agents: Agents, sdk: str, call: str, url: str, skip_or_fail: Callable[[str], None]) -> Outcome:
    agent = await agents.get(sdk)
    if agent.missing:
        skip_or_fail(f"the SDK is not installed: {agent.missing}")
    return await agent.call(call, url, impatient=True)


@pytest.mark.parametrize(("sdk", "call", "provider", "to"), ANSWERED)
async def test_an_sdk_hears_what_somebody_else_says(
    world: World,
    agents: Agents,
    sdk: str,
    call: str,
    provider: str,
    to: str,
    skip_or_fail: Callable[[str], None],
) -> None:
    async with world.to(to) as here:
        outcome = await made(agents, sdk, call, f"{here.sidecar.proxy}/{provider}", skip_or_fail)
        assert outcome.error is None, outcome
        assert await heard(outcome.heard) == SPOKEN
        (told,) = await here.ledger.calls(1)
        assert (told.provider, told.answered_by, told.faults) == (provider, NAMES[to][0], ())


@pytest.mark.parametrize(("sdk", "call", "provider", "to"), CUT)
async def test_an_sdk_sees_that_somebody_else_broke_off(
    world: World,
    agents: Agents,
    sdk: str,
    call: str,
    provider: str,
    to: str,
    skip_or_fail: Callable[[str], None],
) -> None:
    async with world.to(to) as here:
        world.lab.provider(NAMES[to][1]).fail_next("cut", 5)
        outcome = await made(agents, sdk, call, f"{here.sidecar.proxy}/{provider}", skip_or_fail)
        world.lab.provider(NAMES[to][1]).clear_faults()
        assert outcome.error is not None
        told = (await here.ledger.calls(1))[0]
        assert told.outcome == "failed"


async def test_mistrals_sdk_which_checks_everything_takes_a_stream_from_somebody_else(
    world: World, skip_or_fail: Callable[[str], None]
) -> None:
    if importlib.util.find_spec("mistralai") is None:
        skip_or_fail("the SDK is not installed")
    for to in ("openai", "cartesia", "google_cloud"):
        async with world.to(to) as here:
            kinds, sound = await asyncio.to_thread(_streamed, f"{here.sidecar.proxy}/mistral")
        assert set(kinds[:-1]) == {"speech.audio.delta"}
        assert kinds[-1] == "speech.audio.done"
        pcm = decoded_raw(sound, "pcm_f32le", 24000)
        assert (await EchoRecognizer().transcribe(pcm)).text == SPOKEN


def _streamed(url: str) -> tuple[list[str], bytes]:
    from mistralai.client import Mistral

    kinds, sound = [], b""
    with (
        Mistral(api_key="key", server_url=url) as mistral,
        mistral.audio.speech.complete(
            model="voxtral-tts", input=SPOKEN, voice_id="anna", response_format="pcm", stream=True
        ) as events,
    ):
        for event in events:
            kinds.append(str(event.event))
            if event.event == "speech.audio.delta":
                sound += base64.b64decode(event.data.audio_data)
            else:
                assert event.data.usage.total_tokens is not None
    return kinds, sound
