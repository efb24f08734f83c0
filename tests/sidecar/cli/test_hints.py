"""What to do about a call that did not end well."""

import pytest

from sidecar.cli.hints import hints
from sidecar.errors import ConnectFailed, Forbidden, NoRoute, PluginFailed, UpstreamBroken, UpstreamTimeout
from sidecar.journal import CallTold, described, kind_of
from tests.sidecar.cli.calls import attempt, call, fault


def failed(error: BaseException) -> CallTold:
    """A call that ended with *error*, as the journal tells it."""
    told = {"error": described(error), "error_kind": kind_of(error)}
    return call(
        outcome="failed", status=502, answered_by="agent-sidecar", attempts=(attempt(status=None, **told),), **told
    )


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (ConnectFailed("no connection: connection refused"), "look at providers.openai.url"),
        (ConnectFailed("slow", kind="connection_timeout"), "firewalls"),
        (ConnectFailed("the name x cannot be resolved", kind="dns_error"), "typing error in providers.openai.url"),
        (ConnectFailed("self-signed", kind="tls_certificate_error"), "providers.openai.ca_file"),
        (ConnectFailed("wrong version", kind="tls_protocol_error"), "http:// in providers.openai.url"),
        (ConnectFailed("full", kind="connection_limit_reached"), "upstream.max_connections"),
        (UpstreamTimeout("connect", 5.0), "providers.openai.timeouts.connect"),
        (UpstreamTimeout("first_byte", 300.0), "providers.openai.timeouts.first_byte"),
        (UpstreamTimeout("between_chunks", 120.0), "providers.openai.timeouts.between_chunks"),
        (UpstreamTimeout("total", 3600.0), "providers.openai.timeouts.total"),
        (UpstreamBroken("it closed"), "ended the connection before the answer was whole"),
        (UpstreamBroken("nonsense", kind="http_protocol_error"), "right port and scheme"),
        (Forbidden("forward.deny forbids it"), "forward.allow"),
        (NoRoute("nothing"), "add it under providers:"),
        (PluginFailed("cache", "died"), "on_fault: fail"),
        (ConnectionResetError("the agent left"), "the agent closed the connection after 1.00s, in the middle"),
    ],
)
def test_an_error_comes_with_what_to_do(error: BaseException, part: str) -> None:
    found = hints(failed(error))
    assert len(found) == 1
    assert part in found[0]
    assert "{" not in found[0]


@pytest.mark.parametrize(
    ("status", "part"),
    [
        (400, "does not accept the request"),
        (401, "providers.openai.credential"),
        (402, "balance"),
        (403, "the key's rights"),
        (404, "/v1/chat/completions"),
        (413, "too large"),
        (422, "does not accept the request"),
        (429, "limits the rate"),
        (500, "status page"),
        (503, "status page"),
        (529, "overloaded"),
    ],
)
def test_a_providers_refusal_comes_with_what_to_do(status: int, part: str) -> None:
    found = hints(call(status=status))
    assert len(found) == 1
    assert part in found[0]


def test_a_call_that_went_well_needs_no_advice() -> None:
    assert hints(call()) == []
    assert hints(call(status=302)) == []


def test_an_agent_that_left_early_is_told_from_one_that_left_late() -> None:
    early = call(outcome="cancelled", error="the agent left", error_kind="agent_left", first_byte_seconds=None)
    assert "before it had any of the answer" in hints(early)[0]


def test_providers_that_failed_before_another_answered_are_explained_too() -> None:
    dead = attempt(provider="first", server="http://first", error="x", error_kind="dns_error", status=None)
    found = hints(call(attempts=(dead, attempt(number=1))))
    assert len(found) == 1
    assert "providers.first.url" in found[0]


def test_a_plugins_fault_is_named_as_its_own() -> None:
    assert "cache failed by itself" in hints(call(faults=(fault("cache"), fault("cache"))))[0]


def test_what_nobody_knows_a_remedy_for_gets_none() -> None:
    assert hints(call(outcome="failed", error="odd", error_kind="ValueError", answered_by="agent-sidecar")) == []
