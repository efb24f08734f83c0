"""Reading measurements back out of their rows. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.benchmarks.contestants import EVERYBODY, LABELS
from tests.benchmarks.figures import median, pair_ratios

#: One measurement: plain values, to be printed, judged and written to a file.
Row = dict[str, Any]


class Rows:
    """Those of one section and variant."""

    def __init__(self, rows: Iterable[Row], section: str, variant: str) -> None:
        self._rows = [row for row in rows if row["section"] == section and row["variant"] == variant]

    @property
    def contestants(self) -> list[str]:
        """Who has rows, in the usual order."""
        found = {row["contestant"] for row in self._rows}
        return [name for name in EVERYBODY if name in found] + sorted(found - set(EVERYBODY))

    @property
    def rounds(self) -> int:
        return len({row["round"] for row in self._rows})

    def has(self, *contestants: str) -> bool:
        return set(contestants) <= set(self.contestants)

    def of(self, contestant: str) -> list[Row]:
        return [row for row in self._rows if row["contestant"] == contestant]

    def values(self, contestant: str, field: str) -> dict[int, float]:
        """By round; of rounds that have it."""
        return {row["round"]: row[field] for row in self.of(contestant) if field in row}

    def median(self, contestant: str, field: str) -> float:
        return median(list(self.values(contestant, field).values()))

    def ratios(self, contestant: str, to: str, field: str) -> list[float]:
        """Round by round; empty if one of the two has taken no part."""
        return pair_ratios(self.values(contestant, field), self.values(to, field))

    def differences(self, contestant: str, to: str, field: str) -> list[float]:
        """Round by round: what *contestant* has more of *field* than *to*."""
        own, other = self.values(contestant, field), self.values(to, field)
        return [own[number] - other[number] for number in sorted(own.keys() & other.keys())]

    def total(self, contestant: str, field: str) -> float:
        return sum(self.values(contestant, field).values())


def label(contestant: str) -> str:
    return LABELS.get(contestant, contestant)


def complaints(rows: Sequence[Row]) -> list[str]:
    """What went wrong in *rows*: figures next to it are not to be trusted."""
    found = []
    for row in rows:
        where = f"{row['section']} {row['variant']}, {label(row['contestant'])}, round {row['round'] + 1}"
        if row.get("errors"):
            found.append(f"{where}: {row['errors']} calls failed")
        if row.get("dropped"):
            found.append(f"{where}: {row['dropped']} calls were dropped, no connection was free")
        if row.get("void"):
            found.append(f"{where}: void, the generator was late itself (p99 {row['lateness_p99']:.0f} us)")
    return found
