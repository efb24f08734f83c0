"""The containers and volumes that are added to a pod."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from sidecar.inject.asked import Asked
from sidecar.inject.environment import escaped
from sidecar.inject.names import (
    CONFIG,
    CONFIG_FILE,
    CONFIG_VOLUME,
    DOMAIN,
    EXTRA_CA,
    EXTRA_CA_FILE,
    EXTRA_CA_VOLUME,
    HTTPS_PORT,
    KEYS,
    KEYS_VOLUME,
    LOCK,
    PROBES_PORT,
    PROBES_PORT_NAME,
    PROXY,
    REDIRECT_PORT,
    RULES,
    RULES_FILES,
    TRUST,
    TRUST_VOLUME,
)
from sidecar.inject.pod import Table
from sidecar.inject.settings import as_list, overrides, variable


def proxy(asked: Asked) -> Table:
    """The sidecar itself: an init container that goes on, so that it is there before the agent and ends after it."""
    mounts: list[Table] = [
        {"name": KEYS_VOLUME, "mountPath": KEYS},
        {"name": TRUST_VOLUME, "mountPath": TRUST},
    ]
    if has_file(asked):
        mounts.append({"name": CONFIG_VOLUME, "mountPath": CONFIG, "readOnly": True})
    if asked.extra_ca is not None:
        mounts.append({"name": EXTRA_CA_VOLUME, "mountPath": EXTRA_CA, "readOnly": True})
    return {
        "name": PROXY,
        "image": asked.image,
        "command": ["sidecar", "run", *(["--config", f"{CONFIG}/{CONFIG_FILE}"] if has_file(asked) else [])],
        "restartPolicy": "Always",
        "env": [{"name": name, "value": escaped(value)} for name, value in _overrides(asked).items()],
        **({"envFrom": [{"secretRef": {"name": asked.env_secret}}]} if asked.env_secret else {}),
        "ports": [{"name": PROBES_PORT_NAME, "containerPort": PROBES_PORT}],
        # the next container starts once this one has said that it is ready to serve
        "startupProbe": _probe("/startupz", every_seconds=1, failures=60),
        "livenessProbe": _probe("/livez", every_seconds=10, failures=3),
        "readinessProbe": _probe("/readyz", every_seconds=5, failures=3),
        "resources": {
            "requests": {"cpu": asked.cpu_request, "memory": asked.memory_request},
            "limits": {"memory": asked.memory_limit},
        },
        "securityContext": _security(asked.uid),
        "volumeMounts": mounts,
    }


def rules(asked: Asked, meshes: Iterable[int]) -> Iterator[Table]:
    """Has the kernel turn the pod's connections round, and keep those in that would pass by the proxy, as asked.

    Args:
        meshes: the users of service meshes' proxies. Were theirs not let out as well, they and we would lead each
            other's connections round for ever.
    """
    uid = f"UID={_elements((asked.uid, *meshes))}"
    if asked.mode == "redirect":
        yield _nft(RULES, "redirect.nft", asked, uid, f"PORTS={_elements((HTTPS_PORT,))}", f"PROXY={REDIRECT_PORT}")
    if (networks := asked.egress_lock) is not None:
        clusters = (f"CLUSTER{version}={_elements(_of_version(networks, version))}" for version in (4, 6))
        yield _nft(LOCK, "egress-lock.nft", asked, uid, *clusters)


def _nft(name: str, file: str, asked: Asked, *defined: str) -> Table:
    """Runs nft, which is called directly: its file has the capability."""
    security = _security(asked.uid)
    security["capabilities"]["add"] = ["NET_ADMIN"]
    return {
        "name": name,
        "image": asked.image,
        "command": [
            "/usr/sbin/nft",
            *(word for each in defined for word in ("-D", each)),
            "-f",
            f"{RULES_FILES}/{file}",
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": security,
    }


def _elements(values: Iterable[object]) -> str:
    """A set as nft has it."""
    return f"{{ {', '.join(map(str, values))} }}"


def _of_version(networks: Iterable[IPv4Network | IPv6Network], version: int) -> Iterator[IPv4Network | IPv6Network]:
    return (network for network in networks if network.version == version)


def volumes(asked: Asked) -> list[Table]:
    """Keys and certificates never touch a disk; they must outlive a restart of the proxy, but not the pod."""
    added: list[Table] = [
        {"name": KEYS_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": TRUST_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}},
    ]
    if asked.inline:
        field = {"fieldPath": f"metadata.annotations['{DOMAIN}config']"}
        added.append({"name": CONFIG_VOLUME, "downwardAPI": {"items": [{"path": CONFIG_FILE, "fieldRef": field}]}})
    elif asked.config_map:
        added.append(_of_config_map(CONFIG_VOLUME, asked.config_map, CONFIG_FILE, CONFIG_FILE))
    if asked.extra_ca is not None:
        added.append(_of_config_map(EXTRA_CA_VOLUME, *asked.extra_ca, EXTRA_CA_FILE))
    return added


def trust_mount() -> Table:
    """What every other container gets."""
    return {"name": TRUST_VOLUME, "mountPath": TRUST, "readOnly": True}


def has_file(asked: Asked) -> bool:
    """Whether there is a configuration of the pod's own."""
    return asked.inline or bool(asked.config_map)


def _overrides(asked: Asked) -> dict[str, str]:
    """The variables that put settings over those of the configuration."""
    values = overrides(asked.mode)
    if asked.extra_ca is not None:
        values[variable("tls.extra_ca_files")] = as_list(f"{EXTRA_CA}/{EXTRA_CA_FILE}")
    if asked.plugins:
        values[variable("plugins")] = asked.plugins
    return values


def _probe(path: str, *, every_seconds: int, failures: int) -> Table:
    return {
        "httpGet": {"path": path, "port": PROBES_PORT_NAME},
        "periodSeconds": every_seconds,
        "failureThreshold": failures,
    }


def _security(uid: int) -> Table:
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _of_config_map(volume: str, name: str, key: str, path: str) -> Table:
    return {"name": volume, "configMap": {"name": name, "optional": False, "items": [{"key": key, "path": path}]}}
