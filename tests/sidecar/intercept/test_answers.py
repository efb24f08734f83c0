"""Answers of any framing: to the agent as they came, and never one for another."""

import asyncio

import pytest

from tests.sidecar.intercept.stage import BOTH_DOORS, BrokenAnswer, Received, get, post, stage
from tests.wire import Line, answer, answering

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello world"
OLD = b"HTTP/1.0 200 OK\r\nContent-Length: 11\r\n\r\nhello world"


def once(reply: bytes):
    """Answer one request per connection."""

    async def script(line: Line) -> None:
        await line.request()
        await line.send(reply)

    return script


@pytest.mark.both_loops
@BOTH_DOORS
@pytest.mark.parametrize("reply", [CHUNKED, SIZED, UNTIL_CLOSE, OLD], ids=["chunked", "sized", "until close", "1.0"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_an_answer_of_any_framing_is_whole(server: str, reply: bytes, version: str) -> None:
    async with stage(once(reply), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(get(version=version))
        assert (got.status, got.body) == (200, b"hello world")
        if version == "HTTP/1.0":
            assert not got.all("transfer-encoding"), "an HTTP/1.0 agent knows no chunks"
            assert await agent.rest() == b""
        else:
            again = await agent.ask(get())
            assert (again.status, again.body) == (200, b"hello world")


@BOTH_DOORS
@pytest.mark.parametrize(
    ("method", "reply"),
    [
        ("HEAD", SIZED[:-11]),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 11\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_ends_at_its_head(server: str, method: str, reply: bytes) -> None:
    async with stage(answering(reply), server=server) as between:
        agent = await between.agent()
        for _ in range(3):
            got = await agent.ask(get(method=method))
            assert (got.status, got.body) == (int(reply[9:12]), b"")
            assert not got.all("transfer-encoding")
        stated = {
            value for line in reply.split(b"\r\n") if line.startswith(b"Content-Length: ") for value in [line[16:]]
        }
        assert set(got.all("content-length")) == stated


@BOTH_DOORS
async def test_an_empty_answer_leaves_the_connection_usable(server: str) -> None:
    replies = [answer(b""), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", answer(b"x")]
    async with stage(Received(*replies), server=server) as between:
        agent = await between.agent()
        assert [(await agent.ask(get())).body for _ in replies] == [b"", b"", b"x"]


@BOTH_DOORS
@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 65_536, 65_537, 1_000_000])
@pytest.mark.parametrize("framing", ["sized", "chunked", "until close"])
async def test_an_answer_of_any_size_is_whole(server: str, size: int, framing: str) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]

    async def script(line: Line) -> None:
        await line.request()
        if framing == "sized":
            await line.send(answer(body))
            await line.request()
        elif framing == "chunked":
            chunk = b"%x\r\n%b\r\n" % (size, body) if size else b""
            await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + b"0\r\n\r\n")
            await line.request()
        else:
            await line.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)

    async with stage(script, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(get())).body == body
        (call,) = await between.calls(1)
        assert (call.response_bytes, call.outcome) == (size, "completed")


@BOTH_DOORS
@pytest.mark.parametrize("reply", [CHUNKED, SIZED], ids=["chunked", "sized"])
async def test_an_answer_split_at_every_byte_is_the_same(server: str, reply: bytes) -> None:
    splits = iter(range(1, len(reply)))

    async def script(line: Line) -> None:
        while True:
            await line.request()
            split = next(splits)
            await line.send(reply[:split])
            await asyncio.sleep(0)
            await line.send(reply[split:])

    async with stage(script, server=server) as between:
        agent = await between.agent()
        for _ in range(1, len(reply)):
            assert (await agent.ask(get())).body == b"hello world"


@BOTH_DOORS
@pytest.mark.parametrize(
    "lines",
    [
        "Connection: close",
        "Connection: X-Hop\r\nX-Hop: 1",
        "Connection: keep-alive, x-hop\r\nX-HOP: 1",
        "Keep-Alive: timeout=5\r\nConnection: keep-alive",
        "Proxy-Authenticate: Basic\r\nX-Hop-Not: 1",
        "Upgrade: h2c",
        "Trailer: X-Sum",
    ],
)
async def test_what_belongs_to_the_providers_hop_stays_there(server: str, lines: str) -> None:
    async with stage(once(answer(b"ok", "200 OK", *lines.split("\r\n"), "X-Kept: 1")), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(get())
        names = {name.lower() for name, _ in got.fields}
        hop = {b"connection", b"x-hop", b"keep-alive", b"proxy-authenticate", b"upgrade", b"trailer"}
        assert not names & hop
        assert b"x-kept" in names
        assert (await agent.ask(get())).body == b"ok"


@BOTH_DOORS
@pytest.mark.parametrize(
    "lines",
    [
        "Connection: X-Hop\r\nX-Hop: 1",
        "Connection: keep-alive, x-hop\r\nX-HOP: 1",
        "Connection: x-hop\r\nConnection: X-Hop2\r\nX-Hop2: 1\r\nX-Hop: 2",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic x",
        "TE: trailers",
        "Trailer: X-Sum",
    ],
)
async def test_what_belongs_to_the_agents_hop_stays_there(server: str, lines: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"x", *lines.split("\r\n"), "X-Kept: 1"))).status == 200
        names = {line.partition(b":")[0].lower() for line in received.requests[0][0].split(b"\r\n")}
        assert not names & {b"x-hop", b"x-hop2", b"keep-alive", b"te", b"trailer", b"proxy-connection"}
        assert not names & {b"connection", b"proxy-authorization"}
        assert b"x-kept" in names


