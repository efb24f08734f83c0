"""A credential goes to its own provider and to nobody else."""

import pytest
from msgspec.structs import replace

from sidecar.credentials import identified
from sidecar.dialects import load, names
from sidecar.exchange import Attempt
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord
from sidecar.provider import Secret
from sidecar.upstream.head import request_head
from tests import making

AGENTS = "agents-own"
SENT = Headers.of(
    host="agent",
    authorization=f"Bearer {AGENTS}",
    api_key=AGENTS,
    ocp_apim_subscription_key=AGENTS,
    x_api_key=AGENTS,
    x_goog_api_key=AGENTS,
    xi_api_key=AGENTS,
    cookie=f"session={AGENTS}",
    x_trace="kept",
)


def attempt(
    *, fallback: bool = False, own: str | None = None, dialect: str = "openai", target: str = "/v1/x"
) -> Attempt:
    called = making.provider(dialect=load(dialect), credential=None if own is None or fallback else Secret(own))
    exchange = making.exchange(called, target=target, headers=SENT)
    provider = replace(called, name="other", credential=Secret(own) if own else None) if fallback else called
    return Attempt(exchange=exchange, provider=provider, request=exchange.request, record=AttemptRecord(provider, 0))


def test_what_the_agent_sent_reaches_the_one_it_called_untouched() -> None:
    sent = attempt(target=f"/v1/x?key={AGENTS}")
    assert identified(sent) is sent.request


@pytest.mark.parametrize("dialect", names())
def test_a_configured_credential_is_the_only_one_that_goes_out(dialect: str) -> None:
    sent = attempt(own="configured", dialect=dialect)
    request = identified(sent)
    spoken = load(dialect)
    assert AGENTS.encode() not in request.headers.block
    assert request.headers.get_all(spoken.credential_header) == (spoken.credential_format.format("configured"),)
    assert request.headers.get("x-trace") == "kept"


@pytest.mark.parametrize("own", [None, "configured"])
def test_another_provider_never_gets_what_the_agent_sent(own: str | None) -> None:
    sent = attempt(fallback=True, own=own, target=f"/v1/x?key={AGENTS}&model=m")
    head = request_head(sent, b"other.example").data
    assert AGENTS.encode() not in head
    assert (b"Bearer configured" in head) == (own is not None)
    assert head.startswith(b"POST /v1/x?model=m HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/x", "/v1/x"),
        ("/v1/x?", "/v1/x?"),
        (f"/v1/x?key={AGENTS}", "/v1/x"),
        (f"/v1/x?a=1&key={AGENTS}", "/v1/x?a=1"),
        (f"/v1/x?key={AGENTS}&a=1&token={AGENTS}&b=2", "/v1/x?a=1&b=2"),
        ("/v1/x?monkey=1&keys=2", "/v1/x?monkey=1&keys=2"),
        (f"/v1/x?xi-api-key={AGENTS}&authorization=Bearer%20{AGENTS}", "/v1/x"),
    ],
)
def test_credentials_in_the_query_go_too(target: str, expected: str) -> None:
    assert identified(attempt(own="configured", target=target)).target == expected
