"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "recognize.by_hand": (
            {"operation": "stt", "endpoint": "recognize", "route": "/speech/recognition/{mode}/cognitiveservices/v1"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/wav; codecs=audio/pcm; samplerate=16000",
                "format": "wav",
                "sample_rate": 16000,
                "language": "ru-RU",
                "response_format": "detailed",
                "parameters": [["profanity", "masked"]],
            },
        ),
        "recognize.opus.by_hand": (
            {
                "operation": "stt",
                "endpoint": "recognize",
                "route": "/speech/recognition/{mode}/cognitiveservices/v1",
                "model": "0a1b2c",
            },
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "media_type": "audio/ogg; codecs=opus",
                "format": "opus",
                "model": "0a1b2c",
                "language": "en-US",
                "timestamps": ["word"],
            },
        ),
        "recognize.socket.by_hand": (
            {
                "operation": "stt",
                "endpoint": "recognize.socket",
                "route": "/speech/recognition/{mode}/cognitiveservices/v1",
                "socket": True,
            },
            None,
        ),
        "synthesize.by_hand": (
            {"operation": "tts", "endpoint": "synthesize", "route": "/cognitiveservices/v1"},
            {
                "kind": "Speech",
                "text": "<speak version='1.0' xml:lang='ru-RU'><voice xml:lang='ru-RU' "
                "name='ru-RU-SvetlanaNeural'>Мы открыты &amp; "
                "ждём.</voice></speak>",
                "ssml": True,
                "voice": "ru-RU-SvetlanaNeural",
                "language": "ru-RU",
                "format": "mp3",
                "sample_rate": 24000,
                "bit_rate": 48000,
                "parameters": [["output_format", "audio-24khz-48kbitrate-mono-mp3"]],
            },
        ),
        "synthesize.riff.by_hand": (
            {"operation": "tts", "endpoint": "synthesize", "route": "/cognitiveservices/v1", "model": "d-1"},
            {
                "kind": "Speech",
                "text": '<speak version="1.0" xml:lang="en-US"><voice name="en-US-JennyNeural">Open.</voice></speak>',
                "ssml": True,
                "model": "d-1",
                "voice": "en-US-JennyNeural",
                "language": "en-US",
                "format": "wav",
                "sample_rate": 8000,
                "parameters": [["output_format", "riff-8khz-8bit-mono-mulaw"]],
            },
        ),
        "synthesize.socket.by_hand": (
            {
                "operation": "tts",
                "endpoint": "synthesize.socket",
                "route": "/cognitiveservices/websocket/v1",
                "socket": True,
            },
            None,
        ),
        "transcribe.by_hand": (
            {"operation": "stt", "endpoint": "transcribe", "route": "/speechtotext/transcriptions:transcribe"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/wav",
                "filename": "question.wav",
                "format": "wav",
                "language": "ru-RU",
                "parameters": [["diarization", '{"maxSpeakers":2,"enabled":true}'], ["profanityFilterMode", '"None"']],
            },
        ),
        "unknown.voices.by_hand": (None, None),
    },
    answers={
        "recognize.by_hand~silence": {
            "id": "az-2",
            "usage": {"audio_seconds": 0.0},
            "error_type": "InitialSilenceTimeout",
        },
        "recognize.by_hand~success": {"id": "az-1", "usage": {"audio_seconds": 123.6645672}},
        "recognize.by_hand~unauthorized": {"error_type": "401"},
        "synthesize.by_hand~audio": {"id": "az-3"},
        "transcribe.by_hand~whole": {"usage": {"audio_seconds": 2.74}},
        "recognize.by_hand~error": {"usage": {"audio_seconds": 0.0}, "error_type": "Error"},
        "recognize.by_hand~limited": {"error_type": "429"},
        "synthesize.by_hand~used_up": {"error_type": "403"},
    },
)
