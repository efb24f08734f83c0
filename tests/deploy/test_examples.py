"""The examples: what they deploy is taken, injected and allowed, their configurations pass, and the agent works."""

import asyncio
import re
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner

from sidecar.cli.program import program
from sidecar.configuration import load
from sidecar.inject import InjectSettings, inject
from sidecar.inject.names import DOMAIN, LABEL
from sidecar.lab.lab import Lab
from tests.deploy.rendering import K8S, OVERLAYS, Table, kustomized, templates
from tests.deploy.schemas import validate
from tests.deploy.test_components import collector_files
from tests.deploy.test_kustomize import asked, selected
from tests.running import running
from tests.sidecar.cli.processes import environment
from tests.sidecar.inject.test_pod_security import VERSIONS, violations
from tests.test_documents import understood

EXAMPLES = sorted(path.parent.name for path in (K8S / "examples").glob("*/kustomization.yaml"))
AGENT = K8S / "examples/voice-agent/agent.py"
#: What is there in every container, and what the Secret of the README has.
VARIABLES = {"HOSTNAME": "voice-agent-0", "OPENAI_API_KEY": "the-real-one"}


def example(name: str) -> tuple[Table, ...]:
    return kustomized(K8S / "examples" / name)


def called(objects: tuple[Table, ...], kind: str, name: str) -> Table:
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def namespace_of(objects: tuple[Table, ...], name: str) -> Table:
    """The labels of the namespace that the object of that name is in."""
    (where,) = {each["metadata"]["namespace"] for each in objects if each["metadata"]["name"] == name}
    namespace = called(objects, "Namespace", where)
    return {"kubernetes.io/metadata.name": where, **namespace["metadata"]["labels"]}


def agents(objects: tuple[Table, ...]) -> dict[str, Table]:
    """The pods that the injector is asked about, by every overlay in the same way."""
    found = {}
    for name, template in templates(objects):
        ways = {
            tuple(asked(overlay, namespace_of(objects, name), template["metadata"]["labels"])) for overlay in OVERLAYS
        }
        assert ways <= {(), ("/mutate/hosts",)}, "their namespaces are restricted"
        if ways != {()}:
            found[name] = template
    return found


def injected(template: Table) -> Table:
    done = inject(template, InjectSettings(), namespace="voice", allowed="hosts")
    assert done.warnings == ()
    return dict(done.pod)


