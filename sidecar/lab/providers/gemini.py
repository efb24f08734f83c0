"""Gemini: content generated whole, as events or as an array, spoken or written; decisions; the Live socket."""

import base64
import json
import re
from collections.abc import Sequence

from sidecar.dialect import Operation
from sidecar.lab.audio import formats
from sidecar.lab.call import Call, Json
from sidecar.lab.emulation import Emulation, Route, bearer, get, post, socket
from sidecar.lab.engines.chat import count_tokens, text_pieces
from sidecar.lab.engines.contract import Completion, Voice
from sidecar.lab.providers.gemini_decisions import decisions
from sidecar.lab.providers.gemini_live import LiveSession
from sidecar.lab.providers.gemini_prompt import asked, config_of, voice_of
from sidecar.lab.providers.google_words import field, refuse
from sidecar.lab.reply import Chunks, HeaderList, Refusal, Reply, Trouble, Upgrade, Work, dumps, event_reply, json_reply
from sidecar.lab.speech import audio_file, sounds

VOICE_RATE = 24000
_VOICE = formats.raw("pcm_s16le", VOICE_RATE)
_AUDIO_TYPE = f"audio/L16;codec=pcm;rate={VOICE_RATE}"
_TRANSCRIBE = re.compile(r"transcri|speech to text|what is (being )?said|расшифр|распозна", re.IGNORECASE)
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}


class Gemini(Emulation):
    name = "gemini"
    hosts = ("generativelanguage.googleapis.com", "aiplatform.googleapis.com", "*.aiplatform.googleapis.com")

    def routes(self) -> Sequence[Route]:
        vertex = "/{version}/projects/{project}/locations/{location}/publishers/google/models/{model}"
        methods = (
            ("generateContent", self._generate),
            ("streamGenerateContent", self._stream),
            ("countTokens", self._count),
        )
        models = ("/{version}/models/{model}", vertex)
        live = "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
        return (
            *(post(f"{model}:{name}", handler) for model in models for name, handler in methods),
            post("/{version}/decisions", decisions),
            get("/{version}/models", self._models),
            socket(live, self._live),
            socket(f"/{live}", self._live),  # as Google's SDK writes it if it is given no URL
            socket("/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent", self._live),
        )

    def credential(self, call: Call) -> str | None:
        return call.headers.get("x-goog-api-key") or call.query("key") or bearer(call)

    def refuse(self, refusal: Refusal) -> Reply:
        if refusal.trouble is Trouble.AUTH:
            return refuse(refusal, status=403, name="PERMISSION_DENIED")
        return refuse(refusal)

    def answer_headers(self, call: Call) -> HeaderList:
        spent = round(call.elapsed_seconds() * 1000)
        return [
            ("Server", "scaffolding on HTTPServer2"),
            ("Server-Timing", f"gfet4t7; dur={spent}"),
            ("Vary", "Origin"),
        ]

    async def _models(self, call: Call) -> Reply:
        return json_reply({"models": [{"name": "models/gemini-lab", "displayName": "Lab"}]})

    async def _count(self, call: Call) -> Reply:
        completion = await call.engines.chat.complete((await asked(call, call.json())).prompt)
        return json_reply({"totalTokens": completion.input_tokens})

    async def _generate(self, call: Call) -> Reply:
        body = call.json()
        if _spoken(body):
            text, voice = await _to_speak(call, body)
            data, _ = await audio_file(call, text, voice, _VOICE)
            answer = _answer(call, [_audio_part(data)], "STOP", count_tokens(text), len(data) // 1920)
            return json_reply(answer, work=Work(Operation.TTS, len(text)))
        completion = await _complete(call, body)
        answer = _answer(call, _parts(call, completion), _FINISH[completion.finish], completion.input_tokens)
        return json_reply(_with_usage(answer, completion), work=Work(Operation.CHAT, completion.input_tokens / 1000))

    async def _stream(self, call: Call) -> Reply:
        body = call.json()
        if _spoken(body):
            text, voice = await _to_speak(call, body)
            chunks, work = _spoken_chunks(call, text, voice), Work(Operation.TTS, len(text))
        else:
            completion = await _complete(call, body)
            chunks, work = _written_chunks(call, completion), Work(Operation.CHAT, completion.input_tokens / 1000)
        if call.query("alt") == "sse":
            return event_reply(_as_events(chunks), work=work)
        headers = [("Content-Type", "application/json; charset=UTF-8")]
        return Reply(headers=headers, body=_as_array(chunks), work=work)

    async def _live(self, call: Call) -> Upgrade:
        return Upgrade(run=lambda one: LiveSession(call, one).run())


def _spoken(body: Json) -> bool:
    return "AUDIO" in (field(config_of(body), "responseModalities") or ())


async def _to_speak(call: Call, body: Json) -> tuple[str, Voice]:
    prompt = (await asked(call, body)).prompt
    text = "\n".join(turn.text for turn in prompt.turns if turn.role == "user")
    return text, voice_of(field(config_of(body), "speechConfig") or {}, call.params["model"])


async def _complete(call: Call, body: Json) -> Completion:
    question = await asked(call, body)
    completion = await call.engines.chat.complete(question.prompt)
    if question.heard is not None and _TRANSCRIBE.search(" ".join(turn.text for turn in question.prompt.turns)):
        return _instead(completion, question.heard)
    if field(config_of(body), "responseMimeType") == "text/x.enum":
        return _instead(completion, str(json.loads(completion.text)))
    return completion


def _instead(completion: Completion, text: str) -> Completion:
    return Completion(text=text, input_tokens=completion.input_tokens, output_tokens=count_tokens(text))


def _parts(call: Call, completion: Completion) -> list[Json]:
    calls = [
        {"functionCall": {"id": call.ids.named("call_", 12), "name": one.name, "args": one.arguments}}
        for one in completion.calls
    ]
    return calls or [{"text": completion.text}]


def _audio_part(data: bytes) -> Json:
    return {"inlineData": {"mimeType": _AUDIO_TYPE, "data": base64.b64encode(data).decode()}}


def _answer(call: Call, parts: list[Json], finish: str | None, input_tokens: int, output_tokens: int = 0) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": input_tokens,
            "candidatesTokenCount": output_tokens,
            "totalTokenCount": input_tokens + output_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input_tokens}],
        },
        "modelVersion": call.params["model"],
        "responseId": call.received.sha256[:22],
    }


