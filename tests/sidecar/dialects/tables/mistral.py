"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "audio.speech": (
            {"operation": "tts", "endpoint": "audio.speech", "route": "/v1/audio/speech"},
            {"kind": "Speech", "text": "Hello", "model": "voxtral-tts", "voice": "anna", "format": "pcm"},
        ),
        "audio.speech.realtime": (
            {
                "operation": "tts",
                "endpoint": "audio.speech.realtime",
                "route": "/v1/audio/speech/realtime",
                "model": "voxtral-tts",
                "socket": True,
            },
            None,
        ),
        "audio.transcriptions": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/x-wav",
                "filename": "question.wav",
                "format": "wav",
                "model": "voxtral-mini-latest",
                "language": "ru",
                "timestamps": ["segment"],
                "parameters": [["diarize", "false"], ["context_bias", "lamp"], ["context_bias", "lustre"]],
            },
        ),
        "audio.transcriptions.realtime": (
            {
                "operation": "stt",
                "endpoint": "audio.transcriptions.realtime",
                "route": "/v1/audio/transcriptions/realtime",
                "model": "voxtral-realtime",
                "socket": True,
            },
            None,
        ),
        "audio.transcriptions.url": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio_url": "https://example.com/a.mp3",
                "model": "voxtral-mini-latest",
                "stream": True,
                "parameters": [["diarize", "false"]],
            },
        ),
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "mistral-small-latest",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
                "json_output": True,
            },
        ),
    },
    answers={
        "audio.speech~whole": {},
        "audio.transcriptions.url~events": {
            "model": "voxtral-mini-2507",
            "usage": {"input_tokens": 4, "output_tokens": 19, "audio_seconds": 4.0},
        },
        "audio.transcriptions~whole": {
            "model": "voxtral-mini-2507",
            "usage": {"input_tokens": 4, "output_tokens": 19, "audio_seconds": 4.0},
        },
        "chat.completions~invalid": {"error_type": "missing"},
        "chat.completions~refused": {"error_type": "service_tier_capacity_exceeded"},
        "chat.completions~whole": {
            "id": "cmpl-m",
            "model": "mistral-small-latest",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 16, "output_tokens": 34},
        },
        "chat.completions~limited": {"error_type": "rate_limited"},
        "chat.completions~no_model": {"error_type": "invalid_model"},
        "chat.completions~unauthorized": {"error_type": "error"},
    },
)
