"""Header fields keep what they were on the wire, and are found whatever their case."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.headers import Headers, Template

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


names = st.sampled_from([b"Accept", b"accept", b"X-A", b"x-a", b"X-AB", b"Traceparent", b"traceparent", b"Host"])
values = st.text("ab:-\t é", max_size=5).map(lambda text: text.strip().encode("latin-1"))
blocks = st.lists(st.tuples(names, st.sampled_from([b":", b": ", b":  "]), values), max_size=6)


@given(blocks, st.lists(st.sampled_from(["accept", "X-A", "traceparent", "x-", "b"]), max_size=3))
def test_taking_fields_out_of_a_block_is_taking_them_out_of_the_fields(
    lines: list[tuple[bytes, bytes, bytes]], unwanted: list[str]
) -> None:
    block = b"".join(b"%b%b%b\r\n" % line for line in lines)
    rest = Headers.from_block(block).without(*unwanted)
    assert rest.fields == of_fields(block).without(*unwanted).fields
    kept = [b"%b%b%b\r\n" % line for line in lines if line[0].lower().decode() not in map(str.lower, unwanted)]
    assert rest.block == b"".join(kept), "what stays is as it stood on the wire"


@given(blocks)
def test_lines_are_found_by_name(lines: list[tuple[bytes, bytes, bytes]]) -> None:
    wanted = (b"x-a", b"host")
    block = b"".join(b"%b%b%b\r\n" % line for line in lines)
    found = [b"%b%b%b\r\n" % line for name in wanted for line in lines if line[0].lower() == name]
    assert Headers.from_block(block).lines(*wanted) == b"".join(found)


def test_heads_without_the_same_fields_share_what_is_remembered_of_them() -> None:
    template = Template()
    one, other = Headers.from_block(BLOCK), Headers.from_block(BLOCK.replace(b"Host: a", b"Host: b"))
    one.template = other.template = template
    rest = one.without("host")
    assert rest.template is other.without("host").template is not None
    assert rest.template is not one.without("cafe").template
    assert one.without("nothing") is one


def test_what_is_remembered_of_a_trace_is_of_no_use_where_its_place_moves() -> None:
    headers = Headers.from_block(BLOCK)
    headers.template = Template(slice(0, 55))
    assert headers.without("host").template is None
    assert headers.without("host", "traceparent").template is not None
