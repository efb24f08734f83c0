"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

VERTEX = "/v1beta1/projects/{project}/locations/{location}"

TABLE = Table(
    requests={
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1beta/openai/chat/completions"},
            {
                "kind": "Chat",
                "model": "gemini-3-flash",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
            },
        ),
        "decisions": (
            {"operation": "chat", "endpoint": "decisions", "route": "/v1beta/decisions"},
            {
                "kind": "Chat",
                "model": "gemini-3-flash",
                "messages": [("user", "Read it to me.", "text")],
                "questions": {
                    "desk": {
                        "criteria": {"sales": "Buys", "repairs": "Broken"},
                        "instructions": "Which desk?",
                        "type": "choice",
                    }
                },
            },
        ),
        "generateContent": (
            {
                "operation": "chat",
                "endpoint": "generateContent",
                "route": "/v1/models/{model}:generateContent",
                "model": "gemini-3-flash",
            },
            {
                "kind": "Chat",
                "model": "gemini-3-flash",
                "messages": [
                    ("user", "Are you open?\n(Привет)", "text text"),
                    ("assistant", "Yes.", "text"),
                    ("user", "", "audio"),
                ],
                "system": "You are a shop's voice.",
                "output_schema": {
                    "description": "Whether to answer by voice.",
                    "properties": {
                        "voice": {"description": "True to speak the answer.", "title": "Voice", "type": "BOOLEAN"}
                    },
                    "required": ["voice"],
                    "title": "VoiceDecision",
                    "type": "OBJECT",
                },
                "json_output": True,
                "max_output_tokens": 64,
                "temperature": 0.0,
                "stop": ["END"],
            },
        ),
        "generateContent.snake_case.by_hand": (
            {
                "operation": "chat",
                "endpoint": "generateContent",
                "route": "/v1beta/models/{model}:generateContent",
                "model": "gemini-2.5-flash",
            },
            {
                "kind": "Chat",
                "model": "gemini-2.5-flash",
                "messages": [("user", "Speak?", "text image")],
                "system": "Answer yes or no.",
                "tool_choice": "none",
                "max_output_tokens": 3,
                "temperature": 0.0,
                "stop": ["."],
            },
        ),
        "generateContent.speech": (
            {
                "operation": "chat",
                "endpoint": "generateContent",
                "route": "/v1/models/{model}:generateContent",
                "model": "gemini-3-flash-tts",
            },
            {"kind": "Chat", "model": "gemini-3-flash-tts", "messages": [("user", "Say warmly: we are open.", "text")]},
        ),
        "generateContent.tools": (
            {
                "operation": "chat",
                "endpoint": "generateContent",
                "route": "/v1beta/models/{model}:generateContent",
                "model": "gemini-3-flash",
            },
            {
                "kind": "Chat",
                "model": "gemini-3-flash",
                "messages": [("user", "Are you open?", "text")],
                "tools": [
                    ("googleSearch", "", None),
                    (
                        "get_opening_hours",
                        "Hours.",
                        {
                            "type": "object",
                            "properties": {"voice": {"type": "boolean"}},
                            "required": ["voice"],
                            "additionalProperties": False,
                        },
                    ),
                ],
                "tool_choice": "get_opening_hours",
            },
        ),
        "interactions": (
            {"operation": "chat", "endpoint": "interactions", "route": "/v1beta/interactions"},
            {
                "kind": "Chat",
                "model": "gemini-3-flash",
                "messages": [("user", "Are you open?", "text"), ("assistant", "Yes.", "text"), ("user", "", "audio")],
                "system": "You are a shop's voice.",
                "tools": [
                    (
                        "get_opening_hours",
                        "",
                        {
                            "type": "object",
                            "properties": {"voice": {"type": "boolean"}},
                            "required": ["voice"],
                            "additionalProperties": False,
                        },
                    )
                ],
                "max_output_tokens": 32,
                "temperature": 0.2,
            },
        ),
        "live": (
            {
                "operation": "realtime",
                "endpoint": "live",
                "route": "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent",
                "socket": True,
            },
            None,
        ),
        "streamGenerateContent": (
            {
                "operation": "chat",
                "endpoint": "streamGenerateContent",
                "route": "/v1/models/{model}:streamGenerateContent",
                "model": "gemini-3-flash",
                "stream": True,
            },
            {"kind": "Chat", "model": "gemini-3-flash", "messages": [("user", "Hello", "text")], "stream": True},
        ),
        "unknown.countTokens.by_hand": (None, None),
        "vertex.generateContent": (
            {
                "operation": "chat",
                "endpoint": "generateContent",
                "route": VERTEX + "/publishers/google/models/{model}:generateContent",
                "model": "gemini-3-flash",
            },
            {"kind": "Chat", "model": "gemini-3-flash", "messages": [("user", "Hello", "text")]},
        ),
    },
    answers={
        "decisions~whole": {"usage": {"input_tokens": 44, "output_tokens": 1}},
        "generateContent.speech~whole": {
            "id": "r1",
            "model": "gemini-3-flash-001",
            "finish_reasons": ["STOP"],
            "usage": {"input_tokens": 7, "output_tokens": 50, "audio_output_tokens": 50},
        },
        "generateContent~blocked": {
            "id": "r1",
            "model": "gemini-3-flash-001",
            "usage": {"input_tokens": 8},
            "error_type": "PROHIBITED_CONTENT",
        },
        "generateContent~exhausted": {"error_type": "RESOURCE_EXHAUSTED"},
        "generateContent~whole": {
            "id": "r1",
            "model": "gemini-3-flash-001",
            "finish_reasons": ["STOP"],
            "usage": {
                "input_tokens": 320,
                "output_tokens": 52,
                "cached_input_tokens": 256,
                "reasoning_tokens": 40,
                "audio_input_tokens": 300,
            },
        },
        "interactions~error": {"error_type": "internal"},
        "interactions~events": {
            "id": "v1_b",
            "model": "gemini-3-flash",
            "finish_reasons": ["completed"],
            "usage": {
                "input_tokens": 7,
                "output_tokens": 42,
                "cached_input_tokens": 0,
                "reasoning_tokens": 22,
                "audio_input_tokens": 3,
            },
        },
        "interactions~whole": {
            "id": "v1_a",
            "model": "gemini-3-flash",
            "finish_reasons": ["completed"],
            "usage": {
                "input_tokens": 7,
                "output_tokens": 42,
                "cached_input_tokens": 0,
                "reasoning_tokens": 22,
                "audio_input_tokens": 3,
            },
        },
        "streamGenerateContent~events": {
            "id": "r1",
            "model": "gemini-3-flash-001",
            "finish_reasons": ["MAX_TOKENS"],
            "usage": {"input_tokens": 4, "output_tokens": 2},
        },
        "streamGenerateContent~list": {
            "id": "r1",
            "model": "gemini-3-flash-001",
            "finish_reasons": ["STOP"],
            "usage": {"input_tokens": 4, "output_tokens": 2},
        },
        "generateContent~kept_back": {
            "id": "g-9",
            "model": "gemini-3-flash",
            "finish_reasons": ["PROHIBITED_CONTENT"],
            "usage": {"input_tokens": 8},
        },
        "generateContent~no_key": {"error_type": "INVALID_ARGUMENT"},
        "generateContent~no_quota": {"error_type": "RESOURCE_EXHAUSTED"},
        "generateContent~per_day": {"error_type": "RESOURCE_EXHAUSTED"},
        "generateContent~per_minute": {"error_type": "RESOURCE_EXHAUSTED"},
        "generateContent~prepaid": {"error_type": "RESOURCE_EXHAUSTED"},
    },
)
