"""What agents ask for, read out of each wire; and no field of a request is overlooked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.payload import Transcription
from sidecar.translation import Inexpressible, translate
from sidecar.translation.transcription import (
    asking,
    assemblyai,
    azure_speech,
    cartesia,
    deepgram,
    elevenlabs,
    google,
    mistral,
    openai,
    yandex,
)
from sidecar.translation.transcription.neutral import Ask, Wish
from tests.translation import listening
from tests.translation.listening import BOUNDARY, DIALECTS, MODELS, RECOGNIZER, WAV, Call, plain, target

REQUIRED, WELCOME, NO = Wish.REQUIRED, Wish.WELCOME, Wish.NO


def read(call: Call) -> Ask:
    exchange = call.exchange()
    assert exchange.call is not None
    return asking.asked(exchange, asking.agents_wire(call.dialect, exchange.call.endpoint))


VERBOSE = ("response_format", "verbose_json")
WORD, SEGMENT = ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")
PHRASES = {"phraseSets": [{"inlinePhraseSet": {"phrases": [{"value": "Kubernetes"}, {"value": "Helm", "boost": 5}]}}]}

READ: list[tuple[Call, dict[str, Any]]] = [
    # OpenAI and those who follow it
    (listening.openai(), {"model": "whisper-1", "languages": (), "segments": NO, "words": NO, "output": "json"}),
    (listening.openai(("language", "en"), ("prompt", "Hi.")), {"languages": ("en",), "prompt": "Hi."}),
    (listening.openai(("language", "")), {"languages": (), "peculiar": ()}),
    (listening.openai(("languages[]", "en"), ("languages[]", "de")), {"languages": ("en", "de")}),
    (listening.openai(("keywords[]", "Helm"), ("keywords[]", "pod")), {"terms": ("Helm", "pod")}),
    (listening.openai(("temperature", "0.2")), {"temperature": 0.2, "indifferent": ()}),
    (listening.openai(VERBOSE), {"segments": REQUIRED, "words": NO, "output": "verbose_json"}),
    (listening.openai(VERBOSE, WORD), {"segments": NO, "words": REQUIRED}),
    (listening.openai(VERBOSE, WORD, SEGMENT), {"segments": REQUIRED, "words": REQUIRED}),
    (listening.openai(WORD), {"segments": NO, "words": NO}),
    (listening.openai(("response_format", "srt")), {"segments": REQUIRED, "output": "srt"}),
    (listening.openai(("response_format", "vtt")), {"segments": REQUIRED, "output": "vtt"}),
    (listening.openai(("response_format", "text")), {"segments": NO, "output": "text"}),
    (listening.openai(("response_format", "diarized_json")), {"segments": REQUIRED, "speakers": True}),
    (listening.openai(("include[]", "logprobs")), {"logprobs": True, "peculiar": ()}),
    (listening.openai(("chunking_strategy", "auto")), {"indifferent": ("chunking_strategy",)}),
    (listening.openai(("chunking_strategy[type]", "server_vad")), {"indifferent": ("chunking_strategy",)}),
    (listening.openai(("model", "gpt-4o-transcribe"), ("stream", "true")), {"stream": True}),
    (listening.openai(("stream", "true")), {"stream": False}),
    (listening.openai(path="/v1/audio/translations"), {"translate": True}),
    (listening.openai(dialect="azure_openai"), {"model": "whisper", "peculiar": ()}),
    (
        listening.openai(dialect="azure_openai", path="/openai/deployments/mine/audio/transcriptions?api-version=1"),
        {"indifferent": ("api-version",)},
    ),
    (
        listening.openai(("url", "https://example.com/a.ogg"), dialect="groq", audio=None),
        {"address": "https://example.com/a.ogg", "audio": b""},
    ),
    # Mistral
    (listening.mistral(("context_bias", "New_York"), ("context_bias", "pod")), {"terms": ("New York", "pod")}),
    (listening.mistral(("diarize", "true")), {"speakers": True, "segments": REQUIRED}),
    (listening.mistral(("timestamp_granularities", "segment")), {"segments": REQUIRED, "words": NO}),
    (listening.mistral(("timestamp_granularities", "word")), {"segments": NO, "words": REQUIRED}),
    (listening.mistral(("stream", "true"), ("temperature", "0")), {"stream": True, "temperature": 0.0}),
    (listening.mistral(("file_url", "https://a.example/a"), audio=None), {"address": "https://a.example/a"}),
    # Deepgram
    (listening.deepgram(), {"languages": ("en",), "words": WELCOME, "punctuation": NO, "model": None}),
    (listening.deepgram(("language", "de"), ("punctuate", "true")), {"languages": ("de",), "punctuation": REQUIRED}),
    (listening.deepgram(("smart_format", "true")), {"punctuation": REQUIRED}),
    (listening.deepgram(("detect_language", "true")), {"languages": ()}),
    (listening.deepgram(("detect_language", "false")), {"languages": ("en",)}),
    (listening.deepgram(("detect_language", "en"), ("detect_language", "de")), {"languages": ("en", "de")}),
    (listening.deepgram(("language", "multi")), {"languages": ()}),
    (
        listening.deepgram(("language", "multi"), ("language_hint", "en"), ("language_hint", "de")),
        {"languages": ("en", "de")},
    ),
    (listening.deepgram(("diarize", "true")), {"speakers": True, "words": REQUIRED}),
    (listening.deepgram(("diarize_model", "latest")), {"speakers": True}),
    (listening.deepgram(("utterances", "true")), {"segments": REQUIRED}),
    (listening.deepgram(("keyterm", "Helm"), ("keyterm", "pod")), {"terms": ("Helm", "pod")}),
    (listening.deepgram(("keywords", "Helm:2.5")), {"terms": ("Helm",), "peculiar": ()}),
    (listening.deepgram(("profanity_filter", "true")), {"filter_profanity": True}),
    (listening.deepgram(("tag", "shop"), ("utt_split", "0.5")), {"indifferent": ("tag", "utt_split")}),
    (
        listening.deepgram(("encoding", "linear16"), ("sample_rate", "16000"), ("channels", "2"), audio=WAV[44:]),
        {"sound.format": "pcm", "sound.rate": 16000, "sound.channels": 2, "sound.seconds": 0.5, "peculiar": ()},
    ),
    (
        listening.deepgram(("encoding", "linear32"), ("sample_rate", "8000"), audio=bytes(32000)),
        {"sound.format": "pcm_f32le", "sound.seconds": 1.0},
    ),
    # ElevenLabs
    (listening.elevenlabs(), {"languages": (), "words": WELCOME, "model": "scribe_v1"}),
    (listening.elevenlabs(("language_code", "deu")), {"languages": ("deu",)}),
    (
        listening.elevenlabs(("language_code", "en"), ("secondary_language_codes", "de")),
        {"languages": ("en", "de")},
    ),
    (listening.elevenlabs(("timestamps_granularity", "word")), {"words": REQUIRED}),
    (listening.elevenlabs(("diarize", "true"), ("num_speakers", "3")), {"speakers": True, "speaker_count": 3}),
    (listening.elevenlabs(("keyterms", "Helm"), ("keyterms", "pod")), {"terms": ("Helm", "pod")}),
    (listening.elevenlabs(("webhook_metadata", "null"), ("entity_detection", "null")), {"peculiar": ()}),
    (listening.elevenlabs(("tag_audio_events", "false"), ("seed", "1")), {"peculiar": (), "indifferent": ("seed",)}),
    (
        listening.elevenlabs(("file_format", "pcm_s16le_16"), audio=WAV[44:]),
        {"sound.format": "pcm", "sound.rate": 16000, "sound.seconds": 1.0},
    ),
    (listening.elevenlabs(("source_url", "https://a.example/a"), audio=None), {"address": "https://a.example/a"}),
    (listening.elevenlabs(query="?enable_logging=true"), {"peculiar": ()}),
    # Google
    (listening.google(), {"languages": ("en-US",), "model": "latest_short", "punctuation": NO, "words": NO}),
    (listening.google(alternativeLanguageCodes=["de-DE"]), {"languages": ("en-US", "de-DE")}),
    (listening.google(enable_automatic_punctuation=True), {"punctuation": REQUIRED}),
    (listening.google(enableWordTimeOffsets=True), {"words": REQUIRED}),
    (listening.google(enableWordConfidence=True), {"words": WELCOME}),
    (listening.google(profanity_filter=True), {"filter_profanity": True}),
    (listening.google(speechContexts=[{"phrases": ["Helm", "pod"], "boost": 3}]), {"terms": ("Helm", "pod")}),
    (listening.google(adaptation=PHRASES), {"terms": ("Kubernetes", "Helm"), "peculiar": ()}),
    (
        listening.google(diarizationConfig={"enableSpeakerDiarization": True, "maxSpeakerCount": 2}),
        {"speakers": True, "speaker_count": 2, "words": REQUIRED},
    ),
    (listening.google(query="?%24alt=json%3Benum-encoding%3Dint"), {"peculiar": (), "indifferent": ("$alt",)}),
    (listening.google(query="?alt=json&key=secret"), {"peculiar": ()}),
    (
        listening.google(WAV[44:], encoding=1, sampleRateHertz=16000, audioChannelCount=2),
        {"sound.format": "pcm", "sound.rate": 16000, "sound.channels": 2},
    ),
    (listening.google_v2(), {"languages": ("en-US",), "model": "chirp_2", "peculiar": ()}),
    (listening.google_v2(languageCodes=["auto"]), {"languages": ()}),
    (listening.google_v2(languageCodes=["en-US", "de-DE"]), {"languages": ("en-US", "de-DE")}),
    (listening.google_v2(translationConfig={"targetLanguage": "en-US"}), {"translate": True, "peculiar": ()}),
    (listening.google_v2(features={"diarizationConfig": {}}), {"speakers": True, "words": REQUIRED}),
    (listening.google_v2(features={"customPromptConfig": {"customPrompt": "Hi."}}), {"prompt": "Hi."}),
    (listening.google_v2(features={"enable_word_time_offsets": True}), {"words": REQUIRED}),
    (listening.google_v2(adaptation=PHRASES), {"terms": ("Kubernetes", "Helm")}),
    (
        listening.google_v2(
            WAV[44:],
            autoDecodingConfig=None,
            explicitDecodingConfig={"encoding": "LINEAR16", "sampleRateHertz": 16000, "audioChannelCount": 1},
        ),
        {"sound.format": "pcm", "sound.rate": 16000},
    ),
    # Yandex
    (listening.yandex(), {"languages": ("en-US",), "sound.format": "pcm", "sound.rate": 16000, "model": None}),
    (listening.yandex(("topic", "general"), ("format", "lpcm")), {"languages": ("ru-RU",), "sound.rate": 48000}),
    (listening.yandex(("lang", "auto"), ("format", "lpcm")), {"languages": ()}),
    (listening.yandex(("profanityFilter", "true"), ("format", "lpcm")), {"filter_profanity": True}),
    (listening.yandex(("rawResults", "false"), ("folderId", "f")), {"peculiar": (), "indifferent": ("folderId",)}),
    # Cartesia
    (listening.cartesia(), {"languages": ("en",), "words": NO, "model": "ink-whisper"}),
    (listening.cartesia(("language", "de"), WORD), {"languages": ("de",), "words": REQUIRED}),
    (
        listening.cartesia(query="?encoding=pcm_f32le&sample_rate=44100", audio=bytes(176400)),
        {"sound.format": "pcm_f32le", "sound.rate": 44100, "sound.seconds": 1.0},
    ),
    # Azure Speech
    (listening.azure(), {"languages": ("en-US",), "words": NO, "output": "simple", "sound.format": "wav"}),
    (listening.azure(("format", "detailed"), ("wordLevelTimestamps", "true")), {"words": REQUIRED}),
    (listening.azure(("profanity", "masked")), {"filter_profanity": True}),
    (listening.azure(("profanity", "raw")), {"filter_profanity": False, "peculiar": ()}),
    (listening.azure(("cid", "mine")), {"model": "mine"}),
    # AssemblyAI
    (listening.assemblyai(), {"languages": (), "model": "universal-3-5-pro", "words": NO, "prompt": ""}),
    (listening.assemblyai(language_codes=["en", "de"]), {"languages": ("en", "de")}),
    (listening.assemblyai(prompt="Hi.", keyterms_prompt=[" Helm ", ""]), {"prompt": "Hi.", "terms": ("Helm",)}),
    (listening.assemblyai(conversation_context=["Hi.", "Yes?"]), {"prompt": "Hi.\nYes?", "peculiar": ()}),
    (listening.assemblyai(conversation_context="Hi."), {"prompt": "Hi."}),
    (listening.assemblyai(timestamps=True), {"words": REQUIRED}),
    (
        listening.assemblyai(WAV[44:], sample_rate=16000, channels=2),
        {"sound.format": "pcm", "sound.rate": 16000, "sound.channels": 2, "sound.seconds": 0.5, "peculiar": ()},
    ),
]


@pytest.mark.parametrize(("call", "expected"), READ)
def test_what_an_agent_asks_for_is_read(call: Call, expected: dict[str, Any]) -> None:
    ask = read(call)
    found = {}
    for name in expected:
        value: Any = ask
        for step in name.split("."):
            value = getattr(value, step)
        found[name] = value
    assert found == expected


# -- every field, alone ------------------------------------------------------------------------------------------------


def alone(wire: str, name: str, value: str) -> Call:
    """The plainest call of *wire* with one field more, where such fields stand."""
    match wire:
        case "openai" | "azure_openai" | "groq":
            return listening.openai((name, value), dialect=wire)
        case "mistral":
            return listening.mistral((name, value))
        case "deepgram":
            return listening.deepgram((name, value))
        case "elevenlabs":
            return listening.elevenlabs((name, value))
        case "cartesia":
            return listening.cartesia((name, value))
        case "yandex":
            return listening.yandex(("lang", "en-US"), ("format", "lpcm"), ("sampleRateHertz", "16000"), (name, value))
        case "azure_speech":
            return listening.azure((name, value))
        case "assemblyai":
            return listening.assemblyai(**{name: value})
        case "google_cloud":
            return listening.google(**{name: value})
    return listening.google_v2(**{name: value})


TABLES = {
    "openai": openai,
    "azure_openai": openai,
    "groq": openai,
    "mistral": mistral,
    "deepgram": deepgram,
    "elevenlabs": elevenlabs,
    "google_cloud": google,
    "google_cloud.v2": google,
    "yandex": yandex,
    "cartesia": cartesia,
    "azure_speech": azure_speech,
    "assemblyai": assemblyai,
}
#: Names in the tables that do not stand where `alone` puts fields; each is tested on its own.
ELSEWHERE = {
    ("elevenlabs", "character_timestamps"),
    ("elevenlabs", "enable_logging"),
    *(("google_cloud", name) for name in ("$alt", "alt", "prettyPrint", "recognizer", "adaptation")),
    *(("google_cloud.v2", name) for name in ("$alt", "alt", "prettyPrint", "recognizer", "adaptation")),
    ("google_cloud.v2", "multiChannelMode"),
}  # fmt: skip


def fields(table: str) -> list[tuple[str, str]]:
    return [
        (wire, name)
        for wire, module in TABLES.items()
        for name in getattr(module, table, {})
        if (wire, name) not in ELSEWHERE
    ]


def another(wire: str) -> str:
    """A dialect that *wire*'s agents can be translated to and that is not of its family."""
    return "deepgram" if wire != "deepgram" else "elevenlabs"


