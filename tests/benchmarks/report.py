"""What a run has to say: on the terminal as it goes, and in a file as a whole."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.rows import Row, complaints
from tests.benchmarks.targets import Verdict


class Report:
    def __init__(self, facts: Sequence[tuple[str, str]], options: Mapping[str, Any]) -> None:
        self.facts = facts
        self.rows: list[Row] = []
        self._options = options
        self._verdicts: list[Verdict] = []
        self._warnings: list[str] = []

    @property
    def clean(self) -> bool:
        """Whether all targets are reached and nothing went wrong."""
        return all(verdict.reached for verdict in self._verdicts) and not complaints(self.rows)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def warn(self, text: str) -> None:
        self._warnings.append(text)
        self.say(f"WARNING: {text}")

    def progress(self, text: str) -> None:
        """Show *text* on a terminal until the next one comes."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def add(self, rows: Sequence[Row]) -> None:
        self.rows += rows

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        self._verdicts += verdicts

    def conclude(self) -> None:
        for complaint in complaints(self.rows):
            self.say(f"WRONG: {complaint}")
        self.say("\ntargets\n-------")
        for verdict in self._verdicts:
            self.say(str(verdict))
        reached = sum(verdict.reached for verdict in self._verdicts)
        self.say(f"{reached} of {len(self._verdicts)} reached")

    def write(self, file: Path | None) -> None:
        if file is None:
            return
        verdicts = [
            {"claim": verdict.claim, "measured": verdict.measured, "shortfall": verdict.shortfall}
            for verdict in self._verdicts
        ]
        options = {name: value for name, value in self._options.items() if name != "json"}
        whole = {
            "facts": dict(self.facts),
            "options": options,
            "warnings": self._warnings,
            "wrong": complaints(self.rows),
            "targets": verdicts,
            "rows": self.rows,
        }
        file.write_text(json.dumps(whole))
