"""AssemblyAI: uploads and jobs, transcription in one call, speech; its language models are OpenAI's kind."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from sidecar.dialect import Operation
from sidecar.lab.call import Bench, Call, Json, read_json, text_field
from sidecar.lab.emulation import Emulation, Route, get, post, socket
from sidecar.lab.engines.contract import Transcript, Word
from sidecar.lab.hearing import RawAudio, transcript_of
from sidecar.lab.providers import assemblyai_sockets
from sidecar.lab.providers.assemblyai_speech import speak, speak_socket
from sidecar.lab.providers.openai_family.chat import chat_completions
from sidecar.lab.providers.openai_family.transcription import srt, vtt
from sidecar.lab.reply import STATUS, HeaderList, Refusal, Reply, Trouble, Work, json_reply, text_reply

_CODES = {
    Trouble.AUTH: ("unauthorized", False),
    Trouble.NOT_FOUND: ("not_found", False),
    Trouble.METHOD: ("method_not_allowed", False),
    Trouble.INVALID: ("invalid_parameter", False),
    Trouble.TOO_LARGE: ("audio_too_large", False),
    Trouble.UNSUPPORTED: ("bad_audio", False),
    Trouble.RATE: ("rate_limited", True),
    Trouble.CONCURRENCY: ("at_capacity", True),
    Trouble.QUOTA: ("insufficient_funds", False),
    Trouble.SERVER: ("internal_error", True),
    Trouble.OVERLOADED: ("capacity_exceeded", True),
    Trouble.TIMEOUT: ("inference_timeout", True),
}
"""The code, and whether it is worth another try."""
_KEPT_UPLOADS = 64
_KEPT_JOBS = 1000
_UPLOADS = "https://cdn.assemblyai.com/upload/"
_SYNC_LIMIT_BYTES = 40 << 20
_SYNC_SECONDS = (0.08, 120.0)


class _Job(Struct):
    answer: Json
    task: "asyncio.Task[None] | None" = None
    transcript: Transcript | None = None


class AssemblyAI(Emulation):
    name = "assemblyai"
    hosts = (
        "*.assemblyai.com",
        "api.eu.assemblyai.com",
        "streaming.eu.assemblyai.com",
        "tts.us.assemblyai.com",
        "tts.eu.assemblyai.com",
        "llm-gateway.eu.assemblyai.com",
    )

    def __init__(self, bench: Bench) -> None:
        self._uploads: OrderedDict[str, bytes] = OrderedDict()
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        super().__init__(bench)

    def routes(self) -> Sequence[Route]:
        return (
            post("/v2/upload", self._upload),
            post("/v2/transcript", self._begin),
            get("/v2/transcript/{id}", self._poll),
            get("/v2/transcript/{id}/sentences", self._sentences),
            get("/v2/transcript/{id}/srt", self._srt),
            get("/v2/transcript/{id}/vtt", self._vtt),
            get("/v1/warm", self._warm),
            post("/v1/transcribe", self._transcribe),
            post("/v1/transcribe/live", self._transcribe),
            socket("/v3/ws", assemblyai_sockets.transcribe),
            post("/v1/speech", speak),
            socket("/v1/ws", speak_socket),
            post("/v1/chat/completions", chat_completions()),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("Authorization") or call.query("token")

    def refuse(self, refusal: Refusal) -> Reply:
        usual = 402 if refusal.trouble is Trouble.QUOTA else STATUS[refusal.trouble]
        status = refusal.status_or(usual)
        code, retryable = _CODES[refusal.trouble]
        # one body that all of its services' clients can read, since they disagree about the shape
        body: Json = {
            "status": status,
            "title": code.replace("_", " ").capitalize(),
            "detail": refusal.message,
            "error": refusal.message,
            "error_code": code,
            "code": code,
            "message": refusal.message,
            "param": refusal.param,
            "retryable": retryable,
            "request_id": self.bench.ids.uuid(),
        }
        if refusal.retry_after_seconds is not None:
            body["retry_after_seconds"] = refusal.retry_after_seconds
        return json_reply(body, status=status, headers=refusal.retry_headers)

    def answer_headers(self, call: Call) -> HeaderList:
        return [("x-request-id", call.ids.uuid()), ("x-assemblyai-region", "lab")]

    async def _upload(self, call: Call) -> Reply:
        if not call.body:
            raise Refusal(Trouble.INVALID, "Upload failed: the body is empty.")
        url = _UPLOADS + call.ids.uuid()
        self._uploads[url] = call.body
        while len(self._uploads) > _KEPT_UPLOADS:
            self._uploads.popitem(last=False)
        return json_reply({"upload_url": url})

    async def _begin(self, call: Call) -> Reply:
        body = call.json()
        url = text_field(body, "audio_url")
        identifier = call.ids.uuid()
        answer: Json = {
            "id": identifier,
            "status": "queued",
            "audio_url": url,
            "language_code": body.get("language_code") or "en_us",
            "speech_model": body.get("speech_model"),
            "text": None,
            "words": None,
            "utterances": None,
            "confidence": None,
            "audio_duration": None,
            "error": None,
            "webhook_auth": False,
        }
        job = self._jobs[identifier] = _Job(answer=answer)
        while len(self._jobs) > _KEPT_JOBS:
            self._jobs.popitem(last=False)
        # an address that was not given out here stands for some audio or other
        data = self._uploads.get(url, url.encode())
        job.task = asyncio.create_task(self._run(call, job, data))
        return json_reply(answer)

    async def _run(self, call: Call, job: _Job, data: bytes) -> None:
        """The job itself, which takes its time after the call that began it was answered."""
        try:
            transcript = await transcript_of(call, data, language=str(job.answer["language_code"])[:2])
        except Refusal as refusal:
            job.answer |= {"status": "error", "error": f"Transcoding failed. {refusal.message}"}
            return
        await self.bench.clock.sleep(self.bench.latency.first_byte_seconds(Operation.STT, transcript.duration_seconds))
        job.transcript = transcript
        job.answer |= {
            "status": "completed",
            "text": transcript.text,
            "words": words_of(transcript.words),
            "confidence": 0.97,
            "audio_duration": round(transcript.duration_seconds),
        }

    def _job(self, call: Call) -> _Job:
        job = self._jobs.get(call.params["id"])
        if job is None:
            raise Refusal(Trouble.INVALID, "Transcript lookup error, transcript id not found")
        return job

    async def _poll(self, call: Call) -> Reply:
        job = self._job(call)
        if job.answer["status"] == "queued" and call.bench.latency.pace.first_byte:
            return json_reply({**job.answer, "status": "processing"})
        if job.task is not None and not call.bench.latency.pace.first_byte:
            # without emulated latency nobody should have to poll twice
            await asyncio.wait([job.task])
        return json_reply(job.answer)

    def _finished(self, call: Call) -> Transcript:
        transcript = self._job(call).transcript
        if transcript is None:
            raise Refusal(Trouble.INVALID, "This transcript is not completed.")
        return transcript

    async def _sentences(self, call: Call) -> Reply:
        transcript = self._finished(call)
        sentences = [
            {
                "text": one.text.strip(),
                "start": round(one.start_seconds * 1000),
                "end": round(one.end_seconds * 1000),
                "confidence": 0.97,
                "words": words_of(one.words),
            }
            for one in transcript.segments
        ]
        audio = {"confidence": 0.97, "audio_duration": round(transcript.duration_seconds)}
        return json_reply({"id": call.params["id"], "sentences": sentences, **audio})

    async def _srt(self, call: Call) -> Reply:
        return text_reply(srt(self._finished(call)))

    async def _vtt(self, call: Call) -> Reply:
        return text_reply(vtt(self._finished(call)))

    async def _warm(self, call: Call) -> Reply:
        return json_reply({"status": "ok"})

    async def _transcribe(self, call: Call) -> Reply:
        if not call.headers.get("X-AAI-Model"):
            raise Refusal(Trouble.INVALID, "The X-AAI-Model header is required.", param="X-AAI-Model")
        form = call.multipart()
        part, config = form.part("audio"), read_json(form.text("config", "{}"))
        if part is None:
            raise Refusal(Trouble.INVALID, "The audio part is missing.", param="audio")
        if len(part.data) > _SYNC_LIMIT_BYTES:
            raise Refusal(Trouble.TOO_LARGE, "The audio is larger than 40 MB.")
        raw = None
        if part.data[:4] != b"RIFF":
            if not config.get("sample_rate"):
                raise Refusal(Trouble.UNSUPPORTED, "Only WAV, and raw PCM with a sample_rate, is supported.")
            raw = RawAudio("pcm_s16le", int(config["sample_rate"]), int(config.get("channels") or 1))
        transcript = await transcript_of(call, part.data, raw)
        if not _SYNC_SECONDS[0] <= transcript.duration_seconds <= _SYNC_SECONDS[1]:
            raise Refusal(Trouble.INVALID, "The audio must last between 80 ms and 120 s.", param="audio")
        return json_reply(
            {
                "text": transcript.text,
                "words": words_of(transcript.words),
                "confidence": 0.97 if transcript.segments else 0.0,
                "audio_duration_ms": round(transcript.duration_seconds * 1000),
                "session_id": call.ids.uuid(),
                "request_time_ms": round(call.elapsed_seconds() * 1000, 3),
            },
            work=Work(Operation.STT, transcript.duration_seconds),
        )


def words_of(words: Sequence[Word]) -> list[dict[str, Any]]:
    """With times in milliseconds."""
    return [
        {
            "text": word.text,
            "start": round(word.start_seconds * 1000),
            "end": round(word.end_seconds * 1000),
            "confidence": word.confidence,
            "speaker": None,
        }
        for word in words
    ]
