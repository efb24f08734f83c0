"""The protobuf written by hand is what the classes generated from opentelemetry-proto read."""

import math
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2
from sidecar_tracing.otlp import (
    CLIENT,
    ERROR,
    EVENT,
    FIXED64,
    INTERNAL,
    OK,
    SERVER,
    SPAN,
    UNSET,
    Numbers,
    Place,
    Texts,
    Value,
    attributes,
    encoded,
    event,
    event_form,
    form,
    named,
    place,
    request,
    resource,
    said,
    seconds,
    span,
    status,
    trace_state,
)

from tests.collector import values

#: Every kind of text: lone surrogates among it, which UTF-8 has no bytes for.
texts = st.text(st.characters() | st.characters(categories=["Cs"]), max_size=40)
wholes = st.integers(-(2**63), 2**63 - 1)
scalars = st.booleans() | wholes | st.floats() | texts
any_value: st.SearchStrategy[Value] = scalars | st.lists(texts, max_size=4)
pairs = st.lists(st.tuples(texts, any_value), max_size=6)
moments = st.integers(0, 2**64 - 1)

PLAIN = said("name", SERVER)


class Event(NamedTuple):
    time_ns: int
    name: str
    attributes: list[tuple[str, Value]]


def plain(fixed: bytes = PLAIN, rest: bytes = b"") -> bytes:
    return span(fixed, b"t" * 16, b"s" * 8, b"", 1, 2, rest)


def written(happened: Event) -> bytes:
    return event(happened.time_ns, named(happened.name) + attributes(happened.attributes, EVENT))


