"""Streams on their way back: told as they come, and never as if they were whole when they are not."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from sidecar import sse
from sidecar.body import StreamedBody
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Response
from sidecar.translation import Translated, translate
from tests.translation import listening
from tests.translation.listening import Call, answer, plain, streamed, target, text_of


def events(*said: Mapping[str, Any], named: bool = False) -> bytes:
    return b"".join(sse.Event(json.dumps(one).encode(), one["type"] if named else "message").encode() for one in said)


DONE = {
    "type": "transcript.text.done",
    "text": "Are you open?",
    "usage": {"type": "tokens", "input_tokens": 3, "output_tokens": 2},
}
OF_OPENAI = events(
    {"type": "transcript.text.delta", "delta": "Are you"},
    {"type": "transcript.text.delta", "delta": " open?"},
    {"type": "brand.new"},
    DONE,
)
OF_MISTRAL = events(
    {"type": "transcription.language", "audio_language": "en"},
    {"type": "transcription.text.delta", "text": "Are you"},
    {"type": "transcription.text.delta", "text": " open?"},
    {"type": "transcription.segment", "text": "Are you open?", "start": 0.5, "end": 1.0, "speaker_id": "speaker_1"},
    {
        "type": "transcription.done",
        "model": "m",
        "text": "Are you open?",
        "language": "en",
        "usage": {"prompt_tokens": 3},
    },
    named=True,
)
#: A whole answer.
OF_DEEPGRAM = {
    "metadata": {"duration": 1.5},
    "results": {"channels": [{"alternatives": [{"transcript": "Are you", "confidence": 0.9}]}]},
}
STREAMING = ("model", "gpt-4o-transcribe"), ("stream", "true")
TO_MISTRAL = (listening.openai(*STREAMING), "mistral", {}, OF_MISTRAL)
TO_OPENAI = (listening.mistral(("stream", "true")), "openai", {"model": "gpt-4o-transcribe"}, OF_OPENAI)


async def read(response: Response) -> list[Any]:
    """The events of a stream, read to its end."""
    assert response.headers.get("content-type") == "text/event-stream"
    reader = sse.Reader()
    found = [event async for chunk in response.body for event in reader.feed(chunk)]
    assert reader.end() is None
    await response.body.aclose()
    for event in found:
        said = json.loads(event.data)
        assert event.type in ("message", said["type"])
    return [json.loads(event.data) for event in found]


def deltas(found: list[Any]) -> str:
    return "".join(one.get("delta") or one.get("text", "") for one in found if one["type"].endswith("delta"))


def made_of(case: tuple[Call, str, dict[str, Any], bytes]) -> Translated:
    return translate(case[0].exchange(), target(case[1], **case[2]))


async def test_mistrals_stream_becomes_openais() -> None:
    assert await read(await made_of(TO_MISTRAL).answer(streamed(OF_MISTRAL))) == [
        {"type": "transcript.text.delta", "delta": "Are you"},
        {"type": "transcript.text.delta", "delta": " open?"},
        {"type": "transcript.text.done", "text": "Are you open?", "usage": {"type": "duration", "seconds": 1}},
    ]


async def test_openais_stream_becomes_mistrals() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "prompt_audio_seconds": 1}
    assert await read(await made_of(TO_OPENAI).answer(streamed(OF_OPENAI))) == [
        {"type": "transcription.text.delta", "text": "Are you"},
        {"type": "transcription.text.delta", "text": " open?"},
        {
            "type": "transcription.done",
            "model": "voxtral-mini-latest",
            "text": "Are you open?",
            "language": None,
            "segments": [],
            "usage": usage,
        },
    ]


async def test_segments_and_speakers_flow_too() -> None:
    diarized = listening.openai(
        ("model", "gpt-4o-transcribe-diarize"), ("response_format", "diarized_json"), ("stream", "true")
    )
    found = await read(await translate(diarized.exchange(), target("mistral")).answer(streamed(OF_MISTRAL)))
    [segment] = [one for one in found if one["type"] == "transcript.text.segment"]
    assert segment == {
        "type": "transcript.text.segment",
        "id": "seg_000",
        "start": 0.5,
        "end": 1.0,
        "text": "Are you open?",
        "speaker": "A",
    }
    said = events({**segment, "speaker": "B"}, DONE)
    back = listening.mistral(("diarize", "true"), ("stream", "true"))
    made = translate(back.exchange(), target("openai", model="gpt-4o-transcribe-diarize"))
    found = await read(await made.answer(streamed(said)))
    [segment] = [one for one in found if one["type"] == "transcription.segment"]
    assert segment["speaker_id"] == "speaker_1"
    assert found[-1]["segments"] == [
        {"type": "transcription_segment", "text": "Are you open?", "start": 0.5, "end": 1.0, "speaker_id": "speaker_1"}
    ]


@pytest.mark.parametrize("case", [TO_MISTRAL, TO_OPENAI], ids=["mistral", "openai"])
async def test_what_is_said_is_told_at_once(case: tuple[Call, str, dict[str, Any], bytes]) -> None:
    came: list[bytes] = []

    async def flowing() -> AsyncIterator[bytes]:
        for event in case[3].split(b"\n\n")[:-1]:
            came.append(event)
            yield event + b"\n\n"
        raise AssertionError("the end of the connection is not waited for")

    response = await made_of(case).answer(streamed().with_body(StreamedBody(flowing())))
    assert came == [], "nothing is read that nobody asked for"
    chunks = aiter(response.body)
    assert b"Are you" in await anext(chunks)
    assert b"Are you" in came[-1]
    assert b" open?" in await anext(chunks)
    assert b" open?" in came[-1]
    assert b".done" in await anext(chunks)
    await response.body.aclose()


@pytest.mark.parametrize("case", [TO_MISTRAL, TO_OPENAI], ids=["mistral", "openai"])
async def test_a_stream_may_be_cut_into_chunks_anywhere(case: tuple[Call, str, dict[str, Any], bytes]) -> None:
    whole = case[3]
    expected = await read(await made_of(case).answer(streamed(whole)))
    for at in range(len(whole)):
        assert await read(await made_of(case).answer(streamed(whole[:at], whole[at:]))) == expected
    one_by_one = [whole[at : at + 1] for at in range(len(whole))]
    assert await read(await made_of(case).answer(streamed(*one_by_one))) == expected
    for tail in (b"data: [DONE]\n\n", b": comment\n\n", b"data: {\n\n", b"nonsense"):
        assert await read(await made_of(case).answer(streamed(whole, tail))) == expected
    assert await read(await made_of(case).answer(streamed(whole.replace(b"\n", b"\r\n")))) == expected
    assert await read(await made_of(case).answer(streamed(whole.removesuffix(b"\n\n")))) == expected


@pytest.mark.parametrize("case", [TO_MISTRAL, TO_OPENAI], ids=["mistral", "openai"])
async def test_a_stream_that_ends_before_its_last_event_is_broken(
    case: tuple[Call, str, dict[str, Any], bytes],
) -> None:
    whole = case[3]
    last = whole.rstrip(b"\n").rindex(b"}")
    for end in range(last):
        response = await made_of(case).answer(streamed(whole[:end]))
        with pytest.raises(UpstreamBroken) as failure:
            async for _ in response.body:
                pass
        assert failure.value.begun
        await response.body.aclose()


async def breaking(whole: bytes) -> AsyncIterator[bytes]:
    yield whole
    raise UpstreamBroken("the connection was reset", begun=True)


async def test_a_connection_that_breaks_after_the_last_word_broke_nothing() -> None:
    response = streamed().with_body(StreamedBody(breaking(OF_MISTRAL)))
    assert deltas(await read(await made_of(TO_MISTRAL).answer(response))) == "Are you open?"
    response = streamed().with_body(StreamedBody(breaking(OF_MISTRAL[:300])))
    flowing = await made_of(TO_MISTRAL).answer(response)
    with pytest.raises(UpstreamBroken, match="reset"):
        async for _ in flowing.body:
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "error", "error": {"message": "secret content"}},
        {"error": {"message": "secret content"}},
        {"type": "transcript.text.delta", "delta": 1},
        {"type": "transcription.text.delta", "text": 1},
        {"type": "transcript.text.done"},
        {"type": "transcription.done"},
    ],
)
@pytest.mark.parametrize("case", [TO_MISTRAL, TO_OPENAI], ids=["mistral", "openai"])
async def test_an_error_inside_of_a_stream_breaks_it(
    case: tuple[Call, str, dict[str, Any], bytes], wrong: dict[str, Any]
) -> None:
    response = await made_of(case).answer(streamed(events(wrong)))
    with pytest.raises(UpstreamBroken) as failure:
        async for _ in response.body:
            pass
    assert "secret" not in str(failure.value)


async def test_an_event_that_never_ends_breaks_the_stream() -> None:
    response = await made_of(TO_OPENAI).answer(streamed(b"data: ", *[b"x" * (1 << 20)] * 40))
    with pytest.raises(UpstreamBroken, match="larger"):
        async for _ in response.body:
            pass


async def test_what_comes_whole_is_one_delta_and_the_end() -> None:
    made = made_of(TO_MISTRAL)
    usage = {"usage": {"type": "duration", "seconds": 1}}
    done = {"type": "transcript.text.done", "text": "Are you open?", **usage}
    said = {"model": "m", "text": "Are you open?", "language": "en", "usage": {}}
    assert await read(await made.answer(answer(said))) == [
        {"type": "transcript.text.delta", "delta": "Are you open?"},
        done,
    ]
    assert await read(await made.answer(answer({**said, "text": ""}))) == [{**done, "text": ""}]
    whole = translate(listening.openai(*STREAMING, ("language", "en")).exchange(), target("deepgram"))
    assert deltas(await read(await whole.answer(answer(OF_DEEPGRAM)))) == "Are you"
    named = translate(listening.mistral(("stream", "true"), ("language", "de")).exchange(), target("deepgram"))
    found = await read(await named.answer(answer(OF_DEEPGRAM)))
    assert found[0] == {"type": "transcription.language", "audio_language": "de"}


async def test_a_stream_that_nobody_asked_for_is_gathered() -> None:
    made = translate(plain()["deepgram"].exchange(), target("mistral"))
    given_back = await made.answer(streamed(OF_MISTRAL))
    assert text_of("deepgram", json.loads(given_back.body.data or b"")) == "are you open"
    with pytest.raises(UpstreamBroken):
        await made.answer(streamed(OF_MISTRAL[:200]))


async def test_a_coded_stream_is_undone_when_it_is_whole() -> None:
    packed = gzip.compress(OF_MISTRAL)
    coded = streamed(packed[:50], packed[50:], **{"content-encoding": "gzip"})
    assert deltas(await read(await made_of(TO_MISTRAL).answer(coded))) == "Are you open?"
    cut = await made_of(TO_MISTRAL).answer(streamed(packed[:-12], **{"content-encoding": "gzip"}))
    with pytest.raises(UpstreamBroken):
        async for _ in cut.body:
            pass
    said = gzip.compress(json.dumps({"text": "Are you open?"}).encode())
    made = translate(plain()["deepgram"].exchange(), target("openai"))
    given_back = await made.answer(answer(said, **{"content-encoding": "gzip"}))
    assert text_of("deepgram", json.loads(given_back.body.data or b"")) == "are you open"


class Watched(StreamedBody):
    """Says whether anybody closed it."""

    closed = False

    async def aclose(self) -> None:
        type(self).closed = True
        await super().aclose()


@pytest.mark.parametrize("case", [TO_MISTRAL, (plain()["deepgram"], "mistral", {}, b"")], ids=["streamed", "whole"])
async def test_whoever_lets_go_of_an_answer_lets_go_of_the_provider(
    case: tuple[Call, str, dict[str, Any], bytes],
) -> None:
    class Mine(Watched):
        pass

    async def flowing() -> AsyncIterator[bytes]:
        yield OF_MISTRAL

    response = streamed().with_body(Mine(flowing()))
    given_back = await made_of(case).answer(response)
    await given_back.body.aclose()
    assert Mine.closed
