"""Whatever the Kubernetes API does: it is named, tried again, what is served is served on, and no secret is told."""

import asyncio
import logging
import socket
from base64 import b64encode

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from sidecar.lab.certificates import Authority
from sidecar.webhook import keeping, kubernetes
from sidecar.webhook.certificate import LIFE, made
from sidecar.webhook.keeping import LOOK_SECONDS
from sidecar.webhook.kubernetes import Access
from sidecar.webhook.serving import Webhook
from tests.sidecar.webhook.cluster import (
    CONFIGURATIONS,
    OBJECTS,
    SECRETS,
    TOKEN,
    Call,
    Clock,
    Cluster,
    Fault,
    failure,
    settled,
)
from tests.sidecar.webhook.replicas import NAME, counted, replica
from tests.sidecar.webhook.test_certificate import UNUSABLE, reaches
from tests.sidecar.webhook.test_serving import url


async def _closes(request: web.Request, _: Call) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def answers(status: int, body: bytes = b"", only: str = "", verb: str = "") -> Fault:
    async def fault(_: web.Request, call: Call) -> web.Response | None:
        if only not in call.resource or verb not in call.verb:
            return None
        return web.Response(status=status, body=body, content_type="application/json")

    return fault


def echoes(status: int) -> Fault:
    """A fault that tells the token and whatever was sent to whoever reads it."""

    async def fault(request: web.Request, _: Call) -> web.Response:
        sent = (await request.read()).decode()
        return failure(status, "InternalError", f"{request.headers['Authorization']} {sent}")

    return fault


