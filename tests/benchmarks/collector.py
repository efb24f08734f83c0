"""Where spans go: takes OTLP/HTTP in protobuf at ``/v1/traces`` and counts when asked at ``/stats``.

    python -m tests.benchmarks.collector PORT

Payloads are kept as they came and read only when somebody asks, so that counting costs nothing while load is on.
"""

import gzip
import sys
from collections.abc import Iterator

from tests.benchmarks.serving import Connection, Request, serve

_GZIP = b"\x1f\x8b"
_SERVER = 2
"""What ``Span.kind`` says of a span whose call came from outside: one per call of the agent."""


def fields(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf *message*: number, and value as a number or as the bytes of what is nested or packed.

    Raises:
        ValueError: it is no such message.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(view, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"protobuf has no wire type {kind}")
        if at + size > len(view):
            raise ValueError("the message ends in the middle of a field")
        yield key >> 3, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(view):
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("the message ends in the middle of a number")


def spans(payload: bytes) -> tuple[int, int]:
    """How many spans an ExportTraceServiceRequest holds: all of them, and those of kind SERVER."""
    total = served = 0
    for number, resource_spans in fields(payload):
        if number != 1 or isinstance(resource_spans, int):
            continue
        for number, scope_spans in fields(resource_spans):
            if number != 2 or isinstance(scope_spans, int):
                continue
            for number, span in fields(scope_spans):
                if number == 2 and not isinstance(span, int):
                    total += 1
                    served += any(number == 6 and value == _SERVER for number, value in fields(span))
    return total, served


class Collector(Connection):
    payloads: list[bytes] = []
    requests = total = served = 0

    def request_arrived(self, request: Request) -> None:
        if request.path == "/stats":
            self._count()
            self.answer_json({"requests": Collector.requests, "spans": Collector.total, "calls": Collector.served})
            return
        Collector.requests += 1
        body = bytes(request.body)
        Collector.payloads.append(gzip.decompress(body) if body.startswith(_GZIP) else body)
        self.answer(b"", b"Content-Type: application/x-protobuf\r\n")

    @staticmethod
    def _count() -> None:
        payloads, Collector.payloads = Collector.payloads, []
        for payload in payloads:
            total, served = spans(payload)
            Collector.total += total
            Collector.served += served


if __name__ == "__main__":
    serve(Collector, int(sys.argv[1]))
