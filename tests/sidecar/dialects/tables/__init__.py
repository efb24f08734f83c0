"""Expectations by dialect, as data: a table each."""

from typing import NamedTuple

from tests.sidecar.dialects.facts import Facts


class Table(NamedTuple):
    requests: dict[str, tuple[Facts | None, Facts | None]]
    """Case -> the call (None: unknown) and the view (None: there is none)."""
    answers: dict[str, Facts]