@pytest.mark.parametrize("name", EXAMPLES)
def test_agents_get_a_sidecar_without_a_word_and_nobody_else_does(name: str) -> None:
    (agent,) = agents(example(name)).values()
    assert [each["name"] for each in injected(agent)["spec"]["initContainers"]] == ["agent-sidecar"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_pod_passes_restricted_with_its_sidecar_and_without(name: str) -> None:
    found = dict(templates(example(name)))
    assert found
    for each in (*found.values(), *map(injected, agents(example(name)).values())):
        assert list(violations(each)) == []
        for container in each["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"requests", "limits"} <= container["resources"].keys()
            assert re.search(r":\d+\.\d+", container["image"]), "pinned"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_version_of_kubernetes_takes_it(name: str, version: str) -> None:
    sidecars = agents(example(name))
    for each in example(name):
        if each["metadata"]["name"] in sidecars and each["kind"] == "Deployment":
            each = {**each, "spec": {**each["spec"], "template": injected(each["spec"]["template"])}}
        validate(each, version)


# -- configurations --------------------------------------------------------------------------------------------------


def configuration(name: str) -> tuple[Table, Path]:
    """The ConfigMap that the agent's annotation names, and the file that it is made of."""
    (agent,) = agents(example(name)).values()
    config_map = called(example(name), "ConfigMap", agent["metadata"]["annotations"][f"{DOMAIN}config-map"])
    return config_map, K8S / "examples" / name / "sidecar.yaml"


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_configuration_passes_the_check(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config_map, file = configuration(name)
    assert config_map["data"] == {"sidecar.yaml": file.read_text(encoding="utf-8")}
    for variable, value in VARIABLES.items():
        monkeypatch.setenv(variable, value)
    checked = CliRunner().invoke(program, ["check", "--strict", "--config", str(file)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_it_refers_to_is_there_and_keys_are_in_no_manifest(name: str) -> None:
    referred = set(re.findall(r"\$\{(\w+:\w+)\}", configuration(name)[1].read_text(encoding="utf-8")))
    assert {each.removeprefix("env:") for each in referred} <= VARIABLES.keys()
    assert "Secret" not in {each["kind"] for each in example(name)}
    (agent,) = agents(example(name)).values()
    secret = agent["metadata"]["annotations"][f"{DOMAIN}env-secret"]
    readme = (K8S / "examples/voice-agent/README.md").read_text(encoding="utf-8")
    assert f"create secret generic {secret} --from-env-file=keys.env" in readme
    (given,) = re.findall(r"`(\w+)=…`", readme)
    assert f"${{env:{given}}}" in configuration(name)[1].read_text(encoding="utf-8")
    (container,) = agent["spec"]["containers"]
    assert [each["value"] for each in container["env"] if each["name"] == given] == ["held-by-the-sidecar"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_sidecar_is_given_the_time_that_it_takes_to_end(name: str) -> None:
    (agent,) = agents(example(name)).values()
    grace_seconds = load(configuration(name)[1], VARIABLES).settings.shutdown.grace
    assert float(grace_seconds) < agent["spec"]["terminationGracePeriodSeconds"]


def test_traces_find_their_way_to_jaeger() -> None:
    objects = example("tracing")
    (plugin,) = (
        each
        for each in yaml.safe_load(configuration("tracing")[1].read_text(encoding="utf-8"))["plugins"]
        if each["use"] == "tracing"
    )
    exporter = collector_files(objects)["exporter.yaml"]["exporters"]["otlp_http"]
    for url, path in ((plugin["config"]["endpoint"], "/v1/traces"), (exporter["endpoint"], "")):
        parts = urlsplit(url)
        service, _, domain = str(parts.hostname).partition(".")
        found = called(objects, "Service", service)
        assert domain in (f"{found['metadata']['namespace']}.svc", ""), "a short name is one of the same namespace"
        assert (parts.scheme, parts.path) == ("http", path)
        assert parts.port in {port["port"] for port in found["spec"]["ports"] if port["name"] == "otlp-http"}
        (template,) = (
            each
            for _, each in templates(objects)
            if found["spec"]["selector"].items() <= each["metadata"]["labels"].items()
        )
        assert "otlp-http" in {port["name"] for port in template["spec"]["containers"][0]["ports"]}


@pytest.mark.parametrize(("name", "others"), [("voice-agent", []), ("tracing", [4318])])
def test_agents_may_dial_name_servers_providers_and_the_collector(name: str, others: list[int]) -> None:
    objects = example(name)
    policy = called(objects, "NetworkPolicy", "voice-agent")["spec"]
    (agent,) = agents(objects).values()
    assert selected(policy["podSelector"], agent["metadata"]["labels"])
    assert policy["policyTypes"] == ["Egress"]
    anywhere = [port["port"] for rule in policy["egress"] if "to" not in rule for port in rule["ports"]]
    assert anywhere == [53, 53, 443]
    confined = [rule for rule in policy["egress"] if "to" in rule]
    assert [port["port"] for rule in confined for port in rule["ports"]] == others
    for rule in confined:
        (to,) = rule["to"]
        assert selected(to["namespaceSelector"], namespace_of(objects, "otel-collector"))


# -- what people do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_commands_of_its_readme_are_about_what_there_is(name: str) -> None:
    readme = (K8S / "examples" / name / "README.md").read_text(encoding="utf-8")
    objects = [*example(name), *kustomized(K8S / "overlays/dev")]
    there = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects}
    commands = re.findall(r"^\$ (.*)$", readme, re.MULTILINE)
    assert commands
    for command in commands:
        ours = command if command.startswith("sidecar ") else command.partition(" -- ")[2]
        if ours:
            understood(program, shlex.split(ours)[1:])
        for path in re.findall(r"deploy/k8s/\S+", command):
            assert (K8S.parents[1] / path).exists(), command
        for kind, called_so in re.findall(r"\b(deploy|service)/([\w-]+)(?= |$)", command):
            assert f"{'deployment' if kind == 'deploy' else kind}/{called_so}" in there, command
        for label in re.findall(r"agent-sidecar\.io/\w+", command):
            assert label == LABEL


def test_the_check_of_the_readme_passes_where_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (K8S / "examples/voice-agent/README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\$ sidecar (check .*)$", readme, re.MULTILINE)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(K8S.parents[1])
    checked = CliRunner().invoke(program, shlex.split(command))
    assert checked.exit_code == 0, checked.output


async def test_the_agent_talks_and_its_second_question_is_spoken_from_memory() -> None:
    async with (
        Lab("openai") as lab,
        running(
            f"providers.openai.url={lab.url('openai')}", file=configuration("voice-agent")[1], environ=VARIABLES
        ) as sidecar,
    ):
        told: Any = {
            "OPENAI_BASE_URL": f"{sidecar.proxy}/openai/v1",
            "OPENAI_API_KEY": "held-by-the-sidecar",
            "ROUNDS": "2",
            "PAUSE_SECONDS": "0",
        }
        agent = await asyncio.create_subprocess_exec(
            sys.executable, AGENT, env=environment(told), stderr=asyncio.subprocess.PIPE
        )
        _, said = await agent.communicate()
        assert agent.returncode == 0, said
        assert said.count(b"heard 'Do you have a table") == 2, said
        assert {each.header("authorization") for each in lab.requests} == {"Bearer the-real-one"}
        speeches = [call for call in sidecar.calls() if call.operation == "tts"]
        assert [call.answered_by for call in speeches] == ["openai", "openai", "cache", "cache"]
