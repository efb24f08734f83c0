"""What providers answer, told to the agent as its own provider tells it; and what is no answer, or not all of one."""

import base64
import gzip
import json
import struct
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from sidecar import sse
from sidecar.body import Body, StreamedBody
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.lab.audio import wav
from sidecar.translation import Translated, Untranslatable, translate
from sidecar.translation.speech import asked, hearing, spoken, tell
from sidecar.translation.speech.hearing import Heard
from tests.translation.speaking import (
    Asking,
    assemblyai,
    azure,
    cartesia,
    eleven,
    exchange,
    google,
    mistral,
    openai,
    target,
    yandex,
)

SAMPLES = struct.pack("<8h", 0, 1, -1, 300, -300, 32767, -32768, 12345)
FLOATS = struct.pack("<8f", *(value / 32768 for value in struct.unpack("<8h", SAMPLES)))
WAV = wav.header("pcm_s16le", 24000, len(SAMPLES)) + SAMPLES
SPEECH, FORM = "/v1/audio/speech", {"Content-Type": "application/x-www-form-urlencoded"}
MP3 = b"ID3\4" + bytes(range(256))

OPENAI_PCM = Asking("openai", "", SPEECH, openai(response_format="pcm"))
OPENAI_WAV = Asking("openai", "", SPEECH, openai(response_format="wav"))
OPENAI_EVENTS = Asking("openai", "", SPEECH, openai(response_format="pcm", stream_format="sse"))
MISTRAL_EVENTS = Asking("mistral", "", SPEECH, mistral(response_format="pcm", stream=True))
MISTRAL_WAV = Asking("mistral", "", SPEECH, mistral(response_format="wav"))
GOOGLE_PCM = Asking("google_cloud", "", "/v1/text:synthesize", google(audioEncoding="PCM", sampleRateHertz=24000))


class Sent(Body):
    """A provider's answer on its way, which knows whether it was let go of."""

    def __init__(self, chunks: Iterable[bytes], error: Exception | None = None) -> None:
        async def flowing() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk
            if error is not None:
                raise error

        self._flow = StreamedBody(flowing())
        self.data = None
        self.closed = 0

    @property
    def length(self) -> int | None:
        return None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._flow)

    async def aclose(self) -> None:
        self.closed += 1
        await self._flow.aclose()


def response(body: Body | bytes | Iterable[bytes], content_type: str, **headers: str) -> Response:
    sent = Body(body) if isinstance(body, bytes) else body if isinstance(body, Body) else Sent(body)
    return Response(status=200, headers=Headers.of(content_type=content_type, **headers), body=sent, answered_by="x")


async def read(response: Response) -> bytes:
    found = b"".join([chunk async for chunk in response.body])
    await response.body.aclose()
    return found


def translated(asking: Asking, to: str, *may_lose: str, **fields: Any) -> Translated:
    return translate(asking.exchange(), target(to, *may_lose, **fields))


