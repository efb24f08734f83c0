"""What an agent does before its first real call, and after a pause: the call then finds a connection open."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar import AroundExchange, Exchange, ExchangeHandler, Lifespan, PluginConfig, Response, Runtime, hookimpl
from sidecar.lab.certificates import Authority
from sidecar.upstream.lean import LeanUpstream
from tests.faulty.installing import distribution
from tests.running import running
from tests.sidecar.intercept.stage import (
    BOTH_DOORS,
    Names,
    Stage,
    get,
    names,
    nothing_goes_unhandled,
    post,
    stage,
    until,
)
from tests.wire import Line, answer, answering, peer

__all__ = ["names"]

HOST = "api.lab.example"
NAMED = f"providers.lab.hosts=[{HOST}]"
LISTEN = "listen.transparent=['127.0.0.1:0']"
CHAT = b'{"model": "m", "messages": []}'


def pool(between: Stage, name: str = "lab") -> LeanUpstream:
    (upstream,) = (
        each for (provider, _), each in between.sidecar.application.service._upstreams.items() if provider == name
    )
    assert isinstance(upstream, LeanUpstream)
    return upstream


def tended(between: Stage) -> bool:
    """Whether nothing is being opened any more."""
    upstreams = between.sidecar.application.service._upstreams.values()
    return all(isinstance(each, LeanUpstream) and not each.ahead.opening for each in upstreams)


async def open_already(between: Stage, ask: bytes) -> None:
    """Ask; the call is the first that waits for an answer, and not for a connection."""
    before = between.provider.connections
    number = len(between.sidecar.calls())
    assert (await (await between.agent()).ask(ask)).status == 200
    told = (await between.calls(number + 1))[-1]
    assert told.attempts[0].connect_seconds is None
    assert between.provider.connections == before


# -- by calls that ask for nothing much --------------------------------------------------------------------------------


@BOTH_DOORS
@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/lab/"), ("HEAD", "/lab/"), ("GET", "/lab/v1/models"), ("GET", "/lab/v1/warm"), ("OPTIONS", "/lab/")],
)
async def test_after_a_prewarm_call_a_connection_is_open(method: str, path: str, closes: bool, server: str) -> None:
    """Even if the provider closes the one that it came by."""

    async def script(line: Line) -> None:
        while True:
            await line.request()
            body = b"" if method == "HEAD" and between.provider.connections == 1 else b"ok"
            fields = ("Connection: close",) if closes and between.provider.connections == 1 else ()
            await line.send(answer(body, "200 OK", *fields))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(get(path=path, method=method))).status == 200
        await until(lambda: pool(between).idle == 1 and tended(between))
        assert between.provider.connections == 1 + closes
        await open_already(between, post(CHAT, path="/lab/v1/chat/completions"))


# -- by connections that are opened early ------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_connect_opens_the_providers_connection_while_the_agent_makes_tls(names: Names) -> None:
    async with stage(answering(answer()), NAMED) as between:
        agent = await between.agent()
        assert (await agent.ask(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(), "HEAD")).status == 200
        await until(lambda: between.provider.connections == 1)
        await until(lambda: tended(between))
        await agent.writer.start_tls(ssl.create_default_context(cafile=str(between.sidecar.bundle)))
        assert (await agent.ask(get())).body == b"ok"
        (call,) = await between.calls(1)
        assert call.attempts[0].connect_seconds is None
        assert between.provider.connections == 1


async def test_tls_at_the_transparent_door_opens_it_too(names: Names) -> None:
    async with stage(answering(answer()), NAMED, LISTEN) as between:
        port = int(between.sidecar.application.addresses["transparent 1"].rpartition(":")[2])
        agent = await between.agent(port)
        trusting = ssl.create_default_context(cafile=str(between.sidecar.bundle))
        await agent.writer.start_tls(trusting, server_hostname=HOST)
        await until(lambda: between.provider.connections == 1)
        await until(lambda: tended(between))
        assert (await agent.ask(get())).body == b"ok"
        (call,) = await between.calls(1)
        assert call.attempts[0].connect_seconds is None
        assert between.provider.connections == 1


async def test_many_connections_of_an_agent_open_one(names: Names) -> None:
    async with stage(answering(answer()), NAMED) as between:
        for _ in range(10):
            await between.agent_over_tls(HOST)
        await until(lambda: pool(between).idle == 1 and tended(between))
        assert between.provider.connections == 1


@pytest.mark.parametrize("overrides", [(), (NAMED, "tls.intercept=false")])
async def test_where_tls_does_not_end_here_nothing_is_opened(names: Names, overrides: tuple[str, ...]) -> None:
    authority = Authority()
    async with (
        peer(answering(answer(b"direct")), authority.server_context([HOST])) as real,
        stage(answering(answer()), *overrides) as between,
    ):
        names.add(HOST, "127.0.0.1", port=real.port)
        agent = await between.agent_over_tls(HOST, authority.client_context())
        assert (await agent.ask(get())).body == b"direct"
        assert (real.connections, between.provider.connections) == (1, 0)
        assert not between.sidecar.application.service._upstreams


# -- by plugins --------------------------------------------------------------------------------------------------------


class Second(AroundExchange, Lifespan):
    """Has a connection ready to the second provider while the first one is asked."""

    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None:
        self.runtime: Runtime

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.runtime = runtime
        yield
        runtime.warm(runtime.providers["second"])

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        second = self.runtime.providers["second"]
        for provider in (second, second, self.runtime.providers["nowhere"]):
            self.runtime.warm(provider)
        response = await call_next(exchange)
        if response.status < 500:
            return response
        return await call_next(exchange.with_candidates(second))


async def test_a_plugin_has_a_connection_ready_to_whom_it_may_turn_next(tmp_path: Path) -> None:
    """Once, however often it says so; and after the end of its service nothing is opened any more."""
    going = asyncio.Event()

    async def failing(line: Line) -> None:
        await line.request()
        await going.wait()
        await line.send(answer(b"no", "503 Service Unavailable"))
        await line.gone()

    with distribution(tmp_path, "second", {"second": f"{__name__}:Second"}):
        async with peer(answering(answer(b"second"))) as other:
            providers = (
                f"providers.second={{url: 'http://127.0.0.1:{other.port}', dialect: openai}}",
                "providers.nowhere={hosts: ['*.nowhere.example'], dialect: openai}",
            )
            async with stage(failing, *providers, plugins="[{use: second}]") as between:
                agent = await between.agent()
                await agent.send(post(CHAT, path="/lab/v1/chat/completions"))
                await until(lambda: other.connections == 1 and pool(between, "second").idle == 1)
                going.set()
                assert (await agent.answer("POST")).body == b"second"
                (call,) = await between.calls(1)
                assert [each.connect_seconds is None for each in call.attempts] == [False, True]
            assert other.connections == 1


# -- after a pause, and after a reload ---------------------------------------------------------------------------------


async def test_after_idling_a_call_finds_a_connection_open() -> None:
    """The one before it was closed for having rested too long."""
    async with stage(answering(answer()), "upstream.idle_timeout=300ms") as between:
        agent = await between.agent()
        assert (await agent.ask(get())).status == 200
        await until(lambda: between.provider.connections == 2)
        await until(lambda: pool(between).connections == 1)
        await open_already(between, get())


async def test_a_new_configuration_begins_with_open_connections(tmp_path: Path) -> None:
    """To whom was called under the old one, and to whom it says itself."""
    with nothing_goes_unhandled():
        async with (
            asyncio.timeout(15),
            peer(answering(answer())) as one,
            peer(answering(answer())) as two,
            peer(answering(answer())) as three,
        ):
            file = tmp_path / "sidecar.yaml"

            def written(warm: int) -> str:
                urls = {"lab": one.port, "warm": two.port, "unused": three.port}
                keep = {"warm": f", keep_warm: {warm}"}
                lines = [
                    f"  {name}: {{url: 'http://127.0.0.1:{port}', dialect: openai{keep.get(name, '')}}}"
                    for name, port in urls.items()
                ]
                return "\n".join(("providers:", *lines, "plugins: []", ""))

            file.write_text(written(0))
            async with running(file=file) as sidecar:
                between = Stage(sidecar, one)
                agent = await between.agent()
                assert (await agent.ask(get())).status == 200
                file.write_text(written(2))
                assert await sidecar.application.reload()
                await until(lambda: pool(between).idle == 1 and pool(between, "warm").idle == 2)
                await open_already(between, get())
                assert three.connections == 0
                between.close()
