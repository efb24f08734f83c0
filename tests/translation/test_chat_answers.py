"""What language models answer, read and written in every wire: as the SDKs' own types want it, cut anywhere, broken."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sidecar import sse
from sidecar.body import StreamedBody
from sidecar.errors import UpstreamBroken, UpstreamError
from sidecar.exchange import Response
from sidecar.testing import answer, streamed
from sidecar.translation import Untranslatable
from sidecar.translation.chat import answers
from sidecar.translation.chat.events import (
    ArgumentsDelta,
    CallBegun,
    Event,
    Failed,
    Finished,
    Reason,
    ReasoningDelta,
    RefusalDelta,
    Said,
    TextDelta,
    Tokens,
    Used,
    gathered,
)
from sidecar.translation.chat.wire import StreamReader
from tests.translation.chatting import (
    PATHS,
    SAID,
    USED,
    WIRES,
    agent_of,
    answered,
    asks,
    ended,
    event_stream,
    stream_of,
    translated,
)

EVERYBODY = list(PATHS)
#: Those whose streams are of events.
STREAMING = [(dialect, wire) for dialect, wire in EVERYBODY if wire not in ("content", "list")]
#: One of each form, for what is done at every byte.
FORMS = [
    ("openai", "chat"),
    ("mistral", "chat"),
    ("openai", "responses"),
    ("anthropic", "messages"),
    ("gemini", "stream"),
]
SHOW_THOUGHTS = ("groq", "mistral", "gemini")
USER = [{"role": "user", "content": "hello"}]


def essence(said: Said) -> Any:
    """What every wire can tell."""
    calls = [(call.name, json.loads(call.arguments)) for call in said.calls]
    tokens = said.tokens
    return (
        said.text + said.refusal,
        calls,
        said.finished.reason,
        (tokens.input, tokens.output, tokens.cached, tokens.reasoning or 0),
    )


def read(reader: StreamReader, *chunks: bytes) -> list[Event]:
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.end()]


def whole_of(dialect: str, wire: str, events: list[Event]) -> bytes:
    return WIRES[wire].writer(agent_of(dialect, stream=False, thoughts=True)).whole(gathered(events))


# -- as the SDKs want it ----------------------------------------------------------------------------------------------


def whole_type(dialect: str, wire: str) -> Callable[[Any], Any]:
    if wire == "responses":
        return pytest.importorskip("openai.types.responses").Response.model_validate
    if wire == "messages":
        return pytest.importorskip("anthropic.types").Message.model_validate
    if wire in ("content", "stream", "list"):
        return pytest.importorskip("google.genai.types").GenerateContentResponse.model_validate
    if dialect == "mistral":
        return pytest.importorskip("mistralai.client.models").ChatCompletionResponse.model_validate
    if dialect == "groq":
        return pytest.importorskip("groq.types.chat").ChatCompletion.model_validate
    return pytest.importorskip("openai.types.chat").ChatCompletion.model_validate


def event_type(dialect: str, wire: str) -> Callable[[Any], Any]:
    pydantic = pytest.importorskip("pydantic")
    if wire == "responses":
        kind = pytest.importorskip("openai.types.responses").ResponseStreamEvent
        return pydantic.TypeAdapter(kind).validate_python
    if wire == "messages":
        kind = pytest.importorskip("anthropic.types").RawMessageStreamEvent
        return pydantic.TypeAdapter(kind).validate_python
    if wire in ("content", "stream", "list"):
        return pytest.importorskip("google.genai.types").GenerateContentResponse.model_validate
    if dialect == "mistral":
        return pytest.importorskip("mistralai.client.models").CompletionChunk.model_validate
    if dialect == "groq":
        return pytest.importorskip("groq.types.chat").ChatCompletionChunk.model_validate
    return pytest.importorskip("openai.types.chat").ChatCompletionChunk.model_validate


#: Of what Groq's types do not know that it is said, though its API says it.
_UNKNOWN_TO_GROQ = "content_filter"


@pytest.mark.parametrize("case", list(SAID))
@pytest.mark.parametrize(("dialect", "wire"), EVERYBODY)
def test_whole_answers_are_what_the_sdks_types_want(dialect: str, wire: str, case: str) -> None:
    written = json.loads(whole_of(dialect, wire, SAID[case]))
    if dialect == "groq" and written["choices"][0]["finish_reason"] == _UNKNOWN_TO_GROQ:
        written["choices"][0]["finish_reason"] = "stop"
    whole_type(dialect, wire)(written)
    assert written.get("model", written.get("modelVersion")) == "asked"


@pytest.mark.parametrize("case", list(SAID))
@pytest.mark.parametrize(("dialect", "wire"), EVERYBODY)
def test_whole_answers_say_all_that_was_said(dialect: str, wire: str, case: str) -> None:
    said = gathered(WIRES[wire].read_whole(whole_of(dialect, wire, SAID[case])))
    assert essence(said) == essence(gathered(SAID[case]))
    shown = dialect in SHOW_THOUGHTS and case == "thoughts"
    assert said.reasoning == ("Hm." if shown or (wire == "chat" and case == "thoughts") else "")


@pytest.mark.parametrize("case", list(SAID))
@pytest.mark.parametrize(("dialect", "wire"), EVERYBODY)
def test_streams_are_what_the_sdks_types_want(dialect: str, wire: str, case: str) -> None:
    stream, validate = stream_of(dialect, wire, SAID[case]), event_type(dialect, wire)
    if wire == "list":
        documents = json.loads(stream)
        names = [""] * len(documents)
    else:
        events = [event for block in sse.blocks(stream) if (event := sse.event_of(block)) is not None]
        if wire == "chat":
            assert events.pop().data == b"[DONE]"
        documents = [json.loads(event.data) for event in events]
        names = [event.type for event in events]
    for name, document in zip(names, documents, strict=True):
        validate(document)
        if wire in ("responses", "messages"):
            assert name == document["type"]
    if wire == "responses":
        assert [document["sequence_number"] for document in documents] == list(range(len(documents)))
    if wire == "chat":
        assert len({document["id"] for document in documents}) == 1


@pytest.mark.parametrize("case", ["text", "calls", "thoughts"])
@pytest.mark.parametrize(("dialect", "wire"), FORMS)
def test_streams_cut_anywhere_say_all_that_was_said(dialect: str, wire: str, case: str) -> None:
    stream = stream_of(dialect, wire, SAID[case])
    expected = read(WIRES[wire].reader(), stream)
    assert essence(gathered(expected)) == essence(gathered(SAID[case]))
    for at in range(len(stream) + 1):
        assert read(WIRES[wire].reader(), stream[:at], stream[at:]) == expected
    assert read(WIRES[wire].reader(), *[stream[at : at + 1] for at in range(len(stream))]) == expected


@pytest.mark.parametrize("case", ["text", "calls"])
@pytest.mark.parametrize(("dialect", "wire"), FORMS)
def test_a_stream_that_ends_early_is_never_taken_for_a_short_answer(dialect: str, wire: str, case: str) -> None:
    stream = stream_of(dialect, wire, SAID[case])
    full = gathered(SAID[case])
    ends = 0
    for at in range(len(stream)):
        reader = WIRES[wire].reader()
        said = gathered(read(reader, stream[:at]))
        if reader.broken is None:
            ends += 1
            assert (said.text, said.finished) == (full.text, full.finished)
            assert [call.arguments for call in said.calls] == [call.arguments for call in full.calls]
        else:
            assert isinstance(reader.broken, UpstreamBroken)
            assert reader.broken.begun
            assert full.text.startswith(said.text)
    assert ends < len(stream) / 2


@pytest.mark.parametrize(("dialect", "wire"), STREAMING)
def test_what_comes_after_the_end_is_not_of_the_answer(dialect: str, wire: str) -> None:
    stream = stream_of(dialect, wire, SAID["text"])
    if wire == "stream":
        return  # only the end of its bytes ends it
    reader = WIRES[wire].reader()
    events = read(reader, stream + b": a comment\n\n" + stream + b"data: {nonsense\n\n")
    assert reader.broken is None
    assert reader.closed
    assert essence(gathered(events)) == essence(gathered(SAID["text"]))


@pytest.mark.parametrize(("dialect", "wire"), STREAMING)
def test_events_that_cannot_be_read_break_the_stream_after_what_could(dialect: str, wire: str) -> None:
    stream = stream_of(dialect, wire, SAID["text"])
    blocks = stream.split(b"\n\n") if b"\r\n" not in stream else stream.split(b"\r\n\r\n")
    for bad in (b"data: {", b"data: 7", b'data: {"choices": 3, "candidates": 3, "type": 3}', b"data: \xff"):
        reader = WIRES[wire].reader()
        at = next(number for number, block in enumerate(blocks) if b"Hello" in block) + 1
        events = reader.feed(b"\n\n".join([*blocks[:at], bad, *blocks[at:]]))
        assert reader.broken is not None
        assert not reader.complete
        assert gathered(events).text != ""


def test_an_event_without_end_is_not_collected_for_ever() -> None:
    for wire in ("chat", "responses", "messages", "stream"):
        reader = WIRES[wire].reader()
        for _ in range(40):
            reader.feed(b"data: " + b"x" * (1 << 20))
        assert reader.broken is not None


# -- from any wire to any other ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", list(SAID))
@pytest.mark.parametrize("agent", EVERYBODY)
@pytest.mark.parametrize(
    "provider", [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages"), ("gemini", "stream")]
)
def test_all_is_said_from_any_wire_to_any_other(provider: tuple[str, str], agent: tuple[str, str], case: str) -> None:
    heard = read(WIRES[provider[1]].reader(), stream_of(*provider, SAID[case]))
    written = stream_of(*agent, heard)
    if agent[1] in ("content", "list"):
        understood = WIRES["content"].read_whole(written) if agent[1] == "list" else heard
    else:
        understood = read(WIRES[agent[1]].reader(), written)
    assert essence(gathered(understood)) == essence(gathered(SAID[case]))


# -- what providers say in ways of their own --------------------------------------------------------------------------


def chat_stream(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True, **last: Any) -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **last})
    stream = b"".join([b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks])
    return stream + (b"data: [DONE]\n\n" if done else b"")


def call_delta(index: int | None, identifier: str | None = None, name: str | None = None, arguments: str = "") -> Any:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    call = (
        {"function": function}
        | ({} if index is None else {"index": index})
        | ({"id": identifier} if identifier else {})
    )
    return {"tool_calls": [call]}


@pytest.mark.parametrize(
    "deltas",
    [
        [call_delta(0, "a", "one", '{"x":1}'), call_delta(1, "b", "two", '{"y":2}')],
        [call_delta(0, "a", "one"), call_delta(1, "b", "two"), call_delta(1, arguments='{"y"'),
         call_delta(0, arguments='{"x":'), call_delta(1, arguments=":2}"), call_delta(0, arguments="1}")],
        [call_delta(0, "a", "one", '{"x":1}'), call_delta(0, "b", "two", '{"y":2}')],
        [call_delta(None, "a", "one", '{"x":1}'), call_delta(None, "b", "two", '{"y":2}')],
        [call_delta(0, "a"), call_delta(0, arguments='{"x"'), call_delta(0, name="one", arguments=":1}"),
         call_delta(1, "b", "two", '{"y":2}')],
    ],
    ids=["in order", "mixed", "one index", "no index", "name late"],
)  # fmt: skip
def test_calls_come_one_after_another_however_their_pieces_come(deltas: list[Any]) -> None:
    events = read(WIRES["chat"].reader(), chat_stream(*deltas, finish="tool_calls"))
    open_call = None
    for event in events:
        if isinstance(event, CallBegun):
            open_call = event.name
        assert not isinstance(event, ArgumentsDelta) or open_call is not None
    calls = [(call.name, json.loads(call.arguments)) for call in gathered(events).calls]
    assert calls == [("one", {"x": 1}), ("two", {"y": 2})]


def test_what_models_think_is_told_apart_in_every_spelling() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
    for delta in ({"reasoning": "Hm."}, {"reasoning_content": "Hm."}, {"content": thinking}):
        events = read(WIRES["chat"].reader(), chat_stream(delta, {"content": [{"type": "text", "text": "Hi"}]}))
        assert events[:2] == [ReasoningDelta("Hm."), TextDelta("Hi")]


def test_usage_is_found_wherever_it_stands() -> None:
    used = {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}}
    expected = Used(Tokens(input=3, output=2, cached=1))
    assert expected in read(WIRES["chat"].reader(), chat_stream({"content": "x"}, usage=used))
    assert expected in read(WIRES["chat"].reader(), chat_stream({"content": "x"}, x_groq={"usage": used}))
    alone = b'data: {"choices":[],"usage":%b}\n\ndata: [DONE]\n\n' % json.dumps(used).encode()
    assert expected in read(WIRES["chat"].reader(), chat_stream({"content": "x"}, done=False) + alone)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("stop", Reason.STOP),
        ("length", Reason.LENGTH),
        ("model_length", Reason.LENGTH),
        ("content_filter", Reason.FILTERED),
        ("tool_calls", Reason.TOOL_CALLS),
        ("error", None),
        ("insufficient_system_resource", None),
        ("something new", None),
    ],
)
def test_why_chat_completions_end(said: str, reason: Reason | None) -> None:
    reader = WIRES["chat"].reader()
    events = read(reader, chat_stream({"content": "x"}, finish=said))
    if reason is None:
        assert isinstance(events[-1], Failed)
        assert reader.failed
        assert "something new" not in repr(events)
    else:
        assert events[-1] == Finished(reason)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("STOP", Reason.STOP),
        ("MAX_TOKENS", Reason.LENGTH),
        ("SAFETY", Reason.FILTERED),
        ("PROHIBITED_CONTENT", Reason.FILTERED),
        ("MALFORMED_FUNCTION_CALL", None),
        ("OTHER", None),
        (7, None),
    ],
)
def test_why_gemini_ends(said: Any, reason: Reason | None) -> None:
    document = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": said}]}
    reader = WIRES["stream"].reader()
    events = read(reader, b"data: %b\r\n\r\n" % json.dumps(document).encode())
    assert isinstance(events[-1], Failed) if reason is None else events[-1] == Finished(reason)
    if reason is None:
        with pytest.raises(Untranslatable):
            WIRES["content"].read_whole(json.dumps(document).encode())


def test_why_anthropic_ends() -> None:
    def why(reason: str, sequence: str | None = None) -> Event:
        message = {"type": "message", "content": [], "stop_reason": reason, "stop_sequence": sequence}
        return WIRES["messages"].read_whole(json.dumps(message).encode())[-1]

    assert why("end_turn") == Finished(Reason.STOP)
    assert why("stop_sequence", "END") == Finished(Reason.STOP, "END")
    assert why("model_context_window_exceeded") == Finished(Reason.LENGTH)
    assert why("refusal") == Finished(Reason.FILTERED)
    assert isinstance(why("pause_turn"), Failed)


def test_a_refusal_is_told_as_one_where_there_is_a_word_for_it() -> None:
    events = ended([RefusalDelta("I will not.")])
    chat = json.loads(whole_of("openai", "chat", events))["choices"][0]
    assert (chat["message"]["refusal"], chat["message"]["content"]) == ("I will not.", None)
    message = json.loads(whole_of("anthropic", "messages", events))
    assert (message["content"][0]["text"], message["stop_reason"]) == ("I will not.", "refusal")
    response = json.loads(whole_of("openai", "responses", events))
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I will not."}]
    assert json.loads(whole_of("groq", "chat", events))["choices"][0]["message"]["content"] == "I will not."
    for wire in ("chat", "responses"):
        stream = stream_of("openai", wire, events)
        assert gathered(read(WIRES[wire].reader(), stream)).refusal == "I will not."


def test_blocked_prompts_are_told_as_filtered() -> None:
    blocked = b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":8}}'
    events = WIRES["content"].read_whole(blocked)
    assert gathered(events).finished.reason is Reason.FILTERED
    assert json.loads(whole_of("anthropic", "messages", events))["stop_reason"] == "refusal"
    choice = json.loads(whole_of("openai", "chat", events))["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")


def test_arguments_that_are_no_object() -> None:
    """A model's mistake: streams pass it on, and where a whole object is due it is told."""
    events = ended([CallBegun("weather"), ArgumentsDelta('{"city": ')], Reason.TOOL_CALLS)
    with pytest.raises(Untranslatable):
        whole_of("anthropic", "messages", events)
    assert (
        json.loads(whole_of("gemini", "content", events))["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    )
    call = json.loads(whole_of("openai", "chat", events))["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["arguments"] == '{"city": '


def test_calls_without_arguments_have_empty_ones() -> None:
    events = ended([CallBegun("now")], Reason.TOOL_CALLS)
    for dialect, wire in EVERYBODY:
        said = gathered(WIRES[wire].read_whole(whole_of(dialect, wire, events)))
        assert [(call.name, call.arguments) for call in said.calls] == [("now", "{}")]


def test_identifiers_are_new_and_in_each_dialects_form() -> None:
    forms = {
        ("openai", "chat"): ("chatcmpl-", "call_"),
        ("mistral", "chat"): ("", ""),
        ("anthropic", "messages"): ("msg_01", "toolu_01"),
        ("openai", "responses"): ("resp_", "call_"),
    }
    for (dialect, wire), (own, calls) in forms.items():
        first, second = (whole_of(dialect, wire, SAID["calls"]) for _ in range(2))
        assert first != second
        document = json.loads(first)
        assert document["id"].startswith(own)
        found = document.get("choices", [{}])[0].get("message", {}).get("tool_calls") or [
            item for item in document.get("content", document.get("output", ())) if "name" in item
        ]
        identifiers = [call.get("call_id", call["id"]) for call in found]
        assert len(set(identifiers)) == 2
        assert all(each.startswith(calls) for each in identifiers)
        assert dialect != "mistral" or all(len(each) == 9 and each.isalnum() for each in identifiers)


# -- failures ---------------------------------------------------------------------------------------------------------

FAILURES: dict[str, bytes] = {
    "chat": b'data: {"error":{"message":"too many","type":"requests","code":"rate_limit_exceeded"}}\n\n',
    "responses": b'event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed","error":'
    b'{"code":"rate_limit_exceeded","message":"too many"}}}\n\n',
    "messages": b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"too many"}}\n\n',
    "stream": b'data: {"error":{"code":429,"message":"too many","status":"RESOURCE_EXHAUSTED"}}\r\n\r\n',
}


@pytest.mark.parametrize("agent", [each for each in EVERYBODY if each[1] != "content"])
@pytest.mark.parametrize("wire", list(FAILURES))
def test_a_failure_in_the_middle_is_told_in_the_agents_own_way(wire: str, agent: tuple[str, str]) -> None:
    dialect = {"chat": "openai", "responses": "openai", "messages": "anthropic", "stream": "gemini"}[wire]
    begun = stream_of(dialect, wire, [TextDelta("Hello")])
    begun = begun[: begun.find(b"Hello") + len(b"Hello")]
    begun = begun[: begun.rfind(b"data: ")] if wire != "stream" else b""
    begun = begun[: begun.rfind(b"event: ")] if wire in ("responses", "messages") else begun
    reader = WIRES[wire].reader()
    events = reader.feed(begun + FAILURES[wire] + b"data: {nonsense\n\n")
    assert events[-1] == Failed(events[-1].kind, "too many", 429)  # type: ignore[union-attr]
    assert reader.failed
    writer = WIRES[agent[1]].writer(agent_of(agent[0], listed=agent[1] == "list"))
    writer.write(TextDelta("Hello"))
    if agent[0] == "mistral":
        with pytest.raises(UpstreamBroken):
            writer.write(events[-1])
        return
    told = writer.write(events[-1])
    assert b"too many" in told
    if agent[1] != "list":
        again = WIRES[agent[1]].reader()
        assert isinstance(again.feed(told)[-1], Failed)
        assert not again.complete


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", b'{"error":{"message":"no","type":"server_error","code":null}}'),
        ("openai", b'{"choices":[]}'),
        ("openai", b'{"id":"x"}'),
        ("openai", b"<html>"),
        ("openai", b""),
        ("mistral", b'{"object":"error","message":"no","type":"x"}'),
        ("mistral", b'{"detail":[{"msg":"no"}]}'),
        ("groq", b'{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}'),
        ("anthropic", b'{"type":"error","error":{"type":"overloaded_error","message":"no"}}'),
        ("anthropic", b'{"type":"message","content":[]}'),
        ("gemini", b'{"error":{"code":500,"message":"no","status":"INTERNAL"}}'),
        ("gemini", b'{"candidates":[]}'),
        ("gemini", b'{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}'),
        ("gemini", b"[]"),
    ],
)
async def test_answers_that_are_none(dialect: str, body: bytes) -> None:
    exchange = asks("anthropic" if dialect != "anthropic" else "gemini",
                    **({"contents": [{"parts": [{"text": "x"}]}]} if dialect == "anthropic" else
                       {"model": "asked", "max_tokens": 9, "messages": USER}))  # fmt: skip
    made = translated(exchange, dialect)
    with pytest.raises(Untranslatable):
        await made.answer(answer(body, content_type="application/json"))


