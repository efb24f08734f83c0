"""Audio both ways: how much of it one CPU moves."""

from collections.abc import Iterator, Sequence

from tests.benchmarks import calls
from tests.benchmarks.contestants import BARE, DEFAULT, DIRECT, HIT, MINIMAL, NGINX, Contestant
from tests.benchmarks.figures import median
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows, label
from tests.benchmarks.schedule import rounds
from tests.benchmarks.sections.chat import completed
from tests.benchmarks.tables import once, table, times
from tests.benchmarks.targets import Verdict, at_least

SECTION = "audio"
DOWN, UP = "down", "up"
TITLES = {
    DOWN: f"speech, {calls.SPEECH_BYTES // 1000} KB down in chunks",
    UP: f"transcription, {calls.TRANSCRIPTION_BYTES // 1000} KB up as a form",
}
_BYTES = {DOWN: calls.SPEECH_BYTES, UP: calls.TRANSCRIPTION_BYTES}


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    taking_part = [contestant for contestant in rig.contestants if contestant.name != HIT]
    runs = [(contestant, direction) for contestant in taking_part for direction in TITLES]
    for number, (contestant, direction) in rounds(runs, plan.rounds, plan.seed):
        yield one(rig, contestant, direction, "media", plan, SECTION, direction, number)


def one(
    rig: Rig, contestant: Contestant, direction: str, origin: str, plan: Plan, section: str, variant: str, number: int
) -> Row:
    """One contestant's audio in one *direction* in one round."""
    _, prefix = rig.address(contestant.name, origin)
    new_bodies = 4 if contestant.name == DEFAULT else None
    make = calls.speech if direction == DOWN else calls.transcription
    script = rig.script(make(prefix, new_bodies=new_bodies))
    row = completed(rig.load(contestant, script, origin, plan.seconds), section, variant, contestant, number)
    row["mb_per_second"] = row["calls"] * _BYTES[direction] / 1e6 / row["seconds"]
    row["mb_per_cpu_second"] = _BYTES[direction] / row["cpu_us_per_call"] if row["cpu_us_per_call"] else 0.0
    return row


def audio_table(rows: Rows, title: str) -> str:
    columns = ("", "MB/s of CPU time", "x nginx", "x minimal", "CPU us/transfer", "MB/s by the clock", "busy")
    lines = []
    for name in rows.contestants:
        proxied = name != DIRECT
        lines.append(
            [
                label(name),
                f"{rows.median(name, 'mb_per_cpu_second'):,.0f}" if proxied else "",
                times(rows.ratios(name, NGINX, "mb_per_cpu_second")) if proxied else "",
                once(rows.ratios(name, MINIMAL, "mb_per_cpu_second")) if proxied else "",
                f"{rows.median(name, 'cpu_us_per_call'):.0f}" if proxied else "",
                f"{rows.median(name, 'mb_per_second'):,.0f}",
                f"{rows.median(name, 'busy'):.0%}" if proxied else "",
            ]
        )
    notes = ["by the clock, what load and provider do with their one CPU is the limit where busy is below 90 %"]
    return table(f"{title}; medians of {rows.rounds} rounds", columns, lines, notes)


def tables(rows: Sequence[Row]) -> list[str]:
    return [audio_table(Rows(rows, SECTION, direction), title) for direction, title in TITLES.items()]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    return [
        verdict
        for direction in TITLES
        for verdict in audio_verdicts(Rows(rows, SECTION, direction), f"audio {direction}")
    ]


def audio_verdicts(rows: Rows, what: str) -> list[Verdict]:
    found = []
    for name in (BARE, DEFAULT):
        if ratios := rows.ratios(name, NGINX, "mb_per_cpu_second"):
            claim = f"{what} per CPU, {label(name)}, to nginx's"
            found.append(at_least(claim, median(ratios), 0.8, "x"))
    return found
