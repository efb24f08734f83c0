"""Transcripts as Google Cloud gives them, in both versions: results one after another, times as text."""

import math
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sidecar.translation.contract import Untranslatable
from sidecar.translation.transcription import languages
from sidecar.translation.transcription.moments import duration, seconds_of
from sidecar.translation.transcription.neutral import Ask, Transcript, Wish, Word
from sidecar.translation.transcription.plain import unpunctuated
from sidecar.translation.transcription.timing import speakers_of


class _Word(Struct):
    """The first version says ``Time`` and ``speakerTag``, the second ``Offset`` and ``speakerLabel``."""

    word: str = ""
    startTime: str | None = None
    endTime: str | None = None
    startOffset: str | None = None
    endOffset: str | None = None
    confidence: float | None = None
    speakerTag: int | None = None
    speakerLabel: str | None = None


class _Alternative(Struct):
    transcript: str = ""
    confidence: float | None = None
    words: list[_Word] | None = None


class _Result(Struct):
    alternatives: list[_Alternative] | None = None
    languageCode: str | None = None
    resultEndTime: str | None = None
    resultEndOffset: str | None = None


class _Document(Struct):
    results: list[_Result] | None = None
    error: Raw | UnsetType = UNSET


_document = msgspec.json.Decoder(_Document).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
#: What there is in an answer besides results, in one version or the other.
_BESIDES: Final = frozenset(
    ("results", "totalBilledTime", "requestId", "speechAdaptationInfo", "usingLegacyModels", "metadata")
)
_LEAST_BILLED: Final = 1


def heard(data: bytes) -> Transcript:
    """Nothing at all is what silence is answered with."""
    said = _document(data)
    if said.error is not UNSET:
        raise Untranslatable("it is an error inside of a 200")
    if said.results is None and not _members(data).keys() <= _BESIDES:
        raise Untranslatable("it is something else than results")
    results = [(result, result.alternatives[0]) for result in said.results or () if result.alternatives]
    text = ""
    for _, best in results:
        gap = "" if not text or text[-1:].isspace() or best.transcript[:1].isspace() else " "
        text += gap + best.transcript
    sure = [best.confidence for _, best in results if best.confidence]
    spoken = next((result.languageCode for result, _ in results if result.languageCode), None)
    ends = [seconds_of(result.resultEndTime or result.resultEndOffset) for result, _ in results]
    return Transcript(
        text=" ".join(text.split()),
        language=languages.short(spoken) if spoken else None,
        seconds=max((end for end in ends if end is not None), default=None),
        confidence=sum(sure) / len(sure) if sure else None,
        words=tuple(_heard_word(word) for word in _words(results)),
    )


def _words(results: list[tuple[_Result, _Alternative]]) -> list[_Word]:
    """With speakers told apart, the last result has the words of all."""
    last = results[-1][1].words or [] if results else []
    if any(word.speakerTag or word.speakerLabel for word in last):
        return last
    return [word for _, best in results for word in best.words or ()]


def _heard_word(said: _Word) -> Word:
    """A time that is not there is 0: protobuf's JSON leaves out what is nothing."""
    start, end = seconds_of(said.startTime or said.startOffset), seconds_of(said.endTime or said.endOffset)
    if end is not None and start is None:
        start = 0.0
    label = said.speakerLabel or (str(said.speakerTag) if said.speakerTag else None)
    return Word(said.word, start, end, said.confidence or None, label)


# -- telling ----------------------------------------------------------------------------------------------------------


def told_results(transcript: Transcript, ask: Ask, suffix: str) -> list[dict[str, Any]]:
    """All that was said as one result; none for silence.

    Args:
        suffix: how the version's names of times end.
    """
    if not transcript.text:
        return []
    text = transcript.text if ask.punctuation else unpunctuated(transcript.text)
    alternative: dict[str, Any] = {"transcript": text}
    if transcript.confidence is not None:
        alternative["confidence"] = transcript.confidence
    if ask.words is not Wish.NO:
        alternative["words"] = _told_words(transcript, ask, suffix)
    language = transcript.language or (ask.languages[0] if ask.languages else None)
    result: dict[str, Any] = {"alternatives": [alternative]}
    if transcript.seconds is not None:
        result[f"resultEnd{suffix}"] = duration(transcript.seconds)
    if language:
        result["languageCode"] = _told_language(language, ask, lower=suffix == "Time")
    return [result]


def _told_language(language: str, ask: Ask, *, lower: bool) -> str:
    """As the agent wrote it, if it named it; the first version answers in small letters."""
    asked = next((one for one in ask.languages if languages.short(one) == languages.short(language)), language)
    return asked.lower() if lower else asked


def _told_words(transcript: Transcript, ask: Ask, suffix: str) -> list[dict[str, Any]]:
    speakers = speakers_of(transcript) if ask.speakers else {}
    told = []
    for word in transcript.words:
        if word.start is None or word.end is None:
            continue
        one: dict[str, Any] = {f"start{suffix}": duration(word.start), f"end{suffix}": duration(word.end)}
        one["word"] = word.text if ask.punctuation else unpunctuated(word.text) or word.text
        if word.confidence is not None:
            one["confidence"] = word.confidence
        if word.speaker is not None and speakers:
            number = speakers[word.speaker] + 1
            one |= {"speakerTag": number} if suffix == "Time" else {"speakerLabel": str(number)}
        told.append(one)
    return told


def billed(transcript: Transcript) -> str:
    """Whole seconds."""
    return f"{max(math.ceil(transcript.seconds or 0.0), _LEAST_BILLED)}s"
