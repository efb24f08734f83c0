"""Event streams (``text/event-stream``), read as they arrive and written back. No I/O.

The rules are those of the HTML standard, section 9.2: lines end in CR, LF or CRLF, a line that begins with a colon is
a comment, ``data`` lines of one event are joined by LF, an empty line ends the event, and an event without data is
none. Data stays bytes: what carries it onwards need not decode it, and JSON decoders take it as it is.
"""

import re

from msgspec import Struct

from sidecar.errors import SidecarError

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
# The lookahead keeps a CRLF whole: it is one line's end, not a CR and an empty line.
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LONGEST_RETRY = 12


class EventTooLarge(SidecarError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"an event of the stream is larger than the limit of {limit} bytes")
        self.limit = limit


class Event(Struct, frozen=True):
    data: bytes = b""
    type: str = "message"
    id: str = ""
    """The last one that the stream has given, in this event or before."""
    retry_milliseconds: int | None = None
    """How long to wait before reconnecting, if this event says so."""

    def encode(self) -> bytes:
        """The event's bytes, the empty line after it included.

        Raises:
            ValueError: type or id have a line break in them.
        """
        if "\n" in (fields := self.type + self.id) or "\r" in fields:
            raise ValueError("the type or id of an event is one line")
        lines = [] if self.type == "message" else [b"event: %b\n" % self.type.encode()]
        if self.id:
            lines.append(b"id: %b\n" % self.id.encode())
        if self.retry_milliseconds is not None:
            lines.append(b"retry: %d\n" % self.retry_milliseconds)
        lines += [b"data: %b\n" % line for line in _LINE_END.split(self.data)]
        return b"".join(lines) + b"\n"


class Reader:
    """Takes a stream in chunks cut anywhere and gives the events that each chunk ends.

    Args:
        limit: the most bytes that an event may have before its end is seen.
    """

    __slots__ = ("_after_cr", "_data", "_first_line", "_id", "_limit", "_partial", "_retry", "_size", "_type")

    def __init__(self, limit: int = 1 << 20) -> None:
        self._limit = limit
        self._partial: list[bytes] = []
        self._data: list[bytes] = []
        self._size = 0
        self._type = ""
        self._id = ""
        self._retry: int | None = None
        self._first_line = True
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        """
        Raises:
            EventTooLarge: what came since the last event is more than *limit* bytes.
        """
        if not chunk:
            return []
        if self._after_cr and chunk[0] == 0x0A:
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        events = []
        if b"\n" in chunk or b"\r" in chunk:
            lines = b"".join((*self._partial, chunk)).splitlines(keepends=True)
            self._partial = [] if lines[-1].endswith((b"\n", b"\r")) else [lines.pop()]
            self._size = sum(map(len, self._partial)) + sum(map(len, self._data))
            events = [event for line in lines if (event := self._take(line.rstrip(b"\r\n"))) is not None]
        elif chunk:
            self._partial.append(chunk)
            self._size += len(chunk)
        if self._size > self._limit:
            raise EventTooLarge(self._limit)
        return events

    def end(self) -> Event | None:
        """The event that the stream's end cut off before its empty line. A browser drops it; many SDKs do not."""
        line = b"".join(self._partial)
        self._partial = []
        if line:
            self._take(line)
        return self._take(b"")

    def _take(self, line: bytes) -> Event | None:
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._size += len(value)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _LONGEST_RETRY:
            self._retry = int(value)
        return None

    def _dispatch(self) -> Event | None:
        data, kind, retry = self._data, self._type, self._retry
        self._type, self._retry = "", None
        if not data:
            return None
        self._data, self._size = [], sum(map(len, self._partial))
        return Event(data[0] if len(data) == 1 else b"\n".join(data), kind or "message", self._id, retry)


def blocks(tail: bytes) -> list[bytes]:
    """The last part of a stream cut at its empty lines: each block is an event, the first maybe only the end of one."""
    # the pattern takes 40 times as long as a search for the one line end that a stream has
    if (returns := tail.count(b"\r")) == 0:
        cut = tail.split(b"\n\n")
    elif returns == tail.count(b"\n") == tail.count(b"\r\n"):
        cut = tail.split(b"\r\n\r\n")
    else:
        cut = _EVENT_END.split(tail)
    return [block for block in cut if block]


def event_of(block: bytes) -> Event | None:
    """The event that one of `blocks` holds; None for a comment."""
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return Event(data=block[6:])
    reader = Reader(len(block) + 1)
    found = reader.feed(block)
    return found[0] if found else reader.end()
