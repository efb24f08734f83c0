"""What holds for every pod: injecting changes nothing else, twice is once, and it can be undone."""

import copy
from typing import Any

import msgspec
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sidecar.inject import Refused, eject, inject
from sidecar.inject.names import DOMAIN, STATUS
from tests.sidecar.inject.pods import SETTINGS, Table, container, injected, pod

NAMES = ("JAVA_TOOL_OPTIONS", "SSL_CERT_FILE", "https_proxy", "NO_PROXY", "OPENAI_BASE_URL", "MINE", "DENO_CERT")
TEXTS = st.sampled_from(["", "x", "-Xmx1g", "-Djavax.net.ssl.trustStore=/run/agent-sidecar/trust/trust.p12", "$(A)"])
KEYS = (
    "kubectl.kubernetes.io/default-container",
    "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
    "example.com/other",
    f"{DOMAIN}trust-java",
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Table]:
    """A mapping in which each field may be missing, null, empty or as given."""
    return st.fixed_dictionaries({}, optional={name: st.none() | field for name, field in fields.items()})


def entries(item: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(item, max_size=3)


ENV = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES)},
    optional={"value": TEXTS, "valueFrom": st.just({"fieldRef": {"fieldPath": "status.podIP"}})},
)
MOUNT = st.fixed_dictionaries(
    {"name": st.sampled_from("ab"), "mountPath": st.sampled_from(["/a", "/run/agent-sidecar/trust"])}
)
INSIDE = optional(env=entries(ENV), volumeMounts=entries(MOUNT), command=entries(TEXTS))
ALIAS = st.fixed_dictionaries(
    {"ip": st.sampled_from(["127.0.0.1", "::1", "10.0.0.1"])},
    optional={"hostnames": st.none() | entries(st.sampled_from(["api.openai.com", "me.local", "api.groq.com"]))},
)
SYSCTL = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies"]),
        "value": st.sampled_from(["0", "443", "1"]),
    }
)
ANNOTATIONS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["", "true", "false", "app,b"]))


@st.composite
def pods(draw: st.DrawFn) -> Table:
    mode = draw(st.sampled_from(["hosts", "redirect", "env", None]))
    metadata = draw(optional(annotations=ANNOTATIONS, labels=st.just({"app": "a"})))
    if mode is not None:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), f"{DOMAIN}mode": mode}
    if (lock := draw(st.sampled_from([None, None, "true", "10.0.0.0/8,fd00::/8"]))) is not None:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), f"{DOMAIN}egress-lock": lock}
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True))
    each = [{"name": name, **draw(INSIDE)} for name in names]
    agents = draw(st.integers(1, len(each)))
    spec: Table = {"containers": each[:agents]}
    if len(each) > agents or draw(st.booleans()):
        spec["initContainers"] = each[agents:] or draw(st.sampled_from([None, []]))
    spec |= draw(
        optional(
            volumes=entries(st.fixed_dictionaries({"name": st.sampled_from("ab")})),
            hostAliases=entries(ALIAS),
            securityContext=optional(sysctls=entries(SYSCTL), runAsUser=st.just(1)),
        )
    )
    found: Table = {"spec": spec}
    if metadata or draw(st.booleans()):
        found["metadata"] = metadata or draw(st.sampled_from([None, {}]))
    return found


