"""Plugins that cannot be taken into service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sidecar import PluginConfig, hookimpl


def function(config: Any) -> None:
    """No class."""


class Plain:
    """No Config, no hook."""


class ConfigOfAnotherKind:
    Config = dict

    @hookimpl
    def samples(self) -> list[Any]:
        return []


class NoHook:
    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None: ...

    def helper(self) -> None: ...


class SyncLayer(NoHook):
    @hookimpl
    def around_exchange(self, exchange: Any, call_next: Any) -> Any: ...


class AsyncObserver(NoHook):
    @hookimpl
    async def exchange_closed(self, record: Any) -> None: ...


class AsyncLifespan(NoHook):
    @hookimpl
    async def lifespan(self, runtime: Any) -> None: ...


class OtherArguments(NoHook):
    @hookimpl
    async def around_exchange(self, request: Any, handler: Any) -> Any: ...


class FewerArguments(NoHook):
    @hookimpl
    async def around_exchange(self, exchange: Any) -> Any: ...

    @hookimpl
    def exchange_closed(self) -> None: ...


class SwappedArguments(NoHook):
    @hookimpl
    async def around_attempt(self, call_next: Any, attempt: Any) -> Any: ...


class Unmarked(NoHook):
    async def around_exchange(self, exchange: Any, call_next: Any) -> Any: ...


class Misspelt(NoHook):
    @hookimpl
    async def arround_exchange(self, exchange: Any, call_next: Any) -> Any: ...


class TryFirst(NoHook):
    @hookimpl(tryfirst=True)
    async def around_exchange(self, exchange: Any, call_next: Any) -> Any: ...


class Wrapper(NoHook):
    @hookimpl(wrapper=True)
    def samples(self) -> Any:
        return (yield)


class Limits(PluginConfig):
    most: int
    ratio: float = 0.5


class Demanding:
    """Has a setting without a default."""

    Config = Limits

    def __init__(self, config: Limits) -> None: ...

    @hookimpl
    def samples(self) -> list[Any]:
        return []


class RaisesWhenMade(NoHook):
    def __init__(self, config: PluginConfig) -> None:
        raise RuntimeError("no licence")

    @hookimpl
    def samples(self) -> list[Any]:
        return []


class TakesNoConfig(RaisesWhenMade):
    def __init__(self) -> None: ...


class RaisesOnEntry(NoHook):
    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Any) -> AsyncIterator[None]:
        raise ConnectionError("no redis")
        yield


class NoContextManager(NoHook):
    @hookimpl
    def lifespan(self, runtime: Any) -> Any:
        return None


class ForgottenDecorator(NoHook):
    @hookimpl
    async def lifespan(self, runtime: Any) -> AsyncIterator[None]:
        yield


class RaisesOnExit(NoHook):
    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Any) -> AsyncIterator[None]:
        yield
        raise RuntimeError("cannot say goodbye")


#: What the lifespans below were, in order.
LIVED: list[str] = []


class Lives(NoHook):
    """A good one, to see that it is started and stopped as often as it should."""

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Any) -> AsyncIterator[None]:
        LIVED.append(f"{runtime.name} starts")
        try:
            yield
        finally:
            LIVED.append(f"{runtime.name} stops")


class LivesSlowly(Lives):
    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Any) -> AsyncIterator[None]:
        await asyncio.sleep(0.05)
        async with super().lifespan(runtime):
            yield


class LivesAndHears(Lives):
    @hookimpl
    def exchange_closed(self, record: Any) -> None:
        LIVED.append(f"heard {record.outcome}")
