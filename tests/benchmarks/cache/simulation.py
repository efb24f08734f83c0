"""Rows of the table: a workload, a bound in bytes, and what each rule makes of them."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tests.benchmarks.cache import workloads
from tests.benchmarks.cache.policies import Deep, Infinite, Lru, MiB, Ours, Policy, S3Fifo, Sieve
from tests.benchmarks.cache.workloads import Asked

OURS: Final = "ours"
WITH_DISK: Final = "with disk"
POLICIES: Final[dict[str, Callable[[int], Policy]]] = {
    "LRU": Lru,
    "SIEVE": Sieve,
    "S3-FIFO": S3Fifo,
    OURS: Ours,
    WITH_DISK: Deep,
}
_WARMING_SHARE: Final = 0.25


class Row(NamedTuple):
    """Hits and calls after the first quarter of them, by where repetition is from."""

    name: str
    megabytes: int
    calls: Counter[str]
    bound: Counter[str]
    hits: dict[str, Counter[str]]
    off_disk: float
    """What share of all hits with a disk it gave."""

    @property
    def bound_ratio(self) -> float:
        return self.bound.total() / self.calls.total()

    def share(self, policy: str) -> float:
        """Of the bound."""
        return self.hits[policy].total() / self.bound.total() if self.bound.total() else 1.0


class Target(NamedTuple):
    row: str
    policy: str
    share: float
    """Of the bound, at least."""


#: For every skew: no flattering point is chosen.
TARGETS: Final = tuple(
    Target(f"{count} phrases, {format_name}, alpha {alpha}, 30 % unique", policy, share)
    for policy in (OURS, WITH_DISK)
    for count, format_name, share in (
        ("2,000", "mp3 64 kbit/s", 0.97),
        ("8,000", "mp3 64 kbit/s", 0.92),
        ("8,000", "opus 32 kbit/s", 0.92),
    )
    for alpha in (0.8, 1.0, 1.2)
)


def played(policy: Policy, asked: Iterable[Asked], warming: int, fresh_seconds: float = 0.0) -> Counter[str]:
    """Hits by source after *warming* calls; what is older than *fresh_seconds* is forgotten, if that is not 0."""
    hits: Counter[str] = Counter()
    kept: deque[Asked] = deque()
    for number, each in enumerate(asked):
        while kept and kept[0].at_seconds + fresh_seconds <= each.at_seconds:
            policy.forget(kept.popleft().key)
        if policy.ask(each):
            hits[each.source] += number >= warming
        elif fresh_seconds:
            kept.append(each)
    return hits


def row(name: str, asked: Sequence[Asked], megabytes: int, fresh_seconds: float = 0.0) -> Row:
    warming = int(_WARMING_SHARE * len(asked))
    made = {policy: kind(megabytes * MiB) for policy, kind in POLICIES.items()}
    hits = {name: played(policy, asked, warming, fresh_seconds) for name, policy in made.items()}
    deep = made[WITH_DISK]
    assert isinstance(deep, Deep)
    return Row(
        name,
        megabytes,
        Counter(each.source for each in asked[warming:]),
        played(Infinite(0), asked, warming, fresh_seconds),
        hits,
        deep.hits_on_disk / max(deep.hits_on_disk + deep.hits_in_memory, 1),
    )


def rows(calls: int, seed: int = 1) -> Iterator[Row]:
    """All of them; the trace's only where it is there."""

    def catalogue(count: int, alpha: float, unique: float, format_name: str, megabytes: int = 64) -> Row:
        asked = workloads.phrases(calls, count=count, alpha=alpha, unique=unique, format_name=format_name, seed=seed)
        name = f"{count:,} phrases, {format_name}, alpha {alpha}, {unique:.0%} unique".replace("%", " %")
        return row(name, list(asked), megabytes)

    for count in (2000, 8000):
        for unique in (0.0, 0.3, 0.6):
            for alpha in (0.8, 1.0, 1.2):
                yield catalogue(count, alpha, unique, "mp3 64 kbit/s")
    for alpha in (0.8, 1.0, 1.2):
        yield catalogue(8000, alpha, 0.3, "opus 32 kbit/s")
    for count in (500, 2000):
        yield catalogue(count, 1.0, 0.3, "pcm 24 kHz")
    yield catalogue(8000, 1.0, 0.3, "mp3 64 kbit/s", 16)
    yield catalogue(8000, 1.0, 0.3, "mp3 64 kbit/s", 4)
    yield catalogue(8000, 0.0, 0.3, "mp3 64 kbit/s")
    yield row("no repeats", list(workloads.phrases(calls, count=1, alpha=0.0, unique=1.0, seed=seed)), 64)
    drifting = workloads.phrases(calls, count=8000, alpha=1.0, drift=0.02, seed=seed)
    yield row("8,000 phrases, of every fifty calls one renews one", list(drifting), 64)
    for megabytes in (64, 16):
        shifting = workloads.shifting(calls, count=4000, every=10_000, seed=seed)
        yield row("4,000 phrases, a quarter shifts every 10,000 calls", list(shifting), megabytes)
    scanned = workloads.scanned(calls, count=4000, loop=6000, seed=seed)
    yield row("4,000 phrases, and 6,000 replayed in a loop", list(scanned), 64)
    yield row("4,000 phrases, retries and fan-out", list(workloads.retried(calls, count=4000, seed=seed)), 16)
    if workloads.TRACE.exists():
        for unique in (0.3, 0.6):
            asked = workloads.conversations(calls, count=2000, alpha=1.0, unique=unique, seed=seed)
            name = f"azure conversations, 2,000 questions, {unique:.0%} unique, 5 min".replace("%", " %")
            yield row(name, list(asked), 4, workloads.DECISION_SECONDS)
