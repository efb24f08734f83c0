"""Which calls are the same call to the cache: those that would get the same answer, and no others."""

import base64
import io
import json
import random
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sidecar_cache.identity import Head, Identity, Terms, Unsuitable, identity_of, opening_of, read_head
from sidecar_cache.rules import headers
from sidecar_cache.rules.pairs import of_query

from sidecar import Attempt, Exchange, Headers, Secret
from sidecar.credentials import HEADERS, identified
from sidecar.dialects import names
from sidecar.headers import Template
from sidecar.multipart import Part, write
from sidecar.notes import AttemptRecord
from sidecar.provider import Origin, Provider
from sidecar.testing import call, provider
from tests import corpus
from tests.plugins.test_tracing_confidential import exchange_of

SECRET = b"s" * 32
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "temperature": 0.5}
JSON = {"Content-Type": "application/json"}


def identity(exchange: Exchange, secret: bytes = SECRET) -> Identity:
    head, data = read_head(exchange.request.headers), exchange.request.body.data
    return identity_of(opening_of(exchange, head, secret), head, data or b"")


def key(exchange: Exchange, secret: bytes = SECRET) -> str:
    return identity(exchange, secret).key


def chat(body: Any = CHAT, headers: Mapping[str, str] | None = None, target: str = "/v1/chat/completions") -> Exchange:
    if isinstance(body, str):
        return call("openai", target, body.encode(), headers={**JSON, **(headers or {})})
    return call("openai", target, body, headers=headers)


def form(*parts: Part, boundary: str = "b0", target: str = "/v1/audio/transcriptions") -> Exchange:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return call("openai", target, write(parts, boundary), headers=headers)


def messages(**members: Any) -> Exchange:
    return call("anthropic", "/v1/messages", {"model": "m", "messages": [], "max_tokens": 1, **members})


