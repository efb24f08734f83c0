"""Small chat calls at a fixed rate, whether they are answered or not: the time that a proxy adds."""

from collections.abc import Iterator, Sequence

from tests.benchmarks import calls
from tests.benchmarks.contestants import BARE, DEFAULT, DIRECT, HIT, NGINX
from tests.benchmarks.figures import P99_SAMPLES, median, percentile, void
from tests.benchmarks.generator import Job, Outcome
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows, label
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import table
from tests.benchmarks.targets import Verdict, at_most

SECTION = "latency"
RATES = (100, 300)
_WARM_UP_SECONDS = 0.5
#: A run during which the generator was late itself is repeated.
TRIES = 2
#: Lateness below this does not make a run void: see `figures.void`.
_RESOLVABLE_US = 100.0


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    runs = [(contestant, rate) for contestant in rig.contestants for rate in RATES]
    for number, (contestant, rate) in rounds(runs, plan.rounds, plan.seed):
        _, prefix = rig.address(contestant.name, "small")
        template = calls.chat(prefix, new_bodies=2 if contestant.name == DEFAULT else None)
        seconds = plan.seconds if rate == 100 else plan.seconds * 0.8
        job = Job(
            kind="open",
            route=rig.route(contestant.name, "small"),
            pieces=template.pieces,
            formats=template.formats,
            rate=rate,
            seconds=seconds,
            warm_up_seconds=_WARM_UP_SECONDS,
            seed=plan.seed * 1000 + number,  # the same for all contestants of a round
        )
        for _ in range(TRIES):
            row, outcome = rig.generate(contestant, job, "small")
            row |= {"section": SECTION, "variant": f"{rate}/s", "contestant": contestant.name, "round": number}
            row |= _told(outcome)
            row["cpu_us_per_call"] = row["cpu_us"] / max(outcome.calls, 1)
            if not row["void"]:
                break
        yield row


def _told(outcome: Outcome) -> Row:
    """*outcome* as fields of a row; times in microseconds."""
    samples = outcome.latency_us or [float("nan")]
    lateness = outcome.lateness_us or [0.0]
    return {
        "p50": percentile(samples, 0.5),
        "p99": percentile(samples, 0.99),
        "samples": len(outcome.latency_us),
        "lateness_p99": percentile(lateness, 0.99),
        "late": outcome.late,
        "dropped": outcome.dropped,
        "errors": sum(outcome.errors.values()),
        "reasons": outcome.errors,
        "void": void(lateness, percentile(samples, 0.5), resolvable=_RESOLVABLE_US),
        "latency_us": outcome.latency_us,
    }


def tables(rows: Sequence[Row]) -> list[str]:
    found = []
    for rate in RATES:
        chosen = Rows(rows, SECTION, f"{rate}/s")
        lines = []
        for name in chosen.contestants:
            proxied = name != DIRECT
            enough = chosen.total(name, "samples") >= P99_SAMPLES
            lines.append(
                [
                    label(name),
                    f"{chosen.median(name, 'p50'):.0f}",
                    f"{chosen.median(name, 'p99'):.0f}" if enough else "few",
                    f"{added(chosen, name, 'p50'):.0f}" if proxied else "",
                    f"{added(chosen, name, 'p99'):.0f}" if proxied and enough else "",
                    f"{added(chosen, name, 'p50') / added(chosen, NGINX, 'p50'):.2f}x"
                    if proxied and chosen.has(NGINX, DIRECT)
                    else "",
                    f"{chosen.median(name, 'cpu_us_per_call'):.0f}" if proxied else "",
                    f"{chosen.total(name, 'samples'):.0f}",
                    f"{chosen.median(name, 'lateness_p99'):.0f}",
                ]
            )
        columns = ("us", "p50", "p99", "added p50", "added p99", "x nginx", "CPU/call", "calls", "generator late p99")
        few = any("few" in line for line in lines)
        notes = [f"few: a 99th percentile wants {P99_SAMPLES} calls"] if few else []
        heading = f"small chat call, open loop, {rate} calls/s; medians of {chosen.rounds} rounds"
        found.append(table(heading, columns, lines, notes))
    return found


def added(rows: Rows, contestant: str, field: str) -> float:
    """What *contestant* adds to direct, the median over rounds; NaN if there is no direct."""
    differences = rows.differences(contestant, DIRECT, field)
    return median(differences) if differences else float("nan")


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    found = []
    for rate in RATES:
        chosen = Rows(rows, SECTION, f"{rate}/s")
        for name in (BARE, DEFAULT, HIT):
            if not chosen.has(name, DIRECT):
                continue
            what = f"{label(name)} at {rate}/s"
            own = added(chosen, name, "p50")
            if chosen.has(NGINX):
                peer = added(chosen, NGINX, "p50")
                detail = f"{own:.0f} us to {peer:.0f} us"
                found.append(at_most(f"p50 added by {what}, to nginx's", own / max(peer, 1.0), 2.5, "x", detail))
            if chosen.total(name, "samples") >= P99_SAMPLES:
                milliseconds = added(chosen, name, "p99") / 1000
                found.append(at_most(f"p99 of {what}, above direct", milliseconds, 3.0, " ms"))
    return found
