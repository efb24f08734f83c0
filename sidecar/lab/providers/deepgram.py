"""Deepgram: listening and speaking, over HTTP and over sockets."""

import hashlib
from collections.abc import Sequence
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.audio.formats import AudioFormat
from sidecar.lab.call import Call, text_field
from sidecar.lab.emulation import Emulation, Route, bearer, post, socket
from sidecar.lab.engines.contract import Transcript, Voice
from sidecar.lab.hearing import transcript_of
from sidecar.lab.providers import deepgram_sockets
from sidecar.lab.providers.deepgram_words import CODECS, is_punctuated, raw_audio, shown, word_of
from sidecar.lab.reply import STATUS, HeaderList, Refusal, Reply, Trouble, Work, json_reply, stream_reply
from sidecar.lab.speech import audio_stream

_CODES = {
    Trouble.AUTH: ("INVALID_AUTH", "Invalid credentials."),
    Trouble.QUOTA: ("ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request."),
    Trouble.RATE: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    Trouble.CONCURRENCY: ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    Trouble.INVALID: ("Bad Request", ""),
    Trouble.UNSUPPORTED: ("Bad Request", ""),
    Trouble.TOO_LARGE: ("PAYLOAD_TOO_LARGE", ""),
    Trouble.SERVER: ("INTERNAL_SERVER_ERROR", ""),
    Trouble.OVERLOADED: ("SERVICE_UNAVAILABLE", ""),
    Trouble.TIMEOUT: ("GATEWAY_TIMEOUT", ""),
}
_MAX_CHARACTERS = 2000
_MODEL_UUID = "00000000-0000-4000-a000-00000000d6a0"


class Deepgram(Emulation):
    name = "deepgram"
    hosts = ("api.deepgram.com", "api.eu.deepgram.com", "agent.deepgram.com")

    def routes(self) -> Sequence[Route]:
        return (
            post("/v1/listen", self._listen),
            socket("/v1/listen", deepgram_sockets.listen),
            socket("/v2/listen", deepgram_sockets.listen_for_turns),
            post("/v1/speak", self._speak),
            post("/v2/speak", self._speak),
            socket("/v1/speak", deepgram_sockets.speak),
        )

    def credential(self, call: Call) -> str | None:
        # a browser can set no header but this one
        scheme, _, key = call.headers.get("Sec-WebSocket-Protocol", "").partition(",")
        offered = key.strip() if scheme.strip() in ("token", "bearer") else None
        return bearer(call, "token") or bearer(call) or offered

    def refuse(self, refusal: Refusal) -> Reply:
        usual = 402 if refusal.trouble is Trouble.QUOTA else STATUS[refusal.trouble]
        status, identifier = refusal.status_or(usual), self.bench.ids.uuid()
        if refusal.trouble in (Trouble.NOT_FOUND, Trouble.METHOD):
            category = "NOT_FOUND" if status == 404 else "METHOD_NOT_ALLOWED"
            details = {"category": category, "message": refusal.message, "details": "", "request_id": identifier}
            return json_reply(details, status=status)
        code, message = _CODES[refusal.trouble]
        body = {"err_code": code, "err_msg": message or refusal.message, "request_id": identifier}
        return json_reply(body, status=status, headers=[("dg-error", body["err_msg"]), *refusal.retry_headers])

    def answer_headers(self, call: Call) -> HeaderList:
        return [("dg-request-id", call.ids.uuid()), ("dg-project-id", "lab")]

    async def _listen(self, call: Call) -> Reply:
        if call.query("callback"):
            return json_reply({"request_id": call.ids.uuid()})
        data = call.body
        if call.content_type == "application/json":
            # nothing is fetched from elsewhere: an address stands for some audio or other
            data = text_field(call.json(), "url").encode()
        transcript = await transcript_of(call, data, raw_audio(call), language=call.query("language") or None)
        work = Work(Operation.STT, transcript.duration_seconds)
        return json_reply(_listened(call, data, transcript), work=work)

    async def _speak(self, call: Call) -> Reply:
        text = text_field(call.json(), "text") if call.content_type != "text/plain" else call.body.decode()
        if len(text) > _MAX_CHARACTERS:
            raise Refusal(Trouble.TOO_LARGE, f"Input text exceeds maximum character limit of {_MAX_CHARACTERS}.")
        model = call.query("model", "aura-asteria-en")
        audio = _audio_format(call)
        headers = [
            ("dg-model-name", model),
            ("dg-model-uuid", _MODEL_UUID),
            ("dg-char-count", str(len(text))),
        ]
        voice = Voice(model, model, call.query_number("speed", 1.0))
        chunks = audio_stream(call, text, voice, audio)
        return stream_reply(chunks, audio.content_type, headers=headers, work=Work(Operation.TTS, len(text)))


def _audio_format(call: Call) -> AudioFormat:
    encoding = call.query("encoding", "mp3")
    rate = int(call.query_number("sample_rate", {"mp3": 22050, "opus": 48000, "aac": 22050}.get(encoding, 24000)))
    bits = int(call.query_number("bit_rate", 48000))
    if (codec := CODECS.get(encoding)) is not None:
        return formats.raw(codec, rate) if call.query("container", "wav") == "none" else formats.wav(rate, codec)
    made = {"mp3": formats.mp3, "opus": formats.opus, "aac": formats.aac}.get(encoding)
    if made is not None:
        return made(rate, bits)
    if encoding == "flac":
        return formats.flac(rate)
    raise Refusal(Trouble.INVALID, f"Unsupported audio format: encoding {encoding}.")


def _listened(call: Call, data: bytes, transcript: Transcript) -> dict[str, Any]:
    model = call.query("model", "nova-3")
    words = [word_of(word, punctuated=is_punctuated(call)) for word in transcript.words]
    if call.query_flag("diarize"):
        words = [{**word, "speaker": 0, "speaker_confidence": 0.9} for word in words]
    text = shown(call, transcript.text)
    confidence = 0.98 if words else 0.0
    alternative: dict[str, Any] = {"transcript": text, "confidence": confidence, "words": words}
    channel: dict[str, Any] = {"alternatives": [alternative]}
    if call.query_flag("detect_language"):
        channel |= {"detected_language": transcript.language, "language_confidence": 0.99}
    results: dict[str, Any] = {"channels": [channel]}
    if call.query_flag("utterances"):
        results["utterances"] = [
            {
                "start": segment.start_seconds,
                "end": segment.end_seconds,
                "confidence": confidence,
                "channel": 0,
                "transcript": shown(call, segment.text.strip()),
                "words": [word_of(word, punctuated=is_punctuated(call)) for word in segment.words],
                "speaker": 0,
                "id": call.ids.uuid(),
            }
            for segment in transcript.segments
        ]
    metadata = {
        "transaction_key": "deprecated",
        "request_id": call.ids.uuid(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "created": "2026-11-22T00:00:00.000Z",
        "duration": transcript.duration_seconds,
        "channels": 1,
        "models": [_MODEL_UUID],
        "model_info": {_MODEL_UUID: {"name": model, "version": "2026-01-01.0", "arch": model}},
    }
    return {"metadata": metadata, "results": results}
