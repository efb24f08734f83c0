"""Speech that hides its text, and the recogniser that finds it."""

import itertools

import pytest

from sidecar.lab.audio import formats, wav
from sidecar.lab.audio.decode import Undecodable, decoded, decoded_raw
from sidecar.lab.audio.encode import encoded, encoder
from sidecar.lab.audio.formats import AudioFormat, UnsupportedFormat
from sidecar.lab.audio.pcm import Pcm, joined, silence
from sidecar.lab.audio.samples import from_alaw, from_mulaw, resampled, to_alaw, to_mulaw
from sidecar.lab.engines.contract import Voice
from sidecar.lab.engines.echo import CANNED, EchoRecognizer, EchoSynthesizer
from sidecar.lab.engines.sentences import sentences

TEXT = "Hello there, how are you today? Привет, мир! Your table for 2 is booked at 7:30 p.m. … See you."
RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


async def spoken(text: str = TEXT, rate: int = 24000, voice: str = "alloy") -> list[Pcm]:
    return [piece async for piece in EchoSynthesizer().speak(text, Voice(voice), rate)]


async def heard(audio: Pcm) -> str:
    return (await EchoRecognizer().transcribe(audio)).text


LOSSLESS = [
    *(formats.raw("pcm_s16le", rate) for rate in RATES),
    *(formats.wav(rate) for rate in RATES),
    *(formats.flac(rate) for rate in (8000, 16000, 24000, 44100)),
    formats.raw("pcm_f32le", 44100),
]
LOSSY = [
    formats.wav(8000, "mulaw"),
    formats.wav(8000, "alaw"),
    formats.mp3(24000, 48_000),
    formats.mp3(44100, 128_000),
    formats.opus(24000, 24_000),
    formats.opus(48000, 16_000),
]


@pytest.mark.parametrize(
    "audio", [*LOSSLESS, *LOSSY], ids=lambda audio: f"{audio.container}-{audio.codec}-{audio.rate}"
)
async def test_what_is_spoken_is_understood_again_in_every_format(audio):
    data = encoded(await spoken(rate=audio.rate), audio)
    sound = decoded_raw(data, audio.codec, audio.rate) if audio.container == "raw" else decoded(data)
    assert sound.rate in (audio.rate, 48000)
    assert await heard(sound) == TEXT


@pytest.mark.parametrize(("rate", "lead_seconds"), list(itertools.product((8000, 16000, 44100), (0.011, 0.4, 1.237))))
async def test_it_is_understood_after_resampling_wherever_it_begins(rate, lead_seconds):
    sound = joined([silence(lead_seconds, 24000), *await spoken(), silence(0.3, 24000)])
    assert await heard(resampled(sound, rate)) == TEXT


async def test_utterances_one_after_another_are_both_understood():
    assert await heard(joined([*await spoken("First one."), *await spoken("Second one.")])) == "First one. Second one."


async def test_speech_that_breaks_off_is_understood_up_to_there():
    sound = joined(await spoken("We are open from nine to six."))
    cut = sound.between(0, 1.2)
    for audio in (cut, joined([cut, silence(1, 24000)])):
        text = await heard(audio)
        assert 5 < len(text) < 20
        assert "We are open from nine to six.".startswith(text)


async def test_it_lasts_as_long_as_speech_does():
    text = "I would like to book a table for two tomorrow at seven, please."
    assert 3 < joined(await spoken(text)).seconds < 6


async def test_each_voice_sounds_different_and_always_the_same():
    assert await spoken(voice="alloy") == await spoken(voice="alloy")
    assert await spoken(voice="alloy") != await spoken(voice="echo")


async def test_words_have_times_within_the_audio():
    transcript = await EchoRecognizer().transcribe(joined(await spoken("Hello there. How are you?")))
    assert [word.text for word in transcript.words] == ["Hello", "there.", "How", "are", "you?"]
    times = [time for word in transcript.words for time in (word.start_seconds, word.end_seconds)]
    assert times == sorted(times)
    assert times[-1] <= transcript.duration_seconds


async def test_silence_is_an_empty_transcript():
    assert (await EchoRecognizer().transcribe(silence(1, 16000))).segments == ()


async def test_other_audio_is_heard_as_a_canned_sentence_always_the_same():
    tone = Pcm(bytes(range(256)) * 200, 16000)
    assert await heard(tone) in CANNED
    assert await heard(tone) == await heard(tone)
    unreadable = EchoRecognizer().unreadable(b"no audio at all")
    assert unreadable is not None
    assert unreadable.text in CANNED


@pytest.mark.parametrize("text", [TEXT, "x" * 900, "one two " * 100, "Да. " * 120, "", "   ", "…"])
def test_sentences_are_cut_without_losing_a_letter(text):
    parts = sentences(text, 200)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= 200 for part in parts)


@pytest.mark.parametrize(("encode", "decode"), [(to_mulaw, from_mulaw), (to_alaw, from_alaw)])
def test_telephony_codes_come_back_unchanged(encode, decode):
    codes = bytes(range(256))
    samples = decode(codes, 8000)
    assert decode(encode(samples), 8000) == samples, "code 127 and 255 of the mu-law are both silence"


def test_telephony_codes_are_those_of_the_standard():
    assert to_mulaw(Pcm(b"\x00\x00", 8000)) in (b"\xff", b"\x7f")
    assert from_mulaw(b"\x00\x80", 8000).samples == (-32124).to_bytes(2, "little", signed=True) + (32124).to_bytes(
        2, "little", signed=True
    )
    assert from_alaw(b"\xd5\x55", 8000).samples == (8).to_bytes(2, "little", signed=True) + (-8).to_bytes(
        2, "little", signed=True
    )


async def test_a_streamed_wav_has_placeholders_for_its_sizes():
    encoding = encoder(formats.wav(24000))
    head = encoding.feed(silence(0.1, 24000))[:44]
    assert head[4:8] == head[40:44] == b"\xff\xff\xff\xff"
    assert decoded(head + bytes(4800)).seconds == pytest.approx(0.1)


def test_a_wav_of_two_channels_is_mixed_down():
    frames = b"".join(left.to_bytes(2, "little") + (3 * left).to_bytes(2, "little") for left in (100, 200))
    head = wav.header("pcm_s16le", 16000, len(frames)).replace(b"\x01\x00\x01\x00", b"\x01\x00\x02\x00", 1)
    assert decoded(head + frames).samples == (200).to_bytes(2, "little") + (400).to_bytes(2, "little")


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVEdata\x04\x00\x00\x00abcd", b"hello" * 100])
def test_what_is_no_audio_is_said_not_to_be(data):
    with pytest.raises(Undecodable):
        decoded(data)


def test_a_format_that_cannot_be_made_is_refused():
    with pytest.raises(UnsupportedFormat):
        encoder(AudioFormat("ogg", "opus", 44100))
    with pytest.raises(UnsupportedFormat):
        encoder(AudioFormat("silk", "silk", 24000))