async def test_responses_that_failed_are_no_answers() -> None:
    for body in (
        b'{"status":"failed","output":[],"error":{"code":"server_error","message":"no"}}',
        b'{"status":"in_progress","output":[]}',
        b'{"status":"queued"}',
    ):
        with pytest.raises(Untranslatable):
            WIRES["responses"].read_whole(body)


# -- the whole way ----------------------------------------------------------------------------------------------------


async def test_a_stream_flows_and_ends_with_the_answer() -> None:
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "anthropic")
    stream = stream_of("anthropic", "messages", SAID["text"])
    got, body = await answered(made, event_stream(stream, request_id="req_1"))
    assert (got.status, got.chunked) == (200, True)
    assert got.headers.get("content-type") == "text/event-stream; charset=utf-8"
    assert {name.lower() for name, _ in got.headers} == {b"content-type", b"cache-control"}
    assert essence(gathered(read(WIRES["chat"].reader(), body)))[0] == "Hello, Käthe 👋"
    assert b'"usage"' not in body, "nobody has asked for it"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("stream", [True, False])
async def test_content_codings_are_undone(coding: str, *, stream: bool) -> None:
    made = translated(asks("openai", model="asked", stream=stream, messages=USER), "gemini")
    plain = stream_of("gemini", "stream", SAID["text"]) if stream else whole_of("gemini", "content", SAID["text"])
    data = gzip.compress(plain) if coding == "gzip" else zlib.compress(plain)
    response = event_stream(data, content_encoding=coding) if stream else answer(data, content_encoding=coding)
    got, body = await answered(made, response)
    assert got.headers.get("content-encoding") is None
    text = body.replace(b'","', b"").decode()
    assert "Käthe" in text


