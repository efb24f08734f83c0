"""What an answer says is found in whole answers, in their ends, and under content codings that can be undone."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialect import Call, Dialect
from sidecar.dialects import load
from sidecar.dialects.documents import UNPACKED_LIMIT, documents, last_member, whole_members
from sidecar.headers import Headers
from sidecar.payload import Answer, Usage
from tests import corpus
from tests.corpus import CapturedAnswer

CHAT = next(answer for answer in corpus.answers() if (answer.case, answer.what) == ("chat.completions", "whole"))
ANSWERS = {f"{answer.dialect}/{answer.case}~{answer.what}": answer for answer in corpus.answers()}


def said(answer: CapturedAnswer, body: bytes, **headers: str) -> Answer:
    dialect, call = known(answer)
    return dialect.read_answer(call, Headers((*answer.headers, *Headers.of(**headers))), body)


def known(answer: CapturedAnswer) -> tuple[Dialect, Call]:
    case, dialect = corpus.case(answer.dialect, answer.case), load(answer.dialect)
    call = dialect.recognise(case.method, case.path, case.query)
    assert call is not None
    return dialect, call


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
def test_a_packed_answer_is_read_if_it_is_whole(coding: str, pack: Callable[[bytes], bytes]) -> None:
    whole = said(CHAT, CHAT.body)
    assert whole.usage is not None
    assert said(CHAT, pack(CHAT.body), content_encoding=coding) == whole
    assert said(CHAT, pack(CHAT.body)[:-9], content_encoding=coding) == Answer()
    assert said(CHAT, pack(CHAT.body)[9:], content_encoding=coding) == Answer()


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_of_a_coding_that_cannot_be_undone_only_the_headers_are_read(coding: str) -> None:
    assert said(CHAT, CHAT.body, content_encoding=coding) == Answer()
    spoken = ANSWERS["elevenlabs/text-to-speech~audio"]
    assert said(spoken, b"whatever", content_encoding=coding).id == "el-1"


def test_a_packed_bomb_is_not_unpacked() -> None:
    fits = b" " * (UNPACKED_LIMIT - len(CHAT.body)) + CHAT.body
    assert said(CHAT, gzip.compress(fits), content_encoding="gzip").usage is not None
    assert said(CHAT, gzip.compress(b" " + fits), content_encoding="gzip") == Answer()


@pytest.mark.parametrize(
    "name",
    [
        "openai/chat.completions.stream~events",
        "openai/responses.stream~events",
        "openai/audio.transcriptions.stream~events",
        "anthropic/messages.stream~events",
        "gemini/streamGenerateContent~events",
        "gemini/interactions~events",
        "groq/chat.completions~events",
        "mistral/audio.transcriptions.url~events",
    ],
)
def test_the_end_of_a_stream_says_what_it_took_wherever_it_is_cut(name: str) -> None:
    answer = ANSWERS[name]
    last = answer.body.rstrip().removesuffix(b"data: [DONE]").rstrip().rfind(b'"usage')
    for cut in range(last):
        usage = said(answer, answer.body[cut:]).usage
        assert usage is not None
        assert usage.output_tokens == said(answer, answer.body).usage.output_tokens  # type: ignore[union-attr]


def test_a_long_stream_tells_what_it_said_first_and_last() -> None:
    answer = ANSWERS["anthropic/messages.stream~events"]
    whole = said(answer, answer.body)
    assert (whole.id, whole.model, whole.finish_reasons) == ("msg_2", "claude-sonnet-5-20260901", ("tool_use",))
    assert whole.usage == Usage(input_tokens=1025, cached_input_tokens=1000, output_tokens=15)


def test_the_end_of_a_document_says_what_it_took() -> None:
    whole = said(CHAT, CHAT.body).usage
    for cut in range(1, CHAT.body.rfind(b'"usage"')):
        assert said(CHAT, CHAT.body[cut:]) == Answer(usage=whole)


def test_audio_is_not_searched_for_words() -> None:
    assert list(documents(Headers.of(content_type="audio/mpeg"), b'ID3 "usage":{"a":1}', "usage")) == []


@pytest.mark.parametrize(
    ("tail", "value"),
    [
        (b'ent":"x"}],"usage":{"a":1}}', b'{"a":1}'),
        (b'"usage" :\n {"a": [1,2]} , "x":1}', b'{"a": [1,2]}'),
        (b'"usage":1,"usage":2}', b"2"),
        (b'"usage":{"a":1},"usage":null}', b'{"a":1}'),
        (b'"usage":{"a":1},"content":"say \\"usage\\":2"}', b'{"a":1}'),
        (b'"usage":{"a":1', None),
        (b'"usage"', None),
        (b'usage":1}', None),
        (b"", None),
    ],
)
def test_the_last_member_of_a_name_is_found(tail: bytes, value: bytes | None) -> None:
    assert last_member(tail, "usage") == value


@pytest.mark.parametrize(
    ("head", "members"),
    [
        (b'{"a":1,"b":{"c":[1,2]},"d":"x', b'{"a":1,"b":{"c":[1,2]}}'),
        (b' { "a" : 1 , "b" : 2', b'{ "a" : 1}'),
        (b'{"a":12', b"{}"),
        (b'{"a":12,', b'{"a":12}'),
        (b'{"a":"x"', b"{}"),
        (b'{"a":{"b":1}', b"{}"),
        (b'{"a":"\xd0', b"{}"),
        (b"{", b"{}"),
        (b"{}", b"{}"),
        (b'{"a":1}', b'{"a":1}'),
        (b'{"a":1} trailing', b'{"a":1}'),
        (b'{"a" 1', b"{}"),
    ],
)
def test_of_a_beginning_the_whole_members_are_kept(head: bytes, members: bytes) -> None:
    assert whole_members(head) == members


@pytest.mark.parametrize("head", [b"", b"  ", b"[1,2", b'"a":1'])
def test_a_beginning_of_something_else_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="not an object"):
        whole_members(head)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())), st.data())
def test_what_is_kept_of_a_beginning_was_there(document: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(document).encode()
    kept = json.loads(whole_members(text[: data.draw(st.integers(1, len(text)))]))
    assert all(document[name] == value for name, value in kept.items())
