"""What every captured error means, and further ones in each provider's words."""

import gzip
import json
from typing import Any

import pytest

from sidecar.dialect import Call, Operation
from sidecar.dialects import load, names
from sidecar.failure import CODE_LIMIT, MESSAGE_LIMIT, Failure, Kind
from sidecar.headers import Headers
from tests import corpus
from tests.corpus import CapturedAnswer

Expected = tuple[Kind, str, float | None]

#: What is not here is a success.
CAPTURED: dict[str, dict[str, Expected]] = {
    "anthropic": {
        "messages.stream~error": (Kind.SERVER, "api_error", None),
        "messages.stream~overloaded": (Kind.OVERLOADED, "overloaded_error", None),
        "messages~billing": (Kind.QUOTA, "billing_error", None),
        "messages~no_credit": (Kind.QUOTA, "invalid_request_error", None),
        "messages~overloaded": (Kind.OVERLOADED, "overloaded_error", None),
        "messages~rate_limit": (Kind.RATE, "rate_limit_error", 13.0),
        "messages~spend_limit": (Kind.QUOTA, "enforced_spend_limit_reached", None),
        "messages~too_long": (Kind.UNSUPPORTED, "invalid_request_error", None),
    },
    "assemblyai": {
        "speech~at_capacity": (Kind.CONCURRENCY, "at_capacity", 2.5),
        "transcribe~capacity": (Kind.OVERLOADED, "capacity_exceeded", 1.0),
        "transcribe~problem": (Kind.OVERLOADED, "Service_Unavailable", None),
        "transcribe~short": (Kind.INVALID, "audio_too_short", None),
        "transcribe~too_large": (Kind.UNSUPPORTED, "audio_too_large", None),
        "transcript.poll~failed": (Kind.INVALID, "error", None),
        "transcript~no_funds": (Kind.QUOTA, "400", None),
        "transcript~unauthorized": (Kind.AUTH, "401", None),
    },
    "azure_openai": {
        "chat.completions~content_filter": (Kind.REFUSED, "content_filter", None),
        "chat.completions~high_demand": (Kind.OVERLOADED, "429", None),
        "chat.completions~limited": (Kind.RATE, "429", 25.41),
        "chat.completions~no_deployment": (Kind.UNSUPPORTED, "DeploymentNotFound", None),
    },
    "azure_speech": {
        "recognize.by_hand~error": (Kind.SERVER, "Error", None),
        "recognize.by_hand~limited": (Kind.RATE, "429", 1.0),
        "recognize.by_hand~unauthorized": (Kind.AUTH, "401", None),
        "synthesize.by_hand~used_up": (Kind.QUOTA, "403", 303092.0),
    },
    "cartesia": {
        "tts.bytes~credits": (Kind.QUOTA, "quota_exceeded", None),
        "tts.bytes~refused": (Kind.CONCURRENCY, "concurrency_limited", None),
        "tts.bytes~text": (Kind.INVALID, "Bad_Request", None),
        "tts.bytes~too_many": (Kind.CONCURRENCY, "Too_many_concurrent_requests", None),
        "tts.sse~error": (Kind.SERVER, "internal_error", None),
    },
    "deepgram": {
        "listen.url~remote": (Kind.INVALID, "INVALID_JSON", None),
        "listen~corrupt": (Kind.UNSUPPORTED, "Bad_Request", None),
        "listen~no_access": (Kind.UNSUPPORTED, "INSUFFICIENT_PERMISSIONS", None),
        "listen~no_credit": (Kind.QUOTA, "ASR_PAYMENT_REQUIRED", None),
        "listen~refused": (Kind.CONCURRENCY, "TOO_MANY_REQUESTS", None),
    },
    "elevenlabs": {
        "text-to-speech~busy": (Kind.CONCURRENCY, "too_many_concurrent_requests", None),
        "text-to-speech~invalid": (Kind.INVALID, "missing", None),
        "text-to-speech~no_voice": (Kind.UNSUPPORTED, "voice_not_found", None),
        "text-to-speech~quota": (Kind.QUOTA, "quota_exceeded", None),
        "text-to-speech~system_busy": (Kind.OVERLOADED, "system_busy", None),
        "text-to-speech~too_long": (Kind.UNSUPPORTED, "max_character_limit_exceeded", None),
        "text-to-speech~unusual": (Kind.AUTH, "detected_unusual_activity", None),
    },
    "gemini": {
        "generateContent~blocked": (Kind.REFUSED, "PROHIBITED_CONTENT", None),
        "generateContent~exhausted": (Kind.RATE, "RESOURCE_EXHAUSTED", 46.0),
        "generateContent~kept_back": (Kind.REFUSED, "PROHIBITED_CONTENT", None),
        "generateContent~no_key": (Kind.AUTH, "API_KEY_INVALID", None),
        "generateContent~no_quota": (Kind.QUOTA, "RESOURCE_EXHAUSTED", 37025.723541104),
        "generateContent~per_day": (Kind.QUOTA, "RESOURCE_EXHAUSTED", 35640.5),
        "generateContent~per_minute": (Kind.RATE, "RESOURCE_EXHAUSTED", 46.2),
        "generateContent~prepaid": (Kind.QUOTA, "RESOURCE_EXHAUSTED", None),
        "interactions~error": (Kind.SERVER, "internal", None),
    },
    "google_cloud": {
        "speech.recognize~invalid": (Kind.INVALID, "INVALID_ARGUMENT", None),
        "speech.recognize~no_billing": (Kind.QUOTA, "BILLING_DISABLED", None),
        "speech.recognize~per_minute": (Kind.RATE, "RATE_LIMIT_EXCEEDED", None),
        "speech.recognize~too_long": (Kind.UNSUPPORTED, "INVALID_ARGUMENT", None),
        "speech.recognize~unavailable": (Kind.OVERLOADED, "UNAVAILABLE", None),
    },
    "groq": {
        "audio.transcriptions~too_large": (Kind.UNSUPPORTED, "request_too_large", None),
        "chat.completions~flex": (Kind.OVERLOADED, "capacity_exceeded", None),
        "chat.completions~rate_limit": (Kind.RATE, "rate_limit_exceeded", 432.5),
        "chat.completions~stream_error": (Kind.OVERLOADED, "over_capacity", None),
        "chat.completions~too_many_tokens": (Kind.UNSUPPORTED, "rate_limit_exceeded", None),
        "chat.completions~tool": (Kind.SERVER, "tool_use_failed", None),
    },
    "mistral": {
        "chat.completions~invalid": (Kind.INVALID, "missing", None),
        "chat.completions~limited": (Kind.RATE, "rate_limited", None),
        "chat.completions~no_model": (Kind.UNSUPPORTED, "invalid_model", None),
        "chat.completions~refused": (Kind.OVERLOADED, "service_tier_capacity_exceeded", None),
        "chat.completions~unauthorized": (Kind.AUTH, "401", None),
    },
    "openai": {
        "chat.completions.elsewhere~plain_error": (Kind.INVALID, "400", None),
        "chat.completions.stream~error": (Kind.SERVER, "server_error", None),
        "chat.completions~no_code": (Kind.INVALID, "invalid_request_error", None),
        "chat.completions~no_model": (Kind.UNSUPPORTED, "model_not_found", None),
        "chat.completions~overloaded": (Kind.OVERLOADED, "server_is_overloaded", None),
        "chat.completions~quota": (Kind.QUOTA, "credit_balance_exhausted", None),
        "chat.completions~rate_limit": (Kind.RATE, "rate_limit_exceeded", 1.2),
        "chat.completions~slow_down": (Kind.RATE, "slow_down", None),
        "chat.completions~tokens": (Kind.RATE, "rate_limit_exceeded", 0.8240000000000001),
        "chat.completions~too_large": (Kind.UNSUPPORTED, "rate_limit_exceeded", None),
        "chat.completions~too_long": (Kind.UNSUPPORTED, "context_length_exceeded", None),
        "responses.stream~error": (Kind.SERVER, "ERR_SOMETHING", None),
        "responses.stream~failed": (Kind.RATE, "rate_limit_exceeded", None),
        "responses~failed": (Kind.SERVER, "server_error", None),
    },
    "yandex": {
        "stt.recognize~refused": (Kind.RATE, "TOO_MANY_REQUESTS", None),
        "stt.recognize~too_large": (Kind.UNSUPPORTED, "BAD_REQUEST", None),
        "stt.recognize~unauthorized": (Kind.AUTH, "UNAUTHORIZED", None),
        "tts.v3.utteranceSynthesis~refused": (Kind.UNSUPPORTED, "INVALID_ARGUMENT", None),
    },
}


