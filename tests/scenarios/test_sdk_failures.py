"""Providers that refuse, break off and keep silent: an SDK behind the sidecar sees, and does, what it would without."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.scenarios.sdk.process import Outcome
from tests.scenarios.sdk.world import PROVIDERS, World

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Asking(NamedTuple):
    """A call that is to fail. ``tries``: how often its SDK makes it when it is told that the provider is overloaded."""

    sdk: str
    name: str
    provider: str
    tries: int

    def __str__(self) -> str:
        return f"{self.sdk}-{self.name}"


ASKING = [
    Asking("openai", "chat", "openai", 3),
    Asking("openai", "chat_async_stream", "openai", 3),
    Asking("openai", "transcription", "openai", 3),
    Asking("langchain", "invoke", "openai", 3),
    Asking("anthropic", "messages_stream", "anthropic", 3),
    Asking("groq", "chat", "groq", 3),
    Asking("cartesia", "tts_bytes", "cartesia", 3),
    Asking("deepgram", "listen", "deepgram", 3),
    Asking("elevenlabs", "convert", "elevenlabs", 1),
    Asking("mistral", "chat", "mistral", 1),
    Asking("gemini", "generate_async", "gemini", 1),
    Asking("google_cloud", "synthesize", "google-tts", 1),
    Asking("plain", "yandex_synthesize", "yandex-tts", 1),
]
EACH = pytest.mark.parametrize("asking", [pytest.param(one, id=str(one)) for one in ASKING])

#: What it is called when a provider stops in the middle of its answer, with a reset or without one.
CUT, CLOSED = "cut", "close"


class Seen(NamedTuple):
    """What the agent sees of a failure."""

    error: str | None
    status: int | None
    tries: int
    pauses: tuple[float, ...] | int
    """How long its SDK waited before each further try; only how often, where it draws that."""


class Trial:
    """One agent, asked without the sidecar and through it."""

    def __init__(self, here: World, asking: Asking, skip_or_fail: Callable[[str], None]) -> None:
        self.here = here
        self.asking = asking
        self.provider = here.lab.provider(PROVIDERS[asking.provider])
        self._skip_or_fail = skip_or_fail

    async def asked(self, fault: str, times: int, *, through_sidecar: bool) -> Outcome:
        agent = await self.here.agent(self.asking.sdk, proxied=False)
        if agent.missing:
            self._skip_or_fail(f"the SDK is not installed: {agent.missing}")
        self.here.forget()
        self.provider.fail_next(fault, times)
        url = f"{self.here.sidecar.proxy}/{self.asking.provider}" if through_sidecar else self.provider.url
        return await agent.call(self.asking.name, url, impatient=True)

    async def seen(self, fault: str, *, through_sidecar: bool) -> Seen:
        outcome = await self.asked(fault, 10, through_sidecar=through_sidecar)
        pauses = tuple(outcome.naps) if ":" in fault else len(outcome.naps)
        return Seen(outcome.error, outcome.status, len(self.provider.requests), pauses)


@EACH
@pytest.mark.parametrize("fault", ["rate:7", "rate", "500", "overloaded", "quota", "401", CLOSED])
async def test_a_failure_is_the_same_with_and_without_the_sidecar(
    here: World, asking: Asking, fault: str, skip_or_fail: Callable[[str], None]
) -> None:
    trial = Trial(here, asking, skip_or_fail)
    without = await trial.seen(fault, through_sidecar=False)
    assert without.error is not None
    assert await trial.seen(fault, through_sidecar=True) == without
    if fault == "overloaded":
        assert without.tries == asking.tries
    if fault == "rate:7" and asking.tries > 1:
        assert without.pauses == (7.0,) * (asking.tries - 1), "the SDK heeds what Retry-After says"
    told = await here.ledger.calls(without.tries)
    assert {one.outcome for one in told} == {"failed" if fault == CLOSED else "completed"}
    assert {one.status for one in told} == {200 if fault == CLOSED else without.status or told[0].status}


@EACH
async def test_a_reset_in_the_middle_of_an_answer_looks_like_a_close(
    here: World, asking: Asking, skip_or_fail: Callable[[str], None]
) -> None:
    """What has come is passed on, which a reset would take back. Never is it a clean short answer."""
    trial = Trial(here, asking, skip_or_fail)
    assert await trial.seen(CUT, through_sidecar=True) == await trial.seen(CLOSED, through_sidecar=False)


@EACH
@pytest.mark.parametrize("fault", ["reset", "malformed-head"])
async def test_a_provider_without_an_answer_is_told_of_in_its_own_words(
    here: World, asking: Asking, fault: str, skip_or_fail: Callable[[str], None]
) -> None:
    """A 502 in the provider's envelope, which the SDK makes an error of its own of, and retries as it does others."""
    trial = Trial(here, asking, skip_or_fail)
    outcome = await trial.asked(fault, 20, through_sidecar=True)
    assert outcome.error is not None
    assert outcome.status in (502, None)
    assert "502" in f"{outcome.status} {outcome.words}"
    told = await here.ledger.calls(asking.tries)
    assert {(one.status, one.outcome) for one in told} == {(502, "failed")}
    assert len(outcome.naps) == asking.tries - 1


@pytest.mark.parametrize("fault", ["reset", "malformed-head"])
async def test_googles_client_for_speech_is_not_sent_into_its_hour_of_retries(
    here: World, fault: str, skip_or_fail: Callable[[str], None]
) -> None:
    """503 and 504 it would repeat for 5000 seconds."""
    trial = Trial(here, Asking("google_cloud", "recognize", "google-speech", 1), skip_or_fail)
    outcome = await trial.asked(fault, 20, through_sidecar=True)
    assert outcome.error == "google.api_core.exceptions.BadGateway"
    assert outcome.naps == []


@EACH
@pytest.mark.parametrize("fault", ["500", CUT])
async def test_an_sdk_that_tries_again_gets_its_answer(
    here: World, asking: Asking, fault: str, skip_or_fail: Callable[[str], None]
) -> None:
    trial = Trial(here, asking, skip_or_fail)
    without = await trial.asked(CLOSED if fault == CUT else fault, 1, through_sidecar=False)
    through = await trial.asked(fault, 1, through_sidecar=True)
    assert (through.error, through.text, through.sound) == (without.error, without.text, without.sound)
    told = await here.ledger.calls(2 if without.error is None else 1)
    assert (told[0].outcome, told[0].status) == (("failed", 200) if fault == CUT else ("completed", 500))
    if without.error is None:
        assert (told[1].outcome, told[1].status) == ("completed", 200)


@pytest.mark.parametrize("through_sidecar", [False, True], ids=["direct", "sidecar"])
async def test_a_silent_provider_is_left_when_the_agent_has_waited_enough(
    here: World, through_sidecar: bool, skip_or_fail: Callable[[str], None]
) -> None:
    trial = Trial(here, Asking("openai", "chat_impatient", "openai", 2), skip_or_fail)
    outcome = await trial.asked("silent", 10, through_sidecar=through_sidecar)
    assert outcome.error == "openai.APITimeoutError"
    requests = here.lab.provider("openai").requests
    assert len(requests) == 2
    for received in requests:
        assert (await received.finished(timeout_seconds=3)).cancelled
    if through_sidecar:
        assert {(one.outcome, one.status) for one in await here.ledger.calls(2)} == {("cancelled", None)}
