"""W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a call belongs to. No I/O."""

import re
from typing import NamedTuple

from sidecar.exchange import Exchange

_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceParent(NamedTuple):
    """``trace_id`` 32, ``span_id`` 16 hexadecimal digits."""

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def read_traceparent(value: str | None) -> TraceParent | None:
    """None for anything that the specification calls invalid: the trace then begins here."""
    if value is None or (match := _HEADER.fullmatch(value)) is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceParent(trace_id, span_id, bool(int(flags, 16) & 1))


def trace_id(exchange: Exchange) -> str:
    """That of the agent's trace, or the exchange's own id where the agent brought none."""
    parent = read_traceparent(exchange.request.headers.get("traceparent"))
    return exchange.id if parent is None else parent.trace_id
