"""Request bodies of any framing and size: passed on as they come, invited where the agent waits for that, and answered
early where the provider does not want the rest.
"""

import asyncio

import pytest

from tests.sidecar.intercept.stage import BOTH_DOORS, Received, chunked, get, post, stage, until
from tests.wire import Line, answer

MiB = 1 << 20


@BOTH_DOORS
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 300_000, 3 * MiB])
async def test_a_body_with_a_length_arrives_with_that_length(server: str, size: int) -> None:
    received = Received(answer())
    body = bytes(range(256)) * (size // 256 + 1)
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for _ in range(2):
            assert (await agent.ask(post(body[:size]))).status == 200
        for head, got in received.requests:
            assert got == body[:size]
            assert b"Content-Length: %d\r\n" % size in head
            assert b"transfer-encoding" not in head.lower()
        assert [call.request_bytes for call in await between.calls(2)] == [size, size]


@BOTH_DOORS
@pytest.mark.parametrize("sizes", [(), (1,), (5, 5), (65_536, 1), (200_000, 200_000), (1,) * 500])
async def test_a_body_in_chunks_arrives_in_chunks(server: str, sizes: tuple[int, ...]) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for _ in range(2):
            assert (await agent.ask(chunked(*(b"x" * size for size in sizes)))).status == 200
        for head, got in received.requests:
            assert got == b"x" * sum(sizes)
            assert b"Transfer-Encoding: chunked\r\n" in head
            assert b"content-length" not in head.lower()


@BOTH_DOORS
@pytest.mark.parametrize(
    "data",
    [
        b"5;name=value\r\nhello\r\n0;last\r\n\r\n",
        b"00000005\r\nhello\r\n000\r\n\r\n",
        b"A\r\nhellohello\r\n0\r\n\r\n",
        b"a\r\nhellohello\r\n0\r\n\r\n",
    ],
)
async def test_chunk_sizes_may_be_written_in_any_valid_way(server: str, data: bytes) -> None:
    received = Received(answer())
    head = b"POST /lab/x HTTP/1.1\r\nHost: agent\r\ntransfer-encoding: Chunked\r\n\r\n"
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(head + data)).status == 200
        assert received.bodies[0] in (b"hello", b"hellohello")


@BOTH_DOORS
@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "OPTIONS"])
async def test_any_method_may_have_a_body(server: str, method: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(post(b"hello").replace(b"POST", method.encode()), method)).status == 200
        assert (await agent.ask(get(method=method), method)).status == 200
        assert received.bodies == [b"hello", b""]
        assert received.requests[0][0].startswith(method.encode() + b" ")


@BOTH_DOORS
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_an_upload_flows_while_it_is_sent(server: str, framing: str) -> None:
    """The provider has the beginning of a long body before the agent has sent its end."""
    arrived = asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        if framing == "chunks":
            await line.reader.readline()
        assert await line.reader.readexactly(5) == b"first"
        arrived.set()
        if framing == "chunks":
            await line.reader.readline()
            assert await line.chunks() == b"second"
        else:
            assert await line.reader.readexactly(100_000) == b"x" * 100_000
        await line.send(answer())

    async with stage(script, server=server) as between:
        agent = await between.agent()
        if framing == "chunks":
            await agent.send(chunked(b"first", end=b""))
        else:
            await agent.send(post(b"")[:-5] + b"100005\r\n\r\nfirst")
        await arrived.wait()
        await agent.send(b"6\r\nsecond\r\n0\r\n\r\n" if framing == "chunks" else b"x" * 100_000)
        assert (await agent.answer()).body == b"ok"


@BOTH_DOORS
async def test_a_gzipped_body_is_passed_as_it_came(server: str) -> None:
    received = Received(answer(b"\x1f\x8b\x08not really", "200 OK", "Content-Encoding: gzip"))
    async with stage(received, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"\x1f\x8b\x08nor this", "Content-Encoding: gzip", "Accept-Encoding: br"))
        assert received.bodies == [b"\x1f\x8b\x08nor this"]
        assert b"Content-Encoding: gzip\r\nAccept-Encoding: br\r\n" in received.requests[0][0]
        assert (got.body, got.all("content-encoding")) == (b"\x1f\x8b\x08not really", [b"gzip"])


