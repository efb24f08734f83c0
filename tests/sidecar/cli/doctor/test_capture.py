"""Whether connections are led here: listeners, privileges, rules, and which checks a configuration asks for."""

from collections.abc import Collection
from typing import Any

import pytest

from sidecar.addresses import Address
from sidecar.cli.doctor.capture import arrived, both_families, capture, listeners, privileged, redirected, ruled
from sidecar.cli.doctor.checked import Checked, Mark
from sidecar.cli.doctor.hosts_file import Answers
from sidecar.cli.doctor.machine import Machine, Rules
from sidecar.configuration import load
from sidecar.provider import Origin

OPENAI = "api.openai.com"
CLAIMS = [(OPENAI, Origin("https", OPENAI, 443))]
V4, V6 = Address("127.0.0.1:15001"), Address("[::1]:15001")
RULES = Rules(ports=(15001,), exempt=(64443,))


@pytest.mark.parametrize(
    ("told", "ipv6", "expected"),
    [
        (
            {"transparent 1": "127.0.0.1:15001", "transparent 2": "[::1]:15001"},
            True,
            [(Mark.PASSED, "listens on 127.0.0.1:15001, [::1]:15001")],
        ),
        (
            {"transparent 1": "127.0.0.1:15001"},
            False,
            [(Mark.NOTED, "nobody listens on [::1]:15001: there is no IPv6"), (Mark.PASSED, "127.0.0.1:15001")],
        ),
        (
            {"transparent 1": "127.0.0.1:15001"},
            True,
            [(Mark.FAILED, "does not listen on [::1]:15001"), (Mark.PASSED, "127.0.0.1:15001")],
        ),
        (
            {"proxy": "127.0.0.1:15080", "transparent 1": "127.0.0.1:443"},
            False,
            [(Mark.FAILED, "does not listen on 127.0.0.1:15001"), (Mark.NOTED, "[::1]:15001")],
        ),
    ],
)
def test_the_running_sidecar_must_listen_where_it_is_to(
    told: dict[str, str], ipv6: bool, expected: list[tuple[Mark, str]]
) -> None:
    as_expected(list(listeners([V4, V6], told, ipv6)), expected)


def as_expected(checks: list[Checked], expected: list[tuple[Mark, str]]) -> None:
    assert [check.mark for check in checks] == [mark for mark, _ in expected], checks
    for check, (_, part) in zip(checks, expected, strict=True):
        assert part in check.message


def test_any_free_port_is_as_good_as_another() -> None:
    (check,) = listeners([Address("127.0.0.1:0")], {"transparent 1": "127.0.0.1:4711"}, True)
    assert check.mark is Mark.PASSED


@pytest.mark.parametrize(
    ("facts", "mark", "part"),
    [
        ({"first_port": 443}, Mark.PASSED, "unprivileged ports begin at 443"),
        ({"first_port": 0}, Mark.PASSED, "any user"),
        ({"may_bind": True}, Mark.PASSED, "uid 64443 may listen on port 443: it has NET_BIND_SERVICE"),
        ({}, Mark.FAILED, "uid 64443 may not listen on port 443: unprivileged ports begin at 1024"),
        ({"first_port": 444}, Mark.FAILED, "begin at 444"),
    ],
)
def test_low_ports_want_a_sysctl_or_a_capability(facts: dict[str, Any], mark: Mark, part: str) -> None:
    check = privileged(443, Machine(uid=64443, **facts))
    assert check.mark is mark
    assert part in check.message
    line = 'securityContext.sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "443"}]'
    assert (line in check.hint) is (mark is Mark.FAILED)


@pytest.mark.parametrize(
    ("transparent", "ipv6", "missing"),
    [
        ([("127.0.0.1", 15001), ("::1", 15001)], True, []),
        ([("127.0.0.1", 15001)], False, []),
        ([("127.0.0.1", 15001)], True, ["[::1]:15001"]),
        ([("::1", 15001)], True, ["127.0.0.1:15001"]),
        ([("127.0.0.2", 15001), ("::1", 15001)], True, ["127.0.0.1:15001"]),
        ([("127.0.0.1", 0)], True, []),
    ],
)
def test_the_kernel_leads_to_one_address_of_each_family(
    transparent: list[tuple[str, int]], ipv6: bool, missing: list[str]
) -> None:
    checks = list(both_families({port for _, port in transparent}, transparent, ipv6))
    assert [(check.mark, check.hint) for check in checks] == [
        (Mark.WARNING, f"add {where} to listen.transparent") for where in missing
    ]


@pytest.mark.parametrize(
    ("rules", "uid", "mark", "part", "hint"),
    [
        (RULES, 64443, Mark.PASSED, "redirects to :15001, and exempts uid 64443", ""),
        (RULES, None, Mark.PASSED, "redirects to :15001", ""),
        (Rules(there=False), 64443, Mark.FAILED, "there is no table inet agent_sidecar", "agent-sidecar-rules"),
        (Rules(ports=(15002,), exempt=(64443,)), 64443, Mark.FAILED, "redirect to :15002, but", "-D PROXY=15001"),
        (Rules(exempt=(64443,)), 64443, Mark.FAILED, "redirect to nowhere", "-D PROXY=15001"),
        (RULES, 1000, Mark.FAILED, "exempt uid 64443, but the sidecar runs as 1000", "-D UID=1000"),
        (Rules(ports=(15001,)), 1000, Mark.FAILED, "exempt nobody", "-D UID=1000"),
    ],
)
def test_rules_must_lead_here_and_leave_the_sidecar_alone(
    rules: Rules, uid: int | None, mark: Mark, part: str, hint: str
) -> None:
    check = ruled(rules, {15001}, uid)
    assert check.mark is mark
    assert part in check.message
    assert hint in check.hint


