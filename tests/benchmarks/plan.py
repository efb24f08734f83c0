"""How much is measured: rounds and seconds by section."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

#: By section: rounds, and seconds per contestant and variant in each.
_FULL: Mapping[str, tuple[int, float]] = {
    "chat": (6, 1.5),
    "latency": (5, 3.0),
    "streams": (4, 5.0),
    "audio": (4, 1.5),
    "tls": (3, 1.5),
    "interception": (5, 0.8),
    "splice": (5, 0.6),
    "handshakes": (3, 0.6),
    "admissions": (2, 5.0),
    "start": (7, 3.0),
    "soak": (1, 1.0),
}
_QUICK: Mapping[str, tuple[int, float]] = {
    "chat": (2, 0.7),
    "latency": (1, 2.0),
    "streams": (1, 2.0),
    "audio": (1, 0.8),
    "tls": (1, 0.6),
    "interception": (1, 0.4),
    "splice": (1, 0.3),
    "handshakes": (1, 0.4),
    "admissions": (1, 1.0),
    "start": (3, 0.8),
    "soak": (1, 0.1),
}
SECTIONS = tuple(section for section in _FULL if section != "soak")


@dataclass(frozen=True)
class Plan:
    """For one section. ``seconds`` are a scale for the soak: the share of its size."""

    rounds: int
    seconds: float
    seed: int

    def with_seconds(self, seconds: float) -> "Plan":
        return replace(self, seconds=seconds)


def plan(section: str, *, quick: bool, rounds: int | None, seconds: float | None, seed: int) -> Plan:
    default_rounds, default_seconds = (_QUICK if quick else _FULL)[section]
    if section == "soak":
        return Plan(1, default_seconds, seed)
    return Plan(rounds or default_rounds, seconds or default_seconds, seed)
