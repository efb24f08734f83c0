"""What is written of an entry opens as that entry, under its own key and with its own secret, or not at all."""

import os
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_cache.codec import SHORTEST_SECRET, Codec, Garbled
from sidecar_cache.entry import About, Entry

from sidecar import Secret
from tests.plugins.kept_entries import entry

KEY = "0123456789abcdef" * 2
PLAIN = Codec()
SEALED = Codec(Secret("correct horse battery staple"))
both = pytest.mark.parametrize("codec", [PLAIN, SEALED], ids=["plain", "sealed"])

texts = st.text(max_size=20)
seconds = st.floats(0, 1e6)
blocks = st.sampled_from((b"Content-Type: audio/mpeg\r\n", b"content-type: text/event-stream\r\n", b""))
bodies = st.binary(max_size=2000) | st.builds(bytes.__mul__, st.binary(min_size=1, max_size=9), st.integers(0, 900))
entries = st.builds(
    Entry,
    status=st.integers(100, 599),
    block=blocks,
    data=bodies,
    chunked=st.booleans(),
    cuts=st.binary(max_size=16),
    gaps=st.binary(max_size=16),
    stored_ns=st.integers(0, 2**63 - 1),
    fresh_seconds=seconds,
    waited_seconds=seconds,
    took_seconds=seconds,
    about=st.builds(
        About,
        provider=texts,
        operation=texts,
        endpoint=texts,
        dialect=texts,
        model=texts,
        characters=st.integers(0, 2**31),
        audio_seconds=seconds,
        streamed=st.booleans(),
    ),
    parts=st.lists(st.tuples(texts, st.integers(0, 2**64 - 1)), max_size=4).map(tuple),
    source=st.sampled_from(("call", "warm")),
)


@both
@given(entries)
def test_an_entry_comes_back_as_it_was(codec: Codec, kept: Entry) -> None:
    assert codec.decode(KEY, codec.encode(KEY, kept)) == kept


@both
@given(entries, st.data())
def test_one_turned_bit_and_it_does_not_open(codec: Codec, kept: Entry, data: st.DataObject) -> None:
    written = bytearray(codec.encode(KEY, kept))
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Garbled):
        codec.decode(KEY, bytes(written))


@both
def test_every_bit_counts(codec: Codec) -> None:
    written = codec.encode(KEY, entry(8))
    for at in range(8 * len(written)):
        turned = bytearray(written)
        turned[at // 8] ^= 1 << at % 8
        with pytest.raises(Garbled):
            codec.decode(KEY, bytes(turned))


@both
def test_cut_anywhere_or_with_something_behind_it_does_not_open(codec: Codec) -> None:
    written = codec.encode(KEY, entry(50))
    for end in range(len(written)):
        with pytest.raises(Garbled):
            codec.decode(KEY, written[:end])
    with pytest.raises(Garbled):
        codec.decode(KEY, written + b"\0")


@both
@given(st.binary(max_size=200))
def test_anything_else_does_not_open(codec: Codec, found: bytes) -> None:
    with pytest.raises(Garbled):
        codec.decode(KEY, found)


@both
def test_moved_under_another_key_it_does_not_open(codec: Codec) -> None:
    with pytest.raises(Garbled):
        codec.decode(KEY[::-1], codec.encode(KEY, entry()))


def test_only_the_same_secret_opens_what_is_sealed_and_what_is_not_sealed_is_not_taken_for_it() -> None:
    other = Codec(Secret("correct horse battery stable"))
    for writer in (PLAIN, SEALED, other):
        written = writer.encode(KEY, entry())
        for reader in (PLAIN, SEALED, other):
            if reader is writer:
                assert reader.decode(KEY, written) == entry()
            else:
                with pytest.raises(Garbled):
                    reader.decode(KEY, written)
    assert len({PLAIN.label, SEALED.label, other.label}) == 3
    assert Codec(Secret("correct horse battery staple")).label == SEALED.label


def test_sealed_nothing_can_be_read_of_it_and_no_two_look_alike() -> None:
    kept = entry(data=b"Your account ends in 4711. " * 100, content_type="text/plain")
    first, second = SEALED.encode(KEY, kept), SEALED.encode(KEY, kept)
    assert first[5:] != second[5:]
    for legible in (b"4711", b"alloy", b"openai", b"Content-Type"):
        assert legible not in first


def test_text_is_packed_and_audio_is_not() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"well"},"finish_reason":null}]}\n\n'
    stream = entry(data=event * 100, content_type="text/event-stream")
    assert len(PLAIN.encode(KEY, stream)) < len(stream.data) / 10
    speech = entry(data=event * 100)
    assert len(PLAIN.encode(KEY, speech)) > len(speech.data)
    coded = entry(data=zlib.compress(event * 1000, 0), block=b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\n")
    assert len(PLAIN.encode(KEY, coded)) > len(coded.data)
    noise = entry(data=os.urandom(4000), content_type="application/json")
    assert len(PLAIN.encode(KEY, noise)) < len(noise.data) + 500
    assert PLAIN.decode(KEY, PLAIN.encode(KEY, noise)) == noise


def test_what_would_grow_beyond_any_answer_is_not_unpacked() -> None:
    bomb = entry(data=b" " * 10_000_000, content_type="application/json")
    written = PLAIN.encode(KEY, bomb)
    assert len(written) < 100_000
    with pytest.raises(Garbled, match="larger"):
        Codec(largest_bytes=1_000_000).decode(KEY, written)


def test_a_secret_that_can_be_guessed_is_refused_and_no_message_shows_it() -> None:
    short = "s" * (SHORTEST_SECRET - 1)
    with pytest.raises(ValueError, match="at least 16 characters") as refused:
        Codec(Secret(short))
    assert short not in str(refused.value)


def test_nothing_of_what_was_asked_is_in_an_entry_but_digests_and_counts() -> None:
    told = {field.name for kind in (Entry, About) for field in msgspec.structs.fields(kind)}
    counts = {"stored_ns", "fresh_seconds", "waited_seconds", "took_seconds", "audio_seconds", "characters", "status"}
    answer = {"block", "data", "chunked", "cuts", "gaps", "source"}
    labels = {"about", "provider", "operation", "endpoint", "dialect", "model", "voice", "language", "streamed"}
    assert told == counts | answer | labels | {"parts"}
