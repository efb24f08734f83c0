"""Answers that are ready in the same turn of the loop leave together, and none gets lost or out of order by it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sidecar.intercept.flow import BASE_URL
from sidecar.intercept.incoming import AgentSide, Incoming
from sidecar.intercept.lean import AgentConnection, Kept
from sidecar.intercept.turn import Turn
from sidecar.watchdog import Watchdog

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class Keeper:
    max_head_bytes = 65_536

    def __init__(self) -> None:
        self.patience = Watchdog()
        self.loop = asyncio.get_running_loop()
        self.turn = Turn(self.loop)

    def connection_opened(self, connection: Kept) -> None:
        pass

    def connection_closed(self, connection: Kept) -> None:
        pass


class Wire(asyncio.Transport):
    def __init__(self, name: str, events: list[str]) -> None:
        super().__init__()
        self._name, self._events, self._closed = name, events, False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._closed, "written to after its end"
        self._events.append(f"{self._name} gets {bytes(data).decode()}")

    def writelines(self, list_of_data: object) -> None:
        self.write(b"".join(list_of_data))  # type: ignore[arg-type]

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._events.append(f"{self._name} closed")
        self._closed = True

    def pause_reading(self) -> None:
        pass


Answering = Callable[[str, AgentSide], Awaitable[bool]]


class Scene:
    """Connections by name, and what happens to them."""

    def __init__(self, answering: Answering) -> None:
        self.keeper = Keeper()
        self.events: list[str] = []
        self._answering = answering
        self.connections: dict[str, AgentConnection] = {}

    def connect(self, *names: str) -> None:
        for name in names:
            self.connections[name] = connection = AgentConnection(self.keeper, BASE_URL, self._serving(name))
            connection.connection_made(Wire(name, self.events))

    def _serving(self, name: str) -> Callable[[AgentSide, Incoming], Awaitable[bool]]:
        async def serve(side: AgentSide, incoming: Incoming) -> bool:
            self.events.append(f"{name} asks")
            return await self._answering(name, side)

        return serve

    async def ask(self, *names: str) -> None:
        await settled()
        for name in names:
            self.connections[name].data_received(GET)

    async def end(self) -> None:
        for connection in self.connections.values():
            connection.connection_lost(None)
        await settled()
        assert self.keeper.turn.waiting == 0
        self.keeper.patience.close()


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def at_once(name: str, side: AgentSide) -> bool:
    side.write(b"hello " + name.encode())
    return True


@pytest.mark.both_loops
async def test_one_that_is_alone_does_not_wait() -> None:
    written_when_served: list[bool] = []

    async def answering(name: str, side: AgentSide) -> bool:
        side.write(b"hello")
        written_when_served.append("a gets hello" in scene.events)
        return True

    scene = Scene(answering)
    scene.connect("a")
    await scene.ask("a")
    await settled()
    assert written_when_served == [True]
    await scene.end()


@pytest.mark.both_loops
async def test_those_of_one_turn_leave_together() -> None:
    scene = Scene(at_once)
    scene.connect("a", "b", "c")
    await scene.ask("a", "b", "c")
    await settled()
    assert scene.events[:2] == ["a asks", "b asks"]
    assert sorted(scene.events[2:]) == ["a gets hello a", "b gets hello b", "c asks", "c gets hello c"]
    await scene.end()


@pytest.mark.both_loops
async def test_nobody_waits_for_one_that_asks_a_provider() -> None:
    asked = asyncio.Event()

    async def answering(name: str, side: AgentSide) -> bool:
        if name == "slow":
            await asked.wait()
        return await at_once(name, side)

    scene = Scene(answering)
    scene.connect("a", "slow")
    await scene.ask("a", "slow")
    await settled()
    assert scene.events == ["a asks", "slow asks", "a gets hello a"]
    asked.set()
    await settled()
    assert scene.events[-1] == "slow gets hello slow"
    await scene.end()


@pytest.mark.both_loops
async def test_pieces_keep_their_order() -> None:
    async def answering(name: str, side: AgentSide) -> bool:
        for piece in (b"1", b"2", b"3"):
            side.write(piece)
        side.write(b"4", b"5")
        return True

    scene = Scene(answering)
    scene.connect("a", "b")
    await scene.ask("a", "b")
    await settled()
    for name in "ab":
        got = [event.removeprefix(f"{name} gets ") for event in scene.events if event.startswith(f"{name} gets")]
        assert "".join(got) == "12345"
    await scene.end()


@pytest.mark.both_loops
async def test_an_answer_is_out_before_its_connection_is_closed() -> None:
    async def answering(name: str, side: AgentSide) -> bool:
        await at_once(name, side)
        return False

    scene = Scene(answering)
    scene.connect("a", "b")
    await scene.ask("a", "b")
    await settled()
    for name in "ab":
        assert [event for event in scene.events if event.startswith(name)] == [
            f"{name} asks",
            f"{name} gets hello {name}",
            f"{name} closed",
        ]
    await scene.end()


@pytest.mark.both_loops
async def test_an_agent_that_leaves_meanwhile_gets_nothing_and_harms_nobody() -> None:
    async def answering(name: str, side: AgentSide) -> bool:
        await at_once(name, side)
        if name == "a":
            scene.connections["a"].connection_lost(None)
        return True

    scene = Scene(answering)
    scene.connect("a", "b")
    await scene.ask("a", "b")
    await settled()
    assert "a gets hello a" not in scene.events
    assert "b gets hello b" in scene.events
    await scene.end()


@pytest.mark.both_loops
async def test_one_that_leaves_before_its_turn_is_not_waited_for() -> None:
    scene = Scene(at_once)
    scene.connect("a", "b")
    await scene.ask("a", "b")
    scene.connections["b"].connection_lost(None)
    await settled()
    assert scene.events == ["a asks", "a gets hello a"]
    await scene.end()
