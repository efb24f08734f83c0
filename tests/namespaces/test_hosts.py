"""Mode hosts: the pod's hosts file leads the providers' names to the sidecar, which has no privilege at all."""

import json
import sys
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.nameserver import NameServer, name_server
from tests.namespaces.conftest import OTHER, PROVIDER, World
from tests.namespaces.pod import Pod, a_pod

SETTINGS = ("listen.transparent=['127.0.0.1:443', '[::1]:443']", "upstream.resolver=dns")
URL = f"https://{PROVIDER}/v1/models"
OURS = "x-sidecar-request-id"
SDK = """
import openai
answer = openai.OpenAI(api_key="k").chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
print(answer.choices[0].message.content)
"""


@pytest_asyncio.fixture
async def led(pod: Pod) -> AsyncIterator[NameServer]:
    """The pod as Kubernetes makes it of hostAliases and the sysctl. The server says what its names mean outside."""
    pod.hosts(f"127.0.0.1 {PROVIDER}", f"::1 {PROVIDER}")
    await pod.done("sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=443")
    known = dict.fromkeys((PROVIDER, OTHER), (pod.outside, pod.outside6))
    async with name_server(known, (pod.outside, 53)) as server:
        yield server


async def test_providers_go_through_the_sidecar_and_nobody_else_meets_it(
    pod: Pod, world: World, led: NameServer
) -> None:
    async with pod.sidecar(*SETTINGS, world.trusting):
        for family in ("-4", "-6"):
            ours = await pod.curl(URL, family)
            assert ours.out.startswith("HTTP/1.1 200"), ours
            assert OURS in ours.out
        theirs = await pod.curl(f"https://{OTHER}/", "--cacert", str(world.file))
        assert theirs.out.count("from the world") == 1, theirs
        assert OURS not in theirs.out
        assert "sidecar_rejected_total" not in await pod.metrics()
        assert PROVIDER in led.asked, "the hosts file leads the agent here; the sidecar asks the name server"


async def test_an_official_sdk_needs_nothing_but_the_bundle(pod: Pod, world: World, led: NameServer) -> None:
    async with pod.sidecar(*SETTINGS, world.trusting):
        env = {"SSL_CERT_FILE": str(pod.trust / "bundle.crt")}
        ran = await pod.agent(sys.executable, "-c", SDK, env=env)
        assert ran.out.strip() == "from the world", ran.err
        assert 'operation="chat"' in await pod.metrics()


async def test_an_agent_that_does_not_trust_us_is_named_with_the_remedy(
    pod: Pod, world: World, led: NameServer
) -> None:
    async with pod.sidecar(*SETTINGS, world.trusting):
        refused = await pod.agent("curl", "-sS", URL)
        assert refused.code == 60, refused
        assert f'sidecar_distrusted_total{{name="{PROVIDER}"}} 1' in await pod.metrics()
    told = [json.loads(line) for line in (pod.directory / "sidecar.log").read_text().splitlines()]
    (line,) = [each["message"] for each in told if "did not accept our certificate" in each.get("message", "")]
    assert f"SSL_CERT_FILE={pod.trust / 'bundle.crt'}" in line


async def test_without_dns_of_its_own_it_says_what_to_set(pod: Pod, world: World, led: NameServer) -> None:
    async with pod.sidecar(SETTINGS[0], world.trusting):
        looped = await pod.curl(URL)
        assert looped.out.startswith("HTTP/1.1 502"), looped
        assert "upstream.resolver: dns" in looped.out


async def test_two_pods_have_nothing_to_do_with_each_other(pod: Pod, world: World, led: NameServer) -> None:
    """The second one trusts its own CA alone."""
    async with a_pod(pod.directory / "second") as second, pod.sidecar(*SETTINGS, world.trusting):
        assert (await second.agent("curl", "-sS", "-m", "5", f"http://{pod.inside}:443/")).code != 0
        assert (await second.agent("curl", "-sS", "-m", "5", f"http://{pod.inside}:15080/")).code != 0
        assert OURS in (await pod.curl(URL)).out
