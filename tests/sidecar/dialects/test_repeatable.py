"""Which calls may be sent twice."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar import multipart
from sidecar.dialects import load, names
from sidecar.exchange import Exchange
from sidecar.repeatable import repeatable
from sidecar.testing import call, streamed
from tests import corpus
from tests.corpus import Case
from tests.sidecar.dialects.test_failures_never_raise import OBJECTS

#: Calls as SDKs send them that are not to be sent twice; all others of the corpus are.
UNREPEATABLE = {
    ("assemblyai", "transcript"): "job",
    ("assemblyai", "upload"): "recording",
    ("azure_openai", "responses"): "store is false",
    ("deepgram", "agent.socket"): "may act",
    ("elevenlabs", "convai.conversation"): "may act",
    ("gemini", "interactions"): "store is false",
    ("google_cloud", "speech.longrunningrecognize"): "job",
    ("openai", "responses"): "store is false",
    ("openai", "responses.chained"): "goes on from",
    ("openai", "responses.stream"): "store is false",
    ("openai", "responses.tools"): "store is false",
    ("yandex", "stt.v3.recognizeFileAsync.by_hand"): "job",
}


def exchange_of(case: Case) -> Exchange:
    headers = {name.decode(): value.decode("latin-1") for name, value in case.headers}
    return call(case.dialect, case.target, case.body, method=case.method, headers=headers, socket=case.is_socket)


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: f"{case.dialect}/{case.name}")
def test_a_captured_call(case: Case) -> None:
    exchange = exchange_of(case)
    why = repeatable(exchange)
    expected = UNREPEATABLE.get((case.dialect, case.name))
    if exchange.call is None:
        expected = None if case.method == "GET" and not case.is_socket else "nothing is known"
    assert (why is None) == (expected is None), why
    assert (expected or "") in (why or "")


CHAT = "/v1/chat/completions"
FUNCTION = {"type": "function", "function": {"name": "book", "parameters": {}}}


def why(dialect: str, target: str, body: Any, **options: Any) -> str | None:
    return repeatable(call(dialect, target, body, **options))


ASKED: list[tuple[str, str, Mapping[str, Any], str | None]] = [
    ("openai", CHAT, {}, None),
    ("openai", CHAT, {"store": False, "tools": [], "metadata": {"a": "b"}, "user": "u"}, None),
    ("openai", CHAT, {"store": True}, "keep the answer"),
    ("openai", CHAT, {"tools": [FUNCTION, {"type": "custom", "custom": {"name": "x"}}]}, None),
    ("openai", CHAT, {"web_search_options": {}}, None),
    ("openai", "/v1/responses", {"store": False}, None),
    ("openai", "/v1/responses", {"store": None}, "unless store is false"),
    ("openai", "/v1/responses", {}, "unless store is false"),
    ("openai", "/v1/responses", {"store": False, "conversation": "conv_1"}, "goes on from"),
    ("openai", "/v1/responses", {"store": False, "previous_response_id": "resp_1"}, "goes on from"),
    ("openai", "/v1/responses", {"store": False, "background": True}, "job"),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "web_search"}]}, None),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "web_search_preview_2025_03_11"}]}, None),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "file_search"}, FUNCTION]}, None),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "mcp", "server_url": "x"}]}, "may act"),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "shell"}]}, "may act"),
    ("openai", "/v1/responses", {"store": False, "tools": [{"type": "made_up"}]}, "may act"),
    ("openai", "/v1/responses", {"store": False, "tools": ["nonsense"]}, "may act"),
    (
        *("openai", "/v1/responses"),
        {"store": False, "tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        None,
    ),
    (
        *("openai", "/v1/responses"),
        {"store": False, "tools": [{"type": "code_interpreter", "container": "cntr_1"}]},
        "may act",
    ),
    ("groq", "/openai/v1/responses", {}, None),
    ("mistral", "/v1/agents/completions", {"agent_id": "a"}, "the provider keeps"),
    ("anthropic", "/v1/messages", {"tools": [{"name": "book", "input_schema": {}}]}, None),
    ("anthropic", "/v1/messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, None),
    ("anthropic", "/v1/messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, None),
    ("anthropic", "/v1/messages", {"mcp_servers": [{"url": "x"}]}, "may act"),
    ("anthropic", "/v1/messages", {"container": "c_1"}, "goes on from"),
    ("anthropic", "/v1/messages", {"thread": {"type": "create"}}, "goes on from"),
    ("anthropic", "/v1/messages", {"thread": {"previous_message_id": "m"}}, "goes on from"),
    ("gemini", "/v1beta/models/g:generateContent", {"cachedContent": "c", "tools": [{"googleSearch": {}}]}, None),
    ("gemini", "/v1beta/models/g:generateContent", {"tools": [{"functionDeclarations": []}]}, None),
    ("gemini", "/v1beta/models/g:generateContent", {"tools": [{"mcpServers": []}]}, "may act"),
    ("gemini", "/v1beta/interactions", {"store": False}, None),
    ("gemini", "/v1beta/interactions", {}, "unless store is false"),
    ("gemini", "/v1beta/interactions", {"store": False, "webhook_config": {"uri": "x"}}, "goes elsewhere"),
    ("gemini", "/v1beta/interactions", {"store": False, "agent": "deep-research"}, "keeps the agent"),
    ("openai", "/v1/audio/speech", {"input": "hello"}, None),
    ("openai", "/v1/embeddings", {"input": "hello"}, None),
    ("cartesia", "/tts/bytes", {"transcript": "hello"}, None),
    ("cartesia", "/tts/bytes", {"transcript": "hello", "save": True}, "keep the speech"),
    ("deepgram", "/v1/listen?model=nova-3", {"url": "https://a.example/a.wav"}, None),
    ("deepgram", "/v1/listen?callback=https%3A%2F%2Fa.example", {"url": "u"}, "goes elsewhere"),
    ("deepgram", "/v1/speak?callback=https%3A%2F%2Fa.example&model=x", {"text": "hello"}, "goes elsewhere"),
    ("deepgram", "/v1/speak?callback=&tag=callback", {"text": "hello"}, None),
    ("elevenlabs", "/v1/text-to-speech/v", {"text": "hello", "previous_request_ids": ["r"]}, None),
    ("yandex", "/tts/v3/utteranceSynthesis", {"text": "hello"}, None),
]


@pytest.mark.parametrize(("dialect", "target", "body", "expected"), ASKED)
def test_what_is_asked_for_decides(dialect: str, target: str, body: Mapping[str, Any], expected: str | None) -> None:
    found = why(dialect, target, body)
    assert (found is None) == (expected is None), found
    assert (expected or "") in (found or "")


@pytest.mark.parametrize(
    ("value", "repeats"), [("true", False), ("1", False), ("false", True), ("null", True), ("", True)]
)
def test_a_form_that_asks_for_a_webhook(value: str, repeats: bool) -> None:
    parts = [multipart.Part.of("model_id", "scribe_v2"), multipart.Part.of("webhook", value)]
    parts.append(multipart.Part.of("file", b"RIFF", "a.wav", "audio/wav"))
    body = multipart.write(parts, "b")
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (why("elevenlabs", "/v1/speech-to-text", body, headers=headers) is None) == repeats


def test_sound_and_forms_may_be_sent_again() -> None:
    wav = {"Content-Type": "audio/wav"}
    assert why("deepgram", "/v1/listen", b"RIFF", headers=wav) is None
    assert why("azure_speech", "/speech/recognition/conversation/cognitiveservices/v1", b"RIFF", headers=wav) is None
    assert why("azure_speech", "/cognitiveservices/v1", b"<speak>callback</speak>") is None
    assert why("yandex", "/speech/v1/tts:synthesize", b"text=callback&lang=ru-RU") is None


def test_what_cannot_be_read_is_not_sent_again() -> None:
    assert why("openai", CHAT, b"") is not None
    assert why("openai", CHAT, b'{"messages": ') is not None
    assert why("openai", CHAT, b"[1]") is not None
    assert why("openai", CHAT, b"{}", headers={"Content-Encoding": "gzip"}) is not None
    assert why("openai", CHAT, streamed([b"{}"])) == "what it asks for is not known: its body is on its way"


@pytest.mark.parametrize(
    ("method", "target", "repeats"),
    [
        ("GET", "/v1/models", True),
        ("HEAD", "/v1/models", True),
        ("GET", "/v2/transcript/1", True),
        ("POST", "/v1/files", False),
        ("POST", "/v1/batches", False),
        ("DELETE", "/v1/files/1", False),
        ("PUT", "/v1/nothing", False),
    ],
)
def test_of_what_no_dialect_knows_only_what_asks_for_nothing_is_sent_again(
    method: str, target: str, repeats: bool
) -> None:
    for dialect in ("openai", "assemblyai"):
        assert (why(dialect, target, b"", method=method) is None) == repeats


def test_nor_is_a_socket_that_no_dialect_knows() -> None:
    assert why("openai", "/v1/nothing", b"", socket=True) is not None
    assert why("openai", "/v1/realtime?model=m", b"", socket=True) is None


def test_a_reason_has_nothing_of_the_call_in_it() -> None:
    secret = "what-nobody-may-see"
    for body in ({"store": secret}, {"tools": [{"type": secret}]}, {"webhook": secret}, {"conversation": secret}):
        found = why("openai", "/v1/responses", body)
        assert found is not None
        assert secret not in found


@pytest.mark.parametrize("name", names())
@settings(max_examples=25, deadline=None)
@given(body=st.binary(max_size=200) | OBJECTS.map(msgspec.json.encode), query=st.text(max_size=30))
def test_it_never_raises(name: str, body: bytes, query: str) -> None:
    dialect = load(name)
    for case in corpus.cases():
        if case.dialect == name and dialect.recognise(case.method, case.path, case.query) is not None:
            content_type = case.headers.get("content-type") or "application/json"
            target = f"{case.path}?{query}"
            exchange = call(
                name, target, body, method=case.method, headers={"Content-Type": content_type}, socket=case.is_socket
            )
            found = repeatable(exchange)
            assert found is None or len(found) < 120
