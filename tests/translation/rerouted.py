"""A plugin for tests that sends every call to another provider, in that one's dialect."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sidecar import AroundExchange, Exchange, ExchangeHandler, Lifespan, PluginConfig, Response, Runtime, hookimpl
from sidecar.translation import Target, translate
from tests.faulty.installing import distribution
from tests.running import Running, running


class ReroutedConfig(PluginConfig, frozen=True, kw_only=True):
    to: str
    model: str | None = None
    voice: str | None = None
    may_lose: tuple[str, ...] = ()


class Rerouted(AroundExchange, Lifespan):
    """Nothing is caught: what cannot be translated is a fault of the plugin, and seen as one."""

    Config = ReroutedConfig

    def __init__(self, config: ReroutedConfig) -> None:
        self.config = config
        self.runtime: Runtime

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.runtime = runtime
        yield

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        config, provider = self.config, self.runtime.providers[self.config.to]
        assert provider.dialect is not None
        exchange = await exchange.loaded(64 << 20)
        target = Target(
            dialect=provider.dialect, model=config.model, voice=config.voice, may_lose=frozenset(config.may_lose)
        )
        translated = translate(exchange, target)
        exchange.note("rerouted", "translated", ", ".join(translated.lost), route=translated.call.route)
        response = await call_next(exchange.with_translation(provider, translated.request, translated.call))
        return await translated.answer(response) if 200 <= response.status < 300 else response


@contextlib.asynccontextmanager
async def rerouting(
    directory: Path, *overrides: str, to: str, model: str | None = None, voice: str | None = None
) -> AsyncIterator[Running]:
    """A sidecar that sends all calls to the provider *to*; *overrides* configure the providers, as after ``--set``."""
    said = [f"to: {to}", *(f"{name}: {value}" for name, value in (("model", model), ("voice", voice)) if value)]
    with distribution(directory, "rerouted", {"rerouted": f"{__name__}:Rerouted"}):
        async with running(*overrides, plugins=f"[{{use: rerouted, config: {{{', '.join(said)}}}}}]") as sidecar:
            yield sidecar
