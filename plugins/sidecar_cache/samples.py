"""The cache's numbers for ``/metrics``."""

from collections.abc import Iterator

from sidecar import Sample
from sidecar_cache.behind import Behind
from sidecar_cache.holdings import Holdings

_LOOKED_UP = ("hit", "stale", "joined", "miss", "spare", "skip")


def samples_of(held: Holdings, behind: Behind) -> Iterator[Sample]:
    counts, memory = held.counts, held.storage.memory
    for outcome in _LOOKED_UP:
        labels = (("outcome", outcome),)
        yield Sample("cache_requests_total", counts[outcome], "Calls looked up.", "counter", labels)
    yield Sample("cache_stored_total", counts["stored"], "Answers kept.", "counter")
    yield Sample("cache_refused_total", counts["refused"], "Answers not fit to be kept.", "counter")
    yield Sample("cache_refreshed_total", counts["refreshed"], "Stale answers replaced.", "counter")
    yield Sample("cache_evicted_total", memory.evicted, "Answers that made room.", "counter")
    yield Sample("cache_own_calls_failed_total", behind.failed, "Calls of the cache's own that failed.", "counter")
    yield Sample("cache_entries", len(memory), "Answers in memory.")
    yield Sample("cache_bytes", memory.held_bytes, "What they hold.")
    yield Sample("cache_other_bytes", held.held_bytes, "What is held beside answers.")
    yield Sample("cache_in_flight", len(held.flights), "Different calls that are under way.")
    if (disk := held.storage.disk) is not None:
        yield Sample("cache_disk_stored_total", disk.stored, "Answers written to the disk.", "counter")
        yield Sample(
            "cache_disk_dropped_total", disk.dropped, "Answers not written: too slow, full, broken.", "counter"
        )
        yield Sample("cache_disk_garbled_total", disk.garbled, "Answers found damaged there.", "counter")
        yield Sample("cache_disk_failing", bool(disk.trouble), "1 while the disk is left alone.")
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
