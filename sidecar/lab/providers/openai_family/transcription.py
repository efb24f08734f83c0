"""Transcriptions and translations of uploaded audio."""

import math
from typing import Any

from sidecar.dialect import Operation
from sidecar.lab.call import Call
from sidecar.lab.engines.chat import count_tokens, text_pieces
from sidecar.lab.engines.contract import Segment, Transcript
from sidecar.lab.forms import Form, Part
from sidecar.lab.hearing import transcript_of
from sidecar.lab.reply import Chunks, Refusal, Reply, Trouble, Work, event, event_reply, json_reply, text_reply

EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_ACCEPTED = frozenset(EXTENSIONS) - {"oga"}
_LIMIT_BYTES = 25 << 20
_LANGUAGES = {"en": "english", "ru": "russian", "de": "german", "fr": "french", "es": "spanish", "it": "italian"}
_FORMATS = frozenset(("json", "text", "srt", "verbose_json", "vtt", "diarized_json"))
AUDIO_TOKENS_PER_SECOND = 10


async def transcriptions(call: Call) -> Reply:
    return await _answer(call, "transcribe")


async def translations(call: Call) -> Reply:
    return await _answer(call, "translate")


def audio_part(form: Form, limit_bytes: int = _LIMIT_BYTES) -> Part:
    """The upload. Its kind is judged by name or declared type, as the service does."""
    part = form.part("file")
    if part is None:
        raise Refusal(Trouble.INVALID, "Missing required parameter: 'file'.", param="file")
    if len(part.data) > limit_bytes:
        raise Refusal(
            Trouble.TOO_LARGE, f"Maximum content size limit ({limit_bytes}) exceeded ({len(part.data)} bytes read)"
        )
    _, dot, extension = (part.filename or "").rpartition(".")
    declared = (part.content_type or "").partition("/")
    named = dot and extension.lower() in _ACCEPTED
    told = not dot and (declared[0] in ("audio", "video") or part.content_type == "application/octet-stream")
    if not (named or told):
        raise Refusal(
            Trouble.INVALID, f"Unrecognized file format. Supported formats: {sorted(_ACCEPTED)}", param="file"
        )
    return part


async def _answer(call: Call, task: str) -> Reply:
    form = call.multipart()
    model = form.text("model") or call.params.get("deployment", "")
    if not model:
        raise Refusal(Trouble.INVALID, "you must provide a model parameter", param="model")
    kind = form.text("response_format", "json")
    if kind not in _FORMATS:
        raise Refusal(Trouble.INVALID, f"Invalid response_format '{kind}'.", param="response_format")
    language = form.text("language") or None
    transcript = await transcript_of(call, audio_part(form).data, language=language, prompt=form.text("prompt"))
    work = Work(Operation.STT, transcript.duration_seconds)
    if form.flag("stream") and not model.startswith("whisper"):
        return event_reply(_events(call, form, transcript), work=work)
    if kind in ("json", "diarized_json"):
        reply = json_reply(_diarized(transcript) if kind == "diarized_json" else _plain(form, model, transcript))
    elif kind == "verbose_json":
        reply = json_reply(_verbose(form, task, transcript))
    else:
        reply = text_reply({"text": transcript.text + "\n", "srt": srt(transcript), "vtt": vtt(transcript)}[kind])
    reply.work = work
    return reply


def _usage(model: str, transcript: Transcript) -> dict[str, Any]:
    if model.startswith("whisper"):
        return {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)}
    audio, text = math.ceil(transcript.duration_seconds * AUDIO_TOKENS_PER_SECOND), count_tokens(transcript.text)
    return {
        "type": "tokens",
        "total_tokens": audio + text,
        "input_tokens": audio,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        "output_tokens": text,
    }


def _logprobs(text: str) -> list[dict[str, Any]]:
    return [{"token": piece, "bytes": list(piece.encode()), "logprob": -0.01} for piece in text_pieces(text)]


def _plain(form: Form, model: str, transcript: Transcript) -> dict[str, Any]:
    answer: dict[str, Any] = {"text": transcript.text}
    if "logprobs" in form.texts("include"):
        answer["logprobs"] = _logprobs(transcript.text)
    if model.startswith("gpt-transcribe"):
        answer["languages"] = [{"code": transcript.language}]
    return {**answer, "usage": _usage(model, transcript)}


def _verbose(form: Form, task: str, transcript: Transcript) -> dict[str, Any]:
    wanted = form.texts("timestamp_granularities") or ["segment"]
    answer: dict[str, Any] = {
        "task": task,
        "language": _LANGUAGES.get(transcript.language, transcript.language),
        "duration": round(transcript.duration_seconds, 2),
        "text": transcript.text,
    }
    if "segment" in wanted:
        answer["segments"] = [_segment(number, one) for number, one in enumerate(transcript.segments)]
    if "word" in wanted:
        answer["words"] = [
            {"word": word.text.strip(".,!?"), "start": word.start_seconds, "end": word.end_seconds}
            for word in transcript.words
        ]
    return {**answer, "usage": {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)}}


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": segment.start_seconds,
        "end": segment.end_seconds,
        "text": segment.text,
        "tokens": [50364 + index for index in range(count_tokens(segment.text))],
        "temperature": 0.0,
        "avg_logprob": -0.2,
        "compression_ratio": 1.2,
        "no_speech_prob": 0.01,
    }


def _diarized(transcript: Transcript) -> dict[str, Any]:
    segments = [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03}",
            "start": segment.start_seconds,
            "end": segment.end_seconds,
            "text": segment.text,
            "speaker": "A",
        }
        for number, segment in enumerate(transcript.segments)
    ]
    return {
        "task": "transcribe",
        "duration": round(transcript.duration_seconds, 2),
        "text": transcript.text,
        "segments": segments,
        "usage": {"type": "duration", "seconds": math.ceil(transcript.duration_seconds)},
    }


async def _events(call: Call, form: Form, transcript: Transcript) -> Chunks:
    logprobs = "logprobs" in form.texts("include")
    for piece in text_pieces(transcript.text):
        await call.pace_tokens()
        extra = {"logprobs": _logprobs(piece)} if logprobs else {}
        yield event({"type": "transcript.text.delta", "delta": piece, **extra})
    extra = {"logprobs": _logprobs(transcript.text)} if logprobs else {}
    done = {"type": "transcript.text.done", "text": transcript.text, **extra}
    yield event({**done, "usage": _usage(form.text("model"), transcript)})


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _cues(transcript: Transcript, point: str) -> list[str]:
    return [
        f"{_clock(one.start_seconds, point)} --> {_clock(one.end_seconds, point)}\n{one.text.strip()}\n"
        for one in transcript.segments
    ]


def srt(transcript: Transcript) -> str:
    return "\n".join(f"{number}\n{cue}" for number, cue in enumerate(_cues(transcript, ","), 1)) + "\n"


def vtt(transcript: Transcript) -> str:
    return "\n".join(["WEBVTT\n", *_cues(transcript, ".")]) + "\n"
