"""Whatever a wire can carry, a dialect makes at worst nothing of it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, Struct

from sidecar.dialect import Call, Dialect
from sidecar.dialects import load, names
from sidecar.headers import Headers
from sidecar.payload import Answer, Chat, Speech, Transcription
from tests import corpus
from tests.corpus import CapturedAnswer, Case

CONTENT_TYPES = st.sampled_from(
    [
        "application/json",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "text/event-stream",
        "audio/wav; codecs=audio/pcm; samplerate=99999999999999999999999",
        "",
    ]
)
CODINGS = st.sampled_from(["identity", "gzip", "deflate", "br", "nonsense"])
# The words that readers look for, with which random JSON gets further than its first brace.
WORDS = st.sampled_from(
    [
        "Duration",
        "RecognitionStatus",
        "audio",
        "audioConfig",
        "audioEncoding",
        "audio_url",
        "candidates",
        "choices",
        "code",
        "config",
        "container",
        "content",
        "contents",
        "delta",
        "detail",
        "details",
        "duration",
        "encoding",
        "error",
        "explicitDecodingConfig",
        "finish_reason",
        "function",
        "functionCall",
        "generationConfig",
        "hints",
        "id",
        "inlineData",
        "input",
        "inputs",
        "instructions",
        "json_schema",
        "languageCode",
        "languageCodes",
        "max_tokens",
        "message",
        "messages",
        "metadata",
        "mime_type",
        "model",
        "name",
        "output",
        "outputAudioSpec",
        "output_format",
        "parameters",
        "parts",
        "prompt",
        "promptFeedback",
        "promptTokenCount",
        "questions",
        "rawAudio",
        "response",
        "response_format",
        "role",
        "sampleRateHertz",
        "schema",
        "speech_models",
        "speed",
        "status",
        "stop",
        "stream",
        "system",
        "system_instruction",
        "temperature",
        "text",
        "toolConfig",
        "tool_calls",
        "tool_choice",
        "tools",
        "totalBilledTime",
        "transcript",
        "type",
        "uri",
        "usage",
        "usageMetadata",
        "voice",
        "voice_settings",
        "x_groq",
    ]
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner),
    max_leaves=12,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=8)
CUTS = st.tuples(st.integers(0, 4000), st.integers(0, 40), st.binary(max_size=12))


def calls(name: str) -> list[Call]:
    dialect = load(name)
    found = {
        call.endpoint: call
        for case in corpus.cases()
        if (call := dialect.recognise(case.method, case.path, case.query)) is not None
    }
    return list(found.values())


def everywhere(name: str, query: str, headers: Headers, body: bytes) -> None:
    dialect = load(name)
    for call in calls(name):
        check_view(dialect.read(call, query, headers, body))
        check_view(dialect.read(call, query, headers, body, complete=False))
        check_answer(dialect.read_answer(call, headers, body))


def check_view(view: object) -> None:
    assert view is None or isinstance(view, Chat | Speech | Transcription)
    if view is not None:
        check_types(view)
    if isinstance(view, Chat):
        for part in (*view.messages, *view.tools):
            check_types(part)


def check_answer(answer: Answer) -> None:
    check_types(answer)
    if answer.usage is not None:
        check_types(answer.usage)


def check_types(struct: Struct) -> None:
    """Fails if a field is of another type than it says. (Raw stands aside: what it is needs no check.)"""
    values = {name: value for name in struct.__struct_fields__ if not isinstance(value := getattr(struct, name), Raw)}
    msgspec.convert(values, type(struct))


BY_DIALECT: Callable[[Any], Any] = pytest.mark.parametrize("name", names())
THOROUGH = settings(max_examples=60, deadline=None)


@BY_DIALECT
@THOROUGH
@given(query=st.text(max_size=60), content_type=CONTENT_TYPES, coding=CODINGS, body=st.binary(max_size=300))
def test_random_bytes(name: str, query: str, content_type: str, coding: str, body: bytes) -> None:
    everywhere(name, query, Headers.of(content_type=content_type, content_encoding=coding), body)


@BY_DIALECT
@THOROUGH
@given(document=OBJECTS, spaced=st.booleans())
def test_random_json(name: str, document: dict[str, Any], spaced: bool) -> None:
    body = msgspec.json.encode(document)
    headers = Headers.of(content_type="application/json")
    everywhere(name, "", headers, msgspec.json.format(body, indent=2) if spaced else body)


@BY_DIALECT
@THOROUGH
@given(documents=st.lists(OBJECTS, max_size=4), cut=st.integers(0, 60))
def test_random_events(name: str, documents: list[dict[str, Any]], cut: int) -> None:
    body = b"".join(b"data: %b\n\n" % msgspec.json.encode(document) for document in documents)
    everywhere(name, "", Headers.of(content_type="text/event-stream"), body[cut:])


@BY_DIALECT
@THOROUGH
@given(method=st.sampled_from(["GET", "POST"]), path=st.text(max_size=40), query=st.text(max_size=40))
def test_random_request_lines(name: str, method: str, path: str, query: str) -> None:
    call = load(name).recognise(method, path, query)
    assert call is None or isinstance(call, Call)


def own_cases(name: str) -> list[tuple[Case, Call]]:
    dialect = load(name)
    found = ((case, dialect.recognise(case.method, case.path, case.query)) for case in corpus.cases())
    return [(case, call) for case, call in found if call is not None and case.dialect == name]


@BY_DIALECT
@settings(max_examples=25, deadline=None)
@given(cut=CUTS)
def test_mutated_captures(name: str, cut: tuple[int, int, bytes]) -> None:
    at, length, put = cut
    dialect = load(name)
    for case, call in own_cases(name):
        where = at % (len(case.body) + 1)
        body = case.body[:where] + put + case.body[where + length :]
        check_view(dialect.read(call, case.query, case.headers, body))
        check_view(dialect.read(call, case.query, case.headers, body[:where], complete=False))


@pytest.mark.parametrize("answer", corpus.answers(), ids=lambda answer: f"{answer.dialect}/{answer.case}~{answer.what}")
def test_an_answer_cut_anywhere(answer: CapturedAnswer) -> None:
    dialect, call = of_answer(answer)
    for cut in range(0, len(answer.body), 3):
        check_answer(dialect.read_answer(call, answer.headers, answer.body[cut:]))
        check_answer(dialect.read_answer(call, answer.headers, answer.body[:cut]))


def of_answer(answer: CapturedAnswer) -> tuple[Dialect, Call]:
    dialect, case = load(answer.dialect), corpus.case(answer.dialect, answer.case)
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    return dialect, call


@BY_DIALECT
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"messages":[' + b'{"content":[' * 50_000,
        b'{"usage":' + b"[" * 100_000,
        b'data: {"usage":' + b"[" * 100_000 + b"\n\n",
        b"9" * 10_000,
        b'{"max_tokens":' + b"9" * 10_000 + b"}",
        b'{"temperature":1e999}',
        b'{"model":"\\ud800"}',
        b'{"model":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"\0" * 1000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_bombs(name: str, body: bytes) -> None:
    for content_type in ("application/json", "text/event-stream", "multipart/form-data; boundary=9"):
        everywhere(name, "", Headers.of(content_type=content_type), body)
