"""Each provider refuses in its own words."""

import json
from typing import Any

import pytest

from sidecar.lab.providers.known import NAMES

BEARER = {"Authorization": "Bearer k"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#: A JSON endpoint of each, and what proves who calls.
ENDPOINTS: dict[str, tuple[str, dict[str, str]]] = {
    "openai": ("/v1/chat/completions", BEARER),
    "generic": ("/v1/chat/completions", BEARER),
    "azure-openai": ("/openai/deployments/gpt/chat/completions?api-version=2024-10-21", {"api-key": "k"}),
    "azure-speech": (
        "/speechtotext/transcriptions:transcribe?api-version=2024-11-15",
        {"Ocp-Apim-Subscription-Key": "k"},
    ),
    "anthropic": ("/v1/messages", {"X-Api-Key": "k", "anthropic-version": "2023-06-01"}),
    "gemini": ("/v1beta/models/gemini:generateContent", {"x-goog-api-key": "k"}),
    "groq": ("/openai/v1/chat/completions", BEARER),
    "mistral": ("/v1/chat/completions", BEARER),
    "deepgram": ("/v1/speak", {"Authorization": "Token k"}),
    "elevenlabs": ("/v1/text-to-speech/voice", {"xi-api-key": "k"}),
    "google-speech": ("/v1/text:synthesize", BEARER),
    "yandex": ("/tts/v3/utteranceSynthesis", {"Authorization": "Api-Key k"}),
    "cartesia": ("/tts/bytes", {**BEARER, "Cartesia-Version": "2026-08-14"}),
    "assemblyai": ("/v1/speech", {"Authorization": "k"}),
}
AUTH_STATUS = {"gemini": 403, "generic": 400}
JSON_STATUS = {"mistral": 422, "elevenlabs": 422}

#: provider, fault, status, where to look, what stands there
WORDS = [
    ("openai", "rate", 429, "error.code", "rate_limit_exceeded"),
    ("openai", "concurrency", 429, "error.code", "slow_down"),
    ("openai", "quota", 429, "error.type", "insufficient_quota"),
    ("openai", "500", 500, "error.type", "server_error"),
    ("openai", "503", 503, "error.code", "engine_overloaded"),
    ("azure-openai", "rate:1", 429, "error.code", "429"),
    ("azure-speech", "overloaded", 502, "error.code", "502"),
    ("azure-speech", "rate", 429, "error.code", "429"),
    ("anthropic", "rate:1", 429, "error.type", "rate_limit_error"),
    ("anthropic", "quota", 429, "error.details.error_code", "enforced_spend_limit_reached"),
    ("anthropic", "402", 402, "error.type", "billing_error"),
    ("anthropic", "overloaded", 529, "error.type", "overloaded_error"),
    ("anthropic", "529", 529, "error.type", "overloaded_error"),
    ("anthropic", "500", 500, "error.type", "api_error"),
    ("gemini", "rate:46", 429, "error.details.1.retryDelay", "46s"),
    ("gemini", "rate", 429, "error.status", "RESOURCE_EXHAUSTED"),
    ("gemini", "quota", 429, "error.details.0.violations.0.quotaId", "RequestsPerDayPerProject"),
    ("gemini", "503", 503, "error.status", "UNAVAILABLE"),
    ("groq", "rate:1", 429, "error.code", "rate_limit_exceeded"),
    ("groq", "498", 498, "error.code", "capacity_exceeded"),
    ("mistral", "rate", 429, "type", "rate_limited"),
    ("mistral", "500", 500, "object", "error"),
    ("deepgram", "concurrency", 429, "err_code", "TOO_MANY_REQUESTS"),
    ("deepgram", "quota", 402, "err_code", "ASR_PAYMENT_REQUIRED"),
    ("deepgram", "500", 500, "err_code", "INTERNAL_SERVER_ERROR"),
    ("elevenlabs", "quota", 401, "detail.status", "quota_exceeded"),
    ("elevenlabs", "concurrency", 429, "detail.status", "too_many_concurrent_requests"),
    ("elevenlabs", "overloaded", 429, "detail.status", "system_busy"),
    ("google-speech", "rate", 429, "error.status", "RESOURCE_EXHAUSTED"),
    ("google-speech", "504", 504, "error.status", "DEADLINE_EXCEEDED"),
    ("yandex", "rate", 429, "error_code", "TOO_MANY_REQUESTS"),
    ("yandex", "500", 500, "error_code", "INTERNAL_SERVER_ERROR"),
    ("cartesia", "concurrency", 429, "error_code", "concurrency_limited"),
    ("cartesia", "quota", 402, "error_code", "quota_exceeded"),
    ("assemblyai", "overloaded", 503, "error_code", "capacity_exceeded"),
    ("assemblyai", "rate:1", 429, "retry_after_seconds", 1.0),
    ("assemblyai", "504", 504, "code", "inference_timeout"),
]


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if step.isdecimal() else value[step]
    return value


def test_the_tables_cover_all_providers():
    assert set(ENDPOINTS) == set(NAMES)
    assert {name for name, *_ in WORDS} == set(NAMES) - {"generic"}


@pytest.mark.parametrize("name", NAMES)
async def test_a_call_without_credentials_is_refused(lab, http, name):
    path, headers = ENDPOINTS[name]
    versions = {key: value for key, value in headers.items() if "ersion" in key}
    async with http.post(lab.url(name) + path, json={}, headers=versions) as answer:
        assert answer.status == AUTH_STATUS.get(name, 401)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"generic"}))
