"""Logging: JSON lines for machines, short lines for a terminal. Writing never holds up a call."""

import atexit
import datetime as dt
import logging
import logging.handlers
import queue
import sys
import traceback
from typing import Any, TextIO

import msgspec

from sidecar.exchange import Record
from sidecar.journal import described
from sidecar.traceparent import trace_id

_QUEUED = 10_000
_call_logger = logging.getLogger("sidecar.call")


class JsonFormatter(logging.Formatter):
    """One JSON object per line; ``trace_id`` is that of the call that a line is about."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return msgspec.json.encode(line).decode()


class TextFormatter(logging.Formatter):
    """``12:03:04.125 warning  sidecar.guard: …``"""

    def format(self, record: logging.LogRecord) -> str:
        moment = dt.datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        line = f"{moment} {record.levelname.lower():<8} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return line


class _DroppingHandler(logging.handlers.QueueHandler):
    """Drops lines when nobody takes them, instead of waiting."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            return


def set_up(level: str, style: str, stream: TextIO | None = None) -> None:
    """Send all logging to *stream* (standard error). *style*: json, text, or auto (text on a terminal)."""
    stream = stream or sys.stderr
    target = logging.StreamHandler(stream)
    as_text = style == "text" or (style == "auto" and stream.isatty())
    target.setFormatter(TextFormatter() if as_text else JsonFormatter())
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUED)
    writer = logging.handlers.QueueListener(lines, target)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(_DroppingHandler(lines))
    root.setLevel(level.upper())
    for noisy in ("aiohttp", "asyncio", "urllib3", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    writer.start()
    atexit.register(writer.stop)


def log_call(record: Record, which: str) -> None:
    """Write a line on a call that has ended, if *which* (none, errors, all) asks for it."""
    failed = record.outcome == "failed" or (record.status or 0) >= 500
    if which == "none" or (which == "errors" and not failed):
        return
    exchange = record.exchange
    fields: dict[str, Any] = {
        "trace_id": trace_id(exchange),
        "request_id": exchange.id,
        "operation": exchange.operation.value,
        "provider": exchange.provider.name,
        "answered_by": record.answered_by,
        "status": record.status,
        "outcome": record.outcome,
        "attempts": len(exchange.notes.attempts),
        "first_byte_seconds": record.first_byte_seconds,
        "duration_seconds": round(record.duration_seconds, 6),
    }
    if record.error is not None:
        fields["error"] = described(record.error)
    about = f"{exchange.operation.value} {exchange.provider.name} {record.status or '-'} {record.outcome}"
    _call_logger.log(
        logging.WARNING if failed else logging.INFO,
        "%s in %.3f s%s",
        about,
        record.duration_seconds,
        f": {fields['error']}" if "error" in fields else "",
        extra={"fields": fields},
    )
