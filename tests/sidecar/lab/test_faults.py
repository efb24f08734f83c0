"""What goes wrong on demand, as it looks on the wire."""

import asyncio
import json
import random

import aiohttp
import pytest

from sidecar.lab import Lab
from sidecar.lab.faults import Fault, FaultPlan
from sidecar.lab.journal import Received

CHAT = json.dumps({"model": "gpt", "messages": [{"role": "user", "content": "What are your opening hours?"}]}).encode()
STREAM = CHAT[:-1] + b', "stream": true}'
CHAT_PATH = "/v1/chat/completions"


def chunks_of(data: bytes) -> tuple[bytes, bool]:
    """The payload of a chunked body, and whether it came to its end."""
    payload = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        if not size or (length := int(size, 16)) == 0:
            return payload, bool(size)
        payload += data[:length]
        if len(data) < length + 2:
            return payload, False
        data = data[length + 2 :]
    return payload, False


async def test_a_slow_answer_comes_after_the_time_asked_for(lab, http):
    lab.provider("openai").fail_next("slow:0.2")
    began = asyncio.get_running_loop().time()
    async with http.post(lab.url("openai") + CHAT_PATH, data=CHAT, headers={"Authorization": "Bearer k"}) as answer:
        assert answer.status == 200
    assert asyncio.get_running_loop().time() - began > 0.19


async def test_a_stalled_stream_says_something_and_then_nothing(lab, wire):
    lab.provider("openai").fail_next("stall")
    line = await wire("openai")
    await line.ask(CHAT_PATH, STREAM)
    assert b"200 OK" in await line.head()
    assert b"chat.completion.chunk" in await line.reader.read(200)
    with pytest.raises(TimeoutError):
        await line.rest(0.1)
    received = await lab.provider("openai").next_request()
    line.writer.close()
    assert (await received.finished()).cancelled


@pytest.mark.both_loops
@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "stream"])
async def test_a_cut_answer_ends_in_a_reset_after_its_beginning(lab, wire, body):
    line = await wire("openai")
    await line.ask(CHAT_PATH, body, "x-lab-fault: cut")
    assert b"200 OK" in await line.head()
    assert b"chat.completion" in await line.reader.read(100)
    with pytest.raises(ConnectionResetError):
        await line.rest()


@pytest.mark.both_loops
async def test_a_cut_over_tls_breaks_the_answer_off():
    async with Lab("openai", tls=True) as lab:
        connector = aiohttp.TCPConnector(ssl=lab.client_tls())
        async with aiohttp.ClientSession(connector=connector) as http:
            headers = {"Authorization": "Bearer k", "x-lab-fault": "cut:200"}
            answer = await http.post(lab.tls_url("openai") + CHAT_PATH, data=STREAM, headers=headers)
            with pytest.raises(aiohttp.ClientError):
                await answer.read()


async def test_a_closed_answer_ends_without_its_end(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, STREAM, "x-lab-fault: close:300")
    await line.head()
    payload, ended = chunks_of(await line.rest())
    assert (len(payload), ended) == (300, False)


async def test_a_short_answer_looks_whole(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: short:50")
    _, body = await line.answer()
    assert len(body) == 50
    await line.ask(CHAT_PATH, CHAT)
    _, body = await line.answer()
    assert json.loads(body)["choices"], "the connection goes on"


async def test_a_short_stream_ends_cleanly_without_its_last_events(lab, http):
    headers = {"Authorization": "Bearer k", "x-lab-fault": "short"}
    async with http.post(lab.url("openai") + CHAT_PATH, data=STREAM, headers=headers) as answer:
        text = await answer.text()
    assert "chat.completion.chunk" in text
    assert "[DONE]" not in text


async def test_a_malformed_event_stands_between_whole_ones(lab, http):
    headers = {"Authorization": "Bearer k", "x-lab-fault": "malformed-sse"}
    async with http.post(lab.url("openai") + CHAT_PATH, data=STREAM, headers=headers) as answer:
        events = [line[6:] for line in (await answer.text()).split("\n\n") if line]

    def whole(text: str) -> bool:
        try:
            json.loads(text)
        except ValueError:
            return False
        return True

    assert [whole(text) for text in events[:4]] == [True, False, True, True]
    assert events[-1] == "[DONE]"


async def test_a_malformed_head_is_no_http(lab, http):
    lab.provider("openai").fail_next("malformed-head")
    with pytest.raises(aiohttp.ClientResponseError):
        await http.post(lab.url("openai") + CHAT_PATH, data=CHAT)


async def test_a_silent_provider_takes_the_connection_and_never_answers(lab, wire):
    provider = lab.provider("openai")
    provider.fail_next("silent")
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT)
    received = await provider.next_request()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await line.reader.read(1)
    assert provider.open_connections == 1
    line.writer.close()
    assert (await received.finished()).cancelled


