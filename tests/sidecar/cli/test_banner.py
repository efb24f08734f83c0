"""What somebody sees who starts it on a terminal."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.cli.banner import Ready, banner, reachable


def told(**fields: Any) -> str:
    facts: dict[str, Any] = {
        "addresses": {"proxy": "127.0.0.1:15080", "admin": "127.0.0.1:15088", "probes": "0.0.0.0:15089"},
        "providers": ["openai", "deepgram"],
        "plugins": ["tracing", "cache"],
        "bundle": Path("/state/bundle.crt"),
        "source": "the defaults (digest 0123456789ab)",
        "pid": 4711,
    }
    return banner(Ready(**{**facts, **fields}))


def test_it_names_every_address_and_way_in() -> None:
    text = told()
    for part in (
        "proxy    http://127.0.0.1:15080",
        "admin    http://127.0.0.1:15088",
        "probes   http://127.0.0.1:15089  /livez",
        "plugins  tracing › cache",
        "config   the defaults (digest 0123456789ab)",
        "OPENAI_BASE_URL=http://127.0.0.1:15080/openai/v1",
        "1 more at http://127.0.0.1:15080/<provider>",
        "HTTPS_PROXY=http://127.0.0.1:15080 https_proxy=http://127.0.0.1:15080",
        "SSL_CERT_FILE=/state/bundle.crt REQUESTS_CA_BUNDLE=/state/bundle.crt",
        "kill -HUP 4711",
    ):
        assert part in text
    assert "--admin" not in text


def test_without_a_ca_it_promises_no_interception() -> None:
    text = told(bundle=None)
    assert "SSL_CERT_FILE" not in text
    assert "TLS passes through untouched" in text


def test_other_providers_and_ports_are_shown() -> None:
    addresses = {"proxy": "[::1]:7000", "admin": "127.0.0.1:7008", "mine": "127.0.0.1:7001"}
    text = told(addresses=addresses, providers=["mine"], plugins=[])
    assert "mine     http://127.0.0.1:7001  (its own port)" in text
    assert "point one SDK here:    http://[::1]:7000/mine" in text
    assert "plugins  none" in text
    assert "probes" not in text
    assert "sidecar status (--admin http://127.0.0.1:7008)" in text
    assert "point one SDK" not in told(providers=[])


@pytest.mark.parametrize(
    ("listening", "called"),
    [
        ("0.0.0.0:1", "127.0.0.1:1"),
        ("[::]:1", "[::1]:1"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("10.0.0.7:1", "10.0.0.7:1"),
    ],
)
def test_what_listens_everywhere_is_called_here(listening: str, called: str) -> None:
    assert reachable(listening) == called
