"""The rule by which memory keeps answers is above the others, on a small version of what agents ask for."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sidecar_cache.codec import Codec
from sidecar_cache.index import Index
from sidecar_cache.rows import Rows
from sidecar_cache.writing import row_of

from tests.benchmarks.cache import workloads
from tests.benchmarks.cache.policies import Lru, MiB, Sieve, SimulatedDisk
from tests.benchmarks.cache.reading import Case, measured, miss
from tests.benchmarks.cache.simulation import OURS, WITH_DISK, Row, row
from tests.benchmarks.cache.workloads import Asked, arrivals, conversations, phrases, retried, scanned, shifting
from tests.plugins.kept_entries import speech

CALLS = 12_000


@pytest.mark.parametrize("alpha", [0.8, 1.0, 1.2])
@pytest.mark.parametrize("unique", [0.0, 0.3, 0.6])
def test_more_is_answered_than_by_lru_and_sieve_at_equal_bytes(alpha: float, unique: float) -> None:
    simulated = row("", list(phrases(CALLS, count=1000, alpha=alpha, unique=unique)), 8)
    assert simulated.bound_ratio > 0.25
    assert simulated.share("ours") > simulated.share("LRU")
    assert simulated.share("ours") > simulated.share("SIEVE")


WORKLOADS: dict[str, Callable[[], Iterator[Asked]]] = {
    "shifting": lambda: shifting(CALLS, count=1000, every=3000),
    "scanned": lambda: scanned(CALLS, count=1000, loop=1500),
    "retried": lambda: retried(CALLS, count=1000),
    "drifting": lambda: phrases(CALLS, count=1000, alpha=1.0, drift=0.02),
}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_so_it_is_when_popularity_changes_when_much_passes_by_and_when_calls_are_retried(kind: str) -> None:
    simulated = row("", list(WORKLOADS[kind]()), 8)
    assert simulated.share("ours") > max(simulated.share("LRU"), simulated.share("SIEVE"))


def test_what_fits_is_nearly_all_answered_though_a_third_never_repeats() -> None:
    simulated = row("", list(phrases(3 * CALLS, count=500, alpha=1.0, unique=0.3)), 16)
    assert simulated.share("ours") >= 0.97


def test_where_nothing_repeats_nothing_is_answered() -> None:
    simulated = row("", list(phrases(2000, count=1, alpha=0.0, unique=1.0)), 8)
    assert (simulated.bound_ratio, simulated.hits["ours"].total()) == (0.0, 0)


def test_hits_are_told_by_where_the_repetition_is_from() -> None:
    simulated = row("", list(retried(4000, count=200)), 64)
    assert simulated.hits["ours"]["fan-out"] == simulated.calls["fan-out"] > 0
    assert simulated.hits["ours"]["retry"] == simulated.calls["retry"] > 0
    assert "unique" not in +simulated.hits["ours"]


def test_the_arrivals_of_a_real_service_are_played_as_they_came(skip_or_fail: Callable[[str], None]) -> None:
    if not workloads.TRACE.exists():
        pytest.skip(f"there is no {workloads.TRACE.name} beside the repository")
    assert len(arrivals()) == 19_366
    asked = list(conversations(CALLS, count=2000, alpha=1.0, unique=0.3))
    assert asked[-1].at_seconds > 1000
    simulated = row("", asked, 2, workloads.DECISION_SECONDS)
    assert simulated.share("ours") > max(simulated.share("LRU"), simulated.share("SIEVE"))


def test_the_rules_it_is_held_against_are_what_they_say() -> None:
    large = 300 * 1024

    def left(policy: Lru | Sieve, keys: str) -> str:
        return "".join(key for key in keys if ord(key) in policy._held)

    lru, sieve = Lru(1024 * 1024), Sieve(1024 * 1024)
    for policy in (lru, sieve):
        for key in "abc":
            policy.ask(Asked("phrase", ord(key), large))
        policy.ask(Asked("phrase", ord("a"), large))
        policy.ask(Asked("phrase", ord("d"), large))
    assert left(lru, "abcd") == "acd"
    assert left(sieve, "abcd") == "acd"
    for policy in (lru, sieve):
        policy.ask(Asked("phrase", ord("e"), large))
    assert left(lru, "abcde") == "ade"
    assert left(sieve, "abcde") == "ade"  # the hand stood behind b and goes on to c


def test_a_disk_gives_what_memory_has_no_room_for() -> None:
    simulated = row("", list(phrases(3 * CALLS, count=2000, alpha=0.8)), 4)
    assert simulated.share(OURS) < 0.6
    assert simulated.share(WITH_DISK) > 0.99
    assert 0.3 < simulated.off_disk < 0.9


def test_the_simulated_disk_is_as_the_one_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, chance, codec = 0.0, random.Random(1), Codec()
    monkeypatch.setattr("sidecar_cache.rows.now", lambda: now)
    served, simulated = Rows(tmp_path, 32 * MiB, Index()), SimulatedDisk(32 * MiB)
    served.open()
    asked = list(phrases(3000, count=1000, alpha=0.8, unique=0.3))
    calls: Counter[str] = Counter()
    for each in asked:
        now += 60.0
        key = f"{each.key & (1 << 128) - 1:032x}"
        if key in simulated.held:
            calls[key] += 1
            simulated.rank(key, calls[key], now)
            with served.batch():
                served.rank([(key, calls[key])])
        else:
            calls[key] = 0
            simulated.keep(key, each.size_bytes, 0.0, now)
            with served.batch():
                served.keep(row_of(codec, key, speech(each.size_bytes, chance), 0.0))
    there = {summary.key for summary in served.summaries()}
    served.close()
    assert len(there) == pytest.approx(len(simulated.held), rel=0.04)
    assert len(there & simulated.held.keys()) > 0.95 * len(there)
    assert 0.9 < sum(each.size_bytes for each in simulated.held.values()) / (28 * MiB) < 1.0


def test_what_a_hit_on_the_disk_takes_can_be_measured(tmp_path: Path) -> None:
    found = asyncio.run(measured(Case(20_000, sealed=True, cold=True, writing=True), 0.3, tmp_path))
    assert 30 < len(found.waited_seconds) + found.missed < 200
    assert 0.0 < found.quantile(0.5) <= found.quantile(0.99) <= found.quantile(1.0)
    assert 0.0 < miss(1000) < 1e-3


def test_rows_add_up() -> None:
    simulated: Row = row("", list(scanned(8000, count=300, loop=500)), 8)
    for hits in (simulated.bound, *simulated.hits.values()):
        assert all(hits[source] <= simulated.calls[source] for source in hits)
    assert all(hits.total() <= simulated.bound.total() for hits in simulated.hits.values())
