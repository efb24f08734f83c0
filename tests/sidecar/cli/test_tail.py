"""`sidecar tail`, `explain` and `status` as processes, asking a sidecar that serves calls to emulated providers."""

import asyncio
import json
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from sidecar.cli.asking import Asking
from sidecar.cli.exits import Exit
from sidecar.cli.selection import Selection
from sidecar.cli.tail import Tailing
from sidecar.journal import CallTold
from sidecar.lab import Lab
from tests.running import Running, running
from tests.sidecar.cli.calls import call
from tests.sidecar.cli.processes import PATIENCE_SECONDS, Invoke, ended, serving, started

HEADERS = {"Authorization": "Bearer sk-lab"}
NOBODY = "http://127.0.0.1:1"


class World:
    """A sidecar in front of the lab, some calls through it, and the command line to ask about them."""

    def __init__(self, sidecar: Running, lab: Lab, session: aiohttp.ClientSession) -> None:
        self.sidecar = sidecar
        self.lab = lab
        self.env = {"SIDECAR_ADMIN": sidecar.admin}
        self._session = session

    async def chat(self, model: str = "gpt-4o-mini", fault: str = "", provider: str = "openai") -> int:
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
        headers = {**HEADERS, "x-lab-fault": fault} if fault else HEADERS
        url = f"{self.sidecar.proxy}/{provider}/v1/chat/completions"
        async with self._session.post(url, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def speech(self) -> int:
        body = {"model": "tts-1", "voice": "alloy", "input": "hello"}
        url = f"{self.sidecar.proxy}/openai/v1/audio/speech"
        async with self._session.post(url, json=body, headers=HEADERS) as answer:
            await answer.read()
            return answer.status


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Lab("openai") as lab, aiohttp.ClientSession() as session:
        providers = (f"providers.openai.url={lab.url('openai')}", f"providers.groq.url={NOBODY}")
        async with running(*providers) as sidecar:
            yield World(sidecar, lab, session)


async def line_of(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        return dict(json.loads(await process.stdout.readline()))


async def said(process: Process, part: str) -> None:
    """Wait until it has said *part* on standard error."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while part not in (line := (await process.stderr.readline()).decode()):
            assert line, f"never said {part!r}"


# -- tail --------------------------------------------------------------------------------------------------------------


async def test_past_calls_are_listed_one_line_each(world: World) -> None:
    await world.chat()
    await world.speech()
    await world.chat(fault="429")
    done = await ended("tail", "--no-follow", env=world.env)
    assert (done.code, done.err) == (Exit.OK, "")
    first, second, third = (line.split() for line in done.out.splitlines())
    assert first[2:6] == ["chat", "openai", "gpt-4o-mini", "200"]
    assert second[2:6] == ["tts", "openai", "tts-1/alloy", "200"]
    assert third[5] == "429"
    assert first[1] == world.sidecar.calls()[0].id[:8]


async def test_only_the_last_of_those_wanted_are_listed(world: World) -> None:
    for number in range(4):
        await world.chat(model=f"m{number}")
    await world.speech()
    done = await ended("tail", "--no-follow", "-n", "2", "op:chat", env=world.env)
    assert [line.split()[4] for line in done.out.splitlines()] == ["m2", "m3"]
    assert (await ended("tail", "--no-follow", "-n", "0", env=world.env)).out == ""


async def test_filters_are_taken_with_and_without_a_minus(world: World) -> None:
    await world.chat(model="big")
    await world.chat(model="small")
    await world.speech()
    done = await ended("tail", "--no-follow", "op:chat", "-model:big", "-o", "json", env=world.env)
    assert [json.loads(line)["model"] for line in done.out.splitlines()] == ["small"]
    after = await ended("tail", "--no-follow", "--", "-op:chat", env=world.env)
    assert len(after.out.splitlines()) == 1


async def test_calls_are_followed_as_they_end(world: World) -> None:
    await world.chat(model="before")
    async with started("tail", "-o", "json", env=world.env) as process:
        assert (await line_of(process))["model"] == "before"
        await world.chat(model="after")
        told = await line_of(process)
        assert told["model"] == "after"
        assert told == json.loads((await ended("explain", "last", "-o", "json", env=world.env)).out)


async def test_a_call_between_past_and_future_is_shown_once(world: World) -> None:
    async with started("tail", "-o", "json", "-n", "100", env=world.env) as process:
        calls = [asyncio.create_task(world.chat(model=f"m{number}")) for number in range(40)]
        shown = [(await line_of(process))["model"] for _ in calls]
        await asyncio.gather(*calls)
        await world.chat(model="end")
        assert (await line_of(process))["model"] == "end"
    assert sorted(shown) == sorted(f"m{number}" for number in range(40))


class Told(Asking):
    """A sidecar that tells what a test says: for each time it is followed, what it remembers and what then comes."""

    def __init__(self, *lives: tuple[list[CallTold], list[CallTold]]) -> None:
        super().__init__(NOBODY)
        self._lives = list(lives)
        self._kept: list[CallTold] = []

    def last(self, calls: int) -> bytes:
        return msgspec.json.encode(self._kept[-calls:])

    def follow(self) -> Iterator[bytes]:
        if not self._lives:
            raise EndOfTest
        self._kept, coming = self._lives.pop(0)
        yield b"\n"
        yield from (msgspec.json.encode(each) for each in coming)


class EndOfTest(Exception):
    pass


def shown(*lives: tuple[list[CallTold], list[CallTold]], last: int = 10) -> list[str]:
    """The ids that are shown, in their order."""
    ids: list[str] = []
    with pytest.raises(EndOfTest):
        Tailing(Told(*lives), Selection(["-model:dull"]), lambda call, raw: ids.append(call.id)).follow(last)
    return ids


def numbered(number: int, **fields: Any) -> CallTold:
    """A call from the time of the test: an hour after its begin is late enough."""
    return call(id=f"{number:032x}", at_ns=time.time_ns() + 3600 * 10**9, **fields)


ONE, TWO, THREE, DULL = numbered(1), numbered(2), numbered(3), numbered(4, model="dull")
OLD = call(id="f" * 32, at_ns=1)


def test_a_call_that_is_both_past_and_coming_is_shown_once() -> None:
    assert shown(([ONE, TWO], [TWO, THREE])) == [ONE.id, TWO.id, THREE.id]
    assert shown(([ONE, DULL, TWO], [DULL, TWO, THREE]), last=1) == [TWO.id, THREE.id]


def test_what_was_not_asked_for_does_not_come_by_another_way() -> None:
    assert shown(([ONE, TWO], [ONE, TWO, THREE]), last=1) == [TWO.id, THREE.id]
    assert shown(([ONE], [TWO]), last=0) == [TWO.id]


def test_after_a_restart_nothing_is_missed_and_nothing_comes_twice() -> None:
    assert shown(([ONE], [TWO]), ([THREE], [])) == [ONE.id, TWO.id, THREE.id]
    assert shown(([ONE], [TWO]), ([ONE, TWO, DULL, THREE], [THREE])) == [ONE.id, TWO.id, THREE.id]


def test_calls_from_before_it_began_are_not_taken_for_missed_ones() -> None:
    assert shown(([OLD, ONE], []), ([OLD, ONE, TWO], []), last=1) == [ONE.id, TWO.id]
    assert shown(([], []), ([OLD, TWO], []), last=0) == [TWO.id]


async def test_followed_calls_are_filtered_too(world: World) -> None:
    async with started("tail", "-o", "json", "-model:dull", env=world.env) as process:
        await world.chat(model="first")
        assert (await line_of(process))["model"] == "first"
        await world.chat(model="dull")
        await world.chat(model="bright")
        assert (await line_of(process))["model"] == "bright"


async def test_an_interrupt_ends_following_and_is_no_error(world: World) -> None:
    await world.chat()
    async with started("tail", env=world.env) as process:
        assert process.stdout is not None
        assert b"gpt-4o-mini" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, err = await process.communicate()
        assert (process.returncode, err.decode().strip()) == (Exit.OK, "")


async def test_a_restart_of_the_sidecar_is_survived(tmp_path: Path) -> None:
    async with Lab("openai") as lab, aiohttp.ClientSession(headers=HEADERS) as session:
        url = f"providers.openai.url={lab.url('openai')}"

        async def chat(proxy: str, model: str) -> None:
            body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
            async with session.post(f"{proxy}/openai/v1/chat/completions", json=body) as answer:
                assert answer.status == 200
                await answer.read()

        async with serving(tmp_path, url) as first:
            await chat(first.proxy, "one")
            async with started("tail", "-o", "json", env={"SIDECAR_ADMIN": first.admin}) as process:
                assert (await line_of(process))["model"] == "one"
                await first.stop()
                await said(process, "has gone; waiting for the next")
                admin = first.admin.removeprefix("http://")
                async with serving(tmp_path, url, f"admin.address={admin}") as second:
                    await chat(second.proxy, "two")
                    assert (await line_of(process))["model"] == "two"
                    await said(process, "it is back")
                    await chat(second.proxy, "three")
                    assert (await line_of(process))["model"] == "three"


async def test_without_a_sidecar_there_is_nothing_to_follow() -> None:
    done = await ended("tail", "--admin", NOBODY)
    assert done.code == Exit.ENVIRONMENT
    assert done.out == ""
    assert done.err.startswith(f"sidecar: no sidecar answers at {NOBODY}: connection refused; start one with")


async def test_a_filter_without_sense_is_a_usage_error_whether_or_not_a_sidecar_runs(world: World) -> None:
    syntax = await ended("tail", "ttfb>3", "--admin", NOBODY)
    assert (syntax.code, "has no unit" in syntax.err) == (Exit.USAGE, True)
    name = await ended("tail", "modle:x", env=world.env)
    assert (name.code, "did you mean model?" in name.err) == (Exit.USAGE, True)


async def test_no_escape_sequences_go_into_a_pipe(world: World) -> None:
    await world.chat(fault="500")
    done = await ended("tail", "--no-follow", env=world.env)
    assert "\x1b" not in done.out


# -- explain -----------------------------------------------------------------------------------------------------------


async def test_a_call_is_explained_by_the_beginning_of_its_id_or_as_the_last(world: World) -> None:
    await world.chat()
    call = world.sidecar.calls()[-1]
    by_id = await ended("explain", call.id[:8], env=world.env)
    assert by_id.code == Exit.OK
    assert by_id.out.startswith(f"call {call.id}\n")
    assert "attempt 1: openai at" in by_id.out
    assert (await ended("explain", "last", env=world.env)).out == by_id.out


async def test_a_provider_that_cannot_be_reached_is_explained_with_what_to_do(world: World) -> None:
    assert await world.chat(provider="groq") == 502
    done = await ended("explain", "last", env=world.env)
    assert done.code == Exit.OK
    assert "(connection_refused)" in done.out
    assert "providers.groq.url" in done.out


async def test_a_stranger_to_the_provider_is_explained_with_what_to_do(world: World) -> None:
    assert await world.chat(fault="401") == 401
    assert "providers.openai.credential" in (await ended("explain", "last", env=world.env)).out


async def test_unknown_and_ambiguous_ids_are_a_no(world: World) -> None:
    unknown = await ended("explain", "zzz", env=world.env)
    assert (unknown.code, unknown.out) == (Exit.NO, "")
    assert "sidecar: no call zzz among the last ones; sidecar tail" in unknown.err
    for _ in range(17):  # two of them begin with the same digit
        await world.chat()
    firsts = [call.id[0] for call in world.sidecar.calls()]
    twice = max(firsts, key=firsts.count)
    ambiguous = await ended("explain", twice, env=world.env)
    assert ambiguous.code == Exit.NO
    assert f"{firsts.count(twice)} calls begin with {twice}; give more of the id" in ambiguous.err
    assert (await ended("explain", "../status", env=world.env)).code == Exit.USAGE


# -- status ------------------------------------------------------------------------------------------------------------


async def test_status_tells_what_runs(world: World) -> None:
    done = await ended("status", env=world.env)
    assert done.code == Exit.OK
    rows = dict(line.strip().split(maxsplit=1) for line in done.out.splitlines()[1:])
    assert rows["proxy"] == world.sidecar.proxy
    assert rows["bundle"] == str(world.sidecar.bundle)
    assert rows["plugins"] == "none"
    assert rows["chat"] == "(dispatch) › (upstream)"
    assert "openai" in rows["providers"]
    told = json.loads((await ended("status", "-o", "json", env=world.env)).out)
    assert told["addresses"]["admin"] == world.sidecar.admin.removeprefix("http://")


async def test_status_can_be_told_of_plugins_from_a_configuration(greeter: Path) -> None:
    async with running(plugins="[{use: greeter, config: {greeting: hi}}]") as sidecar:
        done = await ended("status", env={"SIDECAR_ADMIN": sidecar.admin})
    assert "plugins        greeter\n" in done.out


def test_status_of_nobody_is_an_error(invoke: Invoke) -> None:
    assert invoke("status", "--admin", NOBODY).exit_code == Exit.ENVIRONMENT
