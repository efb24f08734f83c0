"""New TLS connections that are ended here: what a handshake costs with a certificate that is made for its name, beside
one from a file; what thousands of names leave in memory; and what a connection to a provider costs, by whether its TLS
goes on with a session of before.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.benchmarks import calls, resumption
from tests.benchmarks.agent import Route
from tests.benchmarks.bulk import hello
from tests.benchmarks.captured import CAPTURING, FLOOR, FRONT, HOST, SUFFIX, capturing, floor, front
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.figures import median
from tests.benchmarks.generator import Job
from tests.benchmarks.machine import ROOT, python
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import Child, Unfit, free_ports
from tests.benchmarks.rig import Rig, run_generator
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import mebibytes, table, times
from tests.benchmarks.targets import Verdict, at_most

SECTION, HANDSHAKE, MEMORY, RESUMING = "handshakes", "handshake", "memory", "resuming"
STATIC, KNOWN, NEW, FIRST, NGINX = "static", "known", "new", "first", "nginx"
_TITLES = {
    STATIC: "a server on uvloop, one certificate from a file",
    KNOWN: "sidecar, a name that has its certificate",
    NEW: "sidecar, a new name below one suffix each time",
    FIRST: "sidecar, a name that must get its certificate",
    NGINX: "nginx, one certificate from a file",
}
ENDED, DEEPER, SPLICED, REFUSED, RESET = "ended", "deeper", "spliced", "refused", "reset"
_KINDS = {
    ENDED: "TLS ended, below one suffix",
    DEEPER: "TLS ended, each with its own certificate",
    SPLICED: "CONNECT, passed through",
    REFUSED: "CONNECT, nobody there",
    RESET: "TLS, nobody there",
}
KEPT, FULL, RESUMED = "kept", "full", "resumed"
_HOW = {FULL: "to a provider, a full handshake", RESUMED: "to a provider, a resumed session"}
_AT_ONCE = 8
#: Connections per second of the plan; and how much shorter the kept ones are called.
_CONNECTIONS_PER_SECOND, _KEPT_SHARE = 400, 0.4
_BOUND = 2.0
#: Names in all, and those after which memory is not to grow any more; by what it may, which is the allocator's play.
_NAMES, _FIRST_NAMES, _RESTLESS_BYTES = 5000, 1000, 4_000_000


@dataclass(frozen=True)
class _Way:
    name: str
    contestant: str
    route: Route
    names: str = ""
    prefix: str = ""


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        for contestant in (capturing(), floor(), *((front(),) if rig.has_nginx else ())):
            stack.enter_context(rig.joined_by(contestant))
        for number, way in rounds(list(_ways(rig)), plan.rounds, plan.seed):
            yield _one(rig, way, plan) | {"section": SECTION, "variant": HANDSHAKE, "round": number}
        for number, how in rounds([KEPT, FULL, RESUMED], plan.rounds, plan.seed):
            yield _resuming(rig, how, plan) | {
                "section": SECTION,
                "variant": RESUMING,
                "contestant": how,
                "round": number,
            }
    for kind in _KINDS:
        yield _memory(rig, kind, plan) | {"section": SECTION, "variant": MEMORY, "contestant": kind, "round": 0}


def _ways(rig: Rig) -> Iterator[_Way]:
    yield _Way(STATIC, FLOOR, Route(rig.ports[FLOOR][1], ca_file=rig.around.ca_file))
    yield _Way(KNOWN, CAPTURING, _captured(rig))
    yield _Way(NEW, CAPTURING, _captured(rig), names=f"n%d.{SUFFIX}")
    yield _Way(FIRST, CAPTURING, _captured(rig), names=f"a.n%d.{SUFFIX}")
    if FRONT in rig.ports:
        yield _Way(NGINX, FRONT, Route(rig.ports[FRONT][1], ca_file=rig.around.ca_file), prefix="/small")


def _captured(rig: Rig) -> Route:
    """To the sidecar that captures."""
    proxy, _, _, transparent = rig.ports[CAPTURING]
    ca_file = rig.directory / f"{CAPTURING}-{proxy}" / "tls" / "ca.crt"
    return Route(transparent, ca_file=str(ca_file), server_name=HOST)


def _one(rig: Rig, way: _Way, plan: Plan) -> Row:
    """CPU of a call on a new connection, less that of one on a kept connection: TCP, TLS, and letting go."""
    contestant = Contestant(way.contestant)
    job = Job(kind="closed", route=way.route, pieces=calls.chat(way.prefix).pieces, lines=_AT_ONCE)

    def generated(**changes: Any) -> tuple[Row, float]:
        row, outcome = rig.generate(contestant, msgspec.structs.replace(job, **changes), "small")
        return row, row["cpu_us_under_load"] / max(outcome.calls, 1)

    _, kept_us = generated(seconds=plan.seconds * _KEPT_SHARE)
    count = int(plan.seconds * _CONNECTIONS_PER_SECOND)
    row, new_us = generated(kind="connect", count=count, at_once=_AT_ONCE, names=way.names)
    return {**row, "contestant": way.name, "kept_us": kept_us, "new_us": new_us, "handshake_us": new_us - kept_us}


# -- to a provider ---------------------------------------------------------------------------------------------------


def _resuming(rig: Rig, how: Any, plan: Plan) -> Row:
    """CPU of the upstream client and of the server per call, its connection included."""
    rig.only(FLOOR)
    count = int(plan.seconds * _CONNECTIONS_PER_SECOND)
    job = resumption.Job(port=rig.ports[FLOOR][1], ca_file=rig.around.ca_file, how=how, count=count)
    server = rig.children[FLOOR]
    began_ns = server.cpu_ns()
    done = subprocess.run(
        python("-m", "tests.benchmarks.resumption"),
        input=msgspec.json.encode(job),
        capture_output=True,
        cwd=ROOT,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, rig.cpus.others),
    )
    if done.returncode:
        raise Unfit(f"the client failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    outcome = msgspec.json.decode(done.stdout, type=resumption.Outcome)
    if (outcome.connections, outcome.resumed) != {KEPT: (0, 0), FULL: (count, 0), RESUMED: (count, count)}[how]:
        raise Unfit(f"{how}: {outcome.connections} connections for {count} calls, {outcome.resumed} of them resumed")
    server_us = (server.cpu_ns() - began_ns) / 1e3 / (count + resumption.WARM_UP)
    return {"client_us": outcome.cpu_us, "server_us": server_us, "tls_us": outcome.tls_us}


# -- memory ----------------------------------------------------------------------------------------------------------


def _memory(rig: Rig, kind: str, plan: Plan) -> Row:
    """RSS of a fresh sidecar before any name, after a thousand, and after all."""
    rig.only("")
    share = min(1.0, plan.seconds)
    (port,) = free_ports(1)
    everywhere = python("-m", "tests.benchmarks.bulk", "serve", "0.0.0.0", str(port))
    with (
        rig.joined_by(capturing((port,))) as child,
        Child("the far ends", everywhere, rig.cpus.others, rig.directory / f"far-{port}.log") as far,
    ):
        far.await_port(port)
        resident, told = [child.memory_bytes()], 0
        for names in (int(_FIRST_NAMES * share), int(_NAMES * share)):
            _named(rig, kind, range(told, names), port)
            told = names
            resident.append(child.memory_bytes())
        return {"names": told, "resident": resident, "growth_bytes": resident[2] - resident[1]}


def _named(rig: Rig, kind: str, numbers: range, port: int) -> None:
    """A connection to each of so many names."""
    proxy, _, _, transparent = rig.ports[CAPTURING]
    if kind in (ENDED, DEEPER):
        job = Job(
            kind="connect",
            route=_captured(rig),
            pieces=calls.chat("").pieces,
            names=f"{'a.' if kind == DEEPER else ''}n%d.{SUFFIX}",
            count=len(numbers),
            at_once=_AT_ONCE,
            numbered_from=numbers[0],
        )
        if run_generator(job).calls != len(numbers):
            raise Unfit("calls to new names fail")
        return
    (nobody,) = free_ports(1)
    for number in numbers:
        address = f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        authority = f"{address}:{port if kind == SPLICED else nobody}"
        opening = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        expected = {SPLICED: b"HTTP/1.1 200", REFUSED: b"HTTP/1.1 4", RESET: b""}[kind]
        said = _said(transparent, hello(address)) if kind == RESET else _said(proxy, opening)
        if not said.startswith(expected):
            raise Unfit(f"{kind} {authority}: answered with {said[:200]!r}")


def _said(port: int, opening: bytes) -> bytes:
    """What is answered to *opening*; b"" for a connection that is reset."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        try:
            sock.sendall(opening)
            return sock.recv(4096)
        except ConnectionError:
            return b""