def of_captured(answer: CapturedAnswer) -> Failure | None:
    dialect, case = load(answer.dialect), corpus.case(answer.dialect, answer.case)
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    return dialect.failure(call, answer.status, answer.headers, answer.body)


@pytest.mark.parametrize("answer", corpus.answers(), ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_a_captured_answer(answer: CapturedAnswer) -> None:
    failure = of_captured(answer)
    expected = CAPTURED[answer.dialect].get(f"{answer.case}~{answer.what}")
    assert (failure and (failure.kind, failure.code, failure.retry_after_seconds)) == expected
    if failure is not None and answer.status >= 400:
        assert failure.status == answer.status


def test_the_table_and_the_corpus_are_of_one_extent() -> None:
    assert set(CAPTURED) == set(names())
    captured = {(answer.dialect, f"{answer.case}~{answer.what}") for answer in corpus.answers()}
    assert {(dialect, name) for dialect, table in CAPTURED.items() for name in table} <= captured


@pytest.mark.parametrize("dialect", names())
def test_a_redirect_or_an_interim_answer_is_none(dialect: str) -> None:
    for status in (100, 101, 103, 301, 302, 304, 307, 308):
        assert failed(dialect, status, {"error": {"message": "moved"}}) is None


# -- further words -----------------------------------------------------------------------------------------------------

CHAT = Call(operation=Operation.CHAT, endpoint="chat.completions", route="/v1/chat/completions")


def failed(dialect: str, status: int, body: Any, call: Call = CHAT, **headers: str) -> Failure | None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return load(dialect).failure(call, status, Headers.of(**headers), data)


def error(message: str = "no", **members: Any) -> dict[str, Any]:
    return {"error": {"message": message, **members}}


def google(status: str, message: str = "no", *details: Any) -> dict[str, Any]:
    return {"error": {"code": 0, "message": message, "status": status, "details": list(details)}}


def violation(quota: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}


SAID: list[tuple[str, int, Any, Kind, str]] = [
    # money that looks like a rate limit
    *(
        ("openai", 429, error(type="insufficient_quota", code=code), Kind.QUOTA, code)
        for code in (
            "credit_balance_exhausted",
            "insufficient_quota",
            "organization_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "project_spend_limit_exceeded",
            "billing_hard_limit_reached",
        )
    ),
    ("openai", 429, error(type="insufficient_quota", code=None), Kind.QUOTA, "insufficient_quota"),
    ("openai", 429, error(type="insufficient_quota", code="new_limit"), Kind.QUOTA, "insufficient_quota"),
    ("openai", 429, error(type="requests", code=None), Kind.RATE, "requests"),
    ("openai", 401, error(type="invalid_request_error", code="invalid_api_key"), Kind.AUTH, "invalid_api_key"),
    ("openai", 403, error(code="unsupported_country_region_territory"), Kind.UNSUPPORTED, "unsupported_country_regi"),
    ("openai", 400, error(type="invalid_request_error", code="unsupported_value"), Kind.UNSUPPORTED, "unsupported_va"),
    ("openai", 400, error("Audio file is too short", code="audio_too_short"), Kind.INVALID, "audio_too_short"),
    ("openai", 400, error(code="content_policy_violation"), Kind.REFUSED, "content_policy_violation"),
    ("openai", 400, error(code="invalid_prompt"), Kind.REFUSED, "invalid_prompt"),
    ("openai", 500, error(type="server_error", code=None), Kind.SERVER, "server_error"),
    ("openai", 502, b"<html><h1>502 Bad Gateway</h1></html>", Kind.SERVER, "502"),
    ("openai", 503, b"upstream connect error or disconnect/reset before headers", Kind.OVERLOADED, "503"),
    ("openai", 504, b"", Kind.TIMEOUT, "504"),
    ("openai", 522, b"error code: 522", Kind.TIMEOUT, "522"),
    ("openai", 409, error(code="conflict"), Kind.SERVER, "conflict"),
    # servers that follow OpenAI
    ("openai", 400, {"error": "This model does not support tools"}, Kind.UNSUPPORTED, "400"),
    ("openai", 404, {"detail": "Not Found"}, Kind.UNSUPPORTED, "404"),
    ("openai", 422, {"detail": [{"type": "missing", "msg": "Field required"}]}, Kind.INVALID, "missing"),
    ("openai", 400, {"object": "error", "message": "no", "type": "BadRequestError"}, Kind.INVALID, "BadRequestError"),
    ("azure_openai", 429, error(code="NoCapacity"), Kind.OVERLOADED, "NoCapacity"),
    ("azure_openai", 429, error(code="RateLimitReached"), Kind.RATE, "RateLimitReached"),
    ("azure_openai", 429, error(code="insufficient_quota"), Kind.QUOTA, "insufficient_quota"),
    ("azure_openai", 429, error("System is experiencing high demand", code="429"), Kind.OVERLOADED, "429"),
    ("azure_openai", 400, error(code="OperationNotSupported"), Kind.UNSUPPORTED, "OperationNotSupported"),
    ("azure_openai", 401, {"statusCode": 401, "message": "Unauthorized."}, Kind.AUTH, "401"),
    ("groq", 400, error(code="model_decommissioned"), Kind.UNSUPPORTED, "model_decommissioned"),
    ("groq", 400, error(code="json_validate_failed"), Kind.SERVER, "json_validate_failed"),
    ("groq", 400, error(code="blocked_api_access"), Kind.QUOTA, "blocked_api_access"),
    ("groq", 400, error(code="organization_restricted"), Kind.AUTH, "organization_restricted"),
    ("mistral", 402, {"detail": "Payment required"}, Kind.QUOTA, "402"),
    ("mistral", 503, {"object": "error", "type": "unreachable_backend", "code": "1100"}, Kind.OVERLOADED, "unreach"),
    # Anthropic's codes stand below the error
    *(
        ("anthropic", status, error(type="x_error", details={"error_code": code}), kind, code)
        for status, code, kind in (
            (429, "contract_spend_limit_reached", Kind.QUOTA),
            (429, "ramp_limit_exceeded", Kind.RATE),
            (400, "organization_on_hold", Kind.AUTH),
            (400, "image_dimensions_too_large", Kind.UNSUPPORTED),
            (400, "organization_not_enrolled_in_beta", Kind.UNSUPPORTED),
            (400, "compaction_block_misplaced", Kind.INVALID),
            (402, "linked_organization_spend_limit_reached", Kind.QUOTA),
            (529, "compaction_unavailable", Kind.OVERLOADED),
        )
    ),
    ("anthropic", 400, error("You have reached your specified API usage limits."), Kind.QUOTA, "400"),
    ("anthropic", 400, error("Output blocked by content filtering policy"), Kind.REFUSED, "400"),
    ("anthropic", 500, error(type="api_error"), Kind.SERVER, "api_error"),
    ("anthropic", 504, error(type="timeout_error"), Kind.TIMEOUT, "timeout_error"),
    (
        "gemini",
        429,
        google("RESOURCE_EXHAUSTED", "no", violation("ConcurrentRequestsPerProject")),
        Kind.CONCURRENCY,
        "R",
    ),
    ("gemini", 429, google("RESOURCE_EXHAUSTED", "no", violation("RequestsPerMinutePerProject")), Kind.RATE, "RES"),
    (
        *("gemini", 429),
        google("RESOURCE_EXHAUSTED", "no", violation("RequestsPerMinute"), violation("TokensPerDay")),
        *(Kind.QUOTA, "RESOURCE_EXHAUSTED"),
    ),
    ("gemini", 400, google("FAILED_PRECONDITION", "not available in your country"), Kind.UNSUPPORTED, "FAILED_PRECON"),
    ("gemini", 403, google("PERMISSION_DENIED"), Kind.AUTH, "PERMISSION_DENIED"),
    ("gemini", 499, google("CANCELLED"), Kind.NETWORK, "CANCELLED"),
    ("gemini", 429, [google("RESOURCE_EXHAUSTED")], Kind.RATE, "RESOURCE_EXHAUSTED"),
    ("gemini", 429, error(code="quota_exceeded"), Kind.QUOTA, "quota_exceeded"),
    ("google_cloud", 400, google("INVALID_ARGUMENT", "bad language code"), Kind.INVALID, "INVALID_ARGUMENT"),
    ("google_cloud", 501, google("UNIMPLEMENTED"), Kind.UNSUPPORTED, "UNIMPLEMENTED"),
    ("google_cloud", 504, google("DEADLINE_EXCEEDED"), Kind.TIMEOUT, "DEADLINE_EXCEEDED"),
    ("deepgram", 401, {"err_code": "INSUFFICIENT_PERMISSIONS"}, Kind.AUTH, "INSUFFICIENT_PERMISSIONS"),
    ("deepgram", 429, b"", Kind.CONCURRENCY, "429"),
    ("deepgram", 408, {"err_code": "SLOW_UPLOAD"}, Kind.TIMEOUT, "SLOW_UPLOAD"),
    ("deepgram", 400, {"err_code": "REMOTE_CONTENT_ERROR"}, Kind.INVALID, "REMOTE_CONTENT_ERROR"),
    *(
        ("elevenlabs", status, {"detail": {"status": code, "message": "no"}}, kind, code)
        for status, code, kind in (
            (401, "invalid_api_key", Kind.AUTH),
            (401, "missing_permissions", Kind.AUTH),
            (400, "voice_not_found", Kind.UNSUPPORTED),
            (403, "output_format_not_allowed", Kind.UNSUPPORTED),
            (429, "rate_limit_exceeded", Kind.RATE),
            (429, "concurrent_limit_exceeded", Kind.CONCURRENCY),
        )
    ),
    ("elevenlabs", 404, {"detail": "Not Found"}, Kind.UNSUPPORTED, "404"),
    ("assemblyai", 429, {"detail": "Rate limit exceeded"}, Kind.RATE, "429"),
    ("assemblyai", 503, {"code": "auth_unavailable", "message": "no"}, Kind.OVERLOADED, "auth_unavailable"),
    ("assemblyai", 504, {"error_code": "inference_timeout"}, Kind.TIMEOUT, "inference_timeout"),
    ("assemblyai", 415, {"title": "Unsupported Media Type"}, Kind.UNSUPPORTED, "Unsupported_Media_Type"),
    ("cartesia", 429, b"Not now: please", Kind.CONCURRENCY, "Not_now"),
    ("cartesia", 402, b"Credit limit reached: You have used all.", Kind.QUOTA, "Credit_limit_reached"),
    ("cartesia", 500, b"Internal server error: sorry", Kind.SERVER, "Internal_server_error"),
    ("azure_speech", 429, b"", Kind.RATE, "429"),
    ("azure_speech", 502, b"", Kind.OVERLOADED, "502"),
    ("azure_speech", 403, error("Out of call volume quota.", code="403"), Kind.QUOTA, "403"),
    ("yandex", 401, {"code": 16, "message": "no", "details": []}, Kind.AUTH, "UNAUTHENTICATED"),
    ("yandex", 429, {"error": {"grpcCode": 8, "httpCode": 429, "message": "no"}}, Kind.RATE, "RESOURCE_EXHAUSTED"),
    ("yandex", 400, {"error_code": "BAD_REQUEST", "error_message": "unknown lang"}, Kind.INVALID, "BAD_REQUEST"),
]


@pytest.mark.parametrize(("dialect", "status", "body", "kind", "code"), SAID)
def test_further_words(dialect: str, status: int, body: Any, kind: Kind, code: str) -> None:
    """*code* may be only how it begins."""
    failure = failed(dialect, status, body)
    assert failure is not None
    assert failure.kind is kind
    assert failure.code.startswith(code)


@pytest.mark.parametrize("dialect", names())
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.INVALID),
        (401, Kind.AUTH),
        (402, Kind.QUOTA),
        (403, Kind.AUTH),
        (404, Kind.UNSUPPORTED),
        (408, Kind.TIMEOUT),
        (413, Kind.UNSUPPORTED),
        (415, Kind.UNSUPPORTED),
        (418, Kind.INVALID),
        (422, Kind.INVALID),
        (451, Kind.REFUSED),
        (500, Kind.SERVER),
        (503, Kind.OVERLOADED),
        (504, Kind.TIMEOUT),
        (529, Kind.OVERLOADED),
        (599, Kind.SERVER),
        (999, Kind.SERVER),
    ],
)
def test_without_words_the_status_decides(dialect: str, status: int, kind: Kind) -> None:
    for body in (b"", b"{}", b"[]", b'{"error": null}', b"\xff\xfe\x00", b"<!DOCTYPE html><p>no</p>"):
        failure = failed(dialect, status, body)
        assert failure is not None
        assert (failure.kind, failure.code, failure.message) == (kind, str(status), ""), body


