"""Where entries are, for people who look into the cache: in memory, on the disk, or in both."""

from collections.abc import AsyncIterator
from typing import Any

from sidecar_cache.disk import Disk
from sidecar_cache.entry import Entry
from sidecar_cache.listing import Kept
from sidecar_cache.storage import DISK, MEMORY, Storage


async def everything(storage: Storage, prefix: str = "", after: str = "") -> AsyncIterator[Kept]:
    """What is kept under keys that begin with *prefix* and come after *after*, in order of the keys.

    Of what is on the disk alone the data and the parts of the key are missing, see `whole`. What changes meanwhile may
    or may not show.
    """
    disk = storage.disk
    here = {each.key: Kept(*each, len(each.entry.data), (DISK,)) for each in ([] if disk is None else disk.waiting())}
    for held in storage.memory.items():
        tiers = (MEMORY, DISK) if disk is not None and held.key in disk else (MEMORY,)
        here[held.key] = Kept(*held, len(held.entry.data), tiers)
    left = sorted((key for key in here if key > after and key.startswith(prefix)), reverse=True)
    if disk is not None:
        async for page in disk.told(prefix, after):
            for told in page:
                while left and left[-1] < told.key:
                    yield here[left.pop()]
                if told.key not in here:
                    yield Kept(told.key, told.entry, told.calls, told.size_bytes, (DISK,))
    while left:
        yield here[left.pop()]


async def whole(storage: Storage, kept: Kept) -> Kept | None:
    """*kept* with all of its entry; None if that cannot be read any more."""
    entry: Entry | None = kept.entry
    if MEMORY not in kept.tiers:
        read = None if storage.disk is None else await storage.disk.look(kept.key)
        entry = None if read is None else read.entry
    return None if entry is None else kept._replace(entry=entry)


async def stored_ns(storage: Storage, key: str) -> int:
    """When the entry under *key* was stored that is here; -1 if there is none."""
    entry = storage.memory.peek(key)
    if entry is None and storage.disk is not None and key in storage.disk:
        read = await storage.disk.look(key)
        entry = None if read is None else read.entry
    return -1 if entry is None else entry.stored_ns


def told_of(disk: Disk) -> dict[str, Any]:
    """Its numbers."""
    return {
        "entries": len(disk),
        "taken_bytes": disk.taken_bytes,
        "max_bytes": int(disk.max_bytes),
        "index_bytes": disk.index_bytes,
        "stored": disk.stored,
        "dropped": disk.dropped,
        "garbled": disk.garbled,
        "evicted": disk.evicted,
        **disk.counts,
        "answering": disk.is_answering,
        "trouble": disk.trouble,
    }
