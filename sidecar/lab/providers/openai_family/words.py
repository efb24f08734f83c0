"""Errors and headers of OpenAI and those that copy them."""

import time

from sidecar.lab.call import Call
from sidecar.lab.reply import STATUS, HeaderList, Refusal, Reply, Trouble, json_reply

_KINDS: dict[Trouble, tuple[str, str | None]] = {
    Trouble.AUTH: ("invalid_request_error", "invalid_api_key"),
    Trouble.NOT_FOUND: ("invalid_request_error", None),
    Trouble.METHOD: ("invalid_request_error", "method_not_supported"),
    Trouble.INVALID: ("invalid_request_error", None),
    Trouble.TOO_LARGE: ("invalid_request_error", None),
    Trouble.UNSUPPORTED: ("invalid_request_error", None),
    Trouble.RATE: ("requests", "rate_limit_exceeded"),
    Trouble.CONCURRENCY: ("requests", "slow_down"),
    Trouble.QUOTA: ("insufficient_quota", "credit_balance_exhausted"),
    Trouble.SERVER: ("server_error", None),
    Trouble.OVERLOADED: ("server_error", "engine_overloaded"),
    Trouble.TIMEOUT: ("server_error", "timeout"),
}
"""The ``type`` and ``code`` of each."""


def now_seconds() -> int:
    """Wall-clock time, for ``created`` fields."""
    return time.time_ns() // 1_000_000_000


def error_object(refusal: Refusal) -> dict[str, object]:
    kind, code = _KINDS[refusal.trouble]
    return {"message": refusal.message, "type": kind, "param": refusal.param, "code": code}


def refuse(refusal: Refusal) -> Reply:
    headers = refusal.retry_headers
    if refusal.retry_after_seconds is not None:
        headers.append(("retry-after-ms", str(round(refusal.retry_after_seconds * 1000))))
    status = refusal.status_or(STATUS[refusal.trouble])
    return json_reply({"error": error_object(refusal)}, status=status, headers=headers)


def limit_headers(call: Call) -> HeaderList:
    """The rate limits as they stand: far from reached."""
    return [
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-limit-tokens", "2000000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("x-ratelimit-remaining-tokens", "1999000"),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "30ms"),
    ]


def identity_headers(call: Call) -> HeaderList:
    return [
        ("openai-organization", "lab"),
        ("openai-processing-ms", str(round(call.elapsed_seconds() * 1000))),
        ("openai-version", "2020-10-01"),
        ("x-request-id", call.ids.named("req_", 32)),
    ]