@pytest.mark.parametrize("dialect", names())
def test_402_is_about_money_whatever_else_is_said(dialect: str) -> None:
    for code in ("rate_limit_exceeded", "RESOURCE_EXHAUSTED", "TOO_MANY_REQUESTS", "concurrency_limited"):
        for body in (error(code=code), {"error_code": code}, {"err_code": code}, {"detail": {"status": code}}):
            failure = failed(dialect, 402, body)
            assert failure is not None
            assert failure.kind is Kind.QUOTA


# -- hidden in a success -----------------------------------------------------------------------------------------------

GENERATE = Call(operation=Operation.CHAT, endpoint="generateContent", route="/v1/models/{model}:generateContent")
RECOGNIZE = Call(operation=Operation.STT, endpoint="recognize", route="/speech/recognition")


@pytest.mark.parametrize("status", ["Success", "NoMatch", "InitialSilenceTimeout", "BabbleTimeout", "EndOfDictation"])
def test_silence_is_no_failure(status: str) -> None:
    assert failed("azure_speech", 200, {"RecognitionStatus": status}, RECOGNIZE) is None
    assert failed("google_cloud", 200, {}) is None
    assert failed("yandex", 200, {"result": ""}) is None


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, Kind.REFUSED, "SAFETY"),
        ({"prompt_feedback": {"block_reason": "OTHER"}}, Kind.REFUSED, "OTHER"),
        ({"candidates": []}, Kind.REFUSED, "NO_CANDIDATES"),
        ({"usageMetadata": {"promptTokenCount": 3}}, Kind.REFUSED, "NO_CANDIDATES"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, Kind.REFUSED, "RECITATION"),
        ({"candidates": [{"finishReason": "SAFETY", "content": {"role": "model"}}]}, Kind.REFUSED, "SAFETY"),
        ({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "content": {}}]}, Kind.SERVER, "MALFORMED"),
        ([{"candidates": [{}]}, {"candidates": [{"finishReason": "SPII"}]}], Kind.REFUSED, "SPII"),
    ],
)
def test_an_answer_of_geminis_without_any_content(body: Any, kind: Kind, code: str) -> None:
    failure = failed("gemini", 200, body, GENERATE)
    assert failure is not None
    assert failure.kind is kind
    assert failure.code.startswith(code)


