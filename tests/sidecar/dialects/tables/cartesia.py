"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "stt": (
            {"operation": "stt", "endpoint": "stt", "route": "/stt"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/x-wav",
                "filename": "question.wav",
                "format": "wav",
                "model": "ink-whisper",
                "language": "ru",
                "timestamps": ["word"],
            },
        ),
        "stt.raw": (
            {"operation": "stt", "endpoint": "stt", "route": "/stt"},
            {
                "kind": "Transcription",
                "audio": "960 bytes efa309e463ea",
                "media_type": "application/octet-stream",
                "filename": "raw.pcm",
                "format": "pcm",
                "sample_rate": 16000,
                "model": "ink-whisper",
            },
        ),
        "stt.socket": (
            {
                "operation": "stt",
                "endpoint": "stt.socket",
                "route": "/stt/websocket",
                "model": "ink-whisper",
                "socket": True,
            },
            None,
        ),
        "stt.turns.socket": (
            {
                "operation": "stt",
                "endpoint": "stt.turns.socket",
                "route": "/stt/turns/websocket",
                "model": "ink-2",
                "socket": True,
            },
            None,
        ),
        "tts.bytes": (
            {"operation": "tts", "endpoint": "tts.bytes", "route": "/tts/bytes"},
            {
                "kind": "Speech",
                "text": "We are open.",
                "model": "sonic-3.5",
                "voice": "6ccbfb76",
                "language": "ru",
                "format": "mp3",
                "sample_rate": 44100,
                "bit_rate": 128000,
                "speed": 1.2,
                "parameters": [["voice", '{"mode":"id","id":"6ccbfb76"}'], ["generation_config", '{"speed":1.2}']],
            },
        ),
        "tts.socket": ({"operation": "tts", "endpoint": "tts.socket", "route": "/tts/websocket", "socket": True}, None),
        "tts.sse": (
            {"operation": "tts", "endpoint": "tts.sse", "route": "/tts/sse", "stream": True},
            {
                "kind": "Speech",
                "text": "We are open.",
                "model": "sonic-3.5",
                "voice": "6ccbfb76",
                "format": "pcm_f32le",
                "sample_rate": 44100,
                "stream": True,
                "parameters": [["voice", '{"mode":"id","id":"6ccbfb76"}']],
            },
        ),
    },
    answers={
        "stt~whole": {"id": "ca-1", "usage": {"audio_seconds": 1.5}},
        "tts.bytes~audio": {},
        "tts.bytes~refused": {"id": "ca-2", "error_type": "concurrency_limited"},
        "tts.bytes~text": {},
        "tts.sse~error": {"id": "ca-3", "error_type": "internal_error"},
        "tts.sse~events": {"id": "ctx-1"},
        "tts.bytes~credits": {"id": "ca-5", "error_type": "quota_exceeded"},
        "tts.bytes~too_many": {},
    },
)
