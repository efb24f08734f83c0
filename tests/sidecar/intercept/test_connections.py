"""Requests one after another on a connection of the agent: kept alive, pipelined, cut up in any way."""

import asyncio

import pytest

from tests.sidecar.intercept.stage import BOTH_DOORS, Received, chunked, get, post, stage
from tests.wire import Line, answer, answering


@pytest.mark.both_loops
@BOTH_DOORS
async def test_a_connection_is_kept_from_call_to_call(server: str) -> None:
    received = Received(answer(b"one"), answer(b"two"), answer(b"three"))
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"1"))).body == b"one"
        assert (await agent.ask(get())).body == b"two"
        assert (await agent.ask(post(b"333"))).body == b"three"
        assert received.bodies == [b"1", b"", b"333"]
        assert between.provider.connections == 1
        calls = await between.calls(3)
        assert [call.status for call in calls] == [200, 200, 200]


@BOTH_DOORS
async def test_a_request_reaches_the_provider_as_it_was_sent(server: str) -> None:
    """Field names keep their case, fields their order and their repetitions; only the hop's own are changed."""
    received = Received(answer())
    request = (
        b"POST /lab/v1/x?a=%20b&a=c HTTP/1.1\r\nuser-AGENT: x\r\nHost: agent\r\nX-Tag: 1\r\naccept: */*\r\nx-tag:2\r\n"
        b"X-Empty:\r\nCookie: a=b; c=d\r\nX-Caf\xc3: 1\r\ncontent-LENGTH: 2\r\nAuthorization: Bearer k\r\n\r\nhi"
    ).replace(b"X-Caf\xc3: 1\r\n", b"X-Latin: caf\xe9\r\n")
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(request)).status == 200
        head, body = received.requests[0]
        assert body == b"hi"
        expected = request.replace(b"/lab/v1", b"/v1").replace(
            b"agent\r\n", b"127.0.0.1:%d\r\n" % between.provider.port
        )
        wanted, sent = expected[: expected.index(b"\r\n\r\n")].split(b"\r\n"), head[:-4].split(b"\r\n")
        assert [line.replace(b": ", b":") for line in sent] == [line.replace(b": ", b":") for line in wanted]


@BOTH_DOORS
@pytest.mark.parametrize(
    "fields",
    [
        "traceparent: 00-{0:032x}-{0:016x}-01\r\nContent-Length: {1}\r\nX-A: 1\r\n",
        "X-A: 1\r\nContent-Length: {1}\r\nX-Copy: 00-{0:032x}-{0:016x}-01\r\nTraceparent: 00-{0:032x}-{0:016x}-01\r\n",
    ],
)
async def test_each_call_of_a_kept_connection_has_its_own_trace(server: str, fields: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        sent = [fields.format(number, 10 ** (number % 3)) for number in range(1, 10)]
        for number, lines in enumerate(sent, 1):
            request = f"POST /lab/v1/x HTTP/1.1\r\nHost: agent\r\n{lines}\r\n{'x' * 10 ** (number % 3)}"
            assert (await agent.ask(request.encode())).status == 200
        assert [head.decode().partition("\r\n")[2].partition("\r\n")[2] for head, _ in received.requests] == [
            f"{lines}\r\n" for lines in sent
        ]


@BOTH_DOORS
async def test_an_answer_reaches_the_agent_as_it_was_sent(server: str) -> None:
    lines = [b"X-One: 1", b"x-one: 2", b"SET-cookie: a", b"Set-Cookie: b", b"X-Latin: caf\xe9", b"X-Empty:"]
    reply = b"HTTP/1.1 299 Sort Of\r\n" + b"\r\n".join(lines) + b"\r\nContent-Length: 2\r\n\r\nok"
    async with stage(Received(reply), server=server) as between:
        agent = await between.agent()
        await agent.send(get())
        head = await agent.reader.readuntil(b"\r\n\r\n")
        assert head.split(b"\r\n")[0] == b"HTTP/1.1 299 Sort Of"
        got = [line.replace(b": ", b":").rstrip() for line in head.split(b"\r\n")]
        positions = [got.index(line.replace(b": ", b":")) for line in lines]
        assert positions == sorted(positions)
        assert await agent.reader.readexactly(2) == b"ok"


@BOTH_DOORS
@pytest.mark.parametrize("told", [True, False])
async def test_an_answer_says_what_was_done_with_the_call_if_it_is_to(server: str, told: bool) -> None:
    async with stage(Received(answer()), f"response_headers={str(told).lower()}", server=server) as between:
        got = await (await between.agent()).ask(get())
        (call,) = await between.calls(1)
        assert got.get("x-sidecar-request-id") == (call.id if told else None)
        assert got.get("x-sidecar-provider") == ("lab" if told else None)
        assert got.get("x-sidecar-attempts") == ("1" if told else None)
        assert ("upstream;dur=" in (got.get("server-timing") or "")) is told


@BOTH_DOORS
async def test_several_requests_in_one_segment_are_answered_in_their_order(server: str) -> None:
    bodies = [b"", b"a", b"bb" * 500, b"", b"c"]

    async def script(line: Line) -> None:
        while True:
            _, body = await line.request()
            await line.send(answer(b"got " + body))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(b"".join(post(body) if body else get() for body in bodies))
        assert [(await agent.answer()).body for _ in bodies] == [b"got " + body for body in bodies]


@BOTH_DOORS
async def test_a_hundred_requests_in_one_segment_are_all_answered(server: str) -> None:
    """More than are taken in ahead of their turn."""

    async def script(line: Line) -> None:
        while True:
            _, body = await line.request()
            await line.send(answer(body))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(b"".join(post(b"%d" % number) for number in range(100)))
        assert [(await agent.answer()).body for _ in range(100)] == [b"%d" % number for number in range(100)]


@BOTH_DOORS
@pytest.mark.parametrize("request_bytes", [post(b"hello", "X-A: b"), chunked(b"hel", b"lo")])
async def test_a_request_split_at_every_byte_is_the_same(server: str, request_bytes: bytes) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for split in range(1, len(request_bytes)):
            await agent.send(request_bytes[:split], request_bytes[split:])
            assert (await agent.answer()).status == 200
        assert len(received.requests) == len(request_bytes) - 1
        assert set(received.bodies) == {b"hello"}
        assert len({head for head, _ in received.requests}) == 1


@pytest.mark.parametrize(
    "server",
    [
        "lean",
        pytest.param(
            "aiohttp",
            marks=pytest.mark.xfail(
                strict=True, reason="aiohttp's parser puts the trailers of a request into the head of the next"
            ),
        ),
    ],
)
async def test_the_trailers_of_a_request_are_dropped_wherever_it_is_split(server: str) -> None:
    received = Received(answer())
    request_bytes = chunked(b"hel", b"lo", end=b"0\r\nAuthorization: stolen\r\nHost: elsewhere\r\n\r\n")
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for split in range(1, len(request_bytes)):
            await agent.send(request_bytes[:split], request_bytes[split:])
            assert (await agent.answer()).status == 200
        assert set(received.bodies) == {b"hello"}
        (head,) = {head for head, _ in received.requests}
        assert b"stolen" not in head
        assert b"elsewhere" not in head


@BOTH_DOORS
async def test_a_request_in_one_byte_segments_is_the_same(server: str) -> None:
    received = Received(answer())
    request_bytes = post(b"hello", "X-A: b")
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for _ in range(3):
            await agent.send(*(bytes([byte]) for byte in request_bytes))
            assert (await agent.answer()).status == 200
        assert received.bodies == [b"hello"] * 3


@BOTH_DOORS
async def test_a_request_that_comes_while_the_one_before_streams_waits_its_turn(server: str) -> None:
    go_on, asked = asyncio.Event(), []

    async def script(line: Line) -> None:
        while True:
            asked.append((await line.request())[1])
            if len(asked) == 1:
                await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                await go_on.wait()
                await line.send(b"3\r\nend\r\n0\r\n\r\n")
            else:
                await line.send(answer(b"second"))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"1"))
        _, status, _ = await agent.head()
        assert (status, await agent.chunk()) == (200, b"first")
        await agent.send(post(b"2"))
        assert (await between.agent()) is not agent  # the sidecar goes on accepting
        assert asked == [b"1"]
        go_on.set()
        assert [await agent.chunk(), await agent.chunk()] == [b"end", b""]
        assert (await agent.answer()).body == b"second"
        assert asked == [b"1", b"2"]


