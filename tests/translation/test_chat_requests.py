"""What agents ask of one language model, asked of another: tables of requests and what becomes of them."""

import base64
import contextlib
import json
from typing import Any

import pytest

from sidecar.translation import Inexpressible, translate
from tests.translation.chatting import QUESTION, SCHEMA, asks, said, sent, target, translated

PNG = "iVBORw0KGgo="
PDF = "JVBERi0="
USER = {"role": "user", "content": "hello"}
FUNCTION = {"name": "weather", "description": "The weather", "parameters": SCHEMA}
CHAT_TOOL = {"type": "function", "function": FUNCTION}
CHAT_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
#: One conversation with a call and its result, as each wire writes it.
CONVERSATION: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "chat": (
        ("openai", "chat"),
        {
            "model": "asked",
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": "Let me see.", "tool_calls": [CHAT_CALL], "refusal": None},
                {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
                {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
            ],
            "tools": [CHAT_TOOL],
        },
    ),
    "responses": (
        ("openai", "responses"),
        {
            "model": "asked",
            "instructions": "Be short.",
            "input": [
                {"role": "user", "content": QUESTION},
                {
                    "type": "message",
                    "id": "msg_1",
                    "status": "completed",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}],
                },
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "call_1",
                    "name": "weather",
                    "arguments": '{"city":"Oslo"}',
                    "status": "completed",
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
                {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
            ],
            "tools": [{"type": "function", "strict": False, **FUNCTION}],
        },
    ),
    "messages": (
        ("anthropic", "messages"),
        {
            "model": "asked",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": QUESTION},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "Let me see."},
                        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Oslo"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
                        {"type": "text", "text": "And now?"},
                    ],
                },
            ],
            "tools": [{"name": "weather", "description": "The weather", "input_schema": SCHEMA}],
        },
    ),
    "content": (
        ("gemini", "content"),
        {
            "systemInstruction": {"parts": [{"text": "Be short."}]},
            "contents": [
                {"role": "user", "parts": [{"text": QUESTION}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "Let me see."},
                        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2Vh"},
                    ],
                },
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "weather", "response": {"output": "rain"}}}],
                },
                {"role": "user", "parts": [{"text": "And now?"}]},
            ],
            "tools": [{"functionDeclarations": [{**FUNCTION, "parameters": SCHEMA}]}],
        },
    ),
}


def conversation(wire: str) -> Any:
    (dialect, where), body = CONVERSATION[wire]
    return asks(dialect, where, **body)


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if "text" in part)


# -- each wire as the target's ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["chat", "responses", "content"])
def test_a_conversation_for_anthropic(wire: str) -> None:
    made = translated(conversation(wire), "anthropic")
    body = sent(made)
    assert (made.request.method, made.request.target) == ("POST", "/v1/messages")
    assert made.call.endpoint == "messages"
    assert made.request.headers.get("anthropic-version") == "2023-06-01"
    assert made.request.headers.get("accept-encoding") == "identity"
    assert made.request.headers.stated_length == len(made.request.body.data or b"")
    assert body["model"] == "claude-sonnet-5"
    assert body["max_tokens"] == 8192
    assert body["system"] == "Be short."
    asked, called, gave = body["messages"]
    assert asked == {"role": "user", "content": QUESTION}
    assert [block["type"] for block in called["content"]] == ["text", "tool_use"]
    assert called["content"][1]["input"] == {"city": "Oslo"}
    assert gave["content"][0] == {
        "type": "tool_result",
        "tool_use_id": called["content"][1]["id"],
        "content": "rain",
    }
    assert gave["content"][1] == {"type": "text", "text": "And now?"}
    assert body["tools"] == [{"name": "weather", "description": "The weather", "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "auto"}


@pytest.mark.parametrize("wire", ["responses", "messages", "content"])
def test_a_conversation_for_openai(wire: str) -> None:
    made = translated(conversation(wire), "groq" if wire == "responses" else "openai")
    messages = sent(made)["messages"]
    assert made.call.endpoint == "chat.completions"
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "user"]
    assert messages[0]["content"] == "Be short."
    assert messages[2]["content"] == "Let me see."
    call = messages[2]["tool_calls"][0]
    assert (call["type"], call["function"]["name"]) == ("function", "weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert messages[3] == {"role": "tool", "tool_call_id": call["id"], "content": "rain"}
    assert text_of(messages[4]["content"]) == "And now?"
    assert sent(made)["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
def test_a_conversation_for_gemini(wire: str) -> None:
    made = translated(conversation(wire), "gemini")
    body = sent(made)
    assert made.request.target == "/v1beta/models/gemini-3-flash:generateContent"
    assert body["systemInstruction"] == {"parts": [{"text": "Be short."}]}
    asked, called, gave = body["contents"]
    assert (asked["role"], called["role"], gave["role"]) == ("user", "model", "user")
    call = called["parts"][1]
    assert call["functionCall"] == {"name": "weather", "args": {"city": "Oslo"}}
    assert call["thoughtSignature"] == "skip_thought_signature_validator"
    assert gave["parts"][0] == {"functionResponse": {"name": "weather", "response": {"output": "rain"}}}
    assert gave["parts"][1] == {"text": "And now?"}
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "weather", "description": "The weather", "parametersJsonSchema": SCHEMA},
            ]
        }
    ]


