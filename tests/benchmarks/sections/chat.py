"""Small chat calls as fast as they are answered: calls per second on one CPU, and CPU time per call."""

from collections.abc import Iterator, Sequence

from tests.benchmarks import calls
from tests.benchmarks.contestants import BARE, DEFAULT, DIRECT, HIT, MINIMAL, NGINX, Contestant
from tests.benchmarks.figures import median
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows, label
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import once, spread, table, times
from tests.benchmarks.targets import Verdict, at_least, holds

SECTION = "chat"
#: Agents send the same head with each call, unless they are traced themselves.
SAME, TRACED = "same head", "new traceparent"
_TITLES = {
    SAME: "small chat call, closed loop, the same head each time",
    TRACED: "small chat call, closed loop, a new traceparent with each call",
}
_TARGETS = ((BARE, 2.5, "without plugins"), (DEFAULT, 1.2, "default plugins, every call traced"), (HIT, 3.0, "hits"))


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    scripts = {}
    for contestant in rig.contestants:
        _, prefix = rig.address(contestant.name, "small")
        for variant in (SAME, TRACED):
            new_bodies = 1 if contestant.name == DEFAULT else None
            template = calls.chat(prefix, new_bodies=new_bodies, new_traces=variant == TRACED)
            scripts[contestant.name, variant] = rig.script(template)
    runs = [(contestant, variant) for contestant in rig.contestants for variant in (SAME, TRACED)]
    for number, (contestant, variant) in rounds(runs, plan.rounds, plan.seed):
        row = rig.load(contestant, scripts[contestant.name, variant], "small", plan.seconds)
        yield completed(row, SECTION, variant, contestant, number)


def completed(row: Row, section: str, variant: str, contestant: Contestant, number: int) -> Row:
    """*row* of `Rig.load` with what it was, and what follows from it.

    ``rate`` counts the time, too, for which the proxy was busy with the calls after they were answered: exporting
    their spans. ``cpu_us_per_call`` counts calls that were under way when the load ended.
    """
    after_seconds = (row["cpu_us"] - row["cpu_us_under_load"]) / 1e6
    served = row["calls"] * max(1.0, row["asked_per_call"])
    return {
        "section": section,
        "variant": variant,
        "contestant": contestant.name,
        "round": number,
        **row,
        "rate": row["calls"] / (row["seconds"] + after_seconds),
        "cpu_us_per_call": row["cpu_us"] / max(served, 1),
    }


COLUMNS = ("", "calls/s", "worst-best", "x minimal", "x nginx", "CPU us/call", "CPU x minimal", "busy")


def rate_lines(rows: Rows) -> list[list[str]]:
    """The lines below `COLUMNS`."""
    lines = []
    for name in rows.contestants:
        proxied = name != DIRECT
        lines.append(
            [
                label(name),
                f"{rows.median(name, 'rate'):,.0f}",
                spread(list(rows.values(name, "rate").values())),
                times(rows.ratios(name, MINIMAL, "rate")),
                once(rows.ratios(name, NGINX, "rate")),
                f"{rows.median(name, 'cpu_us_per_call'):.0f}" if proxied else "",
                once(rows.ratios(MINIMAL, name, "cpu_us_per_call")) if proxied else "",
                f"{rows.median(name, 'busy'):.0%}" if proxied else "",
            ]
        )
    return lines


def tables(rows: Sequence[Row]) -> list[str]:
    found = []
    for variant, title in _TITLES.items():
        chosen = Rows(rows, SECTION, variant)
        lines = [
            [
                *line,
                f"{chosen.median(name, 'asked_per_call'):.2f}",
                f"{chosen.median(name, 'traced_per_call'):.2f}" if name in (DEFAULT, HIT) else "",
            ]
            for name, line in zip(chosen.contestants, rate_lines(chosen), strict=True)
        ]
        notes = [
            "CPU x minimal: how many times less CPU time than the minimal proxy. busy: how much of its CPU it used; if",
            "below 90 %, load or other processes were the limit. asked, traced: requests that the provider saw and",
            "traces that the collector got, per call",
        ]
        heading = f"{title}; medians of {chosen.rounds} rounds"
        found.append(table(heading, (*COLUMNS, "asked", "traced"), lines, notes))
    return found


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    found = []
    for variant in _TITLES:
        chosen = Rows(rows, SECTION, variant)
        for name, bound, what in _TARGETS:
            if ratios := chosen.ratios(name, MINIMAL, "rate"):
                cpu = times(chosen.ratios(MINIMAL, name, "cpu_us_per_call"))
                claim = f"throughput {what} ({variant}), to the minimal proxy's"
                found.append(at_least(claim, median(ratios), bound, "x", f"by CPU time {cpu}"))
        found += _honest(chosen, variant)
    return found


def _honest(rows: Rows, variant: str) -> list[Verdict]:
    """That hits were hits, misses misses, and calls exported."""
    found = []
    if rows.has(HIT):
        asked = rows.median(HIT, "asked_per_call")
        found.append(
            holds(f"hits do not reach the provider ({variant})", f"{asked:.2f} per call", reached=asked < 0.01)
        )
    if rows.has(DEFAULT):
        asked, traced = rows.median(DEFAULT, "asked_per_call"), rows.median(DEFAULT, "traced_per_call")
        told = f"{traced:.3f} traces and {asked:.2f} questions to the provider per call"
        claim = f"default plugins: each call is a miss and is exported ({variant})"
        found.append(holds(claim, told, reached=asked > 0.99 and traced > 0.999))
    return found
