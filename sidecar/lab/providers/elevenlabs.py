"""ElevenLabs: speech in every form, and transcriptions."""

import base64
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, Json, text_field
from sidecar.lab.emulation import Emulation, Route, bearer, get, post, socket
from sidecar.lab.engines.contract import Transcript, Voice
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers import elevenlabs_sockets
from sidecar.lab.providers.elevenlabs_audio import Alignment, CharacterTime, output_format, voice_of
from sidecar.lab.reply import STATUS, Chunks, HeaderList, Refusal, Reply, Trouble, Work, dumps, json_reply, stream_reply
from sidecar.lab.speech import audio_file, audio_stream, paced, speech

_STATUSES: dict[Trouble, tuple[int, str]] = {
    Trouble.AUTH: (401, "invalid_api_key"),
    Trouble.QUOTA: (401, "quota_exceeded"),
    Trouble.RATE: (429, "rate_limit_exceeded"),
    Trouble.CONCURRENCY: (429, "too_many_concurrent_requests"),
    Trouble.OVERLOADED: (429, "system_busy"),
    Trouble.SERVER: (500, "internal_server_error"),
}
_MAX_CHARACTERS = {"eleven_flash_v2_5": 40_000, "eleven_turbo_v2_5": 40_000, "eleven_flash_v2": 30_000}
_VOICE = "/v1/text-to-speech/{voice_id}"
_LANGUAGES = {"en": "eng", "ru": "rus", "de": "deu", "fr": "fra", "es": "spa"}


