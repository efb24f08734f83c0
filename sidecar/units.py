"""Durations and sizes, as people write them: ``300ms``, ``64MiB``. A bare number is refused: nobody can tell its unit.

Like every type that a configuration spells as one text, these have ``expected`` (how to write one, for messages),
``schema`` (JSON Schema of the text) and a constructor that raises ``ValueError(what is wrong[, what to do])`` without
repeating the text, which may have come from a secret place.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Self

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB

_SECONDS = {
    "us": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_OTHER_NAMES_OF_TIMES = {
    "msec": "ms",
    "millis": "ms",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "min": "m",
    "mins": "m",
    "minute": "m",
    "minutes": "m",
    "hr": "h",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
}
_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": KiB, "MiB": MiB, "GiB": GiB}
_OTHER_NAMES_OF_SIZES = {
    "k": "KiB",
    "ki": "KiB",
    "m": "MiB",
    "mi": "MiB",
    "g": "GiB",
    "gi": "GiB",
    "byte": "B",
    "bytes": "B",
}

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_DURATION = rf"(?:{_NUMBER}(?:us|ms|s|m|h|d))+"
_SIZE = rf"{_NUMBER}(?:B|kB|MB|GB|KiB|MiB|GiB)"

#: Longer than any process runs; what exceeds it is a slip of the pen.
LONGEST_SECONDS = 100 * 365 * 86400.0
LARGEST_BYTES = 1 << 50


class Duration(float):
    """Seconds, zero or more. ``Duration("1m30s") == 90.0`` and ``str(Duration(90.0)) == "90s"``."""

    expected: ClassVar[str] = "a duration with a unit, such as 300ms, 5s, 2m or 1h30m"
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": f"^{_DURATION}$",
        "examples": ["300ms", "5s", "2m"],
    }

    __slots__ = ()

    def __new__(cls, value: str | float) -> Self:
        seconds = _seconds(value) if isinstance(value, str) else float(value)
        if not 0.0 <= seconds <= LONGEST_SECONDS:
            raise ValueError("is out of range", "write at most 36500d")
        return super().__new__(cls, seconds)

    def __str__(self) -> str:
        """The shortest way to write it; reads back as exactly the same."""
        if self == 0.0:
            return "0s"
        exact = Decimal(repr(float(self)))
        for unit in ("d", "h", "m"):
            count = exact / _SECONDS[unit]
            if count == count.to_integral_value():
                return f"{int(count)}{unit}"
        unit = "s" if exact >= 1 else "ms"
        return f"{_plain(exact / _SECONDS[unit])}{unit}"


class Size(int):
    """Bytes, zero or more. ``Size("64KiB") == 65536`` and ``str(Size(65536)) == "64KiB"``."""

    expected: ClassVar[str] = "a size with a unit, such as 512KiB, 64MiB or 1GB"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": f"^{_SIZE}$", "examples": ["512KiB", "64MiB"]}

    __slots__ = ()

    def __new__(cls, value: str | int) -> Self:
        count = _bytes(value) if isinstance(value, str) else int(value)
        if not 0 <= count <= LARGEST_BYTES:
            raise ValueError("is out of range", "write at most 1048576GiB")
        return super().__new__(cls, count)

    def __str__(self) -> str:
        """In the largest unit that divides it; reads back as exactly the same."""
        count = int(self)
        for unit in ("GiB", "MiB", "KiB", "GB", "MB", "kB"):
            if count and count % _BYTES[unit] == 0:
                return f"{count // _BYTES[unit]}{unit}"
        return f"{count}B"


def _seconds(text: str) -> float:
    if len(text) <= 64 and re.fullmatch(_NUMBER, text):
        raise ValueError("has no unit", f"write {text}s if seconds are meant, {text}ms if milliseconds")
    if len(text) > 64 or not re.fullmatch(_DURATION, text, re.ASCII):
        raise ValueError("is not a duration", _in_proper_unit(text, _SECONDS, _OTHER_NAMES_OF_TIMES))
    parts = re.findall(rf"({_NUMBER})([a-z]+)", text)
    return float(sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0)))


def _bytes(text: str) -> int:
    if len(text) <= 64 and re.fullmatch(_NUMBER, text):
        raise ValueError("has no unit", f"write {text}B if bytes are meant, {text}MiB if mebibytes")
    matched = re.fullmatch(rf"({_NUMBER})([A-Za-z]+)", text) if len(text) <= 64 else None
    if matched is None or matched[2] not in _BYTES:
        raise ValueError("is not a size", _in_proper_unit(text, _BYTES, _OTHER_NAMES_OF_SIZES))
    count = Decimal(matched[1]) * _BYTES[matched[2]]
    if count != count.to_integral_value():
        raise ValueError("is not a whole number of bytes")
    return int(count)


def _in_proper_unit(text: str, units: Iterable[str], other_names: Mapping[str, str]) -> str:
    """What to do about ``5 S``, ``64Mi``, ``5sec``; "" if that cannot be told."""
    matched = re.fullmatch(rf"({_NUMBER})\s*([A-Za-z]+)", text) if len(text) <= 24 else None
    if matched is None:
        return ""
    folded = matched[2].lower()
    unit = other_names.get(folded) or next((unit for unit in units if unit.lower() == folded), None)
    return f"write {matched[1]}{unit}" if unit else ""


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
