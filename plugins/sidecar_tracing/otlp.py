"""Spans as OTLP protobuf, written without the protobuf classes, which cost ten times as much. No I/O.

The messages are those of opentelemetry-proto 1.x: ``trace/v1/trace.proto`` and ``common/v1/common.proto``; field
numbers stand beside what is written. A test decodes the bytes with the generated classes and compares.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

Value = str | bool | int | float | Sequence[str]

INTERNAL, SERVER, CLIENT = 1, 2, 3
UNSET, OK, ERROR = 0, 1, 2

_LENGTHS: Final = tuple(bytes((n,)) if n < 128 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(16384))
_DOUBLE, _FIXED64 = struct.Struct("<d").pack, struct.Struct("<Q").pack
# trace_id 1, span_id 2, start_time_unix_nano 7, end_time_unix_nano 8; parent_span_id 4
_SPAN, _PARENT = struct.Struct("<2s16s2s8scQcQ").pack, struct.Struct("<2s8s").pack

# Where attributes stand: their number in a span, and in an event.
SPAN, EVENT = b"\x4a", b"\x1a"


class Resource(NamedTuple):
    """What all spans have in common, as bytes: see `resource`."""

    head: bytes
    scope: bytes
    schema_url: bytes


def resource(attributes: Mapping[str, Value], scope: str, version: str, schema_url: str) -> Resource:
    """The resource with its *attributes*, and the instrumentation scope."""
    head = b"".join(
        _sized(b"\x0a", _attribute(key, value)) for key, value in attributes.items()
    )  # Resource.attributes 1
    named = _text(b"\x0a", scope) + _text(b"\x12", version)  # InstrumentationScope.name 1, version 2
    return Resource(_sized(b"\x0a", head), _sized(b"\x0a", named), _text(b"\x1a", schema_url))


def request(common: Resource, spans: Iterable[bytes]) -> bytes:
    """An ExportTraceServiceRequest of encoded *spans*."""
    scope_spans = b"".join((common.scope, *(_sized(b"\x12", span) for span in spans), common.schema_url))
    resource_spans = common.head + _sized(b"\x12", scope_spans) + common.schema_url
    return _sized(b"\x0a", resource_spans)


def span(
    trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int, parts: Iterable[bytes]
) -> bytes:
    """One Span message.

    Args:
        trace_id: 16 bytes.
        span_id: 8 bytes.
        parent_id: 8 bytes, or none for the root.
        start_ns: since the epoch, as *end_ns*.
        parts: the rest, in any order: `said` once; attributes, `event`, `status`, `trace_state`.
    """
    times = _SPAN(b"\x0a\x10", trace_id, b"\x12\x08", span_id, b"\x39", start_ns, b"\x41", end_ns)
    if parent_id:
        times += _PARENT(b"\x22\x08", parent_id)
    return times + b"".join(parts)


def said(name: str, kind: int, *, remote_parent: bool = False) -> bytes:
    """What many spans have in common. *remote_parent*: the parent is in another process."""
    # name 5, kind 6, flags 16: sampled, and that it is known whether the parent is in another process
    flags = (0x301 if remote_parent else 0x101).to_bytes(4, "little")
    return b"%b\x30%b\x85\x01%b" % (_text(b"\x2a", name), _LENGTHS[kind], flags)


def status(code: int, message: str) -> bytes:
    written = _text(b"\x12", message) if message else b""  # Status.message 2
    return _sized(b"\x7a", b"%b\x18%b" % (written, _LENGTHS[code]))  # status 15, Status.code 3


def trace_state(value: str) -> bytes:
    return _text(b"\x1a", value)  # trace_state 3


def event(time_ns: int, parts: Iterable[bytes]) -> bytes:
    """An event of a span. *parts*: `named`, and attributes written for events."""
    payload = b"\x09" + _FIXED64(time_ns) + b"".join(parts)  # events 11, time_unix_nano 1
    return b"\x5a" + _length(len(payload)) + payload


def named(name: str) -> bytes:
    return _text(b"\x12", name)  # Event.name 2


def attributes(pairs: Iterable[tuple[str, Value]], of: bytes = SPAN) -> bytes:
    """*pairs* as attributes. Those that come again and again are worth remembering: this is not cheap."""
    return b"".join([_sized(of, _attribute(key, value)) for key, value in pairs])


class Seconds:
    """Writes one attribute whose value is a double; cheap."""

    __slots__ = ("_head",)

    def __init__(self, key: str, of: bytes = SPAN) -> None:
        head = _text(b"\x0a", key) + b"\x12\x09\x21"
        self._head = b"%b%b%b" % (of, _length(len(head) + 8), head)

    def __call__(self, value: float) -> bytes:
        return self._head + _DOUBLE(value)


class Numbers:
    """Writes one attribute whose value is a whole number from 0 to 2**63-1; cheap."""

    __slots__ = ("_heads",)

    def __init__(self, key: str, of: bytes = SPAN) -> None:
        name = _text(b"\x0a", key)
        self._heads = [b""]
        for size in range(1, 11):  # of the number as a varint
            head = b"%b\x12%b\x18" % (name, _LENGTHS[size + 1])
            self._heads.append(b"%b%b%b" % (of, _length(len(head) + size), head))

    def __call__(self, value: int) -> bytes:
        number = _LENGTHS[value] if value < 16384 else _varint(value)
        return self._heads[len(number)] + number


class Texts:
    """Writes one attribute whose value is a text that is seldom the same twice; cheap."""

    __slots__ = ("_heads", "_key", "_of")

    def __init__(self, key: str, of: bytes = SPAN) -> None:
        self._key, self._of = key, of
        self._heads: dict[int, bytes] = {}

    def __call__(self, value: str) -> bytes:
        text = value.encode("utf-8", "replace")
        head = self._heads.get(len(text))
        if head is None:
            whole = attributes(((self._key, value),), self._of)
            head = whole[: len(whole) - len(text)]
            if len(self._heads) < 256:
                self._heads[len(text)] = head
        return head + text


def _attribute(key: str, value: Value) -> bytes:
    """A KeyValue message: key 1, value 2 (AnyValue: string 1, bool 2, int 3, double 4, array 5)."""
    return _text(b"\x0a", key) + _sized(b"\x12", _any(value))


def _any(value: Value) -> bytes:
    if isinstance(value, str):
        return _text(b"\x0a", value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value)
    return _sized(b"\x2a", b"".join(_sized(b"\x0a", _any(each)) for each in value))  # ArrayValue.values 1


def _text(tag: bytes, text: str) -> bytes:
    return _sized(tag, text.encode("utf-8", "replace"))


def _sized(tag: bytes, payload: bytes) -> bytes:
    return b"%b%b%b" % (tag, _length(len(payload)), payload)


def _length(size: int) -> bytes:
    return _LENGTHS[size] if size < 16384 else _varint(size)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
