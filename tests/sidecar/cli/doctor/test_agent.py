"""The environment of an agent: whether its SDKs find the sidecar, and trust it."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.cli.doctor.agent import Here, Trusted, Unreadable, agent, environment, holding
from sidecar.cli.doctor.checked import Checked, Mark
from sidecar.intercept.authority import open_authority

PROXY = "http://127.0.0.1:15080"
BUNDLE = "/tls/bundle.crt"
WHOLE = Trusted(readable=True, ours=True, others=True)
FILES = {
    BUNDLE: WHOLE,
    "/tls/ca.crt": Trusted(readable=True, ours=True),
    "/etc/ssl/all.crt": Trusted(readable=True, others=True),
}
PROXIED = {"HTTPS_PROXY": PROXY, "https_proxy": PROXY, "SSL_CERT_FILE": BUNDLE, "REQUESTS_CA_BUNDLE": BUNDLE}


def here(**fields: Any) -> Here:
    facts: dict[str, Any] = {
        "port": 15080,
        "own_ports": {15081: "deepgram"},
        "providers": ["openai", "groq"],
        "hosts": ["api.openai.com", "openai.azure.com"],
        "intercepts": True,
        "directory": Path("/tls"),
    }
    return Here(**{**facts, **fields})


def checked(environ: dict[str, str], *, given: bool = True, **fields: Any) -> list[Checked]:
    return agent(environ, here(**fields), lambda path: FILES.get(path, Trusted()), given=given)


def troubles(environ: dict[str, str], **fields: Any) -> list[tuple[Mark, str]]:
    bad = (Mark.WARNING, Mark.FAILED)
    return [(check.mark, check.message) for check in checked(environ, **fields) if check.mark in bad]


def test_an_environment_with_everything_is_well() -> None:
    environ = {**PROXIED, "NODE_EXTRA_CA_CERTS": "/tls/ca.crt", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": BUNDLE}
    assert troubles(environ) == []
    marks = [check.mark for check in checked(environ)]
    assert marks.count(Mark.PASSED) == 6


def test_who_ignores_the_proxy_is_said_once_it_is_used() -> None:
    assert any("aiohttp.ClientSession()" in check.message for check in checked(PROXIED))
    assert not any("ignore" in check.message for check in checked({"OPENAI_BASE_URL": f"{PROXY}/openai/v1"}))


def test_nothing_that_points_here_fails_an_agent_and_not_a_shell() -> None:
    (of_agent,) = checked({})
    assert of_agent.mark is Mark.FAILED
    assert f"OPENAI_BASE_URL={PROXY}/openai/v1" in of_agent.hint
    (of_shell,) = checked({}, given=False)
    assert of_shell.mark is Mark.NOTED


def test_an_agent_whose_connections_are_led_here_needs_trust_and_no_more() -> None:
    trusting = {"SSL_CERT_FILE": BUNDLE, "REQUESTS_CA_BUNDLE": BUNDLE}
    assert troubles(trusting, captured=True) == []
    assert "none needs to: connections are led there" in checked(trusting, captured=True)[0].message
    assert [mark for mark, _ in troubles({}, captured=True)] == [Mark.FAILED, Mark.FAILED]
    assert [check.mark for check in checked({}, captured=True, given=False)] == [Mark.NOTED]
    assert troubles({}, captured=True, intercepts=False) == []


@pytest.mark.parametrize(
    ("name", "value", "mark", "part"),
    [
        ("OPENAI_BASE_URL", f"{PROXY}/openai/v1", Mark.PASSED, "points to openai here"),
        ("OPENAI_BASE_URL", "http://localhost:15080/groq/openai/v1", Mark.PASSED, "points to groq here"),
        ("OPENAI_BASE_URL", "http://[::1]:15080/openai/v1/", Mark.PASSED, "points to openai here"),
        ("OPENAI_BASE_URL", f"{PROXY}/openai", Mark.WARNING, "does not end in /v1"),
        ("OPENAI_BASE_URL", f"{PROXY}/opneai/v1", Mark.FAILED, "names no provider"),
        ("OPENAI_BASE_URL", PROXY, Mark.FAILED, "names no provider"),
        ("OPENAI_BASE_URL", "https://127.0.0.1:15080/openai/v1", Mark.FAILED, "asks for TLS"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9999/openai/v1", Mark.WARNING, "but not the sidecar"),
        ("MY_STT_URL", "ws://127.0.0.1:15081/v1/listen", Mark.PASSED, "points to the port of deepgram"),
    ],
)
def test_a_base_url_must_lead_to_a_provider_here(name: str, value: str, mark: Mark, part: str) -> None:
    check = checked({name: value})[0]
    assert check.mark is mark
    assert part in check.message


@pytest.mark.parametrize("value", ["https://api.openai.com/v1", "http://127.0.0.1:9999", "http://x:port/", ""])
def test_other_urls_are_nobodys_business(value: str) -> None:
    assert [check.message for check in checked({"SOME_URL": value})] == ["no variable points to the sidecar"]


@pytest.mark.parametrize(
    ("changed", "mark", "part"),
    [
        ({"https_proxy": ""}, Mark.WARNING, "https_proxy is not set, and gRPC reads no other"),
        ({"HTTPS_PROXY": ""}, Mark.WARNING, "HTTPS_PROXY is not set"),
        ({"HTTPS_PROXY": "http://proxy.corp:3128"}, Mark.WARNING, "is not the sidecar"),
        ({"HTTPS_PROXY": "https://127.0.0.1:15080"}, Mark.FAILED, "asks for TLS to the proxy"),
        ({"NO_PROXY": "localhost,api.openai.com"}, Mark.WARNING, "calls to api.openai.com past"),
        ({"no_proxy": ".openai.com"}, Mark.WARNING, "calls to .openai.com past"),
        ({"no_proxy": "mine.openai.azure.com"}, Mark.WARNING, "calls to mine.openai.azure.com past"),
        ({"NO_PROXY": "*"}, Mark.WARNING, "every call past"),
        ({"SSL_CERT_FILE": ""}, Mark.FAILED, "SSL_CERT_FILE is not set: for most Python SDKs"),
        ({"REQUESTS_CA_BUNDLE": ""}, Mark.FAILED, "REQUESTS_CA_BUNDLE is not set"),
        ({"SSL_CERT_FILE": "/nowhere"}, Mark.FAILED, "cannot be read"),
        ({"SSL_CERT_FILE": "/etc/ssl/all.crt"}, Mark.FAILED, "does not have the sidecar's CA"),
        ({"SSL_CERT_FILE": "/tls/ca.crt"}, Mark.FAILED, "nobody else can be reached"),
        ({"NODE_EXTRA_CA_CERTS": "/etc/ssl/all.crt"}, Mark.FAILED, "NODE_EXTRA_CA_CERTS=/etc/ssl/all.crt does not"),
    ],
)
def test_one_thing_wrong_is_one_complaint(changed: dict[str, str], mark: Mark, part: str) -> None:
    ((found, message),) = troubles({**PROXIED, **changed})
    assert found is mark
    assert part in message


@pytest.mark.parametrize("harmless", ["localhost,127.0.0.1,.svc,.cluster.local", "", "openai.com.example.org", " , "])
def test_exceptions_that_concern_no_provider_are_fine(harmless: str) -> None:
    assert troubles({**PROXIED, "NO_PROXY": harmless}) == []


def test_without_interception_nobody_needs_to_trust_us() -> None:
    assert troubles({"HTTPS_PROXY": PROXY, "https_proxy": PROXY}, intercepts=False) == []


def test_files_are_judged_by_what_is_in_them(tmp_path: Path) -> None:
    open_authority(tmp_path, ["api.openai.com"])
    root = (tmp_path / "ca.crt").read_bytes()
    holds = holding(root)
    assert holds(str(tmp_path / "ca.crt")) == Trusted(readable=True, ours=True, others=False)
    both = tmp_path / "both.crt"
    both.write_bytes(b"-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----\n" + root)
    assert holds(str(both)) == WHOLE
    assert holds(str(tmp_path / "none")) == Trusted()
    assert not holding(None)(str(both)).ours


def test_an_environment_is_read_from_a_process_or_a_file(tmp_path: Path) -> None:
    def read(path: str) -> bytes:
        return {
            "/proc/4711/environ": b"A=1\0B=x=y\0",
            "agent.env": b"# comment\nexport A='1'\n\nB=\"x=y\"\nnonsense\n",
        }[path]

    for source in ("4711", "agent.env"):
        assert environment(source, read) == {"A": "1", "B": "x=y"}


def test_an_environment_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    def read(path: str) -> bytes:
        return Path(path).read_bytes()

    with pytest.raises(Unreadable, match="no process has the id 99999999"):
        environment("99999999", read)
    with pytest.raises(Unreadable, match="there is no file"):
        environment(str(tmp_path / "none"), read)
    with pytest.raises(Unreadable, match="is a directory"):
        environment(str(tmp_path), read)
