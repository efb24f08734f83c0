"""The harness itself: its arithmetic, its readers, and that it runs through. Nothing here looks at a speed."""

import contextlib
import itertools
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.benchmarks import calls, collector, contestants, machine, proc, schedule, tables, targets, wrk
from tests.benchmarks.agent import Route
from tests.benchmarks.answers import Answer, Malformed
from tests.benchmarks.contestants import BARE, DEFAULT, DIRECT, MINIMAL, NGINX
from tests.benchmarks.figures import median, pair_ratios, percentile, void
from tests.benchmarks.generator import Job, OpenLoop
from tests.benchmarks.plan import SECTIONS, plan
from tests.benchmarks.processes import Child, Unfit, free_ports
from tests.benchmarks.provider import framed
from tests.benchmarks.rows import Row, Rows, complaints
from tests.benchmarks.sections import chat, latency

# -- figures ---------------------------------------------------------------------------------------------------------


def test_a_percentile_is_a_sample_that_was_measured():
    samples = [float(number) for number in range(100, 0, -1)]
    assert percentile(samples, 0.5) == 50
    assert percentile(samples, 0.99) == 99
    assert percentile(samples, 1) == 100
    assert percentile([7.0], 0.01) == 7


@pytest.mark.parametrize(("samples", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(samples: list[float], share: float):
    with pytest.raises(ValueError, match="percentile wants"):
        percentile(samples, share)


@pytest.mark.parametrize("samples", [[3.0], [1.0, 2.0], [5.0, 1.0, 3.0], [4.0, 1.0, 3.0, 2.0]])
def test_a_median_is_that_of_the_standard_library(samples: list[float]):
    assert median(samples) == statistics.median(samples)


def test_ratios_are_taken_within_a_round_so_that_what_both_suffered_cancels_out():
    quick, slow = {0: 100.0, 1: 50.0, 2: 80.0}, {0: 50.0, 1: 25.0, 3: 1.0}
    assert pair_ratios(quick, slow) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("late_us", "p50_us", "verdict"),
    [
        (90.0, 200.0, False),  # more than a tenth, but less than can be told apart
        (110.0, 200.0, True),
        (110.0, 2000.0, False),
        (210.0, 2000.0, True),
        (5001.0, 900_000.0, True),
    ],
)
def test_a_run_is_void_when_the_generator_itself_was_late(late_us: float, p50_us: float, verdict: bool):
    assert void([1.0] * 98 + [late_us] * 2, p50_us, resolvable=100.0) is verdict
    assert void([1.0] * 99 + [late_us], p50_us, resolvable=100.0) is False  # one call in a hundred


# -- schedule --------------------------------------------------------------------------------------------------------


def test_arrivals_come_at_the_rate_asked_for_and_know_nothing_of_each_other():
    moments = schedule.poisson(300, 40, seed=7)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 40
    assert len(moments) == pytest.approx(12_000, rel=0.05)
    # the standard deviation of an exponential distribution is its mean; a metronome's would be 0
    assert statistics.stdev(gaps) == pytest.approx(1 / 300, rel=0.1)


def test_the_same_seed_gives_the_same_arrivals():
    assert schedule.poisson(100, 1, seed=1) == schedule.poisson(100, 1, seed=1)
    assert schedule.poisson(100, 1, seed=1) != schedule.poisson(100, 1, seed=2)


def test_each_contestant_has_one_turn_per_round_and_no_fixed_neighbour():
    turns = list(schedule.rounds("abcdef", 8, seed=3))
    orders = ["".join(who for number, who in turns if number == wanted) for wanted in range(8)]
    assert all(sorted(order) == list("abcdef") for order in orders)
    assert len(set(orders)) > 1


# -- what is sent ----------------------------------------------------------------------------------------------------


def test_the_small_call_and_its_answer_have_the_sizes_that_figures_are_told_for():
    head, _, body = calls.chat("").render(1).partition(b"\r\n\r\n")
    assert head.count(b"\r\n") == 17
    assert 450 < len(body) < 600
    assert len(calls.ANSWER) == 310
    json.loads(body)
    json.loads(calls.ANSWER)


@pytest.mark.parametrize(
    "make",
    [
        lambda: calls.chat("/x", new_bodies=1),
        lambda: calls.chat("/x", new_bodies=1, new_traces=True),
        lambda: calls.stream("/x", new_bodies=1),
        lambda: calls.speech("/x", new_bodies=1),
        lambda: calls.transcription("/x", 5000, new_bodies=1),
    ],
)
def test_numbered_requests_differ_but_not_in_length(make: Callable[[], calls.Template]):
    template = make()
    first, second = template.render(1), template.render(10_000_000_00)
    assert first != second
    assert len(first) == len(second)
    head, _, body = first.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head


def test_without_new_bodies_all_requests_are_the_same():
    template = calls.chat("/x")
    assert template.render(1) == template.render(2)


def test_a_transcription_made_piece_by_piece_is_the_whole_one():
    whole = calls.transcription("/x", 5000).render(0)
    assert calls.transcription_head("/x", 5000) + calls.audio(5000) + calls.form()[1] == whole


# -- reading answers -------------------------------------------------------------------------------------------------

_SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
_STAMPED = [b'data: {"at":%020d}\n\n' % (1000 * number) for number in range(1, 4)]
_STREAMED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(map(framed, _STAMPED)) + b"0\r\n\r\n"


@pytest.mark.parametrize("data", [_SIZED, _STREAMED])
def test_an_answer_is_whole_with_its_last_byte_wherever_it_is_cut(data: bytes):
    for cut in range(1, len(data)):
        answer = Answer()
        assert answer.feed(data[:cut], 5000) is False
        assert answer.feed(data[cut:], 6000) is True
        assert answer.status == 200


def test_each_event_is_timed_once_even_if_it_comes_in_two_pieces():
    for cut in range(1, len(_STREAMED)):
        answer = Answer()
        answer.feed(_STREAMED[:cut], 10_000)
        answer.feed(_STREAMED[cut:], 10_000)
        assert answer.delays_ns == [9000, 8000, 7000]


@pytest.mark.parametrize(
    "data", [_SIZED + b"!", b"SMTP 220\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"]
)
def test_what_is_no_answer_of_ours_is_told(data: bytes):
    with pytest.raises(Malformed):
        Answer().feed(data, 0)


# -- reading what others say -----------------------------------------------------------------------------------------


def test_sizes_and_times_are_read_from_proc():
    status = "Name:\tpython\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t1\n"
    assert proc.status_bytes(status, "VmRSS") == 1 << 20
    assert proc.status_bytes(status, "VmHWM") == 2 << 20
    assert proc.status_bytes(status, "VmSwap") == 0
    assert proc.schedstat_ns("860322 17 1\n") == 860322
    times = proc.cpu_times("cpu  10 1 20 300 5 2 3 40 0 0\n")
    assert (times.busy, times.idle, times.stolen) == (36, 305, 40)


def test_the_time_of_a_process_and_of_its_child_is_counted():
    burn = "import time\nend = time.process_time() + 0.05\nwhile time.process_time() < end: pass"
    parent = (
        "import os, sys\nif os.fork() == 0:\n"
        + "".join(f"    {line}\n" for line in burn.splitlines())
        + "print('burnt' if os.getppid() == int(sys.argv[1]) else 'child', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert {process.stdout.readline(), process.stdout.readline()} == {"burnt\n", "child\n"}
        assert len(proc.family(process.pid)) == 2
        assert proc.cpu_ns(process.pid) > 50_000_000
        assert proc.memory_bytes(process.pid) > 4_000_000
        process.communicate()


def test_foreign_load_is_what_was_busy_and_not_ours():
    passed = proc.CpuTimes(busy=150, idle=50, stolen=10)  # ticks of 10 ms
    foreign, stolen = machine.shares(passed, own_ns=1_000_000_000, cpu_seconds=2.0)
    assert foreign == pytest.approx(0.25)
    assert stolen == pytest.approx(0.05)
    assert machine.shares(passed, own_ns=10**12, cpu_seconds=2.0)[0] == 0


def test_the_proxy_has_a_cpu_to_itself_where_there_are_two():
    assert machine.placement({3, 1, 2}) == machine.Placement(frozenset((1,)), frozenset((2, 3)))
    assert machine.placement({5}).shared


def test_results_of_wrk_are_read_and_its_failures_told():
    told = 'Running …\n\nbenchmark-result {"calls": 1234, "microseconds": 500000, "errors": 2, "bytes": 99}\n'
    assert wrk.parsed(told) == wrk.Load(1234, 0.5, 2, 99)
    with pytest.raises(Unfit, match="unable to connect"):
        wrk.parsed("unable to connect to 127.0.0.1:1 Connection refused")


def test_spans_are_counted_as_opentelemetry_writes_them():
    def spans(*kinds: "Span.SpanKind.ValueType") -> ScopeSpans:
        named = [Span(name="a call", kind=kind, trace_id=b"\2" * 16, end_time_unix_nano=1) for kind in kinds]
        return ScopeSpans(spans=named, schema_url="https://example.com")

    server, client = Span.SpanKind.SPAN_KIND_SERVER, Span.SpanKind.SPAN_KIND_CLIENT
    first = ResourceSpans(scope_spans=[spans(server, client, client), spans(client)])
    request = ExportTraceServiceRequest(resource_spans=[first, ResourceSpans(scope_spans=[spans(server)])])
    assert collector.spans(request.SerializeToString()) == (5, 2)
    assert collector.spans(b"") == (0, 0)


@pytest.mark.parametrize("cut", [1, 5])
def test_half_a_message_is_not_counted(cut: int):
    spans = ScopeSpans(spans=[Span(name="a call")])
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[spans])])
    with pytest.raises(ValueError, match="in the middle"):
        collector.spans(request.SerializeToString()[:-cut])


