"""The end in good order: no new calls, the ones under way finish within the grace, and nothing is left behind."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.application import CannotListen
from tests.faulty.installing import bad_day_installed
from tests.running import running
from tests.sidecar.intercept.stage import (
    BOTH_DOORS,
    PATIENCE_SECONDS,
    Agent,
    BrokenAnswer,
    Received,
    Stage,
    Streaming,
    chunked,
    get,
    post,
    stage,
    until,
)
from tests.wire import Line, answer, answering, peer


def stopping(between: Stage, grace_seconds: float) -> asyncio.Task[None]:
    return asyncio.ensure_future(between.sidecar.application.stop(grace_seconds))


async def streaming_call(between: Stage) -> Agent:
    agent = await between.agent()
    await agent.send(get())
    await agent.head()
    assert await agent.chunk() == b"first"
    return agent


async def refuses(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.transport.abort()
    return False


@pytest.mark.both_loops
@BOTH_DOORS
async def test_a_stream_under_way_is_finished_within_the_grace(server: str) -> None:
    streaming = Streaming()
    async with stage(streaming, server=server) as between:
        agent = await streaming_call(between)
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        assert not ending.done()
        assert await refuses(between.port)
        streaming.go_on.set()
        assert [await agent.chunk(), await agent.chunk()] == [b"second", b""]
        assert await agent.rest() == b"", "and then the connection is closed"
        await asyncio.wait_for(ending, 2)
        assert [call.outcome for call in between.sidecar.calls()] == ["completed"]


@BOTH_DOORS
async def test_a_stream_that_outlasts_the_grace_is_cut_and_seen_to_be(server: str) -> None:
    streaming = Streaming()
    async with stage(streaming, server=server) as between:
        agent = await streaming_call(between)
        began = asyncio.get_running_loop().time()
        await stopping(between, 0.1)
        assert 0.09 < asyncio.get_running_loop().time() - began < 2
        with pytest.raises(BrokenAnswer):
            await agent.chunks()
        await asyncio.wait_for(streaming.ended.wait(), 5)
        assert [call.outcome for call in between.sidecar.calls()] == ["cancelled"]


@BOTH_DOORS
async def test_a_call_that_waits_for_its_answer_is_finished_too(server: str) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        asked.set()
        await go_on.wait()
        await line.send(answer())

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"x"))
        await asked.wait()
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        go_on.set()
        assert (await agent.answer()).body == b"ok"
        await asyncio.wait_for(ending, 2)


@pytest.mark.parametrize("framing", ["chunks", "length"])
async def test_an_upload_under_way_is_finished_too(framing: str) -> None:
    """Not so at aiohttp's server: once it is to close, it takes no more of a body either."""
    received = Received(answer())
    async with stage(received) as between:
        agent = await between.agent()
        if framing == "chunks":
            await agent.send(chunked(b"first", end=b""))
        else:
            await agent.send(post(b"")[:-5] + b"100005\r\n\r\nfirst")
        await until(lambda: between.provider.connections == 1)
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        await agent.send(b"6\r\nsecond\r\n0\r\n\r\n" if framing == "chunks" else b"x" * 100_000)
        assert (await agent.answer()).status == 200
        await asyncio.wait_for(ending, 2)
        assert received.bodies == [b"firstsecond" if framing == "chunks" else b"first" + b"x" * 100_000]


async def test_a_short_body_that_is_on_its_way_is_waited_for() -> None:
    received = Received(answer())
    async with stage(received) as between:
        agent = await between.agent()
        await agent.send(post(b"hello")[:-1])
        await until(lambda: bool(between.sidecar.application._listeners[0]._connections))
        await asyncio.sleep(0.01)
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        await agent.send(b"o")
        assert (await agent.answer()).status == 200
        await asyncio.wait_for(ending, 2)
        assert received.bodies == [b"hello"]


@BOTH_DOORS
async def test_connections_at_rest_are_closed_at_once(server: str) -> None:
    async with stage(answering(answer()), server=server) as between:
        used, fresh = await between.agent(), await between.agent()
        assert (await used.ask(get())).status == 200
        await asyncio.wait_for(stopping(between, 30.0), 2)
        assert await used.gone() == b""
        assert await fresh.gone() == b""


