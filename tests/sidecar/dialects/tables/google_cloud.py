"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "speech.longrunningrecognize": (
            {
                "operation": "stt",
                "endpoint": "speech.longrunningrecognize",
                "route": "/v1p1beta1/speech:longrunningrecognize",
            },
            {"kind": "Transcription", "audio_url": "gs://shop/a.flac", "language": "en-US"},
        ),
        "speech.recognize": (
            {"operation": "stt", "endpoint": "speech.recognize", "route": "/v1/speech:recognize"},
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "format": "opus",
                "sample_rate": 48000,
                "model": "latest_short",
                "language": "ru-RU",
                "timestamps": ["word"],
                "parameters": [["enableAutomaticPunctuation", "true"], ["alternativeLanguageCodes", '["en-US"]']],
            },
        ),
        "speech.recognize.snake_case.by_hand": (
            {"operation": "stt", "endpoint": "speech.recognize", "route": "/v1/speech:recognize"},
            {
                "kind": "Transcription",
                "audio": b"\x00\x01\x02\xff\xef",
                "format": "pcm",
                "sample_rate": 16000,
                "language": "en-US",
            },
        ),
        "speech.v2.recognize.explicit": (
            {
                "operation": "stt",
                "endpoint": "speech.v2.recognize",
                "route": "/v2/projects/{project}/locations/{location}/recognizers/{recognizer}:recognize",
                "model": "counter",
            },
            {
                "kind": "Transcription",
                "audio": "960 bytes efa309e463ea",
                "format": "pcm",
                "sample_rate": 16000,
                "model": "counter",
                "parameters": [["recognizer", "counter"]],
            },
        ),
        "speech.v2.recognize": (
            {
                "operation": "stt",
                "endpoint": "speech.v2.recognize",
                "route": "/v2/projects/{project}/locations/{location}/recognizers/{recognizer}:recognize",
            },
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "model": "chirp_3",
                "timestamps": ["word"],
                "parameters": [["features", '{"enableWordTimeOffsets":true}'], ["languageCodes", '["ru-RU","en-US"]']],
            },
        ),
        "text.synthesize": (
            {"operation": "tts", "endpoint": "text.synthesize", "route": "/v1/text:synthesize"},
            {
                "kind": "Speech",
                "text": "We are open. Привет!",
                "voice": "ru-RU-Wavenet-A",
                "language": "ru-RU",
                "format": "opus",
                "sample_rate": 48000,
                "speed": 1.2,
            },
        ),
        "text.synthesize.ssml": (
            {"operation": "tts", "endpoint": "text.synthesize", "route": "/v1beta1/text:synthesize"},
            {
                "kind": "Speech",
                "text": "<speak>We are open.</speak>",
                "ssml": True,
                "language": "en-US",
                "format": "mp3",
            },
        ),
        "unknown.voices": (None, None),
    },
    answers={
        "speech.longrunningrecognize~begun": {"id": "7612202767953098924"},
        "speech.recognize~invalid": {"error_type": "INVALID_ARGUMENT"},
        "speech.recognize~silence": {},
        "speech.recognize~unavailable": {"error_type": "UNAVAILABLE"},
        "speech.recognize~whole": {"id": "8321465398416234", "usage": {"audio_seconds": 2.0}},
        "speech.v2.recognize~whole": {"id": "6911d9ab", "usage": {"audio_seconds": 1.0}},
        "text.synthesize~whole": {},
        "speech.recognize~no_billing": {"error_type": "PERMISSION_DENIED"},
        "speech.recognize~per_minute": {"error_type": "RESOURCE_EXHAUSTED"},
        "speech.recognize~too_long": {"error_type": "INVALID_ARGUMENT"},
    },
)
