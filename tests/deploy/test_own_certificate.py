"""The injector's certificate: it finds what it keeps, has the rights that it uses and no others, or none at all."""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest

from sidecar.cli.program import program
from tests.deploy.rendering import K8S, OVERLAYS, Table, kustomized, overlay, the
from tests.sidecar.webhook.cluster import NAMESPACE, OBJECTS, Call, Clock, cluster, settled
from tests.sidecar.webhook.test_certificate import UNUSABLE


def allowed(objects: tuple[Table, ...]) -> set[Call]:
    """Everything that the rules of *objects* allow to the injector's service account, call by call."""
    account = {"kind": "ServiceAccount", "name": OBJECTS.service, "namespace": NAMESPACE}
    found = set()
    for binding in objects:
        if not binding["kind"].endswith("RoleBinding") or account not in binding["subjects"]:
            continue
        (role,) = (
            each
            for each in objects
            if (each["kind"], each["metadata"]["name"]) == (binding["roleRef"]["kind"], binding["roleRef"]["name"])
        )
        where = binding["metadata"].get("namespace", "")
        found |= {
            Call(verb, group, resource, where, name)
            for rule in role["rules"]
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for name in rule.get("resourceNames", ["*"])
        }
    return found


async def used(directory: Path) -> set[Call]:
    """Everything that injectors ask the API while they make, share, renew and put back."""
    async with cluster(directory) as api:
        clock = Clock()
        keepers = api.keeper(clock), api.keeper(clock)
        await settled(clock, *keepers)
        clock.pass_by(days=70)
        await settled(clock, *keepers)
        for data, _ in UNUSABLE.values():
            api.keep(data)
            api.trust(None)
            await settled(clock, *keepers)
        return set(api.calls)


@pytest.mark.parametrize("name", OVERLAYS)
async def test_its_rights_are_those_that_it_uses(name: str, tmp_path: Path) -> None:
    assert allowed(overlay(name)) == await used(tmp_path)


@pytest.mark.parametrize("name", OVERLAYS)
def test_nobody_else_has_rights(name: str) -> None:
    objects = overlay(name)
    for binding in (each for each in objects if each["kind"].endswith("RoleBinding")):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": OBJECTS.service, "namespace": NAMESPACE}]
    kinds = [each["kind"] for each in objects]
    assert kinds.count("Role") == kinds.count("RoleBinding") == kinds.count("ClusterRole") == 1


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_its_pods_get_the_token(name: str) -> None:
    objects = overlay(name)
    spec = the("Deployment", objects)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is True
    assert spec["serviceAccountName"] == the("ServiceAccount", objects)["metadata"]["name"] == OBJECTS.service
    assert the("ServiceAccount", objects)["automountServiceAccountToken"] is False
    assert not spec.get("volumes"), "it writes nothing to any disk"


def defaults() -> dict[str, Any]:
    """What `sidecar webhook` goes by where nobody says otherwise."""
    command = program.get_command(click.Context(program), "webhook")
    assert command is not None
    return {each.name: each.default for each in command.params if each.name}


def options(objects: tuple[Table, ...]) -> Iterator[str]:
    """Of `sidecar webhook`, as the injector is started."""
    (container,) = the("Deployment", objects)["spec"]["template"]["spec"]["containers"]
    assert container["command"][:2] == ["sidecar", "webhook"]
    yield from container["command"][2:]


@pytest.mark.parametrize("name", OVERLAYS)
def test_it_finds_what_it_keeps(name: str) -> None:
    objects = overlay(name)
    known = defaults()
    assert list(options(objects)) == []
    secret = the("Secret", objects)
    assert secret["metadata"]["name"] == known["secret"] == OBJECTS.secret
    assert secret["type"] == "Opaque"
    assert not secret.keys() & {"data", "stringData", "immutable"}, "applied again it takes nothing away"
    assert the("Service", objects)["metadata"]["name"] == known["service"]
    configuration = the("MutatingWebhookConfiguration", objects)
    assert configuration["metadata"]["name"] == known["configuration"]
    assert "annotations" not in configuration["metadata"]
    for webhook in configuration["webhooks"]:
        called = webhook["clientConfig"]["service"]
        assert (called["name"], called["namespace"]) == (known["service"], secret["metadata"]["namespace"])
        assert "caBundle" not in webhook["clientConfig"], "applied again it takes nothing away"


# -- with cert-manager -----------------------------------------------------------------------------------------------


@cache
def by_cert_manager(name: str) -> tuple[Table, ...]:
    """An overlay with the component put over it, as docs/kubernetes.md says."""
    with TemporaryDirectory() as temporary:
        here = Path(temporary).resolve()
        k8s = os.path.relpath(K8S, here)
        whole = {"resources": [f"{k8s}/overlays/{name}"], "components": [f"{k8s}/components/cert-manager"]}
        (here / "kustomization.yaml").write_text(json.dumps(whole), encoding="utf-8")
        return kustomized(here)


@pytest.mark.parametrize("name", OVERLAYS)
def test_with_cert_manager_it_has_no_rights_at_all(name: str) -> None:
    objects = by_cert_manager(name)
    assert not [each["kind"] for each in objects if "Role" in each["kind"] or each["kind"] == "Secret"]
    assert the("Deployment", objects)["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
    assert the("ServiceAccount", objects)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_cert_manager_makes_is_what_is_served(name: str) -> None:
    objects = by_cert_manager(name)
    service, certificate = the("Service", objects)["metadata"], the("Certificate", objects)
    spec = the("Deployment", objects)["spec"]["template"]["spec"]
    (volume,), (mount,) = spec["volumes"], spec["containers"][0]["volumeMounts"]
    assert volume["secret"]["secretName"] == certificate["spec"]["secretName"]
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    assert list(options(objects)) == [f"--cert={mount['mountPath']}/tls.crt", f"--key={mount['mountPath']}/tls.key"]
    assert certificate["spec"]["dnsNames"] == [f"{service['name']}.{service['namespace']}.svc"]
    told = the("MutatingWebhookConfiguration", objects)["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert told == f"{certificate['metadata']['namespace']}/{certificate['metadata']['name']}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_else_is_different_with_cert_manager(name: str) -> None:
    def others(objects: tuple[Table, ...]) -> list[Table]:
        own = re.compile("Role|Secret|Certificate|Issuer|Deployment|MutatingWebhookConfiguration")
        return [each for each in objects if not own.search(each["kind"])]

    with_it, without = by_cert_manager(name), overlay(name)
    assert others(with_it) == others(without)
    kind = "MutatingWebhookConfiguration"
    assert the(kind, with_it)["webhooks"] == the(kind, without)["webhooks"]
