"""TLS sessions are gone on with, and never where they do not belong."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.errors import ConnectFailed
from sidecar.exchange import Response
from sidecar.lab.certificates import Authority
from sidecar.notes import Connecting
from sidecar.provider import Provider
from sidecar.upstream import Upstream
from sidecar.upstream.dial import client_context
from sidecar.upstream.sessions import Handshake, Sessions
from tests.making import attempt
from tests.sidecar.upstream.secure import HOST, joined, once, secure, server_context
from tests.sidecar.upstream.stage import lean, read, reference, using
from tests.wire import Line, answer, peer

pytestmark = pytest.mark.both_loops
Open = Callable[..., Upstream]


@pytest.fixture(params=[lean, reference], ids=["lean", "reference"])
def opened(request: pytest.FixtureRequest) -> Open:
    return request.param  # type: ignore[no-any-return]


async def ask(upstream: Upstream, to: Provider) -> Response:
    response = await upstream.send(attempt(to))
    assert await read(response) == b"ok"
    return response


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_new_connection_goes_on_with_the_session_of_an_earlier_one(
    tmp_path: Path, opened: Open, version: str
) -> None:
    async with secure(tmp_path, version=version) as serving:
        async with using(opened(serving.to(), context=serving.context)) as upstream:
            for _ in range(6):
                await ask(upstream, serving.to())
        assert serving.handshakes == [False, *[True] * 5]


async def test_a_record_says_what_the_connection_took(tmp_path: Path) -> None:
    told: list[tuple[str, Connecting]] = []
    async with secure(tmp_path) as serving:
        upstream = lean(serving.to(), context=serving.context, connected=lambda *each: told.append(each))
        async with using(upstream):
            first, second = attempt(serving.to()), attempt(serving.to())
            for each in (first, second):
                await read(await upstream.send(each))
    for each, resumed in ((first, False), (second, True)):
        connecting = each.record.connecting
        assert connecting is not None
        assert (connecting.tls, connecting.resumed) == ("TLSv1.3", resumed)
        assert min(connecting.tcp_seconds, connecting.tls_seconds) > 0
        assert connecting.seconds <= each.record.connect_seconds
    assert told == [("lab", first.record.connecting), ("lab", second.record.connecting)]


@pytest.mark.parametrize(("version", "resumed"), [("1.2", 3), ("1.3", 1)])
async def test_a_ticket_is_for_one_connection(tmp_path: Path, version: str, resumed: int) -> None:
    """Of TLS 1.3; a session of 1.2 serves many."""
    together = asyncio.Event()

    async def script(line: Line) -> None:
        if len(serving.handshakes) > 1:
            await line.request()
            if len(serving.handshakes) == 4:
                together.set()
            await together.wait()
            await line.send(answer())
            await line.gone()
        else:
            await once(line)

    async with secure(tmp_path, script, version=version) as serving:
        async with using(lean(serving.to(), context=serving.context)) as upstream:
            await ask(upstream, serving.to())
            await asyncio.gather(*(ask(upstream, serving.to()) for _ in range(3)))
        assert serving.handshakes[0] is False
        assert sum(serving.handshakes) == resumed


async def test_a_connection_that_has_carried_nothing_leaves_its_session_too(tmp_path: Path) -> None:
    """Its ticket comes after the handshake, when nobody waits for anything."""
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def script(line: Line) -> None:
        if len(serving.handshakes) == 1:
            await line.gone()
            ended.put_nowait(None)
        else:
            await once(line)

    async with secure(tmp_path, script) as serving:
        upstream = lean(serving.to(), context=serving.context, keep_warm=1)
        async with using(upstream):
            await upstream.warm()
            (connection,) = upstream.at_rest
            while not (tls := connection.handshake) or not tls.tls or not tls.tls.session.has_ticket:  # type: ignore[union-attr]
                await asyncio.sleep(0.001)
            await upstream.dialled(attempt(serving.to()).record)
            connection.close()
            await asyncio.wait_for(ended.get(), 5)
        assert serving.handshakes == [False, True]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_server_that_resumes_nothing_is_none_the_worse(tmp_path: Path, opened: Open, version: str) -> None:
    async with secure(tmp_path, version=version, tickets=0) as serving:
        async with using(opened(serving.to(), context=serving.context)) as upstream:
            for _ in range(3):
                await ask(upstream, serving.to())
        assert serving.handshakes[0] is False
        assert len(serving.handshakes) == 3


async def test_sessions_stay_with_their_provider(tmp_path: Path, opened: Open) -> None:
    """Though it is the same server, asked under the same trust."""
    async with secure(tmp_path) as serving:
        for name in ("one", "two"):
            to = serving.to(name=name)
            async with using(opened(to, context=serving.context)) as upstream:
                for _ in range(2):
                    await ask(upstream, to)
        assert serving.handshakes == [False, True, False, True]


async def test_sessions_stay_with_what_was_trusted(tmp_path: Path) -> None:
    async with secure(tmp_path) as serving:
        other = client_context([str(tmp_path / "ca.pem")])
        contexts = [serving.trusting, serving.trusting, other, other]
        async with using(lean(serving.to(), context=lambda: contexts.pop(0))) as upstream:
            for _ in range(4):
                await ask(upstream, serving.to())
        assert serving.handshakes == [False, True, False, True]


async def test_a_failed_verification_ends_what_was_kept(tmp_path: Path, opened: Open) -> None:

    async def moved(line: Line) -> None:
        await joined(line, (serving.peer if changing.connections == 1 else impostor).port)

    async with (
        secure(tmp_path, version="1.2") as serving,  # whose session would serve again
        peer(once, server_context(Authority())) as impostor,
        peer(moved) as changing,
    ):
        to = serving.to(port=changing.port)
        async with using(opened(to, context=serving.context)) as upstream:
            await ask(upstream, to)
            sessions: Sessions = upstream._opener._sessions if opened is lean else upstream._sessions  # type: ignore[attr-defined]
            if opened is lean:
                upstream._opener._learn(upstream._open)  # type: ignore[attr-defined]
            assert len(sessions) == 1
            with pytest.raises(ConnectFailed) as failed:
                await ask(upstream, to)
            assert failed.value.kind == "tls_certificate_error"
            assert len(sessions) == 0


async def test_a_server_that_cannot_bear_a_session_is_asked_without(tmp_path: Path) -> None:
    """One that breaks off instead of declining."""
    refused = 0

    async def relayed(line: Line) -> None:
        nonlocal refused
        hello = await line.reader.readexactly(5)
        hello += await line.reader.readexactly(int.from_bytes(hello[3:]))
        if _has_extension(hello, 41):  # pre_shared_key
            refused += 1
            line.reset()
            return
        await joined(line, serving.peer.port, hello)

    async with secure(tmp_path) as serving, peer(relayed) as choosy:
        to = serving.to(port=choosy.port)
        async with using(lean(to, context=serving.context)) as upstream:
            for _ in range(2):
                await ask(upstream, to)
        assert refused == 1
        assert serving.handshakes == [False, False]


def _has_extension(record: bytes, wanted: int) -> bool:
    """Whether a ClientHello, alone in its record, has an extension of that number (RFC 8446 section 4.1.2)."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    at += 2 + int.from_bytes(record[at : at + 2])
    at += 1 + record[at]
    at += 2
    while at < len(record):
        if int.from_bytes(record[at : at + 2]) == wanted:
            return True
        at += 4 + int.from_bytes(record[at + 2 : at + 4])
    return False


