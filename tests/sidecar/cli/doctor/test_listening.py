"""Addresses, and a sidecar that runs already."""

import errno
import socket
from functools import partial
from typing import Any

import pytest

from sidecar import __version__
from sidecar.addresses import Address
from sidecar.cli.doctor.checked import Mark
from sidecar.cli.doctor.listening import address, occupied, probe, ready, running, running_status, wanted_addresses
from sidecar.configuration import load
from tests.running import running as sidecar_running
from tests.sidecar.cli.test_asking import elsewhere
from tests.wire import answer, answering, peer

TAKEN, FORBIDDEN = OSError(errno.EADDRINUSE, "Address already in use"), OSError(errno.EACCES, "Permission denied")
NOT_HERE = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
MAIN = Address("127.0.0.1:15080")


@pytest.mark.parametrize(
    ("name", "wanted", "ours", "obstacle", "mark", "part"),
    [
        ("proxy", MAIN, "", None, Mark.PASSED, "127.0.0.1:15080 is free"),
        ("proxy", MAIN, "127.0.0.1:15080", TAKEN, Mark.PASSED, "taken by the sidecar that runs already"),
        ("probes", Address("0.0.0.0:15089"), "0.0.0.0:15089", TAKEN, Mark.PASSED, "taken by the sidecar"),
        ("proxy", MAIN, "", TAKEN, Mark.FAILED, "address already in use"),
        ("proxy", MAIN, "127.0.0.1:7000", TAKEN, Mark.FAILED, "address already in use"),
        ("admin", Address("127.0.0.1:80"), "", FORBIDDEN, Mark.FAILED, "permission denied"),
        ("transparent 2", Address("[::1]:443"), "", NOT_HERE, Mark.NOTED, "[::1]:443 is left out: cannot assign"),
        ("proxy", Address("[::1]:443"), "", NOT_HERE, Mark.FAILED, "cannot assign"),
        ("proxy", Address("127.0.0.1:0"), "", None, Mark.PASSED, "any free port"),
    ],
)
def test_an_address_is_free_ours_or_in_the_way(
    name: str, wanted: Address, ours: str, obstacle: OSError | None, mark: Mark, part: str
) -> None:
    check = address(name, wanted, ours, obstacle)
    assert check.mark is mark
    assert part in check.message


@pytest.mark.parametrize(
    ("name", "key"), [("proxy", "listen.address"), ("probes", "probes.address"), ("groq", "providers.groq.port")]
)
def test_the_setting_to_change_is_named(name: str, key: str) -> None:
    assert f"choose another with {key};" in address(name, MAIN, "", TAKEN).hint


@pytest.mark.parametrize(
    ("name", "wanted", "obstacle", "hint"),
    [
        ("transparent 1", Address("127.0.0.1:443"), FORBIDDEN, "ip_unprivileged_port_start to 443; or choose another"),
        ("transparent 1", Address("127.0.0.1:443"), TAKEN, "have that one listen elsewhere, or take mode redirect"),
        ("transparent 1", Address("127.0.0.1:15001"), TAKEN, "with listen.transparent, and have the rules lead there"),
        ("proxy", MAIN, FORBIDDEN, "choose another with listen.address; ss -ltnp"),
        ("proxy", Address("192.0.2.1:15080"), NOT_HERE, "listen.address: this is no address of this machine"),
    ],
)
def test_what_to_do_fits_what_is_in_the_way(name: str, wanted: Address, obstacle: OSError, hint: str) -> None:
    assert hint in address(name, wanted, "", obstacle).hint


def test_every_address_of_a_configuration_is_looked_at() -> None:
    settings = load(
        None, {}, ("providers.openai.port=15081", "providers.groq={port: 15082, enabled: false}", "plugins=[]")
    ).settings
    assert dict(wanted_addresses(settings)) == {
        "proxy": "127.0.0.1:15080",
        "admin": "127.0.0.1:15088",
        "probes": "0.0.0.0:15089",
        "openai": "127.0.0.1:15081",
    }
    assert "probes" not in dict(wanted_addresses(load(None, {}, ("probes.address=null",)).settings))


