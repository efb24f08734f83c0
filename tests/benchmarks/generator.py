"""The load of agents that do not wait for each other (open loop), and of some that do.

    python -m tests.benchmarks.generator PRIORITY < JOB.json > OUTCOME.json

Calls start at moments fixed before the run; latency counts from those, so that a proxy which stalls is charged for
every call that it made wait. The generator tells how late it was itself, for its figures to be thrown away if it was.
"""

import asyncio
import gc
import os
import sys
import time
from typing import Literal

import msgspec
import uvloop

from tests.benchmarks.agent import Line, Route, open_line
from tests.benchmarks.alarm import Alarm
from tests.benchmarks.calls import Template
from tests.benchmarks.schedule import poisson

#: Later than this is counted as late.
LATE_US = 1000.0
_DRAIN_SECONDS = 10.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """
    Args:
        kind: open: *rate* calls per second; closed: each of *lines* calls again as soon as it is answered;
            connect: each of *at_once* agents calls again as soon as it is answered, on a new connection, *count* calls
            in all;
            arrive: *rate* calls per second, each on a connection of its own, for which it waits, too.
        names: under which connections are opened, with the number of the call for ``%d``; empty for the route's own.
        warm_up_seconds: at the beginning, left out of what is told.
        lines: connections, opened before the start; a call that finds none free is dropped.
        numbered_from: of the first call, for templates.
    """

    kind: Literal["open", "closed", "connect", "arrive"]
    route: Route
    pieces: tuple[bytes, ...]
    formats: tuple[str, ...] = ()
    rate: float = 0.0
    seconds: float = 0.0
    warm_up_seconds: float = 0.0
    lines: int = 64
    count: int = 0
    at_once: int = 1
    names: str = ""
    seed: int = 0
    numbered_from: int = 1

    @property
    def template(self) -> Template:
        return Template(self.pieces, self.formats)


class Outcome(msgspec.Struct, kw_only=True):
    """Microseconds, one entry per call unless said otherwise."""

    calls: int = 0
    """All that were answered, those of the warm-up included."""
    dropped: int = 0
    late: int = 0
    errors: dict[str, int] = {}
    lateness_us: list[float] = []
    """Of the generator: from when a call was to start until it did."""
    latency_us: list[float] = []
    """From when a call was to start to the last byte of its answer."""
    first_us: list[float] = []
    """The same to the first byte of its body."""
    delay_us: list[float] = []
    """Of each event of a stream: from its sending to its arrival."""
    connect_us: list[float] = []
    """Until a new connection was ready for a request, handshakes included."""
    seconds: float = 0.0


def _us(nanoseconds: int) -> float:
    return round(nanoseconds / 1000, 1)


class OpenLoop:
    def __init__(self, job: Job) -> None:
        self.outcome = Outcome()
        self._job = job
        self._template = job.template
        self._lines: list[Line] = []
        self._free: list[Line] = []
        self._moments = poisson(job.rate, job.warm_up_seconds + job.seconds, job.seed)
        self._next = self._busy = 0
        self._counted_from_ns = self._base_ns = 0
        self._drained = asyncio.get_running_loop().create_future()
        self._alarm = Alarm(self._start_due)

    async def run(self) -> Outcome:
        for _ in range(self._job.lines):
            self._lines.append(await open_line(self._job.route, self._ended))
        self._free += self._lines
        self._base_ns = time.monotonic_ns() + 50_000_000
        self._counted_from_ns = self._base_ns + int(self._job.warm_up_seconds * 1e9)
        self._alarm.set(self._due_ns())
        try:
            async with asyncio.timeout(self._job.warm_up_seconds + self._job.seconds + _DRAIN_SECONDS):
                await self._drained
        except TimeoutError:
            self._failed(f"no answer within {_DRAIN_SECONDS:g} s after the end")
        self.outcome.seconds = self._job.seconds
        self._alarm.close()
        for line in self._lines:
            line.transport.close()
        return self.outcome

    def _due_ns(self) -> int:
        return self._base_ns + int(self._moments[self._next] * 1e9)

    def _start_due(self) -> None:
        while self._next < len(self._moments):
            due_ns, now_ns = self._due_ns(), time.monotonic_ns()
            if due_ns > now_ns:
                self._alarm.set(due_ns)
                return
            self._start(due_ns, now_ns)
            self._next += 1
        self._check_drained()

    def _start(self, due_ns: int, now_ns: int) -> None:
        counts = due_ns >= self._counted_from_ns
        if counts:
            self.outcome.lateness_us.append(_us(now_ns - due_ns))
            self.outcome.late += now_ns - due_ns > LATE_US * 1000
        line = self._free.pop() if self._free else None
        while line is not None and line.lost:
            line = self._free.pop() if self._free else None
        if line is None:
            self.outcome.dropped += counts
            return
        line.began_ns = due_ns
        self._busy += 1
        line.send(self._template.render(self._job.numbered_from + self._next))

    def _ended(self, line: Line) -> None:
        self._busy -= 1
        answer, outcome = line.answer, self.outcome
        assert answer is not None
        if line.error:
            self._failed(line.error)
        else:
            outcome.calls += 1
            if line.began_ns >= self._counted_from_ns:
                outcome.latency_us.append(_us(line.ended_ns - line.began_ns))
                outcome.first_us.append(_us(answer.first_ns - line.began_ns))
                outcome.delay_us += map(_us, answer.delays_ns)
        if not line.lost and not line.transport.is_closing():
            self._free.append(line)
        self._check_drained()

    def _check_drained(self) -> None:
        if self._next >= len(self._moments) and not self._busy and not self._drained.done():
            self._drained.set_result(None)

    def _failed(self, error: str) -> None:
        self.outcome.errors[error] = self.outcome.errors.get(error, 0) + 1


