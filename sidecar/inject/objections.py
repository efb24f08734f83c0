"""What speaks against putting a sidecar into a pod, and what works but hardly as wanted."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from sidecar.inject.asked import Asked
from sidecar.inject.names import (
    ADMIN_PORT,
    CONTAINERS,
    DOMAIN,
    HTTPS_PORT,
    LABEL,
    PROBES_PORT,
    PROXY_PORT,
    REDIRECT_PORT,
    UNPRIVILEGED,
    VOLUMES,
)
from sidecar.inject.pod import Table, containers
from sidecar.inject.settings import Mode

#: Where the proxy listens; the agent shares these ports with it.
_PORTS: Final[Mapping[Mode, frozenset[int]]] = {
    "hosts": frozenset((HTTPS_PORT, PROXY_PORT, ADMIN_PORT, PROBES_PORT)),
    "redirect": frozenset((REDIRECT_PORT, PROXY_PORT, ADMIN_PORT, PROBES_PORT)),
    "env": frozenset((PROXY_PORT, ADMIN_PORT, PROBES_PORT)),
}


def reasons(pod: Table, asked: Asked, *, namespace: str, hosts_only: bool) -> Iterator[str]:
    """Why *pod*, of which nothing is ours yet, cannot have a sidecar."""
    spec, metadata = pod["spec"], pod.get("metadata") or {}
    if (label := (metadata.get("labels") or {}).get(LABEL)) not in (None, "true", "false"):
        yield f'label {LABEL} is {json.dumps(label, default=str)}; expected "true" or "false", in quotes'
    if spec.get("hostNetwork"):
        yield "hostNetwork: the sidecar would listen on the node, and redirect its traffic; leave hostNetwork out"
    if (spec.get("os") or {}).get("name") == "windows":
        yield 'the pod is for Windows, and there is no sidecar for it; label it agent-sidecar.io/inject: "false"'
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
        yield "it mirrors a static pod, which only its node can change; inject the file on the node"
    if hosts_only and asked.mode == "redirect":
        yield _forbidden("mode redirect", f"set {DOMAIN}mode: hosts", namespace)
    if hosts_only and asked.egress_lock is not None:
        yield _forbidden(f"annotation {DOMAIN}egress-lock", "leave it out", namespace)
    yield from _names_taken(spec)
    yield from _same_user(spec, asked.uid)
    yield from _ports_taken(pod, asked.mode)
    if asked.mode == "hosts":
        yield from _sysctl(spec)


def _forbidden(what: str, mending: str, namespace: str) -> str:
    return (
        f"{what} needs NET_ADMIN, which Pod Security forbids in namespace {namespace}; "
        f"{mending}, or label the namespace pod-security.kubernetes.io/enforce: privileged"
    )


def _names_taken(spec: Table) -> Iterator[str]:
    for kind, names in (("initContainers", CONTAINERS), ("containers", CONTAINERS), ("volumes", VOLUMES)):
        for item in spec.get(kind) or ():
            if item.get("name") in names:
                yield f"spec.{kind} has {item['name']}, which was not put there by sidecar inject; rename it"


def _same_user(spec: Table, uid: int) -> Iterator[str]:
    of_pod = (spec.get("securityContext") or {}).get("runAsUser")
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            own = (container.get("securityContext") or {}).get("runAsUser")
            if (of_pod if own is None else own) == uid:
                yield (
                    f"container {container['name']} runs as uid {uid}, which is the sidecar's; "
                    f"give it another one, or the sidecar by {DOMAIN}uid"
                )


def _ports_taken(pod: Table, mode: Mode) -> Iterator[str]:
    for container in containers(pod):
        for port in container.get("ports") or ():
            number = port.get("containerPort")
            if isinstance(number, int) and number in _PORTS[mode] and port.get("protocol", "TCP") == "TCP":
                other = f", or choose another {DOMAIN}mode" if number == HTTPS_PORT else ""
                yield (
                    f"container {container['name']} has port {number}, where the sidecar listens in mode {mode}; "
                    f"move it{other}"
                )


def _sysctl(spec: Table) -> Iterator[str]:
    for each in (spec.get("securityContext") or {}).get("sysctls") or ():
        if each.get("name") == UNPRIVILEGED and not _low_enough(each.get("value")):
            yield f"sysctl {UNPRIVILEGED} is {each.get('value')}; set it to {HTTPS_PORT} or less, or leave it out"


def _low_enough(value: object) -> bool:
    return isinstance(value, str) and value.isdecimal() and int(value) <= HTTPS_PORT


def warnings(pod: Table, asked: Asked) -> Iterator[str]:
    """What works in *pod*, but hardly as wanted."""
    yield from asked.remarks
    if pod["spec"].get("shareProcessNamespace"):
        yield f"shareProcessNamespace: containers of uid 0 or {asked.uid} can read the key of the sidecar's CA"
    has_rules = asked.mode == "redirect" or asked.egress_lock is not None
    for container in containers(pod):
        name, security = container["name"], container.get("securityContext") or {}
        added = (security.get("capabilities") or {}).get("add") or ()
        if has_rules and (security.get("privileged") or {"NET_ADMIN", "ALL"} & set(added)):
            yield f"container {name} is privileged or has NET_ADMIN: it can undo the rules of the sidecar"
        for variable in container.get("env") or ():
            if str(variable.get("name")).lower() in ("https_proxy", "all_proxy") and variable.get("value"):
                yield f"container {name} sets {variable['name']}: its calls go to that proxy, past the sidecar"
