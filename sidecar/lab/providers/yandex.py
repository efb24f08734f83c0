"""Yandex SpeechKit: recognition and synthesis of version 1, synthesis of version 3, and its language models."""

import base64
import re
from collections.abc import Sequence
from contextlib import aclosing

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.emulation import Emulation, Route, bearer, post
from sidecar.lab.engines.contract import Voice
from sidecar.lab.forms import Form, urlencoded
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers.openai_family.chat import ChatStyle, chat_completions
from sidecar.lab.reply import STATUS, Chunks, HeaderList, Refusal, Reply, Trouble, Work, dumps, json_reply, stream_reply
from sidecar.lab.speech import audio_stream, paced, speech

_CODES = {
    Trouble.AUTH: "UNAUTHORIZED",
    Trouble.RATE: "TOO_MANY_REQUESTS",
    Trouble.CONCURRENCY: "TOO_MANY_REQUESTS",
    Trouble.QUOTA: "TOO_MANY_REQUESTS",
    Trouble.SERVER: "INTERNAL_SERVER_ERROR",
    Trouble.OVERLOADED: "SERVICE_UNAVAILABLE",
    Trouble.TIMEOUT: "GATEWAY_TIMEOUT",
    Trouble.NOT_FOUND: "NOT_FOUND",
    Trouble.METHOD: "METHOD_NOT_ALLOWED",
}
_AUDIO_LIMIT_BYTES = 1 << 20
_AUDIO_LIMIT_SECONDS = 30.0
_FORM_LIMIT_BYTES = 15 << 10
_TEXT_LIMIT = 5000
_V3_TEXT_LIMIT = 250
_RATES = ("8000", "16000", "48000")
_MARKUP = re.compile(r"<[^>]*>|\*\*|\+(?=\w)|\s-\s(?=\s|$)")


class Yandex(Emulation):
    name = "yandex"
    hosts = ("*.api.cloud.yandex.net", "*.api.ml.yandexcloud.kz")

    def routes(self) -> Sequence[Route]:
        return (
            post("/speech/v1/stt:recognize", self._recognize),
            post("/speech/v1/tts:synthesize", self._synthesize),
            post("/tts/v3/utteranceSynthesis", self._synthesize_v3),
            post("/v1/chat/completions", chat_completions(ChatStyle(plain=True))),
        )

    def credential(self, call: Call) -> str | None:
        return bearer(call, "api-key") or bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        status = refusal.status_or(STATUS[refusal.trouble])
        body = {"error_code": _CODES.get(refusal.trouble, "BAD_REQUEST"), "error_message": refusal.message}
        return json_reply(body, status=status, headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        return [("x-request-id", call.ids.uuid()), ("x-server-trace-id", call.ids.named("", 16))]

    async def _recognize(self, call: Call) -> Reply:
        if len(call.body) > _AUDIO_LIMIT_BYTES:
            raise Refusal(Trouble.TOO_LARGE, "audio should be less than 1 MB", status=400)
        kind = call.query("format", "oggopus")
        if kind not in ("oggopus", "lpcm"):
            raise Refusal(Trouble.INVALID, f"unsupported format {kind}")
        if call.body[:4] == b"RIFF":
            raise Refusal(Trouble.INVALID, "audio is neither oggopus nor headerless lpcm")
        rate = call.query("sampleRateHertz", "48000")
        if rate not in _RATES:
            raise Refusal(Trouble.INVALID, "sampleRateHertz should be one of 8000, 16000, 48000")
        raw = RawAudio(rate=int(rate)) if kind == "lpcm" else None
        transcript = await transcript_of(call, call.body, raw, language=call.query("lang", "ru-RU")[:2])
        if transcript.duration_seconds > _AUDIO_LIMIT_SECONDS:
            raise Refusal(Trouble.INVALID, "audio should be less than 30 s")
        text = transcript.text
        if call.query("rawResults") != "false" and not call.query("profanityFilter"):
            text = text.rstrip(".")
        return json_reply({"result": text}, work=Work(Operation.STT, transcript.duration_seconds))

    async def _synthesize(self, call: Call) -> Reply:
        if len(call.body) > _FORM_LIMIT_BYTES:
            raise Refusal(Trouble.TOO_LARGE, "the request should be less than 15 KB", status=400)
        form = urlencoded(call.body)
        text = spoken_text(form.text("text") or form.text("ssml"))
        if not text.strip() or len(text) > _TEXT_LIMIT:
            raise Refusal(Trouble.INVALID, f"text or ssml should have 1 to {_TEXT_LIMIT} characters")
        audio = _v1_format(form)
        voice = Voice(
            form.text("voice", "marina"),
            "v1",
            float(form.text("speed") or 1.0),
            f"{form.text('lang', 'ru-RU')} {form.text('emotion')}",
        )
        kind = "audio/pcm" if audio.container == "raw" else audio.content_type
        return stream_reply(audio_stream(call, text, voice, audio), kind, work=Work(Operation.TTS, len(text)))

    async def _synthesize_v3(self, call: Call) -> Reply:
        body = call.json()
        text = spoken_text(text_field(body, "text"))
        if len(text) > (_TEXT_LIMIT if body.get("unsafeMode") or body.get("unsafe_mode") else _V3_TEXT_LIMIT):
            raise Refusal(Trouble.INVALID, "Too long text; unsafe mode allows more.")
        hints: Json = {}
        for hint in body.get("hints") or ():
            hints |= hint
        voice = Voice(
            str(hints.get("voice") or "marina"), "v3", float(hints.get("speed") or 1.0), str(hints.get("role"))
        )
        chunks = _v3_chunks(call, text, voice, _v3_format(body))
        return stream_reply(chunks, "application/json", work=Work(Operation.TTS, len(text)))


def spoken_text(text: str) -> str:
    """Without the marks for stress, pauses and sounds."""
    return _MARKUP.sub("", text)


def _v1_format(form: Form) -> AudioFormat:
    kind = form.text("format", "oggopus")
    rate = form.text("sampleRateHertz", "48000")
    if kind == "lpcm" and rate in _RATES:
        return formats.raw("pcm_s16le", int(rate))
    if kind in ("oggopus", "mp3"):
        return formats.opus(48000) if kind == "oggopus" else formats.mp3(48000, 64_000)
    raise Refusal(Trouble.INVALID, f"unsupported format {kind} at {rate} Hz")


def _v3_format(body: Json) -> AudioFormat:
    spec: Json = body.get("outputAudioSpec") or body.get("output_audio_spec") or {}
    if (raw := spec.get("rawAudio") or spec.get("raw_audio")) is not None:
        return formats.raw("pcm_s16le", int(raw.get("sampleRateHertz") or raw.get("sample_rate_hertz") or 22050))
    container = spec.get("containerAudio") or spec.get("container_audio") or {}
    kind = container.get("containerAudioType") or container.get("container_audio_type") or "WAV"
    made = {"WAV": formats.wav(22050), "OGG_OPUS": formats.opus(48000), "MP3": formats.mp3(22050)}.get(kind)
    if made is None:
        raise Refusal(Trouble.INVALID, f"unsupported container {kind}")
    return made


async def _v3_chunks(call: Call, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    """JSON objects one after another; each holds some audio."""
    played_ms = 0
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, seconds in chunks:
            length_ms = round(seconds * 1000)
            result = {
                "audioChunk": {"data": base64.b64encode(chunk).decode()},
                "textChunk": {"text": text} if not played_ms else None,
                "startMs": str(played_ms),
                "lengthMs": str(length_ms),
            }
            played_ms += length_ms
            yield dumps({"result": {key: value for key, value in result.items() if value is not None}}) + b"\n"
