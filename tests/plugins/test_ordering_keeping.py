"""What was learned outlives a restart and a new configuration, and other pods know of it."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from sidecar_ordering.candidates import Asked
from sidecar_ordering.plugin import Ordering

from sidecar import Exchange
from sidecar.testing import Stage, configured
from tests.plugins import redis_server
from tests.plugins.test_ordering_calls import THREE, asked, by_provider, refused, speech, spoken

needs_redis = pytest.mark.skipif(redis_server.PROGRAM is None, reason="there is no redis-server")


def made(**config: Any) -> Ordering:
    lines = "".join(f"{name}: {value}\n" for name, value in config.items())
    return configured(Ordering, THREE + lines)


async def play(stage: Stage, exchange: Exchange | None = None, **said: Any) -> list[str]:
    script: dict[str, Any] = {"openai": refused(500), "elevenlabs": spoken, "deepgram": spoken}
    return asked(await stage.play(exchange or speech(), by_provider(**script | said)))


async def learned(stage: Stage) -> None:
    """That OpenAI fails."""
    for _ in range(4):
        await play(stage)
    assert "openai" not in await play(stage)


class TestOverARestart:
    async def test_it_is_known_who_fails(self, tmp_path: Path) -> None:
        file = tmp_path / "here" / "state"
        async with Stage(made(state=file)) as stage:
            await learned(stage)
        assert file.exists()
        async with Stage(made(state=file)) as stage:
            assert (await play(stage))[0] != "openai"

    async def test_without_a_file_it_is_not(self, tmp_path: Path) -> None:
        async with Stage(made()) as stage:
            await learned(stage)
        async with Stage(made()) as stage:
            assert (await play(stage))[0] == "openai"

    async def test_a_file_of_garbage_is_told_of_and_forgotten(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "state"
        file.write_bytes(b"\xc1 nonsense")
        with caplog.at_level(logging.WARNING):
            async with Stage(made(state=file)) as stage:
                assert (await play(stage, openai=spoken))[0] == "openai"
        assert "cannot be read" in caplog.text

    async def test_one_that_cannot_be_written_costs_no_call(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        with caplog.at_level(logging.WARNING):
            async with Stage(made(state=tmp_path / "file" / "state")) as stage:
                assert (await play(stage, openai=spoken))[0] == "openai"
        assert "cannot be" in caplog.text

    async def test_nothing_of_a_call_is_in_it(self, tmp_path: Path) -> None:
        file = tmp_path / "state"
        async with Stage(made(state=file)) as stage:
            await play(stage, speech(input="a secret of mine"))
        assert b"secret" not in file.read_bytes()
        assert b"sk-agent" not in file.read_bytes()


async def test_a_new_configuration_goes_on_from_the_old_one() -> None:
    async with Stage(made()) as before:
        await learned(before)
        async with Stage(made(critical_header="x-urgent"), before=before) as after:
            assert (await play(after))[0] != "openai"


@needs_redis
class TestBetweenPods:
    async def test_one_learns_from_the_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        told = asyncio.Event()
        async with redis_server.running(tmp_path) as server:
            shared = f"{{url: '{server.url}', every: 20ms}}"
            async with Stage(made(shared=shared)) as one:
                await learned(one)
                plugin = made(shared=shared)
                async with Stage(plugin) as other:
                    await play(other, openai=spoken)
                    groups, real = plugin.groups, plugin.groups.absorb

                    def absorbed(others: Any, now: float, unix_now: float) -> None:
                        real(others, now, unix_now)
                        if any(others.values()):
                            told.set()

                    monkeypatch.setattr(groups, "absorb", absorbed)
                    async with asyncio.timeout(10):
                        await told.wait()
                    (group,) = groups.all()
                    ranking = group.balancer.rank(Asked(), plugin.clock.now())
                    chances = {place.candidate.provider: place.chance for place in (*ranking.order, *ranking.resorts)}
                    assert chances["openai"] < chances["elevenlabs"]

    async def test_a_dead_one_costs_no_call(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        async with redis_server.running(tmp_path) as server:
            url = server.url
        with caplog.at_level(logging.WARNING):
            async with Stage(made(shared=f"{{url: '{url}', every: 20ms}}")) as stage:
                assert (await play(stage, openai=spoken))[0] == "openai"
                async with asyncio.timeout(10):
                    while "cannot be asked" not in caplog.text:
                        await asyncio.sleep(0)
