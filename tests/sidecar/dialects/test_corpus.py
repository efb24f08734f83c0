"""Every captured call is recognised and read as its table says, and so is every answer."""

from importlib import import_module
from typing import cast

import pytest

from sidecar.dialect import Call, Dialect
from sidecar.dialects import load, names
from sidecar.dialects.family import Family
from tests import corpus
from tests.corpus import CapturedAnswer, Case
from tests.sidecar.dialects.facts import Facts, facts
from tests.sidecar.dialects.tables import Table

TABLES: dict[str, Table] = {name: import_module(f"tests.sidecar.dialects.tables.{name}").TABLE for name in names()}


def recognised(case: Case) -> tuple[Dialect, Call | None]:
    dialect = load(case.dialect)
    return dialect, dialect.recognise(case.method, case.path, case.query)


def told(call: Call | None) -> Facts | None:
    found = facts(call)
    return found and {name: value for name, value in found.items() if name != "kind"}


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: f"{case.dialect}/{case.name}")
def test_a_captured_request_is_recognised_and_read(case: Case) -> None:
    dialect, call = recognised(case)
    view = dialect.read(call, case.query, case.headers, case.body) if call else None
    assert (told(call), facts(view)) == TABLES[case.dialect].requests[case.name]


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: f"{case.dialect}/{case.name}")
def test_a_socket_is_known_as_one(case: Case) -> None:
    _, call = recognised(case)
    assert call is None or call.socket == case.is_socket


@pytest.mark.parametrize("answer", corpus.answers(), ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_an_answer_is_read(answer: CapturedAnswer) -> None:
    dialect, call = recognised(corpus.case(answer.dialect, answer.case))
    assert call is not None
    said = told(dialect.read_answer(call, answer.headers, answer.body))  # type: ignore[arg-type]
    assert said == TABLES[answer.dialect].answers[f"{answer.case}~{answer.what}"]


@pytest.mark.parametrize("answer", corpus.answers(), ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_an_answer_that_is_an_error_says_of_what_kind(answer: CapturedAnswer) -> None:
    said = TABLES[answer.dialect].answers[f"{answer.case}~{answer.what}"]
    assert answer.status < 400 or "error_type" in said or answer.headers.get("content-type") == "text/plain"


@pytest.mark.parametrize("dialect", names())
def test_the_table_and_the_corpus_are_of_one_extent(dialect: str) -> None:
    table = TABLES[dialect]
    assert set(table.requests) == {case.name for case in corpus.cases() if case.dialect == dialect}
    assert set(table.answers) == {
        f"{answer.case}~{answer.what}" for answer in corpus.answers() if answer.dialect == dialect
    }


@pytest.mark.parametrize("dialect", names())
def test_every_endpoint_that_can_be_read_is_in_the_corpus(dialect: str) -> None:
    seen = {call["endpoint"] for call, view in TABLES[dialect].requests.values() if call and view}
    assert set(cast(Family, load(dialect)).readers) - seen == NOT_CAPTURED.get(dialect, set())


# Twins of endpoints that are in the corpus: same path but for a suffix, same reader.
NOT_CAPTURED = {
    "assemblyai": {"transcribe"},
    "azure_openai": {"completions", "decisions", "audio.translations"},
    "deepgram": {"listen.v2"},
    "elevenlabs": {
        "text-to-dialogue.stream",
        "text-to-dialogue.stream.with-timestamps",
        "text-to-dialogue.with-timestamps",
    },
    "groq": {"completions", "decisions", "responses", "audio.translations"},
    "mistral": {"completions", "decisions", "responses", "audio.translations", "agents.completions", "fim.completions"},
    "yandex": {"responses"},
}
