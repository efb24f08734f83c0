"""Gemini's decisions: questions by name about one input."""

import json
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.engines import words
from sidecar.lab.engines.chat import count_tokens
from sidecar.lab.reply import Refusal, Reply, Trouble, Work, json_reply


async def decisions(call: Call) -> Reply:
    body = call.json()
    text_field(body, "model")
    questions = body.get("questions")
    if not isinstance(questions, dict) or not questions:
        raise Refusal(Trouble.INVALID, "questions: at least one is required.", param="questions")
    text = _text(body.get("input"))
    answers = {name: _answer(question, text) for name, question in questions.items()}
    tokens = count_tokens(text) + count_tokens(json.dumps(questions))
    usage = {
        "total_input_tokens": tokens,
        "total_output_tokens": len(answers),
        "total_tokens": tokens + len(answers),
    }
    return json_reply({"answers": answers, "usage": usage}, work=Work(Operation.CHAT, tokens / 1000))


def _text(given: Any) -> str:
    if isinstance(given, str):
        return given
    parts = given if isinstance(given, list) else [given or {}]
    return "\n".join(str(part.get("text") or "") if isinstance(part, dict) else str(part) for part in parts)


def _answer(question: Json, text: str) -> Json:
    kind, criteria = question.get("type"), question.get("criteria") or {}
    instructions = _text(question.get("instructions"))
    if kind == "noul":
        chance = round(words.yes(f"{instructions} {criteria.get('true_description') or ''}", text), 4)
        return {"type": "noul", "noul": chance, "confidence": max(chance, round(1 - chance, 4))}
    if kind == "choice":
        names = list(criteria)
        chances = words.probabilities([f"{name} {about}" for name, about in criteria.items()], text)
        best = chances.index(max(chances))
        chosen = dict(zip(names, (round(chance, 4) for chance in chances), strict=True))
        return {"type": "choice", "choice": names[best], "confidence": chosen[names[best]], "probabilities": chosen}
    if kind == "score":
        chances = words.probabilities(list(criteria), text)
        score = sum(number * chance for number, chance in enumerate(chances))
        return {
            "type": "score",
            "score": round(score, 4),
            "confidence": round(max(chances), 4),
            "legend": {str(number): about for number, about in enumerate(criteria)},
            "probabilities": {str(number): round(chance, 4) for number, chance in enumerate(chances)},
        }
    raise Refusal(Trouble.INVALID, f"questions: unknown type {kind!r}.", param="questions")
