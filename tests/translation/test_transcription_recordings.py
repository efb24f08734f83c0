"""What a recording is, which providers take it, and how it is made to fit without a codec."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.lab.audio import formats
from sidecar.lab.audio.encode import encoded
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.audio.pcm import silence
from sidecar.translation import Inexpressible
from sidecar.translation.transcription import accepts
from sidecar.translation.transcription.accepted import NAMES, TAKES, fitting
from sidecar.translation.transcription.recording import SAMPLE_BYTES, Sound, sound_of, wav_header
from tests.translation.listening import DIALECTS, WAV, wav

SECOND = 1.0


def made(audio: AudioFormat) -> bytes:
    """A second of silence as an encoder writes it that is not ours."""
    return encoded([silence(SECOND, audio.rate)], audio)


def extensible() -> bytes:
    """A WAV whose format says further on what it is, with a list of remarks before and after the samples."""
    remark = b"LIST\x05\0\0\0INFOx\0"
    shape = struct.pack("<HHIIHHHHI", 0xFFFE, 2, 48000, 192000, 4, 16, 22, 16, 3) + b"\x01\0" + bytes(14)
    chunks = remark + b"fmt " + len(shape).to_bytes(4, "little") + shape
    chunks += b"data" + (192000).to_bytes(4, "little") + bytes(192000) + remark
    return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WAVE" + chunks


def streamed_wav() -> bytes:
    """With the sizes of those who do not know yet how long it will be."""
    return WAV[:4] + b"\xff" * 4 + WAV[8:40] + b"\xff" * 4 + WAV[44:]


MARKED = [
    (WAV, Sound("wav", "pcm", 16000, 1, 1.0, 44, 32044)),
    (wav(8000, codec="mulaw"), Sound("wav", "mulaw", 8000, 1, 1.0, 44, 8044)),
    (wav(8000, codec="alaw", channels=2), Sound("wav", "alaw", 8000, 2, 1.0, 44, 16044)),
    (wav(24000, codec="pcm_f32le"), Sound("wav", "pcm_f32le", 24000, 1, 1.0, 44, 96044)),
    (extensible(), Sound("wav", "pcm", 48000, 2, 1.0, 82, 192082)),
    (streamed_wav(), Sound("wav", "pcm", 16000, 1, 1.0, 44, 32044)),
    (WAV[:20], Sound("wav")),
    (WAV[:36], Sound("wav")),
    (b"RIFF\0\0\0\0WAVEdata\x04\0\0\0abcd", Sound("wav")),
    (b"\x1a\x45\xdf\xa3" + bytes(30) + b"A_OPUS", Sound("webm")),
    (b"\x1a\x45\xdf\xa3" + bytes(30) + b"A_VORBIS", Sound("webm", "other")),
    (b"\0\0\0\x18ftypM4A ", Sound("m4a")),
    (
        b"\0\0\0\x18ftypM4A " + b"mvhd" + bytes(12) + (600).to_bytes(4) + (900).to_bytes(4) + bytes(20),
        Sound("m4a", seconds=1.5),
    ),
    (b"#!AMR\nxx", Sound("amr", rate=8000, channels=1)),
    (b"#!AMR-WB\nxx", Sound("amr_wb", rate=16000, channels=1)),
    (b"FORM\0\0\0\0AIFFxx", Sound("aiff")),
    (b"\xff\xf1\x50\x80\x02\x1f\xfc", Sound("aac")),
    (b"OggS" + bytes(40), Sound("ogg")),
    (b"fLaC", Sound("flac")),
    (b"fLaC\x80\0\0\x22" + bytes(10) + b"\x0a\xc4\x42\xf0\0\0\xac\x44" + bytes(16), Sound("flac", "", 44100, 2, 1.0)),
    (b"", Sound()),
    (b"nothing of the kind", Sound()),
]


@pytest.mark.parametrize(("data", "sound"), MARKED)
def test_a_recording_says_what_it_is(data: bytes, sound: Sound) -> None:
    assert sound_of(data, None) == sound


@pytest.mark.parametrize(
    ("audio", "format", "rate"),
    [
        (formats.flac(16000), "flac", 16000),
        (formats.flac(44100), "flac", 44100),
        (formats.opus(48000), "opus", 48000),
        (formats.opus(16000), "opus", 16000),
        (formats.mp3(24000), "mp3", 24000),
        (formats.mp3(44100, 128000), "mp3", 44100),
        (formats.wav(22050), "wav", 22050),
    ],
)
def test_what_encoders_write_is_read(audio: AudioFormat, format: str, rate: int) -> None:
    sound = sound_of(made(audio), None)
    assert (sound.format, sound.rate, sound.channels) == (format, rate, 1)
    # who writes FLAC to a stream leaves open how long it is
    assert sound.seconds == (None if format == "flac" else pytest.approx(SECOND, abs=0.12))


@pytest.mark.parametrize(
    ("declared", "rate", "channels", "sound"),
    [
        ("pcm", 16000, None, Sound("pcm", "", 16000, 1, 0.5, 0, 16000)),
        ("pcm", 16000, 2, Sound("pcm", "", 16000, 2, 0.25, 0, 16000)),
        ("pcm", None, None, Sound("pcm", "", None, 1, None, 0, 16000)),
        ("mulaw", 8000, None, Sound("mulaw", "", 8000, 1, 2.0, 0, 16000)),
        ("amr", 8000, None, Sound("amr", "", 8000)),
        ("mp3", None, None, Sound()),
        (None, None, None, Sound()),
    ],
)
def test_what_says_nothing_is_believed_to_be_what_it_was_declared_as_if_that_has_no_mark(
    declared: str | None, rate: int | None, channels: int | None, sound: Sound
) -> None:
    assert sound_of(bytes(16000), declared, rate, channels) == sound


def test_of_ogg_that_says_nothing_more_the_declaration_counts() -> None:
    assert sound_of(b"OggS" + bytes(40), "opus") == Sound("opus")
    vorbis = b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis" + bytes(4) + b"\1\x80\xbb\0\0" + bytes(20)
    assert sound_of(vorbis, "opus") == Sound("ogg", "", 48000, 1)


def test_samples_that_look_like_the_beginning_of_a_frame_stay_samples() -> None:
    for beginning in (b"\xff\xfb\x90\xc0", b"\xff\xf1\x50\x80"):
        assert sound_of(beginning + bytes(1000), "pcm", 16000).format == "pcm"
        assert sound_of(beginning + bytes(1000), None).format in ("mp3", "aac")
    assert sound_of(WAV, "pcm", 8000) == sound_of(WAV, None)


def fitted(dialect: str, data: bytes, sound: Sound) -> tuple[bytes, Sound] | None:
    try:
        return fitting(dialect, data, sound)
    except Inexpressible:
        return None


@given(
    st.one_of(
        st.binary(max_size=200),
        *(
            st.binary(max_size=120).map(lambda rest, head=head: head + rest)
            for head in (
                b"RIFF\0\0\0\0WAVE",
                b"OggS",
                b"fLaC",
                b"\x1a\x45\xdf\xa3",
                b"\0\0\0\0ftyp",
                b"ID3",
                b"\xff\xfb",
            )
        ),
    ),
    st.sampled_from([None, "pcm", "mulaw", "mp3", "amr"]),
)
def test_nothing_makes_reading_a_recording_fail(data: bytes, declared: str | None) -> None:
    sound = sound_of(data, declared, 16000)
    assert sound.seconds is None or sound.seconds >= 0
    for dialect in TAKES:
        assert fitted(dialect, data, sound) is None or sound.format


@given(
    st.sampled_from(sorted(SAMPLE_BYTES)), st.sampled_from([8000, 22050, 48000]), st.integers(1, 3), st.integers(0, 99)
)
def test_a_header_written_is_read_again(codec: str, rate: int, channels: int, frames: int) -> None:
    length = frames * channels * SAMPLE_BYTES[codec]
    sound = sound_of(wav_header(codec, rate, channels, length) + bytes(length), None)
    assert sound == Sound("wav", codec, rate, channels, frames / rate, 44, 44 + length)


OPUS_48, OPUS_16, FLAC, MP3 = (
    made(one) for one in (formats.opus(48000), formats.opus(16000), formats.flac(16000), formats.mp3(24000))
)
EVERYBODY = set(TAKES)
#: By what is sent: who takes it, and as what.
TAKEN = [
    (WAV, None, dict.fromkeys(EVERYBODY - {"yandex"}, "wav") | {"yandex": "pcm"}),
    (WAV[44:], "pcm", {**dict.fromkeys(("openai", "azure_openai", "groq", "mistral", "azure_speech"), "wav"),
      **dict.fromkeys(EVERYBODY - {"openai", "azure_openai", "groq", "mistral", "azure_speech"}, "pcm")}),
    (OPUS_48, None, dict.fromkeys(EVERYBODY - {"azure_speech", "assemblyai"}, "opus")),
    (OPUS_16, None, dict.fromkeys(EVERYBODY - {"assemblyai"}, "opus")),
    (FLAC, None, dict.fromkeys(EVERYBODY - {"azure_speech", "assemblyai", "yandex"}, "flac")),
    (MP3, None, dict.fromkeys(EVERYBODY - {"azure_speech", "assemblyai", "yandex"}, "mp3")),
    (wav(24000), None, dict.fromkeys(EVERYBODY - {"azure_speech", "yandex"}, "wav")),
    (wav(8000), None, dict.fromkeys(EVERYBODY - {"azure_speech", "yandex"}, "wav") | {"yandex": "pcm"}),
    (wav(8000, codec="mulaw"), None, dict.fromkeys(EVERYBODY - {"azure_speech", "yandex", "assemblyai"}, "wav")),
    (wav(16000, channels=2), None, dict.fromkeys(
        EVERYBODY - {"azure_speech", "yandex", "google_cloud", "google_cloud.v2"}, "wav")),
    (b"nothing of the kind", None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "declared", "taken"), TAKEN)
def test_a_recording_goes_to_those_who_take_it(data: bytes, declared: str | None, taken: dict[str, str]) -> None:
    found = {}
    for dialect in TAKES:
        if (fit := fitted(dialect, data, sound_of(data, declared, 16000))) is None:
            continue
        sent, sound = fit
        found[dialect] = sound.format
        assert sent in (data, data[44:], wav_header("pcm", 16000, 1, len(data)) + data)
        assert sound_of(sent, "pcm" if sound.format == "pcm" else None, sound.rate, sound.channels) == sound
    assert found == taken


@pytest.mark.parametrize(
    ("dialect", "data", "feature"),
    [
        ("yandex", wav(16000, 30.5), "length"),
        ("yandex", wav(48000, 11.0), "length"),
        ("azure_speech", wav(16000, 61.0), "length"),
        ("google_cloud", wav(8000, 60.5), "length"),
        ("assemblyai", wav(8000, 120.5), "length"),
        ("assemblyai", wav(8000, 0.05), "length"),
        ("openai", wav(16000, 900.0), "length"),
    ],
)
def test_what_is_too_long_or_too_short_is_refused_before_it_is_sent(dialect: str, data: bytes, feature: str) -> None:
    with pytest.raises(Inexpressible) as failure:
        fitting(dialect, data, sound_of(data, None))
    assert failure.value.feature == feature


def test_samples_of_an_unknown_rate_go_to_nobody() -> None:
    for dialect in TAKES:
        with pytest.raises(Inexpressible, match="format"):
            fitting(dialect, bytes(32000), sound_of(bytes(32000), "pcm"))


def test_the_table_can_be_asked_by_name() -> None:
    assert [dialect for dialect in DIALECTS if accepts(dialect, "opus")] == [
        *("openai", "azure_openai", "groq", "mistral", "deepgram", "elevenlabs", "google_cloud", "yandex"),
        *("cartesia", "azure_speech"),
    ]
    assert accepts("yandex", "pcm")
    assert not accepts("yandex", "wav")
    assert not accepts("anthropic", "wav")
    assert not accepts("openai", "nonsense")


def test_whatever_is_taken_as_a_file_has_a_name_to_go_under() -> None:
    assert {format for takes in TAKES.values() for format in takes.files} <= NAMES.keys()


def test_a_tone_survives_taking_the_header_off_and_putting_it_on() -> None:
    tone = bytes(range(256)) * 64
    file = wav_header("pcm", 16000, 1, len(tone)) + tone
    bare, sound = fitting("yandex", file, sound_of(file, None))
    assert bare == tone
    assert fitting("azure_speech", bare, sound)[0] == file
