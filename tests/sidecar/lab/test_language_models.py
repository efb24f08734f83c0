"""The emulated Anthropic and Gemini."""

import base64
import json
from typing import Any

import pytest

ANTHROPIC = {"X-Api-Key": "k", "anthropic-version": "2023-06-01"}
GEMINI = {"x-goog-api-key": "k"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


async def post(http, url: str, body: dict[str, Any], headers: dict[str, str]) -> bytes:
    async with http.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


def messages(text: str, **fields: object) -> dict[str, Any]:
    return {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}


async def test_a_message_is_answered(lab, http):
    answer = json.loads(await post(http, lab.url("anthropic") + "/v1/messages", messages("hello"), ANTHROPIC))
    assert answer["content"] == [{"type": "text", "text": "Hello! How can I help you today?", "citations": None}]
    assert (answer["stop_reason"], answer["usage"]["cache_read_input_tokens"]) == ("end_turn", 0)


async def test_each_event_of_a_message_has_its_name(lab, http):
    data = await post(http, lab.url("anthropic") + "/v1/messages", messages("hello", stream=True), ANTHROPIC)
    events = [block.split("\n") for block in data.decode().strip().split("\n\n")]
    names = [lines[0].removeprefix("event: ") for lines in events]
    payloads = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert names == [payload["type"] for payload in payloads]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    text = "".join(payload["delta"]["text"] for payload in payloads if payload["type"] == "content_block_delta")
    assert text == "Hello! How can I help you today?"


async def test_a_tool_is_used(lab, http):
    tools = [{"name": "get_weather", "input_schema": SCHEMA}]
    url = lab.url("anthropic") + "/v1/messages"
    answer = json.loads(await post(http, url, messages("weather in Rome", tools=tools), ANTHROPIC))
    assert (answer["stop_reason"], answer["content"][0]["input"]) == ("tool_use", {"city": "Rome"})
    result = [{"type": "tool_result", "tool_use_id": answer["content"][0]["id"], "content": "sunny"}]
    again = messages("weather in Rome", tools=tools)
    again["messages"] += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": result}]
    assert "sunny" in json.loads(await post(http, url, again, ANTHROPIC))["content"][0]["text"]


@pytest.mark.parametrize("missing", ["max_tokens", "messages", "model"])
async def test_a_message_without_what_is_required_is_refused(lab, http, missing):
    body = messages("hello")
    del body[missing]
    async with http.post(lab.url("anthropic") + "/v1/messages", json=body, headers=ANTHROPIC) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
    assert error["type"] == "invalid_request_error"
    assert missing in error["message"]


def content(text: str, **fields: object) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}


async def test_content_is_generated(lab, http):
    url = lab.url("gemini") + "/v1beta/models/gemini-lab:generateContent"
    answer = json.loads(await post(http, url, content("hello"), GEMINI))
    candidate = answer["candidates"][0]
    assert candidate["content"]["parts"] == [{"text": "Hello! How can I help you today?"}]
    assert (candidate["finishReason"], answer["modelVersion"]) == ("STOP", "gemini-lab")
    assert answer["usageMetadata"]["totalTokenCount"] > answer["usageMetadata"]["promptTokenCount"]


@pytest.mark.parametrize("query", ["?alt=sse", ""])
async def test_content_is_streamed_as_events_or_as_one_array(lab, http, query):
    url = f"{lab.url('gemini')}/v1/models/gemini-lab:streamGenerateContent{query}"
    data = (await post(http, url, content("hello"), GEMINI)).decode()
    if query:
        chunks = [json.loads(line.removeprefix("data: ")) for line in data.strip().split("\r\n\r\n")]
    else:
        chunks = json.loads(data)
    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
    assert len(texts) > 3
    assert "".join(texts) == "Hello! How can I help you today?"
    assert "finishReason" in chunks[-1]["candidates"][0]
    assert "finishReason" not in chunks[0]["candidates"][0]


async def test_both_spellings_of_a_field_are_read(lab, http):
    url = lab.url("gemini") + "/v1/models/gemini-lab:generateContent"
    for name, choices in (("generationConfig", "responseSchema"), ("generation_config", "response_schema")):
        config = {choices: {"type": "STRING", "enum": ["billing", "other"]}, "responseMimeType": "text/x.enum"}
        answer = json.loads(await post(http, url, content("pay my bill", **{name: config}), GEMINI))
        assert answer["candidates"][0]["content"]["parts"][0]["text"] == "billing"


async def test_speech_is_generated_and_transcribed(lab, http):
    url = lab.url("gemini") + "/v1/models/gemini-lab:generateContent"
    config = {
        "responseModalities": ["AUDIO"],
        "speechConfig": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}},
    }
    answer = json.loads(await post(http, url, content("Good morning.", generationConfig=config), GEMINI))
    inline = answer["candidates"][0]["content"]["parts"][0]["inlineData"]
    assert inline["mimeType"] == "audio/L16;codec=pcm;rate=24000"
    body = content("Transcribe this.")
    url_safe = base64.urlsafe_b64encode(base64.b64decode(inline["data"])).decode()
    body["contents"][0]["parts"].append({"inlineData": {"mime_type": inline["mimeType"], "data": url_safe}})
    answer = json.loads(await post(http, url, body, GEMINI))
    assert answer["candidates"][0]["content"]["parts"] == [{"text": "Good morning."}]


async def test_a_function_is_called(lab, http):
    url = lab.url("gemini") + "/v1/models/gemini-lab:generateContent"
    tools = [{"functionDeclarations": [{"name": "get_weather", "parameters": SCHEMA}]}]
    answer = json.loads(await post(http, url, content("weather in Rome", tools=tools), GEMINI))
    assert answer["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"city": "Rome"}


async def test_geminis_decisions_are_named(lab, http):
    body = {
        "model": "models/gemini-lab",
        "input": "I want to pay",
        "questions": {
            "pays": {"type": "noul", "instructions": "wants to pay"},
            "what": {"type": "choice", "instructions": "?", "criteria": {"billing": "", "other": ""}},
            "mood": {"type": "score", "instructions": "?", "criteria": ["bad", "good"]},
        },
    }
    answers = json.loads(await post(http, lab.url("gemini") + "/v1beta/decisions", body, GEMINI))["answers"]
    assert answers["pays"]["noul"] > 0.8
    assert answers["what"]["choice"] == "billing"
    assert answers["mood"]["legend"] == {"0": "bad", "1": "good"}


async def test_a_live_session_hears_and_speaks_in_binary_frames(lab, http):
    url = lab.url("gemini") + "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=k"
    async with http.ws_connect(url) as socket:
        await socket.send_json({"setup": {"model": "m", "outputAudioTranscription": {}}})
        assert json.loads(await socket.receive_bytes(timeout=5)) == {"setupComplete": {}}
        turns = [{"role": "user", "parts": [{"text": "hello"}]}]
        await socket.send_json({"client_content": {"turns": turns, "turn_complete": True}})
        told = []
        while not told or "turnComplete" not in told[-1]["serverContent"]:
            told.append(json.loads(await socket.receive_bytes(timeout=5)))
    contents = [one["serverContent"] for one in told]
    assert contents[0]["outputTranscription"]["text"] == "Hello! How can I help you today?"
    parts = [one["modelTurn"]["parts"][0]["inlineData"] for one in contents if "modelTurn" in one]
    assert {part["mimeType"] for part in parts} == {"audio/pcm;rate=24000"}
