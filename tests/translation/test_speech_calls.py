"""Every provider's agent, answered by every other provider: through a real sidecar, over real sockets."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from sidecar import sse
from sidecar.lab import Lab
from sidecar.lab.audio import wav
from sidecar.lab.audio.decode import decoded, decoded_raw
from sidecar.lab.engines.echo import EchoRecognizer
from sidecar.translation import Inexpressible, translate
from tests.running import Running
from tests.scenarios.sdk.ledger import Ledger
from tests.translation.rerouted import rerouting
from tests.translation.speaking import DIALECTS, MODELS, TEXT, VOICES, Asking, askings, target

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The sidecar's name for who speaks each dialect, and the lab's.
NAMES = {
    "assemblyai": ("assemblyai-tts", "assemblyai"),
    "azure_openai": ("azure-openai", "azure-openai"),
    "azure_speech": ("azure-speech", "azure-speech"),
    "cartesia": ("cartesia", "cartesia"),
    "deepgram": ("deepgram", "deepgram"),
    "elevenlabs": ("elevenlabs", "elevenlabs"),
    "google_cloud": ("google-tts", "google-speech"),
    "groq": ("groq", "groq"),
    "mistral": ("mistral", "mistral"),
    "openai": ("openai", "openai"),
    "yandex": ("yandex-tts", "yandex"),
}
#: A credential that any of them takes, in all their ways.
KEYS = {
    "Authorization": "Bearer key-of-the-agent",
    "xi-api-key": "key-of-the-agent",
    "api-key": "key-of-the-agent",
    "Ocp-Apim-Subscription-Key": "key-of-the-agent",
}


class Here(NamedTuple):
    """A sidecar, and the calls that it has ended."""

    sidecar: Running
    ledger: Ledger


class World(NamedTuple):
    lab: Lab
    directory: Path

    @contextlib.asynccontextmanager
    async def to(self, dialect: str) -> AsyncIterator[Here]:
        """A sidecar that sends all calls to the provider of *dialect*."""
        name, key = NAMES[dialect][0], self.directory / "key"
        key.write_text("key-of-the-pod")
        overrides = ["log.calls=none"]
        for own, theirs in NAMES.values():
            overrides += [
                f"providers.{own}.url={self.lab.url(theirs)}",
                f"providers.{own}.credential=${{file:{key}}}",
                f"providers.{own}.timeouts.between_chunks=300ms",
            ]
        place = self.directory / str(len(list(self.directory.iterdir())))
        place.mkdir()
        model, voice = MODELS.get(dialect), VOICES[dialect]
        async with (
            rerouting(place, *overrides, to=name, model=model, voice=voice) as sidecar,
            Ledger(sidecar) as ledger,
        ):
            yield Here(sidecar, ledger)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with Lab() as lab:
        yield World(lab, tmp_path_factory.mktemp("rerouted"))
        assert not lab.failures


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def called(sidecar: Running, asking: Asking) -> Got:
    headers = KEYS | {"Content-Type": "application/json", "Accept-Encoding": "gzip"} | dict(asking.headers)
    url = f"{sidecar.proxy}/{NAMES[asking.dialect][0]}{asking.path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=asking.body, headers=headers) as answer:
        return Got(answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read())


def audio_in(asking: Asking, got: Got) -> bytes:
    if not asking.inside:
        return got.body
    if "event-stream" in got.headers["content-type"]:
        events = sse.Reader(1 << 24).feed(got.body)
        documents = [json.loads(event.data) for event in events]
        assert documents[-1]["type"] in ("speech.audio.done", "done"), "the last event says that this was all"
    else:
        documents = [json.loads(got.body)]
    return b"".join(base64.b64decode(document.get(asking.inside, "")) for document in documents)


async def heard(asking: Asking, audio: bytes) -> str:
    pcm = decoded_raw(audio, asking.codec, asking.rate) if asking.codec else decoded(audio)
    return (await EchoRecognizer().transcribe(pcm)).text


def is_expressible(asking: Asking, to: str) -> bool:
    """All but its form can be said everywhere."""
    try:
        translate(asking.exchange(), target(to))
    except Inexpressible as error:
        if error.feature not in ("format", "bit_rate", "sample_rate"):
            raise
        return False
    return True


@pytest.mark.parametrize("to", DIALECTS)
async def test_whoever_answers_says_it_in_the_form_and_the_words_that_were_asked_for(world: World, to: str) -> None:
    sources = set()
    async with world.to(to) as here:
        for asking in askings():
            if not is_expressible(asking, to):
                continue
            sources.add(asking.dialect)
            got = await called(here.sidecar, asking)
            assert got.status == 200, (str(asking), got)
            assert await heard(asking, audio_in(asking, got)) == TEXT, str(asking)
            (told,) = await here.ledger.calls(1)
            assert (told.outcome, told.answered_by, told.faults) == ("completed", NAMES[to][0], ())
    for received in world.lab.provider(NAMES[to][1]).requests:
        assert b"key-of-the-agent" not in b"".join(value for _, value in received.headers)
    assert sources == set(DIALECTS), "somebody could never be answered"


async def test_a_wav_file_that_is_whole_tells_its_true_sizes(world: World) -> None:
    """AssemblyAI's and Azure's agents are used to that; others are streamed to."""
    whole = next(asking for asking in askings() if (asking.dialect, asking.name) == ("assemblyai", "wav"))
    streamed = next(asking for asking in askings() if (asking.dialect, asking.name) == ("openai", "wav"))
    async with world.to("elevenlabs") as here:
        got = await called(here.sidecar, whole)
        assert int(got.headers["content-length"]) == len(got.body)
        assert int.from_bytes(got.body[40:44], "little") == len(got.body) - 44
        got = await called(here.sidecar, streamed)
        assert got.headers["transfer-encoding"] == "chunked"
        assert got.body[40:44] == b"\xff" * 4
        assert wav.parse(got.body)[:3] == ("pcm_s16le", 24000, 1)


def asking_of(dialect: str, name: str) -> Asking:
    return next(asking for asking in askings() if (asking.dialect, asking.name) == (dialect, name))


async def outcome(here: Here, asking: Asking) -> str:
    """What comes of a call: ok, broken, a status, or that the plugin gave up, which is its way to say 'try another'."""
    try:
        got = await called(here.sidecar, asking)
        seen = "ok" if got.status == 200 else str(got.status)
    except aiohttp.ClientError:
        seen = "broken"
    (told,) = await here.ledger.calls(1)
    assert told.outcome == ("failed" if seen == "broken" or told.status == 502 else "completed")
    return "given up" if told.faults else seen


#: An agent that each provider can answer while it speaks, in bytes; another whose audio comes in events.
FLOWING = ("openai", "pcm")
IN_EVENTS = ("openai", "events")


def agent_for(to: str, *, whole: bool) -> Asking:
    """One that can be answered from there: while it is spoken, or with one document."""
    documents = ("audioContent", "audio_data")
    own = [asking for asking in askings() if asking.dialect != to and asking.name != "events"]
    fit = [asking for asking in own if (asking.inside in documents) is whole and not asking.headers]
    return next(asking for asking in fit if is_expressible(asking, to))


@pytest.mark.parametrize("fault", ["cut", "close", "stall"])
@pytest.mark.parametrize("to", DIALECTS)
async def test_what_breaks_off_in_the_middle_is_seen_to_be_broken(world: World, to: str, fault: str) -> None:
    flowing, whole = agent_for(to, whole=False), agent_for(to, whole=True)
    async with world.to(to) as here:
        provider = world.lab.provider(NAMES[to][1])
        assert await outcome(here, flowing) == "ok"
        provider.fail_next(fault)
        # who answers all at once breaks off before anything was said
        assert await outcome(here, flowing) == ("given up" if to == "google_cloud" else "broken")
        assert await outcome(here, whole) == "ok"
        provider.fail_next(fault)
        assert await outcome(here, whole) == "given up"
        assert await outcome(here, flowing) == "ok"


@pytest.mark.parametrize(
    ("to", "asking", "seen"),
    [
        ("openai", ("mistral", "events"), "broken"),
        ("azure_openai", ("mistral", "events"), "broken"),
        ("mistral", FLOWING, "broken"),
        ("mistral", IN_EVENTS, "broken"),
        ("mistral", ("google_cloud", "LINEAR16"), "given up"),
        ("mistral", ("deepgram", "wav"), "broken"),
        ("cartesia", IN_EVENTS, "broken"),
        ("cartesia", ("mistral", "events"), "broken"),
        ("google_cloud", FLOWING, "given up"),
    ],
)
async def test_an_answer_that_ends_as_if_that_were_all_is_found_out_where_there_is_a_last_word(
    world: World, to: str, asking: tuple[str, str], seen: str
) -> None:
    """An event that says so, or an end of the JSON. Of bare audio nobody can tell."""
    async with world.to(to) as here:
        assert await outcome(here, asking_of(*asking)) == "ok"
        world.lab.provider(NAMES[to][1]).fail_next("short")
        assert await outcome(here, asking_of(*asking)) == seen


@pytest.mark.parametrize("to", ["openai", "mistral", "cartesia"])
async def test_an_event_that_cannot_be_read_breaks_the_answer(world: World, to: str) -> None:
    asking = asking_of(*IN_EVENTS) if to == "cartesia" else asking_of("cartesia", "sse-pcm_s16le")
    async with world.to(to) as here:
        world.lab.provider(NAMES[to][1]).fail_next("malformed-sse")
        assert await outcome(here, asking) == "broken"


async def test_an_error_of_the_provider_is_left_to_whoever_asked_for_the_translation(world: World) -> None:
    async with world.to("elevenlabs") as here:
        world.lab.provider("elevenlabs").fail_next("quota")
        got = await called(here.sidecar, asking_of(*FLOWING))
        assert got.status == 401
        assert json.loads(got.body)["detail"]["status"] == "quota_exceeded"


async def test_an_agent_that_leaves_ends_the_providers_work(world: World) -> None:
    async with world.to("mistral") as here:
        asking = asking_of(*FLOWING)
        url = f"{here.sidecar.proxy}/openai{asking.path}"
        provider = world.lab.provider("mistral")
        provider.forget()
        provider.fail_next("stall")
        async with aiohttp.ClientSession() as session:
            answer = await session.post(url, data=asking.body, headers=KEYS | {"Content-Type": "application/json"})
            assert await answer.content.readany()
            answer.close()
        assert (await provider.requests[0].finished(timeout_seconds=5)).cancelled
