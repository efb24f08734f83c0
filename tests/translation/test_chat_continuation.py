"""Answers that broke off, gone on with by somebody else."""

import json
from typing import Any

import pytest

from sidecar.errors import UpstreamBroken
from sidecar.translation import Inexpressible
from sidecar.translation.chat import asked, continued, reader_of
from sidecar.translation.chat.events import (
    ArgumentsDelta,
    CallBegun,
    Event,
    Finished,
    Reason,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from tests.translation.chatting import SAID, asks, stream_of, target

USER = [{"role": "user", "content": "hello"}]
SAID_SO_FAR = [ReasoningDelta("Hm."), TextDelta("Hello, "), TextDelta("Käthe ")]


def goes_on(to: str, model: str, said: list[Event] | None = None, *may_lose: str, **fields: Any) -> Any:
    ask = asked(asks("openai", model="asked", stream=True, messages=USER, **fields))
    request = continued(ask, SAID_SO_FAR if said is None else said, target(to, *may_lose, model=model))
    assert request.body.data is not None
    return json.loads(request.body.data)


def test_anthropic_goes_on_from_the_last_turn() -> None:
    for model in (
        "claude-3-5-sonnet-20241022",
        "claude-sonnet-4-5",
        "claude-opus-4-1-20250805",
        "claude-haiku-4-5@20251001",
    ):
        body = goes_on("anthropic", model)
        assert body["messages"][-1] == {"role": "assistant", "content": "Hello, Käthe"}
        assert body["stream"] is True


@pytest.mark.parametrize(
    "model", ["claude-opus-4-6", "claude-sonnet-5", "claude-fable-5-2", "claude-haiku-5-5", "other"]
)
def test_later_models_of_anthropics_do_not(model: str) -> None:
    with pytest.raises(Inexpressible, match="prefill: "):
        goes_on("anthropic", model)


def test_a_model_that_thinks_does_not() -> None:
    with pytest.raises(Inexpressible, match="prefill: "):
        goes_on("anthropic", "claude-opus-4-5", reasoning_effort="low")
    goes_on("anthropic", "claude-opus-4-5", reasoning_effort="none")


def test_mistral_goes_on_from_a_prefix() -> None:
    body = goes_on("mistral", "mistral-small")
    assert body["messages"][-1] == {"role": "assistant", "content": "Hello, Käthe", "prefix": True}


@pytest.mark.parametrize("to", ["openai", "azure_openai", "groq", "gemini", "assemblyai"])
def test_others_cannot_even_if_a_prefill_may_be_lost(to: str) -> None:
    with pytest.raises(Inexpressible, match="prefill: "):
        goes_on(to, "m", None, "prefill")


def test_what_nobody_has_said_needs_no_going_on_with() -> None:
    assert goes_on("openai", "m", [])["messages"] == USER
    assert goes_on("gemini", "m", [ReasoningDelta("Hm."), TextDelta(" \n")])["contents"][-1]["role"] == "user"


@pytest.mark.parametrize(
    "said",
    [
        [TextDelta("Let me see."), CallBegun("weather")],
        [CallBegun("weather"), ArgumentsDelta("{")],
        [RefusalDelta("I will")],
        [TextDelta("Hello"), Finished(Reason.STOP)],
    ],
)
def test_calls_refusals_and_ends_are_not_gone_on_with(said: list[Event]) -> None:
    for to, model in (("mistral", "m"), ("anthropic", "claude-sonnet-4-5"), ("openai", "m")):
        with pytest.raises(Inexpressible, match="continuation: "):
            goes_on(to, model, said)


def test_json_is_not_gone_on_with() -> None:
    with pytest.raises(Inexpressible, match="continuation: "):
        goes_on("mistral", "m", response_format={"type": "json_object"})


def test_what_the_agent_began_itself_is_gone_on_with() -> None:
    messages = [*USER, {"role": "assistant", "content": "He"}]
    ask = asked(asks("anthropic", model="asked", max_tokens=9, messages=messages))
    assert ask.prefill
    request = continued(ask, [TextDelta("llo")], target("mistral"))
    assert json.loads(request.body.data or b"")["messages"][-1] == {
        "role": "assistant",
        "content": "Hello",
        "prefix": True,
    }


def test_how_far_an_answer_has_got_is_read_from_the_agents_own_stream() -> None:
    exchange = asks("openai", model="asked", stream=True, messages=USER)
    assert exchange.call is not None
    reader = reader_of(exchange.call)
    stream = stream_of("openai", "chat", SAID["text"])
    said = [*reader.feed(stream[: stream.find("👋".encode()) - 30]), *reader.end()]
    assert isinstance(reader.broken, UpstreamBroken)
    request = continued(asked(exchange), said, target("mistral"))
    assert json.loads(request.body.data or b"")["messages"][-1]["content"] == "Hello, Käthe"
