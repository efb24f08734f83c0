"""Connections that pass through untouched: how much of a direct connection's throughput is left, one at a time."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from tests.benchmarks.bulk import DOWN, UP, Haul
from tests.benchmarks.captured import (
    CAPTURING,
    CEILING,
    POD_CEILING,
    POD_SPLICED,
    REDIRECTED,
    captured,
    capturing,
    ceiling,
    no_pods,
)
from tests.benchmarks.figures import median
from tests.benchmarks.machine import ROOT, python
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import Child, Unfit, free_ports
from tests.benchmarks.rig import Rig, Window
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import spread, table, times
from tests.benchmarks.targets import Verdict, at_least

SECTION = "splice"
DIRECT, KERNEL, CONNECT, NAMED = "direct", "kernel", "connect", "named"
POD_DIRECT, POD_KERNEL, POD_CONNECT, REDIRECT = "pod direct", "pod kernel", "pod connect", "redirect"
_TITLES = {
    DIRECT: "no proxy",
    KERNEL: "the kernel's splice(2) between two sockets",
    CONNECT: "sidecar, CONNECT",
    NAMED: "sidecar, by the name that TLS begins with",
    POD_DIRECT: "no proxy, out of a pod",
    POD_KERNEL: "the kernel's splice(2) in a pod",
    POD_CONNECT: "sidecar in a pod, CONNECT",
    REDIRECT: "sidecar in a pod, redirected by the kernel",
}
#: What is spliced, and the same without a proxy.
_PAIRS = {
    KERNEL: DIRECT,
    CONNECT: DIRECT,
    NAMED: DIRECT,
    POD_KERNEL: POD_DIRECT,
    POD_CONNECT: POD_DIRECT,
    REDIRECT: POD_DIRECT,
}
_DIRECTIONS = {DOWN: "down to the agent", UP: "up from the agent"}
#: What is hauled per second of the plan.
_BYTES_PER_SECOND = 1 << 30
_BOUND = 0.7


@dataclass(frozen=True)
class _Way:
    name: str
    contestant: str
    port: int
    address: str = "127.0.0.1"
    authority: str = ""
    server_name: str = "bulk.benchmark.example"
    within: tuple[str, ...] = ()


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        ways = list(_ways(rig, stack))
        runs = [(way, direction) for way in ways for direction in (DOWN, UP)]
        size = int(_BYTES_PER_SECOND * plan.seconds)
        for number, (way, direction) in rounds(runs, plan.rounds, plan.seed):
            yield _one(rig, way, direction, size) | {"section": SECTION, "variant": direction, "round": number}


def _ways(rig: Rig, stack: contextlib.ExitStack) -> Iterator[_Way]:
    (port,) = free_ports(1)
    stack.enter_context(rig.joined_by(capturing((port,))))
    proxy, _, _, transparent = rig.ports[CAPTURING]
    # who is called by an address is dialled there, at the port where the agent was captured
    stack.enter_context(_serving(rig, "127.0.0.1", port))
    stack.enter_context(_serving(rig, "127.0.0.2", transparent))
    yield _Way(DIRECT, "", port)
    stack.enter_context(rig.joined_by(ceiling("127.0.0.1", port)))
    yield _Way(KERNEL, CEILING, rig.ports[CEILING][0])
    yield _Way(CONNECT, CAPTURING, proxy, authority=f"127.0.0.1:{port}")
    yield _Way(NAMED, CAPTURING, transparent, server_name="127.0.0.2")
    if rig.has_nginx and not no_pods():
        pod = stack.enter_context(captured(rig))
        (plain,) = free_ports(1)
        stack.enter_context(_serving(rig, pod.address, plain))
        stack.enter_context(_serving(rig, pod.address, POD_SPLICED))
        yield _Way(POD_DIRECT, "", plain, pod.address, within=pod.agent)
        stack.enter_context(rig.joined_by(ceiling(pod.address, plain, pod), pod.inside))
        yield _Way(POD_KERNEL, POD_CEILING, rig.ports[POD_CEILING][0], pod.inside, within=pod.agent)
        inside = rig.ports[REDIRECTED][0]
        yield _Way(POD_CONNECT, REDIRECTED, inside, authority=f"{pod.address}:{POD_SPLICED}", within=pod.agent)
        yield _Way(REDIRECT, REDIRECTED, POD_SPLICED, pod.address, within=pod.agent)


@contextlib.contextmanager
def _serving(rig: Rig, address: str, port: int) -> Iterator[None]:
    command = python("-m", "tests.benchmarks.bulk", "serve", address, str(port))
    name = f"bulk {address} {port}"
    with Child(name, command, rig.cpus.others, rig.directory / f"{name}.log") as child:
        child.await_port(port, host=address)
        rig.servers[name] = child
        try:
            yield
        finally:
            del rig.servers[name]


def _one(rig: Rig, way: _Way, direction: str, size: int) -> Row:
    rig.only(way.contestant)
    task = Haul(
        address=way.address,
        port=way.port,
        authority=way.authority,
        server_name=way.server_name,
        direction=direction,  # type: ignore[arg-type]
        size=size,
    )
    with rig.before_all_others(way.contestant):
        window = Window(rig, way.contestant)
        done = subprocess.run(
            [*way.within, *python("-m", "tests.benchmarks.bulk")],
            input=msgspec.json.encode(task),
            capture_output=True,
            cwd=ROOT,
            check=False,
            preexec_fn=rig.prefer_caller,
        )
        window.load_ended()
    if done.returncode:
        raise Unfit(f"{_TITLES[way.name]}: {done.stderr.decode(errors='replace')[-2000:]}")
    row = window.close()
    return {
        **row,
        "contestant": way.name,
        "mb_per_second": size / 1e6 / float(done.stdout),
        "cpu_seconds_per_gb": row["cpu_us_under_load"] / 1e6 / (size / 1e9),
    }


def tables(rows: Sequence[Row]) -> list[str]:
    return [_table(Rows(rows, SECTION, direction), title) for direction, title in _DIRECTIONS.items()]


def _table(rows: Rows, title: str) -> str:
    lines = []
    for name, told in _TITLES.items():
        if not rows.has(name):
            continue
        paired = name in _PAIRS
        lines.append(
            [
                told,
                f"{rows.median(name, 'mb_per_second'):,.0f}",
                spread(list(rows.values(name, "mb_per_second").values())),
                times(rows.ratios(name, _PAIRS[name], "mb_per_second")) if paired else "",
                f"{rows.median(name, 'cpu_seconds_per_gb'):.2f}" if paired else "",
            ]
        )
    columns = ("", "MB/s", "worst-best", "x direct", "CPU s/GB")
    notes = [
        "agent and far end share a CPU, who is between them has its own; CPU s/GB are the latter's. The kernel's",
        "splice(2) is what is possible: the limit there is no proxy, but bytes that come out of another CPU's caches",
    ]
    return table(f"bytes in bulk {title}; medians of {rows.rounds} rounds", columns, lines, notes)


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    found = []
    for direction, title in _DIRECTIONS.items():
        chosen = Rows(rows, SECTION, direction)
        # a provider is never in the agent's own pod: loopback is judged only where there can be no pods
        judged = [way for way in (POD_CONNECT, REDIRECT) if chosen.has(way)] or [CONNECT, NAMED]
        for way in judged:
            if ratios := chosen.ratios(way, _PAIRS[way], "mb_per_second"):
                claim = f"splice, {title} ({way}), to a direct connection's throughput"
                found.append(at_least(claim, median(ratios), _BOUND, "x"))
    return found
