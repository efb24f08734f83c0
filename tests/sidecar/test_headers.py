"""Header fields keep what they were on the wire, and are found whatever their case."""

from collections.abc import Callable

import pytest

from sidecar.headers import Headers

BLOCK = b"Host: a\r\nX-Tag: 1\r\nx-tag:2\r\nEmpty:\r\nCafe: caf\xe9 \r\n"
FIELDS = ((b"Host", b"a"), (b"X-Tag", b"1"), (b"x-tag", b"2"), (b"Empty", b""), (b"Cafe", b"caf\xe9"))


def of_fields(block: bytes) -> Headers:
    return Headers(Headers.from_block(block).fields)


BOTH_FORMS = pytest.mark.parametrize("form", [Headers.from_block, of_fields], ids=["block", "fields"])


@pytest.fixture(params=[Headers.from_block, of_fields], ids=["block", "fields"])
def headers(request: pytest.FixtureRequest) -> Headers:
    made: Headers = request.param(BLOCK)
    return made


def test_a_block_falls_into_fields_in_order_and_case(headers: Headers) -> None:
    assert headers.fields == FIELDS
    assert tuple(headers) == FIELDS
    assert len(headers) == 5


def test_fields_make_the_block_that_goes_on_the_wire() -> None:
    assert Headers(FIELDS[:2]).block == b"Host: a\r\nX-Tag: 1\r\n"
    assert Headers().block == b""


@pytest.mark.parametrize(
    ("name", "value"), [("host", "a"), ("X-TAG", "1"), ("empty", ""), ("cafe", "café"), ("no", None)]
)
def test_the_first_value_is_found_whatever_the_case(headers: Headers, name: str, value: str | None) -> None:
    assert headers.get(name) == value
    assert (name in headers) == (value is not None)


def test_all_values_are_found(headers: Headers) -> None:
    assert headers.get_all("x-TAG") == ("1", "2")
    assert headers.get_all("no") == ()


def test_words_with_underscores_stand_for_names() -> None:
    assert Headers.of(content_type="text/plain").fields == ((b"content-type", b"text/plain"),)


def test_a_value_is_replaced_in_its_place_and_its_repetitions_go(headers: Headers) -> None:
    changed = headers.with_field("X-TAG", "3")
    assert changed.fields == ((b"Host", b"a"), (b"X-Tag", b"3"), *FIELDS[3:])
    assert headers.fields == FIELDS


def test_a_new_value_comes_last(headers: Headers) -> None:
    assert headers.with_field("New", "n").fields == (*FIELDS, (b"New", b"n"))
    assert headers.adding("x-tag", "3").get_all("X-Tag") == ("1", "2", "3")


def test_fields_are_left_out_whatever_their_case(headers: Headers) -> None:
    assert headers.without("x-TAG", "host", "no").fields == FIELDS[3:]


@pytest.mark.parametrize(
    ("block", "passed_on"),
    [
        (b"A: 1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n", b"A: 1\r\n"),
        (b"Connection: close, X-Hop\r\nx-hop: 1\r\nB: 2\r\n", b"B: 2\r\n"),
        (b"Connection: a\r\nConnection: b\r\nA: 1\r\nB: 2\r\nC: 3\r\n", b"C: 3\r\n"),
        (b"TE: trailers\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nC: 3\r\n", b"C: 3\r\n"),
        (b"Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nC: 3\r\n", b"C: 3\r\n"),
        (b"X-Connection: close\r\nTea: 1\r\n", b"X-Connection: close\r\nTea: 1\r\n"),
        (b"", b""),
    ],
)
@BOTH_FORMS
def test_what_belongs_to_one_connection_is_not_passed_on(
    form: Callable[[bytes], Headers], block: bytes, passed_on: bytes
) -> None:
    passing = form(block).end_to_end()
    assert (passing.block, passing.end_to_end().block) == (passed_on, passed_on)


def test_headers_are_equal_by_their_fields(headers: Headers) -> None:
    assert headers == Headers(FIELDS)
    assert hash(headers) == hash(Headers(FIELDS))
    assert headers != Headers(FIELDS[1:])
    assert headers != FIELDS


def test_values_are_not_shown() -> None:
    assert repr(Headers.of(authorization="Bearer s3cret")) == "Headers(authorization)"