async def test_no_more_than_a_few_are_kept(tmp_path: Path) -> None:
    """And those that are out of date are not offered."""

    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer())
        await line.gone()

    async with secure(tmp_path, script) as serving:
        upstream = lean(serving.to(), context=serving.context)
        async with using(upstream):
            records = [attempt(serving.to()) for _ in range(8)]
            await asyncio.gather(*(upstream.send(each) for each in records))
            connections = list(upstream._open)
            sessions = Sessions()
            for connection in connections:
                assert connection.handshake is not None
                assert sessions.keep(connection.handshake)
            assert sessions.full
            assert len(sessions) == 4
            assert sessions.take() != sessions.take()
            sessions._kept = type(sessions._kept)(each._replace(until=0.0) for each in sessions._kept)
            assert sessions.take() is None
            assert len(sessions) == 0


async def test_whoever_makes_tls_without_a_handshake_of_ours_gets_plain_tls(tmp_path: Path) -> None:
    async with secure(tmp_path) as serving:
        with Handshake(Sessions()) as handshake:
            pass
        reader, writer = await asyncio.open_connection(HOST, serving.peer.port, ssl=serving.trusting)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.read()).endswith(b"ok")
        writer.close()
        assert handshake.tls is None
        assert not handshake.resumed
        assert handshake.version == ""