def content(**members: Any) -> Exchange:
    return call("gemini", "/v1beta/models/m:generateContent", {"contents": [], **members})


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
    "another coding of the answer": tuple(
        chat(headers={"Accept-Encoding": each} if each else None)
        for each in ("", "gzip, deflate", "deflate,gzip", "br;q=1.0, gzip;q=0.5", "zstd", "identity", "*", "gzip;q=0")
    ),
    "any sort of answer, said or not": (chat(), chat(headers={"Accept": "*/*"})),
    "another sort of answer where the request says which": tuple(
        call(dialect, target, {"input": "a"}, headers={"Accept": each} if each else None)
        for dialect, target in (("openai", "/v1/audio/speech"),)
        for each in ("", "*/*", "application/octet-stream", "audio/wav")
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
    "a stream of what cannot be had otherwise": (
        chat({"input": "x", "store": False, "stream": False}, target="/v1/responses"),
        chat({"input": "x", "store": False, "stream": True}, target="/v1/responses"),
    ),
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
    "a coding of the answer that nobody knows": (
        chat(),
        chat(headers={"Accept-Encoding": "compress"}),
        chat(headers={"Accept-Encoding": "gzip, dcb"}),
        chat(headers={"Accept-Encoding": "gzip;q=high"}),
    ),
    "an answer that must be coded": (
        chat(),
        chat(headers={"Accept-Encoding": "identity;q=0"}),
        chat(headers={"Accept-Encoding": "gzip, *;q=0"}),
    ),
    "another sort of answer where nothing else says which": (
        call("elevenlabs", "/v1/text-to-speech/v", {"text": "a"}, headers={"Accept": "audio/mpeg"}),
        call("elevenlabs", "/v1/text-to-speech/v", {"text": "a"}, headers={"Accept": "audio/wav"}),
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
    "a border between values elsewhere": (
        audio(query="keyterm=ab&keyterm=c"),
        audio(query="keyterm=a&keyterm=bc"),
        audio(query="keyterm=abc"),
        audio(query="keyterm=abc&keyterm="),
        audio(query="keyterm=abc&keyterm"),
    ),
    "a border between values of a form elsewhere": (
        form(AUDIO, Part.of("include[]", "ab"), Part.of("include[]", "c")),
        form(AUDIO, Part.of("include[]", "a"), Part.of("include[]", "bc")),
        form(AUDIO, Part.of("include[]", "abc")),
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
        chat({"input": "x", "store": False, "previous_response_id": "resp_1"}, target="/v1/responses"),
        "a conversation",
    ),
    "a conversation": (
        chat({"input": "x", "store": False, "conversation": "conv_1"}, target="/v1/responses"),
        "a conversation",
    ),
    "an interaction": (
        call("gemini", "/v1beta/interactions", {"input": "x", "previousInteractionId": "v1_a"}),
        "a conversation",
    ),
    "a job": (call("assemblyai", "/v2/transcript", {"audio_url": "https://a.example"}), "only begun"),
    "work in the background": (
        chat({"input": "x", "store": False, "background": True}, target="/v1/responses"),
        "a conversation",
    ),
    "what is to be kept": (chat({**CHAT, "store": True}), "to keep the answer"),
    "what is kept unless it is forbidden": (chat({"input": "x"}, target="/v1/responses"), "unless store is false"),
    "what is answered elsewhere": (audio(query="callback=https://a.example"), "elsewhere"),
    "what is answered elsewhere, in disguise": (audio(query="%63allback=https://a.example"), "elsewhere"),
    "tools of the provider's": (chat({**CHAT, "tools": [{"type": "mcp"}]}), "tools of its own"),
    "tools of Anthropic's": (messages(tools=[{"type": "web_search_20250305", "name": "w"}]), "tools of its own"),
    "tools of Google's": (content(tools=[{"google_search": {}}]), "tools of its own"),
    "speech that goes on from before": (
        call("elevenlabs", "/v1/text-to-speech/v", {"text": "a", "previous_request_ids": ["r"]}),
        "goes on from others",
    ),
    "a member twice": (chat('{"model":"a","model":"b"}'), "a member twice"),
    "a member twice, deep down": (chat('{"messages":[{"role":"user","\\u0072ole":"user"}]}'), "a member twice"),
    "a member twice, made up for by another's spelling": (chat('{"x":1e10,"a":"", "a":""}'), "a member twice"),
    "not a number": (chat('{"temperature":NaN}'), "not valid JSON"),
    "half a character": (chat('{"user":"a","messages":["\\ud83d"]}'), "not valid JSON"),
    "no object": (chat("[1]"), "no JSON object"),
    "JSON that is none by its type": (
        call("openai", "/v1/chat/completions", b"{}", headers={"Content-Type": "text/plain"}),
        "does not take a body of type text/plain",
    ),
    "another method": (
        call("openai", "/v1/chat/completions", CHAT, to=[provider("openai")], method="PUT"),
        "depends on its request alone",
    ),
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
        assert (head.controls.no_store, head.controls.no_cache) == (no_store, no_cache)

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
    assert key(chat(json.dumps({"x": value}))) == key(chat(respelled({"x": value}, choose)))


@given(documents, documents)
@example(1, True)
@example(0, -0.0)
@example(10**22, 10**22 + 1)
@example(2**64, 2**64 + 1)
@example({"a": {"b": 1}}, {"a": {}, "b": 1})
@example({"": "a"}, {"a": ""})
def test_keys_are_equal_where_meanings_are_and_nowhere_else(one: Any, other: Any) -> None:
    same = key_or_none(chat(json.dumps({"x": one}))) == key_or_none(chat(json.dumps({"x": other})))
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


# -- the two bugs of others --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Polish the silver", "polish the silver"),
        ("US", "us"),
        ("Really?", "Really"),
        ("four", "four "),
        ("four\n", "four"),
        ("caf\u00e9", "cafe\u0301"),
        ("fifty", "fifteen"),
        ("a\u00a0b", "a b"),
        ("a\0", "a"),
        ("\U0001f44b", "\U0001f44b\ufe0f"),
    ],
)
def test_what_is_to_be_spoken_is_never_made_like_another_text(one: str, other: str) -> None:
    """A gateway lower-cased the text in its key: what is shouted was answered with what is said."""
    for asked in (
        lambda text: call("openai", "/v1/audio/speech", {"model": "tts-1", "voice": "alloy", "input": text}),
        lambda text: call("elevenlabs", "/v1/text-to-speech/v", {"text": text}),
        lambda text: call("deepgram", "/v1/speak?model=aura", {"text": text}),
        lambda text: call("google_cloud", "/v1/text:synthesize", {"input": {"text": text}}),
        lambda text: chat({"model": "m", "messages": [{"role": "user", "content": text}]}),
        lambda text: form(MODEL, AUDIO, Part.of("prompt", text)),
    ):
        assert key(asked(one)) != key(asked(other))


