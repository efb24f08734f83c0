"""What a lab remembers of what it received."""

import asyncio
import hashlib
import io
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from sidecar.lab import Frame, Lab
from sidecar.lab.audio.pcm import Pcm
from sidecar.lab.engines.chat import RuleChat
from sidecar.lab.engines.contract import Engines, Voice
from sidecar.lab.engines.echo import EchoRecognizer

AUTH = {"Authorization": "Bearer k"}


async def test_a_request_is_kept_as_it_came(lab, wire):
    line = await wire("openai")
    await line.ask("/v1/models?a=%20b&a=c", b"", "X-ODD-case:  two ", "x-odd-CASE: again", method="GET")
    await line.head()
    received = await lab.provider("openai").next_request()
    assert (received.method, received.target) == ("GET", "/v1/models?a=%20b&a=c")
    assert received.headers[-2:] == ((b"X-ODD-case", b"two"), (b"x-odd-CASE", b"again"))
    assert received.header("x-odd-case") == "two"
    assert not received.secure


async def test_a_body_can_be_watched_while_it_comes(lab, wire):
    line = await wire("openai")
    line.writer.write(
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer k\r\nContent-Length: 8\r\n\r\nabcd"
    )
    received = await lab.provider("openai").next_request()
    assert (await received.body_reached(4)).body == b"abcd"
    line.writer.write(b"efgh")
    assert (await received.body_whole()).body == b"abcdefgh"
    await received.finished()
    assert received.status == 400


async def test_big_bodies_are_kept_as_digest_and_length(lab, http):
    data = bytes(5 << 20)
    headers = {"Authorization": "Token k"}
    async with http.post(lab.url("deepgram") + "/v1/listen", data=io.BytesIO(data), headers=headers) as answer:
        await answer.read()
    received = await lab.provider("deepgram").next_request()
    assert (received.body_bytes, len(received.body)) == (5 << 20, 4 << 20)
    assert received.sha256 == hashlib.sha256(data).hexdigest()


async def test_connections_are_numbered_so_that_reuse_can_be_seen(lab, http):
    for _ in range(2):
        async with http.get(lab.url("groq") + "/openai/v1/models", headers=AUTH) as answer:
            await answer.read()
    async with aiohttp.ClientSession() as other, other.get(lab.url("groq") + "/openai/v1/models") as answer:
        assert answer.status == 401
    provider = lab.provider("groq")
    assert [one.connection for one in provider.requests] == [1, 1, 2]
    assert provider.connections == 2


async def test_a_connection_without_a_request_is_counted(lab, wire):
    await wire("mistral")
    provider = lab.provider("mistral")
    await provider.connections_reached(1)
    assert (provider.connections, provider.requests) == (1, [])


async def test_a_client_that_leaves_in_the_middle_of_an_answer_is_noticed(lab, http):
    provider = lab.provider("openai")
    provider.fail_next("stall")
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    async with http.post(lab.url("openai") + "/v1/chat/completions", json=body, headers=AUTH) as answer:
        await answer.content.readany()
        answer.close()
    received = await provider.next_request()
    assert (await received.finished()).cancelled


async def test_whole_answers_are_not_taken_for_cancelled_ones(lab, http):
    async with http.get(lab.url("openai") + "/v1/models", headers=AUTH) as answer:
        body = await answer.read()
    received = await (await lab.provider("openai").next_request()).finished()
    assert not received.cancelled
    assert (received.status, received.answer_bytes) == (200, len(body))


async def test_what_passes_over_a_socket_is_kept(lab, http):
    async with http.ws_connect(lab.url("openai") + "/v1/realtime", headers=AUTH) as socket:
        await socket.receive()
        await socket.send_str('{"type":"input_audio_buffer.clear"}')
        await socket.receive()
    received = await lab.provider("openai").next_request()
    assert await received.frames_reached(1) == [Frame("client", '{"type":"input_audio_buffer.clear"}')]
    assert len(await received.frames_reached(2, "server")) == 2
    assert received.status == 101


async def test_all_providers_together_keep_the_order_of_requests(lab, http):
    for name in ("groq", "openai", "groq"):
        await http.get(f"{lab.url(name)}/v1/models")
    assert [one.provider for one in lab.requests] == ["groq", "openai", "groq"]


async def test_who_expects_it_is_told_to_continue(lab, wire):
    line = await wire("azure-speech")
    line.writer.write(
        b"POST /speech/recognition/conversation/cognitiveservices/v1?language=en-US HTTP/1.1\r\nHost: l\r\n"
        b"Ocp-Apim-Subscription-Key: k\r\nContent-Type: audio/wav\r\nExpect: 100-continue\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    assert (await line.head()).startswith(b"HTTP/1.1 100 ")
    line.writer.write(b"4\r\nRIFF\r\n0\r\n\r\n")
    assert b"200 OK" in await line.head()


async def test_json_is_compressed_for_clients_that_take_it():
    async with Lab("openai", gzip_json=True) as lab, aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.get(lab.url("openai") + "/v1/models", headers=AUTH) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert (await answer.read())[:2] == b"\x1f\x8b"
        async with http.get(
            lab.url("openai") + "/v1/models", headers={**AUTH, "Accept-Encoding": "identity"}
        ) as answer:
            assert "Content-Encoding" not in answer.headers


async def test_two_labs_with_one_seed_say_the_same():
    async def identifiers() -> list[str]:
        async with Lab("openai", seed=3) as lab, aiohttp.ClientSession() as http:
            answers = [await http.get(lab.url("openai") + "/v1/models", headers=AUTH) for _ in range(3)]
            return [answer.headers["x-request-id"] for answer in answers]

    assert await identifiers() == await identifiers()


async def test_the_tls_port_is_good_for_the_real_host_names():
    async with Lab("openai", "elevenlabs", tls=True) as lab:
        context = lab.client_tls()
        for provider, host in (("openai", "api.openai.com"), ("elevenlabs", "api.eu.residency.elevenlabs.io")):
            port = int(lab.tls_url(provider).rpartition(":")[2])
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=host)
            writer.close()
            await writer.wait_closed()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http:
            answer = await http.get(lab.tls_url("openai") + "/v1/models", headers=AUTH)
            assert answer.status == 200
            await answer.read()
        received = await lab.provider("openai").next_request()
        assert received.secure
    assert b"BEGIN CERTIFICATE" in lab.ca_pem


async def test_a_lab_that_runs_for_long_can_keep_nothing():
    async with Lab("openai", recording=False) as lab, aiohttp.ClientSession() as http:
        await http.get(lab.url("openai") + "/v1/models")
        assert lab.requests == lab.provider("openai").requests == []
        assert lab.provider("openai").connections == 1


class Breaking:
    """Speaks one sentence, and then has to stop."""

    repeatable = False

    async def speak(self, text: str, voice: Voice, rate: int) -> AsyncGenerator[Pcm, None]:
        yield Pcm(bytes(9600), 24000)
        raise RuntimeError("out of breath")


async def test_an_engine_that_breaks_in_an_answer_breaks_it_off():
    engines = Engines(Breaking(), EchoRecognizer(), RuleChat())
    async with Lab("openai", engines=engines) as lab, aiohttp.ClientSession() as http:
        body = {"model": "m", "voice": "v", "input": "Hello.", "response_format": "pcm"}
        answer = await http.post(lab.url("openai") + "/v1/audio/speech", json=body, headers=AUTH)
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
        assert [str(failure) for failure in lab.failures] == ["out of breath"]
