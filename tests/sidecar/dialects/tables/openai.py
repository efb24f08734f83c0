"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "audio.speech": (
            {"operation": "tts", "endpoint": "audio.speech", "route": "/v1/audio/speech"},
            {
                "kind": "Speech",
                "text": "We are open until four. Привет!",
                "model": "gpt-4o-mini-tts",
                "voice": "alloy",
                "format": "opus",
                "speed": 1.25,
                "instructions": "Warm and calm.",
            },
        ),
        "audio.speech.sse": (
            {"operation": "tts", "endpoint": "audio.speech", "route": "/v1/audio/speech"},
            {
                "kind": "Speech",
                "text": "Hello",
                "model": "gpt-4o-mini-tts",
                "voice": "voice_1",
                "format": "pcm",
                "sample_rate": 24000,
                "stream": True,
            },
        ),
        "audio.transcriptions.curl.by_hand": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "media_type": "application/octet-stream",
                "filename": "voice.oga",
                "format": "ogg",
                "model": "gpt-4o-transcribe",
            },
        ),
        "audio.transcriptions": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/x-wav",
                "filename": "question.wav",
                "format": "wav",
                "model": "whisper-1",
                "language": "ru",
                "prompt": "Лампы, люстры",
                "response_format": "verbose_json",
                "timestamps": ["word", "segment"],
                "parameters": [["temperature", "0"]],
            },
        ),
        "audio.transcriptions.stream": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": b"OggS-not-really",
                "media_type": "audio/ogg; codecs=opus",
                "filename": "voice.ogg",
                "format": "opus",
                "model": "gpt-4o-transcribe",
                "stream": True,
                "parameters": [
                    ["chunking_strategy[type]", "server_vad"],
                    ["chunking_strategy[threshold]", "0.5"],
                    ["include[]", "logprobs"],
                ],
            },
        ),
        "audio.transcriptions.unnamed": (
            {"operation": "stt", "endpoint": "audio.transcriptions", "route": "/v1/audio/transcriptions"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "application/octet-stream",
                "filename": "upload",
                "model": "gpt-4o-mini-transcribe",
            },
        ),
        "audio.translations": (
            {"operation": "stt", "endpoint": "audio.translations", "route": "/v1/audio/translations"},
            {
                "kind": "Transcription",
                "audio": "1004 bytes f0f576c071a8",
                "media_type": "audio/mpeg",
                "filename": "clip.mp3",
                "format": "mp3",
                "model": "whisper-1",
                "prompt": "Shop",
                "translate": True,
            },
        ),
        "chat.completions.audio": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {"kind": "Chat", "model": "gpt-audio", "messages": [("user", "What is said here?", "text audio image")]},
        ),
        "chat.completions.elsewhere": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/{base}/chat/completions"},
            {
                "kind": "Chat",
                "model": "openai/gpt-4.1-mini",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
            },
        ),
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [
                    ("user", "Are you open on Sunday?", "text"),
                    ("assistant", "Yes, from ten to four.", "text"),
                    ("user", "And today?\n(Привет 👋)", "text text"),
                ],
                "system": "You are the voice of a small shop. Answer in one sentence.",
                "max_output_tokens": 64,
                "temperature": 0.0,
                "stop": ["\n", "END"],
            },
        ),
        "chat.completions.langchain_any_tool": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Shall I speak?", "text")],
                "tools": [
                    (
                        "VoiceDecision",
                        "Whether to answer by voice.",
                        {
                            "properties": {"voice": {"description": "True to speak the answer.", "type": "boolean"}},
                            "required": ["voice"],
                            "type": "object",
                        },
                    ),
                    (
                        "get_opening_hours",
                        "When the shop is open on a day.",
                        {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
                    ),
                ],
                "tool_choice": "required",
                "temperature": 0.0,
            },
        ),
        "chat.completions.langchain_function_calling": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Shall I speak?", "text")],
                "tools": [
                    (
                        "VoiceDecision",
                        "Whether to answer by voice.",
                        {
                            "properties": {"voice": {"description": "True to speak the answer.", "type": "boolean"}},
                            "required": ["voice"],
                            "type": "object",
                        },
                    )
                ],
                "tool_choice": "VoiceDecision",
                "temperature": 0.0,
            },
        ),
        "chat.completions.langchain_json_mode": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Shall I speak? Say in json.", "text")],
                "json_output": True,
                "temperature": 0.0,
            },
        ),
        "chat.completions.langchain_json_schema": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Shall I speak?", "text")],
                "output_schema": {
                    "description": "Whether to answer by voice.",
                    "properties": {
                        "voice": {"description": "True to speak the answer.", "title": "Voice", "type": "boolean"}
                    },
                    "required": ["voice"],
                    "title": "VoiceDecision",
                    "type": "object",
                    "additionalProperties": False,
                },
                "json_output": True,
                "temperature": 0.0,
            },
        ),
        "chat.completions.parse": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
                "output_schema": {
                    "properties": {"voice": {"title": "Voice", "type": "boolean"}},
                    "required": ["voice"],
                    "title": "Verdict",
                    "type": "object",
                    "additionalProperties": False,
                },
                "json_output": True,
            },
        ),
        "chat.completions.stream": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-4.1-mini",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
                "stream": True,
            },
        ),
        "chat.completions.tools": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "gpt-5.2",
                "messages": [
                    ("user", "Are you open on Sunday?", "text"),
                    ("assistant", "", "tool_call"),
                    ("tool", "10-16", "tool_result"),
                ],
                "system": "Use tools.",
                "tools": [
                    (
                        "get_opening_hours",
                        "When the shop is open on a day.",
                        {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
                    )
                ],
                "tool_choice": "get_opening_hours",
            },
        ),
        "completions": (
            {"operation": "chat", "endpoint": "completions", "route": "/v1/completions"},
            {
                "kind": "Chat",
                "model": "gpt-3.5-turbo-instruct",
                "messages": [("user", "Once upon", "text")],
                "max_output_tokens": 5,
            },
        ),
        "decisions": (
            {"operation": "chat", "endpoint": "decisions", "route": "/v1/decisions"},
            {
                "kind": "Chat",
                "model": "gpt-6-luna",
                "messages": [("user", "Read it to me.", "text")],
                "system": "A shop's bot.",
                "questions": [
                    {"type": "predicate", "instructions": "The user wants to hear the answer.", "name": "voice"},
                    {
                        "type": "choice",
                        "instructions": "Which desk?",
                        "choices": [{"value": "sales"}, {"value": "repairs"}],
                        "name": "desk",
                    },
                ],
            },
        ),
        "embeddings": ({"operation": "passthrough", "endpoint": "embeddings", "route": "/v1/embeddings"}, None),
        "live.sessions": (
            {"operation": "realtime", "endpoint": "live.sessions", "route": "/v1/live/sessions", "socket": True},
            None,
        ),
        "realtime": (
            {
                "operation": "realtime",
                "endpoint": "realtime",
                "route": "/v1/realtime",
                "model": "gpt-realtime",
                "socket": True,
            },
            None,
        ),
        "realtime.transcription": (
            {"operation": "stt", "endpoint": "realtime.transcription", "route": "/v1/realtime", "socket": True},
            None,
        ),
        "realtime.translations": (
            {
                "operation": "realtime",
                "endpoint": "realtime.translations",
                "route": "/v1/realtime/translations",
                "model": "gpt-realtime-translate",
                "socket": True,
            },
            None,
        ),
        "responses": (
            {"operation": "chat", "endpoint": "responses", "route": "/v1/responses"},
            {
                "kind": "Chat",
                "model": "gpt-5.2",
                "messages": [
                    ("user", "Read it to me, please.", "text"),
                    ("assistant", "", "tool_call"),
                    ("tool", "10-16", "tool_result"),
                ],
                "system": "Say whether the answer should be spoken.\nThe shop sells lamps.",
                "tools": [
                    ("web_search", "", None),
                    (
                        "get_opening_hours",
                        "",
                        {
                            "type": "object",
                            "properties": {"voice": {"type": "boolean"}},
                            "required": ["voice"],
                            "additionalProperties": False,
                        },
                    ),
                ],
                "tool_choice": "required",
                "output_schema": {
                    "type": "object",
                    "properties": {"voice": {"type": "boolean"}},
                    "required": ["voice"],
                    "additionalProperties": False,
                },
                "json_output": True,
                "max_output_tokens": 32,
                "conversation_id": "resp_0",
            },
        ),
        "responses.socket": (
            {"operation": "chat", "endpoint": "responses.socket", "route": "/v1/responses", "socket": True},
            None,
        ),
        "responses.stream": (
            {"operation": "chat", "endpoint": "responses", "route": "/v1/responses"},
            {"kind": "Chat", "model": "gpt-5.2", "messages": [("user", "Say hello.", "text")], "stream": True},
        ),
        "unknown.models": (None, None),
    },
    answers={
        "audio.speech.sse~events": {"usage": {"input_tokens": 14, "output_tokens": 101}},
        "audio.speech~audio": {},
        "audio.transcriptions.stream~events": {
            "usage": {"input_tokens": 14, "output_tokens": 31, "audio_input_tokens": 14}
        },
        "audio.transcriptions.unnamed~tokens": {
            "usage": {"input_tokens": 14, "output_tokens": 31, "audio_input_tokens": 14}
        },
        "audio.transcriptions~text": {},
        "audio.transcriptions~verbose": {"usage": {"audio_seconds": 9.0}},
        "audio.translations~whole": {},
        "chat.completions.elsewhere~plain_error": {"error_type": "error"},
        "chat.completions.stream~error": {"error_type": "server_error"},
        "chat.completions.stream~events": {
            "id": "chatcmpl-2",
            "model": "gpt-4.1-mini-2025-04-14",
            "finish_reasons": ["stop"],
            "usage": {
                "input_tokens": 1208,
                "output_tokens": 9,
                "cached_input_tokens": 1024,
                "reasoning_tokens": 4,
                "audio_input_tokens": 0,
                "audio_output_tokens": 0,
            },
        },
        "chat.completions.stream~without_usage": {
            "id": "chatcmpl-2",
            "model": "gpt-4.1-mini-2025-04-14",
            "finish_reasons": ["length"],
        },
        "chat.completions~no_code": {"error_type": "invalid_request_error"},
        "chat.completions~quota": {"error_type": "credit_balance_exhausted"},
        "chat.completions~rate_limit": {"error_type": "rate_limit_exceeded"},
        "chat.completions~whole": {
            "id": "chatcmpl-1",
            "model": "gpt-4.1-mini-2025-04-14",
            "finish_reasons": ["stop"],
            "usage": {
                "input_tokens": 1208,
                "output_tokens": 9,
                "cached_input_tokens": 1024,
                "reasoning_tokens": 4,
                "audio_input_tokens": 0,
                "audio_output_tokens": 0,
            },
        },
        "completions~whole": {
            "id": "cmpl-1",
            "model": "gpt-3.5-turbo-instruct:20230824-v2",
            "finish_reasons": ["length"],
            "usage": {"input_tokens": 2, "output_tokens": 5},
        },
        "decisions~whole": {
            "model": "gpt-6-luna",
            "usage": {"input_tokens": 120, "output_tokens": 2, "cached_input_tokens": 100, "reasoning_tokens": 0},
        },
        "embeddings~whole": {"model": "text-embedding-3-small", "usage": {"input_tokens": 2}},
        "responses.stream~error": {"error_type": "ERR_SOMETHING"},
        "responses.stream~events": {
            "id": "resp_1",
            "model": "gpt-5.2-2026-01-01",
            "finish_reasons": ["completed"],
            "usage": {"input_tokens": 75, "output_tokens": 20, "cached_input_tokens": 10, "reasoning_tokens": 12},
        },
        "responses.stream~failed": {
            "id": "resp_1",
            "model": "gpt-5.2-2026-01-01",
            "finish_reasons": ["failed"],
            "error_type": "rate_limit_exceeded",
        },
        "responses~failed": {
            "id": "resp_1",
            "model": "gpt-5.2-2026-01-01",
            "finish_reasons": ["failed"],
            "error_type": "server_error",
        },
        "responses~incomplete": {
            "id": "resp_1",
            "model": "gpt-5.2-2026-01-01",
            "finish_reasons": ["max_output_tokens"],
            "usage": {"input_tokens": 75, "output_tokens": 20, "cached_input_tokens": 10, "reasoning_tokens": 12},
        },
        "responses~whole": {
            "id": "resp_1",
            "model": "gpt-5.2-2026-01-01",
            "finish_reasons": ["completed"],
            "usage": {"input_tokens": 75, "output_tokens": 20, "cached_input_tokens": 10, "reasoning_tokens": 12},
        },
        "chat.completions~no_model": {"error_type": "model_not_found"},
        "chat.completions~overloaded": {"error_type": "server_is_overloaded"},
        "chat.completions~slow_down": {"error_type": "slow_down"},
        "chat.completions~tokens": {"error_type": "rate_limit_exceeded"},
        "chat.completions~too_large": {"error_type": "rate_limit_exceeded"},
        "chat.completions~too_long": {"error_type": "context_length_exceeded"},
    },
)
