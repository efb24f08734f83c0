"""Fresh processes: how soon they are ready and answer; of the first of each, what it holds in memory."""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence

from tests.benchmarks import calls, wrk
from tests.benchmarks.calls import Template
from tests.benchmarks.contestants import DEFAULT, DIRECT, HIT, SIDECARS, Contestant
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import Child, Unfit
from tests.benchmarks.rig import Rig, await_ready
from tests.benchmarks.rows import Row, Rows, label
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import mebibytes, table
from tests.benchmarks.targets import Verdict, at_most
from tests.benchmarks.wrk import Aim

SECTION, FRESH = "start", "fresh"
_IDLE_SECONDS = 1.0
_ANSWER_SECONDS = 15.0


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    taking_part = [contestant for contestant in rig.contestants if contestant.name not in (DIRECT, HIT)]
    rig.only("")
    for number, contestant in rounds(taking_part, plan.rounds, plan.seed):
        yield _one(rig, contestant, plan, number)


def _one(rig: Rig, contestant: Contestant, plan: Plan, number: int) -> Row:
    child, ports = rig.start(contestant)
    template = calls.chat("/small", new_bodies=5 if contestant.name == DEFAULT else None)
    with child:
        ready_seconds = 0.0
        if contestant.probed:
            await_ready(child, ports[1])
            ready_seconds = time.monotonic() - child.started
        _await_answer(child, ports[0], template.render(rig.numbers(1)))
        answered_seconds = time.monotonic() - child.started
        row = {
            "section": SECTION,
            "variant": FRESH,
            "contestant": contestant.name,
            "round": number,
            "ready_seconds": ready_seconds,
            "answered_seconds": answered_seconds,
        }
        return row if number else row | _memory(rig, child, ports[0], template, plan)


def _memory(rig: Rig, child: Child, port: int, template: Template, plan: Plan) -> Row:
    """What *child* holds and does when nobody calls, and what it holds after a while of load."""
    time.sleep(_IDLE_SECONDS)
    idle_bytes, idle_cpu_ns = child.memory_bytes(), child.cpu_ns()
    time.sleep(_IDLE_SECONDS)
    idle_cpu_ns = child.cpu_ns() - idle_cpu_ns
    load = wrk.run(rig.script(template), Aim(port), plan.seconds, rig.numbers(10_000_000))
    return {
        "idle_bytes": idle_bytes,
        "idle_cpu_ms_per_second": idle_cpu_ns / 1e6 / _IDLE_SECONDS,
        "loaded_bytes": child.memory_bytes(),
        "calls": load.calls,
        "errors": load.errors,
    }


def _await_answer(child: Child, port: int, request: bytes) -> None:
    """Call until the first answer.

    Raises:
        Unfit: there is none.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < deadline and child.living:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as sock:
            sock.settimeout(_ANSWER_SECONDS)
            sock.sendall(request)
            if sock.recv(65536).startswith(b"HTTP/1.1 200"):
                return
        time.sleep(0.001)
    raise Unfit(f"{child.name} does not answer:\n{child.told()}")


def tables(rows: Sequence[Row]) -> list[str]:
    chosen = Rows(rows, SECTION, FRESH)
    lines = [
        [
            label(name),
            f"{chosen.median(name, 'ready_seconds') * 1000:,.0f}" if name in SIDECARS else "",
            f"{chosen.median(name, 'answered_seconds') * 1000:,.0f}",
            mebibytes(chosen.median(name, "idle_bytes")),
            mebibytes(chosen.median(name, "loaded_bytes")),
            f"{chosen.median(name, 'calls'):,.0f}",
            f"{chosen.median(name, 'idle_cpu_ms_per_second'):.1f}",
        ]
        for name in chosen.contestants
    ]
    columns = (
        "",
        "ready, ms",
        "first answer, ms",
        "idle RSS, MiB",
        "loaded RSS, MiB",
        "after calls",
        "idle CPU, ms/s",
    )
    notes = ["ready: from exec to the first 200 of /readyz. nginx is two processes, whose shared pages count twice"]
    return [table(f"fresh processes; medians of {chosen.rounds} starts", columns, lines, notes)]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    chosen = Rows(rows, SECTION, FRESH)
    found = []
    for name in chosen.contestants:
        if name in SIDECARS:
            found.append(at_most(f"{label(name)} ready after", chosen.median(name, "ready_seconds"), 1.0, " s"))
            idle_megabytes = chosen.median(name, "idle_bytes") / 1e6
            found.append(at_most(f"{label(name)}, idle RSS", idle_megabytes, 80, " MB"))
    return found