@pytest.mark.parametrize(
    ("machine", "status", "expected"),
    [
        (Machine(uid=64443), {"uid": 64443}, []),
        (Machine(uid=64443), None, [(Mark.NOTED, "nobody can say")]),
        (Machine(uid=0, rules=RULES), None, [(Mark.PASSED, "exempts uid 64443")]),
        (
            Machine(uid=0, rules=RULES),
            {"uid": 64443},
            [(Mark.PASSED, "exempts"), (Mark.NOTED, "the sidecar runs as uid 64443, this command as 0")],
        ),
        (Machine(uid=0, rules=Rules(there=False)), {"uid": 64443}, [(Mark.FAILED, "there is no table")]),
        (Machine(uid=2000), {"uid": 64443}, [(Mark.NOTED, "this command as 2000")]),
        (Machine(uid=2000), {}, []),
    ],
)
def test_who_asks_decides_what_can_be_known(
    machine: Machine, status: dict[str, Any] | None, expected: list[tuple[Mark, str]]
) -> None:
    as_expected(list(redirected({15001}, machine, status)), expected)


@pytest.mark.parametrize(
    ("counts", "hosts", "rules", "mark", "message"),
    [
        ({"redirect": 3}, False, None, Mark.PASSED, "connections have come to the sidecar: 3 by redirection"),
        ({"hosts": 2}, True, None, Mark.PASSED, "connections have come to the sidecar: 2 by the hosts file"),
        ({"redirect": 3, "hosts": 2}, True, None, Mark.PASSED, "3 by redirection, 2 by the hosts file"),
        ({}, True, None, Mark.NOTED, "no connection has come to the sidecar by the hosts file so far"),
        ({"hosts": 2}, False, None, Mark.NOTED, "look at the log of the container agent-sidecar-rules"),
        ({}, False, None, Mark.NOTED, "as root, at nft list table inet agent_sidecar"),
        ({}, False, RULES, Mark.NOTED, "no connection has been redirected to the sidecar so far"),
    ],
)
def test_what_has_come_in_is_told(
    counts: dict[str, int], hosts: bool, rules: Rules | None, mark: Mark, message: str
) -> None:
    check = arrived(counts, hosts, rules)
    assert check.mark is mark
    assert message in check.message


# -- which checks a configuration asks for ---------------------------------------------------------------------------

HOSTS_FILE = {OPENAI: ("127.0.0.1", "::1")}
HOSTS_MODE = ("listen.transparent=['localhost:443', '[0:0:0:0:0:0:0:1]:443']", "upstream.resolver=dns")
REDIRECT_MODE = ("listen.transparent=['127.0.0.1:15001', '[::1]:15001']",)


def messages(overrides: Collection[str], status: dict[str, Any] | None = None, **facts: Any) -> list[tuple[Mark, str]]:
    def ask(names: Collection[str]) -> Answers:
        return dict.fromkeys(names, ("192.0.2.1",))

    machine = Machine(**{"uid": 64443, "first_port": 443, **facts})
    settings = load(None, {}, ("plugins=[]", *overrides)).settings
    return [(check.mark, check.message) for check in capture(settings, CLAIMS, status, machine, ask)]


def parts(found: list[tuple[Mark, str]]) -> list[str]:
    return [message.split(":")[0] for _, message in found]


def test_without_transparent_addresses_there_is_nothing_to_capture() -> None:
    assert messages((), {"addresses": {}}, hosts=HOSTS_FILE) == []


def test_a_pod_of_mode_hosts_is_well() -> None:
    status = {
        "addresses": {"transparent 1": "127.0.0.1:443", "transparent 2": "[::1]:443"},
        "captured": {"hosts": 1},
    }
    found = messages(HOSTS_MODE, status, hosts=HOSTS_FILE)
    assert {mark for mark, _ in found} == {Mark.PASSED}
    assert parts(found) == [
        "the running sidecar listens on 127.0.0.1",
        "any user may listen on port 443",
        "the hosts file leads 1 provider's name (api.openai.com) here, by IPv4 and IPv6",
        "upstream.resolver is dns",
        "name servers lead 1 provider's name to others than us",
        "connections have come to the sidecar",
    ]


def test_name_servers_are_not_asked_where_the_hosts_file_has_no_name() -> None:
    assert parts(messages(HOSTS_MODE)) == [
        "any user may listen on port 443",
        "the hosts file leads no provider's name to loopback",
        "upstream.resolver is dns",
    ]


def test_a_pod_of_mode_redirect_is_asked_nothing_about_names() -> None:
    status = {
        "uid": 64443,
        "addresses": {"transparent 1": "127.0.0.1:15001", "transparent 2": "[::1]:15001"},
        "captured": {"redirect": 1},
    }
    assert parts(messages(REDIRECT_MODE, status)) == [
        "the running sidecar listens on 127.0.0.1",
        "connections have come to the sidecar",
    ]


def test_a_hosts_file_stands_in_the_way_of_redirection() -> None:
    found = messages(REDIRECT_MODE, hosts=HOSTS_FILE)
    failed = [message for mark, message in found if mark is Mark.FAILED]
    assert "but listen.transparent has no 127.0.0.1:443: calls are refused" in failed[0]
    assert len(failed) == 3, "either address, and the resolver"


def test_an_older_sidecar_that_counts_nothing_is_no_trouble() -> None:
    status = {"addresses": {"transparent 1": "127.0.0.1:15001", "transparent 2": "[::1]:15001"}}
    assert parts(messages(REDIRECT_MODE, status)) == ["the running sidecar listens on 127.0.0.1"]