def event(data: Any, kind: str = "") -> bytes:
    return (f"event: {kind}\n" if kind else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def cuts(data: bytes) -> list[list[bytes]]:
    """At once, byte by byte, and cut in two at every place."""
    return [
        [data],
        [data[at : at + 1] for at in range(len(data))],
        *([data[:at], data[at:]] for at in range(1, len(data))),
    ]


DONE = {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}
OPENAI_STREAM = (
    event({"type": "speech.audio.delta", "audio": b64(SAMPLES[:5])})
    + b": a comment\n\n"
    + event({"type": "speech.audio.delta", "delta": b64(SAMPLES[5:])})
    + event(DONE)
)
MISTRAL_STREAM = (
    event({"type": "speech.audio.delta", "audio_data": b64(WAV[:50])}, "speech.audio.delta")
    + event({"type": "speech.audio.delta", "audio_data": b64(WAV[50:])}, "speech.audio.delta")
    + event({"type": "speech.audio.done", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}, "speech.audio.done")
)
CARTESIA_STREAM = (
    event({"type": "chunk", "data": b64(SAMPLES), "done": False, "status_code": 206, "step_time": 1.5}, "chunk")
    + event({"type": "timestamps", "word_timestamps": {}, "done": False}, "timestamps")
    + event({"type": "done", "done": True, "status_code": 200}, "done")
)
EVENT_STREAM = "text/event-stream; charset=utf-8"


# -- read, wherever the chunks are cut -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asking", "to", "stream", "content_type", "expected"),
    [
        (MISTRAL_EVENTS, "openai", OPENAI_STREAM, EVENT_STREAM, FLOATS),
        (OPENAI_EVENTS, "mistral", MISTRAL_STREAM, EVENT_STREAM, SAMPLES),
        (OPENAI_PCM, "mistral", MISTRAL_STREAM, EVENT_STREAM, SAMPLES),
        (OPENAI_EVENTS, "cartesia", CARTESIA_STREAM, EVENT_STREAM, SAMPLES),
        (OPENAI_PCM, "azure_speech", SAMPLES, "audio/basic", SAMPLES),
        (OPENAI_PCM, "elevenlabs", SAMPLES, "application/octet-stream", SAMPLES),
        (OPENAI_PCM, "groq", WAV, "audio/wav", SAMPLES),
        (OPENAI_PCM, "google_cloud", json.dumps({"audioContent": b64(SAMPLES)}).encode(), "application/json", SAMPLES),
        (GOOGLE_PCM, "mistral", json.dumps({"audio_data": b64(WAV)}).encode(), "application/json", SAMPLES),
    ],
)
async def test_an_answer_is_heard_wherever_its_chunks_are_cut(
    asking: Asking, to: str, stream: bytes, content_type: str, expected: bytes
) -> None:
    said = spoken(asked(asking.exchange()), target(to, "speed"))
    for chunks in cuts(stream):
        body = Sent(chunks)
        heard = await said.hear(response(body, content_type))
        assert b"".join([piece async for piece in heard.audio]) == expected
        await heard.audio.aclose()
        assert body.closed
        assert heard.answered_by == "x"


