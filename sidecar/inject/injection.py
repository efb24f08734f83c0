"""A sidecar put into a pod, and taken out of it. Pure: the pod that is given stays as it is.

To inject a pod that has a sidecar is to take that out first. So injecting twice is injecting once, and what others did
in between, such as containers put before ours, is set right.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from sidecar import __version__
from sidecar.inject import aliases, environment
from sidecar.inject.added import Added, Changed, opened, status, taken_out
from sidecar.inject.asked import Asked, asked
from sidecar.inject.containers import proxy, rules, trust_mount, volumes
from sidecar.inject.names import (
    DEFAULT_CONTAINER,
    HTTPS_PORT,
    KEYS_VOLUME,
    LABEL,
    SAFE_TO_EVICT,
    STATUS,
    TRUST,
    TRUST_VOLUME,
    UNPRIVILEGED,
)
from sidecar.inject.objections import reasons, warnings
from sidecar.inject.pod import Refused, Table, containers, malformed
from sidecar.inject.settings import InjectSettings

#: The proxies of service meshes by their containers' names, and the users that they run as.
MESHES: Final = {"istio-proxy": 1337, "linkerd-proxy": 2102}
#: What Kubernetes takes of a warning.
LONGEST_WARNING: Final = 120


class Injected(Struct, frozen=True):
    """The pod with a sidecar, and what a person should know, each in at most 120 characters."""

    pod: Table
    warnings: tuple[str, ...] = ()


def inject(pod: Table, settings: InjectSettings, *, namespace: str, allowed: Literal["hosts", "any"]) -> Injected:
    """*pod*, or a template of pods, with a sidecar; as it is if its label says that it is to have none.

    Args:
        settings: what holds where the pod's annotations say nothing.
        namespace: where the pod is going to be.
        allowed: hosts where the namespace's Pod Security lets no container have NET_ADMIN.

    Raises:
        Refused: with all that speaks against it.
    """
    if problems := [*malformed(pod)]:
        raise Refused(problems)
    if declines(pod):
        return Injected(copied(pod))
    clean = eject(pod)
    refused: list[str] = []
    wish = asked(_part(clean, "annotations"), settings, refused.append)
    refused += reasons(clean, wish, namespace=namespace, hosts_only=allowed == "hosts")
    if refused:
        raise Refused(dict.fromkeys(refused))
    told = [*warnings(clean, wish), *_placed(clean, wish, _part(pod, "annotations").get(DEFAULT_CONTAINER))]
    return Injected(clean, tuple(dict.fromkeys(map(_short, told))))


def eject(pod: Table) -> Table:
    """*pod* as it was before `inject`, but for what others have changed since.

    Raises:
        Refused: what was added cannot be told.
    """
    if problems := [*malformed(pod)]:
        raise Refused(problems)
    clean: Table = copied(pod)
    if (added := status(pod)) is not None:
        aliases.take_out(clean["spec"], added)
        taken_out(clean, added, environment.is_ours)
    return clean


def declines(pod: Any) -> bool:
    """Whether *pod*, whatever it is, is labelled to have no sidecar."""
    for key in ("metadata", "labels", LABEL):
        pod = pod.get(key) if isinstance(pod, dict) else None
    return bool(pod == "false")


def copied(value: Any) -> Any:
    """A deep copy in which nothing is shared: what YAML has by an alias in two places can be changed in one."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def _placed(pod: Table, wish: Asked, default_container: str | None) -> Iterator[str]:
    """Put a sidecar into *pod*, in place; tells what a person should know."""
    added = Added(version=__version__, mode=wish.mode)
    spec, due = pod["spec"], environment.variables(wish)
    metadata = opened(pod, "metadata", dict, added.made)
    annotations = opened(metadata, "annotations", dict, added.made)
    for container in containers(pod):
        env = container.get("env") or ()
        yield from environment.remarks(container["name"], env, due)
        added.agent[str(container["name"])] = _changed(container, due)
    present = {container["name"] for container in containers(pod)}
    ours = [proxy(wish), *rules(wish, [uid for name, uid in MESHES.items() if name in present])]
    opened(spec, "initContainers", list, added.made)[:0] = ours
    added.containers = [container["name"] for container in ours]
    opened(spec, "volumes", list, added.made).extend(volumes(wish))
    added.volumes = [volume["name"] for volume in volumes(wish)]
    if wish.mode == "hosts":
        yield from aliases.place(spec, [*aliases.names_of(wish.configuration), *wish.hosts], added)
        _lower_first_port(spec, added)
    _annotate(annotations, spec["containers"], default_container, added)
    annotations[STATUS] = added.text


def _changed(container: Table, due: Mapping[str, str]) -> Changed:
    """Lead a container of the agent to the sidecar, and have it trusted."""
    changed = Changed()
    if (java := environment.java_options(container.get("env") or ())) is not None and environment.JAVA in due:
        index, text = java
        container["env"][index]["value"] += text
        changed.appended[environment.JAVA] = text
    if missing := environment.missing(container.get("env") or (), due):
        # at the end: a variable may refer to those before it
        env = opened(container, "env", list, changed.made)
        env.extend({"name": name, "value": value} for name, value in missing.items())
        changed.env = list(missing)
    if not any(mount.get("mountPath") == TRUST for mount in container.get("volumeMounts") or ()):
        opened(container, "volumeMounts", list, changed.made).append(trust_mount())
        changed.mount = True
    return changed


def _lower_first_port(spec: Table, added: Added) -> None:
    """Let the proxy, which is not root, listen where TLS is expected. Pod Security allows this sysctl everywhere."""
    security = spec.get("securityContext") or {}
    if any(each.get("name") == UNPRIVILEGED for each in security.get("sysctls") or ()):
        return
    security = opened(spec, "securityContext", dict, added.made)
    sysctls = opened(security, "sysctls", list, added.made)
    sysctls.append({"name": UNPRIVILEGED, "value": str(HTTPS_PORT)})
    added.sysctls = [UNPRIVILEGED]


def _annotate(annotations: Table, apps: list[Table], default_container: str | None, added: Added) -> None:
    if DEFAULT_CONTAINER not in annotations:
        names = [str(container["name"]) for container in apps]
        annotations[DEFAULT_CONTAINER] = str(default_container) if default_container in names else names[0]
        added.annotations.append(DEFAULT_CONTAINER)
    listed = annotations.get(SAFE_TO_EVICT)
    ours = f"{KEYS_VOLUME},{TRUST_VOLUME}"
    if listed is None and SAFE_TO_EVICT not in annotations:
        annotations[SAFE_TO_EVICT] = ours
        added.annotations.append(SAFE_TO_EVICT)
    elif isinstance(listed, str):
        added.appended[SAFE_TO_EVICT] = f",{ours}" if listed.strip() else ours
        annotations[SAFE_TO_EVICT] += added.appended[SAFE_TO_EVICT]


def _part(pod: Table, key: str) -> Table:
    """The labels or annotations."""
    return (pod.get("metadata") or {}).get(key) or {}


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_WARNING else f"{text[: LONGEST_WARNING - 1]}…"
