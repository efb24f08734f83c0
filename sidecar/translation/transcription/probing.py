"""What goes from one dialect to another, found out by trying: a probe for each feature is written as an agent of the
one would, and translated for the other.
"""

import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from sidecar.dialects import load
from sidecar.exchange import Exchange, Request
from sidecar.headers import Headers
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.translation.contract import Inexpressible, Target
from sidecar.translation.transcription.accepted import fitting
from sidecar.translation.transcription.answering import Answering
from sidecar.translation.transcription.asking import GOOGLE_V2, TARGETS, asked
from sidecar.translation.transcription.languages import short
from sidecar.translation.transcription.narrowing import narrowed
from sidecar.translation.transcription.neutral import Ask, Wish
from sidecar.translation.transcription.recording import sound_of, wav_header
from sidecar.translation.transcription.translating import translate
from sidecar.translation.transcription.wire import Leave, Written

#: Models to try, by dialect: what one of them can do, the dialect can.
_MODELS: Final[Mapping[str, tuple[str | None, ...]]] = {
    "openai": ("whisper-1", "gpt-4o-transcribe", "gpt-transcribe", "gpt-4o-transcribe-diarize"),
    "azure_openai": ("whisper", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"),
    "groq": ("whisper-large-v3",),
    "mistral": ("voxtral-mini-latest",),
    "deepgram": ("nova-3",),
    "elevenlabs": ("scribe_v2", "scribe_v3"),
    "google_cloud": ("latest_short", "projects/p/locations/eu/recognizers/_/models/chirp_3"),
    "yandex": ("general",),
    "cartesia": ("ink-whisper",),
    "azure_speech": (None,),
    "assemblyai": ("universal-3-5-pro",),
}
_YES: Final = "yes"


def _samples(rate: int, width: int = 2) -> bytes:
    """A second of silence."""
    return bytes(rate * width)


def _wav(codec: str, rate: int, width: int, channels: int = 1) -> bytes:
    silence = _samples(rate, width * channels)
    return wav_header(codec, rate, channels, len(silence)) + silence


def _opus(rate: int) -> bytes:
    """Two pages: the one that says what it is, and one where a second ends."""
    head = b"OpusHead\x01\x01\x00\x00" + rate.to_bytes(4, "little") + b"\x00\x00\x00"
    first = b"OggS\x00\x02" + bytes(20) + b"\x01" + bytes([len(head)]) + head
    return first + b"OggS\x00\x04" + (48000).to_bytes(8, "little") + bytes(12) + b"\x01\x01\x00"


_FLAC: Final = b"fLaC\x80\x00\x00\x22" + bytes(10) + b"\x03\xe8\x00\xf0\x00\x00\x3e\x80" + bytes(16)
_MP3: Final = (b"\xff\xfb\x90\xc0" + bytes(413)) * 38
_WEBM: Final = b"\x1a\x45\xdf\xa3" + bytes(40) + b"A_OPUS"
_M4A: Final = b"\x00\x00\x00\x14ftypM4A " + bytes(8)

#: What a recording is called: its bytes, and how they are declared where they do not say it: codec and rate.
_RECORDINGS: Final[Mapping[str, tuple[bytes, str | None, int | None]]] = {
    "WAV, 16 kHz": (_wav("pcm", 16000, 2), None, None),
    "WAV, 44.1 kHz, stereo": (_wav("pcm", 44100, 2, 2), None, None),
    "WAV, µ-law": (_wav("mulaw", 8000, 1), None, None),
    "Opus in Ogg, 48 kHz": (_opus(48000), None, None),
    "Opus in Ogg, 16 kHz": (_opus(16000), None, None),
    "Opus in WebM": (_WEBM, None, None),
    "FLAC": (_FLAC, None, None),
    "MP3": (_MP3, None, None),
    "M4A": (_M4A, None, None),
    "bare samples, 16 kHz": (_samples(16000), "pcm", 16000),
    "bare samples, 24 kHz": (_samples(24000), "pcm", 24000),
    "bare µ-law": (_samples(8000, 1), "mulaw", 8000),
}
_SPOKEN: Final = Ask(
    audio=_RECORDINGS["WAV, 16 kHz"][0],
    sound=sound_of(_RECORDINGS["WAV, 16 kHz"][0], None),
    languages=("en",),
    punctuation=Wish.NO,
    output="json",
)
#: What an agent may ask for besides the text of what is said in a known language.
_WISHES: Final[Mapping[str, dict[str, Any]]] = {
    "a language": {"languages": ("de",)},
    "a language's region": {"languages": ("pt-BR",)},
    "detection of the language": {"languages": ()},
    "one of several languages": {"languages": ("en", "de")},
    "prompt": {"prompt": "A call about an order."},
    "words to listen for": {"terms": ("Kubernetes",)},
    "times of words": {"words": Wish.REQUIRED, "output": "verbose_json"},
    "times of segments": {"segments": Wish.REQUIRED, "output": "verbose_json"},
    "subtitles, srt": {"segments": Wish.REQUIRED, "output": "srt"},
    "subtitles, vtt": {"segments": Wish.REQUIRED, "output": "vtt"},
    "speakers": {"words": Wish.WELCOME, "segments": Wish.WELCOME, "speakers": True, "output": "diarized_json"},
    "punctuation on demand": {"punctuation": Wish.REQUIRED},
    "profanity filter": {"filter_profanity": True},
    "translation into English": {"translate": True},
    "temperature": {"temperature": 0.5},
    "streamed answer": {"stream": True},
    "address of a recording": {"audio": b"", "address": "https://example.com/a.wav"},
}
#: The fields of a probe that stand for its feature; the others are how some wires happen to say it.
_TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "a language's region": ("regions",),
    "times of words": ("words",),
    "times of segments": ("segments",),
    "subtitles, srt": ("output",),
    "subtitles, vtt": ("output",),
    "speakers": ("speakers",),
    "address of a recording": ("address",),
}


