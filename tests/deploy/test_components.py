"""What can be added to the injector: each part fits what it is for."""

from collections.abc import Iterable

import pytest
import yaml

from sidecar.inject.names import LABEL, PROBES_PORT_NAME, PROXY
from tests.deploy.rendering import K8S, Table, composed, kustomized, templates, the
from tests.deploy.schemas import validate
from tests.deploy.test_kustomize import selected
from tests.sidecar.inject.pods import injected, named, pod
from tests.sidecar.inject.test_pod_security import VERSIONS, violations

COMPONENTS = sorted(path.parent.name for path in (K8S / "components").glob("*/kustomization.yaml"))


def everything() -> tuple[Table, ...]:
    return composed(*COMPONENTS)


def called(kind: str, name: str) -> Table:
    (found,) = (each for each in everything() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_kubernetes_takes_all_of_them(version: str) -> None:
    for each in everything():
        validate(each, version)


@pytest.mark.parametrize("mistake", [{"spek": {}}, {"spec": {"selector": {}, "podMetricsEndpoints": [{"port": 1}]}}])
def test_mistakes_in_what_the_prometheus_operator_takes_are_found(mistake: Table) -> None:
    with pytest.raises(Exception, match=r"spek|1 is not of type"):
        validate({**called("PodMonitor", "agent-sidecar"), **mistake}, VERSIONS[0])


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_can_be_added_alone(component: str) -> None:
    base = kustomized(K8S / "base")
    assert composed(component) != base
    assert {each["kind"] for each in base} - {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret"} <= {
        each["kind"] for each in composed(component)
    }


def test_every_pod_passes_restricted_and_has_its_resources_set() -> None:
    found = dict(templates(everything()))
    assert found.keys() == {"agent-sidecar-injector", "otel-collector"}
    for template in found.values():
        assert list(violations(template)) == []
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


# -- podmonitor ------------------------------------------------------------------------------------------------------


def test_prometheus_finds_the_port_of_every_sidecar() -> None:
    spec = called("PodMonitor", "agent-sidecar")["spec"]
    assert spec["namespaceSelector"] == {"any": True}
    proxy = named(injected(pod())["spec"]["initContainers"], PROXY)
    (endpoint,) = spec["podMetricsEndpoints"]
    assert endpoint["port"] == PROBES_PORT_NAME
    assert endpoint["port"] in {port["name"] for port in proxy["ports"]}
    for labels, expected in (({}, True), ({LABEL: "true"}, True), ({LABEL: "false"}, False)):
        assert selected(spec["selector"], labels) is expected


def test_prometheus_finds_the_injectors() -> None:
    monitor, deployment = called("PodMonitor", "agent-sidecar-injector"), called("Deployment", "agent-sidecar-injector")
    template = deployment["spec"]["template"]
    assert selected(monitor["spec"]["selector"], template["metadata"]["labels"])
    assert monitor["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in ports(template)


def ports(template: Table) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for each in template["spec"]["containers"] for port in each["ports"]}


# -- networkpolicy ---------------------------------------------------------------------------------------------------


def test_the_injector_is_called_at_its_ports_alone_and_calls_the_api_server_alone() -> None:
    policy = called("NetworkPolicy", "agent-sidecar-injector")
    template = called("Deployment", "agent-sidecar-injector")["spec"]["template"]
    assert policy["metadata"]["namespace"] == "agent-sidecar-system"
    assert selected(policy["spec"]["podSelector"], template["metadata"]["labels"])
    assert sorted(policy["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    (into,), (out,) = policy["spec"]["ingress"], policy["spec"]["egress"]
    assert [each["port"] for each in into["ports"]] == ["webhook", "probes"]
    assert ports(template).keys() == {"webhook", "probes"}
    assert [each["port"] for each in out["ports"]] == [443, 6443]
    assert {each["protocol"] for each in (*into["ports"], *out["ports"])} == {"TCP"}


# -- otel-collector --------------------------------------------------------------------------------------------------


def collector_files(objects: Iterable[Table]) -> dict[str, Table]:
    (found,) = (
        each
        for each in objects
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("otel-collector")
    )
    return {name: yaml.safe_load(text) for name, text in found["data"].items()}


def merged(one: Table, other: Table) -> Table:
    """As the collector merges its files: mappings key by key, all else by the last."""
    done = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            done[key] = merged(one[key], other[key])
    return done


@pytest.mark.parametrize("where", ["component", "example"])
def test_the_collector_knows_all_that_its_pipelines_name(where: str) -> None:
    files = collector_files(everything() if where == "component" else kustomized(K8S / "examples/tracing"))
    whole = merged(files["collector-config.yaml"], files["exporter.yaml"])
    service = whole["service"]
    assert set(service["extensions"]) == whole["extensions"].keys()
    for part in ("receivers", "processors", "exporters"):
        assert set(service["pipelines"]["traces"][part]) == whole[part].keys()
    assert service["pipelines"]["traces"]["processors"] == ["memory_limiter", "batch"], "the limiter comes first"


def test_the_collector_listens_where_its_service_leads() -> None:
    deployment, service = called("Deployment", "otel-collector"), called("Service", "otel-collector")
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    config = collector_files(everything())["collector-config.yaml"]
    listens = {protocol: each["endpoint"] for protocol, each in config["receivers"]["otlp"]["protocols"].items()}
    assert listens == {"grpc": "0.0.0.0:4317", "http": "0.0.0.0:4318"}
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    for port in service["spec"]["ports"]:
        assert ports(template)[port["targetPort"]] == port["port"]
        assert listens[port["name"].removeprefix("otlp-")] == f"0.0.0.0:{port['port']}"
    assert config["extensions"]["health_check"]["endpoint"].endswith(f":{ports(template)['health']}")
    mounted = container["volumeMounts"][0]["mountPath"]
    assert container["args"] == [f"--config={mounted}/{name}" for name in ("collector-config.yaml", "exporter.yaml")]
    assert ":" in container["image"]
    assert not container["image"].endswith(":latest")


def test_the_collector_collects_garbage_before_it_is_out_of_memory() -> None:
    (container,) = called("Deployment", "otel-collector")["spec"]["template"]["spec"]["containers"]
    (told,) = (each["value"] for each in container["env"] if each["name"] == "GOMEMLIMIT")
    allowed = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert 0.75 * allowed <= int(told.removesuffix("MiB")) <= 0.8 * allowed


def test_the_collector_is_no_agent() -> None:
    template = called("Deployment", "otel-collector")["spec"]["template"]
    assert template["metadata"]["labels"][LABEL] == "false"
    assert (
        the("Namespace", everything())["metadata"]["name"]
        == called("Deployment", "otel-collector")["metadata"]["namespace"]
    )
