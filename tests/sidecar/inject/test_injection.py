"""A pod becomes one with a sidecar, by mode and by what its annotations ask for."""

import re
from pathlib import Path
from typing import Any

import click
import pytest

from sidecar.cli.program import program
from sidecar.cli.run import run
from sidecar.configuration import load
from sidecar.inject import InjectSettings
from sidecar.inject.asked import KNOWN
from sidecar.inject.names import BUNDLE, CERTIFICATE, LABEL, TRUST
from sidecar.inject.settings import MODES, Mode
from tests.sidecar.inject.pods import Table, app, container, done, injected, named, pod, proxy, status, variables

RULES = Path(__file__).parents[3] / "deploy/k8s/image/redirect.nft"
BASE = "http://127.0.0.1:15080"


def as_run(proxy: Table, file: str | None = None) -> Any:
    """The settings with which the proxy of a pod starts."""
    environ = {name: value.replace("$$", "$") for name, value in variables(proxy).items()}
    return load(file, environ).settings


@pytest.mark.parametrize("mode", MODES)
def test_the_proxy_comes_first_and_is_kept_from_all_that_it_does_not_need(mode: Mode) -> None:
    new = injected(pod(annotations={"mode": mode}, initContainers=[container("migrate")]))
    names = [each["name"] for each in new["spec"]["initContainers"]]
    assert names == ["agent-sidecar", *(["agent-sidecar-rules"] if mode == "redirect" else []), "migrate"]
    ours = proxy(new)
    assert ours["restartPolicy"] == "Always"
    assert ours["command"] == ["sidecar", "run"]
    assert ours["ports"] == [{"name": "sidecar-probes", "containerPort": 15089}]
    probes = {name: ours[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert probes == {
        "startup": {"path": "/startupz", "port": "sidecar-probes"},
        "liveness": {"path": "/livez", "port": "sidecar-probes"},
        "readiness": {"path": "/readyz", "port": "sidecar-probes"},
    }
    assert ours["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 64443,
        "runAsGroup": 64443,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert ours["resources"] == {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}


LISTENS = {
    "hosts": (["127.0.0.1:443", "[::1]:443"], "dns", True),
    "redirect": (["127.0.0.1:15001", "[::1]:15001"], "system", True),
    "env": ([], "system", False),
}


@pytest.mark.parametrize("mode", MODES)
def test_what_the_proxy_is_told_is_a_configuration_that_it_takes(mode: Mode) -> None:
    settings = as_run(proxy(injected(pod(annotations={"mode": mode}))))
    assert (list(settings.listen.transparent), settings.upstream.resolver, settings.tls.intercept) == LISTENS[mode]
    assert (settings.tls.directory, settings.tls.trust_directory) == ("/run/agent-sidecar/keys", TRUST)
    assert (settings.listen.address, settings.probes.address) == ("127.0.0.1:15080", "0.0.0.0:15089")


def test_the_command_is_one_that_the_sidecar_has() -> None:
    new = injected(pod(annotations={"config": "log: {level: debug}"}))
    sidecar, name, *arguments = proxy(new)["command"]
    assert (sidecar, name) == ("sidecar", run.name)
    parent = click.Context(program, **program.context_settings)
    assert run.make_context("run", arguments, parent).params["config"] == Path("/etc/agent-sidecar/config/sidecar.yaml")


def test_keys_and_certificates_are_in_memory_and_only_certificates_are_shared() -> None:
    new = injected(pod(initContainers=[container("migrate")]))
    volumes = {each["name"]: each["emptyDir"] for each in new["spec"]["volumes"]}
    assert volumes == {
        "agent-sidecar-keys": {"medium": "Memory", "sizeLimit": "1Mi"},
        "agent-sidecar-trust": {"medium": "Memory", "sizeLimit": "8Mi"},
    }
    assert proxy(new)["volumeMounts"] == [
        {"name": "agent-sidecar-keys", "mountPath": "/run/agent-sidecar/keys"},
        {"name": "agent-sidecar-trust", "mountPath": TRUST},
    ]
    shared = [{"name": "agent-sidecar-trust", "mountPath": TRUST, "readOnly": True}]
    assert app(new)["volumeMounts"] == shared
    assert named(new["spec"]["initContainers"], "migrate")["volumeMounts"] == shared


def test_the_keys_of_providers_may_be_given_to_the_proxy_alone() -> None:
    config = "providers: {openai: {credential: '${env:OPENAI_API_KEY}'}}"
    new = injected(pod(annotations={"env-secret": "provider-keys", "config": config}))
    assert proxy(new)["envFrom"] == [{"secretRef": {"name": "provider-keys"}}]
    assert "envFrom" not in app(new)
    assert "envFrom" not in proxy(injected(pod()))


def test_rules_are_set_by_nft_itself_with_the_uid_of_the_proxy() -> None:
    new = injected(pod(annotations={"mode": "redirect", "uid": "1000650000"}))
    rules = named(new["spec"]["initContainers"], "agent-sidecar-rules")
    defined = ["-D", "UID={ 1000650000 }", "-D", "PORTS={ 443 }", "-D", "PROXY=15001"]
    assert rules["command"] == ["/usr/sbin/nft", *defined, "-f", "/etc/agent-sidecar/redirect.nft"]
    assert rules["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert proxy(new)["securityContext"]["runAsUser"] == rules["securityContext"]["runAsUser"] == 1000650000
    lines = [line for line in RULES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert set(re.findall(r"\$([A-Z]+)", "\n".join(lines))) == {word.split("=")[0] for word in defined[1::2]}


def test_the_egress_lock_is_set_after_the_rules_and_leaves_the_networks_that_are_named_open() -> None:
    new = injected(pod(annotations={"mode": "redirect", "egress-lock": "10.0.0.0/8, fd00::/8,192.168.1.7"}))
    assert [each["name"] for each in new["spec"]["initContainers"]] == [
        "agent-sidecar",
        "agent-sidecar-rules",
        "agent-sidecar-lock",
    ]
    lock = named(new["spec"]["initContainers"], "agent-sidecar-lock")
    open_ = ["-D", "CLUSTER4={ 10.0.0.0/8, 192.168.1.7/32 }", "-D", "CLUSTER6={ fd00::/8 }"]
    assert lock["command"] == [
        *("/usr/sbin/nft", "-D", "UID={ 64443 }", *open_),
        *("-f", "/etc/agent-sidecar/egress-lock.nft"),
    ]
    assert lock["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}


@pytest.mark.parametrize("mode", ["hosts", "env"])
def test_the_egress_lock_needs_no_redirection(mode: str) -> None:
    new = injected(pod(annotations={"mode": mode, "egress-lock": "true"}))
    assert [each["name"] for each in new["spec"]["initContainers"]] == ["agent-sidecar", "agent-sidecar-lock"]
    unlocked = injected(pod(annotations={"mode": mode, "egress-lock": "false"}))
    assert unlocked["spec"]["initContainers"] == [proxy(new)]


@pytest.mark.parametrize(("mesh", "user"), [("istio-proxy", 1337), ("linkerd-proxy", 2102)])
@pytest.mark.parametrize("kind", ["initContainers", "containers"])
def test_the_proxy_of_a_mesh_is_let_out_as_well(mesh: str, user: int, kind: str) -> None:
    beside = {"containers": [container(), container(mesh)]} if kind == "containers" else {kind: [container(mesh)]}
    new = injected(pod(annotations={"mode": "redirect"}, **beside))
    assert f"UID={{ 64443, {user} }}" in named(new["spec"]["initContainers"], "agent-sidecar-rules")["command"]


def test_every_name_of_a_provider_means_loopback_in_mode_hosts() -> None:
    new = injected(pod(annotations={"hosts": "eastus.openai.azure.com, my.llm.example"}))
    four, six = new["spec"]["hostAliases"]
    assert (four["ip"], six["ip"]) == ("127.0.0.1", "::1")
    assert four["hostnames"] == six["hostnames"]
    assert {"api.openai.com", "api.deepgram.com", "eastus.openai.azure.com", "my.llm.example"} <= {*four["hostnames"]}
    assert not [name for name in four["hostnames"] if "*" in name]
    assert new["spec"]["securityContext"]["sysctls"] == [
        {"name": "net.ipv4.ip_unprivileged_port_start", "value": "443"}
    ]


CONFIG = """
providers:
  openai: {enabled: false}
  mine: {url: "https://llm.example", dialect: openai}
  plain: {url: "http://vllm.internal:8000", dialect: openai}
  odd: {url: "https://odd.example:8443", dialect: openai}
  local: {url: "http://127.0.0.1:8000", dialect: openai}
"""


def test_the_names_are_those_that_the_configuration_gives_and_that_are_called_by_tls() -> None:
    (four, _) = injected(pod(annotations={"config": CONFIG}))["spec"]["hostAliases"]
    names = set(four["hostnames"])
    assert "llm.example" in names
    assert not names & {"api.openai.com", "vllm.internal", "odd.example", "127.0.0.1"}


def test_names_join_those_that_the_pod_has_and_leave_them() -> None:
    own = [{"ip": "127.0.0.1", "hostnames": ["me.local"]}, {"ip": "10.0.0.9", "hostnames": ["api.groq.com"]}]
    new = done(pod(hostAliases=own))
    four, ten, six = new.pod["spec"]["hostAliases"]
    assert four["hostnames"][0] == "me.local"
    assert "api.groq.com" not in four["hostnames"] + six["hostnames"]
    assert ten == own[1]
    assert new.warnings == ("hostAliases has 10.0.0.9 for api.groq.com: calls to it do not come by here",)


@pytest.mark.parametrize("mode", ["redirect", "env"])
def test_only_mode_hosts_touches_names_and_sysctls(mode: str) -> None:
    spec = injected(pod(annotations={"mode": mode}))["spec"]
    assert "hostAliases" not in spec
    assert "securityContext" not in spec


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
def test_the_agent_is_told_whom_to_trust(mode: str) -> None:
    own = variables(app(injected(pod(annotations={"mode": mode}))))
    bundle = "SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
    assert {own[name] for name in bundle.split()} == {BUNDLE}
    assert own["NODE_EXTRA_CA_CERTS"] == own["DENO_CERT"] == CERTIFICATE
    assert own["JAVA_TOOL_OPTIONS"] == f"-Djavax.net.ssl.trustStore={TRUST}/trust.p12"
    assert not [name for name in own if "PROXY" in name or "BASE_URL" in name]


def test_the_agent_is_told_where_to_call_in_mode_env() -> None:
    new = injected(pod(annotations={"mode": "env"}))
    loopback = "localhost,127.0.0.1,::1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST)"
    assert variables(app(new)) == {
        "OPENAI_BASE_URL": f"{BASE}/openai/v1",
        "ANTHROPIC_BASE_URL": f"{BASE}/anthropic",
        "GOOGLE_GEMINI_BASE_URL": f"{BASE}/gemini",
        "GROQ_BASE_URL": f"{BASE}/groq",
        "TOGETHER_BASE_URL": f"{BASE}/together/v1",
        "HTTPS_PROXY": BASE,
        "https_proxy": BASE,
        "NO_PROXY": loopback,
        "no_proxy": loopback,
    }


def test_a_base_url_is_there_for_a_provider_that_has_one() -> None:
    config = "providers: {groq: {enabled: false}, azure-openai: {url: 'https://mine.openai.azure.com'}}"
    own = variables(app(injected(pod(annotations={"mode": "env", "config": config}))))
    assert "GROQ_BASE_URL" not in own
    assert own["AZURE_OPENAI_ENDPOINT"] == f"{BASE}/azure-openai"


@pytest.mark.parametrize("entry", [{"value": "/etc/mine.crt"}, {"valueFrom": {"fieldRef": {"fieldPath": "a"}}}, {}])
def test_what_the_pod_sets_itself_stays(entry: Table) -> None:
    own = {"name": "SSL_CERT_FILE", **entry}
    new = done(pod(container(env=[own])))
    assert app(new.pod)["env"][0] == own
    assert [each["name"] for each in app(new.pod)["env"]].count("SSL_CERT_FILE") == 1
    assert new.warnings == (f"container app must trust {CERTIFICATE} by itself: it sets SSL_CERT_FILE",)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_one_spelling_of_a_proxy_of_the_pods_own_is_enough_to_leave_both(name: str) -> None:
    new = done(pod(container(env=[{"name": name, "value": "http://proxy:3128"}]), annotations={"mode": "env"}))
    assert {each for each in variables(app(new.pod)) if each.lower() == "https_proxy"} == {name}
    assert new.warnings == (f"container app sets {name}: its calls go to that proxy, past the sidecar",)


def test_options_for_java_are_put_behind_those_that_there_are() -> None:
    ours = f"-Djavax.net.ssl.trustStore={TRUST}/trust.p12"
    entry = {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}
    assert app(injected(pod(container(env=[entry]))))["env"][0]["value"] == f"-Xmx1g {ours}"
    other = {"name": "JAVA_TOOL_OPTIONS", "value": "-Djavax.net.ssl.trustStore=/mine"}
    new = done(pod(container(env=[other])))
    assert app(new.pod)["env"][0] == other
    assert "sets JAVA_TOOL_OPTIONS" in new.warnings[0]
    without = pod(container(env=[entry]), annotations={"trust-java": "false"})
    assert app(injected(without))["env"][0] == entry
    assert "JAVA_TOOL_OPTIONS" not in variables(app(injected(pod(annotations={"trust-java": "false"}))))


def test_a_configuration_in_an_annotation_is_a_file_that_follows_it() -> None:
    new = injected(pod(annotations={"config": "log: {level: debug}"}))
    volume = named(new["spec"]["volumes"], "agent-sidecar-config")
    field = {"fieldPath": "metadata.annotations['agent-sidecar.io/config']"}
    assert volume["downwardAPI"]["items"] == [{"path": "sidecar.yaml", "fieldRef": field}]
    mount = named(proxy(new)["volumeMounts"], "agent-sidecar-config")
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/agent-sidecar/config", True)
    assert proxy(new)["command"][2:] == ["--config", "/etc/agent-sidecar/config/sidecar.yaml"]
    assert len(app(new)["volumeMounts"]) == 1


def test_a_configuration_may_come_from_a_config_map() -> None:
    new = injected(pod(annotations={"config-map": "voice"}))
    assert named(new["spec"]["volumes"], "agent-sidecar-config")["configMap"] == {
        "name": "voice",
        "optional": False,
        "items": [{"key": "sidecar.yaml", "path": "sidecar.yaml"}],
    }
    assert proxy(new)["command"][2:] == ["--config", "/etc/agent-sidecar/config/sidecar.yaml"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cache", ["cache"]),
        (" tracing , cache ", ["tracing", "cache"]),
        ("- use: cache\n  config: {max_entry: 1MiB}\n", ["cache"]),
        ("[]", []),
        ("[{use: cache, name: a}, {use: cache, name: b}]", ["a", "b"]),
    ],
)
def test_plugins_are_named_in_short_or_written_as_in_a_file(text: str, labels: list[str]) -> None:
    settings = as_run(proxy(injected(pod(annotations={"plugins": text}))))
    assert [plugin.label for plugin in settings.plugins] == labels


def test_kubernetes_leaves_references_and_dollars_as_they_are() -> None:
    text = '[{use: tracing, config: {service_name: "${env:X}", resource: {a: "$${b} $(HOME)"}}}]'
    value = variables(proxy(injected(pod(annotations={"plugins": text}))))["SIDECAR__PLUGINS"]
    # Kubernetes makes one of two, and would put something in the place of a single $(…)
    assert value.replace("$$", "$") == text
    assert "$" not in value.replace("$$", "")


def test_what_a_pod_needs_more_of_it_can_have() -> None:
    asked = {
        "image": "mirror/sidecar@sha256:0",
        "cpu-request": "200m",
        "memory-request": "128Mi",
        "memory-limit": "1Gi",
        "extra-ca-config-map": "corporate/roots.pem",
    }
    new = injected(pod(annotations=asked))
    ours = proxy(new)
    assert ours["image"] == asked["image"]
    assert ours["resources"] == {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}
    assert named(new["spec"]["volumes"], "agent-sidecar-extra-ca")["configMap"] == {
        "name": "corporate",
        "optional": False,
        "items": [{"key": "roots.pem", "path": "ca.crt"}],
    }
    assert as_run(ours).tls.extra_ca_files == ("/etc/agent-sidecar/extra-ca/ca.crt",)
    assert named(ours["volumeMounts"], "agent-sidecar-extra-ca")["mountPath"] == "/etc/agent-sidecar/extra-ca"


def test_annotations_hold_before_what_is_set_for_all() -> None:
    settings = InjectSettings(mode="env", image="all:1", uid=7000, memory_request="32Mi")
    new = done(pod(), settings=settings).pod
    assert (proxy(new)["image"], status(new)["mode"]) == ("all:1", "env")
    assert proxy(new)["securityContext"]["runAsUser"] == 7000
    new = done(pod(annotations={"mode": "hosts", "image": "mine:1", "uid": "9000"}), settings=settings).pod
    assert (proxy(new)["image"], status(new)["mode"]) == ("mine:1", "hosts")
    assert proxy(new)["securityContext"]["runAsUser"] == 9000


def test_tools_are_told_which_container_is_the_agent_and_which_volumes_may_be_lost() -> None:
    annotations = injected(pod())["metadata"]["annotations"]
    assert annotations["kubectl.kubernetes.io/default-container"] == "app"
    volumes = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
    assert annotations[volumes] == "agent-sidecar-keys,agent-sidecar-trust"
    own = pod()
    own["metadata"]["annotations"] = {volumes: "scratch", "kubectl.kubernetes.io/default-container": "other"}
    annotations = injected(own)["metadata"]["annotations"]
    assert annotations[volumes] == "scratch,agent-sidecar-keys,agent-sidecar-trust"
    assert annotations["kubectl.kubernetes.io/default-container"] == "other"


def test_a_pod_that_is_labelled_false_stays_as_it_is() -> None:
    own = pod(annotations={"nonsense": "1"})
    own["metadata"]["labels"][LABEL] = "false"
    assert injected(own) == own
    own["metadata"] = {"labels": {LABEL: "true"}}
    assert proxy(injected(own))


def test_a_template_without_metadata_will_do() -> None:
    assert status(injected({"spec": {"containers": [container()]}}))["mode"] == "hosts"


def test_every_annotation_that_is_known_is_tried_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in KNOWN if f'"{name}"' not in text] == []
