"""What keeps a pod from having a sidecar, and what a person is warned of."""

from typing import Any

import pytest

from sidecar.inject import Refused, eject, inject
from sidecar.inject.names import LABEL, STATUS
from tests.sidecar.inject.pods import SETTINGS, Table, container, done, injected, pod


def refused(pod: Any, allowed: Any = "any") -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        inject(pod, SETTINGS, namespace="voice", allowed=allowed)
    assert str(caught.value) == "\n".join(caught.value.reasons)
    return caught.value.reasons


def labelled(value: Any) -> Table:
    new = pod()
    new["metadata"]["labels"][LABEL] = value
    return new


def mirroring() -> Table:
    new = pod()
    new["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "0"}
    return new


def serving(port: int, **rest: Any) -> Table:
    return container(ports=[{"containerPort": port, **rest}])


REASONS = {
    "node": (pod(hostNetwork=True), "hostNetwork: the sidecar would listen on the node"),
    "windows": (pod(os={"name": "windows"}), "the pod is for Windows"),
    "mirror": (mirroring(), "it mirrors a static pod"),
    "label": (labelled("yes"), 'is "yes"; expected "true" or "false", in quotes'),
    "label of another kind": (labelled(True), 'is true; expected "true" or "false", in quotes'),
    "our uid": (
        pod(container(securityContext={"runAsUser": 64443})),
        "container app runs as uid 64443, which is the sidecar's; give it another one, or the sidecar by "
        "agent-sidecar.io/uid",
    ),
    "our uid, of the pod": (pod(securityContext={"runAsUser": 64443}), "container app runs as uid 64443"),
    "our uid, as asked": (
        pod(container(securityContext={"runAsUser": 5}), annotations={"uid": "5"}),
        "container app runs as uid 5",
    ),
    "port 443": (
        pod(serving(443)),
        "container app has port 443, where the sidecar listens in mode hosts; move it, or choose another "
        "agent-sidecar.io/mode",
    ),
    "port 15001": (
        pod(serving(15001), annotations={"mode": "redirect"}),
        "container app has port 15001, where the sidecar listens in mode redirect; move it",
    ),
    "port 15080": (pod(serving(15080)), "has port 15080"),
    "port 15088": (pod(serving(15088), annotations={"mode": "redirect"}), "has port 15088"),
    "port 15089": (pod(initContainers=[{**serving(15089), "name": "init"}]), "container init has port 15089"),
    "name of a container": (
        pod(container("agent-sidecar")),
        "spec.containers has agent-sidecar, which was not put there by sidecar inject; rename it",
    ),
    "name of an init container": (pod(initContainers=[container("agent-sidecar-rules")]), "spec.initContainers has"),
    "name of a volume": (pod(volumes=[{"name": "agent-sidecar-keys"}]), "spec.volumes has agent-sidecar-keys"),
    "sysctl": (
        pod(securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "1024"}]}),
        "sysctl net.ipv4.ip_unprivileged_port_start is 1024; set it to 443 or less, or leave it out",
    ),
    "unknown annotation": (pod(annotations={"plugin": "cache"}), "agent-sidecar.io/plugin is not known; did you mean"),
    "annotation for a label": (pod(annotations={"inject": "true"}), "selects nothing; make it a label"),
    "annotation that is no text": (
        pod(annotations={"trust-java": False}),
        "annotation agent-sidecar.io/trust-java is false; expected text, so put it in quotes",
    ),
    "mode": (pod(annotations={"mode": "host"}), "expected one of hosts, redirect, env; did you mean hosts?"),
    "uid": (pod(annotations={"uid": "0"}), "expected a whole number from 1 to"),
    "quantity": (pod(annotations={"memory-limit": "256 MB"}), '"256 MB" does not fit; expected a quantity'),
    "limit": (
        pod(annotations={"memory-limit": "64Mi"}),
        "the sidecar would ask for 96Mi of memory and may have 64Mi; change agent-sidecar.io/memory-limit",
    ),
    "switch": (pod(annotations={"trust-java": "no"}), 'trust-java: "no" does not fit; expected true or false'),
    "network": (
        pod(annotations={"egress-lock": "10.0.0.1/8"}),
        "expected true, or networks separated by commas that may be dialled past the sidecar; 10.0.0.1/8 has host bits",
    ),
    "no network": (pod(annotations={"egress-lock": ""}), 'egress-lock: "" does not fit; expected true, or networks'),
    "pattern of hosts": (pod(annotations={"hosts": "*.openai.azure.com"}), "expected whole names such as"),
    "address for a host": (pod(annotations={"hosts": "10.0.0.1"}), "expected whole names such as"),
    "host": (pod(annotations={"hosts": "https://a.example"}), "leave out the scheme and the path"),
    "two configurations": (
        pod(annotations={"config": "", "config-map": "voice"}),
        "both give a configuration; remove one of them",
    ),
    "config map": (pod(annotations={"config-map": "Voice!"}), "expected the name of a ConfigMap"),
    "secret": (pod(annotations={"env-secret": "a/b"}), '"a/b" does not fit; expected the name of a Secret'),
    "image": (pod(annotations={"image": "a b"}), '"a b" does not fit; expected an image'),
    "status": (
        {"metadata": {"annotations": {STATUS: "{}"}}, "spec": {"containers": [container()]}},
        f"annotation {STATUS} cannot be read",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_pod_is_refused_with_what_to_do(case: str) -> None:
    own, reason = REASONS[case]
    (told,) = refused(own)
    assert reason in told


SHAPES = [
    (None, "is no mapping"),
    ({}, "spec is no mapping"),
    ({"spec": {}}, "spec.containers is empty"),
    ({"spec": {"containers": ["app"]}}, "spec.containers is no list of mappings"),
    ({"spec": {"containers": [{"image": "a"}]}}, "spec.containers[0].name is missing"),
    ({"spec": {"containers": [container(), container()]}}, "another container is called app as well"),
    ({"spec": {"containers": [container(env={})]}}, "spec.containers[0].env is no list of mappings"),
    (pod(hostAliases=[{"ip": "::1", "hostnames": "a"}]), "spec.hostAliases[0].hostnames is no list of texts"),
    ({"metadata": [], "spec": {"containers": [container()]}}, "metadata is no mapping"),
    ({"metadata": {"labels": []}, "spec": {"containers": [container()]}}, "metadata.labels is no mapping"),
    (pod(securityContext=[]), "spec.securityContext is no mapping"),
    (pod(container(securityContext={"capabilities": []})), "spec.containers[0].securityContext.capabilities is no"),
]


@pytest.mark.parametrize(("own", "reason"), SHAPES)
def test_what_is_no_pod_is_refused_both_ways(own: Any, reason: str) -> None:
    assert reason in refused(own)[0]
    with pytest.raises(Refused):
        eject(own)


def test_all_reasons_are_given_at_once() -> None:
    own = pod(serving(443), hostNetwork=True, annotations={"mood": "hosts", "uid": "x", "config": "listn: {}"})
    told = refused(own)
    assert len(told) == 5
    assert "annotation agent-sidecar.io/config:1:1: listn: is not a setting" in "\n".join(told)


def test_redirection_is_refused_where_pod_security_forbids_it() -> None:
    own = pod(annotations={"mode": "redirect"})
    assert done(own).warnings == ()
    (told,) = refused(own, allowed="hosts")
    assert "forbids in namespace voice; set agent-sidecar.io/mode: hosts, or label the namespace" in told
    assert inject(pod(), SETTINGS, namespace="voice", allowed="hosts").warnings == ()


def test_the_egress_lock_is_refused_where_pod_security_forbids_it() -> None:
    (told,) = refused(pod(annotations={"egress-lock": "true"}), allowed="hosts")
    assert "agent-sidecar.io/egress-lock needs NET_ADMIN" in told
    assert "leave it out, or label the namespace" in told


@pytest.mark.parametrize(
    "own",
    [
        pod(serving(443), annotations={"mode": "redirect"}),
        pod(serving(443, protocol="UDP")),
        pod(serving(443), annotations={"mode": "env"}),
        pod(serving(15001)),
        pod(
            container(securityContext={"runAsUser": 1}),
            securityContext={"runAsUser": 64443},
        ),
        pod(securityContext={"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]}),
        pod(container("agent-sidecar-keys")),
    ],
)
def test_what_is_in_nobodys_way_is_not_refused(own: Table) -> None:
    assert done(own).warnings == ()


CHECKED = [
    ({"config": "listen: {adress: 1}"}, "annotation agent-sidecar.io/config:1:10: listen.adress: is not a setting"),
    ({"config": "- a"}, "annotation agent-sidecar.io/config:1:1: the configuration is a list"),
    ({"config": "listen: ["}, "agent-sidecar.io/config:1:10: is not YAML"),
    ({"config": "providers: {openai: {port: 443}}"}, "has the port of listen.transparent.0"),
    (
        {"config": "plugins:\n  - use: cache\n    config: {chat: {ttl: 10}}"},
        "annotation agent-sidecar.io/config:3:26: plugins[0].config.chat.ttl: 10 has no unit",
    ),
    ({"plugins": "cahe"}, 'plugins[0].use: nothing installed is named "cahe"; did you mean "cache"?'),
    ({"plugins": "cache, Tracing"}, "annotation agent-sidecar.io/plugins:1:8: plugins[1].use"),
    ({"plugins": "{use: cache}"}, "annotation agent-sidecar.io/plugins:1:1: plugins: is a mapping"),
    ({"plugins": "[{use: cache, config: {chat: {ttl: soon}}}]"}, "annotation agent-sidecar.io/plugins:1:36"),
    ({"plugins": ""}, "annotation agent-sidecar.io/plugins: has no value; write [] for none"),
    ({"plugins": "["}, "annotation agent-sidecar.io/plugins:1:2: is not YAML"),
]


@pytest.mark.parametrize(("annotations", "reason"), CHECKED)
def test_a_configuration_is_held_to_what_sidecar_check_says(annotations: Table, reason: str) -> None:
    (told,) = refused(pod(annotations=annotations))
    assert reason in told


REFERENCES = """
providers:
  openai: {credential: "${env:KEY}"}
  groq: {credential: "${file:/etc/passwd}", ca_file: "${file:~/ca}"}
  mine: {url: "${env:URL}", dialect: openai}
plugins:
  - use: tracing
    config: {endpoint: "${file:/dev/null}", headers: {authorization: "${env:TOKEN}"}, service_name: "a ${env:NAME}"}
"""


def test_references_stand_for_what_is_in_the_pod_and_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*arguments: Any) -> None:
        raise AssertionError(f"looked at {arguments}")

    monkeypatch.setattr("sidecar.configuration.reference._content", opened)
    monkeypatch.setenv("KEY", "never to be seen")
    assert done(pod(annotations={"config": REFERENCES})).warnings == ()
    (told,) = refused(pod(annotations={"config": "tls: {extra_ca_files: ['${file:relative}']}"}))
    assert "${file:relative} is a relative path" in told


WARNINGS = [
    (pod(shareProcessNamespace=True), "shareProcessNamespace: containers of uid 0 or 64443 can read the key"),
    (
        pod(container(securityContext={"privileged": True}), annotations={"mode": "redirect"}),
        "container app is privileged or has NET_ADMIN: it can undo the rules of the sidecar",
    ),
    (
        pod(container(securityContext={"privileged": True}), annotations={"egress-lock": "true"}),
        "container app is privileged or has NET_ADMIN",
    ),
    (
        pod(container(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}), annotations={"mode": "redirect"}),
        "container app is privileged or has NET_ADMIN",
    ),
    (
        pod(container(env=[{"name": "OPENAI_BASE_URL", "value": "http://other"}]), annotations={"mode": "env"}),
        "container app may call past the sidecar: it sets OPENAI_BASE_URL",
    ),
    (
        pod(container(env=[{"name": "HTTPS_PROXY", "value": "http://other"}])),
        "container app sets HTTPS_PROXY: its calls go to that proxy, past the sidecar",
    ),
    (
        pod(annotations={"config": "providers: {mine: {url: 'http://llm.example', credential: '${env:K}'}}"}),
        "",
    ),
]


@pytest.mark.parametrize(("own", "warning"), WARNINGS)
def test_a_person_is_warned(own: Table, warning: str) -> None:
    told = done(own).warnings
    assert [each[: len(warning)] for each in told] == ([warning] if warning else [])


def test_a_container_that_may_change_the_network_is_no_matter_without_rules() -> None:
    assert done(pod(container(securityContext={"privileged": True}))).warnings == ()


def test_a_warning_fits_into_what_kubernetes_takes_of_it() -> None:
    name = "a" * 63
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    (told,) = done(pod(container(name, env=[{"name": each, "value": "/x"} for each in names]))).warnings
    assert len(told) == 120
    assert told.endswith("…")


def test_a_pod_that_was_injected_is_not_in_its_own_way() -> None:
    once = injected(pod(annotations={"mode": "redirect"}))
    assert done(once).warnings == ()
