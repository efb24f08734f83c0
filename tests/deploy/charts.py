"""The Helm chart as helm renders it, and both ways to deploy brought to where they can be compared."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from sidecar import __version__
from sidecar.cli.webhook import webhook
from tests.deploy.rendering import K8S, Table

CHART: Final = K8S / "helm/agent-sidecar"
NAMESPACE: Final = "agent-sidecar-system"
PROGRAMS: Final = ("helm3", "helm4")
#: What sorts objects, and by which nothing is found. Helm has some of its own.
_SORTING: Final = ("app.kubernetes.io/", "helm.sh/")


def helm(program: str, *arguments: str, skip_or_fail: Callable[[str], None]) -> subprocess.CompletedProcess[str]:
    """Run *program*, one of `PROGRAMS`, without a cluster or anything that is configured on this machine."""
    found = shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        skip_or_fail(f"there is no {program}; make test puts it into the virtual environment")
        raise AssertionError
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": "/dev/null"}
    return subprocess.run([found, *arguments], env=environment, capture_output=True, text=True, check=False)


def given(values: Iterable[str], settings: Table) -> list[str]:
    """As arguments: files of the chart by name, and what holds over them."""
    named = [f"--values={CHART / f'values-{name}.yaml'}" for name in values]
    return [*named, *(f"--set-json={path}={json.dumps(value)}" for path, value in settings.items())]


def rendered(
    program: str,
    *values: str,
    skip_or_fail: Callable[[str], None],
    namespace: str = NAMESPACE,
    **settings: Any,
) -> tuple[Table, ...]:
    """What the chart deploys; *settings* by their paths, with ``__`` for a dot."""
    arguments = given(values, {path.replace("__", "."): value for path, value in settings.items()})
    ran = helm(
        program,
        "template",
        "agent-sidecar",
        str(CHART),
        "--namespace",
        namespace,
        *arguments,
        skip_or_fail=skip_or_fail,
    )
    assert ran.returncode == 0, ran.stderr
    return tuple(each for each in yaml.safe_load_all(ran.stdout) if each)


def comparable(objects: Iterable[Table]) -> dict[tuple[str, str, str], Any]:
    """*objects* by kind, namespace and name, without what differs and means the same."""
    done = {}
    for each in objects:
        if each["kind"] == "Namespace":  # Helm takes one that is there
            continue
        metadata = dict(each["metadata"])
        labels = metadata.pop("labels", {})
        metadata["labels"] = {name: text for name, text in labels.items() if not name.startswith(_SORTING)}
        spec = {"spec": _meant(each["spec"])} if each["kind"] == "Deployment" else {}
        key = (f"{each['apiVersion']} {each['kind']}", metadata.get("namespace", ""), metadata["name"])
        assert key not in done, key
        done[key] = _filled({**each, **spec, "metadata": metadata})
    return done


def _meant(spec: Table) -> Table:
    """A Deployment's, with its command as the command line understands it."""
    changed: Table = json.loads(json.dumps(spec))
    for container in changed["template"]["spec"]["containers"]:
        container["image"] = container["image"].removesuffix(f":{__version__}")
        container["command"] = understood(tuple(container["command"]))
    return changed


@cache
def understood(command: tuple[str, ...]) -> str:
    """What ``sidecar webhook …`` is told, be it said or so by default."""
    program, name, *options = command
    assert (program, name) == ("sidecar", "webhook")
    return str(sorted(webhook.make_context("webhook", options).params.items(), key=lambda item: item[0]))


def _filled(value: Any) -> Any:
    """*value* without what is empty."""
    if isinstance(value, dict):
        filled = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item not in ({}, [], None)}
    return [_filled(item) for item in value] if isinstance(value, list) else value