@pytest.mark.parametrize(("wire", "name"), fields("PECULIAR"))
def test_what_only_one_provider_can_heed_is_refused_or_lost_by_leave(wire: str, name: str) -> None:
    call, other = alone(wire, name, "on"), another(wire)
    with pytest.raises(Inexpressible) as failure:
        translate(call.exchange(), target(other))
    assert failure.value.feature == name
    assert "on" not in failure.value.reason.split()
    assert name in translate(call.exchange(), target(other, name)).lost


@pytest.mark.parametrize(("wire", "name"), fields("PECULIAR"))
def test_switched_off_it_makes_no_difference(wire: str, name: str) -> None:
    if name in ("known_speaker_names", "known_speaker_references"):
        return
    call = alone(wire, name, "false")
    if wire.startswith("google"):
        call = call._replace(body=call.body.replace(b'"false"', b"false"))
    assert name not in translate(call.exchange(), target(another(wire))).lost


@pytest.mark.parametrize(("wire", "name"), fields("INDIFFERENT"))
def test_what_makes_no_difference_is_left_out_and_told(wire: str, name: str) -> None:
    assert name in translate(alone(wire, name, "1").exchange(), target(another(wire))).lost


@pytest.mark.parametrize("wire", TABLES)
def test_a_field_that_nobody_knows_is_an_obstacle(wire: str) -> None:
    call, dialect = alone(wire, "brand_new", "false"), wire.partition(".")[0]
    name = "brandNew" if dialect == "google_cloud" else "brand_new"
    for other in DIALECTS:
        if other == dialect:
            continue
        with pytest.raises(Inexpressible) as failure:
            translate(call.exchange(), target(other))
        assert failure.value.feature == name
    assert name in translate(call.exchange(), target(another(wire), name)).lost


