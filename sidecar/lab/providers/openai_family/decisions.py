"""``POST /v1/decisions``: questions about an input, answered with probabilities. Gemini has the like."""

import json
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json, list_field, text_field
from sidecar.lab.engines import words
from sidecar.lab.engines.contract import Completion, Prompt, Turn
from sidecar.lab.reply import Refusal, Reply, Trouble, Work, json_reply


async def decisions(call: Call) -> Reply:
    body = call.json()
    model, questions = text_field(body, "model"), list_field(body, "questions")
    if not 1 <= len(questions) <= 400:
        raise Refusal(Trouble.INVALID, "Ask 1 to 400 questions.", param="questions")
    text, last = _input(body)
    prompt = Prompt(turns=(Turn("user", text),), context=json.dumps(questions))
    completion = await call.engines.chat.complete(prompt)
    return json_reply(
        {"answers": [_answer(one, last) for one in questions], "model": model, "usage": _usage(completion)},
        work=Work(Operation.CHAT, completion.input_tokens / 1000),
    )


def _input(body: Json) -> tuple[str, str]:
    """All of the input as text, and what the user said last in it."""
    given = body.get("input")
    if isinstance(given, str):
        return given, given
    messages = list_field(body, "input")
    texts = [
        (message.get("role"), text_of(message.get("content") or message.get("output") or "")) for message in messages
    ]
    last = next((text for role, text in reversed(texts) if role == "user"), texts[-1][1] if texts else "")
    return "\n".join(text for _, text in texts), last


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text") or part.get("json") or "") for part in content)


def _answer(question: Json, text: str) -> dict[str, Any]:
    kind = question.get("type")
    instructions = text_of(question.get("instructions") or "")
    named = {"name": question["name"]} if "name" in question else {}
    if kind == "predicate":
        return {"type": "predicate", **named, "probability": round(words.yes(instructions, text), 4)}
    if kind == "choice":
        options = list_field(question, "choices")
        chances = words.probabilities([_label(one.get("value"), one) for one in options], text)
        best = chances.index(max(chances))
        return {
            "type": "choice",
            **named,
            "choice": options[best].get("value"),
            "confidence": round(chances[best], 4),
            "probabilities": [
                {"value": option.get("value"), "probability": round(chance, 4)}
                for option, chance in zip(options, chances, strict=True)
            ],
        }
    if kind == "score":
        levels = list_field(question, "levels")
        chances = words.probabilities([_label(one.get("label"), one) for one in levels], text)
        return {
            "type": "score",
            **named,
            "score": round(sum(value * chance for value, chance in enumerate(chances)), 4),
            "confidence": round(max(chances), 4),
            "probabilities": [
                {"label": level.get("label"), "value": value, "probability": round(chance, 4)}
                for value, (level, chance) in enumerate(zip(levels, chances, strict=True))
            ],
        }
    raise Refusal(Trouble.INVALID, f"Invalid value: '{kind}'.", param="questions[0].type")


def _label(value: object, option: Json) -> str:
    return f"{value} {option.get('description') or ''}"


def _usage(completion: Completion) -> dict[str, Any]:
    return {
        "input_tokens": completion.input_tokens,
        "input_tokens_details": {"cached_tokens": completion.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": completion.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": completion.total_tokens,
    }
