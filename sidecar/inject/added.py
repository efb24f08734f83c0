"""What was added to a pod, as its status annotation has it, and taking just that out again.

Others may have changed the pod in between, so nothing is put back but what is gone: each part is found by its name.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from sidecar.inject.names import (
    CONTAINERS,
    DEFAULT_CONTAINER,
    SAFE_TO_EVICT,
    STATUS,
    TRUST,
    UNPRIVILEGED,
    VOLUMES,
)
from sidecar.inject.pod import Refused, Table

T = TypeVar("T", list[Any], dict[str, Any])

ABSENT, NULL = "absent", "null"


class Changed(Struct, kw_only=True, omit_defaults=True):
    """What was added to one container of the agent."""

    env: list[str] = field(default_factory=list)
    appended: dict[str, str] = field(default_factory=dict)
    """To values of variables: what stands behind them now."""
    mount: bool = False
    made: dict[str, str] = field(default_factory=dict)


class Added(Struct, kw_only=True, omit_defaults=True):
    """What was added to a pod.

    ``made`` are the lists and mappings that were made to add to, and what stood there before: ``absent`` or ``null``.
    """

    version: str
    mode: str
    containers: list[str] = field(default_factory=list)
    """Init containers of ours."""
    volumes: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    appended: dict[str, str] = field(default_factory=dict)
    """To values of annotations."""
    hosts: list[str] = field(default_factory=list)
    """Names that mean loopback."""
    aliases: list[str] = field(default_factory=list)
    """Addresses that had no names before."""
    sysctls: list[str] = field(default_factory=list)
    agent: dict[str, Changed] = field(default_factory=dict)
    """The agent's containers by name."""
    made: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def status(pod: Mapping[str, Any]) -> Added | None:
    """What was added to *pod*; None if nothing was.

    Raises:
        Refused: its annotation makes no sense.
    """
    text = ((pod.get("metadata") or {}).get("annotations") or {}).get(STATUS)
    if text is None:
        return None
    try:
        return msgspec.json.decode(str(text), type=Added)
    except msgspec.MsgspecError as error:
        hint = "inject the manifest from which the pod was made, or remove what was added by hand"
        raise Refused([f"annotation {STATUS} cannot be read: {error}; {hint}"]) from error


def opened(owner: Table, key: str, kind: type[T], made: dict[str, str], path: str = "") -> T:
    """The list or mapping at *key* of *owner*, made if there is none; *made* is told of that under *path*."""
    if owner.get(key) is None:
        made[path or key] = NULL if key in owner else ABSENT
        owner[key] = kind()
    value: T = owner[key]
    return value


def closed(owner: Table, key: str, made: Mapping[str, str], path: str = "") -> None:
    """The opposite of `opened`, unless somebody else has put something there."""
    before = made.get(path or key)
    if before is None or owner.get(key):
        return
    if before == NULL:
        owner[key] = None
    else:
        owner.pop(key, None)


def taken_out(pod: Table, added: Added, is_ours: Callable[[Table], bool]) -> None:
    """Take out of *pod* what *added* says, in place; names of hosts are taken out by `sidecar.inject.aliases`.

    Whoever writes a pod can write its status too, and must not be able to take out so what others have put there: only
    what has our names goes, and of variables what *is_ours*.
    """
    spec, made = pod["spec"], added.made
    _without(spec, "initContainers", "name", {*added.containers} & {*CONTAINERS})
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if (changed := added.agent.get(container.get("name"))) is not None:
            _restored(container, changed, is_ours)
    _without(spec, "volumes", "name", {*added.volumes} & {*VOLUMES})
    if isinstance(security := spec.get("securityContext"), dict):
        _without(security, "sysctls", "name", {*added.sysctls} & {UNPRIVILEGED})
        closed(security, "sysctls", made)
    for key in ("initContainers", "volumes", "securityContext"):
        closed(spec, key, made)
    metadata = pod["metadata"]
    annotations = metadata["annotations"]
    for name in {STATUS} | ({*added.annotations} & {DEFAULT_CONTAINER, SAFE_TO_EVICT}):
        annotations.pop(name, None)
    if (text := added.appended.get(SAFE_TO_EVICT)) and isinstance(annotations.get(SAFE_TO_EVICT), str):
        annotations[SAFE_TO_EVICT] = _shortened(annotations[SAFE_TO_EVICT], text)
    closed(metadata, "annotations", made)
    closed(pod, "metadata", made)


def _restored(container: Table, changed: Changed, is_ours: Callable[[Table], bool]) -> None:
    if changed.env and container.get("env"):
        container["env"] = [
            entry for entry in container["env"] if entry.get("name") not in changed.env or not is_ours(entry)
        ]
    for name, text in changed.appended.items():
        # to the last, which is the one that counts
        entry = next((each for each in reversed(container.get("env") or ()) if _holds(each, name, text)), None)
        if entry is not None and is_ours({"value": text.strip()}):
            entry["value"] = _shortened(entry["value"], text)
    if changed.mount:
        _without(container, "volumeMounts", "mountPath", {TRUST})
    closed(container, "env", changed.made)
    closed(container, "volumeMounts", changed.made)


def _without(owner: Table, key: str, by: str, names: set[str]) -> None:
    if names and owner.get(key):
        owner[key] = [item for item in owner[key] if item.get(by) not in names]


def _holds(entry: Table, name: str, text: str) -> bool:
    """Whether *text* is, or was, put behind the value of the variable *name*."""
    return bool(entry.get("name") == name and isinstance(entry.get("value"), str) and text in entry["value"])


def _shortened(text: str, part: str) -> str:
    """*text* without the last *part* of it."""
    before, found, behind = text.rpartition(part)
    return before + behind if found else text