async def test_what_was_used_is_told_in_the_agents_words() -> None:
    answer = await translated(MISTRAL_EVENTS, "openai").answer(response([OPENAI_STREAM], EVENT_STREAM))
    events = sse.Reader().feed(await read(answer))
    assert json.loads(events[-1].data) == {
        "type": "speech.audio.done",
        "usage": {"prompt_tokens": 14, "completion_tokens": 101, "total_tokens": 115},
    }
    answer = await translated(OPENAI_EVENTS, "mistral").answer(response([MISTRAL_STREAM], EVENT_STREAM))
    (last,) = sse.Reader().feed((await read(answer)).split(b"\n\n")[-2] + b"\n\n")
    assert json.loads(last.data)["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    deepgram = Asking("deepgram", "", "/v1/speak?model=aura-2-zeus-en&encoding=linear16", b'{"text":"Hi."}')
    answer = await translated(deepgram, "elevenlabs").answer(response([SAMPLES], "audio/pcm", character_cost="21"))
    assert answer.headers.get("dg-char-count") == "21"
    assert answer.headers.get("dg-model-name") == "aura-2-zeus-en"
    await answer.body.aclose()


# -- told, in every manner -------------------------------------------------------------------------------------------

TOLD: list[tuple[Asking, str, str]] = [
    (OPENAI_PCM, "audio/pcm", "pcm"),
    (OPENAI_WAV, "audio/wav", "streamed wav"),
    (OPENAI_EVENTS, EVENT_STREAM, "audio"),
    (
        Asking("groq", "", "/openai/v1/audio/speech", openai(response_format="wav", sample_rate=24000)),
        "audio/wav",
        "streamed wav",
    ),
    (MISTRAL_WAV, "application/json", "audio_data"),
    (
        Asking(
            "azure_speech",
            "",
            "/cognitiveservices/v1",
            azure(),
            {"X-Microsoft-OutputFormat": "raw-24khz-16bit-mono-pcm"},
        ),
        "audio/basic",
        "pcm",
    ),
    (
        Asking(
            "azure_speech",
            "",
            "/cognitiveservices/v1",
            azure(),
            {"X-Microsoft-OutputFormat": "riff-24khz-16bit-mono-pcm"},
        ),
        "audio/wav",
        "wav",
    ),
    (Asking("elevenlabs", "", "/v1/text-to-speech/a/stream?output_format=pcm_24000", eleven()), "audio/pcm", "pcm"),
    (Asking("elevenlabs", "", "/v1/text-to-speech/a?output_format=wav_24000", eleven()), "audio/wav", "wav"),
    (
        Asking("elevenlabs", "", "/v1/text-to-speech/a/with-timestamps?output_format=pcm_24000", eleven()),
        "application/json",
        "audio_base64",
    ),
    (
        Asking("elevenlabs", "", "/v1/text-to-speech/a/stream/with-timestamps?output_format=pcm_24000", eleven()),
        "application/json",
        "lines",
    ),
    (GOOGLE_PCM, "application/json", "audioContent"),
    (
        Asking("cartesia", "", "/tts/bytes", cartesia(container="raw", encoding="pcm_s16le", sample_rate=24000)),
        "audio/pcm",
        "pcm",
    ),
    (
        Asking("cartesia", "", "/tts/sse", cartesia(container="raw", encoding="pcm_s16le", sample_rate=24000)),
        EVENT_STREAM,
        "data",
    ),
    (
        Asking("deepgram", "", "/v1/speak?model=m&encoding=linear16&container=none", b'{"text":"a"}'),
        "audio/l16;rate=24000;channels=1",
        "pcm",
    ),
    (Asking("assemblyai", "", "/v1/speech", assemblyai(stream=True)), "audio/pcm;rate=24000;channels=1", "pcm"),
    (Asking("assemblyai", "", "/v1/speech", assemblyai(container="wav")), "audio/wav", "wav"),
]


@pytest.mark.parametrize(("asking", "content_type", "how"), TOLD)
async def test_an_answer_is_told_as_the_agents_provider_tells_it(asking: Asking, content_type: str, how: str) -> None:
    to = "deepgram" if asking.dialect not in ("deepgram",) else "elevenlabs"
    body = Sent([SAMPLES[:3], SAMPLES[3:]])
    sent = translated(asking, to, "timestamps")
    wrapped = "container=wav" in sent.request.query
    if wrapped:
        body = Sent([wav.header("pcm_s16le", 24000), SAMPLES])
    answer = await sent.answer(response(body, "audio/wav" if wrapped else "audio/pcm", server="nginx"))
    assert answer.status == 200
    assert answer.headers.get("content-type") == content_type
    assert "server" not in answer.headers
    assert answer.answered_by == "x"
    data = await read(answer)
    if answer.body.data is not None:
        assert answer.headers.get("content-length") == str(len(data))
    else:
        assert answer.chunked
        assert "content-length" not in answer.headers
    assert audio_told(data, how) == SAMPLES
    assert body.closed


def audio_told(data: bytes, how: str) -> bytes:
    """The samples in an answer."""
    if how == "pcm":
        return data
    if how in ("wav", "streamed wav"):
        head = wav.header("pcm_s16le", 24000, len(SAMPLES) if how == "wav" else None)
        assert data.startswith(head)
        return data[len(head) :]
    if how == "lines":
        documents = [json.loads(line) for line in data.splitlines()]
        assert all(document["alignment"] is None for document in documents)
        return b"".join(base64.b64decode(document["audio_base64"]) for document in documents)
    if data.startswith(b"{"):
        audio = base64.b64decode(json.loads(data)[how])
        return audio_told(audio, "wav") if how == "audio_data" else audio
    events = sse.Reader().feed(data)
    documents = [json.loads(one.data) for one in events]
    if how == "data":  # the SDK wants the kind in both places
        assert [one.type for one in events] == [document["type"] for document in documents]
    return b"".join(base64.b64decode(document.get(how, "")) for document in documents)


async def test_each_event_has_whole_samples_and_is_not_too_large() -> None:
    """Clients take each event for itself."""
    audio = bytes(100_001 * 2)
    chunks = [audio[:50_001], *(audio[at : at + 7777] for at in range(50_001, len(audio), 7777))]
    answer = await translated(OPENAI_EVENTS, "azure_speech").answer(response(chunks, "audio/basic"))
    pieces = [
        base64.b64decode(document["audio"])
        for one in sse.Reader(1 << 22).feed(await read(answer))
        if "audio" in (document := json.loads(one.data))
    ]
    assert b"".join(pieces) == audio
    assert all(len(piece) % 2 == 0 and len(piece) <= 12 << 10 for piece in pieces)


async def test_what_the_agent_said_is_said_again_where_its_provider_does() -> None:
    body = json.loads(cartesia(container="raw", encoding="pcm_s16le", sample_rate=24000)) | {"context_id": "c-1"}
    asking = Asking("cartesia", "", "/tts/sse", json.dumps(body).encode())
    answer = await translated(asking, "elevenlabs").answer(response([SAMPLES], "audio/pcm"))
    documents = [json.loads(one.data) for one in sse.Reader().feed(await read(answer))]
    assert {document["context_id"] for document in documents} == {"c-1"}
    assert documents[-1]["done"] is True


async def test_a_head_cannot_be_broken_by_what_an_agent_called_its_model() -> None:
    body = assemblyai(model_id="a\r\nSet-Cookie: b", voice_id="голос")
    answer = await translated(Asking("assemblyai", "", "/v1/speech", body), "elevenlabs").answer(
        response([SAMPLES], "audio/pcm")
    )
    assert "x-tts-model" not in answer.headers
    assert "x-tts-voice-id" not in answer.headers
    assert answer.headers.get("x-tts-encoding") == "pcm_s16le"


async def test_nothing_is_said_before_there_is_something_to_say() -> None:
    """A WAV header goes out with the first samples, so that what never begins can still be had elsewhere."""
    answer = await translated(OPENAI_WAV, "azure_speech").answer(
        response(Sent([], UpstreamBroken("gone")), "audio/basic")
    )
    with pytest.raises(UpstreamBroken):
        await anext(aiter(answer.body))


# -- what is none, or not all ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "content_type", "body"),
    [
        ("elevenlabs", "application/json", b'{"detail": {"status": "quota_exceeded"}}'),
        ("elevenlabs", "text/html", b"<html>"),
        ("elevenlabs", "text/plain; charset=utf-8", b"no"),
        ("elevenlabs", "audio/pcm", b""),
        ("elevenlabs", "audio/mpeg", b"ID3 as always"),
        ("google_cloud", "application/json", b'{"error": {"code": 8}}'),
        ("google_cloud", "application/json", b'{"audioContent": null}'),
        ("google_cloud", "application/json", b"[]"),
        ("google_cloud", "application/json", b"nonsense"),
        ("openai", "application/json", b'{"error": {"message": "no"}}'),
    ],
)
async def test_what_is_no_audio_is_not_translated(to: str, content_type: str, body: bytes) -> None:
    asking = MISTRAL_EVENTS if to == "openai" else OPENAI_PCM
    flowing = Sent([body])
    for sent in (body, flowing) if body else (body,):
        with pytest.raises(Untranslatable) as refused:
            await translated(asking, to).answer(response(sent, content_type))
        assert "quota" not in str(refused.value)
    assert flowing.closed or not body