def test_a_second_recording_never_gets_the_transcript_of_the_first() -> None:
    """A gateway's key said which fields a form has, and nothing of the file."""
    first, second = (Part.of("file", bytes(1000) + tail, "speech.wav", "audio/wav") for tail in (b"1", b"2"))
    keys = {key(form(*parts)) for parts in ((MODEL, first), (MODEL, second), (MODEL, first, second), (second, first))}
    assert len(keys) == 4


# -- tenants -----------------------------------------------------------------------------------------------------------

QUERIES = ("access_token", "api_key", "authorization", "key", "token", "xi-api-key")
IDENTIFYING = (*HEADERS, "x-folder-id", "proxy-authorization", "x-vendor-account")


@pytest.mark.parametrize("dialect", names())
def test_nobody_gets_the_answer_of_another_whatever_they_send(dialect: str) -> None:
    """One tries to be taken for the other by every header and field but the other's credential."""
    for case in corpus.cases():
        if case.dialect != dialect or case.is_socket or case.method != "POST":
            continue
        own = {name.decode(): value.decode() for name, value in case.headers}
        own.pop("Transfer-Encoding", None)
        for name in IDENTIFYING:
            theirs = [
                attempt(lambda: key(again(case, {**own, name: credential}, case.target)))  # noqa: B023
                for credential in ("Bearer a", "Bearer b", "bearer a", "Bearer a ,", "")
            ]
            assert len(set(theirs)) == 5 or theirs[0].startswith("unsuitable"), name
            # that one names the other in another place makes them no other
            for elsewhere in (*set(IDENTIFYING) - {name}, "user", "x-tenant"):
                posing = again(case, {**own, name: "Bearer b", elsewhere: "Bearer a"}, case.target)
                assert attempt(lambda: key(posing)) != theirs[0] or theirs[0].startswith("unsuitable")  # noqa: B023
        for name in QUERIES:
            mark = "&" if "?" in case.target else "?"
            found = [
                attempt(lambda: key(again(case, own, f"{case.target}{mark}{name}={value}")))  # noqa: B023
                for value in ("a", "b", "A", "")
            ]
            assert len(set(found)) == 4 or found[0].startswith("unsuitable"), name


def again(case: corpus.Case, headers: Mapping[str, str], target: str) -> Exchange:
    return call(case.dialect, target, case.body, headers=headers)


def test_a_credential_is_in_a_part_of_its_own_and_in_no_other() -> None:
    one, other = (identity(chat(headers={"Authorization": f"Bearer {each}"})) for each in "ab")
    differing = [mine.name for mine, theirs in zip(one.parts, other.parts, strict=True) if mine != theirs]
    assert differing == ["tenant"]


def test_a_credential_of_the_sidecars_own_makes_another_tenant() -> None:
    found = [
        provider("openai"),
        *(msgspec.structs.replace(provider("openai"), credential=Secret(each)) for each in ("a", "b")),
    ]
    assert len({key(call("openai", "/v1/chat/completions", CHAT, to=[each])) for each in found}) == 3


def pods(exchange: Exchange) -> str:
    """The key where all agents are one whose credentials are replaced."""
    head = read_head(exchange.request.headers)
    return identity_of(opening_of(exchange, head, SECRET, POD), head, exchange.request.body.data or b"").key


POD = Terms(pod=True)
KEYED = msgspec.structs.replace(provider("openai"), credential=Secret("the pod's"))


def keyed(target: str = "/v1/chat/completions", to: Provider = KEYED, **headers: str) -> Exchange:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return call("openai", target, CHAT, headers=named, to=[to])


