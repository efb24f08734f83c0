"""Calls to Anthropic and Gemini."""

import asyncio
from functools import partial
from typing import Any

from tests.corpus.calls.conversation import MESSAGES, VERDICT_SCHEMA, openai, verdict_model
from tests.corpus.calls.table import sends, wav

ANTHROPIC = partial(sends, "anthropic", "api.anthropic.com")


def anthropic(authority: str) -> Any:
    from anthropic import Anthropic

    return Anthropic(api_key="sk-ant-dummy", base_url=f"http://{authority}", max_retries=0)


@ANTHROPIC("messages")
def _(authority: str) -> None:
    anthropic(authority).messages.create(
        model="claude-sonnet-5",
        max_tokens=64,
        system=[{"type": "text", "text": "You are a shop's voice.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": "Are you open?"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "get_opening_hours", "input": {}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "10-16"}]},
        ],
        tools=[{"name": "get_opening_hours", "description": "Hours.", "input_schema": VERDICT_SCHEMA}],
        tool_choice={"type": "tool", "name": "get_opening_hours"},
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
    )


@ANTHROPIC("messages.stream")
def _(authority: str) -> None:
    anthropic(authority).messages.create(
        model="claude-sonnet-5", max_tokens=64, messages=[{"role": "user", "content": "Hello"}], stream=True
    )


@ANTHROPIC("messages.parse")
def _(authority: str) -> None:
    anthropic(authority).messages.parse(
        model="claude-sonnet-5",
        max_tokens=64,
        messages=[{"role": "user", "content": "Shall I speak?"}],
        output_format=verdict_model(),
    )


@ANTHROPIC("unknown.count_tokens")
def _(authority: str) -> None:
    anthropic(authority).messages.count_tokens(model="claude-sonnet-5", messages=[{"role": "user", "content": "Hi"}])


GEMINI = partial(sends, "gemini", "generativelanguage.googleapis.com")


def gemini(authority: str, scheme: str = "http", version: str | None = None) -> Any:
    from google import genai

    options = {"base_url": f"{scheme}://{authority}"} | ({"api_version": version} if version else {})
    return genai.Client(api_key="dummy", http_options=options)


@GEMINI("generateContent")
def _(authority: str) -> None:
    from google.genai import types

    client = gemini(authority)
    client.models.generate_content(
        model="gemini-3-flash",
        contents=[
            types.Content(role="user", parts=[types.Part(text="Are you open?"), types.Part(text="(Привет)")]),
            types.Content(role="model", parts=[types.Part(text="Yes.")]),
            types.Content(role="user", parts=[types.Part.from_bytes(data=wav(0.001), mime_type="audio/wav")]),
        ],
        config=types.GenerateContentConfig(
            system_instruction="You are a shop's voice.",
            temperature=0,
            max_output_tokens=64,
            response_mime_type="application/json",
            response_schema=verdict_model(),
            stop_sequences=["END"],
        ),
    )


@GEMINI("generateContent.tools")
def _(authority: str) -> None:
    from google.genai import types

    hours = types.FunctionDeclaration(
        name="get_opening_hours", description="Hours.", parameters_json_schema=VERDICT_SCHEMA
    )
    client = gemini(authority, version="v1beta")
    client.models.generate_content(
        model="gemini-3-flash",
        contents="Are you open?",
        config=types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[hours]), types.Tool(google_search=types.GoogleSearch())],
            tool_config=types.ToolConfig(
                function_calling_config=types.FunctionCallingConfig(
                    mode="ANY", allowed_function_names=["get_opening_hours"]
                )
            ),
        ),
    )


@GEMINI("generateContent.speech")
def _(authority: str) -> None:
    from google.genai import types

    voice = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
    client = gemini(authority)
    client.models.generate_content(
        model="gemini-3-flash-tts",
        contents="Say warmly: we are open.",
        config=types.GenerateContentConfig(
            response_modalities=["AUDIO"], speech_config=types.SpeechConfig(voice_config=voice)
        ),
    )


@GEMINI("streamGenerateContent")
def _(authority: str) -> None:
    client = gemini(authority)
    list(client.models.generate_content_stream(model="gemini-3-flash", contents="Hello"))


@GEMINI("decisions")
def _(authority: str) -> None:
    client = gemini(authority, version="v1beta")
    client.decisions.create(
        model="models/gemini-3-flash",
        input="Read it to me.",
        questions={
            "desk": {
                "type": "choice",
                "instructions": "Which desk?",
                "criteria": {"sales": "Buys", "repairs": "Broken"},
            }
        },
    )


@GEMINI("interactions")
def _(authority: str) -> None:
    client = gemini(authority, version="v1beta")
    client.interactions.create(
        model="gemini-3-flash",
        system_instruction="You are a shop's voice.",
        input=[
            {"type": "user_input", "content": [{"type": "text", "text": "Are you open?"}]},
            {"type": "model_output", "content": [{"type": "text", "text": "Yes."}]},
            {"type": "user_input", "content": [{"type": "audio", "data": "UklGRg==", "mime_type": "audio/wav"}]},
        ],
        generation_config={"temperature": 0.2, "max_output_tokens": 32},
        tools=[{"type": "function", "name": "get_opening_hours", "parameters": VERDICT_SCHEMA}],
    )


@GEMINI("live", tls=True)
def _(authority: str) -> None:
    async def connect() -> None:
        async with gemini(authority, "https").aio.live.connect(model="gemini-live") as session:
            await anext(session.receive())

    asyncio.run(connect())


@GEMINI("chat.completions")
def _(authority: str) -> None:
    openai(authority, "/v1beta/openai").chat.completions.create(model="gemini-3-flash", messages=MESSAGES[:2])


@sends("gemini", "europe-west4-aiplatform.googleapis.com", "vertex.generateContent")
def _(authority: str) -> None:
    from google import genai
    from google.oauth2.credentials import Credentials

    client = genai.Client(
        vertexai=True,
        project="shop-1",
        location="europe-west4",
        credentials=Credentials("dummy"),
        http_options={"base_url": f"http://{authority}"},
    )
    client.models.generate_content(model="gemini-3-flash", contents="Hello")


@ANTHROPIC("chat.completions")
def _(authority: str) -> None:
    openai(authority).chat.completions.create(model="claude-sonnet-5", messages=MESSAGES[:2])
