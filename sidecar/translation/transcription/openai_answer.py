"""Transcripts as OpenAI and those who follow it give them: JSON in three shapes, text, subtitles, and as a stream."""

import math
import string
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sidecar.payload import Usage
from sidecar.sse import Event
from sidecar.translation.contract import Untranslatable
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.neutral import Ask, Delta, Piece, Segment, Transcript, Word
from sidecar.translation.transcription.timing import segments_of, speakers_of, srt, vtt
from sidecar.translation.transcription.wire import JSON, Hearing, Telling, Told

TEXT: Final = "text/plain; charset=utf-8"
_LETTERS: Final = string.ascii_uppercase

_encode = msgspec.json.encode


class _Details(Struct):
    audio_tokens: int | None = None


class _Usage(Struct):
    """By tokens or by seconds."""

    seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: _Details | None = None


class _Word(Struct):
    word: str
    start: float
    end: float


class _Segment(Struct):
    text: str
    start: float
    end: float
    speaker: str | None = None
    avg_logprob: float | None = None


class _Language(Struct):
    code: str | None = None


class _Document(Struct):
    text: str
    language: str | None = None
    languages: list[_Language] | None = None
    duration: float | None = None
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None
    usage: _Usage | None = None


class _Event(Struct):
    type: str | None = None
    delta: str | None = None
    error: Raw | UnsetType = UNSET


_document = msgspec.json.Decoder(_Document).decode
_event = msgspec.json.Decoder(_Event).decode
_segment = msgspec.json.Decoder(_Segment).decode


def heard(data: bytes, segments: tuple[Segment, ...] = ()) -> Transcript:
    said = _document(data)
    spoken = said.language or next((one.code for one in said.languages or () if one.code), None)
    return Transcript(
        text=said.text.strip(),
        language=languages.short(spoken) if spoken else None,
        seconds=said.duration if said.duration is not None or said.usage is None else said.usage.seconds,
        words=tuple(Word(one.word, one.start, one.end) for one in said.words or ()),
        segments=tuple(_heard_segment(one) for one in said.segments or ()) or segments,
        usage=_heard_usage(said.usage),
    )


def _heard_segment(said: _Segment) -> Segment:
    confidence = None if said.avg_logprob is None else math.exp(min(said.avg_logprob, 0.0))
    return Segment(said.text.strip(), said.start, said.end, confidence, said.speaker)


def _heard_usage(said: _Usage | None) -> Usage | None:
    if said is None:
        return None
    return Usage(
        input_tokens=said.input_tokens,
        output_tokens=said.output_tokens,
        audio_input_tokens=said.input_token_details.audio_tokens if said.input_token_details else None,
        audio_seconds=said.seconds,
    )


def hearing() -> Hearing:
    segments: list[Segment] = []

    def hear(event: Event) -> Piece | None:
        if event.data == b"[DONE]":
            return None
        said = _event(event.data)
        if said.error is not UNSET or said.type == "error":
            raise Untranslatable("the provider reports an error in its stream")
        match said.type:
            case "transcript.text.delta":
                return Delta(said.delta) if said.delta else None
            case "transcript.text.segment":
                segments.append(_heard_segment(_segment(event.data)))
                return segments[-1]
            case "transcript.text.done":
                return heard(event.data, tuple(segments))
        return None

    return hear


# -- telling ----------------------------------------------------------------------------------------------------------


def told(transcript: Transcript, ask: Ask) -> Told:
    match ask.output:
        case "text":
            return Told(TEXT, f"{transcript.text}\n".encode())
        case "srt":
            return Told(TEXT, srt(segments_of(transcript)).encode())
        case "vtt":
            return Told(TEXT, vtt(segments_of(transcript)).encode())
        case "verbose_json":
            return Told(JSON, _encode(_verbose(transcript, ask)))
        case "diarized_json":
            return Told(JSON, _encode(_diarized(transcript)))
    return Told(JSON, _encode({"text": transcript.text, **_usage(transcript)}))


def _usage(transcript: Transcript) -> dict[str, Any]:
    usage = transcript.usage
    if usage is not None and usage.input_tokens is not None and usage.output_tokens is not None:
        audio = usage.audio_input_tokens if usage.audio_input_tokens is not None else usage.input_tokens
        tokens = {
            "type": "tokens",
            "input_tokens": usage.input_tokens,
            "input_token_details": {"audio_tokens": audio, "text_tokens": max(usage.input_tokens - audio, 0)},
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
        return {"usage": tokens}
    return _duration_usage(transcript)


def _duration_usage(transcript: Transcript) -> dict[str, Any]:
    seconds = transcript.seconds
    return {} if seconds is None else {"usage": {"type": "duration", "seconds": math.ceil(seconds)}}


def _verbose(transcript: Transcript, ask: Ask) -> dict[str, Any]:
    """What no other provider tells of a segment is told as if it were good, since agents drop what is not."""
    told: dict[str, Any] = {
        "task": "translate" if ask.translate else "transcribe",
        "language": languages.name(transcript.language) if transcript.language else "",
        "duration": _seconds(transcript),
        "text": transcript.text,
    }
    if ask.segments:
        told["segments"] = [
            {
                "id": number,
                "seek": 0,
                "start": one.start,
                "end": one.end,
                "text": one.text,
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": math.log(one.confidence) if one.confidence else 0.0,
                "compression_ratio": 1.0,
                "no_speech_prob": 0.0,
            }
            for number, one in enumerate(segments_of(transcript))
        ]
    if ask.words:
        told["words"] = [
            {"word": word.text, "start": word.start, "end": word.end}
            for word in transcript.words
            if word.start is not None and word.end is not None
        ]
    return told | _duration_usage(transcript)


def _seconds(transcript: Transcript) -> float:
    if transcript.seconds is not None:
        return transcript.seconds
    return max((one.end for one in transcript.timed if one.end is not None), default=0.0)


def _diarized(transcript: Transcript) -> dict[str, Any]:
    speakers, spoken = speakers_of(transcript), segments_of(transcript)
    return {
        "task": "transcribe",
        "duration": _seconds(transcript),
        "text": transcript.text,
        "segments": [_diarized_segment(one, number, speakers) for number, one in enumerate(spoken)],
        **_usage(transcript),
    }


def _diarized_segment(segment: Segment, number: int, speakers: dict[str, int]) -> dict[str, Any]:
    """Speakers have letters; where none is told apart, it is the first who speaks."""
    speaker = speakers.get(segment.speaker or "", 0)
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03}",
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "speaker": _LETTERS[speaker] if speaker < len(_LETTERS) else f"A{speaker}",
    }


def telling(ask: Ask) -> Telling:
    speakers: dict[str, int] = {}
    count = 0

    def tell(piece: Piece) -> list[Event]:
        if isinstance(piece, Delta):
            return [Event(_encode({"type": "transcript.text.delta", "delta": piece.text}))]
        nonlocal count
        if isinstance(piece, Segment):
            if not ask.speakers:
                return []
            speakers.setdefault(piece.speaker or "", len(speakers))
            count += 1
            return [Event(_encode(_diarized_segment(piece, count - 1, speakers)))]
        done = {"type": "transcript.text.done", "text": piece.text, **_usage(piece)}
        return [Event(_encode(done))]

    return tell
