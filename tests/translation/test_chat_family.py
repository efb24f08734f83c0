"""Between those who follow OpenAI the bytes stay; within one dialect only the model is another."""

import json
from typing import Any

import pytest

from sidecar.testing import answer, call
from sidecar.translation import Inexpressible, translate
from sidecar.translation.chat.events import gathered
from tests.translation.chatting import (
    SAID,
    WIRES,
    answered,
    asks,
    event_stream,
    said,
    sent,
    stream_of,
    target,
    translated,
)

USER = [{"role": "user", "content": "hello"}]
#: What a typed view would spoil: a big integer, an odd number, an escape, a lone order.
ODD = (
    b'{"top_p": 0.10, "messages": [{"content": "\\u0041", "role": "user"}], "model": "asked",'
    b' "seed": 123456789012345678}'
)


@pytest.mark.parametrize("to", ["openai", "azure_openai", "assemblyai"])
def test_the_bytes_of_what_is_not_edited_stay(to: str) -> None:
    made = translated(call("openai", "/v1/chat/completions", ODD), to)
    body = made.request.body.data or b""
    assert b'"top_p":0.10' in body
    assert b'"messages":[{"content": "\\u0041", "role": "user"}]' in body
    assert b'"seed":123456789012345678' in body
    assert sent(made)["model"] == target(to).model


def test_the_bytes_of_values_stay_for_mistral_and_groq() -> None:
    mistral = translated(call("openai", "/v1/chat/completions", ODD), "mistral").request.body.data or b""
    assert b'"random_seed":123456789012345678' in mistral
    assert b'"seed"' not in mistral.replace(b"random_seed", b"")
    assert b'"top_p":0.10' in mistral
    assert b'"top_p":0.10' in (translated(call("openai", "/v1/chat/completions", ODD), "groq").request.body.data or b"")


@pytest.mark.parametrize(
    ("to", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("azure_openai", "/openai/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions"),
        ("assemblyai", "/v1/chat/completions"),
    ],
)
def test_the_path_is_the_targets(to: str, path: str) -> None:
    made = translated(asks("azure_openai", model="dep", messages=USER), to)
    if to == "azure_openai":
        assert made.request.target == "/openai/deployments/deployed/chat/completions?api-version=2025-01-01"
        assert made.call.model == "deployed"
    else:
        assert made.request.target == path
    assert made.call.endpoint == "chat.completions"


def test_a_deployment_named_in_the_path_alone_is_named_in_the_body_elsewhere() -> None:
    exchange = asks("azure_openai", messages=USER)
    assert sent(translate(exchange, target("openai", model=None)))["model"] == "dep"
    assert sent(translate(exchange, target("openai", model="gpt")))["model"] == "gpt"


@pytest.mark.parametrize(
    ("name", "value", "groq", "mistral"),
    [
        ("max_completion_tokens", 9, ("max_completion_tokens", 9), ("max_tokens", 9)),
        ("max_tokens", 9, ("max_tokens", 9), ("max_tokens", 9)),
        ("seed", 7, ("seed", 7), ("random_seed", 7)),
        ("reasoning_effort", "minimal", ("reasoning_effort", "low"), ("reasoning_effort", "minimal")),
        ("reasoning_effort", "xhigh", ("reasoning_effort", "high"), ("reasoning_effort", "xhigh")),
        ("user", "k", ("user", "k"), "user"),
        ("store", True, ("store", True), "store"),
        ("prompt_cache_key", "k", "prompt_cache_key", ("prompt_cache_key", "k")),
        ("safety_identifier", "k", "safety_identifier", "safety_identifier"),
        ("logprobs", True, None, None),
        ("logit_bias", {"1": 1}, None, None),
        ("n", 2, None, None),
        ("verbosity", "low", None, None),
        ("web_search_options", {}, None, None),
        ("novelty", 1, None, None),
        ("temperature", 1.9, ("temperature", 1.9), None),
        ("parallel_tool_calls", False, ("parallel_tool_calls", False), ("parallel_tool_calls", False)),
        ("logprobs", False, (), ()),
        ("novelty", None, (), ()),
    ],
)
def test_fields_that_others_name_otherwise_or_refuse(name: str, value: Any, groq: Any, mistral: Any) -> None:
    """A pair is what is said instead, a name what is lost, None what cannot be said; () what need not be."""
    exchange = asks("openai", model="asked", messages=USER, **{name: value})
    for to, expected in (("groq", groq), ("mistral", mistral)):
        if expected is None:
            with pytest.raises(Inexpressible) as raised:
                translated(exchange, to)
            assert raised.value.feature == name
            left = translated(exchange, to, name)
            assert left.lost == (name,)
            assert name not in sent(left)
            continue
        made = translated(exchange, to)
        body = sent(made)
        assert made.lost == ((expected,) if isinstance(expected, str) else ())
        said_there = dict([expected]) if isinstance(expected, tuple) and expected else {}
        assert {key: body[key] for key in body if key not in ("model", "messages", "logprobs")} == said_there


