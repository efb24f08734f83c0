"""Event streams come out the same however they are cut on the way."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar import sse
from sidecar.sse import Event, EventTooLarge, Reader

STREAMS = [
    ("data: hello\n\n", [Event(b"hello")]),
    ("data: hello\r\n\r\n", [Event(b"hello")]),
    ("data: hello\r\r", [Event(b"hello")]),
    ("data: mixed\r\n\n", [Event(b"mixed")]),
    ("data: one\n\ndata: two\n\n", [Event(b"one"), Event(b"two")]),
    ("data: YHOO\ndata: +2\ndata: 10\n\n", [Event(b"YHOO\n+2\n10")]),
    ("data:no space\n\n", [Event(b"no space")]),
    ("data:  two spaces\n\n", [Event(b" two spaces")]),
    ("data\n\n", [Event(b"")]),
    ("data\ndata\n\n", [Event(b"\n")]),
    ("data:\n\n", [Event(b"")]),
    (": a comment\n\n", []),
    (":\n\n: ping\n\ndata: x\n\n", [Event(b"x")]),
    ("event: delta\ndata: {}\n\n", [Event(b"{}", "delta")]),
    ("event: delta\n\ndata: {}\n\n", [Event(b"{}")]),
    ("event\ndata: x\n\n", [Event(b"x")]),
    ("id: 1\ndata: a\n\ndata: b\n\n", [Event(b"a", id="1"), Event(b"b", id="1")]),
    ("id: 1\ndata: a\n\nid\ndata: b\n\n", [Event(b"a", id="1"), Event(b"b")]),
    ("id: a\0b\ndata: x\n\n", [Event(b"x")]),
    ("retry: 3000\ndata: x\n\ndata: y\n\n", [Event(b"x", retry_milliseconds=3000), Event(b"y")]),
    ("retry: soon\ndata: x\n\n", [Event(b"x")]),
    ("retry: 99999999999999999999\ndata: x\n\n", [Event(b"x")]),
    ("unknown: y\ndata: x\n\n", [Event(b"x")]),
    ("data: a:b\n\n", [Event(b"a:b")]),
    ("\ufeffdata: marked\n\n", [Event(b"marked")]),
    ("\ufeff\ufeffdata: twice\n\n", []),
    ("\n\n\ndata: x\n\n\n\n", [Event(b"x")]),
    ("data: Привет, 👋\n\n", [Event("Привет, 👋".encode())]),
    ("data: not ended\n", []),
    ("data: not ended", []),
    ("", []),
    ('data: {"a":1}\n\ndata: [DONE]\n\n', [Event(b'{"a":1}'), Event(b"[DONE]")]),
]


def read(chunks: Iterable[bytes]) -> list[Event]:
    reader = Reader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@pytest.mark.parametrize(("stream", "events"), STREAMS)
class TestAStream:
    def test_is_read_whole(self, stream: str, events: list[Event]) -> None:
        assert read([stream.encode()]) == events

    def test_is_read_byte_by_byte(self, stream: str, events: list[Event]) -> None:
        assert read(bytes([byte]) for byte in stream.encode()) == events

    def test_is_read_split_at_every_byte(self, stream: str, events: list[Event]) -> None:
        whole = stream.encode()
        for cut in range(len(whole) + 1):
            assert read([whole[:cut], b"", whole[cut:]]) == events

    def test_is_read_with_a_tail_that_has_only_begun(self, stream: str, events: list[Event]) -> None:
        if stream.endswith(("\n\n", "\r\r", "\r\n\r\n")):
            assert read([stream.encode() + b"data: ne", b"xt"]) == events


@given(stream=st.binary(max_size=80), cuts=st.lists(st.integers(0, 80), max_size=6))
def test_how_a_stream_is_cut_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert read(stream[a:b] for a, b in pairwise(edges)) == read([stream])


LINES = st.text().filter(lambda text: not set(text) & set("\r\n\0\ufeff"))
EVENTS = st.builds(
    Event,
    data=st.lists(LINES.map(str.encode), min_size=1).map(b"\n".join),
    type=LINES.map(lambda text: text or "message"),
    retry_milliseconds=st.none() | st.integers(0, 10**6),
)


@given(st.lists(EVENTS))
def test_what_is_written_is_read_again(events: list[Event]) -> None:
    assert read(event.encode() for event in events) == events


def test_an_id_is_written_where_it_is_known() -> None:
    assert Event(b"x", "delta", "7", 10).encode() == b"event: delta\nid: 7\nretry: 10\ndata: x\n\n"


@pytest.mark.parametrize("event", [Event(b"x", "a\nb"), Event(b"x", id="1\r2")])
def test_a_type_or_id_of_two_lines_is_not_written(event: Event) -> None:
    with pytest.raises(ValueError, match="one line"):
        event.encode()


def test_line_breaks_in_data_are_written_as_lines() -> None:
    assert Event(b"a\r\nb\rc").encode() == b"data: a\ndata: b\ndata: c\n\n"


@pytest.mark.parametrize(
    ("stream", "last"),
    [
        (b"data: a\n\ndata: b", Event(b"b")),
        (b"data: a\n\nevent: e\ndata: b\n", Event(b"b", "e")),
        (b"data: a\n\n", None),
        (b"data: a\n\n: comment", None),
    ],
)
def test_the_event_that_the_end_cut_off_can_be_asked_for(stream: bytes, last: Event | None) -> None:
    reader = Reader()
    assert reader.feed(stream) == [Event(b"a")]
    assert reader.end() == last
    assert reader.end() is None


@pytest.mark.parametrize(
    "chunks", [[b"data: " + b"x" * 100], [b"x" * 10] * 9, [b"data: xxxxxxxx\n"] * 9, [b"data: xxxx\n" * 4, b"y" * 60]]
)
def test_an_event_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    reader = Reader(limit=64)
    with pytest.raises(EventTooLarge, match="64 bytes"):
        list(map(reader.feed, chunks))


def test_the_limit_is_for_one_event_and_not_for_a_stream() -> None:
    reader = Reader(limit=64)
    assert len(reader.feed(b"data: xxxxxxxx\n\n" * 100)) == 100
    assert len([event for _ in range(100) for event in reader.feed(b"data: xxxxxxxx\n\n")]) == 100


TAILS = [
    (b"data: 1\n\ndata: 2\n\n", [b"1", b"2"]),
    (b"lf of an event\n\ndata: 2\r\n\r\ndata: 3\r\r", [None, b"2", b"3"]),
    (b"\n\ndata: 2\n\ndata: 3", [b"2", b"3"]),
    (b": ping\n\ndata: 3\ndata: 4\n\n", [None, b"3\n4"]),
    (b"", []),
]


@pytest.mark.parametrize(("tail", "data"), TAILS)
def test_the_tail_of_a_stream_falls_into_blocks(tail: bytes, data: list[bytes | None]) -> None:
    events = [sse.event_of(block) for block in sse.blocks(tail)]
    assert [event and event.data for event in events] == data


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"event: x", b": c", b""]), max_size=12),
    st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1, max_size=3),
)
def test_a_stream_falls_into_the_blocks_that_a_reader_finds(lines: list[bytes], ends: list[bytes]) -> None:
    tail = b"".join(line + ends[number % len(ends)] for number, line in enumerate(lines)) + ends[0] * 2
    reader = Reader()
    events = [(event.data, event.type) for event in reader.feed(tail)]
    blocks = [event for block in sse.blocks(tail) if (event := sse.event_of(block)) is not None]
    assert [(event.data, event.type) for event in blocks] == events
