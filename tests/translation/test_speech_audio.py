"""Audio on its way: WAV headers on and off, samples widened and narrowed, whatever the chunks it comes in."""

import math
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import UpstreamBroken
from sidecar.lab.audio import wav as reference
from sidecar.translation import Untranslatable
from sidecar.translation.speech import riff
from sidecar.translation.speech.ask import Audio
from sidecar.translation.speech.rewrapping import Rewrapping
from sidecar.translation.speech.samples import to_float, to_sixteen_bits

SAMPLES = struct.pack("<6h", 0, 1, -1, 32767, -32768, 12345)
S16, F32 = Audio("pcm_s16le", "raw", 24000), Audio("pcm_f32le", "raw", 24000)
S16_WAV = Audio("pcm_s16le", "wav", 24000)


def rewrapped(given: Audio, wanted: Audio, chunks: Iterable[bytes]) -> bytes:
    rewrapping = Rewrapping(given, wanted)
    return b"".join([rewrapping.feed(chunk) for chunk in chunks]) + rewrapping.finish()


def whole(data: bytes) -> list[list[bytes]]:
    """*data* at once, byte by byte, and cut in two at every place."""
    return [
        [data],
        [data[at : at + 1] for at in range(len(data))],
        *([data[:at], data[at:]] for at in range(len(data))),
    ]


def extensible(tag: int, rate: int = 24000) -> bytes:
    """A header as some tools write it: an extended format, and a chunk of theirs before the samples."""
    shape = struct.pack("<HHIIHHHHI", 0xFFFE, 1, rate, rate * 2, 2, 16, 22, 16, 4) + struct.pack("<H", tag) + b"\0" * 14
    chunks = b"fmt " + struct.pack("<I", len(shape)) + shape + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + chunks + b"data" + struct.pack("<I", 0xFFFFFFFF)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "mulaw", "alaw"])
@pytest.mark.parametrize("size", [None, 0, 1000])
def test_a_header_is_what_other_programs_read_and_write(codec: str, size: int | None) -> None:
    assert riff.header(codec, 16000, size) == reference.header(codec, 16000, size)


@pytest.mark.parametrize(
    "head",
    [
        riff.header("pcm_s16le", 24000),
        riff.header("pcm_s16le", 24000, len(SAMPLES)),
        riff.header("pcm_s16le", 24000, 0),
        riff.header("pcm_s16le", 24000)[:40] + struct.pack("<I", 0x7FFFFFFF - 44),
        extensible(1),
    ],
    ids=["all ones", "true", "zero", "two gigabytes", "extensible"],
)
def test_a_header_is_taken_off_wherever_the_chunks_are_cut(head: bytes) -> None:
    for chunks in whole(head + SAMPLES):
        assert rewrapped(S16_WAV, S16, chunks) == SAMPLES


def test_what_stands_behind_the_samples_is_no_sound() -> None:
    tail = b"LIST" + struct.pack("<I", 4) + b"made"
    for chunks in whole(riff.header("pcm_s16le", 24000, len(SAMPLES)) + SAMPLES + tail):
        assert rewrapped(S16_WAV, S16, chunks) == SAMPLES


def test_a_header_where_none_was_expected_is_taken_off_too() -> None:
    for chunks in whole(riff.header("pcm_s16le", 24000) + SAMPLES):
        assert rewrapped(S16, S16_WAV, chunks) == SAMPLES
    for chunks in whole(b"RI" + SAMPLES):
        assert rewrapped(S16, S16, chunks) == b"RI" + SAMPLES


def test_a_header_may_tell_of_another_width_than_was_expected() -> None:
    floats = to_float(SAMPLES)
    for chunks in whole(riff.header("pcm_f32le", 24000) + floats):
        assert rewrapped(S16_WAV, S16, chunks) == SAMPLES


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (riff.header("pcm_s16le", 22050) + SAMPLES, "at 22050 Hz where 24000"),
        (riff.header("mulaw", 24000) + SAMPLES, "samples are mulaw"),
        (riff.header("pcm_s16le", 24000)[:20] + struct.pack("<HHIIHH", 1, 2, 24000, 96000, 4, 16), "2 channels"),
        (riff.header("pcm_s16le", 24000)[:20] + struct.pack("<HHIIHH", 2, 1, 24000, 12000, 1, 4), "format 2, 4 bits"),
        (b"RIFF" + struct.pack("<I", 99) + b"AVI " + SAMPLES, "without waves"),
        (b"RIFF" + struct.pack("<I", 99) + b"WAVEdata" + struct.pack("<I", 12) + SAMPLES, "does not say"),
        (b"RIFF" + struct.pack("<I", 99) + b"WAVEfmt " + struct.pack("<I", 2) + b"ab" + SAMPLES, "is cut"),
        (b"RIFF" + struct.pack("<I", 99) + b"WAVEjunk" + struct.pack("<I", 1 << 30) + b"\0" * (1 << 21), "megabyte"),
        (b"ID3\4" + SAMPLES, "no WAV header"),
    ],
)
def test_what_is_not_the_audio_that_was_asked_for_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(Untranslatable, match=words):
        rewrapped(S16_WAV, S16, [data])