@BOTH_DOORS
async def test_half_a_request_is_not_waited_for(server: str) -> None:
    async with stage(answering(answer()), server=server) as between:
        agent = await between.agent()
        await agent.send(get()[:-4])
        await asyncio.sleep(0.02)
        await asyncio.wait_for(stopping(between, 30.0), 2)
        assert await agent.gone() == b""


@BOTH_DOORS
async def test_requests_that_come_after_the_end_has_begun_are_not_served(server: str) -> None:
    streaming = Streaming()
    async with stage(streaming, server=server) as between:
        agent = await streaming_call(between)
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        await agent.send(get())
        streaming.go_on.set()
        assert [await agent.chunk(), await agent.chunk()] == [b"second", b""]
        with contextlib.suppress(ConnectionError):
            assert await agent.rest() == b""
        await asyncio.wait_for(ending, 2)
        assert len(between.sidecar.calls()) == 1


async def test_readiness_turns_as_soon_as_the_end_begins() -> None:
    streaming = Streaming()
    async with stage(streaming) as between:
        probes = await between.agent(int(between.sidecar.probes.rpartition(":")[2]))
        assert (await probes.ask(get(path="/readyz"))).body == b"ok\n"
        await streaming_call(between)
        ending = stopping(between, 10.0)
        await asyncio.sleep(0.02)
        got = await probes.ask(get(path="/readyz?verbose"))
        assert (got.status, b"[-] accepting" in got.body) == (503, True)
        assert (await probes.ask(get(path="/livez"))).status == 200, "it is not dead yet"
        streaming.go_on.set()
        await asyncio.wait_for(ending, 3)
        assert await refuses(int(between.sidecar.probes.rpartition(":")[2]))


