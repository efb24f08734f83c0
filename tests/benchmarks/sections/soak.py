"""The default sidecar over a long time and under strain: memory, streams that are left, held ones, an orderly end."""

import subprocess
import threading
import time
from collections.abc import Iterator, Sequence

import msgspec

from tests.benchmarks import calls, wrk
from tests.benchmarks.contestants import SOAKED, Contestant, missing_plugins, soaked
from tests.benchmarks.figures import percentile
from tests.benchmarks.generator import Job, Outcome
from tests.benchmarks.machine import ROOT, python
from tests.benchmarks.plan import Plan
from tests.benchmarks.processes import Child, Unfit
from tests.benchmarks.rig import Rig, await_ready, run_generator
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.soak_agent import Task, Told
from tests.benchmarks.tables import mebibytes, table
from tests.benchmarks.targets import Verdict, at_most, holds
from tests.benchmarks.wrk import Aim

SECTION = "soak"
CALLS, CUT, UPLOAD, DOWNLOAD, HELD, END = "calls", "cut streams", "upload", "download", "held", "end"
_LEGS, _LEG_CALLS, _FIRST_CALLS = 5, 20_000, 30_000
_CUT_STREAMS, _BULK_BYTES, _BULK_RATE = 1000, 512 << 20, 64 << 20
_STREAMS, _SOCKETS, _HELD_SECONDS, _HELD_GAP_MS, _RATE = 200, 50, 12.0, 250, 100
#: From the beginning of the streams to their end; SIGTERM comes after a quarter of it.
_END_SECONDS = 8.0
_GRACE_SECONDS = 10.0
#: What the allocator takes and gives back between two looks.
_RESTLESS_BYTES = 3_000_000


def measure(rig: Rig, plan: Plan) -> Iterator[Row]:
    """*plan.seconds* is the share of the whole to be done, 1 for all."""
    rig.only("")
    contestant = soaked()
    child, ports = rig.start(contestant)
    rig.children[SOAKED], rig.ports[SOAKED] = child, ports
    try:
        with child:
            await_ready(child, ports[1])
            soak = _Soak(rig, contestant, child, plan)
            for step in (soak.calls, soak.cut, soak.upload, soak.download, soak.held, soak.end):
                yield {"section": SECTION, "contestant": SOAKED, "round": 0, **step()}
    finally:
        del rig.children[SOAKED], rig.ports[SOAKED]


