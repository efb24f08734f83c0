"""A sidecar that is killed in the middle of its work, and an agent that lives on."""

import sys
import time

import pytest

from tests.namespaces.capture import MODES, OURS, captured
from tests.namespaces.conftest import CHAT, PROVIDER, World, serving
from tests.namespaces.pod import Pod, heard
from tests.wire import Line

#: How the provider frames an answer that it has begun and not ended.
FRAMINGS = {
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n",
    "length": b"Content-Length: 10000\r\n\r\nbegun",
    "close": b"Connection: close\r\n\r\nbegun",
}
AGENT = f"""
import asyncio, json, sys, time
import aiohttp

URL = "https://{PROVIDER}/v1/"

def say(**what):
    print(json.dumps({{"at": time.monotonic(), **what}}), flush=True)

async def listen(session, framing):
    try:
        async with session.post(URL + "audio/speech?framing=" + framing, json={{}}) as answer:
            say(framing=framing, got=(await answer.content.readexactly(5)).decode(), ours={OURS!r} in answer.headers)
            rest = await answer.read()
            say(framing=framing, whole=True, rest=rest.decode())
    except aiohttp.ClientError as error:
        say(framing=framing, whole=False, error=type(error).__name__)

async def ask(session):
    try:
        async with session.post(URL + "chat/completions", json={{}}) as answer:
            say(ok="from the world" in await answer.text(), ours={OURS!r} in answer.headers)
    except aiohttp.ClientError as error:
        say(ok=False, error=type(error).__name__)

async def main():
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(listen(session, framing) for framing in sys.argv[1:]))
        while True:
            await ask(session)
            await asyncio.sleep(0.02)

asyncio.run(main())
"""


async def halfway(line: Line) -> None:
    """Begins to speak and goes on for ever; chats."""
    while True:
        head, _ = await line.request()
        if b"framing=" not in head:
            await line.send(CHAT)
            continue
        framing = head.partition(b"framing=")[2].split()[0].decode()
        await line.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\n" + FRAMINGS[framing])
        return await line.gone()


@pytest.mark.parametrize("mode", ["hosts", "redirect"])
async def test_kill_9_in_the_middle_of_answers_is_an_error_and_the_agent_goes_on_with_the_next_sidecar(
    pod: Pod, world: World, mode: str
) -> None:
    address = await pod.another_outside()
    world.addresses[PROVIDER] = (address,)
    env = pod.trusting("SSL_CERT_FILE")
    async with (
        serving(halfway, address, context=world.context()),
        captured(mode, pod, world) as first,
        pod.staying(sys.executable, "-c", AGENT, *FRAMINGS, env=env) as agent,
    ):
        begun = {said.pop("framing"): said for said in [await heard(agent) for _ in FRAMINGS]}
        assert set(begun) == set(FRAMINGS)
        assert all(said["got"] == "begun" and said["ours"] for said in begun.values())
        killed = time.monotonic()
        first.kill()
        ended = {said.pop("framing"): said for said in [await heard(agent) for _ in FRAMINGS]}
        assert set(ended) == set(FRAMINGS)
        assert not any(said["whole"] for said in ended.values()), ended
        await first.wait()
        async with pod.sidecar(*MODES[mode], world.trusting):
            said = await heard(agent)
            while not said["ok"]:
                assert said["error"] == "ClientConnectorError", said
                said = await heard(agent)
            assert said["ours"], "the agent trusts the CA that it knows"
            took = said["at"] - killed
        print(f"{mode}: from SIGKILL to the next good call {took:.2f} s")
        assert took < 10
