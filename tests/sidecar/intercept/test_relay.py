"""WebSockets: the handshake as the provider answers it, then byte for byte both ways, counted and nothing else."""

import asyncio

import pytest

from sidecar.upstream.lean import LeanUpstream
from tests.sidecar.intercept.stage import BOTH_DOORS, Agent, Stage, get, post, stage, until
from tests.wire import Line, answer, answering

HANDSHAKE = get(
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.x",
    path="/lab/v1/realtime?model=gpt-realtime",
)
SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: realtime\r\n\r\n"
)
CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # masked, code 1000
CLOSED = b"\x88\x02\x03\xe8"


def text(payload: bytes, *, masked: bool = False) -> bytes:
    assert len(payload) < 126
    return bytes((0x81, len(payload) | (0x80 if masked else 0))) + (b"\0\0\0\0" if masked else b"") + payload


async def echo(line: Line) -> None:
    await line.head()
    await line.send(SWITCHING)
    while data := await line.reader.read(65536):
        await line.send(data)


async def opened(between: Stage) -> Agent:
    agent = await between.agent()
    got = await agent.ask(HANDSHAKE)
    assert got.status == 101
    return agent


@pytest.mark.both_loops
@BOTH_DOORS
async def test_the_handshake_passes_both_ways_as_it_is(server: str) -> None:
    heads = []

    async def script(line: Line) -> None:
        heads.append(await line.head())
        await line.send(SWITCHING)
        await line.gone()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(HANDSHAKE)
        assert got.status == 101
        assert got.get("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert (got.get("upgrade"), got.get("connection")) == ("websocket", "upgrade")
        assert got.get("x-sidecar-provider") == "lab"
        for line in HANDSHAKE.split(b"\r\n")[2:-2]:
            assert line in heads[0]
        assert heads[0].startswith(b"GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\n")


@pytest.mark.both_loops
@BOTH_DOORS
async def test_frames_pass_byte_for_byte_both_ways(server: str) -> None:
    async with stage(echo, server=server) as between:
        agent = await opened(between)
        for data in (text(b"hello", masked=True), b"\x89\x80\0\0\0\0", b"\x82\xfe\xff\xff" + b"\1" * (4 + 65535)):
            await agent.send(data)
            assert await agent.reader.readexactly(len(data)) == data
        await agent.send(*(bytes([byte]) for byte in text(b"in one byte segments", masked=True)))
        assert await agent.reader.readexactly(26) == text(b"in one byte segments", masked=True)
        await agent.send(CLOSE)
        assert await agent.reader.readexactly(len(CLOSE)) == CLOSE
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.outcome, call.status, call.close_code) == ("completed", 101, 1000)
        assert (call.messages_sent, call.messages_received) == (3, 3)
        assert call.request_bytes == call.response_bytes == 11 + 6 + 4 + 4 + 65535 + 26 + len(CLOSE)


@pytest.mark.both_loops
@BOTH_DOORS
async def test_frames_that_come_with_the_handshake_are_not_lost(server: str) -> None:
    async def script(line: Line) -> None:
        await line.head()
        await line.send(SWITCHING + text(b"welcome"))
        assert await line.reader.readexactly(11) == text(b"early", masked=True)
        await line.send(text(b"seen"))
        await line.gone()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(HANDSHAKE + text(b"early", masked=True))
        assert (await agent.answer()).status == 101
        assert await agent.reader.readexactly(15) == text(b"welcome") + text(b"seen")


@BOTH_DOORS
async def test_the_handshake_may_come_behind_other_calls_on_the_connection(server: str) -> None:
    async def script(line: Line) -> None:
        while True:
            head = await line.head()
            if b"websocket" not in head:
                await line.send(answer())
                continue
            await line.send(SWITCHING)
            await line.send(await line.reader.readexactly(11))
            await line.gone()
            return

    async with stage(script, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(get())).body == b"ok"
        assert (await agent.ask(HANDSHAKE)).status == 101
        await agent.send(text(b"hello", masked=True))
        assert await agent.reader.readexactly(11) == text(b"hello", masked=True)


@BOTH_DOORS
@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "426 Upgrade Required", "200 OK"])
async def test_a_refused_handshake_is_an_answer_like_any(server: str, status: str) -> None:
    async with stage(answering(answer(b'{"error": {}}', status)), server=server) as between:
        got = await (await between.agent()).ask(HANDSHAKE)
        assert (got.status, got.body) == (int(status[:3]), b'{"error": {}}')
        (call,) = await between.calls(1)
        assert call.outcome == "completed"


@BOTH_DOORS
async def test_a_provider_that_is_away_is_told_before_the_socket_opens(server: str) -> None:
    async with stage(echo) as between:
        port = between.provider.port
    async with stage(
        echo, f"providers.gone={{url: 'http://127.0.0.1:{port}', dialect: openai}}", server=server
    ) as here:
        got = await (await here.agent()).ask(HANDSHAKE.replace(b"/lab/", b"/gone/"))
        assert (got.status, str(port).encode() in got.body) == (502, True)


