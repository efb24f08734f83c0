"""The emulated OpenAI, and those that speak like it."""

import base64
import io
import json

import aiohttp
import pytest

AUTH = {"Authorization": "Bearer k"}
QUESTION = [{"role": "user", "content": "hello"}]
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TEXT = "Hello over there. How are you?"


def events_of(text: str) -> list[dict[str, object]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def post(http, url, body, **headers):
    async with http.post(url, json=body, headers={**AUTH, **headers}) as answer:
        return answer.status, answer.content_type, await answer.read()


async def spoken(http, url: str, path: str = "/v1/audio/speech", **fields: object) -> bytes:
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, **fields}
    status, _, data = await post(http, url + path, body)
    assert status == 200
    return data


def form(data: bytes, filename: str = "a.wav", **fields: str) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, value in {"model": "whisper-1", **fields}.items():
        made.add_field(name, value)
    made.add_field("file", io.BytesIO(data), filename=filename)
    return made


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("generic", "/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
        ("assemblyai", "/v1/chat/completions"),
        ("yandex", "/v1/chat/completions"),
        ("azure-openai", "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"),
    ],
)
async def test_a_chat_is_answered_whole_and_streamed(lab, http, name, path):
    status, _, data = await post(http, lab.url(name) + path, {"model": "gpt", "messages": QUESTION})
    whole = json.loads(data)
    assert (status, whole["object"], whole["model"]) == (200, "chat.completion", "gpt")
    assert whole["choices"][0]["finish_reason"] == "stop"
    text = whole["choices"][0]["message"]["content"]
    assert text == "Hello! How can I help you today?"
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + whole["usage"]["completion_tokens"]

    body = {"model": "gpt", "messages": QUESTION, "stream": True}
    _, kind, data = await post(http, lab.url(name) + path, body)
    chunks = events_of(data.decode())
    assert kind == "text/event-stream"
    assert data.endswith(b"data: [DONE]\n\n")
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == text
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_usage_comes_last_in_a_stream_if_it_was_asked_for(lab, http):
    body = {"model": "gpt", "messages": QUESTION, "stream": True, "stream_options": {"include_usage": True}}
    chunks = events_of((await post(http, lab.url("openai") + "/v1/chat/completions", body))[2].decode())
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called(lab, http, stream):
    body = {
        "model": "gpt",
        "messages": [{"role": "user", "content": "weather in Paris"}],
        "tools": [{"type": "function", "function": WEATHER}],
        "stream": stream,
    }
    _, _, data = await post(http, lab.url("openai") + "/v1/chat/completions", body)
    if stream:
        deltas = [
            call for event in events_of(data.decode()) for call in event["choices"][0]["delta"].get("tool_calls", ())
        ]
        assert deltas[0]["function"] == {"name": "get_weather", "arguments": ""}
        arguments = "".join(delta["function"]["arguments"] for delta in deltas)
    else:
        choice = json.loads(data)["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        arguments = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "Paris"}


async def test_a_schema_is_followed(lab, http):
    schema = {"type": "object", "properties": {"label": {"enum": ["billing", "other"]}}, "required": ["label"]}
    body = {
        "model": "gpt",
        "messages": [{"role": "user", "content": "I want to pay my bill"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "route", "schema": schema}},
    }
    _, _, data = await post(http, lab.url("openai") + "/v1/chat/completions", body)
    assert json.loads(json.loads(data)["choices"][0]["message"]["content"]) == {"label": "billing"}


async def test_an_old_completion_is_answered(lab, http):
    _, _, data = await post(http, lab.url("openai") + "/v1/completions", {"model": "gpt", "prompt": "hello"})
    assert json.loads(data)["choices"][0]["text"] == "Hello! How can I help you today?"
    body = {"model": "gpt", "prompt": "hello", "stream": True}
    _, _, data = await post(http, lab.url("openai") + "/v1/completions", body)
    assert "".join(one["choices"][0]["text"] for one in events_of(data.decode())) == "Hello! How can I help you today?"


async def test_a_response_is_whole_streamed_and_remembered(lab, http):
    url = lab.url("openai") + "/v1/responses"
    _, _, data = await post(http, url, {"model": "gpt", "input": "hello", "instructions": "Be kind."})
    whole = json.loads(data)
    assert (whole["status"], whole["output"][0]["content"][0]["type"]) == ("completed", "output_text")
    async with http.get(f"{url}/{whole['id']}", headers=AUTH) as answer:
        assert await answer.json() == whole

    body = {"model": "gpt", "input": "book a table", "previous_response_id": whole["id"], "stream": True}
    _, _, data = await post(http, url, body)
    events = events_of(data.decode())
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert data.startswith(b"event: response.created\n")
    deltas = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert deltas == events[-1]["response"]["output"][0]["content"][0]["text"]
    assert events[-1]["response"]["usage"]["input_tokens"] > whole["usage"]["input_tokens"]


async def test_an_unknown_previous_response_is_refused(lab, http):
    body = {"model": "gpt", "input": "x", "previous_response_id": "resp_0"}
    status, _, data = await post(http, lab.url("openai") + "/v1/responses", body)
    assert (status, json.loads(data)["error"]["param"]) == (400, "previous_response_id")


async def test_a_response_over_a_socket_calls_a_tool(lab, http):
    async with http.ws_connect(lab.url("openai") + "/v1/responses", headers=AUTH) as socket:
        await socket.send_json(
            {
                "type": "response.create",
                "model": "gpt",
                "input": "weather in Rome",
                "tools": [{"type": "function", **WEATHER}],
                "stream_id": "s1",
            }
        )
        kinds = []
        while not kinds or kinds[-1] != "response.completed":
            event = await socket.receive_json(timeout=5)
            assert event["stream_id"] == "s1"
            kinds.append(event["type"])
        assert "response.function_call_arguments.done" in kinds
        await socket.send_json({"type": "nonsense"})
        assert (await socket.receive_json(timeout=5))["type"] == "error"


async def test_decisions_come_with_probabilities(lab, http):
    body = {
        "model": "gpt-6-luna",
        "input": [{"role": "user", "content": "I want to pay my bill"}],
        "questions": [
            {"type": "predicate", "name": "pay", "instructions": "The user wants to pay."},
            {"type": "choice", "instructions": "?", "choices": [{"value": "billing"}, {"value": True}]},
            {"type": "score", "instructions": "?", "levels": [{"label": "bad"}, {"label": "good"}]},
        ],
    }
    _, _, data = await post(http, lab.url("openai") + "/v1/decisions", body)
    predicate, choice, score = json.loads(data)["answers"]
    assert (predicate["name"], predicate["probability"] > 0.8) == ("pay", True)
    assert choice["choice"] == "billing"
    assert sum(one["probability"] for one in choice["probabilities"]) == pytest.approx(1)
    assert 0 <= score["score"] <= 1


@pytest.mark.parametrize(
    ("wanted", "kind", "magic"),
    [
        ("mp3", "audio/mpeg", b"\xff"),
        ("opus", "audio/opus", b"OggS"),
        ("flac", "audio/flac", b"fLaC"),
        ("wav", "audio/wav", b"RIFF\xff\xff\xff\xff"),
        ("pcm", "audio/pcm", b""),
    ],
)
async def test_speech_is_chunked_and_is_understood_again(lab, http, wanted, kind, magic):
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "response_format": wanted}
    async with http.post(lab.url("openai") + "/v1/audio/speech", json=body, headers=AUTH) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.content_type == kind
        data = await answer.read()
    assert data.startswith(magic)
    if wanted != "pcm":
        name = {"opus": "ogg"}.get(wanted, wanted)
        async with http.post(
            lab.url("openai") + "/v1/audio/transcriptions", data=form(data, f"a.{name}"), headers=AUTH
        ) as answer:
            assert (await answer.json())["text"] == TEXT