async def closed_loop(job: Job) -> Outcome:
    """Each line calls as soon as it has been answered."""
    outcome, template = Outcome(), job.template
    lines = [await open_line(job.route) for _ in range(job.lines)]
    began = time.monotonic()
    number = job.numbered_from

    async def agent(line: Line) -> None:
        nonlocal number
        while time.monotonic() - began < job.seconds:
            number += 1
            started_ns = time.monotonic_ns()
            await line.call(template.render(number))
            outcome.latency_us.append(_us(line.ended_ns - started_ns))

    await asyncio.gather(*map(agent, lines))
    outcome.seconds = time.monotonic() - began
    outcome.calls = len(outcome.latency_us)
    return outcome


async def connect(job: Job) -> Outcome:
    """New connections, a call on each."""
    outcome = Outcome()
    numbers = iter(range(job.numbered_from, job.numbered_from + job.count))
    began = time.monotonic()

    async def agent() -> None:
        for number in numbers:
            await _call_anew(job, outcome, number, time.monotonic_ns())

    await asyncio.gather(*(agent() for _ in range(job.at_once)))
    outcome.seconds = time.monotonic() - began
    outcome.calls = len(outcome.latency_us)
    return outcome


async def _call_anew(job: Job, outcome: Outcome, number: int, began_ns: int) -> None:
    """A call on a connection of its own; its latency counts from *began_ns*."""
    route = msgspec.structs.replace(job.route, server_name=job.names % number) if job.names else job.route
    line = await open_line(route)
    outcome.connect_us.append(_us(time.monotonic_ns() - began_ns))
    await line.call(job.template.render(number))
    outcome.latency_us.append(_us(line.ended_ns - began_ns))
    line.transport.close()


async def arrive(job: Job) -> Outcome:
    """Connections at moments fixed before the run, a call on each."""
    outcome, loop = Outcome(seconds=job.seconds), asyncio.get_running_loop()
    moments = poisson(job.rate, job.seconds, job.seed)
    base_ns = time.monotonic_ns() + 50_000_000
    due: list[int] = [base_ns + int(moment * 1e9) for moment in moments]
    calls: list[asyncio.Task[None]] = []
    rung = loop.create_future()

    def start_due() -> None:
        while len(calls) < len(due):
            due_ns, now_ns = due[len(calls)], time.monotonic_ns()
            if due_ns > now_ns:
                alarm.set(due_ns)
                return
            outcome.lateness_us.append(_us(now_ns - due_ns))
            outcome.late += now_ns - due_ns > LATE_US * 1000
            calls.append(loop.create_task(_call_anew(job, outcome, job.numbered_from + len(calls), due_ns)))
        rung.set_result(None)

    alarm = Alarm(start_due)
    alarm.set(due[0])
    await rung
    alarm.close()
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if error is not None:
            outcome.errors[str(error)] = outcome.errors.get(str(error), 0) + 1
    outcome.calls = len(outcome.latency_us)
    return outcome


async def run(job: Job) -> Outcome:
    if job.kind == "open":
        return await OpenLoop(job).run()
    return await {"closed": closed_loop, "connect": connect, "arrive": arrive}[job.kind](job)


if __name__ == "__main__":
    if priority := int(sys.argv[1]):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    gc.disable()
    outcome = uvloop.run(run(msgspec.json.decode(sys.stdin.buffer.read(), type=Job)))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
