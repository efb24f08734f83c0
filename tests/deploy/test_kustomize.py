"""What `kubectl apply -k deploy/k8s/overlays/…` would bring into a cluster."""

from typing import Any

import kubernetes_validate
import pytest

from sidecar.inject.names import LABEL
from sidecar.webhook.serving import PATHS
from tests.deploy.rendering import OVERLAYS, Table, overlay, the
from tests.deploy.schemas import validate
from tests.sidecar.inject.test_pod_security import VERSIONS, violations


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_every_version_of_kubernetes_takes_it(name: str, version: str) -> None:
    for each in overlay(name):
        validate(each, version)


@pytest.mark.filterwarnings("ignore")
def test_the_schemas_find_a_mistake() -> None:
    deployment = {**the("Deployment", overlay("dev")), "spek": {}}
    with pytest.raises(Exception, match="spek"):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_injector_has_no_privileges(name: str) -> None:
    objects = overlay(name)
    template = the("Deployment", objects)["spec"]["template"]
    assert list(violations(template)) == []
    assert the("Namespace", objects)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (container,) = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {"requests", "limits"} <= container["resources"].keys()


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_parts_find_each_other(name: str) -> None:
    objects = overlay(name)
    deployment, service = the("Deployment", objects), the("Service", objects)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    where = service["metadata"]
    for webhook in the("MutatingWebhookConfiguration", objects)["webhooks"]:
        asked = webhook["clientConfig"]["service"]
        assert (asked["name"], asked["namespace"]) == (where["name"], where["namespace"])
        assert asked["path"] in PATHS


# -- which pods get one ----------------------------------------------------------------------------------------------


def selected(selector: Table, labels: Table) -> bool:
    """Whether a label selector fits *labels*, as Kubernetes' documentation of labels says."""
    fits: dict[str, Any] = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,
        "Exists": lambda value, _: value is not None,
        "DoesNotExist": lambda value, _: value is None,
    }
    return all(
        fits[each["operator"]](labels.get(each["key"]), each.get("values"))
        for each in selector.get("matchExpressions", ())
    ) and all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def asked(name: str, namespace: Table, pod: Table) -> list[str]:
    """The paths that the injector is asked at."""
    configuration = the("MutatingWebhookConfiguration", overlay(name))
    return [
        webhook["clientConfig"]["service"]["path"]
        for webhook in configuration["webhooks"]
        if selected(webhook["namespaceSelector"], namespace) and selected(webhook["objectSelector"], pod)
    ]


SECURITY = "pod-security.kubernetes.io/enforce"
NAME = "kubernetes.io/metadata.name"


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize(
    ("level", "path"), [(None, "any"), ("privileged", "any"), ("baseline", "hosts"), ("restricted", "hosts")]
)
@pytest.mark.parametrize(
    ("namespace", "pod", "gets_one"),
    [
        ("true", None, True),
        ("true", "true", True),
        ("true", "false", False),
        (None, None, False),
        (None, "true", True),
        (None, "false", False),
        ("false", None, False),
        ("false", "true", False),
    ],
)
def test_labels_decide_who_gets_one_and_pod_security_how(
    name: str, namespace: str | None, pod: str | None, gets_one: bool, level: str | None, path: str
) -> None:
    of_namespace = {NAME: "voice", **({LABEL: namespace} if namespace else {}), **({SECURITY: level} if level else {})}
    found = asked(name, of_namespace, {LABEL: pod} if pod else {})
    # there the API server's own defaults may forbid NET_ADMIN, which no label shows
    path = "hosts" if name == "restricted" else path
    assert found == ([f"/mutate/{path}"] if gets_one else [])


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", "agent-sidecar-system"])
def test_the_clusters_own_pods_and_the_injectors_get_none(namespace: str) -> None:
    for name in OVERLAYS:
        assert asked(name, {NAME: namespace, LABEL: "true"}, {LABEL: "true"}) == []


def test_only_prod_and_restricted_would_rather_have_no_pod_than_one_without() -> None:
    policies = {
        name: {each["failurePolicy"] for each in the("MutatingWebhookConfiguration", overlay(name))["webhooks"]}
        for name in OVERLAYS
    }
    assert policies == {"dev": {"Ignore"}, "prod": {"Fail"}, "restricted": {"Fail"}}
    for name in ("prod", "restricted"):
        assert the("Deployment", overlay(name))["spec"]["replicas"] == 2
        assert the("PodDisruptionBudget", overlay(name))["spec"]["minAvailable"] == 1
