"""The Helm chart: what it deploys is what kustomize deploys, by two versions of helm, and wrong values are refused."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

import sidecar
from sidecar.inject import InjectSettings
from tests.deploy.charts import CHART, NAMESPACE, PROGRAMS, comparable, given, helm, rendered, understood
from tests.deploy.rendering import K8S, Table, composed, kustomized, overlay, the
from tests.deploy.schemas import validate
from tests.sidecar.inject.test_pod_security import VERSIONS, violations

Skip = Callable[[str], None]

#: What kustomize deploys, and the chart's values that mean the same.
SAME: dict[str, tuple[tuple[str, ...], Table]] = {
    "base": ((), {}),
    "overlays/dev": ((), {}),
    "overlays/prod": (("prod",), {}),
    "overlays/restricted": (("restricted",), {}),
    "components/cert-manager": ((), {"certManager__enabled": True}),
    "components/fail-closed": ((), {"failurePolicy": "Fail"}),
    "components/podmonitor": ((), {"podMonitor__enabled": True}),
    "components/prometheusrule": ((), {"prometheusRule__enabled": True}),
    "components/networkpolicy": ((), {"networkPolicy__enabled": True}),
}
#: Everything that can be set, set.
ALL: Table = {
    "image": {"repository": "registry.example/agent-sidecar", "tag": "9", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "mode": "env",
    "redirectAllowed": False,
    "failurePolicy": "Fail",
    "timeoutSeconds": 10,
    "namespaces__only": ["voice", "chat"],
    "replicas": 3,
    "podDisruptionBudget": {"enabled": True, "minAvailable": "50%"},
    "podMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {"enabled": True, "apiServerPorts": [443]},
    "logLevel": "debug",
    "resources": {"requests": {"cpu": "1", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "labels": {"team": "voice"},
    "annotations": {"owner": "voice@example.com"},
    "podLabels": {"tier": "platform"},
    "podAnnotations": {"seen": "true"},
}


def by_kustomize(what: str) -> tuple[Table, ...]:
    where, _, name = what.partition("/")
    return composed(name) if where == "components" else overlay(name) if name else kustomized(K8S / "base")


@pytest.mark.parametrize("what", SAME)
def test_it_deploys_what_kustomize_deploys(what: str, skip_or_fail: Skip) -> None:
    values, settings = SAME[what]
    ours = comparable(rendered("helm4", *values, skip_or_fail=skip_or_fail, **settings))
    theirs = comparable(by_kustomize(what))
    assert ours.keys() == theirs.keys()
    for key, each in theirs.items():
        # as text, for the sake of what is shown where they differ
        assert yaml.safe_dump(ours[key]) == yaml.safe_dump(each)


@pytest.mark.parametrize(
    ("values", "settings"),
    [((), {}), (("restricted",), {}), ((), ALL), ((), {"certManager__enabled": True})],
    ids=["as it is", "restricted", "everything", "cert-manager"],
)
def test_both_helms_deploy_the_same(values: tuple[str, ...], settings: Table, skip_or_fail: Skip) -> None:
    one, other = (rendered(program, *values, skip_or_fail=skip_or_fail, **settings) for program in PROGRAMS)
    assert comparable(one) == comparable(other)


def test_every_overlay_has_its_values() -> None:
    assert {what.removeprefix("overlays/") for what in SAME if what.startswith("overlays/")} == {
        path.name for path in (K8S / "overlays").iterdir()
    }


def test_the_rules_of_both_are_one_text() -> None:
    theirs = K8S / "components/prometheusrule/prometheusrule.yaml"
    ours = CHART / "files/prometheusrule.yaml"
    assert ours.read_text(encoding="utf-8") == theirs.read_text(encoding="utf-8"), f"copy {theirs} to {ours}"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("values", [(), ("prod",), ("restricted",)], ids=str)
def test_helm_has_nothing_against_it(values: tuple[str, ...], program: str, skip_or_fail: Skip) -> None:
    ran = helm(program, "lint", "--strict", str(CHART), *given(values, {}), skip_or_fail=skip_or_fail)
    assert ran.returncode == 0, ran.stdout + ran.stderr


# -- what can be set -------------------------------------------------------------------------------------------------


@pytest.fixture
def everything(skip_or_fail: Skip) -> tuple[Table, ...]:
    return rendered("helm4", skip_or_fail=skip_or_fail, namespace="elsewhere", **ALL)


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize("certificates", ["its own", "cert-manager's"])
def test_kubernetes_takes_all_of_it(certificates: str, version: str, skip_or_fail: Skip) -> None:
    settings = {**ALL, "certManager__enabled": certificates == "cert-manager's"}
    for each in rendered("helm4", skip_or_fail=skip_or_fail, namespace="elsewhere", **settings):
        validate(each, version)


def test_every_value_is_set_in_some_test() -> None:
    told = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    tested = {path.partition("__")[0] for path in ALL} | {"certManager", "sidecarImage"}
    assert told.keys() == tested


def test_every_value_is_in_the_schema() -> None:
    told = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"].keys() == told.keys() | {"global"}


def test_what_is_set_is_where_it_belongs(everything: tuple[Table, ...]) -> None:
    deployment = the("Deployment", everything)
    spec, template = deployment["spec"], deployment["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    assert spec["replicas"] == 3
    assert list(violations(template)) == []
    assert (container["image"], container["imagePullPolicy"]) == ("registry.example/agent-sidecar:9", "Always")
    assert container["resources"] == ALL["resources"]
    for name in ("imagePullSecrets", "priorityClassName", "nodeSelector", "tolerations", "affinity"):
        assert pod[name] == ALL[name]
    assert pod["topologySpreadConstraints"] == ALL["topologySpreadConstraints"]
    assert template["metadata"]["labels"].items() >= ALL["podLabels"].items()
    assert template["metadata"]["annotations"] == ALL["podAnnotations"]
    assert "podLabels" not in spec["selector"]["matchLabels"]
    for each in everything:
        assert each["metadata"]["labels"]["team"] == "voice"
        assert each["metadata"]["annotations"]["owner"] == "voice@example.com"
    assert the("PrometheusRule", everything)["metadata"]["labels"]["release"] == "prometheus"
    assert the("PodDisruptionBudget", everything)["spec"]["minAvailable"] == "50%"
    (out,) = the("NetworkPolicy", everything)["spec"]["egress"]
    assert [port["port"] for port in out["ports"]] == [443]


def test_selectors_never_change_with_values(everything: tuple[Table, ...]) -> None:
    selector = {"app.kubernetes.io/name": "agent-sidecar", "app.kubernetes.io/component": "injector"}
    assert the("Deployment", everything)["spec"]["selector"]["matchLabels"] == selector
    assert the("Service", everything)["spec"]["selector"] == selector


def test_the_injector_is_asked_about_the_namespaces_that_are_named(everything: tuple[Table, ...]) -> None:
    for webhook in the("MutatingWebhookConfiguration", everything)["webhooks"]:
        named = [
            (each["operator"], each["values"])
            for each in webhook["namespaceSelector"]["matchExpressions"]
            if each["key"] == "kubernetes.io/metadata.name"
        ]
        assert named == [
            ("NotIn", ["elsewhere", "kube-system", "kube-public", "kube-node-lease"]),
            ("In", ["voice", "chat"]),
        ]
        assert webhook["clientConfig"]["service"]["path"] == "/mutate/hosts"
        assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Fail", 10)


def test_it_works_in_any_namespace(everything: tuple[Table, ...]) -> None:
    assert NAMESPACE not in json.dumps(everything)
    assert {each["metadata"].get("namespace", "elsewhere") for each in everything} == {"elsewhere"}


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ({}, InjectSettings().image),
        ({"image__repository": "registry.example/s"}, f"registry.example/s:{sidecar.__version__}"),
        ({"image__tag": "2", "sidecarImage": "registry.example/s:3"}, "registry.example/s:3"),
    ],
)
def test_pods_get_the_image_that_the_chart_was_told(settings: Table, image: str, skip_or_fail: Skip) -> None:
    objects = rendered("helm4", skip_or_fail=skip_or_fail, **settings)
    (container,) = the("Deployment", objects)["spec"]["template"]["spec"]["containers"]
    assert f"('image', '{image}')" in understood(tuple(container["command"]))


def test_the_chart_is_of_the_version_that_it_deploys() -> None:
    told = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert told["version"] == told["appVersion"] == sidecar.__version__


def test_templates_give_the_same_whenever_they_are_rendered() -> None:
    for path in (CHART / "templates").iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(lookup|gen(CA|SelfSigned|Signed|PrivateKey)\w*|rand\w+|uuidv4|now)\b", text), (
            path.name
        )


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"mode": "transparent"}, "mode"),
        ({"failurePolicy": "fail"}, "failurePolicy"),
        ({"replicas": 0}, "replicas"),
        ({"replicas": "2"}, "replicas"),
        ({"timeoutSeconds": 31}, "timeoutSeconds"),
        ({"replica": 2}, "replica"),
        ({"image.name": "x"}, "name"),
        ({"image.repository": ""}, "repository"),
        ({"image.tag": 1}, "tag"),
        ({"certManager.enabled": "yes"}, "enabled"),
        ({"networkPolicy.apiServerPorts": [0]}, "apiServerPorts"),
        ({"networkPolicy.apiServerPorts": []}, "apiServerPorts"),
        ({"namespaces.only": "voice"}, "only"),
        ({"namespaces.except": ["Kube_System"]}, "except"),
        ({"podMonitor.interval": "soon"}, "interval"),
        ({"podDisruptionBudget.minAvailable": "most"}, "minAvailable"),
        ({"labels": {"team": 1}}, "labels"),
        ({"logLevel": "trace"}, "logLevel"),
        ({"tolerations": {"key": "a"}}, "tolerations"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_by_name(settings: dict[str, Any], expected: str, skip_or_fail: Skip) -> None:
    ran = helm("helm4", "template", "agent-sidecar", str(CHART), *given((), settings), skip_or_fail=skip_or_fail)
    assert ran.returncode != 0
    assert expected in ran.stderr
