"""Clients as agents have them, by the addresses that are written into them, and trusting by one variable each."""

import importlib.util
import shutil
import sys
from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.namespaces.capture import OURS, calls, captured
from tests.namespaces.conftest import DEEPGRAM, ELEVENLABS, PROVIDER, World
from tests.namespaces.pod import Pod
from tests.wire import answer

URL = f"https://{PROVIDER}/v1/chat/completions"
OPENAI = """
import openai
client = openai.OpenAI(api_key="k")
for _ in range(2):
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    print(answer.choices[0].message.content)
"""
DEEPGRAM_SDK = """
from deepgram import DeepgramClient
answer = DeepgramClient(api_key="k").listen.v1.media.transcribe_file(request=b"RIFF", model="nova-3")
print(answer.results.channels[0].alternatives[0].transcript)
"""
ELEVENLABS_SDK = """
from elevenlabs.client import ElevenLabs
print(b"".join(ElevenLabs(api_key="k").text_to_speech.convert("voice", text="hello")).decode())
"""
REQUESTS = f"""
import requests
answer = requests.post({URL!r}, json={{"model": "m", "messages": []}}, timeout=10)
print({OURS!r} in answer.headers, answer.json()["choices"][0]["message"]["content"])
"""
WEBSOCKETS = f"""
from websockets.sync.client import connect
with connect("wss://{PROVIDER}/v1/realtime?model=gpt-realtime") as socket:
    for message in ("hello", b"sound" * 20_000):
        socket.send(message)
        print(socket.recv() == message)
    print({OURS!r} in socket.response.headers)
"""
NODE = f"""
const answer = await fetch({URL!r}, {{method: "POST", body: JSON.stringify({{model: "m", messages: []}})}});
console.log(answer.headers.has({OURS!r}), (await answer.json()).choices[0].message.content);
"""
JAVA = """
import java.net.URI;
import java.net.http.*;

class Ask {
  public static void main(String[] arguments) throws Exception {
    var body = HttpRequest.BodyPublishers.ofString("{\\"model\\":\\"m\\",\\"messages\\":[]}");
    var request = HttpRequest.newBuilder(URI.create(arguments[0])).POST(body).build();
    var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    System.out.println(answer.headers().firstValue(arguments[1]).isPresent() + " " + answer.version());
    System.out.println(answer.body());
  }
}
"""


@pytest.fixture
def needed(skip_or_fail: Callable[[str], None]) -> Callable[[str], None]:
    """Skips without a program, or a module of Python."""

    def needed(name: str) -> None:
        if shutil.which(name) is None and importlib.util.find_spec(name) is None:
            skip_or_fail(f"there is no {name}")

    return needed


async def python(pod: Pod, script: str, variable: str) -> list[str]:
    """What *script* prints."""
    ran = await pod.agent(sys.executable, "-c", script, env=pod.trusting(variable))
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


async def test_openai(pod: Pod, world: World, needed: Callable[[str], None]) -> None:
    needed("openai")
    async with captured("redirect", pod, world):
        assert await python(pod, OPENAI, "SSL_CERT_FILE") == ["from the world"] * 2
        await calls(pod, 2, operation="chat", provider="openai", status="200")


async def test_deepgram(pod: Pod, world: World, needed: Callable[[str], None]) -> None:
    needed("deepgram")
    said = b'{"metadata":{},"results":{"channels":[{"alternatives":[{"transcript":"from the world"}]}]}}'
    world.answers[DEEPGRAM] = answer(said, "200 OK", "Content-Type: application/json")
    async with captured("redirect", pod, world):
        assert await python(pod, DEEPGRAM_SDK, "SSL_CERT_FILE") == ["from the world"]
        await calls(pod, operation="stt", provider="deepgram", status="200")


async def test_elevenlabs(pod: Pod, world: World, needed: Callable[[str], None]) -> None:
    needed("elevenlabs")
    world.answers[ELEVENLABS] = answer(b"from the world", "200 OK", "Content-Type: audio/mpeg")
    async with captured("hosts", pod, world):
        assert await python(pod, ELEVENLABS_SDK, "SSL_CERT_FILE") == ["from the world"]
        await calls(pod, operation="tts", provider="elevenlabs", status="200")


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_requests(pod: Pod, world: World, needed: Callable[[str], None], mode: str) -> None:
    needed("requests")
    async with captured(mode, pod, world):
        assert await python(pod, REQUESTS, "REQUESTS_CA_BUNDLE") == ["True from the world"]


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_a_websocket(pod: Pod, world: World, mode: str) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    address = await pod.another_outside()
    world.addresses[PROVIDER] = (address,)
    async with serve(echo, address, 443, ssl=world.context()), captured(mode, pod, world):
        assert await python(pod, WEBSOCKETS, "SSL_CERT_FILE") == ["True", "True", "True"]
        await calls(pod, operation="realtime", provider="openai", status="101")


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_curl_by_both_families(pod: Pod, world: World, mode: str) -> None:
    """It offers HTTP/2 as well, and takes what it gets."""
    async with captured(mode, pod, world):
        for family in ("-4", "-6"):
            options = ("-sSi", "-m", "10", family, "-d", '{"model":"m","messages":[]}')
            ran = await pod.agent("curl", *options, URL, env=pod.trusting("CURL_CA_BUNDLE"))
            assert ran.out.startswith("HTTP/1.1 200"), ran
            assert OURS in ran.out
            assert "from the world" in ran.out
        await calls(pod, 2, operation="chat", provider="openai", status="200")


async def test_node(pod: Pod, world: World, needed: Callable[[str], None]) -> None:
    needed("node")
    async with captured("redirect", pod, world):
        command = ("node", "--input-type=module", "-e", NODE)
        ran = await pod.agent(*command, env=pod.trusting("NODE_EXTRA_CA_CERTS"))
        assert ran.out.strip() == "true from the world", ran


async def test_java(pod: Pod, world: World, needed: Callable[[str], None]) -> None:
    for program in ("java", "javac"):  # what launches a source file compiles it
        needed(program)
    source = pod.directory / "Ask.java"
    source.write_text(JAVA)
    async with captured("redirect", pod, world):
        command = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", str(source), URL, OURS)
        ran = await pod.agent(*command, env=pod.trusting("JAVA_TOOL_OPTIONS"))
        assert ran.out.startswith("true HTTP_1_1\n"), ran
        assert "from the world" in ran.out
