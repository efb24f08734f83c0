"""The way of traces out of the process: a bounded queue, and a thread that makes spans of calls and sends them.

Nothing of this is on the path of a call. A collector that is slow, dead or absent costs calls nothing; what cannot be
sent is dropped and counted, and said once.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from sidecar import Record, Sample
from sidecar_tracing.otlp import Resource, Span, encode, request

logger = logging.getLogger(__name__)

#: After failures in a row the collector is left alone for a while: 1, 2, 4 … up to 30 s.
_LONGEST_PAUSE_SECONDS = 30.0

Export = Callable[[bytes], bool]


class Shipper:
    """
    Args:
        connect: makes what sends a batch (an ExportTraceServiceRequest) and tells whether it arrived. Called in the
            thread, since importing what it needs takes long.
        disconnect: ends it, from another thread if need be.
        resource: of all spans.
        spans: what is told of a call.
    """

    def __init__(
        self,
        connect: Callable[[], Export],
        disconnect: Callable[[], None],
        resource: Resource,
        spans: Callable[[Record], list[Span]],
        *,
        batch_calls: int = 128,
        delay_seconds: float = 1.0,
        queue_calls: int = 4096,
        queue_bytes: int = 16 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._disconnect = disconnect
        self._resource = resource
        self._spans = spans
        self._batch_calls = batch_calls
        self._delay_seconds = delay_seconds
        self._queue_calls = queue_calls
        self._queue_bytes = queue_bytes
        self._clock = clock
        self._queue: deque[tuple[Record, int]] = deque()
        self._held_bytes = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sidecar-tracing", daemon=True)
        self._pause_seconds = 0.0
        self.exported = 0
        """Spans that the collector has taken."""
        self.dropped: dict[str, int] = {"queue_full": 0, "export_failed": 0, "unreadable": 0}
        """Calls that were not told, by reason."""
        self.failing_since: float | None = None

    def start(self) -> None:
        self._thread.start()

    def put(self, record: Record) -> None:
        """Take *record* to be told. From the event loop; never waits."""
        held = len(record.exchange.request.body.data or b"") + len(record.request_head) + len(record.answer_tail)
        if len(self._queue) >= self._queue_calls or self._held_bytes + held > self._queue_bytes:
            self.dropped["queue_full"] += 1
            return
        self._held_bytes += held
        self._queue.append((record, held))
        if len(self._queue) == self._batch_calls:
            self._wake.set()

    def stop(self, timeout_seconds: float) -> None:
        """Send what waits, for at most *timeout_seconds*, and end the thread. Blocks."""
        deadline = self._clock() + timeout_seconds
        self._stop.set()
        self._wake.set()
        self._thread.join(max(deadline - self._clock(), 0.0))
        if self._thread.is_alive():  # it waits for a collector that does not answer
            self._disconnect()
            self._thread.join(0.5)
        lost = len(self._queue)
        if lost:
            self.dropped["export_failed"] += lost
            logger.warning("%d calls could not be told to the collector before the end", lost)

    def samples(self) -> list[Sample]:
        samples = [
            Sample("tracing_spans_exported_total", self.exported, "Spans the collector has taken.", "counter"),
            Sample("tracing_queue_calls", len(self._queue), "Calls that wait to be told."),
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
        while True:
            stopping = self._stop.is_set()
            if not stopping:
                self._wake.wait(self._delay_seconds)
                self._wake.clear()
                stopping = self._stop.is_set()
                if not stopping and self._pause_seconds:
                    stopping = self._stop.wait(self._pause_seconds)
            while self._queue:
                if not self._send(export) and not stopping:
                    break
            if stopping:
                self._disconnect()
                return

    def _send(self, export: Export) -> bool:
        """Tell one batch of calls; whether it arrived."""
        batch: list[Record] = []
        spans: list[bytes] = []
        while self._queue and len(batch) < self._batch_calls:
            record, held = self._queue.popleft()
            self._held_bytes -= held
            batch.append(record)
        for record in batch:
            try:
                spans += [encode(span) for span in self._spans(record)]
            except Exception:
                self.dropped["unreadable"] += 1
                logger.exception("a call could not be told as spans; this is a defect")
        if not spans:
            return True
        try:
            arrived = export(request(self._resource, spans))
        except Exception as error:
            logger.debug("the exporter failed: %s", error)
            arrived = False
        if arrived:
            self.exported += len(spans)
            self._arrived()
        else:
            self.dropped["export_failed"] += len(batch)
            self._failed()
        return arrived

    def _arrived(self) -> None:
        if self.failing_since is not None:
            seconds = self._clock() - self.failing_since
            dropped = self.dropped["export_failed"]
            logger.info("the collector takes traces again after %.0f s; %d calls were dropped", seconds, dropped)
        self.failing_since, self._pause_seconds = None, 0.0

    def _failed(self) -> None:
        if self.failing_since is None:
            self.failing_since = self._clock()
            logger.warning("the collector does not take traces; calls are not affected, and what is dropped is counted")
        self._pause_seconds = min(max(self._pause_seconds * 2, 1.0), _LONGEST_PAUSE_SECONDS)


def _nowhere(data: bytes) -> bool:
    return False
