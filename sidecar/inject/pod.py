"""A pod, or a template of pods, as it is given: plain values, which may be anything until they have been looked at."""

from collections.abc import Iterable, Iterator
from typing import Any

from sidecar.errors import SidecarError

Table = dict[str, Any]

_LISTS_OF_POD = ("containers", "initContainers", "volumes", "hostAliases")
_LISTS_OF_CONTAINER = ("env", "volumeMounts", "ports")


class Refused(SidecarError):
    """The pod gets no sidecar. ``reasons`` are all that there are, each with what to do."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(self.reasons))


def malformed(pod: object) -> Iterator[str]:
    """What keeps *pod* from being read as a pod, or as a template of pods."""
    if not isinstance(pod, dict):
        yield "is no mapping; expected metadata and spec"
        return
    metadata, spec = pod.get("metadata"), pod.get("spec")
    if not isinstance(spec, dict):
        yield "spec is no mapping; expected the spec of a pod"
        return
    if metadata is not None and not isinstance(metadata, dict):
        yield "metadata is no mapping"
    else:
        for key in ("labels", "annotations"):
            yield from _no_mapping((metadata or {}).get(key), f"metadata.{key}")
    for key in ("os", "securityContext"):
        yield from _no_mapping(spec.get(key), f"spec.{key}")
    if isinstance(security := spec.get("securityContext"), dict):
        yield from _no_list(security.get("sysctls"), "spec.securityContext.sysctls")
    for key in _LISTS_OF_POD:
        yield from _no_list(spec.get(key), f"spec.{key}")
    for index, alias in enumerate(_mappings(spec.get("hostAliases"))):
        yield from _no_texts(alias.get("hostnames"), f"spec.hostAliases[{index}].hostnames")
    if not spec.get("containers"):
        yield "spec.containers is empty; expected the agent's"
    else:
        yield from _malformed_containers(spec)


def _malformed_containers(spec: Table) -> Iterator[str]:
    seen = set()
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(_mappings(spec.get(kind))):
            path = f"spec.{kind}[{index}]"
            name = container.get("name")
            if not isinstance(name, str) or not name:
                yield f"{path}.name is missing; expected text"
            elif name in seen:
                yield f"{path}.name: another container is called {name} as well; expected names that differ"
            else:
                seen.add(name)
            yield from _no_mapping(security := container.get("securityContext"), f"{path}.securityContext")
            if isinstance(security, dict):
                yield from _no_mapping(added := security.get("capabilities"), f"{path}.securityContext.capabilities")
                if isinstance(added, dict):
                    yield from _no_texts(added.get("add"), f"{path}.securityContext.capabilities.add")
            for key in _LISTS_OF_CONTAINER:
                yield from _no_list(container.get(key), f"{path}.{key}")


def _no_mapping(value: object, path: str) -> Iterator[str]:
    if value is not None and not isinstance(value, dict):
        yield f"{path} is no mapping"


def _no_list(value: object, path: str) -> Iterator[str]:
    if value is not None and not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        yield f"{path} is no list of mappings"


def _no_texts(value: object, path: str) -> Iterator[str]:
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        yield f"{path} is no list of texts"


def _mappings(value: object) -> list[Table]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def containers(pod: Table) -> Iterator[Table]:
    """Those of *pod*, in the order in which they start."""
    yield from pod["spec"].get("initContainers") or ()
    yield from pod["spec"]["containers"]
