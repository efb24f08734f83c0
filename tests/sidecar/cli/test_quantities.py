"""Times and sizes for people."""

import pytest

from sidecar.cli.quantities import clock, moment, seconds, size


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        (0.0, "0.00ms"),
        (0.00013, "0.13ms"),
        (0.000994, "0.99ms"),
        (0.000996, "1.0ms"),
        (0.0042, "4.2ms"),
        (0.00996, "10ms"),
        (0.132, "132ms"),
        (0.9994, "999ms"),
        (0.9996, "1.00s"),
        (1.2, "1.20s"),
        (9.996, "10.0s"),
        (59.94, "59.9s"),
        (99.96, "1m40s"),
        (125, "2m05s"),
        (3599.6, "1h00m"),
        (11_520, "3h12m"),
        (360_000, "100h00m"),
    ],
)
def test_times_have_three_digits_and_a_unit(value: float | None, told: str) -> None:
    assert seconds(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0kB"),
        (1149, "1.1kB"),
        (9_949, "9.9kB"),
        (9_951, "10kB"),
        (22_800, "23kB"),
        (999_600, "1.0MB"),
        (4_200_000, "4.2MB"),
        (512_000_000, "512MB"),
        (5_000_000_000_000, "5000GB"),
    ],
)
def test_sizes_have_at_most_three_digits_and_a_unit(value: int, told: str) -> None:
    assert size(value) == told


def test_clock_time_is_the_time_here() -> None:
    at_ns = 1_790_000_000_125_000_000
    assert clock(at_ns) == moment(at_ns).strftime("%H:%M:%S") + ".125"
    assert moment(at_ns).utcoffset() is not None
