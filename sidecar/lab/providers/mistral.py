"""Mistral: OpenAI's kind of chat, speech as base64 in JSON, and transcriptions with words of their own."""

import base64
import math
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, text_field
from sidecar.lab.emulation import Route, get, post
from sidecar.lab.engines.chat import count_tokens, text_pieces
from sidecar.lab.engines.contract import Transcript, Voice
from sidecar.lab.hearing import transcript_of
from sidecar.lab.providers.openai import OpenAIFamily
from sidecar.lab.providers.openai_family.chat import ChatStyle, chat_completions
from sidecar.lab.providers.openai_family.transcription import audio_part
from sidecar.lab.reply import STATUS, Chunks, HeaderList, Refusal, Reply, Trouble, Work, event, event_reply, json_reply
from sidecar.lab.speech import audio_file, paced, speech

_FORMATS = {
    "pcm": formats.raw("pcm_f32le", 24000),
    "wav": formats.wav(24000),
    "mp3": formats.mp3(24000),
    "flac": formats.flac(24000),
    "opus": formats.opus(24000),
}
_LIMIT_BYTES = 512 << 20
_KINDS = {
    Trouble.RATE: ("rate_limited", "1300"),
    Trouble.CONCURRENCY: ("rate_limited", "1301"),
    Trouble.QUOTA: ("quota_exceeded", "1302"),
    Trouble.SERVER: ("internal_server_error", "3000"),
    Trouble.OVERLOADED: ("service_unavailable", "3505"),
    Trouble.TIMEOUT: ("service_unavailable", "3504"),
}


class Mistral(OpenAIFamily):
    name = "mistral"
    hosts = ("api.mistral.ai", "api.eu.mistral.ai", "api.us.mistral.ai")
    models = ("mistral-small-latest", "voxtral-mini-latest", "voxtral-tts-latest")

    def routes(self) -> Sequence[Route]:
        style = ChatStyle(id_prefix="", call_id_prefix="", usage_unasked=True, plain=True)
        return (
            post("/v1/chat/completions", chat_completions(style)),
            post("/v1/audio/transcriptions", self._transcribe),
            post("/v1/audio/speech", self._speak),
            get("/v1/models", self.list_models),
            get("/v1/models/{model}", self.show_model),
        )

    def refuse(self, refusal: Refusal) -> Reply:
        if refusal.trouble is Trouble.AUTH:
            return json_reply({"detail": "Unauthorized"}, status=refusal.status_or(401))
        if refusal.trouble in (Trouble.NOT_FOUND, Trouble.METHOD):
            return json_reply({"message": "no Route matched with those values"}, status=404)
        if refusal.trouble is Trouble.INVALID and not refusal.status:
            where: list[str | int] = ["body", refusal.param or 0]
            kind = "missing" if refusal.message.startswith("Missing") else "value_error"
            detail = {
                "type": kind if refusal.param else "json_invalid",
                "loc": where,
                "msg": refusal.message,
                "input": None,
            }
            return json_reply({"detail": [detail]}, status=422)
        status = refusal.status_or(STATUS[refusal.trouble])
        kind, code = _KINDS.get(refusal.trouble, ("invalid_request_error", "3051"))
        error = {"object": "error", "message": refusal.message, "type": kind, "param": refusal.param, "code": code}
        return json_reply({**error, "raw_status_code": status}, status=status, headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        return [
            ("mistral-correlation-id", call.ids.uuid()),
            ("x-kong-request-id", call.ids.hex(32)),
            ("x-envoy-upstream-service-time", str(round(call.elapsed_seconds() * 1000))),
            ("x-ratelimit-limit-req-minute", "3600"),
            ("x-ratelimit-remaining-req-minute", "3599"),
        ]

    async def _transcribe(self, call: Call) -> Reply:
        form = call.multipart()
        model = form.text("model")
        if not model:
            raise Refusal(Trouble.INVALID, "Missing field: model", param="model")
        language = form.text("language") or None
        transcript = await transcript_of(call, audio_part(form, _LIMIT_BYTES).data, language=language)
        work = Work(Operation.STT, transcript.duration_seconds)
        timed = bool(form.texts("timestamp_granularities"))
        answer = _transcription(model, transcript, language, timed=timed)
        if form.flag("stream"):
            return event_reply(_transcription_events(call, answer, transcript), work=work)
        return json_reply(answer, work=work)

    async def _speak(self, call: Call) -> Reply:
        body = call.json()
        text = text_field(body, "input")
        voice = Voice(str(body.get("voice_id") or body.get("ref_audio") or ""), str(body.get("model") or ""))
        audio = _FORMATS.get(body.get("response_format") or "mp3")
        if audio is None:
            raise Refusal(
                Trouble.INVALID, "response_format: not one of pcm, wav, mp3, flac, opus", param="response_format"
            )
        work = Work(Operation.TTS, len(text))
        if body.get("stream"):
            return event_reply(_speech_events(call, text, voice, audio), work=work)
        data, _ = await audio_file(call, text, voice, audio)
        return json_reply({"audio_data": base64.b64encode(data).decode()}, work=work)


def _usage(transcript: Transcript) -> dict[str, Any]:
    tokens, heard = count_tokens(transcript.text), math.ceil(transcript.duration_seconds)
    return {
        "prompt_audio_seconds": heard,
        "prompt_tokens": 4,
        "completion_tokens": tokens,
        "total_tokens": 4 + tokens + heard * 12,
    }


def _transcription(model: str, transcript: Transcript, language: str | None, *, timed: bool) -> dict[str, Any]:
    segments = [
        {"type": "transcription_segment", "text": one.text, "start": one.start_seconds, "end": one.end_seconds}
        for one in transcript.segments
    ]
    return {
        "model": model,
        "text": transcript.text,
        "language": language,
        "segments": segments if timed else [],
        "usage": _usage(transcript),
    }


async def _transcription_events(call: Call, answer: dict[str, Any], transcript: Transcript) -> Chunks:
    def made(kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields}, kind)

    yield made("transcription.language", audio_language=transcript.language)
    for piece in text_pieces(transcript.text):
        await call.pace_tokens()
        yield made("transcription.text.delta", text=piece)
    yield made("transcription.done", **answer)


async def _speech_events(call: Call, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, _ in chunks:
            delta = {"type": "speech.audio.delta", "audio_data": base64.b64encode(chunk).decode()}
            yield event(delta, "speech.audio.delta")
    tokens = count_tokens(text)
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    yield event({"type": "speech.audio.done", "usage": usage}, "speech.audio.done")
