"""Which trace a call belongs to: W3C Trace Context, strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.headers import Headers
from sidecar.traceparent import TraceParent, read_traceparent, trace_id
from tests.making import exchange

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
hexadecimal = st.text("0123456789abcdef")


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", True),
        (f"fe-{TRACE}-{SPAN}-01-", True),
    ],
)
def test_a_valid_header_is_read(value: str, sampled: bool) -> None:
    assert read_traceparent(value) == TraceParent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"01-{TRACE}-{SPAN}-01.more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN.upper()}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}",
        f"0-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)
def test_anything_else_is_none_and_the_trace_begins_here(value: str | None) -> None:
    assert read_traceparent(value) is None


@given(st.text(max_size=80) | st.tuples(hexadecimal, hexadecimal, hexadecimal, hexadecimal).map("-".join))
def test_nothing_makes_it_raise_and_what_it_takes_it_can_write(value: str) -> None:
    parent = read_traceparent(value)
    if parent is not None:
        assert read_traceparent(str(parent)) == parent


@given(
    st.integers(1, (1 << 128) - 1).map("{:032x}".format),
    st.integers(1, (1 << 64) - 1).map("{:016x}".format),
    st.booleans(),
)
def test_what_is_written_is_read_again(trace: str, span: str, sampled: bool) -> None:
    parent = TraceParent(trace, span, sampled)
    assert str(parent) == f"00-{trace}-{span}-{'01' if sampled else '00'}"
    assert read_traceparent(str(parent)) == parent


def test_a_call_belongs_to_the_agents_trace_or_to_one_of_its_own() -> None:
    with_trace = exchange(headers=Headers.of(traceparent=f"00-{TRACE}-{SPAN}-01"))
    assert trace_id(with_trace) == TRACE
    assert trace_id(exchange(id="a" * 32)) == "a" * 32
    assert trace_id(exchange(id="b" * 32, headers=Headers.of(traceparent="nonsense"))) == "b" * 32
