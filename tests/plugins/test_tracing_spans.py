"""The shape of traces: which spans a call becomes, how they hang together, what they say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from sidecar import (
    AroundExchange,
    Body,
    Exchange,
    ExchangeHandler,
    PluginConfig,
    Record,
    Response,
    StreamedBody,
    hookimpl,
)
from sidecar.errors import ConnectFailed, Forbidden, UpstreamBroken, UpstreamTimeout
from sidecar.exchange import Request
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.testing import Scripted, answer, call, provider, socket_answer, streamed
from tests.plugins.telling import Told, played, told

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "temperature": 1, "max_tokens": 7}
SPEECH = {"model": "tts-1", "voice": "alloy", "input": "hello there", "response_format": "wav"}
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 5},
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-11-20",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": USAGE,
}
EVENTS = [
    b'data: {"id":"chatcmpl-2","model":"gpt-4o-x","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    b'data: {"id":"chatcmpl-2","model":"gpt-4o-x","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n',
    b'data: {"id":"chatcmpl-2","model":"gpt-4o-x","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n',
    b"data: [DONE]\n\n",
]
ERROR = b'data: {"error":{"type":"server_error","code":null}}\n\n'
ERROR = b'data: {"error":{"type":"server_error","code":null}}\n\n'
ABSENT = object()


class Expected(NamedTuple):
    """A span: what must be in it; ABSENT for what must not be."""

    kind: str
    name: str
    status: str
    attributes: Mapping[str, Any] = {}


class Case(NamedTuple):
    name: str
    make: Callable[[], tuple[Exchange, Sequence[Scripted]]]
    """The call, and what the provider says to it."""
    spans: Sequence[Expected]
    leave_after: int | None = None


def chat(**options: Any) -> Exchange:
    return call("openai", "/v1/chat/completions", CHAT, **options)


def server(status: str = "unset", /, **attributes: Any) -> Expected:
    return Expected("server", "POST /v1/chat/completions", status, dotted(attributes))


def client(name: str, status: str = "unset", /, **attributes: Any) -> Expected:
    return Expected("client", name, status, dotted(attributes))


def dotted(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``error__type`` as ``error.type``"""
    return {name.replace("__", "."): value for name, value in attributes.items()}