#: Of two variables of one name the last counts.
TWICE = [
    {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g -Djavax.net.ssl.trustStore=/run/agent-sidecar/trust/trust.p12"},
    {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx2g"},
]


def tried(pod: Table) -> Table:
    try:
        return injected(pod)
    except Refused:
        assume(False)
        raise


def spelled(value: Any) -> bytes:
    """*value* with the order of its keys."""
    return msgspec.json.encode(value)


@settings(max_examples=150, deadline=None)
@given(own=pods())
@example(own=pod(container(env=TWICE)))
def test_ejecting_gives_back_what_was_injected(own: Table) -> None:
    assert spelled(eject(tried(own))) == spelled(own)


@settings(max_examples=100, deadline=None)
@given(own=pods())
def test_injecting_twice_is_injecting_once(own: Table) -> None:
    once = tried(own)
    assert spelled(injected(once)) == spelled(once)


@settings(max_examples=100, deadline=None)
@given(own=pods())
def test_the_pod_that_is_given_stays_as_it_is_and_shares_nothing(own: Table) -> None:
    before = copy.deepcopy(own)
    new = tried(own)
    assert own == before
    once = copy.deepcopy(new)
    eject(new)
    assert new == once
    for each in new["spec"]["containers"]:
        each.clear()
    assert own == before


LATE = st.fixed_dictionaries({"name": st.sampled_from(["mesh", "mesh-init"]), "env": entries(ENV)})


@settings(max_examples=100, deadline=None)
@given(own=pods(), first=LATE, variable=ENV, volume=st.sampled_from(["token", "mesh"]))
def test_what_others_add_is_kept_behind_ours_and_stays_when_ours_goes(
    own: Table, first: Table, variable: Table, volume: str
) -> None:
    """Another webhook puts an init container before ours, an agent beside the agent, and a variable behind ours."""

    def meddled(pod: Table) -> Table:
        new = copy.deepcopy(pod)
        spec = new["spec"]
        spec["initContainers"] = [first, *(spec.get("initContainers") or ())]
        spec["containers"] = [*spec["containers"], container("late")]
        spec["volumes"] = [{"name": volume}, *(spec.get("volumes") or ())]
        env = spec["containers"][0].get("env") or []
        spec["containers"][0]["env"] = [{**variable, "name": "LATE"}, *env]
        return new

    once = tried(own)
    again = injected(meddled(once))
    ours = [each["name"] for each in once["spec"]["initContainers"] if each["name"].startswith("agent-sidecar")]
    names = [each["name"] for each in again["spec"]["initContainers"]]
    theirs = [each["name"] for each in own["spec"].get("initContainers") or ()]
    assert names == [*ours, first["name"], *theirs]
    late = again["spec"]["containers"][-1]
    assert [each["mountPath"] for each in late["volumeMounts"]] == ["/run/agent-sidecar/trust"]
    assert again["spec"]["containers"][0]["env"][0]["name"] == "LATE"
    assert eject(again) == meddled(own)


@settings(max_examples=50, deadline=None)
@given(own=pods())
def test_a_pod_that_is_not_injected_is_ejected_unchanged(own: Table) -> None:
    assert spelled(eject(own)) == spelled(own)


def test_what_an_alias_of_yaml_shares_is_changed_in_each_place_alone() -> None:
    env: list[Table] = [{"name": "A", "value": "1"}]
    own = pod(container("a", env=env), container("b", env=env))
    new = injected(own)
    assert [len(each["env"]) for each in new["spec"]["containers"]] == [14, 14]
    assert eject(new) == own


def test_an_upgrade_replaces_what_an_earlier_version_put_there() -> None:
    old = inject(pod(), SETTINGS, namespace="voice", allowed="any").pod
    old["spec"]["initContainers"][0]["image"] = "forged"
    old["metadata"]["annotations"][STATUS] = old["metadata"]["annotations"][STATUS].replace('"0.', '"0.0.')
    assert injected(old) == injected(pod())


def test_the_default_container_stays_the_agent_when_a_mesh_comes_before_it() -> None:
    once = injected(pod())
    once["spec"]["containers"].insert(0, container("mesh"))
    assert injected(once)["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "app"


FORGED = {
    "version": "0",
    "mode": "hosts",
    "containers": ["guard"],
    "volumes": ["guarded"],
    "annotations": ["guard/policy"],
    "sysctls": ["net.ipv4.tcp_syncookies"],
    "agent": {"app": {"env": ["GUARD"], "appended": {"PATHS": "/guard"}}},
}


def test_a_status_that_somebody_made_up_takes_nothing_of_others_out() -> None:
    env = [{"name": "GUARD", "value": "on"}, {"name": "PATHS", "value": "/a/guard"}]
    spec = {"initContainers": [container("guard")], "volumes": [{"name": "guarded"}]}
    own = pod(
        container(env=env), **spec, securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}
    )
    own["metadata"]["annotations"] = {"guard/policy": "strict", STATUS: msgspec.json.encode(FORGED).decode()}
    clean = eject(own)
    assert clean["spec"] == own["spec"]
    assert clean["metadata"]["annotations"] == {"guard/policy": "strict"}


def test_a_variable_that_somebody_has_set_to_something_else_since_stays() -> None:
    once = injected(pod())
    env = once["spec"]["containers"][0]["env"]
    env[0] = {"name": env[0]["name"], "value": "/mine.crt"}
    env.append({"name": "DENO_CERT", "value": "/theirs.crt"})
    assert eject(once)["spec"]["containers"][0]["env"] == [env[0], env[-1]]
