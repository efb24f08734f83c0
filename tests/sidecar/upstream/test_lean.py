"""What only the lean upstream promises, on real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sidecar.body import Body, Stream, StreamedBody
from sidecar.dialect import Call
from sidecar.errors import UpstreamBroken, UpstreamTimeout
from sidecar.headers import Headers
from sidecar.provider import Timeouts
from tests.making import attempt
from tests.sidecar.upstream.stage import CHAT, UPGRADE, lean, read, to, using
from tests.wire import Line, answer, answering, peer


@pytest.mark.parametrize(
    ("method", "call", "repeated"), [("GET", None, True), ("POST", CHAT, True), ("POST", None, False)]
)
async def test_a_call_that_meets_a_closing_connection_is_repeated_if_it_can_be(
    method: str, call: Call | None, repeated: bool
) -> None:
    """The keep-alive race: the provider closes just when the next request is on its way."""
    requests = 0

    async def script(line: Line) -> None:
        nonlocal requests
        await line.request()
        requests += 1
        await line.send(answer())
        if requests == 1:
            await line.request()
            requests += 1
            line.reset()
            return
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        await read(await upstream.send(attempt(to(serving), method=method, call=call, body=b"x")))
        second = attempt(to(serving), method=method, call=call, body=b"x")
        if repeated:
            assert await read(await upstream.send(second)) == b"ok"
            assert (requests, serving.connections) == (3, 2)
        else:
            with pytest.raises(UpstreamBroken):
                await upstream.send(second)
            assert (requests, serving.connections) == (2, 1)


async def test_a_streamed_upload_is_never_repeated() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(answer())
        await line.request()
        line.reset()

    async def body() -> AsyncIterator[bytes]:
        yield b"once"

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        await read(await upstream.send(attempt(to(serving), call=CHAT, body=b"x")))
        with pytest.raises(UpstreamBroken):
            await upstream.send(attempt(to(serving), call=CHAT, body=StreamedBody(body())))
        assert serving.connections == 1


async def test_trailers_are_dropped_and_noted() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n"
    async with peer(answering(data)) as serving, using(lean(to(serving))) as upstream:
        call = attempt(to(serving))
        response = await upstream.send(call)
        assert await read(response) == b"ok"
        assert call.record.trailers == ("X-Sum", "X-More")
        assert "x-sum" not in response.headers
        await read(await upstream.send(attempt(to(serving))))
        assert serving.connections == 1


async def test_a_head_beyond_the_limit_is_an_error() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 200_000)
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving), max_head_bytes=65536)) as upstream:
        with pytest.raises(UpstreamBroken, match="65536"):
            await upstream.send(attempt(to(serving)))


async def test_transfer_codings_other_than_chunked_are_an_error() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with peer(answering(data)) as serving, using(lean(to(serving))) as upstream:
        with pytest.raises(UpstreamBroken, match="gzip"):
            await upstream.send(attempt(to(serving)))


async def test_the_agents_own_deadline_bounds_the_first_byte() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        loop = asyncio.get_running_loop()
        with pytest.raises(UpstreamTimeout):
            await asyncio.wait_for(upstream.send(attempt(to(serving), deadline=loop.time() + 0.1)), 5)


async def test_the_total_time_is_bounded() -> None:
    async def script(line: Line) -> None:
        await line.request()
        await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                await line.send(b"1\r\nx\r\n")
                await asyncio.sleep(0.01)

    brief = Timeouts(total=0.2, between_chunks=5)
    async with peer(script) as serving, using(lean(to(serving, brief))) as upstream:
        response = await upstream.send(attempt(to(serving, brief)))
        with pytest.raises(UpstreamTimeout) as late:
            await read(response)
        await response.body.aclose()
    assert late.value.phase == "total"


async def test_a_body_that_is_shorter_than_announced_ends_the_call() -> None:
    async def script(line: Line) -> None:
        await line.head()
        await line.gone()

    async def body() -> AsyncIterator[bytes]:
        yield b"123"

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Content-Length", b"10")])
        with pytest.raises(UpstreamBroken, match="shorter"):
            await upstream.send(attempt(to(serving), headers=headers, body=StreamedBody(body(), length=10)))


async def test_a_body_in_memory_defines_its_own_length() -> None:
    """A layer that changed the body but not the length must not make two requests out of one."""
    received = []

    async def script(line: Line) -> None:
        received.append(await line.request())
        await line.send(answer())

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Content-Length", b"3")])
        await read(await upstream.send(attempt(to(serving), headers=headers, body=Body(b"longer"))))
    assert received[0][1] == b"longer"


async def test_a_request_to_upgrade_gives_a_tunnel() -> None:
    async def script(line: Line) -> None:
        head = await line.head()
        assert b"Connection: Upgrade\r\nUpgrade: websocket\r\n" in head
        await line.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"
        )
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving), method="GET", headers=UPGRADE, socket=True))
        assert response.status == 101
        assert response.tunnel is not None
        assert response.tunnel.rest == b"\x81\x02hi"
        response.tunnel.transport.abort()


async def test_a_refused_upgrade_is_an_answer() -> None:
    async with peer(answering(answer(b"no", "401 Unauthorized"))) as serving, using(lean(to(serving))) as upstream:
        response = await upstream.send(attempt(to(serving), method="GET", headers=UPGRADE, socket=True))
        assert (response.status, response.tunnel, await read(response)) == (401, None, b"no")


async def test_switching_protocols_unasked_is_an_error() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    async with peer(answering(data)) as serving, using(lean(to(serving))) as upstream:
        with pytest.raises(UpstreamBroken):
            await upstream.send(attempt(to(serving)))


async def test_interim_answers_are_counted_for_each_answer_anew() -> None:
    """There may be some, but not without end."""

    async def script(line: Line) -> None:
        for _ in range(20):
            await line.request()
            await line.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(0)
            await line.send(answer())
        await line.request()
        await line.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20 + answer())
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        for _ in range(20):
            assert await read(await upstream.send(attempt(to(serving)))) == b"ok"
        assert serving.connections == 1
        with pytest.raises(UpstreamBroken, match="unexpected 103"):
            await upstream.send(attempt(to(serving)))


@pytest.mark.both_loops
@pytest.mark.parametrize("split", [False, True])
async def test_interim_answers_to_a_request_to_upgrade_are_left_out(split: bool) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"

    async def script(line: Line) -> None:
        await line.head()
        if split:
            for byte in interim:
                await line.send(bytes([byte]))
                await asyncio.sleep(0)
            await line.send(switching)
        else:
            await line.send(interim + switching)
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream, asyncio.timeout(5):
        response = await upstream.send(attempt(to(serving), method="GET", headers=UPGRADE, socket=True))
        assert response.status == 101
        assert response.tunnel is not None
        assert response.tunnel.rest == b"\x81\x02hi"
        response.tunnel.transport.abort()


async def test_a_body_that_fails_is_closed_in_peace() -> None:
    """What it does when it is closed is not cut off."""
    closed = asyncio.Event()

    class Failing(Stream):
        async def __anext__(self) -> bytes:
            raise ValueError("no more")

        async def aclose(self) -> None:
            await asyncio.sleep(0)
            closed.set()

    async def script(line: Line) -> None:
        await line.head()
        await line.gone()

    async with peer(script) as serving, using(lean(to(serving))) as upstream:
        headers = Headers([(b"Host", b"x"), (b"Transfer-Encoding", b"chunked")])
        with pytest.raises(UpstreamBroken, match="no more"):
            await upstream.send(attempt(to(serving), headers=headers, body=Failing()))
        await asyncio.wait_for(closed.wait(), 5)
