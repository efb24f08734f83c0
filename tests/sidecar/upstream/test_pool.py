"""Connections of the lean upstream: when one is kept, used again, waited for, or opened ahead."""

import asyncio

import pytest

from sidecar.errors import ConnectFailed
from sidecar.provider import Timeouts
from sidecar.upstream.lean import LeanUpstream
from tests.making import attempt, provider
from tests.sidecar.upstream.stage import UPGRADE, lean, read, to, using
from tests.wire import Line, answer, answering, peer


async def test_a_connection_is_free_once_its_answer_is_in_however_slowly_it_is_read() -> None:
    async with peer(answering(answer(b"x" * 100_000))) as serving, using(lean(to(serving))) as upstream:
        first = await upstream.send(attempt(to(serving)))
        chunks = aiter(first.body) if first.body.data is None else None
        got = b"" if chunks is None else await anext(chunks)
        while chunks is not None and first.body.connected:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        await read(await upstream.send(attempt(to(serving))))
        assert serving.connections == 1
        if chunks is not None:
            async for chunk in chunks:
                got += chunk
            assert got == b"x" * 100_000


async def test_a_connection_closed_while_it_rested_is_not_used_again() -> None:
    closed = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer())
        await line.close()
        closed.set()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        await read(await upstream.send(attempt(to(serving), method="POST")))
        await closed.wait()
        await asyncio.sleep(0)
        assert await read(await upstream.send(attempt(to(serving), method="POST"))) == b"ok"
        assert serving.connections == 2


@pytest.mark.parametrize(
    "data",
    [
        answer(b"ok", "200 OK", "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        answer() + b"stray",
        answer() + answer(),
    ],
)
async def test_a_connection_that_says_it_is_over_or_says_too_much_is_not_kept(data: bytes) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(data)
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        for number in (1, 2):
            assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
            assert serving.connections == number


async def test_bytes_that_nobody_asked_for_end_a_resting_connection() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer())
        await spoken.wait()
        await line.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await line.gone()
        gone.set()

    spoken, gone = asyncio.Event(), asyncio.Event()
    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        await read(await upstream.send(attempt(to(serving))))
        spoken.set()
        await asyncio.wait_for(gone.wait(), 5)
        spoken.clear()
        assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
        assert serving.connections == 2


async def test_calls_beyond_the_limit_wait_for_a_connection() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving), max_connections=2)) as upstream:
        responses = await asyncio.gather(*(upstream.send(attempt(to(serving))) for _ in range(10)))
        assert [await read(response) for response in responses] == [b"ok"] * 10
        assert serving.connections <= 2


async def test_a_call_that_waits_too_long_for_a_connection_is_told_so() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await line.gone()

    hurried = Timeouts(connect=0.1)
    async with peer(script) as serving, using(lean(to(serving, hurried), max_connections=1)) as upstream:
        held = await upstream.send(attempt(to(serving, hurried)))
        with pytest.raises(ConnectFailed) as failed:
            await upstream.send(attempt(to(serving, hurried)))
        await held.body.aclose()
    assert failed.value.kind == "connection_limit_reached"


async def test_connections_are_opened_ahead_and_opened_again() -> None:
    """As long as the agent calls the provider."""

    async def script(line: Line) -> None:
        number = serving.connections
        if number > 2:
            again.set()
            await line.gone()
            return
        if number == 2:  # the last one is used first
            await line.request()
            await line.send(answer())
        await leave.wait()

    leave, again = asyncio.Event(), asyncio.Event()
    async with peer(script) as serving, using(lean(to(serving), keep_warm=2)) as upstream:
        assert isinstance(upstream, LeanUpstream)
        await upstream.warm()
        assert upstream.idle == 2
        assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
        assert upstream.opened == 2
        leave.set()
        await asyncio.wait_for(again.wait(), 5)


async def test_warming_a_provider_that_is_away_is_harmless() -> None:
    async with peer(answering(answer())) as serving:
        port = serving.port
    async with using(lean(provider(port), keep_warm=1)) as upstream:
        await upstream.warm()


@pytest.mark.both_loops
async def test_a_websocket_takes_the_place_of_a_resting_connection() -> None:
    """It takes what is there, and never gives it back."""

    async def script(line: Line) -> None:
        while b"Upgrade" not in (await line.request())[0]:
            await line.send(answer())
        await line.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving), max_connections=1)) as upstream:
        assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
        response = await upstream.send(attempt(to(serving), method="GET", headers=UPGRADE, socket=True))
        assert response.tunnel is not None
        assert serving.connections == 1
        assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
        assert serving.connections == 2
        response.tunnel.transport.abort()
