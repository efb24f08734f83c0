"""WebSockets through every door, to providers with and without TLS: whole to the last bit, and ending as they end."""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

from sidecar.lab.certificates import Authority
from sidecar.websocket import TRAFFIC
from tests.running import Running, running
from tests.scenarios.sdk.golden import DOORS
from tests.scenarios.sdk.ledger import Ledger
from tests.scenarios.sdk.sockets import HOST, PATH, REFUSED, SOON_SECONDS, Between, Provider, echo
from tests.scenarios.sdk.world import free_ports

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.both_loops]

MEGABYTE = 1 << 20
REALTIME = Subprotocol("realtime")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["plain", "tls"])
async def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Provider, Running, Ledger]]:
    provider, ca_file = Provider(), tmp_path_factory.mktemp("ca") / "ca.crt"
    secure: ssl.SSLContext | None = None
    if request.param == "tls":
        authority = Authority()
        ca_file.write_bytes(authority.pem)
        secure = authority.server_context([HOST])
    (port,) = free_ports(1)
    async with serve(
        provider.serve,
        "127.0.0.1",
        0,
        ssl=secure,
        process_request=provider.refuse,
        select_subprotocol=lambda _, offered: REALTIME if REALTIME in offered else None,
        max_size=None,
        ping_interval=None,
    ) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        overrides = [
            f"providers.openai.url={'http' if secure is None else 'https'}://{place}",
            f"providers.openai.port={port}",
            f"tls.extra_ca_files=[{'' if secure is None else ca_file}]",
            "log.calls=none",
        ]
        async with running(*overrides) as sidecar, Ledger(sidecar) as ledger:
            yield provider, sidecar, ledger


@pytest_asyncio.fixture(loop_scope="module", params=DOORS)
async def between(served: tuple[Provider, Running, Ledger], request: pytest.FixtureRequest) -> AsyncIterator[Between]:
    provider, sidecar, ledger = served
    provider.talk = echo
    while not provider.over.empty():
        provider.over.get_nowait()
    ledger.untold()
    yield Between(provider, sidecar, ledger, request.param)


def noise(size_bytes: int) -> bytes:
    """What no compression makes smaller."""
    return random.Random(size_bytes).randbytes(size_bytes)


def pieces(data: bytes, count: int) -> list[bytes]:
    step = -(-len(data) // count)
    return [data[at : at + step] for at in range(0, len(data), step)]


MESSAGES: dict[str, str | bytes] = {
    "text": '{"type": "session.update"}',
    "unicode": "Мы открыты 👋" * 50,
    "empty": "",
    "binary": bytes(range(256)),
    "zeros": bytes(MEGABYTE),
    "noise": noise(MEGABYTE),
}


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_arrive_as_they_were_sent(between: Between, compression: str | None) -> None:
    async with between.opened(compression=compression, max_size=None) as agent:
        for message in MESSAGES.values():
            await agent.send(message)
            assert await agent.recv() == message
        met = between.provider.met
        assert met is not None
        assert bool(met.protocol.extensions) == (compression is not None), "the extension was agreed upon end to end"
    (record,) = await between.ledger.records(1)
    traffic = record.exchange.notes.get(TRAFFIC)
    assert traffic is not None
    assert traffic.from_agent.messages == traffic.from_provider.messages == len(MESSAGES)
    assert 0 < traffic.from_agent.first_message <= traffic.from_provider.first_message
    assert (record.outcome, record.status, traffic.close_code, record.exchange.door) == (
        *("completed", 101, 1000),
        between.door,
    )
    sizes = (record.request_bytes, record.response_bytes)
    assert min(sizes) > MEGABYTE
    if compression is None:
        # each has six frames of known size, and a close frame with its code
        heads = [2, 4, 2, 4, 10, 10]
        payload = sum(len(message.encode() if isinstance(message, str) else message) for message in MESSAGES.values())
        assert sizes == (payload + sum(heads) + 4 * 6 + 2 + 4 + 2, payload + sum(heads) + 2 + 2)


async def test_a_message_in_fragments_arrives_in_fragments(between: Between) -> None:
    data = noise(100_000)

    async def split(connection: ServerConnection) -> None:
        frames = [frame async for frame in connection.recv_streaming(decode=False)]
        await connection.send([bytes([len(frames)]), *frames])

    between.provider.talk = split
    async with between.opened() as agent:
        await agent.send(pieces(data, 7))
        # the last fragment has nothing in it, but that it is the last
        assert [frame async for frame in agent.recv_streaming()] == [b"\x08", *pieces(data, 7), b"", b""]
    (told,) = await between.ledger.calls(1)
    assert (told.messages_sent, told.messages_received) == (1, 1)


async def test_an_agent_and_a_provider_agree_by_themselves(between: Between) -> None:
    async with between.opened(subprotocols=[Subprotocol("unknown"), REALTIME]) as agent:
        met = between.provider.met
        assert met is not None
        assert met.request is not None
        assert agent.subprotocol == met.subprotocol == REALTIME
        assert met.request.path == PATH
        assert met.request.headers["Authorization"] == "Bearer k"
        assert not [name for name in met.request.headers if name.lower().startswith("x-sidecar")]
        assert agent.response is not None
        assert agent.response.headers["x-sidecar-provider"] == "openai"


async def test_pings_are_answered_by_the_other_end(between: Between) -> None:
    ponged: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def ping(connection: ServerConnection) -> None:
        ponged.set_result(await (await connection.ping(b"from the provider")))

    between.provider.talk = ping
    async with between.opened(ping_interval=None) as agent, asyncio.timeout(SOON_SECONDS):
        assert await (await agent.ping(b"from the agent")) >= 0
        assert await ponged >= 0
    (told,) = await between.ledger.calls(1)
    assert (told.messages_sent, told.messages_received) == (0, 0), "pings are no messages"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (4001, "nicht nötig")])
