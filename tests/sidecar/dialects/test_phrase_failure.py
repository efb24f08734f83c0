"""The end of a call that nobody answered, in each family's words."""

import json
from typing import Any

import pytest

from sidecar.dialect import Call, Operation
from sidecar.dialects import load, names
from sidecar.failure import Failure, Kind
from sidecar.phrasing import final_failure, phrase_failure

CALL = Call(operation=Operation.CHAT, endpoint="chat.completions", route="/v1/chat/completions")

#: What a family has no word for, or must not say, is understood as its nearest.
UNDERSTOOD: dict[str, dict[Kind, Kind]] = {
    **{name: {Kind.CONCURRENCY: Kind.RATE} for name in names()},
    "cartesia": {},
    "assemblyai": {},
    "elevenlabs": {},
    "gemini": {},
    "deepgram": {Kind.RATE: Kind.CONCURRENCY},
    "google_cloud": {Kind.OVERLOADED: Kind.RATE, Kind.TIMEOUT: Kind.SERVER},
}
for _name in names():
    UNDERSTOOD[_name] = {Kind.NETWORK: Kind.SERVER, **UNDERSTOOD[_name]}
UNDERSTOOD["azure_speech"][Kind.NETWORK] = Kind.OVERLOADED
UNDERSTOOD["anthropic"][Kind.UNSUPPORTED] = Kind.INVALID


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("kind", Kind)
def test_what_is_told_is_understood(name: str, kind: Kind) -> None:
    dialect = load(name)
    phrase = phrase_failure(dialect, Failure(kind=kind, code="connection_refused", message="as the provider said"))
    again = dialect.failure(CALL, phrase.status, phrase.headers, phrase.body)
    assert again is not None
    assert again.kind is UNDERSTOOD[name].get(kind, kind)
    assert ("as the provider said" in again.message) == (kind is not Kind.AUTH)
    assert again.message.startswith("agent-sidecar: ")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("kind", Kind)
def test_a_wait_is_told_where_waiting_is_of_use(name: str, kind: Kind) -> None:
    dialect = load(name)
    phrase = phrase_failure(dialect, Failure(kind=kind, retry_after_seconds=12.2))
    told = phrase.headers.get("retry-after")
    assert told == ("13" if kind in ("rate", "concurrency", "quota", "overloaded") else None)
    if told is not None:
        again = dialect.failure(CALL, phrase.status, phrase.headers, phrase.body)
        assert again is not None
        assert again.retry_after_seconds == 13.0


def test_google_and_assemblyai_tell_the_wait_in_the_body_as_well() -> None:
    limited = Failure(kind=Kind.RATE, retry_after_seconds=12.2)
    for name in ("gemini", "google_cloud"):
        details = json.loads(phrase_failure(load(name), limited).body)["error"]["details"]
        assert {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "13s"} in details
    assert json.loads(phrase_failure(load("assemblyai"), limited).body)["retry_after_seconds"] == 13


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("kind", Kind)
def test_sdks_that_can_be_told_so_are_told_not_to_try_again(name: str, kind: Kind) -> None:
    headers = phrase_failure(load(name), Failure(kind=kind)).headers
    heeds = name not in ("azure_speech", "deepgram", "elevenlabs", "google_cloud")
    assert headers.get("x-should-retry") == ("false" if heeds else None)


