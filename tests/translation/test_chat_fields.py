"""Each field that an SDK knows, alone: translated, left out with a reason, or refused; none is overlooked."""

import importlib
import re
from collections.abc import Mapping
from typing import Any, Final, get_type_hints

import pytest

from sidecar.translation import Inexpressible
from sidecar.translation.chat.completions import fields as of_chat
from sidecar.translation.chat.gemini import fields as of_gemini
from sidecar.translation.chat.messages import fields as of_messages
from sidecar.translation.chat.responses import fields as of_responses
from tests.translation.chatting import asks, sent, translated

TRANSLATED, HARMLESS, REFUSED = "translated", "harmless", "refused"
USER: Final = [{"role": "user", "content": "hello"}]
TOOL: Final = {"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {}}}}

#: For Anthropic: field -> a value, and what is to become of it.
CHAT: Final[Mapping[str, tuple[Any, str]]] = {
    "audio": ({"voice": "ash", "format": "wav"}, REFUSED),
    "frequency_penalty": (0.5, REFUSED),
    "function_call": ("auto", REFUSED),
    "functions": ([{"name": "a"}], REFUSED),
    "logit_bias": ({"1": 1}, REFUSED),
    "logprobs": (True, REFUSED),
    "max_completion_tokens": (10, TRANSLATED),
    "max_tokens": (10, TRANSLATED),
    "messages": (USER, TRANSLATED),
    "metadata": ({"a": "b"}, HARMLESS),
    "modalities": (["text", "audio"], REFUSED),
    "model": ("asked", TRANSLATED),
    "moderation": ({"model": "omni"}, REFUSED),
    "n": (2, REFUSED),
    "parallel_tool_calls": (False, TRANSLATED),
    "prediction": ({"type": "content", "content": "x"}, HARMLESS),
    "presence_penalty": (0.5, REFUSED),
    "prompt_cache_key": ("k", HARMLESS),
    "prompt_cache_options": ({"mode": "implicit"}, HARMLESS),
    "prompt_cache_retention": ("24h", HARMLESS),
    "reasoning_effort": ("low", TRANSLATED),
    "response_format": ({"type": "json_object"}, REFUSED),
    "safety_identifier": ("k", HARMLESS),
    "seed": (1, REFUSED),
    "service_tier": ("flex", HARMLESS),
    "stop": (["x"], TRANSLATED),
    "store": (True, HARMLESS),
    "stream": (True, TRANSLATED),
    "stream_options": ({"include_usage": True}, TRANSLATED),
    "temperature": (0.5, REFUSED),
    "tool_choice": ("required", TRANSLATED),
    "tools": ([TOOL], TRANSLATED),
    "top_logprobs": (2, REFUSED),
    "top_p": (0.5, REFUSED),
    "user": ("k", HARMLESS),
    "verbosity": ("low", REFUSED),
    "web_search_options": ({}, REFUSED),
}
GROQ: Final[Mapping[str, tuple[Any, str]]] = {
    **{name: CHAT[name] for name in CHAT if name in of_chat.GROQ},
    "citation_options": ("enabled", REFUSED),
    "compound_custom": ({}, REFUSED),
    "disable_tool_validation": (True, HARMLESS),
    "documents": ([], REFUSED),
    "exclude_domains": (["a"], REFUSED),
    "include_domains": (["a"], REFUSED),
    "include_reasoning": (False, TRANSLATED),
    "logit_bias": ({"1": 1}, REFUSED),
    "logprobs": (True, REFUSED),
    "n": (2, REFUSED),
    "reasoning_format": ("raw", REFUSED),
    "search_settings": ({}, REFUSED),
    "top_logprobs": (2, REFUSED),
}
MISTRAL: Final[Mapping[str, tuple[Any, str]]] = {
    **{name: CHAT[name] for name in CHAT if name in of_chat.MISTRAL},
    "guardrails": ([{}], REFUSED),
    "min_tokens": (3, REFUSED),
    "prompt_logprobs": (True, REFUSED),
    "prompt_mode": ("reasoning", REFUSED),
    "random_seed": (1, REFUSED),
    "repetition_penalty": (1.1, REFUSED),
    "safe_prompt": (True, REFUSED),
    "top_k": (3, REFUSED),
    "top_prompt_logprobs": (3, REFUSED),
}
RESPONSES: Final[Mapping[str, tuple[Any, str]]] = {
    "access_programs": ({"cyber": "standard"}, REFUSED),
    "background": (True, REFUSED),
    "background_options": ({"continuation_id": "c"}, HARMLESS),
    "context_management": ([{"type": "compaction"}], REFUSED),
    "conversation": ("conv_1", REFUSED),
    "image": ({"context_compression": "auto"}, REFUSED),
    "include": (["reasoning.encrypted_content"], HARMLESS),
    "input": ("hello", TRANSLATED),
    "instructions": ("Be short.", TRANSLATED),
    "max_output_tokens": (16, TRANSLATED),
    "max_tool_calls": (1, REFUSED),
    "metadata": ({"a": "b"}, HARMLESS),
    "model": ("asked", TRANSLATED),
    "moderation": ({"model": "omni"}, REFUSED),
    "parallel_tool_calls": (False, TRANSLATED),
    "previous_response_id": ("resp_1", REFUSED),
    "prompt": ({"id": "pmpt_1"}, REFUSED),
    "prompt_cache_key": ("k", HARMLESS),
    "prompt_cache_options": ({"mode": "implicit"}, HARMLESS),
    "prompt_cache_retention": ("24h", HARMLESS),
    "reasoning": ({"effort": "low"}, TRANSLATED),
    "safety_identifier": ("k", HARMLESS),
    "service_tier": ("flex", HARMLESS),
    "store": (True, HARMLESS),
    "stream": (True, TRANSLATED),
    "stream_options": ({"include_obfuscation": False}, HARMLESS),
    "temperature": (0.5, REFUSED),
    "text": ({"format": {"type": "json_object"}}, REFUSED),
    "tool_choice": ("required", TRANSLATED),
    "tools": ([{"type": "function", "name": "a", "parameters": None, "strict": False}], TRANSLATED),
    "top_logprobs": (2, REFUSED),
    "top_p": (0.5, REFUSED),
    "truncation": ("auto", REFUSED),
    "user": ("k", HARMLESS),
}
#: For OpenAI.
MESSAGES: Final[Mapping[str, tuple[Any, str]]] = {
    "cache_control": ({"type": "ephemeral"}, HARMLESS),
    "container": ("container_1", REFUSED),
    "diagnostics": ({"previous_message_id": "m"}, HARMLESS),
    "inference_geo": ("us", REFUSED),
    "max_tokens": (10, TRANSLATED),
    "messages": (USER, TRANSLATED),
    "metadata": ({"user_id": "k"}, HARMLESS),
    "model": ("asked", TRANSLATED),
    "output_config": ({"effort": "low"}, TRANSLATED),
    "service_tier": ("auto", HARMLESS),
    "speed": ("fast", HARMLESS),
    "stop_sequences": (["x"], TRANSLATED),
    "stream": (True, TRANSLATED),
    "system": ("Be short.", TRANSLATED),
    "thinking": ({"type": "enabled", "budget_tokens": 1024}, TRANSLATED),
    "tool_choice": ({"type": "any"}, TRANSLATED),
    "tools": ([{"name": "a", "input_schema": {"type": "object"}}], TRANSLATED),
    "user_profile_id": ("u", REFUSED),
    "workspace_id": ("w", REFUSED),
}
#: What is said in ``generationConfig``, for OpenAI; names are those of google/genai's ``GenerationConfig``.
GEMINI: Final[Mapping[str, tuple[Any, str]]] = {
    "audioTimestamp": (True, REFUSED),
    "audioTranscriptionConfig": ({}, REFUSED),
    "candidateCount": (2, REFUSED),
    "enableAffectiveDialog": (True, REFUSED),
    "enableEnhancedCivicAnswers": (True, REFUSED),
    "frequencyPenalty": (0.5, TRANSLATED),
    "imageConfig": ({}, REFUSED),
    "logprobs": (2, REFUSED),
    "maxOutputTokens": (10, TRANSLATED),
    "mediaResolution": ("MEDIA_RESOLUTION_LOW", HARMLESS),
    "modelSelectionConfig": ({}, REFUSED),
    "presencePenalty": (0.5, TRANSLATED),
    "responseFormat": ({"text": {}}, REFUSED),
    "responseJsonSchema": ({"type": "object", "properties": {}}, TRANSLATED),
    "responseLogprobs": (True, REFUSED),
    "responseMimeType": ("application/json", TRANSLATED),
    "responseModalities": (["AUDIO"], REFUSED),
    "responseSchema": ({"type": "OBJECT", "properties": {}}, TRANSLATED),
    "routingConfig": ({}, REFUSED),
    "seed": (1, TRANSLATED),
    "speechConfig": ({}, REFUSED),
    "stopSequences": (["x"], TRANSLATED),
    "temperature": (0.5, TRANSLATED),
    "thinkingConfig": ({"thinkingBudget": 1024}, TRANSLATED),
    "topK": (3, REFUSED),
    "topP": (0.5, TRANSLATED),
    "translationConfig": ({}, REFUSED),
}
CONTENT: Final[Mapping[str, tuple[Any, str]]] = {
    "cachedContent": ("cachedContents/1", REFUSED),
    "contents": ([{"parts": [{"text": "hello"}]}], TRANSLATED),
    "labels": ({"a": "b"}, HARMLESS),
    "safetySettings": ([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}], HARMLESS),
    "serviceTier": ("FLEX", HARMLESS),
    "store": (True, HARMLESS),
    "systemInstruction": ({"parts": [{"text": "Be short."}]}, TRANSLATED),
    "toolConfig": ({"functionCallingConfig": {"mode": "ANY"}}, TRANSLATED),
    "tools": ([{"functionDeclarations": [{"name": "a"}]}], TRANSLATED),
}

