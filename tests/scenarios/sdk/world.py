"""Everything that the scenarios share: a lab, a sidecar in front of it, and agents, started when first needed."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from sidecar.journal import CallTold, tell
from sidecar.lab import Lab, Received
from sidecar.lab.audio import wav
from sidecar.lab.audio.decode import decoded, decoded_raw
from sidecar.lab.audio.pcm import joined
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import EchoRecognizer, EchoSynthesizer
from tests.running import Running, running
from tests.scenarios.sdk.material import RATE, RECORDING, SPOKEN, Samples
from tests.scenarios.sdk.process import Agent, clean_environment

#: The sidecar's provider -> the lab's.
PROVIDERS = {
    "openai": "openai",
    "azure-openai": "azure-openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "deepgram": "deepgram",
    "elevenlabs": "elevenlabs",
    "google-speech": "google-speech",
    "google-tts": "google-speech",
    "yandex-stt": "yandex",
    "yandex-tts": "yandex",
    "cartesia": "cartesia",
    "assemblyai": "assemblyai",
    "assemblyai-sync": "assemblyai",
    "assemblyai-streaming": "assemblyai",
    "assemblyai-tts": "assemblyai",
}


async def spoken() -> bytes:
    """`SPOKEN` as a WAV file."""
    return wav.file(joined([piece async for piece in EchoSynthesizer().speak(SPOKEN, Voice(), RATE)]))


async def heard(audio: bytes | Samples) -> str:
    """What is said in *audio*."""
    pcm = decoded_raw(audio.data, audio.codec, audio.rate) if isinstance(audio, Samples) else decoded(audio)
    return (await EchoRecognizer().transcribe(pcm)).text


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


class World:
    """Made by `world`."""

    def __init__(self, lab: Lab, sidecar: Running, directory: Path) -> None:
        self.lab = lab
        self.sidecar = sidecar
        self._directory = directory
        self._agents: dict[tuple[str, bool], asyncio.Task[Agent]] = {}
        self._told: asyncio.Queue[CallTold] = asyncio.Queue()
        self._following = asyncio.create_task(self._follow())

    # -- agents ------------------------------------------------------------------------------------------------------

    async def agent(self, name: str, *, proxied: bool) -> Agent:
        """The agent with the SDK *name*: with nothing in its environment, or *proxied* with the variables alone that
        bring it to the sidecar.
        """
        agent = await self._started(name, proxied=proxied)
        await agent.ready()
        return agent

    def prepare(self, agents: Iterable[tuple[str, bool]]) -> None:
        """Start agents ahead of time: importing an SDK takes long."""
        for name, proxied in agents:
            self._started(name, proxied=proxied)

    def _started(self, name: str, *, proxied: bool) -> asyncio.Task[Agent]:
        if (name, proxied) not in self._agents:
            environment = self.proxied_environment() if proxied else self.direct_environment()
            starting = Agent.start(name, self._directory, environment)
            self._agents[name, proxied] = asyncio.create_task(starting)
        return self._agents[name, proxied]

    def proxied_environment(self) -> dict[str, str]:
        bundle = str(self.sidecar.bundle)
        return clean_environment(HTTPS_PROXY=self.sidecar.proxy, SSL_CERT_FILE=bundle, REQUESTS_CA_BUNDLE=bundle)

    def direct_environment(self) -> dict[str, str]:
        """For agents that are told by URL where to go; they know the lab's own CA, for calls without the sidecar."""
        ca = self._directory / "lab.crt"
        return clean_environment(SSL_CERT_FILE=str(ca), REQUESTS_CA_BUNDLE=str(ca))

    # -- what happened -----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for record in self.sidecar.application.journal.follow():
            self._told.put_nowait(tell(record))

    async def calls(self, count: int) -> list[CallTold]:
        """The next *count* calls that end."""
        async with asyncio.timeout(5):
            return [await self._told.get() for _ in range(count)]

    def forget(self) -> None:
        """Forget what was received and told so far, and the faults that were asked for."""
        self.sidecar.application.account()
        while not self._told.empty():
            self._told.get_nowait()
        for provider in self.lab.providers.values():
            provider.forget()
            provider.clear_faults()

    @property
    def untold(self) -> list[CallTold]:
        """Calls that have ended and that nobody has asked for."""
        self.sidecar.application.account()
        return [self._told.get_nowait() for _ in range(self._told.qsize())]

    def received(self, provider: str) -> list[Received]:
        return list(self.lab.provider(PROVIDERS[provider]).requests)

    def authority(self, provider: str) -> str:
        """Where the sidecar finds *provider*."""
        return self.lab.url(PROVIDERS[provider]).removeprefix("http://")

    async def close(self) -> None:
        for starting in self._agents.values():
            await (await starting).kill()
        self._following.cancel()
        await asyncio.wait((self._following,))


def _overrides(lab: Lab) -> Iterator[str]:
    for (ours, theirs), port in zip(PROVIDERS.items(), free_ports(len(PROVIDERS)), strict=True):
        yield f"providers.{ours}.url={lab.url(theirs)}"
        yield f"providers.{ours}.port={port}"
    yield "log.calls=none"


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """*directory* is the agents' home."""
    async with Lab(tls=True) as lab:
        (directory / RECORDING).write_bytes(await spoken())
        (directory / "lab.crt").write_bytes(lab.ca_pem)
        async with running(*_overrides(lab)) as sidecar:
            made = World(lab, sidecar, directory)
            try:
                yield made
            finally:
                await made.close()
        assert not lab.failures
