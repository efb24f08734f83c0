"""How long to wait and how much is left, in every spelling that is in use."""

import json
from typing import Any

import pytest

from sidecar.dialect import Limit, Resource
from sidecar.dialects import load, names
from sidecar.dialects.waits import in_prose, span, until
from sidecar.failure import MOST_SECONDS
from sidecar.headers import Headers

NOW = 1_795_168_800.0
"""2026-11-20T10:00:00Z."""
DATE = "Fri, 20 Nov 2026 10:00:00 GMT"


def head(*lines: str) -> Headers:
    """As it comes off a wire."""
    return Headers.from_block("".join(f"{line}\r\n" for line in lines).encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1d", 86400.0),
        ("250us", 0.00025),
        ("0s", 0.0),
        ("999d", MOST_SECONDS),
        ("7", None),
        ("s", None),
        ("1s later", None),
        ("-1s", None),
        ("", None),
    ],
)
def test_a_span(text: str, seconds: float | None) -> None:
    assert span(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("20ms", 0.02),
        (str(int(NOW) + 90), 90.0),
        (str(int(NOW * 1000) + 90_500), 90.5),
        (str(int(NOW) - 90), 0.0),
        ("2026-11-20T10:01:00Z", 60.0),
        ("2026-11-20t10:01:00z", 60.0),
        ("2026-11-20T11:01:00+01:00", 60.0),
        ("2026-11-20T10:01:00.250Z", 60.25),
        ("Fri, 20 Nov 2026 10:02:00 GMT", 120.0),
        ("Fri, 20 Nov 2026 09:00:00 GMT", 0.0),
        ("fri, 20 nov 2026 10:02:00 gmt", 120.0),
        ("2026-11-20T10:01:00", None),
        ("-5", 0.0),
        ("inf", MOST_SECONDS),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment(text: str | None, seconds: float | None) -> None:
    found = until(text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_moment_is_nothing_without_the_time_of_day() -> None:
    assert until("2026-11-20T10:01:00Z", None) is None
    assert until(str(int(NOW)), None) is None
    assert until("30", None) == 30.0


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached on requests per min. Limit: 3 / min. Please try again in 20s. Contact us.", 20.0),
        ("Limit 30000, Used 30000, Requested 412. Please try again in 824ms. Visit", 0.824),
        ("Please try again in 1h3m7.5s.", 3787.5),
        ("Quota exceeded.\nPlease retry in 10h17m5.723541104s.", 37025.723541104),
        ("Please retry after 26 seconds. Please go here", 26.0),
        ("Please retry after 1 second.", 1.0),
        ("Try again in 500 milliseconds", 0.5),
        ("Out of call volume quota. Quota will be replenished in 3.12:11:32.", 303092.0),
        ("Quota will be replenished in 00:00:47.", 47.0),
        ("Please try again later", None),
        ("try again in a while", None),
        ("The service retries in 5s", None),
        ("", None),
    ],
)
def test_a_message_that_names_the_wait(message: str, seconds: float | None) -> None:
    assert in_prose(message) == (None if seconds is None else pytest.approx(seconds))


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "46.5s"}

