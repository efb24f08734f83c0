"""How long the lean door waits for an agent, and for what it does not."""

import asyncio
import contextlib
import logging

import pytest

from sidecar.intercept import lean, listener, reading
from sidecar.intercept.flow import BASE_URL
from sidecar.intercept.incoming import AgentSide, Incoming
from sidecar.intercept.lean import AgentConnection, Kept
from sidecar.intercept.turn import Turn
from sidecar.watchdog import Watchdog
from tests.sidecar.intercept.stage import Received, Streaming, get, nothing_goes_unhandled, stage
from tests.wire import answer


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_PATIENCE_TICK_SECONDS", 0.01)


async def test_a_head_that_is_not_finished_ends_the_connection(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_HEAD_SECONDS", 0.02)
    async with stage(Received(answer())) as between:
        agent = await between.agent()
        assert (await agent.ask(get())).status == 200
        await agent.send(get()[:-2])
        assert await agent.gone() == b""


async def test_a_head_that_comes_byte_by_byte_gets_no_more_time(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_HEAD_SECONDS", 0.1)
    async with stage(Received(answer())) as between:
        agent = await between.agent()
        gone = asyncio.ensure_future(agent.gone())
        await agent.send(b"GET /lab/x HTTP/1.1\r\nX: ")
        while not gone.done():
            with contextlib.suppress(ConnectionError):
                await agent.send(b"x")
            await asyncio.sleep(0.005)
        assert gone.result() == b""


async def test_a_connection_that_rests_for_too_long_is_ended(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "_REST_SECONDS", 0.02)
    async with stage(Received(answer())) as between:
        agent = await between.agent()
        assert (await agent.ask(get())).status == 200
        assert await agent.gone() == b""


async def test_the_head_of_the_next_request_may_take_its_time_while_a_call_is_served(
    hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, overdue = asyncio.Event(), AgentConnection.overdue

    def noticed(connection: AgentConnection, now: float) -> None:
        overdue(connection, now)
        looked.set()

    monkeypatch.setattr(AgentConnection, "overdue", noticed)
    monkeypatch.setattr(reading, "_HEAD_SECONDS", 0.02)
    streaming = Streaming()
    async with stage(streaming) as between:
        agent = await between.agent()
        await agent.send(get())
        await agent.head()
        assert await agent.chunk() == b"first"
        await agent.send(get()[:-2])
        await looked.wait()
        streaming.go_on.set()
        assert await agent.chunks() == b"second"


class Keeper:
    max_head_bytes = 65_536

    def __init__(self) -> None:
        self.patience = Watchdog()
        self.loop = asyncio.get_running_loop()
        self.turn = Turn(self.loop)
        self.closed = asyncio.Event()

    def connection_opened(self, connection: Kept) -> None:
        pass

    def connection_closed(self, connection: Kept) -> None:
        self.closed.set()


class Closing(asyncio.Transport):
    """One that has broken, before anybody was told."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.mark.both_loops
async def test_nobody_is_refused_who_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(side: AgentSide, incoming: Incoming) -> bool:
        raise AssertionError("this is no request")

    keeper = Keeper()
    connection = AgentConnection(keeper, BASE_URL, serve)
    with nothing_goes_unhandled(), caplog.at_level(logging.INFO):
        connection.connection_made(Closing())
        connection.data_received(b"this is no HTTP\r\n\r\n")
        await asyncio.wait_for(keeper.closed.wait(), 5)
    keeper.patience.close()
    assert [record.getMessage()[:17] for record in caplog.records] == ["refused a request"]
