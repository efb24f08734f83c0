"""Engines without weights: the synthesizer hides the text in tones, and the recogniser finds it there again."""

import hashlib
import re
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from sidecar.lab.audio.pcm import Pcm, silence
from sidecar.lab.audio.samples import floats
from sidecar.lab.engines.contract import Segment, Transcript, Voice, Word
from sidecar.lab.engines.modem import MAX_TEXT_BYTES, SYMBOL_SECONDS, Found, Hum, demodulated, modulated, symbol_samples
from sidecar.lab.engines.sentences import sentences

_PAUSE_SECONDS = 2 * SYMBOL_SECONDS
_NATIVE_RATE = 24000
_SILENT_PEAK = 0.003
"""About -50 dB: below that nobody speaks."""

CANNED = (
    "I would like to book a table for two tomorrow at seven.",
    "What are your opening hours on Saturday?",
    "Could you tell me the weather for this evening, please?",
    "Yes, that works for me, thank you.",
    "I need to change my appointment to next Tuesday.",
    "Can you connect me to a human agent?",
    "My order has not arrived yet.",
    "No, thank you, that will be all.",
)
"""What is heard in audio that is not the echo synthesizer's: one of these, always the same for the same audio."""


def hum_of(voice: Voice) -> Hum:
    """A voice's own hum: any difference in name, model, speed or style makes another one."""
    digest = hashlib.sha256(repr((voice.name, voice.model, voice.speed, voice.style)).encode()).digest()
    low = (100, 150, 200)[digest[0] % 3]
    return Hum(low, low + 50 * (1 + digest[1] % 2), 0.02 + digest[2] / 4096, 0.01 + digest[3] / 4096)


class EchoSynthesizer:
    """Sound that lasts as long as its text is long, whatever the speed asked for (that is heard in the hum only)."""

    repeatable = True

    async def speak(self, text: str, voice: Voice, rate: int) -> AsyncGenerator[Pcm, None]:
        rate = _NATIVE_RATE if symbol_samples(rate) is None else rate
        hum = hum_of(voice)
        for number, piece in enumerate(sentences(text, MAX_TEXT_BYTES)):
            if number:
                yield silence(_PAUSE_SECONDS, rate)
            yield modulated(piece, hum, rate, continues=number > 0)


class EchoRecognizer:
    interim_seconds = 0.3

    async def transcribe(self, audio: Pcm, language: str | None = None, prompt: str = "") -> Transcript:
        """Nothing for silence or a beginning too short to tell, a canned sentence for audio of another origin."""
        reception = demodulated(audio)
        silent = not audio.samples or float(np.abs(floats(audio)).max()) < _SILENT_PEAK
        if reception.frames:
            segments = _segments(reception.frames)
        elif silent or reception.tonal:
            segments = ()
        else:
            segments = _canned(audio.samples, audio.seconds)
        return Transcript(segments, audio.seconds, language or "en")

    def unreadable(self, data: bytes) -> Transcript | None:
        """A canned sentence, so that a test may send any bytes for audio."""
        return Transcript(_canned(data, 1.0), 1.0)


def _canned(data: bytes, seconds: float) -> tuple[Segment, ...]:
    text = CANNED[hashlib.sha256(data).digest()[0] % len(CANNED)]
    return (Segment(text, 0.0, seconds, _words(text, 0.0, seconds)),)


def _segments(found: Sequence[Found]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    for frame in found:
        text = frame.text
        if segments and not frame.continues and not segments[-1].text[-1:].isspace():
            text = f" {text}"
        words = _words(text, frame.start_seconds, frame.end_seconds)
        segments.append(Segment(text, frame.start_seconds, frame.end_seconds, words))
    return tuple(segments)


def _words(text: str, start_seconds: float, end_seconds: float) -> tuple[Word, ...]:
    """Words with times in proportion to where they stand in the text."""
    scale = (end_seconds - start_seconds) / max(len(text), 1)
    return tuple(
        Word(
            word.group(),
            round(start_seconds + word.start() * scale, 3),
            round(start_seconds + word.end() * scale, 3),
        )
        for word in re.finditer(r"\S+", text)
    )