WAITS: list[tuple[str, tuple[str, ...], Any, float | None]] = [
    ("seconds", ("Retry-After: 7",), {}, 7.0),
    ("seconds with a fraction", ("retry-after: 1.5",), {}, 1.5),
    ("none", ("retry-after: 0",), {}, 0.0),
    ("milliseconds", ("retry-after-ms: 1200",), {}, 1.2),
    ("milliseconds go first", ("retry-after: 2", "retry-after-ms: 1200"), {}, 1.2),
    ("Azure's milliseconds", ("x-ms-retry-after-ms: 500",), {}, 0.5),
    ("a date", ("Date: " + DATE, "Retry-After: Fri, 20 Nov 2026 10:00:30 GMT"), {}, 30.0),
    ("a date that is over", ("Date: " + DATE, "Retry-After: Fri, 20 Nov 2026 09:00:00 GMT"), {}, 0.0),
    ("a date without another", ("Retry-After: Fri, 20 Nov 2026 10:00:30 GMT",), {}, None),
    ("no wait at all", ("retry-after: tomorrow",), {}, None),
    ("too long to be true", ("retry-after: 99999999",), {}, MOST_SECONDS),
    ("Google", (), {"error": {"details": [RETRY_INFO]}}, 46.5),
    ("Google's other form", (), {"error": {"details": [{"retryDelay": {"seconds": 46, "nanos": 5}}]}}, 46.0),
    ("Google in a list", (), [{"error": {"details": [RETRY_INFO]}}], 46.5),
    ("AssemblyAI", (), {"retry_after_seconds": 2.5}, 2.5),
    ("a header before the body", ("retry-after: 3",), {"retry_after_seconds": 2.5}, 3.0),
    ("words", (), {"error": {"message": "Please try again in 1m2s."}}, 62.0),
    (
        "used up",
        ("x-ratelimit-remaining-requests: 5", "x-ratelimit-reset-requests: 9s"),
        *({}, None),
    ),
    (
        "of two limits that are used up, the longer",
        (
            *("x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 1s"),
            *("x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6m0s"),
        ),
        *({}, 360.0),
    ),
    (
        "words know better than resets when there is enough",
        ("x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6m0s"),
        *({"error": {"message": "Please try again in 824ms."}}, 0.824),
    ),
    (
        "Anthropic's date",
        (
            *("Date: " + DATE, "anthropic-ratelimit-requests-remaining: 0"),
            "anthropic-ratelimit-requests-reset: 2026-11-20T10:00:13Z",
        ),
        *({}, 13.0),
    ),
    ("a reset alone", ("Date: " + DATE, f"x-ratelimit-reset: {int(NOW) + 40}"), {}, 40.0),
    ("nothing", (), {}, None),
]


@pytest.mark.parametrize(("lines", "body", "seconds"), [row[1:] for row in WAITS], ids=[row[0] for row in WAITS])
@pytest.mark.parametrize("dialect", ["openai", "google_cloud", "deepgram"])
def test_how_long_an_answer_asks_to_be_left_alone(
    dialect: str, lines: tuple[str, ...], body: Any, seconds: float | None
) -> None:
    found = load(dialect).retry_after(head(*lines), json.dumps(body).encode())
    assert found == (None if seconds is None else pytest.approx(seconds))


def limit(what: Resource, most: float | None, left: float | None, resets: float | None = None) -> Limit:
    return Limit(what=what, limit=most, remaining=left, resets_in_seconds=resets)


REQUESTS, TOKENS = Resource.REQUESTS, Resource.TOKENS

