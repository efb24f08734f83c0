"""The providers' own SDKs, whose recordings somebody else writes down, and none the wiser: real sockets, real SDKs, a
real sidecar that sends all calls elsewhere, and the lab's providers.
"""

import asyncio
import contextlib
import gc
import hashlib
import warnings
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sidecar.lab import Lab
from sidecar.lab.audio import wav
from sidecar.lab.audio.decode import decoded
from sidecar.lab.audio.pcm import joined
from sidecar.lab.engines.contract import Voice, Word
from sidecar.lab.engines.echo import EchoRecognizer, EchoSynthesizer
from tests.running import Running
from tests.translation.listening import MODELS, RECOGNIZER, TEXT
from tests.translation.rerouted import rerouting
from tests.translation.test_transcription_pairs import LAB, named, overrides

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

openai = pytest.importorskip("openai")
groq = pytest.importorskip("groq")
httpx2 = pytest.importorskip("httpx2")
httpx = pytest.importorskip("httpx")
deepgram = pytest.importorskip("deepgram")
deepgrams_places = pytest.importorskip("deepgram.environment")
elevenlabs = pytest.importorskip("elevenlabs.client")
mistral = pytest.importorskip("mistralai.client")
assemblyai = pytest.importorskip("assemblyai")
cartesia = pytest.importorskip("cartesia")

KEY = "sk-agents-own"
PLAIN = "we are open come in"
#: What is heard of times is rounded by each provider in its own way; Yandex' neighbours count in ticks of 100 ns.
EXACT = pytest.approx


class World:
    """A lab, a recording of `TEXT` with what is true of it, and for each provider a sidecar that sends calls there."""

    def __init__(self, lab: Lab, directory: Path, stack: contextlib.AsyncExitStack, audio: bytes, truth: Any) -> None:
        self.lab = lab
        self.audio = audio
        self.truth: Any = truth
        self._directory = directory
        self._stack = stack
        self._sidecars: dict[tuple[str, str | None], Running] = {}

    async def url(self, agent: str, to: str, model: str | None = None) -> str:
        """Where agents of a dialect find their provider, for whom *to* answers with *model*."""
        chosen = model or MODELS[to]
        if (to, chosen) not in self._sidecars:
            directory = self._directory / f"{to} {len(self._sidecars)}"
            directory.mkdir()
            made = rerouting(directory, *overrides(self.lab, directory), to=named(to), model=chosen)
            self._sidecars[to, chosen] = await self._stack.enter_async_context(made)
        self.lab.provider(LAB[to]).clear_faults()
        return f"{self._sidecars[to, chosen].proxy}/{named(agent)}"

    def fail(self, to: str, fault: str) -> None:
        self.lab.provider(LAB[to]).fail_next(fault)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    audio = wav.file(joined([piece async for piece in EchoSynthesizer().speak(TEXT, Voice(), 16000)]))
    truth = await EchoRecognizer().transcribe(decoded(audio))
    async with Lab(*dict.fromkeys(LAB.values())) as lab, contextlib.AsyncExitStack() as stack:
        yield World(lab, tmp_path_factory.mktemp("sidecars"), stack, audio, truth)
        assert not lab.failures


def times(words: Sequence[Any]) -> list[tuple[float, float]]:
    return [(word.start, word.end) for word in words]


def true_times(words: Sequence[Word]) -> list[tuple[float, float]]:
    return [(EXACT(word.start_seconds, abs=0.002), EXACT(word.end_seconds, abs=0.002)) for word in words]


def bare(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalpha() or letter == " ")


# -- OpenAI ------------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def an_openai(url: str) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        yield client.audio


TIMING = ("deepgram", "elevenlabs", "google_cloud", "cartesia", "assemblyai", "groq", "azure_openai")


@pytest.mark.parametrize("to", TIMING)
async def test_openais_sdk_gets_words_with_times(world: World, to: str) -> None:
    wanted: Any = ["word", "segment"]
    async with an_openai(await world.url("openai", to)) as audio:
        answer = await audio.transcriptions.create(
            model="whisper-1",
            file=("question.wav", world.audio),
            language="en",
            response_format="verbose_json",
            timestamp_granularities=wanted,
        )
    assert bare(answer.text) == PLAIN
    assert times(answer.words) == true_times(world.truth.words)
    assert answer.language == "english"
    assert answer.duration == EXACT(world.truth.duration_seconds, abs=0.01)
    assert answer.segments[0].start == EXACT(world.truth.words[0].start_seconds, abs=0.002)
    assert answer.segments[-1].end == EXACT(world.truth.words[-1].end_seconds, abs=0.002)
    assert bare(" ".join(one.text.strip() for one in answer.segments)) == PLAIN
    openai.types.audio.TranscriptionVerbose.model_validate(answer.model_dump())