PUBLIC = "agent-sidecar-system/agent-sidecar-injector-certificate"
FAULTS = {
    "closes": (_closes, "cannot be asked"),
    "401": (answers(401), "does not take the service account's token"),
    "403 of the Secret": (
        answers(403, only=SECRETS),
        f"may not get the Secret {PUBLIC}; the service account needs a Role with get and update on secrets, "
        "resourceNames [agent-sidecar-injector-certificate]: deploy/k8s/base/rbac.yaml",
    ),
    "403 to write it": (answers(403, only=SECRETS, verb="update"), f"may not update the Secret {PUBLIC}"),
    "403 of the configuration": (
        answers(403, only=CONFIGURATIONS),
        "may not get the MutatingWebhookConfiguration agent-sidecar-injector; the service account needs a ClusterRole "
        "with get and patch on mutatingwebhookconfigurations, resourceNames [agent-sidecar-injector]",
    ),
    "403 to patch it": (answers(403, verb="patch"), "may not patch the MutatingWebhookConfiguration"),
    "404 of the Secret": (
        answers(404, only=SECRETS),
        f"there is no Secret {PUBLIC}; apply deploy/k8s/base/secret.yaml, or name another one with --secret",
    ),
    "404 of the configuration": (
        answers(404, only=CONFIGURATIONS),
        "there is no MutatingWebhookConfiguration agent-sidecar-injector; apply deploy/k8s/base/webhook.yaml",
    ),
    "429": (answers(429, b'{"reason": "TooManyRequests"}'), "answers 429 TooManyRequests"),
    "500": (answers(500), "answers 500 without a reason when asked to get the MutatingWebhookConfiguration"),
    "503": (answers(503, b"<html>"), "answers 503"),
    "503 to write": (answers(503, verb="update"), "answers 503"),
    "a way elsewhere": (answers(307), "answers 307"),
    "no JSON": (answers(200, b"{"), "something that is no MutatingWebhookConfiguration"),
    "no text": (answers(200, b'{"a":"\xff"}'), "something that is no MutatingWebhookConfiguration"),
    "brackets": (answers(200, b"[" * 100_000), "something that is no MutatingWebhookConfiguration"),
    "a list": (answers(200, b"[]", only=CONFIGURATIONS), "something that is no MutatingWebhookConfiguration"),
    "no version": (answers(200, b'{"metadata": {}}', only=SECRETS), "something that is no Secret"),
    "no texts": (
        answers(200, b'{"metadata": {"resourceVersion": "1"}, "data": {"a": 1}}', only=SECRETS),
        "something that is no Secret",
    ),
    "no end": (answers(200, b" " * 5_000_000), "it answers with more than"),
}


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=list(FAULTS))
async def test_what_the_api_does_wrong_is_named_and_tried_again(
    api: Cluster, fault: Fault, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    with api.fault(fault):
        pauses = [await keeper.look() for _ in range(3)]
    assert pauses == [1.0, 2.0, 4.0]
    assert told in str(keeper.missing)
    assert [each.levelname for each in caplog.records] == ["WARNING"], "told once, while it is the same"
    assert counted(keeper)['certificate_looks_total{outcome="failed"}'] == 3
    clock.pass_by(minutes=11)  # what was kept and not published in vain is young for a while
    await keeper.look()
    assert keeper.missing is None
    assert reaches(keeper.presented, api.bundle, NAME)
    assert counted(keeper)['certificate_looks_total{outcome="ok"}'] == 1


@pytest.mark.parametrize("fault", [each for each, _ in FAULTS.values()], ids=list(FAULTS))
async def test_what_is_served_is_served_on_whatever_the_api_does(api: Cluster, fault: Fault) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    trusted = api.bundle
    clock.pass_by(days=89)
    with api.fault(fault):
        for _ in range(3):
            await keeper.look()
    assert keeper.missing is None
    assert reaches(keeper.presented, trusted, NAME)


async def test_tries_come_ever_more_slowly_and_not_all_at_once(api: Cluster) -> None:
    with api.fault(echoes(500)):
        keeper = api.keeper(Clock())
        assert [await keeper.look() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
        pauses = {chance: await api.keeper(Clock(), chance).look() for chance in (0.0, 1.0)}
    assert pauses == {0.0: 0.75, 1.0: 1.25}
    for chance, pause in ((0.0, 0.9), (1.0, 1.1)):
        clock = Clock()
        await settled(clock, keeper := api.keeper(clock, chance))
        assert await keeper.look() == pytest.approx(pause * LOOK_SECONDS)


async def test_an_api_that_does_not_answer_is_not_waited_for(api: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    never = asyncio.Event()

    async def hangs(_: web.Request, __: Call) -> None:
        await never.wait()

    keeper = api.keeper(Clock())
    with api.fault(hangs):
        await keeper.look()
    never.set()
    assert "does not answer in time" in str(keeper.missing)


async def test_nobody_there_is_a_failure_like_others(api: Cluster) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        keeper = api.keeper(Clock(), at=Access(URL(f"https://127.0.0.1:{port}"), api.directory))
        await keeper.look()
    assert f"the API at 127.0.0.1:{port} cannot be asked" in str(keeper.missing)


async def test_an_api_that_the_service_account_does_not_vouch_for_is_told_nothing(api: Cluster) -> None:
    (api.directory / "ca.crt").write_bytes(Authority().pem)
    keeper = api.keeper(Clock())
    await keeper.look()
    assert "cannot be asked" in str(keeper.missing)
    assert "certificate" in str(keeper.missing)
    assert api.calls == []


async def test_the_token_is_shown_to_nobody_whom_the_api_names(api: Cluster) -> None:
    elsewhere = str(api.access.url / "apis/elsewhere.example/v1/elsewhere/name")

    async def sends_away(_: web.Request, call: Call) -> web.Response | None:
        return web.Response(status=307, headers={"Location": elsewhere})

    keeper = api.keeper(Clock())
    with api.fault(sends_away):
        await keeper.look()
    assert [call.resource for call in api.calls] == [CONFIGURATIONS]
    assert "answers 307" in str(keeper.missing)


async def test_a_token_that_was_replaced_is_used_from_the_next_look_on(api: Cluster) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)
    api.tokens = {"the.second.token"}
    await keeper.look()
    assert counted(keeper)['certificate_looks_total{outcome="failed"}'] == 1
    api.write_account("the.second.token\n")
    await keeper.look()
    assert counted(keeper)['certificate_looks_total{outcome="failed"}'] == 1
    assert api.statuses["get", CONFIGURATIONS, 401] == 1


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("token", None, "no such file or directory"),
        ("token", b"", "is no token"),
        ("token", b"two\nlines", "is no token"),
        ("token", b"\xff", "it is no text"),
        ("ca.crt", None, "no such file or directory"),
        ("ca.crt", b"rubbish", "cannot be used"),
    ],
)
async def test_a_service_account_that_cannot_be_used_is_named(
    api: Cluster, file: str, content: bytes | None, told: str
) -> None:
    (api.directory / file).unlink() if content is None else (api.directory / file).write_bytes(content)
    keeper = api.keeper(Clock())
    await keeper.look()
    assert told in str(keeper.missing)
    assert str(keeper.missing).endswith("the pod needs automountServiceAccountToken: true")
    api.write_account()
    await keeper.look()
    assert keeper.missing is None


