"""A kept answer in the other form, as the providers' own clients read it, with identifiers and times of its own."""

import base64
import contextlib
import gzip
import json
import re
from array import array
from collections.abc import Callable
from typing import Any

import anthropic
import google.genai
import httpx2
import openai
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sidecar_cache.entry import Entry
from sidecar_cache.forms import Stamps, Unconvertible, Wanted, given_as, plainly, renewal_of, stamps_in, wanted_of
from sidecar_cache.forms.pieces import documents
from sidecar_cache.forms.renewal import maker_of

from sidecar import sse
from sidecar.lab import Lab
from sidecar.testing import call
from tests.plugins.answering import TEXT, Asked, ask, chats, kept, recording, speeches, transcriptions

SSE = "text/event-stream; charset=utf-8"
SCHEMA = {"type": "object", "properties": {"voice": {"type": "boolean"}}, "required": ["voice"]}
WAYS: dict[str, dict[str, Any]] = {"text": {}, "a tool call": {"tools": True}, "JSON": {"schema": SCHEMA}}
CHATS = ("openai", "groq", "mistral", "responses", "anthropic", "gemini")


def asked_for(family: str, way: str, *, stream: bool) -> Asked:
    return next(each for each in chats(stream=stream, **WAYS[way]) if each.name == family)


async def entry_of(lab: Lab, asked: Asked) -> Entry:
    came = await ask(lab, asked)
    return kept(came.data, came.content_type, chunked=came.response.chunked)


def wanted(asked: Asked) -> Wanted:
    found = wanted_of(asked.exchange())
    assert found is not None
    return found


def events(stream: bytes) -> list[Any]:
    datas = [event.data for block in sse.blocks(stream) if (event := sse.event_of(block)) is not None]
    return [json.loads(data) for data in datas if data != b"[DONE]"]


def transport(entry: Entry) -> httpx2.MockTransport:
    content_type = entry.block.split(b": ", 1)[1].split(b"\r\n")[0].decode()
    return httpx2.MockTransport(
        lambda _: httpx2.Response(200, content=entry.data, headers={"content-type": content_type})
    )


class Heard:
    """What a family's own client makes of an entry: text, tool calls, how it finished, what was used."""

    def __init__(self, family: str, entry: Entry, *, stream: bool) -> None:
        self.text, self.finish = "", ""
        self.calls: list[tuple[str, Any]] = []
        self.usage: int | None = None
        read: Callable[[Entry, bool], None] = {
            "anthropic": self._anthropic,
            "gemini": self._gemini,
            "responses": self._responses,
        }.get(family, self._chat)
        read(entry, stream)

    @property
    def said(self) -> tuple[object, ...]:
        return self.text, self.calls, self.finish, self.usage

    def _openai(self, entry: Entry) -> openai.OpenAI:
        return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport(entry)), max_retries=0)

    def _chat(self, entry: Entry, stream: bool) -> None:
        if stream:
            with self._openai(entry).chat.completions.stream(model="m", messages=[]) as streamed:
                for _ in streamed:
                    pass
                made = streamed.get_final_completion()
        else:
            made = self._openai(entry).chat.completions.create(model="m", messages=[])  # type: ignore[assignment]
        (choice,) = made.choices
        self.text, self.finish = choice.message.content or "", str(choice.finish_reason)
        for one in choice.message.tool_calls or ():
            self.calls.append((one.function.name, json.loads(one.function.arguments)))
        extra = made.model_extra or {}
        usage = made.usage.total_tokens if made.usage else extra.get("x_groq", {}).get("usage", {}).get("total_tokens")
        self.usage = usage

    def _responses(self, entry: Entry, stream: bool) -> None:
        client = self._openai(entry)
        if stream:
            with client.responses.stream(model="m", input="") as streamed:
                kinds = [event.type for event in streamed]
                made = streamed.get_final_response()
            assert kinds[0] == "response.created"
            assert kinds[-1] == "response.completed"
        else:
            made = client.responses.create(model="m", input="")  # type: ignore[assignment]
        self.text, self.finish = made.output_text, str(made.status)
        self.calls = [(one.name, json.loads(one.arguments)) for one in made.output if one.type == "function_call"]
        self.usage = made.usage.total_tokens if made.usage else None

    def _anthropic(self, entry: Entry, stream: bool) -> None:
        client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=transport(entry)), max_retries=0)
        if stream:
            with client.messages.stream(model="m", max_tokens=9, messages=[]) as streamed:
                made = streamed.get_final_message()
        else:
            made = client.messages.create(model="m", max_tokens=9, messages=[])  # type: ignore[assignment]
        self.text = "".join(block.text for block in made.content if block.type == "text")
        self.calls = [(block.name, block.input) for block in made.content if block.type == "tool_use"]
        self.finish, self.usage = str(made.stop_reason), made.usage.output_tokens

    def _gemini(self, entry: Entry, stream: bool) -> None:
        options = types.HttpOptions(httpx_client=httpx2.Client(transport=transport(entry)))
        models = google.genai.Client(api_key="k", http_options=options).models
        if stream:
            chunks = list(models.generate_content_stream(model="m", contents="x"))
        else:
            chunks = [models.generate_content(model="m", contents="x")]
        parts = [part for chunk in chunks for part in (chunk.candidates or [])[0].content.parts or ()]  # type: ignore[union-attr]
        self.text = "".join(part.text or "" for part in parts)
        self.calls = [
            (one.function_call.name, dict(one.function_call.args or {})) for one in parts if one.function_call
        ]
        last = chunks[-1]
        self.finish = str((last.candidates or [])[0].finish_reason)
        self.usage = last.usage_metadata.total_token_count if last.usage_metadata else None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", CHATS)
