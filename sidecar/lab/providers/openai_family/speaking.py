"""``POST /v1/audio/speech``: audio in chunks, or events with audio in them."""

import base64
from contextlib import aclosing

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.engines.chat import count_tokens
from sidecar.lab.engines.contract import Voice
from sidecar.lab.reply import Chunks, Refusal, Reply, Trouble, Work, event, event_reply, stream_reply
from sidecar.lab.speech import audio_stream, paced, speech

_FORMATS: dict[str, tuple[AudioFormat, str]] = {
    "mp3": (formats.mp3(24000, 160_000), "audio/mpeg"),
    "opus": (formats.opus(48000, 48_000), "audio/opus"),
    "aac": (formats.aac(24000, 96_000), "audio/aac"),
    "flac": (formats.flac(24000), "audio/flac"),
    "wav": (formats.wav(24000), "audio/wav"),
    "pcm": (formats.raw("pcm_s16le", 24000), "audio/pcm"),
}
_MAX_CHARACTERS = 4096


def number_between(body: Json, name: str, low: float, high: float, usual: float) -> float:
    value = body.get(name)
    if value is None:
        return usual
    if not isinstance(value, int | float) or not low <= value <= high:
        raise Refusal(Trouble.INVALID, f"Invalid '{name}': expected a number from {low} to {high}.", param=name)
    return float(value)


def voice_of(body: Json, model: str) -> Voice:
    voice = body.get("voice")
    name = voice.get("id") if isinstance(voice, dict) else voice
    if not isinstance(name, str) or not name:
        raise Refusal(Trouble.INVALID, "Missing required parameter: 'voice'.", param="voice")
    return Voice(name, model, number_between(body, "speed", 0.25, 4.0, 1.0), str(body.get("instructions") or ""))


async def speech_handler(call: Call) -> Reply:
    body = call.json()
    model = text_field(body, "model") if "deployment" not in call.params else call.params["deployment"]
    text = text_field(body, "input")
    if not text or len(text) > _MAX_CHARACTERS:
        problem = "too long" if text else "too short"
        raise Refusal(
            Trouble.INVALID,
            f"Invalid 'input': string {problem}. Expected 1 to {_MAX_CHARACTERS} characters.",
            param="input",
        )
    voice = voice_of(body, model)
    wanted = body.get("response_format") or "mp3"
    if wanted not in _FORMATS:
        raise Refusal(Trouble.INVALID, f"Invalid value: '{wanted}'.", param="response_format")
    audio, content_type = _FORMATS[wanted]
    work = Work(Operation.TTS, len(text))
    if body.get("stream_format") == "sse" and not model.startswith("tts-1"):
        return event_reply(_events(call, text, voice, audio), work=work)
    return stream_reply(audio_stream(call, text, voice, audio), content_type, work=work)


async def _events(call: Call, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    played_seconds = 0.0
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, seconds in chunks:
            played_seconds += seconds
            yield event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    usage = {"input_tokens": count_tokens(text), "output_tokens": round(played_seconds * 20)}
    usage["total_tokens"] = sum(usage.values())
    yield event({"type": "speech.audio.done", "usage": usage})
