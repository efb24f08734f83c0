"""What the cache tells over the admin interface, and does when somebody there asks for it."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sidecar import Question, Told
from sidecar_cache import carried
from sidecar_cache.behind import Behind
from sidecar_cache.codec import Garbled
from sidecar_cache.config import CacheConfig
from sidecar_cache.entry import Entry, age_seconds
from sidecar_cache.freshness import Lifetime
from sidecar_cache.holdings import Holdings
from sidecar_cache.listing import SORTS, Kept, Legible, Misunderstood, Selection, content_of, legible
from sidecar_cache.purges import Purge, purge_of
from sidecar_cache.purging import LOOKED_SECONDS
from sidecar_cache.shared import Unreachable
from sidecar_cache.storage import MEMORY, Storage
from sidecar_cache.warming import Busy, Warming
from sidecar_cache.whereabouts import everything, stored_ns, told_of, whole

_KEY: Final = re.compile(r"[0-9a-f]{1,32}")
_KEY_DIGITS: Final = 32
_PAGE_BYTES: Final = 4 * 1024 * 1024
_SHOWN: Final = 1000
#: From here on sealing and opening happen in a thread: they would hold up the loop.
_LARGE_BYTES: Final = 256 * 1024
_CONFIRMED_SECONDS: Final = 5.0
_SWEPT_SECONDS: Final = 30.0


class Served(Protocol):
    """The cache, as far as it is asked about."""

    config: CacheConfig
    behind: Behind
    warming: Warming

    @property
    def lifetimes(self) -> Mapping[str, Lifetime]:
        """By operation, of those whose answers are kept."""
        ...

    @property
    def holdings(self) -> Holdings: ...


class Refused(Exception):
    """Why a question has no answer."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be spoken instead of the configured phrases."""

    texts: list[str] | None = None


async def told(cache: Served, question: Question) -> Told:
    """The answer to *question*; what makes no sense is answered with an ``error`` and a status of 400, 404 or 409."""
    name, _, rest = question.path.strip("/").partition("/")
    answer = _ANSWERS.get((question.method, f"{name}/KEY" if rest else name))
    try:
        if answer is None:
            known = ", ".join(f"{method} {path}" for method, path in _ANSWERS)
            raise Refused(f"the cache has no {question.method} {question.path}; there are {known}", 404)
        return await answer(cache, question, rest)
    except Refused as refused:
        return Told(value={"error": str(refused)}, status=refused.status)
    except Misunderstood as misunderstood:
        return Told(value={"error": str(misunderstood)}, status=400)


# -- looking -----------------------------------------------------------------------------------------------------------


async def _listed(cache: Served, question: Question, _: str) -> Told:
    query = dict(question.query)
    sort, limit = query.pop("sort", "calls"), query.pop("limit", "50")
    if sort not in SORTS:
        raise Misunderstood(f"sort: {sort} is no order; there are {', '.join(SORTS)}")
    if not (limit.isascii() and limit.isdecimal()):
        raise Misunderstood(f"limit: expected a number of entries, 0 for all; got {limit}")
    wanted, most = Selection(query), int(limit)
    in_memory = on_disk_alone = matching = 0
    shown: list[Legible] = []
    async for kept in everything(cache.holdings.storage):
        in_memory += MEMORY in kept.tiers
        on_disk_alone += MEMORY not in kept.tiers
        if wanted(kept.entry):
            matching += 1
            shown.append(legible(kept))
            if most and len(shown) > 2 * most + _SHOWN:  # a disk has more than there should be room for here
                shown = sorted(shown, key=SORTS[sort])[:most]
    shown.sort(key=SORTS[sort])
    value = {"entries": shown[: most or None], "matching": matching, "kept": in_memory, "on_disk_alone": on_disk_alone}
    return Told(value=value)


async def _shown(cache: Served, question: Question, prefix: str) -> Told:
    kept = await _one(cache, prefix)
    if question.query.get("content", "0") not in ("0", ""):
        return Told(value=content_of(kept.entry))
    return Told(value={**msgspec.to_builtins(legible(kept)), "parts": _parts(kept.entry)})


async def _taken_apart(cache: Served, question: Question, prefix: str) -> Told:
    kept = await _one(cache, prefix)
    return Told(value={"key": kept.key, "parts": _parts(kept.entry)})


