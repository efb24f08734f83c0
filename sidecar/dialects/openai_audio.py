"""Requests to speak and to transcribe as OpenAI and those who follow it write them."""

import msgspec
from msgspec import Struct

from sidecar.dialects import fields, formats, members
from sidecar.dialects.family import Asked
from sidecar.payload import Speech, Transcription

_PCM_RATE = 24000


class _Voice(Struct):
    id: str | None = None


class _SpeechRequest(Struct):
    """``voice_id`` and ``stream`` are Mistral's, ``sample_rate`` is Groq's."""

    model: str | None = None
    input: str | None = None
    voice: str | _Voice | None = None
    voice_id: str | None = None
    instructions: str | None = None
    response_format: str | None = None
    speed: float | None = None
    stream_format: str | None = None
    stream: bool | None = None
    sample_rate: int | None = None


_speech = msgspec.json.Decoder(_SpeechRequest).decode


def read_speech(asked: Asked) -> Speech:
    """A format that is not named stays None: each provider has its own."""
    request = _speech(asked.json)
    voice = request.voice.id if isinstance(request.voice, _Voice) else request.voice
    return Speech(
        text=request.input or "",
        model=request.model or asked.call.model,
        voice=voice or request.voice_id,
        format=formats.of_encoding(request.response_format),
        sample_rate=request.sample_rate,
        speed=request.speed,
        instructions=request.instructions,
        stream=request.stream_format == "sse" or bool(request.stream),
        parameters=members.rest(members.of(asked.json), _SpeechRequest.__struct_fields__),
    )


def read_speech_of_openai(asked: Asked) -> Speech:
    """The same with OpenAI's defaults filled in: MP3, and PCM at 24 kHz."""
    speech = read_speech(asked)
    audio_format = speech.format or "mp3"
    rate = _PCM_RATE if audio_format == "pcm" and speech.sample_rate is None else speech.sample_rate
    return msgspec.structs.replace(speech, format=audio_format, sample_rate=rate)


def read_transcription(asked: Asked) -> Transcription:
    """``file_url`` is Mistral's, ``url`` is Groq's."""
    form = fields.of_form(asked, "file")
    named = form.fields
    return Transcription(
        audio=form.audio,
        audio_url=named.take("url", "file_url"),
        media_type=form.media_type,
        filename=form.filename,
        format=form.format,
        model=named.take("model") or asked.call.model,
        language=named.take("language"),
        prompt=named.take("prompt"),
        response_format=named.take("response_format"),
        timestamps=named.take_all("timestamp_granularities"),
        stream=fields.flag(named.take("stream")),
        translate=asked.call.endpoint == "audio.translations",
        parameters=named.rest(),
    )
