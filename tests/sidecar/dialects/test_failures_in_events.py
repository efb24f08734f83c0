"""What goes wrong in the middle of a stream is told in an event of it."""

import json
from typing import Any

import pytest

from sidecar import sse
from sidecar.dialect import Call, Operation
from sidecar.dialects import load, names
from sidecar.failure import Failure, Kind
from tests import corpus
from tests.corpus import CapturedAnswer

CHAT = Call(operation=Operation.CHAT, endpoint="chat.completions", route="/v1/chat/completions", stream=True)
STREAM = Call(operation=Operation.CHAT, endpoint="streamGenerateContent", route="/v1/models/{model}")
POLL = Call(operation=Operation.PASSTHROUGH, endpoint="transcript.poll", route="/v2/transcript/{id}")


def told(dialect: str, document: Any, call: Call = CHAT) -> Failure | None:
    return load(dialect).failure_in_event(call, json.dumps(document).encode())


EVENTS: list[tuple[str, Any, Kind, str]] = [
    ("openai", {"error": {"message": "no", "type": "server_error", "code": None}}, Kind.SERVER, "server_error"),
    ("openai", {"error": {"message": "no", "code": "rate_limit_exceeded"}}, Kind.RATE, "rate_limit_exceeded"),
    ("openai", {"error": {"type": "invalid_request_error"}}, Kind.INVALID, "invalid_request_error"),
    ("openai", {"error": "the model crashed"}, Kind.SERVER, "error"),
    ("openai", {"error": {"message": "no", "code": 429}}, Kind.RATE, "429"),
    ("openai", {"type": "error", "code": "insufficient_quota", "message": "no"}, Kind.QUOTA, "insufficient_quota"),
    ("openai", {"type": "error", "error": {"type": "server_error", "message": "no"}}, Kind.SERVER, "server_error"),
    (
        "openai",
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error"}}},
        *(Kind.SERVER, "server_error"),
    ),
    (
        "openai",
        {"type": "response.failed", "response": {"status": "failed", "error": {"code": "invalid_prompt"}}},
        *(Kind.REFUSED, "invalid_prompt"),
    ),
    (
        "openai",
        {
            "type": "response.done",
            "response": {"status": "failed", "status_details": {"error": {"code": "rate_limit_exceeded"}}},
        },
        *(Kind.RATE, "rate_limit_exceeded"),
    ),
    ("azure_openai", {"error": {"code": "content_filter", "message": "no"}}, Kind.REFUSED, "content_filter"),
    ("groq", {"id": "c", "choices": [], "x_groq": {"id": "r", "error": "over_capacity"}}, Kind.OVERLOADED, "over_c"),
    ("mistral", {"object": "error", "message": "no", "type": "rate_limited", "code": "1300"}, Kind.RATE, "rate_lim"),
    ("anthropic", {"type": "error", "error": {"type": "overloaded_error"}}, Kind.OVERLOADED, "overloaded_error"),
    ("anthropic", {"type": "error", "error": {"type": "api_error"}}, Kind.SERVER, "api_error"),
    ("anthropic", {"type": "error", "error": {"type": "rate_limit_error"}}, Kind.RATE, "rate_limit_error"),
    ("anthropic", {"type": "error", "error": {"type": "permission_error"}}, Kind.AUTH, "permission_error"),
    ("anthropic", {"type": "error", "error": {"type": "timeout_error"}}, Kind.TIMEOUT, "timeout_error"),
    ("gemini", {"error": {"code": 503, "status": "UNAVAILABLE"}}, Kind.OVERLOADED, "UNAVAILABLE"),
    ("gemini", {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, Kind.INVALID, "INVALID_ARGUMENT"),
    ("gemini", {"event_type": "error", "error": {"code": "not_found", "message": "no"}}, Kind.UNSUPPORTED, "not_found"),
    ("gemini", {"interaction": {"status": "failed", "errors": [{"code": "internal"}]}}, Kind.SERVER, "internal"),
    ("cartesia", {"type": "error", "status_code": 429, "error_code": "concurrency_limited"}, Kind.CONCURRENCY, "concu"),
    ("cartesia", {"type": "error", "status_code": 500, "title": "Internal Error"}, Kind.SERVER, "Internal_Error"),
    ("deepgram", {"type": "Error", "code": "NET-0001", "description": "no"}, Kind.INVALID, "NET-0001"),
    ("deepgram", {"type": "Error", "code": "NET-0000", "description": "no"}, Kind.SERVER, "NET-0000"),
    ("elevenlabs", {"message_type": "quota_exceeded", "error": "no more"}, Kind.QUOTA, "quota_exceeded"),
    ("elevenlabs", {"message_type": "auth_error", "error": "no key"}, Kind.AUTH, "auth_error"),
    ("elevenlabs", {"message_type": "rate_limited", "error": "slower"}, Kind.RATE, "rate_limited"),
    ("elevenlabs", {"message_type": "queue_overflow", "error": "full"}, Kind.OVERLOADED, "queue_overflow"),
    ("elevenlabs", {"message_type": "transcriber_error", "error": "no"}, Kind.SERVER, "transcriber_error"),
    ("elevenlabs", {"message": "no", "error": "invalid_request", "code": 1008}, Kind.INVALID, "invalid_request"),
    ("assemblyai", {"type": "Error", "error_code": 4002, "error": "Insufficient funds"}, Kind.QUOTA, "4002"),
    ("assemblyai", {"type": "Error", "error": "the stream broke"}, Kind.SERVER, "error"),
    ("yandex", {"error": {"grpcCode": 14, "message": "no"}}, Kind.OVERLOADED, "UNAVAILABLE"),
]


@pytest.mark.parametrize(("dialect", "document", "kind", "code"), EVENTS)
def test_an_event_that_tells_of_an_error(dialect: str, document: Any, kind: Kind, code: str) -> None:
    failure = told(dialect, document)
    assert failure is not None
    assert failure.kind is kind
    assert failure.code.startswith(code)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        ("error", "Download error, unable to download the file", Kind.INVALID),
        ("error", "Transcoding failed. File does not appear to contain audio.", Kind.INVALID),
        ("error", "Internal server error. Please retry.", Kind.SERVER),
    ],
)
def test_a_job_that_ended_badly(status: str, error: str, kind: Kind) -> None:
    failure = told("assemblyai", {"id": "t", "status": status, "error": error}, POLL)
    assert failure is not None
    assert failure.kind is kind


