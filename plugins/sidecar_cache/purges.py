"""What has been thrown out, remembered so that no pod gives it any more, wherever it still is. No I/O.

A purge says which entries, and until when those were stored that it means: what comes later may be right. As long as it
is remembered, an entry that it covers is as good as gone; then all of them are useless anyway.
"""

import secrets
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sidecar_cache.entry import Entry
from sidecar_cache.listing import Selection

#: Pods have clocks of their own.
SKEW_SECONDS: Final = 2.0
#: So many are remembered; of more, the oldest become one that covers everything before it.
MOST: Final = 128
#: Keys that are purged one by one within this time become one purge, of so many keys.
_TOGETHER_SECONDS: Final = 600.0
_MOST_KEYS: Final = 512


class Purge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Covers entries that all of it fits: those with one of *keys*, those that *filters* choose, else everything."""

    id: str
    until_ns: int
    """Only what was stored by then, time of day."""
    keys: tuple[str, ...] = ()
    filters: dict[str, str] = {}
    """Of `Selection`, but for ``older``."""

    @property
    def is_everything(self) -> bool:
        return not (self.keys or self.filters)


def purge_of(now_ns: int, *, keys: Iterable[str] = (), filters: Mapping[str, str] | None = None) -> Purge:
    """Of *keys*, of what *filters* choose, or of everything.

    Raises:
        Misunderstood: there is no such filter.
    """
    given = dict(filters or {})
    older_seconds = Selection(given).older_seconds
    given.pop("older", None)
    until_ns = now_ns + int((SKEW_SECONDS - older_seconds) * 1e9)
    return Purge(id=secrets.token_hex(6), until_ns=until_ns, keys=tuple(keys), filters=given)


class Purges:
    """Those that are remembered.

    Args:
        remembered_seconds: for how long an entry is of any use at most.
    """

    def __init__(self, remembered_seconds: float) -> None:
        self._remembered_ns = int(remembered_seconds * 1e9)
        self._purges: dict[str, tuple[Purge, Selection | frozenset[str]]] = {}
        self._latest_ns = 0

    def __len__(self) -> int:
        return len(self._purges)

    def covers(self, key: str, entry: Entry) -> bool:
        """Whether *entry* is as good as gone. Of what has been stored since the last purge this is told at once."""
        stored_ns = entry.stored_ns
        if stored_ns > self._latest_ns:
            return False
        return any(
            stored_ns <= purge.until_ns and (purge.is_everything or _fits(chosen, key, entry))
            for purge, chosen in self._purges.values()
        )

    def add(self, purges: Iterable[Purge], now_ns: int) -> list[Purge]:
        """Those of *purges* that are new. What is over is forgotten."""
        new = [each for each in purges if each.id not in self._purges and each.until_ns + self._remembered_ns > now_ns]
        kept = _few([*(purge for purge, _ in self._purges.values()), *new], now_ns - self._remembered_ns)
        self._purges = {each.id: (each, _chosen(each)) for each in kept}
        self._latest_ns = max((each.until_ns for each in kept), default=0)
        return new

    def together(self, others: Iterable[Purge], now_ns: int) -> list[Purge]:
        """All that is remembered, here and by *others*, as it is to be told to those who come later."""
        return _few([*others, *(purge for purge, _ in self._purges.values())], now_ns - self._remembered_ns)


def _chosen(purge: Purge) -> Selection | frozenset[str]:
    return Selection(purge.filters) if purge.filters else frozenset(purge.keys)


def _fits(chosen: Selection | frozenset[str], key: str, entry: Entry) -> bool:
    return chosen(entry) if isinstance(chosen, Selection) else key in chosen


def _few(purges: Iterable[Purge], since_ns: int) -> list[Purge]:
    """Without those that are over; as many as may be remembered, none of which covers less than it did."""
    ordered = sorted({each.id: each for each in purges if each.until_ns > since_ns}.values(), key=_until)
    kept: list[Purge] = []
    for purge in ordered:
        before = kept[-1] if kept else None
        if before is not None and _may_be_one(before, purge):
            kept[-1] = replace(purge, keys=tuple(dict.fromkeys((*before.keys, *purge.keys))))
        else:
            kept.append(purge)
    if len(kept) > MOST:
        oldest = kept[: len(kept) - MOST + 1]
        kept = [replace(oldest[-1], keys=(), filters={}), *kept[len(oldest) :]]
    return kept


def _until(purge: Purge) -> tuple[int, str]:
    return purge.until_ns, purge.id


def _may_be_one(before: Purge, purge: Purge) -> bool:
    return (
        bool(before.keys and purge.keys)
        and purge.until_ns - before.until_ns < _TOGETHER_SECONDS * 1e9
        and len(before.keys) + len(purge.keys) <= _MOST_KEYS
    )


def written(purges: Iterable[Purge]) -> bytes:
    return _ENCODER.encode(list(purges))


def read(content: bytes | memoryview) -> list[Purge]:
    """
    Raises:
        ValueError: that is no such list.
    """
    try:
        purges = _DECODER.decode(content)
        for purge in purges:
            Selection(purge.filters)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no list of purges: {type(error).__name__}") from None
    return purges


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[Purge])
