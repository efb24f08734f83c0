"""Anthropic's SDK."""

import asyncio
import json
from typing import Any

from anthropic import Anthropic, AsyncAnthropic

from tests.scenarios.sdk.material import BILL, KEY, MESSAGES, SCHEMA, given

HELLO: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}


def client(url: str | None) -> Anthropic:
    return Anthropic(api_key=KEY, **given(base_url=url))


def async_client(url: str | None) -> AsyncAnthropic:
    return AsyncAnthropic(api_key=KEY, **given(base_url=url))


def messages(url: str | None) -> str:
    with client(url) as anthropic:
        return str(anthropic.messages.create(**HELLO).content[0].text)


def messages_stream(url: str | None) -> str:
    with client(url) as anthropic, anthropic.messages.stream(**HELLO) as stream:
        return "".join(stream.text_stream)


async def messages_async_stream(url: str | None) -> str:
    async with async_client(url) as anthropic, anthropic.messages.stream(**HELLO) as stream:
        return "".join([text async for text in stream.text_stream])


def messages_schema(url: str | None) -> str:
    form: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
    with client(url) as anthropic:
        answer: Any = anthropic.messages.create(**HELLO | {"messages": BILL}, output_config=form)
        return str(json.loads(answer.content[0].text)["desk"])


def count_tokens(url: str | None) -> str:
    with client(url) as anthropic:
        counted = anthropic.messages.count_tokens(model="claude-sonnet-5", messages=MESSAGES)
        return "counted" if counted.input_tokens else "nothing"


# -- leaving and failing ----------------------------------------------------------------------------------------------


async def messages_left(url: str | None) -> str:
    """Cancelled from outside, as a barge-in does."""
    begun = asyncio.Event()

    async def converse() -> None:
        async with async_client(url) as anthropic, anthropic.messages.stream(**HELLO) as stream:
            async for _ in stream:
                begun.set()

    task = asyncio.create_task(converse())
    await begun.wait()
    task.cancel()
    await asyncio.wait((task,))
    return "cancelled" if task.cancelled() else "went on"