async def test_each_family_s_client_hears_the_same_in_either_form(family: str, way: str) -> None:
    whole, stream = asked_for(family, way, stream=False), asked_for(family, way, stream=True)
    async with Lab(whole.provider) as lab:
        kept_whole, kept_stream = await entry_of(lab, whole), await entry_of(lab, stream)
    as_stream, as_whole = given_as(kept_whole, wanted(stream)), given_as(kept_stream, wanted(whole))
    assert (as_stream.chunked, as_whole.chunked) == (True, False)
    said = Heard(family, kept_whole, stream=False).said
    assert said == Heard(family, as_stream, stream=True).said
    assert Heard(family, kept_stream, stream=True).said == Heard(family, as_whole, stream=False).said
    assert said[0] or said[1]
    assert said[2]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", CHATS)
async def test_nothing_is_lost_there_and_back(family: str, way: str) -> None:
    whole, stream = asked_for(family, way, stream=False), asked_for(family, way, stream=True)
    async with Lab(whole.provider) as lab:
        entry = await entry_of(lab, whole)
    back = given_as(given_as(entry, wanted(stream)), wanted(whole))
    assert json.loads(back.data) == json.loads(entry.data)
    assert back.block.partition(b";")[0].strip() == entry.block.strip()
    assert (back.chunked, back.about) == (entry.chunked, entry.about)


@pytest.mark.parametrize("family", CHATS)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_entry_of_the_form_that_is_asked_for_is_given_as_it_is(family: str, stream: bool) -> None:
    asked = asked_for(family, "text", stream=stream)
    async with Lab(asked.provider) as lab:
        entry = await entry_of(lab, asked)
    assert given_as(entry, wanted(asked)) is entry


async def test_gemini_s_list_is_a_form_of_its_own() -> None:
    whole, stream, listed = (
        *(asked_for("gemini", "text", stream=each) for each in (False, True)),
        asked_for("gemini list", "text", stream=True),
    )
    async with Lab("gemini") as lab:
        entries = [await entry_of(lab, each) for each in (whole, stream, listed)]
    texts = set()
    for entry in entries:
        as_list = json.loads(given_as(entry, wanted(listed)).data)
        texts.add("".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in as_list))
        assert as_list[-1]["candidates"][0]["finishReason"] == "STOP"
        texts.add(Heard("gemini", given_as(entry, wanted(stream)), stream=True).text)
        texts.add(Heard("gemini", given_as(entry, wanted(whole)), stream=False).text)
    assert len(texts) == 1