async def _one(cache: Served, prefix: str) -> Kept:
    """The entry whose key begins with *prefix*; a whole key is asked for in the shared store, too."""
    if not _KEY.fullmatch(prefix):
        raise Misunderstood(f"{prefix[:40]} is no key; expected hexadecimal digits, 32 or the first few of them")
    storage = cache.holdings.storage
    matching = [kept async for kept in everything(storage, prefix)]
    if not matching and len(prefix) == _KEY_DIGITS and await storage.recall_from_afar(prefix):
        matching = [kept async for kept in everything(storage, prefix)]
    if len(matching) == 1:
        matching = [kept] if (kept := await whole(storage, matching[0])) is not None else []
    if not matching:
        raise Refused(f"nothing is kept under key {prefix}: it was not fit to be kept, made room, or was purged", 404)
    if len(matching) > 1:
        raise Refused(f"{len(matching)} keys begin with {prefix}; give more of it", 409)
    return matching[0]


def _parts(entry: Entry) -> list[dict[str, str]]:
    return [{"name": name, "digest": f"{digest:016x}"} for name, digest in entry.parts]


async def _statistics(cache: Served, question: Question, _: str) -> Told:
    held = cache.holdings
    storage, repeats = held.storage, held.repeats
    memory, disk, shared = storage.memory, storage.disk, storage.shared
    tiers: dict[str, Any] = {
        "memory": {
            "entries": len(memory),
            "held_bytes": memory.held_bytes,
            "max_bytes": int(memory.max_bytes),
            "other_bytes": held.held_bytes,
            "evicted": memory.evicted,
            "refused": memory.refused,
        },
        "disk": None if disk is None else told_of(disk),
        "shared": shared and {**shared.counts, "waiting": shared.waiting, "answering": shared.is_answering},
    }
    value = {
        "given": storage.given,
        "looked_up": repeats.looked_up,
        "answered": repeats.answered,
        "distinct": repeats.distinct,
        "hit_ratio": repeats.ratio,
        "hit_ratio_bound": repeats.bound,
        "repeats": repeats.by_source,
        "outcomes": held.counts,
        "own_calls_failed": cache.behind.failed,
        "saved": list(held.control.saved()),
        "tiers": tiers,
        "warm": cache.warming.told(),
    }
    return Told(value=value)


# -- throwing out ------------------------------------------------------------------------------------------------------


async def _removed(cache: Served, question: Question, prefix: str) -> Told:
    storage = cache.holdings.storage
    try:
        key, there = (await _one(cache, prefix)).key, 1
    except Refused as refused:
        if refused.status != 404 or len(prefix) != _KEY_DIGITS:
            raise
        key, there = prefix, 0  # elsewhere it may be
    storage.forget(key)
    return await _purged(storage, [key], there, purge_of(time.time_ns(), keys=[key]))


async def _purge(cache: Served, question: Question, _: str) -> Told:
    query = dict(question.query)
    all_of_it = query.pop("all", "0") not in ("0", "")
    if all_of_it == bool(query):
        raise Misunderstood("say which entries, by filters, or all=1; not both")
    storage, wanted, purge = cache.holdings.storage, Selection(query), purge_of(time.time_ns(), filters=query)
    keys = {kept.key async for kept in everything(storage) if wanted(kept.entry)}
    for held in list(storage.memory.items()):  # what came meanwhile is among them
        if wanted(held.entry):
            keys.add(held.key)
            storage.forget(held.key)
    if storage.disk is not None:
        if all_of_it:
            storage.disk.clear()
        else:
            storage.disk.forget_all(wanted)
    return await _purged(storage, keys, len(keys), purge)


async def _purged(storage: Storage, keys: Collection[str], removed: int, purge: Purge) -> Told:
    """Told once *keys* are gone here, of which *removed* were there, and other pods know of it."""
    value = {"removed": removed, "disk": None if storage.disk is None else "being removed", "shared": None}
    if storage.shared is not None:
        value |= {"shared": "confirmed", "shared_removed": 0, "pods": f"told: they look every {LOOKED_SECONDS:g} s"}
        try:
            await storage.shared.purge(keys, _CONFIRMED_SECONDS)
        except Unreachable as trouble:
            value["shared"] = f"not confirmed: {trouble}; it goes on being tried"
        try:
            swept = await storage.shared.purge_all(purge, _SWEPT_SECONDS)
            value["shared_removed"] = swept.removed
            if swept.rest and value["shared"] == "confirmed":
                value["shared"] = f"not confirmed: {swept.rest}; what is left is given by no pod any more"
        except Unreachable as trouble:
            value["pods"] = f"not told: {trouble}; it goes on being tried"
    return Told(value=value)


