"""The harness of captured, spliced and reviewed calls: its arithmetic, what it sends, and that its processes work."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.inject import InjectSettings
from sidecar.intercept.hello import Hello, read_hello
from sidecar.webhook.admission import answered
from tests.benchmarks import admissions, machine
from tests.benchmarks.agent import Route
from tests.benchmarks.bulk import DOWN, UP, Haul, haul, hello
from tests.benchmarks.calls import Template
from tests.benchmarks.generator import Job, run
from tests.benchmarks.processes import Child, free_ports
from tests.benchmarks.rows import Row, Rows
from tests.benchmarks.sections import admissions as admissions_section
from tests.benchmarks.sections import handshakes, interception, splice


def test_a_connection_in_bulk_begins_as_tls_does():
    assert read_hello(hello("bulk.example")) == Hello("bulk.example", ())


@pytest.fixture
def far_end(tmp_path: Path) -> Iterator[int]:
    (port,) = free_ports(1)
    command = machine.python("-m", "tests.benchmarks.bulk", "serve", "127.0.0.1", str(port))
    with Child("the far end", command, os.sched_getaffinity(0), tmp_path / "far") as child:
        child.await_port(port)
        yield port


@pytest.mark.parametrize("direction", [DOWN, UP])
def test_bytes_in_bulk_come_whole_also_by_way_of_the_kernel(tmp_path: Path, far_end: int, direction: str):
    (port,) = free_ports(1)
    command = machine.python("-m", "tests.benchmarks.ceiling", "127.0.0.1", str(port), "127.0.0.1", str(far_end))
    with Child("the ceiling", command, os.sched_getaffinity(0), tmp_path / "ceiling") as child:
        child.await_port(port)
        for to in (far_end, port):
            task = Haul(address="127.0.0.1", port=to, direction=direction, size=5_000_001)  # type: ignore[arg-type]
            assert haul(task) > 0


# -- calls on connections of their own -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["connect", "arrive"])
async def test_each_call_has_a_connection_of_its_own(kind: str):
    connections = calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, calls
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            calls += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await reader.read(1)
            writer.close()
            return

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        route = Route(server.sockets[0].getsockname()[1])
        pieces = (b"GET / HTTP/1.1\r\n\r\n",)
        job = Job(kind=kind, route=route, pieces=pieces, rate=100, seconds=0.2, count=20, at_once=4)  # type: ignore[arg-type]
        outcome = await run(job)
    assert outcome.errors == {}
    assert outcome.calls == connections == calls > 5
    assert len(outcome.connect_us) == len(outcome.latency_us) == calls


# -- reviews ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "containers"),
    [(admissions.small, 1), (admissions.large, 10), (lambda: admissions.large(each_its_own=True), 10)],
)
def test_the_pods_that_are_reviewed_get_a_sidecar(make: Callable[[], Template], containers: int):
    template = make()
    head, _, body = template.render(7).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    pod = json.loads(body)["request"]["object"]
    assert len(pod["spec"]["containers"]) == containers
    assert answered(body, InjectSettings(), "any").outcome == "injected"
    if containers > 1:
        (config,) = (text for name, text in pod["metadata"]["annotations"].items() if name.endswith("/config"))
        assert 10_000 < len(config) < 10_500


def test_only_pods_that_are_to_differ_do():
    alike, differing = admissions.large(), admissions.large(each_its_own=True)
    assert alike.render(1) == alike.render(2)
    assert differing.render(1) != differing.render(2)


# -- what comes of it ------------------------------------------------------------------------------------------------


def _rows(section: str, variant: str, field: str, values: dict[str, list[float]], **more: object) -> list[Row]:
    return [
        {"section": section, "variant": variant, "contestant": name, "round": number, field: value, **more}
        for name, series in values.items()
        for number, value in enumerate(series)
    ]


def test_interception_is_judged_by_what_is_left_of_a_call_without_tls():
    costs = {
        interception.PLAIN: [100.0, 200.0],
        interception.HOSTS: [130.0, 260.0],
        interception.FLOOR_PLAIN: [20.0, 40.0],
        interception.FLOOR_TLS: [40.0, 80.0],
        interception.FRONT_PLAIN: [20.0, 40.0],
        interception.FRONT_TLS: [25.0, 50.0],
    }
    more = {"calls": 10, "seconds": 1.0, "busy": 1.0}
    rows = _rows(interception.SECTION, interception.VARIANT, "cpu_us_per_call", costs, **more)
    (verdict,) = interception.verdicts(rows)
    assert verdict.measured == "1.1x (at most 1.15x)"
    assert verdict.reached
    (text,) = interception.tables(rows)
    assert "1.30x                 1.10x                1.25x" in text


@pytest.mark.parametrize(
    ("out_of_pods", "judged"),
    [({}, [True]), ({splice.POD_DIRECT: [400.0], splice.REDIRECT: [240.0]}, [False])],
)
def test_a_splice_is_judged_by_the_direct_connection_that_it_stands_for(
    out_of_pods: dict[str, list[float]], judged: list[bool]
):
    rates = {splice.DIRECT: [1000.0], splice.KERNEL: [500.0], splice.CONNECT: [800.0], **out_of_pods}
    rows = [
        row
        for direction in (DOWN, UP)
        for row in _rows(splice.SECTION, direction, "mb_per_second", rates, cpu_seconds_per_gb=0.5)
    ]
    assert [verdict.reached for verdict in splice.verdicts(rows)] == judged * 2
    assert len(splice.tables(rows)) == 2


def test_handshakes_are_judged_where_the_certificate_is_there_and_memory_by_its_growth():
    costs = {handshakes.STATIC: [500.0], handshakes.KNOWN: [900.0], handshakes.FIRST: [3000.0]}
    rows = _rows(handshakes.SECTION, handshakes.HANDSHAKE, "handshake_us", costs, new_us=1.0, kept_us=1.0)
    grown = {handshakes.ENDED: [9_000_000]}
    more = {"names": 5000, "resident": [60_000_000, 70_000_000, 79_000_000]}
    rows += _rows(handshakes.SECTION, handshakes.MEMORY, "growth_bytes", grown, **more)
    assert [verdict.reached for verdict in handshakes.verdicts(rows)] == [True, False]
    assert "+10.0" in handshakes.tables(rows)[1]


def test_what_a_resumed_session_saves_is_shown_beside_a_full_handshake():
    costs = {handshakes.KEPT: [100.0], handshakes.FULL: [1100.0], handshakes.RESUMED: [600.0]}
    rows = _rows(handshakes.SECTION, handshakes.RESUMING, "client_us", costs, server_us=50.0, tls_us=700.0)
    (shown,) = handshakes._resumed_table(Rows(rows, handshakes.SECTION, handshakes.RESUMING))
    assert [line.split()[-4:] for line in shown.splitlines()[3:5]] == [
        ["1,000", "1.00x", "0", "700"],
        ["500", "0.55x", "0", "700"],
    ]
    assert handshakes._resumed_table(Rows([], handshakes.SECTION, handshakes.RESUMING)) == []


def test_reviews_are_judged_by_their_tail():
    way = next(iter(admissions_section._TITLES))
    more = {"p50": 1000.0, "most": 60_000.0, "samples": 2000, "cpu_us_per_call": 900.0, "busy": 0.2}
    for p99, reached in ((49_000.0, True), (51_000.0, False)):
        rows = _rows("admissions", "admissions", "p99", {way: [p99]}, **more)
        assert [verdict.reached for verdict in admissions_section.verdicts(rows)] == [reached]
        assert Rows(rows, "admissions", "admissions").has(way)
        assert len(admissions_section.tables(rows)) == 1
