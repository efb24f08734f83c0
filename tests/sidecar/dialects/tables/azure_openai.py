"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "audio.speech": (
            {
                "operation": "tts",
                "endpoint": "audio.speech",
                "route": "/openai/deployments/{deployment}/audio/speech",
                "model": "tts",
            },
            {"kind": "Speech", "text": "Hello", "model": "tts", "voice": "alloy", "format": "mp3"},
        ),
        "audio.transcriptions": (
            {
                "operation": "stt",
                "endpoint": "audio.transcriptions",
                "route": "/openai/deployments/{deployment}/audio/transcriptions",
                "model": "whisper",
            },
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/x-wav",
                "filename": "question.wav",
                "format": "wav",
                "model": "whisper",
                "language": "ru",
            },
        ),
        "chat.completions": (
            {
                "operation": "chat",
                "endpoint": "chat.completions",
                "route": "/openai/deployments/{deployment}/chat/completions",
                "model": "prod-mini",
            },
            {
                "kind": "Chat",
                "model": "prod-mini",
                "messages": [
                    ("user", "Are you open on Sunday?", "text"),
                    ("assistant", "Yes, from ten to four.", "text"),
                    ("user", "And today?\n(Привет 👋)", "text text"),
                ],
                "system": "You are the voice of a small shop. Answer in one sentence.",
            },
        ),
        "chat.completions.v1": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/openai/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "prod-mini",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
            },
        ),
        "realtime": (
            {
                "operation": "realtime",
                "endpoint": "realtime",
                "route": "/openai/realtime",
                "model": "prod-realtime",
                "socket": True,
            },
            None,
        ),
        "responses": (
            {"operation": "chat", "endpoint": "responses", "route": "/openai/responses"},
            {"kind": "Chat", "model": "prod-mini", "messages": [("user", "Hello", "text")]},
        ),
    },
    answers={
        "audio.transcriptions~whole": {},
        "chat.completions~content_filter": {"error_type": "content_filter"},
        "chat.completions~whole": {
            "id": "chatcmpl-3",
            "model": "gpt-4.1-mini-2025-04-14",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 30, "output_tokens": 2},
        },
        "chat.completions~high_demand": {"error_type": "429"},
        "chat.completions~limited": {"error_type": "429"},
        "chat.completions~no_deployment": {"error_type": "DeploymentNotFound"},
    },
)