async def test_speech_comes_as_events_if_asked_for(lab, http):
    data = await spoken(http, lab.url("openai"), model="gpt-4o-mini-tts", stream_format="sse", response_format="pcm")
    events = events_of(data.decode())
    assert events[-1]["type"] == "speech.audio.done"
    audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert audio == await spoken(http, lab.url("openai"), model="gpt-4o-mini-tts", response_format="pcm")


@pytest.mark.parametrize("fields", [{"input": "x" * 4097}, {"speed": 9}, {"response_format": "tape"}, {"voice": None}])
async def test_speech_out_of_bounds_is_refused(lab, http, fields):
    body = {"model": "tts-1", "voice": "alloy", "input": TEXT, **fields}
    status, _, data = await post(http, lab.url("openai") + "/v1/audio/speech", body)
    assert (status, json.loads(data)["error"]["param"]) == (400, next(iter(fields)))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("text", TEXT + "\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,500\nHello over there.\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello over there.\n"),
        ("verbose_json", '{"task":"transcribe","language":"english","duration":2.76,"text":"Hello over'),
        ("diarized_json", '{"task":"transcribe","duration":2.76,"text":"Hello over'),
    ],
)
async def test_transcripts_come_in_every_format(lab, http, wanted, expected):
    data = form(await spoken(http, lab.url("openai"), response_format="wav"), response_format=wanted)
    async with http.post(lab.url("openai") + "/v1/audio/transcriptions", data=data, headers=AUTH) as answer:
        assert (await answer.text()).startswith(expected)


async def test_a_transcript_is_streamed(lab, http):
    audio = await spoken(http, lab.url("openai"), response_format="wav")
    data = form(audio, model="gpt-4o-transcribe", stream="true")
    async with http.post(lab.url("openai") + "/v1/audio/transcriptions", data=data, headers=AUTH) as answer:
        events = events_of(await answer.text())
    assert events[-1]["text"] == "".join(event["delta"] for event in events[:-1]) == TEXT
    assert events[-1]["usage"]["type"] == "tokens"


