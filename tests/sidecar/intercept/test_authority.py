"""What the CA of the pod leaves for others to read: all that they must trust, and no key."""

import stat
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from sidecar.errors import ConfigurationError
from sidecar.intercept.authority import BUNDLE_FILE, ROOT_FILE, TRUST_FILE, open_authority

NAMES = ["api.openai.com"]


def stored(directory: Path) -> list[x509.Certificate]:
    with warnings.catch_warnings():  # some of the system's roots keep to older rules
        warnings.simplefilter("ignore")
        kept = pkcs12.load_pkcs12((directory / TRUST_FILE).read_bytes(), None)
    return [each.certificate for each in kept.additional_certs]


def test_what_clients_must_trust_is_published_and_nothing_else(tmp_path: Path) -> None:
    keys, trust = tmp_path / "keys", tmp_path / "trust"
    open_authority(keys, NAMES, (), trust)
    assert sorted(path.name for path in trust.iterdir()) == [BUNDLE_FILE, ROOT_FILE, TRUST_FILE]
    for path in trust.iterdir():
        assert b"PRIVATE" not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o644, "the agent is another user"
        if path.name != TRUST_FILE:
            assert path.read_bytes() == (keys / path.name).read_bytes()
    root = x509.load_pem_x509_certificate((trust / ROOT_FILE).read_bytes())
    assert root in stored(trust)


def test_other_roots_are_in_all_of_it(tmp_path: Path) -> None:
    open_authority(tmp_path / "corporate", ["corporate.example"])
    corporate = tmp_path / "corporate" / ROOT_FILE
    open_authority(tmp_path / "keys", NAMES, [corporate], tmp_path / "trust")
    assert corporate.read_bytes().strip() in (tmp_path / "trust" / BUNDLE_FILE).read_bytes()
    assert x509.load_pem_x509_certificate(corporate.read_bytes()) in stored(tmp_path / "trust")


def test_a_certificate_that_is_none_costs_only_itself(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    open_authority(tmp_path / "keys", NAMES, [rubbish], tmp_path / "trust")
    assert x509.load_pem_x509_certificate((tmp_path / "trust" / ROOT_FILE).read_bytes()) in stored(tmp_path / "trust")


def test_a_restart_publishes_the_same_root(tmp_path: Path) -> None:
    published = []
    for _ in range(2):
        open_authority(tmp_path / "keys", NAMES, (), tmp_path / "trust")
        published.append((tmp_path / "trust" / ROOT_FILE).read_bytes())
    assert published[0] == published[1]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"tls\.trust_directory .*/file/trust"):
        open_authority(tmp_path / "keys", NAMES, (), tmp_path / "file" / "trust")
