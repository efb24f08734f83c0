"""What may be told of entries without telling what they say, and which of them somebody means. No I/O."""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from msgspec import Struct

from sidecar import Duration
from sidecar.codings import unpacked
from sidecar_cache.entry import Entry, age_seconds

_NAMED: Final = ("provider", "operation", "endpoint", "model", "voice", "language", "source")
FILTERS: Final = (*_NAMED, "older")
_FIELD: Final = re.compile(rb"(?im)^(content-type|content-encoding):[ \t]*(.*?)[ \t]*\r?$")


class Misunderstood(ValueError):
    """A question makes no sense; ``str()`` says what would."""


class Kept(NamedTuple):
    """An entry, and where it is."""

    key: str
    entry: Entry
    """Where only that is known, without its data and the parts of its key."""
    calls: float
    """That asked for it; old ones count less."""
    size_bytes: int
    """Of its data."""
    tiers: tuple[str, ...]
    """memory, disk, or both."""


class Legible(Struct, frozen=True, kw_only=True):
    """An entry for people; times in seconds."""

    key: str
    provider: str
    operation: str
    endpoint: str
    dialect: str
    model: str
    voice: str
    language: str
    characters: int
    audio_seconds: float
    streamed: bool
    """Asked for as a stream."""
    content_type: str
    content_coding: str
    size_bytes: int
    """Of the answer as it came."""
    held_bytes: int
    """What it takes in memory; 0 if it is not there."""
    age_seconds: float
    fresh_seconds: float
    """For how long still; negative if it is stale."""
    calls: float
    """That asked for it; old ones count less."""
    source: str
    """call, warm, refresh or import."""
    tiers: tuple[str, ...]
    """Where it is: memory, disk, or both."""
    waited_seconds: float
    """What the provider took to its first byte."""
    took_seconds: float
    """And to its last."""


SORTS: Final[Mapping[str, Callable[[Legible], Any]]] = {
    "calls": lambda entry: -entry.calls,
    "size": lambda entry: -entry.size_bytes,
    "age": lambda entry: entry.age_seconds,
    "fresh": lambda entry: entry.fresh_seconds,
    "characters": lambda entry: -entry.characters,
    "seconds": lambda entry: -entry.audio_seconds,
    "voice": lambda entry: (entry.provider, entry.model, entry.voice),
}


def legible(kept: Kept) -> Legible:
    entry, about = kept.entry, kept.entry.about
    age = age_seconds(entry)
    fields = fields_of(entry)
    return Legible(
        key=kept.key,
        provider=about.provider,
        operation=about.operation,
        endpoint=about.endpoint,
        dialect=about.dialect,
        model=about.model,
        voice=about.voice,
        language=about.language,
        characters=about.characters,
        audio_seconds=round(about.audio_seconds, 3),
        streamed=about.streamed,
        content_type=fields.get("content-type", ""),
        content_coding=fields.get("content-encoding", ""),
        size_bytes=kept.size_bytes,
        held_bytes=entry.held_bytes if "memory" in kept.tiers else 0,
        age_seconds=round(age, 3),
        fresh_seconds=round(entry.fresh_seconds - age, 3),
        calls=round(kept.calls, 2),
        source=entry.source,
        tiers=kept.tiers,
        waited_seconds=round(entry.waited_seconds, 4),
        took_seconds=round(entry.took_seconds, 4),
    )


def fields_of(entry: Entry) -> dict[str, str]:
    """How its content is to be read: content-type and content-encoding, where there are such."""
    return {name.decode().lower(): value.decode("latin-1") for name, value in _FIELD.findall(entry.block)}


def content_of(entry: Entry) -> bytes:
    """What it says, without its content coding where that can be undone."""
    plain = unpacked(fields_of(entry).get("content-encoding", ""), entry.data)
    return entry.data if plain is None else plain


class Selection:
    """
    Args:
        filters: by name; of the first seven of `FILTERS` a text with ``*`` for anything, of ``older`` a duration.

    Raises:
        Misunderstood: there is no such filter, or no such duration.
    """

    def __init__(self, filters: Mapping[str, str]) -> None:
        if unknown := filters.keys() - set(FILTERS):
            raise Misunderstood(f"no filter is called {', '.join(sorted(unknown))}; there are {', '.join(FILTERS)}")
        self._patterns = {name: filters[name] for name in _NAMED if name in filters}
        self.older_seconds = 0.0
        """How old an entry must be."""
        if "older" in filters:
            try:
                self.older_seconds = Duration(filters["older"])
            except ValueError:
                raise Misunderstood(f"older: expected {Duration.expected}; got {filters['older']}") from None

    def __call__(self, entry: Entry) -> bool:
        about = entry.about
        if self.older_seconds and age_seconds(entry) < self.older_seconds:
            return False
        return all(
            fnmatchcase(entry.source if name == "source" else getattr(about, name), pattern)
            for name, pattern in self._patterns.items()
        )
