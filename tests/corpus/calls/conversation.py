"""What the calls to language models say, and OpenAI's client, which speaks to more than one of them."""

from typing import Any

MESSAGES: list[Any] = [
    {"role": "system", "content": "You are the voice of a small shop. Answer in one sentence."},
    {"role": "user", "content": "Are you open on Sunday?"},
    {"role": "assistant", "content": "Yes, from ten to four."},
    {"role": "user", "content": [{"type": "text", "text": "And today?"}, {"type": "text", "text": "(Привет 👋)"}]},
]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_opening_hours",
        "description": "When the shop is open on a day.",
        "parameters": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]},
    },
}
VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"voice": {"type": "boolean"}},
    "required": ["voice"],
    "additionalProperties": False,
}


def openai(authority: str, path: str = "/v1") -> Any:
    from openai import OpenAI

    return OpenAI(api_key="sk-dummy", base_url=f"http://{authority}{path}", max_retries=0)


def verdict_model() -> Any:
    from pydantic import BaseModel, Field

    class VoiceDecision(BaseModel):
        """Whether to answer by voice."""

        voice: bool = Field(description="True to speak the answer.")

    return VoiceDecision