_CAMEL = re.compile(r"_([a-z])")


def fields_of(module: str, name: str) -> set[str]:
    kind = getattr(pytest.importorskip(module), name)
    return set(kind.__annotations__) | {
        field for base in kind.__mro__ for field in getattr(base, "__annotations__", {})
    }


@pytest.mark.parametrize(
    ("module", "name", "known"),
    [
        ("openai.types.chat.completion_create_params", "CompletionCreateParamsBase", {*CHAT, "stream"}),
        ("groq.types.chat.completion_create_params", "CompletionCreateParams", {*GROQ, "stream"}),
        ("openai.types.responses.response_create_params", "ResponseCreateParamsBase", {*RESPONSES, "stream"}),
        ("anthropic.types.message_create_params", "MessageCreateParamsBase", {*MESSAGES, "stream"}),
    ],
)
def test_the_tables_name_all_that_the_sdks_know(module: str, name: str, known: set[str]) -> None:
    """A new version of an SDK is looked at before it is relied on."""
    assert fields_of(module, name) | {"stream"} == known


def test_the_table_of_mistral_names_all_that_its_sdk_knows() -> None:
    module = pytest.importorskip("mistralai.client.models.chatcompletionrequest")
    found = set(get_type_hints(module.ChatCompletionRequestTypedDict))
    assert found == set(MISTRAL)
    assert found == set(of_chat.MISTRAL)