async def test_a_credential_that_calls_itself_wrong_is_refused(lab, http, name):
    path, headers = ENDPOINTS[name]
    wrong = {key: value[:-1] + "wrong" if value.endswith("k") else value for key, value in headers.items()}
    async with http.post(lab.url(name) + path, json={}, headers=wrong) as answer:
        assert answer.status == AUTH_STATUS.get(name, 401)


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_path_is_not_found(lab, http, name):
    async with http.post(lab.url(name) + "/nowhere/at/all", json={}, headers=ENDPOINTS[name][1]) as answer:
        assert answer.status == 404
        html = name in ("gemini", "google-speech")
        assert answer.content_type == ("text/html" if html else "application/json")


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"azure-speech"}))
async def test_a_body_that_is_no_json_is_refused(lab, http, name):
    path, headers = ENDPOINTS[name]
    async with http.post(lab.url(name) + path, data=b'{"model": ', headers=headers) as answer:
        assert answer.status == JSON_STATUS.get(name, 400)
        assert await answer.json()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"azure-speech"}))
async def test_a_body_without_its_fields_is_refused(lab, http, name):
    path, headers = ENDPOINTS[name]
    async with http.post(lab.url(name) + path, json={"foo": 1}, headers=headers) as answer:
        assert answer.status == JSON_STATUS.get(name, 400)


@pytest.mark.parametrize(("name", "fault", "status", "path", "expected"), WORDS)
async def test_a_fault_is_told_in_the_providers_words(lab, http, name, fault, status, path, expected):
    target, headers = ENDPOINTS[name]
    async with http.post(lab.url(name) + target, json={}, headers={**headers, "x-lab-fault": fault}) as answer:
        assert answer.status == status
        assert at(json.loads(await answer.read()), path) == expected


async def test_an_older_cartesia_client_gets_its_errors_as_text(lab, http):
    headers = {**BEARER, "Cartesia-Version": "2025-04-16", "x-lab-fault": "concurrency"}
    async with http.post(lab.url("cartesia") + "/tts/bytes", json={}, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (429, "text/plain")
        assert (await answer.text()).startswith("Too many concurrent requests: ")


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("openai", ["x-request-id", "openai-processing-ms", "x-ratelimit-remaining-tokens"]),
        ("anthropic", ["request-id", "anthropic-ratelimit-input-tokens-remaining"]),
        ("elevenlabs", ["request-id", "current-concurrent-requests", "maximum-concurrent-requests"]),
        ("deepgram", ["dg-request-id"]),
        ("yandex", ["x-request-id", "x-server-trace-id"]),
        ("azure-openai", ["apim-request-id"]),
        ("groq", ["x-request-id", "x-ratelimit-limit-requests"]),
        ("mistral", ["mistral-correlation-id"]),
    ],
)
async def test_each_answer_carries_the_providers_headers(lab, http, name, present):
    path, headers = ENDPOINTS[name]
    async with http.post(lab.url(name) + path, json={}, headers=headers) as answer:
        assert all(answer.headers.get(header) for header in present)
