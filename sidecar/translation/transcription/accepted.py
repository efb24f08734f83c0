"""Which recordings each provider takes, as a table, and recordings made to fit: between WAV and bare samples no codec
is needed. Anything else is passed on as it is, or not at all.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from sidecar.translation.contract import Inexpressible
from sidecar.translation.transcription.recording import SAMPLE_BYTES, Sound, samples, wav_header
from sidecar.units import GiB, MiB

Rates = frozenset[int]
ANY: Final[Rates] = frozenset()


class Takes(Struct, frozen=True, kw_only=True):
    """What one provider takes. An empty set of rates stands for any."""

    provider: str
    """As people call it."""
    files: frozenset[str]
    """Containers and codecs with a header, in the words of `sidecar.payload.Speech.format`."""
    wav: Mapping[str, Rates] | None = None
    """Codecs inside of WAV, where not all of them go."""
    samples: Mapping[str, Rates] = {}
    """Codecs that need no header."""
    opus: Rates = ANY
    """Rates that a file of Opus may state."""
    opus_in_webm: bool = False
    """Whether WebM may hold nothing else."""
    mono: bool = False
    mono_samples: bool = False
    """Whether how many channels there are cannot be told where no header tells it."""
    most_bytes: int | None = None
    least_seconds: float = 0.0
    most_seconds: float | None = None


_WHISPER = frozenset(("flac", "m4a", "mp3", "ogg", "opus", "wav", "webm"))
_EVERY = _WHISPER | {"aac", "aiff"}
_NARROW: Rates = frozenset((8000, 16000, 48000))
_SYNC: Rates = frozenset((8000, 16000, 22050, 24000, 32000, 44100, 48000))
_GOOGLE_RATES: Rates = frozenset(range(8000, 48001))

#: By dialect; a dialect's second version has a dot and its name behind that.
#:
#: Sources: the parameters' descriptions in the official SDKs (openai 3.54, groq 1.7, cartesia 4.2, google-cloud-speech
#: 2.41, deepgram-sdk 7.17, elevenlabs 2.78), and the providers' pages on what they take: Azure "REST API for short
#: audio", AssemblyAI "Sync STT audio requirements", Yandex "Synchronous recognition API", Groq "Speech to text",
#: Mistral "Offline transcription", as of November 2026. Plans lower some limits; then the provider refuses.
TAKES: Final[Mapping[str, Takes]] = {
    "openai": Takes(provider="OpenAI", files=_WHISPER, most_bytes=25 * MiB),
    "azure_openai": Takes(provider="Azure OpenAI", files=_WHISPER, most_bytes=25 * MiB),
    "groq": Takes(provider="Groq", files=_WHISPER, most_bytes=100 * MiB),
    "mistral": Takes(provider="Mistral", files=_WHISPER, most_seconds=3 * 3600.0),
    "deepgram": Takes(
        provider="Deepgram",
        files=_EVERY | {"amr", "amr_wb"},
        samples={"pcm": ANY, "mulaw": ANY},
        most_bytes=2 * GiB,
    ),
    "elevenlabs": Takes(
        provider="ElevenLabs",
        files=_EVERY,
        samples={"pcm": frozenset((16000,))},
        mono_samples=True,
        most_bytes=3 * GiB,
        most_seconds=10 * 3600.0,
    ),
    # the limit of 10 MB is that of the request, in which the recording stands as base64
    "google_cloud": Takes(
        provider="Google",
        files=frozenset(("amr", "amr_wb", "flac", "mp3", "opus", "wav", "webm")),
        wav={"pcm": _GOOGLE_RATES, "mulaw": _GOOGLE_RATES},
        samples={"pcm": _GOOGLE_RATES, "mulaw": _GOOGLE_RATES},
        opus_in_webm=True,
        mono=True,
        most_bytes=10 * MiB // 4 * 3 - 64 * 1024,
        most_seconds=60.0,
    ),
    "google_cloud.v2": Takes(
        provider="Google",
        files=frozenset(("amr", "amr_wb", "flac", "m4a", "mp3", "opus", "wav", "webm")),
        wav={"pcm": _GOOGLE_RATES, "mulaw": _GOOGLE_RATES, "alaw": _GOOGLE_RATES},
        samples={"pcm": _GOOGLE_RATES, "mulaw": _GOOGLE_RATES, "alaw": _GOOGLE_RATES},
        opus_in_webm=True,
        mono=True,
        most_bytes=10 * MiB // 4 * 3 - 64 * 1024,
        most_seconds=60.0,
    ),
    "yandex": Takes(
        provider="Yandex",
        files=frozenset(("opus",)),
        samples={"pcm": _NARROW},
        mono=True,
        most_bytes=1 * MiB,
        most_seconds=30.0,
    ),
    "cartesia": Takes(provider="Cartesia", files=_WHISPER, samples=dict.fromkeys(SAMPLE_BYTES, ANY), mono_samples=True),
    "azure_speech": Takes(
        provider="Azure Speech",
        files=frozenset(("opus", "wav")),
        wav={"pcm": frozenset((16000,))},
        opus=frozenset((16000,)),
        mono=True,
        most_seconds=60.0,
    ),
    "assemblyai": Takes(
        provider="AssemblyAI",
        files=frozenset(("wav",)),
        wav={"pcm": _SYNC},
        samples={"pcm": _SYNC},
        most_bytes=40 * MiB,
        least_seconds=0.08,
        most_seconds=120.0,
    ),
}
#: File name and media type to send a recording under. Servers that go by the name know these.
NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "aac": ("audio.aac", "audio/aac"),
    "aiff": ("audio.aiff", "audio/aiff"),
    "alaw": ("audio.alaw", "audio/PCMA"),
    "amr": ("audio.amr", "audio/amr"),
    "amr_wb": ("audio.amr", "audio/amr-wb"),
    "flac": ("audio.flac", "audio/flac"),
    "m4a": ("audio.m4a", "audio/mp4"),
    "mp3": ("audio.mp3", "audio/mpeg"),
    "mulaw": ("audio.ulaw", "audio/PCMU"),
    "ogg": ("audio.ogg", "audio/ogg"),
    "opus": ("audio.ogg", "audio/ogg; codecs=opus"),
    "pcm": ("audio.pcm", "audio/pcm"),
    "wav": ("audio.wav", "audio/wav"),
    "webm": ("audio.webm", "audio/webm"),
}


def accepts(dialect: str, format: str) -> bool:
    """Whether providers of *dialect* take recordings of *format*, at one rate at least.

    Args:
        dialect: a name in `TAKES`; others take nothing.
        format: in the words of `sidecar.payload.Speech.format`.
    """
    takes = TAKES.get(dialect)
    return takes is not None and (format in takes.files or format in takes.samples)


def fitting(dialect: str, data: bytes, sound: Sound) -> tuple[bytes, Sound]:
    """*data* as *dialect* takes it, and what it is then.

    Raises:
        Inexpressible: it takes nothing of the kind (``format``), or none so short, long or large (``length``).
    """
    takes = TAKES[dialect]
    problems = []
    for form in _forms(data, sound):
        problem = _problem(takes, form[1])
        if problem is None:
            data, sound = form
            break
        problems.append(problem)
    else:
        # that one of its forms is not taken at all says less than what is wrong with the other
        telling = next((one for one in problems if one not in (sound.format, "wav", *SAMPLE_BYTES)), problems[0])
        raise Inexpressible("format", f"{takes.provider} does not take {telling}")
    if takes.most_bytes is not None and len(data) > takes.most_bytes:
        raise Inexpressible("length", f"{takes.provider} takes at most {takes.most_bytes} bytes of a recording")
    if sound.seconds is not None and not takes.least_seconds <= sound.seconds <= (takes.most_seconds or sound.seconds):
        most = f" and at most {takes.most_seconds:g}" if takes.most_seconds else ""
        raise Inexpressible("length", f"{takes.provider} takes recordings of at least {takes.least_seconds:g} s{most}")
    return data, sound


def _forms(data: bytes, sound: Sound) -> Iterator[tuple[bytes, Sound]]:
    """A recording as it is, and what becomes of it where that needs no codec."""
    yield data, sound
    channels = sound.channels or 1
    if sound.format == "wav" and sound.codec:
        bare = samples(sound.codec, sound.end - sound.begin, sound.rate, channels)
        yield data[sound.begin : sound.end], bare
    elif sound.format in SAMPLE_BYTES and sound.rate:
        head = wav_header(sound.format, sound.rate, channels, len(data))
        end = len(head) + len(data)
        yield head + data, Sound("wav", sound.format, sound.rate, channels, sound.seconds, len(head), end)


def _problem(takes: Takes, sound: Sound) -> str | None:
    """What there is about a recording that is not taken; None if it is."""
    rates = takes.samples.get(sound.format)
    if rates is None and sound.format not in takes.files:
        return sound.format or "recordings of which nobody can tell what they are"
    if (takes.mono or (takes.mono_samples and rates is not None)) and (sound.channels or 1) > 1:
        return f"recordings of {sound.channels} channels"
    if rates is not None and not sound.rate:
        return "samples without their rate"
    if sound.format == "wav" and takes.wav is not None:
        rates = takes.wav.get(sound.codec)
        if rates is None:
            return f"{sound.codec or 'this codec'} inside of WAV"
    if sound.format == "opus":
        rates = takes.opus
    if rates and sound.rate not in rates:
        return f"{sound.format} at {sound.rate} Hz"
    return "WebM of another codec than Opus" if takes.opus_in_webm and sound.codec == "other" else None