@pytest.mark.parametrize(
    ("given", "data", "words"),
    [
        (S16_WAV, riff.header("pcm_s16le", 24000, 100) + SAMPLES, "88 bytes of samples are missing"),
        (S16_WAV, riff.header("pcm_s16le", 24000)[:30], "within its WAV header"),
        (S16_WAV, b"", "within its WAV header"),
        (S16_WAV, riff.header("pcm_s16le", 24000), "no audio"),
        (S16, SAMPLES[:-1], "within a sample"),
        (S16, b"", "no audio"),
        (S16, b"R", "within a sample"),
        (Audio("mp3", "mp3", 24000), b"ID", "before it has begun"),
        (Audio("opus", "ogg", 48000), b"", "before it has begun"),
    ],
)
def test_what_ends_early_is_broken(given: Audio, data: bytes, words: str) -> None:
    for chunks in whole(data):
        with pytest.raises(UpstreamBroken, match=words):
            rewrapped(given, S16 if given.sample_bytes else given, chunks)


@pytest.mark.parametrize(
    ("container", "good"),
    [
        ("mp3", b"ID3\4\0"),
        ("mp3", b"\xff\xfb\x90\0"),
        ("mp3", b"\xff\xf3\x40\0"),
        ("ogg", b"OggS\0\2"),
        ("flac", b"fLaC\0"),
        ("adts", b"\xff\xf1\x50\x80"),
        ("adts", b"\xff\xf9\x50\x80"),
        ("webm", b"\x1aE\xdf\xa3\1"),
    ],
)
def test_a_file_passes_as_it_is_if_it_begins_as_one_of_its_kind(container: str, good: bytes) -> None:
    audio = Audio("codec", container, 48000)
    for chunks in whole(good + SAMPLES):
        assert rewrapped(audio, audio, chunks) == good + SAMPLES
    for bad in (riff.header("pcm_s16le", 24000), b'{"error": "no"}', b"<html></html>", b"\xff\x00\x00\x00"):
        with pytest.raises(Untranslatable, match=f"does not begin as {container}"):
            rewrapped(audio, audio, [bad])


def test_samples_are_widened_and_narrowed_wherever_the_chunks_are_cut() -> None:
    floats = struct.pack("<6f", 0, 1 / 32768, -1 / 32768, 32767 / 32768, -1, 12345 / 32768)
    for chunks in whole(SAMPLES):
        assert rewrapped(S16, F32, chunks) == floats
    for chunks in whole(floats):
        assert rewrapped(F32, S16, chunks) == SAMPLES


@given(st.binary().filter(lambda data: len(data) % 2 == 0))
def test_widening_loses_nothing(data: bytes) -> None:
    assert to_sixteen_bits(to_float(data)) == data


@given(st.lists(st.floats(width=32)))
def test_any_float_becomes_some_sample(values: list[float]) -> None:
    narrowed = struct.unpack(f"<{len(values)}h", to_sixteen_bits(struct.pack(f"<{len(values)}f", *values)))
    for value, sample in zip(values, narrowed, strict=True):
        expected = 0 if math.isnan(value) else min(max(value * 32768, -32768), 32767)
        assert abs(sample - expected) <= 0.5


@given(st.lists(st.binary(max_size=60)), st.sampled_from(["pcm_s16le", "pcm_f32le", "mulaw"]), st.booleans())
def test_any_bytes_are_audio_or_are_refused(chunks: list[bytes], codec: str, headed: bool) -> None:
    given = Audio(codec, "wav" if headed else "raw", 24000)
    try:
        out = rewrapped(given, given, [b"RIFF\0\0\0\0WAVE", *chunks] if headed else chunks)
    except (Untranslatable, UpstreamBroken):
        return
    assert len(out) % (given.sample_bytes or 1) == 0
