"""A kept answer given again: framed as it came, at once or at its own pace."""

import asyncio
import time
from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sidecar_cache.control import Control
from sidecar_cache.entry import Entry
from sidecar_cache.giving import response_of
from sidecar_cache.holdings import Given

from sidecar import AroundExchange, Exchange, ExchangeHandler, PluginConfig, Response, hookimpl
from sidecar.testing import answer, call, configured, play
from tests.plugins.answering import kept

EVENTS = [b"data: one\n\n", b"data: two\n\n", b"data: [DONE]\n\n"]
EXTRA = b"Age: 3\r\nCache-Status: agent-sidecar; hit; ttl=57\r\n"


def replayed(entry: Entry, *, answered_by: str = "cache", pace: float | None = None) -> Response:
    given = Given(replace(entry, fresh_seconds=60.0), None, 0, Control(0.0, {}))
    return response_of(given, 3.4, answered_by, pace)


def entry_of(chunks: list[bytes], gaps: list[int], content_type: str = "audio/mpeg", *, chunked: bool = True) -> Entry:
    ends = [sum(map(len, chunks[: number + 1])) for number in range(len(chunks) - 1)]
    entry = kept(b"".join(chunks), content_type, chunked=chunked)
    return replace(entry, cuts=array("I", ends).tobytes(), gaps=array("I", gaps).tobytes())


async def chunks_of(response: Response) -> list[bytes]:
    return [chunk async for chunk in response.body]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr("sidecar_cache.replay.time", made)
    monkeypatch.setattr("sidecar_cache.replay.asyncio", made)
    yield made
    monkeypatch.undo()


class TestAtOnce:
    async def test_it_comes_byte_for_byte_in_one_piece(self) -> None:
        given = replayed(entry_of(EVENTS, [5, 5], "text/event-stream"), answered_by="cache")
        assert (given.status, given.answered_by, given.chunked) == (200, "cache", True)
        assert given.headers.block == b"Content-Type: text/event-stream\r\n" + EXTRA
        assert given.headers.stated_length is None
        assert await chunks_of(given) == [b"".join(EVENTS)]

    async def test_what_came_with_its_length_goes_with_it(self) -> None:
        given = replayed(entry_of([b"RI", b"FF"], [5], chunked=False), answered_by="cache")
        assert not given.chunked
        assert given.headers.block == b"Content-Type: audio/mpeg\r\nContent-Length: 4\r\n" + EXTRA
        assert given.headers.stated_length == given.body.length == 4
        assert given.headers.get("age") == "3"

    async def test_it_can_be_given_to_many_side_by_side(self) -> None:
        entry = entry_of(EVENTS, [5, 5])
        one, other = replayed(entry, answered_by="a"), replayed(entry, answered_by="b")
        first = aiter(one.body)
        assert await anext(first) == b"".join(EVENTS)
        assert await chunks_of(other) == [b"".join(EVENTS)]

    async def test_the_first_byte_of_a_long_speech_is_there_within_a_millisecond(self) -> None:
        entry = entry_of([bytes(4000)] * 50, [200_000] * 49)

        async def first_byte_seconds(pace: float | None) -> float:
            started = time.thread_time()
            assert await anext(aiter(replayed(entry, answered_by="cache", pace=pace).body))
            return time.thread_time() - started

        for pace in (None, 1.0):
            assert min([await first_byte_seconds(pace) for _ in range(5)]) < 0.001