async def test_gemini_s_spoken_pieces_become_one() -> None:
    def chunk(samples: bytes) -> bytes:
        blob = {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": base64.b64encode(samples).decode()}
        candidate = {"content": {"parts": [{"inlineData": blob}], "role": "model"}, "index": 0}
        return b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\r\n\r\n"

    whole = asked_for("gemini", "text", stream=False)
    entry = given_as(kept(chunk(b"\1\2") + chunk(b"\3\4"), "text/event-stream"), wanted(whole))
    (candidate,) = json.loads(entry.data)["candidates"]
    (part,) = candidate["content"]["parts"]
    assert base64.b64decode(part["inlineData"]["data"]) == b"\1\2\3\4"


def chat_request(**more: Any) -> Wanted:
    found = wanted_of(call("openai", "/v1/chat/completions", {"model": "m", "messages": [], **more}))
    assert found is not None
    return found


STREAMED = chat_request(stream=True)
WITH_USAGE = chat_request(stream=True, stream_options={"include_usage": True})
WHOLE = chat_request()


def stream_of(*chunks: dict[str, Any], usage: bool = True) -> Entry:
    envelope = {"id": "chatcmpl-AAAABBBBCCCC", "object": "chat.completion.chunk", "created": 1790000000, "model": "m"}
    told = [{**envelope, "choices": [], "usage": {"total_tokens": 3}}] if usage else []
    data = b"".join(
        b"data: %b\n\n" % json.dumps(each).encode() for each in (*({**envelope, **one} for one in chunks), *told)
    )
    return kept(data + b"data: [DONE]\n\n", SSE)


def delta(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None, **more}]}


