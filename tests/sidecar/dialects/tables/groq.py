"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "audio.speech": (
            {"operation": "tts", "endpoint": "audio.speech", "route": "/openai/v1/audio/speech"},
            {
                "kind": "Speech",
                "text": "Hello",
                "model": "playai-tts",
                "voice": "Fritz-PlayAI",
                "format": "mulaw",
                "sample_rate": 8000,
            },
        ),
        "audio.transcriptions": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/openai/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "media_type": "audio/ogg",
                "filename": "voice.ogg",
                "format": "ogg",
                "model": "whisper-large-v3-turbo",
                "response_format": "verbose_json",
            },
        ),
        "audio.transcriptions.url": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/openai/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio_url": "https://example.com/a.wav",
                "model": "whisper-large-v3",
                "language": "ru",
                "parameters": [["temperature", "0.0"]],
            },
        ),
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/openai/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "llama-4-scout",
                "messages": [
                    ("user", "Are you open on Sunday?", "text"),
                    ("assistant", "Yes, from ten to four.", "text"),
                    ("user", "And today?\n(Привет 👋)", "text text"),
                ],
                "system": "You are the voice of a small shop. Answer in one sentence.",
                "max_output_tokens": 9,
            },
        ),
    },
    answers={
        "audio.transcriptions~too_large": {"error_type": "request_too_large"},
        "audio.transcriptions~verbose": {"usage": {"audio_seconds": 3.4}},
        "chat.completions~events": {
            "id": "chatcmpl-h",
            "model": "llama-4-scout",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 18, "output_tokens": 2},
        },
        "chat.completions~stream_error": {"id": "chatcmpl-h", "model": "llama-4-scout", "error_type": "over_capacity"},
        "chat.completions~whole": {
            "id": "chatcmpl-g",
            "model": "llama-4-scout",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 18, "output_tokens": 2},
        },
        "chat.completions~flex": {"error_type": "capacity_exceeded"},
        "chat.completions~rate_limit": {"error_type": "rate_limit_exceeded"},
        "chat.completions~too_many_tokens": {"error_type": "rate_limit_exceeded"},
        "chat.completions~tool": {"error_type": "tool_use_failed"},
    },
)