def legible(value: Any) -> Any:
    """What is left of a *value* in UTF-8, in the types of protobuf."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [legible(each) for each in value] if isinstance(value, list | tuple) else value


def decoded(*spans: bytes) -> Sequence[Any]:
    whole = ExportTraceServiceRequest.FromString(
        request(resource({"service.name": "x"}, "scope", "1", "schema"), b"".join(spans))
    )
    (resource_spans,) = whole.resource_spans
    (scope_spans,) = resource_spans.scope_spans
    spans_read: Sequence[Any] = scope_spans.spans
    return spans_read


def read_back(written: bytes) -> list[tuple[str, Any]]:
    """The attributes of a span that has *written* for them."""
    (told,) = decoded(plain(PLAIN, written))
    return [(pair.key, values([pair])[pair.key]) for pair in told.attributes]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)


class TestAttributes:
    @given(pairs)
    @example([])
    @example([("", "")])
    @example([("k", True), ("k", 1), ("k", 1.0), ("k", "1"), ("k", ["1"])])
    @example([("k", "x" * 16383), ("k" * 16384, "x" * 16384), ("k", "ü" * 100_000)])
    @example([("k", -1), ("k", -(2**63)), ("k", 2**63 - 1), ("k", 0)])
    @example([("k", math.inf), ("k", -0.0), ("k", math.nan)])
    @example([("k", "\ud800"), ("\udfff", "a\ud83db")])
    @example([("k", []), ("k", ["", "x" * 200])])
    def test_every_kind_of_value_comes_back(self, pairs: list[tuple[str, Value]]) -> None:
        back = read_back(attributes(pairs))
        assert len(back) == len(pairs)
        for (name, value), (told_name, told) in zip(pairs, back, strict=True):
            assert told_name == legible(name)
            assert same(legible(value), told)

    @given(st.integers())
    @example(2**63)
    @example(2**64)
    @example(-(2**64) - 1)
    def test_a_number_too_large_for_the_format_does_no_harm(self, number: int) -> None:
        ((_, told), after) = read_back(attributes([("n", number), ("after", "kept")]))
        assert told == (number + 2**63) % 2**64 - 2**63
        assert after == ("after", "kept")

    def test_a_tuple_is_a_list_of_texts(self) -> None:
        assert read_back(attributes([("reasons", ("stop", "length"))])) == [("reasons", ["stop", "length"])]


class TestQuickWriters:
    @given(texts, st.integers(0, 2**63 - 1))
    @example("k", 0)
    @example("k", 127)
    @example("k", 128)
    @example("k", 16383)
    @example("k", 16384)
    @example("k", 2**63 - 1)
    @example("k" * 300, 2**40)
    def test_numbers(self, key: str, number: int) -> None:
        assert Numbers(key)(number) == attributes([(key, number)])
        assert Numbers(key, EVENT)(number) == attributes([(key, number)], EVENT)

    @given(texts, st.floats())
    @example("k" * 300, 0.1)
    def test_seconds(self, key: str, value: float) -> None:
        assert seconds(key)(value) == attributes([(key, value)])
        assert seconds(key, EVENT)(value) == attributes([(key, value)], EVENT)

    @given(texts, st.lists(texts, max_size=5))
    @example("k", ["", "x" * 200, "x" * 20_000])
    def test_texts(self, key: str, written: list[str]) -> None:
        for write, of in ((Texts(key), SPAN), (Texts(key, EVENT), EVENT)):
            for text in (*written, *written):
                assert write(text) == attributes([(key, text)], of)

    def test_texts_of_ever_new_lengths_are_not_all_remembered(self) -> None:
        write = Texts("k")
        for length in range(1000):
            assert write("x" * length) == attributes([("k", "x" * length)])
        assert len(write._heads) <= 256


class TestForms:
    """What is filled in is what would have been written at once."""

    @given(texts, st.lists(st.tuples(texts, any_value, st.booleans()), max_size=6))
    @example("100 %", [("%b", "%d", False), ("%", "%s" * 90, True)])
    def test_of_attributes(self, name: str, told: list[tuple[str, Value, bool]]) -> None:
        opened, values = self.opened(told)
        filled = form(said(name, SERVER), opened) % values
        assert filled == said(name, SERVER) + attributes([(key, value) for key, value, _ in told])

    @given(moments, texts, st.lists(st.tuples(texts, any_value, st.booleans()), max_size=6))
    @example(2**64 - 1, "%", [("%b", "%d" * 90, True), ("%", "%s", False)])
    def test_of_events(self, moment: int, name: str, told: list[tuple[str, Value, bool]]) -> None:
        opened, values = self.opened(told)
        filled = event_form(name, opened) % (FIXED64(moment), *values)
        assert filled == written(Event(moment, name, [(key, value) for key, value, _ in told]))

    def opened(self, told: list[tuple[str, Value, bool]]) -> tuple[list[tuple[str, Value | Place]], tuple[bytes, ...]]:
        pairs: list[tuple[str, Value | Place]] = []
        filling = []
        for key, value, later in told:
            if later and not isinstance(value, list):
                filling.append(encoded(value))
                pairs.append((key, place(type(value), len(filling[-1]))))
            else:
                pairs.append((key, value))
        return pairs, tuple(filling)


class TestSpans:
    @given(
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=8, max_size=8),
        st.just(b"") | st.binary(min_size=8, max_size=8),
        texts,
        st.sampled_from([INTERNAL, SERVER, CLIENT]),
        moments,
        moments,
        pairs,
        st.lists(st.builds(Event, moments, texts, pairs), max_size=3),
        st.sampled_from([UNSET, OK, ERROR]),
        texts,
        texts,
        st.booleans(),
        st.randoms(),
    )
    def test_every_field_comes_back(
        self,
        trace_id: bytes,
        span_id: bytes,
        parent_id: bytes,
        name: str,
        kind: int,
        start_ns: int,
        end_ns: int,
        pairs: list[tuple[str, Value]],
        events: list[Event],
        code: int,
        message: str,
        state: str,
        remote_parent: bool,
        order: random.Random,
    ) -> None:
        fixed = said(name, kind, remote_parent=remote_parent)
        parts = [attributes(pairs), *map(written, events), status(code, message), trace_state(state)]
        order.shuffle(parts)
        whole = span(fixed, trace_id, span_id, parent_id, start_ns, end_ns, b"".join(parts))
        first, told = decoded(plain(), whole)
        assert first.name == "name"
        assert (told.trace_id, told.span_id, told.parent_span_id) == (trace_id, span_id, parent_id)
        assert (told.name, told.trace_state) == (legible(name), legible(state))
        assert told.kind == kind
        assert (told.start_time_unix_nano, told.end_time_unix_nano) == (start_ns, end_ns)
        assert len(told.attributes) == len(pairs)
        assert sorted((each.time_unix_nano, each.name) for each in told.events) == sorted(
            (each.time_ns, legible(each.name)) for each in events
        )
        assert sum(len(each.attributes) for each in told.events) == sum(len(each.attributes) for each in events)
        assert (told.status.code, told.status.message) == (code, legible(message))

    def test_kinds_and_statuses_are_those_of_the_format(self) -> None:
        assert (INTERNAL, SERVER, CLIENT) == (
            trace_pb2.Span.SPAN_KIND_INTERNAL,
            trace_pb2.Span.SPAN_KIND_SERVER,
            trace_pb2.Span.SPAN_KIND_CLIENT,
        )
        assert (UNSET, OK, ERROR) == (
            trace_pb2.Status.STATUS_CODE_UNSET,
            trace_pb2.Status.STATUS_CODE_OK,
            trace_pb2.Status.STATUS_CODE_ERROR,
        )

    @pytest.mark.parametrize("remote", [False, True])
    def test_flags_say_sampled_and_whether_the_parent_is_in_another_process(self, remote: bool) -> None:
        (told,) = decoded(plain(said("name", SERVER, remote_parent=remote)))
        flags = trace_pb2.SpanFlags
        assert told.flags & flags.SPAN_FLAGS_TRACE_FLAGS_MASK == 1
        assert told.flags & flags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
        assert bool(told.flags & flags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK) is remote


class TestRequests:
    @given(st.dictionaries(texts, any_value, max_size=5), texts, texts, texts, st.integers(0, 300))
    def test_resource_scope_and_schema_stand_around_the_spans(
        self, told: dict[str, Value], scope: str, version: str, schema: str, number: int
    ) -> None:
        spans = [plain()] * number
        whole = ExportTraceServiceRequest.FromString(request(resource(told, scope, version, schema), b"".join(spans)))
        (resource_spans,) = whole.resource_spans
        (scope_spans,) = resource_spans.scope_spans
        assert [pair.key for pair in resource_spans.resource.attributes] == [legible(key) for key in told]
        assert (scope_spans.scope.name, scope_spans.scope.version) == (legible(scope), legible(version))
        assert (resource_spans.schema_url, scope_spans.schema_url) == (legible(schema), legible(schema))
        assert len(scope_spans.spans) == number

    def test_nothing_is_there_that_the_classes_do_not_know_and_nothing_twice(self) -> None:
        """What they write of what they have read is the same but for its order."""
        pairs: list[tuple[str, Value]] = [("a", "text"), ("b", 7), ("c", 0.5), ("d", True), ("e", ["x"])]
        rest = attributes(pairs) + written(Event(9, "event", pairs)) + status(ERROR, "broken") + trace_state("a=b")
        ours = request(
            resource({"service.name": "x"}, "scope", "1", "schema"),
            span(PLAIN, b"t" * 16, b"s" * 8, b"p" * 8, 1, 2, rest),
        )
        theirs = ExportTraceServiceRequest.FromString(ours).SerializeToString(deterministic=True)
        assert sorted(theirs) == sorted(ours)