@pytest.mark.parametrize(
    ("filename", "size", "status"), [("voice.oga", 10, 400), ("a.txt", 10, 400), ("a.wav", (25 << 20) + 1, 413)]
)
async def test_files_are_judged_by_name_and_size(lab, http, filename, size, status):
    data = form(b"x" * size, filename)
    async with http.post(lab.url("openai") + "/v1/audio/translations", data=data, headers=AUTH) as answer:
        assert answer.status == status


async def test_groq_has_formats_of_its_own(lab, http):
    url = lab.url("groq")
    data = await spoken(http, url, "/openai/v1/audio/speech", response_format="ogg")
    assert data[:4] == b"OggS"
    async with http.post(f"{url}/openai/v1/audio/transcriptions", data=form(data, "a.ogg"), headers=AUTH) as answer:
        made = await answer.json()
    assert (made["text"], list(made["x_groq"])) == (TEXT, ["id"])
    async with http.post(
        f"{url}/openai/v1/audio/transcriptions", data=form(data, "a.ogg", response_format="srt"), headers=AUTH
    ) as answer:
        assert answer.status == 400


async def test_mistral_speaks_in_base64_and_hears_with_usage(lab, http):
    url = lab.url("mistral")
    status, _, data = await post(
        http, f"{url}/v1/audio/speech", {"input": TEXT, "voice_id": "v", "response_format": "wav"}
    )
    audio = base64.b64decode(json.loads(data)["audio_data"])
    assert (status, audio[:4]) == (200, b"RIFF")
    async with http.post(f"{url}/v1/audio/transcriptions", data=form(audio, model="voxtral"), headers=AUTH) as answer:
        made = await answer.json()
    assert made["text"] == TEXT
    assert {"model", "language", "usage", "segments"} < set(made)

    _, _, data = await post(http, f"{url}/v1/audio/speech", {"input": TEXT, "stream": True, "response_format": "pcm"})
    assert data.startswith(b"event: speech.audio.delta\n")
    assert events_of(data.decode())[-1]["type"] == "speech.audio.done"
    streamed = form(audio, model="voxtral", stream="true")
    async with http.post(f"{url}/v1/audio/transcriptions", data=streamed, headers=AUTH) as answer:
        kinds = [event["type"] for event in events_of(await answer.text())]
    assert (kinds[0], kinds[-1]) == ("transcription.language", "transcription.done")


class Realtime:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def until(self, kind: str) -> list[dict[str, object]]:
        events = []
        while not events or events[-1]["type"] != kind:
            events.append(await self.socket.receive_json(timeout=5))
        return events


async def test_realtime_hears_a_question_and_says_the_answer(lab, http):
    pcm = await spoken(http, lab.url("openai"), input="What are your opening hours?", response_format="pcm")
    async with http.ws_connect(lab.url("openai") + "/v1/realtime?model=gpt-realtime", headers=AUTH) as socket:
        talk = Realtime(socket)
        await socket.send_json(
            {"type": "session.update", "session": {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
        )
        sound = pcm + bytes(2 * 24000)
        for start in range(0, len(sound), 24000):
            audio = base64.b64encode(sound[start : start + 24000]).decode()
            await socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
        events = await talk.until("rate_limits.updated")
    kinds = [event["type"] for event in events]
    heard = next(event for event in events if event["type"].endswith("transcription.completed"))
    assert heard["transcript"] == "What are your opening hours?"
    said = next(event for event in events if event["type"] == "response.output_audio_transcript.done")
    assert "nine in the morning" in said["transcript"]
    audio = b"".join(
        base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"
    )
    assert len(audio) > 24000
    order = ["session.created", "input_audio_buffer.speech_started", "response.created", "response.done"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)


async def test_realtime_answers_text_and_calls_tools(lab, http):
    async with http.ws_connect(lab.url("openai") + "/v1/realtime", headers=AUTH) as socket:
        talk = Realtime(socket)
        tools = [{"type": "function", **WEATHER}]
        await socket.send_json({"type": "session.update", "session": {"output_modalities": ["text"], "tools": tools}})
        for text, kind in (
            ("hello", "response.output_text.done"),
            ("weather in Oslo", "response.function_call_arguments.done"),
        ):
            content = [{"type": "input_text", "text": text}]
            await socket.send_json(
                {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
            )
            await socket.send_json({"type": "response.create"})
            event = (await talk.until(kind))[-1]
            assert "help you" in event.get("text", "") or json.loads(event["arguments"]) == {"city": "Oslo"}
            await talk.until("response.done")
        await socket.send_json({"type": "input_audio_buffer.commit"})
        assert "buffer too small" in (await talk.until("error"))[-1]["error"]["message"]
