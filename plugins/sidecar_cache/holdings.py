"""What a cache knows. A new configuration takes it over from the one before, so that nothing is forgotten."""

import time
from typing import Final

from sidecar import Headers
from sidecar_cache.bound import Repeats
from sidecar_cache.config import CacheConfig
from sidecar_cache.control import Control, Kind
from sidecar_cache.entry import Entry
from sidecar_cache.flights import Flight
from sidecar_cache.forms import Renewal
from sidecar_cache.freshness import hit_lines
from sidecar_cache.identity import Identity
from sidecar_cache.nearest import Near, Nearest
from sidecar_cache.spellings import MOST_BYTES, Spellings
from sidecar_cache.storage import Storage

COUNTED: Final = ("hit", "stale", "joined", "miss", "skip", "spare", "stored", "refused", "refreshed")
#: The share of the bound that each of these may take beside it: answers turned into another form (further ones are
#: turned each time), spellings of requests, and what tells which call is nearest.
_TURNED_SHARE: Final = 32
_LEAST_BYTES: Final = 256 * 1024
#: So often a second is found out which stored call is nearest to a missed one: a flood of misses is not made dearer.
_NEAREST_PER_SECOND: Final = 50.0
#: So many answers are looked into and kept in a second: of a flood that never comes again the rest is let go.
_KEPT_PER_SECOND: Final = 200.0
#: A flood is so many calls a second of which none comes again, over so many calls; one of so many is looked at then.
_FLOOD_PER_SECOND: Final = 300.0
_WINDOW: Final = 256
_LOOKED_AT: Final = 8


class Given:
    """An answer in one form, ready to be given again.

    Args:
        turned_bytes: what it holds beside what is stored.
    """

    __slots__ = ("_block", "_headers", "_told", "control", "entry", "renewal", "tally", "turned_bytes")

    def __init__(self, entry: Entry, renewal: Renewal | None, turned_bytes: int, control: Control) -> None:
        self.entry = entry
        self.renewal = renewal
        self.turned_bytes = turned_bytes
        self.control = control
        self.tally = control.tally(Kind(entry.about.operation, entry.about.model))
        self._block = entry.block if entry.chunked else b"%bContent-Length: %d\r\n" % (entry.block, len(entry.data))
        self._headers = Headers()
        self._told = (-1, False)

    def headers(self, age_seconds: float) -> Headers:
        """Those of an answer that is so old, with what a cache tells of it, which is the same for a whole second."""
        entry, age = self.entry, int(age_seconds)
        told = age, age_seconds > entry.fresh_seconds
        if told != self._told:
            lines = hit_lines(age, int(entry.fresh_seconds) - age, "stale" if told[1] else "")
            self._told = told
            self._headers = Headers.passing(self._block + lines, None if entry.chunked else len(entry.data))
        return self._headers


