"""Which answers may be kept: none that is an error, a refusal, cut off, empty, or not what was asked for."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_cache import fitness
from sidecar_cache.fitness import Judged
from sidecar_cache.fitness.lengths import plausible_seconds
from sidecar_cache.slices import whole as done

from sidecar import Exchange, Response
from sidecar.lab import Lab
from sidecar.lab.audio import formats, wav
from sidecar.lab.audio.decode import decoded
from sidecar.lab.audio.encode import encoded
from sidecar.lab.audio.pcm import silence
from sidecar.lab.prompts import prompts
from sidecar.testing import answer, call
from tests import corpus
from tests.plugins.answering import TEXT, TOOL, Asked, Given, ask, chats, recording, speeches, transcriptions
from tests.plugins.test_tracing_confidential import exchange_of

CHAT = call("openai", "/v1/chat/completions", {"model": "gpt-4o"})
SPEECH = call("openai", "/v1/audio/speech", {"input": "hello", "response_format": "pcm"})
TRANSCRIPTION = call("openai", "/v1/audio/transcriptions", b"RIFF")
SSE = "text/event-stream; charset=utf-8"
SCHEMA = {
    "type": "object",
    "properties": {"voice": {"type": "boolean"}, "desk": {"type": "string", "enum": ["sales", "repairs"]}},
    "required": ["voice", "desk"],
}


def judged(exchange: Exchange, response: Response, data: bytes) -> Judged:
    return done(fitness.judged(exchange, response, data))


def objection(exchange: Exchange, response: Response, data: bytes) -> str | None:
    return judged(exchange, response, data).objection


def whole(finish_reason: str = "stop") -> bytes:
    return (
        b'{"id":"c","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"%b"}]}' % finish_reason.encode()
    )


def refused(
    exchange: Exchange, data: bytes, status: int = 200, content_type: str = "application/json", **headers: str
) -> str | None:
    return objection(exchange, answer(data, status, content_type=content_type, **headers), data)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def judge(asked: Asked, given: Given) -> str | None:
    return objection(asked.exchange(), given.response, given.data)


# -- of the lab's providers --------------------------------------------------------------------------------------------

#: What breaks off in these is not seen: they neither say how long they are nor how they end, and half of them is no
#: less likely than all. The first comes in one piece, in which nothing is cut but by half.
ENDLESS = {"webm", "openai text", "assemblyai {}", "gemini", "gemini list"}


class TestTheAnswersOfAllProviders:
    @pytest.mark.parametrize("asked", speeches(), ids=lambda each: each.name)
    async def test_speech_is_kept_and_half_of_it_is_not(self, asked: Asked) -> None:
        async with Lab(asked.provider) as lab:
            came, cut = await ask(lab, asked), await ask(lab, asked, "short")
        found = judged(asked.exchange(), came.response, came.data)
        assert found.objection is None
        if "webm" not in asked.name and "google PCM" not in asked.name:
            assert 5 < found.audio_seconds < 7
        assert len(cut.data) < len(came.data)
        if "webm" not in asked.name and asked.name not in ENDLESS:
            assert judge(asked, cut) is not None

    async def test_transcripts_are_kept_and_half_of_them_is_not(self) -> None:
        every = transcriptions(await recording())
        async with Lab() as lab:
            for asked in every:
                came, cut = await ask(lab, asked), await ask(lab, asked, "short")
                assert judge(asked, came) is None, asked.name
                assert (judge(asked, cut) is None) == (asked.name in ENDLESS), asked.name

    async def test_where_nothing_was_heard_nothing_is_kept(self) -> None:
        silent = silence(2.0, 16000).samples
        every = transcriptions(wav.header("pcm_s16le", 16000, len(silent)) + silent)
        async with Lab() as lab:
            for asked in every:
                said = judge(asked, await ask(lab, asked))
                assert said is not None, asked.name
                assert said == "nothing was heard" or "InitialSilenceTimeout" in said, asked.name

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize("way", [{}, {"tools": True}, {"schema": SCHEMA}], ids=["text", "tool", "schema"])
    async def test_models_answers_are_kept_and_half_of_them_is_not(self, way: dict[str, Any], stream: bool) -> None:
        async with Lab() as lab:
            for asked in chats(stream=stream, **way):
                came, cut = await ask(lab, asked), await ask(lab, asked, "short")
                assert judge(asked, came) is None, asked.name
                if len(cut.data) != len(came.data):
                    assert judge(asked, cut) is not None, asked.name

    @pytest.mark.parametrize("fault", ["429", "500", "quota", "overloaded", "rate", "401", "404"])
    async def test_refused_calls_are_never_kept(self, fault: str) -> None:
        async with Lab() as lab:
            for asked in [*chats(stream=False), *speeches()[::9]]:
                came = await ask(lab, asked, fault)
                assert judge(asked, came) == f"status {came.response.status}"
                as_if_well = Response(status=200, headers=came.response.headers)
                assert objection(asked.exchange(), as_if_well, came.data) is not None, asked.name

    async def test_streams_with_a_broken_event_in_them_are_not(self) -> None:
        async with Lab() as lab:
            streams = [each for each in chats(stream=True) if each.name != "gemini list"]
            for asked in [*streams, *(each for each in speeches() if "in events" in each.name)]:
                came = await ask(lab, asked, "malformed-sse")
                assert judge(asked, came) is not None, asked.name

    @pytest.mark.parametrize("family", ["openai", "groq", "mistral", "responses", "anthropic", "gemini"])
    async def test_a_stream_is_not_kept_wherever_it_is_cut(self, family: str) -> None:
        asked = next(each for each in chats(stream=True, tools=True) if each.name == family)
        async with Lab(asked.provider) as lab:
            came = await ask(lab, asked)
        exchange, ended = asked.exchange(), len(came.data.rstrip())
        step = max(ended // 800, 1)
        for end in {*range(1, ended - 100, step), *range(ended - 100, ended)}:
            assert objection(exchange, came.response, came.data[:end]) is not None, end
        assert objection(exchange, came.response, came.data[:ended]) is None

    @pytest.mark.parametrize("family", ["anthropic", "openai"])
    async def test_an_answer_of_another_kind_is_not_kept(self, family: str) -> None:
        asked = next(each for each in chats(stream=False) if each.name == family)
        page = b"<html><body>Sign in to this network</body></html>"
        assert objection(asked.exchange(), answer(page, content_type="text/html"), page) == "content type text/html"
        for kind in ("audio/mpeg", "text/plain", ""):
            assert "content type" in (objection(asked.exchange(), answer(page, content_type=kind), page) or "")
        for asked in speeches():
            for kind in ("audio/mpeg", "application/octet-stream", "audio/pcm", "audio/basic", "application/json"):
                for data in (page, b'{"error":{"message":"no credit"}}', b"upstream connect error or disconnect/reset"):
                    assert objection(asked.exchange(), answer(data, content_type=kind), data) is not None


@pytest.mark.parametrize("captured", corpus.answers(), ids=lambda each: f"{each.dialect}/{each.case}~{each.what}")
def test_no_captured_answer_that_tells_of_trouble_is_kept(captured: corpus.CapturedAnswer) -> None:
    exchange = exchange_of(corpus.case(captured.dialect, captured.case))
    assert exchange.call is not None
    said = objection(exchange, Response(status=captured.status, headers=captured.headers), captured.body)
    read = exchange.provider.dialect.read_answer(exchange.call, captured.headers, captured.body)  # type: ignore[union-attr]
    trouble = captured.status != 200 or read.error_type is not None
    if trouble:
        assert said is not None
    elif captured.what in ("whole", "verbose", "success", "tokens", "list"):
        # what they speak is a few bytes that stand for audio, and is found to be none
        assert (
            said is None or said == "finished by length" or "synthesize" in captured.case or "speech" in captured.case
        )


# -- of any ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "finish_reason", ["stop", "tool_calls", "function_call", "end_turn", "tool_use", "stop_sequence", "STOP"]
)
def test_an_answer_that_had_its_say_is_kept(finish_reason: str) -> None:
    assert refused(CHAT, whole(finish_reason)) is None


@pytest.mark.parametrize(
    "finish_reason",
    ["length", "content_filter", "max_tokens", "refusal", "SAFETY", "model_length", "error", "whatever"],
)
def test_an_answer_that_was_cut_off_or_filtered_is_not(finish_reason: str) -> None:
    assert refused(CHAT, whole(finish_reason)) == f"finished by {finish_reason}"


@pytest.mark.parametrize("status", [201, 202, 204, 206, 301, 304, 400, 401, 404, 429, 500, 503])
def test_only_a_plain_200_is_kept(status: int) -> None:
    assert refused(CHAT, whole(), status) == f"status {status}"


@pytest.mark.parametrize("value", ["no-store", "No-Store", "private, NO-STORE", "no-store, max-age=0"])
def test_what_the_provider_forbids_to_store_is_not_kept(value: str) -> None:
    assert refused(CHAT, whole(), cache_control=value) == "the provider forbids it"
    assert refused(CHAT, whole(), cache_control="no-cache, must-revalidate") is None


@pytest.mark.parametrize(
    ("exchange", "data", "content_type", "reason"),
    [
        (CHAT, b"", "application/json", "empty"),
        (CHAT, whole()[:-1], "application/json", "not valid JSON"),
        (CHAT, b"\xff" + whole(), "application/json", "not valid JSON"),
        (CHAT, b"[" * 200_000, "application/json", "not valid JSON"),
        (CHAT, b"[]", "application/json", "not a JSON object"),
        (CHAT, b"{}", "application/json", "there is no answer in it"),
        (CHAT, b'{"error":{"type":"server_error","message":"x"}}', "application/json", "an error inside a 200"),
        (CHAT, b"GIF89a", "image/gif", "content type image/gif"),
        (CHAT, b"what", "", "content type unknown"),
        (TRANSCRIPTION, b'{"text":"hello"}', "application/json", None),
        (TRANSCRIPTION, b'{"text":" "}', "application/json", "nothing was heard"),
        (TRANSCRIPTION, b'{"text":"hello","x":"\xff"}', "application/json", "the answer is not valid JSON"),
        (TRANSCRIPTION, b'{"text":"hello","x":"\xc3\xa9"}', "application/json", None),
        (TRANSCRIPTION, b'{"text":"hello","x":[1,]}', "application/json", "the answer is not valid JSON"),
        (TRANSCRIPTION, b'{"text":"hello","results":7}', "application/json", "the answer is in no form that is known"),
        (CHAT, whole()[:-1] + b',"x":"\xff"}', "application/json", "not valid JSON"),
        (CHAT, whole()[:-1] + b',"x":[1,]}', "application/json", "not valid JSON"),
        (TRANSCRIPTION, b'{"task":"x"}', "application/json", "there is no transcript in it"),
        (TRANSCRIPTION, b"hello", "text/plain; charset=utf-8", None),
        (exchange_of(corpus.case("openai", "audio.transcriptions")), b"hello", "text/plain", "text where JSON was"),
        (SPEECH, b"RIFF", "audio/wav", "it plays for"),
        (SPEECH, bytes(9600), "audio/pcm;rate=24000", None),
        (SPEECH, bytes(9600), "application/octet-stream", None),
        (SPEECH, bytes(96), "application/octet-stream", "it plays for 0.00 s where its text takes"),
        (SPEECH, bytes(9601), "audio/pcm", "broken pcm: its last sample is cut off"),
        (SPEECH, bytes(960000), "audio/pcm", "it plays for 20.00 s"),
        (SPEECH, b"upstream connect error or disconnect/reset", "audio/pcm", "broken audio: it is text"),
        (call("openai", "/v1/nothing-known", {}), whole(), "application/json", "unknown call"),
        (call("openai", "/v1/embeddings", {}), b'{"data":[]}', "application/json", None),
        (call("openai", "/v1/embeddings", {}), b'{"data":[]', "application/json", "not valid JSON"),
        (call("deepgram", "/v1/listen", b"x"), b'{"request_id":"x"}', "application/json", "there is no transcript in"),
        (
            call("assemblyai", "/v2/transcript", {}),
            b'{"id":"x","status":"queued"}',
            "application/json",
            "a job that is",
        ),
    ],
)
def test_content_decides(exchange: Exchange, data: bytes, content_type: str, reason: str | None) -> None:
    said = refused(exchange, data, content_type=content_type)
    assert said == reason or (reason is not None and (said or "").startswith(reason))


class TestEventStreams:
    EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"[DONE]"}}]}\n\n'
    END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

    def said(self, data: bytes, exchange: Exchange = CHAT) -> str | None:
        return refused(exchange, data, content_type=SSE)

    def test_with_their_proper_end_are_kept(self) -> None:
        assert self.said(self.EVENTS + self.END + b"data: [DONE]\n\n") is None
        assert self.said((self.EVENTS + self.END + b"data: [DONE]\n\n").replace(b"\n", b"\r\n")) is None
        assert self.said(self.EVENTS + self.END + b"data: [DONE]") is None

    def test_that_end_in_the_middle_are_not_whatever_was_said_in_them(self) -> None:
        for data in (self.EVENTS, self.EVENTS + self.END, b"data: [DONE]\n\n" + self.EVENTS, b": ping\n\n"):
            assert self.said(data) == "the event stream has no proper end"
        assert self.said(b"data: [DONE]\n\n") == "there is no answer in it"
        assert self.said(self.EVENTS + b"data: [DONE]\n\n") == "it did not finish"

    def test_with_an_error_in_them_are_not(self) -> None:
        data = self.EVENTS + b'data: {"error":{"type":"server_error","code":null}}\n\n' + b"data: [DONE]\n\n"
        assert self.said(data) == "an error inside a 200: server_error"
        much = self.EVENTS * 20
        error, end = data[len(self.EVENTS) : -len(b"data: [DONE]\n\n")], self.END + b"data: [DONE]\n\n"
        assert self.said(much + error + much + end) == "an error inside a 200"
        assert self.said(much + much + end) is None

    def test_with_an_event_that_is_no_json_are_not_wherever_it_is_wrong(self) -> None:
        end = self.END + b"data: [DONE]\n\n"
        for wrong in (b'{"x":"\xff"}', b'{"choices":[],"x":tru}', b'{"choices":[]', b"[]", b"7", b'{"choices":{}}'):
            said = self.said(self.EVENTS * 3 + b"data: %b\n\n" % wrong + self.EVENTS * 30 + end)
            assert (said or "").startswith("an event of the stream is"), wrong
        assert self.said(self.EVENTS + b'data: {"x":"\xc3\xa9"}\n\n' + end) is None

    def test_that_were_cut_short_are_not(self) -> None:
        data = self.EVENTS + self.END.replace(b"stop", b"length") + b"data: [DONE]\n\n"
        assert self.said(data) == "finished by length"

    @pytest.mark.parametrize(
        "captured",
        [each for each in corpus.answers() if (each.headers.get("content-type") or "").startswith("text/event-stream")],
        ids=lambda each: f"{each.dialect}/{each.case}~{each.what}",
    )
    def test_of_every_family_are_kept_whole_or_not_at_all(self, captured: corpus.CapturedAnswer) -> None:
        exchange = exchange_of(corpus.case(captured.dialect, captured.case))

        def said(data: bytes) -> str | None:
            return objection(exchange, Response(status=200, headers=captured.headers), data)

        # those that speak hold a few bytes that stand for audio
        speaks = captured.case in ("audio.speech.sse", "tts.sse")
        in_order = captured.what == "events" and captured.dialect != "gemini" and not speaks
        assert (said(captured.body) is None) == (
            in_order or (captured.case == "interactions" and captured.what == "events")
        )
        events = captured.body.rstrip().replace(b"\r\n", b"\n").split(b"\n\n")
        content = [event for event in events if event != b"data: [DONE]"]
        for number in range(len(content)):
            data = b"\n\n".join(content[:number]) + b"\n\n"
            assert said(data) is not None, number


class TestCodedAnswers:
    """The official SDKs ask for compressed answers, and get them."""

    PACKED: Mapping[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "x-gzip": gzip.compress,
        "deflate": zlib.compress,
    }

    @pytest.mark.parametrize("coding", [*PACKED, "GZIP"])
    def test_are_looked_into(self, coding: str) -> None:
        pack = self.PACKED[coding.lower()]
        assert refused(CHAT, pack(whole()), content_encoding=coding) is None
        assert refused(CHAT, pack(whole("length")), content_encoding=coding) == "finished by length"
        assert refused(CHAT, pack(whole()[:-1]), content_encoding=coding) == "not valid JSON"
        assert refused(SPEECH, pack(bytes(9600)), content_type="audio/pcm", content_encoding=coding) is None
        assert "it plays" in (refused(SPEECH, pack(bytes(96)), content_type="audio/pcm", content_encoding=coding) or "")

    @pytest.mark.parametrize(
        ("coding", "pack"),
        [
            pytest.param("br", lambda data: data, id="brotli"),
            pytest.param("zstd", lambda data: data, id="zstd"),
            pytest.param("gzip", lambda data: data, id="not what it says"),
            pytest.param("gzip", lambda data: gzip.compress(data)[:-9], id="cut off"),
            pytest.param("gzip, br", gzip.compress, id="coded twice"),
            pytest.param("gzip", lambda data: gzip.compress(b" " * (33 << 20) + data), id="too large"),
        ],
    )
    def test_that_cannot_be_looked_into_are_not_kept(self, coding: str, pack: Callable[[bytes], bytes]) -> None:
        assert "cannot be looked into" in (refused(CHAT, pack(whole()), content_encoding=coding) or "")


# -- what models say ---------------------------------------------------------------------------------------------------


def chat(**asked: Any) -> Exchange:
    return call("openai", "/v1/chat/completions", {"model": "m", "messages": [], **asked})


def completion(message: dict[str, Any], finish: str | None = "stop", **more: Any) -> bytes:
    return as_json({"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more})


def called(arguments: str, name: str = "book", **call_fields: Any) -> bytes:
    function = {"name": name, "arguments": arguments}
    one = {"id": "call_1", "type": "function", "function": function, **call_fields}
    return completion({"content": None, "tool_calls": [one]}, "tool_calls")


def responded(*items: dict[str, Any], status: str = "completed") -> bytes:
    return as_json({"object": "response", "status": status, "output": list(items)})


MESSAGES = call("anthropic", "/v1/messages", {"model": "m", "messages": []})
RESPONSES = call("openai", "/v1/responses", {"model": "m", "input": "x"})
GEMINI = call("gemini", "/v1/models/m:generateContent", {"contents": []})
BOOK = chat(tools=[{"type": "function", "function": TOOL}])
JSON_MODE = chat(response_format={"type": "json_object"})
STRICT = chat(response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}})
ONE_WORD = chat(
    response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": {"enum": ["yes", "no"]}}}
)
BUILT_IN = call(
    "anthropic",
    "/v1/messages",
    {"model": "m", "messages": [], "tools": [{"type": "bash_20250124", "name": "bash"}]},
)
WORDS = call(
    "gemini",
    "/v1/models/m:generateContent",
    {
        "contents": [],
        "generationConfig": {
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": ["yes", "no"]},
        },
    },
)


def candidate(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> bytes:
    return as_json({"candidates": [{"content": {"parts": list(parts)}, "finishReason": finish}], **more})


def message(*blocks: dict[str, Any], stop: str | None = "end_turn") -> bytes:
    return as_json({"type": "message", "content": list(blocks), "stop_reason": stop})


@pytest.mark.parametrize(
    ("exchange", "data", "reason"),
    [
        (CHAT, completion({"content": None, "refusal": "I cannot help with that."}), "a refusal"),
        (CHAT, completion({"content": "x", "refusal": None}, None), "it did not finish"),
        (CHAT, completion({"content": " \n"}), "it says nothing"),
        (CHAT, completion({"content": None, "audio": {"id": "a", "data": "AA=="}}), None),
        (CHAT, completion({"content": [{"type": "text", "text": "x"}]}), None),
        (CHAT, completion({"content": "x"}, error={"message": "late"}), "an error inside a 200"),
        (CHAT, as_json({"choices": []}), "there is no answer in it"),
        (RESPONSES, responded({"type": "message", "content": [{"type": "output_text", "text": "x"}]}), None),
        (RESPONSES, responded({"type": "message", "content": [{"type": "refusal", "refusal": "x"}]}), "a refusal"),
        (RESPONSES, responded({"type": "reasoning", "summary": []}), "it says nothing"),
        (RESPONSES, responded({"type": "function_call", "name": "f", "arguments": "{"}), "the arguments of a tool"),
        (RESPONSES, responded({"type": "custom_tool_call", "name": "f", "input": "{"}), None),
        (RESPONSES, responded(status="in_progress"), "it did not finish"),
        (RESPONSES, responded(status="incomplete"), "finished by incomplete"),
        (MESSAGES, message({"type": "text", "text": "x"}), None),
        (MESSAGES, message({"type": "text", "text": "x"}, stop="refusal"), "a refusal"),
        (MESSAGES, message({"type": "text", "text": "x"}, stop="pause_turn"), "finished by pause_turn"),
        (MESSAGES, message({"type": "text", "text": "x"}, stop="max_tokens"), "finished by max_tokens"),
        (MESSAGES, message({"type": "text", "text": "x"}, stop=None), "it did not finish"),
        (MESSAGES, message({"type": "thinking", "thinking": "x"}), "it says nothing"),
        (MESSAGES, message({"type": "tool_use", "name": "f", "input": []}, stop="tool_use"), "the arguments of a tool"),
        (BUILT_IN, message({"type": "tool_use", "name": "bash", "input": {}}, stop="tool_use"), None),
        (GEMINI, candidate({"text": "x"}), None),
        (GEMINI, candidate({"text": "x"}, finish="SAFETY"), "finished by SAFETY"),
        (GEMINI, candidate({"text": "x"}, finish="MAX_TOKENS"), "finished by MAX_TOKENS"),
        (GEMINI, candidate({"text": "x"}, finish=None), "it did not finish"),
        (GEMINI, candidate({"text": "x", "thought": True}), "it says nothing"),
        (GEMINI, as_json({"promptFeedback": {"blockReason": "SAFETY"}}), "an error inside a 200: SAFETY"),
        (GEMINI, as_json({"usageMetadata": {}}), "there is no answer in it"),
        (GEMINI, candidate({"functionCall": {"name": "f", "args": {}}}), None),
        (GEMINI, candidate({"inlineData": {"mimeType": "image/png", "data": "AA=="}}), None),
        (GEMINI, candidate({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAA"}}), "the audio in it"),
        (GEMINI, candidate({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}), "broken pcm"),
        (call("openai", "/v1/decisions", {}), as_json({"answers": []}), "there is no answer in it"),
        (call("openai", "/v1/decisions", {}), as_json({"answers": [{"probability": 0.5}]}), None),
    ],
)
def test_a_model_that_did_not_answer_is_not_kept(exchange: Exchange, data: bytes, reason: str | None) -> None:
    said = refused(exchange, data)
    assert said == reason or (reason is not None and (said or "").startswith(reason))


@pytest.mark.parametrize(
    ("exchange", "data", "reason"),
    [
        (BOOK, called('{"people": 2}'), None),
        (BOOK, called('{"people": 2'), "the arguments of a tool call are not valid JSON"),
        (BOOK, called("[2]"), "the arguments of a tool call are no JSON object"),
        (BOOK, called("{}"), "a tool call lacks a member"),
        (BOOK, called('{"people": "two"}'), "a member of a tool call"),
        (BOOK, called("{}", "cancel"), "it calls a tool that was not offered"),
        (chat(), called("", "anything"), None),
        (BOOK, called("free", type="custom"), "it calls a tool that was not offered"),
        (JSON_MODE, completion({"content": '{"a": 1}'}), None),
        (JSON_MODE, completion({"content": '```json\n{"a": 1}\n```'}), "what it says is not the JSON"),
        (JSON_MODE, completion({"content": '{"a": 1'}), "what it says is not the JSON"),
        (JSON_MODE, completion({"content": "12"}), "what it says is not the JSON"),
        (STRICT, completion({"content": '{"voice": true, "desk": "sales"}'}), None),
        (STRICT, completion({"content": '{"voice": true, "desk": "sales", "more": 1}'}), None),
        (STRICT, completion({"content": '{"voice": true}'}), "what it says lacks a member"),
        (STRICT, completion({"content": '{"voice": true, "desk": "kitchen"}'}), "a member of what it says"),
        (STRICT, completion({"content": '{"voice": "yes", "desk": "sales"}'}), "a member of what it says"),
        (STRICT, completion({"content": '["voice"]'}), "what it says is of another type"),
        (STRICT, completion({"content": "Sorry, try again later."}), "what it says is not the JSON"),
        (ONE_WORD, completion({"content": '"yes"'}), None),
        (ONE_WORD, completion({"content": '"perhaps"'}), "what it says is none of the values asked for"),
        (WORDS, candidate({"text": "yes"}), None),
        (WORDS, candidate({"text": "perhaps"}), "what it says is not the JSON"),
    ],
)
def test_what_was_asked_for_in_a_form_is_kept_only_in_that(exchange: Exchange, data: bytes, reason: str | None) -> None:
    said = refused(exchange, data)
    assert said == reason or (reason is not None and (said or "").startswith(reason))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.sampled_from(["application/json", SSE, "audio/mpeg", "text/plain", ""]))
def test_no_answer_is_too_odd(data: bytes, content_type: str) -> None:
    for exchange in (CHAT, SPEECH, TRANSCRIPTION, RESPONSES, MESSAGES, GEMINI, STRICT):
        refused(exchange, data, content_type=content_type)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "choices",
                        "message",
                        "content",
                        "tool_calls",
                        "function",
                        "arguments",
                        "finish_reason",
                        "delta",
                        "text",
                    ),
                    *(
                        "output",
                        "type",
                        "candidates",
                        "parts",
                        "functionCall",
                        "inlineData",
                        "results",
                        "channels",
                        "data",
                    ),
                    *(
                        "alternatives",
                        "transcript",
                        "NBest",
                        "result",
                        "audioChunk",
                        "stop_reason",
                        "status",
                        "answers",
                    ),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(JSON_VALUES)
def test_no_document_is_too_odd(value: Any) -> None:
    google = call("google_cloud", "/v1/text:synthesize", {"input": {"text": "x"}})
    yandex = call("yandex", "/tts/v3/utteranceSynthesis", {"text": "x"})
    for exchange in (CHAT, RESPONSES, MESSAGES, GEMINI, TRANSCRIPTION, google, yandex):
        refused(exchange, as_json(value))
        refused(exchange, b"data: %b\n\ndata: [DONE]\n\n" % as_json(value), content_type=SSE)


# -- how long texts are heard ------------------------------------------------------------------------------------------


def test_real_speech_is_as_long_as_is_plausible(skip_or_fail: Callable[[str], None]) -> None:
    found = prompts()
    if found is None:
        skip_or_fail("the recordings of Asterisk's prompts are not installed")
        return
    known = [(path, text) for path, text in found]
    long = 0
    for path, text in known:
        data = path.read_bytes()
        low, high = plausible_seconds(text)
        exchange = call("openai", "/v1/audio/speech", {"input": text, "response_format": "wav"})
        found_seconds = judged(exchange, answer(data, content_type="audio/wav"), data)
        assert found_seconds.objection is None, text
        assert low <= found_seconds.audio_seconds <= high
        if found_seconds.audio_seconds > 3:
            long += 1
            early = data[: 44 + int((len(data) - 44) * 0.05) // 2 * 2]
            cut = wav.header("pcm_s16le", 8000) + early[44:]
            assert "it plays for" in (objection(exchange, answer(cut, content_type="audio/wav"), cut) or "")
    assert long > 100


@pytest.mark.parametrize("audio", ["mp3", "opus", "flac", "wav", "aac"])
def test_real_speech_in_every_format_is_kept(audio: str, skip_or_fail: Callable[[str], None]) -> None:
    found = prompts()
    if found is None:
        skip_or_fail("the recordings of Asterisk's prompts are not installed")
        return
    kinds = {"mp3": formats.mp3(24000), "opus": formats.opus(), "flac": formats.flac(24000), "wav": formats.wav(24000)}
    kinds["aac"] = formats.aac(24000)
    for path, text in found[::60]:
        data = encoded(decoded(path.read_bytes()).slices(0.2), kinds[audio])
        exchange = call("openai", "/v1/audio/speech", {"input": text, "response_format": audio})
        assert refused(exchange, data, content_type="application/octet-stream") is None
        assert refused(exchange, data[: len(data) // 2 + 9], content_type="application/octet-stream") is not None or (
            audio == "wav"
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Hi", 0.3),
        ("Hi", 3.0),
        ("0800 123 4567", 7.0),
        ("$1,234,567.89", 9.0),
        ("NATO, FBI, BBC", 5.0),
        ("\u60a8\u597d\uff0c\u8bf7\u95ee\u6709\u4ec0\u4e48\u53ef\u4ee5\u5e2e\u60a8\uff1f", 2.5),
        ("안녕하세요 무엇을 도와드릴까요", 2.6),
        ("Здравствуйте, чем могу помочь?", 1.8),
        ("مرحبا كيف يمكنني مساعدتك", 2.0),
        ("…", 0.4),
        ("🙂", 0.8),
        ("One. Two. Three. Four.", 7.0),
        ('Wait. <break time="4s"/> There.', 6.0),
    ],
)
def test_all_kinds_of_texts_have_room(text: str, seconds: float) -> None:
    low, high = plausible_seconds(text)
    assert low <= seconds <= high


def test_what_shapes_the_voice_widens_what_is_plausible() -> None:
    low, high = plausible_seconds(TEXT)
    assert plausible_seconds(TEXT, speed=0.25) == (low, pytest.approx((high - 3) * 4 + 3))
    assert plausible_seconds(TEXT, speed=4.0) == (pytest.approx(low / 4), high)
    assert plausible_seconds(TEXT, instructions="slowly")[1] > high
    marked = plausible_seconds(f"<speak>{TEXT}<break time='1500ms'/></speak>", ssml=True)
    assert marked[0] < low
    assert marked[1] > high + 1.5
    assert plausible_seconds("<speak><audio src='a'/>Hi</speak>", ssml=True) == (0.0, float("inf"))


def test_audio_that_goes_on_for_ever_is_not_kept() -> None:
    exchange = call("elevenlabs", "/v1/text-to-speech/v?output_format=pcm_16000", {"text": TEXT})
    assert refused(exchange, bytes(32000 * 6), content_type="audio/pcm") is None
    assert "it plays for 60.00 s" in (refused(exchange, bytes(32000 * 60), content_type="audio/pcm") or "")
    spoken = base64.b64encode(bytes(32000 * 60)).decode()
    timed = call("elevenlabs", "/v1/text-to-speech/v/with-timestamps?output_format=pcm_16000", {"text": TEXT})
    assert "it plays for 60.00 s" in (refused(timed, as_json({"audio_base64": spoken})) or "")
