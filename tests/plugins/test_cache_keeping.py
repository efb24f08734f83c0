"""What is kept of an answer that has flowed by."""

import itertools
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache.config import Price
from sidecar_cache.entry import Entry
from sidecar_cache.flights import Flight
from sidecar_cache.keeping import CALLED, Purpose, Unkept, about, cost, entry_of
from sidecar_cache.slices import whole as done

from sidecar import Body, Headers, Notes, Response
from sidecar.testing import answer, call

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}
COMPLETION = {
    "id": "c",
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


def flown(*chunks: bytes) -> Flight:
    flight = Flight(10_000)
    flight.began = 100.0
    for number, chunk in enumerate(chunks):
        flight.add(chunk)
        flight.times[-1] = 100.5 + number * 0.25
    flight.end(None)
    return flight


def kept(response: Response, flight: Flight, purpose: Purpose = CALLED) -> Entry:
    exchange = call("openai", "/v1/chat/completions", CHAT)
    return done(entry_of(exchange, response, flight, lambda: (("body.model", 7),), 60.0, purpose))


def whole(**headers: Any) -> tuple[Response, Flight]:
    response = answer(COMPLETION, **headers)
    flight = Flight(10_000)
    flight.leads(response, Notes(0.0), lambda flight: None)
    return response, flight


def test_only_headers_that_belong_to_the_content_are_kept() -> None:
    response, flight = whole(
        content_language="de",
        content_disposition='attachment; filename="x.json"',
        set_cookie="session=1",
        date="Mon, 01 Jan 2026 00:00:00 GMT",
        x_request_id="req_1",
        x_ratelimit_remaining_requests="3",
        openai_processing_ms="200",
        age="7",
    )
    names = {line.partition(b":")[0].lower() for line in kept(response, flight).block.split(b"\r\n") if line}
    assert names == {b"content-type", b"content-language", b"content-disposition"}


def test_how_it_came_is_kept_with_it() -> None:
    chunks = [
        b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    ]
    entry = kept(answer(chunks, content_type="text/event-stream"), flown(*chunks))
    assert entry.data == b"".join(chunks)
    assert list(array("I", entry.cuts)) == list(itertools.accumulate(map(len, chunks[:-1])))
    assert list(array("I", entry.gaps)) == [250_000, 250_000]
    assert (entry.waited_seconds, entry.took_seconds) == (0.5, 1.0)
    assert (entry.fresh_seconds, entry.parts, entry.source) == (60.0, (("body.model", 7),), "call")


@pytest.mark.parametrize(("purpose", "source"), [("warm", "warm"), ("refresh", "refresh"), ("control", "refresh")])
def test_where_it_is_from_is_kept_with_it(purpose: str, source: str) -> None:
    assert kept(*whole(), Purpose(purpose)).source == source


def test_what_is_not_fit_is_not_kept() -> None:
    response = answer(b"oops", content_type="application/json")
    with pytest.raises(Unkept, match="not valid JSON"):
        kept(response, flown(b"oops"))


def test_what_may_be_told_of_it_has_no_content() -> None:
    speech = {"model": "tts-1", "voice": "alloy", "input": "nobody may hear this", "response_format": "mp3"}
    told = about(call("openai", "/v1/audio/speech", speech), 1.5)
    assert (told.operation, told.endpoint, told.dialect) == ("tts", "audio.speech", "openai")
    assert (told.model, told.voice, told.characters, told.audio_seconds) == ("tts-1", "alloy", 20, 1.5)
    assert "nobody" not in repr(told)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([Price(model="gpt-4o*", input=2.0, output=8.0)], 6.0),
        ([Price(model="gpt-4o-mini", input=1.0), Price(model="*", input=100.0)], 1.0),
        ([Price(model="gpt-5", input=1.0)], None),
        ([], None),
    ],
)
def test_what_a_call_cost_is_told_by_the_first_price_that_fits(prices: list[Price], expected: float | None) -> None:
    exchange = call("openai", "/v1/chat/completions", CHAT)
    response, flight = whole()
    assert cost(exchange, response.headers, kept(response, flight), prices) == expected


@given(st.binary(max_size=100), st.booleans())
def test_what_an_entry_holds_is_counted(data: bytes, chunked: bool) -> None:
    response: Any = Response(status=200, headers=Headers.of(content_type="a/b"), body=Body(data), chunked=chunked)
    told = about(call("openai", "/v1/chat/completions", CHAT))
    entry = Entry(200, response.headers.block, data, chunked, b"", b"", 0, 1.0, 0.0, 0.0, told, ())
    assert entry.held_bytes >= len(data) + len(entry.block) + 100