async def test_a_stream_that_unpacks_to_more_than_any_answer_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "EVENT_BYTES", 1 << 16)
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "gemini")
    got = await made.answer(event_stream(gzip.compress(bytes(1 << 20)), cut=1 << 20, content_encoding="gzip"))
    with pytest.raises(UpstreamBroken, match="unpacks to more"):
        [chunk async for chunk in got.body]


async def test_a_coding_that_cannot_be_undone() -> None:
    for stream in (True, False):
        made = translated(asks("openai", model="asked", stream=stream, messages=USER), "gemini")
        response = event_stream(b"xxxx", content_encoding="br") if stream else answer(b"x", content_encoding="br")
        with pytest.raises(Untranslatable):
            await made.answer(response)
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "gemini")
    got = await made.answer(event_stream(b"no gzip", content_encoding="gzip"))
    with pytest.raises(UpstreamBroken):
        [chunk async for chunk in got.body]


async def read_until_broken(response: Response) -> tuple[bytes, Exception | None]:
    read = b""
    try:
        async for chunk in response.body:
            read += chunk
    except UpstreamError as broken:
        return read, broken
    return read, None


async def test_a_stream_that_breaks_is_seen_to_break() -> None:
    stream = stream_of("anthropic", "messages", SAID["text"])
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "anthropic")
    half = stream[: stream.find(b"Hello") + 30]
    for response in (event_stream(half), event_stream(half, error=UpstreamBroken("reset", begun=True))):
        got = await made.answer(response)
        said, broken = await read_until_broken(got)
        assert isinstance(broken, UpstreamError)
        assert b"Hello" in said
        assert b"[DONE]" not in said
        assert b'"finish_reason":"stop"' not in said


