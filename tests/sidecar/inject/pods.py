"""Pods to inject."""

import json
from typing import Any

from sidecar.inject import Injected, InjectSettings, inject
from sidecar.inject.names import DOMAIN, STATUS

SETTINGS = InjectSettings(image="registry.example/agent-sidecar:1")

Table = dict[str, Any]


def pod(*containers: Table, annotations: Table | None = None, **spec: Any) -> Table:
    """A pod with one container ``app``, unless others are given; *annotations* by their short names."""
    metadata: Table = {"name": "agent", "labels": {"app": "agent"}}
    if annotations:
        metadata["annotations"] = {f"{DOMAIN}{name}": value for name, value in annotations.items()}
    return {"metadata": metadata, "spec": {"containers": list(containers) or [container()], **spec}}


def container(name: str = "app", **rest: Any) -> Table:
    return {"name": name, "image": f"{name}:1", **rest}


def done(pod: Table, *, settings: InjectSettings = SETTINGS) -> Injected:
    """*pod* injected where everything is allowed."""
    return inject(pod, settings, namespace="voice", allowed="any")


def injected(pod: Table) -> Table:
    return done(pod).pod


def named(items: list[Table] | None, name: str) -> Table:
    """The one item of that name."""
    (found,) = (item for item in items or () if item["name"] == name)
    return found


def variables(container: Table) -> Table:
    return {entry["name"]: entry.get("value") for entry in container.get("env") or ()}


def proxy(pod: Table) -> Table:
    return named(pod["spec"]["initContainers"], "agent-sidecar")


def app(pod: Table, name: str = "app") -> Table:
    return named(pod["spec"]["containers"], name)


def status(pod: Table) -> Table:
    return dict(json.loads(pod["metadata"]["annotations"][STATUS]))
