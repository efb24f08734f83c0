"""`sidecar doctor` as a whole, against a sidecar that runs and one that does not."""

import asyncio
import json
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from sidecar.cli.doctor import command, machine
from sidecar.cli.exits import Exit
from sidecar.intercept import greeting
from sidecar.lab import Lab
from sidecar.lab.certificates import Authority as LabAuthority
from tests.running import running
from tests.sidecar.cli.processes import FREE_PORTS, Invoke, ended
from tests.sidecar.cli.test_asking import elsewhere
from tests.sidecar.intercept.stage import until


def options(*overrides: str) -> list[str]:
    fixed = (*FREE_PORTS, "plugins=[]")
    return [option for override in (*fixed, *overrides) for option in ("--set", override)]


def checks(output: str) -> dict[str, list[tuple[str, str]]]:
    """Marks and messages by section."""
    found: dict[str, list[tuple[str, str]]] = {}
    for check in json.loads(output)["checks"]:
        found.setdefault(check["section"], []).append((check["mark"], check["message"]))
    return found


@pytest.fixture
def quiet(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Nothing in this environment points an SDK anywhere."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or "://" in os.environ[name]:
            monkeypatch.delenv(name)
    return invoke


def test_a_sound_set_up_has_nothing_failed(quiet: Invoke, tmp_path: Path) -> None:
    done = quiet("doctor", *options(f"tls.directory={tmp_path}"), "--admin", "http://127.0.0.1:1")
    assert done.exit_code == Exit.OK, done.stdout
    assert done.stdout.splitlines()[0] == "configuration"
    assert "√ the defaults: valid" in done.stdout
    assert done.stdout.splitlines()[-1] == "all is well"


def test_it_leaves_no_trace(quiet: Invoke, tmp_path: Path) -> None:
    quiet("doctor", *options(f"tls.directory={tmp_path / 'tls'}"))
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_configuration_fails_and_the_rest_is_still_looked_at(quiet: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "sidecar.yaml"
    file.write_text("lisen: {}\n")
    done = quiet("doctor", "-c", str(file), *options(f"tls.directory={tmp_path}"), "-o", "json")
    assert done.exit_code == Exit.NO
    found = checks(done.stdout)
    assert json.loads(done.stdout)["ok"] is False
    assert [mark for mark, _ in found["configuration"]] == ["failed"]
    assert "lisen: is not a setting" in found["configuration"][0][1]
    assert {"runtime", "addresses", "certificates"} <= found.keys()


def test_a_file_that_cannot_be_read_fails_too(quiet: Invoke, tmp_path: Path) -> None:
    assert quiet("doctor", "-c", str(tmp_path / "none.yaml")).exit_code == Exit.NO


def test_plugins_that_are_used_are_named(quiet: Invoke, greeter: Path, tmp_path: Path) -> None:
    plugin = "plugins=[{use: greeter, config: {greeting: hi}}]"
    done = quiet("doctor", *options(f"tls.directory={tmp_path}", plugin), "-o", "json")
    assert ("passed", "plugins can be used: greeter (agent-greeter 1.2)") in checks(done.stdout)["configuration"]


async def test_a_running_sidecar_its_providers_and_an_agent_are_looked_at(tmp_path: Path) -> None:
    async with (
        Lab("openai") as lab,
        running(f"providers.openai.url={lab.url('openai')}", f"tls.directory={tmp_path / 'tls'}") as sidecar,
    ):
        agent = tmp_path / "agent.env"
        bundle = tmp_path / "tls" / "bundle.crt"
        agent.write_text(
            f"HTTPS_PROXY={sidecar.proxy}\nhttps_proxy={sidecar.proxy}\nSSL_CERT_FILE={bundle}\n"
            f"REQUESTS_CA_BUNDLE={bundle}\nOPENAI_BASE_URL={sidecar.proxy}/openai/v1\n"
        )
        given = (
            *options(f"providers.openai.url={lab.url('openai')}", f"tls.directory={tmp_path / 'tls'}"),
            "--agent-env",
            str(agent),
        )
        done = await ended("doctor", *given, "-o", "json", env={"SIDECAR_ADMIN": sidecar.admin})
    found = checks(done.out)
    assert done.code == Exit.OK, done.out
    assert ("passed", f"openai: {lab.url('openai')} answers in") in [
        (mark, message[: len(f"openai: {lab.url('openai')} answers in")]) for mark, message in found["providers"]
    ]
    assert found["running sidecar"][0][1].startswith(f"one answers at {sidecar.admin}: version")
    assert ("passed", "OPENAI_BASE_URL points to openai here") in found["agent"]
    assert ("passed", "SSL_CERT_FILE has the sidecar's CA in it") in found["agent"]
    assert any("the CA is good until" in message for _, message in found["certificates"])


async def test_a_provider_that_cannot_be_reached_fails(tmp_path: Path) -> None:
    given = options("providers.mine={url: 'http://127.0.0.1:1', dialect: openai}", f"tls.directory={tmp_path}")
    done = await ended("doctor", *given)
    assert done.code == Exit.NO
    assert "\N{MULTIPLICATION SIGN} mine: http://127.0.0.1:1 does not take connections: connection refused" in done.out
    assert done.out.splitlines()[-1].startswith("1 failed, ")


def test_an_agent_can_be_a_process_or_standard_input(quiet: Invoke, tmp_path: Path) -> None:
    base = ("doctor", *options(f"tls.directory={tmp_path}"), "-o", "json")
    by_id = quiet(*base, "--agent-env", str(os.getpid()))
    assert by_id.exit_code in (Exit.OK, Exit.NO)
    by_input = quiet(*base, "--agent-env", "-", input="HOME=/root\n")
    assert by_input.exit_code == Exit.NO
    assert checks(by_input.stdout)["agent"] == [("failed", "no variable points to the sidecar")]
    nobody = quiet(*base, "--agent-env", "99999999")
    assert nobody.exit_code == Exit.USAGE
    assert "--agent-env 99999999: no process has the id 99999999" in nobody.stderr


# -- capture ---------------------------------------------------------------------------------------------------------

HOST = "api.groq.com"
LISTEN = "listen.transparent=['127.0.0.1:0']"


@pytest.fixture
def led(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts file leads to us, by IPv4; name servers know better. The kernel's rules are nobody's business here."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {HOST}\n")
    monkeypatch.setattr(machine, "HOSTS", hosts)
    monkeypatch.setattr(machine, "_rules", lambda: None)
    monkeypatch.setattr(command, "by_dns", lambda names: dict.fromkeys(names, ("192.0.2.1",)))


async def arrive(port: int, context: ssl.SSLContext) -> None:
    """A client that dialled a provider, and came out here."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
    writer.close()
    await writer.wait_closed()


async def test_what_leads_connections_here_is_looked_at(
    quiet: Invoke, led: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, trust = tmp_path / "agent.env", tmp_path / "trust"
    agent.write_text(f"SSL_CERT_FILE={trust / 'bundle.crt'}\n")
    settings = (LISTEN, f"tls.directory={tmp_path / 'tls'}", f"tls.trust_directory={trust}")
    async with running(*settings) as sidecar:
        given = (*options(*settings), "--admin", sidecar.admin, "--agent-env", str(agent), "-o", "json")
        here = sidecar.application.addresses["transparent 1"]
        port = int(here.rpartition(":")[2])
        before = checks((await elsewhere(lambda: quiet("doctor", *given))).stdout)
        with pytest.raises(ssl.SSLError):
            await arrive(port, LabAuthority().client_context())
        monkeypatch.setattr(greeting, "original_destination", lambda sock: ("192.0.2.1", 443))
        await arrive(port, ssl.create_default_context(cafile=str(trust / "bundle.crt")))
        await until(lambda: sum(sidecar.application.metrics.counted("distrusted").values()) == 2)
        after = checks((await elsewhere(lambda: quiet("doctor", *given))).stdout)
    assert ("passed", f"the running sidecar listens on {here}") in before["capture"]
    assert [message for mark, message in before["capture"] if mark == "failed"] == [
        f"the hosts file leads {HOST} to 127.0.0.1, but listen.transparent has no 127.0.0.1:443: calls are refused",
        "upstream.resolver is system: the sidecar's own calls follow the hosts file too, back to the sidecar",
    ]
    assert ("passed", "name servers lead 1 provider's name to others than us") in before["capture"]
    assert before["capture"][-1][1].startswith("no connection has been redirected to the sidecar so far")
    assert ("passed", "connections have come to the sidecar: 1 by redirection") in after["capture"]
    assert ("warning", f"clients did not accept its certificates for {HOST} (2)") in after["running sidecar"]
    assert ("passed", f"{trust} has ca.crt, bundle.crt, trust.p12 for others to read, and no key") in (
        before["certificates"]
    )
    assert not [message for _, message in before["capture"] if "this command as" in message], "the user is the same"
    assert before["agent"][0] == (
        "noted",
        "no variable points to the sidecar, and none needs to: connections are led there",
    )
    assert ("passed", "SSL_CERT_FILE has the sidecar's CA in it") in before["agent"]


@pytest.mark.parametrize(("resolver", "part"), [("dns", "does not take connections"), ("system", "is not known here")])
def test_providers_are_looked_up_as_the_sidecar_looks_them_up(
    quiet: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolver: str, part: str
) -> None:
    monkeypatch.setattr(command, "by_dns", lambda names: dict.fromkeys(names, ("127.0.0.1",)))
    mine = "providers.mine={url: 'http://no.such.name.invalid:1', dialect: openai}"
    done = quiet("doctor", *options(mine, f"upstream.resolver={resolver}", f"tls.directory={tmp_path}"), "-o", "json")
    ((mark, message),) = checks(done.stdout)["providers"]
    assert mark == "failed"
    assert part in message


TRACING = """
from sidecar import ExchangeClosed, PluginConfig, Record, hookimpl


class TracingConfig(PluginConfig, frozen=True):
    endpoint: str | None = None


class Tracing(ExchangeClosed):
    Config = TracingConfig

    def __init__(self, config: TracingConfig) -> None: ...

    @hookimpl
    def exchange_closed(self, record: Record) -> None: ...
"""


@pytest.mark.parametrize(
    ("config", "environ", "mark"),
    [
        ("{endpoint: 'http://127.0.0.1:1'}", {}, "failed"),
        ("{}", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, "failed"),
        ("{}", {"OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_collector_is_looked_at_where_traces_are_sent(
    quiet: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: str,
    environ: dict[str, str],
    mark: str | None,
) -> None:
    namespace: dict[str, Any] = {}
    exec(TRACING, namespace)
    monkeypatch.setattr("sidecar.host.find", lambda name: namespace["Tracing"])
    monkeypatch.setattr("sidecar.enabled.find", lambda name: namespace["Tracing"])
    given = options(f"tls.directory={tmp_path}", f"plugins=[{{use: tracing, config: {config}}}]")
    done = quiet("doctor", *given, "-o", "json", env=environ)
    assert [each for each, _ in checks(done.stdout).get("tracing", [])] == ([] if mark is None else [mark])
