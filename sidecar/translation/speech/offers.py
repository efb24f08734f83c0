"""Which forms of audio each provider gives, under which names, and what is really in them.

Sources, in brackets: S the official SDK's types, D the provider's documentation, L as the lab emulates it and as is
reported of the service, without a document that says so.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from sidecar.translation.speech.ask import Audio

#: In the names of a provider's own fields.
Words = Mapping[str, str | int]

_OPUS_RATE = 48000


class Offer(Struct, frozen=True):
    """One form of audio that a provider gives. Of several that fit, the first is the one that is usual there."""

    audio: Audio
    words: tuple[tuple[str, str | int], ...]
    whole: bool = False
    """Whether it comes only once it is whole, with true sizes in its header."""

    @property
    def named(self) -> dict[str, str | int]:
        return dict(self.words)


Offers = tuple[Offer, ...]


def _offer(audio: Audio, *, whole: bool = False, **words: str | int) -> Offer:
    return Offer(audio, tuple(words.items()), whole)


def raw(codec: str, rate: int) -> Audio:
    return Audio(codec, "raw", rate)


def wav(rate: int, codec: str = "pcm_s16le") -> Audio:
    return Audio(codec, "wav", rate)


def mp3(rate: int, bit_rate: int | None = None) -> Audio:
    return Audio("mp3", "mp3", rate, bit_rate)


def opus(bit_rate: int | None = None, container: str = "ogg") -> Audio:
    return Audio("opus", container, _OPUS_RATE, bit_rate)


def flac(rate: int) -> Audio:
    return Audio("flac", "flac", rate)


def aac(rate: int, bit_rate: int | None = None) -> Audio:
    return Audio("aac", "adts", rate, bit_rate)


#: [S] the names; [D] pcm is 24 kHz, 16 bits, without a header; [L] the rates of the others. A bit rate cannot be asked
#: for. WAV is streamed, so its sizes are all ones.
OPENAI: Final[Offers] = (
    _offer(mp3(24000), response_format="mp3"),
    _offer(opus(), response_format="opus"),
    _offer(aac(24000), response_format="aac"),
    _offer(flac(24000), response_format="flac"),
    _offer(wav(24000), response_format="wav"),
    _offer(raw("pcm_s16le", 24000), response_format="pcm"),
)

_GROQ_RATES = (48000, 8000, 16000, 22050, 24000, 32000, 44100)
#: [S] names and rates, 48000 without a wish; [L] that ``ogg`` is Opus and ``mulaw`` has a WAV header.
GROQ: Final[Offers] = tuple(
    _offer(audio, response_format=name, sample_rate=rate)
    for rate in _GROQ_RATES
    for name, audio in (
        ("mp3", mp3(rate)),
        ("wav", wav(rate)),
        ("flac", flac(rate)),
        ("ogg", opus()),
        ("mulaw", wav(rate, "mulaw")),
    )
)

#: [S] the names; [D] 24 kHz; [L] that ``pcm`` is 32-bit float and WAV 16-bit.
MISTRAL: Final[Offers] = (
    _offer(mp3(24000), response_format="mp3"),
    _offer(wav(24000), response_format="wav"),
    _offer(raw("pcm_f32le", 24000), response_format="pcm"),
    _offer(flac(24000), response_format="flac"),
    _offer(opus(), response_format="opus"),
)


def _azure(name: str, audio: Audio, *, whole: bool = False) -> Offer:
    return Offer(audio, (("X-Microsoft-OutputFormat", name),), whole)


_AZURE_HERTZ = {8000: "8khz", 16000: "16khz", 22050: "22050hz", 24000: "24khz", 44100: "44100hz", 48000: "48khz"}
#: [D] all of them but AMR-WB, G.722, Silk and Opus without a container, which nobody else gives. What begins with riff
#: is not streamed.
AZURE: Final[Offers] = (
    *(_azure(f"raw-{hertz}-16bit-mono-pcm", raw("pcm_s16le", rate)) for rate, hertz in _AZURE_HERTZ.items()),
    _azure("raw-8khz-8bit-mono-mulaw", raw("mulaw", 8000)),
    _azure("raw-8khz-8bit-mono-alaw", raw("alaw", 8000)),
    *(_azure(f"riff-{hertz}-16bit-mono-pcm", wav(rate), whole=True) for rate, hertz in _AZURE_HERTZ.items()),
    _azure("riff-8khz-8bit-mono-mulaw", wav(8000, "mulaw"), whole=True),
    _azure("riff-8khz-8bit-mono-alaw", wav(8000, "alaw"), whole=True),
    *(
        _azure(f"audio-{rate}khz-{bits}kbitrate-mono-mp3", mp3(rate * 1000, bits * 1000))
        for rate, rates in ((16, (64, 128, 32)), (24, (96, 160, 48)), (48, (192, 96)))
        for bits in rates
    ),
    *(_azure(f"ogg-{rate}khz-16bit-mono-opus", opus()) for rate in (48, 24, 16)),
    *(_azure(f"webm-{rate}khz-16bit-mono-opus", opus(container="webm")) for rate in (24, 16)),
    _azure("webm-24khz-16bit-24kbps-mono-opus", opus(24000, "webm")),
)

_ELEVEN_PCM = (24000, 8000, 16000, 22050, 32000, 44100, 48000)


def _eleven(name: str, audio: Audio, *, whole: bool = False) -> Offer:
    return Offer(audio, (("output_format", name),), whole)


#: [S] all of them; those in WAV are not among the streamed ones.
ELEVENLABS: Final[Offers] = (
    *(_eleven(f"mp3_44100_{bits}", mp3(44100, bits * 1000)) for bits in (128, 192, 96, 64, 32)),
    _eleven("mp3_24000_48", mp3(24000, 48000)),
    _eleven("mp3_22050_32", mp3(22050, 32000)),
    *(_eleven(f"pcm_{rate}", raw("pcm_s16le", rate)) for rate in _ELEVEN_PCM),
    *(_eleven(f"wav_{rate}", wav(rate), whole=True) for rate in _ELEVEN_PCM),
    _eleven("ulaw_8000", raw("mulaw", 8000)),
    _eleven("alaw_8000", raw("alaw", 8000)),
    *(_eleven(f"opus_48000_{bits}", opus(bits * 1000)) for bits in (96, 128, 192, 64, 32)),
)

_GOOGLE_RATES = (24000, 8000, 11025, 12000, 16000, 22050, 32000, 44100, 48000)


def _google(encoding: str, rate: int, audio: Audio) -> Offer:
    return Offer(audio, (("audioEncoding", encoding), ("sampleRateHertz", rate)), whole=True)


#: [S] what has a header and what not, and MP3 at 32 kbit/s; any rate may be asked for, and without a wish it is the
#: voice's own, 24000 for most [L]. M4A, which nobody else gives, is left out.
GOOGLE: Final[Offers] = tuple(
    _google(encoding, rate, audio)
    for rate in _GOOGLE_RATES
    for encoding, audio in (
        ("MP3", mp3(rate, 32000)),
        ("LINEAR16", wav(rate)),
        ("PCM", raw("pcm_s16le", rate)),
        ("OGG_OPUS", opus()),
        ("MULAW", wav(rate, "mulaw")),
        ("ALAW", wav(rate, "alaw")),
    )
)

#: [D] the names, and the rates of lpcm; [L] the rate of MP3.
YANDEX: Final[Offers] = (
    _offer(opus(), format="oggopus"),
    *(_offer(raw("pcm_s16le", rate), format="lpcm", sampleRateHertz=rate) for rate in (48000, 16000, 8000)),
    _offer(mp3(48000), format="mp3"),
)

_CARTESIA_CODECS = {"pcm_s16le": "pcm_s16le", "pcm_f32le": "pcm_f32le", "mulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
_CARTESIA_RATES = (44100, 8000, 16000, 22050, 24000, 48000)
#: [S] all of them. Only those without a header come in events.
CARTESIA: Final[Offers] = (
    *(
        _offer(Audio(codec, container, rate), container=container, encoding=encoding, sample_rate=rate)
        for rate in _CARTESIA_RATES
        for container in ("raw", "wav")
        for codec, encoding in _CARTESIA_CODECS.items()
    ),
    *(
        _offer(mp3(rate, bits), container="mp3", sample_rate=rate, bit_rate=bits)
        for rate in _CARTESIA_RATES
        for bits in (128000, 192000, 96000, 64000, 32000)
    ),
)


def _deepgram(encodings: Mapping[str, str], rates: Iterable[int]) -> Iterable[Offer]:
    for encoding, codec in encodings.items():
        for rate in rates:
            yield _offer(wav(rate, codec), encoding=encoding, container="wav", sample_rate=rate)
            yield _offer(raw(codec, rate), encoding=encoding, container="none", sample_rate=rate)


#: [D] "Audio Format Combinations": where a rate or a container stands here it may be chosen, in the order of the
#: documentation with the default first; MP3 and AAC have 22050 Hz. The bit rates are those that other providers have
#: names for; without one it is 48 kbit/s, of Opus 12.
DEEPGRAM: Final[Offers] = (
    _offer(mp3(22050, 48000), encoding="mp3", bit_rate=48000),
    _offer(mp3(22050, 32000), encoding="mp3", bit_rate=32000),
    *_deepgram({"linear16": "pcm_s16le"}, (24000, 8000, 16000, 32000, 48000)),
    *_deepgram({"mulaw": "mulaw", "alaw": "alaw"}, (8000, 16000)),
    *(
        _offer(opus(bits), encoding="opus", container="ogg", bit_rate=bits)
        for bits in (48000, 12000, 24000, 32000, 64000, 96000, 128000, 192000)
    ),
    *(_offer(flac(rate), encoding="flac", sample_rate=rate) for rate in (48000, 8000, 16000, 22050, 32000)),
    *(_offer(aac(22050, bits), encoding="aac", bit_rate=bits) for bits in (48000, 32000, 64000, 96000, 128000)),
)

_ASSEMBLYAI_RATES = (24000, 8000, 16000, 22050, 44100, 48000)
#: [S] all of them; MP3 at 8 kHz has at most 64 kbit/s.
ASSEMBLYAI: Final[Offers] = (
    *(
        _offer(Audio(codec, container, rate), encoding=encoding, container=container, sample_rate=rate)
        for rate in _ASSEMBLYAI_RATES
        for container in ("raw", "wav")
        for codec, encoding in (("pcm_s16le", "pcm_s16le"), ("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw"))
    ),
    *(
        _offer(mp3(rate, bits), encoding="mp3", sample_rate=rate, bit_rate=bits)
        for rate in _ASSEMBLYAI_RATES
        for bits in (64000, 128000, 96000, 48000, 32000)
        if rate > 8000 or bits <= 64000
    ),
)
