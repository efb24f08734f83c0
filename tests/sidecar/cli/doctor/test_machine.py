"""What this machine says of itself."""

import asyncio
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.cli.doctor import machine
from sidecar.cli.doctor.machine import (
    Rules,
    by_dns,
    read_hosts,
    read_may_bind,
    read_name_servers,
    read_rules,
    this_machine,
)
from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.names import AddressInfo

OPENAI = "api.openai.com"

HOSTS = """
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1       localhost ip6-localhost
127.0.0.1\tAPI.openai.com\tapi.groq.com # and more
0:0:0:0:0:0:0:1 api.openai.com
127.0.0.1 api.openai.com
nonsense api.openai.com
10.1.2.3
"""
LISTED = """table inet agent_sidecar {
	chain redirected {
		type nat hook output priority -110; policy accept;
		meta skuid 64443 return
		oifname "lo" return
		tcp dport 443 counter packets 0 bytes 0 redirect to :15001
	}

	chain quic {
		type filter hook output priority filter; policy accept;
		meta skuid != 64443 oifname != "lo" udp dport 443 counter packets 0 bytes 0 reject
	}
}
"""


def test_a_hosts_file_is_read() -> None:
    assert read_hosts(HOSTS) == {
        "localhost": ("127.0.0.1", "::1"),
        "ip6-localhost": ("::1",),
        "api.openai.com": ("127.0.0.1", "::1"),
        "api.groq.com": ("127.0.0.1",),
    }


def test_name_servers_are_read() -> None:
    assert read_name_servers("search a.b\nnameserver 10.0.0.10\n nameserver ::1\n#nameserver 1.1.1.1\n") == (
        "10.0.0.10",
        "::1",
    )


@pytest.mark.parametrize(
    ("status", "may"),
    [
        ("CapPrm:\t0000000000000400\nCapEff:\t0000000000000000\n", False),
        ("CapEff:\t0000000000000400\n", True),
        ("CapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t000001fffffffbff\n", False),
        ("", False),
    ],
)
def test_the_capability_in_effect_is_what_counts(status: str, may: bool) -> None:
    assert read_may_bind(status) is may


def test_rules_are_read_as_nft_lists_them() -> None:
    assert read_rules(LISTED) == Rules(ports=(15001,), exempt=(64443,))
    assert read_rules("table inet agent_sidecar {\n}\n") == Rules()


class Known(SystemResolver):
    """Knows one name, and never answers about another."""

    closed = 0

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        if host == "silent.example":
            await asyncio.Event().wait()
        if host != OPENAI:
            raise OSError("Domain name not found")
        found = ((socket.AF_INET, ("192.0.2.1", port)), (socket.AF_INET6, ("2001:db8::1", port, 0, 0)))
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for family, address in found]

    async def aclose(self) -> None:
        Known.closed += 1


def test_name_servers_are_asked_for_all_names_at_once_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE_SECONDS", 0.1)
    assert by_dns([OPENAI, "no.such.example", "silent.example"], Known) == {
        OPENAI: ("192.0.2.1", "2001:db8::1"),
        "no.such.example": "domain name not found",
        "silent.example": "no answer within 0.1 s",
    }
    assert Known.closed == 1


def program(directory: Path, script: str) -> None:
    directory.mkdir()
    file = directory / "nft"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("uid", "script", "rules"),
    [
        (0, f"[ \"$*\" = 'list table inet agent_sidecar' ] && cat <<'X'\n{LISTED}X", Rules(True, (15001,), (64443,))),
        (0, "echo 'Error: No such file or directory' >&2; exit 1", Rules(there=False)),
        (0, "echo 'Operation not permitted (you must be root)' >&2; exit 1", None),
        (0, "exec tail -f /dev/null", None),
        (2000, "exit 0", None),
        (0, None, None),
    ],
)
def test_only_root_can_know_the_rules(
    uid: int, script: str | None, rules: Rules | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        program(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}" if script is None else f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(machine, "PATIENCE_SECONDS", 0.5)
    assert this_machine().rules == rules


def test_this_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(HOSTS)
    monkeypatch.setattr(machine, "HOSTS", hosts)
    monkeypatch.setattr(machine, "_UNPRIVILEGED", tmp_path / "none")
    found = this_machine()
    assert found.hosts["api.groq.com"] == ("127.0.0.1",)
    assert (found.uid, found.first_port) == (os.getuid(), 1024)
