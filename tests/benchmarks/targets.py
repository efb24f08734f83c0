"""What is to be reached, and whether it is. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """One target. ``shortfall`` is how much of the bound is missing, as a share; 0 if it is reached."""

    claim: str
    measured: str
    shortfall: float

    @property
    def reached(self) -> bool:
        return self.shortfall <= 0

    def __str__(self) -> str:
        verdict = "reached" if self.reached else f"SHORT by {self.shortfall:.0%}"
        return f"{verdict:<14} {self.claim}: {self.measured}"


def at_least(claim: str, measured: float, bound: float, unit: str = "", detail: str = "") -> Verdict:
    """*measured* is to be *bound* or more."""
    return Verdict(claim, _told(measured, f"at least {bound:g}{unit}", unit, detail), _missing(1 - measured / bound))


def at_most(claim: str, measured: float, bound: float, unit: str = "", detail: str = "") -> Verdict:
    """*measured* is to be *bound* (above 0) or less."""
    return Verdict(claim, _told(measured, f"at most {bound:g}{unit}", unit, detail), _missing(measured / bound - 1))


def holds(claim: str, measured: str, *, reached: bool) -> Verdict:
    """A target that is reached or not, with nothing in between."""
    return Verdict(claim, measured, 0.0 if reached else 1.0)


def _missing(share: float) -> float:
    """What is not even a number has not been reached."""
    return 1.0 if math.isnan(share) else max(0.0, share)


def _told(measured: float, bound: str, unit: str, detail: str) -> str:
    return f"{measured:.3g}{unit} ({bound}{'; ' if detail else ''}{detail})"
