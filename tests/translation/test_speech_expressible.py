"""What is told of every pair of dialects, which feeds a page of the documentation."""

import pytest

from sidecar.translation.speech import DIALECTS, expressible
from tests.translation import speaking


def test_all_dialects_with_speech_are_there() -> None:
    assert set(DIALECTS) == set(speaking.DIALECTS)
    assert expressible("openai", "anthropic") == expressible("gemini", "openai") == {}


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
def test_every_pair_is_told_of(source: str, target: str) -> None:
    told = expressible(source, target)
    assert told["text"] == "yes", "there is no pair without any form of audio in common"
    assert "streaming" in told
    assert any(name.startswith(("mp3", "pcm")) for name in told)
    for feature, answer in told.items():
        assert answer == "yes" or len(answer) > len("yes"), feature
    if source == target:
        assert set(told.values()) <= {"yes", "it comes once it is whole"}


@pytest.mark.parametrize(
    ("source", "target", "feature", "answer"),
    [
        ("openai", "elevenlabs", "mp3", "yes"),
        ("openai", "elevenlabs", "aac", "format: ElevenLabs gives no aac"),
        ("openai", "elevenlabs", "speed 0.8", "yes"),
        ("openai", "elevenlabs", "speed 2", "speed: ElevenLabs speaks at 0.7 to 1.2 times the usual pace"),
        ("openai", "elevenlabs", "instructions", "instructions: ElevenLabs cannot be told of it"),
        ("openai", "google_cloud", "streaming", "it comes once it is whole"),
        ("google_cloud", "openai", "mp3", "at 24000 Hz alone"),
        ("google_cloud", "openai", "ssml", "ssml: OpenAI takes plain text"),
        ("google_cloud", "azure_speech", "ssml", "yes"),
        ("azure_speech", "google_cloud", "bit rate of mp3", "bit_rate: Google does not give mp3 at 64000 bit/s"),
        ("azure_speech", "yandex", "emotion", "yes"),
        ("elevenlabs", "cartesia", "timestamps", "timestamps: Cartesia does not tell times of characters"),
        ("elevenlabs", "openai", "seed", "seed: OpenAI cannot be told of it"),
        ("mistral", "deepgram", "3000 characters", "length: Deepgram takes 2000 characters, and there are 3000"),
        ("cartesia", "elevenlabs", "events", "yes"),
        ("assemblyai", "openai", "language", "yes"),
    ],
)
def test_it_says_yes_or_why_not(source: str, target: str, feature: str, answer: str) -> None:
    assert expressible(source, target)[feature] == answer


@pytest.mark.parametrize(
    ("source", "feature"),
    [("openai", "language"), ("openai", "seed"), ("mistral", "speed 2"), ("deepgram", "ssml"), ("yandex", "events")],
)
def test_what_a_dialect_has_no_word_for_is_not_asked_of_others(source: str, feature: str) -> None:
    assert feature not in expressible(source, "google_cloud")
