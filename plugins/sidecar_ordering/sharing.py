"""What is learned, kept over a restart and shared between pods. No I/O: whoever stores it passes bytes and clocks.

Each pod keeps what it has seen itself; what it knows is the sum of that and of what the others have seen. So nothing is
counted twice, however often and in whatever order the pods' snapshots arrive: of each pod the newest counts.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from sidecar_ordering.gates import KeptGate
from sidecar_ordering.quantiles import BUCKETS
from sidecar_ordering.statistics import KeptStatistics

#: So many pods are listened to, the newest ones, for so long.
MOST_PODS: Final = 64
OLDEST_SECONDS: Final = 6 * 3600.0
_VERSION: Final = 1
_MOST_CALLS: Final = 1e9


class Snapshot(Struct):
    """What one pod has seen of the candidates of one operation."""

    taken: float
    """Seconds since the epoch."""
    candidates: dict[str, KeptStatistics]
    gates: dict[str, dict[str, KeptGate]]
    """What is closed, by provider; of all operations."""
    version: int = _VERSION


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Snapshot)


def encode(snapshot: Snapshot) -> bytes:
    return _ENCODER.encode(snapshot)


def decode(data: bytes) -> Snapshot | None:
    """None for what is no snapshot, or one of another version; what is nonsense in it is left out. Never raises."""
    try:
        snapshot = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if snapshot.version != _VERSION or not math.isfinite(snapshot.taken):
        return None
    sound = {name: kept for name, kept in snapshot.candidates.items() if is_sound(kept)}
    gates = {
        provider: {name: gate for name, gate in kept.items() if math.isfinite(gate.left_seconds)}
        for provider, kept in snapshot.gates.items()
    }
    return msgspec.structs.replace(snapshot, candidates=sound, gates=gates)


def is_sound(kept: KeptStatistics) -> bool:
    """Whether all of it are numbers that calls could have left."""
    for part in (kept.first, kept.end):
        numbers = msgspec.structs.astuple(part.sums)
        counted = (part.sums.recent_calls, part.sums.calls, part.sums.squares, part.sums.weight)
        if not all(map(math.isfinite, numbers)) or not _are_counts(counted) or not _is_histogram(part.counts):
            return False
    chances = msgspec.structs.astuple(kept.chances)[1:]
    return _are_counts(chances) and _is_histogram(kept.pauses)


def merged(one: Mapping[str, Snapshot], other: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
    """Of each pod the newest. In whatever order, and however often it is done: the result is the same."""
    found = dict(one)
    for pod, snapshot in other.items():
        known = found.get(pod)
        if known is None or _newer(snapshot, known):
            found[pod] = snapshot
    return found


def worth_knowing(pods: Mapping[str, Snapshot], own: str, unix_now: float) -> list[Snapshot]:
    """Those of the others that are not too old, the newest first."""
    others: Iterable[Snapshot] = (snapshot for pod, snapshot in pods.items() if pod != own)
    recent = [snapshot for snapshot in others if unix_now - snapshot.taken < OLDEST_SECONDS]
    return sorted(recent, key=lambda snapshot: -snapshot.taken)[:MOST_PODS]


def _newer(one: Snapshot, other: Snapshot) -> bool:
    if one.taken != other.taken:
        return one.taken > other.taken
    return encode(one) > encode(other)  # whichever it is, it must be the same for all


def _are_counts(numbers: Iterable[float]) -> bool:
    return all(0.0 <= number < _MOST_CALLS for number in numbers)


def _is_histogram(counts: list[float]) -> bool:
    return len(counts) == BUCKETS and _are_counts(counts)
