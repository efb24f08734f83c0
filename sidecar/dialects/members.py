"""JSON objects taken member by member, where names come in two cases or values in several types."""

import binascii
from collections.abc import Container, Mapping

import msgspec
from msgspec import Raw

from sidecar.dialects.fields import Pairs

_object = msgspec.json.Decoder(dict[str, Raw]).decode
_base64 = msgspec.json.Decoder(bytes).decode
_any_text = msgspec.json.Decoder(str).decode
_text = msgspec.json.Decoder(str | int | float | bool | None).decode
_number = msgspec.json.Decoder(float | str | None).decode
_texts = msgspec.json.Decoder(list[str] | str | None).decode
_flag = msgspec.json.Decoder(bool | None).decode

_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_NONE = Raw(b"null")

Members = Mapping[str, Raw]


def of(raw: bytes | Raw) -> Members:
    """
    Raises:
        msgspec.MsgspecError: *raw* is not a JSON object.
    """
    return _object(raw)


def camel(raw: bytes | Raw) -> Members:
    """The same with names in camelCase, as protobuf's JSON takes both that and snake_case."""
    found = _object(raw)
    return {_camel(name): value for name, value in found.items()} if any("_" in name for name in found) else found


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join([word[:1].upper() + word[1:] for word in others])


def begins(raw: Raw | None, mark: bytes) -> bool:
    """Whether a value begins with *mark*, which tells its type."""
    return raw is not None and bytes(memoryview(raw)[:1]) == mark


def inner(members: Members, name: str) -> Members:
    """The object under *name*, in camelCase; empty if there is none."""
    raw = members.get(name)
    return {} if raw is None or raw == _NONE else camel(raw)


def text(members: Members, name: str) -> str | None:
    """A text, or a number as text; None if there is none or it is empty."""
    value = _text(members.get(name, _NONE))
    return str(value) if value is not None and value != "" else None


def number(members: Members, name: str) -> float | None:
    """A number, which may stand in quotation marks.

    Raises:
        ValueError: what stands there is none.
    """
    value = _number(members.get(name, _NONE))
    return float(value) if value is not None else None


def integer(members: Members, name: str) -> int | None:
    value = number(members, name)
    return None if value is None else int(value)


def texts(members: Members, name: str) -> tuple[str, ...]:
    value = _texts(members.get(name, _NONE))
    return (value,) if isinstance(value, str) else tuple(value or ())


def flag(members: Members, name: str) -> bool:
    return bool(_flag(members.get(name, _NONE)))


def audio(members: Members, name: str) -> bytes | None:
    """Base64 in any of its spellings: both alphabets occur, and padding is left out.

    Raises:
        ValueError: it is not base64.
    """
    raw = members.get(name, _NONE)
    if raw == _NONE:
        return None
    try:
        return _base64(raw)
    except msgspec.ValidationError:
        encoded = _any_text(raw).encode("ascii").translate(_URL_SAFE)
        return binascii.a2b_base64(encoded + b"=" * (-len(encoded) % 4))


def rest(members: Members, known: Container[str]) -> Pairs:
    """The members that are not *known*, as names and JSON text without white space."""
    return tuple([(name, _compact(raw)) for name, raw in members.items() if name not in known])


def _compact(raw: Raw) -> str:
    return msgspec.json.format(bytes(raw), indent=-1).decode("utf-8", "replace")
