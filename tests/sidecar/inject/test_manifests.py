"""Where pods are in the objects of a manifest."""

import copy
from typing import Any

import pytest

from sidecar.inject.manifests import Found, changed, name_of, restricted

POD = {"metadata": {"name": "a"}, "spec": {"containers": []}}
TEMPLATE = {"spec": {"template": POD}}

WORKLOADS = [
    ("v1", "Pod", POD),
    ("v1", "ReplicationController", TEMPLATE),
    ("apps/v1", "Deployment", TEMPLATE),
    ("apps/v1", "StatefulSet", TEMPLATE),
    ("apps/v1", "DaemonSet", TEMPLATE),
    ("apps/v1", "ReplicaSet", TEMPLATE),
    ("batch/v1", "Job", TEMPLATE),
    ("batch/v1", "CronJob", {"spec": {"jobTemplate": {"spec": {"template": POD}}}}),
]
OTHERS = [
    {"apiVersion": "v1", "kind": "Service", "spec": {}},
    {"apiVersion": "serving.knative.dev/v1", "kind": "Deployment", **TEMPLATE},
    {"apiVersion": "v1", "kind": "PodTemplate", "template": POD},
    {"apiVersion": "v1"},
    ["a"],
    "text",
    None,
]


def marked(found: Found) -> Any:
    return {**found.pod, "marked": True}


@pytest.mark.parametrize(("version", "kind", "body"), WORKLOADS, ids=[kind for _, kind, _ in WORKLOADS])
def test_the_pod_of_every_workload_is_found(version: str, kind: str, body: Any) -> None:
    document = {"apiVersion": version, "kind": kind, **body, "metadata": {"name": "x", "namespace": "voice"}}
    before, seen = copy.deepcopy(document), []

    def change(found: Found) -> Any:
        seen.append(found)
        return marked(found)

    new = changed(document, change)
    assert [(each.name, each.namespace) for each in seen] == [(f"{kind.lower()}/x", "voice")]
    assert str(new).count("marked") == 1
    assert document == before
    assert (new["apiVersion"], new["kind"]) == (version, kind)
    listed = changed({"apiVersion": "v1", "kind": "List", "items": [document, OTHERS[0]]}, marked)
    assert listed["items"] == [new, OTHERS[0]]


@pytest.mark.parametrize("document", OTHERS)
def test_everything_else_is_left_alone(document: Any) -> None:
    assert changed(document, marked) is document


def test_items_of_a_list_of_one_kind_need_not_name_it() -> None:
    listed = {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"metadata": {"name": "x"}, **TEMPLATE}]}
    assert changed(listed, marked)["items"] == [
        {"metadata": {"name": "x"}, "spec": {"template": {**POD, "marked": True}}}
    ]


def test_what_does_not_change_is_the_same_object() -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod", **POD}]}
    assert changed(document, lambda found: found.pod) is document


def test_a_workload_without_a_template_is_shown_as_it_is() -> None:
    seen: list[Any] = []
    changed({"apiVersion": "apps/v1", "kind": "Deployment", "spec": None}, lambda found: seen.append(found.pod))
    assert seen == [None]


def test_names_are_told_as_kubectl_does() -> None:
    assert name_of({"kind": "Job", "metadata": {"generateName": "talk-"}}) == "job/talk-*"


def test_namespaces_that_allow_no_net_admin_are_known_by_their_label() -> None:
    def namespace(name: str, level: Any) -> Any:
        labels = {"pod-security.kubernetes.io/enforce": level}
        return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}

    found = [namespace("a", "restricted"), namespace("b", "privileged"), namespace("c", "baseline"), None]
    assert [*restricted([*found, {"kind": "Namespace"}])] == ["a", "c"]