class TestWhatAStreamSaysInPieces:
    def test_is_put_together_by_choice_and_call(self) -> None:
        def called(index: int, **fields: Any) -> dict[str, Any]:
            return delta({"tool_calls": [{"index": index, **fields}]})

        entry = stream_of(
            {"choices": [], "id": "", "created": 0, "model": "", "prompt_filter_results": [{"a": 1}]},
            delta({"role": "assistant", "content": None}),
            called(0, id="call_a", type="function", function={"name": "one", "arguments": ""}),
            called(1, id="call_b", type="function", function={"name": "two", "arguments": '{"b"'}),
            called(0, function={"arguments": '{"a": "\\u00e9'}),
            called(0, function={"arguments": '"}'}),
            called(1, function={"arguments": ": 2}"}),
            {"choices": [{"index": 1, "delta": {"content": "the other"}, "finish_reason": "stop"}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls", "content_filter_results": {}}]},
        )
        made = json.loads(given_as(entry, WHOLE).data)
        first, second = made["choices"]
        assert [each["function"]["arguments"] for each in first["message"]["tool_calls"]] == [
            '{"a": "\\u00e9"}',
            '{"b": 2}',
        ]
        assert [each["id"] for each in first["message"]["tool_calls"]] == ["call_a", "call_b"]
        assert (first["finish_reason"], first["message"]["content"]) == ("tool_calls", None)
        assert "index" not in first["message"]["tool_calls"][0]
        assert second["message"]["content"] == "the other"
        assert made["object"] == "chat.completion"
        assert (made["id"], made["created"], made["model"]) == ("chatcmpl-AAAABBBBCCCC", 1790000000, "m")
        assert made["prompt_filter_results"] == [{"a": 1}]
        assert made["usage"] == {"total_tokens": 3}

    def test_keeps_members_that_are_not_known(self) -> None:
        entry = stream_of(
            delta({"content": "a", "reasoning_content": "think"}, logprobs={"content": [{"token": "a"}]}),
            delta(
                {"content": "b", "reasoning_content": "ing"}, logprobs={"content": [{"token": "b"}], "refusal": None}
            ),
            {**delta({}), "service_tier": "default", "obfuscation": "xyz", "sum": 12345678901234567890},
        )
        data = given_as(entry, WHOLE).data
        made = json.loads(data)
        assert made["choices"][0]["message"] == {"role": "assistant", "content": "ab", "reasoning_content": "thinking"}
        assert [each["token"] for each in made["choices"][0]["logprobs"]["content"]] == ["a", "b"]
        assert made["service_tier"] == "default"
        assert "obfuscation" not in made
        assert b"12345678901234567890" in data

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_however_its_lines_end(self, line_end: str) -> None:
        entry = stream_of(delta({"content": "a"}), delta({"content": "b"}))
        ended = replace(entry, data=b": ping\n\n" + entry.data)
        ended = replace(ended, data=ended.data.replace(b"\n", line_end.encode()))
        assert json.loads(given_as(ended, WHOLE).data)["choices"][0]["message"]["content"] == "ab"


@pytest.mark.parametrize(
    ("stream", "datas"),
    [
        (b"", []),
        (b": a comment\n\n", []),
        (b"data: 1\n\ndata: [DONE]\n\n", [b"1"]),
        (b"data:1\n\ndata: 2", [b"1", b"2"]),
        (b"event: a\ndata: 1\n\nevent: b\ndata:2\n\n", [b"1", b"2"]),
        (b"event: a\ndata: {\ndata: }\n\n", [b"{\n}"]),
        (b"event: a\nid: 7\ndata: 1\n\n", [b"1"]),
        (b"event: a\ndata: 1\nretry: 5\n\n", [b"1"]),
        (b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [b"1", b"2"]),
        (b"event: a\rdata: 1\r\r", [b"1"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b"event: ping\n\ndata: 1\n\n", [b"1"]),
    ],
)
def test_events_are_read_as_the_standard_says(stream: bytes, datas: list[bytes]) -> None:
    assert list(documents(stream)) == datas


class TestWhatWasUsed:
    SPOKEN = (delta({"content": "a"}), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})

    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
    def test_is_left_out_of_a_stream_for_those_who_did_not_ask(self, line_end: bytes) -> None:
        entry = stream_of(*self.SPOKEN)
        entry = replace(entry, data=entry.data.replace(b"\n", line_end), cuts=array("I", [5]).tobytes())
        made = given_as(entry, STREAMED)
        assert [each.get("usage") for each in events(made.data)] == [None, None]
        assert made.data.endswith(b"data: [DONE]" + line_end * 2)
        assert (made.cuts, made.gaps) == (b"", b""), "the places no longer fit"

    def test_is_not_made_up_for_those_who_did(self) -> None:
        entry = stream_of(*self.SPOKEN, usage=False)
        assert given_as(entry, STREAMED) is entry
        for form in (WITH_USAGE, WHOLE):
            with pytest.raises(Unconvertible, match="does not say what was used"):
                given_as(entry, form)

    def test_comes_last_in_a_stream_made_of_a_whole_answer(self) -> None:
        whole = given_as(stream_of(*self.SPOKEN), WHOLE)
        asked, unasked = (events(given_as(whole, each).data) for each in (WITH_USAGE, STREAMED))
        assert asked[-1]["choices"] == []
        assert asked[-1]["usage"] == {"total_tokens": 3}
        assert {each["usage"] for each in asked[:-1]} == {None}
        assert not any("usage" in each for each in unasked)


class TestResponses:
    ITEMS = (
        {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"id": "ws_1", "type": "web_search_call", "status": "completed"},
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hi", "annotations": [{"type": "url_citation"}], "logprobs": []}
            ],
        },
        {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": "free"},
    )

    def entry(self, status: str = "completed") -> Entry:
        whole = {"id": "resp_1", "object": "response", "status": status, "output": self.ITEMS, "usage": {}}
        return kept(json.dumps(whole, indent=2).encode(), "application/json", chunked=False)

    def wanted(self, *, stream: bool) -> Wanted:
        found = wanted_of(call("openai", "/v1/responses", {"model": "m", "input": "", "stream": stream}))
        assert found is not None
        return found

    def test_tell_of_each_item_what_their_streams_do(self) -> None:
        stream = given_as(self.entry(), self.wanted(stream=True)).data
        said = events(stream)
        assert [each["sequence_number"] for each in said] == list(range(len(said)))
        kinds = [each["type"].removeprefix("response.") for each in said]
        assert kinds == [
            *("created", "in_progress", "output_item.added", "reasoning_summary_part.added"),
            *("reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done"),
            *("output_item.done", "output_item.added", "output_item.done", "output_item.added"),
            *("content_part.added", "output_text.delta", "output_text.annotation.added", "output_text.done"),
            *("content_part.done", "output_item.done", "output_item.added", "custom_tool_call_input.delta"),
            *("custom_tool_call_input.done", "output_item.done", "completed"),
        ]
        names = [event.type for block in sse.blocks(stream) if (event := sse.event_of(block)) is not None]
        assert names == [each["type"] for each in said], "each event has its name"
        assert [each["item"] for each in said if each["type"].endswith("output_item.done")] == list(self.ITEMS)

    def test_that_are_not_completed_have_no_other_form(self) -> None:
        with pytest.raises(Unconvertible, match="not completed"):
            given_as(self.entry("incomplete"), self.wanted(stream=True))
        with pytest.raises(Unconvertible, match="no completed response"):
            given_as(kept(b'data: {"type":"response.created"}\n\n', SSE), self.wanted(stream=False))


def test_anthropic_s_blocks_keep_what_is_not_known_of_them() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "AAA"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "é"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "x"}]},
        {"type": "text", "text": "Said.", "citations": [{"type": "char_location", "cited_text": "x"}]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "caller": {"type": "direct"}},
    ]
    usage = {"input_tokens": 3, "output_tokens": 12345678901, "server_tool_use": {"web_search_requests": 1}}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    whole = {**message, "stop_reason": "tool_use", "stop_sequence": None, "usage": usage, "container": {"id": "c"}}
    forms = [
        wanted_of(call("anthropic", "/v1/messages", {"model": "m", "messages": [], "stream": stream}))
        for stream in (True, False)
    ]
    entry = kept(json.dumps(whole).encode(), "application/json", chunked=False)
    assert forms[0] is not None
    assert forms[1] is not None
    back = given_as(given_as(entry, forms[0]), forms[1])
    assert json.loads(back.data) == whole