class TestOneTenantToAPod:
    @pytest.mark.parametrize("name", HEADERS)
    def test_knows_no_agents_by_what_no_provider_sees(self, name: str) -> None:
        one, other, none = keyed(**{name: "Bearer a"}), keyed(**{name: "Bearer b"}), keyed()
        assert pods(one) == pods(other) == pods(none)
        assert len({key(one), key(other), key(none), pods(one)}) == 4, "otherwise each has a key of its own"

    @pytest.mark.parametrize("name", QUERIES)
    def test_knows_none_by_queries_that_no_provider_sees(self, name: str) -> None:
        target = "/v1/chat/completions"
        assert pods(keyed(f"{target}?{name}=a")) == pods(keyed(f"{target}?{name}=b&{name}=c")) == pods(keyed(target))

    def test_knows_agents_where_their_own_credentials_go_to_the_provider(self) -> None:
        theirs = [keyed(to=provider("openai"), authorization=each) for each in ("Bearer a", "Bearer b")]
        assert [pods(each) for each in theirs] == [key(each) for each in theirs]
        assert len({pods(each) for each in theirs}) == 2

    def test_is_another_with_another_credential(self) -> None:
        other = msgspec.structs.replace(KEYED, credential=Secret("another"))
        assert pods(keyed()) != pods(keyed(to=other))

    @given(
        st.lists(st.sampled_from([*HEADERS, "x-folder-id", "x-vendor", "OpenAI-Beta"]), max_size=3),
        st.lists(
            st.sampled_from(["key=a", "KEY=a", "key", "k%65y=a", "token=", "api_key=b", "a=1", "xi-api-key=c&a=2"]),
            max_size=3,
        ),
        st.lists(st.sampled_from([*HEADERS, "x-folder-id", "x-vendor"]), max_size=3),
        st.lists(st.sampled_from(["key=b", "KEY=a", "key", "k%65y=a", "a=1", "a=2"]), max_size=3),
    )
    def test_has_one_key_for_two_calls_if_and_only_if_the_provider_is_sent_the_same(
        self, names: list[str], items: list[str], other_names: list[str], other_items: list[str]
    ) -> None:
        one, other = (
            keyed(f"/v1/chat/completions{'?' if queries else ''}{'&'.join(queries)}", **dict.fromkeys(said, "x"))
            for said, queries in ((names, items), (other_names, other_items))
        )
        assert (pods(one) == pods(other)) == (sent(one) == sent(other))


def sent(exchange: Exchange) -> object:
    """What the provider is sent, as far as it tells two calls apart."""
    record = AttemptRecord(exchange.provider, 0)
    request = identified(
        Attempt(exchange=exchange, provider=exchange.provider, request=exchange.request, record=record)
    )
    fields = sorted((name.lower(), value) for name, value in request.headers.fields)
    return fields, sorted(of_query(request.query).items(), key=repr)


def test_values_cannot_be_moved_from_one_name_to_another() -> None:
    chats = [
        chat(headers={"X-Api-Key": "b", "Api-Key": "a"}),
        chat(headers={"X-Api-Key": "a", "Api-Key": "b"}),
        chat(target="/v1/chat/completions?key=a&token=b"),
        chat(target="/v1/chat/completions?key=a&key=b"),
        chat(target="/v1/chat/completions?key=a&key=query%20token%201&key=b"),
    ]
    assert len({key(each) for each in chats}) == len(chats)


# -- parts -------------------------------------------------------------------------------------------------------------


def parts_that_differ(one: Exchange, other: Exchange) -> list[str]:
    mine, theirs = dict(identity(one).parts), dict(identity(other).parts)
    return sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


TURNS = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
PARTS = {
    "a model": (chat(), chat({**CHAT, "model": "x"}), ["body.model"]),
    "a further member": (chat(), chat({**CHAT, "seed": 1}), ["body.seed"]),
    "instructions": (
        chat({"messages": TURNS}),
        chat({"messages": [{"role": "system", "content": "S"}, *TURNS[1:]]}),
        ["messages.system"],
    ),
    "the last turn": (
        chat({"messages": [*TURNS, {"role": "user", "content": "x"}]}),
        chat({"messages": [*TURNS, {"role": "user", "content": "y"}]}),
        ["messages.last"],
    ),
    "what was said before": (
        chat({"messages": [*TURNS, {"role": "user", "content": "x"}]}),
        chat({"messages": [*TURNS[:2], {"role": "user", "content": "x"}]}),
        ["messages.history"],
    ),
    "a field of the query": (audio(), audio(query="model=nova-2"), ["query.model"]),
    "a header": (chat(), chat(headers={"X-Vendor": "a"}), ["header.x-vendor"]),
    "a recording": (audio(), audio(body=b"RIFF"), ["audio"]),
    "its type": (audio(), audio("audio/mpeg"), ["audio (format)"]),
    "a file": (form(MODEL, AUDIO), form(MODEL, Part.of("file", b"", "a.wav", "audio/wav")), ["form.file"]),
    "its name": (
        form(MODEL, AUDIO),
        form(MODEL, Part.of("file", b"RIFF....", "a.mp3", "audio/wav")),
        ["form.file (format)"],
    ),
    "a provider": (
        chat(),
        call("openai", "/v1/chat/completions", CHAT, to=[provider("openai", "other")]),
        ["provider"],
    ),
}


@pytest.mark.parametrize(("one", "other", "differing"), PARTS.values(), ids=list(PARTS))
def test_parts_say_in_what_two_calls_differ(one: Exchange, other: Exchange, differing: list[str]) -> None:
    assert parts_that_differ(one, other) == differing


def test_parts_have_names_that_can_be_shown_and_are_not_too_many() -> None:
    found = identity(chat({**{f"n{at:03}": at for at in range(500)}, "x" * 5000: 1, "\n\u001b[31m": 2}))
    assert len(found.names) < 70
    assert all(name.isprintable() and len(name) <= 48 for name in found.names)
    assert key(chat({f"n{at:03}": at for at in range(500)})) != key(chat({f"n{at:03}": at % 499 for at in range(500)}))


def test_digests_tell_nothing_to_those_who_do_not_have_the_secret() -> None:
    mine, theirs = identity(chat()), identity(chat(), b"another secret that is 32 bytes!")
    assert mine.names == theirs.names
    assert not {part.digest for part in mine.parts} & {part.digest for part in theirs.parts}


@pytest.mark.parametrize(
    ("exchange", "delivery"),
    [
        (chat(), "whole"),
        (chat({**CHAT, "stream": True}), "stream"),
        (chat({**CHAT, "stream": True, "stream_options": {"include_usage": True}}), "stream with usage"),
        (content(), "whole"),
        (call("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": []}), "stream"),
        (call("gemini", "/v1beta/models/m:streamGenerateContent", {"contents": []}), "array"),
        (messages(stream=True), "stream"),
    ],
)
def test_the_form_in_which_an_answer_is_wanted_is_told_apart_from_the_key(exchange: Exchange, delivery: str) -> None:
    assert identity(exchange).delivery == delivery


@pytest.mark.parametrize(
    ("said", "codings", "odd"),
    [
        ([], "", ""),
        (["gzip, deflate"], "deflate gzip", ""),
        (["GZIP", "x-gzip"], "gzip", "gzip,x-gzip"),
        (["x-gzip"], "gzip", ""),
        (["gzip;q=0, deflate ; Q = 0.3"], "deflate", ""),
        (["identity"], "", ""),
        (["*"], "br deflate gzip zstd", ""),
        (["gzip;q=0, *;q=0.1"], "br deflate zstd", ""),
        (["*;q=0"], "", "*;q=0"),
        (["identity, *;q=0"], "", ""),
        (["identity;q=0, gzip"], "gzip", "gzip,identity;q=0"),
        (["dcb, GZIP"], "gzip", "dcb,gzip"),
        (["gzip;q=2"], "gzip", "gzip;q=2"),
        (["", ","], "", ""),
        (["gzip;\xff"], "gzip", "gzip;\xff"),
    ],
)
def test_which_codings_an_agent_accepts(said: list[str], codings: str, odd: str) -> None:
    found = headers.codings([each.encode("latin-1") for each in said])
    assert (" ".join(sorted(found.known)), found.odd.decode("latin-1")) == (codings, odd)


@given(st.lists(st.binary(max_size=12), max_size=3))
def test_no_codings_are_too_odd(said: list[bytes]) -> None:
    found = headers.codings(said)
    assert found.known <= headers.CODINGS
    assert found.plain or found.odd


def test_of_agents_that_accept_other_codings_each_gets_its_own_form() -> None:
    one, other, none = (chat(headers={"Accept-Encoding": each}) for each in ("gzip", "gzip, br", "identity"))
    assert [identity(each).delivery for each in (one, other, none)] == ["whole gzip", "whole br,gzip", "whole"]


# -- samples -----------------------------------------------------------------------------------------------------------


