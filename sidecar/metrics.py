"""What is counted of all calls, and its Prometheus text. A call costs one look-up and a few additions."""

import math
import os
import resource
import time
from bisect import bisect_left
from collections.abc import Iterable

from sidecar.exchange import Record
from sidecar.hookspecs import Sample
from sidecar.notes import Connecting

#: Upper bounds in seconds; they double, from 1 ms to 131 s.
BOUNDS = tuple(0.001 * 2**power for power in range(18))
#: Our own share is finer: from 50 us to 0.4 s.
FINE_BOUNDS = tuple(0.00005 * 2**power for power in range(14))
#: Distinct label sets; what comes beyond is folded into one, and counted.
MAX_SERIES = 1000

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts by upper bound. ``bounds`` is one of the tuples above."""

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> Iterable[tuple[str, int]]:
        """Bound as Prometheus writes it, and how many were at most that."""
        total = 0
        for bound, count in zip((*(f"{bound:g}" for bound in self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            yield bound, total


class _Series:
    """All calls with the same operation, provider, answerer, status and outcome."""

    __slots__ = ("calls", "duration", "first_byte", "overhead", "request_bytes", "response_bytes")

    def __init__(self) -> None:
        self.calls = 0
        self.request_bytes = 0
        self.response_bytes = 0
        self.duration = Histogram(BOUNDS)
        self.first_byte = Histogram(BOUNDS)
        self.overhead = Histogram(FINE_BOUNDS)


class Metrics:
    """One process's counts. They survive a reload of the configuration."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str, int, str], _Series] = {}
        self._attempts: dict[tuple[str, str | int], int] = {}
        self._connects: dict[tuple[str, str], Histogram] = {}
        self._counters: dict[tuple[str, Labels], int] = {}
        self.in_flight = 0
        self.started_seconds = time.time_ns() / 1e9

    def observe(self, record: Record) -> None:
        exchange = record.exchange
        notes, answered_by = exchange.notes, record.answered_by or ""
        key = (exchange.operation, exchange.candidates[0].name, answered_by, record.status or 0, record.outcome)
        series = self._series.get(key)
        if series is None:
            series = self._new_series(key)
        series.calls += 1
        series.request_bytes += record.request_bytes
        series.response_bytes += record.response_bytes
        series.duration.observe(record.ended - notes.received)
        first_byte = record.first_byte - notes.received
        if first_byte > 0:
            series.first_byte.observe(first_byte)
        for attempt in notes.attempts:
            if attempt.error is None:
                counted: tuple[str, str | int] = (attempt.provider.name, attempt.status)
                first_byte -= attempt.first_byte - attempt.started
            else:
                counted = (attempt.provider.name, type(attempt.error).__name__)
                first_byte -= attempt.ended - attempt.started
            self._attempts[counted] = self._attempts.get(counted, 0) + 1
        if record.first_byte:
            series.overhead.observe(first_byte if first_byte > 0 else 0.0)

    def _new_series(self, key: tuple[str, str, str, int, str]) -> _Series:
        if len(self._series) >= MAX_SERIES:
            key = ("other", "other", "other", 0, "other")
        return self._series.setdefault(key, _Series())

    def connected(self, provider: str, connecting: Connecting) -> None:
        """A connection to *provider* was opened."""
        key = (provider, "none" if not connecting.tls else "resumed" if connecting.resumed else "full")
        histogram = self._connects.get(key)
        if histogram is None:
            if len(self._connects) >= MAX_SERIES:
                key = ("other", key[1])
            histogram = self._connects.setdefault(key, Histogram(BOUNDS))
        histogram.observe(connecting.seconds)

    def count(self, name: str, /, **labels: str) -> None:
        """One more of what the call path does not count itself; *name* without ``sidecar_`` and ``_total``."""
        key = (name, tuple(sorted(labels.items())))
        if key not in self._counters and len(self._counters) >= MAX_SERIES:
            key = (name, tuple((label, "other") for label in sorted(labels)))
        self._counters[key] = self._counters.get(key, 0) + 1

    def counted(self, name: str) -> dict[str, int]:
        """What has been counted under *name*, by the value of its one label."""
        return {labels[0][1]: number for (each, labels), number in self._counters.items() if each == name}

    def render(self, samples: Iterable[Sample] = ()) -> str:
        """Everything in Prometheus' text format 0.0.4, with *samples* of others."""
        page = _Page()
        for (operation, provider, answered_by, status, outcome), series in sorted(self._series.items()):
            labels = (("operation", operation), ("provider", provider))
            ended = (
                *labels,
                ("answered_by", answered_by),
                ("status", str(status) if status else "none"),
                ("outcome", outcome),
            )
            page.add("requests_total", "counter", "Calls that have ended.", ended, series.calls)
            page.add("request_bytes_total", "counter", "Bytes of request bodies.", ended, series.request_bytes)
            page.add("response_bytes_total", "counter", "Bytes of answers' bodies.", ended, series.response_bytes)
            page.histogram("request_duration_seconds", "From the request to the last byte.", ended, series.duration)
            page.histogram("first_byte_seconds", "From the request to the first byte.", ended, series.first_byte)
            page.histogram("overhead_seconds", "Our own share of the first byte's time.", ended, series.overhead)
        for (provider, result), number in sorted(self._attempts.items(), key=str):
            labels = (("provider", provider), ("result", str(result or "none")))
            page.add("attempts_total", "counter", "Tries of providers, by status or error.", labels, number)
        for (provider, tls), histogram in sorted(self._connects.items()):
            labels = (("provider", provider), ("tls", tls))
            page.histogram("upstream_connect_seconds", "Name, TCP and TLS of a new connection.", labels, histogram)
        for (name, kept), number in sorted(self._counters.items()):
            page.add(f"{name}_total", "counter", _HELP.get(name, "See the documentation."), kept, number)
        page.add("in_flight", "gauge", "Calls under way.", (), self.in_flight)
        for sample in (*samples, *self._process()):
            page.add(sample.name, sample.kind, sample.help, sample.labels, sample.value)
        return page.text()

    def _process(self) -> Iterable[Sample]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield Sample("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime, "CPU time used.", "counter")
        yield Sample("process_resident_memory_bytes", resident_bytes(), "Memory in use.")
        yield Sample("process_start_time_seconds", self.started_seconds, "When the process began, Unix time.")


_HELP = {
    "rejected": "Requests that were turned away before they became a call.",
    "captured": "Connections that the agent opened to others, by what led them here: the hosts file, or a redirection.",
    "distrusted": "TLS connections that ended because the client did not take our certificate.",
    "config_reloads": "Reloads of the configuration, by result.",
}


class _Page:
    """Samples by metric: the format wants each metric's lines together, under one HELP and TYPE."""

    def __init__(self) -> None:
        self._metrics: dict[str, tuple[str, str, list[str]]] = {}

    def _lines(self, name: str, kind: str, text: str) -> list[str]:
        return self._metrics.setdefault(f"sidecar_{name}", (kind, text, []))[2]

    def add(self, name: str, kind: str, text: str, labels: Labels, value: float) -> None:
        self._lines(name, kind, text).append(f"sidecar_{name}{_labelled(labels)} {_number(value)}")

    def histogram(self, name: str, text: str, labels: Labels, histogram: Histogram) -> None:
        lines = self._lines(name, "histogram", text)
        total = 0
        for bound, total in histogram.cumulative():
            lines.append(f"sidecar_{name}_bucket{_labelled((*labels, ('le', bound)))} {total}")
        lines.append(f"sidecar_{name}_sum{_labelled(labels)} {_number(histogram.sum)}")
        lines.append(f"sidecar_{name}_count{_labelled(labels)} {total}")

    def text(self) -> str:
        return "".join(
            f"# HELP {name} {_one_line(text)}\n# TYPE {name} {kind}\n" + "\n".join(lines) + "\n"
            for name, (kind, text, lines) in self._metrics.items()
        )


def _labelled(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _one_line(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def resident_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
