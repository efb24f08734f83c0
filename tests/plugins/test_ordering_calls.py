"""Calls among several providers: who is asked, who answers, and what the agent gets if that goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from sidecar_ordering import course as course_module
from sidecar_ordering import tries
from sidecar_ordering.plugin import Ordering

from sidecar import Attempt, ConnectFailed, Exchange, Response, StreamedBody, UpstreamBroken
from sidecar.testing import Played, Stage, answer, call, configured

PCM = bytes(range(256)) * 40
SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning.", "response_format": "pcm"}
THREE = """
tts:
  candidates:
    - {provider: openai}
    - {provider: elevenlabs, model: eleven_flash_v2_5, voice: abc}
    - {provider: deepgram, model: aura-2-thalia-en, voice: aura-2-thalia-en}
"""

Answers = dict[str, Any]


def speech(**members: Any) -> Exchange:
    return call("openai", "/v1/audio/speech", SPEECH | members, headers={"Authorization": "Bearer sk-agent"})


def spoken() -> Response:
    return answer([PCM[:4000], PCM[4000:]], content_type="application/octet-stream")


def refused(status: int = 500, **headers: str) -> Response:
    return answer({"error": {"message": "no", "type": "server_error", "code": None}}, status, **headers)


def by_provider(**said: Any) -> Callable[[Attempt], Any]:
    """What each provider says: a response, an error, or a function that makes one."""

    def give(attempt: Attempt) -> Any:
        made = said[attempt.provider.name]
        return made() if callable(made) else made

    return give


async def hang() -> Response:
    await asyncio.Event().wait()
    raise AssertionError("never")


def told(played: Played) -> dict[str, Any]:
    return dict(played.verdicts[-1].detail)


def asked(played: Played) -> list[str]:
    return [attempt.provider.name for attempt in played.attempts]


async def ordered(exchange: Exchange, config: str = THREE, **said: Any) -> Played:
    async with Stage(configured(Ordering, config)) as stage:
        return await stage.play(exchange, by_provider(**said))


class TestWhoAnswers:
    async def test_the_agents_own_provider_gets_the_agents_own_bytes(self) -> None:
        exchange = speech()
        played = await ordered(exchange, openai=spoken)
        assert asked(played) == ["openai"]
        assert played.body == PCM
        assert played.sent[0].body.data == exchange.request.body.data
        assert played.sent[0].headers.get("authorization") == "Bearer sk-agent"
        assert played.verdicts[-1].reason == "openai/gpt-4o-mini-tts is first of 3"

    @pytest.mark.parametrize("failing", [refused(500), refused(503), refused(429), ConnectFailed("no route")])
    async def test_another_one_answers_where_that_fails(self, failing: Any) -> None:
        played = await ordered(speech(), openai=failing, elevenlabs=spoken)
        assert asked(played) == ["openai", "elevenlabs"]
        assert (played.status, played.body) == (200, PCM)
        assert played.sent[-1].target.startswith("/v1/text-to-speech/abc")
        assert "sk-agent" not in repr(played.sent[-1].headers.block), "a credential is for its own provider"
        assert told(played)["attempt.2"] == "failover elevenlabs/eleven_flash_v2_5: answers"

    async def test_one_that_breaks_off_before_its_first_byte_has_not_answered(self) -> None:
        async def broken() -> AsyncIterator[bytes]:
            raise UpstreamBroken("it closed the connection", begun=True)
            yield b""

        def begun() -> Response:
            return answer(StreamedBody(broken()), content_type="application/octet-stream")

        played = await ordered(speech(), openai=begun, elevenlabs=spoken)
        assert played.body == PCM

    async def test_an_answer_without_a_byte_is_none(self) -> None:
        played = await ordered(speech(), openai=answer(b""), elevenlabs=spoken)
        assert played.body == PCM
        assert told(played)["attempt.1"] == "first openai/gpt-4o-mini-tts: failed, server"

    async def test_what_cannot_be_said_there_is_not_sent_there(self) -> None:
        played = await ordered(speech(instructions="Whisper."), openai=refused(), elevenlabs=spoken, deepgram=spoken)
        assert set(asked(played)) == {"openai"}
        assert any("cannot, instructions" in str(value) for value in told(played).values())

    async def test_what_may_be_lost_is_no_obstacle(self) -> None:
        config = THREE.replace("voice: abc}", "voice: abc, may_lose: [instructions]}")
        played = await ordered(speech(instructions="Whisper."), config, openai=refused(), elevenlabs=spoken)
        assert played.body == PCM

    async def test_by_the_agents_model_and_voice(self) -> None:
        config = """
tts:
  candidates:
    - {provider: openai}
    - {provider: elevenlabs, models: {tts-1: eleven_v3}, model: eleven_flash_v2_5, voices: {alloy: Ann}}
