"""The lean door knows the head of a request again that differs from the one before in its length only.

That is a short cut past the parser, and so the place where two requests could be taken for one, or one for another.
Whatever is sent on a connection that has a past, the provider must get what it gets on a fresh one.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.sidecar.intercept.stage import Received, Stage, chunked, get, post, stage
from tests.wire import answer

FIRST = post(b"hello", "X-A: 1")
WITHOUT_BODY = get("X-A: 1")


async def on_one_connection(between: Stage, received: Received, requests: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    received.requests.clear()
    agent = await between.agent()
    for request in requests:
        assert (await agent.ask(request)).status == 200
    agent.leave()
    return list(received.requests)


async def on_fresh_ones(between: Stage, received: Received, requests: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    sent = []
    for request in requests:
        sent += await on_one_connection(between, received, [request])
    return sent


def with_length(said: str, body: bytes, line: str = "Content-Length: {}") -> bytes:
    head = f"POST /lab/x HTTP/1.1\r\nHost: agent\r\nX-A: 1\r\n{line.format(said)}\r\n\r\n"
    return head.encode("latin-1") + body


@pytest.mark.parametrize(
    "second",
    [
        FIRST,
        post(b"", "X-A: 1"),
        post(b"a", "X-A: 1"),
        post(b"x" * 9, "X-A: 1"),
        post(b"x" * 10, "X-A: 1"),
        post(b"x" * 65_536, "X-A: 1"),
        post(b"x" * 65_537, "X-A: 1"),
        post(b"x" * 1_000_000, "X-A: 1"),
        post(b"x" * 12_345_678, "X-A: 1"),
        with_length("05", b"hello"),
        with_length("0000005", b"hello"),
        with_length("00000000005", b"hello"),
        with_length("5 ", b"hello"),
        with_length(" 5", b"hello"),
        with_length("5", b"hello", "Content-Length:{}"),
        with_length("5", b"hello", "content-length: {}"),
        with_length("5", b"hello", "CONTENT-LENGTH: {}"),
        with_length("5", b"hello", "Content-Length:\t{}\t"),
        post(b"hello", "X-A: 2"),
        post(b"hello", "x-a: 1"),
        post(b"hello", "X-A: 1", "X-B: 2"),
        post(b"hello"),
        post(b"hello", "X-A: 1").replace(b"POST", b"PUT"),
        post(b"hello", "X-A: 1", path="/lab/xy"),
        post(b"hello", "X-A: 1", path="/lab/"),
        get("X-A: 1"),
        get(),
        get("X-A: 1", method="POST"),
        chunked(b"hello", fields=("X-A: 1",)),
        post(FIRST, "X-A: 1"),
        post(b"5\r\n\r\nhello", "X-A: 1"),
        post(b"\r\n\r\n", "X-A: 1"),
    ],
)
@pytest.mark.parametrize("first", [FIRST, WITHOUT_BODY], ids=["after one with a body", "after one without"])
async def test_a_request_is_the_same_whatever_came_before(first: bytes, second: bytes) -> None:
    received = Received(answer())
    async with stage(received) as between:
        sequence = [first, first, second, first, second, second]
        expected = await on_fresh_ones(between, received, sequence)
        assert await on_one_connection(between, received, sequence) == expected


@pytest.mark.parametrize(
    "second",
    [
        with_length("+5", b"hello"),
        with_length("-5", b"hello"),
        with_length("5, 5", b"hello"),
        with_length("5;", b"hello"),
        with_length("0x5", b"hello"),
        with_length("5_0", b"hello" * 10),
        with_length("\xb2", b"he"),  # a superscript two is a digit to some
        with_length("", b"hello"),
        with_length("5 5", b"hello"),
        with_length("99999999999999999999", b"hello"),
        with_length("18446744073709551621", b"hello"),  # 5 modulo 2 ** 64
        with_length("5", b"hello", "Content-Length : {}"),
        with_length("5", b"hello", " Content-Length: {}"),
        with_length("5\r\nContent-Length: 6", b"hello"),
        with_length("5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        with_length("5\r\n folded", b"hello"),
        with_length("5\nX: 1", b"hello"),
        with_length("5\rX: 1", b"hello"),
        with_length("5\x00", b"hello"),
    ],
)
async def test_a_length_that_is_none_is_refused_whatever_came_before(second: bytes) -> None:
    received = Received(answer())
    async with stage(received) as between:
        agent = await between.agent()
        assert (await agent.ask(with_length("5", b"hello"))).status == 200
        assert (await agent.ask(with_length("5", b"hello"))).status == 200
        got = await agent.ask(second)
        assert (got.status, got.get("connection")) == (400, "close")
        assert await agent.rest() == b""
        assert received.bodies == [b"hello"] * 2, "the provider saw something of it"


@pytest.mark.parametrize("cut", range(len(FIRST) + 1))
async def test_a_known_head_split_at_every_byte_is_the_same(cut: int) -> None:
    received = Received(answer())
    async with stage(received, "tls.intercept=false") as between:
        agent = await between.agent()
        for _ in range(3):
            await agent.send(FIRST[:cut], FIRST[cut:])
            assert (await agent.answer()).status == 200
        # and with the next request's beginning behind it
        await agent.send(FIRST + FIRST[:cut], FIRST[cut:])
        assert [(await agent.answer()).status for _ in range(2)] == [200, 200]
        assert received.bodies == [b"hello"] * 5
        assert len({head for head, _ in received.requests}) == 1


async def test_a_known_head_with_a_longer_body_than_has_come_waits_for_it() -> None:
    received = Received(answer())
    async with stage(received) as between:
        agent = await between.agent()
        for body in (b"one", b"x" * 60_000, b"two", b"", b"y" * 70_000, b"three"):
            request = post(body)
            half = len(request) - len(body) // 2
            await agent.send(request[:half])
            await asyncio.sleep(0.005)
            await agent.send(request[half:])
            assert (await agent.answer()).status == 200
            assert received.bodies[-1] == body


async def test_a_request_within_the_body_of_another_is_never_served() -> None:
    received = Received(answer())
    hidden = post(b"gotcha", path="/lab/hidden")
    async with stage(received) as between:
        agent = await between.agent()
        for body in (hidden, FIRST + hidden, b"\r\n\r\n" + hidden, b"0\r\n\r\n" + hidden):
            for request in (post(body, "X-A: 1"), chunked(body), post(body, "X-A: 1")):
                assert (await agent.ask(request)).status == 200
                assert received.bodies[-1] == body
        assert all(b"/hidden" not in head.split(b"\r\n")[0] for head, _ in received.requests)


# -- any sequence ----------------------------------------------------------------------------------------------------

_BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.sampled_from([FIRST, WITHOUT_BODY, b"\r\n\r\n", b"0\r\n\r\n", b"5", b"x" * 65_536, b"y" * 70_000]),
)
_FIELDS = st.lists(
    st.sampled_from(
        [
            "X-A: 1",
            "X-A: 2",
            "x-a: 1",
            "X-A:1",
            "Accept: */*",
            "Connection: keep-alive",
            "Connection: X-A",
            "Keep-Alive: 1",
            "Host: other",
            "Expect: nothing",
            "X-Content-Length: 3",
            "TE: trailers",
            "X-Length: Content-Length: 5",
        ]
    ),
    max_size=3,
)
_LENGTH_LINES = st.sampled_from(
    ["Content-Length: {}", "content-length: {}", "Content-Length:{}", "Content-Length: 0{}", "Content-Length:  {} "]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    path = draw(st.sampled_from(["/lab/x", "/lab/x?", "/lab/xx", "/lab"]))
    before, after, body = draw(_FIELDS), draw(_FIELDS), draw(_BODIES)
    framing = draw(st.sampled_from(["length", "length", "chunks", "none"]))
    if framing == "length":
        lines = [*before, draw(_LENGTH_LINES).format(len(body)), *after]
    elif framing == "chunks":
        lines = [*before, "Transfer-Encoding: chunked", *after]
        body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    else:
        lines, body = [*before, *after], b""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: agent", *lines]).encode() + b"\r\n\r\n" + body


@settings(max_examples=60, deadline=None)
@given(
    st.lists(requests(), min_size=2, max_size=6).flatmap(
        lambda some: st.lists(st.sampled_from(some), min_size=2, max_size=8)
    )
)
@example([FIRST, WITHOUT_BODY, FIRST, WITHOUT_BODY])
def test_any_sequence_on_one_connection_is_what_it_is_on_fresh_ones(sequence: list[bytes]) -> None:
    async def compare() -> None:
        received = Received(answer())
        async with stage(received, "tls.intercept=false") as between:
            expected = await on_fresh_ones(between, received, sequence)
            assert await on_one_connection(between, received, sequence) == expected

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(compare())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(requests().filter(lambda request: b"chunked" not in request), min_size=2, max_size=6),
    st.lists(st.integers(0, 1_000_000), max_size=6),
)
def test_any_sequence_is_the_same_pipelined_and_cut_anywhere(sequence: list[bytes], cuts: list[int]) -> None:
    async def compare() -> None:
        received = Received(answer())
        async with stage(received, "tls.intercept=false") as between:
            expected = await on_fresh_ones(between, received, sequence)
            received.requests.clear()
            agent, data = await between.agent(), b"".join(sequence)
            places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
            sending = asyncio.ensure_future(agent.send(*(data[begin:end] for begin, end in pairwise(places))))
            for request in sequence:
                assert (await agent.answer(request.split(b" ")[0].decode())).status == 200
            await sending
            assert received.requests == expected

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(compare())