def test_what_only_mistral_knows() -> None:
    body = {"model": "asked", "messages": USER, "random_seed": 7, "max_tokens": 9, "safe_prompt": False}
    there = said(asks("mistral", **body), "openai")
    assert (there["seed"], there["max_completion_tokens"]) == (7, 9)
    assert not there.keys() & {"random_seed", "max_tokens", "safe_prompt"}
    tool = {"type": "function", "function": {"name": "a", "parameters": {}}}
    assert said(asks("mistral", **body, tools=[tool], tool_choice="any"), "openai")["tool_choice"] == "required"
    both = asks("openai", model="asked", messages=USER, max_tokens=1, max_completion_tokens=2)
    assert said(both, "mistral")["max_tokens"] == 2
    with pytest.raises(Inexpressible, match="safe_prompt: "):
        translated(asks("mistral", **body | {"safe_prompt": True}), "openai")


def test_messages_take_the_others_form() -> None:
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "hello", "name": "ann"},
    ]
    exchange = asks("openai", model="asked", messages=messages)
    assert said(exchange, "azure_openai")["messages"] == messages
    for to in ("groq", "mistral"):
        with pytest.raises(Inexpressible, match=r"messages\.name: "):
            translated(exchange, to)
        assert said(exchange, to, "messages.name")["messages"] == [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "hello"},
        ]


def test_only_functions_are_tools_of_others() -> None:
    function = {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}
    custom = {"type": "custom", "custom": {"name": "b"}}
    exchange = asks("openai", model="asked", messages=USER, tools=[function, custom])
    assert said(exchange, "azure_openai")["tools"] == [function, custom]
    with pytest.raises(Inexpressible, match="tools: "):
        translated(exchange, "groq")
    assert said(exchange, "groq", "tools")["tools"] == [function]
    allowed: Any = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function]}}
    other = {"type": "function", "function": {"name": "c"}}
    exchange = asks("openai", model="asked", messages=USER, tools=[function, other], tool_choice=allowed)
    body = said(exchange, "mistral")
    assert body["tool_choice"] == {"type": "function", "function": {"name": "a"}}
    allowed["allowed_tools"]["mode"] = "auto"
    body = said(asks("openai", model="asked", messages=USER, tools=[function, other], tool_choice=allowed), "groq")
    assert (body["tool_choice"], body["tools"]) == ("auto", [function])


@pytest.mark.parametrize(
    ("own", "other", "stream", "untouched"),
    [
        ("openai", "azure_openai", True, True),
        ("openai", "groq", False, True),
        ("groq", "openai", False, True),
        ("openai", "groq", True, False),
        ("groq", "openai", True, False),
        ("openai", "mistral", False, False),
        ("mistral", "openai", False, False),
        ("mistral", "mistral", True, True),
        ("assemblyai", "openai", True, True),
    ],
)
async def test_answers_are_given_as_they_are_if_the_agent_takes_them_so(
    own: str, other: str, *, stream: bool, untouched: bool
) -> None:
    made = translated(asks(own, model="asked", messages=USER, stream=stream), other)
    asked_for_usage = sent(made).get("stream_options") == {"include_usage": True}
    assert asked_for_usage == (stream and not untouched and other == "openai")
    data = stream_of(other, "chat", SAID["calls"])
    response = event_stream(data) if stream else answer(b'{"choices":[{"message":{"content":"x"}}]}')
    got = await made.answer(response)
    assert (got is response) == untouched


async def test_usage_is_told_where_the_agents_sdk_looks_for_it() -> None:
    made = translated(asks("groq", model="asked", messages=USER, stream=True), "openai")
    _, body = await answered(made, event_stream(stream_of("openai", "chat", SAID["text"])))
    last = json.loads(body.split(b"\n\n")[-3].removeprefix(b"data: "))
    assert last["x_groq"]["usage"]["total_tokens"] == 32
    options = {"include_usage": True}
    made = translated(asks("openai", model="asked", messages=USER, stream=True, stream_options=options), "groq")
    assert "stream_options" not in sent(made)
    _, body = await answered(made, event_stream(stream_of("groq", "chat", SAID["text"])))
    last = json.loads(body.split(b"\n\n")[-3].removeprefix(b"data: "))
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 32)


