"""What targets are asked, and what is refused because they cannot: wire by wire."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from sidecar.dialects.fields import decoded_pairs
from sidecar.translation import Inexpressible, translate
from tests.translation import listening
from tests.translation.listening import DIALECTS, MODELS, RECOGNIZER, WAV, Call, fields_of, plain, target, wav

SAMPLES = WAV[44:]
VERBOSE = ("response_format", "verbose_json")
WORD, SEGMENT = ("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")
CHIRP = f"{RECOGNIZER}/models/chirp_3"
FILE = ["audio.wav audio/wav 32044"]


def form(call: Call, to: str, *may_lose: str, **fields: Any) -> tuple[str, dict[str, list[str]]]:
    request = translate(call.exchange(), target(to, *may_lose, **fields)).request
    return request.target, fields_of(request)


# -- OpenAI and those who follow it -----------------------------------------------------------------------------------

EN = {"language": ["en"]}
TEXT_ONLY = {"response_format": ["json"]}
OPENAI: list[tuple[Call, str | None, dict[str, list[str]]]] = [
    (plain()["mistral"], "whisper-1", EN | TEXT_ONLY),
    (plain()["google_cloud"], "whisper-1", EN | TEXT_ONLY),
    (plain()["azure_speech"], "gpt-4o-transcribe", EN | TEXT_ONLY),
    (listening.mistral(("temperature", "0.5")), "whisper-1", TEXT_ONLY | {"temperature": ["0.5"]}),
    (listening.mistral(("context_bias", "New_York")), "whisper-1", TEXT_ONLY | {"prompt": ["New York"]}),
    (listening.mistral(("context_bias", "New_York")), "gpt-transcribe", TEXT_ONLY | {"keywords[]": ["New York"]}),
    (listening.mistral(("stream", "true")), "whisper-1", TEXT_ONLY),
    (listening.mistral(("stream", "true")), "gpt-4o-transcribe", TEXT_ONLY | {"stream": ["true"]}),
    (
        listening.mistral(("timestamp_granularities", "segment")),
        "whisper-1",
        {"response_format": ["verbose_json"], "timestamp_granularities[]": ["segment"]},
    ),
    (listening.mistral(("diarize", "true")), "gpt-4o-transcribe-diarize", {"response_format": ["diarized_json"]}),
    (
        plain()["elevenlabs"],
        "whisper-1",
        EN | {"response_format": ["verbose_json"], "timestamp_granularities[]": ["word"]},
    ),
    (plain()["elevenlabs"], "gpt-4o-transcribe", EN | TEXT_ONLY),
    (
        listening.assemblyai(prompt="Hi.", keyterms_prompt=["Helm", "pod"]),
        "whisper-1",
        TEXT_ONLY | {"prompt": ["Hi. Helm, pod"]},
    ),
    (listening.assemblyai(language_codes=["en", "de"]), "whisper-1", TEXT_ONLY),
    (listening.assemblyai(language_codes=["en", "de"]), "gpt-transcribe", TEXT_ONLY | {"languages[]": ["en", "de"]}),
]


@pytest.mark.parametrize("to", ["openai", "azure_openai"])
@pytest.mark.parametrize(("call", "model", "expected"), OPENAI)
def test_openai_is_asked(call: Call, model: str | None, expected: dict[str, list[str]], to: str) -> None:
    path, fields = form(call, to, model=model)
    assert path == {"openai": "", "azure_openai": "/openai"}[to] + "/v1/audio/transcriptions"
    assert fields == {"model": [model], **expected, "file": FILE}


def test_openai_translates_into_english_and_is_told_no_language_then() -> None:
    call = listening.google_v2(translationConfig={"targetLanguage": "en"}, languageCodes=["de-DE"])
    path, fields = form(call, "openai")
    assert path == "/v1/audio/translations"
    assert fields == {"model": ["whisper-1"], "response_format": ["json"], "file": FILE}
    assert "languages" in translate(call.exchange(), target("openai")).lost


def test_groq_is_asked_without_what_it_does_not_have() -> None:
    path, fields = form(listening.openai(("response_format", "srt"), ("stream", "true")), "groq")
    assert path == "/openai/v1/audio/transcriptions"
    asked = {"response_format": ["verbose_json"], "timestamp_granularities[]": ["segment"]}
    assert fields == {"model": ["whisper-large-v3"], **asked, "file": FILE}
    _, fields = form(listening.deepgram(("language", "en"))._replace(body=b'{"url": "https://a.example/a"}',
                     headers={"content-type": "application/json"}), "groq")  # fmt: skip
    assert fields["url"] == ["https://a.example/a"]
    assert "file" not in fields


# -- forms of others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], {"language": ["en"]}),
        (listening.openai(("temperature", "0")), {"temperature": ["0"]}),
        (
            listening.openai(("model", "gpt-transcribe"), ("keywords[]", "New York, NY")),
            {"context_bias": ["New_York_NY"]},
        ),
        (listening.openai(("model", "gpt-4o-transcribe"), ("stream", "true")), {"stream": ["true"]}),
        (listening.openai(("response_format", "vtt")), {"timestamp_granularities": ["segment"]}),
        (
            listening.openai(("response_format", "diarized_json")),
            {"diarize": ["true"], "timestamp_granularities": ["segment"]},
        ),
        (plain()["deepgram"], {"language": ["en"]}),
        (plain()["yandex"], {"language": ["en"]}),
    ],
)
def test_mistral_is_asked(call: Call, expected: dict[str, list[str]]) -> None:
    path, fields = form(call, "mistral")
    assert path == "/v1/audio/transcriptions"
    assert fields == {"model": ["voxtral-mini-latest"], **expected, "file": FILE}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], {"language_code": ["en"], "timestamps_granularity": ["none"]}),
        (plain()["deepgram"], {"language_code": ["en"]}),
        (listening.openai(VERBOSE, WORD), {}),
        (listening.openai(("response_format", "srt")), {}),
        (listening.openai(("response_format", "diarized_json")), {"diarize": ["true"]}),
        (
            listening.google(diarizationConfig={"enableSpeakerDiarization": True, "maxSpeakerCount": 3}),
            {"language_code": ["en"], "diarize": ["true"], "num_speakers": ["3"]},
        ),
        (
            listening.openai(("model", "gpt-transcribe"), ("keywords[]", "<Helm>")),
            {"keyterms": [" Helm "], "timestamps_granularity": ["none"]},
        ),
        (listening.openai(("temperature", "0.3")), {"temperature": ["0.3"], "timestamps_granularity": ["none"]}),
    ],
)
def test_elevenlabs_is_asked(call: Call, expected: dict[str, list[str]]) -> None:
    path, fields = form(call, "elevenlabs")
    assert path == "/v1/speech-to-text"
    assert fields == {"model_id": ["scribe_v2"], "tag_audio_events": ["false"], **expected, "file": FILE}


def test_elevenlabs_newest_model_is_told_several_languages() -> None:
    _, fields = form(listening.assemblyai(language_codes=["en", "de"]), "elevenlabs", model="scribe_v3")
    assert (fields["language_code"], fields["secondary_language_codes"]) == (["en"], ["de"])


def test_elevenlabs_gets_samples_only_at_the_rate_that_it_takes() -> None:
    _, fields = form(plain()["yandex"], "elevenlabs")
    assert (fields["file_format"], fields["file"]) == (["pcm_s16le_16"], ["audio.pcm audio/pcm 32000"])
    slow = listening.yandex(("lang", "en-US"), ("format", "lpcm"), ("sampleRateHertz", "8000"), audio=wav(8000)[44:])
    _, fields = form(slow, "elevenlabs")
    assert "file_format" not in fields
    assert fields["file"] == ["audio.wav audio/wav 16044"]


def test_cartesia_is_asked() -> None:
    translated = translate(listening.openai(("language", "en-GB"), VERBOSE, WORD).exchange(), target("cartesia"))
    assert translated.request.target == "/stt"
    assert translated.request.headers.get("cartesia-version") == "2026-08-14"
    expected = {"model": ["ink-whisper"], "language": ["en"], "timestamp_granularities[]": ["word"], "file": FILE}
    assert fields_of(translated.request) == expected
    bare = translate(plain()["yandex"].exchange(), target("cartesia")).request
    assert bare.target == "/stt?encoding=pcm_s16le&sample_rate=16000"


def test_assemblyai_is_asked() -> None:
    call = listening.openai(("model", "gpt-transcribe"), ("language", "de"), ("keywords[]", "Helm"))
    translated = translate(call.exchange(), target("assemblyai"))
    assert translated.request.target == "/v1/transcribe"
    assert translated.request.headers.get("x-aai-model") == "universal-3-5-pro"
    fields = fields_of(translated.request)
    assert list(fields) == ["config", "audio"], "the configuration must come first"
    assert json.loads(fields["config"][0]) == {"language_codes": ["de"], "keyterms_prompt": ["Helm"]}
    assert fields["audio"] == FILE
    bare = fields_of(translate(plain()["yandex"].exchange(), target("assemblyai")).request)
    assert json.loads(bare["config"][0]) == {"language_codes": ["en"], "sample_rate": 16000, "channels": 1}
    timed = fields_of(translate(listening.openai(("response_format", "srt")).exchange(), target("assemblyai")).request)
    assert json.loads(timed["config"][0]) == {"timestamps": True}


# -- recordings as they are, wishes in the query -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], [("language", "en"), ("smart_format", "true")]),
        (listening.openai(), [("detect_language", "true"), ("smart_format", "true")]),
        (plain()["google_cloud"], [("language", "en-US")]),
        (listening.google(enableAutomaticPunctuation=True), [("language", "en-US"), ("punctuate", "true")]),
        (
            listening.google(languageCode="fr-FR", profanityFilter=True),
            [("language", "fr"), ("profanity_filter", "true")],
        ),
        (
            listening.openai(("response_format", "srt"), ("language", "pt-BR")),
            [("language", "pt-BR"), ("smart_format", "true"), ("utterances", "true")],
        ),
        (
            listening.elevenlabs(("diarize", "true"), ("language_code", "eng"), ("keyterms", "New York")),
            [("language", "en"), ("smart_format", "true"), ("diarize", "true"), ("keyterm", "New York")],
        ),
        (listening.assemblyai(language_codes=["en", "de"]), [("detect_language", "true"), ("smart_format", "true")]),
    ],
)
def test_deepgram_is_asked(call: Call, expected: list[tuple[str, str]]) -> None:
    request = translate(call.exchange(), target("deepgram")).request
    assert request.path == "/v1/listen"
    assert decoded_pairs(request.query) == [("model", "nova-3"), *expected]
    assert (request.headers.get("content-type"), request.body.data) == ("audio/wav", WAV)


def test_deepgrams_older_models_know_keywords() -> None:
    call = listening.openai(("model", "gpt-transcribe"), ("keywords[]", "Helm"))
    assert "keywords=Helm" in translate(call.exchange(), target("deepgram", model="nova-2")).request.query


def test_deepgram_is_told_what_samples_are() -> None:
    request = translate(plain()["yandex"].exchange(), target("deepgram")).request
    assert decoded_pairs(request.query)[-3:] == [("encoding", "linear16"), ("sample_rate", "16000"), ("channels", "1")]
    assert (request.headers.get("content-type"), request.body.data) == ("application/octet-stream", SAMPLES)


def test_deepgram_fetches_what_elevenlabs_would() -> None:
    call = listening.elevenlabs(("source_url", "https://a.example/a?b=c"), audio=None)
    request = translate(call.exchange(), target("deepgram")).request
    assert request.body.data == b'{"url":"https://a.example/a?b=c"}'
    assert request.headers.get("content-type") == "application/json"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], "topic=general&lang=en-US&format=lpcm&sampleRateHertz=16000"),
        (listening.openai(("language", "russian")), "topic=general&lang=ru-RU&format=lpcm&sampleRateHertz=16000"),
        (listening.openai(("language", "pt-PT")), "topic=general&lang=pt-PT&format=lpcm&sampleRateHertz=16000"),
        (
            listening.azure(("profanity", "removed")),
            "topic=general&lang=en-US&profanityFilter=true&format=lpcm&sampleRateHertz=16000",
        ),
    ],
)
def test_yandex_is_asked(call: Call, expected: str) -> None:
    request = translate(call.exchange(), target("yandex")).request
    assert request.target == f"/speech/v1/stt:recognize?{expected}"
    assert request.body.data == SAMPLES


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], {"language": ["en-US"], "format": ["detailed"], "profanity": ["raw"]}),
        (listening.openai(("language", "no")), {"language": ["nb-NO"], "format": ["detailed"], "profanity": ["raw"]}),
        (
            listening.openai(("language", "de"), VERBOSE, WORD),
            {"language": ["de-DE"], "format": ["detailed"], "profanity": ["raw"], "wordLevelTimestamps": ["true"]},
        ),
        (
            listening.yandex(
                ("lang", "ru-RU"), ("format", "lpcm"), ("sampleRateHertz", "16000"), ("profanityFilter", "true")
            ),
            {"language": ["ru-RU"], "format": ["detailed"], "profanity": ["masked"]},
        ),
    ],
)
def test_azure_speech_is_asked(call: Call, expected: dict[str, list[str]]) -> None:
    request = translate(call.exchange(), target("azure_speech")).request
    assert request.path == "/speech/recognition/conversation/cognitiveservices/v1"
    assert parse_qs(request.query) == expected
    assert request.body.data == WAV
    assert request.headers.get("content-type") == "audio/wav; codecs=audio/pcm; samplerate=16000"


def test_two_channels_of_samples_get_a_header_where_they_cannot_be_told_otherwise() -> None:
    call = listening.deepgram(*STEREO, audio=SAMPLES)
    for to in ("cartesia", "elevenlabs"):
        assert fields_of(translate(call.exchange(), target(to)).request)["file"] == FILE
    config = fields_of(translate(call.exchange(), target("assemblyai")).request)["config"][0]
    assert json.loads(config)["channels"] == 2


# -- Google -----------------------------------------------------------------------------------------------------------

PUNCTUATED = {"enableAutomaticPunctuation": True}
PROMPTED = {"customPromptConfig": {"customPrompt": "Hi."}}
TIMED = {"enableWordTimeOffsets": True, "enableWordConfidence": True}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], {"languageCode": "en-US", **PUNCTUATED}),
        (listening.openai(("language", "he")), {"languageCode": "iw-IL", **PUNCTUATED}),
        (
            listening.assemblyai(language_codes=["en", "de"]),
            {"languageCode": "en-US", "alternativeLanguageCodes": ["de-DE"], **PUNCTUATED},
        ),
        (listening.openai(("language", "en"), VERBOSE, WORD), {"languageCode": "en-US", **PUNCTUATED, **TIMED}),
        (
            listening.openai(("language", "en"), ("response_format", "srt")),
            {"languageCode": "en-US", **PUNCTUATED, "enableWordTimeOffsets": True},
        ),
        (
            listening.deepgram(("profanity_filter", "true"), ("keyterm", "Helm")),
            {"languageCode": "en-US", **TIMED, "profanityFilter": True, "speechContexts": [{"phrases": ["Helm"]}]},
        ),
        (
            listening.elevenlabs(("language_code", "en"), ("diarize", "true"), ("num_speakers", "2")),
            {
                "languageCode": "en-US",
                **PUNCTUATED,
                **TIMED,
                "diarizationConfig": {"enableSpeakerDiarization": True, "minSpeakerCount": 1, "maxSpeakerCount": 2},
            },
        ),
    ],
)
def test_google_is_asked(call: Call, expected: dict[str, Any]) -> None:
    request = translate(call.exchange(), target("google_cloud")).request
    assert request.target == "/v1/speech:recognize"
    body = json.loads(request.body.data or b"")
    assert body == {"config": {"model": "latest_short", **expected}, "audio": body["audio"]}
    assert base64.b64decode(body["audio"]["content"]) == WAV


@pytest.mark.parametrize(
    ("call", "path", "decoding"),
    [
        (plain()["openai"], "/v1/speech:recognize", {}),
        (plain()["yandex"], "/v1/speech:recognize", {"encoding": "LINEAR16", "sampleRateHertz": 16000}),
        (
            listening.openai(
                ("language", "en"), audio=b"OggS" + bytes(22) + b"\x01\x13OpusHead\x01\x01\0\0\x44\xac\0\0\0\0\0"
            ),
            "/v1/speech:recognize",
            {"encoding": "OGG_OPUS", "sampleRateHertz": 48000},
        ),
        (
            listening.openai(("language", "en"), audio=b"\xff\xfb\x90\xc0" + bytes(413)),
            "/v1p1beta1/speech:recognize",
            {"encoding": "MP3", "sampleRateHertz": 44100},
        ),
    ],
)
def test_google_is_told_what_does_not_say_it_itself(call: Call, path: str, decoding: dict[str, Any]) -> None:
    request = translate(call.exchange(), target("google_cloud")).request
    config = json.loads(request.body.data or b"")["config"]
    assert request.target == path
    assert {name: config[name] for name in ("encoding", "sampleRateHertz") if name in config} == decoding


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (plain()["openai"], {"languageCodes": ["en-US"], "features": PUNCTUATED}),
        (listening.openai(), {"languageCodes": ["auto"], "features": PUNCTUATED}),
        (
            listening.openai(("prompt", "Hi."), VERBOSE, WORD),
            {"languageCodes": ["auto"], "features": {**PUNCTUATED, **TIMED, **PROMPTED}},
        ),
        (
            listening.openai(path="/v1/audio/translations"),
            {"languageCodes": ["auto"], "features": PUNCTUATED, "translationConfig": {"targetLanguage": "en-US"}},
        ),
        (
            listening.openai(("model", "gpt-transcribe"), ("keywords[]", "Helm"), ("language", "en")),
            {
                "languageCodes": ["en-US"],
                "features": PUNCTUATED,
                "adaptation": {"phraseSets": [{"inlinePhraseSet": {"phrases": [{"value": "Helm"}]}}]},
            },
        ),
        (
            listening.elevenlabs(("diarize", "true")),
            {"languageCodes": ["auto"], "features": {**PUNCTUATED, **TIMED, "diarizationConfig": {}}},
        ),
    ],
)  # fmt: skip
def test_googles_second_version_is_asked(call: Call, expected: dict[str, Any]) -> None:
    request = translate(call.exchange(), target("google_cloud", model=CHIRP)).request
    assert request.target == f"/v2/{RECOGNIZER}:recognize"
    assert request.headers.get("x-goog-request-params") == f"recognizer={RECOGNIZER}"
    body = json.loads(request.body.data or b"")
    assert body["config"] == {"model": "chirp_3", "autoDecodingConfig": {}, **expected}
    assert base64.b64decode(body["content"]) == WAV


def test_googles_second_version_is_told_what_samples_are() -> None:
    request = translate(plain()["yandex"].exchange(), target("google_cloud", model=RECOGNIZER)).request
    config = json.loads(request.body.data or b"")["config"]
    explicit = {"encoding": "LINEAR16", "sampleRateHertz": 16000, "audioChannelCount": 1}
    assert config == {"languageCodes": ["en-US"], "explicitDecodingConfig": explicit, "features": PUNCTUATED}


# -- what cannot be had ------------------------------------------------------------------------------------------------

FETCHED = listening.openai(("url", "https://a.example/a"), ("language", "en"), dialect="groq", audio=None)
STEREO = (("encoding", "linear16"), ("sample_rate", "16000"), ("channels", "2"))
REFUSED = [
    *(
        (FETCHED, to, "audio_url")
        for to in ("openai", "google_cloud", "yandex", "cartesia", "azure_speech", "assemblyai")
    ),
    (listening.openai(("prompt", "Hi.")), "deepgram", "prompt"),
    (listening.openai(("prompt", "Hi.")), "mistral", "prompt"),
    (listening.openai(("prompt", "Hi."), ("language", "en")), "assemblyai", "language"),
    (listening.openai(), "azure_speech", "detect_language"),
    (listening.openai(), "cartesia", "detect_language"),
    (listening.openai(), "yandex", "detect_language"),
    (listening.openai(), "google_cloud", "detect_language"),
    (listening.openai(("language", "zu")), "yandex", "language"),
    (listening.openai(("language", "ru")), "assemblyai", "language"),
    (listening.openai(("language", "la")), "azure_speech", "language"),
    (listening.openai(("language", "la")), "google_cloud", "language"),
    (listening.openai(("language", "en"), VERBOSE, WORD), "mistral", "word_timestamps"),
    (listening.openai(("language", "en"), VERBOSE), "mistral", "language"),
    (listening.openai(("language", "en"), VERBOSE), "yandex", "segment_timestamps"),
    (listening.openai(("language", "en"), ("response_format", "srt")), "yandex", "segment_timestamps"),
    (listening.openai(("language", "en"), ("response_format", "diarized_json")), "cartesia", "diarization"),
    (listening.openai(("include[]", "logprobs")), "deepgram", "logprobs"),
    (listening.openai(path="/v1/audio/translations"), "deepgram", "translate"),
    (listening.openai(dialect="groq", path="/openai/v1/audio/translations"), "elevenlabs", "translate"),
    (listening.deepgram(("profanity_filter", "true")), "openai", "profanity_filter"),
    (listening.deepgram(("punctuate", "true")), "yandex", "punctuation"),
    (listening.deepgram(("keyterm", "Helm")), "yandex", "keyterms"),
    (listening.deepgram(*(("keyterm", str(number)) for number in range(101))), "mistral", "keyterms"),
]


@pytest.mark.parametrize(("call", "to", "feature"), REFUSED)
def test_what_a_target_lacks_is_refused(call: Call, to: str, feature: str) -> None:
    with pytest.raises(Inexpressible) as failure:
        translate(call.exchange(), target(to))
    assert failure.value.feature == feature
    assert "Hi" not in str(failure.value)


@pytest.mark.parametrize(
    ("call", "to", "feature"),
    [one for one in REFUSED if one[2] not in ("detect_language", "language", "audio_url")],
)
def test_by_leave_it_is_left_out_and_told(call: Call, to: str, feature: str) -> None:
    leave = {feature, "language"} if to == "mistral" else {feature}
    assert feature in translate(call.exchange(), target(to, *leave)).lost


def test_for_an_address_there_is_no_leave() -> None:
    with pytest.raises(Inexpressible, match="audio_url"):
        translate(FETCHED.exchange(), target("yandex", "audio_url"))


def test_without_a_language_by_leave_a_provider_takes_its_own() -> None:
    assert "lang=" not in translate(listening.openai().exchange(), target("yandex", "detect_language")).request.query
    fields = fields_of(translate(listening.openai().exchange(), target("cartesia", "detect_language")).request)
    assert "language" not in fields
    with pytest.raises(Inexpressible, match="detect_language"):
        translate(listening.openai().exchange(), target("azure_speech", "detect_language"))


@pytest.mark.parametrize("to", ["openai", "azure_openai", "groq", "mistral", "elevenlabs", "cartesia", "assemblyai"])
def test_who_wants_a_model_is_not_asked_without_one(to: str) -> None:
    with pytest.raises(Inexpressible) as failure:
        translate(plain()["deepgram"].exchange(), target(to, model=None))
    assert failure.value.feature == "model"


@pytest.mark.parametrize("to", ["deepgram", "google_cloud", "yandex", "azure_speech"])
def test_others_choose_one_themselves(to: str) -> None:
    request = translate(plain()["openai"].exchange(), target(to, model=None)).request
    assert b"whisper" not in request.target.encode() + (request.body.data or b"")[:200]


@pytest.mark.parametrize("to", DIALECTS)
@pytest.mark.parametrize("wire", plain())
def test_nothing_of_who_the_agent_is_goes_to_others(wire: str, to: str) -> None:
    call = plain()[wire]
    mark = "&" if "?" in call.target else "?"
    translated = translate(
        call._replace(target=f"{call.target}{mark}key=sk-agents-own&token=sk-agents-own").exchange(), target(to)
    )
    request = translated.request
    assert b"sk-agents-own" not in request.headers.block + request.target.encode() + (request.body.data or b"")
    assert request.headers.get("user-agent") == "agent/1"
    assert request.headers.get("content-length") == str(len(request.body.data or b""))
    assert translated.call.endpoint
    assert translated.call == target(to).dialect.recognise("POST", request.path, request.query)


@pytest.mark.parametrize("to", [dialect for dialect in DIALECTS if dialect != "openai"])
def test_answers_that_are_looked_into_are_asked_for_as_they_are(to: str) -> None:
    call = listening.openai(("language", "en"), ("response_format", "text"), ("temperature", "0"), ("stream", "false"))
    request = translate(call.exchange(), target(to)).request
    if to != "azure_openai":
        assert request.headers.get("accept-encoding") == "identity"


def test_lost_is_what_was_asked_for_nowhere_and_comes_all_the_same() -> None:
    def lost(call: Call, to: str, **fields: Any) -> tuple[str, ...]:
        return translate(call.exchange(), target(to, **fields)).lost

    assert lost(plain()["openai"], "yandex") == ("punctuation",)
    assert lost(plain()["deepgram"], "yandex") == ("word_timestamps", "confidence")
    assert lost(plain()["elevenlabs"], "openai", model="gpt-4o-transcribe") == ("word_timestamps", "confidence")
    assert lost(plain()["elevenlabs"], "deepgram") == ()
    assert lost(listening.openai(("language", "en"), ("temperature", "0.7")), "deepgram") == ("temperature",)
    assert lost(plain()["assemblyai"], "openai") == ("confidence",)


def test_a_model_that_cannot_stand_in_a_header_is_refused() -> None:
    with pytest.raises(Inexpressible, match="model"):
        translate(plain()["openai"].exchange(), target("assemblyai", model="a\r\nx-injected: 1"))
    assert MODELS["assemblyai"]
