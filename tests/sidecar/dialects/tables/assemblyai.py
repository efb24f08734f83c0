"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "claude-sonnet-5",
                "messages": [("user", "Hello", "text")],
                "max_output_tokens": 9,
            },
        ),
        "speech": (
            {"operation": "tts", "endpoint": "speech", "route": "/v1/speech"},
            {"kind": "Speech", "text": "We are open.", "voice": "aai-alba", "format": "wav"},
        ),
        "speech.socket.by_hand": (
            {"operation": "tts", "endpoint": "speech.socket", "route": "/v1/ws", "voice": "aai-alba", "socket": True},
            None,
        ),
        "speech.stream": (
            {"operation": "tts", "endpoint": "speech", "route": "/v1/speech"},
            {"kind": "Speech", "text": "We are open.", "voice": "aai-alba", "stream": True},
        ),
        "streaming": (
            {
                "operation": "stt",
                "endpoint": "streaming",
                "route": "/v3/ws",
                "model": "universal-streaming-english",
                "socket": True,
            },
            None,
        ),
        "transcribe": (
            {"operation": "stt", "endpoint": "transcribe.live", "route": "/v1/transcribe/live"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/wav",
                "filename": "audio.wav",
                "format": "wav",
                "model": "universal-3-5-pro",
                "language": "ru",
                "prompt": "Лампы",
                "timestamps": ["word"],
            },
        ),
        "transcript": (
            {"operation": "stt", "endpoint": "transcript", "route": "/v2/transcript"},
            {
                "kind": "Transcription",
                "audio_url": "https://cdn.assemblyai.com/upload/u1",
                "model": "universal-3-pro",
                "language": "ru",
                "parameters": [["speaker_labels", "true"], ["keyterms_prompt", '["lamp"]']],
            },
        ),
        "transcript.poll": (
            {"operation": "passthrough", "endpoint": "transcript.poll", "route": "/v2/transcript/{id}"},
            None,
        ),
        "upload": ({"operation": "passthrough", "endpoint": "upload", "route": "/v2/upload"}, None),
    },
    answers={
        "chat.completions~whole": {
            "id": "g1",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 8, "output_tokens": 2},
        },
        "speech~audio": {},
        "transcribe~problem": {"error_type": "Service Unavailable"},
        "transcribe~short": {"error_type": "audio_too_short"},
        "transcribe~whole": {"id": "s1", "usage": {"audio_seconds": 1.85}},
        "transcript.poll~completed": {"id": "t1", "model": "universal-3-pro", "usage": {"audio_seconds": 281.0}},
        "transcript.poll~failed": {"id": "t1", "error_type": "error"},
        "transcript~queued": {"id": "t1"},
        "transcript~unauthorized": {"error_type": "error"},
        "speech~at_capacity": {"error_type": "error"},
        "transcribe~capacity": {"error_type": "capacity_exceeded"},
        "transcribe~too_large": {"error_type": "audio_too_large"},
        "transcript~no_funds": {"error_type": "error"},
    },
)
