"""Filters of `sidecar tail`: what they mean, and what makes no sense."""

import pytest

from sidecar.cli.selection import FIELDS, NEGATED, InvalidSelection, Selection
from sidecar.journal import CallTold
from tests.sidecar.cli.calls import ID, attempt, call, fault, verdict

CALL = call(
    operation="tts",
    answered_by="cache",
    model="gpt-4o-mini-tts",
    voice="alloy",
    language="en",
    format="mp3",
    endpoint="audio.speech",
    path="/v1/audio/speech",
    stream=True,
    attempts=(attempt(), attempt(number=1, provider="cartesia", error="dead", error_kind="dns_error")),
    verdicts=(verdict("cache", "miss", "nearest key differs in voice"), verdict("second", "hit")),
    faults=(fault("decisions", "hung for 250 ms"),),
)
BARE = call(model=None, status=None, answered_by=None, first_byte_seconds=None, attempts=(), outcome="failed")


@pytest.mark.parametrize(
    "term",
    [
        "op:tts",
        "op:TTS",
        "op:stt,tts",
        "op=tts",
        "op!=chat",
        "provider:openai",
        "provider:open*",
        "answered:cache",
        "tried:cartesia",
        "model:gpt-4o*",
        "-model:gpt-4o",
        "voice:alloy",
        "language:en",
        "format:mp3,wav",
        "endpoint:audio.*",
        "method:post",
        "path:*/speech",
        "door:base_url",
        "outcome:completed",
        "error:dns_*",
        "fault:decisions",
        "id:3f9a",
        f"id:{ID}",
        "status:200",
        "status:2xx",
        "status:>=200",
        "status<300",
        "status!=500",
        "ttfb>600ms",
        "ttfb:>600ms",
        "ttfb<=0.61s",
        "took:1s",
        "took<1m",
        "gap>200ms",
        "up>1kB",
        "up<=1100B",
        "down>8kB",
        "chunks:24",
        "attempts>1",
        "faults:1",
        "stream:true",
        "-stream:false",
        "cache:miss",
        "cache:m*",
        "second:hit",
        "-cache:hit",
        "nearest",
        '"key differs"',
        '"KEY DIFFERS"',
        "-absent",
        '-"not there"',
        "250 ms",
        "alloy",
    ],
)
def test_what_a_filter_takes(term: str) -> None:
    assert Selection([term])(CALL)
    negated = term.removeprefix("-") if term.startswith("-") else f"-{term}"
    if " " not in term or '"' in term:
        assert not Selection([negated])(CALL)


@pytest.mark.parametrize(
    "term",
    ["model:*", "answered:*", "ttfb>=0s", "ttfb<1h", "status!=200", "status:5xx", "attempts>0", "tried:*", "cache:*"],
)
def test_a_call_without_a_value_matches_nothing(term: str) -> None:
    assert not Selection([term])(BARE)
    assert Selection([f"-{term}"])(BARE)


def test_all_terms_must_hold_however_they_come() -> None:
    assert Selection(["op:tts", "status:200", "-cache:hit"])(CALL)
    assert Selection(["op:tts status:200 -cache:hit"])(CALL)
    assert not Selection(["op:tts status:404"])(CALL)
    assert Selection([])(CALL)


def test_quotes_keep_words_together() -> None:
    spaced = call(model="big model")
    assert Selection(['model:"big model"'])(spaced)
    assert not Selection(['"model big"'])(spaced)
    assert Selection(["model big"])(spaced)


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("statsu:200", "did you mean status?"),
        ("cash:hit", "did you mean cache?"),
        ("zzz:1", "there are op, provider,"),
        ("http://host", "within single quotes"),
        ("ttfb>300", "has no unit"),
        ("ttfb>soon", "expected something like ttfb>300ms"),
        ("up>big", "expected something like up>64KiB"),
        ("status:ok", "ok is no number; expected something like status>=2"),
        ("status:>=5xx", "5xx is no number"),
        ("op>chat", "op is no number; expected op:chat"),
        ("stream:yes", "expected true or false"),
        ("op:", "there is no value"),
        ('say "hello', "a double quote has no partner"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(term: str, said: str) -> None:
    with pytest.raises(InvalidSelection) as caught:
        Selection([term], ["cache", "tracing"])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("argument", "negated"),
    [
        ("-model:gpt-4o", True),
        ("-ttfb>1s", True),
        ("-status!=200", True),
        ('-"text"', True),
        ("-n", False),
        ("-o", False),
        ("--no-follow", False),
        ("--admin=http://127.0.0.1:1", False),
        ("op:tts", False),
    ],
)
def test_a_negated_filter_is_told_from_an_option(argument: str, negated: bool) -> None:
    assert bool(NEGATED.match(argument)) is negated


def test_every_field_can_be_asked_of_every_call() -> None:
    values = {"ttfb": "1s", "took": "1s", "gap": "1s", "up": "1B", "down": "1B", "stream": "true"}
    for some in (CALL, BARE, call(error="x", error_kind="y")):
        for name in FIELDS:
            assert isinstance(Selection([f"{name}:{values.get(name, '1')}"])(some), bool)


def test_a_field_is_read_from_what_its_name_says() -> None:
    def only(**fields: object) -> CallTold:
        return call(**fields)

    assert Selection(["down>1MB"])(only(response_bytes=2_000_000))
    assert not Selection(["up>1MB"])(only(response_bytes=2_000_000))
    assert Selection(["took>2s"])(only(duration_seconds=3.0))
    assert not Selection(["ttfb>2s"])(only(duration_seconds=3.0))
    assert Selection(["id:0af7"])(only(trace_id="0af7651916cd43dd8448eb211c80319c"))