def test_the_tables_of_gemini_name_all_that_its_sdk_knows() -> None:
    module = importlib.import_module("google.genai.types")
    found = {_CAMEL.sub(lambda letter: letter[1].upper(), name) for name in module.GenerationConfig.model_fields}
    assert found <= set(GEMINI), found - set(GEMINI)


def test_what_openai_and_groq_take_is_what_their_sdks_know() -> None:
    assert set(CHAT) == of_chat.OPENAI
    groq = fields_of("groq.types.chat.completion_create_params", "CompletionCreateParams")
    assert groq >= of_chat.GROQ
    assert groq - of_chat.GROQ == {"logit_bias", "logprobs", "n", "top_logprobs"}, "it says that it refuses them"


def test_every_reason_is_given() -> None:
    tables: list[Mapping[str, str]] = []
    for module in (of_chat, of_gemini, of_messages, of_responses):
        tables += [table for name, table in vars(module).items() if name.startswith(("HARMLESS", "REASONS", "STATEFUL"))
                   and isinstance(table, Mapping)]  # fmt: skip
    assert len(tables) > 8
    assert all(reason.strip() for table in tables for reason in table.values())


#: Who asks, by which wire, and whom.
TABLES: Final = (
    ("openai", "chat", "anthropic", CHAT),
    ("groq", "chat", "anthropic", GROQ),
    ("mistral", "chat", "anthropic", MISTRAL),
    ("openai", "responses", "anthropic", RESPONSES),
    ("anthropic", "messages", "openai", MESSAGES),
    ("gemini", "content", "openai", CONTENT),
    ("gemini", "config", "openai", GEMINI),
)
CASES: Final = [
    pytest.param(dialect, wire, to, name, value, outcome, id=f"{dialect} {wire} {name}")
    for dialect, wire, to, table in TABLES
    for name, (value, outcome) in table.items()
]


