"""The way of traces out of the process.

Calls that have ended are written as spans at once (a thread of its own for that would only fight for the interpreter
with the calls under way); whole batches are sent by a thread, since OpenTelemetry's exporters block. A collector that
is slow, dead or absent costs calls nothing: what does not fit into the queue is dropped and counted, and said once.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from sidecar import Record, Sample
from sidecar_tracing.otlp import Resource, request

logger = logging.getLogger(__name__)

#: Where the thread has fallen behind it sends batches as one, until they have so much; gRPC servers refuse over 4 MiB.
_SENT_AT_ONCE_BYTES = 1024 * 1024
#: After failures in a row the collector is left alone for a while: 1, 2, 4 … up to 30 s.
_LONGEST_PAUSE_SECONDS = 30.0

Export = Callable[[bytes], bool]


class Batch:
    """Encoded spans, how many, and of how many calls."""

    __slots__ = ("calls", "data", "spans")

    def __init__(self) -> None:
        self.calls = self.spans = 0
        self.data = bytearray()  # one that grows: many small pieces that others free cost half as much again


class Shipper:
    """
    Args:
        connect: makes what sends a batch (an ExportTraceServiceRequest) and tells whether it arrived. Called in the
            thread, since importing what it needs takes long.
        disconnect: ends it, from another thread if need be.
        resource: of all spans.
        spans: what is told of a call, encoded.
        batch_calls: how many calls are sent at a time.
        delay_seconds: how long a call waits for others to be sent with it.
        queue_calls: how many calls may wait to be sent.
    """

    def __init__(
        self,
        connect: Callable[[], Export],
        disconnect: Callable[[], None],
        resource: Resource,
        spans: Callable[[Record], Sequence[bytes]],
        *,
        batch_calls: int = 512,
        delay_seconds: float = 1.0,
        queue_calls: int = 4096,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._resource = resource
        self._spans = spans
        self._batch_calls = batch_calls
        self._delay_seconds = delay_seconds
        self._queue_calls = queue_calls
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._batch = Batch()
        self._outbox: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._waiting = 0
        self._sending: asyncio.TimerHandle | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sidecar-tracing", daemon=True)
        self._pause_seconds = 0.0
        self.exported = 0
        """Spans that the collector has taken."""
        self.dropped: dict[str, int] = {"queue_full": 0, "export_failed": 0, "unreadable": 0}
        """Calls that were not told, by reason."""
        self.failing_since: float | None = None

    def start(self) -> None:
        self._thread.start()

    # -- on the event loop -------------------------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Write *record* down as spans, to be sent. Never waits."""
        if self._waiting >= self._queue_calls:
            self.dropped["queue_full"] += 1
            return
        try:
            spans = self._spans(record)
        except Exception:
            self.dropped["unreadable"] += 1
            logger.exception("a call could not be told as spans; this is a defect")
            return
        batch = self._batch
        for span in spans:
            batch.data += span
        batch.spans += len(spans)
        batch.calls += 1
        self._waiting += 1
        if batch.calls >= self._batch_calls:
            self._hand_over()
        elif self._sending is None:
            self._sending = self._loop.call_later(self._delay_seconds, self._hand_over)

    def _hand_over(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None
        if self._batch.calls:
            self._outbox.put(self._batch)
            self._batch = Batch()

    async def stop(self, timeout_seconds: float) -> None:
        """Send what waits, for at most *timeout_seconds*, and end the thread."""
        self._hand_over()
        self._stopping.set()
        self._outbox.put(None)
        await asyncio.to_thread(self._join, timeout_seconds)

    def _join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():  # it waits for a collector that does not answer
            self._disconnect()
            self._thread.join(0.5)
        if self._waiting:
            self.dropped["export_failed"] += self._waiting
            logger.warning("%d calls could not be told to the collector before the end", self._waiting)

    def samples(self) -> list[Sample]:
        samples = [
            Sample("tracing_spans_exported_total", self.exported, "Spans the collector has taken.", "counter"),
            Sample("tracing_waiting_calls", self._waiting, "Calls that wait to be told."),
        ]
        for reason, count in self.dropped.items():
            labels = (("reason", reason),)
            samples.append(Sample("tracing_dropped_calls_total", count, "Calls that were not told.", "counter", labels))
        return samples

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            export = self._connect()
        except Exception:
            logger.exception("traces cannot be sent: the exporter cannot be made")
            export = _nowhere
        while (batch := self._outbox.get()) is not None:
            if self._pause_seconds:
                self._stopping.wait(self._pause_seconds)
            last = self._gather(batch)
            self._send(export, batch)
            if last:
                break
        self._disconnect()

    def _gather(self, batch: Batch) -> bool:
        """Add what waits behind *batch*, up to a limit: a few large requests cost less. Whether that was the end."""
        while len(batch.data) < _SENT_AT_ONCE_BYTES:
            try:
                behind = self._outbox.get_nowait()
            except queue.Empty:
                return False
            if behind is None:
                return True
            batch.calls += behind.calls
            batch.spans += behind.spans
            batch.data += behind.data
        return False

    def _send(self, export: Export, batch: Batch) -> None:
        reason = "it failed"
        try:
            arrived = export(request(self._resource, batch.data))
        except Exception as error:
            arrived, reason = False, str(error)[:300]
            logger.debug("traces were not taken: %s", reason)
        self._waiting -= batch.calls
        if arrived:
            self.exported += batch.spans
            if self.failing_since is not None:
                self._recovered()
        else:
            self.dropped["export_failed"] += batch.calls
            self._failed(reason)

    def _recovered(self) -> None:
        assert self.failing_since is not None
        seconds, dropped = self._clock() - self.failing_since, self.dropped["export_failed"]
        logger.info("the collector takes traces again after %.0f s; %d calls were dropped", seconds, dropped)
        self.failing_since, self._pause_seconds = None, 0.0

    def _failed(self, reason: str) -> None:
        if self.failing_since is None:
            self.failing_since = self._clock()
            logger.warning(
                "the collector does not take traces, %s; calls are not affected, and what is dropped is counted", reason
            )
        self._pause_seconds = min(max(self._pause_seconds * 2, 1.0), _LONGEST_PAUSE_SECONDS)


def _nowhere(data: bytes) -> bool:
    return False