# -- what comes of it ------------------------------------------------------------------------------------------------


def tables(rows: Sequence[Row]) -> list[str]:
    chosen, memory = Rows(rows, SECTION, HANDSHAKE), Rows(rows, SECTION, MEMORY)
    lines = [
        [
            title,
            f"{chosen.median(name, 'handshake_us'):,.0f}",
            times(chosen.ratios(name, STATIC, "handshake_us")),
            f"{chosen.median(name, 'new_us'):,.0f}",
            f"{chosen.median(name, 'kept_us'):,.0f}",
        ]
        for name, title in _TITLES.items()
        if chosen.has(name)
    ]
    columns = ("CPU us", "connection", "x static", "and a call", "a call, kept")
    notes = [
        "connection: TCP, a full handshake with ECDSA on P-256 and the end, which is a new connection with a call less",
        "a call on a kept one",
    ]
    found = [
        table(f"new TLS connections, {_AT_ONCE} at a time; medians of {chosen.rounds} rounds", columns, lines, notes)
    ]
    found += _resumed_table(Rows(rows, SECTION, RESUMING))
    lines = []
    for kind, title in _KINDS.items():
        for row in memory.of(kind):
            first, *later = row["resident"]
            lines.append(
                [title, f"{row['names']:,}", mebibytes(first), *(f"+{(size - first) / 1e6:.1f}" for size in later)]
            )
    columns = ("", "names", "RSS before, MiB", "after a fifth, MB", "after all, MB")
    return [*found, table("memory over names that all differ", columns, lines)]


