"""An agent of every dialect, answered by a provider of every other: the real sidecar, the lab's providers, raw HTTP."""

import json
from pathlib import Path

import aiohttp
import pytest

from sidecar.lab import Lab
from sidecar.lab.audio import wav
from sidecar.lab.audio.pcm import joined
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import EchoSynthesizer
from tests.running import Running
from tests.translation.listening import DIALECTS, MODELS, RECOGNIZER, TEXT, Call, plain, text_of
from tests.translation.rerouted import rerouting

#: Each dialect's provider in the lab.
LAB = {
    "openai": "openai",
    "azure_openai": "azure-openai",
    "groq": "groq",
    "mistral": "mistral",
    "deepgram": "deepgram",
    "elevenlabs": "elevenlabs",
    "google_cloud": "google-speech",
    "yandex": "yandex",
    "cartesia": "cartesia",
    "azure_speech": "azure-speech",
    "assemblyai": "assemblyai",
}


async def spoken(rate: int = 16000) -> bytes:
    """`TEXT` as a WAV file."""
    return wav.file(joined([piece async for piece in EchoSynthesizer().speak(TEXT, Voice(), rate)]))


def named(dialect: str) -> str:
    """What the dialect's provider is called in the configuration."""
    return dialect.replace("_", "-")


def overrides(lab: Lab, directory: Path) -> tuple[str, ...]:
    """Every dialect as a provider of its own, with a credential of its own."""
    (directory / "key").write_text("key-of-the-sidecar")
    said = []
    for dialect, name in LAB.items():
        own = f"providers.{named(dialect)}"
        credential = f"{own}.credential=${{file:{directory / 'key'}}}"
        said += [f"{own}.dialect={dialect}", f"{own}.url={lab.url(name)}", credential]
    return tuple(said)


async def called(session: aiohttp.ClientSession, sidecar: Running, call: Call) -> tuple[int, str, bytes]:
    url = f"{sidecar.proxy}/{named(call.dialect)}{call.target}"
    headers = {name: value for name, value in call.headers.items() if name != "host"}
    async with session.post(url, data=call.body, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()


def heard(plain: str) -> str:
    """What is left of a text where a wire has no marks and capitals."""
    return "".join(letter for letter in plain.lower() if letter.isalnum() or letter == " ").strip()


@pytest.mark.parametrize("target", [*DIALECTS, "google_cloud.v2"])
async def test_an_agent_of_any_dialect_is_answered_by_a_provider_of_another(target: str, tmp_path: Path) -> None:
    audio = await spoken()
    to = target.partition(".")[0]
    model = f"{RECOGNIZER}/models/chirp_2" if target == "google_cloud.v2" else MODELS[to]
    async with (
        Lab(*dict.fromkeys(LAB.values())) as lab,
        rerouting(tmp_path, *overrides(lab, tmp_path), to=named(to), model=model) as sidecar,
        aiohttp.ClientSession() as session,
    ):
        for wire, call in plain(audio).items():
            status, kind, data = await called(session, sidecar, call)
            assert status == 200, (wire, data)
            assert kind == "application/json"
            assert heard(text_of(wire, json.loads(data))) == heard(TEXT), wire
            [received] = lab.provider(LAB[to]).requests
            assert b"sk-agents-own" not in str(received.headers).encode(), wire
            assert "key-of-the-sidecar" in str(received.headers), wire
            lab.provider(LAB[to]).forget()
        for name in set(LAB.values()) - {LAB[to]}:
            assert not lab.provider(name).requests
        assert not lab.failures