@BOTH_DOORS
async def test_line_breaks_between_two_requests_are_ignored(server: str) -> None:
    """Some clients end a body with a line break too many (RFC 9112 section 2.2)."""
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for data in (post(b"a") + b"\r\n", post(b"b"), b"\r\n" + get(), post(b"a")):
            assert (await agent.ask(data, "GET")).status == 200
        assert received.bodies == [b"a", b"b", b"", b"a"]


@BOTH_DOORS
@pytest.mark.parametrize(
    ("request_bytes", "kept"),
    [
        (get(), True),
        (get("Connection: keep-alive"), True),
        (get("Connection: close"), False),
        (get("connection: Close"), False),
        (get("Connection: x, close"), False),
        (get(version="HTTP/1.0"), False),
        (post(b"hello", "Connection: close"), False),
        (post(b"hello", version="HTTP/1.0"), False),
    ],
)
async def test_a_connection_ends_when_the_agent_says_so(server: str, request_bytes: bytes, kept: bool) -> None:
    async with stage(answering(answer()), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(request_bytes)
        assert (got.status, got.body) == (200, b"ok")
        assert (got.get("connection") == "close") is not kept
        if kept:
            assert (await agent.ask(get())).body == b"ok"
        else:
            assert await agent.rest() == b""


@BOTH_DOORS
@pytest.mark.parametrize(
    "request_bytes",
    [
        post(b"hello", "Connection: close"),
        post(b"hello", version="HTTP/1.0"),
        chunked(b"hello", fields=("Connection: close",)),
        post(b"x" * 100_000, "Connection: close"),
        post(b"x" * 100_000, version="HTTP/1.0"),
    ],
)
async def test_the_last_request_of_a_connection_may_come_in_pieces_too(server: str, request_bytes: bytes) -> None:
    received = Received(answer())
    head_end = request_bytes.index(b"\r\n\r\n") + 4
    async with stage(received, server=server) as between:
        for split in (head_end - 2, head_end, head_end + 2, len(request_bytes) - 1):
            agent = await between.agent()
            await agent.send(request_bytes[:split])
            await asyncio.sleep(0.01)  # so that it is a segment of its own, whatever the kernel does
            await agent.send(request_bytes[split:])
            assert (await agent.answer()).body == b"ok"
            assert await agent.rest() == b""
        assert {body[:5] for body in received.bodies} <= {b"hello", b"xxxxx"}
        assert len(received.requests) == 4


@BOTH_DOORS
async def test_many_connections_are_served_side_by_side(server: str) -> None:
    together, waiting = asyncio.Event(), 0

    async def script(line: Line) -> None:
        nonlocal waiting
        _, body = await line.request()
        waiting += 1
        if waiting == 50:
            together.set()
        await together.wait()
        await line.send(answer(body))

    async with stage(script, server=server) as between:

        async def call(number: int) -> bytes:
            return (await (await between.agent()).ask(post(b"%d" % number))).body

        assert await asyncio.gather(*map(call, range(50))) == [b"%d" % number for number in range(50)]
