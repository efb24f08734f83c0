"""Texts without what a recogniser adds for the eye."""

import re
from typing import Final

#: Marks at the edges of words, not those within: figures, abbreviations and contractions keep theirs.
_MARKS: Final = re.compile(r"(?:(?<=\s)|^)[¿¡\"'“„«(\[]+|[.,!?;:…。\uff01\uff1f、\"”“»)\]]+(?=\s|$)")


def unpunctuated(text: str) -> str:
    return " ".join(_MARKS.sub("", text).split())


def capitalless(text: str) -> str:
    return text.lower()


def bare(text: str) -> str:
    """Without punctuation and capitals."""
    return capitalless(unpunctuated(text))
