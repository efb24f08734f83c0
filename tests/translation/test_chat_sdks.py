"""The providers' own SDKs, answered by other language models, and none the wiser: real sockets, real SDKs, a real
sidecar that sends all calls elsewhere, and the lab's providers.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sidecar.lab import Lab, Received
from tests.running import Running
from tests.scenarios.sdk.material import BILL, GREETING, SCHEMA
from tests.translation.chatting import MODELS
from tests.translation.rerouted import rerouting

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # Google's SDK does
]

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
groq = pytest.importorskip("groq")
mistral = pytest.importorskip("mistralai.client")
genai = pytest.importorskip("google.genai")

#: The sidecar's providers, and the dialects they speak.
PROVIDERS = {
    "openai": "openai",
    "azure-openai": "azure_openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "groq": "groq",
    "mistral": "mistral",
}
KEY = "key-of-the-provider"
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = [{"role": "user", "content": "What is the weather forecast in Oslo?"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "weather forecast in a city", "parameters": PARAMETERS}
TOOL: Any = {"type": "function", "function": FUNCTION}


class World:
    """A lab, and for each of its providers a sidecar that sends all calls there."""

    def __init__(self, lab: Lab, directory: Path, stack: contextlib.AsyncExitStack) -> None:
        self.lab = lab
        self._directory = directory
        self._stack = stack
        self._sidecars: dict[str, Running] = {}

    async def sidecar(self, to: str) -> Running:
        if to not in self._sidecars:
            secret = self._directory / "key"
            secret.write_text(KEY)
            secret.chmod(0o600)
            places = [f"providers.{name}.url={self.lab.url(name)}" for name in PROVIDERS]
            credentials = [f"providers.{name}.credential=${{file:{secret}}}" for name in PROVIDERS]
            away = rerouting(
                self._directory / to, *places, *credentials, "log.calls=none", to=to, model=MODELS[PROVIDERS[to]]
            )
            self._sidecars[to] = await self._stack.enter_async_context(away)
        for provider in self.lab.providers.values():
            provider.forget()
            provider.clear_faults()
        return self._sidecars[to]

    def received(self, to: str) -> list[Received]:
        return list(self.lab.provider(to).requests)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with Lab() as lab, contextlib.AsyncExitStack() as stack:
        yield World(lab, tmp_path_factory.mktemp("rerouted"), stack)
        assert not lab.failures


# -- the agents: each gives text, calls of tools and how it ended, whole or streamed ----------------------------------

Heard = tuple[str, list[tuple[str, Any]], str]


async def ask_openai(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    async with openai.AsyncOpenAI(api_key="agents", base_url=f"{url}/openai/v1", max_retries=0) as client:
        create = client.chat.completions.create
        if not stream:
            answer = await create(model="asked", messages=messages, **more)
            (choice,) = answer.choices
            calls = [
                (call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()
            ]
            assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 1
            return choice.message.content or "", calls, choice.finish_reason
        text, finish, used, pieces = "", "", None, {}
        options = {"include_usage": True}
        async for chunk in await create(model="asked", messages=messages, stream=True, stream_options=options, **more):
            used = chunk.usage or used
            for choice in chunk.choices:
                text, finish = text + (choice.delta.content or ""), choice.finish_reason or finish
                for call in choice.delta.tool_calls or ():
                    name, arguments = pieces.get(call.index, ("", ""))
                    pieces[call.index] = (
                        name + (call.function.name or ""),
                        arguments + (call.function.arguments or ""),
                    )
        assert used.total_tokens > 1
        return text, [(name, json.loads(arguments)) for name, arguments in pieces.values()], finish


async def ask_responses(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    async with openai.AsyncOpenAI(api_key="agents", base_url=f"{url}/openai/v1", max_retries=0) as client:
        if "tools" in more:
            more["tools"] = [{"type": "function", "strict": False, **tool["function"]} for tool in more["tools"]]
        if stream:
            async with client.responses.stream(model="asked", input=messages, **more) as events:
                async for _ in events:
                    pass
                answer = await events.get_final_response()
        else:
            answer = await client.responses.create(model="asked", input=messages, **more)
        assert answer.usage.total_tokens > 1
        calls = [(item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"]
        return answer.output_text, calls, answer.status


async def ask_anthropic(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    async with anthropic.AsyncAnthropic(api_key="agents", base_url=f"{url}/anthropic", max_retries=0) as client:
        if "tools" in more:
            functions = [tool["function"] for tool in more["tools"]]
            more["tools"] = [
                {"name": each["name"], "description": each["description"], "input_schema": each["parameters"]}
                for each in functions
            ]
        asked: Any = {"model": "asked", "max_tokens": 64, "messages": messages, **more}
        if stream:
            async with client.messages.stream(**asked) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(**asked)
        assert answer.usage.input_tokens > 1
        assert answer.usage.output_tokens > 1
        text = "".join([block.text for block in answer.content if block.type == "text"])
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        return text, calls, answer.stop_reason


async def ask_mistral(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    async with mistral.Mistral(api_key="agents", server_url=f"{url}/mistral") as client:
        if not stream:
            answer = await client.chat.complete_async(model="asked", messages=messages, **more)
            choice = answer.choices[0]
            calls = [
                (call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()
            ]
            assert answer.usage.total_tokens > 1
            return choice.message.content or "", calls, choice.finish_reason
        text, finish, used, calls = "", "", None, []
        async for event in await client.chat.stream_async(model="asked", messages=messages, **more):
            used = event.data.usage or used
            for choice in event.data.choices:
                text, finish = text + (choice.delta.content or ""), choice.finish_reason or finish
                calls += [
                    (call.function.name, json.loads(call.function.arguments)) for call in choice.delta.tool_calls or ()
                ]
        assert used is not None
        assert used.total_tokens > 1
        return text, calls, finish


async def ask_gemini(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    types = genai.types
    client = genai.Client(api_key="agents", http_options={"base_url": f"{url}/gemini"})
    tools = [
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name=tool["function"]["name"],
                    description=tool["function"]["description"],
                    parameters_json_schema=tool["function"]["parameters"],
                )
            ]
        )
        for tool in more.pop("tools", ())
    ]
    config = types.GenerateContentConfig(
        tools=tools or None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        **more,
    )
    contents = [types.Content(role="user", parts=[types.Part(text=each["content"])]) for each in messages]
    try:
        if stream:
            coming = await client.aio.models.generate_content_stream(model="asked", contents=contents, config=config)
            answers = [answer async for answer in coming]
        else:
            answers = [await client.aio.models.generate_content(model="asked", contents=contents, config=config)]
    finally:
        await client.aio.aclose()
    parts = [part for answer in answers for part in answer.candidates[0].content.parts or ()]
    calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
    assert answers[-1].usage_metadata.total_token_count > 1
    assert answers[-1].model_version == "asked"
    return "".join([part.text or "" for part in parts]), calls, answers[-1].candidates[0].finish_reason.value


async def ask_groq(url: str, stream: bool, messages: list[Any] = HELLO, **more: Any) -> Heard:
    async with groq.AsyncGroq(api_key="agents", base_url=f"{url}/groq", max_retries=0) as client:
        create = client.chat.completions.create
        if not stream:
            answer = await create(model="asked", messages=messages, **more)
            message = answer.choices[0].message
            calls = [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
            assert answer.usage.total_tokens > 1
            return message.content or "", calls, answer.choices[0].finish_reason
        text, finish, used, name, arguments = "", "", None, "", ""
        async for chunk in await create(model="asked", messages=messages, stream=True, **more):
            (choice,) = chunk.choices
            used = (chunk.x_groq and chunk.x_groq.usage) or used
            text, finish = text + (choice.delta.content or ""), choice.finish_reason or finish
            for call in choice.delta.tool_calls or ():
                name, arguments = name + (call.function.name or ""), arguments + (call.function.arguments or "")
        assert used is not None
        return text, [(name, json.loads(arguments))] if name else [], finish


Agent = Callable[..., Awaitable[Heard]]
#: Which SDK asks whom, and how it says that an answer is over, and that tools are to be called.
AGENTS: dict[str, tuple[Agent, str, str, str]] = {
    "openai": (ask_openai, "openai", "stop", "tool_calls"),
    "responses": (ask_responses, "openai", "completed", "completed"),
    "anthropic": (ask_anthropic, "anthropic", "end_turn", "tool_use"),
    "mistral": (ask_mistral, "mistral", "stop", "tool_calls"),
    "gemini": (ask_gemini, "gemini", "STOP", "STOP"),
    "groq": (ask_groq, "groq", "stop", "tool_calls"),
}
PAIRS = [(agent, to) for agent in AGENTS for to in PROVIDERS if to != AGENTS[agent][1]]


# -- all of them, answered by all others ------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("agent", "to"), PAIRS)
async def test_an_agent_is_answered_by_somebody_else(world: World, agent: str, to: str, *, stream: bool) -> None:
    ask, _, stopped, _ = AGENTS[agent]
    sidecar = await world.sidecar(to)
    assert await ask(sidecar.proxy, stream) == (GREETING, [], stopped)
    (received,) = world.received(to)
    proof = {"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure-openai": "api-key"}.get(to, "authorization")
    assert KEY in (received.header(proof) or "")
    assert b"agents" not in received.body
    assert not [name for name, value in received.headers if b"agents" in value]
    assert all(not call.faults for call in sidecar.calls()[-1:])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("agent", "to"), PAIRS)
async def test_tools_of_an_agent_are_called_by_somebody_else(
    world: World, agent: str, to: str, *, stream: bool
) -> None:
    ask, _, _, called = AGENTS[agent]
    sidecar = await world.sidecar(to)
    text, calls, finish = await ask(sidecar.proxy, stream, WEATHER, tools=[TOOL])
    assert (text, calls, finish) == ("", [("get_weather", {"city": "Oslo"})], called)


@pytest.mark.parametrize("to", [to for to in PROVIDERS if to != "openai"])
async def test_what_a_tool_gave_is_heard_by_somebody_else(world: World, to: str) -> None:
    sidecar = await world.sidecar(to)
    async with openai.AsyncOpenAI(api_key="agents", base_url=f"{sidecar.proxy}/openai/v1", max_retries=0) as client:
        first = await client.chat.completions.create(model="asked", messages=WEATHER, tools=[TOOL])
        message = first.choices[0].message
        given = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain all day"}
        second = await client.chat.completions.create(model="asked", messages=[*WEATHER, message, given], tools=[TOOL])
        assert "rain all day" in second.choices[0].message.content
        items = await client.responses.create(
            model="asked", input=WEATHER[0]["content"], tools=[{"type": "function", "strict": False, **FUNCTION}]
        )
        given_item = {"type": "function_call_output", "call_id": items.output[0].call_id, "output": "rain all day"}
        again = await client.responses.create(model="asked", input=[*WEATHER, *items.output, given_item])
        assert "rain all day" in again.output_text


@pytest.mark.parametrize("to", ["openai", "gemini", "mistral", "groq"])
async def test_what_a_tool_gave_to_anthropics_agent(world: World, to: str) -> None:
    sidecar = await world.sidecar(to)
    tools: Any = [{"name": "get_weather", "description": FUNCTION["description"], "input_schema": PARAMETERS}]
    async with anthropic.AsyncAnthropic(
        api_key="agents", base_url=f"{sidecar.proxy}/anthropic", max_retries=0
    ) as client:
        first = await client.messages.create(model="asked", max_tokens=64, messages=WEATHER, tools=tools)
        given: Any = {"type": "tool_result", "tool_use_id": first.content[0].id, "content": "rain all day"}
        messages: Any = [
            *WEATHER,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [given]},
        ]
        second = await client.messages.create(model="asked", max_tokens=64, messages=messages, tools=tools)
        assert "rain all day" in second.content[0].text


FORMS: dict[str, dict[str, Any]] = {
    "openai": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "d", "schema": SCHEMA, "strict": True}}
    },
    "responses": {"text": {"format": {"type": "json_schema", "name": "d", "schema": SCHEMA, "strict": True}}},
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "mistral": {"response_format": {"type": "json_schema", "json_schema": {"name": "d", "schema": SCHEMA}}},
    "gemini": {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
    "groq": {"response_format": {"type": "json_schema", "json_schema": {"name": "d", "schema": SCHEMA}}},
}


@pytest.mark.parametrize(("agent", "to"), PAIRS)
async def test_answers_follow_the_agents_schema(world: World, agent: str, to: str) -> None:
    ask = AGENTS[agent][0]
    sidecar = await world.sidecar(to)
    for stream in (False, True):
        text, _, _ = await ask(sidecar.proxy, stream, BILL, **FORMS[agent])
        assert json.loads(text) == {"desk": "billing"}


async def test_geminis_list_without_events(world: World) -> None:
    """Without ``alt=sse`` a stream is one JSON list; Google's SDK always asks for events."""
    sidecar = await world.sidecar("openai")
    url = f"{sidecar.proxy}/gemini/v1beta/models/asked:streamGenerateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        documents = await answer.json()
    text = "".join(part.get("text", "") for each in documents for part in each["candidates"][0]["content"]["parts"])
    assert text == GREETING
    assert documents[-1]["candidates"][0]["finishReason"] == "STOP"


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["cut", "close", "short", "malformed-sse"])
@pytest.mark.parametrize(
    ("agent", "to"),
    [
        ("openai", "anthropic"),
        ("openai", "gemini"),
        ("openai", "mistral"),
        ("responses", "anthropic"),
        ("anthropic", "openai"),
        ("anthropic", "gemini"),
        ("mistral", "openai"),
        ("mistral", "anthropic"),
        ("gemini", "openai"),
        ("gemini", "anthropic"),
        ("groq", "openai"),
        ("groq", "gemini"),
    ],
)
async def test_a_stream_that_breaks_is_seen_to_break(world: World, agent: str, to: str, fault: str) -> None:
    ask = AGENTS[agent][0]
    sidecar = await world.sidecar(to)
    world.lab.provider(to).fail_next(fault)
    with pytest.raises(Exception) as raised:  # noqa: PT011 each SDK and HTTP library has its own
        await ask(sidecar.proxy, True)
    assert not isinstance(raised.value, AssertionError | TypeError | AttributeError), raised.value
    (told,) = sidecar.calls()[-1:]
    assert told.outcome == "failed"
    assert not told.faults


