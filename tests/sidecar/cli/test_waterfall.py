"""Where the time of a call went, phase by phase and as bars."""

import pytest

from sidecar.cli.waterfall import Phase, bar, before, drawn, phases
from sidecar.journal import AttemptTold
from tests.sidecar.cli.calls import attempt, call


def spans(told: AttemptTold, end: float = 1.2) -> list[tuple[str, float, float, bool]]:
    return [(each.name, round(each.start, 6), round(each.end, 6), each.broke) for each in phases(told, end)]


def test_an_attempt_has_a_phase_for_each_thing_it_waits_for() -> None:
    assert spans(attempt()) == [
        ("connect", 0.001, 0.1, False),
        ("send", 0.1, 0.2, False),
        ("wait", 0.2, 0.6, False),
        ("answer", 0.6, 1.0, False),
    ]


def test_a_connection_that_was_open_takes_no_time() -> None:
    assert [name for name, *_ in spans(attempt(connect_seconds=None))] == ["send", "wait", "answer"]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((0.02, 0.03, 0.049), [("dns", 0.001, 0.021), ("tcp", 0.021, 0.051), ("tls", 0.051, 0.1)]),
        ((0.00001, 0.03, 0.069), [("tcp", 0.001, 0.031), ("tls", 0.031, 0.1)]),
        ((0.02, 0.079, None), [("dns", 0.001, 0.021), ("tcp", 0.021, 0.1)]),
        ((0.0, 0.0, 0.05), [("tcp", 0.001, 0.05), ("tls", 0.05, 0.1)]),
        ((None, None, None), [("connect", 0.001, 0.1)]),
    ],
)
def test_a_connection_is_told_in_its_parts_where_they_are_known(
    parts: tuple[float | None, ...], told: list[tuple[str, float, float]]
) -> None:
    dns, tcp, tls = parts
    found = spans(attempt(dns_seconds=dns, tcp_seconds=tcp, tls_seconds=tls))
    assert [(name, start, end) for name, start, end, _ in found[:-3]] == told
    assert [name for name, *_ in found[-3:]] == ["send", "wait", "answer"]


@pytest.mark.parametrize(
    ("lacking", "last"),
    [
        ({"first_byte_seconds": None}, ("wait", 0.2, 1.0, True)),
        ({"first_byte_seconds": None, "requested_seconds": None}, ("send", 0.1, 1.0, True)),
        (
            {"first_byte_seconds": None, "requested_seconds": None, "connect_seconds": 0.0},
            ("connect", 0.001, 1.0, True),
        ),
        ({}, ("answer", 0.6, 1.0, True)),
        ({"ended_seconds": None}, ("answer", 0.6, 1.2, True)),
    ],
)
def test_an_attempt_that_failed_ends_in_the_phase_it_failed_in(
    lacking: dict[str, float | None], last: tuple[str, float, float, bool]
) -> None:
    found = spans(attempt(error="broken", **lacking))
    assert found[-1] == last
    assert not any(broke for *_, broke in found[:-1])


def test_an_answer_that_begins_before_the_request_is_out_leaves_no_gap_and_no_negative_time() -> None:
    early = spans(attempt(requested_seconds=0.9, first_byte_seconds=0.6))
    assert all(start <= end for _, start, end, _ in early)
    assert [start for _, start, _, _ in early[1:]] == [end for _, _, end, _ in early[:-1]]
    never = spans(attempt(requested_seconds=None))
    assert [(name, start, end) for name, start, end, _ in never[1:]] == [
        ("send", 0.1, 0.6),
        ("wait", 0.6, 0.6),
        ("answer", 0.6, 1.0),
    ]


def test_the_time_before_the_first_attempt_is_our_own() -> None:
    assert before(call()) == Phase("sidecar", 0.0, 0.001)
    assert before(call(attempts=())) == Phase("sidecar", 0.0, 1.0)


@pytest.mark.parametrize(
    ("start", "end", "picture"),
    [
        (0.0, 1.0, "██████████"),
        (0.5, 1.0, "     █████"),
        (0.0, 0.05, "▌"),
        (0.05, 0.1, "▐"),
        (0.0, 0.0, "▌"),
        (0.2, 0.35, "  █▌"),
        (1.0, 1.0, "         ▐"),
        (0.9999, 1.0, "         ▐"),
    ],
)
def test_bars_show_when_and_how_long(start: float, end: float, picture: str) -> None:
    assert bar(Phase("x", start, end), 1.0, 10) == picture


def test_a_call_that_took_no_time_can_be_drawn() -> None:
    assert bar(Phase("x", 0.0, 0.0), 0.0, 10) == "▌"


def test_what_broke_is_marked() -> None:
    assert list(drawn([Phase("wait", 0.5, 1.0, broke=True)], 1.0, 4)) == [("wait", "+500ms", "500ms", "  ██ ✗")]
