"""One suite for both implementations of the upstream, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from sidecar.body import StreamedBody
from sidecar.errors import ConnectFailed, UpstreamBroken, UpstreamError, UpstreamTimeout
from sidecar.headers import Headers
from sidecar.upstream import Upstream
from tests.making import attempt, provider
from tests.sidecar.upstream.stage import SHORT, lean, read, reference, to, using
from tests.wire import Line, answer, answering, peer

Open = Callable[..., Upstream]


@pytest.fixture(params=[lean, reference], ids=["lean", "reference"])
def opened(request: pytest.FixtureRequest) -> Open:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.both_loops
async def test_passes_a_request_on_as_it_came_and_the_answer_back(opened: Open) -> None:
    received = []

    async def script(line: Line) -> None:
        received.append(await line.request())
        await line.send(answer(b'{"a": 1}', "201 Made", "X-One: 1", "x-one: 2", "Content-Type: application/json"))

    headers = Headers([(b"Host", b"127.0.0.1:1"), (b"X-b", b"2"), (b"x-A", b"1"), (b"X-b", b"3"), (b"Accept", b"*/*")])
    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving), target="/v1/x?y=%20z", headers=headers, body=b"hello"))
        assert await read(response) == b'{"a": 1}'
    head, body = received[0]
    assert body == b"hello"
    assert head.split(b"\r\n")[:6] == [
        b"POST /v1/x?y=%20z HTTP/1.1",
        b"Host: 127.0.0.1:" + str(serving.port).encode(),
        b"X-b: 2",
        b"x-A: 1",
        b"X-b: 3",
        b"Accept: */*",
    ]
    assert (response.status, response.reason, response.answered_by) == (201, "Made", "lab")
    assert [field for field in response.headers if field[0].lower() == b"x-one"] == [(b"X-One", b"1"), (b"x-one", b"2")]


async def test_adds_nothing_that_the_agent_did_not_send(opened: Open) -> None:
    received = []

    async def script(line: Line) -> None:
        received.append(await line.head())
        await line.send(answer())

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        await read(await upstream.send(attempt(to(serving), method="GET", headers=Headers([(b"Host", b"x")]))))
    names = {line.partition(b":")[0].lower() for line in received[0].split(b"\r\n")[1:] if line}
    assert names == {b"host"}


async def test_keeps_a_connection_for_the_next_call(opened: Open) -> None:
    async with peer(answering(answer())) as serving, using(opened(to(serving))) as upstream:
        for _ in range(20):
            assert await read(await upstream.send(attempt(to(serving), body=b"x"))) == b"ok"
        assert serving.connections == 1


async def test_a_reused_connection_is_recorded_as_such() -> None:
    async with peer(answering(answer())) as serving, using(lean(to(serving))) as upstream:
        first, second = attempt(to(serving)), attempt(to(serving))
        await read(await upstream.send(first))
        await read(await upstream.send(second))
        assert (first.record.reused, second.record.reused) == (False, True)
        assert first.record.connect_seconds > 0
        assert first.record.peer == f"127.0.0.1:{serving.port}"
        assert first.record.started <= first.record.connected <= first.record.requested
        assert first.record.requested <= first.record.first_byte <= first.record.ended


async def test_opens_as_many_connections_as_calls_run_at_once(opened: Open) -> None:
    together = asyncio.Event()
    waiting = 0

    async def script(line: Line) -> None:
        nonlocal waiting
        while True:
            await line.request()
            waiting += 1
            if waiting == 3:
                together.set()
            await together.wait()
            await line.send(answer())

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        responses = await asyncio.gather(*(upstream.send(attempt(to(serving))) for _ in range(3)))
        for response in responses:
            await read(response)
        assert serving.connections == 3
        await read(await upstream.send(attempt(to(serving))))
        assert serving.connections == 3


async def test_streams_an_answer_chunk_by_chunk(opened: Open) -> None:
    go_on = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        await line.send(b"6\r\nsecond\r\n0\r\n\r\n")

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        chunks = aiter(response.body)
        assert response.chunked
        assert await anext(chunks) == b"first"
        go_on.set()
        assert await anext(chunks) == b"second"
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
        await response.body.aclose()


async def test_an_answer_in_one_byte_segments_is_the_same(opened: Open) -> None:
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    )

    async def script(line: Line) -> None:
        await line.request()
        for index in range(len(data)):
            await line.send(data[index : index + 1])
            await asyncio.sleep(0)

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        assert (response.status, response.headers.get("x-a"), await read(response)) == (200, "b", b"abc")


@pytest.mark.parametrize("split", range(1, 60))
async def test_an_answer_split_anywhere_is_the_same(split: int) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world"

    async def script(line: Line) -> None:
        while True:
            await line.request()
            await line.send(data[:split])
            await asyncio.sleep(0)
            await line.send(data[split:])

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        for _ in range(2):
            response = await upstream.send(attempt(to(serving)))
            assert (response.status, response.headers.get("x-a"), await read(response)) == (200, "b", b"hello world")
        assert serving.connections == 1


async def test_interim_answers_are_left_out(opened: Open) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + answer(b"done")
        )

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        assert (response.status, await read(response)) == (200, b"done")
        assert "link" not in response.headers


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_ends_at_its_head(opened: Open, method: str, data: bytes) -> None:
    async with peer(answering(data)) as serving, using(opened(to(serving))) as upstream:
        for _ in range(3):
            assert await read(await upstream.send(attempt(to(serving), method=method))) == b""
        assert serving.connections == 1


async def test_an_answer_that_ends_with_the_connection_is_whole(opened: Open) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\n\r\nuntil ")
        await line.send(b"the end")

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        assert await read(await upstream.send(attempt(to(serving)))) == b"until the end"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n0\r\n",
    ],
)
async def test_an_answer_that_breaks_off_is_never_whole(opened: Open, data: bytes, how: str) -> None:
    read_first = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(data)
        await read_first.wait()
        if how == "reset":
            line.reset()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        chunks = aiter(response.body)
        assert await anext(chunks) == b"not all"
        read_first.set()
        with pytest.raises(UpstreamBroken):
            await anext(chunks)
        await response.body.aclose()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_connection_that_ends_without_an_answer_is_an_error(opened: Open, how: str) -> None:
    async def script(line: Line) -> None:
        await line.request()
        if how == "reset":
            line.reset()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        with pytest.raises(UpstreamBroken):
            await upstream.send(attempt(to(serving)))


@pytest.mark.parametrize(
    "data",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
        b"\x16\x03\x01\x00\x05hello",
    ],
)
async def test_an_answer_that_is_no_http_is_an_error(data: bytes) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(data)
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        with pytest.raises(UpstreamBroken):
            await upstream.send(attempt(to(serving)))


async def test_a_chunk_that_is_no_chunk_breaks_the_answer(opened: Open) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        await line.gone()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        with pytest.raises(UpstreamError):
            await read(await upstream.send(attempt(to(serving))))


async def test_sends_a_streamed_body_as_it_comes(opened: Open) -> None:
    arrived, received = asyncio.Event(), []

    async def script(line: Line) -> None:
        head = await line.head()
        assert b"transfer-encoding: chunked" in head.lower()
        assert (await line.reader.readline(), await line.reader.readline()) == (b"5\r\n", b"first\r\n")
        arrived.set()
        received.append(await line.chunks())
        await line.send(answer())

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await arrived.wait()
        yield b"second"

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Transfer-Encoding", b"chunked")])
        sent = attempt(to(serving), headers=headers, body=StreamedBody(body()))
        assert await read(await upstream.send(sent)) == b"ok"
        assert received == [b"second"]
        assert sent.record.requested > 0


async def test_an_empty_chunk_does_not_end_a_streamed_body(opened: Open) -> None:
    """On the wire a chunk of no bytes is the end; what comes after it would be taken for another request."""
    received = []

    async def script(line: Line) -> None:
        received.append((await line.request())[1])
        await line.send(answer())

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        yield b""
        yield b"second"

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Transfer-Encoding", b"chunked")])
        await read(await upstream.send(attempt(to(serving), headers=headers, body=StreamedBody(body()))))
    assert received == [b"firstsecond"]


async def test_sends_a_streamed_body_of_known_length_without_chunks(opened: Open) -> None:
    received = []

    async def script(line: Line) -> None:
        received.append(await line.request())
        await line.send(answer())

    async def body() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"67890"

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Content-Length", b"10")])
        response = await upstream.send(attempt(to(serving), headers=headers, body=StreamedBody(body(), length=10)))
        await read(response)
    head, sent = received[0]
    assert sent == b"1234567890"
    assert b"transfer-encoding" not in head.lower()


async def test_gives_an_early_answer_while_the_upload_still_runs(opened: Open) -> None:
    stopped, closed = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.head()
        await line.send(answer(b"too large", "413 Payload Too Large"))
        await line.gone()
        stopped.set()

    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            closed.set()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        upload = StreamedBody(body())
        headers = Headers([(b"Host", b"x"), (b"Transfer-Encoding", b"chunked")])
        response = await upstream.send(attempt(to(serving), headers=headers, body=upload))
        assert (response.status, await read(response)) == (413, b"too large")
        await response.body.aclose()
        await asyncio.wait_for(stopped.wait(), 5)
        await asyncio.wait_for(closed.wait(), 5)


async def test_closing_an_answer_early_ends_the_call_at_the_provider(opened: Open) -> None:
    gone = asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await line.gone()
        gone.set()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        assert await anext(aiter(response.body)) == b"first"
        await response.body.aclose()
        await response.body.aclose()
        await asyncio.wait_for(gone.wait(), 5)


async def test_being_cancelled_before_the_answer_ends_the_call_at_the_provider(opened: Open) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        asked.set()
        await line.gone()
        gone.set()

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        sending = asyncio.ensure_future(upstream.send(attempt(to(serving))))
        await asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_port_where_nobody_listens_is_named(opened: Open) -> None:
    async with peer(answering(answer())) as serving:
        port = serving.port
    async with using(opened(provider(port))) as upstream:
        with pytest.raises(ConnectFailed) as failed:
            await upstream.send(attempt(provider(port)))
    assert str(port) in str(failed.value)
    assert not failed.value.sent


async def test_a_name_that_does_not_exist_is_named(opened: Open) -> None:
    nowhere = provider(80, host="nowhere.invalid")
    async with using(opened(nowhere)) as upstream:
        with pytest.raises(ConnectFailed, match="nowhere") as failed:
            await upstream.send(attempt(nowhere))
    assert failed.value.kind == "dns_error"


async def test_a_provider_that_stays_silent_times_out(opened: Open) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.gone()

    async with peer(script) as serving, using(opened(to(serving, SHORT))) as upstream:
        with pytest.raises(UpstreamTimeout) as late:
            await upstream.send(attempt(to(serving, SHORT)))
    assert late.value.phase == "first_byte"


async def test_a_provider_that_stalls_in_its_answer_times_out(opened: Open) -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")
        await line.gone()

    async with peer(script) as serving, using(opened(to(serving, SHORT))) as upstream:
        response = await upstream.send(attempt(to(serving, SHORT)))
        with pytest.raises(UpstreamTimeout) as late:
            await read(response)
        await response.body.aclose()
    assert late.value.phase == "between_chunks"


async def test_a_slow_reader_slows_the_provider_down(opened: Open) -> None:
    """Back-pressure: what the agent does not read stays with the provider."""
    sent = 0
    block = b"x" * 65536

    async def script(line: Line) -> None:
        nonlocal sent
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(block) * 1024))
        for _ in range(1024):
            await line.send(block)
            sent += len(block)

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving)))
        before = -1
        while sent != before:  # until the provider is stuck
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent < 32 * 1024 * 1024
        total = 0
        async for chunk in response.body:
            total += len(chunk)
        assert total == len(block) * 1024


async def test_serves_a_body_of_64_mib_both_ways(opened: Open) -> None:
    block = bytes(range(256)) * 256

    async def script(line: Line) -> None:
        await line.head()
        for _ in range(1024):
            assert await line.reader.readexactly(65536) == block
        await line.send(answer(b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: 67108864") + b"\r\n\r\n")
        for _ in range(1024):
            await line.send(block)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1024):
            yield block

    async with peer(script) as serving, using(opened(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Content-Length", b"67108864")])
        upload = StreamedBody(body(), length=67108864)
        response = await upstream.send(attempt(to(serving), headers=headers, body=upload))
        total = 0
        async for chunk in response.body:
            total += len(chunk)
        assert total == 67108864
