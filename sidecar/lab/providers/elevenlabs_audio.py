"""How ElevenLabs names formats and voices, and when which character sounds."""

from msgspec import Struct

from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json
from sidecar.lab.engines.contract import Voice
from sidecar.lab.reply import Refusal, Trouble

_CHARACTERS_PER_SECOND = 14.0


def output_format(name: str) -> AudioFormat:
    """``mp3_44100_128``, ``pcm_16000``, ``ulaw_8000``, …"""
    codec, _, numbers = name.partition("_")
    rate_text, _, kilobits = numbers.partition("_")
    if rate_text.isdecimal() and (not kilobits or kilobits.isdecimal()):
        rate, bits = int(rate_text), int(kilobits) * 1000 if kilobits else None
        made = {
            "mp3": formats.mp3(rate, bits),
            "opus": formats.opus(rate, bits),
            "pcm": formats.raw("pcm_s16le", rate),
            "wav": formats.wav(rate),
            "ulaw": formats.raw("mulaw", rate),
            "alaw": formats.raw("alaw", rate),
        }.get(codec)
        if made is not None:
            return made
    raise Refusal(Trouble.INVALID, f"Invalid output format {name!r}.", param="output_format")


def voice_of(call: Call, body: Json, model: str) -> Voice:
    settings = body.get("voice_settings") or {}
    style = repr((sorted(settings.items()), body.get("language_code"), body.get("seed")))
    return Voice(call.params["voice_id"], model, float(settings.get("speed") or 1.0), style)


class CharacterTime(Struct, frozen=True):
    character: str
    start_seconds: float
    end_seconds: float


class Alignment:
    """Tells with each stretch of audio which characters sound in it: evenly spread, the rest at the end."""

    def __init__(self, text: str, characters_per_second: float = _CHARACTERS_PER_SECOND) -> None:
        self._text = text
        self._per_second = characters_per_second
        self._told = 0
        self._played_seconds = 0.0

    def during(self, seconds: float) -> list[CharacterTime]:
        """Those of the next stretch."""
        self._played_seconds += seconds
        return self._upto(min(int(self._played_seconds * self._per_second), len(self._text)))

    def rest(self) -> list[CharacterTime]:
        return self._upto(len(self._text))

    def _upto(self, end: int) -> list[CharacterTime]:
        start, self._told = self._told, max(end, self._told)
        return [
            CharacterTime(
                self._text[number], round(number / self._per_second, 3), round((number + 1) / self._per_second, 3)
            )
            for number in range(start, end)
        ]
