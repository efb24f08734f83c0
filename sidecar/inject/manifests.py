"""Where pods are within the objects of a manifest: pods, the workloads that make them, and lists of either."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sidecar.inject.pod import Table

#: By group and kind: where the pod, or the template of pods, is.
_PATHS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"


class Found(NamedTuple):
    """A pod within an object."""

    name: str
    """Of the object: ``deployment/agent``."""
    namespace: str
    """Empty if it says none."""
    pod: Any
    """Whatever stands where the pod should be."""


def changed(document: Any, change: Callable[[Found], Table]) -> Any:
    """*document* with each pod in it replaced by what *change* makes of it; itself if nothing is another then."""
    if not isinstance(document, dict) or not isinstance(kind := document.get("kind"), str):
        return document
    if kind.endswith("List") and isinstance(items := document.get("items"), list):
        new = [_item(document, each, change) for each in items]
        same = all(one is other for one, other in zip(new, items, strict=True))
        return document if same else {**document, "items": new}
    path = _PATHS.get((_group(document), kind))
    if path is None:
        return document
    pod = _at(document, path)
    new_pod = change(Found(name_of(document), _text(document, "namespace"), pod))
    return document if new_pod == pod else _with(document, path, new_pod)


def restricted(documents: Iterable[Any]) -> Iterator[str]:
    """The namespaces among *documents* in which no container may have NET_ADMIN."""
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "Namespace":
            labels = _at(document, ("metadata", "labels"))
            if isinstance(labels, dict) and labels.get(_ENFORCE) in ("baseline", "restricted"):
                yield _text(document, "name")


def name_of(document: Mapping[str, Any]) -> str:
    """``deployment/agent``."""
    name = _text(document, "name") or f"{_text(document, 'generateName')}*"
    return f"{str(document.get('kind')).lower()}/{name}"


def _item(of: Table, item: Any, change: Callable[[Found], Table]) -> Any:
    """*item* of a list, which need not say its kind in a list of one kind."""
    if not isinstance(item, dict) or "kind" in item:
        return changed(item, change)
    named = {**item, "kind": of["kind"].removesuffix("List"), "apiVersion": of.get("apiVersion")}
    new = changed(named, change)
    return item if new is named else {key: value for key, value in new.items() if key in item}


def _text(document: Mapping[str, Any], key: str) -> str:
    metadata = document.get("metadata")
    value = metadata.get(key) if isinstance(metadata, dict) else None
    return value if isinstance(value, str) else ""


def _group(document: Mapping[str, Any]) -> str:
    group, slash, _ = str(document.get("apiVersion")).partition("/")
    return group if slash else ""


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _with(document: Table, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    return {**document, path[0]: _with(document[path[0]], path[1:], value)}
