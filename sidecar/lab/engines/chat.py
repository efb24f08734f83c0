"""A language model by rules: deterministic, quick, and good for the small talk of a voice agent."""

import hashlib
import json
import re
from collections import OrderedDict

from sidecar.lab.engines import words
from sidecar.lab.engines.contract import Completion, Prompt, ToolCall, ToolSpec, Turn
from sidecar.lab.engines.schema import filled

_ANSWERS: tuple[tuple[str, str], ...] = (
    (r"\b(goodbye|bye|that('s| is| will be) all|hang up)\b", "Thank you for calling. Goodbye!"),
    (
        r"\b(opening|open|hours|close|closing)\b",
        "We are open from nine in the morning to six in the evening, Monday to Saturday. Is there anything else?",
    ),
    (
        r"\b(book|booking|reserve|reservation|appointment|table|schedule)\b",
        "Gladly. I have noted {booking}. Shall I confirm that for you?",
    ),
    (
        r"\b(weather|forecast|rain|temperature|sunny)\b",
        "It will be mostly sunny {place}, with a high of twenty degrees and a light breeze.",
    ),
    (r"\b(cancel|refund)\b", "I can do that for you. May I have your order number, please?"),
    (r"\b(order|delivery|package|parcel|arrived)\b", "Your order has been shipped and should arrive within two days."),
    (r"\b(price|cost|how much|fee|pay|bill|invoice)\b", "That is twenty-five dollars, all included."),
    (r"\b(human|agent|operator|representative|person)\b", "Of course. I am connecting you to a colleague now."),
    (r"\b(name|who are you|what are you)\b", "I am the lab's voice assistant. How can I help you?"),
    (r"\b(how are you|how is it going)\b", "I am doing well, thank you. How can I help you today?"),
    (r"\b(thank|thanks)\b", "You are very welcome. Is there anything else?"),
    (r"\b(yes|sure|correct|works for me|confirm)\b", "Wonderful, that is confirmed. Is there anything else?"),
    (r"\b(no|nope)\b", "All right. Is there anything else I can do for you?"),
    (r"\b(hello|hi|hey|good (morning|afternoon|evening))\b", "Hello! How can I help you today?"),
    (r"\b(joke|funny)\b", "Why did the packet cross the proxy? To get a better response time."),
    (r"\b(where|address|located|location)\b", "We are at twelve Main Street, next to the town hall."),
    (r"(привет|здравствуй)", "Здравствуйте! Чем могу помочь?"),
    (r"(погод)", "Сегодня будет солнечно, около двадцати градусов."),
    (r"(запис|заброниров)", "С удовольствием. Записал вас. Подтвердить?"),  # noqa: RUF001
    (r"(спасибо)", "Пожалуйста! Могу ещё чем-нибудь помочь?"),  # noqa: RUF001
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE), answer) for pattern, answer in _ANSWERS)
_TOKEN = re.compile(r"\w{1,6}|[^\w\s]")
_CACHEABLE_TOKENS = 1024
_CACHE_STEP_TOKENS = 128
_CALL_LIKENESS = 0.5


def count_tokens(text: str) -> int:
    return len(_TOKEN.findall(text))


def text_pieces(text: str) -> list[str]:
    """*text* word by word, as it is streamed; joined they are it."""
    return re.findall(r"\s*\S+\s*?(?=\s|$)|\s+$", text)


def shortened(text: str, max_tokens: int) -> str:
    """As much of *text* as so many tokens hold."""
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number == max_tokens:
            return text[: token.start()].rstrip()
    return text


def pick_tool(tools: tuple[ToolSpec, ...], text: str) -> tuple[ToolSpec, float]:
    """The tool that fits *text* best, and how well it does."""
    scored = [
        (max(words.likeness(tool.name, text), 0.8 * words.likeness(tool.description, text)), tool) for tool in tools
    ]
    fit, tool = max(scored, key=lambda pair: pair[0])
    return tool, fit


class RuleChat:
    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    async def complete(self, prompt: Prompt) -> Completion:
        text, calls = self._answer(prompt)
        finish = "tool_calls" if calls else "stop"
        if prompt.max_tokens is not None and count_tokens(text) > prompt.max_tokens:
            text, finish = shortened(text, prompt.max_tokens), "length"
        made = text + "".join(call.name + json.dumps(call.arguments) for call in calls)
        input_tokens, cached_tokens = self._input_tokens(prompt)
        return Completion(
            text=text,
            calls=calls,
            input_tokens=input_tokens,
            cached_tokens=cached_tokens,
            output_tokens=max(count_tokens(made), 1),
            finish=finish,
        )

    def _answer(self, prompt: Prompt) -> tuple[str, tuple[ToolCall, ...]]:
        question = next((turn.text for turn in reversed(prompt.turns) if turn.role == "user"), "")
        last = prompt.turns[-1] if prompt.turns else Turn("user", "")
        if last.role == "tool":
            return f"I have looked that up for you: {last.text.strip() or 'it is done'}.", ()
        if prompt.schema is not None:
            return json.dumps(filled(prompt.schema, question), ensure_ascii=False), ()
        if (call := self._call(prompt, question)) is not None:
            return "", (call,)
        answer = reply_to(question)
        return (json.dumps({"answer": answer}, ensure_ascii=False) if prompt.json_output else answer), ()

    def _call(self, prompt: Prompt, question: str) -> ToolCall | None:
        if not prompt.tools or prompt.tool_choice == "none":
            return None
        named = next((tool for tool in prompt.tools if tool.name == prompt.tool_choice), None)
        tool, fit = (named, 1.0) if named is not None else pick_tool(prompt.tools, question)
        if named is None and prompt.tool_choice != "required" and fit < _CALL_LIKENESS:
            return None
        arguments = filled(tool.parameters, question) if tool.parameters.get("properties") else {}
        return ToolCall(tool.name, arguments)

    def _input_tokens(self, prompt: Prompt) -> tuple[int, int]:
        """Tokens going in, and how many of them are in the prompt cache, which keeps whole turns and 1024 at least."""
        digest, tokens, cached = hashlib.sha256(), 0, 0
        for text in (prompt.context, *(f"{turn.role}\n{turn.text}" for turn in prompt.turns)):
            digest.update(text.encode() + b"\0")
            tokens += count_tokens(text) + 3
            if tokens >= _CACHEABLE_TOKENS:
                key = digest.digest()
                if key in self._seen:
                    cached = tokens // _CACHE_STEP_TOKENS * _CACHE_STEP_TOKENS
                self._seen[key] = None
        while len(self._seen) > 4096:
            self._seen.popitem(last=False)
        return tokens, cached


def reply_to(question: str) -> str:
    """What a friendly voice agent says to *question*."""
    for pattern, answer in _RULES:
        if pattern.search(question):
            return answer.format(booking=_booking(question), place=_place(question))
    if not question.strip():
        return "I am sorry, I did not hear anything. Could you say that again?"
    return f"You said: {question.strip()} I am not sure about that, but I will find out and call you back."


def _booking(question: str) -> str:
    people = words.number(re.sub(r"\bat \w+|\d+(?::\d+)?\s*[ap]m", "", question.lower()))
    parts = [
        f"a booking for {people:g}" if people else "your booking",
        words.slot("date", question) or "",
        f"at {time}" if (time := words.slot("time", question)) else "",
    ]
    return " ".join(filter(None, parts))


def _place(question: str) -> str:
    city, day = words.slot("city", question), words.slot("date", question)
    return " ".join(filter(None, (f"in {city}" if city else "", day or "today")))
