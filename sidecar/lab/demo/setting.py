"""The processes of the demonstration: emulated providers, the sidecar, the agent."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec
from msgspec import Struct

AGENT = Path(__file__).with_name("agent.py")
PROVIDERS = ("deepgram", "openai", "elevenlabs")
#: Engines load tens of MiB of weights from a disk that may be slow.
_LAB_SECONDS = 180.0
_READY_SECONDS = 20.0


class CannotShow(Exception):
    """The demonstration cannot go on; the message says why."""


class Serving(Struct, frozen=True):
    """A sidecar that is ready."""

    proxy: str
    """``http://127.0.0.1:PORT``"""
    admin: str
    bundle: Path
    """What clients must trust."""


@contextlib.asynccontextmanager
async def process(*arguments: str, **environ: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """This Python with *arguments*; it is ended when the block is left."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
        limit=1 << 20,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                started.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10.0):
                    await started.communicate()
        if started.returncode is None:
            started.kill()
            await started.wait()


@contextlib.asynccontextmanager
async def providers(engines: str, latency: str, progress: Callable[[str], None]) -> AsyncIterator[Mapping[str, str]]:
    """Emulated providers; their URLs by name.

    Raises:
        CannotShow: they did not start.
    """
    arguments = ("--providers", ",".join(PROVIDERS), "--engines", engines, "--latency", latency)
    async with process("-m", "sidecar.lab", *arguments, "--print-urls", "json") as lab:
        telling = asyncio.create_task(_told(lab, progress))
        try:
            assert lab.stdout is not None
            async with asyncio.timeout(_LAB_SECONDS):
                line = await lab.stdout.readline()
            if not line:
                raise CannotShow(f"the emulated providers did not start: {await telling or 'they said nothing'}")
            places = msgspec.json.decode(line)["providers"]
            yield {name: place["url"] for name, place in places.items()}
        finally:
            telling.cancel()


async def _told(lab: asyncio.subprocess.Process, progress: Callable[[str], None]) -> str:
    """Pass on what *lab* says while it starts; the last of it."""
    assert lab.stderr is not None
    said = ""
    async for line in lab.stderr:
        said = line.decode(errors="replace").strip()
        progress(said)
    return said


def configuration(places: Mapping[str, str], collector: str, directory: Path) -> Mapping[str, object]:
    """What the sidecar of the demonstration is configured with: providers that are elsewhere, and free ports."""
    return {
        "listen": {"address": "127.0.0.1:0"},
        "admin": {"address": "127.0.0.1:0"},
        "probes": {"address": "127.0.0.1:0"},
        "tls": {"directory": str(directory / "tls")},
        "providers": {name: {"url": url} for name, url in places.items()},
        "plugins": [
            {"use": "tracing", "config": {"endpoint": collector, "delay": "200ms"}},
            {"use": "cache"},
        ],
        "log": {"format": "json"},
    }


@contextlib.asynccontextmanager
async def sidecar(file: Path) -> AsyncIterator[Serving]:
    """A sidecar with the configuration in *file*, once it is ready.

    Raises:
        CannotShow: it did not start.
    """
    async with process("-m", "sidecar", "run", "--config", str(file)) as running:
        assert running.stderr is not None
        said: list[str] = []
        serving = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READY_SECONDS):
                while serving is None and (line := await running.stderr.readline()):
                    said.append(line.decode(errors="replace").strip())
                    serving = _ready(line)
        if serving is None:
            raise CannotShow("the sidecar did not start: " + "\n".join(said[-20:]))
        draining = asyncio.create_task(running.stderr.read())
        try:
            yield serving
        finally:
            draining.cancel()


def _ready(line: bytes) -> Serving | None:
    try:
        said = msgspec.json.decode(line)
        addresses = said["addresses"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    return Serving(f"http://{addresses['proxy']}", f"http://{addresses['admin']}", Path(said["bundle"]))


async def record(text: str, file: Path, speaker: str) -> None:
    """Have *text* spoken by the emulated provider at *speaker*, without the sidecar, and keep it as a WAV file.

    Raises:
        CannotShow: it could not be spoken.
    """
    asked = {"model": "tts-1", "voice": "onyx", "input": text, "response_format": "wav"}
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Bearer sk-demo"}) as session,
        session.post(f"{speaker}/v1/audio/speech", json=asked) as answer,
    ):
        data = await answer.read()
        if answer.status != 200:
            raise CannotShow(f"the question could not be spoken: status {answer.status}: {data[:300]!r}")
        await asyncio.to_thread(file.write_bytes, data)


async def converse(serving: Serving, out: Path, questions: Sequence[Path]) -> AsyncIterator[str]:
    """Run the agent; what it says, line by line. Only its environment knows of the sidecar.

    Raises:
        CannotShow: it failed.
    """
    environ = {
        "HTTPS_PROXY": serving.proxy,
        "https_proxy": serving.proxy,
        "NO_PROXY": "",
        "no_proxy": "",
        "SSL_CERT_FILE": str(serving.bundle),
        "DEEPGRAM_API_KEY": "demo",
        "OPENAI_API_KEY": "demo",
        "ELEVENLABS_API_KEY": "demo",
    }
    async with process(str(AGENT), str(out), *map(str, questions), **environ) as agent:
        assert agent.stdout is not None
        assert agent.stderr is not None
        failing = asyncio.create_task(agent.stderr.read())
        async for line in agent.stdout:
            yield line.decode().rstrip()
        if await agent.wait():
            raise CannotShow(f"the agent failed:\n{(await failing).decode(errors='replace')[-2000:]}")