@BOTH_DOORS
async def test_an_upgrade_to_something_else_is_an_ordinary_call(server: str) -> None:
    async with stage(answering(answer()), server=server) as between:
        agent = await between.agent()
        for _ in range(2):
            got = await agent.ask(get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x"))
            assert (got.status, got.body) == (200, b"ok")
        assert (await agent.ask(get("Upgrade: websocket"))).status == 200, "without Connection: Upgrade it is none"


@BOTH_DOORS
@pytest.mark.parametrize("who", ["agent", "provider"])
@pytest.mark.parametrize("how", ["close frame", "fin", "reset"])
async def test_when_one_end_goes_the_other_is_told_at_once(server: str, who: str, how: str) -> None:
    lines: list[Line] = []
    provider_gone = asyncio.Event()

    async def script(line: Line) -> None:
        lines.append(line)
        await line.head()
        await line.send(SWITCHING)
        await line.gone()
        provider_gone.set()

    async with stage(script, server=server) as between:
        agent = await opened(between)
        if who == "agent":
            if how == "close frame":
                await agent.send(CLOSE)
            agent.reset() if how == "reset" else agent.leave()
            await asyncio.wait_for(provider_gone.wait(), 5)
        else:
            if how == "close frame":
                await lines[0].send(CLOSED)
                assert await agent.reader.readexactly(4) == CLOSED
            lines[0].reset() if how == "reset" else lines[0].writer.close()
            await asyncio.wait_for(agent.gone(), 5)
            agent.leave()
        (call,) = await between.calls(1)
        expected = "completed" if how == "close frame" else "cancelled" if who == "agent" else "failed"
        assert (call.outcome, call.close_code) == (expected, 1000 if how == "close frame" else None)


@BOTH_DOORS
async def test_a_slow_reader_slows_the_other_end_down(server: str) -> None:
    sent, frame = 0, b"\x82\x7f" + (65536).to_bytes(8, "big") + b"x" * 65536
    done = asyncio.Event()

    async def script(line: Line) -> None:
        nonlocal sent
        await line.head()
        await line.send(SWITCHING)
        for _ in range(1024):
            await line.send(frame)
            sent += len(frame)
        await line.send(CLOSED)
        done.set()
        await line.gone()

    async with stage(script, server=server) as between:
        agent = await opened(between)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 << 20
        total = 0
        while total < 1024 * len(frame) + 4:
            total += len(await agent.reader.read(1 << 20))
        assert done.is_set()
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.messages_received, call.response_bytes) == (1024, 1024 * len(frame) + 4)


@BOTH_DOORS
async def test_sockets_that_have_ended_do_not_count_as_connections_in_use(server: str) -> None:
    """A socket's connection never comes back to the pool; nor may it be counted there for ever."""
    async with stage(echo, "upstream.max_connections=4", server=server) as between:
        for _ in range(3):
            agents = [await opened(between) for _ in range(3)]
            for agent in agents:
                await agent.send(CLOSE)
                await agent.reader.readexactly(len(CLOSE))
                agent.leave()
        await between.calls(9)
        (upstream,) = between.sidecar.application.service._upstreams.values()
        assert isinstance(upstream, LeanUpstream)
        await until(lambda: upstream.connections == upstream.idle == 1)  # the spare one for the next socket
        assert len(between.sidecar.application.watchdog._watched) == 1


@BOTH_DOORS
async def test_fifty_sockets_are_held_while_calls_go_on(server: str) -> None:
    async def script(line: Line) -> None:
        while True:
            head = await line.head()
            if b"websocket" in head:
                await line.send(SWITCHING)
                while data := await line.reader.read(65536):
                    await line.send(data)
                return
            await line.send(answer())

    async with stage(script, server=server) as between:
        agents = await asyncio.gather(*(opened(between) for _ in range(50)))
        caller = await between.agent()
        for number in range(20):
            assert (await caller.ask(get())).status == 200
            data = text(b"%d" % number, masked=True)
            await agents[number].send(data)
            assert await agents[number].reader.readexactly(len(data)) == data
        assert between.sidecar.application.metrics.in_flight == 50
        for agent in agents:
            agent.leave()
        await until(lambda: between.sidecar.application.metrics.in_flight == 0)


async def test_a_plugin_that_says_nothing_of_sockets_stands_aside() -> None:
    async with stage(echo) as between:
        stacks = between.sidecar.application.service.stacks()
        assert "websocket" in stacks
        agent = await opened(between)
        await agent.send(CLOSE)
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.operation, call.endpoint != "") == ("realtime", True)


@BOTH_DOORS
async def test_a_request_with_a_body_that_asks_to_upgrade_is_served(server: str) -> None:
    async with stage(answering(answer()), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"hello", "Connection: Upgrade", "Upgrade: websocket"))
        assert got.status == 200