@pytest.mark.parametrize("wire", list(CONVERSATION))
def test_a_conversation_for_mistral(wire: str) -> None:
    """Nobody may speak after a tool but the assistant, and calls are called by nine letters and digits."""
    messages = said(conversation(wire), "mistral")["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant", "user"]
    identifier = messages[2]["tool_calls"][0]["id"]
    assert len(identifier) == 9
    assert identifier.isalnum()
    assert messages[3]["tool_call_id"] == identifier
    assert said(conversation(wire), "mistral")["messages"] == messages, "another call would miss the prompt cache"


def test_what_chat_completions_cannot_say_is_said_in_responses() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    exchange = asks(
        "anthropic",
        model="asked",
        max_tokens=100,
        messages=[
            {"role": "user", "content": "look"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a b", "name": "see", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a b", "content": [image]}]},
        ],
        tools=[{"name": "see", "input_schema": {"type": "object"}}],
    )
    made = translated(exchange, "openai")
    body = sent(made)
    assert made.request.target == "/v1/responses"
    assert body["store"] is False
    call, gave = body["input"][1:]
    assert gave["output"] == [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
    ]
    assert call["call_id"] == gave["call_id"] != "a b"
    assert translated(exchange, "azure_openai").request.target == "/openai/v1/responses"
    with pytest.raises(Inexpressible, match="image: "):
        translated(exchange, "groq")


def test_anthropics_agents_find_all_they_have_said_in_responses() -> None:
    """The wire that others fall back on, held against a whole conversation."""
    from sidecar.dialects import load
    from sidecar.translation.chat import asked
    from sidecar.translation.chat.losses import Losses
    from sidecar.translation.chat.responses import RESPONSES

    body = json.loads(RESPONSES.write_request(asked(conversation("messages")), load("openai"), Losses()).body)
    assert body["instructions"] == "Be short."
    assert [item.get("type", item.get("role")) for item in body["input"]] == [
        "user",
        "assistant",
        "function_call",
        "function_call_output",
        "user",
    ]
    assert body["tools"] == [{"type": "function", **FUNCTION, "strict": False}]
    assert body["max_output_tokens"] == 100


# -- parts ------------------------------------------------------------------------------------------------------------

