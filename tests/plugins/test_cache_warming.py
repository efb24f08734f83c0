"""Speech that is there before it is asked for: fetched in the background, within a budget, and out of the way."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace
from openai import AsyncOpenAI
from sidecar_cache import Cache
from sidecar_cache.budget import BUSY_CALLS, Budget
from sidecar_cache.config import Phrase, Warm
from sidecar_cache.phrases import Unspeakable, lines_of, provider_of, request_of
from sidecar_cache.tenants import Agent
from sidecar_cache.ways import Ways

from sidecar.lab import Lab
from sidecar.testing import answer, call, provider
from tests.running import Running, running
from tests.wire import Line, peer

#: What agents send where the sidecar has the key.
DUMMY = "sk-dummy"
#: What they send where it has none.
OWN = "sk-an-agents-very-own"
SPOKEN = {
    "provider": "openai",
    "path": "/v1/audio/speech",
    "request": {"model": "gpt-4o-mini-tts", "voice": "alloy"},
}
PHRASES = ["Hello, how may I help you?", "Good bye."]
CREDENTIAL = "providers.openai.credential=${env:KEY}"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar_cache.warming._AFTER_START_SECONDS", 0.0)
    monkeypatch.setattr("sidecar_cache.budget._FIRST_REST_SECONDS", 0.001)


def speech(*phrases: str, fault: str = "", **changed: Any) -> dict[str, Any]:
    return {**SPOKEN, "headers": {"x-lab-fault": fault} if fault else {}, "phrases": list(phrases), **changed}


@asynccontextmanager
async def warming(
    lab: Lab | str,
    *ways: dict[str, Any],
    credential: str = CREDENTIAL,
    disk: Path | None = None,
    tenant: str = "agent",
    **limits: Any,
) -> AsyncIterator[Running]:
    warm = {"speech": list(ways), "per_second": 1000.0, **limits}
    config: dict[str, Any] = {"warm": warm, "tenant": tenant, "jitter": 0.0}
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


def holding(text: str, directory: Path) -> list[Path]:
    """The files there that have *text* in them."""
    return [file for file in directory.rglob("*") if text.encode() in file.read_bytes()]


async def over(sidecar: Running) -> dict[str, Any]:
    """What came of it, at its end."""
    cache = cache_of(sidecar)
    async with asyncio.timeout(20):
        await cache.warming.over()
    return cache.warming.told()


async def spoken_to(sidecar: Running, key: str, phrase: str) -> str:
    """What the cache said to an agent with that *key* that asks for *phrase* with the official SDK."""
    async with AsyncOpenAI(base_url=f"{sidecar.proxy}/openai/v1", api_key=key, max_retries=0) as openai:
        spoken = await openai.audio.speech.create(input=phrase, voice="alloy", model="gpt-4o-mini-tts")
        assert len(spoken.content) > 1000
    calls = [call for call in sidecar.calls() if call.door == "base_url"]
    outcome: str = calls[-1].verdicts[-1].outcome
    return outcome


class TestPhrases:
    async def test_one_that_was_fetched_is_a_hit_for_the_agents_sdk(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES)) as sidecar:
            done = await over(sidecar)
            assert (done["wanted"], done["fetched"], done["calls"], done["troubles"]) == (2, 2, 2, [])
            assert {request.header("authorization") for request in lab.requests} == {"Bearer sk-real"}
            for phrase in PHRASES * 2:
                assert await spoken_to(sidecar, DUMMY, phrase) == "hit"
            assert len(lab.requests) == 2
            entries = [held.entry for held in cache_of(sidecar).holdings.storage.memory.items()]
            assert [entry.source for entry in entries] == ["warm", "warm"]

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Accept-Encoding": "identity"},
            {"Accept": "audio/mpeg", "Accept-Encoding": "gzip, deflate, br, zstd"},
            {"Authorization": "Bearer another", "OpenAI-Organization": "org", "Cookie": "a=b"},
        ],
        ids=["none", "nothing coded", "a browser's", "other credentials"],
    )
    async def test_one_that_was_fetched_is_a_hit_for_any_client(self, headers: dict[str, str]) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES)) as sidecar, aiohttp.ClientSession() as http:
            await over(sidecar)
            for _ in range(2):
                asked = {**SPOKEN["request"], "input": PHRASES[0]}  # type: ignore[dict-item]
                async with http.post(f"{sidecar.proxy}/openai/v1/audio/speech", json=asked, headers=headers) as reply:
                    assert reply.headers["x-sidecar-provider"] == "cache"
                    assert "Content-Encoding" not in reply.headers
            assert len(lab.requests) == 2

    async def test_all_agents_of_the_pod_have_it_and_nothing_else_of_each_other(self) -> None:
        """What was fetched is nobody's; what one has asked for is its own, though the provider sees one account."""
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0])) as sidecar:
            await over(sidecar)
            for key in ("sk-a", "sk-b"):
                assert await spoken_to(sidecar, key, PHRASES[0]) == "hit"
                assert await spoken_to(sidecar, key, "What only one of them says.") == "miss"
                assert await spoken_to(sidecar, key, "What only one of them says.") == "hit"
            assert len(lab.requests) == 3

    async def test_what_came_of_an_agents_call_is_not_given_to_others_as_if_it_had_been_fetched(self) -> None:
        """Not even where it is a phrase: it was not there when the one asked."""
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0], fault="503"), calls=1) as sidecar:
            await over(sidecar)
            for key in ("sk-a", "sk-b"):
                assert await spoken_to(sidecar, key, PHRASES[0]) == "miss"
                assert await spoken_to(sidecar, key, PHRASES[0]) == "hit"

    async def test_once_it_is_out_of_date_agents_ask_for_themselves(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0])) as sidecar:
            await over(sidecar)
            assert await spoken_to(sidecar, DUMMY, PHRASES[0]) == "hit"
            real = time.time_ns
            passed = 7.5 * 86400 * 1e9  # an agent's own would be given now while it is fetched anew
            monkeypatch.setattr("sidecar_cache.entry.time.time_ns", lambda: real() + int(passed))
            for key in (DUMMY, "sk-another"):
                assert await spoken_to(sidecar, key, PHRASES[0]) == "miss"
            assert len(lab.requests) == 3

    async def test_nothing_but_phrases_is_looked_for_among_them(self) -> None:
        """Pods that share a store may be one tenant each, and have kept there what their agents have asked for."""
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0])) as sidecar:
            await over(sidecar)
            plugin = cache_of(sidecar)
            (held,) = plugin.holdings.storage.memory.items()
            exchange, key = plugin.warming._asked(plugin.warming._ways.now()[0], "What an agent of another pod says.")
            plugin.warming._keys.discard(key)
            plugin.holdings.storage.keep(key, held.entry, 60.0)
            assert exchange.request.body.data
            assert await spoken_to(sidecar, DUMMY, "What an agent of another pod says.") == "miss"

    async def test_once_it_had_to_make_room_agents_ask_for_themselves_and_are_answered_at_once_from_then_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0])) as sidecar:
            await over(sidecar)
            assert await spoken_to(sidecar, DUMMY, PHRASES[0]) == "hit"
            plugin, looked_for = cache_of(sidecar), 0
            plugin.holdings.storage.memory.clear()
            assert await spoken_to(sidecar, DUMMY, PHRASES[0]) == "miss"
            assert await spoken_to(sidecar, DUMMY, PHRASES[0]) == "hit"
            found = plugin._found

            async def counted(*given: Any) -> Any:
                nonlocal looked_for
                looked_for += 1
                return await found(*given)

            monkeypatch.setattr(plugin, "_found", counted)
            assert await spoken_to(sidecar, DUMMY, PHRASES[0]) == "hit"
            assert looked_for == 0, "the body is known to be that of the agent's own answer"
            assert len(lab.requests) == 2

    async def test_with_one_tenant_to_a_pod_it_is_kept_as_any_other_answer(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0]), tenant="pod") as sidecar:
            await over(sidecar)
            for key in ("sk-a", "sk-b"):
                assert await spoken_to(sidecar, key, PHRASES[0]) == "hit"
            assert await spoken_to(sidecar, "sk-a", "Another.") == "miss"
            assert await spoken_to(sidecar, "sk-b", "Another.") == "hit"
            assert len(lab.requests) == 2

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