def body_of(wire: str, name: str, value: Any) -> dict[str, Any]:
    """A request with that field, and what it means nothing without."""
    tools: dict[str, Any] = {
        "chat": {"messages": USER, "tools": [TOOL]},
        "responses": {"input": "hello", "tools": RESPONSES["tools"][0]},
        "messages": {"messages": USER, "max_tokens": 10, "tools": MESSAGES["tools"][0]},
        "content": {"contents": CONTENT["contents"][0], "tools": CONTENT["tools"][0]},
    }.get(wire, {"contents": CONTENT["contents"][0]})
    if wire == "config":
        config = {"responseMimeType": "application/json"} if name in ("responseSchema", "responseJsonSchema") else {}
        return {**tools, "generationConfig": {**config, name: value}}
    return {"model": "asked", **tools, name: value} if wire != "content" else {**tools, name: value}


@pytest.mark.parametrize(("dialect", "wire", "to", "name", "value", "outcome"), CASES)
def test_no_field_is_overlooked(dialect: str, wire: str, to: str, name: str, value: Any, outcome: str) -> None:
    where = "content" if wire == "config" else wire
    plain_body = body_of(wire, name, value)
    del (plain_body["generationConfig"] if wire == "config" else plain_body)[name]
    exchange = asks(dialect, where, **body_of(wire, name, value))
    if outcome == REFUSED:
        with pytest.raises(Inexpressible) as raised:
            translated(exchange, to)
        feature = raised.value.feature
        left = translated(exchange, to, feature)
        assert feature in left.lost
        return
    made = translated(exchange, to)
    if outcome == HARMLESS:
        assert any(name in lost.split(".") for lost in made.lost)
        return
    try:
        plain = sent(translated(asks(dialect, where, **plain_body), to))
    except Inexpressible:
        return  # nothing is asked without it
    means_nothing_by_itself = name in ("model", "stream_options", "include_reasoning", "responseMimeType")
    assert means_nothing_by_itself or sent(made) != plain


@pytest.mark.parametrize(
    "wire", [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages"), ("gemini", "content")]
)
@pytest.mark.parametrize("where", ["top", "message", "part", "tool"])
def test_what_nobody_knows_is_refused_wherever_it_stands(wire: tuple[str, str], where: str) -> None:
    body: Any = {
        "chat": {
            "model": "asked",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
            "tools": [TOOL],
        },
        "responses": {
            "model": "asked",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}],
            "tools": RESPONSES["tools"][0],
        },
        "messages": {
            "model": "asked",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
            "tools": MESSAGES["tools"][0],
        },
        "content": {
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "tools": [{"functionDeclarations": [{"name": "a"}]}],
        },
    }[wire[1]]
    turn = (body.get("messages") or body.get("input") or body.get("contents"))[0]
    place = {
        "top": body,
        "message": turn,
        "part": (turn.get("content") or turn.get("parts"))[0],
        "tool": body["tools"][0],
    }[where]
    place = {**place} if where == "tool" else place
    if where == "tool":
        body["tools"] = [place]
    place["novelty"] = {"a": 1}
    to = "openai" if wire[0] in ("anthropic", "gemini") else "anthropic"
    with pytest.raises(Inexpressible) as raised:
        translated(asks(*wire, **body), to)
    feature = raised.value.feature
    assert feature.endswith("novelty") or feature == "tools"
    assert feature in translated(asks(*wire, **body), to, feature).lost
    place["novelty"] = None
    translated(asks(*wire, **body), to)
