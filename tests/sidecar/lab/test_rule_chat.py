"""The rule-based language model."""

import json

import pytest

from sidecar.lab.engines.chat import RuleChat, count_tokens, shortened, text_pieces
from sidecar.lab.engines.contract import Completion, Prompt, ToolCall, ToolSpec, Turn
from sidecar.lab.engines.schema import filled

WEATHER = ToolSpec(
    "get_weather",
    "Tells the weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
BOOKING = ToolSpec(
    "book_table",
    "Books a table.",
    {
        "type": "object",
        "properties": {"people": {"type": "integer"}, "date": {"type": "string"}, "time": {"type": "string"}},
        "required": ["people", "date"],
    },
)


async def asked(text: str, **fields: object) -> Completion:
    return await RuleChat().complete(Prompt(turns=(Turn("user", text),), **fields))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What are your opening hours on Saturday?", "from nine in the morning"),
        ("I would like to book a table for two tomorrow at seven.", "a booking for 2 tomorrow at seven"),
        ("What is the weather in Berlin tomorrow?", "in Berlin tomorrow"),
        ("hello!", "How can I help you"),
        ("", "did not hear"),
        ("The violet one.", "You said: The violet one."),
    ],
)
async def test_it_answers_what_voice_agents_are_asked(question, expected):
    assert expected in (await asked(question)).text


@pytest.mark.parametrize(
    ("question", "call"),
    [
        ("What's the weather in Paris?", ToolCall("get_weather", {"city": "Paris"})),
        (
            "Please book a table for four tomorrow at 7 pm",
            ToolCall("book_table", {"people": 4, "date": "tomorrow", "time": "7 pm"}),
        ),
    ],
)
async def test_it_calls_the_tool_that_the_question_asks_for(question, call):
    completion = await asked(question, tools=(WEATHER, BOOKING))
    assert (completion.calls, completion.finish, completion.text) == ((call,), "tool_calls", "")


async def test_it_calls_no_tool_without_need():
    assert (await asked("hello there", tools=(WEATHER, BOOKING))).calls == ()
    assert (await asked("weather in Rome", tools=(WEATHER,), tool_choice="none")).calls == ()
    assert (await asked("hello", tools=(WEATHER,), tool_choice="required")).calls[0].name == "get_weather"
    assert (await asked("hello", tools=(WEATHER, BOOKING), tool_choice="book_table")).calls[0].name == "book_table"


async def test_it_tells_what_a_tool_found():
    turns = (Turn("user", "weather in Rome"), Turn("assistant", ""), Turn("tool", "sunny"))
    assert "sunny" in (await RuleChat().complete(Prompt(turns=turns, tools=(WEATHER,)))).text


async def test_it_follows_a_schema():
    schema = {
        "$defs": {"Label": {"enum": ["billing", "booking", "other"]}},
        "type": "object",
        "properties": {
            "label": {"$ref": "#/$defs/Label"},
            "urgent": {"type": "boolean"},
            "count": {"type": "integer", "maximum": 3},
            "email": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"const": "route"},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}},
        },
        "required": ["label", "urgent", "count", "email", "kind", "tags"],
    }
    answer = json.loads((await asked("I want to pay five invoices", schema=schema)).text)
    assert answer == {
        "label": "billing",
        "urgent": False,
        "count": 3,
        "email": None,
        "kind": "route",
        "tags": ["I wa"],
    }


def test_schemas_with_upper_case_types_are_understood():
    assert filled({"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}, "in Oslo") == {"city": "Oslo"}


async def test_a_limit_of_tokens_cuts_the_answer():
    completion = await asked("hello", max_tokens=3)
    assert (completion.text, completion.finish, completion.output_tokens) == ("Hello! How", "length", 3)


async def test_a_long_prefix_seen_before_is_cached():
    chat, turns = RuleChat(), (Turn("system", "rule " * 1100), Turn("user", "hello"))
    first, second = [await chat.complete(Prompt(turns=turns)) for _ in range(2)]
    other = await chat.complete(Prompt(turns=(turns[0], Turn("user", "weather?"))))
    assert first.cached_tokens == 0
    assert second.cached_tokens == other.cached_tokens == 1024


@pytest.mark.parametrize("text", ["Hello  there, friend.\nHow are you? ", "", "one", " lead", "x\n\ny"])
def test_pieces_joined_are_the_text(text):
    assert "".join(text_pieces(text)) == text


def test_tokens_are_counted_plausibly():
    assert count_tokens("Hello, world!") == 4
    assert count_tokens(shortened("one two three four", 2)) == 2