class TestAnAgentsCredential:
    """Where the sidecar has none, an agent's is used once it has been seen to work, and kept nowhere."""

    async def test_is_waited_for_and_then_phrases_are_hits_for_that_agent(
        self, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with Lab("openai") as lab:
            async with warming(lab, speech(*PHRASES), credential="", disk=tmp_path) as sidecar:
                done = await over(sidecar)
                assert lab.requests == []
                (waits,) = done["waiting"]
                assert waits.startswith("warm.speech[0]: waits for the first speech of an agent from openai")
                assert waits in caplog.text
                assert await spoken_to(sidecar, OWN, "Something else.") == "miss"
                done = await over(sidecar)
                assert (done["fetched"], done["waiting"], done["troubles"]) == (2, [], [])
                assert {request.header("authorization") for request in lab.requests} == {f"Bearer {OWN}"}
                for phrase in PHRASES:
                    assert await spoken_to(sidecar, OWN, phrase) == "hit"
                assert await spoken_to(sidecar, "sk-another", PHRASES[0]) == "miss"
                assert len(lab.requests) == 4, "for one agent, unless more are configured"
                assert OWN not in json.dumps(done)
                assert not cache_of(sidecar).warming.awaited
        assert OWN not in caplog.text
        assert not holding(OWN, tmp_path)

    async def test_is_one_for_each_of_as_many_agents_as_are_configured(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0]), credential="", agents=2) as sidecar:
            await over(sidecar)
            for key in ("sk-a", "sk-a", "sk-b", "sk-c"):
                await spoken_to(sidecar, key, f"Something else for {key}.")
                await over(sidecar)
            assert [await spoken_to(sidecar, key, PHRASES[0]) for key in ("sk-a", "sk-b", "sk-c")] == [
                *("hit", "hit", "miss")
            ]
            credentials = [request.header("authorization") for request in lab.requests]
            assert [credentials.count(f"Bearer sk-{key}") for key in "abc"] == [2, 2, 2]

    async def test_that_is_refused_is_not_used(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0]), credential="") as sidecar:
            async with aiohttp.ClientSession() as http:
                for headers in ({"x-lab-fault": "401"}, {"x-lab-fault": "500"}):
                    asked = {**SPOKEN["request"], "input": "x"}  # type: ignore[dict-item]
                    url = f"{sidecar.proxy}/openai/v1/audio/speech"
                    async with http.post(url, json=asked, headers=headers) as reply:
                        assert reply.status in (401, 500)
            assert (await over(sidecar))["fetched"] == 0
            assert len(lab.requests) == 2
            assert cache_of(sidecar).warming.told()["waiting"]

    async def test_of_calls_that_are_no_speech_says_nothing(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0]), credential="") as sidecar:
            async with AsyncOpenAI(base_url=f"{sidecar.proxy}/openai/v1", api_key=OWN) as openai:
                await openai.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello"}])
            assert (await over(sidecar))["fetched"] == 0
            assert len(lab.requests) == 1

    async def test_is_forgotten_with_the_configuration(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(PHRASES[0]), credential="") as sidecar:
            await spoken_to(sidecar, OWN, "Something else.")
            await over(sidecar)
            before = cache_of(sidecar).warming
            assert await sidecar.application.reload()
            assert before._ways._agents == {}
            assert (await over(sidecar))["waiting"]
            assert len(lab.requests) == 2

    async def test_within_the_budget_of_the_start(self) -> None:
        async with Lab("openai") as lab:
            async with warming(lab, speech(*PHRASES), credential="", calls=1) as sidecar:
                await spoken_to(sidecar, OWN, "Something else.")
                done = await over(sidecar)
            assert (done["calls"], done["troubles"]) == (1, ["warm.calls: all 1 are spent; the rest is left"])

    async def test_may_not_be_wanted(self) -> None:
        async with Lab("openai") as lab, warming(lab, speech(*PHRASES), credential="", agents=0) as sidecar:
            await spoken_to(sidecar, OWN, "Something else.")
            done = await over(sidecar)
            assert done["troubles"] == ["warm.speech[0]: providers.openai has no credential, and warm.agents is 0"]
            assert (done["waiting"], len(lab.requests)) == ([], 1)

    def test_is_learned_for_each_endpoint_from_as_many_agents_as_are_configured(self) -> None:
        paths = ("/v1/text-to-speech/v", "/v1/text-to-speech/v/stream")
        spoken = [Phrase(provider="elevenlabs", path=path, request={}, text="text") for path in paths]
        ways = Ways(Warm(speech=spoken), {"elevenlabs": provider("elevenlabs")})

        def seen(path: str, key: str, answered_by: str = "elevenlabs") -> list[str]:
            exchange = call("elevenlabs", path, {"text": "x"}, headers={"xi-api-key": key})
            return [way.place for way in ways.see(exchange, replace(answer(b""), answered_by=answered_by))]

        assert seen(paths[0], "a", "a substitute") == []
        assert seen("/v1/text-to-speech/another", "a") == ["warm.speech[0]"], "whatever the voice"
        assert [seen(paths[0], key) for key in "ab"] == [[], []]
        assert ways.waiting == [way for way in ways.waiting if "speech[1]" in way] != []
        assert seen(paths[1], "b") == ["warm.speech[1]"]
        assert (ways.awaited, ways.waiting) == (set(), [])
        assert len(ways.now()) == 2

    def test_goes_to_whom_it_was_sent_and_stands_where_it_stood(self) -> None:
        body, headers = {"input": {"text": "x"}}, {"X-Goog-Api-Key": "k", "Content-Encoding": "x", "X-Vendor": "v"}
        target = "/v1/text:synthesize?prettyPrint=true&key=sk-own"
        agent = Agent(call("google_cloud", target, body, headers=headers))
        phrase = Phrase(provider="google_cloud", path="/v1/text:synthesize", request={}, text="input.text")
        request = request_of(phrase, agent.provider, "Hallo", agent)
        assert request.target == "/v1/text:synthesize?key=sk-own"
        assert {name.decode() for name, _ in request.headers.fields} == {
            *("X-Goog-Api-Key", "X-Vendor", "Content-Type", "Content-Length")
        }
        assert "sk-own" not in repr(agent)


class TestTrouble:
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
            ({"openai": msgspec.structs.replace(provider("openai"), dialect=None)}, "has no dialect"),
        ):
            with pytest.raises(Unspeakable, match=reason):
                provider_of(phrase, known)
        able = provider("openai")
        assert provider_of(phrase, {"openai": able}) is able

    def test_texts_of_a_file_keep_their_spaces(self) -> None:
        assert list(lines_of(b" a \r\nb\n\n")) == [" a ", "b"]
