"""New connections of the upstream client to a server with TLS, one after the other: what they take.

    python -m tests.benchmarks.resumption < JOB > OUTCOME

Each is opened for a small call, as in service; ``kept`` makes the same calls by one connection.
"""

import sys
import time
from typing import Literal

import msgspec
import uvloop
from msgspec import Struct

from sidecar.provider import Origin, Provider
from sidecar.upstream.dial import SystemResolver, client_context
from sidecar.upstream.lean import LeanUpstream
from sidecar.watchdog import Watchdog
from tests.benchmarks.figures import median
from tests.making import attempt

WARM_UP = 5


class Job(Struct, frozen=True):
    port: int
    ca_file: str
    how: Literal["kept", "full", "resumed"]
    count: int


class Outcome(Struct, frozen=True):
    """``cpu_us`` of a call, connection included; ``tls_us``: the middle one of how long TLS took."""

    cpu_us: float
    tls_us: float
    connections: int
    resumed: int


async def measured(job: Job) -> Outcome:
    context = client_context([job.ca_file])
    provider = Provider(name="server", origin=Origin("https", "localhost", job.port))
    idle_seconds = 120.0 if job.how == "kept" else 0.0  # which no connection outlives
    upstream = LeanUpstream(
        provider, watchdog=Watchdog(), resolver=SystemResolver(), context=lambda: context, idle_seconds=idle_seconds
    )
    took, resumed, began, opened = [], 0, 0.0, 0
    for number in range(-WARM_UP, job.count):
        if not number:
            began, opened = time.process_time(), upstream.opened
        if job.how == "full":
            upstream._opener._sessions.forget()
            for connection in upstream._open:
                connection.handshake = None
        call = attempt(provider, body=b"{}")
        await (await upstream.send(call)).body.read(1 << 20)
        if number >= 0 and (connecting := call.record.connecting) is not None:
            took.append(connecting.tls_seconds * 1e6)
            resumed += connecting.resumed
    cpu_us = (time.process_time() - began) / job.count * 1e6
    opened = upstream.opened - opened
    await upstream.aclose()
    return Outcome(cpu_us, median(took) if took else 0.0, opened, resumed)


if __name__ == "__main__":
    outcome = uvloop.run(measured(msgspec.json.decode(sys.stdin.buffer.read(), type=Job)))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
