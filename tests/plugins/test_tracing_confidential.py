"""Nothing that was said, and no secret, leaves by a trace."""

import asyncio
import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import Chat, Exchange, Headers, Speech, Transcription
from sidecar.dialects import names
from sidecar.errors import ConnectFailed
from sidecar.testing import answer, call, socket_answer, streamed
from tests import corpus
from tests.corpus import CapturedAnswer, Case
from tests.plugins.telling import encoded, played

PLANTED = "hush-4f1c9"


def exchange_of(case: Case, *, held: bool = True) -> Exchange:
    """The captured call as an exchange; *held*: its body is in memory."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in case.headers}
    headers.pop("Transfer-Encoding", None)
    return call(
        case.dialect,
        case.target,
        case.body if held else streamed([case.body]),
        method=case.method,
        headers=headers,
        socket=case.is_socket,
    )


def sayings(value: object) -> Iterator[str]:
    """The texts in a JSON value that somebody said: those of several words."""
    if isinstance(value, dict):
        for each in value.values():
            yield from sayings(each)
    elif isinstance(value, list):
        for each in value:
            yield from sayings(each)
    elif isinstance(value, str) and " " in value.strip():
        yield value


def texts_of(body: bytes) -> set[str]:
    """What was said in *body*, be it JSON, an event stream or a form."""
    found: set[str] = set()
    for document in (body, *re.findall(rb"(?m)^data: ?(.*)$", body)):
        try:
            found.update(sayings(json.loads(document)))
        except ValueError:
            continue
    return found


def credentials_of(headers: Headers) -> set[str]:
    return {
        value.rpartition(" ")[2]
        for name in ("authorization", "api-key", "x-api-key", "xi-api-key", "x-goog-api-key", "cookie")
        if (value := headers.get(name)) and len(value) > 5
    }


def named(exchange: Exchange) -> set[str]:
    """Names that a call gives, which are told: they may have spaces in them."""
    payload = exchange.payload
    told = {payload.model, payload.voice, payload.format} if isinstance(payload, Speech) else set()
    if isinstance(payload, Chat):
        told = {payload.model, payload.conversation_id}
    if isinstance(payload, Transcription):
        told = {payload.model, payload.language, payload.format}
    return {str(each) for each in told}


@pytest.mark.parametrize("held", [True, False], ids=["held", "streamed"])
@pytest.mark.parametrize("captured", corpus.answers(), ids=lambda each: f"{each.dialect}/{each.case}~{each.what}")
async def test_nothing_said_in_a_captured_call_is_told(captured: CapturedAnswer, held: bool) -> None:
    case = corpus.case(captured.dialect, captured.case)
    exchange = exchange_of(case, held=held)
    reply = answer(captured.body, captured.status)
    for name, value in captured.headers:
        reply = reply.with_headers(reply.headers.with_field(name.decode(), value.decode("latin-1")))
    record = await played(exchange, reply.with_headers(reply.headers.without("content-encoding")))
    data = encoded(record)
    said = (texts_of(case.body) | texts_of(captured.body)) - named(exchange)
    if captured.status >= 400 and len(record.answer.error_type or "") < 40:
        said.discard(record.answer.error_type or "")  # the kind of an error may be two words
    for text in said | credentials_of(case.headers):
        assert text.encode() not in data, text


@pytest.mark.parametrize("dialect", names())
async def test_what_a_query_says_is_not_told(dialect: str) -> None:
    for case in (case for case in corpus.cases() if case.dialect == dialect):
        joint = "&" if "?" in case.target else "?"
        secret = f"{joint}key={PLANTED}&token={PLANTED}&access_token={PLANTED}&xi-api-key={PLANTED}&x={PLANTED}"
        exchange = exchange_of(case._replace(target=case.target + secret))
        record = await played(exchange, socket_answer() if case.is_socket else answer(b"{}"))
        assert PLANTED.encode() not in encoded(record)


def planted(value: object) -> object:
    """*value* with the plant in every text of several words, and in every key that is none of the dialects'."""
    if isinstance(value, dict):
        further = {"metadata": {PLANTED: PLANTED}, "user": PLANTED}
        return {key: planted(each) for key, each in value.items()} | further
    if isinstance(value, list):
        return [planted(each) for each in value]
    return f"{value} {PLANTED}" if isinstance(value, str) and " " in value else value


CHAT = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "you are kind"},
        {"role": "user", "content": "say something nice"},
        {"role": "tool", "content": "it rains today", "tool_call_id": "call_1"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "tells the weather"}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"title": "a title here"}}},
    "stop": ["the end"],
}


async def test_what_is_asked_and_answered_is_not_told_in_headers_bodies_or_errors() -> None:
    headers = dict.fromkeys(
        ("Authorization", "api-key", "Cookie", "X-Anything", "baggage", "tracestate", "User-Agent"), f"Bearer {PLANTED}"
    )
    reply = {"choices": [{"message": {"content": "a nice thing"}, "finish_reason": "stop"}], "usage": {}}
    exchange = call("openai", f"/v1/chat/completions?q={PLANTED}", planted(CHAT), headers=headers)
    record = await played(exchange, answer(planted(reply), x_secret=PLANTED, set_cookie=PLANTED))
    assert PLANTED.encode() not in encoded(record)

    exchange = call("openai", "/v1/chat/completions", planted(CHAT), headers=headers)
    refusal = {"error": {"message": f"you said {PLANTED}", "type": "invalid_request_error", "code": None}}
    record = await played(exchange, answer(refusal, 400))
    assert PLANTED.encode() not in encoded(record)

    exchange = call("openai", f"/v1/{PLANTED}/x?{PLANTED}", planted(CHAT), headers=headers)
    assert PLANTED.encode() not in encoded(await played(exchange, ConnectFailed("nobody there")))


@settings(max_examples=60, deadline=None)
@given(
    body=st.recursive(
        st.text(max_size=8) | st.integers() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    text=st.text(st.characters(codec="utf-8"), min_size=12, max_size=40),
)
def test_no_text_of_any_body_is_told_whatever_its_form(body: object, text: str) -> None:
    document = {"messages": [{"role": "user", "content": text}], "extra": [body, text], "input": text, "system": text}

    async def tell() -> bytes:
        return encoded(await played(call("openai", "/v1/chat/completions", document), answer({"text": text})))

    assert text.encode() not in asyncio.run(tell())