async def test_nonsense_is_not_waited_on() -> None:
    """A provider that has sent what cannot be read may never send anything again."""
    stream = stream_of("anthropic", "messages", SAID["text"])
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "anthropic")

    async def coming() -> AsyncIterator[bytes]:
        yield stream[: stream.find(b"Hello") + 40].rpartition(b"event:")[0] + b"data: {nonsense\n\n"
        await asyncio.Event().wait()

    got = await made.answer(answer(StreamedBody(coming()), content_type="text/event-stream"))
    async with asyncio.timeout(10):
        _, broken = await read_until_broken(got)
    assert isinstance(broken, UpstreamBroken)
    await got.body.aclose()


async def test_what_breaks_after_the_end_does_not_matter() -> None:
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "anthropic")
    stream = stream_of("anthropic", "messages", SAID["text"])
    _, body = await answered(made, event_stream(stream, error=UpstreamBroken("reset", begun=True)))
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_provider_that_does_not_stream_is_streamed() -> None:
    made = translated(asks("anthropic", model="asked", max_tokens=9, stream=True, messages=USER), "openai")
    whole = whole_of("openai", "chat", SAID["calls"])
    got, body = await answered(made, answer(whole, content_type="application/json"))
    assert got.chunked
    assert essence(gathered(read(WIRES["messages"].reader(), body))) == essence(gathered(SAID["calls"]))


