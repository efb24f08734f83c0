"""With the egress lock the agent reaches nobody but through the sidecar; names are looked up as before."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator

import pytest

from sidecar.inject import InjectSettings, inject
from sidecar.inject.names import RULES_FILES
from tests.namespaces.capture import OURS, captured
from tests.namespaces.conftest import OTHER, PROVIDER, World, serving
from tests.namespaces.pod import ROOT, SIDECAR_UID, Pod
from tests.wire import answer, answering

LOCK = ROOT / "deploy/k8s/image/egress-lock.nft"
URL = f"https://{PROVIDER}/v1/models"
TALK = """
import json, socket, sys
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    sock.send(b"x")
    sock.recv(1)
    print(json.dumps("answered"))
except OSError as error:
    print(json.dumps(type(error).__name__))
"""


async def lock(pod: Pod, cluster4: str = "{ }", cluster6: str = "{ }") -> None:
    await pod.rules(LOCK, UID=str(SIDECAR_UID), CLUSTER4=cluster4, CLUSTER6=cluster6)


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


@contextlib.asynccontextmanager
async def echoing(address: str) -> AsyncIterator[str]:
    """A server of UDP. Yields its port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=(address, 0))
    try:
        yield str(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


async def lookup(pod: Pod) -> str:
    """What the agent is told of a name that is not in its hosts file."""
    return (await pod.agent("getent", "ahostsv4", OTHER)).out


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_what_the_sidecar_does_not_carry_is_refused_at_once(pod: Pod, world: World, mode: str) -> None:
    script = answering(answer(b"at another port"))
    async with (
        serving(script, pod.outside, 0) as port,
        serving(script, pod.outside6, 0) as port6,
        captured(mode, pod, world),
    ):
        doors = f"http://{OTHER}:{port}/", f"http://[{pod.outside6}]:{port6}/"
        for door in doors:
            assert "at another port" in (await pod.curl(door)).out, "nothing is locked yet"
        await lock(pod)
        # the kernel must find its neighbours anew
        await pod.done("ip", "neighbour", "flush", "dev", "eth0")
        for door in doors:
            began = time.monotonic()
            for user in (2000, 0):
                assert (await pod.curl(door, uid=user)).code == 7
            assert time.monotonic() - began < 5
            assert "at another port" in (await pod.curl(door, uid=SIDECAR_UID)).out, "the sidecar is free"
        for family in ("-4", "-6"):
            through = await pod.curl(URL, family)
            assert OURS in through.out, through
            assert "from the world" in through.out
        assert pod.outside in await lookup(pod)
        assert (await pod.curl(f"http://{pod.inside}:15089/readyz")).code == 0, "the pod's own address is no way out"


async def test_datagrams_are_refused_at_once(pod: Pod) -> None:
    async def talk(address: str, port: str) -> object:
        return json.loads((await pod.agent(sys.executable, "-c", TALK, address, port)).out)

    async with echoing(pod.outside) as port, echoing(pod.outside6) as port6:
        for address, at in ((pod.outside, port), (pod.outside6, port6)):
            assert await talk(address, at) == "answered"
        await lock(pod)
        for address, at in ((pod.outside, port), (pod.outside6, port6)):
            assert await talk(address, at) == "PermissionError"


async def test_networks_of_the_cluster_stay_open(pod: Pod, world: World) -> None:
    script = answering(answer(b"a database"))
    async with serving(script, pod.outside, 0) as port, serving(script, pod.outside6, 0) as port6:
        doors = f"http://{pod.outside}:{port}/", f"http://[{pod.outside6}]:{port6}/"
        await lock(pod, "{ 10.217.0.0/16, 10.217.0.0/17 }", "{ fd00:217::/32 }")
        for door in doors:
            assert "a database" in (await pod.curl(door)).out
        await lock(pod, "{ 10.218.0.0/16 }")
        for door in doors:
            assert (await pod.curl(door)).code == 7


async def test_who_calls_the_pod_is_answered(pod: Pod, world: World) -> None:
    """Kubelet's probes come from outside, and Prometheus."""
    async with captured("redirect", pod, world):
        await lock(pod)
        assert "sidecar_in_flight" in await pod.metrics()


async def test_the_lock_may_be_set_twice(pod: Pod) -> None:
    await lock(pod)
    once = await pod.done("nft", "-s", "list", "ruleset")
    await lock(pod)
    assert await pod.done("nft", "-s", "list", "ruleset") == once
    assert once.count("reject with tcp reset") == 1


async def test_rules_and_lock_are_set_as_the_injector_writes_them(pod: Pod, world: World) -> None:
    asked = {"agent-sidecar.io/mode": "redirect", "agent-sidecar.io/egress-lock": pod.outside6}
    agent = {"metadata": {"annotations": asked}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    done = inject(agent, InjectSettings(uid=SIDECAR_UID), namespace="voice", allowed="any")
    _, *rules = done.pod["spec"]["initContainers"]
    script = answering(answer(b"at another port"))
    async with (
        serving(script, pod.outside, 0) as port,
        serving(script, pod.outside6, 0) as port6,
        captured("redirect", pod, world),
    ):
        await pod.done("nft", "flush", "ruleset")
        for container in rules:
            await pod.done(*(word.replace(RULES_FILES, str(LOCK.parent)) for word in container["command"]))
        assert OURS in (await pod.curl(URL)).out
        assert (await pod.curl(f"http://{OTHER}:{port}/")).code == 7
        assert "at another port" in (await pod.curl(f"http://[{pod.outside6}]:{port6}/")).out
