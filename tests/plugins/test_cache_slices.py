"""Long answers are judged and kept a slice at a time: nothing else in the process waits for all of it."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sidecar_cache import Cache
from sidecar_cache.audio import sound_of
from sidecar_cache.fitness import judged
from sidecar_cache.fitness.documents import Unfit, each_event
from sidecar_cache.slices import Slices, in_turns, whole

from sidecar import Exchange
from sidecar.lab.audio import formats
from sidecar.lab.audio.encode import encoded
from sidecar.lab.audio.pcm import silence
from sidecar.testing import Stage, answer, call, configured

SSE = "text/event-stream"


def slices(work: Slices[Any]) -> int:
    """How many it takes."""
    return sum(1 for _ in work) + 1


def stream(count: int, make: Callable[[int], Any], *end: Any) -> list[bytes]:
    events = [*map(make, range(count)), *end]
    return [b"data: %b\n\n" % (each if isinstance(each, bytes) else json.dumps(each).encode()) for each in events]


def words(count: int) -> list[bytes]:
    def chunk(delta: Any, finish: Any = None) -> Any:
        return {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    return stream(count, lambda number: chunk({"content": f"{number} "}), chunk({}, "stop"), b"[DONE]")


def chat(content: str = "hello") -> Exchange:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}], "stream": True}
    return call("openai", "/v1/chat/completions", asked)


class TestSlices:
    def test_give_what_they_come_to(self) -> None:
        def work() -> Slices[int]:
            yield
            yield
            return 7

        assert whole(work()) == 7
        assert slices(work()) == 3

    async def test_let_others_have_their_turn_in_between(self) -> None:
        loop, seen = asyncio.get_running_loop(), list[str]()

        def work(name: str) -> Slices[None]:
            for number in range(3):
                seen.append(f"{name}{number}")
                yield

        in_turns(loop, work("a"))
        in_turns(loop, work("b"))
        loop.call_soon(seen.append, "other")
        while len(seen) < 7:
            await asyncio.sleep(0)
        assert seen[:2] == ["a0", "b0"]
        assert seen.index("other") < seen.index("a2")

    @pytest.mark.parametrize("separator", [b"\n\n", b"\r\n\r\n"])
    def test_of_a_stream_have_a_few_events_each_and_all_of_them_once(self, separator: bytes) -> None:
        taken: list[bytes] = []
        events = [b"data: %d" % number + (b"x" * 9000 if number % 50 == 7 else b"") for number in range(500)]
        data = (
            b"\xef\xbb\xbf" + b": ping" + separator + separator.join(events) + separator + b"data: [DONE]" + separator
        )
        most, before = 0, 0
        for _ in each_event(data, taken.append):
            most, before = max(most, len(taken) - before), len(taken)
        assert [each.partition(b"x")[0] for each in taken] == [b"%d" % number for number in range(500)]
        assert most <= 10

    def test_of_a_stream_with_odd_line_ends_lose_nothing(self) -> None:
        taken: list[bytes] = []
        ends = (b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n")
        data = b"".join(b"data: %d%b" % (number, ends[number % 4]) for number in range(2000))
        whole(each_event(data, taken.append))
        assert taken == [b"%d" % number for number in range(2000)]

    def test_end_where_something_is_wrong(self) -> None:
        def take(data: bytes) -> None:
            raise Unfit("wrong")

        with pytest.raises(Unfit):
            whole(each_event(b"data: 1\n\n", take))


def speech(audio: str, seconds: float) -> bytes:
    """A file of that kind."""
    kinds = {"mp3": formats.mp3(24000), "aac": formats.aac(24000), "flac": formats.flac(24000), "opus": formats.opus()}
    return encoded(iter(silence(seconds, 24000).slices(0.2)), kinds[audio])


def long_answers() -> Iterator[tuple[str, Exchange, bytes, str, int]]:
    """Some, and how many slices each should take at least."""
    events = b"".join(words(200))
    yield "a chat in events", chat(), events, SSE, 21
    spoken = stream(
        200,
        lambda _: {"type": "speech.audio.delta", "audio": base64.b64encode(bytes(324)).decode()},
        {"type": "speech.audio.done"},
    )
    asked = {"input": "hello", "response_format": "pcm", "stream_format": "sse"}
    yield "speech in events", call("openai", "/v1/audio/speech", asked), b"".join(spoken), SSE, 21
    heard = stream(
        200,
        lambda _: {"type": "transcript.text.delta", "delta": "word "},
        {"type": "transcript.text.done", "text": "word " * 200},
    )
    yield "a transcript in events", call("openai", "/v1/audio/transcriptions", b"RIFF"), b"".join(heard), SSE, 20
    items = ",\n".join(
        json.dumps({"candidates": [{"content": {"parts": [{"text": f"{number}"}]}, "finishReason": "STOP"}]})
        for number in range(200)
    )
    gemini = call("gemini", "/v1beta/models/m:streamGenerateContent", {"contents": []})
    yield "a list of chunks", gemini, f"[{items}]".encode(), "application/json", 20
    timed = {"text": "hello", "words": [{"word": "hello", "start": 0.1, "end": 0.2}] * 1200}
    whole_one = json.dumps(timed).encode()
    yield "a long transcript", call("openai", "/v1/audio/transcriptions", b"RIFF"), whole_one, "application/json", 3


@pytest.mark.parametrize(
    ("exchange", "data", "content_type", "least"),
    [each[1:] for each in long_answers()],
    ids=[each[0] for each in long_answers()],
)
def test_a_long_answer_takes_many(exchange: Exchange, data: bytes, content_type: str, least: int) -> None:
    response = answer(data, content_type=content_type)
    assert whole(judged(exchange, response, data)).objection is None
    assert slices(judged(exchange, response, data)) >= least


def test_a_short_one_takes_one() -> None:
    data = b"".join(words(5))
    assert slices(judged(chat(), answer(data, content_type=SSE), data)) == 1


@pytest.mark.parametrize(("audio", "least"), [("mp3", 12), ("aac", 14)])
def test_a_long_recording_takes_many(audio: str, least: int) -> None:
    data = speech(audio, 30.0)
    assert (whole(sound_of(data)).seconds or 0.0) == pytest.approx(30.0, abs=1.0)
    assert slices(sound_of(data)) >= least


# -- at work -----------------------------------------------------------------------------------------------------------


async def test_until_it_is_kept_others_join_and_then_it_is_a_hit() -> None:
    plugin, events = configured(Cache), words(400)
    async with Stage(plugin) as stage, asyncio.timeout(10):
        first = await stage.play(chat(), answer(list(events), content_type=SSE))
        joined = await stage.play(chat(), answer(b"never asked"))
        while plugin.holdings.flights:
            await asyncio.sleep(0)
        hit = await stage.play(chat(), answer(b"never asked"))
    assert first.body == joined.body
    assert [each.verdicts[-1].outcome for each in (first, joined, hit)] == ["miss", "joined", "hit"]
    assert joined.attempts == hit.attempts == ()


async def test_what_turns_out_not_to_be_fit_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "sidecar_cache")
    plugin, events = configured(Cache), words(400)
    events[-2] = events[-2].replace(b'"stop"', b'"length"')
    async with Stage(plugin) as stage, asyncio.timeout(10):
        await stage.play(chat(), answer(list(events), content_type=SSE))
        while plugin.holdings.flights:
            await asyncio.sleep(0)
        assert len((await stage.play(chat(), answer(list(words(3)), content_type=SSE))).attempts) == 1
        assert stage.samples()['cache_refused_total{plugin="cache"}'] == 1
    assert "an answer is not kept: finished by length" in caplog.text


async def test_the_loop_turns_many_times_while_long_answers_are_judged() -> None:
    plugin, turns, ended = configured(Cache), 0, False

    async def count() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    async with Stage(plugin) as stage, asyncio.timeout(10):
        await stage.play(chat(), answer(list(words(1000)), content_type=SSE))
        counting = asyncio.create_task(count())
        while plugin.holdings.flights:
            await asyncio.sleep(0)
        ended = True
        await counting
    assert turns > 90
