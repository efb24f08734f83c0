"""What `sidecar.dialect` promises holds for every dialect there is."""

import json
import re

import pytest

from sidecar.dialect import Call, Dialect, Operation
from sidecar.dialects import load, names
from sidecar.headers import Headers
from sidecar.payload import Answer
from tests import corpus

DIALECTS = [load(name) for name in names()]
STATUSES = [400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529]


def calls_of(dialect: Dialect) -> list[Call]:
    found = (dialect.recognise(case.method, case.path, case.query) for case in corpus.cases())
    return [call for call in found if call is not None]


@pytest.mark.parametrize("dialect", DIALECTS, ids=names())
class TestDialect:
    def test_says_who_it_is_and_how_credentials_stand(self, dialect: Dialect) -> None:
        assert re.fullmatch(r"[a-z_]+", dialect.name)
        assert re.fullmatch(r"[a-z_.]+", dialect.system)
        assert re.fullmatch(r"[a-z-]+", dialect.credential_header)
        assert dialect.credential_format.format("s3cret").endswith("s3cret")

    def test_names_calls_without_ids_in_their_routes(self, dialect: Dialect) -> None:
        for case in corpus.cases():
            call = dialect.recognise(case.method, case.path, case.query)
            if call is None:
                continue
            assert re.fullmatch(r"[A-Za-z0-9._-]+", call.endpoint)
            assert isinstance(call.operation, Operation)
            literal = re.sub(r"\{[a-z_]+\}", "", call.route)
            assert re.fullmatch(r"/[A-Za-z0-9._:/-]*", literal)
            assert {word for word in (call.model, call.voice, "shop-1", "prod-mini") if word} & set(
                re.split(r"[/:]", call.route)
            ) == set()

    def test_a_socket_has_nothing_to_read_before_its_frames(self, dialect: Dialect) -> None:
        for call in calls_of(dialect):
            if call.socket:
                assert dialect.read(call, "model=x", Headers(), b"") is None

    def test_an_empty_body_is_no_request_and_says_nothing(self, dialect: Dialect) -> None:
        for call in calls_of(dialect):
            assert dialect.read_answer(call, Headers(), b"") == Answer()

    @pytest.mark.parametrize("status", STATUSES)
    def test_phrases_an_error_that_it_can_read_itself(self, dialect: Dialect, status: int) -> None:
        phrase = dialect.phrase_error(status, "connection_refused", 'no "route" → там')
        assert 400 <= phrase.status < 600
        assert phrase.content_type == "application/json"
        assert 'no "route" → там' in str(json.loads(phrase.body))
        own = [case for case in corpus.cases() if case.dialect == dialect.name]
        for case in own:
            call = dialect.recognise(case.method, case.path, case.query)
            if call is not None and call.endpoint not in FOREIGN and not call.socket:
                answer = dialect.read_answer(call, Headers.of(content_type=phrase.content_type), phrase.body)
                assert answer.error_type, call.endpoint


# OpenAI's endpoints at other families: an error does not know which call it is for, and is phrased in the family's way.
FOREIGN = {"embeddings", "completions"}


def test_google_cloud_is_never_told_503_or_504() -> None:
    told = {load("google_cloud").phrase_error(status, "timeout", "x").status for status in STATUSES}
    assert told & {503, 504} == set()


def test_openai_is_told_in_its_own_envelope() -> None:
    phrase = load("openai").phrase_error(502, "connection_refused", "no connection")
    assert (phrase.status, json.loads(phrase.body)) == (
        502,
        {"error": {"message": "no connection", "type": "server_error", "param": None, "code": "connection_refused"}},
    )


@pytest.mark.parametrize(
    ("name", "status", "envelope"),
    [
        ("azure_openai", 502, {"error": {"code": "k", "message": "m"}}),
        ("azure_speech", 502, {"error": {"code": "k", "message": "m"}}),
        (
            *("anthropic", 529),
            {
                "type": "error",
                "error": {"type": "overloaded_error", "message": "m", "details": {"error_code": "k"}},
                "request_id": None,
            },
        ),
        ("deepgram", 429, {"err_code": "k", "err_msg": "m", "request_id": None}),
        ("elevenlabs", 429, {"detail": {"status": "k", "message": "m"}}),
        ("assemblyai", 500, {"error": "m", "error_code": "k", "message": "m"}),
        ("yandex", 500, {"error_code": "K", "error_message": "m"}),
        (
            *("mistral", 500),
            {"object": "error", "message": "m", "type": "k", "param": None, "code": None, "raw_status_code": 500},
        ),
        (
            *("cartesia", 500),
            {"error_code": "k", "title": "K", "message": "m", "status_code": 500, "request_id": None},
        ),
    ],
)
def test_each_family_is_told_in_its_own_envelope(name: str, status: int, envelope: object) -> None:
    assert json.loads(load(name).phrase_error(status, "k", "m").body) == envelope


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE"), (500, "INTERNAL")],
)
def test_google_is_told_the_status_by_its_own_word(status: int, word: str) -> None:
    told = json.loads(load("gemini").phrase_error(status, "k", "m").body)["error"]
    assert (told["code"], told["status"], told["message"], told["details"][0]["reason"]) == (status, word, "m", "K")
