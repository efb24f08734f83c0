"""What is no proper HTTP gets a clear error and nothing else: no call, no second request, no harm to anybody."""

import asyncio
import json

import pytest

from tests.sidecar.intercept.stage import (
    BOTH_DOORS,
    Agent,
    Answer,
    Received,
    Stage,
    chunked,
    get,
    post,
    stage,
    until,
)
from tests.wire import answer


def head(*lines: str) -> bytes:
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def refused(between: Stage, data: bytes) -> Answer:
    """Send *data*, get the refusal, see the connection end, and see others served."""
    agent = await between.agent()
    got = await agent.ask(data, "GET")
    assert got.get("connection") == "close" or got.version == "HTTP/1.0"
    assert await agent.rest() == b""
    assert (await (await between.agent()).ask(get())).status == 200, "the process lives"
    return got


MALFORMED = {
    "no HTTP at all": b"hello there\r\n\r\n",
    "binary": b"\x00\x01\x02\x03\r\n\r\n",
    "a method in lower case": head("get /lab/x HTTP/1.1", "Host: a"),
    "an invented method": head("FETCH /lab/x HTTP/1.1", "Host: a"),
    "a field without a colon": head("GET /lab/x HTTP/1.1", "Host: a", "nonsense"),
    "a field without a name": head("GET /lab/x HTTP/1.1", "Host: a", ": x"),
    "a space before the colon": head("GET /lab/x HTTP/1.1", "Host : a"),
    "a space in a name": head("GET /lab/x HTTP/1.1", "Host: a", "X y: z"),
    "a folded field": head("GET /lab/x HTTP/1.1", "Host: a", "X-A: 1", " 2"),
    "a folded first field": head("GET /lab/x HTTP/1.1", " Host: a"),
    "a bare CR in a value": head("GET /lab/x HTTP/1.1", "Host: a\rX-A: 1"),
    "a bare LF after a value": head("GET /lab/x HTTP/1.1", "Host: a\nX-A: 1"),
    "bare LFs alone": b"GET /lab/x HTTP/1.1\nHost: a\n\n\r\n\r\n",
    "a NUL in a value": head("GET /lab/x HTTP/1.1", "Host: a", "X-A: \x00"),
    "a NUL in a name": head("GET /lab/x HTTP/1.1", "Host: a", "X-\x00: a"),
    "a control character in the path": head("GET /lab/\x01 HTTP/1.1", "Host: a"),
    "a high byte in the path": head("GET /lab/\xff HTTP/1.1", "Host: a"),
    "a space after the version": head("GET /lab/x HTTP/1.1 ", "Host: a"),
    "an unknown version": head("GET /lab/x HTTP/3.7", "Host: a"),
    "no version number": head("GET /lab/x HTTP", "Host: a"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two lengths that differ": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 6")
    + b"hello",
    "two lengths that agree": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 5", "Content-Length: 5")
    + b"hello",
    "a list of lengths": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 5, 5") + b"hello",
    "a negative length": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: -5") + b"hello",
    "a signed length": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: +5") + b"hello",
    "a length in hexadecimal": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 0x5") + b"hello",
    "an immense length": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 99999999999999999999") + b"hello",
    "an empty length": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: ") + b"hello",
    "a length and chunks": head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 5", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "chunks and a length": head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Content-Length: 5")
    + b"0\r\n\r\n",
    "chunks twice": head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "chunks, but not last": head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n",
    "almost chunks": head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked") + b"0\r\n\r\n",
    "identity": head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: identity") + b"hello",
}


