"""A WebSocket that one provider does not take is still whole for the next: nothing of what the agent says is lost."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar import (
    AroundExchange,
    Exchange,
    ExchangeHandler,
    Lifespan,
    PluginConfig,
    Response,
    Runtime,
    UpstreamError,
    hookimpl,
)
from tests.faulty.installing import distribution
from tests.sidecar.intercept.stage import BOTH_DOORS, Agent, Received, Stage, get, stage
from tests.wire import Line, Script, answer, peer

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-From: second\r\n\r\n"
HANDSHAKE = get(
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    path="/lab/v1/realtime?model=gpt-realtime",
)
FRAMES = [b"\x82\x83\x00\x00\x00\x00" + bytes((number,)) * 3 for number in range(50)]
CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"


class Failover(AroundExchange, Lifespan):
    """What could not be reached is Dispatch's to pass over; what refuses, or says nothing, is a plugin's."""

    Config = PluginConfig
    sockets = True

    def __init__(self, config: PluginConfig) -> None:
        self.runtime: Runtime

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.runtime = runtime
        yield

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        second = self.runtime.providers["second"]
        with contextlib.suppress(UpstreamError):
            response = await call_next(exchange.with_candidates(exchange.provider, second))
            if response.status == 101:
                return response
            await response.body.aclose()
        return await call_next(exchange.with_candidates(second))


class Echo:
    """A provider that takes the socket and gives back what comes; ``received`` is all of it."""

    def __init__(self) -> None:
        self.received = b""
        self.heads: list[bytes] = []

    async def __call__(self, line: Line) -> None:
        self.heads.append(await line.head())
        await line.send(SWITCHING)
        while data := await line.reader.read(65536):
            self.received += data
            await line.send(data)


async def closes(line: Line) -> None:
    await line.head()


async def resets(line: Line) -> None:
    await line.head()
    line.reset()


async def refuses(line: Line) -> None:
    await line.head()
    await line.send(answer(b"busy", "503 Service Unavailable"))
    await line.gone()


async def refuses_at_length(line: Line) -> None:
    await line.head()
    await line.send(b"HTTP/1.1 429 Too Many Requests\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n")
    await line.gone()


async def says_nothing(line: Line) -> None:
    await line.head()
    await line.gone()


async def says_half(line: Line) -> None:
    await line.head()
    await line.send(SWITCHING[:40])
    await line.gone()


async def no_http(line: Line) -> None:
    await line.head()
    await line.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await line.gone()


@contextlib.asynccontextmanager
async def two(
    directory: Path, first: Script, second: Script, *overrides: str, server: str
) -> AsyncIterator[tuple[Stage, Agent]]:
    with distribution(directory, "failover", {"failover": f"{__name__}:Failover"}):
        async with peer(second) as other:
            providers = (
                f"providers.second={{url: 'http://127.0.0.1:{other.port}', dialect: openai}}",
                "providers.lab.timeouts={first_byte: 150ms, between_chunks: 150ms}",
            )
            plugins = "[{use: failover}]"
            async with stage(first, *providers, *overrides, plugins=plugins, server=server) as between:
                yield between, await between.agent()


async def talked(agent: Agent, echo: Echo, sent: bytes) -> None:
    """All that was *sent* has reached the second provider, once and in its order, and has come back."""
    version, status, fields = await agent.head()
    assert (version, status) == ("HTTP/1.1", 101)
    assert (b"X-From", b"second") in fields
    assert await agent.reader.readexactly(len(sent)) == sent
    assert echo.received == sent
    assert len(echo.heads) == 1
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in echo.heads[0]
    agent.leave()


@BOTH_DOORS
@pytest.mark.parametrize("early", ["with the handshake", "while it waits", "after the answer"])
@pytest.mark.parametrize(
    "first",
    [closes, resets, refuses, refuses_at_length, says_nothing, says_half, no_http],
    ids=lambda each: each.__name__,
)
async def test_what_one_provider_does_not_take_the_next_one_gets_whole(
    tmp_path: Path, first: Script, early: str, server: str
) -> None:
    echo, asked = Echo(), asyncio.Event()

    async def heard(line: Line) -> None:
        asked.set()
        await first(line)

    async with two(tmp_path, heard, echo, server=server) as (between, agent):
        frames = b"".join((*FRAMES, CLOSE))
        if early == "with the handshake":
            await agent.send(HANDSHAKE + frames)
        else:
            await agent.send(HANDSHAKE)
            await asked.wait()
            if early == "while it waits":
                await agent.send(*FRAMES, CLOSE)
        if early == "after the answer":
            _, status, _ = await agent.head()
            assert status == 101
            await agent.send(*FRAMES, CLOSE)
            assert await agent.reader.readexactly(len(frames)) == frames
            assert echo.received == frames
            agent.leave()
        else:
            await talked(agent, echo, frames)
        (call,) = await between.calls(1)
        assert [each.provider for each in call.attempts] == ["lab", "second"]
        assert (call.status, call.answered_by, call.messages_sent, call.messages_received) == (101, "second", 50, 50)
        assert (call.close_code, call.outcome) == (1000, "completed")
        assert between.provider.connections <= 2, "the refused one, and a spare one"


@BOTH_DOORS
async def test_a_provider_that_cannot_be_reached_is_passed_over_by_dispatch(tmp_path: Path, server: str) -> None:
    echo = Echo()
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))  # and does not listen
    nobody = f"providers.lab.url=http://127.0.0.1:{taken.getsockname()[1]}"
    async with two(tmp_path, closes, echo, nobody, server=server) as (between, agent):
        await agent.send(HANDSHAKE + FRAMES[0] + CLOSE)
        await talked(agent, echo, FRAMES[0] + CLOSE)
        (call,) = await between.calls(1)
        assert [each.provider for each in call.attempts] == ["lab", "second"]
        assert call.attempts[0].error_kind == "connection_refused"
        assert call.attempts[1].status == 101
    taken.close()


@BOTH_DOORS
async def test_where_nobody_takes_it_the_agent_gets_the_last_answer_and_may_ask_again(
    tmp_path: Path, server: str
) -> None:
    second = Received(answer(b"full", "503 Service Unavailable"), answer(b"ok"))
    async with two(tmp_path, closes, second, server=server) as (between, agent):
        got = await agent.ask(HANDSHAKE, "GET")
        assert (got.status, got.body) == (503, b"full")
        agent = await between.agent()
        assert (await agent.ask(get(path="/second/v1/models"))).body == b"ok"
