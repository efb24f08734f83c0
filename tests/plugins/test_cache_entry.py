"""What the cache keeps of answers, which answers it keeps, and how it gives one again."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache.entry import Entry, entry_of, objection

from sidecar import Body, Exchange, Headers, Response
from sidecar.testing import answer, call
from tests import corpus
from tests.plugins.test_tracing_confidential import exchange_of

CHAT = call("openai", "/v1/chat/completions", {"model": "gpt-4o"})
SPEECH = call("openai", "/v1/audio/speech", {"input": "hello"})
TRANSCRIPTION = call("openai", "/v1/audio/transcriptions", b"RIFF")
RESPONSES = call("openai", "/v1/responses", {"input": "hello"})


def whole(finish_reason: str = "stop") -> bytes:
    return (
        b'{"id":"c","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"%b"}]}' % finish_reason.encode()
    )


def refused(
    exchange: Exchange, data: bytes, status: int = 200, content_type: str = "application/json", **headers: str
) -> str | None:
    return objection(exchange, answer(data, status, content_type=content_type, **headers), data)


@pytest.mark.parametrize(
    "finish_reason", ["stop", "tool_calls", "function_call", "end_turn", "tool_use", "stop_sequence", "STOP"]
)
def test_an_answer_that_had_its_say_is_kept(finish_reason: str) -> None:
    assert refused(CHAT, whole(finish_reason)) is None


@pytest.mark.parametrize(
    "finish_reason",
    ["length", "content_filter", "max_tokens", "refusal", "SAFETY", "model_length", "error", "whatever"],
)
def test_an_answer_that_was_cut_off_or_filtered_is_not(finish_reason: str) -> None:
    assert refused(CHAT, whole(finish_reason)) == f"finished by {finish_reason}"


@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 304, 400, 401, 404, 429, 500, 503])
def test_only_a_plain_200_is_kept(status: int) -> None:
    assert refused(CHAT, whole(), status) == f"status {status}"


@pytest.mark.parametrize("value", ["no-store", "No-Store", "private, NO-STORE", "no-store, max-age=0"])
def test_what_the_provider_forbids_to_store_is_not_kept(value: str) -> None:
    assert refused(CHAT, whole(), cache_control=value) == "the provider forbids it"
    assert refused(CHAT, whole(), cache_control="no-cache, must-revalidate") is None


@pytest.mark.parametrize(
    ("exchange", "data", "content_type", "reason"),
    [
        (CHAT, b"", "application/json", "empty"),
        (CHAT, whole()[:-1], "application/json", "not valid JSON"),
        (CHAT, b"\xff" + whole(), "application/json", "not valid JSON"),
        (CHAT, b"[" * 200_000, "application/json", "not valid JSON"),
        (CHAT, b'{"error":{"type":"server_error","message":"x"}}', "application/json", "an error inside a 200"),
        (CHAT, b"<html>", "text/html; charset=utf-8", None),
        (CHAT, b"GIF89a", "image/gif", "content type image/gif"),
        (CHAT, b"what", "", "content type unknown"),
        (TRANSCRIPTION, b"hello", "text/plain; charset=utf-8", None),
        (SPEECH, b"RIFF", "audio/wav", None),
        (SPEECH, b"\0\0", "audio/pcm;rate=24000", None),
        (SPEECH, b"\0\0", "application/octet-stream", None),
        (call("openai", "/v1/nothing-known", {}), whole(), "application/json", "unknown call"),
    ],
)
def test_content_decides(exchange: Exchange, data: bytes, content_type: str, reason: str | None) -> None:
    said = refused(exchange, data, content_type=content_type)
    assert said == reason or (reason is not None and (said or "").startswith(reason))


class TestEventStreams:
    EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"[DONE]"}}]}\n\n'
    END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

    def said(self, data: bytes, exchange: Exchange = CHAT) -> str | None:
        return refused(exchange, data, content_type="text/event-stream; charset=utf-8")

    def test_with_their_proper_end_are_kept(self) -> None:
        assert self.said(self.EVENTS + self.END + b"data: [DONE]\n\n") is None
        assert self.said((self.EVENTS + self.END + b"data: [DONE]\n\n").replace(b"\n", b"\r\n")) is None
        assert self.said(self.EVENTS + self.END + b"data: [DONE]") is None
        assert self.said(b"data: [DONE]\n\n") is None

    def test_that_end_in_the_middle_are_not_whatever_was_said_in_them(self) -> None:
        for data in (self.EVENTS, self.EVENTS + self.END, b"data: [DONE]\n\n" + self.EVENTS, b": ping\n\n"):
            assert self.said(data) == "the event stream has no proper end"

    def test_with_an_error_in_them_are_not(self) -> None:
        data = self.EVENTS + b'data: {"error":{"type":"server_error","code":null}}\n\n' + b"data: [DONE]\n\n"
        assert self.said(data) == "an error inside a 200: server_error"

    def test_that_were_cut_short_are_not(self) -> None:
        data = self.EVENTS + self.END.replace(b"stop", b"length") + b"data: [DONE]\n\n"
        assert self.said(data) == "finished by length"

    @pytest.mark.parametrize(
        "captured",
        [each for each in corpus.answers() if (each.headers.get("content-type") or "").startswith("text/event-stream")],
        ids=lambda each: f"{each.dialect}/{each.case}~{each.what}",
    )
    def test_of_every_family_are_kept_whole_or_not_at_all(self, captured: corpus.CapturedAnswer) -> None:
        exchange = exchange_of(corpus.case(captured.dialect, captured.case))

        def said(data: bytes) -> str | None:
            return objection(exchange, Response(status=200, headers=captured.headers), data)

        in_order = (captured.what == "events" and captured.dialect != "gemini") or captured.case == "interactions"
        assert (said(captured.body) is None) == (in_order and captured.what == "events")
        events = captured.body.rstrip().replace(b"\r\n", b"\n").split(b"\n\n")
        content = [event for event in events if event != b"data: [DONE]"]
        for number in range(len(content)):
            data = b"\n\n".join(content[:number]) + b"\n\n"
            assert said(data) is not None, number


class TestCodedAnswers:
    """The official SDKs ask for compressed answers, and get them."""

    PACKED: Mapping[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "x-gzip": gzip.compress,
        "deflate": zlib.compress,
    }

    @pytest.mark.parametrize("coding", [*PACKED, "GZIP"])
    def test_are_looked_into(self, coding: str) -> None:
        pack = self.PACKED[coding.lower()]
        assert refused(CHAT, pack(whole()), content_encoding=coding) is None
        assert refused(CHAT, pack(whole("length")), content_encoding=coding) == "finished by length"
        assert refused(CHAT, pack(whole()[:-1]), content_encoding=coding) == "not valid JSON"

    @pytest.mark.parametrize(
        ("coding", "pack"),
        [
            pytest.param("br", lambda data: data, id="brotli"),
            pytest.param("zstd", lambda data: data, id="zstd"),
            pytest.param("gzip", lambda data: data, id="not what it says"),
            pytest.param("gzip", lambda data: gzip.compress(data)[:-9], id="cut off"),
            pytest.param("gzip, br", gzip.compress, id="coded twice"),
            pytest.param("gzip", lambda data: gzip.compress(b" " * (33 << 20) + data), id="too large"),
        ],
    )
    def test_that_cannot_be_looked_into_are_not_kept(self, coding: str, pack: Callable[[bytes], bytes]) -> None:
        assert "cannot be looked into" in (refused(CHAT, pack(whole()), content_encoding=coding) or "")

    def test_of_audio_need_not_be(self) -> None:
        assert refused(SPEECH, b"packed", content_type="audio/wav", content_encoding="br") is None


@pytest.mark.parametrize("captured", corpus.answers(), ids=lambda each: f"{each.dialect}/{each.case}~{each.what}")
def test_no_captured_answer_that_tells_of_trouble_is_kept(captured: corpus.CapturedAnswer) -> None:
    exchange = exchange_of(corpus.case(captured.dialect, captured.case))
    assert exchange.call is not None
    said = objection(exchange, Response(status=captured.status, headers=captured.headers), captured.body)
    read = exchange.provider.dialect.read_answer(exchange.call, captured.headers, captured.body)  # type: ignore[union-attr]
    trouble = captured.status != 200 or read.error_type is not None
    if trouble:
        assert said is not None
    elif captured.what in ("whole", "audio", "text", "verbose", "success"):
        assert said is None or said == "finished by length"


# -- given again -------------------------------------------------------------------------------------------------------


def kept(response: Response, data: bytes, stored: float = 100.0) -> Entry:
    entry = entry_of(response, data)
    return Entry(entry.status, entry.block, entry.data, entry.chunked, stored)


async def read(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


async def test_an_answer_comes_again_byte_for_byte_with_its_age_and_where_it_is_from() -> None:
    data = whole()
    given = kept(answer(data, content_type="application/json"), data).replayed("cache", 112.9, 60.0)
    assert await read(given) == data
    assert given.status == 200
    assert given.answered_by == "cache"
    assert [(name.decode().lower(), value.decode()) for name, value in given.headers] == [
        ("content-type", "application/json"),
        ("content-length", str(len(data))),
        ("age", "12"),
        ("cache-status", "agent-sidecar; hit; ttl=48"),
    ]
    assert given.headers.stated_length == len(data)


async def test_one_that_came_in_chunks_goes_in_chunks() -> None:
    given = kept(answer([b"a", b"b"], content_type="text/event-stream"), b"ab").replayed("cache", 100, 60)
    assert given.chunked
    assert "content-length" not in given.headers
    assert await read(given) == b"ab"


async def test_it_can_be_given_to_many_at_once() -> None:
    entry = kept(answer(b"abc", content_type="text/plain"), b"abc")
    one, other = entry.replayed("cache", 100, 60), entry.replayed("cache", 200, 60)
    first = aiter(one.body)
    assert await anext(first) == b"abc"
    assert await read(other) == b"abc"
    assert (one.headers.get("age"), other.headers.get("age")) == ("0", "100")
    assert other.headers.get("cache-status") == "agent-sidecar; hit; ttl=0"


def test_only_headers_that_belong_to_the_content_are_kept() -> None:
    response = answer(
        b"x",
        content_type="text/plain",
        content_language="de",
        content_disposition='attachment; filename="x.wav"',
        content_encoding="gzip",
        set_cookie="session=1",
        date="Mon, 01 Jan 2026 00:00:00 GMT",
        x_request_id="req_1",
        x_ratelimit_remaining_requests="3",
        openai_processing_ms="200",
        strict_transport_security="max-age=1",
        age="7",
    )
    names = {line.partition(b":")[0].lower() for line in entry_of(response, b"x").block.split(b"\r\n") if line}
    assert names == {
        b"content-type",
        b"content-language",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
    }


@given(st.binary(max_size=100), st.booleans())
def test_what_an_entry_holds_is_counted(data: bytes, chunked: bool) -> None:
    response: Any = Response(status=200, headers=Headers.of(content_type="a/b"), body=Body(data), chunked=chunked)
    entry = entry_of(response, data)
    assert entry.held_bytes >= len(data) + len(entry.block) + 100