class ElevenLabs(Emulation):
    name = "elevenlabs"
    hosts = (
        "api.elevenlabs.io",
        "api.us.elevenlabs.io",
        "api.eu.residency.elevenlabs.io",
        "api.in.residency.elevenlabs.io",
        "api.sg.residency.elevenlabs.io",
    )

    def routes(self) -> Sequence[Route]:
        return (
            post(_VOICE, self._speak),
            post(f"{_VOICE}/stream", self._speak),
            post(f"{_VOICE}/with-timestamps", self._speak_timed),
            post(f"{_VOICE}/stream/with-timestamps", self._stream_timed),
            # their credential may come in the first message
            socket(f"{_VOICE}/stream-input", elevenlabs_sockets.stream_input, public=True),
            socket(f"{_VOICE}/multi-stream-input", elevenlabs_sockets.multi_stream_input, public=True),
            post("/v1/speech-to-text", self._transcribe),
            socket("/v1/speech-to-text/realtime", elevenlabs_sockets.transcribe),
            get("/v1/voices", self._voices),
            get("/v2/voices", self._voices),
            get("/v1/models", self._models),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("xi-api-key") or call.query("token") or bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        if refusal.trouble in (Trouble.NOT_FOUND, Trouble.METHOD):
            phrase = "Not Found" if refusal.trouble is Trouble.NOT_FOUND else "Method Not Allowed"
            return json_reply({"detail": phrase}, status=STATUS[refusal.trouble])
        if refusal.trouble is Trouble.INVALID and not refusal.status:
            where = ["body", refusal.param] if refusal.param else ["body", 0]
            kind = "missing" if refusal.message.startswith("Missing") else "value_error"
            problem = {"type": kind if refusal.param else "json_invalid", "loc": where, "msg": refusal.message}
            return json_reply({"detail": [problem]}, status=422)
        usual, name = _STATUSES.get(refusal.trouble, (STATUS[refusal.trouble], refusal.trouble.value))
        detail = {"status": name, "message": refusal.message}
        return json_reply({"detail": detail}, status=refusal.status_or(usual), headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        return [
            ("request-id", call.ids.named("", 20)),
            ("current-concurrent-requests", "1"),
            ("maximum-concurrent-requests", "15"),
            ("x-region", "lab"),
        ]

    async def _voices(self, call: Call) -> Reply:
        voice = {"voice_id": "21m00Tcm4TlvDq8ikWAM", "name": "Lab", "category": "premade", "labels": {}}
        return json_reply({"voices": [voice], "has_more": False, "total_count": 1})

    async def _models(self, call: Call) -> Reply:
        return json_reply(
            [{"model_id": model, "name": model, "can_do_text_to_speech": True} for model in _MAX_CHARACTERS]
        )

    async def _speak(self, call: Call) -> Reply:
        text, voice, audio = _asked(call)
        headers = [("character-cost", str(len(text))), ("history-item-id", call.ids.named("", 20))]
        work = Work(Operation.TTS, len(text))
        return stream_reply(audio_stream(call, text, voice, audio), audio.content_type, headers=headers, work=work)

    async def _speak_timed(self, call: Call) -> Reply:
        text, voice, audio = _asked(call)
        data, seconds = await audio_file(call, text, voice, audio)
        times = _timed(Alignment(text, len(text) / max(seconds, 0.001)).rest())
        answer = {
            "audio_base64": base64.b64encode(data).decode(),
            "alignment": times,
            "normalized_alignment": times,
        }
        headers = [("character-cost", str(len(text)))]
        return json_reply(answer, headers=headers, work=Work(Operation.TTS, len(text)))

    async def _stream_timed(self, call: Call) -> Reply:
        text, voice, audio = _asked(call)
        chunks = _timed_chunks(call, text, voice, audio)
        headers = [("character-cost", str(len(text)))]
        return stream_reply(chunks, "application/json", headers=headers, work=Work(Operation.TTS, len(text)))

    async def _transcribe(self, call: Call) -> Reply:
        form = call.multipart()
        if not form.text("model_id"):
            raise Refusal(Trouble.INVALID, "Missing field: model_id", param="model_id")
        part = form.part("file")
        address = form.text("cloud_storage_url") or form.text("source_url")
        if part is None and not address:
            raise Refusal(Trouble.INVALID, "Missing field: file", param="file")
        data = address.encode() if part is None else part.data
        raw = RawAudio() if form.text("file_format") == "pcm_s16le_16" else None
        transcript = await transcript_of(call, data, raw, language=form.text("language_code")[:2] or None)
        if form.flag("webhook"):
            return json_reply({"message": "Request processed successfully", "request_id": call.ids.named("", 20)})
        return json_reply(_transcribed(call, transcript), work=Work(Operation.STT, transcript.duration_seconds))


def _asked(call: Call) -> tuple[str, Voice, AudioFormat]:
    body = call.json()
    text, model = text_field(body, "text"), str(body.get("model_id") or "eleven_multilingual_v2")
    if not text:
        raise Refusal(Trouble.INVALID, "String should have at least 1 character", param="text")
    if len(text) > (limit := _MAX_CHARACTERS.get(model, 10_000)):
        raise Refusal(
            Trouble.TOO_LARGE, f"This request's text has {len(text)} characters, at most {limit}.", status=400
        )
    return text, voice_of(call, body, model), output_format(call.query("output_format", "mp3_44100_128"))


def _timed(times: list[CharacterTime]) -> Json | None:
    if not times:
        return None
    return {
        "characters": [one.character for one in times],
        "character_start_times_seconds": [one.start_seconds for one in times],
        "character_end_times_seconds": [one.end_seconds for one in times],
    }


async def _timed_chunks(call: Call, text: str, voice: Voice, audio: AudioFormat) -> Chunks:
    """One JSON object per line."""

    def line(data: bytes, times: Json | None) -> bytes:
        encoded = base64.b64encode(data).decode()
        return dumps({"audio_base64": encoded, "alignment": times, "normalized_alignment": times}) + b"\n"

    alignment = Alignment(text)
    async with aclosing(paced(call, speech(call, text, voice, audio))) as chunks:
        async for chunk, seconds in chunks:
            yield line(chunk, _timed(alignment.during(seconds)))
    if rest := alignment.rest():
        yield line(b"", _timed(rest))


def _transcribed(call: Call, transcript: Transcript) -> dict[str, Any]:
    words: list[Json] = []
    for word in transcript.words:
        if words:
            before = words[-1]["end"]
            words.append({"text": " ", "start": before, "end": word.start_seconds, "type": "spacing", "logprob": 0.0})
        made = {"text": word.text, "start": word.start_seconds, "end": word.end_seconds}
        words.append({**made, "type": "word", "speaker_id": "speaker_0", "logprob": -0.02})
    return {
        "language_code": _LANGUAGES.get(transcript.language, transcript.language),
        "language_probability": 0.99,
        "text": transcript.text,
        "words": words,
        "transcription_id": call.ids.named("", 20),
        "audio_duration_secs": round(transcript.duration_seconds, 3),
    }
