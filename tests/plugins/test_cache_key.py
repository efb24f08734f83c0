"""Which calls are the same call to the cache: those that would get the same answer, and no others."""

import json
import random
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sidecar_cache.key import NOISE, Head, Opening, Spellings, Unsuitable, cache_key, opening_of, read_head

from sidecar import Exchange, Headers
from sidecar.headers import Template
from sidecar.multipart import Part, write
from sidecar.provider import Origin, Provider
from sidecar.testing import call, provider
from tests import corpus
from tests.plugins.test_tracing_confidential import exchange_of

SECRET = b"s" * 32
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "temperature": 0.5}
JSON = {"Content-Type": "application/json"}


def key(exchange: Exchange, secret: bytes = SECRET) -> str:
    head, data = read_head(exchange.request.headers), exchange.request.body.data
    return cache_key(opening_of(exchange, head, secret), head, data or b"")


def chat(body: Any = CHAT, headers: Mapping[str, str] | None = None, target: str = "/v1/chat/completions") -> Exchange:
    if isinstance(body, str):
        return call("openai", target, body.encode(), headers={**JSON, **(headers or {})})
    return call("openai", target, body, headers=headers)


def form(*parts: Part, boundary: str = "b0", target: str = "/v1/audio/transcriptions") -> Exchange:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return call("openai", target, write(parts, boundary), headers=headers)


MODEL = Part.of("model", "whisper-1")
AUDIO = Part.of("file", b"RIFF....", "speech.wav", "audio/wav")


def audio(content_type: str = "audio/wav", body: bytes = b"RIFF....", query: str = "model=nova-3") -> Exchange:
    return call("deepgram", f"/v1/listen?{query}", body, headers={"Content-Type": content_type})