@pytest.mark.parametrize(
    ("asking", "to", "content_type", "chunks"),
    [
        (OPENAI_EVENTS, "mistral", EVENT_STREAM, [MISTRAL_STREAM[:-20]]),
        (OPENAI_EVENTS, "mistral", EVENT_STREAM, [MISTRAL_STREAM.partition(b"event: speech.audio.done")[0]]),
        (OPENAI_PCM, "mistral", EVENT_STREAM, [MISTRAL_STREAM.partition(b"event: speech.audio.done")[0]]),
        (OPENAI_EVENTS, "cartesia", EVENT_STREAM, [CARTESIA_STREAM.partition(b"event: done")[0]]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [OPENAI_STREAM.rpartition(b"data:")[0]]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"type": "error", "error": {"code": "x"}})]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"error": {"message": "secret"}})]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"type": "error", "message": "secret"}), OPENAI_STREAM]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"type": "speech.audio.delta", "audio": "AAA"}), event(DONE)]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"type": "speech.audio.delta", "audio": 7}), event(DONE)]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event({"type": "speech.audio.delta"}), event(DONE)]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [b"data: {\n\n"]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [b"data: []\n\n"]),
        (MISTRAL_EVENTS, "openai", EVENT_STREAM, [event(DONE)]),
        (OPENAI_EVENTS, "cartesia", EVENT_STREAM, [event({"type": "error", "message": "secret"}, "error")]),
        (OPENAI_EVENTS, "azure_speech", EVENT_STREAM, [OPENAI_STREAM]),
        (OPENAI_PCM, "azure_speech", "audio/basic", [SAMPLES[:-1]]),
        (OPENAI_PCM, "groq", "audio/wav", [WAV[:-2]]),
        (OPENAI_PCM, "groq", "audio/wav", [SAMPLES]),
        (OPENAI_PCM, "groq", "audio/wav", [wav.header("pcm_s16le", 48000) + SAMPLES]),
        (Asking("openai", "", SPEECH, openai(response_format="opus")), "elevenlabs", "audio/ogg", [MP3]),
        (Asking("openai", "", SPEECH, openai(response_format="opus")), "elevenlabs", "", [b'{"error": "no"}']),
    ],
)
async def test_what_is_cut_or_turns_out_to_be_something_else_breaks(
    asking: Asking, to: str, content_type: str, chunks: list[bytes]
) -> None:
    body = Sent(chunks)
    answer = await translated(asking, to, "speed").answer(response(body, content_type))
    with pytest.raises(UpstreamBroken) as broken:
        await read(answer)
    assert "secret" not in str(broken.value)
    await answer.body.aclose()
    assert body.closed


