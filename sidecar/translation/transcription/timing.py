"""Segments made of timed words, and subtitles made of segments."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from sidecar.translation.transcription.neutral import Segment, Transcript, Word

#: A silence that ends a segment.
_PAUSE_SECONDS: Final = 1.0
#: How long a segment becomes at most: what people read at a glance.
_LONGEST_SECONDS: Final = 10.0
_ENDS_OF_SENTENCES: Final = (".", "!", "?", "…", "。", "\uff01", "\uff1f", "।")


class _Placed(Struct, frozen=True):
    """A word with its times, and where it begins in the text."""

    word: Word
    start: float
    end: float
    at: int


def segments_of(transcript: Transcript) -> tuple[Segment, ...]:
    """Its own, or those that its words make; one for all of it where there are no times."""
    if transcript.segments:
        return transcript.segments
    if not transcript.text:
        return ()
    placed = _placed(transcript)
    if not placed:
        return (Segment(transcript.text, 0.0, transcript.seconds or 0.0, transcript.confidence),)
    return tuple(_made(transcript.text, placed))


def _placed(transcript: Transcript) -> list[_Placed]:
    """The words that have times. One that is not found in the text stands where the one before it ends."""
    found, at = [], 0
    for word in transcript.words:
        here = transcript.text.find(word.text, at) if word.text else at
        if here >= 0:
            at = here
        if word.start is not None and word.end is not None:
            found.append(_Placed(word, word.start, word.end, at))
        if here >= 0:
            at += len(word.text)
    return found


def _made(text: str, placed: Sequence[_Placed]) -> Iterator[Segment]:
    first = 0
    for number, this in enumerate(placed):
        following = placed[number + 1] if number + 1 < len(placed) else None
        if following is not None and not _ends(text, placed[first], this, following):
            continue
        words = [one.word for one in placed[first : number + 1]]
        begin = 0 if first == 0 else placed[first].at
        end = len(text) if following is None else following.at
        said = text[begin:end].strip() or " ".join(word.text for word in words)
        sure = [word.confidence for word in words if word.confidence is not None]
        confidence = sum(sure) / len(sure) if sure else None
        yield Segment(said, placed[first].start, this.end, confidence, words[0].speaker)
        first = number + 1


def _ends(text: str, first: _Placed, this: _Placed, following: _Placed) -> bool:
    """Whether a segment that began with *first* ends with *this*."""
    return (
        following.word.speaker != this.word.speaker
        or following.start - this.end >= _PAUSE_SECONDS
        or following.end - first.start > _LONGEST_SECONDS
        or text[this.at : following.at].rstrip(" \"'»”)").endswith(_ENDS_OF_SENTENCES)
    )


def srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues, an empty line after each."""
    return "".join(
        f"{number}\n{_clock(one.start, ',')} --> {_clock(one.end, ',')}\n{_line(one.text)}\n\n"
        for number, one in enumerate(segments, 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/), where the first line says so."""
    cues = (f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n{_line(one.text, '-->')}\n\n" for one in segments)
    return "WEBVTT\n\n" + "".join(cues)


def _line(text: str, forbidden: str = "") -> str:
    """No empty lines, which would end the cue, nor what only the line before it may have."""
    line = " ".join(text.split())
    return line.replace(forbidden, "->") if forbidden else line


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(round(seconds * 1000), 0)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def speakers_of(transcript: Transcript) -> dict[str, int]:
    """Numbers for the speakers, from 0, in the order in which they speak."""
    labels = [one.speaker for one in transcript.timed if one.speaker is not None]
    return {label: number for number, label in enumerate(dict.fromkeys(labels))}