SAME = {
    "members in another order": (chat('{"a":1,"b":{"c":2,"d":3}}'), chat('{"b":{"d":3,"c":2},"a":1}')),
    "other spacing": (chat('{"a":[1,2]}'), chat(' {\n "a" : [ 1 ,\t2 ] }\r\n')),
    "other escapes": (chat('{"a":"\\u0041\\/\\u00e9"}'), chat('{"a":"A/é"}')),
    "another spelling of a whole number": (chat('{"a":1}'), chat('{"a":1.0}')),
    "another spelling of a fraction": (chat('{"a":0.5}'), chat('{"a":5e-1}')),
    "another client": (
        chat(headers={"User-Agent": "a", "X-Stainless-Lang": "python", "x-fern-runtime": "node"}),
        chat(headers={"User-Agent": "b", "X-Stainless-Retry-Count": "2"}),
    ),
    "another moment": (
        chat(headers={"traceparent": "00-a", "X-Request-Id": "1", "Idempotency-Key": "x"}),
        chat(headers={"tracestate": "a=b", "X-Client-Request-Id": "2", "baggage": "c=d"}),
    ),
    "another address of the sidecar": (chat(headers={"Host": "127.0.0.1:15080"}), chat(headers={"Host": "localhost"})),
    "another case of header names": (chat(headers={"X-Tenant": "a"}), chat(headers={"x-tenant": "a"})),
    "headers in another order": (
        call("openai", "/v1/completions", CHAT, headers={"X-A": "1", "X-B": "2"}),
        call("openai", "/v1/completions", CHAT, headers={"X-B": "2", "X-A": "1"}),
    ),
    "JSON with its charset": (
        chat("{}", {"Content-Type": "application/json"}),
        chat("{}", {"Content-Type": "Application/JSON; charset=utf-8"}),
    ),
    "another boundary": (form(MODEL, AUDIO), form(MODEL, AUDIO, boundary="something-else")),
    "fields of a form in another order": (form(MODEL, AUDIO), form(AUDIO, MODEL)),
    "another file name of the same format": (
        form(MODEL, AUDIO),
        form(MODEL, Part.of("file", b"RIFF....", "take-2.WAV", "audio/wav")),
    ),
}
DIFFERENT = {
    "another text": (chat('{"a":"x"}'), chat('{"a":"y"}')),
    "a member that nobody knows": (chat({**CHAT}), chat({**CHAT, "vendor_option": 1})),
    "another value of a member that nobody knows": (chat({**CHAT, "vendor": 1}), chat({**CHAT, "vendor": 2})),
    "a stream": (chat({**CHAT, "stream": False}), chat({**CHAT, "stream": True})),
    "null and nothing": (chat({**CHAT, "seed": None}), chat(CHAT)),
    "a number and its text": (chat('{"a":1}'), chat('{"a":"1"}')),
    "true and one": (chat('{"a":true}'), chat('{"a":1}')),
    "false, zero and null": (chat('{"a":false}'), chat('{"a":0}'), chat('{"a":null}')),
    "another order of a list": (chat('{"a":[1,2]}'), chat('{"a":[2,1]}')),
    "a list in a list": (chat('{"a":[[1],2]}'), chat('{"a":[[1,2]]}'), chat('{"a":[1,[2]]}')),
    "fractions that are nearly the same": (chat('{"a":0.1}'), chat('{"a":0.10000000000000002}')),
    "whole numbers beyond those of a double": (chat('{"a":9007199254740992}'), chat('{"a":9007199254740993}')),
    "whole numbers beyond 64 bits": (chat('{"a":18446744073709551617}'), chat('{"a":18446744073709551618}')),
    "numbers beyond any": (chat('{"a":1e999}'), chat('{"a":-1e999}'), chat('{"a":null}')),
    "another path": (chat(), chat(target="/v1/completions")),
    "another query": (chat(), chat(target="/v1/chat/completions?a=1"), chat(target="/v1/chat/completions?a=2")),
    "another provider": (
        chat(),
        call("openai", "/v1/chat/completions", CHAT, to=[provider("openai", "other")]),
    ),
    "another caller": (
        chat(),
        chat(headers={"Authorization": "Bearer a"}),
        chat(headers={"Authorization": "Bearer b"}),
        chat(headers={"X-Api-Key": "a"}),
    ),
    "another account": (chat(headers={"OpenAI-Organization": "a"}), chat(headers={"OpenAI-Organization": "b"})),
    "a header that nobody knows": (chat(), chat(headers={"X-Vendor": "a"}), chat(headers={"X-Vendor": "b"})),
    "another sort of answer": (chat(headers={"Accept": "audio/wav"}), chat(headers={"Accept": "audio/mpeg"})),
    "another coding of the answer": (
        chat(),
        chat(headers={"Accept-Encoding": "gzip"}),
        chat(headers={"Accept-Encoding": "br, gzip"}),
    ),
    "another recording": (form(MODEL, AUDIO), form(MODEL, Part.of("file", b"RIFF!!!!", "speech.wav", "audio/wav"))),
    "another format of file": (
        form(MODEL, AUDIO),
        form(MODEL, Part.of("file", b"RIFF....", "speech.mp3", "audio/wav")),
    ),
    "another type of part": (form(MODEL, AUDIO), form(MODEL, Part.of("file", b"RIFF....", "speech.wav", "audio/mpeg"))),
    "a file and a field": (form(Part.of("file", b"x")), form(Part.of("file", b"x", "x.wav"))),
    "another field of a form": (
        form(MODEL, AUDIO, Part.of("language", "en")),
        form(MODEL, AUDIO, Part.of("language", "de")),
        form(MODEL, AUDIO),
    ),
    "another order of fields with one name": (
        form(AUDIO, Part.of("t[]", "word"), Part.of("t[]", "segment")),
        form(AUDIO, Part.of("t[]", "segment"), Part.of("t[]", "word")),
    ),
    "a border between fields elsewhere": (
        form(Part.of("a", "xb"), Part.of("c", "")),
        form(Part.of("a", "x"), Part.of("bc", "")),
    ),
    "bare recordings that differ": (audio(), audio(body=b"RIFF!!!!")),
    "bare recordings of another type": (audio(), audio("audio/mpeg")),
    "bare recordings at another rate": (
        audio("audio/l16; rate=8000", b"\0\1\0\2"),
        audio("audio/l16; rate=16000", b"\0\1\0\2"),
        audio("audio/l16", b"\0\1\0\2"),
    ),
    "the same bytes in another wrapping": (
        call("openai", "/v1/audio/transcriptions", b"{}", headers={"Content-Type": "text/plain"}),
        call("openai", "/v1/audio/transcriptions", b"{}", headers={"Content-Type": "application/json"}),
    ),
}


@pytest.mark.parametrize("calls", SAME.values(), ids=list(SAME))
def test_what_makes_no_difference_to_the_answer_makes_none_to_the_key(calls: tuple[Exchange, ...]) -> None:
    assert len({key(each) for each in calls}) == 1


@pytest.mark.parametrize("calls", DIFFERENT.values(), ids=list(DIFFERENT))
def test_what_may_change_the_answer_changes_the_key(calls: tuple[Exchange, ...]) -> None:
    assert len({key_or_none(each) for each in calls}) == len(calls)


def key_or_none(exchange: Exchange) -> str | object:
    """The key; of a call that has none, something that equals nothing else."""
    try:
        return key(exchange)
    except Unsuitable:
        return object()