# -- carrying ----------------------------------------------------------------------------------------------------------


async def _exported(cache: Served, question: Question, _: str) -> Told:
    """A page of entries in order of their keys, from the one after ``after`` on; the last one has the end."""
    query = dict(question.query)
    after = query.pop("after", "")
    storage, wanted = cache.holdings.storage, Selection(query)
    codec = carried.codec_of(cache.holdings.secret)
    page = bytearray(carried.opening(codec.label))
    async for each in everything(storage, after=after):
        if not wanted(each.entry) or (kept := await whole(storage, each)) is None:
            continue
        if len(page) > _PAGE_BYTES:
            return Told(value=bytes(page))
        page += carried.record(kept.key, await _aside(kept.size_bytes, codec.encode, kept.key, kept.entry))
    return Told(value=bytes(page) + carried.END)


async def _imported(cache: Served, question: Question, _: str) -> Told:
    codec = carried.codec_of(cache.holdings.secret)
    try:
        given = carried.read(question.body)
    except carried.NoExport as error:
        raise Misunderstood(str(error)) from error
    if given.label != codec.label:
        raise Refused("exported with another secret of the cache: no call here would ever find these entries", 409)
    counts = dict.fromkeys(("imported", "older", "expired", "garbled", "refused"), 0)
    for key, sealed in given.records:
        try:
            entry = await _aside(len(sealed), codec.decode, key, sealed)
        except Garbled:
            counts["garbled"] += 1
        else:
            counts[await _taken(cache, key, entry)] += 1
        await asyncio.sleep(0)  # calls come first
    return Told(value=counts)


async def _taken(cache: Served, key: str, entry: Entry) -> str:
    """What became of *entry*."""
    storage = cache.holdings.storage
    if await stored_ns(storage, key) >= entry.stored_ns:
        return "older"
    lifetime = cache.lifetimes.get(entry.about.operation)
    if lifetime is None or entry.stored_ns > time.time_ns():
        return "refused"
    useful = entry.fresh_seconds + lifetime.stale_seconds - age_seconds(entry)
    if useful <= 0:
        return "expired"
    return "imported" if storage.keep(key, replace(entry, source="import"), useful) else "refused"


async def _aside(size: int, work: Callable[..., Any], *given: Any) -> Any:
    return work(*given) if size < _LARGE_BYTES else await asyncio.to_thread(work, *given)


# -- doing -------------------------------------------------------------------------------------------------------------


async def _switched_on(cache: Served, question: Question, _: str) -> Told:
    return Told(value={"switched_on": cache.holdings.control.switch_on()})


async def _warmed(cache: Served, question: Question, _: str) -> Told:
    try:
        asked = msgspec.json.decode(question.body or b"{}", type=Texts)
    except msgspec.DecodeError as error:
        raise Misunderstood(f"expected nothing, or texts: a list of what is to be spoken; {error}") from error
    if not cache.config.warm.speech:
        raise Refused("nothing says how it is to be spoken: warm.speech of the cache's configuration is empty", 409)
    try:
        cache.warming.start(asked.texts)
    except Busy as busy:
        raise Refused(str(busy), 409) from busy
    return Told(value=cache.warming.told())


async def _warming(cache: Served, question: Question, _: str) -> Told:
    return Told(value=cache.warming.told())


Answer = Callable[[Served, Question, str], Awaitable[Told]]

_ANSWERS: Final[dict[tuple[str, str], Answer]] = {
    ("GET", "entries"): _listed,
    ("GET", "entries/KEY"): _shown,
    ("DELETE", "entries/KEY"): _removed,
    ("GET", "key/KEY"): _taken_apart,
    ("GET", "stats"): _statistics,
    ("POST", "purge"): _purge,
    ("GET", "export"): _exported,
    ("POST", "import"): _imported,
    ("GET", "warm"): _warming,
    ("POST", "warm"): _warmed,
    ("POST", "on"): _switched_on,
}
