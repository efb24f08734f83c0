"""How long emulated providers take."""

import asyncio
import random
import statistics

import aiohttp
import pytest

from sidecar.dialect import Operation
from sidecar.lab import Lab, ManualClock
from sidecar.lab.latency import REALISTIC, FirstByte, Latency, Pace, profile


def test_first_bytes_follow_the_line_and_the_jitter_asked_for():
    latency = Latency(
        Pace(first_byte={Operation.TTS: FirstByte(0.2, 0.01, jitter_seconds=0.1, jitter_sigma=0.5)}), random.Random(1)
    )
    short = [latency.first_byte_seconds(Operation.TTS, 0) for _ in range(4000)]
    long = [latency.first_byte_seconds(Operation.TTS, 100) for _ in range(4000)]
    assert statistics.median(short) == pytest.approx(0.3, rel=0.03)
    assert statistics.median(long) == pytest.approx(1.3, rel=0.03)
    assert min(short) >= 0.2
    quantiles = statistics.quantiles(short, n=20)
    assert quantiles[-1] - 0.2 == pytest.approx(0.1 * 2.276, rel=0.1), "the 95th percentile of a lognormal"


def test_the_same_seed_draws_the_same_times():
    def drawn() -> list[float]:
        latency = Latency(REALISTIC["openai"], random.Random("7 openai"))
        return [latency.first_byte_seconds(Operation.CHAT, 1) for _ in range(20)]

    assert drawn() == drawn()


def test_a_profile_can_be_made_slower_as_a_whole():
    normal, slow = profile("realistic")["cartesia"], profile("realistic:2")["cartesia"]
    assert slow.first_byte[Operation.TTS].fixed_seconds == 2 * normal.first_byte[Operation.TTS].fixed_seconds
    assert slow.tokens_per_second == normal.tokens_per_second / 2
    assert slow.audio_speed == normal.audio_speed / 2


def test_without_a_profile_nothing_takes_time():
    latency = Latency(Pace(), random.Random(1))
    assert latency.first_byte_seconds(Operation.STT, 60) == latency.audio_seconds(5) == latency.tokens_seconds(5) == 0


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="no latency profile"):
        profile("fast")


async def test_an_answer_waits_for_the_clock():
    clock = ManualClock()
    paces = {"openai": Pace(first_byte={Operation.CHAT: FirstByte(1.5)})}
    async with Lab("openai", latency=paces, clock=clock) as lab, aiohttp.ClientSession() as http:
        body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"Authorization": "Bearer k"}
        asking = asyncio.create_task(http.post(lab.url("openai") + "/v1/chat/completions", json=body, headers=headers))
        await clock.slept_on()
        clock.advance(1.4)
        assert not asking.done()
        clock.advance(0.2)
        assert (await asking).status == 200


async def test_audio_comes_at_the_pace_at_which_it_plays():
    clock = ManualClock()
    paces = {"openai": Pace(audio_speed=2.0)}
    async with Lab("openai", latency=paces, clock=clock) as lab, aiohttp.ClientSession() as http:
        body = {"model": "m", "voice": "v", "input": "Hello there.", "response_format": "pcm"}
        headers = {"Authorization": "Bearer k"}
        async with http.post(lab.url("openai") + "/v1/audio/speech", json=body, headers=headers) as answer:
            first = await answer.content.readany()
            assert len(first) == 9600, "200 ms at 24 kHz"
            await clock.slept_on()
            clock.advance(0.1)
            assert len(await answer.content.readany()) == 9600


async def test_a_socket_thinks_before_it_speaks():
    clock = ManualClock()
    paces = {"deepgram": Pace(first_byte={Operation.TTS: FirstByte(0.3)})}
    async with Lab("deepgram", latency=paces, clock=clock) as lab, aiohttp.ClientSession() as http:
        url, headers = lab.url("deepgram") + "/v1/speak?encoding=linear16", {"Authorization": "Token k"}
        async with http.ws_connect(url, headers=headers) as socket:
            await socket.receive()
            await socket.send_json({"type": "Speak", "text": "Hello."})
            await socket.send_json({"type": "Flush"})
            await clock.slept_on()
            clock.advance(0.3)
            assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY
