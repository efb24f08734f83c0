"""What is told of every pair of dialects, which feeds a page of the documentation."""

import pytest

from sidecar import dialects
from sidecar.translation.transcription import FEATURES, expressible
from tests.translation.listening import DIALECTS

FORMATS = {"WAV, 16 kHz", "Opus in Ogg, 48 kHz", "bare samples, 16 kHz"}


def test_dialects_without_transcripts_have_none() -> None:
    assert {name for name in dialects.names() if expressible(name, name)} == set(DIALECTS)
    assert expressible("openai", "anthropic") == expressible("gemini", "openai") == {}


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
def test_every_pair_is_told_of(source: str, target: str) -> None:
    told = expressible(source, target)
    assert told.keys() == expressible(source, source).keys(), "what can be asked for is the agent's dialect's alone"
    assert any(told.get(name) == "yes" for name in FORMATS), "no pair is without a recording that both take"
    assert "a language" in told
    for feature, said in told.items():
        reason = said.partition(": ")[0]
        assert said == "yes" or said.startswith("yes, ") or reason in {*FEATURES, "format", "temperature"}, feature
    if source == target:
        assert all(said.startswith("yes") for said in told.values())


@pytest.mark.parametrize(
    ("source", "target", "feature", "said"),
    [
        ("openai", "mistral", "prompt", "prompt: Mistral takes no prompt"),
        ("openai", "mistral", "times of segments", "yes, where no language is named"),
        ("openai", "mistral", "streamed answer", "yes"),
        ("openai", "google_cloud", "detection of the language", "yes, with chirp_3"),
        ("openai", "google_cloud", "streamed answer", "yes, all at once"),
        ("openai", "google_cloud", "WAV, 44.1 kHz, stereo", "format: Google does not take recordings of 2 channels"),
        ("openai", "azure_openai", "streamed answer", "yes, with gpt-4o-transcribe"),
        ("openai", "deepgram", "translation into English", "translate: Deepgram does not translate into English"),
        ("groq", "openai", "translation into English", "yes"),
        ("deepgram", "yandex", "times of segments", "segment_timestamps: Yandex times neither words nor segments"),
        ("deepgram", "yandex", "MP3", "format: Yandex does not take mp3"),
        ("deepgram", "elevenlabs", "address of a recording", "yes"),
        ("google_cloud", "deepgram", "profanity filter", "yes"),
        ("cartesia", "openai", "times of words", "yes"),
        ("elevenlabs", "deepgram", "speakers", "yes"),
        ("yandex", "openai", "profanity filter", "profanity_filter: OpenAI has none"),
    ],
)
def test_it_says_yes_or_why_not(source: str, target: str, feature: str, said: str) -> None:
    assert expressible(source, target)[feature] == said


@pytest.mark.parametrize(
    ("source", "feature"),
    [
        ("openai", "bare samples, 16 kHz"),
        ("openai", "punctuation on demand"),
        ("deepgram", "streamed answer"),
        ("deepgram", "subtitles, srt"),
        ("yandex", "speakers"),
        ("yandex", "prompt"),
        ("cartesia", "speakers"),
        ("azure_speech", "times of segments"),
    ],
)
def test_what_a_dialect_has_no_word_for_is_not_asked_of_others(source: str, feature: str) -> None:
    assert feature not in expressible(source, "google_cloud")