def test_one_name_may_stand_for_servers_in_many_places() -> None:
    """Of a provider with hosts of its customers' own, each host is somebody else's."""
    of = {"name": "azure-openai", "dialect": provider("azure_openai").dialect}
    near, far = (
        Provider(origin=Origin("https", f"{resource}.openai.azure.com", 443), **of)  # type: ignore[arg-type]
        for resource in ("near", "far")
    )
    target = "/openai/deployments/d/chat/completions?api-version=1"
    assert key(call("azure_openai", target, CHAT, to=[near])) != key(call("azure_openai", target, CHAT, to=[far]))


UNSUITABLE: Mapping[str, tuple[Exchange, str]] = {
    "reading": (call("openai", "/v1/responses/resp_1", method="GET"), "depends on its request alone"),
    "a call of no known kind": (call("openai", "/v1/embeddings", CHAT), "depends on its request alone"),
    "a call that nobody knows": (call("openai", "/v1/beyond", CHAT), "depends on its request alone"),
    "no JSON": (chat("{"), "not valid JSON"),
    "nothing but brackets": (chat("[" * 100_000), "not valid JSON"),
    "no text": (call("openai", "/v1/chat/completions", b'{"a":"\xff"}', headers=JSON), "not valid JSON"),
    "half a form": (
        call(
            "openai",
            "/v1/audio/transcriptions",
            b"--b\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        ),
        "not whole",
    ),
    "what goes on from before": (
        chat({"input": "x", "previous_response_id": "resp_1"}, target="/v1/responses"),
        "a conversation",
    ),
    "a conversation": (chat({"input": "x", "conversation": "conv_1"}, target="/v1/responses"), "a conversation"),
    "an interaction": (
        call("gemini", "/v1beta/interactions", {"input": "x", "previousInteractionId": "v1_a"}),
        "a conversation",
    ),
    "a job": (call("assemblyai", "/v2/transcript", {"audio_url": "https://a.example"}), "only begun"),
    "work in the background": (chat({"input": "x", "background": True}, target="/v1/responses"), "a conversation"),
    "what is to be kept": (chat({**CHAT, "store": True}), "to keep the answer"),
    "what is answered elsewhere": (audio(query="callback=https://a.example"), "elsewhere"),
}


@pytest.mark.parametrize(("exchange", "reason"), UNSUITABLE.values(), ids=list(UNSUITABLE))
def test_a_call_that_cannot_be_answered_from_memory_has_no_key_and_the_reason_is_said(
    exchange: Exchange, reason: str
) -> None:
    with pytest.raises(Unsuitable, match=reason):
        key(exchange)


def test_members_that_ask_for_nothing_do_no_harm() -> None:
    key(chat({"input": "x", "previous_response_id": None, "store": False, "background": False}, target="/v1/responses"))


def test_a_key_tells_nothing_and_cannot_be_made_by_others() -> None:
    assert len(key(chat())) == 32
    assert key(chat()) != key(chat(), b"another secret that is 32 bytes!")


@pytest.mark.parametrize(
    "name", sorted(NOISE - {b"content-type", b"cache-control", b"transfer-encoding", b"content-length"})
)
def test_noise_is_noise(name: bytes) -> None:
    assert key(chat(headers={name.decode(): "one"})) == key(chat(headers={name.decode(): "another"}))


@pytest.mark.parametrize("case", corpus.cases(), ids=lambda case: f"{case.dialect}/{case.name}")
def test_a_captured_call_has_a_key_of_its_own_or_a_reason_for_none(case: corpus.Case) -> None:
    others = [other for other in corpus.cases() if other.raw != case.raw and other.dialect == case.dialect]
    found = attempt(lambda: key(exchange_of(case)))
    assert found == attempt(lambda: key(exchange_of(case)))
    if not found.startswith("unsuitable: "):
        assert found not in {key_or_none(exchange_of(other)) for other in others}


class TestTheHead:
    @pytest.mark.parametrize(
        ("value", "no_store", "no_cache"),
        [
            ("no-store", True, False),
            ("no-cache", False, True),
            ("No-Store, No-Cache", True, True),
            ("max-age=0", False, False),
            ("", False, False),
        ],
    )
    def test_says_what_the_agent_wants_of_caches(self, value: str, no_store: bool, no_cache: bool) -> None:
        head = read_head(Headers.of(cache_control=value))
        assert (head.no_store, head.no_cache) == (no_store, no_cache)

    def test_is_read_once_where_it_comes_again(self) -> None:
        headers = Headers.from_block(b"Content-Type: Text/Plain; a=b\r\n")
        assert read_head(headers) is not read_head(headers)
        headers.template = Template()
        head = read_head(headers)
        assert read_head(headers) is head
        assert (head.content_type, head.media_type) == ("Text/Plain; a=b", "text/plain")
        assert headers.template.memo[Head] is head


# -- JSON in general ---------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=4)
numbers = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def meaning(value: Any) -> Any:
    """Equal for values that mean the same in JSON, and only for them."""
    if isinstance(value, dict):
        return "object", frozenset((name, meaning(each)) for name, each in value.items())
    if isinstance(value, list):
        return "array", tuple(meaning(each) for each in value)
    if isinstance(value, bool) or value is None:
        return "word", value
    return type(value).__name__ if isinstance(value, str) else "number", value


def respelled(value: Any, choose: random.Random) -> str:
    """*value* as JSON of another spelling."""
    shuffled = json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(choose.sample(pairs, len(pairs))))
    separators = choose.choice([(",", ":"), (" , ", " : "), (",\n", ":\t")])
    return json.dumps(shuffled, ensure_ascii=choose.random() < 0.5, separators=separators)


