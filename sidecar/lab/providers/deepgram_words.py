"""How Deepgram names audio, and shows what was heard."""

from typing import Any

from sidecar.lab.call import Call
from sidecar.lab.engines.contract import Word
from sidecar.lab.hearing import RawAudio

CODECS = {"linear16": "pcm_s16le", "linear32": "pcm_f32le", "mulaw": "mulaw", "alaw": "alaw"}


def raw_audio(call: Call) -> RawAudio | None:
    """How the query describes samples without a header; None if their container will tell."""
    codec = CODECS.get(call.query("encoding"))
    if codec is None:
        return None
    return RawAudio(codec, int(call.query_number("sample_rate", 16000)), int(call.query_number("channels", 1)))


def word_of(word: Word, *, punctuated: bool) -> dict[str, Any]:
    made = {
        "word": word.text.strip(".,!?;:").lower() or word.text,
        "start": word.start_seconds,
        "end": word.end_seconds,
        "confidence": word.confidence,
    }
    return {**made, "punctuated_word": word.text} if punctuated else made


def is_punctuated(call: Call) -> bool:
    return call.query_flag("punctuate") or call.query_flag("smart_format")


def shown(call: Call, text: str) -> str:
    """A transcript with capitals and punctuation only if they were asked for."""
    return text if is_punctuated(call) else "".join(letter for letter in text.lower() if letter not in ".,!?;:")
