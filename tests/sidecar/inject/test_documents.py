"""Manifests as text: what is not changed stays to the byte, and what is keeps its meaning for every reader."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sidecar.inject.documents import Document, Unreadable, documents


def rewritten(text: str) -> str:
    """*text* with every document changed into one that is equal to it."""
    return "".join(each.written({**each.value}) for each in documents(text))


UNTOUCHED = [
    "",
    "# nothing\n",
    "a: 1 # one\n---\n\nb:   [2,3]\n",
    "---\na: 1\n--- # second\nb: 'y'\n---\n",
    "a: 1",
    "a: |\n  ---\n  text\n",
    '{"a": 1}',
    '{"a": 1}\n{"b":  2}\n',
    '{a: 1}\n---\n{b: "2"}\n',
    "a: 1\r\n---\r\nb: 2\r\n",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_not_changed_stays_to_the_byte(text: str) -> None:
    assert "".join(each.written(each.value) for each in documents(text)) == text


def test_documents_are_told_apart() -> None:
    assert [each.value for each in documents("a: 1\n---\n# none\n---\nb: |\n  ---\n")] == [
        {"a": 1},
        None,
        {"b": "---\n"},
    ]
    assert [(each.value, each.json) for each in documents('{"a": 1} {"b": 2}')] == [({"a": 1}, True), ({"b": 2}, True)]


# without quotes these mean different things to YAML 1.1, YAML 1.2, Kubernetes and people
SCALARS = """
- y
- Y
- 'y'
- "no"
- "on"
- "Off"
- "0123"
- 0123
- 0o17
- 1e3
- "1e3"
- 1_000
- 0.50
- "0.50"
- 12:30:45
- "12:30"
- 2024-01-01
- "2024-01-01"
- 10.0.0.1
- "~"
- "null"
- "true"
- ".inf"
- "="
- 500m
- "64Mi"
- "1"
- +1
- '{}'
- '- a'
- 'a: b'
- '#a'
- '@a'
""".strip().splitlines()


@pytest.mark.parametrize("line", SCALARS)
def test_scalars_keep_their_spelling_or_their_quotes(line: str) -> None:
    written = line.removeprefix("- ")
    (again,) = (each.partition(": ")[2] for each in rewritten(f"a: {written}\n").splitlines())
    plain = written.strip("'\"")
    if plain == written:
        assert again == written
    else:
        assert again.strip("'\"") == plain
        assert again != plain or plain == "64Mi"


@pytest.mark.parametrize("style", ["|", "|-", "|+", ">", ">-"])
def test_blocks_of_text_stay_what_they_say(style: str) -> None:
    text = f"a: {style}\n  one\n  two  three\n\n  four\n"
    again = rewritten(text)
    assert yaml.safe_load(again) == yaml.safe_load(text)
    assert again.count("\n") >= 1


def test_switches_and_nothing_keep_their_meaning() -> None:
    assert rewritten("a: yes\nb: False\nc: ~\nd:\n") == "a: true\nb: false\nc: null\nd: null\n"


def test_aliases_are_written_out() -> None:
    assert rewritten("a: &x {b: 1}\nc: *x\n") == "a:\n  b: 1\nc:\n  b: 1\n"


def test_the_order_of_keys_and_the_letters_stay() -> None:
    assert rewritten("z: ä\na: 語 \n") == "z: ä\na: 語\n"


def test_long_lines_are_not_broken() -> None:
    text = f"a: '{'{word} ' * 100}end'\n"
    assert rewritten(text).count("\n") == 1


JSON = [('{"a":1,"ö":[0.5]}\n', '{"a":1,"ö":[0.5]}\n'), ('{\n    "a": 1\n}\n', '{\n    "a": 1\n}\n')]


@pytest.mark.parametrize(("text", "again"), JSON)
def test_json_stays_json_and_its_indentation_what_it_is(text: str, again: str) -> None:
    assert rewritten(text) == again


PROBLEMS = [
    ("a: 1\n---\nb: [\n", "4:1: is not YAML: "),
    ("a: 1\n---\nb: 1\nc: 2\nb: 3\n", "5:1: is not YAML: the key b stands here for the second time"),
    ("a: 1\n--- b\n", "2:4: something stands behind ---"),
    ("a: !Ref b\n", "1:4: is not YAML: could not determine a constructor"),
    ("a: \x07\n", "is not YAML"),
]


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_what_cannot_be_read_is_said_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        documents(text)
    assert problem in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(max_size=5), VALUES, max_size=3))
def test_whatever_is_written_is_read_again_as_the_same(value: dict[str, Any]) -> None:
    def plain(value: Any) -> Any:
        return json.loads(json.dumps(value))

    text = Document("", "", None, json=False).written(value)
    (again,) = documents("# yaml\n" + text)
    assert plain(again.value) == plain(value)