async def test_geminis_list_is_a_list() -> None:
    contents = [{"parts": [{"text": "hi"}]}]
    made = translated(asks("gemini", "list", contents=contents), "openai")
    got, body = await answered(made, event_stream(stream_of("openai", "chat", SAID["calls"])))
    assert got.headers.get("content-type") == "application/json; charset=UTF-8"
    assert isinstance(json.loads(body), list)
    assert essence(gathered(WIRES["content"].read_whole(body))) == essence(gathered(SAID["calls"]))


async def test_closing_what_is_given_closes_what_was_given() -> None:
    made = translated(asks("openai", model="asked", stream=True, messages=USER), "anthropic")
    closed: list[bool] = []

    class Watched(type(streamed([b""]))):  # type: ignore[misc]
        async def aclose(self) -> None:
            closed.append(True)
            await super().aclose()

    async def coming() -> Any:
        yield stream_of("anthropic", "messages", SAID["text"])

    for read_some in (True, False):
        response = answer(Watched(coming()), content_type="text/event-stream")
        got = await made.answer(response)
        if read_some:
            await anext(aiter(got.body))
        await got.body.aclose()
    assert len(closed) >= 2


async def test_responses_give_back_what_was_asked() -> None:
    tools = [
        {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
    ]
    exchange = asks(
        "openai", "responses", model="asked", input="hi", tools=tools, temperature=1, instructions="Be short.",
        metadata={"a": "b"}, store=False,
    )  # fmt: skip
    made = translated(exchange, "anthropic")
    _, body = await answered(made, answer(whole_of("anthropic", "messages", SAID["text"])))
    response = json.loads(body)
    assert response["tools"] == tools
    assert (response["instructions"], response["metadata"], response["store"]) == ("Be short.", {"a": "b"}, False)
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 8, "cache_write_tokens": 0}
    assert response["status"] == "completed"


