"""Spans as OTLP protobuf, written without the protobuf classes, which cost ten times as much. No I/O.

The messages are those of opentelemetry-proto 1.x: ``trace/v1/trace.proto`` and ``common/v1/common.proto``; field
numbers stand beside what is written. A test decodes the bytes with the generated classes and compares.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

Value = str | bool | int | float | Sequence[str]

INTERNAL, SERVER, CLIENT = 1, 2, 3
UNSET, OK, ERROR = 0, 1, 2

_LENGTHS: Final = tuple(bytes((n,)) if n < 128 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(16384))
DOUBLE, FIXED64 = struct.Struct("<d").pack, struct.Struct("<Q").pack
# trace_id 1, span_id 2, start_time_unix_nano 7, end_time_unix_nano 8
_SPAN, _SPAN_BYTES = struct.Struct("<2s16s2s8scQcQ").pack, 46

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


def request(common: Resource, spans: bytes | bytearray) -> bytes:
    """An ExportTraceServiceRequest of *spans*, one `span` behind the other."""
    scope_spans = common.scope, spans, common.schema_url
    head = common.head + b"\x12" + varint(sum(map(len, scope_spans)))  # ResourceSpans.scope_spans 2
    resource_spans = head, *scope_spans, common.schema_url
    return b"".join((b"\x0a", varint(sum(map(len, resource_spans))), *resource_spans))  # resource_spans 1


def span(
    said: bytes, trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int, rest: bytes
) -> bytes:
    """One Span message as it stands in ScopeSpans.

    Args:
        said: see `said`.
        trace_id: 16 bytes.
        span_id: 8 bytes.
        parent_id: 8 bytes, or none for the root.
        start_ns: since the epoch, as *end_ns*.
        rest: in any order: attributes, `event`, `status`, `trace_state`.
    """
    if parent_id:
        rest += b"\x22\x08" + parent_id  # parent_span_id 4
    size = _SPAN_BYTES + len(said) + len(rest)
    ids_and_times = _SPAN(b"\x0a\x10", trace_id, b"\x12\x08", span_id, b"\x39", start_ns, b"\x41", end_ns)
    return b"\x12%b%b%b%b" % (varint(size), ids_and_times, said, rest)  # spans 2


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


def event(time_ns: int, said: bytes) -> bytes:
    """An event of a span. *said*: `named`, and attributes written for events."""
    return b"\x5a" + varint(9 + len(said)) + b"\x09" + FIXED64(time_ns) + said  # events 11, time_unix_nano 1


class Place(NamedTuple):
    """Of an attribute whose value is written later; see `form`."""

    tag: bytes
    size: int
    """Bytes that the value will have."""


def place(kind: type, size: int = 8) -> Place:
    """For a value of *kind*, one of str, float, int and bool, that will have *size* bytes, as `encoded` writes it."""
    return Place({str: b"\x0a" + varint(size), float: b"\x21", int: b"\x18", bool: b"\x10"}[kind], size)


def encoded(value: str | float) -> bytes:
    """*value* for its `place`."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return DOUBLE(value) if isinstance(value, float) else varint(value & 0xFFFFFFFFFFFFFFFF)


def form(fixed: bytes, pairs: Iterable[tuple[str, Value | Place]], of: bytes = SPAN) -> bytes:
    """*fixed* and then *pairs* as attributes, to be filled in: ``form % (value, …)`` takes what is `encoded` for each
    `Place` among them, in order. What is written often is written quickest like that.
    """
    parts = [_literal(fixed)]
    for key, value in pairs:
        if isinstance(value, Place):
            any_value = _sized(b"\x12", value.tag + bytes(value.size))
            whole = _sized(of, _text(b"\x0a", key) + any_value)
            parts += (_literal(whole[: len(whole) - value.size]), b"%b")
        else:
            parts.append(_literal(attributes(((key, value),), of)))
    return b"".join(parts)


def event_form(name: str, pairs: Sequence[tuple[str, Value | Place]]) -> bytes:
    """A form of an event whose first value is its time, as `FIXED64`."""
    said = form(named(name), pairs, EVENT)
    places = [value.size for _, value in pairs if isinstance(value, Place)]
    size = len(said % tuple(map(bytes, places)))
    return _literal(b"\x5a" + varint(9 + size)) + b"\x09%b" + said


def _literal(part: bytes) -> bytes:
    return part.replace(b"%", b"%%")


def named(name: str) -> bytes:
    return _text(b"\x12", name)  # Event.name 2


def attributes(pairs: Iterable[tuple[str, Value]], of: bytes = SPAN) -> bytes:
    """*pairs* as attributes. Those that come again and again are worth remembering: this is not cheap."""
    return b"".join([_sized(of, _attribute(key, value)) for key, value in pairs])


def seconds(key: str, of: bytes = SPAN) -> Callable[[float], bytes]:
    """What writes one attribute whose value is a double; cheap."""
    head = _text(b"\x0a", key) + b"\x12\x09\x21"
    head = b"%b%b%b" % (of, varint(len(head) + 8), head)
    return partial(struct.Struct(f"<{len(head)}sd").pack, head)


class Numbers:
    """Writes one attribute whose value is a whole number from 0 to 2**63-1; cheap."""

    __slots__ = ("_heads",)

    def __init__(self, key: str, of: bytes = SPAN) -> None:
        name = _text(b"\x0a", key)
        self._heads = [b""]
        for size in range(1, 11):  # of the number as a varint
            head = b"%b\x12%b\x18" % (name, _LENGTHS[size + 1])
            self._heads.append(b"%b%b%b" % (of, varint(len(head) + size), head))

    def __call__(self, value: int) -> bytes:
        number = varint(value)
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
        return b"\x18" + varint(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, float):
        return b"\x21" + DOUBLE(value)
    return _sized(b"\x2a", b"".join(_sized(b"\x0a", _any(each)) for each in value))  # ArrayValue.values 1


def _text(tag: bytes, text: str) -> bytes:
    return _sized(tag, text.encode("utf-8", "replace"))


def _sized(tag: bytes, payload: bytes) -> bytes:
    return b"%b%b%b" % (tag, varint(len(payload)), payload)


def varint(number: int) -> bytes:
    """*number*, from 0 to 2**64-1, in as few bytes as it takes."""
    if number < 16384:
        return _LENGTHS[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
