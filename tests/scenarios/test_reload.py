"""A new configuration takes over while calls run; a bad one changes nothing and says so."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sidecar import application as module
from sidecar.application import Application, run
from sidecar.configuration import Configuration, load
from tests.faulty.installing import bad_day_installed
from tests.running import Running, running
from tests.sidecar.intercept.stage import (
    PATIENCE_SECONDS,
    Agent,
    Received,
    Stage,
    Streaming,
    get,
    nothing_goes_unhandled,
    post,
    stage,
    until,
)
from tests.wire import Peer, answer, peer

EVERYTHING = ("listen.address=127.0.0.1:0", "admin.address=127.0.0.1:0", "probes.address=null", "tls.intercept=false")


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[list[str]]:
    """What the plugins called ``lives`` have lived through."""
    with bad_day_installed(tmp_path):
        from bad_day.at_start import LIVED  # type: ignore[import-not-found]

        yield LIVED


def written(to: Peer | int, *more: str) -> str:
    port = to if isinstance(to, int) else to.port
    return "\n".join((f"providers: {{lab: {{url: 'http://127.0.0.1:{port}', dialect: openai}}}}", *more, ""))


class Reloading:
    """A sidecar with a file of its own, and two providers of which one is called."""

    def __init__(self, sidecar: Running, file: Path, first: Peer, second: Peer) -> None:
        self.sidecar = sidecar
        self.application: Application = sidecar.application
        self.file = file
        self.first = first
        self.second = second
        self.stage = Stage(sidecar, first)

    async def agent(self) -> Agent:
        return await self.stage.agent()

    def reloads(self, result: str) -> int:
        key = ("config_reloads", (("result", result),))
        return self.application.metrics._counters.get(key, 0)


@contextlib.asynccontextmanager
async def reloading(
    tmp_path: Path, *more: str, first: object = None, second: object = None
) -> AsyncIterator[Reloading]:
    with nothing_goes_unhandled():
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            peer(first or Received(answer(b"first"))) as one,  # type: ignore[arg-type]
            peer(second or Received(answer(b"second"))) as two,  # type: ignore[arg-type]
        ):
            file = tmp_path / "sidecar.yaml"
            file.write_text(written(one, *(more or ("plugins: []",))))
            async with running(file=file) as sidecar:
                here = Reloading(sidecar, file, one, two)
                try:
                    yield here
                finally:
                    here.stage.close()


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)


@contextlib.asynccontextmanager
async def watching(application: Application) -> AsyncIterator[None]:
    task = asyncio.ensure_future(application.watch())
    try:
        yield
        assert not task.done(), "nobody watches any more"
    finally:
        task.cancel()
        await asyncio.wait((task,))


# -- a good one ------------------------------------------------------------------------------------------------------


async def test_a_changed_file_is_taken(tmp_path: Path, looking_often: None) -> None:
    async with reloading(tmp_path) as here, watching(here.application):
        agent = await here.agent()
        assert (await agent.ask(post(b"1"))).body == b"first"
        assert (await agent.ask(post(b"2"))).body == b"first"
        here.file.write_text(written(here.second, "plugins: []"))
        await until(lambda: here.reloads("taken") == 1)
        assert (await agent.ask(post(b"3"))).body == b"second", "on a kept connection, with a head that is known"
        assert (await (await here.agent()).ask(post(b"4"))).body == b"second"


async def test_a_config_map_is_taken_when_its_link_is_swapped(tmp_path: Path, looking_often: None) -> None:
    """The kubelet writes a new directory and swaps the link ``..data``; the file's own link never changes."""
    async with peer(Received(answer(b"first"))) as one, peer(Received(answer(b"second"))) as two:
        mounted = tmp_path / "config"
        for version, provider in (("..v1", one), ("..v2", two)):
            (mounted / version).mkdir(parents=True)
            (mounted / version / "sidecar.yaml").write_text(written(provider, "plugins: []"))
        (mounted / "..data").symlink_to("..v1")
        (mounted / "sidecar.yaml").symlink_to("..data/sidecar.yaml")
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            running(file=mounted / "sidecar.yaml") as sidecar,
            watching(sidecar.application),
            contextlib.AsyncExitStack() as stack,
        ):
            here = Reloading(sidecar, mounted / "sidecar.yaml", one, two)
            stack.callback(here.stage.close)
            assert (await (await here.agent()).ask(get())).body == b"first"
            (mounted / "..data_tmp").symlink_to("..v2")
            os.replace(mounted / "..data_tmp", mounted / "..data")
            await until(lambda: here.reloads("taken") == 1)
            assert (await (await here.agent()).ask(get())).body == b"second"


async def test_a_file_that_only_looks_new_is_left_alone(tmp_path: Path, looking_often: None) -> None:
    async with reloading(tmp_path) as here, watching(here.application):
        here.file.write_text(here.file.read_text())
        here.file.touch()
        await asyncio.sleep(0.1)
        assert here.reloads("taken") == 0


