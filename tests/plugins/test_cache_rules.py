"""Which calls are the same call, held against what the providers document: a hundred thousand generated calls.

A call is a choice of values for the fields of its endpoint. The same choice can be written in many ways, all of which
ask for the same; a choice that differs in one field asks for something else, unless that field stands on the list of
what is left out.
"""

import base64
import json
import os
import random
import re
import unicodedata
from collections.abc import Mapping
from functools import cache, reduce
from operator import xor
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_to_bytes

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sidecar_cache.identity import Identity, Unsuitable, identity_of, opening_of, read_head
from sidecar_cache.rules import left_out, refused_endpoints
from sidecar_cache.rules.endpoint import Row
from sidecar_cache.rules.headers import NOISE
from sidecar_cache.rules.pairs import of_query

from sidecar import Exchange, Headers, Provider
from sidecar.body import Body
from sidecar.dialects import load
from sidecar.exchange import Request
from sidecar.headers import Template
from sidecar.multipart import Part, write
from sidecar.notes import Notes
from sidecar.testing import call, provider
from tests.plugins.test_cache_rules_schemas import ID, KEY, OUT, REFUSED, SCHEMAS, Field, Schema, name

SECRET: Final = b"s" * 32
SEED: Final = os.environ.get("CACHE_SEED", "1")
CALLS: Final = 100_000
SHARE: Final = -(-CALLS // len(SCHEMAS))

Values = dict[Field, Any]

_provider = cache(provider)

# -- writing -----------------------------------------------------------------------------------------------------------

#: Members of Google's that hold names of the caller's.
_FREE: Final = frozenset(
    ("args", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels", "vendorOption")
)
_GOOGLE: Final = frozenset(("generateContent", "streamGenerateContent", "text.synthesize", "speech.recognize"))
_NOISE_HEADERS: Final = tuple(sorted(NOISE.keys() - {b"content-type", b"content-length", b"transfer-encoding"}))


def written(schema: Schema, values: Values, draw: random.Random | None = None) -> Exchange:
    """The call of *values*; with *draw* written in a way of its own, and with what changes nothing drawn anew."""
    given = {where: [(field, value) for field, value in values.items() if field.where == where] for where in _WHERE}
    path = schema.target.format(**{field.name: value for field, value in given["path"]})
    query = "&".join(f"{name}={value}" for name, value in _pairs(given["query"], draw))
    headers = [(field.name.encode(), value.encode()) for field, value in given["header"]]
    content_type, data = _body(schema, given, draw)
    if content_type:
        headers.append((b"content-type", content_type.encode()))
    headers.append((b"content-length", b"%d" % len(data)))
    if draw is not None:
        headers += [(noise, draw.choice((b"1", b"no-transform", b"a=b"))) for noise in draw.sample(_NOISE_HEADERS, 3)]
        headers += [(b"x-stainless-retry-count", b"%d" % draw.randint(0, 2)), (b"user-agent", name(draw).encode())]
        headers = [(draw.choice((each, each.title(), each.upper())), value) for each, value in headers]
        draw.shuffle(headers)
    return exchange_of(_provider(schema.dialect), f"{path}?{query}" if query else path, headers, data)


def with_body(exchange: Exchange, schema: Schema, values: Values) -> Exchange:
    """*exchange* with the body of *values* under a head that comes again, as on a connection that is kept."""
    given = {where: [(field, value) for field, value in values.items() if field.where == where] for where in _BODY}
    return exchange.with_request(
        msgspec.structs.replace(exchange.request, body=Body(_body(schema, given, None)[1])),
    )


_BODY: Final = ("body", "form", "document", "file", "bytes")
_WHERE: Final = ("path", "query", "header", "body", "form", "document", "file", "bytes")


def exchange_of(to: Provider, target: str, headers: list[tuple[bytes, bytes]], data: bytes) -> Exchange:
    path, _, query = target.partition("?")
    assert to.dialect is not None
    return Exchange(
        id="0" * 32,
        request=Request(method="POST", target=target, headers=Headers(headers), body=Body(data)),
        provider=to,
        candidates=(to,),
        notes=Notes(0.0),
        call=to.dialect.recognise("POST", path, query),
    )


def _body(
    schema: Schema, given: Mapping[str, list[tuple[Field, Any]]], draw: random.Random | None
) -> tuple[str, bytes]:
    if schema.body == "json":
        return "application/json", _json(schema, _nested(given["body"]), draw)
    if schema.body == "bytes":
        return "", next(value for _, value in given["bytes"])
    if schema.body == "pairs":
        pairs = _pairs(given["form"], draw, plus=draw is not None and draw.random() < 0.5)
        return "application/x-www-form-urlencoded", "&".join(f"{name}={value}" for name, value in pairs).encode()
    parts = [Part.of(field.name, each) for field, value in given["form"] for each in _texts(field, value, draw)]
    parts += [Part.of(field.name, _json(schema, value, draw)) for field, value in given["document"]]
    stem = "speech" if draw is None else name(draw)
    parts += [Part.of(field.name, value, f"{stem}.wav", "audio/wav") for field, value in given["file"]]
    boundary = "boundary-0" if draw is None else f"boundary-{draw.getrandbits(64):x}"
    if draw is not None:  # those of one name keep their order
        order = {part.name: draw.random() for part in parts}
        parts.sort(key=lambda part: order[part.name])
    return f"multipart/form-data; boundary={boundary}", write(parts, boundary)


def _texts(field: Field, value: Any, draw: random.Random | None) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    if draw is not None and field.name.startswith("timestamp_granularities"):
        listed = draw.sample(listed, len(listed)) + draw.sample(listed, 1)
    return [_number(each, draw) if isinstance(each, int | float) else each for each in listed]


def _pairs(given: list[tuple[Field, Any]], draw: random.Random | None, plus: bool = False) -> list[tuple[str, str]]:
    if draw is not None:
        given = draw.sample(given, len(given))
    encoded = quote_plus if plus else quote
    pairs = []
    for field, value in given:
        safe = "" if draw is None else draw.choice(("", "-_.!~*'()/:@,$"))
        pairs += [(encoded(field.name, safe), encoded(each, safe)) for each in _texts(field, value, draw)]
    return pairs


def _nested(given: list[tuple[Field, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for field, value in given:
        *path, last = field.name.split(".")
        at = members
        for each in path:
            at = at.setdefault(each, {})
        at[last] = value
    return members


def _json(schema: Schema, value: Any, draw: random.Random | None) -> bytes:
    snake = draw is not None and schema.endpoint in _GOOGLE and draw.random() < 0.5
    ids = "call_" if draw is None else f"call_{draw.getrandbits(32):x}_"
    value = _filled(value, ids, draw, snake) if snake or schema.endpoint not in _WITHOUT_IDS else value
    return msgspec.json.encode(value) if draw is None else _spelled(value, draw).encode()


_WITHOUT_IDS: Final = frozenset(("audio.speech", "completions", "fim.completions", "tts.bytes", "tts.sse", "speak"))


def _filled(value: Any, ids: str, draw: random.Random | None, snake: bool) -> Any:
    """*value* with ids and recordings as they go onto the wire."""
    if isinstance(value, dict):
        return {
            re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", each) if snake else each: _filled(
                inner, ids, draw, snake and each not in _FREE
            )
            for each, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(each, ids, draw, snake) for each in value]
    if isinstance(value, str) and value.startswith(ID):
        return f"{ids}{value.removeprefix(ID)}"
    if isinstance(value, bytes):
        if draw is None:
            return base64.b64encode(value).decode()
        encoded = draw.choice((base64.b64encode, base64.urlsafe_b64encode))(value).decode()
        return encoded if draw.random() < 0.5 else encoded.rstrip("=")
    return value


def _spelled(value: Any, draw: random.Random) -> str:
    space = draw.choice(("", "", " ", "\n\t"))
    if isinstance(value, dict):
        members = [f"{_spelled(each, draw)}{space}:{_spelled(inner, draw)}" for each, inner in value.items()]
        draw.shuffle(members)
        return f"{{{space}{f'{space},'.join(members)}{space}}}"
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join([_spelled(each, draw) for each in value])}{space}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=draw.random() < 0.5)
    return _number(value, draw) if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)


def _number(value: float, draw: random.Random | None) -> str:
    if draw is not None and abs(value) < 1 << 53:
        for other in draw.sample(
            (f"{value}.0", f"{value:e}", f"{value}00" if "." in f"{value}" else "", f"{value!r}"), 4
        ):
            if re.fullmatch(r"-?\d+(\.\d+)?(e[-+]\d+)?", other) and float(other) == value:
                return other
    return repr(value)


# -- choosing ----------------------------------------------------------------------------------------------------------


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """Those of *schema*, and what identifies the agent."""
    credential = load(schema.dialect).credential_header
    return (*schema.fields, Field("header", credential, lambda draw: f"Bearer {name(draw)}", KEY, True))


def chosen(fields: tuple[Field, ...], draw: random.Random) -> Values:
    return {
        field: field.draw(draw)
        for field in fields
        if field.needed or (field.effect != REFUSED and draw.random() < 0.35)
    }


def changed(field: Field, value: Any, draw: random.Random) -> Any:
    """Another value for *field*; None to leave it out."""
    if field.effect == REFUSED and field.needed:
        return None
    if value is None:
        return field.draw(draw)
    if not field.needed and draw.random() < 0.3:
        return None
    if field.effect != KEY or field.where == "path":
        return field.draw(draw)
    return f"{value}x" if field.where == "header" else altered(value, draw)


def altered(value: Any, draw: random.Random) -> Any:
    """*value* with the least of differences."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return altered_text(value, draw)
    if isinstance(value, int | float):
        return draw.choice((value + 1, -value - 1))
    if isinstance(value, bytes):
        at = draw.randrange(len(value))
        return draw.choice((value + b"\0", value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]))
    if isinstance(value, list):
        places = [at for at, each in enumerate(value) if not _is_id(each)]
        if places and draw.random() < 0.9:
            at = draw.choice(places)
            return [*value[:at], altered(value[at], draw), *value[at + 1 :]]
        return [*value, "further"]
    if isinstance(value, dict):
        names = [each for each, inner in value.items() if not _is_id(inner)]
        if names and draw.random() < 0.9:
            at = draw.choice(names)
            return {**value, at: altered(value[at], draw)}
        return {**value, "further": None}
    return False


def altered_text(value: str, draw: random.Random) -> str:
    others = [value.swapcase(), f"{value} ", f" {value}", f"{value}\n", f"{value}.", value[:-1], value[::-1]]
    others += [unicodedata.normalize(form, value) for form in ("NFC", "NFD")]
    others += [value.replace("é", "é"), value.replace("0", "1"), value.strip()]
    return draw.choice([other for other in others if other != value])


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(ID)


def asks(field: Field, value: Any) -> int:
    """A number for what is asked for by *value*: 0 for nothing that could change the answer."""
    value = field.default if value is None else value
    if value is None or field.effect != KEY:
        return 0
    if field.name == "accept-encoding":
        value = value.lower()
    if isinstance(value, list) and field.name.startswith("timestamp_granularities"):
        value = sorted(set(value))
    return hash((field.where, field.name, _MEANING(value)))


_MEANING: Final = json.JSONEncoder(sort_keys=True, default=lambda data: {"": data.hex()}).encode


def key_of(exchange: Exchange) -> str | None:
    """None where there is none."""
    try:
        return identity(exchange).key
    except Unsuitable:
        return None


def identity(exchange: Exchange, secret: bytes = SECRET, *, by_samples: bool = False) -> Identity:
    head, data = read_head(exchange.request.headers), exchange.request.body.data
    return identity_of(opening_of(exchange, head, secret), head, data or b"", by_samples=by_samples)


# -- the property ------------------------------------------------------------------------------------------------------


def test_there_are_enough_calls() -> None:
    assert SHARE * len(SCHEMAS) >= CALLS


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: f"{schema.dialect}/{schema.endpoint}")
def test_every_field_alone_changes_the_key_or_is_on_the_list_and_no_noise_does(schema: Schema) -> None:
    draw = random.Random(f"{SEED} {schema.dialect} {schema.endpoint}")
    fields, calls, without = fields_of(schema), 0, 0
    seen: dict[str, int] = {}
    while calls < SHARE:
        values = chosen(fields, draw)
        exchange = written(schema, values)
        assert exchange.call is not None
        assert exchange.call.endpoint == schema.endpoint
        exchange.request.headers.template = Template()
        base, said = key_of(exchange), reduce(xor, (asks(field, value) for field, value in values.items()))
        assert base is not None, f"seed {SEED}: {values}"
        assert seen.setdefault(base, said) == said
        for _ in range(2):
            respelled = written(schema, values, draw)
            if key_of(respelled) != base:
                pytest.fail(f"seed {SEED}: noise\n{exchange.request.body.data!r}\n{respelled.request.body.data!r}")
        calls += 3
        for field in fields:
            value, old, other = changed(field, values.get(field), draw), values.get(field), dict(values)
            if value is None:
                other.pop(field, None)
            else:
                other[field] = value
            asked = with_body(exchange, schema, other) if field.where in _BODY else written(schema, other)
            key, calls = key_of(asked), calls + 1
            if field.effect == REFUSED:
                right = key is None
            else:
                differs = asks(field, old) ^ asks(field, value)
                right = (key != base) if differs else (key == base)
                right &= key is None or seen.setdefault(key, said ^ differs) == said ^ differs
                without += key is None
            if not right:
                pytest.fail(f"seed {SEED}: {field.where} {field.name}: {old!r} {value!r}")
    assert without < calls / 50, "most changes must lead to calls that have keys"


# -- the list ----------------------------------------------------------------------------------------------------------


def test_every_line_of_the_list_has_a_reason_and_stands_there_once() -> None:
    rows = left_out()
    assert all(row.reason and row.name for row in rows)
    assert len({row[:4] for row in rows}) == len(rows)


def test_every_line_of_the_list_is_tried() -> None:
    tried = {
        (schema.dialect, schema.endpoint, field.where, field.name)
        for schema in SCHEMAS
        for field in schema.fields
        if field.effect == OUT
    }
    for row in left_out():
        assert row[:4] in tried or row[2:4] in WRITTEN_IN_ONE_WAY or row.where == "header", row


@pytest.mark.parametrize("row", [row for row in left_out() if row.where == "header"], ids=lambda row: row.name)
def test_a_header_on_the_list_changes_nothing(row: Row) -> None:
    name, _, said = row.name.partition(": ")
    named, value = name.replace("*", "something").encode(), (said or HEADER_VALUES.get(name, "7")).encode()
    for schema in SCHEMAS[:: len(SCHEMAS) // 8] if row.dialect == "*" else SCHEMAS:
        if (row.dialect, row.endpoint) not in (("*", "*"), schema[:2]) or (
            name == "content-type" and schema.body != "json"
        ):
            continue
        exchange = written(schema, chosen(fields_of(schema), random.Random(SEED)))
        kept = [field for field in exchange.request.headers.fields if field[0] != named]
        data, target = exchange.request.body.data, exchange.request.target
        assert data is not None
        plain, more = (
            exchange_of(exchange.provider, target, [*kept, *further], data) for further in ((), ((named, value),))
        )
        if name == "content-type":
            plain = exchange
        assert key_of(more) == key_of(plain) is not None


#: What agents send in headers that are only left out for some values.
HEADER_VALUES: Final = {"content-type": "application/json; charset=UTF-8", "accept-encoding": "gzip, br;q=0.5"}


#: What must never be in a key, whatever the list says.
MUST_NOT: Final = (
    *("x-stainless-retry-count", "x-stainless-lang", "x-stainless-read-timeout", "x-fern-sdk-name", "user-agent"),
    *("x-deepgram-session-id", "x-request-id", "x-client-request-id", "idempotency-key", "x-goog-api-client"),
    *("traceparent", "tracestate", "baggage", "b3", "x-b3-traceid", "content-length", "transfer-encoding", "host"),
    *("connection", "keep-alive", "te", "expect", "cache-control", "pragma"),
)


@pytest.mark.parametrize("name", MUST_NOT)
def test_what_differs_from_call_to_call_is_in_no_key(name: str) -> None:
    plain, noisy = (
        call("openai", "/v1/audio/speech", {"input": "a"}, headers={"Authorization": "Bearer a", **more})
        for more in ({}, {name: "17"})
    )
    assert key_of(plain) == key_of(noisy) is not None


def chat(*turns: Any, **members: Any) -> Exchange:
    return call("openai", "/v1/chat/completions", {"model": "m", "messages": turns, **members})


def gemini(body: Any, verb: str = "generateContent") -> Exchange:
    return call("gemini", f"/v1beta/models/m:{verb}", body)


def form(*parts: Part, to: str = "openai", target: str = "/v1/audio/transcriptions") -> Exchange:
    return call(to, target, write(parts, "b0"), headers={"Content-Type": "multipart/form-data; boundary=b0"})


def yandex(body: str | bytes) -> Exchange:
    data = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return call("yandex", "/speech/v1/tts:synthesize", data, headers=headers)


def recognition(**config: Any) -> Exchange:
    return call("google_cloud", "/v1/speech:recognize", {"config": config, "audio": {"content": "AAAA"}})


def used(known_as: str, result: str) -> Exchange:
    use = {"type": "tool_use", "id": known_as, "name": "f", "input": {}}
    given = {"type": "tool_result", "tool_use_id": result, "content": "1"}
    turns = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [given]}]
    return call("anthropic", "/v1/messages", {"model": "m", "max_tokens": 1, "messages": turns})


def called(*ids: str, results: tuple[str, ...] = ()) -> Exchange:
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    return chat(
        {"role": "assistant", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": each, "content": "1"} for each in results),
    )


def responded(known_as: str, result: str) -> Exchange:
    items = [
        {"type": "function_call", "call_id": known_as, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": result, "output": "1"},
    ]
    return call("openai", "/v1/responses", {"model": "m", "input": items, "store": False})


AUDIO: Final = Part.of("file", b"RIFF", "a.wav", "audio/wav")
WAYS: Final = "timestamp_granularities[]"
#: By where and what: two calls that are the same, and calls that look like it and are not.
WRITTEN_IN_ONE_WAY: Final[Mapping[tuple[str, str], tuple[Exchange, Exchange, tuple[Exchange, ...]]]] = {
    ("body", "messages[].tool_calls[].id"): (
        called("call_a", "call_b", results=("call_a", "call_b")),
        called("call_b", "call_a", results=("call_b", "call_a")),
        (called("call_a", "call_b", results=("call_b", "call_a")), called("call_a", "call_a", results=("call_a",))),
    ),
    ("body", "messages[].tool_call_id"): (
        called("call_a", results=("call_a",)),
        called("call_b", results=("call_b",)),
        (called("call_a", results=("call_b",)),),
    ),
    ("body", "messages[].content[].id"): (used("a", "a"), used("b", "b"), (used("a", "b"),)),
    ("body", "messages[].content[].tool_use_id"): (used("a", "b"), used("b", "a"), (used("a", "a"),)),
    ("body", "input[].call_id"): (responded("a", "a"), responded("b", "b"), (responded("a", "b"),)),
    ("body", "stream"): (chat(stream=True), chat(), (chat(stream="yes"), chat(stream=1))),
    ("body", "stream_options"): (
        chat(stream=True, stream_options={"include_usage": True}),
        chat(stream=True, stream_options={"include_obfuscation": False}),
        (chat(stream=True, stream_options={"continuous_usage_stats": True}),),
    ),
    ("path", "streamGenerateContent"): (
        gemini({"contents": []}),
        gemini({"contents": []}, "streamGenerateContent"),
        (gemini({"contents": []}, "streamGenerateContent?alt=proto"),),
    ),
    ("body", "case of names (snake_case)"): (
        gemini({"generation_config": {"top_p": 1, "response_schema": {"a_b": 1}}}),
        gemini({"generationConfig": {"topP": 1, "responseSchema": {"a_b": 1}}}),
        (
            gemini({"generationConfig": {"topP": 1, "responseSchema": {"aB": 1}}}),
            gemini({"generationConfig": {"topP": 1, "top_p": 2, "responseSchema": {"a_b": 1}}}),
        ),
    ),
    ("body", "numbers of encodings"): (
        recognition(encoding=6),
        recognition(encoding="OGG_OPUS"),
        (recognition(encoding=5), recognition(encoding=True), recognition(encoding="6"), recognition(encoding=99)),
    ),
    ("body", "spelling of base64"): (
        gemini({"contents": [{"parts": [{"inlineData": {"data": "-_8="}}]}]}),
        gemini({"contents": [{"parts": [{"inline_data": {"data": "+/8"}}]}]}),
        (
            gemini({"contents": [{"parts": [{"inlineData": {"data": "+/8=="}}]}]}),
            gemini({"contents": [{"parts": [{"inlineData": {"data": "+/8\n"}}]}]}),
            gemini({"contents": [{"parts": [{"inlineData": {"data": "+/A"}}]}]}),
            gemini({"contents": [{"parts": [{"text": "+/8"}]}]}),
        ),
    ),
    ("form", "name of a file"): (
        form(AUDIO),
        form(Part.of("file", b"RIFF", "another take.WAV", "audio/wav")),
        (
            form(Part.of("file", b"RIFF", "a.mp3", "audio/wav")),
            form(Part.of("file", b"RIFF", "wav", "audio/wav")),
            form(Part.of("file", b"RIFF", None, "audio/wav")),
        ),
    ),
    ("form", "spelling of numbers"): (
        form(AUDIO, Part.of("temperature", "0")),
        form(AUDIO, Part.of("temperature", "0.0")),
        (
            form(AUDIO, Part.of("temperature", "")),
            form(AUDIO, Part.of("temperature", "0,0")),
            form(AUDIO, Part.of("temperature", " 0")),
            form(AUDIO, Part.of("prompt", "0.0")),
        ),
    ),
    ("form", "order of timestamp_granularities"): (
        form(AUDIO, Part.of(WAYS, "word"), Part.of(WAYS, "segment")),
        form(AUDIO, Part.of(WAYS, "segment"), Part.of(WAYS, "word"), Part.of(WAYS, "segment")),
        (
            form(AUDIO, Part.of(WAYS, "word")),
            form(AUDIO, Part.of("include[]", "word"), Part.of("include[]", "segment")),
        ),
    ),
    ("form", "lang=ru-RU"): (yandex("text=a"), yandex("text=a&lang=ru-RU"), (yandex("text=a&lang=ru"),)),
    ("form", "format=oggopus"): (yandex("text=a"), yandex("format=oggopus&text=a"), (yandex("text=a&format=mp3"),)),
    ("form", "sampleRateHertz=48000"): (
        yandex("text=a&format=lpcm"),
        yandex("text=a&format=lpcm&sampleRateHertz=48000"),
        (yandex("text=a&format=lpcm&sampleRateHertz=8000"), yandex("text=a"), yandex("text=a&sampleRateHertz=48000")),
    ),
    ("form", "spelling of speed and sampleRateHertz"): (
        yandex("text=a&speed=1"),
        yandex("text=a&speed=1.0"),
        (yandex("text=a&speed=1.1"), yandex("text=1.0&speed=1")),
    ),
}


@pytest.mark.parametrize("calls", WRITTEN_IN_ONE_WAY.values(), ids=[" ".join(name) for name in WRITTEN_IN_ONE_WAY])
def test_what_is_written_in_one_way_is_no_more_than_that(
    calls: tuple[Exchange, Exchange, tuple[Exchange, ...]],
) -> None:
    one, other, others = calls
    assert key_of(one) == key_of(other) is not None
    keys = [key_of(one), *(key_of(each) or object() for each in others)]
    assert len(set(keys)) == len(keys)


def test_only_what_the_list_names_of_a_field_is_left_out() -> None:
    """The word null, which an SDK sends for nothing; an answer whose enumerations are drawn in another way."""
    scribe, target = "elevenlabs", "/v1/speech-to-text"
    plain, null, asked = (
        key_of(form(AUDIO, *parts, to=scribe, target=target))
        for parts in ((), (Part.of("entity_detection", "null"),), (Part.of("entity_detection", "all"),))
    )
    assert plain == null != asked
    body = {"config": {}, "audio": {"content": ""}}
    google = [
        key_of(call("google_cloud", f"/v1/speech:recognize{query}", body))
        for query in ("", "?%24alt=json%3Benum-encoding%3Dint", "?$alt=proto")
    ]
    assert google[0] == google[1] != google[2]


class TestYandexForms:
    def test_are_the_same_however_they_are_encoded(self) -> None:
        assert key_of(yandex("text=%D0%B0+b&voice=jane")) == key_of(yandex("voice=jane&text=%d0%b0%20b"))
        assert key_of(yandex("text=a+b")) != key_of(yandex("text=a%2Bb"))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("text=Привет & как&lang=ru-RU", "text=Привет %26 как&lang=ru-RU"),
            ("text=привет+", "text=привет%2B"),
            ("text=привет+", "text=привет%20"),
            ("text=%zz", "text=%25zz"),
            ("text=a b", "text=a+b"),
            ("text", "text="),
            ("text=a&text=b", "text=b&text=a"),
        ],
    )
    def test_that_are_not_encoded_are_known_by_their_bytes(self, one: str, other: str) -> None:
        assert key_of(yandex(one)) != key_of(yandex(other))

    def test_name_who_pays(self) -> None:
        with_folder = identity(yandex("text=a&folderId=f1"))
        assert "tenant.folderId" in with_folder.names
        assert with_folder.key != identity(yandex("text=a&folderId=f2")).key


def test_endpoints_without_keys_say_why() -> None:
    assert {row[:2] for row in refused_endpoints()} >= {("assemblyai", "transcript"), ("mistral", "agents.completions")}
    assert all(row.reason for row in refused_endpoints())


@given(st.binary(max_size=60), st.binary(max_size=60))
@example(b"a=%2B", b"a=+")
@example(b"a=%25zz", b"a=%zz")
@example(b"a", b"a=")
@example(b"a+b=1", b"a%20b=1")
@example(b"a=b+c", b"a=b%20c")
@example(b"a=%zz", b"a=%%zz")
@example(b"", b"&")
@example(b"\xff=1", b"\\xff=1")
def test_queries_that_are_read_alike_say_the_same(one: bytes, other: bytes) -> None:
    """Everything but order and needless encoding is told apart: decoding is undone by encoding."""
    ones, others = (each.decode("latin-1") for each in (one, other))
    if of_query(ones) == of_query(others):
        said = [sorted(plain(item) for item in each.encode().split(b"&") if item) for each in (ones, others)]
        assert said[0] == said[1]


def plain(item: bytes) -> bytes:
    """A pair with every character percent-encoded, unless it is not encoded as it should be."""
    pieces = item.partition(b"=")
    if any(re.search(rb"%(?![0-9A-Fa-f]{2})", piece) for piece in pieces):
        return item
    name, equals, value = (b"+".join(map(everything_encoded, each.split(b"+"))) for each in pieces)
    return name + equals + value


def everything_encoded(text: bytes) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in unquote_to_bytes(text))