async def test_an_agent_closes_with_a_code(between: Between, code: int, reason: str) -> None:
    agent = await between.opened()
    await agent.close(code, reason)
    ended = await between.ended()
    assert ended.rcvd is not None
    assert (ended.rcvd.code, ended.rcvd.reason) == (code, reason)
    (told,) = await between.ledger.calls(1)
    assert (told.outcome, told.close_code, told.error) == ("completed", code, None)


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1011, "internal"), (4008, "session expired")])
async def test_a_provider_closes_with_a_code(between: Between, code: int, reason: str) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(code, reason)

    between.provider.talk = close
    async with between.opened() as agent:
        assert await agent.recv() == "last words"
        with pytest.raises(ConnectionClosed) as closed:
            await agent.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
    (told,) = await between.ledger.calls(1)
    assert (told.outcome, told.close_code, told.messages_received) == ("completed", code, 1)


async def test_an_agent_sees_why_it_is_refused(between: Between) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await between.opened(PATH + REFUSED)
    response = refused.value.response
    assert response.status_code == 401
    assert response.body == b'{"error": {"message": "no such key"}}'
    assert response.headers["x-request-id"] == "r1"
    (told,) = await between.ledger.calls(1)
    assert (told.outcome, told.status, told.operation) == ("completed", 401, "realtime")
    assert told.response_bytes == len(response.body)
    assert told.messages_received is None


def reset(connection: ServerConnection | ClientConnection) -> None:
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


def hang_up(connection: ServerConnection | ClientConnection) -> None:
    """A FIN, and no close frame before it."""
    connection.transport.close()


@pytest.mark.parametrize("break_off", [reset, hang_up])
async def test_an_agent_sees_that_its_provider_broke_off(
    between: Between, break_off: Callable[[ServerConnection], None]
) -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("first words")
        await connection.recv()
        break_off(connection)

    between.provider.talk = talk
    async with between.opened() as agent, asyncio.timeout(SOON_SECONDS):
        assert await agent.recv() == "first words"
        await agent.send("go on")
        with pytest.raises(ConnectionClosedError) as closed:
            await agent.recv()
    assert closed.value.rcvd is None, "a close that nobody sent"
    (told,) = await between.ledger.calls(1)
    assert (told.outcome, told.close_code) == ("failed", None)
    assert told.error == "the provider closed the socket without a close frame"
    assert (told.messages_sent, told.messages_received) == (1, 1)


@pytest.mark.parametrize("break_off", [reset, hang_up])
async def test_a_provider_hears_at_once_that_its_agent_is_gone(
    between: Between, break_off: Callable[[ClientConnection], None]
) -> None:
    agent = await between.opened()
    await agent.send("first words")
    assert await agent.recv() == "first words"
    break_off(agent)
    assert (await between.ended()).rcvd is None
    (told,) = await between.ledger.calls(1)
    assert (told.outcome, told.error, told.close_code) == ("cancelled", "the agent left", None)


async def test_a_slow_agent_holds_its_provider_back(between: Between) -> None:
    block, count = noise(MEGABYTE), 48
    sent = 0

    async def pour(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(count):
            await connection.send(block)
            sent += 1
        await connection.close()

    between.provider.talk = pour
    async with between.opened(max_size=None, max_queue=1, compression=None) as agent:
        assert await agent.recv() == block
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await agent.wait_closed()
        assert sent < count, "everything is somewhere on the way"
        assert [message == block async for message in agent] == [True] * (count - 1)


def connections(between: Between) -> dict[str, float]:
    """Those to the provider: open, at rest, ever opened."""
    samples = between.sidecar.application.metrics_text().splitlines()
    named = [each.split(" ") for each in samples if each.startswith("sidecar_upstream_connections")]
    return {name.partition("{")[0].removeprefix("sidecar_upstream_"): float(value) for name, value in named}


async def test_the_next_socket_finds_a_connection_open(between: Between) -> None:
    """TCP and TLS are made while the one before is still under way: counted, not timed."""

    async def one() -> None:
        async with between.opened() as agent:
            await agent.send("hello")
            assert await agent.recv() == "hello"

    await one()
    await between.ledger.calls(1)
    for _ in range(3):
        async with asyncio.timeout(SOON_SECONDS):
            while (before := connections(between))["connections_idle"] != 1:
                await asyncio.sleep(0.002)
        await one()
        (told,) = await between.ledger.calls(1)
        assert told.attempts[0].connect_seconds is None
        async with asyncio.timeout(SOON_SECONDS):
            while (after := connections(between))["connections_idle"] != 1:
                await asyncio.sleep(0.002)
        assert after["connections_opened_total"] == before["connections_opened_total"] + 1, "the next spare one"


async def test_sockets_leave_nothing_behind(between: Between) -> None:
    async def visit(number: int) -> None:
        async with between.opened() as agent:
            await agent.send(str(number))
            assert await agent.recv() == str(number)

    await asyncio.gather(*map(visit, range(30)))
    await between.ledger.calls(30)
    counted = connections(between)
    assert counted["connections"] == counted["connections_idle"] <= 1, "but a spare one"
    assert between.sidecar.application.metrics.in_flight == 0