# -- processes -------------------------------------------------------------------------------------------------------


def test_a_stopped_process_uses_nothing_and_a_left_one_has_ended(tmp_path: Path):
    command = [sys.executable, "-c", "while True: pass"]
    with Child("the spinner", command, os.sched_getaffinity(0), tmp_path / "log") as child:
        while child.cpu_ns() < 20_000_000:
            pass
        child.stop()
        _await_state(child.pid, "T")
        used = child.cpu_ns()
        began = proc.machine_times()
        while (passed := proc.machine_times() - began).busy + passed.idle < 10:  # the machine's clock goes on
            time.sleep(0.005)
        assert child.cpu_ns() == used
        child.go_on()
        while child.cpu_ns() == used:
            pass
    assert not child.living


def _await_state(pid: int, state: str) -> None:
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
        pass


def test_a_process_that_does_not_come_up_is_told_with_what_it_said(tmp_path: Path):
    command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with (
        Child("the unlucky one", command, os.sched_getaffinity(0), tmp_path / "log") as child,
        pytest.raises(Unfit, match=r"(?s)the unlucky one ended with status 1.*no such luck"),
    ):
        child.await_port(free_ports(1)[0])


# -- the generator ---------------------------------------------------------------------------------------------------


async def test_a_server_that_stalls_is_charged_for_every_call_that_had_to_wait():
    stall_seconds = 0.3
    with _stalling_server(stall_seconds) as port:
        template = calls.chat("")
        job = Job(kind="open", route=Route(port), pieces=template.pieces, rate=200, seconds=1.0, lines=100)
        outcome = await OpenLoop(job).run()
    expected = len(schedule.poisson(200, 1.0, 0))
    assert outcome.calls + sum(outcome.errors.values()) == expected
    # a closed loop would have seen one slow call; here all those are slow that fell into the stall
    assert sum(latency > stall_seconds * 1e6 / 2 for latency in outcome.latency_us) > expected * stall_seconds / 4