@pytest.mark.parametrize(
    ("call", "feature"),
    [
        (listening.elevenlabs(("timestamps_granularity", "character")), "character_timestamps"),
        (listening.elevenlabs(query="?enable_logging=false"), "enable_logging"),
        (listening.elevenlabs(query="?brand_new=1"), "brand_new"),
        (listening.openai(("include[]", "something")), "include"),
        (listening.openai(path="/v1/audio/transcriptions?brand_new=1"), "brand_new"),
        (listening.openai(("known_speaker_names[]", "Ann")), "known_speaker_names"),
        (listening.deepgram(("keywords", "Helm:-2")), "keywords"),
        (listening.google(query="?alt=media"), "alt"),
        (listening.google(adaptation={"phraseSetReferences": ["projects/p/phraseSets/x"]}), "adaptation"),
        (listening.google(adaptation={"phraseSets": [{"name": "projects/p/phraseSets/x"}]}), "adaptation"),
        (listening.google_v2(adaptation={"phraseSets": [{"phraseSet": "projects/p/phraseSets/x"}]}), "adaptation"),
        (listening.google_v2(recognizer=RECOGNIZER.replace("_", "mine")), "recognizer"),
        (listening.google_v2(features={"multiChannelMode": "SEPARATE_RECOGNITION_PER_CHANNEL"}), "multiChannelMode"),
        (listening.google_v2(features={"brandNew": 1}), "brandNew"),
        (listening.google_v2(translationConfig={"targetLanguage": "de-DE"}), "translationConfig"),
        (listening.assemblyai(prompt="Hi.", conversation_context=["Hi."]), "conversation_context"),
        (listening.azure(**{"pronunciation-assessment": "e30="}), "Pronunciation-Assessment"),
        (listening.mistral(("file_id", "f-1"), audio=None), "body"),
        (listening.openai(audio=None), "body"),
        (listening.openai(audio=b""), "body"),
        (listening.openai(("url", "data:audio/wav;base64,UklGRg"), dialect="groq", audio=None), "audio_url"),
        (listening.openai(("url", "https://a.example/a"), dialect="groq"), "audio_url"),
        (plain()["deepgram"]._replace(headers={"content-encoding": "gzip"}), "body"),
        (listening.google()._replace(body=b"[]"), "body"),
        (listening.google()._replace(body=b'{"config": {"speechContexts": 1}}'), "body"),
        (Call("assemblyai", "/v2/transcript", b'{"audio_url": "https://a.example/a"}'), "call"),
        (Call("google_cloud", "/v1/speech:longrunningrecognize", listening.google().body), "call"),
        (Call("yandex", "/stt/v3/recognizeFileAsync", b"{}"), "call"),
        (Call("azure_speech", "/speechtotext/transcriptions:transcribe", b""), "call"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_elsewhere_is_refused_by_name(call: Call, feature: str) -> None:
    with pytest.raises(Inexpressible) as failure:
        translate(call.exchange(), target("mistral" if call.dialect != "mistral" else "openai"))
    assert failure.value.feature == feature


@pytest.mark.parametrize("path", ["/v2/transcript", "/v1/speech:longrunningrecognize", "/stt/v3/recognizeFileAsync"])
def test_a_job_goes_to_no_other_provider_of_its_own_kind_either(path: str) -> None:
    dialect = {"/v2/transcript": "assemblyai", "/v1/speech:longrunningrecognize": "google_cloud"}.get(path, "yandex")
    with pytest.raises(Inexpressible, match="call"):
        translate(Call(dialect, path, b"{}").exchange(), target(dialect))


# -- whatever comes ----------------------------------------------------------------------------------------------------

NAMES = sorted(
    {name for module in TABLES.values() for table in ("PECULIAR", "INDIFFERENT") for name in getattr(module, table, {})}
    | {"model", "language", "prompt", "response_format", "stream", "temperature", "timestamp_granularities[]", "url"}
    | {"diarize", "keyterm", "keywords", "num_speakers", "language_code", "languageCode", "config", "encoding"}
    | {"sample_rate", "sampleRateHertz", "format", "lang", "topic", "profanity", "channels", "language_codes"}
)
VALUES = st.one_of(
    st.sampled_from(
        ["", "true", "false", "null", "en", "en-US", "xx-", "-", "verbose_json", "srt", "0", "-1", "1e999"]
    ),
    st.text(max_size=12),
)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), VALUES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=6,
)


def outcome(call: Call, to: str) -> object:
    """What `translate` gives: nothing but `Inexpressible` may come out of it instead."""
    try:
        return translate(call.exchange(), target(to, model="some model"))
    except Inexpressible as failure:
        return failure.feature


FRAMINGS = st.sampled_from(
    [
        lambda body: body,
        lambda body: body.replace(b"\r\n", b"\n"),
        lambda body: b"a preamble\r\n" + body,
        lambda body: body[: len(body) // 2],
        lambda body: body.removesuffix(b"--\r\n"),
        lambda body: body + b"an epilogue",
        lambda body: b"",
    ]
)


@given(
    st.sampled_from(["openai", "azure_openai", "groq", "mistral", "elevenlabs", "cartesia"]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4),
    FRAMINGS,
    st.sampled_from(DIALECTS),
)
def test_no_form_makes_translating_fail_otherwise(wire: str, added: list[Any], framing: Any, to: str) -> None:
    call = {
        "mistral": listening.mistral,
        "elevenlabs": listening.elevenlabs,
        "cartesia": listening.cartesia,
    }.get(wire, listening.openai)(*added)
    if wire in ("azure_openai", "groq"):
        call = listening.openai(*added, dialect=wire)
    outcome(call._replace(body=framing(call.body)), to)


@given(
    st.sampled_from(["deepgram", "yandex", "azure_speech"]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=4),
    st.one_of(st.binary(max_size=64), st.just(WAV)),
    st.sampled_from(DIALECTS),
)
def test_no_query_makes_translating_fail_otherwise(wire: str, added: list[Any], audio: bytes, to: str) -> None:
    made = {"deepgram": listening.deepgram, "yandex": listening.yandex, "azure_speech": listening.azure}[wire]
    outcome(made(*added, audio=audio), to)


@given(
    st.sampled_from(["google_cloud", "google_cloud.v2", "assemblyai"]),
    st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=4),
    st.sampled_from(DIALECTS),
)
def test_no_json_makes_translating_fail_otherwise(wire: str, added: dict[str, Any], to: str) -> None:
    made: Any = {"google_cloud": listening.google, "google_cloud.v2": listening.google_v2}.get(
        wire, listening.assemblyai
    )
    outcome(made(WAV, **{name: value for name, value in added.items() if name not in ("audio", "query")}), to)
    call = made(WAV)
    outcome(call._replace(body=json.dumps(added).encode()), to)


@given(st.sampled_from(sorted(plain())), st.binary(max_size=80), st.sampled_from(DIALECTS))
def test_no_body_makes_translating_fail_otherwise(wire: str, body: bytes, to: str) -> None:
    outcome(plain()[wire]._replace(body=body), to)
    outcome(plain()[wire]._replace(body=b"--" + BOUNDARY.encode() + b"\r\n" + body), to)


def test_the_views_of_all_agents_are_of_transcriptions() -> None:
    for call in plain().values():
        assert isinstance(call.exchange().payload, Transcription)
    assert set(MODELS) == set(DIALECTS)