@pytest.mark.parametrize("to", ["deepgram", "elevenlabs", "mistral", "groq"])
async def test_openais_sdk_gets_subtitles_from_those_who_write_none(world: World, to: str) -> None:
    async with an_openai(await world.url("openai", to)) as audio:
        srt = await audio.transcriptions.create(model="whisper-1", file=("a.wav", world.audio), response_format="srt")
        vtt = await audio.transcriptions.create(model="whisper-1", file=("a.wav", world.audio), response_format="vtt")
    cues = str(srt).strip().split("\n\n")
    assert [cue.splitlines()[0] for cue in cues] == [str(number) for number in range(1, len(cues) + 1)]
    assert bare(" ".join(cue.splitlines()[2] for cue in cues)) == PLAIN
    first = world.truth.words[0].start_seconds
    assert cues[0].splitlines()[1].startswith(f"00:00:0{first:.3f}".replace(".", ","))
    assert str(vtt).startswith("WEBVTT\n\n00:00:")


async def test_openais_sdk_gets_a_stream_as_it_flows_and_as_one_piece(world: World) -> None:
    for to, count in (("mistral", 3), ("deepgram", 1), ("yandex", 1)):
        async with an_openai(await world.url("openai", to)) as audio:
            stream = await audio.transcriptions.create(
                model="gpt-4o-transcribe", file=("a.wav", world.audio), language="en", stream=True
            )
            events = [event async for event in stream]
        deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
        assert events[-1].type == "transcript.text.done"
        assert "".join(deltas).strip() == events[-1].text
        assert bare(events[-1].text) == PLAIN
        assert len(deltas) >= count
        assert len(deltas) == 1 or to == "mistral"


async def test_openais_sdk_is_told_who_speaks(world: World) -> None:
    async with an_openai(await world.url("openai", "deepgram")) as audio:
        answer = await audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize", file=("a.wav", world.audio), response_format="diarized_json"
        )
    assert {segment.speaker for segment in answer.segments} == {"A"}
    assert bare(answer.text) == PLAIN


async def test_openais_sdk_for_azure_and_translations(world: World) -> None:
    url = await world.url("azure_openai", "elevenlabs")
    async with openai.AsyncAzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="2025-03-01-preview") as client:
        answer = await client.audio.transcriptions.create(model="whisper", file=("a.wav", world.audio))
        assert bare(answer.text) == PLAIN
    chirp = f"{RECOGNIZER}/models/chirp_2"
    async with an_openai(await world.url("openai", "google_cloud", chirp)) as audio:
        answer = await audio.translations.create(model="whisper-1", file=("a.wav", world.audio))
        assert bare(answer.text) == PLAIN
    async with an_openai(await world.url("openai", "yandex")) as audio:
        text = await audio.transcriptions.create(
            model="whisper-1", file=("a.wav", world.audio), language="en", response_format="text"
        )
        assert bare(str(text)).strip() == PLAIN


# -- others ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["deepgram", "google_cloud"])
async def test_groqs_sdk(world: World, to: str) -> None:
    async with groq.AsyncGroq(base_url=await world.url("groq", to), api_key=KEY, max_retries=0) as client:
        answer = await client.audio.transcriptions.create(
            model="whisper-large-v3", file=("a.wav", world.audio), language="en", response_format="verbose_json"
        )
    assert bare(answer.text) == PLAIN
    assert answer.segments


@pytest.mark.parametrize("to", ["openai", "elevenlabs", "assemblyai", "cartesia", "mistral"])
async def test_deepgrams_sdk(world: World, to: str) -> None:
    url = await world.url("deepgram", to)
    places = deepgrams_places.DeepgramClientEnvironment(base=url, production=url, agent=url, agent_rest=url)
    async with httpx.AsyncClient() as http:
        client = deepgram.AsyncDeepgramClient(api_key=KEY, environment=places, httpx_client=http)
        answer = await client.listen.v1.media.transcribe_file(
            request=world.audio, model="nova-3", language="en", smart_format=True
        )
    [best] = answer.results.channels[0].alternatives
    assert bare(best.transcript) == PLAIN
    assert times(best.words) == ([] if to == "mistral" else true_times(world.truth.words))
    assert answer.metadata.sha256 == hashlib.sha256(world.audio).hexdigest()
    assert answer.metadata.duration == EXACT(world.truth.duration_seconds, abs=0.01)
    assert list(answer.metadata.model_info) == answer.metadata.models
    type(answer).model_validate(answer.model_dump())


