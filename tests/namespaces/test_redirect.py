"""Mode redirect: what the pod dials is led to the sidecar by the kernel."""

import asyncio
import json
import sys
import time

import pytest

from tests.namespaces.conftest import OTHER, PROVIDER, World
from tests.namespaces.pod import AGENT_UID, Pod

LISTEN = "listen.transparent=['127.0.0.1:15001', '[::1]:15001']"
URL = f"https://{PROVIDER}/v1/models"
OURS = "x-sidecar-request-id"


@pytest.fixture
def outside(pod: Pod) -> Pod:
    """A pod that knows both names, by both families."""
    for name in (PROVIDER, OTHER):
        pod.hosts(f"{pod.outside} {name}", f"{pod.outside6} {name}")
    return pod


async def test_calls_to_providers_go_through_and_all_else_as_it_is(outside: Pod, world: World) -> None:
    pod = outside
    async with pod.sidecar(LISTEN, world.trusting):
        await pod.redirect()
        for family in ("-4", "-6"):
            ours = await pod.curl(URL, family)
            assert ours.out.startswith("HTTP/1.1 200"), ours
            assert OURS in ours.out, "the agent's call passed through the sidecar"
            theirs = await pod.curl(f"https://{OTHER}/", family, "--cacert", str(world.file))
            assert theirs.out.count("from the world") == 1, theirs
            assert OURS not in theirs.out
        literal = await pod.curl(f"https://{pod.outside}/", "-k")
        assert literal.out.count("from the world") == 1, literal
        assert OURS not in literal.out
        as_root = await pod.curl(URL, uid=0)
        assert OURS in as_root.out, "no user but the sidecar's own is exempt"


async def test_an_agent_in_python_knows_nothing_of_it(outside: Pod, world: World) -> None:
    pod = outside
    agent = (
        "import asyncio, aiohttp, json\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession() as session:\n"
        f"        async with session.get({URL!r}) as answer:\n"
        f"            print(json.dumps([answer.status, {OURS!r} in answer.headers]))\n"
        "asyncio.run(main())\n"
    )
    async with pod.sidecar(LISTEN, world.trusting):
        await pod.redirect()
        env = {"SSL_CERT_FILE": str(pod.trust / "bundle.crt")}
        ran = await pod.agent(sys.executable, "-c", agent, env=env)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out) == [200, True]


async def test_rules_without_a_sidecar_refuse_at_once(outside: Pod, world: World) -> None:
    pod = outside
    await pod.redirect()
    began = time.monotonic()
    refused = await pod.curl(URL)
    assert refused.code == 7, refused
    assert time.monotonic() - began < 5


async def test_the_rules_may_be_set_twice(outside: Pod) -> None:
    pod = outside
    await pod.redirect()
    once = await pod.done("nft", "list", "ruleset")
    await pod.redirect()
    assert await pod.done("nft", "list", "ruleset") == once
    assert once.count("redirect to :15001") == 1


async def test_http_3_is_refused_at_once(outside: Pod) -> None:
    pod = outside
    await pod.redirect()
    probe = (
        "import socket\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try:\n"
        f"    sock.sendto(b'x', ({pod.outside!r}, 443)); sock.settimeout(5); sock.connect(({pod.outside!r}, 443))\n"
        "    sock.send(b'x'); sock.recv(1)\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)\n"
    )
    ran = await pod.agent(sys.executable, "-c", probe)
    assert ran.out.strip() in ("PermissionError", "ConnectionRefusedError"), ran


async def test_a_sidecar_that_dies_is_back_before_an_agent_gives_up(outside: Pod, world: World) -> None:
    """The CA survives in its volume: who trusts it goes on."""
    pod = outside
    async with pod.sidecar(LISTEN, world.trusting) as first:
        await pod.redirect()
        before = (pod.trust / "ca.crt").read_bytes()
        assert OURS in (await pod.curl(URL)).out
        began = time.monotonic()
        first.kill()
        await first.wait()
    refused = await pod.curl(URL)
    assert refused.code == 7, "nothing passes by a sidecar that is not there"
    async with pod.sidecar(LISTEN, world.trusting):
        again = await pod.curl(URL)
        took = time.monotonic() - began
        assert OURS in again.out
        assert (pod.trust / "ca.crt").read_bytes() == before
        print(f"from SIGKILL to the next good call: {took:.2f} s")
        assert took < 10


async def test_connections_of_the_sidecars_own_user_are_not_redirected(outside: Pod, world: World) -> None:
    pod = outside
    async with pod.sidecar(LISTEN, world.trusting):
        await pod.redirect()
        straight = await pod.agent(
            "curl", "-sSi", "--cacert", str(world.file), URL, uid=64443, env={"SSL_CERT_FILE": "/nonexistent"}
        )
        assert straight.out.count("from the world") == 1, straight
        assert OURS not in straight.out


async def test_agents_run_side_by_side(outside: Pod, world: World) -> None:
    pod = outside
    async with pod.sidecar(LISTEN, world.trusting):
        await pod.redirect()
        answers = await asyncio.gather(*(pod.curl(URL, uid=AGENT_UID + number) for number in range(8)))
        assert all(OURS in each.out for each in answers)