async def test_mistrals_client_gets_whole_calls() -> None:
    made = translated(asks("mistral", model="asked", messages=USER, stream=True), "openai")
    _, body = await answered(made, event_stream(stream_of("openai", "chat", SAID["calls"])))
    chunks = [json.loads(block[6:]) for block in body.split(b"\n\n") if block.startswith(b"data: {")]
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls] == [
        ("weather", {"city": "Oslo"}),
        ("time", {"city": "Rome"}),
    ]
    assert chunks[-1]["usage"]["total_tokens"] == 32
    reader = WIRES["chat"].reader()
    assert gathered([*reader.feed(body), *reader.end()]).text == "Let me see."


# -- one dialect ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "path", "moved"),
    [
        ("openai", "/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/responses?a=b", "/v1/responses?a=b"),
        ("openai", "/api/v1/chat/completions", "/v1/chat/completions"),
        ("openai", "/v1/completions", "/v1/completions"),
        ("groq", "/openai/v1/chat/completions", "/openai/v1/chat/completions"),
        ("mistral", "/v1/chat/completions", "/v1/chat/completions"),
        ("anthropic", "/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("anthropic", "/v1/chat/completions", "/v1/chat/completions"),
        ("gemini", "/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
        ("azure_openai", "/openai/responses?api-version=1", "/openai/responses?api-version=1"),
    ],
)
def test_only_the_model_is_edited_within_a_dialect(dialect: str, path: str, moved: str) -> None:
    body = b'{"temperature": 0.10, "model": "asked", "novelty": {"a" : 1}}'
    made = translate(call(dialect, path, body, headers={"anthropic-beta": "x"}), target(dialect, model="other"))
    assert made.request.target == moved
    assert sent(made) == {"temperature": 0.1, "model": "other", "novelty": {"a": 1}}
    assert b'"temperature":0.10' in (made.request.body.data or b"")
    assert made.request.headers.get("anthropic-beta") == "x"
    assert made.lost == ()
    same = translate(call(dialect, path, body), target(dialect, model=None))
    assert same.request.body.data == body


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        ("/v1beta/models/asked:generateContent", "/v1beta/models/other:generateContent"),
        ("/v1/models/asked:streamGenerateContent?alt=sse", "/v1/models/other:streamGenerateContent?alt=sse"),
        ("/v1beta/tunedModels/t:generateContent", "/v1beta/tunedModels/other:generateContent"),
        (
            "/v1/projects/p/locations/l/publishers/google/models/asked:generateContent",
            "/v1/projects/p/locations/l/publishers/google/models/other:generateContent",
        ),
    ],
)
def test_geminis_model_stands_in_the_path(path: str, moved: str) -> None:
    body = b'{"contents": []}'
    made = translate(call("gemini", path, body), target("gemini", model="other"))
    assert (made.request.target, made.request.body.data, made.call.model) == (moved, body, "other")


def test_other_models_than_geminis_are_quoted_in_paths() -> None:
    made = translate(asks("openai", model="asked", messages=USER), target("gemini", model="a/b?c"))
    assert made.request.path == "/v1beta/models/a%2Fb%3Fc:generateContent"
    tuned = translate(asks("openai", model="asked", messages=USER), target("gemini", model="tunedModels/t-1"))
    assert tuned.request.path == "/v1beta/tunedModels/t-1:generateContent"


@pytest.mark.parametrize(
    ("dialect", "path", "field"),
    [
        ("openai", "/v1/responses", {"previous_response_id": "resp_1"}),
        ("openai", "/v1/responses", {"conversation": "conv_1"}),
        ("openai", "/v1/responses", {"background": True}),
        ("openai", "/v1/responses", {"input": [{"type": "item_reference", "id": "x"}]}),
        ("openai", "/v1/chat/completions", {"messages": [{"content": [{"file": {"file_id": "x"}}]}]}),
        ("anthropic", "/v1/messages", {"container": "c"}),
        ("gemini", "/v1beta/models/m:generateContent", {"cachedContent": "c"}),
    ],
)
def test_what_one_account_keeps_is_not_asked_of_another(dialect: str, path: str, field: Any) -> None:
    with pytest.raises(Inexpressible):
        translated(call(dialect, path, {"model": "m", **field}), dialect)


def test_responses_go_to_azure_as_they_are() -> None:
    tools = [{"type": "web_search"}]
    made = translated(asks("openai", "responses", model="asked", input="hi", tools=tools), "azure_openai")
    assert made.request.target == "/openai/v1/responses"
    assert sent(made) == {"model": "deployed", "input": "hi", "tools": tools}
    back = translated(call("azure_openai", "/openai/responses?api-version=1", {"model": "d", "input": "hi"}), "openai")
    assert back.request.target == "/v1/responses"
