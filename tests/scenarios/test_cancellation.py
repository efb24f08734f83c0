"""Who leaves ends the call on both sides, at once, and without a trace of it left behind."""

import asyncio

import pytest

from tests.sidecar.intercept.stage import BOTH_DOORS, deaf_port, get, post, stage, until
from tests.wire import Line, answer

PATIENCE = 5.0
HOW = pytest.mark.parametrize("how", ["fin", "reset"])


@pytest.mark.both_loops
@BOTH_DOORS
@HOW
async def test_an_agent_that_leaves_before_the_answer_ends_the_call(server: str, how: str) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        asked.set()
        await line.gone()
        ended.set()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"hello"))
        await asked.wait()
        agent.leave() if how == "fin" else agent.reset()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        (call,) = await between.calls(1)
        assert (call.outcome, call.status, call.error) == ("cancelled", None, "the agent left")
        assert between.provider.connections == 1, "nobody tried again for an agent that has gone"


@pytest.mark.both_loops
@BOTH_DOORS
@HOW
@pytest.mark.parametrize("framing", ["chunked", "sized", "until close"])
async def test_an_agent_that_leaves_in_the_middle_of_the_answer_ends_the_call(
    server: str, how: str, framing: str
) -> None:
    ended = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        fields = {"chunked": "Transfer-Encoding: chunked", "sized": "Content-Length: 1000", "until close": "X: 1"}
        await line.send(b"HTTP/1.1 200 OK\r\n" + fields[framing].encode() + b"\r\n\r\n")
        await line.send(b"5\r\nfirst\r\n" if framing == "chunked" else b"first")
        await line.gone()
        ended.set()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(get())
        await agent.head()
        await (agent.reader.readexactly(5) if framing == "sized" else agent.chunk())
        agent.leave() if how == "fin" else agent.reset()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        (call,) = await between.calls(1)
        assert (call.outcome, call.status, call.response_bytes) == ("cancelled", 200, 5)


@BOTH_DOORS
async def test_an_agent_that_leaves_while_the_provider_talks_on_ends_the_call(server: str) -> None:
    """Nobody has to wait for the next chunk of a provider that may have none for a long time."""
    ended, sent = asyncio.Event(), 0

    async def script(line: Line) -> None:
        nonlocal sent
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await line.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
                sent += 1
                await asyncio.sleep(0)
        finally:
            ended.set()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(get())
        await agent.head()
        await agent.chunk()
        agent.leave()
        await asyncio.wait_for(ended.wait(), PATIENCE)
        (call,) = await between.calls(1)
        assert call.outcome == "cancelled"


@BOTH_DOORS
async def test_an_agent_that_leaves_while_a_connection_is_opened_is_not_waited_for(server: str) -> None:
    async def script(line: Line) -> None:
        await line.gone()

    with deaf_port() as port:
        async with stage(script, f"providers.deaf.url=http://127.0.0.1:{port}", server=server) as between:
            agent = await between.agent()
            await agent.send(post(b"hello", path="/deaf/x"))
            await until(lambda: between.sidecar.application.metrics.in_flight == 1)
            agent.leave()
            (call,) = await asyncio.wait_for(between.calls(1), 2)
            assert (call.outcome, call.error) == ("cancelled", "the agent left")


@BOTH_DOORS
async def test_requests_that_waited_behind_a_call_go_with_their_agent(server: str) -> None:
    asked = []

    async def script(line: Line) -> None:
        asked.append(await line.request())
        await line.gone()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"1") + post(b"2") + post(b"3"))
        while not asked:
            await asyncio.sleep(0.002)
        agent.leave()
        (call,) = await between.calls(1)
        assert call.outcome == "cancelled"
        assert len(asked) == 1


@BOTH_DOORS
async def test_other_calls_go_on_when_one_is_cut(server: str) -> None:
    go_on, asked = asyncio.Event(), asyncio.Event()
    waiting = 0

    async def script(line: Line) -> None:
        nonlocal waiting
        await line.request()
        waiting += 1
        if waiting == 10:
            asked.set()
        await go_on.wait()
        await line.send(answer())

    async with stage(script, server=server) as between:
        agents = [await between.agent() for _ in range(10)]
        for agent in agents:
            await agent.send(post(b"x"))
        await asked.wait()
        for agent in agents[::2]:
            agent.reset()
        await between.calls(5)
        go_on.set()
        assert [(await agent.answer()).body for agent in agents[1::2]] == [b"ok"] * 5
        calls = await between.calls(10)
        assert sorted(call.outcome for call in calls) == ["cancelled"] * 5 + ["completed"] * 5


@BOTH_DOORS
async def test_a_provider_connection_whose_call_was_cut_is_not_used_again(server: str) -> None:
    """The rest of the old answer would be taken for the new one."""
    requests = 0

    async def script(line: Line) -> None:
        nonlocal requests
        while True:
            await line.request()
            requests += 1
            if requests == 1:
                await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
                await line.gone()
                return
            await line.send(answer(b"second"))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(get())
        await agent.head()
        await agent.reader.readexactly(5)
        agent.leave()
        await between.calls(1)
        assert (await (await between.agent()).ask(get())).body == b"second"
        assert between.provider.connections == 2
