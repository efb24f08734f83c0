"""Identifiers: new ones for answers, as each provider makes them; those of calls in a form that a target takes."""

import hashlib
import random
import re
from typing import Final

from msgspec import Struct

_DIGITS: Final = "0123456789"
_LETTERS: Final = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Form(Struct, frozen=True):
    """How a provider writes the identifier of a tool's call, and which ones it takes back."""

    prefix: str
    length: int
    """Of what comes after the prefix."""
    taken: re.Pattern[str]

    def fresh(self) -> str:
        return self.prefix + letters(self.length)

    def fitting(self, identifier: str) -> str:
        """*identifier*, or in its place always the same one that is taken."""
        if self.taken.fullmatch(identifier):
            return identifier
        number = int.from_bytes(hashlib.sha256(identifier.encode("utf-8", "replace")).digest(), "big")
        made = []
        for _ in range(self.length):
            number, letter = divmod(number, len(_LETTERS))
            made.append(_LETTERS[letter])
        return self.prefix + "".join(made)


#: OpenAI refuses what is longer, in chat completions and in responses.
OPENAI: Final = Form("call_", 24, re.compile(r"[\x21-\x7e]{1,40}"))
RESPONSES: Final = Form("call_", 24, re.compile(r"[\x21-\x7e]{1,64}"))
#: "String should match pattern '^[a-zA-Z0-9_-]+$'" is its answer to others.
ANTHROPIC: Final = Form("toolu_01", 22, re.compile(r"[a-zA-Z0-9_-]{1,64}"))
#: mistral-common, protocol/instruct/validator.py: nine letters and digits.
MISTRAL: Final = Form("", 9, re.compile(r"[a-zA-Z0-9]{9}"))
GEMINI: Final = Form("call_", 12, re.compile(r".{1,64}"))


def letters(count: int) -> str:
    return "".join(random.choices(_LETTERS, k=count))


def hexadecimal(digits: int) -> str:
    return f"{random.getrandbits(4 * digits):0{digits}x}"