@pytest.mark.parametrize("kind", Kind)
def test_google_cloud_is_never_told_503_or_504(kind: Kind) -> None:
    for status in (0, 400, 429, 500, 503, 504):
        for wait in (None, 5.0):
            failure = Failure(kind=kind, status=status, retry_after_seconds=wait)
            assert phrase_failure(load("google_cloud"), failure).status not in (503, 504)


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("openai", Kind.QUOTA, 429),
        ("anthropic", Kind.QUOTA, 402),
        ("anthropic", Kind.OVERLOADED, 529),
        ("elevenlabs", Kind.QUOTA, 401),
        ("elevenlabs", Kind.OVERLOADED, 429),
        ("deepgram", Kind.QUOTA, 402),
        ("mistral", Kind.QUOTA, 402),
        ("google_cloud", Kind.OVERLOADED, 429),
        ("google_cloud", Kind.TIMEOUT, 500),
        ("gemini", Kind.OVERLOADED, 503),
        ("openai", Kind.TIMEOUT, 504),
        ("openai", Kind.NETWORK, 502),
    ],
)
def test_each_family_has_its_own_status(name: str, kind: Kind, status: int) -> None:
    """Whatever the status of the provider that failed was: another family's means something else here."""
    for theirs in (0, 401, 429, 500, 529):
        assert phrase_failure(load(name), Failure(kind=kind, status=theirs)).status == status


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("status", [400, 404, 413, 415])
def test_a_status_that_says_what_is_not_to_be_had_is_kept(name: str, status: int) -> None:
    assert phrase_failure(load(name), Failure(kind=Kind.UNSUPPORTED, status=status)).status == status


def test_mistral_is_not_told_422_which_wants_a_list_of_its_own() -> None:
    assert phrase_failure(load("mistral"), Failure(kind=Kind.INVALID, status=422)).status == 400


def envelope(name: str, failure: Failure) -> Any:
    return json.loads(phrase_failure(load(name), failure).body)


def test_codes_are_those_of_the_family() -> None:
    limited = Failure(kind=Kind.QUOTA, code="RESOURCE_EXHAUSTED", status=429, message="no")
    assert envelope("openai", limited)["error"]["code"] == "insufficient_quota"
    assert envelope("openai", limited)["error"]["type"] == "insufficient_quota"
    assert envelope("deepgram", limited)["err_code"] == "ASR_PAYMENT_REQUIRED"
    assert envelope("elevenlabs", limited)["detail"]["status"] == "quota_exceeded"
    assert envelope("anthropic", limited)["error"]["type"] == "billing_error"
    assert envelope("gemini", limited)["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_of_what_the_family_has_no_code_for_the_failures_own_is_told() -> None:
    failure = Failure(kind=Kind.NETWORK, code="dns_error")
    assert envelope("openai", failure)["error"]["code"] == "dns_error"
    assert envelope("openai", Failure(kind=Kind.NETWORK))["error"]["code"] == "network"


def test_what_a_provider_said_of_a_credential_is_not_passed_on() -> None:
    failure = Failure(kind=Kind.AUTH, status=401, message="Incorrect API key provided: sk-fallback")
    for name in names():
        phrase = phrase_failure(load(name), failure)
        assert b"sk-fallback" not in phrase.body
        assert phrase.status == (403 if name in ("gemini", "google_cloud") else 401)


RATE_7 = Failure(kind=Kind.RATE, code="first", retry_after_seconds=7.0)
RATE_2 = Failure(kind=Kind.RATE, code="second", retry_after_seconds=2.0)
RATE = Failure(kind=Kind.RATE, code="third")
QUOTA = Failure(kind=Kind.QUOTA, code="fourth")
BUSY = Failure(kind=Kind.OVERLOADED, code="fifth", retry_after_seconds=1.0)
SERVER = Failure(kind=Kind.SERVER, code="sixth")
AUTH = Failure(kind=Kind.AUTH, code="seventh")


@pytest.mark.parametrize(
    ("failures", "code", "wait"),
    [
        ([RATE_7], "first", 7.0),
        ([RATE_7, RATE_2], "first", 2.0),
        ([RATE, RATE_2, QUOTA], "third", 2.0),
        ([QUOTA, BUSY], "fourth", 1.0),
        ([RATE, QUOTA], "third", None),
        ([RATE_7, SERVER], "sixth", None),
        ([SERVER, RATE_7, AUTH], "sixth", None),
        ([AUTH], "seventh", None),
    ],
)
def test_which_of_several_failures_is_told(failures: list[Failure], code: str, wait: float | None) -> None:
    final = final_failure(failures)
    assert (final.code, final.retry_after_seconds) == (code, wait)


def test_nothing_to_tell_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="nothing"):
        final_failure([])
