"""What each kind of failure asks of whoever sends calls, and what exceptions mean."""

import asyncio
import re
import socket
import ssl

import pytest

from sidecar import failure as module
from sidecar.errors import (
    BodyTooLarge,
    ConnectFailed,
    Forbidden,
    NoRoute,
    PluginFailed,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
)
from sidecar.failure import MESSAGE_LIMIT, Failure, Kind, failure_of


def documented() -> dict[str, tuple[str, str, str, str]]:
    """The columns of the table in the module's docstring that are facts, by kind."""
    rows = {}
    for line in (module.__doc__ or "").splitlines():
        cells = re.split(r"  +", line.strip())
        if len(cells) == 6 and cells[0] in set(Kind):
            rows[cells[0]] = (cells[1], cells[2], cells[3], cells[4])
    return rows


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_does_as_the_table_says(kind: Kind) -> None:
    again, elsewhere, health, out = documented()[kind]
    failure = Failure(kind=kind)
    assert failure.retry_here == (again != "no")
    assert (failure.retry_elsewhere, failure.elsewhere_by_choice) == (elsewhere == "yes", elsewhere == "by choice")
    assert failure.counts_against_health == (health == "yes")
    default = {"rate": 5.0, "quota": 300.0, "auth": 300.0}.get(kind)
    assert failure.blocks_until(100.0) == (None if default is None else 100.0 + default)
    told = Failure(kind=kind, retry_after_seconds=20.0).blocks_until(100.0)
    assert told == (None if out == "no" else 120.0)


def test_a_wait_of_none_is_over_at_once() -> None:
    assert Failure(kind=Kind.RATE, retry_after_seconds=0.0).blocks_until(100.0) == 100.0


def test_the_table_is_complete() -> None:
    assert set(documented()) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_who_asks_for_attention_and_what_is_a_limit(kind: Kind) -> None:
    failure = Failure(kind=kind)
    assert failure.needs_attention == (kind in ("quota", "auth"))
    assert failure.is_limit == (kind in ("rate", "concurrency", "quota"))


@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_has_done_nothing_and_silence_may_have(kind: Kind) -> None:
    assert Failure(kind=kind).may_have_taken_effect == (kind in ("server", "timeout", "network"))
    assert not Failure(kind=kind, sent=False).may_have_taken_effect


def named(base: type[Exception], name: str) -> Exception:
    return type(name, (base,), {})("no")


ERRORS: list[tuple[BaseException, Kind, str, bool]] = [
    (UpstreamTimeout("first_byte", 10.0), Kind.TIMEOUT, "first_byte_timeout", True),
    (UpstreamTimeout("between_chunks", 10.0), Kind.TIMEOUT, "between_chunks_timeout", True),
    (UpstreamTimeout("total", 10.0), Kind.TIMEOUT, "total_timeout", True),
    (UpstreamTimeout("connect", 10.0, sent=False), Kind.TIMEOUT, "connect_timeout", False),
    (ConnectFailed("no"), Kind.NETWORK, "connection_refused", False),
    (ConnectFailed("no", kind="dns_error"), Kind.NETWORK, "dns_error", False),
    (ConnectFailed("no", kind="tls_certificate_error"), Kind.NETWORK, "tls_certificate_error", False),
    (ConnectFailed("no", kind="tls_protocol_error"), Kind.NETWORK, "tls_protocol_error", False),
    (ConnectFailed("no", kind="connection_timeout"), Kind.TIMEOUT, "connection_timeout", False),
    (ConnectFailed("no", kind="connection_limit_reached"), Kind.CONCURRENCY, "connection_limit_reached", False),
    (UpstreamBroken("no"), Kind.NETWORK, "connection_terminated", True),
    (UpstreamBroken("no", begun=True), Kind.NETWORK, "connection_terminated", True),
    (UpstreamBroken("no", kind="http_protocol_error"), Kind.NETWORK, "http_protocol_error", True),
    (UpstreamBroken("the body failed", kind="proxy_internal_error"), Kind.INVALID, "proxy_internal_error", True),
    (UpstreamError("no", sent=False), Kind.NETWORK, "http_protocol_error", False),
    (TimeoutError("no"), Kind.TIMEOUT, "timeout", True),
    (socket.gaierror(socket.EAI_NONAME, "no"), Kind.NETWORK, "dns_error", False),
    (ssl.SSLError("no"), Kind.NETWORK, "tls_protocol_error", True),
    (ssl.SSLCertVerificationError("no"), Kind.NETWORK, "tls_certificate_error", False),
    (ConnectionRefusedError("no"), Kind.NETWORK, "connection_refused", False),
    (ConnectionResetError("no"), Kind.NETWORK, "connection_terminated", True),
    (BrokenPipeError("no"), Kind.NETWORK, "connection_terminated", True),
    (OSError("no route to host"), Kind.NETWORK, "destination_unavailable", True),
    (named(OSError, "Odd"), Kind.NETWORK, "destination_unavailable", True),
    (NoRoute("no"), Kind.INVALID, "destination_not_found", False),
    (Forbidden("no"), Kind.INVALID, "destination_ip_prohibited", False),
    (PluginFailed("p", "no"), Kind.INVALID, "proxy_internal_error", False),
    (BodyTooLarge(1), Kind.INVALID, "proxy_internal_error", True),
    (ValueError("no"), Kind.INVALID, "proxy_internal_error", True),
    (asyncio.CancelledError(), Kind.INVALID, "proxy_internal_error", True),
    (KeyboardInterrupt(), Kind.INVALID, "proxy_internal_error", True),
]


@pytest.mark.parametrize(("error", "kind", "code", "sent"), ERRORS, ids=lambda value: repr(value)[:50])
def test_what_an_exception_means(error: BaseException, kind: Kind, code: str, sent: bool) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.code, failure.sent, failure.status) == (kind, code, sent, 0)
    assert failure.retry_after_seconds is None


def test_an_exceptions_words_are_for_the_agent_and_bounded() -> None:
    assert failure_of(ConnectFailed("no connection to x")).message == "no connection to x"
    assert len(failure_of(UpstreamBroken("x" * 10_000)).message) == MESSAGE_LIMIT
    assert failure_of(ValueError("what the agent said")).message == ""