# -- Expect: 100-continue --------------------------------------------------------------------------------------------


@BOTH_DOORS
@pytest.mark.parametrize("size", [5, 200_000])
async def test_an_agent_that_waits_for_it_is_told_to_go_on(server: str, size: int) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        for _ in range(2):
            request = post(b"x" * size, "Expect: 100-continue")
            head = request[: request.index(b"\r\n\r\n") + 4]
            await agent.send(head)
            assert (await agent.head())[1] == 100
            await agent.send(request[len(head) :])
            got = await agent.answer()
            assert (got.status, got.interim) == (200, ())
        assert [len(body) for body in received.bodies] == [size, size]
        assert b"expect" not in received.requests[0][0].lower()


@BOTH_DOORS
async def test_an_agent_that_does_not_wait_is_served_too(server: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(chunked(b"hello", fields=("Expect: 100-Continue",)))
        assert (got.status, received.bodies) == (200, [b"hello"])


@BOTH_DOORS
async def test_who_is_told_to_wait_is_not_invited_before_its_turn(server: str) -> None:
    """A 100 in the middle of another answer would be taken for a part of it."""
    go_on, first_asked = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        first_asked.set()
        await go_on.wait()
        await line.send(answer(b"first"))
        assert (await line.request())[1] == b"hello"
        await line.send(answer(b"second"))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        waiting = post(b"hello", "Expect: 100-continue")
        await agent.send(get(), waiting[:-5])
        await first_asked.wait()
        go_on.set()
        assert (await agent.answer()).body == b"first"
        assert (await agent.head())[1] == 100
        await agent.send(b"hello")
        assert (await agent.answer()).body == b"second"


@BOTH_DOORS
async def test_an_agent_that_waits_gets_the_refusal_instead(server: str) -> None:
    async def script(line: Line) -> None:
        await line.head()
        await line.send(answer(b"no", "417 Expectation Failed", "Connection: close"))

    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"x" * 200_000, "Expect: 100-continue")[:-200_000])
        got = await agent.answer()
        assert (got.status, got.body, set(got.interim) <= {100}) == (417, b"no", True)


@BOTH_DOORS
async def test_a_call_to_nowhere_is_refused_before_its_body_is_sent(server: str) -> None:
    async with stage(Received(answer()), server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"x" * 200_000, "Expect: 100-continue", path="/nowhere/x")[:-200_000])
        got = await agent.answer()
        assert (got.status, got.interim) == (404, ())


@BOTH_DOORS
async def test_an_http_1_0_agent_is_never_told_to_go_on(server: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"hello", "Expect: 100-continue", version="HTTP/1.0"))
        assert (got.status, got.interim, received.bodies) == (200, (), [b"hello"])


# -- early answers ---------------------------------------------------------------------------------------------------


@BOTH_DOORS
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_an_answer_that_comes_early_reaches_an_agent_that_still_sends(server: str, framing: str) -> None:
    """The provider does not read on: what the agent sends after the answer goes nowhere, but the answer is there."""
    stopped = asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await line.reader.readexactly(1000)
        await line.send(answer(b"too large", "413 Payload Too Large", "Connection: close"))
        await line.gone()
        stopped.set()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        block = b"x" * 65_536
        if framing == "chunks":
            await agent.send(chunked(block, end=b""))
            block = b"10000\r\n" + block + b"\r\n"
        else:
            await agent.send(post(b"")[:-5] + b"%d\r\n\r\n" % (64 * MiB) + block)
        got = await agent.answer()
        assert (got.status, got.body) == (413, b"too large")
        await asyncio.wait_for(stopped.wait(), 5)
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.status, call.outcome) == (413, "completed")


@BOTH_DOORS
async def test_an_agent_that_reads_only_after_sending_all_gets_the_early_answer_too(server: str) -> None:
    async def script(line: Line) -> None:
        await line.head()
        await line.send(answer(b"too large", "413 Payload Too Large"))
        await line.gone()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        body = b"x" * (8 * MiB)
        await agent.send(post(body))
        got = await agent.answer()
        assert (got.status, got.body) == (413, b"too large")


