"""The injector: how soon it answers an API server that asks 200 times a second, and what a review costs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.admissions import WEBHOOK, large, small, webhook
from tests.benchmarks.agent import Route
from tests.benchmarks.calls import Template
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.figures import P99_SAMPLES, percentile
from tests.benchmarks.generator import Job
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import Unfit
from tests.benchmarks.rig import Rig, get, run_generator
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import table
from tests.benchmarks.targets import Verdict, at_most

SECTION, RATE = "admissions", 200
KEPT, ANEW, CLOSED = "kept", "anew", "closed"
_SMALL, _LARGE = "one container", "ten containers, 10 KB of configuration"
_TITLES = {
    f"{_SMALL}, {KEPT}": "a pod of one container, connections kept",
    f"{_SMALL}, {ANEW}": "a pod of one container, a connection each",
    f"{_LARGE}, {KEPT}": "ten containers and 10 KB of configuration, connections kept",
    f"{_LARGE}, {ANEW}": "ten containers and 10 KB of configuration, a connection each",
    f"{_LARGE}, {CLOSED}": "the same, each configured otherwise, one after another",
}
_BOUND_MS = 50.0


@dataclass(frozen=True)
class _Way:
    name: str
    template: Template
    how: str


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    pods = ((_SMALL, small()), (_LARGE, large()))
    ways = [_Way(f"{name}, {how}", template, how) for name, template in pods for how in (KEPT, ANEW)]
    ways.append(_Way(f"{_LARGE}, {CLOSED}", large(each_its_own=True), CLOSED))
    with rig.joined_by(webhook()):
        for way in ways:  # the first configuration has the plugins imported
            run_generator(_job(rig, way, 0.1, kind="connect", count=4))
        for number, way in rounds(ways, plan.rounds, plan.seed):
            yield _one(rig, way, plan, number)


def _one(rig: Rig, way: _Way, plan: Plan, number: int) -> Row:
    seconds = plan.seconds if way.how != CLOSED else plan.seconds / 4
    job = _job(rig, way, seconds, seed=plan.seed * 1000 + number)
    before = _injected(rig)
    row, outcome = rig.generate(Contestant(WEBHOOK), job, "small")
    if (injected := _injected(rig) - before) != outcome.calls:
        raise Unfit(f"{way.name}: {injected} pods were injected of {outcome.calls}")
    return {
        **row,
        "section": SECTION,
        "variant": SECTION,
        "contestant": way.name,
        "round": number,
        "p50": percentile(outcome.latency_us, 0.5),
        "p99": percentile(outcome.latency_us, 0.99),
        "most": max(outcome.latency_us),
        "samples": len(outcome.latency_us),
        "errors": sum(outcome.errors.values()),
        "dropped": outcome.dropped,
        "cpu_us_per_call": row["cpu_us_under_load"] / max(outcome.calls, 1),
    }


def _job(rig: Rig, way: _Way, seconds: float, **more: Any) -> Job:
    fields: dict[str, Any] = {
        "kind": {KEPT: "open", ANEW: "arrive", CLOSED: "closed"}[way.how],
        "route": Route(rig.ports[WEBHOOK][0], ca_file=rig.around.ca_file),
        "pieces": way.template.pieces,
        "formats": way.template.formats,
        "rate": RATE,
        "seconds": seconds,
        "lines": 1 if way.how == CLOSED else 16,
    }
    return Job(**{**fields, **more})


def _injected(rig: Rig) -> int:
    """How many pods have got a sidecar until now."""
    found = re.search(r'^\S+_reviews_total\{outcome="injected"\} (\d+)$', get(rig.ports[WEBHOOK][1], "/metrics"), re.M)
    if found is None:
        raise Unfit("the webhook does not say how many pods it has injected")
    return int(found[1])


def tables(rows: Sequence[Row]) -> list[str]:
    chosen = Rows(rows, SECTION, SECTION)
    lines = []
    for name, title in _TITLES.items():
        if not chosen.has(name):
            continue
        samples = chosen.total(name, "samples")
        measured = [f"{chosen.median(name, field) / 1000:.2f}" for field in ("p50", "p99", "most")]
        if name.endswith(CLOSED):  # in a closed loop nobody waits in line
            measured[1:] = ["", ""]
        lines.append(
            [
                title,
                *measured,
                f"{chosen.median(name, 'cpu_us_per_call'):,.0f}",
                f"{chosen.median(name, 'busy'):.0%}",
                f"{samples:,.0f}",
            ]
        )
    columns = ("ms", "p50", "p99", "slowest", "CPU us/review", "busy", "reviews")
    notes = [
        f"{RATE} reviews/s (Poisson) by TLS; the last line as fast as it goes. A new connection is waited for, too"
    ]
    return [table(f"reviews of pods by the webhook; medians of {chosen.rounds} rounds", columns, lines, notes)]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    chosen = Rows(rows, SECTION, SECTION)
    found = []
    for name, title in _TITLES.items():
        if name.endswith(CLOSED) or not chosen.has(name):
            continue
        few = chosen.total(name, "samples") < P99_SAMPLES
        found.append(
            at_most(
                f"p99 of {RATE} reviews/s, {title}" + (" (few reviews)" if few else ""),
                chosen.median(name, "p99") / 1000,
                _BOUND_MS,
                " ms",
            )
        )
    return found