@contextlib.contextmanager
def _stalling_server(stall_seconds: float):
    """Answers each connection in a thread of its own; all of them stand still for a while, once."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    lock = threading.Lock()
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    served = 0

    def serve(sock: socket.socket) -> None:
        nonlocal served
        with sock, contextlib.suppress(OSError):
            while sock.recv(65536):
                with lock:
                    served += 1
                    if served == 50:
                        time.sleep(stall_seconds)
                sock.sendall(answer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


# -- what is printed and judged --------------------------------------------------------------------------------------


def _chat_rows(rates: dict[str, list[float]]) -> list[Row]:
    return [
        {
            "section": "chat",
            "variant": variant,
            "contestant": name,
            "round": number,
            "rate": rate,
            "cpu_us_per_call": 1e6 / rate,
            "busy": 1.0,
            "asked_per_call": 1.0,
            "traced_per_call": 1.0,
            "errors": 0,
        }
        for variant in (chat.SAME, chat.TRACED)
        for name, series in rates.items()
        for number, rate in enumerate(series)
    ]


def test_targets_are_judged_by_the_median_of_the_rounds_ratios():
    rows = _chat_rows({MINIMAL: [1000, 500, 1000], BARE: [2600, 1500, 2400], DEFAULT: [1000, 500, 1100]})
    reached = {verdict.claim: verdict for verdict in chat.verdicts(rows)}
    bare = reached["throughput without plugins (same head), to the minimal proxy's"]
    assert bare.reached
    assert bare.measured.startswith("2.6x (at least 2.5x")
    default = reached["throughput default plugins, every call traced (same head), to the minimal proxy's"]
    assert not default.reached
    assert str(default).startswith("SHORT by 17%")


def test_latency_is_judged_by_what_is_added_to_direct():
    rows = [
        {
            "section": "latency",
            "variant": f"{rate}/s",
            "contestant": name,
            "round": number,
            "p50": p50,
            "p99": p50 * 2,
            "samples": 600,
            "lateness_p99": 5.0,
            "cpu_us_per_call": 1.0,
        }
        for rate in latency.RATES
        for name, p50 in ((DIRECT, 100.0), (NGINX, 200.0), (BARE, 340.0))
        for number in range(2)
    ]
    verdicts = latency.verdicts(rows)
    assert [verdict.reached for verdict in verdicts] == [True] * 4
    assert verdicts[0].measured == "2.4x (at most 2.5x; 240 us to 100 us)"
    assert verdicts[1].measured == "0.48 ms (at most 3 ms)"
    assert all("few" not in text.lower() for text in latency.tables(rows))
    assert "few" in latency.tables([row for row in rows if not row["round"]])[0]


def test_a_bound_that_is_missed_is_told_by_how_much():
    assert str(targets.at_least("speed", 2.0, 2.5, "x")) == "SHORT by 20%   speed: 2x (at least 2.5x)"
    assert str(targets.at_most("size", 100, 80, " MB")) == "SHORT by 25%   size: 100 MB (at most 80 MB)"
    assert str(targets.at_most("size", 80, 80, " MB")) == "reached        size: 80 MB (at most 80 MB)"
    assert str(targets.holds("order", "kept", reached=True)) == "reached        order: kept"


def test_a_measure_that_is_missing_never_counts_as_reached():
    assert not targets.at_most("latency", math.nan, 3).reached
    assert not targets.at_least("speed", math.nan, 3).reached


def test_failed_calls_and_void_runs_are_told():
    fine = {"section": "latency", "variant": "100/s", "contestant": BARE, "round": 0, "errors": 0}
    assert complaints([fine]) == []
    (told,) = complaints([fine | {"errors": 3}])
    assert told == "latency 100/s, sidecar bare, round 1: 3 calls failed"
    (told,) = complaints([fine | {"void": True, "lateness_p99": 812.0}])
    assert "void" in told
    assert "812 us" in told


def test_rows_of_rounds_that_lack_a_field_are_left_out():
    rows = [
        {"section": "s", "variant": "v", "contestant": BARE, "round": 0, "x": 1.0},
        {"section": "s", "variant": "v", "contestant": BARE, "round": 1},
    ]
    assert Rows(rows, "s", "v").median(BARE, "x") == 1.0
    assert Rows(rows, "s", "v").rounds == 2


def test_a_table_is_aligned():
    text = tables.table("title", ("", "number"), [["a", "1"], ["long name", "10,000"]], ["note"])
    assert text == "title\n-----------------\n           number\na               1\nlong name  10,000\nnote\n"


def test_rounds_and_seconds_given_by_hand_hold():
    for section in SECTIONS:
        assert plan(section, quick=True, rounds=1, seconds=0.3, seed=1).rounds == 1
        assert plan(section, quick=True, rounds=None, seconds=None, seed=1).seconds > 0
        assert (
            plan(section, quick=True, rounds=None, seconds=None, seed=1).seconds
            <= plan(section, quick=False, rounds=None, seconds=None, seed=1).seconds
        )


# -- the whole -------------------------------------------------------------------------------------------------------


def test_the_quick_chat_benchmark_runs_through(tmp_path: Path, skip_or_fail: Callable[[str], None]):
    if missing := machine.missing():
        skip_or_fail(f"{' and '.join(missing)} cannot be found")
    file, scratch = tmp_path / "rows.json", tmp_path / "scratch"
    scratch.mkdir()
    arguments = ("--quick", "--only", "chat", "--rounds", "1", "--seconds", "0.3", "--json", str(file))
    done = _benchmark(*arguments, environ={"TMPDIR": str(scratch)})
    assert done.returncode in (0, 1), done.stderr  # whether targets are reached is not for this test to say
    told = json.loads(file.read_text())
    taking_part = [contestant for contestant in contestants.contestants() if not contestant.note]
    for contestant in taking_part:
        rows = [row for row in told["rows"] if row["contestant"] == contestant.name]
        assert sorted(row["variant"] for row in rows) == sorted((chat.SAME, chat.TRACED))
        assert all(row["calls"] > 0 and not row["errors"] for row in rows), contestant.label
        assert done.stdout.count(f"\n{contestant.label} ") == 2
    assert "the same head each time" in done.stdout
    assert "a new traceparent with each call" in done.stdout
    assert "throughput without plugins" in done.stdout
    assert "placement" in done.stdout
    assert list(scratch.iterdir()) == []
    assert _running_with(str(scratch)) == []


def _running_with(text: str) -> list[bytes]:
    """The command lines of processes that mention *text*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes())
    return [line for line in found if text.encode() in line]


def test_what_is_missing_is_named_with_how_to_get_it():
    done = _benchmark("--quick", environ={"PATH": "/nonexistent"})
    assert done.returncode == 4
    assert "wrk" in done.stderr
    assert "apt-get install" in done.stderr
    assert "--without wrk" in done.stderr


def _benchmark(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        machine.python("-m", "tests.benchmarks", *arguments),
        cwd=machine.ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        timeout=120,
        check=False,
    )