CASES = [
    Case(
        "a chat call",
        lambda: (chat(), [answer(COMPLETION)]),
        [
            server(
                http__request__method="POST",
                http__route="/v1/chat/completions",
                http__response__status_code=200,
                url__scheme="http",
                error__type=ABSENT,
                sidecar__door="base_url",
                sidecar__operation="chat",
                sidecar__endpoint="chat.completions",
                sidecar__provider="openai",
                sidecar__answered_by="openai",
                sidecar__outcome="completed",
                sidecar__attempts=1,
                sidecar__stream__chunks=ABSENT,
            ),
            client(
                "chat gpt-4o",
                gen_ai__operation__name="chat",
                gen_ai__provider__name="openai",
                gen_ai__output__type="text",
                gen_ai__request__model="gpt-4o",
                gen_ai__request__stream=False,
                gen_ai__request__temperature=1.0,
                gen_ai__request__max_tokens=7,
                gen_ai__response__id="chatcmpl-1",
                gen_ai__response__model="gpt-4o-2024-11-20",
                gen_ai__response__finish_reasons=["stop"],
                gen_ai__usage__input_tokens=9,
                gen_ai__usage__output_tokens=3,
                gen_ai__conversation__id=ABSENT,
                server__address="openai.example",
                server__port=443,
                error__type=ABSENT,
            ),
            client(
                "POST",
                http__request__method="POST",
                http__response__status_code=200,
                http__request__resend_count=ABSENT,
                server__address="openai.example",
                server__port=443,
                network__peer__address="192.0.2.1",
                sidecar__provider="openai",
                error__type=ABSENT,
            ),
        ],
    ),
    Case(
        "a streamed chat call",
        lambda: (
            call("openai", "/v1/chat/completions", {**CHAT, "stream": True}),
            [answer(EVENTS, content_type="text/event-stream")],
        ),
        [
            server(sidecar__stream__chunks=4),
            client(
                "chat gpt-4o",
                gen_ai__request__stream=True,
                gen_ai__response__finish_reasons=["length"],
                gen_ai__response__model="gpt-4o-x",
                gen_ai__usage__input_tokens=5,
                gen_ai__usage__output_tokens=2,
            ),
            client("POST", http__response__body__size=sum(map(len, EVENTS))),
        ],
    ),
    Case(
        "a call that goes on from what the provider keeps",
        lambda: (
            call("openai", "/v1/responses", {"model": "gpt-4o", "input": "hello", "conversation": "conv_1"}),
            [answer({"id": "resp_1"})],
        ),
        [
            Expected("server", "POST /v1/responses", "unset"),
            client("chat gpt-4o", gen_ai__conversation__id="conv_1", gen_ai__request__temperature=ABSENT),
            client("POST"),
        ],
    ),
    Case(
        "a call that wants JSON",
        lambda: (
            call("openai", "/v1/chat/completions", {**CHAT, "response_format": {"type": "json_object"}}),
            [answer(COMPLETION)],
        ),
        [server(), client("chat gpt-4o", gen_ai__output__type="json"), client("POST")],
    ),
    Case(
        "a decision",
        lambda: (call("openai", "/v1/decisions", {"model": "gpt-5"}), [answer({"id": "dec_1"})]),
        [
            Expected("server", "POST /v1/decisions", "unset", {"sidecar.endpoint": "decisions"}),
            client("chat gpt-5", gen_ai__response__id="dec_1"),
            client("POST"),
        ],
    ),
    Case(
        "a call for text to be completed",
        lambda: (
            call("openai", "/v1/completions", {"model": "davinci", "prompt": "hello"}),
            [answer({"id": "cmpl-1"})],
        ),
        [
            Expected("server", "POST /v1/completions", "unset"),
            client("text_completion davinci", gen_ai__operation__name="text_completion"),
            client("POST"),
        ],
    ),
    Case(
        "a call of a family with another name for it",
        lambda: (
            call("gemini", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", {"contents": []}),
            [answer([b"data: {}\n\n"])],
        ),
        [
            Expected("server", "POST /v1beta/models/{model}:streamGenerateContent", "unset"),
            client(
                "generate_content gemini-2.5-flash",
                gen_ai__operation__name="generate_content",
                gen_ai__provider__name="gcp.gemini",
                gen_ai__request__stream=True,
            ),
            client("POST"),
        ],
    ),
    Case(
        "speech",
        lambda: (
            call("openai", "/v1/audio/speech", SPEECH),
            [answer([b"RIFF", b"...."], content_type="audio/wav")],
        ),
        [
            Expected("server", "POST /v1/audio/speech", "unset", {"sidecar.operation": "tts"}),
            client(
                "text_to_speech tts-1",
                gen_ai__operation__name="text_to_speech",
                gen_ai__output__type="speech",
                gen_ai__speech__voice="alloy",
                sidecar__audio__format="wav",
                sidecar__tts__characters=11,
            ),
            client("POST", http__response__body__size=8),
        ],
    ),
    Case(
        "speech whose voice stands in the path",
        lambda: (
            call("elevenlabs", "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb", {"text": "hello", "model_id": "eleven_v3"}),
            [answer(b"ID3", content_type="audio/mpeg")],
        ),
        [
            Expected("server", "POST /v1/text-to-speech/{voice_id}", "unset"),
            client("text_to_speech eleven_v3", gen_ai__speech__voice="JBFqnCBsd6RMkjVDRZzb"),
            client("POST"),
        ],
    ),
    Case(
        "a transcription",
        lambda: (
            call(
                "deepgram",
                "/v1/listen?model=nova-3&language=en",
                b"RIFF....",
                headers={"Content-Type": "audio/wav"},
            ),
            [answer({"metadata": {"request_id": "r1", "duration": 2.5}, "results": {}})],
        ),
        [
            Expected("server", "POST /v1/listen", "unset", {"sidecar.operation": "stt", "http.request.body.size": 8}),
            client(
                "speech_to_text nova-3",
                gen_ai__operation__name="speech_to_text",
                gen_ai__output__type="text",
                gen_ai__speech__input__language="en",
                sidecar__audio__format="wav",
                sidecar__audio__input__duration=2.5,
            ),
            client("POST"),
        ],
    ),
    Case(
        "an upload that nobody held up",
        lambda: (
            call(
                "deepgram",
                "/v1/listen?model=nova-3",
                streamed([b"RIFF", b"...."]),
                headers={"Content-Type": "audio/wav"},
            ),
            [answer({"results": {}})],
        ),
        [
            Expected("server", "POST /v1/listen", "unset", {"http.request.body.size": 8}),
            client("speech_to_text nova-3"),
            client("POST"),
        ],
    ),
    Case(
        "a call that is known by name alone",
        lambda: (call("openai", "/v1/embeddings", {"input": "hello"}), [answer({"data": []})]),
        [
            Expected("server", "POST /v1/embeddings", "unset", {"sidecar.operation": "passthrough"}),
            client("POST", gen_ai__operation__name=ABSENT),
        ],
    ),
    Case(
        "a call that nobody knows",
        lambda: (call("openai", "/v1/beyond/user-4711", method="DELETE"), [answer()]),
        [
            Expected("server", "DELETE", "unset", {"http.route": ABSENT, "sidecar.endpoint": ABSENT}),
            client("DELETE", http__request__method="DELETE"),
        ],
    ),
    Case(
        "a socket",
        lambda: (
            call("openai", "/v1/realtime?model=gpt-realtime", socket=True),
            [socket_answer(sent=3, received=7)],
        ),
        [
            Expected(
                "server",
                "GET /v1/realtime",
                "unset",
                {
                    "http.response.status_code": 101,
                    "sidecar.operation": "realtime",
                    "sidecar.socket.messages_sent": 3,
                    "sidecar.socket.messages_received": 7,
                    "sidecar.socket.close_code": 1000,
                },
            ),
            client("realtime_inference gpt-realtime", gen_ai__output__type="speech"),
            client("GET", http__response__status_code=101),
        ],
    ),
    Case(
        "a socket that broke off",
        lambda: (call("deepgram", "/v1/listen?model=nova-3", socket=True), [socket_answer(close_code=None)]),
        [
            Expected("server", "GET /v1/listen", "error", {"error.type": "connection_terminated"}),
            client("speech_to_text nova-3", "error", error__type="connection_terminated"),
            client("GET"),
        ],
    ),
    Case(
        "a provider that cannot be reached",
        lambda: (chat(), [ConnectFailed("nobody listens")]),
        [
            server(
                "error",
                error__type="connection_refused",
                http__response__status_code=502,
                sidecar__outcome="failed",
            ),
            client("chat gpt-4o", "error", error__type="connection_refused"),
            client("POST", "error", error__type="connection_refused", http__response__status_code=ABSENT),
        ],
    ),
    Case(
        "a provider that is late",
        lambda: (chat(), [UpstreamTimeout("first_byte", 3)]),
        [
            server("error", error__type="http_response_timeout", http__response__status_code=504),
            client("chat gpt-4o", "error", error__type="http_response_timeout"),
            client("POST", "error", error__type="http_response_timeout"),
        ],
    ),
    Case(
        "a provider that breaks off",
        lambda: (
            call("openai", "/v1/chat/completions", {**CHAT, "stream": True}),
            [answer(streamed(EVENTS[:2], UpstreamBroken("gone", begun=True)), content_type="text/event-stream")],
        ),
        [
            server(
                "error",
                error__type="connection_terminated",
                sidecar__outcome="failed",
                sidecar__stream__chunks=2,
                http__response__body__size=len(EVENTS[0] + EVENTS[1]),
                http__response__status_code=200,
            ),
            client("chat gpt-4o", "error", error__type="connection_terminated"),
            client("POST", "error", error__type="connection_terminated"),
        ],
    ),
    Case(
        "a refusal of the agent's call is the agent's error",
        lambda: (
            chat(),
            [answer({"error": {"type": "requests", "code": "rate_limit_exceeded", "message": "slow down"}}, 429)],
        ),
        [
            server(http__response__status_code=429, error__type=ABSENT, sidecar__outcome="completed"),
            client("chat gpt-4o", "error", error__type="rate_limit_exceeded"),
            client("POST", "error", error__type="429", http__response__status_code=429),
        ],
    ),
    Case(
        "an error of the provider",
        lambda: (chat(), [answer(b"oops", 500)]),
        [
            server("error", error__type="500"),
            client("chat gpt-4o", "error", error__type="500"),
            client("POST", "error", error__type="500"),
        ],
    ),
    Case(
        "an error inside a good answer",
        lambda: (
            call("openai", "/v1/chat/completions", {**CHAT, "stream": True}),
            [
                answer(
                    [EVENTS[0], b'data: {"error":{"type":"server_error","code":null}}\n\n'],
                    content_type="text/event-stream",
                )
            ],
        ),
        [
            server(error__type=ABSENT, http__response__status_code=200),
            client("chat gpt-4o", "error", error__type="server_error"),
            client("POST", error__type=ABSENT),
        ],
    ),
    Case(
        "a second provider saves the call",
        lambda: (
            chat(to=[provider("openai"), provider("openai", "spare")]),
            [ConnectFailed("nobody listens"), answer(COMPLETION)],
        ),
        [
            server(sidecar__attempts=2, sidecar__provider="openai", sidecar__answered_by="spare", error__type=ABSENT),
            client("chat gpt-4o", server__address="spare.example", error__type=ABSENT),
            client("POST", "error", error__type="connection_refused", sidecar__provider="openai"),
            client(
                "POST",
                http__request__resend_count=1,
                sidecar__attempt__number=1,
                sidecar__provider="spare",
                server__address="spare.example",
            ),
        ],
    ),
    Case(
        "an agent that leaves in the middle has done nothing wrong",
        lambda: (
            call("openai", "/v1/chat/completions", {**CHAT, "stream": True}),
            [answer(EVENTS, content_type="text/event-stream")],
        ),
        [
            server(sidecar__outcome="cancelled", error__type=ABSENT, http__response__body__size=len(EVENTS[0])),
            client("chat gpt-4o", sidecar__outcome="cancelled", error__type=ABSENT),
            client("POST", error__type=ABSENT),
        ],
        leave_after=1,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_call_becomes_its_spans(case: Case) -> None:
    exchange, answers = case.make()
    found = told(await played(exchange, *answers, leave_after=case.leave_after))
    assert [(span.kind, span.name, span.status) for span in found] == [
        (expected.kind, expected.name, expected.status) for expected in case.spans
    ]
    for span, expected in zip(found, case.spans, strict=True):
        for name, value in expected.attributes.items():
            assert span.attributes.get(name, ABSENT) == value, name
    holds_together(found, exchange)


def holds_together(found: Sequence[Told], exchange: Exchange) -> None:
    """What is true of every trace of ours."""
    root, *others = found
    assert root.trace_id == exchange.id
    assert root.parent_id == ""
    assert {span.trace_id for span in others} <= {root.trace_id}
    assert len({span.span_id for span in found}) == len(found)
    assert all(int(span.span_id, 16) for span in found)
    parents = {span.span_id: span for span in found}
    for span in others:
        around = parents[span.parent_id]
        assert around.start_ns <= span.start_ns <= span.end_ns <= around.end_ns
    for attempt in (span for span in others if "sidecar.attempt.number" in span):
        operations = [span for span in others if "gen_ai.operation.name" in span]
        assert attempt.parent_id == (operations or [root])[0].span_id
    assert root.start_ns == exchange.received_ns
    assert root["sidecar.request.id"] == exchange.id


async def test_time_to_the_first_chunk_is_told_to_the_agent_and_of_the_provider() -> None:
    async def slow(attempt: Any) -> Response:
        await asyncio.sleep(0.02)
        return answer([b"a", b"b"])

    root, operation, attempt = told(await played(chat(), slow))
    assert root["sidecar.ttfb"] >= operation["gen_ai.response.time_to_first_chunk"] >= 0.015
    assert attempt["sidecar.attempt.first_byte"] >= attempt["sidecar.attempt.request_sent"] >= 0
    root, operation, _ = told(await played(chat(), ConnectFailed("no")))
    assert "gen_ai.response.time_to_first_chunk" not in operation


class Answering(AroundExchange):
    """A plugin that answers from what it has."""

    Config = PluginConfig

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        exchange.note("answering", "hit", "known since morning", age_seconds=1.5, tier="memory", exact=True, uses=3)
        return Response(status=200, body=Body(b"{}"), answered_by="answering")


async def test_a_call_that_no_provider_was_asked_for_is_one_span() -> None:
    (root,) = told(await played(chat(), plugins=[Answering()]))
    assert (root["sidecar.attempts"], root["sidecar.answered_by"]) == (0, "answering")
    assert root.events == [
        (
            "sidecar.verdict",
            {
                "sidecar.plugin": "answering",
                "sidecar.verdict": "hit",
                "sidecar.reason": "known since morning",
                "sidecar.answering.age_seconds": 1.5,
                "sidecar.answering.tier": "memory",
                "sidecar.answering.exact": True,
                "sidecar.answering.uses": 3,
            },
        )
    ]
    assert root.start_ns <= root.event_times[0] <= root.end_ns


class Failing(AroundExchange):
    Config = PluginConfig

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        raise ZeroDivisionError("no reason")


async def test_a_fault_of_a_plugin_is_an_event_and_no_error() -> None:
    root, *others = told(await played(chat(), answer(COMPLETION), plugins=[Failing()]))
    assert root.events == [
        (
            "sidecar.fault",
            {
                "sidecar.plugin": "failing",
                "sidecar.hook": "around_exchange",
                "sidecar.reason": "raised ZeroDivisionError: no reason",
                "sidecar.action": "bypassed",
            },
        )
    ]
    assert {span.status for span in (root, *others)} == {"unset"}


async def test_attempts_stand_under_the_call_where_the_agent_tells_of_the_operation_itself() -> None:
    record = await played(chat(), answer(COMPLETION))
    root, attempt = told(record, genai=False)
    assert attempt.parent_id == root.span_id
    assert not [name for name in attempt.attributes if name.startswith("gen_ai.")]


async def test_usage_is_told_by_kind_and_nonsense_is_not() -> None:
    _, operation, _ = told(await played(chat(), answer(COMPLETION)))
    assert {name: value for name, value in operation.attributes.items() if ".usage." in name} == {
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 1,
        "gen_ai.usage.audio.input_tokens": 4,
        "gen_ai.usage.audio.output_tokens": 5,
    }
    for nonsense in (-1, 2**63, 2**64, 10**30, 1.5, "many", None, True):
        usage = {"prompt_tokens": nonsense, "completion_tokens": 3}
        _, operation, _ = told(await played(chat(), answer({**COMPLETION, "usage": usage})))
        assert operation.attributes.get("gen_ai.usage.input_tokens", 0) >= 0, nonsense


@pytest.mark.parametrize("number", [10**400, -(10**400), 2**64, 1e308, -1])
async def test_no_number_of_a_request_keeps_it_from_being_told(number: float) -> None:
    body = {"model": "gpt-4o", "temperature": "T", "max_tokens": "M", "messages": []}
    written = str(body).replace("'T'", str(number)).replace("'M'", str(number)).replace("'", '"').encode()
    exchange = call("openai", "/v1/chat/completions", written, headers={"Content-Type": "application/json"})
    assert [span.kind for span in told(await played(exchange, answer(COMPLETION)))] == ["server", "client", "client"]


async def test_a_method_of_the_agents_own_making_is_told_as_it_is() -> None:
    (root, *_) = told(await played(call("openai", "/x", method="BREW"), answer()))
    assert (root.name, root["http.request.method"]) == ("BREW", "BREW")


async def test_a_spliced_connection_is_one_span() -> None:
    far = Provider(name="other", origin=Origin("https", "elsewhere.example", 443))
    exchange = Exchange(
        id="a" * 32,
        request=Request(method="CONNECT", target="elsewhere.example:443"),
        provider=far,
        candidates=(far,),
        notes=Notes(100.0),
        door="connect",
        received_ns=10**18,
    )
    (span,) = told(Record(exchange=exchange, outcome="completed", ended=102.0, request_bytes=5, response_bytes=7))
    assert (span.name, span.status, span.end_ns - span.start_ns) == ("CONNECT", "unset", 2 * 10**9)
    assert (span["url.scheme"], span["sidecar.door"], span["sidecar.provider"]) == ("https", "connect", "other")
    refused = Record(exchange=exchange, outcome="failed", ended=102.0, error=Forbidden("not there"))
    (span,) = told(refused)
    assert (span.status, span.message, span["error.type"]) == ("error", "not there", "destination_ip_prohibited")


async def test_a_message_of_an_error_is_bounded() -> None:
    for span in told(await played(chat(), ConnectFailed("x" * 10_000))):
        assert len(span.message) <= 500


async def test_what_was_never_expected_is_told_by_its_type_alone() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("who knows what is in here")

    root, *_ = told(await played(chat(), answer(StreamedBody(endless()))))
    assert (root.status, root["error.type"], root.message) == ("error", "ValueError", "")


# -- names -------------------------------------------------------------------------------------------------------------

#: Names that are not ours: semantic-conventions v1.41.1 (gen-ai, http, server, network, error, url), and of the open
#: proposal on speech (semantic-conventions-genai #390) what stands under gen_ai.speech.
CONVENTIONS = {
    "error.type",
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.output.type",
    "gen_ai.provider.name",
    "gen_ai.request.max_tokens",
    "gen_ai.request.model",
    "gen_ai.request.stream",
    "gen_ai.request.temperature",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.response.model",
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.speech.input.language",
    "gen_ai.speech.voice",
    "gen_ai.usage.audio.input_tokens",
    "gen_ai.usage.audio.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "http.request.body.size",
    "http.request.method",
    "http.request.resend_count",
    "http.response.body.size",
    "http.response.status_code",
    "http.route",
    "network.peer.address",
    "server.address",
    "server.port",
    "url.scheme",
}
OURS = {
    "sidecar.answered_by",
    "sidecar.attempt.first_byte",
    "sidecar.attempt.number",
    "sidecar.attempt.request_sent",
    "sidecar.attempts",
    "sidecar.audio.format",
    "sidecar.audio.input.duration",
    "sidecar.connection.reused",
    "sidecar.door",
    "sidecar.endpoint",
    "sidecar.operation",
    "sidecar.outcome",
    "sidecar.provider",
    "sidecar.request.id",
    "sidecar.socket.close_code",
    "sidecar.socket.messages_received",
    "sidecar.socket.messages_sent",
    "sidecar.stream.chunks",
    "sidecar.stream.longest_gap",
    "sidecar.ttfb",
    "sidecar.tts.characters",
}
OPERATIONS = {"chat", "text_completion", "generate_content", "speech_to_text", "text_to_speech", "realtime_inference"}


async def test_every_name_is_one_that_the_conventions_or_we_have_written_down() -> None:
    names: set[str] = set()
    for case in CASES:
        exchange, answers = case.make()
        for span in told(await played(exchange, *answers, leave_after=case.leave_after)):
            names.update(span.attributes)
            assert span.attributes.get("gen_ai.operation.name", "chat") in OPERATIONS
    assert names == CONVENTIONS | OURS