async def test_a_reset_comes_instead_of_an_answer(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: reset")
    with pytest.raises(ConnectionResetError):
        await line.rest()


async def test_a_length_too_long_leaves_the_client_waiting_until_the_connection_ends(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: length-long")
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await line.answer()
    assert json.loads(caught.value.partial)


async def test_a_length_too_short_leaves_bytes_after_the_answer(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: length-short")
    _, body = await line.answer()
    extra = await line.rest()
    assert json.loads(body + extra)
    assert len(extra) == 64


async def test_an_early_refusal_comes_while_the_upload_is_still_under_way(lab, wire):
    provider = lab.provider("openai")
    provider.fail_next("early:413")
    line = await wire("openai")
    line.writer.write(b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000000\r\n\r\nfirst")
    assert b"413" in (head := await line.head())
    assert b"Connection: close" in head
    received = await (await provider.next_request()).finished()
    assert received.body_bytes < 1000000


async def test_a_kept_connection_is_closed_although_keep_alive_was_promised(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: close-after")
    head, body = await line.answer()
    assert b"connection: close" not in head.lower()
    assert json.loads(body)["choices"]
    assert await line.rest() == b""


@pytest.mark.parametrize(("spec", "status"), [("informational", b"103"), ("informational:102", b"102")])
async def test_an_interim_answer_comes_before_the_real_one(lab, wire, spec, status):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, f"x-lab-fault: {spec}")
    assert (await line.head()).startswith(b"HTTP/1.1 " + status)
    head, body = await line.answer()
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(body)["choices"]


async def test_trailers_follow_a_chunked_answer_and_the_connection_goes_on(lab, wire):
    line = await wire("openai")
    await line.ask(CHAT_PATH, CHAT, "x-lab-fault: trailers")
    assert b"Trailer: X-Lab-Trailer" in await line.head()
    async with asyncio.timeout(5):
        assert (await line.reader.readuntil(b"X-Lab-Trailer: written\r\n\r\n")).count(b"\r\n0\r\n") == 1
    await line.ask(CHAT_PATH, CHAT)
    assert b"200 OK" in await line.head()


@pytest.mark.parametrize(
    ("spec", "retry_after"), [("rate", None), ("rate:2", "2"), ("concurrency:0.5", "0.5"), ("quota", None)]
)
async def test_a_refusal_tells_when_to_come_back_only_if_asked_to(lab, http, spec, retry_after):
    headers = {"Authorization": "Bearer k", "x-lab-fault": spec}
    async with http.post(lab.url("openai") + CHAT_PATH, data=CHAT, headers=headers) as answer:
        assert (answer.status, answer.headers.get("Retry-After")) == (429, retry_after)


async def test_the_next_requests_fail_and_those_after_them_do_not(lab, http):
    provider = lab.provider("openai")
    provider.fail_next("500", n=2)
    statuses = []
    for _ in range(3):
        async with http.get(lab.url("openai") + "/v1/models", headers={"Authorization": "Bearer k"}) as answer:
            statuses.append(answer.status)
    assert statuses == [500, 500, 200]
    assert [one.fault for one in provider.requests] == ["500", "500", ""]


async def test_requests_fail_by_what_stands_in_them(lab, http):
    lab.provider("openai").fail_if(lambda received: b"opening" in received.body, "overloaded")
    url, headers = lab.url("openai") + CHAT_PATH, {"Authorization": "Bearer k"}
    async with http.post(url, data=CHAT, headers=headers) as answer:
        assert answer.status == 503
    async with http.post(url, data=CHAT.replace(b"opening", b"closing"), headers=headers) as answer:
        assert answer.status == 200


async def test_a_fault_that_nobody_knows_is_said_to_be_unknown(lab, http):
    headers = {"Authorization": "Bearer k", "x-lab-fault": "flood"}
    async with http.get(lab.url("openai") + "/v1/models", headers=headers) as answer:
        assert answer.status == 400
        assert "no fault is called 'flood'" in await answer.text()


def test_faults_by_rate_are_drawn_from_a_seed():
    def drawn() -> list[bool]:
        plan = FaultPlan(random.Random(7))
        plan.fail_rate("429", 0.25)
        return [plan.at_head(Received("p", 1, "GET", "/", ())) is not None for _ in range(1000)]

    assert drawn() == drawn()
    assert 200 < sum(drawn()) < 300


@pytest.mark.parametrize("text", ["flood", "quota:1", "slow:soon", "4290", ""])
def test_what_is_no_fault_is_refused(text):
    with pytest.raises(ValueError, match=r"fault|argument"):
        Fault.parse(text)


@pytest.mark.parametrize(
    ("spec", "code"), [("short", 1000), ("close-code", 1011), ("close-code:1008", 1008), ("close", 1006)]
)
async def test_a_socket_ends_as_told_after_its_first_message(lab, http, spec, code):
    url = lab.url("openai") + "/v1/realtime?model=gpt-realtime"
    headers = {"Authorization": "Bearer k", "x-lab-fault": spec}
    async with http.ws_connect(url, headers=headers) as socket:
        assert (await socket.receive_json())["type"] == "session.created"
        await socket.send_json({"type": "session.update", "session": {}})
        message = await socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        assert socket.close_code == code


async def test_a_socket_is_reset_in_the_middle_of_its_talk(lab, http):
    headers = {"Authorization": "Bearer k", "x-lab-fault": "cut"}
    async with http.ws_connect(lab.url("openai") + "/v1/realtime", headers=headers) as socket:
        await socket.receive_json()
        await socket.send_json({"type": "session.update", "session": {}})
        message = await socket.receive(timeout=5)
        assert message.type in (aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


async def test_a_socket_is_refused_with_the_providers_own_answer(lab, http):
    headers = {"Authorization": "Bearer k", "x-lab-fault": "rate:3"}
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(lab.url("openai") + "/v1/realtime", headers=headers)
    assert caught.value.status == 429
    assert caught.value.headers["Retry-After"] == "3"
