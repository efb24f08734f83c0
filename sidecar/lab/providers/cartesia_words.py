"""How Cartesia names formats, voices and times."""

import re

from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Json
from sidecar.lab.engines.contract import Voice
from sidecar.lab.reply import Refusal, Trouble

CODECS = {"pcm_s16le": "pcm_s16le", "pcm_f32le": "pcm_f32le", "pcm_mulaw": "mulaw", "pcm_alaw": "alaw"}


def raw_format(body: Json) -> AudioFormat:
    wanted: Json = body.get("output_format") or {}
    codec = CODECS.get(str(wanted.get("encoding", "pcm_f32le")))
    if not wanted or codec is None:
        raise Refusal(Trouble.INVALID, "output_format is missing or not supported.", param="output_format")
    return formats.raw(codec, int(wanted.get("sample_rate") or 44100))


def voice_of(body: Json) -> Voice:
    voice = body.get("voice")
    name = voice.get("id") if isinstance(voice, dict) else voice
    if not name:
        raise Refusal(Trouble.INVALID, "voice is required.", param="voice")
    settings = body.get("generation_config") or {}
    style = repr((sorted(settings.items()), body.get("language") or body.get("locale")))
    return Voice(str(name), str(body.get("model_id") or ""), 1.0, style)


def word_times(text: str, seconds: float, start_seconds: float = 0.0) -> Json:
    """Words with their times, evenly spread over the text."""
    scale = seconds / max(len(text), 1)
    words = list(re.finditer(r"\S+", text))
    return {
        "words": [word.group() for word in words],
        "start": [round(start_seconds + word.start() * scale, 3) for word in words],
        "end": [round(start_seconds + word.end() * scale, 3) for word in words],
    }
