"""`sidecar cache`, asked of running sidecars."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import Result

from sidecar.cli.exits import Exit
from sidecar.lab import Lab
from tests.running import Running, running
from tests.sidecar.cli.processes import Invoke

TEXT = "Your table is booked."
SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT}
SPOKEN = {"provider": "openai", "path": "/v1/audio/speech", "request": {"model": "tts-1", "voice": "echo"}}
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": TEXT}]}
Command = Callable[..., Awaitable[Result]]


@asynccontextmanager
async def caching(lab: Lab, secret: str = "sixteen-characters", **config: Any) -> AsyncIterator[Running]:
    plugins = json.dumps([{"use": "cache", "config": {"secret": "${env:SECRET}", **config}}])
    settings = (
        f"providers.openai.url={lab.url('openai')}",
        "providers.openai.credential=${env:KEY}",
        "tls.intercept=false",
    )
    async with running(*settings, plugins=plugins, environ={"SECRET": secret, "KEY": "sk-real"}) as sidecar:
        yield sidecar


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab("openai") as lab:
        yield lab


@pytest.fixture
def command(invoke: Invoke) -> Command:
    """`sidecar …` asked of a sidecar of this process."""

    async def call(sidecar: Running, *arguments: str, **options: Any) -> Result:
        return await asyncio.to_thread(invoke, *arguments, "--admin", sidecar.admin, **options)

    return call


async def say(sidecar: Running, voice: str = "alloy", text: str = TEXT) -> bytes:
    async with aiohttp.ClientSession() as http:
        body = {**SPEECH, "voice": voice, "input": text}
        async with http.post(f"{sidecar.proxy}/openai/v1/audio/speech", json=body) as reply:
            assert reply.status == 200
            return await reply.read()


async def ask(sidecar: Running) -> Any:
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{sidecar.proxy}/openai/v1/chat/completions", json=CHAT) as reply:
            return await reply.json()


def keys(listed: Result) -> list[str]:
    """The first column of the table."""
    return [line.split()[0] for line in listed.stdout.splitlines()[1:-1]]


async def test_entries_are_listed_and_shown_without_what_they_say(lab: Lab, command: Command) -> None:
    async with caching(lab) as sidecar:
        await say(sidecar)
        said = await ask(sidecar)
        listed = await command(sidecar, "cache", "list")
        assert listed.exit_code == Exit.OK
        assert listed.stdout.splitlines()[-1] == "2 of 2 that fit, 2 kept in memory"
        (row,) = [line for line in listed.stdout.splitlines() if " tts " in line]
        assert "gpt-4o-mini-tts/alloy" in row
        assert f"  {len(TEXT)}  " in row
        shown = await command(sidecar, "cache", "show", row.split()[0])
        assert "openai for tts, audio.speech (openai)" in shown.stdout
        assert f"voice alloy, {len(TEXT)} characters" in shown.stdout
        assert "\n  body.input " in shown.stdout
        told = listed.stdout + shown.stdout + (await command(sidecar, "cache", "list", "-o", "json")).stdout
        assert TEXT not in told
        assert said["choices"][0]["message"]["content"] not in told


async def test_what_is_on_the_disk_alone_is_listed_shown_counted_and_purged(
    lab: Lab, command: Command, tmp_path: Path
) -> None:
    async with caching(lab, disk={"directory": str(tmp_path), "budget": "10s"}, max_memory="80KiB") as sidecar:
        spoken = {voice: await say(sidecar, voice) for voice in ("alloy", "echo", "fable", "nova")}
        async with asyncio.timeout(10):
            while "4 written" not in (stats := await command(sidecar, "cache", "stats")).stdout:
                await asyncio.sleep(0.01)
        assert "\n  disk    works; 4 entries, " in stats.stdout
        listed = await command(sidecar, "cache", "list")
        rows = [line.split() for line in listed.stdout.splitlines()[1:-1]]
        alone = [row for row in rows if row[-1] == "disk"]
        assert [row[-1] for row in rows if row not in alone] == ["memory+disk"] * (4 - len(alone))
        assert listed.stdout.splitlines()[-1] == (
            f"4 of 4 that fit, {4 - len(alone)} kept in memory, {len(alone)} on the disk alone"
        )
        key, voice = alone[0][0], alone[0][3].rpartition("/")[2]
        assert "\n  kept       on the disk\n" in (await command(sidecar, "cache", "show", key)).stdout
        assert (await command(sidecar, "cache", "show", key, "--content")).stdout_bytes == spoken[voice]
        asked = len(lab.requests)
        assert await say(sidecar, voice) == spoken[voice]
        assert len(lab.requests) == asked
        assert ", 1 given, 0 too late; " in (await command(sidecar, "cache", "stats")).stdout
        assert (await command(sidecar, "cache", "purge", "--all")).stdout.startswith("4 entries removed\n")
        assert keys(await command(sidecar, "cache", "list")) == []


async def test_content_is_written_where_it_is_asked_for(lab: Lab, command: Command) -> None:
    async with caching(lab) as sidecar:
        audio, said = await say(sidecar), await ask(sidecar)
        for operation, expected in (("tts", audio), ("chat", said)):
            (key,) = keys(await command(sidecar, "cache", "list", "--operation", operation))
            shown = await command(sidecar, "cache", "show", key, "--content")
            assert (shown.stdout_bytes if operation == "tts" else json.loads(shown.stdout)) == expected


async def test_a_purge_takes_what_it_is_told_and_nothing_by_accident(lab: Lab, command: Command) -> None:
    async with caching(lab) as sidecar:
        for voice in ("alloy", "echo", "fable"):
            await say(sidecar, voice)
        for wrong in ((), ("--all", "--voice", "x"), ("abc", "--all"), ("nonsense",), ("--voise", "x")):
            assert (await command(sidecar, "cache", "purge", *wrong)).exit_code == Exit.USAGE
        (key,) = keys(await command(sidecar, "cache", "list", "--voice", "fable"))
        assert (await command(sidecar, "cache", "purge", key)).stdout == "1 entries removed\n"
        assert (await command(sidecar, "cache", "purge", "--voice", "al*")).stdout == "1 entries removed\n"
        assert len(keys(await command(sidecar, "cache", "list"))) == 1
        done = await command(sidecar, "cache", "purge", "--all", "-o", "json")
        assert json.loads(done.stdout) == {"removed": 1, "disk": None, "shared": None}
        again = await command(sidecar, "cache", "show", key)
        assert (again.exit_code, again.stderr.partition(":")[0]) == (Exit.NO, "sidecar")
        assert f"nothing is kept under key {key}" in again.stderr


async def test_what_one_sidecar_exports_another_with_the_same_secret_answers(
    lab: Lab, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "entries"
    async with caching(lab) as one:
        audio = await say(one)
        await ask(one)
        exported = await command(one, "cache", "export", str(file))
        assert (exported.exit_code, exported.stderr) == (Exit.OK, "2 entries exported\n")
        only = await command(one, "cache", "export", "-", "--operation", "tts")
        assert 0 < len(only.stdout_bytes) < len(file.read_bytes())
    assert TEXT.encode() not in file.read_bytes()
    async with caching(lab) as other:
        assert (await command(other, "cache", "import", str(file))).stdout == "2 imported\n"
        assert (await command(other, "cache", "import", str(file))).stdout == "2 older\n"
        asked = len(lab.requests)
        assert await say(other) == audio
        assert len(lab.requests) == asked


async def test_an_export_into_a_pipe_leaves_the_pipe_a_pipe(lab: Lab, command: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with caching(lab) as sidecar:
            await ask(sidecar)
            exported = await command(sidecar, "cache", "export", str(pipe))
        assert exported.exit_code == Exit.OK
        assert pipe.is_fifo()
        assert os.read(reading, 64).startswith(b"agent-sidecar cache export")
    finally:
        os.close(reading)


async def test_an_import_refuses_what_is_not_for_it(lab: Lab, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "entries"
    async with caching(lab) as one:
        await say(one)
        await command(one, "cache", "export", str(file))
        whole = file.read_bytes()
        for content, reason in (
            (b"garbage", "no export of a cache"),
            (whole[:-1], "damaged or cut off after 1 entries"),
            (whole[:-36], "cut off after 1 entries; export it again"),
            (whole[:900] + bytes([whole[900] ^ 1]) + whole[901:], "1 entries were damaged, and left out"),
        ):
            file.write_bytes(content)
            refused = await command(one, "cache", "import", str(file))
            assert refused.exit_code == Exit.NO
            assert reason in refused.stderr
        file.write_bytes(whole)
        missing = await command(one, "cache", "import", str(tmp_path / "nothing"))
        assert (missing.exit_code, "cannot be read" in missing.stderr) == (Exit.ENVIRONMENT, True)
    async with caching(lab, "another-secret-of-theirs") as other:
        refused = await command(other, "cache", "import", str(file))
        assert (refused.exit_code, "another secret" in refused.stderr) == (Exit.NO, True)


async def test_speech_is_fetched_on_demand(lab: Lab, command: Command, tmp_path: Path) -> None:
    async with caching(lab, warm={"speech": [{**SPOKEN, "phrases": ["One."]}], "per_second": 100.0}) as sidecar:
        (plugin,) = sidecar.application.service.host.plugins
        await plugin.plugin.warming.over()
        (tmp_path / "texts").write_text("One.\nTwo.\n")
        done = await command(sidecar, "cache", "warm", "-f", str(tmp_path / "texts"))
        assert done.exit_code == Exit.OK
        assert done.stdout == "done: 2 phrases wanted, 1 were there, 1 fetched, 0 not; 1 calls, 0 failed\n"
        done = await command(sidecar, "cache", "list", "--source", "warm", "--sort", "characters")
        assert len(keys(done)) == 2
    async with caching(lab) as sidecar:
        refused = await command(sidecar, "cache", "warm")
        assert (refused.exit_code, "warm.speech of the cache's configuration is empty" in refused.stderr) == (1, True)


async def test_statistics_stand_beside_what_is_possible(lab: Lab, command: Command) -> None:
    async with caching(lab, control={"share": 1.0}) as sidecar:
        for _ in range(3):
            await say(sidecar)
        told = await command(sidecar, "cache", "stats")
        assert told.stdout.startswith("3 calls looked up, 2 answered without one of their own\n")
        lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
        assert "hit ratio 66.7%" in lines
        assert "at most 66.7%: about 1 different calls, each asked once" in lines
        assert "phrases 2 the same text spoken" in lines
        found = json.loads((await command(sidecar, "cache", "stats", "-o", "json")).stdout)
        assert (found["looked_up"], found["repeats"]["phrases"]) == (3, 2)
        assert (await command(sidecar, "cache", "on")).stdout == "0 kinds of answers switched on\n"


async def test_explain_shows_what_the_key_is_made_of_as_long_as_that_is_known(lab: Lab, command: Command) -> None:
    async with caching(lab) as sidecar:
        await say(sidecar)
        explained = await command(sidecar, "explain", "last")
        (key,) = keys(await command(sidecar, "cache", "list"))
        title = f"what the key {key} of cache is made of"
        assert title in explained.stdout
        parts = [line.split()[0] for line in explained.stdout.partition(title)[2].splitlines() if line]
        assert {"tenant", "header.content-type", "body.voice", "body.input"} <= set(parts)
        await command(sidecar, "cache", "purge", "--all")
        explained = await command(sidecar, "explain", "last")
        assert f"nothing is kept under key {key}" in explained.stdout.partition(title)[2]


async def test_without_a_cache_or_a_sidecar_the_message_says_so(lab: Lab, command: Command, invoke: Invoke) -> None:
    async with running(plugins="[]") as sidecar:
        refused = await command(sidecar, "cache", "list")
        assert refused.exit_code == Exit.NO
        assert refused.stderr == "sidecar: no plugin cache is in service, or it has nothing to say\n"
        gone = sidecar.admin
    nobody = await asyncio.to_thread(invoke, "cache", "stats", "--admin", gone)
    assert nobody.exit_code == Exit.ENVIRONMENT
    assert "no sidecar answers" in nobody.stderr


async def test_a_cache_of_another_name_is_asked_by_it(command: Command) -> None:
    async with running(plugins="[{use: cache, name: phrases}]") as sidecar:
        found = await command(sidecar, "cache", "list", "--plugin", "phrases")
        assert (found.exit_code, found.stdout) == (Exit.OK, "0 of 0 that fit, 0 kept in memory\n")
