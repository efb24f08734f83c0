"""Calls to language models as agents of every wire make them, and what comes of them, for tests."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sidecar import dialects
from sidecar.body import Body
from sidecar.exchange import Exchange, Response
from sidecar.testing import answer, call, streamed
from sidecar.translation import Target, Translated, translate
from sidecar.translation.chat.completions import COMPLETIONS
from sidecar.translation.chat.events import (
    ArgumentsDelta,
    CallBegun,
    Event,
    Finished,
    Reason,
    ReasoningDelta,
    TextDelta,
    Tokens,
    Used,
)
from sidecar.translation.chat.gemini import GEMINI
from sidecar.translation.chat.messages import MESSAGES
from sidecar.translation.chat.responses import RESPONSES
from sidecar.translation.chat.wire import Agent, Wire

#: Where agents of each dialect call, by wire.
PATHS = {
    ("openai", "chat"): "/v1/chat/completions",
    ("openai", "responses"): "/v1/responses",
    ("azure_openai", "chat"): "/openai/deployments/dep/chat/completions?api-version=2025-01-01",
    ("groq", "chat"): "/openai/v1/chat/completions",
    ("mistral", "chat"): "/v1/chat/completions",
    ("assemblyai", "chat"): "/v1/chat/completions",
    ("anthropic", "messages"): "/v1/messages",
    ("gemini", "content"): "/v1beta/models/asked:generateContent",
    ("gemini", "stream"): "/v1beta/models/asked:streamGenerateContent?alt=sse",
    ("gemini", "list"): "/v1beta/models/asked:streamGenerateContent",
}
MODELS = {
    "anthropic": "claude-sonnet-5",
    "assemblyai": "kimi",
    "azure_openai": "deployed",
    "gemini": "gemini-3-flash",
    "groq": "llama-3",
    "mistral": "mistral-small",
    "openai": "gpt-6-luna",
}
WIRES: dict[str, Wire] = {
    "chat": COMPLETIONS,
    "responses": RESPONSES,
    "messages": MESSAGES,
    "content": GEMINI,
    "stream": GEMINI,
    "list": GEMINI,
}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
QUESTION = "What is the weather in Oslo?"
#: What a target is asked, once it has its own form.
TEXT = [TextDelta("Hello"), TextDelta(", Käthe"), TextDelta(" 👋")]
TWO_CALLS = [
    TextDelta("Let me see."),
    CallBegun("weather"),
    ArgumentsDelta('{"city":'),
    ArgumentsDelta('"Oslo"}'),
    CallBegun("time"),
    ArgumentsDelta('{"city":"Rome"}'),
]
USED = Used(Tokens(input=20, cached=8, output=12, reasoning=4))


def ended(events: Iterable[Event], reason: Reason = Reason.STOP) -> list[Event]:
    return [*events, Finished(reason), USED]


SAID: dict[str, list[Event]] = {
    "text": ended(TEXT),
    "calls": ended(TWO_CALLS, Reason.TOOL_CALLS),
    "short": ended(TEXT[:1], Reason.LENGTH),
    "blocked": ended([], Reason.FILTERED),
    "thoughts": ended([ReasoningDelta("Hm."), *TEXT]),
    "nothing": ended([]),
}


def asks(dialect: str, wire: str = "", /, **body: Any) -> Exchange:
    """A call of an agent; its wire may be left out where there is one."""
    wire = wire or next(each for name, each in PATHS if name == dialect)
    return call(dialect, PATHS[dialect, wire], body)


def target(name: str, *may_lose: str, model: str | None = "") -> Target:
    chosen = MODELS[name] if model == "" else model
    return Target(dialect=dialects.load(name), model=chosen, may_lose=frozenset(may_lose))


def translated(exchange: Exchange, to: str, *may_lose: str) -> Translated:
    return translate(exchange, target(to, *may_lose))


def sent(made: Translated) -> Any:
    """The body of the request, as JSON."""
    assert made.request.body.data is not None
    return json.loads(made.request.body.data)


def said(exchange: Exchange, to: str, *may_lose: str) -> Any:
    return sent(translated(exchange, to, *may_lose))


def agent_of(dialect: str, *, stream: bool = True, usage: bool = True, **fields: Any) -> Agent:
    return Agent(dialect=dialects.load(dialect), model="asked", stream=stream, usage=usage, **fields)


def stream_of(dialect: str, wire: str, events: Sequence[Event]) -> bytes:
    """The stream in which a provider of *dialect* says *events*."""
    writer = WIRES[wire].writer(agent_of(dialect, thoughts=True, listed=wire == "list"))
    return b"".join([writer.write(event) for event in events]) + writer.end()


def event_stream(data: bytes, *, cut: int = 7, error: Exception | None = None, **headers: str) -> Response:
    """An answer that comes in pieces of *cut* bytes."""
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    return answer(streamed(pieces, error), content_type="text/event-stream", **headers)


async def answered(made: Translated, response: Response) -> tuple[Response, bytes]:
    """What the agent gets."""
    got = await made.answer(response)
    whole: Body = got.body
    return got, b"".join([chunk async for chunk in whole])
