"""The webhook's server: TLS with a certificate that may change, probes, numbers, an orderly end."""

import asyncio
import contextlib
import io
import json
import signal
import ssl
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sidecar.addresses import Address
from sidecar.errors import ConfigurationError
from sidecar.inject import InjectSettings
from sidecar.lab.certificates import Authority
from sidecar.webhook.files import CertificateFiles
from sidecar.webhook.serving import MAX_BYTES, Webhook
from tests.sidecar.cli.processes import environment
from tests.sidecar.webhook.test_admission import review

ANYWHERE = Address("127.0.0.1:0")


def write(authority: Authority, directory: Path) -> tuple[Path, Path]:
    chain = authority.chain(["localhost"])
    certificate, key = directory / "tls.crt", directory / "tls.key"
    certificate.write_bytes(chain)
    key.write_bytes(chain)
    return certificate, key


@asynccontextmanager
async def serving(certificate: CertificateFiles | None = None) -> AsyncIterator[Webhook]:
    webhook = Webhook(InjectSettings(), certificate)
    try:
        await webhook.start(ANYWHERE, ANYWHERE)
        yield webhook
    finally:
        await webhook.stop()


def url(webhook: Webhook, path: str, scheme: str = "http") -> str:
    where = webhook.addresses["webhook" if path.startswith("/mutate") else "webhook probes"]
    return f"{scheme}://localhost:{where.rpartition(':')[2]}{path}"


async def test_reviews_are_answered_and_counted() -> None:
    async with serving() as webhook, aiohttp.ClientSession() as http:
        async with http.post(url(webhook, "/mutate/any"), json=review()) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            assert (await answer.json())["response"]["allowed"]
        async with http.post(url(webhook, "/mutate/hosts"), data=b"{") as answer:
            assert answer.status == 200, "a refusal is an answer"
        async with http.get(url(webhook, "/metrics")) as answer:
            page = await answer.text()
        assert 'sidecar_webhook_reviews_total{outcome="injected"} 1' in page
        assert 'sidecar_webhook_reviews_total{outcome="malformed"} 1' in page
        assert 'sidecar_webhook_reviews_total{outcome="failed"} 0' in page
        for path in ("/livez", "/readyz"):
            async with http.get(url(webhook, path)) as answer:
                assert answer.status == 200


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/mutate/other", 404)])
async def test_other_paths_are_nothing(path: str, status: int) -> None:
    async with serving() as webhook, aiohttp.ClientSession() as http:
        at = url(webhook, "/mutate/any").replace("/mutate/any", path)
        async with http.post(at, json={}) as answer:
            assert answer.status == status


async def test_more_than_any_pod_can_have_is_not_read() -> None:
    async with serving() as webhook, aiohttp.ClientSession() as http:
        async with http.post(url(webhook, "/mutate/any"), data=io.BytesIO(bytes(MAX_BYTES + 1))) as answer:
            assert answer.status == 413
        async with http.post(url(webhook, "/mutate/any"), json=review()) as answer:
            assert answer.status == 200, "the process lives"


async def test_a_new_certificate_is_taken_while_it_serves(tmp_path: Path) -> None:
    first, second = Authority(), Authority()
    certificate = CertificateFiles(*write(first, tmp_path))

    async def reaches(webhook: Webhook, authority: Authority) -> bool:
        async with aiohttp.ClientSession() as http:
            try:
                at = url(webhook, "/mutate/any", "https")
                async with http.post(at, json=review(), ssl=authority.client_context()) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorCertificateError:
                return False

    async with serving(certificate) as webhook:
        assert await reaches(webhook, first)
        assert not certificate.look(), "nothing has changed"
        write(second, tmp_path)
        assert certificate.look()
        assert await reaches(webhook, second)
        (tmp_path / "tls.crt").write_bytes(b"half a file")
        with pytest.raises(ssl.SSLError):
            certificate.look()
        assert await reaches(webhook, second), "what was in force stays"


async def test_half_of_a_new_pair_changes_nothing(tmp_path: Path) -> None:
    first, second, elsewhere = Authority(), Authority(), tmp_path / "second"
    elsewhere.mkdir()
    certificate = CertificateFiles(*write(first, tmp_path))
    assert certificate.presented.expires_seconds is not None
    for half in write(second, elsewhere):
        (tmp_path / half.name).write_bytes(half.read_bytes())
        with pytest.raises(ssl.SSLError) if half.name == "tls.crt" else contextlib.nullcontext():
            certificate.look()
        async with serving(certificate) as webhook, aiohttp.ClientSession() as http:
            trusted = first if half.name == "tls.crt" else second
            at = url(webhook, "/mutate/any", "https")
            async with http.post(at, json=review(), ssl=trusted.client_context()) as answer:
                assert answer.status == 200
            async with http.get(url(webhook, "/metrics")) as answer:
                page = await answer.text()
            told = certificate.presented.expires_seconds
            assert f"sidecar_webhook_certificate_expiry_timestamp_seconds {told!r}\n" in page


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--cert .*tls\.crt.*[Nn]o such file"):
        CertificateFiles(tmp_path / "tls.crt", tmp_path / "tls.key")
    (tmp_path / "tls.crt").write_text("rubbish")
    (tmp_path / "tls.key").write_text("rubbish")
    with pytest.raises(ConfigurationError, match="cannot serve with --cert"):
        CertificateFiles(tmp_path / "tls.crt", tmp_path / "tls.key")


async def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = write(authority, tmp_path)
    options = ("--cert", str(certificate), "--key", str(key), "--address", "127.0.0.1:0", "--probes", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", "webhook", *options, env=environment({}), stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert process.stderr is not None
            ready = json.loads(await process.stderr.readline())
            assert ready["message"] == "ready"
            port = ready["addresses"]["webhook"].rpartition(":")[2]
            async with (
                aiohttp.ClientSession() as http,
                http.post(
                    f"https://localhost:{port}/mutate/any", json=review(), ssl=authority.client_context()
                ) as answer,
            ):
                assert (await answer.json())["response"]["patchType"] == "JSONPatch"
            process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
