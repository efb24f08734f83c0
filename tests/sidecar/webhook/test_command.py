"""`sidecar webhook` as Kubernetes starts it: what it says of a wrong start, and its whole way to the first review."""

import asyncio
import json
import signal
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from sidecar.cli.program import program
from sidecar.errors import ConfigurationError
from sidecar.webhook.kubernetes import access, own_namespace
from tests.sidecar.cli.processes import PATIENCE_SECONDS, started
from tests.sidecar.webhook.cluster import NAMESPACE, OBJECTS, TOKEN, Call, cluster, failure
from tests.sidecar.webhook.test_admission import review


def invoked(*arguments: str, **environ: str | None) -> Result:
    return CliRunner().invoke(program, ["webhook", *arguments], env={"KUBERNETES_SERVICE_HOST": None, **environ})


@pytest.mark.parametrize("arguments", [("--cert", "tls.crt"), ("--key", "tls.key")])
def test_half_of_the_files_is_a_mistake(arguments: tuple[str, ...]) -> None:
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert "--cert and --key go together; name both, or neither" in result.output


@pytest.mark.parametrize("option", ["--namespace", "--service", "--configuration", "--secret", "--service-account"])
def test_what_is_of_no_use_beside_files_is_a_mistake(option: str) -> None:
    result = invoked("--cert", "tls.crt", "--key", "tls.key", option, "a")
    assert result.exit_code == 2
    assert f"{option} is of no use with --cert and --key" in result.output


@pytest.mark.parametrize("name", ["../secrets", "A", "", "a/b", "a" * 254])
def test_a_name_that_is_none_is_a_mistake(name: str) -> None:
    result = invoked("--secret", name)
    assert result.exit_code == 2
    assert "expected lower-case letters" in result.output


def test_outside_of_kubernetes_it_says_what_it_lacks() -> None:
    result = invoked()
    assert result.exit_code == 4
    assert "KUBERNETES_SERVICE_HOST is not set" in result.output
    assert "name files with --cert and --key" in result.output


def test_a_pod_without_its_service_account_is_told_so(tmp_path: Path) -> None:
    for _ in range(2):
        result = invoked("--service-account", str(tmp_path), KUBERNETES_SERVICE_HOST="10.0.0.1")
        assert result.exit_code == 4
        assert "automountServiceAccountToken" in result.output
        (tmp_path / "namespace").write_text("\n")


def test_the_namespace_is_the_pods(tmp_path: Path) -> None:
    (tmp_path / "namespace").write_text("voice\n")
    assert own_namespace(tmp_path) == "voice"


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("10.96.0.1", "443", "https://10.96.0.1"),
        ("fd00::1", "6443", "https://[fd00::1]:6443"),
        ("[fd00::1]", "443", "https://[fd00::1]"),
        ("kubernetes.default.svc", None, "https://kubernetes.default.svc"),
    ],
)
def test_the_api_is_where_the_pod_is_told(host: str, port: str | None, url: str, tmp_path: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": host, **({"KUBERNETES_SERVICE_PORT": port} if port else {})}
    assert str(access(environ, tmp_path).url) == url


@pytest.mark.parametrize(("host", "port"), [("10.0.0.1", "https"), ("a b", "443"), ("10.0.0.1", "-1"), ("a@b", "443")])
def test_what_is_no_address_is_told_so(host: str, port: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"KUBERNETES_SERVICE_HOST .* has |.* carries "):
        access({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}, tmp_path)


async def test_the_command_makes_a_certificate_has_it_trusted_and_answers(tmp_path: Path) -> None:
    async with cluster(tmp_path) as api:
        failing = True

        async def not_at_first(_: web.Request, __: Call) -> web.Response | None:
            nonlocal failing
            failing, now = False, failing
            return failure(503, "ServiceUnavailable") if now else None

        api.faults.append(not_at_first)
        options = ("--service-account", str(tmp_path), "--address", "127.0.0.1:0", "--probes", "127.0.0.1:0")
        async with started("webhook", *options, env=api.environ) as process, asyncio.timeout(PATIENCE_SECONDS):
            assert process.stderr is not None
            said: list[dict[str, Any]] = []
            while not said or "a certificate is in force" not in said[-1]["message"]:
                said.append(json.loads(await process.stderr.readline()))
            assert said[0]["message"] == "listening; ready once there is a certificate"
            assert any("answers 503 ServiceUnavailable" in each["message"] for each in said)
            addresses = said[0]["addresses"]
            async with aiohttp.ClientSession() as http:
                async with http.get(f"http://{addresses['webhook probes']}/readyz") as answer:
                    assert answer.status == 200
                async with http.post(
                    f"https://{addresses['webhook']}/mutate/any",
                    json=review(),
                    ssl=ssl.create_default_context(cadata=api.bundle.decode()),
                    server_hostname=f"{OBJECTS.service}.{NAMESPACE}.svc",
                ) as answer:
                    assert (await answer.json())["response"]["patchType"] == "JSONPatch"
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
            assert process.returncode == 0
    told = json.dumps(said) + err.decode()
    assert TOKEN not in told
    assert "PRIVATE" not in told
