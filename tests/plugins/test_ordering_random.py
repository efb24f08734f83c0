"""Random trouble in every position of an answer: nothing hangs, nothing is cut and looks whole, nothing is done twice.

Time is the loop's own, and passes only where somebody waits: hours of patience take no time. As a program this makes as
many runs as it is told: ``python -m tests.plugins.test_ordering_random 10000``.
"""

import asyncio
import random
import selectors
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, NamedTuple, TypeVar

import pytest
from sidecar_ordering.clock import Clock
from sidecar_ordering.course import MOST_ATTEMPTS
from sidecar_ordering.plugin import Ordering

from sidecar import Attempt, ConnectFailed, Response, StreamedBody, UpstreamBroken
from sidecar.testing import Played, Stage, answer, call, configured

T = TypeVar("T")

DEADLINE: Final = 8.0
CONFIG: Final = """
tts:
  deadline: 8s
  hedge: {share: 0.3}
  candidates:
    - {provider: openai}
    - {provider: elevenlabs, model: eleven_flash_v2_5, voice: abc}
    - {provider: deepgram, model: aura-2-thalia-en, voice: aura-2-thalia-en}
"""
CHUNKS: Final = 5
#: What can go wrong, and where.
BEFORE: Final = ("refused", "silent", "500", "503", "429", "429 with a wait", "400", "reset")
AFTER_HEAD: Final = ("silent after the head", "cut after the head", "empty")
WITHIN: Final = ("cut", "stalled", "cut before the end")
#: Refusals, by which a provider says that it has not begun.
NOTHING_DONE: Final = ("refused", "503", "429", "429 with a wait", "400")
TROUBLE: Final = (*BEFORE, *AFTER_HEAD, *WITHIN)
#: The longest that an answer may take after its first byte: every chunk as late as can be.
FLOWING: Final = 40.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to when the next thing is due."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self._loop.jump(max(timeout, 0.0))
        return super().select(0)


class LoopClock(Clock):
    """That of the loop; moments that were noted by the real one are as long ago there."""

    def of(self, monotonic: float) -> float:
        return asyncio.get_running_loop().time() + (monotonic - time.monotonic())


class Sent(NamedTuple):
    provider: str
    trouble: str


class Providers:
    """Give each attempt its trouble, and write down which they saw through."""

    def __init__(self, draw: random.Random, share: float) -> None:
        self._draw, self._share = draw, share
        self.sent: list[Sent] = []

    async def __call__(self, attempt: Attempt) -> Response | Exception:
        draw, name = self._draw, attempt.provider.name
        trouble = draw.choice(TROUBLE) if draw.random() < self._share else ""
        self.sent.append(Sent(name, trouble))
        await asyncio.sleep(draw.lognormvariate(-0.5, 0.8))
        match trouble:
            case "refused":
                return ConnectFailed("refused")
            case "silent":
                await asyncio.sleep(3600)
            case "reset":
                return UpstreamBroken("reset")
            case "429 with a wait":
                return answer({"error": {"message": "slow", "type": "x"}}, 429, retry_after=str(draw.randint(1, 20)))
            case "500" | "503" | "429" | "400":
                return answer({"error": {"message": "no", "type": "x"}}, int(trouble))
            case "empty":
                return answer([], content_type="audio/pcm")
        return answer(StreamedBody(self._chunks(name, trouble)), content_type="audio/pcm")

    async def _chunks(self, name: str, trouble: str) -> AsyncIterator[bytes]:
        if trouble == "silent after the head":
            await asyncio.sleep(3600)
        if trouble == "cut after the head":
            raise UpstreamBroken("cut", begun=True)
        at = self._draw.randrange(1, CHUNKS)
        for number in range(CHUNKS):
            if number:
                await asyncio.sleep(self._draw.expovariate(20.0))
            if number == at and trouble == "cut":
                raise UpstreamBroken("cut", begun=True)
            if number == at and trouble == "stalled":
                await asyncio.sleep(3600)
            yield chunk(name, number)
        if trouble == "cut before the end":
            raise UpstreamBroken("cut", begun=True)


def chunk(provider: str, number: int) -> bytes:
    return f"{provider}{number}".encode().ljust(64, b".")


def whole(provider: str) -> bytes:
    return b"".join(chunk(provider, number) for number in range(CHUNKS))


async def run(seed: int, *, share: float, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> str:
    """One call; what came of it."""
    draw = random.Random(seed)
    acts = draw.random() < 0.2
    monkeypatch.setattr("sidecar_ordering.plugin.repeatable", lambda exchange: "it acts" if acts else None)
    providers, loop = Providers(draw, share), asyncio.get_running_loop()
    asked = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Good morning.", "response_format": "pcm"}
    began = loop.time()
    played = await stage.play(call("openai", "/v1/audio/speech", asked), providers)
    took = loop.time() - began
    check(played, providers, took, acts=acts)
    return played.outcome if played.outcome != "completed" else str(played.status)


def check(played: Played, providers: Providers, took: float, *, acts: bool) -> None:
    told = (providers.sent, played.outcome, played.status, took)
    assert played.faults == (), (told, played.faults)
    assert took <= DEADLINE + FLOWING, f"hung: {told}"
    assert len(providers.sent) <= MOST_ATTEMPTS, told
    if played.outcome == "completed" and played.status == 200:
        assert played.body in [whole(sent.provider) for sent in providers.sent if not sent.trouble], f"cut: {told}"
    if played.outcome == "completed" and played.status != 200:
        assert took <= DEADLINE + 0.1, f"late: {told}"
        assert b'"error"' in played.body, told
    if acts:
        done = [sent for sent in providers.sent if sent.trouble not in NOTHING_DONE]
        assert len(done) <= 1, f"done twice: {told}"


async def many(seeds: range, *, share: float, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    found: Counter[str] = Counter()
    for begin in range(seeds.start, seeds.stop, 50):  # what is learned of 50 calls, then a new day
        plugin = configured(Ordering, CONFIG)
        plugin.clock = LoopClock()
        async with Stage(plugin, guarded=True, budget_seconds=30.0) as stage:
            for seed in range(begin, min(begin + 50, seeds.stop)):
                found[await run(seed, share=share, stage=stage, monkeypatch=monkeypatch)] += 1
                await asyncio.sleep(20.0)
    return found


def in_virtual_time(what: Coroutine[Any, Any, T]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(what)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_nothing_hangs_nothing_is_cut_nothing_is_done_twice(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    found = in_virtual_time(many(range(300), share=share, monkeypatch=monkeypatch))
    assert found["200"] >= {0.1: 270, 0.5: 100, 1.0: 0}[share], found


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for share in (0.1, 0.5, 1.0):
        with pytest.MonkeyPatch.context() as patch:
            print(share, dict(in_virtual_time(many(range(runs // 3), share=share, monkeypatch=patch))))