@BOTH_DOORS
@pytest.mark.parametrize("what", MALFORMED)
async def test_malformed_http_is_refused_and_never_reaches_the_provider(server: str, what: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        got = await refused(between, MALFORMED[what])
        assert 400 <= got.status < 600
        assert got.body, "the agent is told why"
        assert len(received.requests) == 1, "one request, and that was the good one"


LEAN_ONLY = {
    "two spaces before the target": (head("GET  /lab/x HTTP/1.1", "Host: a"), 400),
    "two spaces before the version": (head("GET /lab/x  HTTP/1.1", "Host: a"), 400),
    "no version": (b"GET /lab/x\r\n\r\n", 400),
    "HTTP/2.0": (head("GET /lab/x HTTP/2.0", "Host: a"), 505),
    "HTTP/0.9": (head("GET /lab/x HTTP/0.9", "Host: a"), 505),
    "RTSP": (head("DESCRIBE /lab/x RTSP/1.0", "Host: a"), 505),
    "a coding besides chunks": (head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked"), 501),
}


@pytest.mark.parametrize("what", LEAN_ONLY)
async def test_what_the_parser_takes_but_nobody_should_send_is_refused(what: str) -> None:
    """The lean door says no where aiohttp's server looks away."""
    received = Received(answer())
    async with stage(received) as between:
        got = await refused(between, LEAN_ONLY[what][0])
        assert got.status == LEAN_ONLY[what][1]
        assert len(received.requests) == 1


async def test_a_refusal_is_json_that_says_what_is_wrong() -> None:
    async with stage(Received(answer())) as between:
        got = await refused(between, MALFORMED["two lengths that differ"])
        error = json.loads(got.body)["error"]
        assert got.get("content-type") == "application/json"
        assert error["message"].startswith("agent-sidecar: ")
        assert "Content-Length" in error["message"]
        assert error["code"] == "http_request_error"


async def test_what_was_asked_before_is_answered_before_the_refusal() -> None:
    async with stage(Received(answer(b"one"), answer(b"two"))) as between:
        agent = await between.agent()
        await agent.send(get() + get() + MALFORMED["a folded field"] + get())
        assert [(await agent.answer()).status for _ in range(3)] == [200, 200, 400]
        assert await agent.rest() == b""


@BOTH_DOORS
@pytest.mark.parametrize("size", [70_000, 1_000_000])
@pytest.mark.parametrize("part", ["a value", "a name", "many fields", "the target"])
async def test_a_head_beyond_the_limit_is_refused(server: str, part: str, size: int) -> None:
    data = {
        "a value": get("X-Long: " + "x" * size),
        "a name": get("X-" + "x" * size + ": 1"),
        "many fields": get(*(f"X-{number}: {'x' * 90}" for number in range(size // 100))),
        "the target": get(path="/lab/" + "x" * size),
    }[part]
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        sending = asyncio.ensure_future(agent.send(data))
        got = await agent.answer()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert got.status == 431 if server == "lean" else got.status in (400, 414, 431)
        assert not received.requests
        assert (await (await between.agent()).ask(get())).status == 200


async def test_the_limit_of_a_head_says_how_much_it_is() -> None:
    async with stage(Received(answer()), "listen.limits.header_size=1KiB") as between:
        assert b"1024 bytes" in (await refused(between, get("X-Long: " + "x" * 1024))).body
        agent = await between.agent()
        fits = get("X-Long: " + "x" * (1024 - len(get("X-Long: "))))
        assert len(fits) == 1024
        assert (await agent.ask(fits)).status == 200


async def test_a_head_beyond_the_limit_is_refused_however_slowly_it_comes() -> None:
    async with stage(Received(answer()), "listen.limits.header_size=1KiB") as between:
        agent = await between.agent()
        data = get("X-Long: " + "x" * 5000)
        sending = asyncio.ensure_future(agent.send(*(data[at : at + 100] for at in range(0, len(data), 100))))
        assert (await agent.answer()).status == 431
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


# -- bodies ----------------------------------------------------------------------------------------------------------

BAD_CHUNKS = [
    b"zz\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhelloo\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
]


@pytest.mark.parametrize("chunks", BAD_CHUNKS)
@pytest.mark.parametrize(("server", "when"), [("lean", "at once"), ("lean", "later"), ("aiohttp", "at once")])
async def test_malformed_chunks_end_the_call_and_are_never_a_whole_body(server: str, chunks: bytes, when: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        if when == "at once":
            await agent.send(chunked(end=chunks))
        else:
            await agent.send(chunked(b"first", end=b""))
            while not between.provider.connections:
                await asyncio.sleep(0.002)
            await agent.send(chunks)
        got = await agent.answer()
        assert got.status == 400
        assert any(word in got.body.lower() for word in (b"chunk", b"trailer", b"header", b"expected"))
        await agent.gone()
        assert not received.requests, "the provider was given a whole body"
        assert (await (await between.agent()).ask(get())).status == 200


@pytest.mark.xfail(strict=True, reason="aiohttp's server does not tell the reader of a body that its chunks went wrong")
async def test_malformed_chunks_in_the_middle_end_the_call_at_the_reference_door_too() -> None:
    async with stage(Received(answer()), server="aiohttp") as between:
        agent = await between.agent()
        await agent.send(chunked(b"first", end=b""))
        while not between.provider.connections:
            await asyncio.sleep(0.002)
        await agent.send(b"zz\r\n")
        async with asyncio.timeout(0.5):
            await agent.gone()


@BOTH_DOORS
@pytest.mark.parametrize("size", [100, 100_000])
async def test_a_body_shorter_than_its_length_is_never_a_whole_one(server: str, size: int) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        await agent.send(post(b"x" * size)[:-1])
        agent.half_close()
        assert not (await agent.gone()).startswith(b"HTTP/1.1 200")
        assert not received.requests
        assert (await (await between.agent()).ask(get())).status == 200


@BOTH_DOORS
@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": }', b"\xff\xfe", b'{"model": 1, "model": 2}', b"[" * 100_000, b'"\\ud800"']
)
async def test_invalid_json_passes_for_the_provider_to_judge(server: str, body: bytes) -> None:
    received = Received(answer(b'{"error": {}}', "400 Bad Request"))
    async with stage(received, server=server) as between:
        agent = await between.agent()
        request = post(body, "Content-Type: application/json", path="/lab/v1/chat/completions")
        got = await agent.ask(request)
        assert (got.status, got.body, received.bodies) == (400, b'{"error": {}}', [body])
        (call,) = await between.calls(1)
        assert (call.outcome, call.operation) == ("completed", "chat")


@BOTH_DOORS
@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("text/event-stream", b"data: {\n\ndata: [DONE"),
        ("text/event-stream", b"\xff\xff\n\n"),
        ("nonsense", b'{"usage": {"prompt_tokens": "many"}}'),
    ],
)
async def test_a_malformed_answer_passes_too(server: str, kind: str, reply: bytes) -> None:
    async with stage(Received(answer(reply, "200 OK", f"Content-Type: {kind}")), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"{}", path="/lab/v1/chat/completions"))
        assert (got.status, got.body) == (200, reply)
        (call,) = await between.calls(1)
        assert call.outcome == "completed"


# -- destinations ----------------------------------------------------------------------------------------------------


@BOTH_DOORS
@pytest.mark.parametrize("path", ["/", "/nowhere", "/nowhere/v1/x", "//", "/LAB/x", "/lab%2Fx", "/?x", "/..;/lab"])
async def test_an_unknown_prefix_is_a_404_that_lists_the_known_ones(server: str, path: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        got = await refused(between, get(path=path))
        message = json.loads(got.body)["error"]["message"]
        assert got.status == 404
        assert "/lab" in message
        assert "/openai" in message
        assert "providers:" in message
        assert len(received.requests) == 1


@BOTH_DOORS
async def test_an_almost_known_prefix_is_recognised(server: str) -> None:
    async with stage(Received(answer()), server=server) as between:
        got = await refused(between, get(path="/opnai/v1/models"))
        assert b"did you mean /openai" in got.body


@BOTH_DOORS
async def test_a_refused_upload_ends_well_too(server: str) -> None:
    """The agent is still sending when the answer is there already: it must get it, not a reset."""
    async with stage(Received(answer()), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"x" * 5_000_000, path="/nowhere/x"))
        assert got.status == 404
        assert await agent.gone() == b""


@BOTH_DOORS
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("ftp://example.com/x", 404),
        ("file:///etc/passwd", 404),
        ("http:///x", 404),
        ("http://example.com:0x50/", 404),
        ("http://example.com:99999/", 404),
        ("http://[::1/", 404),
        ("http://[/", 404),
        ("http://]/", 404),
        ("*", 404),
        ("x", 400),
        ("http://169.254.169.254/latest/meta-data/", 403),
        ("http://[::ffff:169.254.169.254]/", 403),
        ("http://metadata.google.internal/", 403),
        ("http://METADATA.google.internal./", 403),
    ],
)
async def test_a_target_that_leads_nowhere_is_refused(server: str, target: str, status: int) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(get(path=target))
        if server == "aiohttp" and got.version == "HTTP/1.0":
            assert got.status == 400  # aiohttp's parser did not take it
        else:
            assert got.status == status
            if status == 403:
                assert b"forward.allow" in got.body
        assert not received.requests
        assert (await (await between.agent()).ask(get())).status == 200


# -- smuggling -------------------------------------------------------------------------------------------------------

HIDDEN = b"GET /lab/hidden HTTP/1.1\r\nHost: a\r\n\r\n"


@BOTH_DOORS
@pytest.mark.parametrize(
    "data",
    [
        head("POST /lab/x HTTP/1.1", "Host: a", f"Content-Length: {len(HIDDEN)}") + HIDDEN,
        head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 0", "X: Content-Length: 37") + b"",
        head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"25\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
        head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + b"0\r\nX: 1\r\n\r\n",
        head("GET /lab/x HTTP/1.1", "Host: a", f"Content-Length: {len(HIDDEN)}") + HIDDEN,
        head("DELETE /lab/x HTTP/1.1", "Host: a", "Content-Length: 37", "Connection: Content-Length") + HIDDEN,
        head("POST /lab/x HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Connection: Transfer-Encoding")
        + b"25\r\n"
        + HIDDEN
        + b"\r\n0\r\n\r\n",
        head("POST /lab/x HTTP/1.1", "Host: a", "Content-Length: 37", "Connection: close, Host, Content-Length")
        + HIDDEN,
    ],
)
async def test_what_looks_like_a_request_in_a_body_is_a_body(server: str, data: bytes) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        agent = await between.agent()
        assert (await agent.ask(data)).status == 200
        assert (await (await between.agent()).ask(get(path="/lab/after"))).status == 200
        assert [request.split(b" ")[1] for request, _ in received.requests] == [b"/x", b"/after"]
        assert received.bodies[0] in (HIDDEN, b"")


async def serve_in_pieces(agent: Agent, data: bytes, size: int) -> Answer:
    await agent.send(*(data[at : at + size] for at in range(0, len(data), size)))
    return await agent.answer()


@BOTH_DOORS
async def test_a_hundred_bad_requests_leave_nothing_behind(server: str) -> None:
    received = Received(answer())
    async with stage(received, server=server) as between:
        for number in range(100):
            agent = await between.agent()
            await agent.send(list(MALFORMED.values())[number % len(MALFORMED)])
            agent.reset()
        listener = between.sidecar.application._listeners[0]
        await until(lambda: listener._open == 0)
        assert not listener._connections
        assert (await (await between.agent()).ask(get())).status == 200