class TestPaced:
    async def test_chunks_are_those_that_came(self, clock: Clock) -> None:
        given = replayed(entry_of(EVENTS, [100_000, 250_000]), answered_by="cache", pace=0.0)
        assert await chunks_of(given) == EVENTS
        assert clock.slept == []
        assert given.body.data is None

    @pytest.mark.parametrize(("pace", "slept"), [(1.0, [0.1, 0.25]), (0.5, [0.05, 0.125]), (2.0, [0.2, 0.5])])
    async def test_each_comes_when_it_is_due(self, clock: Clock, pace: float, slept: list[float]) -> None:
        assert await chunks_of(replayed(entry_of(EVENTS, [100_000, 250_000]), answered_by="c", pace=pace)) == EVENTS
        assert clock.slept == slept

    async def test_who_reads_slowly_is_not_held_up_more(self, clock: Clock) -> None:
        chunks = [b"a", b"b", b"c", b"d"]
        body = aiter(replayed(entry_of(chunks, [100_000] * 3), answered_by="c", pace=1.0).body)
        assert await anext(body) == b"a"
        clock.now += 0.25
        assert [await anext(body) for _ in range(3)] == chunks[1:]
        assert clock.slept == [0.05], "the second and third were due, and the fourth still is to come"

    async def test_what_came_with_its_length_goes_with_it(self, clock: Clock) -> None:
        given = replayed(entry_of([b"RI", b"FF"], [1000], chunked=False), answered_by="c", pace=1.0)
        assert given.headers.stated_length == given.body.length == 4
        assert await chunks_of(given) == [b"RI", b"FF"]

    async def test_what_came_in_one_piece_goes_in_one(self, clock: Clock) -> None:
        given = replayed(entry_of([b"RIFF"], []), answered_by="c", pace=1.0)
        assert given.body.data == b"RIFF"
        assert given.chunked

    @pytest.mark.both_loops
    async def test_it_waits_for_real(self) -> None:
        started = time.monotonic()
        body = aiter(replayed(entry_of(EVENTS, [20_000, 20_000]), answered_by="c", pace=1.0).body)
        assert await anext(body) == EVENTS[0]
        first = time.monotonic() - started
        assert [await anext(body) for _ in EVENTS[1:]] == EVENTS[1:]
        # asyncio's own loop takes a timer that is due within its clock's resolution for due
        assert time.monotonic() - started > 0.038
        assert first < 0.02

    @pytest.mark.both_loops
    async def test_it_stops_with_who_reads_it(self) -> None:
        given = replayed(entry_of(EVENTS, [60_000_000, 1]), answered_by="c", pace=1.0)
        read: list[bytes] = []

        async def reading() -> None:
            body = aiter(given.body)
            while chunk := await anext(body, b""):
                read.append(chunk)

        task = asyncio.create_task(reading())
        while not read:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert given.body.waited_seconds > 0, "the wait is the stream's, not the plugin's"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await given.body.aclose()
        assert read == EVENTS[:1]

    async def test_one_that_was_let_go_of_while_it_waited_says_no_more(self, clock: Clock) -> None:
        given = replayed(entry_of(EVENTS, [100_000, 100_000]), answered_by="c", pace=1.0)
        body = aiter(given.body)
        assert await anext(body) == EVENTS[0]
        sleeping = clock.sleep

        async def let_go(seconds: float) -> None:
            await given.body.aclose()
            await sleeping(seconds)

        clock.sleep = let_go  # type: ignore[method-assign]
        assert await anext(body, b"") == b""
        assert await anext(body, b"") == b""


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=8), st.booleans())
async def test_however_it_was_cut_it_is_the_same(chunks: list[bytes], chunked: bool) -> None:
    entry = entry_of(chunks, [0] * (len(chunks) - 1), chunked=chunked)
    assert await chunks_of(replayed(entry, answered_by="c", pace=1.0)) == chunks
    assert await chunks_of(replayed(entry, answered_by="c")) == [b"".join(chunks)]


class Replaying(AroundExchange):
    """Answers by one entry, at the pace that its name says."""

    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None:
        self.entry, self.pace = entry_of(EVENTS, [2000, 2000], "text/event-stream"), 1.0

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        return replayed(self.entry, answered_by="replaying", pace=self.pace)


async def test_an_agent_gets_it_as_the_provider_framed_it() -> None:
    plugin = configured(Replaying)
    paced = await play(plugin, call("openai", "/v1/chat/completions", {}), answer(b"never asked"))
    assert paced.chunks == tuple(EVENTS)
    assert paced.headers.get("transfer-encoding") == "chunked"
    assert paced.headers.get("age") == "3"
    assert paced.record.longest_gap_seconds > 0.001
    plugin.entry = entry_of([b"RI", b"FF"], [2000], chunked=False)
    whole = await play(plugin, call("openai", "/v1/audio/speech", {}), answer(b"never asked"))
    assert (whole.body, whole.headers.get("content-length")) == (b"RIFF", "4")


async def test_an_agent_that_leaves_ends_it() -> None:
    plugin = configured(Replaying)
    plugin.entry = entry_of([b"data: a\n\n"] * 50, [1000] * 49, "text/event-stream")
    left = await play(plugin, call("openai", "/v1/chat/completions", {}), answer(b"never asked"), leave_after=2)
    assert left.record.outcome == "cancelled"
    assert len(left.chunks) <= 3
