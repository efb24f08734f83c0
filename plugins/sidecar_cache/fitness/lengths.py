"""For how long a text may be heard. Wide on purpose: what is looked for is speech that breaks off or never ends."""

import re
from typing import Final

#: How fast texts are read, in letters a second, and by what factor a voice may be off.
_LETTERS_PER_SECOND: Final = 14.0
_FACTOR: Final = 3.0
#: What voices add before, after and between what they say.
_SILENCE_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 1.0


class _Kind:
    """
    Args:
        pattern: of one character of that kind.
    """

    def __init__(self, pattern: str) -> None:
        self._runs = re.compile(f"{pattern}+")
        self._plain = bytes(code for code in range(128) if self._runs.match(chr(code)))

    def count(self, text: str) -> int:
        """How many characters of *text* are of that kind."""
        if text.isascii():
            plain = text.encode()
            return len(plain) - len(plain.translate(None, self._plain))
        return sum(map(len, self._runs.findall(text)))


_LETTERS: Final = _Kind(r"[^\W\d_]")
#: Chinese and Japanese characters and Korean syllables, each of which is as long as several letters.
_SYLLABLES: Final = _Kind("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
#: Scripts that leave out vowels.
_BARE: Final = _Kind("[\u0590-\u06ff]")
_DIGITS: Final = _Kind(r"\d")
#: Capitals may be spelled, and signs read out: "percent", "hash", "per".
_SPELLED: Final = _Kind("[A-Z\u0401\u0410-\u042f]")
_SIGNS: Final = _Kind("[^\\w\\s.,;:!?\u2026\\-\u2013\u2014'\"()]")
_PAUSES: Final = re.compile("[.,;:!?\u2026\\-\u2013\u2014\\n\u3001\u3002\uff01\uff0c\uff1f]+")
_TAG: Final = re.compile(r"<[^>]*>")
_BREAK: Final = re.compile(r"<break[^>]*time\s*=\s*[\"']?\s*([\d.]+)\s*(m?s)", re.IGNORECASE)
#: Markup by which something else is heard than what is written, or as long as somebody likes.
_REPLACING: Final = re.compile(r"<(?:audio|mstts:|sub\b|par\b|media\b|speaker:)", re.IGNORECASE)
_SSML_FACTOR: Final = 3.0


def plausible_seconds(
    text: str, *, ssml: bool = False, speed: float | None = None, instructions: str | None = None
) -> tuple[float, float]:
    """The shortest and the longest time that *text* may take to be spoken.

    Args:
        speed: 1.0 is normal. Whatever it is, a provider may ignore it.
        instructions: such as to speak slowly.
    """
    tagged = ssml or "<" in text
    spoken = _TAG.sub(" ", text) if tagged else text
    letters, syllables, digits = _LETTERS.count(spoken), _SYLLABLES.count(spoken), _DIGITS.count(spoken)
    least = letters + syllables + digits
    most = letters + 4 * syllables + _BARE.count(spoken) + 3 * _SPELLED.count(spoken)
    most += 7 * digits + 8 * _SIGNS.count(spoken)
    faster, slower = max(speed or 1.0, 1.0), max(min(speed or 1.0, 1.0), 0.05)
    low = least / _LETTERS_PER_SECOND / _FACTOR / faster
    high = most / _LETTERS_PER_SECOND * _FACTOR + _PAUSE_SECONDS * len(_PAUSES.findall(spoken))
    if instructions:
        high *= 2
    if tagged:
        low, high = low / _SSML_FACTOR, high * _SSML_FACTOR + _breaks_seconds(text)
        if _REPLACING.search(text):
            low, high = 0.0, float("inf")
    return low, high / slower + _SILENCE_SECONDS


def _breaks_seconds(text: str) -> float:
    total = 0.0
    for number, unit in _BREAK.findall(text):
        try:
            total += float(number) / (1000 if unit.lower() == "ms" else 1)
        except ValueError:
            return float("inf")
    return total