@pytest.mark.parametrize(
    ("asking", "to", "content_type", "chunks"),
    [
        (OPENAI_PCM, "google_cloud", "application/json", [b'{"audioContent": "AAAA']),
        (OPENAI_PCM, "google_cloud", "application/json", [b'{"audioContent": "AAA"}']),
        (OPENAI_PCM, "google_cloud", "application/json", [b'{"audioContent": "!!!!"}']),
        (GOOGLE_PCM, "azure_speech", "audio/basic", [SAMPLES[:-1]]),
        (MISTRAL_WAV, "groq", "audio/wav", [WAV[:-2]]),
    ],
)
async def test_what_has_to_be_whole_and_is_not_breaks_before_anything_is_said(
    asking: Asking, to: str, content_type: str, chunks: list[bytes]
) -> None:
    body = Sent(chunks)
    with pytest.raises(UpstreamBroken):
        await translated(asking, to, "speed").answer(response(body, content_type))
    assert body.closed


async def test_what_breaks_on_its_way_breaks_as_it_did() -> None:
    body = Sent([SAMPLES], UpstreamBroken("the provider closed the connection", begun=True))
    answer = await translated(OPENAI_PCM, "azure_speech").answer(response(body, "audio/basic"))
    with pytest.raises(UpstreamBroken, match="closed the connection"):
        await read(answer)


