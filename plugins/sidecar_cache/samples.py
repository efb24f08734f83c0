"""The cache's numbers for ``/metrics``."""

from collections.abc import Iterator

from sidecar import Sample
from sidecar_cache.behind import Behind
from sidecar_cache.bound import Repeats
from sidecar_cache.holdings import Holdings

_LOOKED_UP = ("hit", "stale", "joined", "miss", "spare", "skip")


def samples_of(held: Holdings, behind: Behind) -> Iterator[Sample]:
    counts, memory = held.counts, held.storage.memory
    for outcome in _LOOKED_UP:
        labels = (("outcome", outcome),)
        yield Sample("cache_requests_total", counts[outcome], "Calls looked up.", "counter", labels)
    yield from _repeats(held.repeats)
    yield Sample("cache_stored_total", counts["stored"], "Answers kept.", "counter")
    yield Sample("cache_refused_total", counts["refused"], "Answers not fit to be kept.", "counter")
    yield Sample("cache_refreshed_total", counts["refreshed"], "Stale answers replaced.", "counter")
    yield Sample("cache_evicted_total", memory.evicted, "Answers that made room.", "counter")
    yield Sample("cache_own_calls_failed_total", behind.failed, "Calls of the cache's own that failed.", "counter")
    yield Sample("cache_entries", len(memory), "Answers in memory.")
    yield Sample("cache_bytes", memory.held_bytes, "What they hold.")
    yield Sample("cache_other_bytes", held.held_bytes, "What is held beside answers.")
    yield Sample("cache_in_flight", len(held.flights), "Different calls that are under way.")
    for tier, number in held.storage.given.items():
        yield Sample("cache_given_total", number, "Answers given, by where they were.", "counter", (("tier", tier),))
    if (disk := held.storage.disk) is not None:
        yield Sample("cache_disk_stored_total", disk.stored, "Answers written to the disk.", "counter")
        yield Sample(
            "cache_disk_dropped_total", disk.dropped, "Answers not written: too slow, full, broken.", "counter"
        )
        yield Sample("cache_disk_garbled_total", disk.garbled, "Answers found damaged there.", "counter")
        yield Sample("cache_disk_evicted_total", disk.evicted, "Answers that made room there.", "counter")
        for outcome, number in disk.counts.items():
            labels = (("outcome", outcome),)
            yield Sample("cache_disk_reads_total", number, "Calls that asked for what is there.", "counter", labels)
        yield Sample("cache_disk_entries", len(disk), "Answers on the disk.")
        yield Sample("cache_disk_bytes", disk.taken_bytes, "What they take there.")
        yield Sample("cache_disk_index_bytes", disk.index_bytes, "In memory, to know which are there.")
        yield Sample("cache_disk_failing", bool(disk.trouble), "1 while nothing can be written to the disk.")
        yield Sample("cache_disk_answering", disk.is_answering, "0 while calls do not ask the disk.")
    if (shared := held.storage.shared) is not None:
        for outcome, number in shared.counts.items():
            labels = (("outcome", outcome),)
            yield Sample("cache_shared_total", number, "Dealings with the shared store.", "counter", labels)
        yield Sample("cache_shared_answering", shared.is_answering, "0 while the shared store is left alone.")
    for saved in held.control.saved():
        of = (("operation", saved.operation), ("model", saved.model))
        yield Sample("cache_hits_total", saved.hits, "Hits by kind.", "counter", of)
        if saved.control_calls >= 2:
            mean, half_width = saved.waited_seconds
            yield Sample("cache_saved_wait_seconds", mean, "Waiting saved by hits, estimated.", labels=of)
            yield Sample("cache_saved_wait_half_width_seconds", half_width, "Of its 95 % interval.", labels=of)
        if saved.agreement is not None:
            yield Sample("cache_agreement", saved.agreement, "Of stored answers with fresh ones.", labels=of)


def _repeats(repeats: Repeats) -> Iterator[Sample]:
    """How often calls came again, by why, beside how often they could have been answered at best."""
    looked_up, distinct = repeats.looked_up, repeats.distinct
    for source, number in repeats.by_source.items():
        help = "Calls answered without one of their own, by why they came again."
        yield Sample("cache_repeats_total", number, help, "counter", (("source", source),))
    yield Sample("cache_looked_up_total", looked_up, "Calls that could have been answered.", "counter")
    yield Sample("cache_distinct_calls", distinct, "Different ones among them, estimated to 2 %.")
    if looked_up:
        bound = 1.0 - distinct / looked_up
        yield Sample("cache_hit_ratio", repeats.ratio or 0.0, "Of calls looked up, those answered.")
        yield Sample("cache_hit_ratio_bound", bound, "The same of a cache that forgets nothing and began as empty.")