def test_all_kinds_of_tokens_are_counted_in_every_way() -> None:
    tokens = Tokens(input=100, cached=30, cache_written=20, output=50, reasoning=15, audio_input=5)
    events: list[Event] = [TextDelta("x"), Finished(Reason.STOP), Used(tokens)]
    chat = json.loads(whole_of("openai", "chat", events))["usage"]
    assert (chat["prompt_tokens"], chat["completion_tokens"], chat["total_tokens"]) == (100, 50, 150)
    assert chat["prompt_tokens_details"] == {"cached_tokens": 30, "cache_write_tokens": 20, "audio_tokens": 5}
    assert chat["completion_tokens_details"]["reasoning_tokens"] == 15
    messages = json.loads(whole_of("anthropic", "messages", events))["usage"]
    assert messages == {
        "input_tokens": 50,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 15},
    }
    assert json.loads(whole_of("gemini", "content", events))["usageMetadata"] == {
        "promptTokenCount": 100,
        "candidatesTokenCount": 35,
        "totalTokenCount": 150,
        "cachedContentTokenCount": 30,
        "thoughtsTokenCount": 15,
    }
    assert USED.tokens.updated(Tokens(output=13)) == Tokens(input=20, cached=8, output=13, reasoning=4)


def test_a_stream_that_says_it_is_over_too_early_is_broken_at_once() -> None:
    """Whoever has sent that may keep the connection open."""
    for wire, end in (
        ("chat", b"data: [DONE]\n\n"),
        ("messages", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    ):
        reader = WIRES[wire].reader()
        reader.feed(end)
        assert reader.broken is not None