async def test_an_answer_that_must_be_whole_may_not_be_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "WHOLE_BYTES", 100)
    document = json.dumps({"audioContent": b64(bytes(100))}).encode()
    body = Sent([document[:60], document[60:]])
    with pytest.raises(Untranslatable, match="more than 100 bytes"):
        await translated(OPENAI_PCM, "google_cloud").answer(response(body, "application/json"))
    assert body.closed
    monkeypatch.setattr("sidecar.translation.speech.telling.WHOLE_BYTES", 100)
    body = Sent([bytes(60), bytes(60)])
    with pytest.raises(Untranslatable, match="more than 100 bytes"):
        await translated(GOOGLE_PCM, "azure_speech").answer(response(body, "audio/basic"))
    assert body.closed


async def test_a_content_coding_that_nobody_asked_for_is_undone() -> None:
    coded = gzip.compress(json.dumps({"audioContent": b64(SAMPLES)}).encode())
    made = translated(OPENAI_PCM, "google_cloud")
    answer = await made.answer(response([coded[:20], coded[20:]], "application/json", content_encoding="gzip"))
    assert await read(answer) == SAMPLES
    stream = gzip.compress(MISTRAL_STREAM)
    answer = await translated(OPENAI_PCM, "mistral").answer(response([stream], EVENT_STREAM, content_encoding="gzip"))
    assert await read(answer) == SAMPLES
    for coding, data in (("gzip", coded[:-9]), ("br", coded)):
        with pytest.raises(UpstreamBroken, match="coding"):
            await made.answer(response([data], "application/json", content_encoding=coding))


async def test_letting_go_of_an_answer_lets_go_of_the_providers() -> None:
    for begun in (False, True):
        body = Sent([SAMPLES] * 3)
        answer = await translated(OPENAI_EVENTS, "azure_speech").answer(response(body, "audio/basic"))
        if begun:
            await anext(aiter(answer.body))
        await answer.body.aclose()
        await answer.body.aclose()
        assert body.closed


async def test_the_same_dialect_is_answered_with_the_same_bytes() -> None:
    sent = response([OPENAI_STREAM], EVENT_STREAM)
    assert await translated(OPENAI_EVENTS, "azure_openai").answer(sent) is sent


async def test_two_providers_can_speak_one_answer() -> None:
    """What a layer does that goes on with another provider at the next sentence."""
    ask = asked(OPENAI_WAV.exchange())
    first = await spoken(ask, target("mistral")).hear(response([MISTRAL_STREAM], EVENT_STREAM))
    second = await spoken(ask, target("groq")).hear(response([WAV], "audio/wav"))

    async def both() -> AsyncIterator[bytes]:
        for heard in (first, second):
            async for piece in heard.audio:
                yield piece
            await heard.audio.aclose()

    answer = await tell(ask, Heard(StreamedBody(both()), answered_by="groq"))
    assert await read(answer) == wav.header("pcm_s16le", 24000) + SAMPLES + SAMPLES


async def test_what_the_agents_own_provider_says_can_be_heard_too() -> None:
    for asking, to, stream, kind in (
        (OPENAI_EVENTS, "openai", OPENAI_STREAM, EVENT_STREAM),
        (MISTRAL_WAV, "mistral", json.dumps({"audio_data": b64(WAV)}).encode(), "application/json"),
        (GOOGLE_PCM, "google_cloud", json.dumps({"audioContent": b64(SAMPLES)}).encode(), "application/json"),
        (
            Asking("yandex", "", "/speech/v1/tts:synthesize", yandex(format="lpcm"), FORM),
            "yandex",
            SAMPLES,
            "audio/x-pcm",
        ),
    ):
        heard = await spoken(asked(asking.exchange()), target(to)).hear(response([stream], kind))
        assert b"".join([piece async for piece in heard.audio]) == SAMPLES
    lines = b"".join(json.dumps({"audio_base64": b64(part)}).encode() + b"\n" for part in (SAMPLES[:4], SAMPLES[4:]))
    timed = exchange("elevenlabs", "/v1/text-to-speech/a/stream/with-timestamps?output_format=pcm_24000", eleven())
    heard = await spoken(asked(timed), target("elevenlabs")).hear(response([lines], "application/json"))
    assert b"".join([piece async for piece in heard.audio]) == SAMPLES