@pytest.mark.parametrize(
    "body",
    [
        {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"role": "model"}}]},
        {"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": ""}]}}]},
        {"candidates": [{"finishReason": "SAFETY", "content": {"parts": [{"text": "half of it"}]}}]},
        [{"candidates": [{"content": {"parts": [{"text": "a"}]}}]}, {"candidates": [{"finishReason": "SAFETY"}]}],
        [{"candidates": "of another kind"}, {"usageMetadata": {}}],
    ],
)
def test_an_answer_of_geminis_with_content_or_without_need_of_any(body: Any) -> None:
    assert failed("gemini", 200, body, GENERATE) is None
    assert failed("gemini", 200, json.dumps(body).encode()[:-4], GENERATE) is None


def test_a_long_answer_of_geminis_that_is_cut_is_not_taken_for_an_empty_one() -> None:
    body = json.dumps({"usageMetadata": {"promptTokenCount": 3}, "candidates": []}, indent=1).encode()
    for cut in range(1, len(body)):
        assert failed("gemini", 200, body[:cut], GENERATE) is None
        assert failed("gemini", 200, body[cut:], GENERATE) is None


@pytest.mark.parametrize("dialect", names())
def test_what_only_speaks_of_errors_is_no_failure(dialect: str) -> None:
    for body in (
        {"id": "1", "error": None, "choices": [{"message": {"content": 'it said {"error": "no"}'}}]},
        {"results": [{"error": {"message": "of one part"}}]},
        {"object": "response", "status": "completed", "error": None, "output": [{"type": "mcp_call", "error": "no"}]},
        {"choices": [{"content_filter_results": {"error": {"code": "content_filter_error"}}}]},
        {"detail": "fine", "type": "message", "status": "in_progress"},
        {"text": "error", "code": "error"},
    ):
        assert failed(dialect, 200, body) is None, body