async def test_a_file_that_is_gone_for_a_moment_is_waited_for(tmp_path: Path, looking_often: None) -> None:
    async with reloading(tmp_path) as here, watching(here.application):
        here.file.unlink()
        await asyncio.sleep(0.05)
        assert (here.reloads("taken"), here.reloads("refused")) == (0, 0)
        here.file.write_text(written(here.second, "plugins: []"))
        await until(lambda: here.reloads("taken") == 1)
        assert (await (await here.agent()).ask(get())).body == b"second"


async def test_calls_under_way_end_on_the_configuration_they_began_on(tmp_path: Path, lived: list[str]) -> None:
    streaming = Streaming()
    async with reloading(tmp_path, "plugins: [{use: lives, name: old}]", first=streaming) as here:
        agent = await here.agent()
        await agent.send(get())
        await agent.head()
        assert await agent.chunk() == b"first"
        here.file.write_text(written(here.second, "plugins: [{use: lives, name: new}]"))
        assert await here.application.reload()
        assert (await (await here.agent()).ask(get())).body == b"second"
        assert lived == ["old starts", "new starts"], "the old one still serves"
        streaming.go_on.set()
        assert [await agent.chunk(), await agent.chunk()] == [b"second", b""]
        await until(lambda: len(lived) == 3)
        assert lived == ["old starts", "new starts", "old stops"]
        await asyncio.wait_for(streaming.ended.wait(), 5)  # its connections are closed
        assert (await agent.ask(get())).body == b"second", "the agent's connection lives on"
    assert lived[3:] == ["new stops"]


async def test_the_new_configuration_and_the_old_are_named_by_their_digests(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as here:
        before = here.application.service.configuration.digest
        here.file.write_text(written(here.second, "plugins: []"))
        with caplog.at_level(logging.INFO):
            assert await here.application.reload()
        after = here.application.service.configuration.digest
        assert before != after
        assert f"configuration {after} took over from {before}" in caplog.text
        assert here.application.status()["configuration"]["digest"] == after


async def test_a_listening_address_changes_only_by_a_restart_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as here:
        here.file.write_text(written(here.second, "plugins: []", "journal: {calls: 7}", "log: {calls: all}"))
        assert await here.application.reload()
        assert "a change of journal takes effect only after a restart" in caplog.text
        assert "a change of log takes effect only after a restart" in caplog.text


async def test_a_provider_whose_hosts_the_authority_does_not_cover_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as here:
        here.file.write_text(
            "plugins: []\n"
            "providers: {late: {url: 'https://late.example.com', dialect: openai, hosts: [late.example.com]}}\n"
        )
        assert await here.application.reload()
        assert "late.example.com is ended only after a restart" in caplog.text


# -- a bad one -------------------------------------------------------------------------------------------------------

BAD = {
    "no YAML": "providers: [",
    "an unknown key": "provders: {}\n",
    "no UTF-8": b"\xff\xfe",
    "an unknown plugin": "plugins: [{use: nothing-like-this}]\n",
    "a plugin that cannot be made": "plugins: [{use: raises-when-made}]\n",
    "a plugin that cannot start": "plugins: [{use: lives, name: new}, {use: raises-on-entry}]\n",
    "endless nesting": "[" * 50_000,
    "empty plugins": "plugins: 3\n",
}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_configuration_changes_nothing_and_says_so(
    tmp_path: Path, what: str, lived: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path, "plugins: [{use: lives, name: old}]") as here:
        before = here.application.service
        bad = BAD[what]
        here.file.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
        assert not await here.application.reload()
        assert here.application.service is before
        assert (await (await here.agent()).ask(get())).body == b"first"
        assert (here.reloads("refused"), here.reloads("taken")) == (1, 0)
        assert f"{before.configuration.digest} stays in force" in caplog.text
        assert "Traceback" not in caplog.text
        assert "old stops" not in lived
        assert lived.count("new starts") == lived.count("new stops")
        here.file.write_text(written(here.second, "plugins: []"))
        assert await here.application.reload()
        assert (await (await here.agent()).ask(get())).body == b"second"


async def test_a_bad_configuration_is_refused_once_not_at_every_look(tmp_path: Path, looking_often: None) -> None:
    async with reloading(tmp_path) as here, watching(here.application):
        here.file.write_text("nonsense: 1\n")
        await until(lambda: here.reloads("refused") == 1)
        await asyncio.sleep(0.1)
        assert here.reloads("refused") == 1
        here.file.write_text(written(here.second, "plugins: []"))
        await until(lambda: here.reloads("taken") == 1)


async def test_whatever_goes_wrong_in_a_reload_the_watching_goes_on(tmp_path: Path, looking_often: None) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("catalogue: false\nplugins: []\n")
    answers: list[str] = ["ok", "defect", "ok"]

    def read() -> Configuration:
        if answers.pop(0) == "defect":
            raise RuntimeError("never seen before")
        return load(file, {}, EVERYTHING)

    application = Application(read, file)
    await application.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), watching(application):
            file.write_text("catalogue: false\nplugins: []\n# two\n")
            await until(lambda: len(answers) == 1)
            await asyncio.sleep(0.03)
            file.write_text("catalogue: false\nplugins: []\n# three\n")
            await until(lambda: not answers)
    finally:
        await application.stop(0.0)


