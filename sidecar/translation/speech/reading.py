"""A request's fields taken one by one, so that those that nobody took can be told of."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from sidecar import credentials
from sidecar.dialects import fields, members
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech.ask import Extra

#: Why fields make no difference, by name; None: only with these values.
Harmless = Mapping[str, str]

_NULL: Final = Raw(b"null")
_text = msgspec.json.Decoder(str).decode
_number = msgspec.json.Decoder(float).decode
_flag = msgspec.json.Decoder(bool).decode
_FIELD_NAME: Final = re.compile(r"[\w$.-]{1,40}", re.ASCII)


class Given:
    """A JSON object. Members that are null are as good as absent.

    All methods that take a member raise `Inexpressible` if it is there and of another type.
    """

    def __init__(self, raw: bytes | Raw, *, camel: bool = False, name: str = "request") -> None:
        try:
            found = members.camel(raw) if camel else members.of(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Inexpressible(name, "it is not the JSON object that is expected") from None
        self._camel = camel
        self._members = {key: value for key, value in found.items() if value != _NULL}

    def __contains__(self, name: object) -> bool:
        """Whether there is such a member that nobody has taken."""
        return name in self._members

    def raw(self, name: str) -> Raw | None:
        return self._members.pop(name, None)

    def text(self, name: str) -> str | None:
        value: str | None = self._taken(name, _text)
        return value

    def number(self, name: str) -> float | None:
        value: float | None = self._taken(name, self._loosely)
        if value is not None and not math.isfinite(value):
            raise Inexpressible(name, "it is not a number that can be said again")
        return value

    def integer(self, name: str) -> int | None:
        value = self.number(name)
        if value is not None and not value.is_integer():
            raise Inexpressible(name, "it is not a whole number")
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        return bool(self._taken(name, _flag))

    def inner(self, name: str) -> "Given":
        """The object under *name*; an empty one if there is none."""
        return Given(self._members.pop(name, Raw(b"{}")), camel=self._camel, name=name)

    def named_or(self, name: str, key: str) -> str | None:
        """What *name* says, as a text or as an object whose *key* says it."""
        raw = self._members.get(name)
        if not members.begins(raw, b"{"):
            return self.text(name)
        return self.inner(name).text(key)

    def rest(self, harmless: Harmless, values: Mapping[str, tuple[bytes, ...]] | None = None) -> tuple[Extra, ...]:
        """All members that nobody took.

        Args:
            harmless: why those make no difference that make none, whatever they are.
            values: of others, the JSON texts that say no more than saying nothing.
        """
        extras = []
        for name, value in self._members.items():
            why = harmless.get(name)
            if why is None and values is not None and bytes(value).strip() in values.get(name, ()):
                why = "it says what holds anyway"
            extras.append(Extra(shown(name), why))
        return tuple(extras)

    def _loosely(self, raw: Raw) -> float:
        """Protobuf's JSON has numbers in quotation marks too."""
        try:
            return _number(raw)
        except msgspec.ValidationError:
            if not self._camel:
                raise
            return float(_text(raw))

    def _taken(self, name: str, decode: Any) -> Any:
        raw = self._members.pop(name, None)
        if raw is None:
            return None
        try:
            return decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Inexpressible(name, "it is not of the type that is expected") from None


class Query:
    """The fields of a query. Credentials are none."""

    def __init__(self, query: str) -> None:
        self._pairs: dict[str, str] = {}
        self._repeated: list[str] = []
        for name, value in fields.decoded_pairs(query):
            if name in self._pairs:
                self._repeated.append(name)
            elif name not in credentials.QUERY:
                self._pairs[name] = value

    def text(self, name: str) -> str | None:
        return self._pairs.pop(name, None) or None

    def number(self, name: str) -> float | None:
        return number(name, self.text(name))

    def integer(self, name: str) -> int | None:
        return whole(name, self.text(name))

    def rest(self, harmless: Harmless, values: Mapping[str, tuple[str, ...]] | None = None) -> tuple[Extra, ...]:
        """As `Given.rest`; also the fields that stand there more than once."""
        extras = []
        for name, value in self._pairs.items():
            why = harmless.get(name)
            if why is None and values is not None and value.lower() in values.get(name, ()):
                why = "it says what holds anyway"
            extras.append(Extra(shown(name), why))
        return (*extras, *(Extra(shown(name), harmless.get(name)) for name in self._repeated))


def number(name: str, text: str | None) -> float | None:
    """
    Raises:
        Inexpressible: there is a *text*, and it is no number.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Inexpressible(name, "it is no number")
    return value


def whole(name: str, text: str | None) -> int | None:
    """
    Raises:
        Inexpressible: there is a *text*, and it is no whole number.
    """
    value = number(name, text)
    if value is not None and not value.is_integer():
        raise Inexpressible(name, "it is not a whole number")
    return None if value is None else int(value)


def shown(name: str) -> str:
    """The name of a field as it may be told: the agent can call one anything."""
    return name if _FIELD_NAME.fullmatch(name) else "unknown"