CHAT_PARTS: dict[str, dict[str, Any]] = {
    "image": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "high"}},
    "image at a URL": {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    "recording": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "file": {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    "text file": {"type": "file", "file": {"filename": "a.txt", "file_data": base64.b64encode(b"hi").decode()}},
    "kept file": {"type": "file", "file": {"file_id": "file-1"}},
}
SEEN: dict[tuple[str, str], Any] = {
    ("image", "anthropic"): {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
    },
    ("image", "gemini"): {"inlineData": {"mimeType": "image/png", "data": PNG}},
    ("image", "mistral"): {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ("image at a URL", "anthropic"): {
        "type": "image",
        "source": {"type": "url", "url": "https://example.org/a.png"},
    },
    ("image at a URL", "gemini"): "image",
    ("recording", "anthropic"): "audio",
    ("recording", "gemini"): {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
    ("recording", "mistral"): {"type": "input_audio", "input_audio": "UklGRg=="},
    ("recording", "groq"): "audio",
    ("file", "anthropic"): {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        "title": "a.pdf",
    },
    ("file", "gemini"): {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
    ("file", "mistral"): "file",
    ("file", "groq"): "file",
    ("text file", "anthropic"): {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "hi"},
        "title": "a.txt",
    },
    ("kept file", "anthropic"): "file",
    ("kept file", "gemini"): "file",
}


@pytest.mark.parametrize(("part", "to"), list(SEEN))
def test_what_is_shown_is_shown_as_it_is_there_or_not_at_all(part: str, to: str) -> None:
    """A word stands for the feature that there is no saying."""
    content = [{"type": "text", "text": "What is this?"}, CHAT_PARTS[part]]
    exchange = asks("openai", model="asked", messages=[{"role": "user", "content": content}])
    expected = SEEN[part, to]
    if isinstance(expected, str):
        with pytest.raises(Inexpressible) as raised:
            translated(exchange, to)
        assert raised.value.feature == expected
        left = translated(exchange, to, expected)
        assert left.lost == (expected,)
        return
    body = said(exchange, to)
    shown = body["contents"][0]["parts"] if to == "gemini" else body["messages"][0]["content"]
    assert shown[1] == expected


def test_recordings_of_gemini_are_heard_by_openai_if_they_are_wav_or_mp3() -> None:
    def heard(media_type: str) -> Any:
        blob = {"mime_type": media_type, "data": "UklG_-Y"}
        part = {"inlineData": blob}
        return said(asks("gemini", "content", contents=[{"role": "user", "parts": [part]}]), "openai")

    assert heard("audio/wav")["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "UklG/+Y=", "format": "wav"}}
    ]
    with pytest.raises(Inexpressible, match="audio: "):
        heard("audio/flac")


# -- the order of turns -----------------------------------------------------------------------------------------------


def test_an_assistant_may_speak_first_and_twice() -> None:
    messages = [
        {"role": "assistant", "content": "Hello!"},
        {"role": "assistant", "content": "How are you?"},
        USER,
        {"role": "user", "content": " "},
        {"role": "user", "content": "there"},
    ]
    turns = said(asks("openai", model="asked", messages=messages), "anthropic")["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[0]["content"] == "(empty)"
    assert [block["text"] for block in turns[1]["content"]] == ["Hello!", "How are you?"]
    assert [block["text"] for block in turns[2]["content"]] == ["hello", "there"]


def test_an_assistant_that_spoke_last_is_not_made_to_go_on() -> None:
    messages = [USER, {"role": "assistant", "content": "Hello!"}]
    for to in ("anthropic", "gemini", "mistral"):
        body = said(asks("openai", model="asked", messages=messages), to)
        assert (body.get("messages") or body["contents"])[-1]["role"] == "user"


def test_results_come_directly_after_their_calls() -> None:
    """Responses let a user speak in between."""
    items = [
        {"type": "function_call", "call_id": "a", "name": "one", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "two", "arguments": ""},
        {"role": "user", "content": "hurry"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "1"}]},
    ]
    turns = said(asks("openai", "responses", model="asked", input=items), "anthropic")["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block.get("tool_use_id", block.get("text")) for block in turns[2]["content"]] == ["a", "b", "hurry"]


@pytest.mark.parametrize(
    "messages",
    [
        [USER, {"role": "assistant", "tool_calls": [CHAT_CALL]}, USER],
        [USER, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}],
    ],
)
def test_calls_without_results_and_results_without_calls_are_nobodys(messages: list[Any]) -> None:
    for to in ("anthropic", "gemini", "mistral"):
        with pytest.raises(Inexpressible, match="tools: "):
            translated(asks("openai", model="asked", messages=messages), to)


def test_instructions_in_the_middle_are_moved_by_leave_only() -> None:
    messages = [USER, {"role": "assistant", "content": "Hi."}, {"role": "developer", "content": "Hurry."}, USER]
    exchange = asks("openai", model="asked", messages=[{"role": "system", "content": "Be short."}, *messages])
    for to in ("anthropic", "gemini", "mistral"):
        with pytest.raises(Inexpressible, match="system_turns: "):
            translated(exchange, to)
    assert said(exchange, "anthropic", "system_turns")["system"] == "Be short.\nHurry."
    assert said(exchange, "groq")["messages"][3] == {"role": "system", "content": "Hurry."}


def test_gemini_knows_calls_by_their_names_and_order() -> None:
    contents = [
        {"parts": [{"text": "both"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "at", "args": {"city": "Oslo"}}},
                {"functionCall": {"name": "at", "args": {"city": "Rome"}}},
            ],
        },
        {
            "role": "function",
            "parts": [
                {"functionResponse": {"name": "at", "response": {"output": "1"}}},
                {"functionResponse": {"name": "at", "response": {"error": "closed"}}},
            ],
        },
    ]
    body = said(asks("gemini", "content", contents=contents), "anthropic")
    calls, gave = body["messages"][1]["content"], body["messages"][2]["content"]
    assert [call["id"] for call in calls] == [result["tool_use_id"] for result in gave]
    assert [(result["content"], result.get("is_error")) for result in gave] == [("1", None), ("closed", True)]


# -- tools, schemas, limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "anthropic", "gemini"),
    [
        ("none", {"type": "none"}, "NONE"),
        ("auto", {"type": "auto"}, "AUTO"),
        ("required", {"type": "any"}, "ANY"),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}, "ANY"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CHAT_TOOL]}},
            {"type": "auto"},
            "AUTO",
        ),
    ],
)
def test_tool_choice(choice: Any, anthropic: Any, gemini: str) -> None:
    other = {"type": "function", "function": {"name": "time"}}
    exchange = asks("openai", model="asked", messages=[USER], tools=[CHAT_TOOL, other], tool_choice=choice)
    body = said(exchange, "anthropic")
    assert body["tool_choice"] == anthropic
    assert len(body["tools"]) == (1 if isinstance(choice, dict) else 2)
    assert said(exchange, "gemini")["toolConfig"] == {"functionCallingConfig": {"mode": gemini}}