def test_audio_is_not_searched_for_errors() -> None:
    audio = b"ID3" + json.dumps(error()).encode()
    assert failed("elevenlabs", 200, audio, content_type="audio/mpeg") is None


# -- whatever comes ----------------------------------------------------------------------------------------------------

QUOTA = error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")


def test_a_compressed_error_is_read() -> None:
    failure = failed("openai", 429, gzip.compress(json.dumps(QUOTA).encode()), content_encoding="gzip")
    assert failure is not None
    assert failure.kind is Kind.QUOTA


def test_a_coding_that_cannot_be_undone_leaves_the_status() -> None:
    for body, coding in ((b"\x00\x01", "gzip"), (b"x", "nonsense"), (gzip.compress(b"{}" * 500)[:20], "gzip")):
        failure = failed("openai", 429, body, content_encoding=coding)
        assert failure is not None
        assert (failure.kind, failure.code) == (Kind.RATE, "429")


def test_an_error_that_is_cut_still_tells_its_kind() -> None:
    long = error("You exceeded your current quota", code="insufficient_quota", rest="x" * 100)
    body = json.dumps(long).encode()
    for end in range(body.index(b'"rest"'), len(body)):
        failure = failed("openai", 429, body[:end])
        assert failure is not None
        assert failure.kind is Kind.QUOTA, body[:end]
        assert failure.message == "You exceeded your current quota"
    for begin in range(1, body.index(b'"code"')):
        failure = failed("openai", 429, body[begin:])
        assert failure is not None
        assert failure.kind in (Kind.QUOTA, Kind.RATE)


