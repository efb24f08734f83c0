"""Laws of the translation, held against conversations and bytes that nobody has thought of."""

import contextlib
import json
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from sidecar.dialects import load
from sidecar.testing import call
from sidecar.translation import Inexpressible
from sidecar.translation.chat import asked
from sidecar.translation.chat.ask import (
    NOTHING_SAID,
    Ask,
    Choice,
    Function,
    Media,
    Output,
    Part,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from sidecar.translation.chat.completions.styles import STYLES
from sidecar.translation.chat.events import ArgumentsDelta, CallBegun
from sidecar.translation.chat.losses import Losses
from tests.translation.chatting import PATHS, SAID, WIRES, stream_of, translated

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12).filter(str.strip)
names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_-]{0,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts, lambda inner: st.lists(inner, max_size=2)
)
arguments = st.dictionaries(texts, json_values, max_size=2).map(json.dumps)
identifiers = st.one_of(names, st.text(min_size=1, max_size=70).filter(str.strip))
images = st.builds(Media, kind=st.just("image"), media_type=st.just("image/png"), data=st.just("iVBORw0KGgo="))
SCHEMA = Raw(b'{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}')


@st.composite
def rounds(draw: st.DrawFn) -> list[Turn]:
    """A user's turn and what the assistant does about it, calls of tools with their results included."""
    turns = [Turn("user", tuple(draw(st.lists(st.builds(Text, texts) | images, min_size=1, max_size=3))))]
    calls = draw(st.lists(st.builds(ToolCall, identifiers, names, arguments), max_size=2, unique_by=lambda one: one.id))
    said: list[Part] = [*draw(st.lists(st.builds(Text, texts), min_size=0 if calls else 1, max_size=1)), *calls]
    turns.append(Turn("assistant", tuple(said)))
    if calls:
        results = [ToolResult(id=one.id, name=one.name, parts=(Text(draw(texts)),)) for one in calls]
        turns += [Turn("user", tuple(results)), Turn("assistant", (Text(draw(texts)),))]
    return turns


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    turns = [turn for part in draw(st.lists(rounds(), max_size=2)) for turn in part]
    turns.append(Turn("user", (Text(draw(texts)),)))
    tools = tuple(
        draw(st.lists(st.builds(Function, names, texts, st.just(SCHEMA)), max_size=2, unique_by=lambda t: t.name))
    )
    return Ask(
        model="asked",
        system=tuple(draw(st.lists(texts, max_size=1))),
        turns=tuple(turns),
        tools=tools,
        choice=draw(st.sampled_from([Choice(), Choice("none"), Choice("required")])) if tools else Choice(),
        output=draw(st.none() | st.just(Output(SCHEMA, "answer"))),
        sampling=draw(st.builds(Sampling, temperature=st.none() | st.floats(0, 1))),
        stop=tuple(draw(st.lists(texts, max_size=2))),
        max_tokens=draw(st.none() | st.integers(16, 10**6)),
        stream=draw(st.booleans()),
    )  # fmt: skip


def spoken(turns: tuple[Turn, ...]) -> list[Any]:
    """All that is said in a conversation, in order, whoever groups it how."""
    names_of = {part.id: part.name for turn in turns for part in turn.parts if isinstance(part, ToolCall)}
    found: list[Any] = []
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, Text):
                found += [(turn.role, text) for text in part.text.split("\n") if text.strip() and text != NOTHING_SAID]
            elif isinstance(part, Media):
                found.append((turn.role, part.kind, part.data))
            elif isinstance(part, ToolCall):
                found.append(("call", part.name, json.loads(part.arguments or "{}")))
            elif isinstance(part, ToolResult):
                found += [("result", names_of[part.id], text) for text in part.text.split("\n") if text.strip()]
    return found


def as_results(value: list[Any]) -> list[Any]:
    """Gemini's results are objects, so a text that is JSON may come back spelled otherwise."""
    return [("result", each[1]) if each[0] == "result" else each for each in value]


LANGUAGES = [pair for pair in PATHS if pair[1] not in ("list", "content")]


@settings(max_examples=60, deadline=None)
@given(ask=asks(), own=st.sampled_from(LANGUAGES))
def test_what_is_written_in_a_wire_is_read_from_it_again(ask: Ask, own: tuple[str, str]) -> None:
    dialect = load(own[0])
    losses = Losses(frozenset(("temperature", "stop", "max_tokens")))
    written = WIRES[own[1]].write_request(ask, dialect, losses)
    read = asked(call(own[0], written.target, written.body))
    assert as_results(spoken(read.turns)) == as_results(spoken(ask.turns))
    assert "\n".join(read.system) == "\n".join(ask.system)
    assert [tool.name for tool in read.tools] == [tool.name for tool in ask.tools]
    assert read.choice == ask.choice
    assert read.stream == ask.stream
    assert (read.output is None) == (ask.output is None)
    if ask.output is not None and read.output is not None and read.output.schema is not None:
        assert msgspec.json.decode(read.output.schema) == msgspec.json.decode(SCHEMA)
    if "temperature" not in losses.lost:
        assert read.sampling.temperature in (ask.sampling.temperature, None)
    assert "stop" in losses.lost or read.stop == ask.stop
    assert read.max_tokens == ask.max_tokens or (own[0], ask.max_tokens) == ("anthropic", None)


