"""Calls to OpenAI, with its own SDK and with LangChain."""

from functools import partial
from typing import Any

from tests.corpus.calls.conversation import MESSAGES, VERDICT_SCHEMA, WEATHER, openai, verdict_model
from tests.corpus.calls.table import sends, wav, wav_file

OPENAI = partial(sends, "openai", "api.openai.com")


@OPENAI("chat.completions")
def _(authority: str) -> None:
    openai(authority).chat.completions.create(
        model="gpt-4.1-mini", messages=MESSAGES, temperature=0, max_completion_tokens=64, stop=["\n", "END"]
    )


@OPENAI("chat.completions.stream")
def _(authority: str) -> None:
    openai(authority).chat.completions.create(
        model="gpt-4.1-mini", messages=MESSAGES[:2], stream=True, stream_options={"include_usage": True}
    )


@OPENAI("chat.completions.tools")
def _(authority: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_opening_hours", "arguments": '{"day":"Sun"}'}}
    openai(authority).chat.completions.create(
        model="gpt-5.2",
        messages=[
            {"role": "developer", "content": "Use tools."},
            {"role": "user", "content": "Are you open on Sunday?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "10-16"},
        ],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_opening_hours"}},
        parallel_tool_calls=False,
    )


@OPENAI("chat.completions.parse")
def _(authority: str) -> None:
    from pydantic import BaseModel

    class Verdict(BaseModel):
        voice: bool

    openai(authority).chat.completions.parse(model="gpt-4.1-mini", messages=MESSAGES[:2], response_format=Verdict)


@OPENAI("chat.completions.audio")
def _(authority: str) -> None:
    openai(authority).chat.completions.create(
        model="gpt-audio",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is said here?"},
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                ],
            }
        ],
    )


def langchain(authority: str) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model="gpt-4.1-mini", api_key="sk-dummy", base_url=f"http://{authority}/v1", temperature=0, max_retries=0
    )


@OPENAI("chat.completions.langchain_json_schema")
def _(authority: str) -> None:
    langchain(authority).with_structured_output(verdict_model()).invoke("Shall I speak?")


@OPENAI("chat.completions.langchain_function_calling")
def _(authority: str) -> None:
    langchain(authority).with_structured_output(verdict_model(), method="function_calling").invoke("Shall I speak?")


@OPENAI("chat.completions.langchain_json_mode")
def _(authority: str) -> None:
    langchain(authority).with_structured_output(verdict_model(), method="json_mode").invoke(
        "Shall I speak? Say in json."
    )


@OPENAI("chat.completions.langchain_any_tool")
def _(authority: str) -> None:
    langchain(authority).bind_tools([verdict_model(), WEATHER], tool_choice="any").invoke("Shall I speak?")


@OPENAI("completions")
def _(authority: str) -> None:
    openai(authority).completions.create(model="gpt-3.5-turbo-instruct", prompt="Once upon", max_tokens=5)


@OPENAI("embeddings")
def _(authority: str) -> None:
    openai(authority).embeddings.create(model="text-embedding-3-small", input="opening hours")


@OPENAI("responses")
def _(authority: str) -> None:
    openai(authority).responses.create(
        model="gpt-5.2",
        instructions="Say whether the answer should be spoken.",
        input=[
            {"role": "system", "content": "The shop sells lamps."},
            {"role": "user", "content": [{"type": "input_text", "text": "Read it to me, please."}]},
            {"type": "function_call", "call_id": "c1", "name": "get_opening_hours", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "10-16"},
        ],
        tools=[
            {"type": "web_search"},
            {"type": "function", "name": "get_opening_hours", "parameters": VERDICT_SCHEMA, "strict": True},
        ],
        tool_choice="required",
        text={"format": {"type": "json_schema", "name": "verdict", "strict": True, "schema": VERDICT_SCHEMA}},
        max_output_tokens=32,
        previous_response_id="resp_0",
    )


@OPENAI("responses.stream")
def _(authority: str) -> None:
    openai(authority).responses.create(model="gpt-5.2", input="Say hello.", stream=True)


@OPENAI("responses.socket")
def _(authority: str) -> None:
    with openai(authority).responses.connect() as connection:
        connection.recv()


@OPENAI("decisions")
def _(authority: str) -> None:
    openai(authority).decisions.create(
        model="gpt-6-luna",
        input=[{"role": "system", "content": "A shop's bot."}, {"role": "user", "content": "Read it to me."}],
        questions=[
            {"type": "predicate", "instructions": "The user wants to hear the answer.", "name": "voice"},
            {
                "type": "choice",
                "instructions": "Which desk?",
                "choices": [{"value": "sales"}, {"value": "repairs"}],
                "name": "desk",
            },
        ],
    )


@OPENAI("audio.speech")
def _(authority: str) -> None:
    openai(authority).audio.speech.create(
        model="gpt-4o-mini-tts",
        voice="alloy",
        input="We are open until four. Привет!",
        instructions="Warm and calm.",
        response_format="opus",
        speed=1.25,
    )


@OPENAI("audio.speech.sse")
def _(authority: str) -> None:
    openai(authority).audio.speech.create(
        model="gpt-4o-mini-tts", voice={"id": "voice_1"}, input="Hello", response_format="pcm", stream_format="sse"
    )


@OPENAI("audio.transcriptions")
def _(authority: str) -> None:
    openai(authority).audio.transcriptions.create(
        model="whisper-1",
        file=wav_file(),
        language="ru",
        prompt="Лампы, люстры",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0,
    )


@OPENAI("audio.transcriptions.stream")
def _(authority: str) -> None:
    openai(authority).audio.transcriptions.create(
        model="gpt-4o-transcribe",
        file=("voice.ogg", b"OggS-not-really", "audio/ogg; codecs=opus"),
        stream=True,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
    )


@OPENAI("audio.transcriptions.unnamed")
def _(authority: str) -> None:
    openai(authority).audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=wav())


@OPENAI("audio.translations")
def _(authority: str) -> None:
    openai(authority).audio.translations.create(model="whisper-1", file=wav_file("clip.mp3"), prompt="Shop")


@OPENAI("realtime")
def _(authority: str) -> None:
    with openai(authority).realtime.connect(model="gpt-realtime") as connection:
        connection.recv()


@OPENAI("realtime.transcription")
def _(authority: str) -> None:
    with openai(authority).realtime.connect(extra_query={"intent": "transcription"}) as connection:
        connection.recv()


@OPENAI("realtime.translations")
def _(authority: str) -> None:
    with openai(authority).realtime.translations.connect(model="gpt-realtime-translate") as connection:
        connection.recv()


@OPENAI("live.sessions")
def _(authority: str) -> None:
    with openai(authority).live.connect(max_retries=0) as connection:
        connection.recv()


@sends("openai", "openrouter.ai", "chat.completions.elsewhere")
def _(authority: str) -> None:
    openai(authority, "/api/v1").chat.completions.create(model="openai/gpt-4.1-mini", messages=MESSAGES[:2])


@OPENAI("unknown.models")
def _(authority: str) -> None:
    openai(authority).models.list()
