"""The way of traces out of the process: never in the way of calls, bounded, counted, and said once."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sidecar_tracing import otlp, shipping
from sidecar_tracing.shipping import Shipper

from sidecar import Record
from tests.making import exchange

PATIENCE = 10.0


def record(name: str = "call") -> Record:
    return Record(exchange=exchange(target=f"/{name}"), outcome="completed")


def one_span(told: Record) -> list[bytes]:
    name = told.exchange.request.path[1:]
    if name == "unreadable":
        raise ZeroDivisionError("a defect")
    return [otlp.span(otlp.said(name, otlp.SERVER), b"t" * 16, b"s" * 8, b"", 1, 2, b"")]


class Way:
    """Where batches go: they arrive, unless it is told otherwise."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.refuses = False
        self.raises: Exception | None = None
        self.disconnected = 0
        self.open = threading.Event()
        """Cleared: it hangs."""
        self.open.set()
        self.busy = threading.Event()
        """Whether a batch is on its way."""

    def connect(self) -> Callable[[bytes], bool]:
        return self.export

    def disconnect(self) -> None:
        self.disconnected += 1
        self.open.set()

    def export(self, data: bytes) -> bool:
        self.busy.set()
        self.open.wait(PATIENCE)
        if self.raises is not None:
            raise self.raises
        if self.refuses:
            return False
        read = ExportTraceServiceRequest.FromString(data)
        self.batches.append([span.name for span in read.resource_spans[0].scope_spans[0].spans])
        return True

    @property
    def names(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def shipped(way: Way, **options: Any) -> AsyncIterator[Shipper]:
    options = {"delay_seconds": 0.01, **options}
    shipper = Shipper(way.connect, way.disconnect, otlp.resource({}, "scope", "1", ""), one_span, **options)
    shipper.start()
    try:
        yield shipper
    finally:
        way.open.set()
        await shipper.stop(PATIENCE)


def numbers(shipper: Shipper) -> dict[str, float]:
    return {
        f"{sample.name}{''.join(value for _, value in sample.labels)}": sample.value for sample in shipper.samples()
    }


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses after failures are short."""
    monkeypatch.setattr(shipping, "_LONGEST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    """What was logged so far."""
    with caplog.at_level(logging.INFO, "sidecar_tracing"):
        yield lambda: [line.getMessage() for line in caplog.records if line.name.startswith("sidecar_tracing")]


async def test_calls_are_sent_together_after_a_while() -> None:
    way = Way()
    async with shipped(way, delay_seconds=0.05) as shipper:
        for number in range(20):
            shipper.put(record(f"c{number}"))
        await until(lambda: len(way.names) == 20)
        assert len(way.batches) == 1
        assert numbers(shipper) == {
            "tracing_spans_exported_total": 20,
            "tracing_waiting_calls": 0,
            "tracing_dropped_calls_totalqueue_full": 0,
            "tracing_dropped_calls_totalexport_failed": 0,
            "tracing_dropped_calls_totalunreadable": 0,
        }


async def test_a_full_batch_does_not_wait() -> None:
    way = Way()
    async with shipped(way, delay_seconds=3600, batch_calls=16) as shipper:
        for number in range(33):
            shipper.put(record(f"c{number}"))
        await until(lambda: len(way.names) == 32)
        assert len(way.batches) in (1, 2), "two that wait together may go together"
    assert way.batches[-1] == ["c32"], "the rest goes at the end"
    assert way.names == [f"c{number}" for number in range(33)]


async def test_batches_that_wait_for_a_slow_collector_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_SENT_AT_ONCE_BYTES", 7 * len(one_span(record("c1"))[0]))
    way = Way()
    way.open.clear()
    async with shipped(way, delay_seconds=3600, batch_calls=2) as shipper:
        shipper.put(record("first"))
        shipper.put(record("second"))
        await until(way.busy.is_set)
        for number in range(20):
            shipper.put(record(f"c{number}"))
        way.open.set()
        await until(lambda: len(way.names) == 22)
    assert [len(batch) for batch in way.batches] == [2, 8, 8, 4]
    assert way.names == ["first", "second", *(f"c{number}" for number in range(20))]
    assert numbers(shipper)["tracing_waiting_calls"] == 0


class TestACollectorThatHangs:
    async def test_costs_calls_nothing_and_what_waits_is_bounded(self) -> None:
        way = Way()
        way.open.clear()
        async with shipped(way, queue_calls=100, batch_calls=10) as shipper:
            shipper.put(record())
            await asyncio.to_thread(way.busy.wait, PATIENCE)
            began = time.perf_counter()
            for _ in range(20_000):
                shipper.put(record())
            assert (time.perf_counter() - began) / 20_000 < 0.001
            assert shipper.dropped["queue_full"] == 20_001 - 100
            assert numbers(shipper)["tracing_waiting_calls"] == 100
            way.open.set()
            await until(lambda: len(way.names) == 100)
            shipper.put(record("later"))
            await until(lambda: way.names[-1] == "later")

    async def test_does_not_make_memory_grow(self) -> None:
        way = Way()
        way.open.clear()
        async with shipped(way, queue_calls=50, batch_calls=10) as shipper:
            for _ in range(50):
                shipper.put(record())
            await asyncio.to_thread(way.busy.wait, PATIENCE)
            for _ in range(5000):
                shipper.put(record())
            gc.collect()
            assert sum(isinstance(each, Record) for each in gc.get_objects()) < 100
            assert sum(batch.spans for batch in list_of(shipper)) <= 50

    async def test_does_not_hold_up_the_end_for_longer_than_that_may_take(self, said: Callable[[], list[str]]) -> None:
        way = Way()
        way.open.clear()
        shipper = Shipper(way.connect, way.disconnect, otlp.resource({}, "", "", ""), one_span, delay_seconds=0.01)
        shipper.start()
        for _ in range(3):
            shipper.put(record())
        await asyncio.to_thread(way.busy.wait, PATIENCE)
        began = time.monotonic()
        way.refuses = True  # once it is let go of, the batch has not arrived
        await shipper.stop(0.1)
        assert time.monotonic() - began < 1
        assert way.disconnected >= 1
        assert shipper.dropped["export_failed"] == 3
        assert not shipper._thread.is_alive()


def list_of(shipper: Shipper) -> list[shipping.Batch]:
    """The batches that wait, taken out."""
    found = []
    while not shipper._outbox.empty():
        batch = shipper._outbox.get()
        if batch is not None:
            found.append(batch)
    return found


class TestACollectorThatRefuses:
    async def test_loses_calls_which_is_counted_and_said_once(self, said: Callable[[], list[str]]) -> None:
        way = Way()
        way.refuses = True
        async with shipped(way, batch_calls=1) as shipper:
            for _ in range(20):
                shipper.put(record())
            await until(lambda: shipper.dropped["export_failed"] == 20)
            assert numbers(shipper)["tracing_waiting_calls"] == 0
            assert shipper.failing_since is not None
            assert [line for line in said() if "does not take traces" in line] == said()
            assert len(said()) == 1

    async def test_is_not_asked_all_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shipping, "_LONGEST_PAUSE_SECONDS", 30.0)
        way = Way()
        way.refuses = True
        async with shipped(way, batch_calls=1) as shipper:
            pauses = []
            for _ in range(7):
                shipper._failed("why")
                pauses.append(shipper._pause_seconds)
            assert pauses == [1, 2, 4, 8, 16, 30, 30]

    async def test_is_told_again_once_it_recovers(self, said: Callable[[], list[str]]) -> None:
        way = Way()
        way.refuses = True
        async with shipped(way, batch_calls=1) as shipper:
            shipper.put(record("lost"))
            await until(lambda: shipper.dropped["export_failed"] == 1)
            way.refuses = False
            shipper.put(record("told"))
            await until(lambda: way.names == ["told"])
            await until(lambda: shipper.failing_since is None)
            assert any("takes traces again" in line and "1 calls were dropped" in line for line in said())
            way.refuses = True
            shipper.put(record("lost"))
            await until(lambda: shipper.dropped["export_failed"] == 2)
        assert sum("does not take traces" in line for line in said()) == 2, "each failure is said, once"

    async def test_an_exporter_that_raises_is_no_different(self, said: Callable[[], list[str]]) -> None:
        way = Way()
        way.raises = OSError("no route")
        async with shipped(way, batch_calls=1) as shipper:
            shipper.put(record())
            await until(lambda: shipper.dropped["export_failed"] == 1)
            way.raises = None
            shipper.put(record("told"))
            await until(lambda: way.names == ["told"])
        assert "the collector does not take traces, no route; calls are not affected" in said()[0]

    async def test_the_end_does_not_wait_for_its_pause(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shipping, "_LONGEST_PAUSE_SECONDS", 30.0)
        way = Way()
        way.refuses = True
        shipper = Shipper(
            way.connect, way.disconnect, otlp.resource({}, "", "", ""), one_span, delay_seconds=0.01, batch_calls=1
        )
        shipper.start()
        for _ in range(6):  # 1 + 2 + 4 … seconds
            shipper.put(record())
        await until(lambda: shipper.dropped["export_failed"] >= 1)
        way.refuses = False
        began = time.monotonic()
        await shipper.stop(PATIENCE)
        assert time.monotonic() - began < 2
        assert way.names.count("call") + shipper.dropped["export_failed"] == 6


async def test_what_cannot_be_told_is_counted_and_harms_no_other(said: Callable[[], list[str]]) -> None:
    way = Way()
    async with shipped(way) as shipper:
        for name in ("one", "unreadable", "two"):
            shipper.put(record(name))
        await until(lambda: len(way.names) == 2)
        assert way.names == ["one", "two"]
        assert shipper.dropped["unreadable"] == 1
        assert numbers(shipper)["tracing_waiting_calls"] == 0
    assert any("this is a defect" in line for line in said())


async def test_an_exporter_that_cannot_be_made_is_said_and_its_calls_counted(said: Callable[[], list[str]]) -> None:
    way = Way()

    def cannot() -> Callable[[bytes], bool]:
        raise ImportError("no such package")

    way.connect = cannot  # type: ignore[method-assign]
    async with shipped(way) as shipper:
        shipper.put(record())
    assert shipper.dropped["export_failed"] == 1
    assert any("the exporter cannot be made" in line for line in said())


async def test_the_end_loses_nothing() -> None:
    way = Way()
    shipper = Shipper(way.connect, way.disconnect, otlp.resource({}, "", "", ""), one_span, delay_seconds=3600)
    shipper.start()
    for number in range(1000):
        shipper.put(record(f"c{number}"))
    await shipper.stop(PATIENCE)
    assert way.names == [f"c{number}" for number in range(1000)]
    assert not shipper._thread.is_alive()
    assert way.disconnected == 1


async def test_it_ends_without_having_had_anything_to_do() -> None:
    way = Way()
    async with shipped(way):
        pass
    assert way.batches == []
    assert way.disconnected == 1