def _with_usage(answer: Json, completion: Completion) -> Json:
    answer["usageMetadata"] |= {
        "candidatesTokenCount": completion.output_tokens,
        "totalTokenCount": completion.total_tokens,
    }
    if completion.cached_tokens:
        answer["usageMetadata"]["cachedContentTokenCount"] = completion.cached_tokens
    return answer


async def _written_chunks(call: Call, completion: Completion) -> Chunks:
    if completion.calls:
        answer = _answer(call, _parts(call, completion), "STOP", completion.input_tokens)
        yield dumps(_with_usage(answer, completion))
        return
    pieces = text_pieces(completion.text) or [""]
    for number, piece in enumerate(pieces):
        await call.pace_tokens()
        last = number == len(pieces) - 1
        finish = _FINISH[completion.finish] if last else None
        answer = _answer(call, [{"text": piece}], finish, completion.input_tokens)
        yield dumps(_with_usage(answer, completion) if last else answer)


async def _spoken_chunks(call: Call, text: str, voice: Voice) -> Chunks:
    async for sound in sounds(call, text, voice, VOICE_RATE):
        yield dumps(_answer(call, [_audio_part(sound.samples)], None, count_tokens(text)))
    yield dumps(_answer(call, [], "STOP", count_tokens(text)))


async def _as_events(chunks: Chunks) -> Chunks:
    async for chunk in chunks:
        yield b"data: " + chunk + b"\r\n\r\n"


async def _as_array(chunks: Chunks) -> Chunks:
    opening = b"["
    async for chunk in chunks:
        yield opening + chunk
        opening = b",\r\n"
    yield b"]"