@pytest.mark.parametrize("fault", ["cut", "short"])
@pytest.mark.parametrize(("agent", "to"), [("openai", "anthropic"), ("anthropic", "openai"), ("gemini", "mistral")])
async def test_a_whole_answer_that_breaks_is_no_answer(world: World, agent: str, to: str, fault: str) -> None:
    ask = AGENTS[agent][0]
    sidecar = await world.sidecar(to)
    world.lab.provider(to).fail_next(fault)
    with pytest.raises(Exception) as raised:  # noqa: PT011 each SDK has its own
        await ask(sidecar.proxy, False)
    assert not isinstance(raised.value, AssertionError | TypeError | AttributeError), raised.value


@pytest.mark.parametrize("agent", ["openai", "responses", "anthropic", "groq"])
async def test_what_came_before_a_stream_broke_has_been_heard(world: World, agent: str) -> None:
    """An agent that reads along has the words that were said."""
    to = "anthropic" if agent != "anthropic" else "openai"
    sidecar = await world.sidecar(to)
    world.lab.provider(to).fail_next("cut:1500")
    heard, broken = "", False
    paths = {
        "openai": "openai/v1/chat/completions",
        "responses": "openai/v1/responses",
        "anthropic": "anthropic/v1/messages",
        "groq": "groq/openai/v1/chat/completions",
    }
    body = {"model": "asked", "stream": True, "messages": HELLO, "max_tokens": 64}
    if agent == "responses":
        body = {"model": "asked", "stream": True, "input": "hello"}
    async with aiohttp.ClientSession() as session, session.post(f"{sidecar.proxy}/{paths[agent]}", json=body) as answer:
        assert answer.status == 200
        try:
            async for line in answer.content:
                heard += line.decode()
        except aiohttp.ClientPayloadError:
            broken = True
    assert broken
    assert "Hello" in heard
    for end in ("[DONE]", '"finish_reason":"stop"', "message_stop", "response.completed"):
        assert end not in heard