def wav(
    samples: bytes, *, rate: int = 16000, channels: int = 1, width: int = 16, kind: int = 1, more: bytes = b""
) -> bytes:
    block = channels * width // 8
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, kind, channels, rate, rate * block, block, width)
    chunks = b"WAVE" + head + more + struct.pack("<4sI", b"data", len(samples)) + samples + bytes(len(samples) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def flac(samples: bytes, *, rate: int = 16000, channels: int = 1, width: int = 16) -> bytes:
    soundfile, written = pytest.importorskip("soundfile"), io.BytesIO()
    with soundfile.SoundFile(
        written, "w", samplerate=rate, channels=channels, format="FLAC", subtype=f"PCM_{width}"
    ) as file:
        wide = b"".join(b"\0" + samples[at : at + 3] for at in range(0, len(samples), 3)) if width == 24 else samples
        file.buffer_write(wide, dtype="int16" if width == 16 else "int32")
    return written.getvalue()


def heard(recording: bytes, name: str = "a.wav", content_type: str = "audio/wav", *, by_samples: bool = True) -> str:
    exchange = form(MODEL, Part.of("file", recording, name, content_type))
    head, data = read_head(exchange.request.headers), exchange.request.body.data
    return identity_of(opening_of(exchange, head, SECRET), head, data or b"", by_samples=by_samples).key


NOISY = random.Random(1).randbytes(24_000)


def recognized(recording: bytes, config: Any, *, version: int = 1, by_samples: bool = True) -> str:
    """The key of a call of Google's Speech-to-Text."""
    content = base64.b64encode(recording).decode()
    if version == 1:
        exchange = call("google_cloud", "/v1/speech:recognize", {"config": config, "audio": {"content": content}})
    else:
        target = "/v2/projects/p/locations/l/recognizers/_:recognize"
        exchange = call("google_cloud", target, {"config": config, "content": content})
    return sampled(exchange, by_samples=by_samples)


def prompted(recording: bytes, media_type: Any, *, by_samples: bool = True) -> str:
    """The key of a call that asks Gemini about it."""
    blob = {"mime_type": media_type, "data": base64.b64encode(recording).decode()}
    return sampled(content(contents=[{"parts": [{"inlineData": blob}, {"text": "x"}]}]), by_samples=by_samples)


def sampled(exchange: Exchange, *, by_samples: bool) -> str:
    head, data = read_head(exchange.request.headers), exchange.request.body.data
    return identity_of(opening_of(exchange, head, SECRET), head, data or b"", by_samples=by_samples).key


class TestSamples:
    @pytest.mark.parametrize("width", [16, 24])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_make_one_recording_of_two_containers(self, width: int, channels: int) -> None:
        sound = {"width": width, "channels": channels}
        packed = flac(NOISY, **sound)
        assert heard(wav(NOISY, **sound)) == heard(packed, "b.flac", "audio/flac")
        assert heard(wav(NOISY, **sound), by_samples=False) != heard(packed, "b.flac", "audio/flac", by_samples=False)

    def test_are_the_same_whatever_else_is_said_of_them(self) -> None:
        noted = wav(NOISY, more=struct.pack("<4sI4s", b"LIST", 4, b"INFO"))
        assert heard(wav(NOISY)) == heard(noted, "another.wave", "audio/x-wav")

    @pytest.mark.parametrize(
        "other",
        [
            wav(NOISY[:-2]),
            wav(NOISY[:-2] + b"\0\0"),
            wav(NOISY, rate=8000),
            wav(NOISY, channels=2),
            wav(NOISY, width=8),
            wav(NOISY, width=32, kind=3),
            wav(NOISY, width=32),
        ],
    )
    def test_that_differ_are_different_recordings(self, other: bytes) -> None:
        assert heard(wav(NOISY)) != heard(other)

    @pytest.mark.parametrize(
        "doubtful",
        [
            wav(NOISY)[:-2],
            wav(NOISY) + b"\0\0",
            wav(NOISY).replace(b"data", b"atad"),
            wav(NOISY, kind=7),
            wav(NOISY, width=12),
            wav(b""),
            wav(NOISY[:-1]),
            wav(NOISY)[:4] + b"\xff\xff\xff\xff" + wav(NOISY)[8:],
            wav(NOISY, more=struct.pack("<4sI", b"fmt ", 0)),
            wav(NOISY, more=struct.pack("<4sI", b"note", 0) * 32),
            b"fLaC",
            b"fLaC" + NOISY,
            b"RIFF",
            b"",
        ],
    )
    def test_that_are_doubtful_are_known_by_their_bytes(self, doubtful: bytes) -> None:
        assert heard(doubtful) == heard(doubtful, by_samples=False)
        assert heard(doubtful) != heard(doubtful, "a.mp3")

    def test_of_a_long_recording_are_not_unpacked(self) -> None:
        long = flac(bytes(2 * 1024 * 1024))
        assert len(long) < 100_000
        assert heard(long) == heard(long, by_samples=False)

    def test_of_a_file_that_is_cut_are_not_guessed(self) -> None:
        cut = flac(NOISY)[:-200]
        assert heard(cut) == heard(cut, by_samples=False)

    def test_are_taken_from_bare_recordings_too(self) -> None:
        def key_of(recording: bytes, content_type: str) -> str:
            exchange = audio(content_type, recording)
            head = read_head(exchange.request.headers)
            return identity_of(opening_of(exchange, head, SECRET), head, recording, by_samples=True).key

        assert key_of(wav(NOISY), "audio/wav") == key_of(flac(NOISY), "audio/flac")

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({}, {}),
            ({"encoding": "LINEAR16", "sampleRateHertz": 16000}, {"encoding": "FLAC"}),
            ({"encoding": 1}, {"encoding": 2, "sample_rate_hertz": 16000}),
            ({"encoding": "ENCODING_UNSPECIFIED"}, {"encoding": None, "sampleRateHertz": 0}),
        ],
    )
    def test_are_taken_from_googles_base64_too(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        packed = flac(NOISY)
        assert recognized(wav(NOISY), one) == recognized(packed, other)
        assert recognized(wav(NOISY), one, by_samples=False) != recognized(packed, other, by_samples=False)
        assert recognized(wav(NOISY), one) != recognized(flac(NOISY[:-2]), other)
        assert recognized(wav(NOISY), one) != recognized(packed, {**other, "languageCode": "de"})

    @pytest.mark.parametrize(
        "config",
        [
            {"encoding": "MULAW"},
            {"encoding": "FLAC"},
            {"encoding": "LINEAR16", "sampleRateHertz": 8000},
            {"encoding": ["LINEAR16"]},
            {"sampleRateHertz": "16000"},
        ],
    )
    def test_are_not_taken_where_the_request_says_otherwise_than_the_file(self, config: dict[str, Any]) -> None:
        assert recognized(wav(NOISY), config) == recognized(wav(NOISY), config, by_samples=False)
        assert recognized(wav(NOISY), config) not in {recognized(wav(NOISY), {}), recognized(flac(NOISY), config)}

    def test_are_not_taken_where_google_hears_one_container_alone(self) -> None:
        assert recognized(wav(NOISY, width=24), {}) != recognized(flac(NOISY, width=24), {})

    def test_are_taken_by_the_second_version_where_it_heeds_the_head_of_a_file(self) -> None:
        heeded: dict[str, Any] = {"autoDecodingConfig": {}}
        stated = {"explicitDecodingConfig": {"encoding": "LINEAR16", "sampleRateHertz": 16000}}
        both = [recognized(each, heeded, version=2) for each in (wav(NOISY), flac(NOISY))]
        assert both[0] == both[1] != recognized(wav(NOISY[:-2]), heeded, version=2)
        for config in (stated, {**heeded, **stated}, {}, None):
            assert recognized(wav(NOISY), config, version=2) != recognized(flac(NOISY), config, version=2)

    def test_are_taken_from_geminis_if_the_media_type_says_what_it_is(self) -> None:
        both = [prompted(wav(NOISY), "audio/wav"), prompted(flac(NOISY), "audio/x-flac")]
        assert both[0] == both[1] != prompted(wav(NOISY[:-2]), "audio/wav")
        assert both[0] != prompted(wav(NOISY), "audio/wav", by_samples=False)
        for media_type in ("audio/flac", "audio/mp3", "", None):
            assert prompted(wav(NOISY), media_type) == prompted(wav(NOISY), media_type, by_samples=False)

    @given(st.binary(max_size=80), st.sampled_from([{}, None, [], "x", {"encoding": {}}, {"autoDecodingConfig": {}}]))
    def test_nothing_of_googles_makes_it_raise(self, tail: bytes, config: Any) -> None:
        for data in (wav(NOISY[:8])[: 80 - len(tail)] + tail, b"fLaC" + tail):
            for version in (1, 2):
                recognized(data, config, version=version)
            prompted(data, config)

    @given(st.binary(max_size=80))
    def test_no_file_makes_it_raise(self, tail: bytes) -> None:
        heard(wav(NOISY[:8])[: 80 - len(tail)] + tail)
        heard(b"fLaC" + tail)