# -- many of them ----------------------------------------------------------------------------------------------------


async def test_every_lifespan_that_is_entered_is_left_once(tmp_path: Path, lived: list[str]) -> None:
    async with reloading(tmp_path, "plugins: [{use: lives, name: v0}]") as here:
        agent = await here.agent()
        for number in range(1, 6):
            here.file.write_text(written(here.first, f"plugins: [{{use: lives, name: v{number}}}]"))
            assert await here.application.reload()
            assert (await agent.ask(get())).body == b"first"
        await until(lambda: not here.application._retired)
    expected = [f"v{number} {what}" for number in range(6) for what in ("starts", "stops")]
    assert sorted(lived) == sorted(expected)


async def test_reloads_at_the_same_time_take_turns(tmp_path: Path, lived: list[str]) -> None:
    """SIGHUP while the file's change is being taken: neither configuration may be lost sight of."""
    async with reloading(tmp_path, "plugins: [{use: lives-slowly, name: v0}]") as here:
        here.file.write_text(written(here.second, "plugins: [{use: lives-slowly, name: v1}]"))
        first = asyncio.ensure_future(here.application.reload())
        await asyncio.sleep(0)
        here.file.write_text(written(here.second, "plugins: [{use: lives-slowly, name: v2}]"))
        assert await asyncio.gather(first, here.application.reload(), here.application.reload()) == [True] * 3
        assert (await (await here.agent()).ask(get())).body == b"second"
    assert sorted(lived) == sorted(sorted({line.split()[0] for line in lived}) and lived)
    for name in ("v0", "v1", "v2"):
        assert lived.count(f"{name} starts") == lived.count(f"{name} stops") >= 1


async def test_a_stop_in_the_middle_of_a_reload_leaves_nothing_running(tmp_path: Path, lived: list[str]) -> None:
    async with reloading(tmp_path, "plugins: [{use: lives-slowly, name: v0}]") as here:
        here.file.write_text(written(here.second, "plugins: [{use: lives-slowly, name: v1}]"))
        reload = asyncio.ensure_future(here.application.reload())
        await asyncio.sleep(0.01)
        await here.application.stop(0.0)
        await asyncio.wait((reload,), timeout=5)
        assert reload.done()
    for name in ("v0", "v1"):
        assert lived.count(f"{name} starts") == lived.count(f"{name} stops")


async def test_nobody_notices_reloads_under_load(tmp_path: Path) -> None:
    async with reloading(tmp_path, second=Received(answer(b"first"))) as here:
        stopping, served = False, 0

        async def calling() -> None:
            nonlocal served
            agent = await here.agent()
            while not stopping:
                assert (await agent.ask(post(b"x"))).body == b"first"
                served += 1

        callers = [asyncio.ensure_future(calling()) for _ in range(8)]
        for number in range(10):
            here.file.write_text(written((here.first, here.second)[number % 2], "plugins: []", f"# {number}"))
            assert await here.application.reload()
            await asyncio.sleep(0.01)
        stopping = True
        await asyncio.gather(*callers)
        assert served > 50
        outcomes = {call.outcome for call in here.sidecar.calls()}
        assert outcomes == {"completed"}


# -- signals ---------------------------------------------------------------------------------------------------------


async def test_sighup_reloads_and_sigterm_ends(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        peer(Received(answer(b"first"))) as one,
        peer(Received(answer(b"second"))) as two,
    ):
        file = tmp_path / "sidecar.yaml"
        file.write_text(written(one, "plugins: []"))
        ready: asyncio.Future[Application] = asyncio.get_running_loop().create_future()
        running_ = asyncio.ensure_future(run(lambda: load(file, {}, EVERYTHING), file, ready.set_result))
        application = await ready
        port = int(application.addresses["proxy"].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        agent = Agent(reader, writer)
        assert (await agent.ask(get())).body == b"first"
        file.write_text(written(two, "plugins: []"))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: "config_reloads_total{" in application.metrics_text())
        assert (await agent.ask(get())).body == b"second"
        os.kill(os.getpid(), signal.SIGTERM)
        await running_
        assert await agent.gone() == b""
        writer.transport.abort()


async def test_the_stage_itself_can_be_reloaded() -> None:
    """The configuration of the command line is read anew as well."""
    async with stage(Received(answer())) as between:
        assert await between.sidecar.application.reload()
        assert (await (await between.agent()).ask(get())).status == 200