@given(documents, st.randoms(use_true_random=False))
@example({"a": -0.0}, random.Random(0))
@example({"a": 1e15}, random.Random(0))
@example(1e300, random.Random(0))
def test_spelling_makes_no_difference(value: Any, choose: random.Random) -> None:
    assert key(chat(json.dumps(value))) == key(chat(respelled(value, choose)))


@given(documents, documents)
@example(1, True)
@example(0, -0.0)
@example(10**22, 10**22 + 1)
@example(2**64, 2**64 + 1)
@example({"a": {"b": 1}}, {"a": {}, "b": 1})
@example({"": "a"}, {"a": ""})
def test_keys_are_equal_where_meanings_are_and_nowhere_else(one: Any, other: Any) -> None:
    same = key_or_none(chat(json.dumps(one))) == key_or_none(chat(json.dumps(other)))
    assert same == (meaning(one) == meaning(other))


parts = st.lists(
    st.builds(
        Part.of,
        st.text("ab[]\0", max_size=3),
        st.binary(max_size=6),
        st.none() | st.text("a.wv", max_size=4),
        st.none() | st.sampled_from(["audio/wav", "text/plain"]),
    ),
    max_size=4,
)


@given(parts, st.randoms(use_true_random=False))
def test_forms_with_other_boundaries_are_the_same(fields: list[Part], choose: random.Random) -> None:
    one, other = form(*fields, boundary="one-boundary"), form(*fields, boundary="quite-another")
    assert attempt(lambda: key(one)) == attempt(lambda: key(other))


@given(st.binary(max_size=200))
def test_no_form_makes_it_raise_anything_else(body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    attempt(lambda: key(call("openai", "/v1/audio/transcriptions", b"--b\r\n" + body + b"\r\n--b--", headers=headers)))


def attempt(make: Callable[[], str]) -> str:
    try:
        return make()
    except Unsuitable as reason:
        return f"unsuitable: {reason}"


class TestSpellings:
    def asked(self, exchange: Exchange) -> tuple[Opening, Head]:
        head = read_head(exchange.request.headers)
        return opening_of(exchange, head, SECRET), head

    def test_know_a_body_again_only_by_all_its_bytes(self) -> None:
        spellings, asked = Spellings(), self.asked(chat())
        spellings.keep(*asked, b'{"a":1}', "k")
        assert spellings.recall(*asked, b'{"a":1}') == "k"
        assert spellings.recall(*asked, b'{"a": 1}') is None

    def test_are_each_agents_own(self) -> None:
        spellings = Spellings()
        spellings.keep(*self.asked(chat(headers={"authorization": "Bearer a"})), b"{}", "k")
        assert spellings.recall(*self.asked(chat(headers={"authorization": "Bearer b"})), b"{}") is None

    @pytest.mark.parametrize("calls", DIFFERENT.values(), ids=list(DIFFERENT))
    def test_never_take_one_call_for_another(self, calls: tuple[Exchange, ...]) -> None:
        """The same bytes are other audio at another rate, and another form with another boundary."""
        spellings = Spellings()
        for exchange in calls:
            if (wanted := key_or_none(exchange)) is None:
                continue
            data = exchange.request.body.data or b""
            assert spellings.recall(*self.asked(exchange), data) in (None, wanted)
            spellings.keep(*self.asked(exchange), data, wanted)

    def test_hold_a_mebibyte_at_most_and_nothing_large(self) -> None:
        spellings, asked = Spellings(), self.asked(chat())
        tracemalloc.start()
        try:
            for number in range(3000):
                spellings.keep(*asked, b"%d" % number * 200, "k" * 32)
                spellings.keep(*asked, b"%d" % number + bytes(20_000), "k")
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert held < 2**20
        assert spellings.recall(*asked, b"2999" * 200) == "k" * 32
        assert spellings.recall(*asked, b"2999" + bytes(20_000)) is None