@pytest.mark.parametrize("document", [{"promptFeedback": {"blockReason": "SAFETY"}}, {"error": {"code": 500}}])
def test_a_stream_of_geminis_that_is_refused_in_its_first_event(document: Any) -> None:
    failure = told("gemini", document, STREAM)
    assert failure is not None
    assert failure.kind is (Kind.REFUSED if "promptFeedback" in document else Kind.SERVER)


@pytest.mark.parametrize("document", [{"candidates": [{"finishReason": "SAFETY"}]}, {"usageMetadata": {}}, {}])
def test_an_end_of_a_stream_of_geminis_is_no_failure(document: Any) -> None:
    assert told("gemini", document, STREAM) is None


STREAMED = [answer for answer in corpus.answers() if answer.headers.get("content-type") == "text/event-stream"]


@pytest.mark.parametrize("answer", STREAMED, ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_of_a_captured_stream_one_event_or_none_tells_of_an_error(answer: CapturedAnswer) -> None:
    dialect, case = load(answer.dialect), corpus.case(answer.dialect, answer.case)
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    for size in (len(answer.body), 1, 7):
        reader, found = sse.Reader(), []
        for at in range(0, len(answer.body), size):
            found += [dialect.failure_in_event(call, each.data) for each in reader.feed(answer.body[at : at + size])]
        if (last := reader.end()) is not None:
            found.append(dialect.failure_in_event(call, last.data))
        failures = [failure for failure in found if failure is not None]
        assert len(failures) == (1 if answer.what in ("error", "failed", "overloaded", "stream_error") else 0)


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize("document", [b"", b"[DONE]", b"null", b"1", b"[]", b'"error"', b"{", b"\xff", b'{"type": 1}'])
def test_what_is_no_event_of_an_error(dialect: str, document: bytes) -> None:
    assert load(dialect).failure_in_event(CHAT, document) is None
