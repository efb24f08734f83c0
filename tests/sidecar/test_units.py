"""Durations and sizes are read as people write them, and written as they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.units import LARGEST_BYTES, LONGEST_SECONDS, Duration, Size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("250us", 0.00025),
        ("300ms", 0.3),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1m30s", 90.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert Duration(text) == seconds
    assert Duration(str(Duration(text))) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0B", 0),
        ("512B", 512),
        ("64KiB", 65536),
        ("1.5KiB", 1536),
        ("8MiB", 8 << 20),
        ("2GiB", 2 << 30),
        ("1GB", 10**9),
    ],
)
def test_a_size_is_bytes(text: str, count: int) -> None:
    assert Size(text) == count
    assert Size(str(Size(text))) == count


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("5", ("has no unit", "write 5s if seconds are meant, 5ms if milliseconds")),
        ("5sec", ("is not a duration", "write 5s")),
        ("5 S", ("is not a duration", "write 5s")),
        ("3 min", ("is not a duration", "write 3m")),
        ("-1s", ("is not a duration", "")),
        ("1e3s", ("is not a duration", "")),
        ("s", ("is not a duration", "")),
        ("", ("is not a duration", "")),
        ("\u0665s", ("is not a duration", "")),
        ("99999d", ("is out of range", "write at most 36500d")),
    ],
)
def test_what_is_no_duration_is_refused_with_what_to_do(text: str, reasons: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 — what it says is compared whole
        Duration(text)
    assert raised.value.args == reasons


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("64", ("has no unit", "write 64B if bytes are meant, 64MiB if mebibytes")),
        ("64Mi", ("is not a size", "write 64MiB")),
        ("64mb", ("is not a size", "write 64MB")),
        ("10 KB", ("is not a size", "write 10kB")),
        ("1TB", ("is not a size", "")),
        ("0.3B", ("is not a whole number of bytes",)),
        ("9999999GiB", ("is out of range", "write at most 1048576GiB")),
    ],
)
def test_what_is_no_size_is_refused_with_what_to_do(text: str, reasons: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 — what it says is compared whole
        Size(text)
    assert raised.value.args == reasons


def test_numbers_out_of_range_are_refused() -> None:
    for seconds in (-1.0, float("inf"), float("nan"), LONGEST_SECONDS * 2):
        with pytest.raises(ValueError, match="out of range"):
            Duration(seconds)
    for count in (-1, LARGEST_BYTES + 1):
        with pytest.raises(ValueError, match="out of range"):
            Size(count)


@given(st.just(0.0) | st.floats(min_value=1e-9, max_value=LONGEST_SECONDS))
def test_every_duration_reads_back_as_written(seconds: float) -> None:
    assert Duration(str(Duration(seconds))) == seconds


@given(st.integers(min_value=0, max_value=LARGEST_BYTES))
def test_every_size_reads_back_as_written(count: int) -> None:
    assert Size(str(Size(count))) == count


@given(st.text())
def test_no_text_makes_them_raise_anything_but_value_errors(text: str) -> None:
    for kind in (Duration, Size):
        assert 1 <= len(reasons(kind, text)) <= 2


def reasons(kind: type[Duration] | type[Size], text: str) -> tuple[object, ...]:
    try:
        return (kind(text),)
    except ValueError as error:
        return error.args
