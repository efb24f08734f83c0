"""Whatever a wire can carry, what it means is told without an exception, and nothing of it gets where it must not."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.dialect import Limit
from sidecar.dialects import load, names
from sidecar.failure import CODE_LIMIT, MESSAGE_LIMIT, MOST_SECONDS, Failure, Kind
from sidecar.headers import Headers
from sidecar.phrasing import phrase_failure
from tests import corpus
from tests.corpus import CapturedAnswer
from tests.sidecar.dialects.test_never_raises import CODINGS, CONTENT_TYPES, SCALARS, calls

WORDS = st.sampled_from(
    [
        *(
            "@type",
            "RecognitionStatus",
            "blockReason",
            "candidates",
            "category",
            "code",
            "content",
            "detail",
            "details",
        ),
        *("err_code", "err_msg", "error", "error_code", "error_message", "errors", "event_type", "finishReason"),
        *(
            "grpcCode",
            "httpCode",
            "innererror",
            "interaction",
            "message",
            "message_type",
            "metadata",
            "object",
            "parts",
        ),
        *("promptFeedback", "quotaId", "quota_limit", "raw_status_code", "reason", "response", "retryDelay"),
        *("retry_after_seconds", "seconds", "status", "statusCode", "status_code", "status_details", "title", "type"),
        *("violations", "x_groq", "failed", "Error", "rate_limit_exceeded", "429", "46s", "per_day"),
    ]
)
JSON = st.recursive(
    SCALARS | WORDS | st.integers(-10, 700),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner),
    max_leaves=16,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=8)
STATUSES = st.sampled_from(
    [0, 99, 200, 201, 204, 299, 304, 400, 401, 402, 404, 422, 429, 499, 500, 503, 529, 599, 1000]
)
NAMES = st.sampled_from(
    [
        *("retry-after", "retry-after-ms", "date", "x-ratelimit-reset", "x-ratelimit-reset-requests"),
        *("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit-tokens-minute"),
        *("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining", "ratelimitbysize-reset"),
        *("current-concurrent-requests", "maximum-concurrent-requests", "x-ratelimitbysize-remaining-minute"),
        *("content-type", "content-encoding", "x-ratelimit-", "x-ratelimit-limit"),
    ]
)
VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30),
    st.from_regex(r"[0-9]{1,40}(\.[0-9]{1,5})?([hms]|ms)?", fullmatch=True),
    st.floats().map(str),
    st.datetimes().map(lambda date: date.isoformat() + "Z"),
    st.datetimes().map(lambda date: date.strftime("%a, %d %b %Y %H:%M:%S GMT")),
    st.sampled_from(["0", "1s", "6m0s", "20ms", "nan", "inf", "-inf", "1e999", "-1", "Fri, 99 Foo 2026", "2026-99-01"]),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=6)

BY_DIALECT: Callable[[Any], Any] = pytest.mark.parametrize("name", names())
THOROUGH = settings(max_examples=80, deadline=None)


def headers_of(fields: list[tuple[str, str]]) -> Headers:
    """Both as pairs and as a block, as they come off a wire."""
    pairs = Headers((name.encode(), value.strip(" \t").encode("latin-1")) for name, value in fields)
    return Headers.from_block(pairs.block) if len(fields) % 2 else pairs


def check(failure: Failure | None) -> None:
    if failure is None:
        return
    assert isinstance(failure.kind, Kind)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*", failure.code)
    assert len(failure.code) <= CODE_LIMIT
    assert len(failure.message) <= MESSAGE_LIMIT
    wait = failure.retry_after_seconds
    assert wait is None or 0 <= wait <= MOST_SECONDS
    until = failure.blocks_until(10.0)
    assert until is None or 10.0 <= until <= 10.0 + MOST_SECONDS
    msgspec.convert(msgspec.to_builtins(failure), Failure)


def everywhere(name: str, status: int, headers: Headers, body: bytes) -> None:
    dialect = load(name)
    for call in calls(name):
        failure = dialect.failure(call, status, headers, body)
        assert (failure is not None) >= (status >= 400)
        check(failure)
        check(dialect.failure_in_event(call, body))
    check_head(name, headers, body)


def check_head(name: str, headers: Headers, body: bytes) -> None:
    wait = load(name).retry_after(headers, body)
    assert wait is None or 0 <= wait <= MOST_SECONDS
    for limit in load(name).limits(headers, 1_790_000_000.0):
        msgspec.convert(msgspec.to_builtins(limit), Limit)
        for value in (limit.limit, limit.remaining, limit.resets_in_seconds):
            assert value is None or value >= 0


@BY_DIALECT
@THOROUGH
@given(status=STATUSES, content_type=CONTENT_TYPES, coding=CODINGS, body=st.binary(max_size=300))
def test_random_bytes(name: str, status: int, content_type: str, coding: str, body: bytes) -> None:
    everywhere(name, status, Headers.of(content_type=content_type, content_encoding=coding), body)


@BY_DIALECT
@THOROUGH
@given(status=STATUSES, document=OBJECTS, cut=st.integers(0, 200))
def test_random_json_whole_and_cut(name: str, status: int, document: dict[str, Any], cut: int) -> None:
    body = msgspec.json.encode(document)
    headers = Headers.of(content_type="application/json")
    everywhere(name, status, headers, body)
    everywhere(name, status, headers, body[:cut])
    everywhere(name, status, headers, body[cut:])


@BY_DIALECT
@THOROUGH
@given(fields=FIELDS, document=OBJECTS)
def test_random_heads(name: str, fields: list[tuple[str, str]], document: dict[str, Any]) -> None:
    body = msgspec.json.encode(document)
    headers = headers_of(fields)
    check_head(name, headers, body)
    for status in (200, 429, 503):
        check(load(name).failure(calls(name)[0], status, headers, body))


@BY_DIALECT
@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(Kind),
    code=st.text(max_size=20),
    status=st.integers(0, 999),
    wait=st.none() | st.floats(0, MOST_SECONDS),
    message=st.text(max_size=60),
)
def test_any_failure_can_be_phrased(
    name: str, kind: Kind, code: str, status: int, wait: float | None, message: str
) -> None:
    failure = Failure(kind=kind, code=code, status=status, retry_after_seconds=wait, message=message)
    phrase = phrase_failure(load(name), failure)
    assert 400 <= phrase.status < 600
    assert isinstance(msgspec.json.decode(phrase.body), dict)
    for field, value in phrase.headers:
        assert re.fullmatch(rb"[\x20-\x7e]+: [\x20-\x7e]+", field + b": " + value)


FAILING = [answer for answer in corpus.answers() if answer.status >= 400]


@pytest.mark.parametrize("answer", FAILING, ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_a_captured_error_cut_anywhere(answer: CapturedAnswer) -> None:
    dialect, case = load(answer.dialect), corpus.case(answer.dialect, answer.case)
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    for cut in range(len(answer.body)):
        for body in (answer.body[:cut], answer.body[cut:]):
            failure = dialect.failure(call, answer.status, answer.headers, body)
            assert failure is not None
            check(failure)


@BY_DIALECT
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"error":' * 100_000,
        b'{"response":' * 100_000,
        b'{"error":{"details":' + b"[" * 100_000,
        b'{"error":{"details":' + b"[" * 1000 + b"]" * 1000 + b"}}",
        b'{"error":{"code":' + b"9" * 10_000 + b"}}",
        b'{"error":{"details":[{"retryDelay":{"seconds":' + b"9" * 400 + b"}}]}}",
        b'{"error":{"details":[{"retryDelay":"' + b"9" * 400 + b's"}]}}',
        b'{"retry_after_seconds":1e999}',
        b'{"error":{"message":"\\ud800"}}',
        b'{"error":{"message":"\xff"}}',
        b'{"error":{"message":"retry after ' + b"9" * 400 + b' seconds"}}',
        b'{"error":{"message":"try again in ' + b"9" * 400 + b'h"}}',
        b'{"error":{"message":"' + b"try again in 1m1" * 20_000 + b'"}}',
        b"\xef\xbb\xbf{}",
        b"\0" * 1000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_bombs(name: str, body: bytes) -> None:
    for status in (200, 429, 500):
        everywhere(name, status, Headers.of(content_type="application/json"), body)
