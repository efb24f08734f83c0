"""Clients that speak HTTP/2 and nothing else, as those of gRPC: they meet the provider itself, and are counted."""

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from tests.namespaces.capture import calls, captured
from tests.namespaces.conftest import GOOGLE, World, serving
from tests.namespaces.pod import Pod
from tests.wire import Line

AGENT = f"""
import json, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.set_alpn_protocols(["h2"])
with context.wrap_socket(socket.create_connection(({GOOGLE!r}, 443)), server_hostname={GOOGLE!r}) as sock:
    sock.sendall(b"hello")
    said = [sock.selected_alpn_protocol(), sock.recv(5).decode(), dict(sock.getpeercert()["issuer"][0])["commonName"]]
print(json.dumps(said))
"""
GRPC = f"""
import grpc, sys
secure = grpc.ssl_channel_credentials(open(sys.argv[1], "rb").read())
with grpc.secure_channel("{GOOGLE}:443", secure) as channel:
    print(channel.unary_unary("/google.cloud.speech.v1.Speech/Recognize")(b"hello", timeout=10).decode())
"""


async def echo(line: Line) -> None:
    while data := await line.reader.read(65536):
        await line.send(data)


@contextlib.asynccontextmanager
async def recognizing(world: World, address: str) -> AsyncIterator[None]:
    """A real server of gRPC."""
    import grpc.aio

    async def recognize(request: bytes, context: object) -> bytes:
        return request + b" from the world"

    methods = {"Recognize": grpc.unary_unary_rpc_method_handler(recognize)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("google.cloud.speech.v1.Speech", methods),))
    chain = world.authority.chain([GOOGLE])
    server.add_secure_port(f"{address}:443", grpc.ssl_server_credentials([(chain, chain)]))
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_a_client_that_insists_on_http_2_meets_the_provider_itself(pod: Pod, world: World, mode: str) -> None:
    address = await pod.another_outside()
    world.addresses[GOOGLE] = (address,)
    async with serving(echo, address, context=world.context("h2")), captured(mode, pod, world):
        ran = await pod.agent(sys.executable, "-c", AGENT, str(world.file))
        assert ran.code == 0, ran.err
        assert json.loads(ran.out) == ["h2", "hello", "agent-sidecar lab"], "the certificate is the world's own"
        await calls(pod, operation="passthrough", provider="other", outcome="completed")


async def test_grpc(pod: Pod, world: World, skip_or_fail: Callable[[str], None]) -> None:
    try:
        import grpc  # noqa: F401
    except ImportError:
        skip_or_fail("there is no grpc")
    address = await pod.another_outside()
    world.addresses[GOOGLE] = (address,)
    async with recognizing(world, address), captured("redirect", pod, world):
        ran = await pod.agent(sys.executable, "-c", GRPC, str(world.file))
        assert ran.out.strip() == "hello from the world", ran.err
        await calls(pod, operation="passthrough", provider="other", outcome="completed")
