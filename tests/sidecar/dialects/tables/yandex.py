"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {"kind": "Chat", "model": "gpt://b1g/yandexgpt/latest", "messages": [("user", "Привет", "text")]},
        ),
        "stt.recognize": (
            {"operation": "stt", "endpoint": "stt.recognize", "route": "/speech/v1/stt:recognize"},
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "media_type": "application/octet-stream",
                "format": "opus",
                "model": "general",
                "language": "ru-RU",
                "parameters": [["profanityFilter", "false"], ["folderId", "b1g"]],
            },
        ),
        "stt.recognize.lpcm": (
            {"operation": "stt", "endpoint": "stt.recognize", "route": "/speech/v1/stt:recognize"},
            {
                "kind": "Transcription",
                "audio": "960 bytes efa309e463ea",
                "media_type": "application/octet-stream",
                "format": "pcm",
                "sample_rate": 16000,
            },
        ),
        "stt.v3.recognizeFileAsync.by_hand": (
            {"operation": "stt", "endpoint": "stt.v3.recognizeFileAsync", "route": "/stt/v3/recognizeFileAsync"},
            {
                "kind": "Transcription",
                "audio_url": "https://storage.example.com/a.ogg",
                "model": "general",
                "parameters": [
                    ["audioFormat", '{"containerAudio":{"containerAudioType":"OGG_OPUS"}}'],
                    ["languageRestriction", '{"restrictionType":"WHITELIST","languageCode":["ru-RU"]}'],
                ],
            },
        ),
        "tts.synthesize.requests": (
            {"operation": "tts", "endpoint": "tts.synthesize", "route": "/speech/v1/tts:synthesize"},
            {
                "kind": "Speech",
                "text": "<speak>Привет</speak>",
                "ssml": True,
                "voice": "filipp",
                "language": "ru-RU",
                "format": "mp3",
                "parameters": [["folderId", "b1g"]],
            },
        ),
        "tts.synthesize.unencoded": (
            {"operation": "tts", "endpoint": "tts.synthesize", "route": "/speech/v1/tts:synthesize"},
            {
                "kind": "Speech",
                "text": "Привет & как дела? 100% + 1",
                "voice": "alena",
                "language": "ru-RU",
                "format": "pcm",
                "sample_rate": 48000,
                "speed": 1.0,
                "instructions": "good",
            },
        ),
        "tts.v3.utteranceSynthesis": (
            {
                "operation": "tts",
                "endpoint": "tts.v3.utteranceSynthesis",
                "route": "/tts/v3/utteranceSynthesis",
                "stream": True,
            },
            {
                "kind": "Speech",
                "text": "Мы открыты.",
                "voice": "marina",
                "format": "opus",
                "speed": 1.1,
                "instructions": "friendly",
                "stream": True,
                "parameters": [["loudnessNormalizationType", '"LUFS"']],
            },
        ),
    },
    answers={
        "chat.completions~whole": {
            "id": "ya-c",
            "model": "gpt://b1g/yandexgpt/latest",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 9, "output_tokens": 2},
        },
        "stt.recognize~refused": {"id": "ya-3", "error_type": "TOO_MANY_REQUESTS"},
        "stt.recognize~silence": {"id": "ya-2"},
        "stt.recognize~whole": {"id": "ya-1"},
        "stt.v3.recognizeFileAsync.by_hand~begun": {"id": "f8d1"},
        "tts.synthesize.unencoded~audio": {"id": "ya-4"},
        "tts.v3.utteranceSynthesis~chunks": {"id": "ya-5"},
        "tts.v3.utteranceSynthesis~refused": {"error_type": "3"},
        "stt.recognize~too_large": {"error_type": "BAD_REQUEST"},
        "stt.recognize~unauthorized": {"error_type": "UNAUTHORIZED"},
    },
)