def test_a_port_is_tried_by_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        error = occupied(Address(f"127.0.0.1:{taken.getsockname()[1]}"))
    assert error is not None
    assert error.errno == errno.EADDRINUSE
    assert occupied(Address("localhost:0")) is None
    assert occupied(Address("192.0.2.1:0")) is not None


def status(**fields: Any) -> dict[str, Any]:
    return {
        "version": __version__,
        "uptime_seconds": 60.0,
        "configuration": {"digest": "0123456789ab"},
        "addresses": {},
        "plugins": [{"name": "cache", "faults": 0, "quarantined": False}],
        **fields,
    }


def marks(told: dict[str, Any] | None, digest: str | None = "0123456789ab") -> list[tuple[Mark, str]]:
    return [(check.mark, check.message) for check in running(told, "http://127.0.0.1:15088", digest)]


def test_none_that_runs_is_no_trouble() -> None:
    assert marks(None) == [(Mark.NOTED, "none answers at http://127.0.0.1:15088; start one with sidecar run")]


def test_one_that_runs_as_configured_is_well() -> None:
    assert [mark for mark, _ in marks(status())] == [Mark.PASSED]
    assert [mark for mark, _ in marks(status(), None)] == [Mark.PASSED]


@pytest.mark.parametrize(
    ("told", "part"),
    [
        (status(version="9.9"), "it has version 9.9"),
        (status(configuration={"digest": "ffffffffffff"}), "digest ffffffffffff, the one looked at here 0123456789ab"),
        (status(plugins=[{"name": "cache", "faults": 3, "quarantined": False}]), "cache failed 3 times"),
        (status(plugins=[{"name": "cache", "faults": 9, "quarantined": True}]), "cache is in quarantine"),
    ],
)
def test_one_that_runs_otherwise_is_warned_of(told: dict[str, Any], part: str) -> None:
    _, (mark, message) = marks(told)
    assert mark is Mark.WARNING
    assert part in message


def test_clients_that_did_not_take_its_certificate_are_told_with_the_remedy() -> None:
    counts = {"api.openai.com": 2, "api.groq.com": 30, "a.example": 1, "b.example": 1}
    told = status(distrusted=counts, bundle="/trust/bundle.crt")
    _, check = running(told, "http://127.0.0.1:15088", None)
    assert check.mark is Mark.WARNING
    assert check.message.endswith("for api.groq.com (30), api.openai.com (2), a.example (1) and 1 more")
    assert "SSL_CERT_FILE=/trust/bundle.crt" in check.hint
    assert "NODE_EXTRA_CA_CERTS=/trust/ca.crt" in check.hint
    assert marks(status(distrusted={}, bundle=None), None)[1:] == []


@pytest.mark.parametrize(
    ("answered", "lines", "mark", "part"),
    [
        (200, [], Mark.PASSED, "it is ready"),
        (503, ["[+] configuration", "[-] accepting"], Mark.FAILED, "not ready: accepting"),
        (404, ["what"], Mark.FAILED, "not ready: status 404"),
        (None, [], Mark.FAILED, "do not answer"),
    ],
)
def test_probes_tell_whether_it_is_ready(answered: int | None, lines: list[str], mark: Mark, part: str) -> None:
    check = probe("127.0.0.1:1", answered, lines)
    assert check.mark is mark
    assert part in check.message


async def test_a_real_one_is_found_and_ready() -> None:
    async with sidecar_running() as sidecar:
        told = await elsewhere(lambda: running_status(sidecar.admin))
        assert told is not None
        checks = await elsewhere(lambda: running(told, sidecar.admin, None))
    assert [check.mark for check in checks] == [Mark.PASSED, Mark.PASSED]
    assert "probes answer" in checks[1].message


async def test_something_else_is_not_taken_for_a_sidecar() -> None:
    for said in (answer(b"[]", "200 OK", "Content-Type: application/json"), answer(b"<html>")):
        async with peer(answering(said)) as other:
            assert await elsewhere(partial(running_status, f"http://127.0.0.1:{other.port}")) is None
    assert running_status("http://127.0.0.1:1") is None
    assert running_status("no url") is None
    assert ready("127.0.0.1:1") == (None, [])
