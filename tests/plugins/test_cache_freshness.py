"""How long an answer is given again, and what agent and cache say to each other."""

import pytest
from sidecar_cache.freshness import Controls, Lifetime, Standing, controls_of, hit_lines, standing

from sidecar import Headers

INF = float("inf")
LIFETIME = Lifetime(60.0, while_revalidate_seconds=30.0, on_error_seconds=600.0)


@pytest.mark.parametrize(
    ("value", "controls"),
    [
        ("no-cache", Controls(no_cache=True)),
        ("No-Store, max-age=0", Controls(no_store=True, max_age=0.0)),
        ("max-age=5, min-fresh=3", Controls(max_age=5.0, min_fresh=3.0)),
        ("max-stale", Controls(max_stale=INF)),
        ("max-stale=7", Controls(max_stale=7.0)),
        ('max-age="10"', Controls(max_age=10.0)),
        ("only-if-cached", Controls(only_if_cached=True)),
        ("max-age=soon", Controls(max_age=0.0)),
        ("max-age=-1", Controls(max_age=0.0)),
        ("max-age=99999999999999999999", Controls(max_age=float(1 << 31))),
        ("x-no-cache=1, foo", Controls()),
        (",,; =", Controls()),
    ],
)
def test_what_an_agent_asks_for_is_understood(value: str, controls: Controls) -> None:
    assert controls_of(Headers.of(cache_control=value)) == controls


def test_pragma_counts_where_there_is_nothing_newer() -> None:
    assert controls_of(Headers.of(pragma="no-cache")) == Controls(no_cache=True)
    assert controls_of(Headers.of(pragma="no-cache", cache_control="max-age=3")) == Controls(max_age=3.0)
    assert controls_of(Headers()) == Controls()


@pytest.mark.parametrize(
    ("left", "age", "controls", "expected"),
    [
        (10, 50, Controls(), Standing.FRESH),
        (0, 60, Controls(), Standing.FRESH),
        (-1, 61, Controls(), Standing.STALE),
        (-30, 90, Controls(), Standing.STALE),
        (-31, 91, Controls(), Standing.SPARE),
        (-600, 660, Controls(), Standing.SPARE),
        (-601, 661, Controls(), Standing.USELESS),
        (10, 50, Controls(no_cache=True), Standing.USELESS),
        (10, 50, Controls(max_age=50.0), Standing.FRESH),
        (10, 50, Controls(max_age=49.0), Standing.SPARE),
        (10, 50, Controls(min_fresh=10.0), Standing.FRESH),
        (10, 50, Controls(min_fresh=11.0), Standing.SPARE),
        (-5, 65, Controls(max_stale=5.0), Standing.FRESH),
        (-5, 65, Controls(max_stale=4.0), Standing.SPARE),
        (-9999, 10059, Controls(max_stale=INF), Standing.FRESH),
        (-5, 65, Controls(min_fresh=1.0), Standing.SPARE),
    ],
)
def test_what_may_be_done_with_an_answer(left: float, age: float, controls: Controls, expected: Standing) -> None:
    assert standing(left, age, LIFETIME, controls) is expected


def test_what_was_stored_together_does_not_expire_together() -> None:
    drawn = {Lifetime(100.0, jitter=0.1).drawn_seconds() for _ in range(200)}
    assert 90.0 <= min(drawn) < 94.0
    assert 106.0 < max(drawn) <= 110.0
    assert Lifetime(100.0, jitter=0.0).drawn_seconds() == 100.0
    assert LIFETIME.stale_seconds == 600.0


def test_the_words_of_the_standards_are_used() -> None:
    assert hit_lines(3.9, 56.2) == b"Age: 3\r\nCache-Status: agent-sidecar; hit; ttl=56\r\n"
    assert hit_lines(70.0, -10.0, "stale") == b"Age: 70\r\nCache-Status: agent-sidecar; hit; ttl=-10; detail=stale\r\n"
    assert hit_lines(-1.0, 60.0).startswith(b"Age: 0\r\n"), "clocks may be set back"