@settings(max_examples=100, deadline=None)
@given(ask=asks(), own=st.sampled_from(LANGUAGES), to=st.sampled_from([*STYLES, "anthropic", "gemini"]))
def test_what_is_asked_in_one_wire_is_asked_in_another(ask: Ask, own: tuple[str, str], to: str) -> None:
    """The targets' own readers find in the request what the agent has said in it."""
    may_lose = frozenset(("temperature", "stop", "max_tokens"))
    written = WIRES[own[1]].write_request(ask, load(own[0]), Losses(may_lose))
    made = translated(call(own[0], written.target, written.body), to, *may_lose)
    assert made.request.body.data is not None
    read = asked(call(to, made.request.target, made.request.body.data))
    assert as_results(spoken(read.turns)) == as_results(spoken(ask.turns))
    assert "\n".join(read.system) == "\n".join(ask.system)
    assert [tool.name for tool in read.tools] == [tool.name for tool in ask.tools]
    assert read.stream == ask.stream
    assert set(made.lost) <= {*may_lose, "store", "parts.thoughtSignature"}


@settings(max_examples=60, deadline=None)
@given(ask=asks())
def test_strict_providers_get_what_they_insist_on(ask: Ask) -> None:
    may_lose = Losses(frozenset(("temperature", "stop", "system_turns")))
    messages = json.loads(WIRES["messages"].write_request(ask, load("anthropic"), may_lose).body)["messages"]
    assert [message["role"] for message in messages] == [("user", "assistant")[at % 2] for at in range(len(messages))]
    assert len(messages) % 2 == 1
    for before, after in pairwise(messages):
        if isinstance(before["content"], list):
            calls = [block["id"] for block in before["content"] if block["type"] == "tool_use"]
            blocks = after["content"] if calls else []
            assert [block.get("tool_use_id") for block in blocks[: len(calls)]] == calls
    said = json.loads(WIRES["chat"].write_request(ask, load("mistral"), may_lose).body)["messages"]
    for before, after in pairwise(said):
        assert (before["role"], after["role"]) not in (("tool", "user"), ("assistant", "system"), ("tool", "system"))
        assert all(len(one["id"]) == 9 and one["id"].isalnum() for one in before.get("tool_calls", ()))
    assert said[-1]["role"] in ("user", "tool")


#: Pieces of requests, from which nonsense is built.
WORDS = st.sampled_from(
    [
        *("messages", "input", "contents", "content", "parts", "role", "user", "assistant", "tool", "model", "system"),
        *(
            "type",
            "text",
            "tool_calls",
            "tool_call_id",
            "function",
            "name",
            "arguments",
            "tools",
            "tool_choice",
            "schema",
        ),
        *(
            "image_url",
            "url",
            "data:image/png;base64,AAAA",
            "json_schema",
            "response_format",
            "tool_result",
            "tool_use",
        ),
        *("functionCall", "functionResponse", "response", "generationConfig", "inlineData", "properties", "required"),
        *(
            "input_schema",
            "parameters",
            "strict",
            "output_config",
            "format",
            "thinking",
            "stop",
            "stream",
            "true",
            "id",
        ),
    ]
)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None)
@given(
    body=st.dictionaries(WORDS, NONSENSE),
    own=st.sampled_from(list(PATHS)),
    to=st.sampled_from([*STYLES, "anthropic", "gemini"]),
)
def test_no_request_makes_it_raise_anything_else(body: Any, own: tuple[str, str], to: str) -> None:
    data = json.dumps(body).encode()
    with contextlib.suppress(Inexpressible):
        made = translated(call(own[0], PATHS[own], data), to)
        json.loads(made.request.body.data or b"")


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode), own=st.sampled_from(list(PATHS)))
def test_no_bytes_make_it_raise_anything_else(body: bytes, own: tuple[str, str]) -> None:
    for to in ("anthropic", "gemini", "openai", "mistral"):
        with contextlib.suppress(Inexpressible):
            translated(call(own[0], PATHS[own], body), to)


@settings(max_examples=200, deadline=None)
@given(body=NONSENSE | st.lists(NONSENSE), wire=st.sampled_from(["chat", "responses", "messages", "stream"]))
def test_no_event_makes_a_reader_raise(body: Any, wire: str) -> None:
    reader = WIRES[wire].reader()
    reader.feed(b"data: %b\n\n" % json.dumps(body).encode())
    reader.end()
    assert reader.complete or reader.failed or reader.broken is not None


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), wire=st.sampled_from(["chat", "responses", "messages", "stream"]))
def test_no_bytes_make_a_reader_raise(data: bytes, wire: str) -> None:
    reader = WIRES[wire].reader()
    reader.feed(data)
    reader.end()
    assert reader.complete or reader.failed or reader.broken is not None


SAYABLE = ["text", "calls", "short", "nothing"]


@settings(max_examples=100, deadline=None)
@given(
    spoilt=st.sampled_from([(*pair, case) for pair in LANGUAGES for case in SAYABLE]),
    at=st.floats(0, 1),
    length=st.integers(1, 12),
    junk=st.binary(max_size=12),
)
def test_a_spoilt_stream_is_read_in_order_or_broken(
    spoilt: tuple[str, str, str], at: float, length: int, junk: bytes
) -> None:
    dialect, wire, case = spoilt
    stream = stream_of(dialect, wire, SAID[case])
    place = int(at * len(stream))
    reader = WIRES[wire].reader()
    events = [*reader.feed(stream[:place] + junk + stream[place + length :]), *reader.end()]
    begun = False
    for event in events:
        assert begun or not isinstance(event, ArgumentsDelta)
        begun = isinstance(event, CallBegun | ArgumentsDelta)
