"""Mode hosts: the hosts file, the sidecar's own names, and name servers."""

import pytest

from sidecar.cli.doctor.checked import Checked, Mark
from sidecar.cli.doctor.hosts_file import Answers, Names, by_hosts_file, led, met, resolved, resolver
from sidecar.provider import Origin

OPENAI, GROQ, AZURE = "api.openai.com", "api.groq.com", "mine.openai.azure.com"
BOTH = ("127.0.0.1", "::1")
CLAIMS = [
    (OPENAI, Origin("https", OPENAI, 443)),
    ("*.openai.azure.com", Origin("https", "", 443)),
    (GROQ, Origin("https", GROQ, 443)),
    ("llm.internal", Origin("http", "llm.internal", 8000)),
    ("vllm.internal", Origin("https", "vllm.internal", 8443)),
    ("alias.internal", Origin("http", "llm.internal", 8000)),
    ("10.0.0.7", Origin("https", "10.0.0.7", 443)),
    ("fd00::7", Origin("https", "fd00::7", 443)),
    ("localhost", Origin("https", "localhost", 443)),
]


def marks(checks: list[Checked]) -> list[Mark]:
    return [check.mark for check in checks]


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ({}, Names(passing=[OPENAI, GROQ, "alias.internal", "*.openai.azure.com"])),
        (
            {OPENAI: BOTH, "example.org": BOTH, "llm.internal": BOTH, "localhost": BOTH},
            Names({OPENAI: BOTH}, {}, [GROQ, "alias.internal", "*.openai.azure.com"]),
        ),
        ({AZURE: BOTH}, Names({AZURE: BOTH}, {}, [OPENAI, GROQ, "alias.internal"])),
        (
            {OPENAI: ("10.1.2.3",), GROQ: ("127.0.0.1", "10.1.2.3")},
            Names(
                {GROQ: ("127.0.0.1",)},
                {GROQ: ("10.1.2.3",), OPENAI: ("10.1.2.3",)},
                ["alias.internal", "*.openai.azure.com"],
            ),
        ),
    ],
)
def test_names_are_told_apart_by_where_they_lead(entries: dict[str, tuple[str, ...]], found: Names) -> None:
    assert by_hosts_file(CLAIMS, entries) == found


def test_the_first_claim_to_a_name_decides_whether_it_can_be_led() -> None:
    claims = [(OPENAI, Origin("http", OPENAI, 80)), (OPENAI, Origin("https", "proxy.internal", 443))]
    assert by_hosts_file(claims, {OPENAI: BOTH}) == Names(passing=[])


@pytest.mark.parametrize(
    ("names", "ipv6", "expected"),
    [
        (Names({OPENAI: BOTH}), True, [(Mark.PASSED, f"leads 1 provider's name ({OPENAI}) here, by IPv4 and IPv6")]),
        (Names({OPENAI: ("127.0.0.2",)}), False, [(Mark.PASSED, "by IPv4; there is no IPv6 here")]),
        (Names({OPENAI: ("127.0.0.1",)}), True, [(Mark.WARNING, f"no ::1 for {OPENAI}: calls by IPv6 may pass by")]),
        (Names({OPENAI: ("::1",)}), True, [(Mark.WARNING, f"no 127.0.0.1 for {OPENAI}: calls by IPv4 may pass by")]),
        (
            Names({OPENAI: BOTH, GROQ: BOTH}, {GROQ: ("10.1.2.3",)}),
            True,
            [(Mark.PASSED, f"1 provider's name ({OPENAI})"), (Mark.WARNING, f"has 10.1.2.3 for {GROQ}: calls to it")],
        ),
        (Names(passing=[OPENAI]), True, [(Mark.FAILED, "no provider's name to loopback")]),
        (
            Names({OPENAI: BOTH}, {}, ["a.b", "c.d", "e.f", "g.h", "*.i.j"]),
            True,
            [
                (Mark.PASSED, "1 provider's name"),
                (Mark.NOTED, "calls to 5 providers' names (a.b, c.d, e.f and 2 more) pass by the sidecar"),
            ],
        ),
    ],
)
def test_both_families_must_lead_here(names: Names, ipv6: bool, expected: list[tuple[Mark, str]]) -> None:
    checks = list(led(names, ipv6))
    assert marks(checks) == [mark for mark, _ in expected]
    for check, (_, part) in zip(checks, expected, strict=True):
        assert part in check.message


def test_what_to_write_into_the_hosts_file_is_said() -> None:
    assert "::1 api.openai.com; in a pod by hostAliases" in next(led(Names({OPENAI: ("127.0.0.1",)}), True)).hint
    assert "such as api.groq.com" in next(led(Names(passing=["*.a.b", GROQ]), True)).hint


@pytest.mark.parametrize(
    ("found", "transparent", "ipv6", "missing"),
    [
        (BOTH, [("127.0.0.1", 443), ("::1", 443)], True, []),
        (BOTH, [("127.0.0.1", 443)], True, ["[::1]:443"]),
        (BOTH, [("127.0.0.1", 443)], False, []),
        (BOTH, [("127.0.0.1", 15001), ("::1", 15001)], True, ["127.0.0.1:443", "[::1]:443"]),
        (("127.0.0.2",), [("127.0.0.1", 443), ("::1", 443)], True, ["127.0.0.2:443"]),
    ],
)
def test_somebody_must_listen_where_the_hosts_file_leads(
    found: tuple[str, ...], transparent: list[tuple[str, int]], ipv6: bool, missing: list[str]
) -> None:
    checks = list(met(Names({OPENAI: found}), transparent, ipv6))
    assert marks(checks) == [Mark.FAILED] * len(missing)
    assert all(f"add {where} to listen" in check.hint for where, check in zip(missing, checks, strict=True))


@pytest.mark.parametrize(("configured", "mark"), [("dns", Mark.PASSED), ("system", Mark.FAILED)])
def test_the_sidecar_must_not_follow_the_hosts_file_itself(configured: str, mark: Mark) -> None:
    check = resolver(configured)
    assert check.mark is mark
    assert (check.hint == "set upstream.resolver: dns") is (mark is Mark.FAILED)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({OPENAI: ("192.0.2.1",), GROQ: ("192.0.2.2", "2001:db8::1")}, [(Mark.PASSED, "lead 2 providers' names")]),
        ({OPENAI: ("127.0.0.1",)}, [(Mark.FAILED, "lead api.openai.com to loopback")]),
        ({OPENAI: ("192.0.2.1", "::1")}, [(Mark.FAILED, "lead api.openai.com to loopback")]),
        (
            {OPENAI: "timeout", GROQ: "timeout", AZURE: "not found", "api.mistral.ai": ("192.0.2.1",)},
            [
                (Mark.WARNING, "do not know api.openai.com, api.groq.com: timeout"),
                (Mark.WARNING, "do not know mine.openai.azure.com: not found"),
                (Mark.PASSED, "lead 1 provider's name to others than us"),
            ],
        ),
    ],
)
def test_name_servers_must_lead_to_the_providers(answers: Answers, expected: list[tuple[Mark, str]]) -> None:
    checks = list(resolved(answers, ["10.0.0.10", "10.0.0.11"]))
    assert marks(checks) == [mark for mark, _ in expected]
    for check, (mark, part) in zip(checks, expected, strict=True):
        assert part in check.message
        assert mark is Mark.PASSED or "/etc/resolv.conf names 10.0.0.10, 10.0.0.11" in check.hint


def test_a_machine_without_name_servers_is_said_to_have_none() -> None:
    assert "/etc/resolv.conf names nobody" in next(resolved({OPENAI: "refused"}, ())).hint