def _resumed_table(chosen: Rows) -> list[str]:
    if not chosen.has(KEPT, FULL, RESUMED):
        return []
    lines = [
        [
            title,
            f"{median(chosen.differences(how, KEPT, 'client_us')):,.0f}",
            times(chosen.ratios(how, FULL, "client_us")),
            f"{median(chosen.differences(how, KEPT, 'server_us')):,.0f}",
            f"{chosen.median(how, 'tls_us'):,.0f}",
        ]
        for how, title in _HOW.items()
    ]
    columns = ("CPU us of a connection", "client", "with a call, x full", "server", "TLS takes, us")
    note = (
        "our upstream client, a server on uvloop (TLS 1.3, ECDSA on P-256): a new connection with a call, less a call"
    )
    return [
        table(f"connections to a provider, one at a time; medians of {chosen.rounds} rounds", columns, lines, [note])
    ]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    chosen, memory = Rows(rows, SECTION, HANDSHAKE), Rows(rows, SECTION, MEMORY)
    found = []
    for way in (KNOWN, NEW):  # making a certificate comes once for each name, and takes what it takes
        if ratios := chosen.ratios(way, STATIC, "handshake_us"):
            claim = f"CPU of a connection with a minted leaf ({_TITLES[way]}), to one with a static leaf"
            found.append(at_most(claim, median(ratios), _BOUND, "x"))
    for kind, title in _KINDS.items():
        for row in memory.of(kind):
            claim = f"RSS over {row['names'] * 4 // 5:,} more names ({title})"
            found.append(at_most(claim, max(row["growth_bytes"], 0) / 1e6, _RESTLESS_BYTES / 1e6, " MB"))
    return found
