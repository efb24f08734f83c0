"""Calls on kept TLS connections that the agent opened to a provider and that are led here: what they cost beside calls
to a base URL, TLS itself set aside.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks import calls
from tests.benchmarks.captured import (
    CAPTURING,
    FLOOR,
    FRONT,
    HOST,
    POD_CALLS,
    REDIRECTED,
    captured,
    capturing,
    floor,
    front,
    no_pods,
)
from tests.benchmarks.figures import median
from tests.benchmarks.plan import Plan
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.schedule import rounds
from tests.benchmarks.tables import once, table
from tests.benchmarks.targets import Verdict, at_most
from tests.benchmarks.wrk import Aim

SECTION, VARIANT = "interception", "kept TLS connections"
PLAIN, HOSTS, POD_PLAIN, REDIRECT = "plain", "hosts", "pod plain", "redirect"
FLOOR_PLAIN, FLOOR_TLS, FRONT_PLAIN, FRONT_TLS = "floor plain", "floor tls", "front plain", "front tls"
_TITLES = {
    PLAIN: "sidecar, plain to a base URL",
    HOSTS: "sidecar, TLS led by the hosts file",
    POD_PLAIN: "sidecar in a pod, plain to a base URL",
    REDIRECT: "sidecar in a pod, TLS redirected by the kernel",
    FLOOR_PLAIN: "a server on uvloop that does nothing, plain",
    FLOOR_TLS: "the same by TLS",
    FRONT_PLAIN: "nginx, plain",
    FRONT_TLS: "the same by TLS",
}
#: What is intercepted, and the same without.
_PAIRS = {HOSTS: PLAIN, REDIRECT: POD_PLAIN}
_BOUND = 1.15


@dataclass(frozen=True)
class _Way:
    name: str
    contestant: str
    aim: Aim
    prefix: str


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    with contextlib.ExitStack() as stack:
        ways = list(_ways(rig, stack))
        for number, way in rounds(ways, plan.rounds, plan.seed):
            script = rig.script(calls.chat(way.prefix), way.aim.address)
            row = rig.aimed(way.contestant, way.aim, script, plan.seconds)
            yield {
                "section": SECTION,
                "variant": VARIANT,
                "contestant": way.name,
                "round": number,
                **row,
                "cpu_us_per_call": row["cpu_us_under_load"] / max(row["calls"], 1),
            }


def _ways(rig: Rig, stack: contextlib.ExitStack) -> Iterator[_Way]:
    for contestant in (capturing(), floor(), *((front(),) if rig.has_nginx else ())):
        stack.enter_context(rig.joined_by(contestant))
    proxy, _, _, transparent = rig.ports[CAPTURING]
    yield _Way(PLAIN, CAPTURING, Aim(proxy), "/captured")
    yield _Way(HOSTS, CAPTURING, Aim(transparent, HOST), "")
    for name, plain, tls, prefix in ((FLOOR, FLOOR_PLAIN, FLOOR_TLS, ""), (FRONT, FRONT_PLAIN, FRONT_TLS, "/small")):
        if name in rig.ports:
            yield _Way(plain, name, Aim(rig.ports[name][0]), prefix)
            yield _Way(tls, name, Aim(rig.ports[name][1], "127.0.0.1"), prefix)
    if rig.has_nginx and not no_pods():
        pod = stack.enter_context(captured(rig))
        port = rig.ports[REDIRECTED][0]
        yield _Way(POD_PLAIN, REDIRECTED, Aim(port, within=pod.agent), "/captured")
        yield _Way(REDIRECT, REDIRECTED, Aim(POD_CALLS, HOST, pod.address, pod.agent), "")


def tls_us(rows: Rows, plain: str, tls: str) -> Mapping[int, float]:
    """By round: what TLS itself takes of a call, in microseconds."""
    without, own = rows.values(plain, "cpu_us_per_call"), rows.values(tls, "cpu_us_per_call")
    return {number: own[number] - without[number] for number in own.keys() & without.keys()}


def ratios(rows: Rows, way: str, tls: Mapping[int, float]) -> list[float]:
    """Round by round: CPU time of a call by *way* without that of TLS, to the same call plain."""
    own, plain = rows.values(way, "cpu_us_per_call"), rows.values(_PAIRS[way], "cpu_us_per_call")
    return [(own[number] - tls[number]) / plain[number] for number in sorted(own.keys() & plain.keys() & tls.keys())]


def tables(rows: Sequence[Row]) -> list[str]:
    chosen = Rows(rows, SECTION, VARIANT)
    by_floor, by_front = tls_us(chosen, FLOOR_PLAIN, FLOOR_TLS), tls_us(chosen, FRONT_PLAIN, FRONT_TLS)
    lines = []
    for name, title in _TITLES.items():
        if not chosen.has(name):
            continue
        paired = name in _PAIRS
        plain = _PAIRS.get(name, "")
        lines.append(
            [
                title,
                f"{chosen.median(name, 'calls') / chosen.median(name, 'seconds'):,.0f}",
                f"{chosen.median(name, 'cpu_us_per_call'):.1f}",
                f"{chosen.median(name, 'busy'):.0%}",
                once(chosen.ratios(name, plain, "cpu_us_per_call")) if paired else "",
                once(ratios(chosen, name, by_floor)) if paired else "",
                once(ratios(chosen, name, by_front)) if paired else "",
            ]
        )
    added = ((by_floor, "the server on uvloop"), (by_front, "nginx"))
    told = " or ".join(f"{median(list(found.values())):.1f} us at {where}" for found, where in added if found)
    notes = [
        f"TLS itself is what it adds to a call: {told}. Beyond it: what is left of the call",
        "without that, to plain",
    ]
    columns = ("", "calls/s", "CPU us/call", "busy", "x plain", "beyond TLS, uvloop's", "beyond TLS, nginx's")
    return [table(f"small chat call on kept connections; medians of {chosen.rounds} rounds", columns, lines, notes)]


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    chosen = Rows(rows, SECTION, VARIANT)
    tls = tls_us(chosen, FLOOR_PLAIN, FLOOR_TLS)
    return [
        at_most(f"CPU of an intercepted call beyond TLS ({way}), to the plain one's", median(found), _BOUND, "x")
        for way in _PAIRS
        if (found := ratios(chosen, way, tls))
    ]