def test_one_tool_at_a_time() -> None:
    exchange = asks("openai", model="asked", messages=[USER], tools=[CHAT_TOOL], parallel_tool_calls=False)
    assert said(exchange, "anthropic")["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    with pytest.raises(Inexpressible, match="parallel_tool_calls: "):
        translated(exchange, "gemini")
    back = asks(
        "anthropic",
        model="asked",
        max_tokens=9,
        messages=[USER],
        tools=[{"name": "weather", "input_schema": SCHEMA}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    body = said(back, "openai")
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)


@pytest.mark.parametrize("name", ["has space", "ümlaut", "x" * 65, "", "a.b"])
def test_names_of_tools_that_are_none_there(name: str) -> None:
    tool = {"functionDeclarations": [{"name": name, "description": "d"}]}
    for to in ("openai", "anthropic", "mistral"):
        with pytest.raises(Inexpressible, match="tools: "):
            translated(asks("gemini", "content", contents=[{"parts": [{"text": "x"}]}], tools=[tool]), to)


def schema_exchange(schema: Any, *, strict: bool = True) -> Any:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": strict}}
    return asks("openai", model="asked", messages=[USER], response_format=form)


def test_schemas_are_bound_as_far_as_they_are_understood() -> None:
    body = said(schema_exchange(SCHEMA), "anthropic")
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    config = said(schema_exchange(SCHEMA), "gemini")["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    with pytest.raises(Inexpressible, match="json_schema: pattern"):
        translated(schema_exchange({"type": "object", "properties": {"a": {"pattern": "secret"}}}), "anthropic")
    left = said(schema_exchange({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}),
                "anthropic", "json_schema")  # fmt: skip
    assert left["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": False,
    }


def test_geminis_own_schemas_become_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "city": {"type": "STRING", "nullable": True, "enum": ["Oslo"]},
            "at": {"type": "ARRAY", "items": {"type": "INTEGER"}},
        },
        "required": ["city", "at"],
        "propertyOrdering": ["city", "at"],
    }
    config = {"response_mime_type": "application/json", "response_schema": schema}
    body = said(asks("gemini", "content", contents=[{"parts": [{"text": "x"}]}], generation_config=config), "openai")
    assert body["response_format"]["json_schema"] == {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "city": {"type": ["string", "null"], "enum": ["Oslo", None]},
                "at": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["city", "at"],
            "additionalProperties": False,
        },
    }
    del schema["required"]
    exchange = asks("gemini", "content", contents=[{"parts": [{"text": "x"}]}], generation_config=config)
    with pytest.raises(Inexpressible, match="json_schema: "):
        translated(exchange, "openai")
    assert said(exchange, "openai", "json_schema")["response_format"]["json_schema"]["strict"] is False


def test_json_without_a_schema() -> None:
    exchange = asks("openai", model="asked", messages=[USER], response_format={"type": "json_object"})
    assert said(exchange, "gemini")["generationConfig"] == {"responseMimeType": "application/json"}
    with pytest.raises(Inexpressible, match="json_object: "):
        translated(exchange, "anthropic")