@pytest.mark.parametrize("to", ["openai", "deepgram", "google_cloud"])
async def test_elevenlabs_sdk(world: World, to: str) -> None:
    url = await world.url("elevenlabs", to)
    async with httpx.AsyncClient() as http:
        client = elevenlabs.AsyncElevenLabs(base_url=url, api_key=KEY, httpx_client=http)
        answer = await client.speech_to_text.convert(
            model_id="scribe_v1", file=world.audio, language_code="en", timestamps_granularity="word"
        )
    assert bare(answer.text) == PLAIN
    assert answer.language_code == "eng"
    words = [word for word in answer.words if word.type == "word"]
    assert times(words) == true_times(world.truth.words)
    assert "".join(word.text for word in answer.words).count(" ") == len(words) - 1
    type(answer).model_validate(answer.model_dump())


@pytest.mark.parametrize("to", ["openai", "deepgram", "yandex", "azure_speech"])
async def test_mistrals_sdk_which_checks_what_it_gets(world: World, to: str) -> None:
    file: Any = {"file_name": "a.wav", "content": world.audio}
    async with mistral.Mistral(api_key=KEY, server_url=await world.url("mistral", to)) as client:
        answer = await client.audio.transcriptions.complete_async(model="voxtral-mini-latest", file=file, language="en")
        assert bare(answer.text) == PLAIN
        assert answer.usage.prompt_audio_seconds == -(-int(world.truth.duration_seconds * 1000) // 1000)


async def test_mistrals_sdk_gets_times_and_a_stream(world: World) -> None:
    file: Any = {"file_name": "a.wav", "content": world.audio}
    async with mistral.Mistral(api_key=KEY, server_url=await world.url("mistral", "deepgram")) as client:
        answer = await client.audio.transcriptions.complete_async(
            model="voxtral-mini-latest", file=file, timestamp_granularities=["word"]
        )
        assert times(answer.segments) == true_times(world.truth.words)
    url = await world.url("mistral", "openai", "gpt-4o-transcribe")
    async with mistral.Mistral(api_key=KEY, server_url=url) as client:
        stream = await client.audio.transcriptions.stream_async(model="voxtral-mini-latest", file=file)
        events = [event async for event in stream]
    said = [event.data.text for event in events if event.event == "transcription.text.delta"]
    assert len(said) > 2
    assert bare("".join(said)) == PLAIN
    assert bare(events[-1].data.text) == PLAIN


@pytest.mark.parametrize("to", ["openai", "deepgram", "google_cloud"])
async def test_assemblyais_sdk_which_checks_what_it_gets(world: World, to: str) -> None:
    assemblyai.settings.api_key = KEY
    assemblyai.settings.sync_base_url = await world.url("assemblyai", to)
    config = assemblyai.SyncTranscriptionConfig(language_codes=["en"], timestamps=True)
    answer = await asyncio.to_thread(assemblyai.SyncTranscriber().transcribe, world.audio, config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # its clients are never closed
        gc.collect()
    assert bare(answer.text) == PLAIN
    assert [(word.start / 1000, word.end / 1000) for word in answer.words] == true_times(world.truth.words)
    assert answer.audio_duration_ms == EXACT(world.truth.duration_seconds * 1000, abs=10)


@pytest.mark.parametrize("to", ["openai", "assemblyai", "elevenlabs"])
async def test_cartesias_sdk(world: World, to: str) -> None:
    async with cartesia.AsyncCartesia(api_key=KEY, base_url=await world.url("cartesia", to), max_retries=0) as client:
        answer = await client.stt.transcribe(
            model="ink-whisper", file=("a.wav", world.audio), language="en", timestamp_granularities=["word"]
        )
        assert bare(answer.text) == PLAIN
        assert times(answer.words) == true_times(world.truth.words)
        file = ("a.pcm", world.audio[44:])
        answer = await client.stt.transcribe(model="ink-whisper", file=file, encoding="pcm_s16le", sample_rate=16000)
        assert bare(answer.text) == PLAIN


@pytest.mark.parametrize("to", ["openai", "deepgram", "azure_speech"])
async def test_googles_sdk_over_rest(world: World, to: str) -> None:
    speech = pytest.importorskip("google.cloud.speech_v1")
    speech_v2 = pytest.importorskip("google.cloud.speech_v2")
    credentials = pytest.importorskip("google.oauth2.credentials").Credentials(KEY)
    url = await world.url("google_cloud", to)
    timed = to != "azure_speech"

    def recognized() -> Any:
        config = speech.RecognitionConfig(
            encoding=speech.RecognitionConfig.AudioEncoding.LINEAR16,
            sample_rate_hertz=16000,
            language_code="en-US",
            enable_automatic_punctuation=True,
            enable_word_time_offsets=timed,
        )
        options = {"credentials": credentials, "transport": "rest", "client_options": {"api_endpoint": url}}
        with speech.SpeechClient(**options) as client:
            return client.recognize(config=config, audio=speech.RecognitionAudio(content=world.audio[44:]))

    def recognized_v2() -> Any:
        config = speech_v2.RecognitionConfig(
            auto_decoding_config=speech_v2.AutoDetectDecodingConfig(), language_codes=["en-US"], model="chirp_3"
        )
        request = speech_v2.RecognizeRequest(recognizer=RECOGNIZER, config=config, content=world.audio)
        options = {"credentials": credentials, "transport": "rest", "client_options": {"api_endpoint": url}}
        with speech_v2.SpeechClient(**options) as client:
            return client.recognize(request)

    answer = await asyncio.to_thread(recognized)
    [best] = answer.results[0].alternatives
    assert best.transcript == TEXT
    if timed:
        found = [(word.start_time.total_seconds(), word.end_time.total_seconds()) for word in best.words]
        assert found == true_times(world.truth.words)
    answer = await asyncio.to_thread(recognized_v2)
    assert bare(answer.results[0].alternatives[0].transcript) == PLAIN
    assert not any(mark in answer.results[0].alternatives[0].transcript for mark in ".!")


# -- what goes wrong ---------------------------------------------------------------------------------------------------


#: What the SDK lets through of its HTTP library where a stream breaks.
BROKEN = (openai.APIError, httpx2.HTTPError)


async def ended(stream: Any) -> None:
    async for event in stream:
        assert event.type != "transcript.text.done", "it was ended as if it were whole"


@pytest.mark.parametrize("fault", ["cut", "close", "short", "malformed-sse", "stall:40"])
async def test_a_stream_that_breaks_is_seen_to(world: World, fault: str) -> None:
    url = await world.url("openai", "mistral")
    world.fail("mistral", fault)
    async with an_openai(url) as audio:
        stream = await audio.transcriptions.create(
            model="gpt-4o-transcribe", file=("a.wav", world.audio), stream=True, timeout=1.0
        )
        with pytest.raises(BROKEN):
            await ended(stream)


@pytest.mark.parametrize("fault", ["cut", "close", "length-long"])
@pytest.mark.parametrize("to", ["deepgram", "mistral", "google_cloud"])
async def test_an_answer_that_breaks_is_seen_to(world: World, to: str, fault: str) -> None:
    url = await world.url("openai", to)
    world.fail(to, fault)
    async with an_openai(url) as audio:
        with pytest.raises(openai.APIStatusError) as failure:
            await audio.transcriptions.create(model="whisper-1", file=("a.wav", world.audio), language="en")
    assert failure.value.status_code == 502


@pytest.mark.parametrize("to", ["deepgram", "mistral"])
async def test_half_an_answer_that_looks_whole_is_no_transcript(world: World, to: str) -> None:
    """It cannot be translated. A plugin that does not heed that is bypassed, here: what the agent gets is no JSON."""
    url = await world.url("openai", to)
    world.fail(to, "short")
    async with an_openai(url) as audio:
        with pytest.raises((openai.APIError, ValueError)):
            await audio.transcriptions.create(model="whisper-1", file=("a.wav", world.audio), language="en")


@pytest.mark.parametrize("fault", ["rate:1", "500", "quota"])
async def test_an_error_of_the_other_provider_is_no_transcript(world: World, fault: str) -> None:
    """What becomes of it is the affair of whoever sent the call there."""
    url = await world.url("openai", "elevenlabs")
    world.fail("elevenlabs", fault)
    async with an_openai(url) as audio:
        with pytest.raises(openai.APIStatusError):
            await audio.transcriptions.create(model="whisper-1", file=("a.wav", world.audio))
