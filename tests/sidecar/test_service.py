"""What is done about calls that have ended: soon, a few at a time, and all of it before the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sidecar import ExchangeClosed, PluginConfig, Record, hookimpl
from sidecar.configuration import load
from sidecar.guard import Guard
from sidecar.host import Loaded
from sidecar.journal import Journal
from sidecar.metrics import Metrics
from sidecar.service import Service
from sidecar.upstream.dial import SystemResolver
from sidecar.watchdog import Watchdog
from tests.making import exchange

CALLS = 800


class Listening(ExchangeClosed):
    Config = PluginConfig

    def __init__(self) -> None:
        self.heard: list[Record] = []
        self.all = asyncio.Event()
        self.expects = 1
        self.turn = 0
        self.turns: set[int] = set()
        """Those of the event loop in which anything was heard."""

    @hookimpl
    def exchange_closed(self, record: Record) -> None:
        self.heard.append(record)
        self.turns.add(self.turn)
        if len(self.heard) == self.expects:
            self.all.set()


@asynccontextmanager
async def listened(plugin: Listening) -> AsyncIterator[Service]:
    watchdog = Watchdog()
    service = Service(
        load(None, {}, ["plugins=[]"]),
        watchdog=watchdog,
        resolver=SystemResolver(),
        metrics=Metrics(),
        journal=Journal(2 * CALLS),
        loaded=[Loaded("listening", plugin, None, Guard("listening", watchdog=watchdog))],
    )
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
        watchdog.close()


def end(service: Service, calls: int = 1) -> None:
    for _ in range(calls):
        call = exchange()
        service.opened(call)
        service.closed(Record(exchange=call, outcome="completed"))


async def test_a_single_call_is_told_of_soon() -> None:
    plugin = Listening()
    async with listened(plugin) as service:
        end(service)
        assert not plugin.heard, "its answer is out, and others wait for theirs"
        await asyncio.wait_for(plugin.all.wait(), 5)


async def test_many_calls_do_not_hold_others_up() -> None:
    plugin = Listening()
    plugin.expects = CALLS

    async def others() -> None:
        while True:
            plugin.turn += 1
            await asyncio.sleep(0)

    async with listened(plugin) as service:
        turning = asyncio.create_task(others())
        end(service, CALLS)
        await asyncio.wait_for(plugin.all.wait(), 5)
        turning.cancel()
        assert 20 <= len(plugin.turns) <= CALLS / 8, "a few at a time, and more of them the more there are"


@pytest.mark.parametrize("calls", [3, CALLS])
async def test_whoever_asks_is_told_of_all_at_once(calls: int) -> None:
    plugin = Listening()
    async with listened(plugin) as service:
        end(service, calls)
        service.account()
        assert len(plugin.heard) == calls
        end(service)
    assert len(plugin.heard) == calls + 1, "nor is one forgotten at the end"