"""
        played = await ordered(speech(model="tts-1"), config, openai=refused(), elevenlabs=spoken)
        assert msgspec.json.decode(played.sent[-1].body.data or b"")["model_id"] == "eleven_v3"
        assert played.sent[-1].target.startswith("/v1/text-to-speech/Ann")
        nobody = await ordered(speech(voice="nova"), config, openai=refused(), elevenlabs=spoken)
        assert asked(nobody).count("elevenlabs") == 0
        assert any("cannot, voice" in str(value) for value in told(nobody).values())

    async def test_it_stays_away_from_one_that_fails(self) -> None:
        async with Stage(configured(Ordering, THREE)) as stage:
            script = by_provider(openai=refused(), elevenlabs=spoken, deepgram=spoken)
            for _ in range(3):
                await stage.play(speech(), script)
            played = await stage.play(speech(), script)
            assert "openai" not in asked(played)
            failovers = [number for name, number in stage.samples().items() if 'why="failover"' in name]
            assert sum(failovers) >= 1


class TestByChoice:
    SAID = answer({"error": {"message": "no such key", "type": "x", "code": "invalid_api_key"}}, 401)

    async def test_a_credential_that_is_not_accepted_is_the_owners_business(self) -> None:
        played = await ordered(speech(), openai=self.SAID, elevenlabs=spoken)
        assert (asked(played), played.status) == (["openai"], 401)

    async def test_unless_it_says_otherwise(self) -> None:
        played = await ordered(speech(), f"{THREE}  also_for: [auth]\n", openai=self.SAID, elevenlabs=spoken)
        assert asked(played) == ["openai", "elevenlabs"]

    async def test_one_agents_credential_says_nothing_of_the_provider(self) -> None:
        async with Stage(configured(Ordering, THREE)) as stage:
            await stage.play(speech(), by_provider(openai=self.SAID))
            played = await stage.play(speech(), by_provider(openai=spoken))
            assert (asked(played), played.status) == (["openai"], 200)


class TestNobodyAnswers:
    async def test_the_agent_gets_what_its_provider_said_and_does_not_try_again(self) -> None:
        played = await ordered(speech(), openai=refused(500), elevenlabs=refused(500), deepgram=refused(503))
        assert played.status == 500
        assert played.json == {"error": {"message": "no", "type": "server_error", "code": None}}
        assert played.headers.get("x-should-retry") == "false"

    async def test_its_own_mistake_is_told_at_once_as_its_provider_does(self) -> None:
        played = await ordered(speech(), openai=refused(400), elevenlabs=spoken)
        assert asked(played) == ["openai"]
        assert played.status == 400
        assert "x-should-retry" not in played.headers

    async def test_an_error_of_somebody_else_is_told_in_its_own_dialect(self) -> None:
        config = "tts: {candidates: [{provider: elevenlabs, model: m, voice: abc}, {provider: openai}], mode: priority}"
        said = answer({"detail": {"status": "voice_not_found", "message": "there is no such voice"}}, 400)
        played = await ordered(speech(), config, elevenlabs=said, openai=ConnectFailed("no route"))
        assert played.status >= 400
        assert "error" in played.json

    async def test_one_that_cannot_be_reached_is_told_as_without_the_plugin(self) -> None:
        config = "tts: {candidates: [{provider: openai}]}"
        played = await ordered(speech(), config, openai=ConnectFailed("no route"))
        assert played.status >= 500
        assert "error" in played.json


class TestLate:
    @pytest.fixture(autouse=True)
    def quickly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tries, "patience_seconds", lambda *_: 0.03)
        monkeypatch.setattr(tries, "delay_seconds", lambda *_: 30.0)
        monkeypatch.setattr(course_module, "stall_seconds", lambda *_, **__: 0.03)

    async def test_connected_but_silent_is_a_failure(self) -> None:
        played = await ordered(speech(), openai=hang, elevenlabs=spoken)
        assert asked(played) == ["openai", "elevenlabs"]
        assert played.body == PCM
        assert played.faults == ()

    async def test_a_second_one_is_asked_beside_a_late_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tries, "patience_seconds", lambda *_: 30.0)
        monkeypatch.setattr(tries, "delay_seconds", lambda *_: 0.01)
        cancelled = asyncio.Event()

        async def slow() -> Response:
            try:
                return await hang()
            finally:
                cancelled.set()

        played = await ordered(speech(), openai=slow, elevenlabs=spoken)
        assert played.body == PCM
        assert told(played)["attempt.1"] == "first openai/gpt-4o-mini-tts: let go"
        assert told(played)["attempt.2"] == "hedge elevenlabs/eleven_flash_v2_5: answers"
        await cancelled.wait()

    async def test_what_could_act_twice_is_sent_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sidecar_ordering.plugin.repeatable", lambda exchange: "it acts")
        monkeypatch.setattr(tries, "delay_seconds", lambda *_: 0.01)
        gone_on = asyncio.Event()

        async def slow() -> Response:
            asyncio.get_running_loop().call_later(0.1, gone_on.set)
            await gone_on.wait()
            return spoken()

        played = await ordered(speech(), openai=slow)
        assert asked(played) == ["openai"]
        assert played.body == PCM

    async def test_an_agent_that_leaves_ends_what_was_begun_for_it(self) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow() -> Response:
            begun.set()
            try:
                return await hang()
            finally:
                ended.set()

        async with Stage(configured(Ordering, "tts: {candidates: [{provider: openai}]}")) as stage:
            playing = asyncio.create_task(stage.play(speech(), by_provider(openai=slow)))
            await begun.wait()
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            await ended.wait()

    async def test_an_answer_that_stalls_is_not_waited_out(self) -> None:
        async def stalling() -> AsyncIterator[bytes]:
            yield PCM[:100]
            await asyncio.Event().wait()

        def begun() -> Response:
            return answer(StreamedBody(stalling()), content_type="application/octet-stream")

        played = await stalled(begun)
        assert played.outcome == "failed"
        assert played.body == PCM[:100]
        assert [verdict.outcome for verdict in played.verdicts] == ["sent", "broken"]


async def stalled(begun: Callable[[], Response | Awaitable[Response]]) -> Played:
    """The stall is no fault of the plugin's, and the stage lets only scripted errors pass."""
    async with Stage(configured(Ordering, THREE), guarded=True) as stage:
        return await stage.play(speech(), by_provider(openai=begun))


