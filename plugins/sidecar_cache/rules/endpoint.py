"""What an endpoint's rules consist of."""

from collections.abc import Callable, Mapping
from enum import Flag, auto
from typing import Any, Final, NamedTuple

from msgspec import Struct

Members = dict[str, Any]
"""A JSON object as it was decoded: its own to change."""
Groups = dict[str, list[bytes | None]]
"""Values of an urlencoded form by name, decoded, those of one name in their order; None for a name without ``=``."""


class Takes(Flag):
    """Kinds of bodies. A body of another kind than its endpoint takes has no key: what it asks for cannot be told."""

    JSON = auto()
    FORM = auto()
    """Multipart or urlencoded."""
    BYTES = auto()


class LeftOut(NamedTuple):
    """Something that a key says nothing of."""

    name: str
    reason: str
    values: frozenset[str] | None = None
    """Only these are left out; None for any."""


class Row(NamedTuple):
    """A line of the table that users are shown."""

    dialect: str
    endpoint: str
    where: str
    """header, query, body, form or path."""
    name: str
    reason: str


class Refusal(NamedTuple):
    """A member or field with which a call has no key."""

    name: str
    asks: Callable[[Any], bool]
    """Told its value (None where it is absent): a JSON value, or the text of a field."""
    reason: str


def unchanged(value: Any) -> Any:
    return value


class Endpoint(Struct, frozen=True, kw_only=True, eq=False):
    """How calls of one endpoint are written in one way. Whatever is not named here is in the key, exactly as it is."""

    takes: Takes
    known_as: str | None = None
    """The endpoint with which it shares its answers; None for itself."""
    bytes_are: str = "audio"
    """What a body is that is neither JSON nor a form."""
    query: tuple[LeftOut, ...] = ()
    members: tuple[LeftOut, ...] = ()
    """Of a JSON object, at its top."""
    fields: tuple[LeftOut, ...] = ()
    """Of a form."""
    refusals: tuple[Refusal, ...] = ()
    account: frozenset[str] = frozenset()
    """Query and form fields that name who pays."""
    numbers: frozenset[str] = frozenset()
    """Fields of a form that are numbers, however they are written."""
    sets: frozenset[str] = frozenset()
    """Fields of a form whose order and repetition mean nothing."""
    documents: frozenset[str] = frozenset()
    """Fields of a form that are JSON."""
    fill: Callable[[Groups], None] | None = None
    """Writes out an urlencoded form's defaults."""
    turns: str | None = None
    """The member with the turns of a conversation."""
    rewrite: Callable[[Members], Members] = unchanged
    """Writes a JSON object in one way; raises `Unsuitable`."""
    rewrite_by_samples: Callable[[Members], Members] | None = None
    """The same where recordings are known by their samples; None if there are none in it."""
    streams: bool = False
    """Whether a member ``stream`` asks for another form of an answer that can be had from the one form."""
    path: Callable[[str], str] = unchanged
    """Writes a path in one way."""
    delivery: Callable[[str, str], str] | None = None
    """The form that a path and query ask for."""
    ignores_accept: bool = False
    """Whether the request alone says what kind of answer is wanted, whatever is accepted."""
    otherwise: tuple[tuple[str, str, str], ...] = ()
    """Where, name and reason of what `rewrite`, `path` and the like leave out."""

    def rows(self, dialect: str, endpoint: str) -> list[Row]:
        parts: tuple[tuple[str, tuple[LeftOut, ...]], ...] = (
            ("query", self.query),
            ("body", self.members),
            ("form", self.fields),
        )
        rows = [Row(dialect, endpoint, where, each.name, each.reason) for where, out in parts for each in out]
        return rows + [Row(dialect, endpoint, *each) for each in self.otherwise]


#: Forms in which an answer is wanted.
WHOLE: Final = "whole"
STREAM: Final = "stream"
STREAM_WITH_USAGE: Final = "stream with usage"
ARRAY: Final = "array"

Endpoints = Mapping[tuple[str, str], Endpoint]
"""By dialect and `Call.endpoint`."""


def told(value: Any) -> bool:
    """Whether anything is asked for: neither absent nor null, false, 0 or empty."""
    return bool(value)
