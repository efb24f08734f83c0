"""When a name is looked up, and who waits for it."""

import asyncio
import socket
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from sidecar.upstream.names import AddressInfo, Names


def at(*addresses: str, port: int = 443) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("sidecar.upstream.names.time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Servers:
    """What name servers say: ``says``, or nothing at all; while not ``ready`` they think. ``asked`` counts."""

    def __init__(self) -> None:
        self.says: list[AddressInfo] | None = at("192.0.2.1")
        self.asked = 0
        self.ready = asyncio.Event()
        self.ready.set()

    async def ask(self, host: str, port: int) -> Sequence[AddressInfo]:
        self.asked += 1
        await self.ready.wait()
        if self.says is None:
            raise OSError("no answer")
        return self.says


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


NAME = "api.example", 443


async def test_what_is_known_is_not_asked_for(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    for _ in range(3):
        assert await names.resolve(*NAME) == at("192.0.2.1")
        clock.now += 9.0
    assert servers.asked == 1


async def test_what_is_just_out_of_date_is_given_at_once_and_looked_up_behind(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    await names.resolve(*NAME)
    clock.now += 31.0
    servers.says = at("192.0.2.2")
    servers.ready.clear()
    for _ in range(3):
        assert await asyncio.wait_for(names.resolve(*NAME), 1) == at("192.0.2.1"), "nobody waits"
        await settle()
    assert servers.asked == 2, "and one look-up is enough for all"
    servers.ready.set()
    await settle()
    assert await names.resolve(*NAME) == at("192.0.2.2")
    assert servers.asked == 2


async def test_what_is_long_out_of_date_is_waited_for(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    await names.resolve(*NAME)
    clock.now += 601.0
    servers.says = at("192.0.2.2")
    assert await names.resolve(*NAME) == at("192.0.2.2")


@pytest.mark.parametrize("later", [31.0, 601.0])
async def test_where_nobody_can_be_asked_what_was_known_serves_on(clock: Clock, later: float) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    await names.resolve(*NAME)
    clock.now += later
    servers.says = None
    for _ in range(3):
        assert await names.resolve(*NAME) == at("192.0.2.1")
        await settle()
    assert servers.asked == 2, "and not with every call"
    clock.now += 2.1
    servers.says = at("192.0.2.2")
    await names.resolve(*NAME)
    await settle()
    assert await names.resolve(*NAME) == at("192.0.2.2")


async def test_that_a_name_cannot_be_looked_up_is_not_remembered(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    servers.says = None
    with pytest.raises(OSError, match="no answer"):
        await names.resolve(*NAME)
    servers.says = at("192.0.2.1")
    assert await names.resolve(*NAME) == at("192.0.2.1")


async def test_all_who_ask_at_the_same_time_share_an_answer(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    servers.ready.clear()
    asking = [asyncio.ensure_future(names.resolve(*NAME)) for _ in range(5)]
    await settle()
    asking[0].cancel()
    await settle()
    servers.ready.set()
    assert await asyncio.gather(*asking[1:]) == [at("192.0.2.1")] * 4
    assert asking[0].cancelled()
    assert servers.asked == 1


async def test_without_a_time_to_live_nothing_is_remembered() -> None:
    servers = Servers()
    names = Names(servers.ask, 0.0)
    for number in (1, 2, 3):
        await names.resolve(*NAME)
        assert servers.asked == number


async def test_what_is_doubted_is_looked_up_before_it_is_used(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    names.doubt(*NAME)
    await names.resolve(*NAME)
    servers.says = at("192.0.2.2")
    names.doubt(*NAME)
    assert await names.resolve(*NAME) == at("192.0.2.1"), "it was looked up a moment ago"
    clock.now += 3.0
    names.doubt(*NAME)
    assert await names.resolve(*NAME) == at("192.0.2.2")
    clock.now += 3.0
    names.doubt(*NAME)
    servers.says = None
    assert await names.resolve(*NAME) == at("192.0.2.2"), "better than nothing"


async def test_the_address_that_answered_first_is_the_first_to_be_tried(clock: Clock) -> None:
    servers = Servers()
    servers.says = at("192.0.2.1", "192.0.2.2", "192.0.2.3")
    names = Names(servers.ask, 30.0)
    names.prefer(*NAME, ("192.0.2.3", 443))
    await names.resolve(*NAME)
    names.prefer(*NAME, ("192.0.2.3", 443))
    assert await names.resolve(*NAME) == at("192.0.2.3", "192.0.2.1", "192.0.2.2")


async def test_names_that_agents_think_of_are_not_all_remembered(clock: Clock) -> None:
    servers = Servers()
    names = Names(servers.ask, 30.0)
    for number in range(1000):
        await names.resolve(f"n{number}.example", 443)
    assert len(names._known) <= 256
    assert not names._asking
    await names.resolve("n999.example", 443)
    assert servers.asked == 1000, "those that are asked for last are kept"


async def test_look_ups_under_way_end_with_it() -> None:
    servers = Servers()
    servers.ready.clear()
    names = Names(servers.ask, 30.0)
    asking = asyncio.ensure_future(names.resolve(*NAME))
    await settle()
    await names.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not names._asking
