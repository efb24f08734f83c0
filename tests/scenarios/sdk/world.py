"""Everything that the scenarios share: a lab, a sidecar in front of it, and agents, started when first needed."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from sidecar.lab import Lab, Received
from sidecar.lab.audio import wav
from sidecar.lab.audio.decode import decoded, decoded_raw
from sidecar.lab.audio.pcm import joined
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import EchoRecognizer, EchoSynthesizer
from tests.running import Running, running
from tests.scenarios.sdk.ledger import Ledger
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

    def __init__(self, lab: Lab, sidecar: Running, ledger: Ledger, directory: Path) -> None:
        self.lab = lab
        self.sidecar = sidecar
        self.ledger = ledger
        self._directory = directory
        self._agents: dict[tuple[str, bool], asyncio.Task[Agent]] = {}
        self._preparing: asyncio.Task[None] | None = None

    # -- agents ------------------------------------------------------------------------------------------------------

    async def agent(self, name: str, *, proxied: bool) -> Agent:
        """The agent with the SDK *name*: with nothing in its environment, or *proxied* with the variables alone that
        bring it to the sidecar.
        """
        agent = await self._started(name, proxied=proxied)
        await agent.ready()
        return agent

    def prepare(self, agents: Iterable[tuple[str, bool]]) -> None:
        """Start agents ahead of time, one after another: importing an SDK takes long."""
        self._preparing = asyncio.create_task(self._prepare(list(dict.fromkeys(agents))))

    async def _prepare(self, agents: list[tuple[str, bool]]) -> None:
        for name, proxied in agents:
            await self.agent(name, proxied=proxied)

    def _started(self, name: str, *, proxied: bool) -> asyncio.Task[Agent]:
        started = self._agents.get((name, proxied))
        if started is None or (started.done() and not started.cancelled() and not started.result().alive):
            self._agents[name, proxied] = asyncio.create_task(self.own_agent(name, proxied=proxied))
        return self._agents[name, proxied]

    async def own_agent(self, name: str, *, proxied: bool) -> Agent:
        """An agent that no other test uses; whoever asks for it ends it."""
        environment = self.proxied_environment() if proxied else self.direct_environment()
        return await Agent.start(name, self._directory, environment)

    def proxied_environment(self) -> dict[str, str]:
        bundle = str(self.sidecar.bundle)
        return clean_environment(HTTPS_PROXY=self.sidecar.proxy, SSL_CERT_FILE=bundle, REQUESTS_CA_BUNDLE=bundle)

    def direct_environment(self) -> dict[str, str]:
        """For agents that are told by URL where to go; they know the lab's own CA, for calls without the sidecar."""
        ca = self._directory / "lab.crt"
        return clean_environment(SSL_CERT_FILE=str(ca), REQUESTS_CA_BUNDLE=str(ca))

    # -- what happened -----------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget what was received and told so far, and the faults that were asked for."""
        self.ledger.untold()
        for provider in self.lab.providers.values():
            provider.forget()
            provider.clear_faults()

    def received(self, provider: str) -> list[Received]:
        return list(self.lab.provider(PROVIDERS[provider]).requests)

    @property
    def received_by_any(self) -> list[Received]:
        return [received for provider in self.lab.providers.values() for received in provider.requests]

    def authority(self, provider: str) -> str:
        """Where the sidecar finds *provider*."""
        return self.lab.tls_url(PROVIDERS[provider]).removeprefix("https://")

    async def close(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait((self._preparing,))
        for starting in self._agents.values():
            await (await starting).kill()


def _overrides(lab: Lab, ca_file: Path) -> Iterator[str]:
    """The real thing in all but the place: providers are reached by TLS, and mean what the catalogue says they mean."""
    for (ours, theirs), port in zip(PROVIDERS.items(), free_ports(len(PROVIDERS)), strict=True):
        yield f"providers.{ours}.url={lab.tls_url(theirs)}"
        yield f"providers.{ours}.port={port}"
    yield f"tls.extra_ca_files=[{ca_file}]"
    yield "log.calls=none"


@contextlib.asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """*directory* is the agents' home."""
    async with Lab(tls=True) as lab:
        (directory / RECORDING).write_bytes(await spoken())
        ca_file = directory / "lab.crt"
        ca_file.write_bytes(lab.ca_pem)
        async with running(*_overrides(lab, ca_file)) as sidecar, Ledger(sidecar) as ledger:
            made = World(lab, sidecar, ledger, directory)
            try:
                yield made
            finally:
                await made.close()
        assert not lab.failures
