"""Reviews of pods as an API server sends them, and the webhook that is asked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.inject.names import DOMAIN, LABEL
from tests.benchmarks.calls import Template
from tests.benchmarks.contestants import Contestant, Surroundings
from tests.benchmarks.machine import python

WEBHOOK = "webhook"
_CONTAINERS, _CONFIG_BYTES = 10, 10_000
#: Where a configuration's number stands, and how it is written.
_NUMBER, _FORMAT = "<number>", "%010d"


def webhook() -> Contestant:
    """Its ports: reviews, by TLS, and probes."""

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        files = ("--cert", around.chain_file, "--key", around.chain_file)
        addresses = ("--address", f"127.0.0.1:{ports[0]}", "--probes", f"127.0.0.1:{ports[1]}")
        return python("-m", "sidecar", "webhook", *files, *addresses)

    return Contestant(WEBHOOK, command, ports=2, probed=True)


def small() -> Template:
    """A pod with one container that says nothing of us but its label."""
    return _review({"metadata": _metadata({}), "spec": {"containers": [_container(0)]}})


def large(*, each_its_own: bool = False) -> Template:
    """A pod with ten containers and 10 KB of configuration in an annotation. *each_its_own*: that differs each time, as
    it does not where pods are replicas.
    """
    config = _config()
    if not each_its_own:
        config = config.replace(_NUMBER, _FORMAT % 0)
    volumes = [{"name": f"volume-{index}", "emptyDir": {}} for index in range(4)]
    containers = [_container(index, volumes) for index in range(_CONTAINERS)]
    return _review({"metadata": _metadata({f"{DOMAIN}config": config}), "spec": _spec(containers, volumes)})


def _spec(containers: list[Any], volumes: list[Any]) -> Mapping[str, Any]:
    return {
        "serviceAccountName": "agent",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": containers,
        "volumes": volumes,
    }


def _metadata(annotations: Mapping[str, str]) -> Mapping[str, Any]:
    labels = {"app": "voice-agent", "pod-template-hash": "6b7f8c9d5", LABEL: "true"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "voice-agent-6b7f8c9d5", "controller": True}
    return {
        "generateName": "voice-agent-6b7f8c9d5-",
        "labels": labels,
        "annotations": {"example.com/team": "voice", **annotations},
        "ownerReferences": [owner],
    }


def _container(index: int, volumes: list[Any] | None = None) -> Mapping[str, Any]:
    port = 8000 + index
    return {
        "name": f"agent-{index}",
        "image": f"registry.example.com/voice/agent-{index}:1.2.3",
        "env": [{"name": f"SETTING_{number}", "value": f"value {number}"} for number in range(12)],
        "ports": [{"containerPort": port, "name": f"http-{index}"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": port}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": port}},
        "volumeMounts": [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes or ()],
    }


def _config() -> str:
    """YAML of `_CONFIG_BYTES`: the default plugins, and as many providers of somebody's own as there is room for."""
    text = f"# configuration {_NUMBER}\nplugins:\n  - use: tracing\n  - use: cache\nproviders:\n"
    number = 0
    while len(text) < _CONFIG_BYTES:
        text += (
            f"  models-{number}:  # what our own house serves, by region\n    dialect: openai\n"
            f"    url: https://models-{number}.region.example.com/v1\n"
            f"    hosts: [models-{number}.region.example.com, spare-{number}.region.example.com]\n    keep_warm: 2\n"
        )
        number += 1
    return text


def _review(pod: Mapping[str, Any]) -> Template:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "voice",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": {"apiVersion": "v1", "kind": "Pod", **pod},
        "dryRun": False,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    body = json.dumps(review, separators=(",", ":"))
    before, number, after = body.partition(_NUMBER)
    length = len(body) - len(number) + (len(_FORMAT % 0) if number else 0)
    head = (
        "POST /mutate/any?timeout=10s HTTP/1.1\r\nHost: agent-sidecar.voice.svc:443\r\nUser-Agent: kube-apiserver-"
        f"admission\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
    )
    pieces = (f"{head}{before}".encode(), after.encode()) if number else (f"{head}{body}".encode(),)
    return Template(pieces, (_FORMAT,) if number else ())
