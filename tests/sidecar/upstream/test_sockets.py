"""Connections for WebSockets, which never give theirs back: a spare one is there, and its end harms nobody."""

import asyncio
from pathlib import Path

import pytest

from sidecar.errors import ConnectFailed
from sidecar.exchange import Attempt, Response
from sidecar.upstream.lean import LeanUpstream
from tests.making import attempt
from tests.sidecar.upstream.secure import secure
from tests.sidecar.upstream.stage import UPGRADE, lean, read, to, using
from tests.sidecar.upstream.test_ahead import until_resting
from tests.wire import Line, Peer, answer, peer

pytestmark = pytest.mark.both_loops
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def serving_both(line: Line) -> None:
    """Calls, until one asks for a WebSocket."""
    while b"Upgrade" not in (await line.request())[0]:
        await line.send(answer())
    await line.send(SWITCHING)
    await line.gone()


def upgrade(serving: Peer) -> Attempt:
    return attempt(to(serving), method="GET", headers=UPGRADE, socket=True)


async def upgraded(upstream: LeanUpstream, call: Attempt) -> Response:
    response = await upstream.send(call)
    assert response.status == 101
    assert response.tunnel is not None
    response.tunnel.transport.abort()
    return response


async def test_the_next_upgrade_finds_a_connection_with_its_handshake_done(tmp_path: Path) -> None:
    """Counted, not timed: no handshake between the call and its answer."""
    async with secure(tmp_path, serving_both) as serving:
        upstream = lean(serving.to(), context=serving.context, spare_sockets=1)
        async with using(upstream):
            for number in range(4):
                before = len(serving.handshakes)
                call = attempt(serving.to(), method="GET", headers=UPGRADE, socket=True)
                await upgraded(upstream, call)
                assert len(serving.handshakes) == before + (number == 0)
                assert call.record.reused == bool(number)
                assert bool(call.record.connect_seconds) == (number == 0)
                await until_resting(upstream)
                assert len(serving.handshakes) == before + 1 + (number == 0), "and one more for the next"
            assert sum(serving.handshakes) >= 3, "which goes on with a session"


async def test_calls_leave_no_spare_connection_behind() -> None:
    async with peer(serving_both) as serving, using(lean(to(serving), spare_sockets=1)) as upstream:
        await read(await upstream.send(attempt(to(serving))))
        assert (upstream.idle, serving.connections) == (1, 1)
        assert not upstream.ahead.opening


async def test_an_upgrade_leaves_calls_their_connection() -> None:
    async with peer(serving_both) as serving, using(lean(to(serving), spare_sockets=1)) as upstream:
        await upgraded(upstream, upgrade(serving))
        await until_resting(upstream)
        await read(await upstream.send(attempt(to(serving))))  # takes the spare one, for want of another
        upstream.ahead.tend()
        await until_resting(upstream, 2)
        call, socket = attempt(to(serving)), upgrade(serving)
        await upgraded(upstream, socket)
        assert [each.reused for each in upstream.at_rest][-1:] == [True], "the used one stays"
        await read(await upstream.send(call))
        assert call.record.reused
        assert socket.record.reused


@pytest.mark.parametrize("spares", [1, 2])
async def test_as_many_are_spare_as_are_wanted(spares: int) -> None:
    async with peer(serving_both) as serving, using(lean(to(serving), spare_sockets=spares)) as upstream:
        await upgraded(upstream, upgrade(serving))
        await until_resting(upstream, spares)
        assert serving.connections == 1 + spares


async def test_a_refused_upgrade_leaves_a_spare_one_too() -> None:
    async def script(line: Line) -> None:
        while True:
            await line.request()
            await line.send(answer(b"busy", "503 Service Unavailable"))

    async with peer(script) as serving, using(lean(to(serving), spare_sockets=1)) as upstream:
        response = await upstream.send(upgrade(serving))
        assert (response.status, response.tunnel, await read(response)) == (503, None, b"busy")
        await until_resting(upstream, 2)


@pytest.mark.parametrize("end", ["closed while it rests", "closed as it is asked", "reset as it is asked", "408"])
async def test_a_spare_connection_that_the_provider_gives_up_is_no_loss(end: str) -> None:
    """The upgrade has a fresh connection dialled, and gets its answer there."""
    closed = asyncio.Event()

    async def script(line: Line) -> None:
        if serving.connections != 2:
            await serving_both(line)
        elif end == "closed while it rests":
            await line.close()
            closed.set()
        else:
            await line.head()
            if end == "reset as it is asked":
                line.reset()
            elif end == "408":  # as a load balancer says that it has waited for too long
                await line.send(answer(b"", "408 Request Timeout", "Connection: close"))

    async with peer(script) as serving, using(lean(to(serving), spare_sockets=1)) as upstream:
        await upgraded(upstream, upgrade(serving))
        await until_resting(upstream, 0 if end == "closed while it rests" else 1)
        if end == "closed while it rests":
            await closed.wait()
        call = upgrade(serving)
        await upgraded(upstream, call)
        record = call.record
        assert (record.status, record.error, record.reused) == (101, None, False)
        assert record.connect_seconds > 0
        assert record.started <= record.connected <= record.requested <= record.first_byte


async def test_a_call_that_meets_a_408_for_the_time_before_it_is_made_again() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer())
        await line.request()
        await line.send(answer(b"", "408 Request Timeout", "Connection: close"))

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        for _ in range(2):
            call = attempt(to(serving), method="GET")
            assert await read(await upstream.send(call)) == b"ok"
        assert (call.record.status, call.record.reused, serving.connections) == (200, False, 2)


async def test_a_408_on_a_new_connection_is_the_answer() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer(b"", "408 Request Timeout", "Connection: close"))

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        assert (await upstream.send(attempt(to(serving), method="GET"))).status == 408
        assert serving.connections == 1


async def test_where_nobody_is_there_any_more_an_upgrade_says_so() -> None:
    async with peer(serving_both) as serving:
        upstream = lean(to(serving), spare_sockets=1)
        await upgraded(upstream, upgrade(serving))
        await until_resting(upstream)
    async with using(upstream):
        with pytest.raises(ConnectFailed):
            await upstream.send(upgrade(serving))
