"""What ``/metrics`` says of connections to providers."""

from sidecar.metrics import MAX_SERIES, Metrics
from sidecar.notes import Connecting


def test_connections_are_counted_by_provider_and_by_how_tls_was_made() -> None:
    metrics = Metrics()
    metrics.connected("openai", Connecting(0.001, 0.004, 0.01, "TLSv1.3"))
    metrics.connected("openai", Connecting(0.0, 0.004, 0.002, "TLSv1.3", resumed=True))
    metrics.connected("openai", Connecting(0.0, 0.004, 0.002, "TLSv1.3", resumed=True))
    metrics.connected("local", Connecting(0.0, 0.0002))
    page = metrics.render().splitlines()
    assert "# TYPE sidecar_upstream_connect_seconds histogram" in page
    for labels, count, seconds in (
        ('provider="local",tls="none"', 1, "0.0002"),
        ('provider="openai",tls="full"', 1, "0.015"),
        ('provider="openai",tls="resumed"', 2, "0.012"),
    ):
        assert f"sidecar_upstream_connect_seconds_count{{{labels}}} {count}" in page
        assert f"sidecar_upstream_connect_seconds_sum{{{labels}}} {seconds}" in page
    assert 'sidecar_upstream_connect_seconds_bucket{provider="openai",tls="resumed",le="0.008"} 2' in page


def test_providers_beyond_the_limit_are_folded() -> None:
    metrics = Metrics()
    for number in range(MAX_SERIES + 10):
        metrics.connected(f"p{number}", Connecting(0.0, 0.001))
    page = metrics.render()
    assert page.count("sidecar_upstream_connect_seconds_count{") == MAX_SERIES + 1
    assert 'sidecar_upstream_connect_seconds_count{provider="other",tls="none"} 10' in page


def test_the_last_part_of_a_connection_is_what_a_late_comer_sees() -> None:
    whole = Connecting(0.02, 0.03, 0.05, "TLSv1.3", resumed=True)
    for seconds, left in (
        (0.2, (0.02, 0.03, 0.05)),
        (0.09, (0.01, 0.03, 0.05)),
        (0.06, (0.0, 0.01, 0.05)),
        (0.01, (0.0, 0.0, 0.01)),
        (0.0, (0.0, 0.0, 0.0)),
    ):
        part = whole.last(seconds)
        assert [round(each, 6) for each in (part.dns_seconds, part.tcp_seconds, part.tls_seconds)] == list(left)
        assert (part.tls, part.resumed) == ("TLSv1.3", True)
