"""`sidecar inject` and `sidecar uninject`: manifests in, manifests out."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.cli.exits import Exit
from tests.sidecar.cli.processes import Invoke, ended

OTHER = """\
# kept with its comment
apiVersion: v1
kind: ConfigMap
metadata: {name: words}   # as it is
data: {on: "y"}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: agent
spec:
  selector:
    matchLabels:
      app: agent
  template:
    metadata:
      labels:
        app: agent
        version: "0123"
        answer: y
    spec:
      containers:
      - name: app
        image: agent:1
        resources:
          limits:
            cpu: 0.50
            memory: "1e9"
      volumes:
      - name: v
        configMap:
          name: words
          defaultMode: 0644
"""
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "agent", "namespace": "voice"},
    "spec": {"containers": [{"name": "app", "image": "agent:1"}]},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


def template(text: str) -> Any:
    (found,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment")
    return found["spec"]["template"]


def test_a_sidecar_is_put_in_and_everything_else_stays(invoke: Invoke, file: Path) -> None:
    file.write_text(f"{OTHER}---\n{DEPLOYMENT}")
    done = invoke("inject", "-f", str(file))
    assert (done.exit_code, done.stderr) == (Exit.OK, "")
    assert done.stdout.startswith(f"{OTHER}---\napiVersion: apps/v1\nkind: Deployment\n")
    assert [each["name"] for each in template(done.stdout)["spec"]["initContainers"]] == ["agent-sidecar"]
    assert set(DEPLOYMENT.splitlines()) <= {*done.stdout.splitlines()}


def test_taking_it_out_gives_back_what_there_was(invoke: Invoke, file: Path) -> None:
    file.write_text(f"{OTHER}---\n{DEPLOYMENT}")
    injected = invoke("inject", "-f", str(file)).stdout
    file.write_text(injected)
    assert invoke("inject", "-f", str(file)).stdout == injected
    assert invoke("uninject", "-f", str(file)).stdout == f"{OTHER}---\n{DEPLOYMENT}"
    assert invoke("uninject", input=OTHER).stdout == OTHER


def test_standard_input_and_several_files_become_one_manifest(invoke: Invoke, file: Path, tmp_path: Path) -> None:
    file.write_text(DEPLOYMENT)
    second = tmp_path / "pod.json"
    second.write_text(json.dumps(POD))
    done = invoke("inject", "-f", str(file), "-f", "-", "-f", str(second), input=OTHER.rstrip("\n"))
    kinds = [each["kind"] for each in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Deployment", "ConfigMap", "Pod"]
    assert invoke("inject", input=DEPLOYMENT).stdout == invoke("inject", "-f", str(file)).stdout


def test_json_stays_json(invoke: Invoke) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [POD, {"apiVersion": "v1", "kind": "Service"}]}
    done = invoke("inject", input=json.dumps(listed, indent=4) + "\n")
    new = json.loads(done.stdout)
    assert new["items"][0]["spec"]["initContainers"][0]["name"] == "agent-sidecar"
    assert new["items"][1] == listed["items"][1]
    assert done.stdout.startswith('{\n    "apiVersion"')
    assert json.loads(invoke("uninject", input=done.stdout).stdout) == listed


def test_options_hold_where_the_pod_says_nothing(invoke: Invoke) -> None:
    done = invoke("inject", "--mode", "env", "--image", "mirror/sidecar:2", input=DEPLOYMENT)
    spec = template(done.stdout)["spec"]
    assert spec["initContainers"][0]["image"] == "mirror/sidecar:2"
    assert {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:15080/openai/v1"} in spec["containers"][0]["env"]


def test_annotations_can_be_set_for_every_pod(invoke: Invoke) -> None:
    options = ("--set-annotation", "mode=redirect", "--set-annotation", "example.com/team=a=b")
    new = template(invoke("inject", *options, input=DEPLOYMENT).stdout)
    annotations = new["metadata"]["annotations"]
    assert (annotations["agent-sidecar.io/mode"], annotations["example.com/team"]) == ("redirect", "a=b")
    assert [each["name"] for each in new["spec"]["initContainers"]] == ["agent-sidecar", "agent-sidecar-rules"]
    wrong = invoke("inject", "--set-annotation", "mode", input=DEPLOYMENT)
    assert (wrong.exit_code, wrong.stdout) == (Exit.USAGE, "")
    assert "mode is not NAME=VALUE" in wrong.stderr


def test_a_pod_that_is_labelled_false_stays(invoke: Invoke) -> None:
    text = DEPLOYMENT.replace("        app: agent\n        v", '        agent-sidecar.io/inject: "false"\n        v')
    assert invoke("inject", "--set-annotation", "mode=env", input=text).stdout == text


def test_warnings_are_told_beside_the_manifest(invoke: Invoke, file: Path) -> None:
    file.write_text(
        DEPLOYMENT.replace("    spec:\n      con", "    spec:\n      shareProcessNamespace: true\n      con")
    )
    done = invoke("inject", "-f", str(file))
    assert done.exit_code == Exit.OK
    assert done.stderr.startswith(f"{file}: deployment/agent: shareProcessNamespace: ")
    assert done.stderr.count("\n") == 1


def test_nothing_is_printed_if_any_pod_is_refused_and_all_reasons_are(invoke: Invoke, file: Path) -> None:
    own = {**POD, "spec": {**POD["spec"], "hostNetwork": True}, "metadata": {"name": "node"}}
    odd = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "odd"}}
    file.write_text("\n---\n".join((DEPLOYMENT, json.dumps(own), json.dumps(odd))))
    done = invoke("inject", "-f", str(file), "--set-annotation", "mode=env")
    assert (done.exit_code, done.stdout) == (Exit.CONFIGURATION, "")
    first, node, daemon = done.stderr.splitlines()
    assert first == "sidecar: nothing is printed, for not every pod can be changed"
    assert node.startswith(f"{file}: pod/node: hostNetwork: ")
    assert daemon == f"{file}: daemonset/odd: is no mapping; expected metadata and spec"


def test_a_namespace_of_the_same_manifest_says_what_is_allowed(invoke: Invoke) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "voice"}}
    labels = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    strict = {**space, "metadata": {"name": "voice", **labels}}

    def manifest(*documents: Any) -> str:
        return "\n---\n".join(map(json.dumps, documents))

    redirect = ("inject", "--mode", "redirect")
    assert invoke(*redirect, input=manifest(space, POD)).exit_code == Exit.OK
    done = invoke(*redirect, input=manifest(POD, strict))
    assert done.exit_code == Exit.CONFIGURATION
    assert "pod/agent: mode redirect needs NET_ADMIN, which Pod Security forbids in namespace voice" in done.stderr
    nowhere = manifest({**POD, "metadata": {"name": "agent"}}, strict)
    assert invoke(*redirect, input=nowhere).exit_code == Exit.OK
    assert invoke(*redirect, "-n", "voice", input=nowhere).exit_code == Exit.CONFIGURATION


def test_a_configuration_of_a_pod_is_held_to_what_check_says(invoke: Invoke) -> None:
    own = {**POD, "metadata": {"name": "a", "annotations": {"agent-sidecar.io/config": "log:\n  levle: debug\n"}}}
    done = invoke("inject", input=json.dumps(own))
    assert done.exit_code == Exit.CONFIGURATION
    assert "standard input: pod/a: annotation agent-sidecar.io/config:2:3: log.levle: is not a setting" in done.stderr
    assert "did you mean level?" in done.stderr
    assert "\n  2 |   levle: …\n" in done.stderr


def test_files_that_cannot_be_read_are_all_named(invoke: Invoke, file: Path, tmp_path: Path) -> None:
    file.write_text("a: 1\nb: [\n")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    gone = tmp_path / "gone.yaml"
    for command in ("inject", "uninject"):
        done = invoke(command, "-f", str(file), "-f", str(gone), "-f", str(binary))
        assert (done.exit_code, done.stdout) == (Exit.CONFIGURATION, "")
        told = done.stderr.splitlines()
        assert told[0] == "sidecar: nothing is printed, for not all could be read"
        assert told[1].startswith(f"{file}:3:1: is not YAML: ")
        assert told[2] == f"{gone}: cannot be read: no such file or directory"
        assert told[3].startswith(f"{binary}: is not UTF-8")


@pytest.fixture
def written(file: Path) -> Path:
    file.write_text(DEPLOYMENT)
    return file


async def test_it_works_as_a_process_of_its_own(written: Path) -> None:
    done = await ended("inject", "-f", str(written))
    assert (done.code, done.err) == (Exit.OK, "")
    assert "agent-sidecar" in done.out
