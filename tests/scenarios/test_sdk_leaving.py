"""An agent that leaves in the middle of an answer, as at a barge-in: its provider must not go on for a second more."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.scenarios.sdk.world import PROVIDERS, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Without the cancellation these providers would be silent for ever.
STALL = "stall"
SOON_SECONDS = 3.0


class Leaving(NamedTuple):
    sdk: str
    name: str
    provider: str


LEAVING = [
    Leaving("openai", "chat_left", "openai"),
    Leaving("openai", "chat_left_async", "openai"),
    Leaving("openai", "speech_left_async", "openai"),
    Leaving("anthropic", "messages_left", "anthropic"),
    Leaving("gemini", "generate_left", "gemini"),
    Leaving("deepgram", "speak_left", "deepgram"),
    Leaving("elevenlabs", "stream_left", "elevenlabs"),
    Leaving("cartesia", "tts_left", "cartesia"),
]


@pytest.mark.parametrize("door", ["base_url", "connect"])
@pytest.mark.parametrize("leaving", [pytest.param(one, id=f"{one.sdk}-{one.name}") for one in LEAVING])
async def test_the_provider_hears_at_once_that_an_agent_has_left(
    here: World, leaving: Leaving, door: str, skip_or_fail: Callable[[str], None]
) -> None:
    agent = await here.agent(leaving.sdk, proxied=door == "connect")
    if agent.missing:
        skip_or_fail(f"the SDK is not installed: {agent.missing}")
    provider = here.lab.provider(PROVIDERS[leaving.provider])
    provider.fail_next(STALL)
    url = f"{here.sidecar.proxy}/{leaving.provider}" if door == "base_url" else None

    outcome = await agent.call(leaving.name, url)
    assert outcome.error is None, outcome
    assert outcome.text in ("left", "cancelled")

    received = await provider.next_request()
    assert (await received.finished(timeout_seconds=SOON_SECONDS)).cancelled
    (told,) = await here.ledger.calls(1)
    assert (told.outcome, told.status, told.door) == ("cancelled", 200, door)
    assert told.error == "the agent left"
    assert told.response_bytes > 0
    assert told.chunks > 0


@pytest.mark.parametrize("door", ["base_url", "connect"])
@pytest.mark.parametrize(("name", "messages"), [("requests_chat", None), ("websockets_responses", 1)])
async def test_the_provider_hears_at_once_that_an_agent_was_killed(
    here: World, door: str, name: str, messages: int | None, skip_or_fail: Callable[[str], None]
) -> None:
    provider = here.lab.provider("openai")
    provider.fail_next(STALL)
    agent = await here.own_agent("plain", proxied=door == "connect")
    try:
        await agent.ready()
        if agent.missing:
            skip_or_fail(f"a client is not installed: {agent.missing}")
        agent.send(name, f"{here.sidecar.proxy}/openai" if door == "base_url" else None)
        received = await provider.next_request()
        if messages:
            await received.frames_reached(messages, "server")
    finally:
        await agent.kill()

    assert (await received.finished(timeout_seconds=SOON_SECONDS)).cancelled
    (told,) = await here.ledger.calls(1)
    assert (told.outcome, told.door, told.error) == ("cancelled", door, "the agent left")
    assert told.messages_received == messages
    assert told.close_code is None
