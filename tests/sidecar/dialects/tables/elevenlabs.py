"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "convai.conversation": (
            {
                "operation": "realtime",
                "endpoint": "convai.conversation",
                "route": "/v1/convai/conversation",
                "socket": True,
            },
            None,
        ),
        "speech-to-text": (
            {"operation": "stt", "endpoint": "speech-to-text", "route": "/v1/speech-to-text"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/x-wav",
                "filename": "question.wav",
                "format": "wav",
                "model": "scribe_v2",
                "language": "ru",
                "timestamps": ["word"],
                "parameters": [["diarize", "false"], ["keyterms", "lamp"], ["keyterms", "lustre"]],
            },
        ),
        "speech-to-text.pcm": (
            {"operation": "stt", "endpoint": "speech-to-text", "route": "/v1/speech-to-text"},
            {
                "kind": "Transcription",
                "audio": "960 bytes efa309e463ea",
                "media_type": "application/octet-stream",
                "filename": "raw.pcm",
                "format": "pcm",
                "sample_rate": 16000,
                "model": "scribe_v1",
            },
        ),
        "speech-to-text.realtime": (
            {
                "operation": "stt",
                "endpoint": "speech-to-text.realtime",
                "route": "/v1/speech-to-text/realtime",
                "model": "scribe_v2_realtime",
                "socket": True,
            },
            None,
        ),
        "text-to-dialogue": (
            {"operation": "tts", "endpoint": "text-to-dialogue", "route": "/v1/text-to-dialogue"},
            {
                "kind": "Speech",
                "text": "Open?\nYes.",
                "model": "eleven_v3",
                "voice": "JBFqnCBsd6RMkjVDRZzb,Aw4FAjKCGjjNkVhN1Xmq",
                "format": "mp3",
                "sample_rate": 44100,
                "bit_rate": 128000,
            },
        ),
        "text-to-speech": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech",
                "route": "/v1/text-to-speech/{voice_id}",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
            },
            {
                "kind": "Speech",
                "text": "We are open. Привет!",
                "model": "eleven_multilingual_v2",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "format": "mp3",
                "sample_rate": 22050,
                "bit_rate": 32000,
                "speed": 1.1,
                "parameters": [["voice_settings", '{"stability":0.4,"speed":1.1}'], ["seed", "7"]],
            },
        ),
        "text-to-speech.multi-stream-input.by_hand": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech.multi-stream-input",
                "route": "/v1/text-to-speech/{voice_id}/multi-stream-input",
                "model": "eleven_flash_v2_5",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "socket": True,
            },
            None,
        ),
        "text-to-speech.stream-input": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech.stream-input",
                "route": "/v1/text-to-speech/{voice_id}/stream-input",
                "model": "eleven_v3",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "socket": True,
            },
            None,
        ),
        "text-to-speech.stream": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech.stream",
                "route": "/v1/text-to-speech/{voice_id}/stream",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "stream": True,
            },
            {
                "kind": "Speech",
                "text": "We are open.",
                "model": "eleven_flash_v2_5",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "language": "ru",
                "format": "pcm",
                "sample_rate": 16000,
                "stream": True,
            },
        ),
        "text-to-speech.stream.with-timestamps": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech.stream.with-timestamps",
                "route": "/v1/text-to-speech/{voice_id}/stream/with-timestamps",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "stream": True,
            },
            {
                "kind": "Speech",
                "text": "We are open.",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "format": "mp3",
                "sample_rate": 44100,
                "bit_rate": 128000,
                "stream": True,
            },
        ),
        "text-to-speech.with-timestamps": (
            {
                "operation": "tts",
                "endpoint": "text-to-speech.with-timestamps",
                "route": "/v1/text-to-speech/{voice_id}/with-timestamps",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
            },
            {
                "kind": "Speech",
                "text": "We are open.",
                "voice": "JBFqnCBsd6RMkjVDRZzb",
                "format": "mp3",
                "sample_rate": 44100,
                "bit_rate": 128000,
            },
        ),
        "unknown.voices.by_hand": (None, None),
    },
    answers={
        "speech-to-text~whole": {"id": "el-4"},
        "text-to-speech.stream.with-timestamps~lines": {"id": "el-3", "usage": {"characters": 12}},
        "text-to-speech.with-timestamps~whole": {"id": "el-2", "usage": {"characters": 12}},
        "text-to-speech~audio": {"id": "el-1", "usage": {"characters": 21}},
        "text-to-speech~busy": {"error_type": "too_many_concurrent_requests"},
        "text-to-speech~invalid": {"error_type": "missing"},
        "text-to-speech~quota": {"error_type": "quota_exceeded"},
        "text-to-speech~no_voice": {"error_type": "voice_not_found"},
        "text-to-speech~system_busy": {"error_type": "system_busy"},
        "text-to-speech~too_long": {"error_type": "max_character_limit_exceeded"},
        "text-to-speech~unusual": {"error_type": "detected_unusual_activity"},
    },
)
