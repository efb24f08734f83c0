"""Streams of events, 40 new ones a second: how long the first event takes, and how long each is on its way."""

from collections.abc import Iterator, Sequence

from tests.benchmarks import calls
from tests.benchmarks.contestants import BARE, DEFAULT, DIRECT, HIT, MINIMAL, Contestant
from tests.benchmarks.figures import P99_SAMPLES, median, percentile, void
from tests.benchmarks.generator import Job
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows, label
from tests.benchmarks.schedule import rounds
from tests.benchmarks.sections.latency import TRIES, added
from tests.benchmarks.tables import once, table
from tests.benchmarks.targets import Verdict, at_most

SECTION, PLAIN = "streams", "plain"
RATE = 40
_WARM_UP_SECONDS = 0.7
#: The generator reads 2000 events a second as well; being late by less does not make a run void.
_RESOLVABLE_US = 500.0
#: Two runs of the same proxy differ by as much.
_NOISE = 1.05


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    taking_part = [contestant for contestant in rig.contestants if contestant.name != HIT]
    for number, contestant in rounds(taking_part, plan.rounds, plan.seed):
        yield one(rig, contestant, "media", plan, SECTION, PLAIN, number)


def one(rig: Rig, contestant: Contestant, origin: str, plan: Plan, section: str, variant: str, number: int) -> Row:
    """One contestant's streams in one round."""
    _, prefix = rig.address(contestant.name, origin)
    template = calls.stream(prefix, new_bodies=3 if contestant.name == DEFAULT else None)
    job = Job(
        kind="open",
        route=rig.route(contestant.name, origin),
        pieces=template.pieces,
        formats=template.formats,
        rate=RATE,
        seconds=plan.seconds,
        warm_up_seconds=_WARM_UP_SECONDS,
        lines=80,
        seed=plan.seed * 1000 + number,
    )
    for _ in range(TRIES):
        row, outcome = rig.generate(contestant, job, origin)
        first, delays = outcome.first_us or [float("nan")], outcome.delay_us or [float("nan")]
        lateness = outcome.lateness_us or [0.0]
        row |= {
            "section": section,
            "variant": variant,
            "contestant": contestant.name,
            "round": number,
            "first_p50": percentile(first, 0.5),
            "first_p99": percentile(first, 0.99),
            "delay_p50": percentile(delays, 0.5),
            "delay_p99": percentile(delays, 0.99),
            "events": len(outcome.delay_us),
            "samples": len(outcome.first_us),
            "cpu_us_per_call": row["cpu_us"] / max(outcome.calls, 1),
            "lateness_p99": percentile(lateness, 0.99),
            "late": outcome.late,
            "dropped": outcome.dropped,
            "errors": sum(outcome.errors.values()),
            "reasons": outcome.errors,
            "void": void(lateness, percentile(first, 0.5), resolvable=_RESOLVABLE_US),
            "first_us": outcome.first_us,
            "delay_us": outcome.delay_us,
        }
        if not row["void"]:
            break
    return row


def stream_table(rows: Rows, title: str) -> str:
    columns = (
        "us",
        "first p50",
        "first p99",
        "added p50",
        "x minimal",
        "event p50",
        "event p99",
        "x minimal p50",
        "x minimal p99",
        "CPU/stream",
        "streams",
    )
    lines = []
    for name in rows.contestants:
        proxied = name != DIRECT
        enough = rows.total(name, "samples") >= P99_SAMPLES
        lines.append(
            [
                label(name),
                f"{rows.median(name, 'first_p50'):.0f}",
                f"{rows.median(name, 'first_p99'):.0f}" + ("" if enough else "*"),
                f"{added(rows, name, 'first_p50'):.0f}" if proxied else "",
                once(rows.ratios(name, MINIMAL, "first_p50")),
                f"{rows.median(name, 'delay_p50'):.0f}",
                f"{rows.median(name, 'delay_p99'):.0f}",
                once(rows.ratios(name, MINIMAL, "delay_p50")),
                once(rows.ratios(name, MINIMAL, "delay_p99")),
                f"{rows.median(name, 'cpu_us_per_call'):,.0f}" if proxied else "",
                f"{rows.total(name, 'samples'):.0f}",
            ]
        )
    notes = [
        "first: from the intended start of the call to the first byte of the body. event: from the provider's write to",
        f"the agent's read, one way. * fewer than {P99_SAMPLES} streams: a hint, no more",
    ]
    heading = (
        f"{title}: {RATE} streams/s of {calls.STREAM_CHUNKS} events {calls.STREAM_GAP_MS} ms apart; "
        f"medians of {rows.rounds} rounds"
    )
    return table(heading, columns, lines, notes)


def tables(rows: Sequence[Row]) -> list[str]:
    return [stream_table(Rows(rows, SECTION, PLAIN), "streams")]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    return stream_verdicts(Rows(rows, SECTION, PLAIN), "")


def stream_verdicts(rows: Rows, where: str) -> list[Verdict]:
    found = []
    for name in (BARE, DEFAULT):
        for field, what in (
            ("first_p50", "first event, p50"),
            ("delay_p50", "delay per event, p50"),
            ("delay_p99", "delay per event, p99"),
        ):
            if ratios := rows.ratios(name, MINIMAL, field):
                claim = f"streams{where}: {what} of {label(name)}, to the minimal proxy's"
                found.append(at_most(claim, median(ratios), _NOISE, "x", "5 % are noise"))
    return found
