"""Connections that are there before a call needs them, and who gets one that is still on its way."""

import asyncio
import time

import pytest

from sidecar.errors import ConnectFailed
from sidecar.upstream.lean import LeanUpstream
from tests.making import attempt, provider
from tests.sidecar.upstream.stage import lean, read, to, using
from tests.wire import Line, Peer, answer, answering, peer

pytestmark = pytest.mark.both_loops


async def until_resting(upstream: LeanUpstream, count: int = 1) -> None:
    async with asyncio.timeout(5):
        while upstream.idle != count or upstream.ahead.opening:
            await asyncio.sleep(0.001)


async def until_none(upstream: LeanUpstream) -> None:
    async with asyncio.timeout(5):
        while upstream.connections or upstream.ahead.opening:
            await asyncio.sleep(0.001)


async def ask(upstream: LeanUpstream, serving: Peer) -> bool:
    """Make a call; whether it found a connection open."""
    call = attempt(to(serving))
    assert await read(await upstream.send(call)) == b"ok"
    return call.record.reused


async def test_a_call_that_is_expected_finds_a_connection_open() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving))) as upstream:
        for _ in range(5):
            upstream.expect()
        await until_resting(upstream)
        assert await ask(upstream, serving)
        assert serving.connections == 1, "never more than one"


async def test_a_call_waits_for_the_connection_that_is_on_its_way_instead_of_opening_another() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving))) as upstream:
        upstream.expect()
        call = attempt(to(serving))
        await read(await upstream.send(call))
        assert serving.connections == 1
        assert not call.record.reused
        assert call.record.connecting is not None
        assert 0 < call.record.connecting.seconds <= call.record.connect_seconds


async def test_the_connection_that_is_on_its_way_is_for_one_call() -> None:
    together = asyncio.Event()
    asked = 0

    async def script(line: Line) -> None:
        nonlocal asked
        await line.request()
        asked += 1
        if asked == 2:
            together.set()
        await together.wait()
        await line.send(answer())
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        upstream.expect()
        assert not any(await asyncio.gather(ask(upstream, serving), ask(upstream, serving)))
        assert serving.connections == 2, "and no third"


async def test_a_call_that_leaves_while_it_waits_leaves_the_connection_to_the_next() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving))) as upstream:
        upstream.expect()
        leaving = asyncio.ensure_future(upstream.send(attempt(to(serving))))
        await asyncio.sleep(0)
        assert not upstream.ahead.unclaimed
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await until_resting(upstream)
        assert await ask(upstream, serving)
        assert serving.connections == 1


async def test_a_call_whose_hope_is_vain_fails_as_without() -> None:
    async with peer(answering(answer())) as serving:
        nobody = provider(serving.port)
    async with using(lean(nobody)) as upstream:
        upstream.expect()
        with pytest.raises(ConnectFailed) as failed:
            await upstream.send(attempt(nobody))
        assert failed.value.kind == "connection_refused"


@pytest.mark.parametrize("data", [answer(b"ok", "200 OK", "Connection: close"), None])
async def test_a_provider_in_use_keeps_one_open(data: bytes | None) -> None:
    """Though it closes after each answer, or the agent leaves in the midst of it."""

    async def script(line: Line) -> None:
        await line.request()
        await line.send(data or b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving), keep_used=True)) as upstream:
        for number in range(4):
            call = attempt(to(serving))
            response = await upstream.send(call)
            assert call.record.reused == bool(number)
            if data:
                await read(response)
            await response.body.aclose()
            await until_resting(upstream)
            assert serving.connections == number + 2


async def test_a_provider_not_in_use_is_let_go() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving), keep_used=True)) as upstream:
        await ask(upstream, serving)
        upstream.ahead.use.called = time.monotonic() - 301.0
        serving.lines[0].writer.close()
        await until_none(upstream)
        assert upstream.ahead._look is None


async def test_a_connection_is_replaced_before_it_has_rested_for_too_long() -> None:
    """The next call need not wait, and the old one goes."""
    gone, replaced = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        if serving.connections == 1:
            await line.request()
            await line.send(answer())
            await line.gone()
            gone.set()
        else:
            assert not gone.is_set()
            replaced.set()
            await line.request()
            await line.send(answer())
            await line.gone()

    async with peer(script) as serving:
        async with using(lean(to(serving), keep_used=True, idle_seconds=0.4)) as upstream:
            await ask(upstream, serving)
            async with asyncio.timeout(5):
                await replaced.wait()
                await gone.wait()
            assert await ask(upstream, serving)
            assert serving.connections == 2


async def test_what_rests_for_too_long_is_closed_without_being_asked_for() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving), idle_seconds=0.1)) as upstream:
        await ask(upstream, serving)
        await until_none(upstream)
        assert serving.connections == 1


async def test_a_provider_that_does_not_keep_them_is_not_pestered() -> None:
    """Each that is closed before anything came by it makes the pause longer; a call ends it."""

    async def script(line: Line) -> None:
        if serving.connections != 3:
            return
        await line.request()
        await line.send(answer())
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving), keep_warm=1)) as upstream:
        await upstream.warm()
        async with asyncio.timeout(5):
            while upstream.ahead._setbacks < 2:
                await asyncio.sleep(0.001)
        pause = upstream.ahead._paused_until() - time.monotonic()
        assert 1.0 < pause <= 2.0, "after the second one"
        upstream.expect()
        assert not upstream.ahead.opening, "nor by those who expect something"
        assert not await ask(upstream, serving)
        assert upstream.ahead._paused_until() <= time.monotonic()
        assert serving.connections == 3


async def test_a_provider_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async with peer(answering(answer())) as serving:
        nobody = provider(serving.port)
    async with using(lean(nobody, keep_warm=2)) as upstream:
        with caplog.at_level("INFO", "sidecar.upstream.ahead"):
            await upstream.warm()
        assert len([each for each in caplog.records if "no connection ahead" in each.message]) == 1
        assert upstream.ahead._look is not None


async def test_the_limit_holds_for_them_too() -> None:
    async with peer(answering(answer())) as serving:
        async with using(lean(to(serving), keep_warm=20, max_connections=6)) as upstream:
            await upstream.warm()
            assert upstream.idle == 6
            answers = await asyncio.gather(*(upstream.send(attempt(to(serving))) for _ in range(12)))
            assert [await read(each) for each in answers] == [b"ok"] * 12
            assert serving.connections == 6


async def test_a_pool_that_takes_over_has_what_the_one_before_had() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving), keep_used=True)) as before:
        await ask(before, serving)
        async with using(lean(to(serving), keep_used=True)) as upstream:
            upstream.succeed(before)
            await until_resting(upstream)
            assert await ask(upstream, serving)


@pytest.mark.parametrize("how", ["retire", "aclose"])
async def test_what_is_on_its_way_at_the_end_is_closed(how: str) -> None:
    arrived = asyncio.Event()

    async def script(line: Line) -> None:
        arrived.set()
        await line.gone()

    async with peer(script) as serving:
        upstream = lean(to(serving), keep_warm=1)
        upstream.expect()
        await arrived.wait()
        if how == "retire":
            upstream.retire()
        else:
            await upstream.aclose()
        upstream.expect()
        await until_none(upstream)
        assert serving.connections == 1
        await upstream.aclose()