@pytest.mark.parametrize(
    ("effort", "anthropic", "gemini", "older_gemini", "groq"),
    [
        ("none", {"thinking": {"type": "disabled"}}, "MINIMAL", 0, "none"),
        ("minimal", {"output_config": {"effort": "low"}}, "MINIMAL", 1024, "low"),
        ("medium", {"output_config": {"effort": "medium"}}, "MEDIUM", 8192, "medium"),
        ("max", {"output_config": {"effort": "max"}}, "HIGH", 24576, "high"),
    ],
)
def test_how_much_to_think(effort: str, anthropic: Any, gemini: str, older_gemini: int, groq: str) -> None:
    exchange = asks("openai", model="asked", messages=[USER], reasoning_effort=effort)
    body = said(exchange, "anthropic")
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == anthropic
    assert said(exchange, "gemini")["generationConfig"]["thinkingConfig"] == {"thinkingLevel": gemini}
    older = sent(translate(exchange, target("gemini", model="gemini-2.5-flash")))
    assert older["generationConfig"]["thinkingConfig"] == {"thinkingBudget": older_gemini}
    assert said(exchange, "groq")["reasoning_effort"] == groq


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        ({"type": "disabled"}, "none"),
        ({"type": "enabled", "budget_tokens": 1024}, "low"),
        ({"type": "enabled", "budget_tokens": 8000}, "medium"),
        ({"type": "enabled", "budget_tokens": 32000}, "high"),
        ({"type": "adaptive", "display": "summarized"}, None),
    ],
)
def test_how_much_anthropics_agents_want_to_be_thought(thinking: Any, effort: str | None) -> None:
    exchange = asks("anthropic", model="asked", max_tokens=9, messages=[USER], thinking=thinking)
    assert said(exchange, "openai").get("reasoning_effort") == effort


def test_the_rest_of_what_can_be_set() -> None:
    exchange = asks(
        "openai",
        model="asked",
        messages=[USER],
        temperature=0,
        top_p=0.5,
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        stop=["END", "\n"],
        max_tokens=10,
        max_completion_tokens=20,
    )
    assert said(exchange, "gemini")["generationConfig"] == {
        "temperature": 0.0,
        "topP": 0.5,
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "maxOutputTokens": 20,
        "stopSequences": ["END", "\n"],
    }
    lost = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "stop")
    made = translated(exchange, "anthropic", *lost)
    assert set(made.lost) == set(lost)
    assert (sent(made)["max_tokens"], sent(made)["stop_sequences"]) == (20, ["END"])


@pytest.mark.parametrize(("to", "most"), [("openai", 4), ("groq", 4), ("gemini", 5)])
def test_how_many_texts_to_stop_at(to: str, most: int) -> None:
    own = "gemini" if to != "gemini" else "anthropic"
    stops = [f"end {number}" for number in range(most + 1)]
    many, few = (
        asks("anthropic", model="asked", max_tokens=9, messages=[USER], stop_sequences=each)
        if own == "anthropic"
        else asks("gemini", contents=[{"parts": [{"text": "x"}]}], generationConfig={"stopSequences": each})
        for each in (stops, stops[:most])
    )
    with pytest.raises(Inexpressible, match="stop: "):
        translated(many, to)
    for body in (said(few, to), said(many, to, "stop")):
        assert (body.get("stop") or body["generationConfig"]["stopSequences"]) == stops[:most]


def test_what_goes_without_saying_is_not_said() -> None:
    exchange = asks(
        "openai",
        model="asked",
        messages=[USER],
        temperature=1,
        top_p=1.0,
        n=1,
        logprobs=False,
        frequency_penalty=0,
        logit_bias={},
        modalities=["text"],
        verbosity="medium",
        seed=None,
        audio=None,
    )
    made = translated(exchange, "anthropic")
    assert made.lost == ()
    assert set(sent(made)) == {"model", "max_tokens", "messages"}


# -- what no other provider can answer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "feature"),
    [
        ("previous_response_id", "resp_1", "previous_response_id"),
        ("conversation", {"id": "conv_1"}, "conversation"),
        ("background", True, "background"),
        ("prompt", {"id": "pmpt_1"}, "prompt"),
        ("tools", [{"type": "web_search"}], "tools"),
        ("input", [{"type": "item_reference", "id": "msg_1"}], "item_reference"),
        ("input", [{"type": "web_search_call", "id": "ws_1"}], "web_search_call"),
        ("truncation", "auto", "truncation"),
        ("include", ["message.output_text.logprobs"], "include"),
    ],
)
def test_responses_that_go_on_from_what_is_kept(field: str, value: Any, feature: str) -> None:
    body = {"model": "asked", "input": "hello"} | {field: value}
    with pytest.raises(Inexpressible) as raised:
        translated(asks("openai", "responses", **body), "anthropic")
    assert raised.value.feature == feature


