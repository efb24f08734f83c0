"""The command: ``python -m tests.benchmarks``; see docs/benchmarks.md.

Exit codes: 0 all targets reached · 1 it ran, and a target is missed or something went wrong on the way · 2 usage ·
4 this machine is not fit for it, and what to do.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.benchmarks import machine, tables
from tests.benchmarks.checks import check
from tests.benchmarks.contestants import contestants
from tests.benchmarks.figures import median
from tests.benchmarks.machine import FOREIGN_SHARE, Meter
from tests.benchmarks.plan import SECTIONS, plan
from tests.benchmarks.processes import Unfit
from tests.benchmarks.report import Report
from tests.benchmarks.rig import Rig, running
from tests.benchmarks.sections import (
    admissions,
    audio,
    chat,
    handshakes,
    interception,
    latency,
    soak,
    splice,
    start,
    streams,
    tls,
)

_MODULES = {
    "chat": chat,
    "latency": latency,
    "streams": streams,
    "audio": audio,
    "tls": tls,
    "interception": interception,
    "splice": splice,
    "handshakes": handshakes,
    "admissions": admissions,
    "start": start,
    "soak": soak,
}
_NEEDS_WRK = ("chat", "audio", "tls", "interception", "start", "soak")
_LOOK_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    if missing := machine.missing(options.without):
        return _unfit(
            f"{' and '.join(missing)}: not here; install with `apt-get install {' '.join(missing)}`, or leave out what "
            f"needs it with {' '.join(f'--without {tool}' for tool in missing)}"
        )
    placement = machine.placement(os.sched_getaffinity(0))
    report = Report(machine.facts(placement), {name: value for name, value in vars(options).items() if name != "json"})
    report.say(tables.facts(report.facts))
    if placement.shared:
        report.warn("there is one CPU: load and proxy take it from each other, and the figures mean nothing")
    look = Meter(0)
    time.sleep(_LOOK_SECONDS)
    foreign, _ = look.foreign_share(0)
    if foreign > FOREIGN_SHARE:
        report.warn(f"other processes use {foreign:.0%} of the machine now: do not trust the figures")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="sidecar-benchmark-") as directory:
            _run(options, placement, Path(directory), report)
    except Unfit as unfit:
        report.write(options.json)
        return _unfit(str(unfit))
    except KeyboardInterrupt:
        report.say("\ninterrupted; what there is until now:\n")
    _conclude(report, time.monotonic() - began)
    report.write(options.json)
    return 0 if report.clean else 1


def _run(options: argparse.Namespace, placement: machine.Placement, directory: Path, report: Report) -> None:
    everybody = contestants(frozenset(options.without))
    for contestant in everybody:
        if contestant.note:
            report.say(f"skipped: {contestant.label}: {contestant.note}")
    taking_part = [contestant for contestant in everybody if not contestant.note]
    with running(
        directory,
        placement,
        taking_part,
        realtime=machine.may_be_realtime(),
        with_nginx="nginx" not in options.without,
    ) as rig:
        check(rig)
        for section in options.sections:
            if "wrk" in options.without and section in _NEEDS_WRK:
                report.say(f"skipped: {section}: wrk is left out")
                continue
            _measure(rig, section, options, report)


def _measure(rig: Rig, section: str, options: argparse.Namespace, report: Report) -> None:
    module = _MODULES[section]
    chosen = plan(section, quick=options.quick, rounds=options.rounds, seconds=options.seconds, seed=options.seed)
    began, rows = time.monotonic(), []
    for row in module.measure(rig, chosen):
        rows.append(row)
        report.progress(f"{section}: {len(rows)} measurements, {time.monotonic() - began:.0f} s")
    report.add(rows)
    report.progress("")
    for table in module.tables(rows):
        report.say(table)
    report.judge(module.verdicts(rows))


def _conclude(report: Report, seconds: float) -> None:
    foreign = [row["foreign"] for row in report.rows if "foreign" in row]
    stolen = [row["stolen"] for row in report.rows if "stolen" in row]
    if foreign:
        report.say(
            f"while measuring, other processes used {median(foreign):.1%} of the machine (at most {max(foreign):.0%}), "
            f"and the host took {median(stolen):.1%} (at most {max(stolen):.0%})"
        )
        if median(foreign) > FOREIGN_SHARE or median(stolen) > FOREIGN_SHARE:
            report.warn("that is too much: read ratios, not figures, and run it again on a quiet machine")
    report.conclude()
    report.say(f"\n{seconds:.0f} s in all")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="How fast the sidecar is.")
    parser.add_argument("--quick", action="store_true", help="two minutes instead of a quarter of an hour; rougher")
    known = (*SECTIONS, "soak")
    parser.add_argument("--only", action="append", choices=known, help="measure this section; may be repeated")
    parser.add_argument("--soak", action="store_true", help="then memory, held streams and an orderly end")
    parser.add_argument("--rounds", type=lambda text: int(_positive(text)), help="rounds in each section")
    parser.add_argument("--seconds", type=_positive, help="seconds per contestant in each round")
    parser.add_argument("--seed", type=int, default=1, help="of orders and arrivals")
    parser.add_argument("--without", action="append", choices=machine.TOOLS, default=[], help="a program not to use")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there")
    options = parser.parse_args(arguments)
    options.sections = list(dict.fromkeys(options.only or SECTIONS))
    if options.soak and "soak" not in options.sections:
        options.sections.append("soak")
    return options


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _unfit(message: str) -> int:
    print(f"cannot run: {message}", file=sys.stderr)
    return 4


def _exit() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _exit()
