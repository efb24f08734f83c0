"""Speech that is there before it is asked for: fetched in the background, within a budget, and out of the way."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai import AsyncOpenAI
from sidecar_cache import Cache
from sidecar_cache.budget import BUSY_CALLS, Budget
from sidecar_cache.config import Phrase, Warm
from sidecar_cache.phrases import Unspeakable, lines_of, provider_of, request_of

from sidecar import Secret
from sidecar.lab import Lab
from sidecar.testing import provider
from tests.running import Running, running
from tests.wire import Line, peer

#: What agents send where the sidecar has the key; it is in the key of the cache.
DUMMY = "sk-dummy"
SPOKEN = {
    "provider": "openai",
    "path": "/v1/audio/speech",
    "request": {"model": "gpt-4o-mini-tts", "voice": "alloy"},
    "headers": {"Authorization": f"Bearer {DUMMY}"},
}
PHRASES = ["Hello, how may I help you?", "Good bye."]
CREDENTIAL = "providers.openai.credential=${env:KEY}"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar_cache.warming._AFTER_START_SECONDS", 0.0)
    monkeypatch.setattr("sidecar_cache.budget._FIRST_REST_SECONDS", 0.001)


def speech(*phrases: str, fault: str = "", **changed: Any) -> dict[str, Any]:
    headers = {**SPOKEN["headers"], **({"x-lab-fault": fault} if fault else {})}  # type: ignore[dict-item]
    return {**SPOKEN, "headers": headers, "phrases": list(phrases), **changed}


@asynccontextmanager
async def warming(
    lab: Lab | str, *ways: dict[str, Any], credential: str = CREDENTIAL, disk: Path | None = None, **limits: Any
) -> AsyncIterator[Running]:
    config: dict[str, Any] = {"warm": {"speech": list(ways), "per_second": 1000.0, **limits}}
    if disk is not None:
        config["disk"] = {"directory": str(disk)}
    url = lab if isinstance(lab, str) else lab.url("openai")
    settings = [f"providers.openai.url={url}", "tls.intercept=false", *([credential] if credential else [])]
    plugins = json.dumps([{"use": "cache", "config": config}])
    async with running(*settings, plugins=plugins, environ={"KEY": "sk-real"}) as sidecar:
        yield sidecar


def cache_of(sidecar: Running) -> Cache:
    (loaded,) = sidecar.application.service.host.plugins
    plugin: Any = loaded.plugin
    assert isinstance(plugin, Cache)
    return plugin


async def over(sidecar: Running) -> dict[str, Any]:
    """What came of it, at its end."""
    cache = cache_of(sidecar)
    async with asyncio.timeout(20):
        await cache.warming.over()
    return cache.warming.told()


class TestPhrases:
    async def test_one_that_was_fetched_is_a_hit_for_the_agents_sdk(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES)) as sidecar:
            done = await over(sidecar)
            assert (done["wanted"], done["fetched"], done["calls"], done["troubles"]) == (2, 2, 2, [])
            assert {request.header("authorization") for request in lab.requests} == {"Bearer sk-real"}
            async with AsyncOpenAI(base_url=f"{sidecar.proxy}/openai/v1", api_key=DUMMY) as openai:
                for phrase in PHRASES:
                    spoken = await openai.audio.speech.create(input=phrase, voice="alloy", model="gpt-4o-mini-tts")
                    assert len(spoken.content) > 1000
            calls = [call for call in sidecar.calls() if call.door == "base_url"]
            assert [call.verdicts[0].outcome for call in calls] == ["hit", "hit"]
            assert len(lab.requests) == 2
            entries = [held.entry for held in cache_of(sidecar).holdings.storage.memory.items()]
            assert [entry.source for entry in entries] == ["warm", "warm"]

    async def test_those_that_are_there_are_not_fetched_again(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES)) as sidecar:
            await over(sidecar)
            cache_of(sidecar).warming.start([PHRASES[0], "Another one."])
            done = await over(sidecar)
            assert (done["wanted"], done["there"], done["fetched"]) == (2, 1, 1)
            assert await sidecar.application.reload()
            done = await over(sidecar)
            assert (done["there"], done["fetched"]) == (2, 0)
            assert len(lab.requests) == 3

    async def test_those_on_the_disk_are_waited_for(self, tmp_path: Path) -> None:
        async with Lab("openai") as lab:
            for fetched in (2, 0):
                async with warming(lab, speech(*PHRASES), disk=tmp_path) as sidecar:
                    assert (await over(sidecar))["fetched"] == fetched
            assert len(lab.requests) == 2

    async def test_a_file_has_further_ones(self, tmp_path: Path) -> None:
        (tmp_path / "phrases").write_text(f"\ufeffOne.\r\n\n  \n{PHRASES[0]}\nDrei Äpfel.", encoding="utf-8")
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES, file=f"{tmp_path}/phrases")) as sidecar:
            assert (await over(sidecar))["fetched"] == 4
            said = {json.loads(request.body)["input"] for request in lab.requests}
        assert said == {*PHRASES, "One.", "Drei Äpfel."}

    @pytest.mark.parametrize(
        ("content", "reason"), [(None, "no such file"), (b"\xff", "can't decode"), (b"x" * (5 << 20), "larger than")]
    )
    async def test_a_file_that_cannot_be_read_is_told_and_the_rest_goes_on(
        self, content: bytes | None, reason: str, tmp_path: Path
    ) -> None:
        if content is not None:
            (tmp_path / "phrases").write_bytes(content)
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES, file=f"{tmp_path}/phrases")) as sidecar:
            done = await over(sidecar)
        (trouble,) = done["troubles"]
        assert trouble.startswith("warm.speech[0].file: ")
        assert reason in trouble
        assert done["fetched"] == 2


class TestTrouble:
    async def test_without_a_credential_nobody_is_called_and_the_log_says_why(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES), credential="") as sidecar:
            done = await over(sidecar)
            assert done["troubles"] == [
                "warm.speech[0]: providers.openai has no credential, and an agent's is not here yet"
            ]
            assert lab.requests == []
        assert "providers.openai has no credential" in caplog.text

    async def test_what_the_provider_refuses_is_asked_once_and_the_rest_goes_on(self) -> None:
        async with Lab("openai") as lab:
            async with warming(lab, speech(*PHRASES, fault="401"), speech("Hello."), at_once=1) as sidecar:
                done = await over(sidecar)
            assert (done["calls"], done["failed_calls"], done["fetched"]) == (2, 1, 1)
            assert done["troubles"] == ["warm.speech[0]: openai refuses it: status 401; the rest of it is left"]

    async def test_a_provider_that_fails_is_asked_less_and_less_and_then_left_alone(self) -> None:
        texts = [f"Phrase {number}." for number in range(9)]
        async with Lab("openai") as lab, warming(lab, speech(*texts, fault="503"), at_once=1) as sidecar:
            done = await over(sidecar)
            assert (done["calls"], done["failed_calls"], done["fetched"]) == (6, 6, 0)
            assert done["troubles"] == ["openai fails: status 503; it is left alone until the next start"]

    async def test_answers_that_are_not_fit_to_be_kept_are_told(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech("Hello.", fault="short")) as sidecar:
            done = await over(sidecar)
        assert (done["fetched"], done["unfit"] + done["failed_calls"] > 0) == (0, True)
        assert done["troubles"]

    async def test_no_more_calls_than_the_budget(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES, "Third."), calls=2) as sidecar:
            done = await over(sidecar)
            assert len(lab.requests) == done["calls"] == 2
            assert done["troubles"] == ["warm.calls: all 2 are spent; the rest is left"]

    async def test_it_ends_with_the_sidecar(self) -> None:
        asked = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            asked.set()
            await line.gone()

        async with peer(script) as silent, asyncio.timeout(10):
            async with warming(f"http://127.0.0.1:{silent.port}", speech(*PHRASES)) as sidecar:
                await asked.wait()
                assert cache_of(sidecar).warming.told()["running"]

    async def test_a_new_configuration_ends_what_the_one_before_fetches(self) -> None:
        asked = asyncio.Event()

        async def script(line: Line) -> None:
            await line.request()
            asked.set()
            await line.gone()

        async with peer(script) as silent, asyncio.timeout(10):
            async with warming(f"http://127.0.0.1:{silent.port}", speech(*PHRASES)) as sidecar:
                await asked.wait()
                before = cache_of(sidecar)
                assert await sidecar.application.reload()
                assert not before.warming.told()["running"]
                assert cache_of(sidecar).warming.told()["running"]


class TestTheBudget:
    async def test_calls_are_as_far_apart_as_is_configured(self) -> None:
        budget, began = Budget(Warm(per_second=50.0), lambda: 0), time.monotonic()
        for _ in range(4):
            assert await budget.turn("openai")
        assert time.monotonic() - began >= 0.06

    async def test_nothing_is_begun_while_many_calls_of_agents_are_under_way(self) -> None:
        under_way = [0, BUSY_CALLS, BUSY_CALLS + 1]
        looked: list[int] = []

        def calls() -> int:
            looked.append(under_way.pop())
            return looked[-1]

        assert await Budget(Warm(), calls).turn("openai")
        assert looked == [BUSY_CALLS + 1, BUSY_CALLS]

    async def test_a_provider_rests_for_longer_after_each_failure_and_as_long_as_it_asks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sidecar_cache.budget._FIRST_REST_SECONDS", 0.02)
        budget, waits = Budget(Warm(per_second=1e6), lambda: 0), []
        for asked_seconds in (0.0, 0.0, 0.0, 0.2):
            assert not budget.failed("openai", asked_seconds)
            began = time.monotonic()
            assert await budget.turn("openai")
            waits.append(time.monotonic() - began)
            assert await budget.turn("groq"), "others do not"
        assert [wait >= least for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.2), strict=True)] == [True] * 4
        assert not budget.failed("openai")
        assert budget.failed("openai")
        assert not await budget.turn("openai")

    async def test_a_success_forgives(self) -> None:
        budget = Budget(Warm(), lambda: 0)
        for _ in range(20):
            assert not budget.failed("openai")
            budget.succeeded("openai")


class TestRequests:
    def test_they_are_spelled_as_the_sdk_of_the_dialect_does_but_for_what_is_configured(self) -> None:
        phrase = Phrase(
            provider="openai", path="/v1/audio/speech", request={"voice": "alloy"}, headers={"ACCEPT": "x/y"}
        )
        request = request_of(phrase, provider("openai"), "Hello")
        assert request.headers.get("accept") == "x/y"
        assert [name for name, _ in request.headers.fields].count(b"Accept") == 0
        assert request.headers.get("accept-encoding") == "gzip, deflate"
        assert json.loads(request.body.data or b"") == {"voice": "alloy", "input": "Hello"}
        assert phrase.request == {"voice": "alloy"}, "the next text comes into the same request"

    def test_the_text_may_stand_within_another_member(self) -> None:
        asked = {"voice": {"languageCode": "de-DE"}}
        phrase = Phrase(provider="g", path="/v1/text:synthesize", request=asked, text="input.text")
        request = request_of(phrase, provider("google_cloud"), "Hallo")
        assert json.loads(request.body.data or b"") == {**asked, "input": {"text": "Hallo"}}
        with pytest.raises(Unspeakable, match=r"^text: voice of voice\.text is no object in request$"):
            request_of(
                Phrase(provider="g", path="/", request={"voice": "x"}, text="voice.text"), provider("openai"), "x"
            )

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"path": "v1/audio/speech"}, "x"),
            ({"path": "/a b"}, "x"),
            ({"headers": {"a": "b\r\nc: d"}}, "x"),
            ({"headers": {"a b": "c"}}, "x"),
            ({"headers": {"a": "\u2026"}}, "x"),
            ({}, "\ud800"),
        ],
    )
    def test_no_request_is_made_of_what_cannot_be_sent(self, changed: dict[str, Any], text: str) -> None:
        phrase = Phrase(**{"provider": "openai", "path": "/v1/audio/speech", "request": {}, **changed})
        with pytest.raises(Unspeakable):
            request_of(phrase, provider("openai"), text)

    def test_whom_nobody_knows_nobody_asks(self) -> None:
        phrase = Phrase(provider="openai", path="/", request={})
        for known, reason in (
            ({}, "providers has no openai"),
            ({"openai": provider("openai")}, "providers.openai has no credential"),
        ):
            with pytest.raises(Unspeakable, match=reason):
                provider_of(phrase, known)
        able = msgspec.structs.replace(provider("openai"), credential=Secret("k"))
        assert provider_of(phrase, {"openai": able}) is able

    def test_texts_of_a_file_keep_their_spaces(self) -> None:
        assert list(lines_of(b" a \r\nb\n\n")) == [" a ", "b"]