class _Probe(NamedTuple):
    exchange: Exchange
    but: str = ""
    """What there is to it, should it succeed."""


def expressible(source: str, target: str) -> dict[str, str]:
    """What an agent of dialect *source* can ask for, each with "yes" or why it cannot be had of *target*.

    A yes may be followed by a comma and what there is to it. What cannot be asked for in *source* is not there.
    Empty where one of the two does not write down speech.
    """
    if source not in TARGETS or target not in TARGETS:
        return {}
    return {feature: _best(probes, source, target) for feature, probes in _probes(source).items()}


@cache
def _probes(source: str) -> Mapping[str, tuple[_Probe, ...]]:
    """By feature, the requests with which agents of *source* ask for it; also without a language, as some want it."""
    found: dict[str, tuple[_Probe, ...]] = {}
    for name, (data, declared, rate) in _RECORDINGS.items():
        ask = replace(_SPOKEN, audio=data, sound=sound_of(data, declared, rate))
        found[name] = tuple(_Probe(exchange) for exchange in _written(source, ask, ("sound",)))
    for name, changes in _WISHES.items():
        ask, told = replace(_SPOKEN, **changes), _TOLD_BY.get(name, tuple(changes))
        found[name] = tuple(_Probe(exchange) for exchange in _written(source, ask, told))
        if not {"languages", "regions"} & set(told):
            unnamed = _written(source, replace(ask, languages=()), (*told, "languages"))
            found[name] += tuple(_Probe(exchange, "where no language is named") for exchange in unnamed)
    return {name: probes for name, probes in found.items() if probes}


def _written(source: str, ask: Ask, told: tuple[str, ...]) -> Iterator[Exchange]:
    """*ask* as agents of *source* write it, for each model with which its fields called *told* can be read again."""
    for model in _MODELS[source]:
        wire = GOOGLE_V2 if model is not None and model.startswith("projects/") else TARGETS[source]
        able = wire.able(model, translate=ask.translate)
        try:
            narrow = narrowed(ask, able, Leave(), source)
            narrow = replace(narrow, stream=ask.stream and able.streams, output=ask.output)
            if ask.address is None:
                audio, sound = fitting(wire.dialect, ask.audio, ask.sound)
                narrow = replace(narrow, audio=audio, sound=sound)
            exchange = _sent(source, wire.write(narrow, model))
            read = asked(exchange, wire)
        except Inexpressible:
            continue
        if all(_said(read, name) == _said(ask, name) for name in told):
            yield exchange


def _said(ask: Ask, name: str) -> object:
    """The field *name* of *ask*; of ``languages`` only which they are, since some wires always want a region."""
    if name == "languages":
        return [short(language) for language in ask.languages]
    return ask.languages if name == "regions" else getattr(ask, name)


def _sent(source: str, written: Written) -> Exchange:
    dialect = load(source)
    fields = [("Content-Type", written.content_type), *written.headers]
    request = Request(
        method="POST",
        target=written.target,
        headers=Headers((name.encode(), value.encode()) for name, value in fields),
    ).with_body(written.body)
    provider = Provider(name=source, origin=Origin("https", "example.com", 443), dialect=dialect)
    return Exchange(
        id="0" * 32,
        request=request,
        provider=provider,
        candidates=(provider,),
        notes=Notes(time.monotonic()),
        call=dialect.recognise("POST", request.path, request.query),
    )


def _best(probes: tuple[_Probe, ...], source: str, target: str) -> str:
    """The most that any of the agent's models can have of any of the target's."""
    found: list[tuple[str, ...]] = []
    reasons: dict[str, None] = {}
    for probe in probes:
        for model in (None,) if source == target else _MODELS[target]:
            try:
                translated = translate(probe.exchange, Target(dialect=load(target), model=model))
            except Inexpressible as failure:
                if not probe.but or not reasons:
                    reasons.setdefault(str(failure))
                continue
            other = model is not None and model != _MODELS[target][0]
            with_model = f"with {model.rpartition('/')[2]}" if model is not None and other else ""
            answer = translated.answer
            gathered = isinstance(answer, Answering) and answer.ask.stream and not answer.asked.stream
            found.append(tuple(filter(None, ("all at once" if gathered else "", probe.but, with_model))))
    return (
        ", ".join((_YES, *min(found, key=lambda one: ("all at once" in one, len(one)))))
        if found
        else "; ".join(reasons)
    )