class _Soak:
    def __init__(self, rig: Rig, contestant: Contestant, child: Child, plan: Plan) -> None:
        self._rig = rig
        self._contestant = contestant
        self._child = child
        self._share = plan.seconds
        self._port = rig.ports[SOAKED][0]

    # -- memory ------------------------------------------------------------------------------------------------------

    def calls(self) -> Row:
        """RSS over many calls, each with a body of its own."""
        first = self._call(int(_FIRST_CALLS * max(self._share, 0.5)))
        resident, counts = [self._resting_bytes()], []
        for _ in range(_LEGS):
            counts.append(self._call(int(_LEG_CALLS * self._share)))
            resident.append(self._resting_bytes())
        return {
            "variant": CALLS,
            "first": first,
            "count": sum(counts),
            "resident": resident,
            "growth_bytes": resident[-1] - resident[0],
        }

    def _call(self, count: int) -> int:
        script = self._rig.script(calls.chat("/small", new_bodies=7))
        done = 0
        while done < count:
            load = wrk.run(script, Aim(self._port), 0.5, self._rig.numbers(10_000_000))
            if not load.calls:
                raise Unfit(f"{self._child.name} does not answer:\n{self._child.told()}")
            done += load.calls
        return done

    def _resting_bytes(self) -> int:
        self._rig.settle(self._contestant)
        return self._child.memory_bytes()

    def cut(self) -> Row:
        """RSS over streams that agents leave in the middle, and whether the provider learns of it."""
        count = int(_CUT_STREAMS * self._share)
        task = Task(
            kind="cut", port=self._port, prefix="/media", streams=max(count // 5, 10), chunks=500, gap_ms=10, at_once=50
        )
        _run(task)
        before, stats = self._resting_bytes(), self._rig.provider_stats()
        told = _run(msgspec.structs.replace(task, streams=count))
        deadline = time.monotonic() + 3.0
        while (after := self._rig.provider_stats())["streams_open"] and time.monotonic() < deadline:
            time.sleep(0.05)
        return {
            "variant": CUT,
            "count": told.whole,
            "ended_at_provider": after["streams_cut"] - stats["streams_cut"],
            "still_open": after["streams_open"],
            "growth_bytes": self._resting_bytes() - before,
        }

    def upload(self) -> Row:
        return self._bulk(UPLOAD, "upload")

    def download(self) -> Row:
        return self._bulk(DOWNLOAD, "download")

    def _bulk(self, variant: str, kind: str) -> Row:
        """RSS at its peak while one large body passes, whose reader is slower than its writer."""
        size = int(_BULK_BYTES * self._share)
        before = self._resting_bytes()
        self._child.forget_peak()
        told = _run(
            Task(kind=kind, port=self._port, prefix="/media", size=size, bytes_per_second=_BULK_RATE)  # type: ignore[arg-type]
        )
        return {
            "variant": variant,
            "count": told.whole,
            "bytes": told.moved_bytes,
            "seconds": told.seconds,
            "growth_bytes": self._child.memory_bytes("VmHWM") - before,
        }

    # -- held connections --------------------------------------------------------------------------------------------

    def held(self) -> Row:
        """Calls go on beside slow streams and sockets."""
        with self._holding(_HELD_SECONDS * max(self._share, 0.4)) as holding:
            outcome = run_generator(self._job(_HELD_SECONDS * max(self._share, 0.4) / 3))
            told = _report(holding)
        return {"variant": HELD, **_holding_told(told), **_calls_told(outcome)}

    def end(self) -> Row:
        """SIGTERM in the middle of it all."""
        rig = self._rig
        rig.settle(self._contestant)
        traced = rig.spans()["calls"]
        with self._holding(_END_SECONDS) as holding:
            ending = threading.Timer(_END_SECONDS / 4, self._child.ask_to_end)
            ending.start()
            asked = time.monotonic() + _END_SECONDS / 4
            outcome = run_generator(self._job(_END_SECONDS / 2))
            told = _report(holding)
            status = self._child.wait(_GRACE_SECONDS + 5.0)
            took_seconds = time.monotonic() - asked
        return {
            "variant": END,
            **_holding_told(told),
            **_calls_told(outcome),
            "exit_status": -1 if status is None else status,
            "took_seconds": took_seconds,
            "expected_traces": outcome.calls + _STREAMS + _SOCKETS,
            "traces": rig.spans()["calls"] - traced,
        }

    def _job(self, seconds: float) -> Job:
        template = calls.chat("/small", new_bodies=8)
        return Job(
            kind="open",
            route=self._rig.route(SOAKED, "small"),
            pieces=template.pieces,
            formats=template.formats,
            rate=_RATE,
            seconds=seconds,
            numbered_from=self._rig.numbers(1_000_000),
        )

    def _holding(self, seconds: float) -> subprocess.Popen[bytes]:
        task = Task(
            kind="hold",
            port=self._port,
            prefix="/media",
            streams=_STREAMS,
            sockets=_SOCKETS,
            chunks=int(seconds * 1000 / _HELD_GAP_MS),
            gap_ms=_HELD_GAP_MS,
        )
        process = subprocess.Popen(
            python("-m", "tests.benchmarks.soak_agent"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(task))
        process.stdin.close()
        if process.stdout.readline() != b"held\n":
            process.kill()
            process.wait()
            raise Unfit(f"{_STREAMS} streams and {_SOCKETS} sockets cannot be held:\n{self._child.told()}")
        return process


def _run(task: Task) -> Told:
    done = subprocess.run(
        python("-m", "tests.benchmarks.soak_agent"),
        input=msgspec.json.encode(task),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise Unfit(f"the agents of {task.kind} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Told)


def _report(holding: subprocess.Popen[bytes]) -> Told:
    assert holding.stdout is not None
    return msgspec.json.decode(holding.stdout.read(), type=Told)


def _holding_told(told: Told) -> Row:
    return {
        "whole": told.whole,
        "broken": told.broken,
        "sockets_open": told.sockets_open,
        "echoes": told.echoes,
        "lost_echoes": told.lost_echoes,
    }


def _calls_told(outcome: Outcome) -> Row:
    return {
        "answered": outcome.calls,
        "failed": sum(outcome.errors.values()),
        "p50": percentile(outcome.latency_us, 0.5),
        "p99": percentile(outcome.latency_us, 0.99),
    }


def tables(rows: Sequence[Row]) -> list[str]:
    found = [Rows(rows, SECTION, variant).of(SOAKED)[0] for variant in (CALLS, CUT, UPLOAD, DOWNLOAD, HELD, END)]
    first, cut, upload, download, held, end = found
    resident = " ".join(mebibytes(size) for size in first["resident"])
    lines = [
        [CALLS, f"{first['count']:,} after a first {first['first']:,}", _grown(first)],
        [CUT, f"{cut['count']:,} left, {cut['ended_at_provider']:,} ended at the provider", _grown(cut)],
        *([row["variant"], _moved(row), _grown(row)] for row in (upload, download)),
        *([row["variant"], _held(row), f"{row['p50'] / 1000:.2f} / {row['p99'] / 1000:.2f} ms"] for row in (held, end)),
    ]
    notes = [
        f"RSS in MiB after each leg of the calls: {resident}. Of upload and download, the peak; held and end: p50 and",
        f"p99 of {_RATE} calls/s meanwhile. Plugins: {'none' if missing_plugins() else 'tracing, cache (8 MiB)'}",
    ]
    return [table("soak", ("", "what", "RSS, or latency"), lines, notes)]


def _grown(row: Row) -> str:
    return f"{row['growth_bytes'] / 1e6:+.1f} MB"


def _moved(row: Row) -> str:
    return f"{row['bytes'] / 1e6:.0f} MB in {row['seconds']:.0f} s"


def _held(row: Row) -> str:
    return f"{row['whole']} streams whole, {row['broken']} broken; {row['echoes']} echoes, {row['lost_echoes']} lost"


def verdicts(rows: Sequence[Row]) -> list[Verdict]:
    of = {row["variant"]: row for row in rows if row["section"] == SECTION}
    calls_, cut, held, end = of[CALLS], of[CUT], of[HELD], of[END]
    restless = _RESTLESS_BYTES / 1e6
    found = [
        at_most(f"RSS growth over {calls_['count']:,} calls", calls_["growth_bytes"] / 1e6, restless, " MB"),
        at_most(f"RSS growth over {cut['count']:,} cut streams", cut["growth_bytes"] / 1e6, restless, " MB"),
        holds(
            "the provider learns of each cut stream",
            f"{cut['ended_at_provider']} of {cut['count']}, {cut['still_open']} still open",
            reached=cut["ended_at_provider"] == cut["count"] and not cut["still_open"],
        ),
    ]
    for variant in (UPLOAD, DOWNLOAD):
        row = of[variant]
        claim = f"RSS movement over {row['bytes'] / 1e6:.0f} MB {variant}ed slowly"
        found.append(at_most(claim, row["growth_bytes"] / 1e6, 30, " MB"))
        found.append(holds(f"the {variant} is whole", f"{row['count']} of 1", reached=row["count"] == 1))
    for row, when in ((held, "while calls go on"), (end, "over SIGTERM")):
        told = f"{row['whole']} of {_STREAMS}"
        found.append(holds(f"slow streams are whole {when}", told, reached=row["whole"] == _STREAMS))
    told = f"{held['sockets_open']} of {_SOCKETS} open, {held['lost_echoes']} of {held['echoes']} echoes lost"
    reached = held["sockets_open"] == _SOCKETS and not held["lost_echoes"]
    found.append(holds("sockets are held while calls go on", told, reached=reached))
    told = f"{held['failed']} of {held['answered'] + held['failed']} failed"
    found.append(holds("calls go on beside them", told, reached=not held["failed"]))
    told = f"status {end['exit_status']} after {end['took_seconds']:.1f} s of {_GRACE_SECONDS:.0f} s grace"
    reached = end["exit_status"] == 0 and end["took_seconds"] <= _GRACE_SECONDS + 2
    found.append(holds("SIGTERM ends it in time", told, reached=reached))
    if not missing_plugins():
        told = f"{end['traces']} traces of {end['expected_traces']} calls"
        found.append(holds("SIGTERM loses no trace", told, reached=end["traces"] >= end["expected_traces"]))
    return found
