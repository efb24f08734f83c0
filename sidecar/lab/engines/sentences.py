"""Text cut where a speaker would breathe."""

import re

_SENTENCE = re.compile(r"[^.!?…。]*[.!?…。]*\s*")
_WORD = re.compile(r"\S*\s*")


def sentences(text: str, max_bytes: int) -> list[str]:
    """Parts of at most *max_bytes* in UTF-8, cut between sentences, else words, else letters; joined: *text*."""
    parts = [part for sentence in _SENTENCE.findall(text) for part in _within(sentence, max_bytes)]
    return [part for part in parts if part]


def _within(sentence: str, max_bytes: int) -> list[str]:
    parts, part = [], ""
    for word in _WORD.findall(sentence):
        if len((part + word).encode()) > max_bytes:
            parts.append(part)
            part = ""
        letters = max_bytes // 4
        while len(word.encode()) > max_bytes:
            parts.append(word[:letters])
            word = word[letters:]
        part += word
    return [*parts, part]