@pytest.mark.parametrize("audio", ["mp3", "opus", "flac", "pcm"])
@pytest.mark.parametrize("family", ["openai", "mistral"])
async def test_speech_in_events_and_as_audio_is_the_same(family: str, audio: str) -> None:
    asked = {each.name: each for each in speeches()}
    plain, stream = asked[f"{family} {audio}"], asked[f"{family} {audio} in events"]
    async with Lab(family) as lab:
        whole = await entry_of(lab, plain)
        streamed = given_as(await entry_of(lab, stream), wanted(plain))
    assert streamed.block == whole.block
    back = given_as(whole, wanted(stream))
    said = events(back.data)
    assert (said[0]["type"], said[-1]["type"]) == ("speech.audio.delta", "speech.audio.done")
    assert given_as(back, wanted(plain)).data == whole.data
    if family == "openai":
        assert streamed.data == whole.data, "the lab speaks the same twice"
        with openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport(back))) as client:
            with client.audio.speech.with_streaming_response.create(
                model="m", voice="alloy", input=TEXT, stream_format="sse"
            ) as answer:
                pieces = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
        assert b"".join(base64.b64decode(each.get("audio", "")) for each in pieces) == whole.data


@pytest.mark.parametrize("family", ["openai", "mistral"])
async def test_transcripts_in_events_and_as_a_document_are_the_same(family: str) -> None:
    asked = {each.name: each for each in transcriptions(await recording())}
    names = {"openai": ("openai json", "openai in events"), "mistral": ("mistral stream=false", "mistral stream=true")}
    plain, stream = (asked[name] for name in names[family])
    async with Lab(family) as lab:
        whole, streamed = await entry_of(lab, plain), await entry_of(lab, stream)
    one, other = json.loads(whole.data), json.loads(given_as(streamed, wanted(plain)).data)
    assert {**other, "logprobs": 0} == {**one, "logprobs": 0}
    assert json.loads(given_as(given_as(whole, wanted(stream)), wanted(plain)).data) == one
    if family == "openai":
        as_stream = given_as(whole, wanted(stream))
        client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport(as_stream)))
        told = list(client.audio.transcriptions.create(model="m", file=b"x", stream=True))
        assert [each.type for each in told] == ["transcript.text.delta", "transcript.text.done"]
        assert told[-1].text == TEXT  # type: ignore[union-attr]


