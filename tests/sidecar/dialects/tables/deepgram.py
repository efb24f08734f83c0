"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "agent.socket": (
            {"operation": "realtime", "endpoint": "agent.socket", "route": "/v1/agent/converse", "socket": True},
            None,
        ),
        "listen": (
            {"operation": "stt", "endpoint": "listen", "route": "/v1/listen", "model": "nova-3"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "application/octet-stream",
                "model": "nova-3",
                "language": "ru",
                "parameters": [
                    ["keyterm", "лампа"],
                    ["keyterm", "lamp"],
                    ["smart_format", "true"],
                    ["utterances", "true"],
                ],
            },
        ),
        "listen.socket": (
            {"operation": "stt", "endpoint": "listen.socket", "route": "/v1/listen", "model": "nova-3", "socket": True},
            None,
        ),
        "listen.untyped.by_hand": (
            {"operation": "stt", "endpoint": "listen", "route": "/v1/listen", "model": "nova-3"},
            {
                "kind": "Transcription",
                "audio": "160 bytes 1cd1dfd69377",
                "format": "mulaw",
                "sample_rate": 8000,
                "model": "nova-3",
                "parameters": [["punctuate", "true"]],
            },
        ),
        "listen.url": (
            {"operation": "stt", "endpoint": "listen", "route": "/v1/listen", "model": "nova-3"},
            {
                "kind": "Transcription",
                "audio_url": "https://example.com/a.wav",
                "model": "nova-3",
                "parameters": [["detect_language", "true"]],
            },
        ),
        "listen.v2.socket": (
            {
                "operation": "stt",
                "endpoint": "listen.v2.socket",
                "route": "/v2/listen",
                "model": "flux-general-en",
                "socket": True,
            },
            None,
        ),
        "speak": (
            {
                "operation": "tts",
                "endpoint": "speak",
                "route": "/v1/speak",
                "model": "aura-2-thalia-en",
                "voice": "aura-2-thalia-en",
            },
            {
                "kind": "Speech",
                "text": "We are open.",
                "model": "aura-2-thalia-en",
                "voice": "aura-2-thalia-en",
                "format": "wav",
                "sample_rate": 24000,
            },
        ),
        "speak.socket": (
            {
                "operation": "tts",
                "endpoint": "speak.socket",
                "route": "/v1/speak",
                "model": "aura-2-thalia-en",
                "voice": "aura-2-thalia-en",
                "socket": True,
            },
            None,
        ),
        "speak.v2": (
            {
                "operation": "tts",
                "endpoint": "speak.v2",
                "route": "/v2/speak",
                "model": "flux-anna-en",
                "voice": "flux-anna-en",
            },
            {
                "kind": "Speech",
                "text": "We are open.",
                "model": "flux-anna-en",
                "voice": "flux-anna-en",
                "format": "mp3",
            },
        ),
        "speak.v2.socket": (
            {
                "operation": "tts",
                "endpoint": "speak.v2.socket",
                "route": "/v2/speak",
                "model": "flux-anna-en",
                "voice": "flux-anna-en",
                "socket": True,
            },
            None,
        ),
        "unknown.projects.by_hand": (None, None),
    },
    answers={
        "listen.url~remote": {"id": "uuid-2", "error_type": "INVALID_JSON"},
        "listen~refused": {"id": "uuid-1", "error_type": "TOO_MANY_REQUESTS"},
        "listen~whole": {"id": "2479c8c8", "model": "general-nova-3", "usage": {"audio_seconds": 25.93}},
        "speak~audio": {"id": "uuid-3", "model": "aura-2-thalia-en", "usage": {"characters": 12}},
        "listen~corrupt": {"id": "uuid-6", "error_type": "Bad Request"},
        "listen~no_access": {"id": "uuid-5", "error_type": "INSUFFICIENT_PERMISSIONS"},
        "listen~no_credit": {"id": "uuid-4", "error_type": "ASR_PAYMENT_REQUIRED"},
    },
)
