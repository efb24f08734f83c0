"""What can be told of a recording by its bytes: whole or not, and how long it plays."""

import io
import time
import wave
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_cache import audio
from sidecar_cache.audio import HEADERLESS, Sound
from sidecar_cache.slices import whole as done

from sidecar.lab.audio import formats, samples
from sidecar.lab.audio.encode import encoded, encoder
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.audio.pcm import Pcm

SECONDS = 1.7
RATE = 24000


def sound_of(data: bytes) -> Sound:
    return done(audio.sound_of(data))


def headerless_sound(data: bytes, samples: str, rate: int | None, channels: int = 1) -> Sound:
    return done(audio.headerless_sound(data, samples, rate, channels))


def sound() -> Pcm:
    """A hum that swells, as no silence is, and no noise."""
    at = np.arange(int(SECONDS * RATE)) / RATE
    values = (0.3 * np.sin(2 * np.pi * 220 * at) * at / SECONDS + 0.05 * np.sin(2 * np.pi * 1760 * at)).astype("f4")
    return samples.from_floats(values, RATE)


LAB = {
    "wav": formats.wav(RATE),
    "wav of mulaw": formats.wav(8000, "mulaw"),
    "wav of floats": formats.wav(RATE, "pcm_f32le"),
    "mp3": formats.mp3(RATE, 64_000),
    "mp3 of 44.1 kHz": formats.mp3(44100, 128_000),
    "mp3 of 8 kHz": formats.mp3(8000, 32_000),
    "opus": formats.opus(48000),
    "opus of 24 kHz": formats.opus(24000),
    "flac": formats.flac(RATE),
    "aac": formats.aac(RATE, 64_000),
}
LIBSNDFILE = {
    "mp3 of many bit rates": ("MP3", "MPEG_LAYER_III"),
    "vorbis": ("OGG", "VORBIS"),
    "extensible wav": ("WAVEX", "PCM_16"),
    "wav of 24 bits": ("WAV", "PCM_24"),
    "adpcm": ("WAV", "MS_ADPCM"),
    "flac of 24 bits": ("FLAC", "PCM_24"),
}
CONTAINERS = {"wav": "wav", "mp3": "mp3", "opus": "opus", "flac": "flac", "aac": "aac", "adpcm": "wav"}


@cache
def whole(name: str) -> bytes:
    """A file with true sizes."""
    if name in LAB:
        return encoded(sound().slices(0.2), LAB[name])
    container, subtype = LIBSNDFILE[name]
    out = io.BytesIO()
    values = samples.floats(sound())
    soundfile.write(out, np.column_stack((values, values)), RATE, subtype, format=container)
    return out.getvalue()


def streamed(audio: AudioFormat) -> bytes:
    """As services stream it: with no size known beforehand."""
    encoding = encoder(audio)
    return b"".join([encoding.feed(piece) for piece in sound().slices(0.2)]) + encoding.finish()


def container_of(name: str) -> str:
    return "ogg" if name == "vorbis" else "wav" if "wav" in name else CONTAINERS[name.split(" ")[0]]


@pytest.mark.parametrize("name", [*LAB, *LIBSNDFILE])
def test_a_whole_file_is_found_whole_and_of_its_length(name: str) -> None:
    found = sound_of(whole(name))
    assert (found.container, found.flaw) == (container_of(name), "")
    assert found.seconds == pytest.approx(SECONDS, abs=0.3), "encoders add a few frames"
    assert found.seconds >= SECONDS


@pytest.mark.parametrize("name", LAB)
def test_so_is_one_that_was_streamed(name: str) -> None:
    found = sound_of(streamed(LAB[name]))
    assert (found.container, found.flaw) == (container_of(name), "")
    assert found.seconds == pytest.approx(SECONDS, abs=0.3)


