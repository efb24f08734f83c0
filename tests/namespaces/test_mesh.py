"""In a pod that a service mesh has as well: the agent's call comes to the sidecar, and the sidecar's to the mesh."""

import contextlib
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable

import pytest

from tests.namespaces.capture import MODES, OURS, calls, led, named
from tests.namespaces.conftest import OTHER, PROVIDER, World
from tests.namespaces.pod import SIDECAR_UID, Pod, heard

MESH_UID, MESH_PORT = 1337, 15006
#: As Istio and Linkerd have them: everybody's calls but the mesh's own are led to it.
RULES = f"""
table inet mesh {{
  chain output {{
    type nat hook output priority -100;
    oifname "lo" return
    meta skuid {MESH_UID} return
    tcp dport 443 redirect to :{MESH_PORT}
  }}
}}
"""
IPTABLES = [
    "-t nat -A OUTPUT -o lo -j RETURN",
    f"-t nat -A OUTPUT -m owner --uid-owner {MESH_UID} -j RETURN",
    f"-t nat -A OUTPUT -p tcp --dport 443 -j REDIRECT --to-ports {MESH_PORT}",
]
RELAY = f"""
import asyncio, json, socket, struct

def dialled(sock):
    if sock.family == socket.AF_INET:
        port, address = struct.unpack_from("!2xH4s", sock.getsockopt(socket.SOL_IP, 80, 16))
    else:
        port, address = struct.unpack_from("!2xH4x16s", sock.getsockopt(socket.IPPROTO_IPV6, 80, 28))
    return socket.inet_ntop(sock.family, address), port

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()

async def relay(reader, writer):
    address, port = dialled(writer.get_extra_info("socket"))
    print(json.dumps({{"to": address, "port": port}}), flush=True)
    there, back = await asyncio.open_connection(address, port)
    await asyncio.gather(pump(reader, back), pump(there, writer))

async def main():
    for address in ("0.0.0.0", "::"):
        await asyncio.start_server(relay, address, {MESH_PORT})
    print(json.dumps({{"ready": True}}), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def meshed(pod: Pod, tool: str) -> AsyncIterator[Process]:
    """The mesh's proxy, and its rules, made with *tool*. It says where each of its connections wants to go."""
    async with pod.staying(sys.executable, "-c", RELAY, uid=MESH_UID) as relay:
        assert (await heard(relay))["ready"]
        if tool == "nft":
            await pod.done("nft", RULES)
        else:
            for program in ("iptables", "ip6tables"):
                for rule in IPTABLES:
                    await pod.done(program, *rule.split())
        yield relay


@pytest.mark.parametrize(("mode", "tool"), [("redirect", "nft"), ("redirect", "iptables"), ("hosts", "nft")])
async def test_the_agents_call_comes_to_the_sidecar_first_and_leaves_it_by_the_mesh(
    pod: Pod, world: World, skip_or_fail: Callable[[str], None], mode: str, tool: str
) -> None:
    if shutil.which(tool) is None:
        skip_or_fail(f"there is no {tool}")
    async with named(pod, world), meshed(pod, tool) as mesh:
        if mode == "hosts":
            await led(mode, pod)
        async with pod.sidecar(*MODES[mode], world.trusting):
            if mode == "redirect":  # the mesh's own connections are the end of the way, not its beginning
                await pod.redirect(users=f"{{ {SIDECAR_UID}, {MESH_UID} }}")
            through = await pod.curl(f"https://{PROVIDER}/v1/models")
            assert through.out.startswith("HTTP/1.1 200"), through
            assert OURS in through.out
            said = await heard(mesh)
            assert said["port"] == 443
            assert said["to"] in (pod.outside, pod.outside6)
            await calls(pod, provider="openai")
            assert world.asked == [f"{PROVIDER} GET /v1/models"]
            spliced = await pod.curl(f"https://{OTHER}/", "-4", "--cacert", str(world.file))
            assert "from the world" in spliced.out, spliced
            assert OURS not in spliced.out
            assert await heard(mesh) == {"to": pod.outside, "port": 443}
            await calls(pod, 1 if mode == "redirect" else 0, provider="other")
