"""Every way in which the emulated providers refuse, over HTTP, is taken for what it is."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sidecar.dialect import Call, Dialect
from sidecar.dialects import load
from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.lab import Lab
from sidecar.lab.providers.known import NAMES
from tests.sidecar.lab.test_refusals import ENDPOINTS

DIALECTS = {
    **{name: name.replace("-", "_") for name in NAMES},
    "generic": "openai",
    "google-speech": "google_cloud",
}
#: What the lab is asked to do, and what that is.
FAULTS: dict[str, Kind] = {
    "rate": Kind.RATE,
    "rate:7": Kind.RATE,
    "concurrency": Kind.CONCURRENCY,
    "quota": Kind.QUOTA,
    "overloaded": Kind.OVERLOADED,
    "400": Kind.INVALID,
    "401": Kind.AUTH,
    "402": Kind.QUOTA,
    "403": Kind.AUTH,
    "404": Kind.UNSUPPORTED,
    "405": Kind.UNSUPPORTED,
    "408": Kind.TIMEOUT,
    "413": Kind.UNSUPPORTED,
    "415": Kind.UNSUPPORTED,
    "422": Kind.INVALID,
    "500": Kind.SERVER,
    "502": Kind.SERVER,
    "503": Kind.OVERLOADED,
    "504": Kind.TIMEOUT,
    "529": Kind.OVERLOADED,
    "early:413": Kind.UNSUPPORTED,
}
_NO_WORD_OF_ITS_OWN = dict.fromkeys(
    ("openai", "generic", "azure-openai", "azure-speech", "anthropic", "groq", "mistral", "yandex"), Kind.RATE
)
#: Where a provider cannot or does not tell two troubles apart, and what it is then taken for.
OTHERWISE: dict[str, dict[str, Kind]] = {
    # "slow down" is about the rate at OpenAI, whatever made it say so
    "concurrency": _NO_WORD_OF_ITS_OWN,
    # all 429 of Deepgram's are about calls at the same time
    "rate": {"deepgram": Kind.CONCURRENCY},
    "rate:7": {"deepgram": Kind.CONCURRENCY},
    # "429" is all that Azure and Yandex say
    "quota": {"azure-openai": Kind.RATE, "azure-speech": Kind.RATE, "yandex": Kind.RATE},
    "502": {"azure-speech": Kind.OVERLOADED},
}


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as lab:
        yield lab
        assert not lab.failures


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Asking:
    """One endpoint of an emulated provider, and the dialect it speaks."""

    def __init__(self, lab: Lab, http: aiohttp.ClientSession, name: str) -> None:
        target, self.headers = ENDPOINTS[name]
        path, _, query = target.partition("?")
        self.url = lab.url(name) + target
        self.dialect: Dialect = load(DIALECTS[name])
        call = self.dialect.recognise("POST", path, query)
        assert call is not None
        self.call: Call = call
        self._http = http

    async def failed(self, body: object = None, **headers: str) -> Failure | None:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.post(self.url, json=body or {}, headers={**self.headers, **headers}) as answer:
            data, head = await answer.read(), Headers(tuple(answer.raw_headers))
            return self.dialect.failure(self.call, answer.status, head, data)


@pytest.mark.parametrize("name", NAMES)
async def test_every_fault_is_taken_for_what_it_is(lab: Lab, http: aiohttp.ClientSession, name: str) -> None:
    asking = Asking(lab, http, name)
    found = {fault: await asking.failed(x_lab_fault=fault) for fault in FAULTS}
    kinds = {fault: failure and failure.kind for fault, failure in found.items()}
    assert kinds == {fault: OTHERWISE.get(fault, {}).get(name, kind) for fault, kind in FAULTS.items()}
    waits = {fault: failure and failure.retry_after_seconds for fault, failure in found.items()}
    assert {fault: wait for fault, wait in waits.items() if wait is not None} == {"rate:7": 7.0}


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"azure-speech"}))
async def test_a_request_that_is_wrong_is_the_callers_fault(lab: Lab, http: aiohttp.ClientSession, name: str) -> None:
    failure = await Asking(lab, http, name).failed({"foo": 1})
    assert failure is not None
    assert failure.kind is Kind.INVALID
    assert failure.message


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"generic"}))
async def test_a_wrong_credential_is_known_as_one(lab: Lab, http: aiohttp.ClientSession, name: str) -> None:
    asking = Asking(lab, http, name)
    asking.headers = {
        key: value[:-1] + "wrong" if value.endswith("k") else value for key, value in asking.headers.items()
    }
    failure = await asking.failed()
    assert failure is not None
    assert failure.kind is Kind.AUTH


async def test_an_older_client_of_cartesias_is_refused_in_text(lab: Lab, http: aiohttp.ClientSession) -> None:
    asking = Asking(lab, http, "cartesia")
    for fault, kind in (("concurrency", Kind.CONCURRENCY), ("quota", Kind.QUOTA), ("500", Kind.SERVER)):
        failure = await asking.failed(Cartesia_Version="2025-04-16", x_lab_fault=fault)
        assert failure is not None
        assert failure.kind is kind


async def test_groqs_flexible_tier_is_overloaded(lab: Lab, http: aiohttp.ClientSession) -> None:
    failure = await Asking(lab, http, "groq").failed(x_lab_fault="498")
    assert failure is not None
    assert failure.kind is Kind.OVERLOADED
