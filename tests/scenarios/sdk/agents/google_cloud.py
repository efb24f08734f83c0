"""Google's clients for speech, over REST; of themselves they speak gRPC."""

from typing import Any

from google.cloud import speech_v1, speech_v2, texttospeech_v1
from google.oauth2.credentials import Credentials

from tests.scenarios.sdk.material import KEY, RATE, SPOKEN, given, recording, samples


def client(kind: Any, url: str | None) -> Any:
    credentials: Any = Credentials
    return kind(credentials=credentials(KEY), transport="rest", client_options=given(api_endpoint=url))


def recognize(url: str | None) -> str:
    config = speech_v1.RecognitionConfig(
        encoding=speech_v1.RecognitionConfig.AudioEncoding.LINEAR16,
        sample_rate_hertz=RATE,
        language_code="en-US",
        model="latest_short",
        enable_automatic_punctuation=True,
    )
    with client(speech_v1.SpeechClient, url) as google:
        answer = google.recognize(config=config, audio=speech_v1.RecognitionAudio(content=samples()))
    return str(answer.results[0].alternatives[0].transcript)


def recognize_v2(url: str | None) -> str:
    request = speech_v2.RecognizeRequest(
        recognizer="projects/shop-1/locations/global/recognizers/_",
        config=speech_v2.RecognitionConfig(
            auto_decoding_config=speech_v2.AutoDetectDecodingConfig(),
            language_codes=["en-US"],
            model="chirp_3",
            features=speech_v2.RecognitionFeatures(enable_automatic_punctuation=True),
        ),
        content=recording(),
    )
    with client(speech_v2.SpeechClient, url) as google:
        return str(google.recognize(request).results[0].alternatives[0].transcript)


def synthesize(url: str | None) -> bytes:
    with client(texttospeech_v1.TextToSpeechClient, url) as google:
        answer = google.synthesize_speech(
            input=texttospeech_v1.SynthesisInput(text=SPOKEN),
            voice=texttospeech_v1.VoiceSelectionParams(language_code="en-US", name="en-US-Wavenet-A"),
            audio_config=texttospeech_v1.AudioConfig(audio_encoding=texttospeech_v1.AudioEncoding.OGG_OPUS),
        )
    return bytes(answer.audio_content)
