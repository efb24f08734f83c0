"""The emulated speech services over sockets."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from sidecar.lab.audio.pcm import Pcm, joined, silence
from sidecar.lab.audio.samples import to_mulaw
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import EchoRecognizer, EchoSynthesizer

FIRST, SECOND = "Hello over there.", "How are you?"


@pytest.fixture
async def talk() -> bytes:
    """FIRST, a second of silence, SECOND, and silence: 16-bit samples at 16 kHz."""
    pieces = []
    for text in (FIRST, SECOND):
        pieces += [piece async for piece in EchoSynthesizer().speak(text, Voice("v"), 16000)]
        pieces.append(silence(1.2, 16000))
    return joined(pieces).samples


@pytest.fixture
def connect(lab, http):
    @asynccontextmanager
    async def opened(provider: str, target: str, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with http.ws_connect(lab.url(provider) + target, headers=headers) as socket:
            yield socket

    return opened


async def sent(socket: aiohttp.ClientWebSocketResponse, data: bytes, step: int = 3200) -> None:
    for start in range(0, len(data), step):
        await socket.send_bytes(data[start : start + step])


async def rest(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, object]]:
    """All JSON messages until the other side closes."""
    return [json.loads(message.data) async for message in socket if message.type is aiohttp.WSMsgType.TEXT]


async def heard(samples: bytes, rate: int = 16000) -> str:
    return (await EchoRecognizer().transcribe(Pcm(samples, rate))).text


async def test_deepgram_hears_each_utterance_while_it_is_spoken(connect, talk):
    query = (
        "encoding=linear16&sample_rate=16000&interim_results=true&punctuate=true&vad_events=true&utterance_end_ms=1000"
    )
    async with connect("deepgram", f"/v1/listen?{query}", Authorization="Token k") as socket:
        await sent(socket, talk)
        await socket.send_json({"type": "KeepAlive"})
        await socket.send_json({"type": "CloseStream"})
        messages = await rest(socket)
    results = [one for one in messages if one["type"] == "Results"]
    finals = [one["channel"]["alternatives"][0]["transcript"] for one in results if one["is_final"]]
    assert finals == [FIRST, SECOND]
    interims = [one["channel"]["alternatives"][0]["transcript"] for one in results if not one["is_final"]]
    assert len(interims) > 2
    assert all(text in FIRST or text in SECOND for text in interims)
    assert results[-1]["start"] > 2
    kinds = [one["type"] for one in messages]
    assert kinds[-1] == "Metadata"
    assert {"SpeechStarted", "UtteranceEnd"} < set(kinds)


async def test_deepgram_finalizes_on_demand(connect, talk):
    async with connect("deepgram", "/v1/listen?encoding=mulaw&sample_rate=16000", Authorization="Token k") as socket:
        await sent(socket, to_mulaw(Pcm(talk[:40000], 16000)))
        await socket.send_json({"type": "Finalize"})
        result = await socket.receive_json(timeout=5)
        assert result["from_finalize"]
        assert result["channel"]["alternatives"][0]["transcript"].startswith("hello over")


async def test_deepgram_reads_containers_too(connect, talk):
    from sidecar.lab.audio import formats
    from sidecar.lab.audio.encode import encoded

    ogg = encoded([Pcm(talk, 16000)], formats.opus(16000, 24_000))
    async with connect("deepgram", "/v1/listen?punctuate=true", Authorization="Token k") as socket:
        await sent(socket, ogg, 1000)
        await socket.send_json({"type": "CloseStream"})
        finals = [one["channel"]["alternatives"][0]["transcript"] for one in (await rest(socket))[:-1]]
    assert " ".join(finals) == f"{FIRST} {SECOND}"


async def test_deepgram_takes_a_key_from_a_browser(http, lab):
    url = lab.url("deepgram") + "/v1/listen?encoding=linear16&sample_rate=16000"
    async with http.ws_connect(url, protocols=("token", "k")) as socket:
        assert socket.protocol == "token"


async def test_flux_tells_the_story_of_each_turn(connect, talk):
    query = "model=flux-general-en&encoding=linear16&sample_rate=16000&eager_eot_threshold=0.4"
    async with connect("deepgram", f"/v2/listen?{query}", Authorization="Token k") as socket:
        await sent(socket, talk)
        await socket.send_json({"type": "CloseStream"})
        messages = await rest(socket)
    assert [one["sequence_id"] for one in messages] == list(range(len(messages)))
    ends = [one for one in messages if one.get("event") == "EndOfTurn"]
    assert [(one["turn_index"], one["transcript"]) for one in ends] == [(0, FIRST), (1, SECOND)]
    events = [one["event"] for one in messages[1:] if one["turn_index"] == 0]
    assert (events[0], events[-2:]) == ("StartOfTurn", ["EagerEndOfTurn", "EndOfTurn"])


async def test_deepgram_speaks_what_is_flushed(connect):
    query = "model=aura-2&encoding=linear16&sample_rate=16000"
    async with connect("deepgram", f"/v1/speak?{query}", Authorization="Token k") as socket:
        assert (await socket.receive_json(timeout=5))["type"] == "Metadata"
        await socket.send_json({"type": "Speak", "text": FIRST})
        await socket.send_json({"type": "Flush"})
        audio = b""
        while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            audio += message.data
        assert json.loads(message.data) == {"type": "Flushed", "sequence_id": 0}
        assert await heard(audio) == FIRST
        await socket.send_json({"type": "Clear"})
        assert (await socket.receive_json(timeout=5))["type"] == "Cleared"
        await socket.send_json({"type": "Close"})
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1000


async def test_elevenlabs_speaks_while_text_comes_in(connect):
    path = "/v1/text-to-speech/v/stream-input?model_id=m&output_format=pcm_16000"
    async with connect("elevenlabs", path) as socket:
        await socket.send_json({"text": " ", "xi_api_key": "k", "generation_config": {"chunk_length_schedule": [50]}})
        await socket.send_json({"text": FIRST + " ", "flush": True})
        first = await socket.receive_json(timeout=5)
        assert first["alignment"]["chars"][:2] == [" ", "H"]
        await socket.send_json({"text": SECOND})
        await socket.send_json({"text": ""})
        messages = [first, *await rest(socket)]
    assert messages[-1] == {"isFinal": True}
    assert await heard(b"".join(base64.b64decode(one["audio"]) for one in messages[:-1])) == f"{FIRST} {SECOND}"


async def test_elevenlabs_closes_on_who_brings_no_key(connect):
    async with connect("elevenlabs", "/v1/text-to-speech/v/stream-input") as socket:
        await socket.send_json({"text": " "})
        assert "xi-api-key" in (await socket.receive_json(timeout=5))["message"]
        await socket.receive(timeout=5)
        assert socket.close_code == 1008


async def test_elevenlabs_speaks_in_many_contexts(connect):
    path = "/v1/text-to-speech/v/multi-stream-input?output_format=pcm_16000"
    async with connect("elevenlabs", path, **{"xi-api-key": "k"}) as socket:
        for name, text in (("a", FIRST), ("b", SECOND)):
            await socket.send_json({"text": text, "context_id": name, "flush": True})
        await socket.send_json({"context_id": "a", "close_context": True})
        await socket.send_json({"close_socket": True})
        messages = await rest(socket)
    for name, text in (("a", FIRST), ("b", SECOND)):
        own = [one for one in messages if one["contextId"] == name]
        assert own[-1]["isFinal"] is True
        assert await heard(b"".join(base64.b64decode(one["audio"]) for one in own[:-1])) == text


@pytest.mark.parametrize("strategy", ["manual", "vad"])
async def test_elevenlabs_commits_by_hand_or_by_pauses(connect, talk, strategy):
    query = f"model_id=scribe_v2&audio_format=pcm_16000&commit_strategy={strategy}&vad_silence_threshold_secs=0.6"
    path = f"/v1/speech-to-text/realtime?{query}&include_timestamps=true"
    async with connect("elevenlabs", path, **{"xi-api-key": "k"}) as socket:
        assert (await socket.receive_json(timeout=5))["message_type"] == "session_started"
        for start in range(0, len(talk), 16000):
            audio = base64.b64encode(talk[start : start + 16000]).decode()
            await socket.send_json({"message_type": "input_audio_chunk", "audio_base_64": audio, "commit": False})
        if strategy == "manual":
            await socket.send_json({"message_type": "input_audio_chunk", "audio_base_64": "", "commit": True})
        expected = 1 if strategy == "manual" else 2
        committed = []
        while len(committed) < expected:
            message = await socket.receive_json(timeout=5)
            if message["message_type"] == "committed_transcript_with_timestamps":
                committed.append(message["text"])
        assert committed == ([f"{FIRST} {SECOND}"] if strategy == "manual" else [FIRST, SECOND])
        await socket.send_json({"message_type": "nonsense"})
        assert (await socket.receive_json(timeout=5))["message_type"] == "input_error"


CARTESIA = "cartesia_version=2026-08-14&api_key=k"


async def test_cartesia_streams_text_into_contexts(connect):
    body = {
        "model_id": "sonic",
        "voice": {"mode": "id", "id": "v"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000},
        "add_timestamps": True,
    }
    async with connect("cartesia", f"/tts/websocket?{CARTESIA}") as socket:
        await socket.send_json({**body, "context_id": "a", "transcript": f"{FIRST} ", "continue": True, "flush": True})
        await socket.send_json({**body, "context_id": "b", "transcript": SECOND, "continue": False})
        await socket.send_json({**body, "context_id": "a", "transcript": SECOND, "continue": False})
        messages = []
        while sum(one["type"] == "done" for one in messages) < 2:
            messages.append(await socket.receive_json(timeout=5))
        for name, text in (("a", f"{FIRST} {SECOND}"), ("b", SECOND)):
            own = [one for one in messages if one["context_id"] == name]
            audio = b"".join(base64.b64decode(one["data"]) for one in own if one["type"] == "chunk")
            assert await heard(audio) == text
            assert (own[-1]["type"], own[-1]["done"]) == ("done", True)
        assert sum(one["type"] == "flush_done" for one in messages) == 1
        await socket.send_json({"context_id": "c", "transcript": "x"})
        error = await socket.receive_json(timeout=5)
        assert (error["type"], error["context_id"], error["status_code"]) == ("error", "c", 400)


async def test_cartesia_stops_a_context_that_is_cancelled(connect):
    body = {
        "voice": "v",
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000},
    }
    async with connect("cartesia", f"/tts/websocket?{CARTESIA}") as socket:
        await socket.send_json({**body, "context_id": "a", "transcript": FIRST, "continue": True})
        assert (await socket.receive_json(timeout=5))["type"] == "chunk"
        await socket.send_json({"context_id": "a", "cancel": True})
        await socket.send_json({**body, "context_id": "b", "transcript": "", "continue": False})
        kinds = []
        while not kinds or kinds[-1] != ("b", "done"):
            message = await socket.receive_json(timeout=5)
            kinds.append((message["context_id"], message["type"]))
        assert ("a", "done") not in kinds


async def test_cartesia_transcribes_until_told_to_close(connect, talk):
    query = f"{CARTESIA}&model=ink-2&encoding=pcm_s16le&sample_rate=16000&max_silence_duration_secs=0.5"
    async with connect("cartesia", f"/stt/websocket?{query}") as socket:
        await sent(socket, talk)
        await socket.send_str("done")
        messages = await rest(socket)
    assert [one["text"] for one in messages if one.get("is_final")] == [FIRST, SECOND]
    assert [one["type"] for one in messages[-2:]] == ["flush_done", "done"]


async def test_cartesia_tells_turns(connect, talk):
    query = f"{CARTESIA}&model=ink-2&encoding=pcm_s16le&sample_rate=16000"
    async with connect("cartesia", f"/stt/turns/websocket?{query}") as socket:
        await sent(socket, talk)
        await socket.send_json({"type": "close"})
        messages = await rest(socket)
    assert messages[0]["type"] == "connected"
    assert [one["transcript"] for one in messages if one["type"] == "turn.end"] == [FIRST, SECOND]


async def test_assemblyai_sends_turns(connect, talk):
    async with connect("assemblyai", "/v3/ws?sample_rate=16000&speech_model=u3", Authorization="k") as socket:
        await sent(socket, talk)
        await socket.send_json({"type": "Terminate"})
        messages = await rest(socket)
    assert (messages[0]["type"], messages[-1]["type"]) == ("Begin", "Termination")
    ends = [(one["turn_order"], one["transcript"]) for one in messages if one.get("end_of_turn")]
    assert ends == [(0, FIRST), (1, SECOND)]
    partial = next(one for one in messages if one["type"] == "Turn" and not one["end_of_turn"])
    assert not partial["words"][0]["word_is_final"]


async def test_assemblyai_speaks_what_is_flushed(connect):
    async with connect("assemblyai", "/v1/ws?sample_rate=16000", Authorization="k") as socket:
        for message in ({"type": "Generate", "text": FIRST}, {"type": "Flush"}, {"type": "Terminate"}):
            await socket.send_json(message)
        messages = await rest(socket)
    audio = b"".join(base64.b64decode(one["audio"]) for one in messages if one["type"] == "Audio")
    assert await heard(audio) == FIRST
    assert messages[-2] == {"type": "FlushDone", "flush_id": 0, "audio_duration_ms": round(len(audio) / 32)}
    assert messages[-1]["total_input_char_length"] == len(FIRST)


async def test_a_message_that_is_no_json_closes_the_socket(connect):
    async with connect("deepgram", "/v1/listen?encoding=linear16", Authorization="Token k") as socket:
        await socket.send_str("hello?")
        await socket.receive(timeout=5)
        assert socket.close_code == 1008