class TestBroken:
    async def test_a_stream_of_events_tells_the_agent_so(self) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            yield b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n'
            raise UpstreamBroken("it closed the connection", begun=True)

        async with Stage(configured(Ordering, THREE), guarded=True) as stage:
            played = await stage.play(
                speech(stream_format="sse"),
                by_provider(openai=lambda: answer(StreamedBody(breaking()), content_type="text/event-stream")),
            )
        assert played.outcome == "failed"
        last = played.body.split(b"\n\n")[-2]
        assert b'"error"' in last

    async def test_sound_just_ends_without_its_end(self) -> None:
        async def breaking() -> AsyncIterator[bytes]:
            yield PCM[:100]
            raise UpstreamBroken("it closed the connection", begun=True)

        async with Stage(configured(Ordering, THREE), guarded=True) as stage:
            played = await stage.play(
                speech(),
                by_provider(openai=lambda: answer(StreamedBody(breaking()), content_type="application/octet-stream")),
            )
        assert (played.outcome, played.body) == ("failed", PCM[:100])


def chunk_of(**delta: str) -> bytes:
    said = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: %b\n\n" % msgspec.json.encode({**said, "choices": [choice]})


def of_anthropic(text: str) -> list[bytes]:
    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "c", "usage": usage}
    block = {"type": "text", "text": ""}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    return [b"event: %b\ndata: %b\n\n" % (each["type"].encode(), msgspec.json.encode(each)) for each in events]


class TestGoingOn:
    CONFIG = "chat: {resume: true, candidates: [{provider: openai}, {provider: anthropic, model: claude-haiku-4-5}]}"

    async def broken_after(self, *events: bytes, config: str = CONFIG) -> Played:
        async def breaking() -> AsyncIterator[bytes]:
            for event in events:
                yield event
            raise UpstreamBroken("it closed the connection", begun=True)

        asking = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Count to three."}]}
        async with Stage(configured(Ordering, config), guarded=True) as stage:
            return await stage.play(
                call("openai", "/v1/chat/completions", asking),
                by_provider(
                    openai=lambda: answer(StreamedBody(breaking()), content_type="text/event-stream"),
                    anthropic=lambda: answer(of_anthropic(" three."), content_type="text/event-stream"),
                ),
            )

    async def test_another_model_says_the_rest(self) -> None:
        played = await self.broken_after(chunk_of(role="assistant", content=""), chunk_of(content="One, two,"))
        documents = [each.removeprefix(b"data: ") for each in played.body.split(b"\n\n") if each]
        assert documents.pop() == b"[DONE]"
        choices = [msgspec.json.decode(each)["choices"][0] for each in documents]
        assert "".join(each["delta"].get("content") or "" for each in choices) == "One, two, three."
        assert choices[-1]["finish_reason"] == "stop"
        assert played.outcome == "completed"
        assert [verdict.outcome for verdict in played.verdicts] == ["sent", "resumed"]
        asked_to_go_on = msgspec.json.decode(played.sent[-1].body.data or b"")
        assert asked_to_go_on["messages"][-1] == {"role": "assistant", "content": "One, two,"}

    async def test_not_in_the_middle_of_an_event(self) -> None:
        played = await self.broken_after(chunk_of(content="One, two,"), chunk_of(content="three")[:20])
        assert (played.outcome, asked(played)) == ("failed", ["openai"])

    async def test_not_unless_the_owner_wants_it(self) -> None:
        played = await self.broken_after(chunk_of(content="One"), config=self.CONFIG.replace("resume: true, ", ""))
        assert (played.outcome, asked(played)) == ("failed", ["openai"])
        assert b'"error"' in played.body

    async def test_not_once_a_tool_is_called(self) -> None:
        call_begun = (
            b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function",'
        )
        call_begun += b'"function":{"name":"book","arguments":""}}]},"finish_reason":null}]}\n\n'
        played = await self.broken_after(call_begun)
        assert (played.outcome, asked(played)) == ("failed", ["openai"])
