"""Bodies that are spelled as before are known without being read."""

import tracemalloc
from typing import Final

import pytest
from sidecar_cache.identity import Head, Identity, Opening, Unsuitable, identity_of, opening_of, read_head
from sidecar_cache.spellings import MOST_BYTES, Spellings

from sidecar import Exchange
from sidecar.testing import call
from tests.plugins.test_cache_identity import DIFFERENT, SECRET, chat, content

KNOWN: Final = Identity("k" * 32)


def asked(exchange: Exchange) -> tuple[Opening, Head]:
    head = read_head(exchange.request.headers)
    return opening_of(exchange, head, SECRET), head


def test_a_body_is_known_again_only_by_all_its_bytes() -> None:
    spellings, of = Spellings(), asked(chat())
    spellings.keep(*of, b'{"a":1}', KNOWN)
    assert spellings.recall(*of, b'{"a":1}') == KNOWN
    assert spellings.recall(*of, b'{"a": 1}') is None


def test_bodies_are_each_agents_own() -> None:
    spellings = Spellings()
    spellings.keep(*asked(chat(headers={"authorization": "Bearer a"})), b"{}", KNOWN)
    assert spellings.recall(*asked(chat(headers={"authorization": "Bearer b"})), b"{}") is None


@pytest.mark.parametrize("calls", DIFFERENT.values(), ids=list(DIFFERENT))
def test_one_call_is_never_taken_for_another(calls: tuple[Exchange, ...]) -> None:
    """The same bytes are other audio at another rate, and another form with another boundary."""
    spellings = Spellings()
    for exchange in calls:
        data = exchange.request.body.data or b""
        try:
            opening, head = asked(exchange)
            wanted = identity_of(opening, head, data)
        except Unsuitable:
            continue
        assert spellings.recall(opening, head, data) in (None, wanted)
        spellings.keep(opening, head, data, wanted)
        assert spellings.recall(opening, head, data) == wanted


def test_the_form_in_which_an_answer_is_wanted_is_not_mistaken() -> None:
    """Path and query of the two say the same, and their bodies too; but one is to be answered in a stream."""
    spellings, streamed = (
        Spellings(),
        call("gemini", "/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": []}),
    )
    spellings.keep(*asked(content()), b"{}", KNOWN)
    assert asked(streamed)[0].digest == asked(content())[0].digest
    assert spellings.recall(*asked(streamed), b"{}") is None


def test_what_is_held_is_bounded_and_counted_and_the_oldest_goes_first() -> None:
    of = asked(chat())
    tracemalloc.start()
    try:
        spellings = Spellings()
        for number in range(6000):
            data = b"%d" % number
            known = Identity(f"{number:032}")
            spellings.keep(*of, data * 150, known)
            spellings.keep(*of, data * 150, known)
            spellings.keep(*of, data + bytes(20_000), KNOWN)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spellings.held_bytes * 0.6 < held < spellings.held_bytes <= MOST_BYTES
    assert spellings.recall(*of, b"5999" * 150) is not None
    assert spellings.recall(*of, b"5000" * 150) is not None
    assert spellings.recall(*of, b"1000" * 150) is None
    assert spellings.recall(*of, b"5999" + bytes(20_000)) is None, "nothing large"
