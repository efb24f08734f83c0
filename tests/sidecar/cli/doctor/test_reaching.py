"""Whether providers and the collector of traces can be reached."""

import contextlib
import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate

import pytest

from sidecar.cli.doctor.checked import Mark
from sidecar.cli.doctor.reaching import (
    Collector,
    Reached,
    Target,
    clock,
    collector,
    provider,
    providers,
    reach,
    together,
    traced,
    tracing,
)
from sidecar.lab import Lab
from sidecar.provider import Origin
from sidecar.upstream.dial import client_context
from tests.sidecar.cli.test_asking import elsewhere

ORIGIN = Origin("https", "api.example.com", 443)


def target(origin: Origin, trust: ssl.SSLContext | None = None) -> Target:
    return Target(name="mine", origin=origin, trust=lambda: trust or client_context())


@pytest.mark.parametrize(
    ("reached", "mark", "message", "hint"),
    [
        (Reached(took_seconds=0.03), Mark.PASSED, "answers in 30ms, its certificate is trusted", ""),
        (Reached("resolve", "not known"), Mark.FAILED, "name api.example.com is not known", "providers.mine.url"),
        (Reached("connect", "refused"), Mark.FAILED, "does not take connections: refused", "firewall"),
        (Reached("tls", "wrong version"), Mark.FAILED, "does not speak TLS", "http://"),
        (Reached("trust", "self-signed"), Mark.FAILED, "is not trusted: self-signed", "providers.mine.ca_file"),
        (Reached("trust", "certificate is not yet valid"), Mark.FAILED, "not yet valid", "the clock of this machine"),
        (Reached("trust", "certificate has expired"), Mark.FAILED, "has expired", "the clock of this machine"),
        (Reached("time", "no answer within 3 s"), Mark.FAILED, "no answer within 3 s", "network policy"),
    ],
)
def test_each_way_to_fail_has_its_words(reached: Reached, mark: Mark, message: str, hint: str) -> None:
    check = provider(target(ORIGIN), reached)
    assert check.mark is mark
    assert message in check.message
    assert hint in check.hint


async def test_an_emulated_provider_is_reached_in_the_clear_and_by_tls() -> None:
    async with Lab("openai", tls=True) as lab:
        plain, secure = (int(url.rpartition(":")[2]) for url in (lab.url("openai"), lab.tls_url("openai")))
        trusting = lab.client_tls()
        found = await elsewhere(
            lambda: [
                reach(target(Origin("http", "127.0.0.1", plain))),
                reach(target(Origin("https", "127.0.0.1", secure), trusting)),
                reach(target(Origin("https", "127.0.0.1", secure))),
                reach(target(Origin("https", "127.0.0.1", plain), trusting)),
            ]
        )
    assert [each.failed for each in found] == ["", "", "trust", "tls"]
    assert "certificate" in found[2].reason
    assert all(each.took_seconds > 0 for each in found[:2])


def test_nobody_and_unknown_names_are_told_apart() -> None:
    assert reach(target(Origin("http", "127.0.0.1", 1))).failed == "connect"
    assert reach(target(Origin("http", "no.such.name.invalid", 80))).failed == "resolve"


async def test_where_the_hosts_file_leads_here_what_name_servers_know_is_used() -> None:
    async with Lab("openai") as lab:
        origin = Origin("http", "no.such.name.invalid", int(lab.url("openai").rpartition(":")[2]))
        found = await elsewhere(
            lambda: [
                reach(Target(name="mine", origin=origin, trust=client_context, known=known))
                for known in (("127.0.0.1",), ("127.0.0.9", "127.0.0.1"), ("127.0.0.9",), "domain name not found")
            ]
        )
    assert [each.failed for each in found] == ["", "", "connect", "resolve"]
    assert [each.reason for each in found[2:]] == ["connection refused", "domain name not found"]


