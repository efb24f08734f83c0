"""What there is to choose from, and what is known of a call before it is sent. No I/O."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Prior(Struct, frozen=True, kw_only=True):
    """What is believed of a candidate's speed before it has been asked: from a shipped table, or the configuration.

    Sizes are in the unit of the operation: seconds of audio (stt), characters (tts), input tokens (chat).
    """

    first_byte_seconds: float = 1.0
    """At ``typical_size``; the median."""
    end_seconds: float = 1.5
    """Until the last byte, at ``typical_size``."""
    typical_size: float = 1.0
    size_share: float = 0.0
    """The part of ``first_byte_seconds`` that grows with the size, from 0 (none of it) to 1 (all of it)."""
    end_size_share: float = 0.5
    """The same of ``end_seconds``."""
    spread: float = 0.35
    """The standard deviation of the logarithm of times of calls of the same size."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A provider, and what to ask of it."""

    name: str
    """Unique among the candidates of an operation: what statistics are kept under."""
    provider: str
    """Who meters and refuses: candidates of one provider share its limits."""
    model: str = ""
    voice: str = ""
    quality: float = 1.0
    """Above 0; 1 is the best there is."""
    price: float | None = None
    """Of a typical call, in whatever currency all of them are in; None if it is not known."""
    priority: int = 0
    """For ``priority``: smaller is sooner."""
    weight: float = 1.0
    """For ``weighted``: the share of calls that it answers, against the weights of the others."""
    own: bool = False
    """Whether it is the agent's own provider, with the agent's credential: that this one is refused is not hidden by
    another one's answer, unless the policy says so."""
    may_hedge: bool = True
    """Whether it may be asked beside another: not where every call in flight counts against a small limit."""
    prior: Prior = Prior()


class Awaited(StrEnum):
    """What the caller waits for."""

    FIRST_BYTE = "first_byte"
    END = "end"


class Asked(NamedTuple):
    """What is known of a call before it is sent."""

    size: float = 1.0
    """In the unit of the operation (`Prior`)."""
    deadline: float = float("inf")
    """When the caller gives up, by the clock of everything here."""
    awaits: Awaited = Awaited.FIRST_BYTE
    repeatable: bool = True
    """Whether sending it twice costs no more than money: if not, it is neither hedged nor sent again once it may have
    been acted upon."""
    conversation: str | None = None
    """Of what it is a part, for ``sticky``."""
    critical: bool = False
    """Whether it is to be raced, if the policy races critical calls."""
    excluded: Mapping[str, str] = {}
    """Candidates that cannot express this call, and why."""