@pytest.mark.parametrize("name", [*LAB, *LIBSNDFILE])
def test_less_of_a_file_is_broken_or_shorter(name: str) -> None:
    data = whole(name)
    full = sound_of(data).seconds
    assert full is not None
    step = max(len(data) // 700, 1)
    for end in {*range(0, len(data), step), *range(min(len(data), 200)), *range(max(len(data) - 300, 0), len(data))}:
        found = sound_of(data[:end])
        assert found.flaw or not found.container or (found.seconds is not None and found.seconds < full), end


@pytest.mark.parametrize("name", ["wav", "opus", "vorbis", "flac", "extensible wav"])
def test_of_those_that_say_where_they_end_less_is_always_broken(name: str) -> None:
    data = whole(name)
    kept = [end for end in range(16, len(data), max(len(data) // 1000, 1)) if not sound_of(data[:end]).flaw]
    assert kept == []


@pytest.mark.parametrize("name", ["mp3", "opus", "flac", "aac"])
def test_what_is_lost_in_the_middle_is_missed(name: str) -> None:
    data = whole(name)
    middle = len(data) // 2
    lost = data[:middle] + data[middle + 701 :]
    found = sound_of(lost)
    if name == "flac":  # of which only the beginning and the end are looked at
        assert found.flaw == ""
    else:
        assert found.flaw


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (b"RIFF\x04\0\0\0WAVE", "it ends before the samples"),
        (b"RIFF\xff\xff\xff\xffWAVEdata\x02\0\0\0\0\0", "it does not say of what kind its samples are"),
        (whole("wav")[:44], "it has 44 bytes where"),
        (streamed(LAB["wav"])[:44], "there is no sound in it"),
        (whole("wav")[:4] + b"\xff" * 4 + whole("wav")[8:-1], "it has 81599 bytes of samples where 81600"),
        (b"OggS", "its last page is cut off"),
        (whole("opus")[27:], ""),
        (b"fLaC", "it ends before the sound"),
        (b"ID3\x04\0\0\0\0\0\0", "there is no sound in it"),
        (b"ID3\x04", "its last frame is cut off"),
        (b"\x1a\x45\xdf\xa3\x01", "it ends before the sound"),
        (b"\0\0\0\x08ftyp", "it ends before the sound"),
        (b"\0\0\0\x10ftyp", "its last part is cut off"),
        (b"<html><body>no sound</body></html>", ""),
    ],
)
def test_the_flaw_is_named(data: bytes, flaw: str) -> None:
    found = sound_of(data)
    assert found.flaw.startswith(flaw) if flaw else found.container == ""


def test_tags_are_no_sound() -> None:
    tagged = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257) + whole("mp3") + b"TAG" + bytes(125)
    assert sound_of(tagged) == sound_of(whole("mp3"))
    assert sound_of(b"ID3\x04\0\0\0\0\0\x04" + bytes(4) + whole("flac")) == sound_of(whole("flac"))
    assert sound_of(tagged[:-1]).flaw == "its last frame is cut off"
    both = sound_of(whole("mp3") + tagged).seconds
    assert both == pytest.approx(2 * (sound_of(whole("mp3")).seconds or 0)), "two files are twice as long as one"


def test_an_ogg_file_may_hold_several_streams_after_one_another() -> None:
    twice = sound_of(whole("opus") + whole("opus of 24 kHz"))
    assert (twice.flaw, twice.seconds) == ("", pytest.approx(2 * SECONDS, abs=0.1))
    assert sound_of(whole("opus") + whole("opus of 24 kHz")[:-1]).flaw


def test_a_page_that_is_missing_is_missed() -> None:
    pages = [b"OggS" + page for page in whole("opus").split(b"OggS")[1:]]
    assert len(pages) > 3
    assert sound_of(b"".join(pages)).flaw == ""
    assert sound_of(b"".join(pages[:2] + pages[3:])).flaw == "page 2 is missing"
    assert sound_of(b"".join(pages[:-1])).flaw == "no page of it is marked as its last"


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0, 0xFFFFFFDB])
def test_sizes_that_mean_until_the_end(size: int) -> None:
    data = whole("wav")
    of_nobody = data[:4] + size.to_bytes(4, "little") + data[8:40] + size.to_bytes(4, "little") + data[44:]
    assert sound_of(of_nobody) == sound_of(data)


def test_wav_is_read_as_everybody_reads_it() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(11025)
        file.writeframes(bytes(6 * 5000))
    assert sound_of(out.getvalue()).seconds == 5000 / 11025
    listed = out.getvalue()[:36] + b"LIST\x03\0\0\0abc\0" + out.getvalue()[36:]
    grown = listed[:4] + (len(listed) - 8).to_bytes(4, "little") + listed[8:]
    assert sound_of(grown).seconds == 5000 / 11025


@pytest.mark.parametrize(("samples", "width"), HEADERLESS.items())
def test_nothing_but_samples_plays_as_long_as_there_are_samples(samples: str, width: int) -> None:
    found = headerless_sound(b"\x01" * width * 16000, samples, 8000)
    assert (found.container, found.flaw, found.seconds) == (samples, "", 2.0)
    assert headerless_sound(b"\x01" * width * 16000, samples, 8000, 2).seconds == 1.0
    assert headerless_sound(b"\x01" * width, samples, None).seconds is None
    if width > 1:
        assert headerless_sound(b"\x01" * (width * 9 - 1), samples, 8000).flaw == "its last sample is cut off"


def test_what_was_asked_for_without_a_header_and_came_with_one_is_a_file() -> None:
    assert headerless_sound(whole("wav"), "pcm", 8000) == sound_of(whole("wav"))
    assert headerless_sound(b"\xff\xfb" * 800, "pcm", 8000).container == "pcm", "samples may look like an MP3's frame"


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"RIFF1234WAVE", b"OggS", b"fLaC", b"ID3\x04", b"\xff\xfb", b"\xff\xf1", b"\0\0\0\x20ftyp"]),
    st.binary(max_size=400),
)
def test_no_bytes_are_too_odd(mark: bytes, data: bytes) -> None:
    sound_of(mark + data)
    headerless_sound(mark + data, "pcm", 0)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([*LAB, *LIBSNDFILE]), st.data())
def test_no_damage_is_too_odd(name: str, draw: st.DataObject) -> None:
    damaged = bytearray(whole(name))
    for _ in range(draw.draw(st.integers(1, 8))):
        damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    sound_of(bytes(damaged))


@pytest.mark.parametrize("name", ["mp3", "opus", "flac", "aac", "wav"])
def test_it_takes_no_time_to_speak_of(name: str) -> None:
    data = whole(name)
    best = min(_seconds_for(data) for _ in range(5))
    assert best < 0.005, "a loop that serves calls waits for it"


def _seconds_for(data: bytes) -> float:
    started = time.thread_time()
    sound_of(data)
    return time.thread_time() - started