@contextlib.contextmanager
def saying(answer: Callable[[], bytes]) -> Iterator[tuple[Origin, list[bytes]]]:
    """A server that answers whatever it hears, and what that was."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                heard.append(connection.recv(4096))
                connection.sendall(answer())

    with socket.create_server(("127.0.0.1", 0)) as server:
        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield Origin("http", "127.0.0.1", server.getsockname()[1]), heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            serving.join(10)


def test_a_provider_is_asked_for_the_time_and_nothing_else() -> None:
    def dated() -> bytes:
        at = formatdate(time.time_ns() / 1e9 - 90, usegmt=True)
        return f"HTTP/1.1 421 No\r\nServer: x\r\nDATE: {at}\r\n\r\n".encode()

    with saying(dated) as (origin, heard):
        asked = target(origin)
        reached = reach(asked)
        passed, warned = providers([asked])
        silent_ = Target(name="a", origin=origin, trust=client_context, speaks_http=False)
        assert reach(silent_).ahead_seconds is None
    assert reached.ahead_seconds == pytest.approx(90.5, abs=5)
    assert (passed.mark, warned.mark) == (Mark.PASSED, Mark.WARNING)
    assert "of this machine is 9" in warned.message, warned
    assert heard[0] == b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % origin.port


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n", b"SSH-2.0-x\r\n", b"\r\n\xff" * 9000])
def test_who_does_not_say_the_time_is_reached_all_the_same(said: bytes) -> None:
    with saying(lambda: said) as (origin, _):
        reached = reach(target(origin))
    assert (reached.failed, reached.ahead_seconds) == ("", None)


@pytest.mark.parametrize(
    ("ahead", "mark", "message"),
    [
        ([0.4, -0.6, 4000.0], Mark.PASSED, "agrees"),
        ([61.0], Mark.WARNING, "is 61.0s ahead of theirs"),
        ([-7200.0, -7201.0], Mark.WARNING, "is 2h00m behind theirs"),
    ],
)
def test_the_clock_is_held_to_what_most_providers_say(ahead: list[float], mark: Mark, message: str) -> None:
    check = clock(ahead)
    assert check.mark is mark
    assert message in check.message


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_one_that_hangs_holds_up_nobody() -> None:
    release = threading.Event()
    try:
        began = time.monotonic()
        found = together([lambda: int(release.wait(30)), lambda: 2], 0, patience_seconds=0.2)
        assert found == [0, 2]
        assert time.monotonic() - began < 5
    finally:
        release.set()


def test_results_stand_in_the_order_of_the_tasks() -> None:
    tasks = [functools.partial(lambda n: n, number) for number in range(50)]
    assert together(tasks, -1) == list(range(50))


def test_a_peer_that_never_speaks_runs_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.cli.doctor.reaching.PATIENCE_SECONDS", 0.1)
    with silent() as port:
        assert reach(target(Origin("https", "127.0.0.1", port))).failed == "connect"


def test_without_targets_it_says_how_to_try_more() -> None:
    (check,) = providers([])
    assert (check.mark, "--providers" in check.message) == (Mark.NOTED, True)


def test_each_target_is_reported() -> None:
    nobody = Origin("http", "127.0.0.1", 1)
    assert [check.mark for check in providers([target(nobody), target(nobody)])] == [Mark.FAILED, Mark.FAILED]


@pytest.mark.parametrize(
    ("endpoint", "protocol", "environ", "origin", "named_by"),
    [
        (None, None, {}, "http://localhost:4318", ""),
        (None, "grpc", {}, "http://localhost:4317", ""),
        (None, None, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", ""),
        ("http://otel:4318/v1/traces", None, {}, "http://otel:4318", "the configuration"),
        ("https://otel.example.com/v1/traces", None, {}, "https://otel.example.com", "the configuration"),
        ("http://otel", "grpc", {}, "http://otel:4317", "the configuration"),
        ("otel:4317", "grpc", {}, "http://otel:4317", "the configuration"),
        ("http://[::1]:4318", None, {}, "http://[::1]:4318", "the configuration"),
        (
            None,
            None,
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2"},
            "http://b:2",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ),
        (None, None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "http://a:1", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ],
)
def test_the_collector_is_found_as_opentelemetry_finds_it(
    endpoint: str | None, protocol: str | None, environ: dict[str, str], origin: str, named_by: str
) -> None:
    found = collector(endpoint, protocol, environ)
    assert found is not None
    assert (str(found.origin), found.named_by) == (origin, named_by)


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://", "http://x:port", "http://[::1"])
def test_an_endpoint_that_is_no_url_fails(endpoint: str) -> None:
    assert collector(endpoint, None, {}) is None
    assert tracing(None, client_context).mark is Mark.FAILED


def test_a_collector_that_nobody_named_is_only_a_warning() -> None:
    refused = Reached("connect", "connection refused")
    assert traced(Collector(ORIGIN, "the configuration"), refused).mark is Mark.FAILED
    unnamed = traced(Collector(ORIGIN, ""), refused)
    assert (unnamed.mark, "OTEL_EXPORTER_OTLP_ENDPOINT" in unnamed.hint) == (Mark.WARNING, True)
    assert traced(Collector(ORIGIN, ""), Reached()).mark is Mark.PASSED


def test_a_collector_is_really_tried() -> None:
    with silent() as port:
        assert tracing(Collector(Origin("http", "127.0.0.1", port), "x"), client_context).mark is Mark.PASSED
    assert tracing(Collector(Origin("http", "127.0.0.1", 1), "x"), client_context).mark is Mark.FAILED
