"""The account of what of a request is not said on the other side, and JSON objects read without overlooking a field."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.translation.contract import Inexpressible

T = TypeVar("T")

UNKNOWN: Final = "only the agent's provider knows this field"

_NULL: Final = Raw(b"null")
_text = msgspec.json.Decoder(str).decode
_number = msgspec.json.Decoder(int | float | str).decode
_flag = msgspec.json.Decoder(bool).decode
_texts = msgspec.json.Decoder(str | list[str]).decode
_raws = msgspec.json.Decoder(list[Raw]).decode


class Losses:
    """What is left out, and what may be (`sidecar.translation.Target.may_lose`)."""

    def __init__(self, allowed: frozenset[str] = frozenset()) -> None:
        self._allowed = allowed
        self._lost: dict[str, None] = {}

    @property
    def lost(self) -> tuple[str, ...]:
        return tuple(self._lost)

    def cannot(self, feature: str, reason: str) -> None:
        """Leave *feature* out, if that is allowed.

        Raises:
            Inexpressible: it is not.
        """
        if feature not in self._allowed:
            raise Inexpressible(feature, reason)
        self._lost[feature] = None

    def harmless(self, name: str) -> None:
        """Leave out what makes no difference to the answer."""
        self._lost[name] = None

    def copy(self) -> "Losses":
        """An account to try something with."""
        copied = Losses(self._allowed)
        copied._lost = dict(self._lost)
        return copied

    def adopt(self, tried: "Losses") -> None:
        """What was tried is what is done."""
        self._lost = tried._lost


class Fields:
    """A JSON object, each member of which is taken by its name; what nobody has taken is told at the end by `rest`.

    Members that are null are as if they were not there.

    Args:
        where: what stands before the names of members in what `Inexpressible` says: ``tools``.
        camel: whether names may be in snake_case as well, as protobuf's JSON takes them.

    Raises:
        Inexpressible: *raw* is no JSON object. All methods raise it for a member that is of another type than wanted.
    """

    __slots__ = ("_losses", "_members", "_where")

    def __init__(self, raw: bytes | Raw, losses: Losses, where: str = "", *, camel: bool = False) -> None:
        self._losses, self._where = losses, where
        try:
            found = members.camel(raw) if camel else members.of(raw)
        except UNREADABLE:
            raise Inexpressible(where or "request", "it is no JSON object") from None
        self._members = {name: value for name, value in found.items() if value != _NULL}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> tuple[str, ...]:
        """Of the members that nobody has taken."""
        return tuple(self._members)

    def take(self, name: str, decode: Callable[[Raw], T]) -> T | None:
        raw = self._members.pop(name, None)
        if raw is None:
            return None
        try:
            return decode(raw)
        except UNREADABLE:
            raise Inexpressible(self.name(name), "its value is not of the type that it should be") from None

    def raw(self, name: str) -> Raw | None:
        return self._members.pop(name, None)

    def text(self, name: str) -> str | None:
        return self.take(name, _text)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one that stands for itself."""
        found = self.take(name, _texts)
        return (found,) if isinstance(found, str) else tuple(found or ())

    def flag(self, name: str) -> bool | None:
        return self.take(name, _flag)

    def number(self, name: str) -> float | None:
        return self.take(name, _read_number)

    def whole_number(self, name: str) -> int | None:
        return self.take(name, _read_whole)

    def list(self, name: str) -> list[Raw]:
        return self.take(name, _raws) or []

    def inner(self, name: str, *, camel: bool = False) -> "Fields | None":
        raw = self._members.pop(name, None)
        return None if raw is None else Fields(raw, self._losses, self.name(name), camel=camel)

    def harmless(self, reasons: Mapping[str, str]) -> None:
        """Take what makes no difference to an answer: name -> why."""
        for name in self._members.keys() & reasons.keys():
            del self._members[name]
            self._losses.harmless(self.name(name))

    def usual(self, values: Mapping[str, Iterable[bytes]]) -> None:
        """Take members whose value, as JSON, is what goes without saying."""
        for name, usual in values.items():
            if (raw := self._members.get(name)) is not None and bytes(raw) in usual:
                del self._members[name]

    def rest(self, reasons: Mapping[str, str] | None = None) -> None:
        """
        Raises:
            Inexpressible: a member is left that nobody has taken and that may not be lost.
        """
        for name in self._members:
            self._losses.cannot(self.name(name), (reasons or {}).get(name, UNKNOWN))
        self._members = {}

    def name(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def is_there(raw: Raw) -> bool:
    """Whether a member was given, and is not null."""
    return bytes(raw) not in (b"", b"null")


def is_text(raw: Raw) -> bool:
    """Whether JSON is a string."""
    return bytes(memoryview(raw)[:1]) == b'"'


def _read_number(raw: Raw) -> float:
    number = float(_number(raw))
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number


def _read_whole(raw: Raw) -> int:
    number = _number(raw)
    if isinstance(number, int):
        return number
    whole = int(_read_number(raw))
    if whole != float(number):
        raise ValueError("no whole number")
    return whole