class Holdings:
    """
    Args:
        secret: 32 bytes, of keys.
    """

    def __init__(self, storage: Storage, control: Control, secret: bytes) -> None:
        self.storage = storage
        self.control = control
        self.secret = secret
        self.users = 0
        """Those who have taken it into service; the last to leave closes it."""
        share = storage.memory.max_bytes // _TURNED_SHARE
        self.spellings = Spellings(min(MOST_BYTES, max(share, _LEAST_BYTES)))
        self.flights: dict[str, Flight] = {}
        self.counts = dict.fromkeys(COUNTED, 0)
        self.repeats = Repeats()
        self.flood = Flood()
        self.keeping = Bucket(_KEPT_PER_SECOND)
        self._near, self._apart = Bucket(_NEAREST_PER_SECOND), Bucket(_NEAREST_PER_SECOND)
        self._nearest = Nearest(max(share, _LEAST_BYTES))
        self._given: dict[str, dict[str, Given]] = {}
        self._turned_bytes = 0
        storage.memory.watch(self._added, self._removed)

    @property
    def held_bytes(self) -> int:
        """Beside the answers."""
        return self.spellings.held_bytes + self._nearest.held_bytes + self._turned_bytes

    def _added(self, key: str, entry: Entry) -> None:
        self._removed(key, entry)
        if entry.parts:
            self._nearest.add(key, entry.parts)

    def _removed(self, key: str, entry: Entry) -> None:
        self._nearest.discard(key)
        for given in self._given.pop(key, {}).values():
            self._turned_bytes -= given.turned_bytes

    def landed(self, flying: str, flight: Flight) -> None:
        """Nobody can join *flight* any more."""
        if self.flights.get(flying) is flight:
            del self.flights[flying]

    def parts(self, identity: Identity) -> tuple[tuple[str, int], ...]:
        """Those of *identity*; none if too many calls are kept to take them all apart."""
        before = self.storage.memory.peek(identity.key)
        if before is not None and before.parts:
            return before.parts
        return identity.parts if self._apart.take() else ()

    def nearest(self, identity: Identity) -> Near | None:
        """The stored call that is nearest to a missed one; None if there is none, or too many are missed."""
        return self._nearest.nearest(identity.parts) if self._near.take() else None

    def given(self, key: str, delivery: str) -> Given | None:
        """The answer under *key* in the form *delivery*, if it has been given like that."""
        forms = self._given.get(key)
        known = None if forms is None else forms.get(delivery)
        return known if known is not None and known.control is self.control else None

    def hold(self, key: str, delivery: str, entry: Entry, given: Given) -> None:
        """Have *given*, which was made of *entry*, at hand the next time, if there is room."""
        before = self._given.get(key, {}).pop(delivery, None)
        self._turned_bytes -= 0 if before is None else before.turned_bytes
        most = self.storage.memory.max_bytes // _TURNED_SHARE
        if self._turned_bytes + given.turned_bytes <= most and self.storage.memory.peek(key) is entry:
            self._turned_bytes += given.turned_bytes
            self._given.setdefault(key, {})[delivery] = given


def control_of(config: CacheConfig) -> Control:
    floors = {"tts": config.tts.floor, "stt": config.stt.floor, "chat": config.chat.floor}
    return Control(config.control.share, floors)


def taken_over(held: Holdings, before: CacheConfig, config: CacheConfig) -> Holdings | None:
    """What the cache before has, under the new *config*; None if answers are to be somewhere else now."""
    if any(getattr(before, name) != getattr(config, name) for name in ("disk", "shared", "secret")):
        return None
    held.storage.memory.max_bytes = config.max_memory
    held.storage.memory.shrink(config.max_memory)
    if any(getattr(before, name) != getattr(config, name) for name in ("control", "tts", "stt", "chat")):
        held.control = control_of(config)
    return held


class Bucket:
    """Lets so many through in a second, and as many at once."""

    __slots__ = ("_at", "_left", "_per_second")

    def __init__(self, per_second: float) -> None:
        self._per_second = self._left = per_second
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Flood:
    """Calls that come fast and never again. Of those only some are looked at, others each time, until one comes again:
    a voice agent's never are a flood, and what is one gains nothing from being looked up.
    """

    __slots__ = ("_began", "_calls", "_salt", "hits", "is_one")

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._calls = self._salt = 0
        self.hits = 0
        """Calls that came again, which may be counted here by anybody."""
        self.is_one = False

    def carries(self, body: bytes) -> bool:
        """Whether a call with this *body*, which was not seen before, is to pass without being looked up."""
        if self.hits:
            self.is_one = False
        self._calls += 1
        if self._calls >= _WINDOW:
            now = time.monotonic()
            self.is_one = not self.hits and _WINDOW / max(now - self._began, 1e-6) > _FLOOD_PER_SECOND
            self._began, self._calls, self.hits = now, 0, 0
            self._salt += 1
        return self.is_one and (hash(body) + self._salt) % _LOOKED_AT != 0
