"""Calls to the speech services of Google Cloud and Yandex."""

import asyncio
from typing import Any

from tests.corpus.calls.table import pcm, sends, wav


def with_rest(service: str, authority: str) -> Any:
    """Google's client over HTTP/1.1; of itself it would speak gRPC."""
    import importlib

    from google.oauth2.credentials import Credentials

    module = importlib.import_module(f"google.cloud.{service}")
    client = (
        module.SpeechClient if "speech_v" in service and "texttospeech" not in service else module.TextToSpeechClient
    )
    transport = client.get_transport_class("rest")
    return module, client(
        transport=transport(host=f"http://{authority}", credentials=Credentials("dummy"), url_scheme="http")
    )


@sends("google_cloud", "speech.googleapis.com", "speech.recognize")
def _(authority: str) -> None:
    speech, client = with_rest("speech_v1", authority)
    config = speech.RecognitionConfig(
        encoding=speech.RecognitionConfig.AudioEncoding.OGG_OPUS,
        sample_rate_hertz=48000,
        language_code="ru-RU",
        alternative_language_codes=["en-US"],
        enable_word_time_offsets=True,
        enable_automatic_punctuation=True,
        model="latest_short",
    )
    client.recognize(config=config, audio=speech.RecognitionAudio(content=b"OggS-not-really"), retry=None)


@sends("google_cloud", "speech.googleapis.com", "speech.longrunningrecognize")
def _(authority: str) -> None:
    speech, client = with_rest("speech_v1p1beta1", authority)
    config = speech.RecognitionConfig(language_code="en-US")
    client.long_running_recognize(config=config, audio=speech.RecognitionAudio(uri="gs://shop/a.flac"), retry=None)


@sends("google_cloud", "eu-speech.googleapis.com", "speech.v2.recognize")
def _(authority: str) -> None:
    speech, client = with_rest("speech_v2", authority)
    request = speech.RecognizeRequest(
        recognizer="projects/shop-1/locations/eu/recognizers/_",
        config=speech.RecognitionConfig(
            auto_decoding_config=speech.AutoDetectDecodingConfig(),
            language_codes=["ru-RU", "en-US"],
            model="chirp_3",
            features=speech.RecognitionFeatures(enable_word_time_offsets=True),
        ),
        content=wav(),
    )
    client.recognize(request, retry=None)


@sends("google_cloud", "speech.googleapis.com", "speech.v2.recognize.explicit")
def _(authority: str) -> None:
    speech, client = with_rest("speech_v2", authority)
    encoding = speech.ExplicitDecodingConfig.AudioEncoding.LINEAR16
    request = speech.RecognizeRequest(
        recognizer="projects/shop-1/locations/global/recognizers/counter",
        config=speech.RecognitionConfig(
            explicit_decoding_config=speech.ExplicitDecodingConfig(
                encoding=encoding, sample_rate_hertz=16000, audio_channel_count=1
            )
        ),
        content=pcm(),
    )
    client.recognize(request, retry=None)


@sends("google_cloud", "texttospeech.googleapis.com", "text.synthesize")
def _(authority: str) -> None:
    tts, client = with_rest("texttospeech_v1", authority)
    client.synthesize_speech(
        input=tts.SynthesisInput(text="We are open. Привет!"),
        voice=tts.VoiceSelectionParams(language_code="ru-RU", name="ru-RU-Wavenet-A"),
        audio_config=tts.AudioConfig(
            audio_encoding=tts.AudioEncoding.OGG_OPUS, speaking_rate=1.2, sample_rate_hertz=48000
        ),
    )


@sends("google_cloud", "texttospeech.googleapis.com", "text.synthesize.ssml")
def _(authority: str) -> None:
    tts, client = with_rest("texttospeech_v1beta1", authority)
    client.synthesize_speech(
        input=tts.SynthesisInput(ssml="<speak>We are open.</speak>"),
        voice=tts.VoiceSelectionParams(language_code="en-US"),
        audio_config=tts.AudioConfig(audio_encoding=tts.AudioEncoding.MP3),
    )


@sends("google_cloud", "texttospeech.googleapis.com", "unknown.voices")
def _(authority: str) -> None:
    _, client = with_rest("texttospeech_v1", authority)
    client.list_voices(language_code="ru-RU")


YANDEX_STT, YANDEX_TTS = "stt.api.cloud.yandex.net", "tts.api.cloud.yandex.net"


def post_with_aiohttp(url: str, body: bytes | str, **headers: str) -> None:
    import aiohttp

    async def post() -> None:
        given = {"Authorization": "Api-Key dummy"} | headers
        async with aiohttp.ClientSession(headers=given) as session, session.post(url, data=body) as response:
            await response.read()

    asyncio.run(post())


@sends("yandex", YANDEX_STT, "stt.recognize")
def _(authority: str) -> None:
    query = "lang=ru-RU&topic=general&profanityFilter=false&format=oggopus&folderId=b1g"
    post_with_aiohttp(f"http://{authority}/speech/v1/stt:recognize?{query}", b"OggS-not-really")


@sends("yandex", YANDEX_STT, "stt.recognize.lpcm")
def _(authority: str) -> None:
    query = "lang=auto&format=lpcm&sampleRateHertz=16000"
    post_with_aiohttp(f"http://{authority}/speech/v1/stt:recognize?{query}", pcm())


@sends("yandex", "llm.api.cloud.yandex.net", "chat.completions")
def _(authority: str) -> None:
    from openai import OpenAI

    client = OpenAI(api_key="dummy", base_url=f"http://{authority}/v1", project="b1g", max_retries=0)
    client.chat.completions.create(model="gpt://b1g/yandexgpt/latest", messages=[{"role": "user", "content": "Привет"}])


@sends("yandex", YANDEX_TTS, "tts.synthesize.unencoded")
def _(authority: str) -> None:
    form = {"text": "Привет & как дела? 100% + 1", "lang": "ru-RU", "voice": "alena", "emotion": "good", "speed": "1.0"}
    body = "&".join(
        f"{name}={value}" for name, value in (form | {"format": "lpcm", "sampleRateHertz": "48000"}).items()
    )
    content_type = {"Content-Type": "application/x-www-form-urlencoded"}
    post_with_aiohttp(f"http://{authority}/speech/v1/tts:synthesize", body.encode(), **content_type)


@sends("yandex", YANDEX_TTS, "tts.synthesize.requests")
def _(authority: str) -> None:
    import requests

    form = {"ssml": "<speak>Привет</speak>", "lang": "ru-RU", "voice": "filipp", "format": "mp3", "folderId": "b1g"}
    requests.post(
        f"http://{authority}/speech/v1/tts:synthesize", data=form, headers={"Authorization": "Bearer t1.dummy"}
    )


@sends("yandex", YANDEX_TTS, "tts.v3.utteranceSynthesis")
def _(authority: str) -> None:
    import requests

    body: Any = {
        "text": "Мы открыты.",
        "hints": [{"voice": "marina"}, {"role": "friendly"}, {"speed": 1.1}],
        "outputAudioSpec": {"containerAudio": {"containerAudioType": "OGG_OPUS"}},
        "loudnessNormalizationType": "LUFS",
    }
    requests.post(
        f"http://{authority}/tts/v3/utteranceSynthesis", json=body, headers={"Authorization": "Api-Key dummy"}
    )