def test_a_huge_error_is_read_as_far_as_makes_sense() -> None:
    failure = failed("openai", 429, error("x" * 5_000_000, code="insufficient_quota"))
    assert failure is not None
    assert len(failure.message) <= MESSAGE_LIMIT


@pytest.mark.parametrize(
    "code",
    [
        "please transcribe what my doctor said to me about it",
        "sk1234567890abcdef1234567890abcdef",
        "line\nbreak",
        "x" * (CODE_LIMIT + 1),
        "naïve",
        '"quoted"',
    ],
)
def test_what_may_be_content_or_a_key_is_no_code(code: str) -> None:
    for body in (error(code=code), {"error_code": code}, {"err_code": code}, {"detail": {"status": code}}):
        failure = failed("openai", 400, body)
        assert failure is not None
        assert failure.code == "400"


def test_a_failures_message_does_not_show() -> None:
    failure = failed("openai", 400, error("my diagnosis"))
    assert failure is not None
    assert failure.message == "my diagnosis"
    assert "diagnosis" not in repr(failure) + str(failure)
    assert "diagnosis" not in str(failure.__rich_repr__())


@pytest.mark.parametrize("kind", [Kind.AUTH, Kind.INVALID, Kind.UNSUPPORTED, Kind.REFUSED])
def test_a_wait_that_is_of_no_use_is_not_told(kind: Kind) -> None:
    status = {Kind.AUTH: 401, Kind.INVALID: 400, Kind.UNSUPPORTED: 404, Kind.REFUSED: 451}[kind]
    failure = failed("openai", status, b"", retry_after="7")
    assert failure is not None
    assert (failure.kind, failure.retry_after_seconds) == (kind, None)