@BOTH_DOORS
async def test_the_trailers_of_an_answer_are_dropped_and_noted(server: str) -> None:
    reply = CHUNKED[:-2] + b"X-Sum: 1\r\nX-More: 2\r\n\r\n"
    async with stage(answering(reply), server=server) as between:
        agent = await between.agent()
        for _ in range(2):
            got = await agent.ask(get())
            assert got.body == b"hello world"
            assert not got.all("x-sum")
        assert [call.attempts[0].dropped_trailers for call in await between.calls(2)] == [("X-Sum", "X-More")] * 2


@BOTH_DOORS
async def test_interim_answers_of_the_provider_are_left_out(server: str) -> None:
    reply = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(b"done")
    async with stage(answering(reply), server=server) as between:
        got = await (await between.agent()).ask(get())
        assert (got.interim, got.body, got.all("link")) == ((), b"done", [])


@BOTH_DOORS
async def test_a_redirect_is_the_agents_to_follow(server: str) -> None:
    async with stage(answering(answer(b"", "307 Temporary Redirect", "Location: /else")), server=server) as between:
        got = await (await between.agent()).ask(get())
        assert (got.status, got.get("location")) == (307, "/else")
        assert between.provider.connections == 1


@BOTH_DOORS
@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"", "without answering"),
        (b"SMTP ready\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "gzip"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "unexpected 101"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "not HTTP"),
    ],
)
async def test_a_provider_that_speaks_no_http_is_a_502_that_says_so(server: str, reply: bytes, says: str) -> None:
    async with stage(once(reply), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(get())
        assert got.status == 502
        assert says.encode() in got.body
        assert "agent-sidecar; error=" in (got.get("proxy-status") or "")
        assert (await agent.ask(get())).status == 502, "the agent's connection is none the worse for it"
        calls = await between.calls(2)
        assert [call.outcome for call in calls] == ["failed", "failed"]


@BOTH_DOORS
async def test_a_provider_that_cannot_be_reached_is_a_502_that_names_it(server: str) -> None:
    async with stage(once(b""), server=server) as between:
        port = between.provider.port
    async with stage(
        once(b""), f"providers.gone={{url: 'http://127.0.0.1:{port}', dialect: openai}}", server=server
    ) as between:
        got = await (await between.agent()).ask(post(b"x", path="/gone/v1/chat/completions"))
        assert got.status == 502
        assert str(port).encode() in got.body
        assert "connection_refused" in (got.get("proxy-status") or "")


@BOTH_DOORS
async def test_an_answer_to_head_that_fails_has_no_body(server: str) -> None:
    async with stage(once(b"nonsense\r\n\r\n"), server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(get(method="HEAD"))).status == 502
        assert (await agent.ask(get(method="HEAD"))).status == 502


@BOTH_DOORS
async def test_a_provider_that_is_too_slow_is_a_504_that_says_which_phase(server: str) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.gone()

    async with stage(script, "providers.lab.timeouts.first_byte=100ms", server=server) as between:
        got = await (await between.agent()).ask(get())
        assert got.status == 504
        assert b"first byte" in got.body


@BOTH_DOORS
@pytest.mark.parametrize(("said", "read"), [("0.1", True), ("1", False), ("nonsense", False)])
async def test_the_agents_own_patience_bounds_the_call(server: str, said: str, read: bool) -> None:
    """An SDK that says how long it waits gets its answer, if only a 504, by then."""
    gone = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        if read:
            await line.gone()
            gone.set()
        else:
            await line.send(answer())

    async with stage(script, server=server) as between:
        got = await (await between.agent()).ask(post(b"x", f"X-Stainless-Read-Timeout: {said}"))
        assert got.status == (504 if read else 200)
        if read:
            await asyncio.wait_for(gone.wait(), 5)


# -- providers that die in the middle --------------------------------------------------------------------------------

BEGINNINGS = {
    "sized": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all",
    "sized and large": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nnot all",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n",
    "chunked, in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n70\r\nnot all",
    "chunked, before the end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n0\r\n",
    "until close": b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n\r\nnot all",
}


@pytest.mark.both_loops
@BOTH_DOORS
@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_an_answer_that_breaks_off_is_never_whole(server: str, beginning: str, version: str) -> None:
    read_first = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(BEGINNINGS[beginning])
        await read_first.wait()
        if beginning == "until close":
            line.reset()  # a clean close is the end there

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(get(version=version))
        await asyncio.sleep(0)
        _, status, fields = await agent.head()
        assert status == 200
        framing = {name.lower() for name, _ in fields} & {b"content-length", b"transfer-encoding"}
        if framing == {b"transfer-encoding"}:
            assert await agent.chunk() == b"not all"
        else:
            assert await agent.reader.readexactly(7) == b"not all"
        read_first.set()
        if framing:
            with pytest.raises((BrokenAnswer, asyncio.IncompleteReadError, ConnectionError)):
                await agent.chunks() if framing == {b"transfer-encoding"} else await agent.reader.readexactly(1)
        else:
            with pytest.raises(ConnectionError):  # only a reset can say it here
                await agent.rest()
        (call,) = await between.calls(1)
        assert (call.outcome, call.status, call.response_bytes) == ("failed", 200, 7)
        assert "in the middle" in (call.error or "") or "broke off" in (call.error or "")


@BOTH_DOORS
async def test_what_arrived_before_the_break_is_delivered(server: str) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    async with stage(script, server=server) as between:
        agent = await between.agent()
        with pytest.raises(BrokenAnswer) as broken:
            await agent.ask(get())
        assert broken.value.body == b"x" * 1000


@BOTH_DOORS
async def test_an_answer_that_stalls_is_cut_off(server: str) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(BEGINNINGS["chunked"])
        await line.gone()

    async with stage(script, "providers.lab.timeouts.between_chunks=100ms", server=server) as between:
        with pytest.raises(BrokenAnswer) as broken:
            await (await between.agent()).ask(get())
        assert broken.value.body == b"not all"
        (call,) = await between.calls(1)
        assert "between chunks" in (call.error or "")
