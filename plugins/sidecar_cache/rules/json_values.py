"""JSON written in one way: without spacing, members in order, no needless escapes, one spelling for each number."""

import json
import math
import re
from typing import Any, Final

import msgspec

from sidecar_cache.rules.unsuitable import Unsuitable

_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
#: More digits than these a double does not keep: rounding may make the number longer.
_EXACT_DIGITS: Final = 15
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)


def read(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        Unsuitable: it is none, or names a member twice: which of the two is meant is each reader's own affair.
    """
    try:
        value = _SHORT.decode(data)
        # What is read is never longer than its text without white space, and as long only if no member was dropped.
        if len(_encode(value)) == len(msgspec.json.format(data, indent=-1)):
            return value
    except _UNREADABLE:
        pass
    try:
        value = _VALUES.decode(data)
        json.loads(data.decode(), object_pairs_hook=_members, parse_float=str, parse_int=str)
    except _UNREADABLE:
        raise Unsuitable("the request is not valid JSON, or names a member twice") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member twice")
    return members


def number(text: str) -> int | float:
    """``1.0`` as ``1``: clients differ in how they write a number.

    Raises:
        ValueError: it is too large to be told from others.
    """
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _short_number(text: str) -> int | float:
    """The same for numbers that do not get longer by it."""
    if len(text) > _EXACT_DIGITS or "e" in text or "E" in text:
        raise ValueError(text)
    return number(text)


def number_text(text: bytes) -> bytes | None:
    """A number that stands in a form, written in one way; None if it is none."""
    try:
        found = _NUMBER.fullmatch(text.decode("ascii"))
        return None if found is None else written(_VALUES.decode(text))
    except _UNREADABLE:
        return None


_SHORT: Final = msgspec.json.Decoder(float_hook=_short_number)
_VALUES: Final = msgspec.json.Decoder(float_hook=number)
_encode: Final = msgspec.json.Encoder().encode
#: A value as bytes that are the same for the same value.
written: Final = msgspec.json.Encoder(order="deterministic").encode