async def test_a_defect_of_ours_is_told_and_ends_nothing(
    api: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    keeper = api.keeper(clock)
    await settled(clock, keeper)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(keeping, "read", broken)
    await keeper.look()
    assert "this is a defect" in caplog.text
    assert keeper.missing is None


# -- what is told ----------------------------------------------------------------------------------------------------


async def asked(webhook: Webhook, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(url(webhook, path)) as answer:
        return answer.status, await answer.text()


async def test_it_is_alive_and_not_ready_until_there_is_a_certificate(api: Cluster) -> None:
    async with replica(api, Clock()) as one:
        with api.fault(answers(403)):
            await one.keeper.look()
        assert await asked(one.webhook, "/livez") == (200, "ok\n")
        status, why = await asked(one.webhook, "/readyz")
        assert status == 503
        assert "may not get the MutatingWebhookConfiguration agent-sidecar-injector" in why
        assert "expiry" not in (await asked(one.webhook, "/metrics"))[1]
        assert not await one.reviews(made(OBJECTS.names, Clock(0).now).roots)
        await one.keeper.look()
        assert await asked(one.webhook, "/readyz") == (200, "ok\n")
        assert await one.reviews(api.bundle)


async def test_metrics_tell_when_it_expires_and_what_became_of_looks(api: Cluster) -> None:
    clock = Clock()
    async with replica(api, clock) as one:
        with api.fault(answers(500)):
            await one.keeper.look()
        await one.keeper.look()
        _, page = await asked(one.webhook, "/metrics")
    expires = (clock.now.replace(microsecond=0) + LIFE).timestamp()
    assert f"sidecar_webhook_certificate_expiry_timestamp_seconds {expires!r}\n" in page
    assert "# TYPE sidecar_webhook_certificate_expiry_timestamp_seconds gauge\n" in page
    assert page.count("# TYPE sidecar_webhook_certificate_looks_total counter\n") == 1
    assert 'sidecar_webhook_certificate_looks_total{outcome="ok"} 1\n' in page
    assert 'sidecar_webhook_certificate_looks_total{outcome="failed"} 1\n' in page
    assert "sidecar_webhook_certificates_made_total 1\n" in page
    assert "sidecar_webhook_trust_restored_total 0\n" in page


async def test_nothing_secret_is_told_whatever_happens(api: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clock = Clock()
    told = []
    async with replica(api, clock) as one:
        for fault in (*(each for each, _ in FAULTS.values()), *(echoes(status) for status in (400, 409, 422, 500))):
            with api.fault(fault):
                await one.keeper.look()
            told += [str(one.keeper.missing), (await asked(one.webhook, "/readyz"))[1]]
        await settled(clock, one.keeper)
        keys = [api.data["tls.key"]]
        for data, _ in UNUSABLE.values():
            api.keep(data)
            await one.keeper.look()
            keys += [data.get("tls.key", b""), api.data["tls.key"]]
        told += [(await asked(one.webhook, path))[1] for path in ("/readyz", "/metrics")]
    everything = "\n".join((caplog.text, *told))
    assert len(everything) > 1000
    assert TOKEN not in everything
    assert "PRIVATE" not in everything
    for key in keys:
        assert not any(line in everything for line in key.decode(errors="replace").splitlines()[1:-1] if len(line) > 10)
        assert not key or b64encode(key).decode()[40:] not in everything