async def test_what_cannot_be_said_in_a_form_is_not_made_up() -> None:
    asked = {each.name: each for each in transcriptions(await recording())}
    stream = wanted(asked["openai in events"])
    async with Lab("openai") as lab:
        for name, reason in (("verbose_json", "times are not told"), ("text", "no form of events"), ("vtt", "no form")):
            entry = await entry_of(lab, asked[f"openai {name}"])
            with pytest.raises(Unconvertible, match=reason):
                given_as(entry, stream)
    segment = b'data: {"type":"transcript.text.segment","speaker":"A"}\n\ndata: {"type":"transcript.text.done"}\n\n'
    spoken = {"choices": [{"index": 0, "message": {"content": None, "audio": {"id": "a"}}}], "usage": {}}
    for entry, form, reason in (
        (kept(segment, SSE), wanted(asked["openai json"]), "by speakers"),
        (kept(json.dumps(spoken).encode(), "application/json"), STREAMED, "spoken"),
        (stream_of(delta({"audio": {"id": "a"}})), WHOLE, "spoken"),
        (kept(b"{", "application/json"), STREAMED, "cannot be read"),
        (kept(b"data: {\n\n", SSE), WHOLE, "cannot be read"),
        (kept(b"data: [DONE]\n\n", SSE), WHOLE, "no answer in it"),
        (kept(b'data: {"choices":[[]]}\n\n', SSE), WHOLE, "cannot be read"),
    ):
        with pytest.raises(Unconvertible, match=reason):
            given_as(entry, form)


def test_coded_answers_are_unpacked_for_another_form() -> None:
    plain = given_as(stream_of(delta({"content": "a"}, finish_reason="stop")), WHOLE)
    packed = replace(plain, data=gzip.compress(plain.data), block=b"Content-Encoding: gzip\r\n" + plain.block)
    made = given_as(packed, STREAMED)
    assert events(made.data)[1]["choices"][0]["delta"] == {"content": "a"}
    assert b"Content-Encoding" not in made.block
    assert plainly(packed).data == plain.data
    assert plainly(packed).block == plain.block
    assert plainly(plain) is plain
    unknown = replace(packed, block=packed.block.replace(b"gzip", b"br"))
    with pytest.raises(Unconvertible, match="coded as br"):
        given_as(unknown, STREAMED)


@pytest.mark.parametrize(
    ("dialect", "target", "body", "form"),
    [
        ("openai", "/v1/audio/speech", {"model": "tts-1", "input": "x"}, "audio"),
        ("openai", "/v1/audio/speech", {"model": "gpt-4o-mini-tts", "input": "x", "stream_format": "sse"}, "events"),
        ("mistral", "/v1/audio/speech", {"model": "v", "input": "x"}, "whole"),
        ("gemini", "/v1/models/m:streamGenerateContent", {"contents": []}, "list"),
        ("gemini", "/v1/models/m:streamGenerateContent?key=k&alt=sse", {"contents": []}, "events"),
        ("openai", "/v1/chat/completions", b"no JSON", None),
        ("openai", "/v1/embeddings", {"input": "x"}, None),
        ("deepgram", "/v1/speak?model=a", {"text": "x"}, None),
    ],
)
def test_the_form_asked_for_is_told_by_the_request(dialect: str, target: str, body: Any, form: str | None) -> None:
    found = wanted_of(call(dialect, target, body))
    assert (found and found.form) == form


@settings(deadline=None, max_examples=60)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.text(min_size=1),
    st.integers(1, 3),
)
def test_whatever_else_is_in_a_chat_answer_stays_in_it(more: Any, text: str, count: int) -> None:
    logprobs = {"content": [{"token": text, "logprob": -0.25}], "refusal": []} if count > 1 else None
    choices = [
        {"index": index, "message": {"role": "assistant", "content": text, "x": more}, "logprobs": logprobs}
        | {"finish_reason": "stop"}
        for index in range(count)
    ]
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "choices": choices, "usage": {"total_tokens": 1}}
    entry = kept(json.dumps({**whole, "y": more}).encode(), "application/json", chunked=False)
    back = json.loads(given_as(given_as(entry, WITH_USAGE), WHOLE).data)
    made = json.loads(entry.data)
    assert back == made


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["application/json", SSE]))
def test_whatever_is_kept_there_is_an_answer_or_a_reason(data: bytes, content_type: str) -> None:
    for form in (WHOLE, STREAMED, WITH_USAGE):
        with contextlib.suppress(Unconvertible):
            given_as(kept(data, content_type), form)
    stamps_in(kept(data, content_type), "chat.completions")