@BOTH_DOORS
async def test_after_an_early_answer_the_rest_of_the_body_is_no_request(server: str) -> None:
    """What an agent goes on sending belongs to the body that nobody wants, whatever it looks like."""
    heads = []

    async def script(line: Line) -> None:
        while True:
            heads.append(await line.head())
            await line.send(answer(b"early" if len(heads) == 1 else b"second"))

    hidden = get(path="/lab/smuggled")
    async with stage(script, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"")[:-5] + b"100000\r\n\r\n")
        assert (await agent.answer()).body == b"early"
        await agent.send((hidden * 5000)[:100_000])
        assert (await agent.ask(get(path="/lab/real"))).body == b"second"
        assert [head.split(b" ")[1] for head in heads] == [b"/x", b"/real"]


# -- uploads and the agent -------------------------------------------------------------------------------------------


@BOTH_DOORS
async def test_a_provider_that_does_not_read_slows_the_agent_down(server: str) -> None:
    go_on = asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await go_on.wait()
        await line.reader.readexactly(64 * MiB)
        await line.send(answer())

    async with stage(script, server=server) as between:
        agent = await between.agent()
        sent = 0

        async def send() -> None:
            nonlocal sent
            await agent.send(post(b"")[:-5] + b"%d\r\n\r\n" % (64 * MiB))
            for _ in range(1024):
                await agent.send(b"x" * 65_536)
                sent += 65_536

        sending = asyncio.ensure_future(send())
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 * MiB
        go_on.set()
        await sending
        assert (await agent.answer()).body == b"ok"


@BOTH_DOORS
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_an_agent_that_leaves_during_its_upload_ends_the_call_at_the_provider(
    server: str, framing: str, how: str
) -> None:
    begun, ended, whole = asyncio.Event(), asyncio.Event(), []

    async def script(line: Line) -> None:
        head = await line.head()
        begun.set()
        try:
            end = b"\r\n0\r\n\r\n"
            whole.append(await (line.reader.readuntil(end) if b"chunked" in head else line.reader.readexactly(MiB)))
        finally:
            ended.set()

    async with stage(script, server=server) as between:
        agent = await between.agent()
        if framing == "chunks":
            await agent.send(chunked(b"x" * 70_000, end=b""))
        else:
            await agent.send(post(b"")[:-5] + b"%d\r\n\r\n" % MiB + b"x" * 70_000)
        await begun.wait()
        agent.leave() if how == "fin" else agent.reset()
        await asyncio.wait_for(ended.wait(), 5)
        (call,) = await between.calls(1)
        assert call.outcome == "cancelled"
        assert not whole, "the provider was given a whole body where the agent sent a part"


@BOTH_DOORS
async def test_an_agent_that_leaves_before_a_short_body_is_whole_makes_no_call(server: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"hello")[:-1])
        agent.leave()
        assert (await (await between.agent()).ask(get())).status == 200
        assert received.bodies == [b""]


async def test_a_request_behind_the_last_chunk_of_another_is_left_to_be_sent_again() -> None:
    """The lean door cannot tell where in a segment the chunks ended: it closes rather than guess."""
    received = Received(answer())
    async with stage(received) as between:
        agent = await between.agent()
        got = await agent.ask(chunked(b"hello") + get(path="/lab/second"))
        assert (got.status, received.bodies) == (200, [b"hello"])
        assert await agent.rest() == b""


@BOTH_DOORS
async def test_an_upload_under_way_is_counted_in_the_record(server: str) -> None:
    async with stage(Received(answer()), server=server) as between:
        agent = await between.agent()
        await agent.ask(chunked(b"x" * 1000, b"y" * 500))
        (call,) = await between.calls(1)
        assert (call.request_bytes, call.response_bytes, call.outcome) == (1500, 2, "completed")
        await until(lambda: between.sidecar.application.metrics.in_flight == 0)
