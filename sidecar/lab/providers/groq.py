"""Groq: OpenAI's dialect under ``/openai/v1``, with formats of its own for speech."""

from collections.abc import Sequence

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.call import Call, text_field
from sidecar.lab.emulation import Route, get, post
from sidecar.lab.providers.openai import OpenAIFamily
from sidecar.lab.providers.openai_family.chat import ChatStyle, chat_completions
from sidecar.lab.providers.openai_family.speaking import voice_of
from sidecar.lab.providers.openai_family.transcription import transcriptions, translations
from sidecar.lab.providers.openai_family.words import limit_headers
from sidecar.lab.reply import HeaderList, Refusal, Reply, Trouble, Work, json_reply, stream_reply
from sidecar.lab.speech import audio_stream

_FORMATS = frozenset(("flac", "mp3", "mulaw", "ogg", "wav"))
_TRANSCRIPT_FORMATS = frozenset(("json", "text", "verbose_json"))


class Groq(OpenAIFamily):
    name = "groq"
    hosts = ("api.groq.com",)
    models = ("llama-3.3-70b-versatile", "whisper-large-v3-turbo", "playai-tts")

    def routes(self) -> Sequence[Route]:
        return (
            post("/openai/v1/chat/completions", chat_completions(ChatStyle(usage_in="x_groq"))),
            post("/openai/v1/audio/speech", self._speak),
            post("/openai/v1/audio/transcriptions", self._transcribe),
            post("/openai/v1/audio/translations", translations),
            get("/openai/v1/models", self.list_models),
            get("/openai/v1/models/{model}", self.show_model),
        )

    async def _transcribe(self, call: Call) -> Reply:
        wanted = call.multipart().text("response_format", "json")
        if wanted not in _TRANSCRIPT_FORMATS:
            raise Refusal(Trouble.INVALID, f"response_format '{wanted}' is not supported.", param="response_format")
        reply = await transcriptions(call)
        if reply.headers[0][1] == "application/json" and isinstance(reply.body, bytes):
            # each JSON answer of Groq's names its request
            reply.body = reply.body[:-1] + b',"x_groq":{"id":"%b"}}' % call.ids.named("req_", 26).encode()
        return reply

    async def _speak(self, call: Call) -> Reply:
        body = call.json()
        model, text, wanted = text_field(body, "model"), text_field(body, "input"), body.get("response_format") or "mp3"
        if wanted not in _FORMATS:
            raise Refusal(
                Trouble.INVALID, f"response_format must be one of {sorted(_FORMATS)}", param="response_format"
            )
        rate = int(body.get("sample_rate") or 48000)
        audio = {
            "flac": formats.flac(rate),
            "mp3": formats.mp3(rate, 128_000 if rate >= 32000 else 64_000),
            "mulaw": formats.wav(rate, "mulaw"),
            "ogg": formats.opus(rate),
            "wav": formats.wav(rate),
        }[wanted]
        return stream_reply(
            audio_stream(call, text, voice_of(body, model), audio),
            audio.content_type,
            work=Work(Operation.TTS, len(text)),
        )

    def refuse(self, refusal: Refusal) -> Reply:
        if refusal.trouble is Trouble.NOT_FOUND:
            error = {"message": f"{refusal.message} Please check the URL.", "type": "invalid_request_error"}
            return json_reply({"error": {**error, "code": "unknown_url"}}, status=404)
        if refusal.status == 498:
            error = {
                "message": "Flex tier capacity exceeded.",
                "type": "capacity_exceeded",
                "code": "capacity_exceeded",
            }
            return json_reply({"error": error}, status=498)
        return super().refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        return [*limit_headers(call), ("x-groq-region", "lab"), ("x-request-id", call.ids.named("req_", 26))]
