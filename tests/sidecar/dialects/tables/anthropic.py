"""What the captured calls of this dialect mean, and what the answers to them say."""

from tests.sidecar.dialects.tables import Table

TABLE = Table(
    requests={
        "chat.completions": (
            {"operation": "chat", "endpoint": "chat.completions", "route": "/v1/chat/completions"},
            {
                "kind": "Chat",
                "model": "claude-sonnet-5",
                "messages": [("user", "Are you open on Sunday?", "text")],
                "system": "You are the voice of a small shop. Answer in one sentence.",
            },
        ),
        "messages": (
            {"operation": "chat", "endpoint": "messages", "route": "/v1/messages"},
            {
                "kind": "Chat",
                "model": "claude-sonnet-5",
                "messages": [
                    ("user", "Are you open?", "text"),
                    ("assistant", "", "tool_call"),
                    ("tool", "10-16", "tool_result"),
                ],
                "system": "You are a shop's voice.",
                "tools": [
                    (
                        "get_opening_hours",
                        "Hours.",
                        {
                            "type": "object",
                            "properties": {"voice": {"type": "boolean"}},
                            "required": ["voice"],
                            "additionalProperties": False,
                        },
                    )
                ],
                "tool_choice": "get_opening_hours",
                "max_output_tokens": 64,
                "stop": ["END"],
            },
        ),
        "messages.older.by_hand": (
            {"operation": "chat", "endpoint": "messages", "route": "/v1/messages"},
            {
                "kind": "Chat",
                "model": "claude-3-5-haiku-latest",
                "messages": [("user", "Speak?", "text image"), ("assistant", '{"', "text")],
                "system": "Answer yes or no.",
                "tools": [("web_search_20250305", "", None)],
                "tool_choice": "required",
                "max_output_tokens": 5,
                "temperature": 0.0,
            },
        ),
        "messages.parse": (
            {"operation": "chat", "endpoint": "messages", "route": "/v1/messages"},
            {
                "kind": "Chat",
                "model": "claude-sonnet-5",
                "messages": [("user", "Shall I speak?", "text")],
                "output_schema": {
                    "type": "object",
                    "description": "Whether to answer by voice.",
                    "title": "VoiceDecision",
                    "properties": {
                        "voice": {"type": "boolean", "description": "True to speak the answer.", "title": "Voice"}
                    },
                    "additionalProperties": False,
                    "required": ["voice"],
                },
                "json_output": True,
                "max_output_tokens": 64,
            },
        ),
        "messages.stream": (
            {"operation": "chat", "endpoint": "messages", "route": "/v1/messages"},
            {
                "kind": "Chat",
                "model": "claude-sonnet-5",
                "messages": [("user", "Hello", "text")],
                "max_output_tokens": 64,
                "stream": True,
            },
        ),
        "unknown.count_tokens": (None, None),
    },
    answers={
        "chat.completions~whole": {
            "id": "msg_3",
            "model": "claude-sonnet-5",
            "finish_reasons": ["stop"],
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
        "messages.stream~error": {"error_type": "api_error"},
        "messages.stream~events": {
            "id": "msg_2",
            "model": "claude-sonnet-5-20260901",
            "finish_reasons": ["tool_use"],
            "usage": {"input_tokens": 1025, "output_tokens": 15, "cached_input_tokens": 1000},
        },
        "messages~overloaded": {"error_type": "overloaded_error"},
        "messages~spend_limit": {"error_type": "enforced_spend_limit_reached"},
        "messages~whole": {
            "id": "msg_1",
            "model": "claude-sonnet-5-20260901",
            "finish_reasons": ["end_turn"],
            "usage": {"input_tokens": 1030, "output_tokens": 12, "cached_input_tokens": 1000, "reasoning_tokens": 3},
        },
        "messages.stream~overloaded": {"error_type": "overloaded_error"},
        "messages~billing": {"error_type": "billing_error"},
        "messages~no_credit": {"error_type": "invalid_request_error"},
        "messages~rate_limit": {"error_type": "rate_limit_error"},
        "messages~too_long": {"error_type": "invalid_request_error"},
    },
)
