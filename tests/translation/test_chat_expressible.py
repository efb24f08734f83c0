"""What the documentation's matrix is made of."""

import pytest

from sidecar.dialects import names
from sidecar.translation.chat import DIALECTS, expressible


def test_there_is_an_answer_for_every_pair() -> None:
    for source in DIALECTS:
        columns = [expressible(source, target) for target in DIALECTS]
        assert len({tuple(column) for column in columns}) == 1, "the same features for every target"
        for column in columns:
            assert {"text", "system", "tools", "streaming", "results of tools"} <= column.keys()
            assert column["text"] == column["streaming"] == column["tools"] == "yes"
            assert all(column.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_can_be_said_in_itself_but_for_what_an_account_keeps(dialect: str) -> None:
    kept = ("conversations", "background", "containers", "cached content")
    found = {name: answer for name, answer in expressible(dialect, dialect).items() if answer != "yes"}
    assert all(name.endswith(kept) for name in found), found


def test_others_have_no_language_models() -> None:
    for name in set(names()) - set(DIALECTS):
        assert expressible("openai", name) == expressible(name, "openai") == {}


@pytest.mark.parametrize(
    ("source", "target", "feature", "answer"),
    [
        ("openai", "anthropic", "temperature", "cannot be set there"),
        ("openai", "anthropic", "JSON", "needs a schema"),
        ("openai", "gemini", "JSON", "yes"),
        ("openai", "gemini", "one tool at a time", "several tools"),
        ("openai", "mistral", "instructions in the middle of a conversation", "not known there"),
        ("openai", "groq", "probabilities of tokens", "not translated"),
        ("openai", "azure_openai", "probabilities of tokens", "yes"),
        ("openai", "anthropic", "responses: stored conversations", "kept"),
        ("openai", "anthropic", "responses: stored answers", "yes, without store"),
        ("anthropic", "openai", "results of tools: images", "yes"),
        ("anthropic", "groq", "results of tools: images", "nothing but text"),
        ("anthropic", "mistral", "prefill", "yes"),
        ("anthropic", "openai", "prefill", "cannot be made to go on"),
        ("gemini", "openai", "recordings", "yes"),
        ("gemini", "anthropic", "recordings", "no recordings"),
        ("gemini", "mistral", "top_k", "yes"),
        ("groq", "openai", "thoughts", "yes"),
        ("openai", "groq", "thoughts", "sealed"),
    ],
)
def test_what_can_be_said_is_found_out_by_saying_it(source: str, target: str, feature: str, answer: str) -> None:
    found = expressible(source, target)[feature]
    assert answer in found
    assert (found == "yes") == (answer == "yes")
