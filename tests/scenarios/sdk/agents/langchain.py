"""LangChain's client for OpenAI."""

from typing import Any

from langchain_openai import ChatOpenAI

from tests.scenarios.sdk.material import KEY, SCHEMA, below, given

ROUTE = {"title": "Route", "description": "Where to send the caller.", **SCHEMA}


def model(url: str | None) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4.1-mini", api_key=KEY, temperature=0, **given(base_url=below(url, "/v1")))  # type: ignore[arg-type]


def invoke(url: str | None) -> str:
    return str(model(url).invoke("hello").content)


async def stream(url: str | None) -> str:
    return "".join([str(chunk.content) async for chunk in model(url).astream("hello", stream_usage=True)])


def structured_schema(url: str | None) -> str:
    answer: Any = model(url).with_structured_output(ROUTE, method="json_schema").invoke("I want to pay my bill")
    return str(answer["desk"])


async def structured_tool(url: str | None) -> str:
    chain = model(url).with_structured_output(ROUTE, method="function_calling")
    answer: Any = await chain.ainvoke("I want to pay my bill")
    return str(answer["desk"])