def test_answers_that_are_kept_for_their_owner_are_noted_as_lost() -> None:
    assert translated(asks("openai", "responses", model="asked", input="hi"), "anthropic").lost == ("store",)
    own = asks("openai", "responses", model="asked", input="hi", store=False, metadata={"a": "b"})
    assert translated(own, "anthropic").lost == ("metadata",)


def test_sealed_thoughts_are_left_out_of_conversations() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2Vh"}
    messages = [USER, {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi."}]}, USER]
    made = translated(asks("anthropic", model="asked", max_tokens=9, messages=messages), "openai")
    assert made.lost == ("content.thinking",)
    assert sent(made)["messages"][1] == {"role": "assistant", "content": "Hi."}
    items = [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2Vh"}, USER]
    made = translated(asks("openai", "responses", model="asked", input=items, store=False), "gemini")
    assert made.lost == ("input.reasoning",)


def test_endpoints_that_are_nobody_elses() -> None:
    from sidecar.testing import call

    for dialect, path in (
        ("openai", "/v1/completions"),
        ("mistral", "/v1/agents/completions"),
        ("openai", "/v1/decisions"),
        ("gemini", "/v1beta/interactions"),
    ):
        with pytest.raises(Inexpressible, match="call: "):
            translated(call(dialect, path, {"model": "asked"}), "anthropic")
    with pytest.raises(Inexpressible, match="call: "):
        translate(asks("openai", model="asked", messages=[USER]), target_of_speech())


def target_of_speech() -> Any:
    from sidecar.dialects import load
    from sidecar.translation import Target

    return Target(dialect=load("deepgram"), model="m")


def test_a_model_of_another_family_must_be_named() -> None:
    exchange = asks("openai", model="asked", messages=[USER])
    with pytest.raises(Inexpressible, match="model: "):
        translate(exchange, target("anthropic", model=None))
    assert sent(translate(exchange, target("groq", model=None)))["model"] == "asked"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages": 5}', b'"text"', b"\xff", b'{"a":' * 5000, b"null"])
def test_bodies_that_are_no_requests(body: bytes) -> None:
    from sidecar.testing import call

    for dialect, path in (
        ("openai", "/v1/chat/completions"),
        ("openai", "/v1/responses"),
        ("anthropic", "/v1/messages"),
        ("gemini", "/v1beta/models/m:generateContent"),
    ):
        for to in ("anthropic", "gemini", "mistral", "openai", "azure_openai", "groq"):
            with contextlib.suppress(Inexpressible):
                translated(call(dialect, path, body), to)


def test_nothing_that_was_said_is_in_a_reason() -> None:
    secret = "4711-secret"
    for body in (
        {"messages": [{"role": secret, "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": secret}]}]},
        {"messages": [USER], "tool_choice": secret},
        {"messages": [USER], "reasoning_effort": secret},
        {"messages": [USER], "temperature": secret},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": secret, "function": {"name": secret}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": secret}}]}]},
    ):
        with pytest.raises(Inexpressible) as raised:
            translated(asks("openai", model="asked", **body), "anthropic")
        assert secret not in str(raised.value)


def test_credentials_stay_where_they_belong() -> None:
    from sidecar.testing import call

    headers = {"authorization": "Bearer s", "x-api-key": "s", "openai-organization": "o", "user-agent": "OpenAI/1"}
    made = translated(
        call("openai", "/v1/chat/completions", {"model": "m", "messages": [USER]}, headers=headers), "anthropic"
    )
    assert {name.lower() for name, _ in made.request.headers} == {
        *(b"content-type", b"accept", b"accept-encoding", b"user-agent", b"anthropic-version", b"content-length"),
    }
    assert made.request.headers.get("user-agent") == "OpenAI/1"
    made = translated(
        call("gemini", "/v1beta/models/m:generateContent?key=s&$alt=json", {"contents": []}, headers=headers), "gemini"
    )
    assert made.request.target == "/v1beta/models/gemini-3-flash:generateContent?$alt=json"
    assert "authorization" not in made.request.headers