LIMITS: list[tuple[str, tuple[str, ...], list[Limit]]] = [
    (
        "openai",
        (
            *("x-ratelimit-limit-requests: 10000", "x-ratelimit-limit-tokens: 2000000"),
            *("x-ratelimit-remaining-requests: 9999", "x-ratelimit-remaining-tokens: 1999000"),
            *("x-ratelimit-reset-requests: 6ms", "x-ratelimit-reset-tokens: 6m0s"),
        ),
        [limit(REQUESTS, 10000, 9999, 0.006), limit(TOKENS, 2_000_000, 1_999_000, 360.0)],
    ),
    (
        "openai",
        ("X-RateLimit-Limit-Project-Tokens: 5", "X-RateLimit-Remaining-Project-Tokens: 1"),
        [limit(TOKENS, 5, 1)],
    ),
    (
        "azure_openai",
        ("x-ratelimit-remaining-requests: 999", "x-ratelimit-remaining-tokens: 0"),
        [limit(REQUESTS, None, 999), limit(TOKENS, None, 0)],
    ),
    (
        "groq",
        (
            *("x-ratelimit-limit-requests: 14400", "x-ratelimit-remaining-requests: 14370"),
            *("x-ratelimit-reset-requests: 2m59.56s", "x-ratelimit-limit-audio-seconds: 7200"),
        ),
        [limit(REQUESTS, 14400, 14370, 179.56), limit(Resource.AUDIO_SECONDS, 7200, None)],
    ),
    (
        "mistral",
        (
            *("x-ratelimit-limit-tokens-minute: 5000000", "x-ratelimit-remaining-tokens-minute: 4999911"),
            *("x-ratelimit-tokens-query-cost: 52", "x-ratelimit-limit-req-minute: 720"),
            *("x-ratelimit-remaining-req-minute: 717", "x-ratelimit-limit-tokens-month: 1000000000"),
            "x-ratelimit-remaining-tokens-month: 5",
        ),
        [limit(TOKENS, 5_000_000, 4_999_911), limit(REQUESTS, 720, 717), limit(TOKENS, 1_000_000_000, 5)],
    ),
    (
        "mistral",
        (
            *("x-ratelimitbysize-limit-minute: 500000", "x-ratelimitbysize-remaining-minute: 499000"),
            "ratelimitbysize-reset: 27",
        ),
        [limit(TOKENS, 500_000, 499_000, 27.0)],
    ),
    (
        "anthropic",
        (
            *("anthropic-ratelimit-requests-limit: 50", "anthropic-ratelimit-requests-remaining: 0"),
            "anthropic-ratelimit-requests-reset: 2026-11-20T10:00:13Z",
            *("anthropic-ratelimit-input-tokens-limit: 40000", "anthropic-ratelimit-input-tokens-remaining: 38000"),
            "anthropic-ratelimit-output-tokens-remaining: 8000",
            "anthropic-ratelimit-unified-status: allowed",
        ),
        [
            limit(REQUESTS, 50, 0, 13.0),
            limit(Resource.INPUT_TOKENS, 40000, 38000),
            limit(Resource.OUTPUT_TOKENS, None, 8000),
        ],
    ),
    (
        "elevenlabs",
        ("current-concurrent-requests: 3", "maximum-concurrent-requests: 15"),
        [limit(Resource.CONCURRENCY, 15, 12)],
    ),
    (
        "elevenlabs",
        ("current-concurrent-requests: 16", "maximum-concurrent-requests: 15"),
        [limit(Resource.CONCURRENCY, 15, 0)],
    ),
    (
        "assemblyai",
        ("X-RateLimit-Limit: 100, 100;w=60", "X-RateLimit-Remaining: 41", "X-RateLimit-Reset: 8"),
        [limit(REQUESTS, 100, 41, 8.0)],
    ),
    ("deepgram", (f"x-ratelimit-reset: {int(NOW) + 5}",), [limit(REQUESTS, None, None, 5.0)]),
    ("google_cloud", ("Content-Type: application/json", "Retry-After: 5"), []),
    ("openai", ("x-ratelimit-limit-requests: many", "x-ratelimit-reset-requests: soon"), [limit(REQUESTS, None, None)]),
    ("openai", ("x-ratelimit-limit-images: 5", "X-Note: x-ratelimit-limit-requests: 5"), []),
]


@pytest.mark.parametrize(("dialect", "lines", "expected"), LIMITS)
def test_what_an_answer_says_of_limits(dialect: str, lines: tuple[str, ...], expected: list[Limit]) -> None:
    for headers in (head(*lines), Headers(head(*lines).fields), head("Server: x", *lines, "Via: y")):
        found = load(dialect).limits(headers, NOW)
        assert [(each.what, each.limit, each.remaining) for each in found] == [
            (each.what, each.limit, each.remaining) for each in expected
        ]
        for each, wanted in zip(found, expected, strict=True):
            assert each.resets_in_seconds == pytest.approx(wanted.resets_in_seconds)


@pytest.mark.parametrize("dialect", names())
def test_a_head_without_limits(dialect: str) -> None:
    assert load(dialect).limits(Headers(), NOW) == ()
