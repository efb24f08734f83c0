"""The command: ``python -m tests.benchmarks.cache [CALLS]``. Exit code 1 if a target is missed."""

import sys

from tests.benchmarks.cache import reading, workloads
from tests.benchmarks.cache.policies import DISK_BYTES, MiB
from tests.benchmarks.cache.simulation import OURS, POLICIES, TARGETS, WITH_DISK, Row, rows

_SOURCES = ("phrase", "retry", "fan-out", "replay", "unique")


def main() -> int:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 80_000
    print(f"{calls:,} calls each, the first quarter of them not counted. Hit ratios: of all calls, and of the bound,")
    print("which is what a cache without end would have answered. Every entry counts with all that keeping it takes.")
    print(
        f"{WITH_DISK}: ours, and {DISK_BYTES // MiB} MB on a disk behind it; off disk: the share of all hits it gave.\n"
    )
    print(f"{'':66} {'MB':>3} {'bound':>7}", *(f"{policy:>15}" for policy in POLICIES), " off disk  ours, by source")
    found: dict[str, Row] = {}
    for row in rows(calls):
        found.setdefault(row.name, row)
        print(line(row), flush=True)
    if not workloads.TRACE.exists():
        print(f"\nskipped: the arrivals of Azure's trace: there is no {workloads.TRACE.name} beside the repository")
    print()
    missed = 0
    for target in TARGETS:
        share = found[target.row].share(target.policy)
        missed += share < target.share
        reached = "reached" if share >= target.share else "MISSED"
        print(f"{reached:8}{target.policy:11}  {target.row}: {share:.1%} of {target.share:.0%}")
    print()
    missed += reading.printed()
    return min(missed, 1)


def line(row: Row) -> str:
    total = row.calls.total()
    shares = {policy: f"{row.share(policy):7.1%}" if row.bound.total() else f"{'-':>7}" for policy in POLICIES}
    ratios = (f"{row.hits[policy].total() / total:7.1%} {share}" for policy, share in shares.items())
    sources = (
        f"{source} {row.hits[OURS][source] / row.calls[source]:.0%} of {row.calls[source] / total:.0%}"
        for source in _SOURCES
        if row.calls[source]
    )
    shown = " ".join(ratios)
    return f"{row.name:66} {row.megabytes:3} {row.bound_ratio:7.1%} {shown} {row.off_disk:9.1%}   {', '.join(sources)}"


if __name__ == "__main__":
    sys.exit(main())