async def test_who_follows_the_calls_is_let_go() -> None:
    async with stage(answering(answer())) as between:
        follower = await between.agent(int(between.sidecar.admin.rpartition(":")[2]))
        await follower.send(b"GET /calls/follow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await follower.head()
        await asyncio.wait_for(stopping(between, 5.0), 3)
        await follower.gone()


async def test_a_plugin_hears_of_every_call_before_it_is_stopped(tmp_path: Path) -> None:
    """Nothing that a plugin was to be told of is lost: the last call is closed before the first lifespan is left."""
    with bad_day_installed(tmp_path):
        streaming = Streaming()
        async with stage(streaming, plugins="[{use: lives-and-hears}]") as between:
            from bad_day.at_start import LIVED  # type: ignore[import-not-found]

            await streaming_call(between)
            await stopping(between, 0.05)
            assert LIVED == ["lives-and-hears starts", "heard cancelled", "lives-and-hears stops"]


async def test_stopping_twice_is_harmless() -> None:
    async with stage(answering(answer())) as between:
        await between.sidecar.application.stop(0.0)
        await between.sidecar.application.stop(0.0)


async def test_a_port_that_is_taken_is_named_and_nothing_else_stays_open(tmp_path: Path) -> None:
    with bad_day_installed(tmp_path):
        async with running() as other:
            taken = other.application.addresses["proxy"]
            with pytest.raises(CannotListen, match=rf"{taken}.*probes\.address"):
                async with running(f"probes.address={taken}", plugins="[{use: lives}]"):
                    raise AssertionError
            with pytest.raises(CannotListen, match=r"listen\.address"):
                async with running(f"listen.address={taken}", plugins="[{use: lives}]"):
                    raise AssertionError
            from bad_day.at_start import LIVED

            assert LIVED == ["lives starts", "lives stops"] * 2


# -- nothing is left -------------------------------------------------------------------------------------------------


def open_files() -> set[str]:
    """What this process has open, but for what everybody shares."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


@contextlib.asynccontextmanager
async def nothing_is_left() -> AsyncIterator[None]:
    async with running():  # what is opened once and for all is opened
        pass
    gc.collect()
    before, tasks = open_files(), asyncio.all_tasks()
    yield
    async with asyncio.timeout(5):
        while True:
            gc.collect()
            left, running_ = open_files() - before, asyncio.all_tasks() - tasks
            if not left and not running_:
                return
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                raise AssertionError(f"still open: {left}; still running: {running_}") from None


@pytest.mark.both_loops
@BOTH_DOORS
async def test_no_connection_task_or_file_is_left_after_the_end(server: str) -> None:
    async with nothing_is_left():
        streaming = Streaming()
        async with stage(streaming, server=server) as between:
            for _ in range(5):
                await streaming_call(between)  # cut off by the end
                (await streaming_call(between)).reset()
                (await streaming_call(between)).leave()
            half = await between.agent()
            await half.send(get()[:-2])
            await (await between.agent()).send(b"\x16\x03\x01\x02\x00\x01")
            await (await between.agent()).send(b"CONNECT ")
            await between.agent()
            nobody = await between.agent()
            assert (await nobody.ask(get(path="/nowhere"))).status == 404


@BOTH_DOORS
async def test_two_hundred_cut_streams_leave_nothing_behind_while_it_serves_on(server: str) -> None:
    streaming = Streaming()
    async with stage(streaming, server=server) as between:
        for how in ("leave", "reset"):
            agents = await asyncio.gather(*(streaming_call(between) for _ in range(50)))
            for agent in agents:
                getattr(agent, how)()
        for how in ("leave", "reset"):
            waiting = [await between.agent() for _ in range(50)]
            for agent in waiting:
                await agent.send(post(b"x" * 100_000)[:-1])
            await until(lambda: between.sidecar.application.metrics.in_flight >= 50)
            for agent in waiting:
                getattr(agent, how)()
            await until(lambda: between.sidecar.application.metrics.in_flight == 0)
        application = between.sidecar.application
        listener = application._listeners[0]
        await until(lambda: listener._open == 0)
        assert not listener._connections
        assert not listener._tasks
        (upstream,) = application.service._upstreams.values()
        await until(lambda: upstream.connections == upstream.idle)  # type: ignore[attr-defined]
        turns = {type(watched).__name__ for watched in application.watchdog._watched}
        assert turns <= {"Connection"}
        assert len(application.watchdog._watched) == upstream.connections  # type: ignore[attr-defined]
        streaming.go_on.set()
        assert (await (await between.agent()).ask(get())).body == b"firstsecond"


# -- a process of its own --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def process(*overrides: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A sidecar as it is started in a pod, and its port."""
    fixed = ("listen.address=127.0.0.1:0", "admin.address=127.0.0.1:0", "probes.address=null", "tls.intercept=false")
    options = [part for override in (*fixed, "log.format=text", *overrides) for part in ("--set", override)]
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "run", *options),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert started.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            lines = b""
            while b"proxy 127.0.0.1:" not in lines:
                line = await started.stderr.readline()
                assert line, lines.decode()
                lines += line
            yield started, int(lines.split(b"proxy 127.0.0.1:")[1].split(b",")[0].split()[0])
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def test_sigterm_lets_a_stream_finish_and_ends_with_success() -> None:
    streaming = Streaming()
    async with (
        peer(streaming) as provider,
        process(f"providers.lab={{url: 'http://127.0.0.1:{provider.port}'}}", "plugins=[]") as (started, port),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        agent = Agent(reader, writer)
        await agent.send(get())
        await agent.head()
        assert await agent.chunk() == b"first"
        started.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert started.returncode is None
        streaming.go_on.set()
        assert [await agent.chunk(), await agent.chunk()] == [b"second", b""]
        assert await started.wait() == 0
        writer.transport.abort()


async def test_sigterm_cuts_what_outlasts_the_grace() -> None:
    streaming = Streaming()
    async with (
        peer(streaming) as provider,
        process(f"providers.lab={{url: 'http://127.0.0.1:{provider.port}'}}", "plugins=[]", "shutdown.grace=100ms") as (
            started,
            port,
        ),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        agent = Agent(reader, writer)
        await agent.send(get())
        await agent.head()
        await agent.chunk()
        started.send_signal(signal.SIGTERM)
        with pytest.raises(BrokenAnswer):
            await agent.chunks()
        assert await asyncio.wait_for(started.wait(), 5) == 0
        writer.transport.abort()