# -- identifiers and times ---------------------------------------------------------------------------------------------

ENDPOINTS = {"responses": "responses", "anthropic": "messages", "gemini": "generateContent"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("family", CHATS)
async def test_each_giving_has_identifiers_and_times_of_its_own(family: str, stream: bool) -> None:
    asked = asked_for(family, "a tool call", stream=stream)
    async with Lab(asked.provider) as lab:
        entry = await entry_of(lab, asked)
    stamps = stamps_in(entry, ENDPOINTS.get(family, "chat.completions"))
    renewal = renewal_of(entry.data, stamps)
    assert renewal is not None
    one, other = (renewal.made(1890000000) for _ in range(2))
    assert len(one) == len(entry.data), "lengths and places stay what they are"
    assert one != other
    assert len(stamps.ids) >= 2, "the answer's and the call's"
    for old in stamps.ids:
        places = [found.start() for found in re.finditer(re.escape(b'"%b"' % old), entry.data)]
        new = {one[at + 1 : at + 1 + len(old)] for at in places}
        assert len(new) == 1, "it is the same everywhere"
        assert new != {old}
    assert Heard(family, replace(entry, data=one), stream=stream).said == Heard(family, entry, stream=stream).said
    for member in re.findall(rb'"created(?:_at)?":(\d+)', one):
        assert member == b"1890000000"


@pytest.mark.parametrize(
    ("old", "pattern"),
    [
        (b"chatcmpl-BXk3f9QZ7aB1c2D3e4F5g6H7i8J9k", rb"chatcmpl-[A-Za-z0-9]{29}"),
        (b"chatcmpl-5a6b7c8d-1234-4abc-9def-0123456789ab", rb"chatcmpl-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-.{17}"),
        (b"msg_01XFDUDYJgAACzvnptvVoYEL", rb"msg_01[A-Za-z0-9]{22}"),
        (b"toolu_01A09q90qw90lq917835lq9", rb"toolu_01[A-Za-z0-9]{21}"),
        (b"call_4f9a", rb"call_[0-9a-f]{4}"),
        (b"0f1e2d3c4b5a69788796a5b4c3d2e1f0", rb"[0-9a-f]{32}"),
        (b"D681PevKs", rb"[A-Za-z0-9]{9}"),
    ],
)
def test_a_new_identifier_is_like_the_old_one(old: bytes, pattern: bytes) -> None:
    make = maker_of(old)
    assert make is not None
    made = make()
    assert made not in (old, make())
    assert re.fullmatch(pattern, made)


def test_what_is_too_short_to_be_one_of_many_stays() -> None:
    assert maker_of(b"c") is None
    assert renewal_of(b'{"id":"c"}', Stamps((b"c",))) is None


def test_only_identifiers_are_renewed_not_what_is_said() -> None:
    said = 'the "id":"chatcmpl-AAAABBBBCCCC" of "created": 1790000000, call_zzzz'
    entry = stream_of(delta({"content": said}))
    stamps = stamps_in(entry, "chat.completions")
    assert stamps == Stamps((b"chatcmpl-AAAABBBBCCCC",), (b'"created": 1790000000',))
    renewal = renewal_of(entry.data, stamps)
    assert renewal is not None
    made = events(renewal.made(1890000000))
    assert made[0]["choices"][0]["delta"]["content"] == said
    assert made[0]["created"] == 1890000000
    assert made[0]["id"] == made[1]["id"] != "chatcmpl-AAAABBBBCCCC"


def test_what_a_provider_has_sealed_keeps_its_identifier() -> None:
    items = [
        {"type": "reasoning", "id": "rs_aaaabbbb", "encrypted_content": "x"},
        {"type": "message", "id": "msg_aaaa"},
    ]
    whole = {"id": "resp_aaaabbbb", "created_at": 1790000000.0, "output": items, "metadata": {"id": "mine_aaaa"}}
    entry = kept(json.dumps(whole).encode(), "application/json")
    assert stamps_in(entry, "responses") == Stamps((b"resp_aaaabbbb", b"msg_aaaa"), (b'"created_at": 1790000000',))
    assert stamps_in(entry, "audio.transcriptions") == Stamps(), "their clients rely on none"
