"""Spans as OTLP protobuf, written without the protobuf classes, which cost ten times as much. No I/O.

The messages are those of opentelemetry-proto 1.x: ``trace/v1/trace.proto`` and ``common/v1/common.proto``; field
numbers stand beside what is written. A test decodes the bytes with the generated classes and compares.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

Value = str | bool | int | float | Sequence[str]
Attributes = Sequence[tuple[str, Value]]

INTERNAL, SERVER, CLIENT = 1, 2, 3
UNSET, OK, ERROR = 0, 1, 2

_LENGTHS: Final = tuple(bytes((n,)) if n < 128 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(16384))
_DOUBLE, _FIXED64 = struct.Struct("<d").pack, struct.Struct("<Q").pack


class Event(NamedTuple):
    time_ns: int
    name: str
    attributes: Attributes = ()


class Span(NamedTuple):
    trace_id: bytes
    """16 bytes."""
    span_id: bytes
    """8 bytes."""
    parent_id: bytes
    """8 bytes, or none for the root."""
    name: str
    kind: int
    start_ns: int
    """Since the epoch."""
    end_ns: int
    attributes: bytes
    """Encoded by `attributes`, `Numbers` and `Seconds`, one behind the other."""
    events: Sequence[Event] = ()
    status: int = UNSET
    message: str = ""
    trace_state: str = ""
    remote_parent: bool = False


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


def encode(span: Span) -> bytes:
    """One Span message."""
    parts = [
        b"\x0a\x10" + span.trace_id,  # trace_id 1
        b"\x12\x08" + span.span_id,  # span_id 2
    ]
    if span.trace_state:
        parts.append(_text(b"\x1a", span.trace_state))  # trace_state 3
    if span.parent_id:
        parts.append(b"\x22\x08" + span.parent_id)  # parent_span_id 4
    parts.append(_text(b"\x2a", span.name))  # name 5
    parts.append(b"\x30%b" % _LENGTHS[span.kind])  # kind 6
    parts.append(b"\x39" + _FIXED64(span.start_ns))  # start_time_unix_nano 7
    parts.append(b"\x41" + _FIXED64(span.end_ns))  # end_time_unix_nano 8
    parts.append(span.attributes)
    parts += [_sized(b"\x5a", _event(event)) for event in span.events]  # events 11
    if span.status or span.message:
        message = _text(b"\x12", span.message) if span.message else b""  # Status.message 2
        parts.append(_sized(b"\x7a", message + b"\x18%b" % _LENGTHS[span.status]))  # status 15, Status.code 3
    # flags 16: whether it is known if the parent is in another process, and whether it is
    parts.append(b"\x85\x01" + (0x301 if span.remote_parent else 0x101).to_bytes(4, "little"))
    return b"".join(parts)


def _event(event: Event) -> bytes:
    attributes = (_sized(b"\x1a", _attribute(key, value)) for key, value in event.attributes)  # attributes 3
    return b"".join((b"\x09" + _FIXED64(event.time_ns), _text(b"\x12", event.name), *attributes))  # time 1, name 2


def attributes(pairs: Iterable[tuple[str, Value]]) -> bytes:
    """*pairs* as attributes of a span. Those that come again and again are worth remembering: this is not cheap."""
    return b"".join([_sized(b"\x4a", _attribute(key, value)) for key, value in pairs])  # Span.attributes 9


class Seconds:
    """Writes one attribute whose value is a double; cheap."""

    __slots__ = ("_head",)

    def __init__(self, key: str) -> None:
        head = _text(b"\x0a", key) + b"\x12\x09\x21"
        self._head = b"\x4a%b%b" % (_LENGTHS[len(head) + 8], head)

    def __call__(self, value: float) -> bytes:
        return self._head + _DOUBLE(value)


class Numbers:
    """Writes one attribute whose value is a whole number from 0 to 2**63-1; cheap."""

    __slots__ = ("_heads",)

    def __init__(self, key: str) -> None:
        name = _text(b"\x0a", key)
        self._heads = [b""]
        for size in range(1, 11):  # of the number as a varint
            head = b"%b\x12%b\x18" % (name, _LENGTHS[size + 1])
            self._heads.append(b"\x4a%b%b" % (_LENGTHS[len(head) + size], head))

    def __call__(self, value: int) -> bytes:
        number = _LENGTHS[value] if value < 16384 else _varint(value)
        return self._heads[len(number)] + number


class Texts:
    """Writes one attribute whose value is a text that is seldom the same twice; cheap."""

    __slots__ = ("_heads", "_key")

    def __init__(self, key: str) -> None:
        self._key = key
        self._heads: dict[int, bytes] = {}

    def __call__(self, value: str) -> bytes:
        text = value.encode("utf-8", "replace")
        head = self._heads.get(len(text))
        if head is None:
            whole = attributes(((self._key, value),))
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
    size = len(payload)
    return b"%b%b%b" % (tag, _LENGTHS[size] if size < 16384 else _varint(size), payload)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
