"""Whisper and Piper behind the emulated providers, where they are installed."""

import importlib.util
import re
from contextlib import aclosing

import aiohttp
import pytest

from sidecar.lab import Lab
from sidecar.lab.engines.contract import Progress, Voice
from sidecar.lab.engines.kinds import started, unheeded
from sidecar.lab.engines.piper import VOICE_PACKAGE, PiperSynthesizer
from sidecar.lab.engines.whisper import WEIGHTS_PACKAGE

NEEDED = ("faster_whisper", "piper", VOICE_PACKAGE, WEIGHTS_PACKAGE)
AUTH = {"Authorization": "Bearer k"}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.fixture
def installed(skip_or_fail) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        skip_or_fail(f"the extra `lab` is not installed: {', '.join(missing)} missing")


async def test_what_is_spoken_is_understood(installed):
    told: list[Progress] = []
    async with started("real", told.append) as engines:
        assert [one.step for one in told if one.part == 1.0] == ["ready", "ready"]
        async with aclosing(engines.synthesizer.speak("What are your opening hours? Tell me.", Voice(), 24000)) as said:
            first = await anext(said)
        assert 1 < first.seconds < 3, "the first sentence comes by itself"

        async with Lab("openai", engines=engines) as lab, aiohttp.ClientSession() as http:
            text = "I would like to book a table for two tomorrow at seven."
            body = {"model": "m", "voice": "v", "input": text, "response_format": "mp3"}
            async with http.post(lab.url("openai") + "/v1/audio/speech", json=body, headers=AUTH) as answer:
                audio = await answer.read()
            form = aiohttp.FormData({"model": "whisper-1"})
            form.add_field("file", audio, filename="a.mp3")
            async with http.post(lab.url("openai") + "/v1/audio/transcriptions", data=form, headers=AUTH) as answer:
                heard = (await answer.json())["text"]
            assert len(set(words(text)) & set(words(heard))) >= 9

            form = aiohttp.FormData({"model": "whisper-1"})
            form.add_field("file", b"no audio at all", filename="a.mp3")
            async with http.post(lab.url("openai") + "/v1/audio/transcriptions", data=form, headers=AUTH) as answer:
                assert answer.status == 400


async def test_a_text_without_a_sound_is_spoken_as_nothing(installed):
    synthesizer = await PiperSynthesizer.start(unheeded)
    try:
        assert [piece async for piece in synthesizer.speak("… !", Voice(), 24000)] == []
        assert [piece async for piece in synthesizer.speak("Yes.", Voice(), 24000)]
    finally:
        await synthesizer.close()


async def test_engines_of_an_unknown_name_are_refused():
    with pytest.raises(ValueError, match="no engines are called 'magic'"):
        async with started("magic"):
            pass
