"""Whether a provider may be asked, by what it has said: limits, quotas, credentials. No I/O.

Limits belong to an account, not to a candidate: what one operation or pod has met holds for the others too.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from sidecar.dialect import Limit, Resource
from sidecar.failure import Failure, Kind
from sidecar_ordering.concurrency import Places
from sidecar_ordering.pacing import Pace

#: Without a word of when to come again: after 5 s, 10 s, … at most a minute.
RATE_SECONDS: Final = (5.0, 60.0)
#: Money or a day's quota: after five minutes, ten, … at most two hours, unless it said when.
QUOTA_SECONDS: Final = (300.0, 7200.0)
#: A credential that is refused is refused until it is another one: after five minutes, ten, … an hour a call finds out.
AUTH_SECONDS: Final = (300.0, 3600.0)
_JITTER: Final = 0.1
_LONGEST_SECONDS: Final = 86_400.0
_MOST_PACES: Final = 16
#: Agents may ask for whatever model they like.
_MOST_METERS: Final = 256


class Closed(NamedTuple):
    """That a provider is not to be asked."""

    kind: str
    until: float
    firm: bool = True
    """If not, it is only spared: it may be asked if there is no other."""

    def reason(self, now: float) -> str:
        said = {"rate": "limits the rate", "quota": "its quota is used up", "auth": "refuses the credential"}
        return f"{said.get(self.kind, self.kind)}, for {max(self.until - now, 0.0):.0f} s"


class KeptGate(Struct):
    """What is to be told to other pods, as of when it was taken."""

    kind: str
    left_seconds: float


class Gate:
    """Closed for a while after a refusal of one kind."""

    __slots__ = ("_draw", "_pause_seconds", "_seconds", "kind", "until")

    def __init__(self, kind: str, seconds: tuple[float, float], draw: random.Random) -> None:
        self.kind = kind
        self.until = float("-inf")
        self._seconds = seconds
        self._pause_seconds = 0.0
        self._draw = draw

    def refused(self, retry_after_seconds: float | None, now: float) -> None:
        if retry_after_seconds is not None and retry_after_seconds >= 0.0:
            self.until = max(self.until, now + min(retry_after_seconds, _LONGEST_SECONDS))
            return
        if now < self.until:
            return  # what was sent before it closed
        least, most = self._seconds
        self._pause_seconds = min(max(2.0 * self._pause_seconds, least), most)
        self.until = now + self._pause_seconds * self._draw.uniform(1.0, 1.0 + _JITTER)

    def good(self) -> None:
        """An answer came."""
        self._pause_seconds = 0.0


class Meter:
    """Of one provider and model: what limits its rate, and whether the credential is good for it."""

    __slots__ = ("_paces", "auth", "rate")

    def __init__(self, draw: random.Random) -> None:
        self.rate = Gate("rate", RATE_SECONDS, draw)
        self.auth = Gate("auth", AUTH_SECONDS, draw)
        self._paces: dict[str, Pace] = {}

    @property
    def gates(self) -> tuple[Gate, ...]:
        return self.auth, self.rate

    def told(self, limit: Limit, now: float) -> None:
        if limit.remaining is None or limit.resets_in_seconds is None:
            return
        pace = self._paces.get(limit.what)
        if pace is None:
            if len(self._paces) >= _MOST_PACES:
                return
            pace = self._paces[limit.what] = Pace()
        pace.told(limit.remaining, now + max(limit.resets_in_seconds, 0.0), now)

    def sent(self, now: float) -> None:
        for pace in self._paces.values():
            pace.sent(now)

    def closed(self, now: float) -> Closed | None:
        for gate in self.gates:
            if now < gate.until:
                return Closed(gate.kind, gate.until)
        for what, pace in self._paces.items():
            if (until := pace.opens_at(now)) > now:
                return Closed(f"few {what} are left", until, not pace.spares(now))
        return None


class Account:
    """Of one provider: its places, its quota, and a `Meter` for each model.

    Args:
        closed: told of what stays as it is until somebody does something about it: a quota that is used up, a
            credential that is refused.
    """

    __slots__ = ("_closed", "_draw", "_meters", "_quota", "places")

    def __init__(self, draw: random.Random, closed: Callable[[Closed], None]) -> None:
        self.places = Places()
        self._quota = Gate("quota", QUOTA_SECONDS, draw)
        self._meters: dict[str, Meter] = {}
        self._draw = draw
        self._closed = closed

    def meter(self, model: str) -> Meter:
        meter = self._meters.get(model)
        if meter is None:
            if len(self._meters) >= _MOST_METERS:
                del self._meters[next(iter(self._meters))]
            meter = self._meters[model] = Meter(self._draw)
        return meter

    def closed(self, now: float) -> Closed | None:
        return Closed("quota", self._quota.until) if now < self._quota.until else None

    def refused(self, failure: Failure, meter: Meter, now: float) -> None:
        """Take in what a failure says of limits, or of when to come again."""
        after = failure.retry_after_seconds
        if failure.kind is Kind.CONCURRENCY:
            self.places.refused(now)
        elif failure.kind is Kind.QUOTA:
            self._close(self._quota, after, now)
        elif failure.kind is Kind.AUTH:
            self._close(meter.auth, after, now)
        elif failure.kind is Kind.RATE or (failure.counts_against_health and after is not None):
            meter.rate.refused(after, now)

    def answered(self, meter: Meter) -> None:
        for gate in (self._quota, *meter.gates):
            gate.good()

    def _close(self, gate: Gate, after: float | None, now: float) -> None:
        was_open = now >= gate.until
        gate.refused(after, now)
        if was_open:
            self._closed(Closed(gate.kind, gate.until))

    def told(self, limit: Limit, meter: Meter, now: float) -> None:
        """Take in what an answer said of a limit."""
        if limit.what is not Resource.CONCURRENCY:
            meter.told(limit, now)
        elif limit.limit is not None:
            used = 0.0 if limit.remaining is None else limit.limit - limit.remaining
            self.places.told(limit.limit, used - self.places.taken, now)

    # -- shared --------------------------------------------------------------------------------------------------------

    def kept(self, now: float) -> dict[str, KeptGate]:
        """What is closed, by the kind and the model ("" for all)."""
        gates = [("", self._quota), *((model, gate) for model, meter in self._meters.items() for gate in meter.gates)]
        return {
            f"{gate.kind} {model}": KeptGate(gate.kind, gate.until - now) for model, gate in gates if gate.until > now
        }

    def absorb(self, kept: Mapping[str, KeptGate], aged_seconds: float, now: float) -> None:
        """Close what others have found closed: their limits are the same. (Their credentials need not be.)"""
        for name, each in kept.items():
            meter = self._meters.get(name.partition(" ")[2])
            gate = self._quota if each.kind == "quota" else meter.rate if meter and each.kind == "rate" else None
            if gate is not None:
                until = now + min(each.left_seconds, _LONGEST_SECONDS) - aged_seconds
                gate.until = max(gate.until, until)


class Accounts:
    """Of all providers; one for all operations.

    Args:
        draw: for jitter.
        closed: told of a provider whose quota is used up, or that refuses the credential.
    """

    def __init__(self, draw: random.Random, closed: Callable[[str, Closed], None] | None = None) -> None:
        self._accounts: dict[str, Account] = {}
        self._draw = draw
        self._closed = closed

    def of(self, provider: str) -> Account:
        account = self._accounts.get(provider)
        if account is None:
            account = self._accounts[provider] = Account(self._draw, lambda closed: self._told(provider, closed))
        return account

    def _told(self, provider: str, closed: Closed) -> None:
        if self._closed is not None:
            self._closed(provider, closed)

    def __iter__(self) -> Iterator[tuple[str, Account]]:
        return iter(self._accounts.items())

    def kept(self, now: float) -> dict[str, dict[str, KeptGate]]:
        """What is closed, by provider."""
        kept = ((provider, account.kept(now)) for provider, account in self._accounts.items())
        return {provider: gates for provider, gates in kept if gates}

    def absorb(self, kept: Mapping[str, Mapping[str, KeptGate]], aged_seconds: float, now: float) -> None:
        """Close what others have found closed, if it is known here."""
        for provider, gates in kept.items():
            if (account := self._accounts.get(provider)) is not None:
                account.absorb(gates, aged_seconds, now)
