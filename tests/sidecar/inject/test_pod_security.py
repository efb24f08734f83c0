"""Injected pods as the API server sees them: Pod Security, and the schemas of Kubernetes."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
from kubernetes_validate.utils import all_versions

from sidecar.inject import eject
from sidecar.inject.settings import MODES
from tests.sidecar.inject.pods import Table, container, injected, pod

OLDEST = (1, 29)
VERSIONS = [
    f"{major}.{minor}"
    for major, minor in sorted({tuple(map(int, version.split(".")[:2])) for version in all_versions()})
    if (major, minor) >= OLDEST
]
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
}


def violations(pod: Table) -> Iterator[str]:
    """What the profile ``restricted`` has against *pod*.

    Source: kubernetes.io/docs/concepts/security/pod-security-standards
    """
    spec = pod["spec"]
    of_pod: Table = spec.get("securityContext") or {}
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key))
    yield from (f"sysctl {each['name']}" for each in of_pod.get("sysctls") or () if each["name"] not in _SYSCTLS)
    for volume in spec.get("volumes") or ():
        yield from (f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} - _VOLUMES)
    for each in (*(spec.get("initContainers") or ()), *spec["containers"]):
        own: Table = each.get("securityContext") or {}
        yield from (f"{each['name']}: {problem}" for problem in _of_container(each, own, {**of_pod, **own}))


def _of_container(container: Table, own: Table, both: Table) -> Iterator[str]:
    capabilities: Table = own.get("capabilities") or {}
    yield from (f"adds {each}" for each in capabilities.get("add") or () if each != "NET_BIND_SERVICE")
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "does not drop ALL"
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "root"
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    yield from (f"hostPort {port['hostPort']}" for port in container.get("ports") or () if port.get("hostPort"))


MODEST = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def modest(**annotations: str) -> Table:
    agent = container(securityContext=MODEST)
    return pod(agent, annotations=annotations, initContainers=[container("init", securityContext=MODEST)])


def test_the_check_finds_what_it_should() -> None:
    assert list(violations(modest())) == []
    found = [*violations(pod(hostPID=True, volumes=[{"name": "v", "hostPath": {}}]))]
    assert {"hostPID", "volume v: hostPath", "app: does not drop ALL", "app: root", "app: seccompProfile"} <= {*found}


@pytest.mark.parametrize("mode", ["hosts", "env"])
def test_these_modes_are_allowed_everywhere(mode: str) -> None:
    assert list(violations(injected(modest(mode=mode, config="log: {}")))) == []
    assert list(violations(injected(modest(mode=mode, **{"config-map": "a", "extra-ca-config-map": "b"})))) == []


def test_redirection_needs_net_admin_and_nothing_else() -> None:
    assert list(violations(injected(modest(mode="redirect")))) == ["agent-sidecar-rules: adds NET_ADMIN"]


def everything(mode: str) -> Table:
    asked = {"plugins": "cache", "extra-ca-config-map": "roots", "config": "log: {level: debug}"}
    return injected(modest(mode=mode, **asked))


def kinds(pod: Table) -> Iterator[Any]:
    about = {"name": "agent", "namespace": "voice"}
    yield {"apiVersion": "v1", "kind": "Pod", **pod}
    selector = {"matchLabels": pod["metadata"]["labels"]}
    template = {**pod, "metadata": {key: value for key, value in pod["metadata"].items() if key != "name"}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {"selector": selector, "template": template},
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_an_injected_pod_is_one_that_kubernetes_knows(mode: str, version: str) -> None:
    new = everything(mode)
    for document in (*kinds(new), *kinds(eject(new))):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_found() -> None:
    new = everything("hosts")
    new["spec"]["initContainers"][0]["startupProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(next(kinds(new)), VERSIONS[-1], strict=True)
