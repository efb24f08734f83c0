"""Emulated providers that change: what each would answer to each call at each moment, drawn once for all rules."""

import math
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

#: Draws per call and provider: a rule that asks the same provider again gets another one.
TRIES: Final = 2


class Outcome(NamedTuple):
    """What comes of an attempt, if it is waited for."""

    seconds: float
    kind: str = ""
    """Of the failure; "" for an answer."""
    retry_after_seconds: float | None = None


class Episode(NamedTuple):
    """A time in which a provider is not as usual."""

    begin: float
    end: float
    factor: float = 1.0
    """Answers take so many times as long."""
    errors: float = 0.0
    """So many calls fail at once."""
    hangs: float = 0.0
    """So many calls are never answered."""
    limited: float = 0.0
    """So many calls are refused for their rate."""
    says_when: bool = False
    """Whether refusals say when to come again."""


class Nature(Struct, frozen=True, kw_only=True):
    """How a provider is."""

    name: str
    seconds: float
    """The median of a call of size 1, all being as usual."""
    spread: float = 0.3
    size_share: float = 0.0
    """Of the seconds, what grows with the size."""
    stragglers: float = 0.015
    """So many answers take 3 to 8 times as long."""
    tail: float = 0.0
    """More than 0: the noise is Student's t with so many degrees of freedom, instead of normal."""
    errors: float = 0.002
    drift: float = 0.22
    """Of the logarithm of times, over a day."""
    price: float = 1.0
    per_minute: int = 0
    """So many calls are answered in each minute of the clock, and each answer says how many are left; 0: any number."""
    places: int = 0
    """So many calls are answered at the same time; 0: any number."""


class Draw(NamedTuple):
    """Luck of a call with a provider."""

    noise: float
    straggler: float
    lateness: float
    failure: float


class Provider:
    """
    Args:
        episodes: in order, not overlapping.
    """

    def __init__(self, nature: Nature, episodes: Sequence[Episode], phase: float) -> None:
        self.nature = nature
        self.episodes = list(episodes)
        self._begins = [each.begin for each in episodes]
        self._phase = phase
        self._stragglers_mean = 1.0 + nature.stragglers * 4.5
        self._noise_mean = math.exp(0.5 * nature.spread * nature.spread)

    def episode(self, at: float) -> Episode | None:
        found = bisect_right(self._begins, at) - 1
        return self.episodes[found] if found >= 0 and at < self.episodes[found].end else None

    def median(self, size: float, at: float) -> float:
        """Of the time that a call takes now, stragglers aside."""
        nature, episode = self.nature, self.episode(at)
        drift = math.exp(nature.drift * math.sin(2.0 * math.pi * (at / 86400.0 + self._phase)))
        shape = 1.0 - nature.size_share + nature.size_share * size
        return nature.seconds * shape * drift * (episode.factor if episode else 1.0)

    def mean(self, size: float, at: float) -> float:
        return self.median(size, at) * self._noise_mean * self._stragglers_mean

    def failure(self, at: float) -> tuple[float, float, float]:
        """How likely an error, a hang and a refusal are now."""
        episode = self.episode(at)
        if episode is None:
            return self.nature.errors, 0.0, 0.0
        return max(self.nature.errors, episode.errors), episode.hangs, episode.limited

    def ask(self, size: float, at: float, draw: Draw) -> Outcome:
        errors, hangs, limited = self.failure(at)
        luck = draw.failure
        if luck < limited:
            episode = self.episode(at)
            assert episode is not None
            return Outcome(0.12, "rate", math.ceil(episode.end - at) if episode.says_when else None)
        luck -= limited
        if luck < errors:
            return Outcome(0.3, "server")
        luck -= errors
        if luck < hangs:
            return Outcome(math.inf)
        seconds = self.median(size, at) * math.exp(draw.noise)
        if draw.straggler < self.nature.stragglers:
            seconds *= draw.lateness
        return Outcome(seconds)


class Arrival(NamedTuple):
    at: float
    size: float
    luck: tuple[tuple[Draw, ...], ...]
    """Of each provider, of each try."""


class World(NamedTuple):
    """Everything that happens in one run, but for what is decided."""

    providers: list[Provider]
    arrivals: list[Arrival]
    deadline_seconds: float


Episodes = Callable[[random.Random, int, float], list[Episode]]
"""Of a provider, by its number, within so many seconds."""


def world(
    natures: Sequence[Nature],
    episodes: Episodes,
    *,
    seed: int,
    calls: int,
    per_minute: float,
    deadline_seconds: float = 8.0,
    sizes: float = 0.0,
) -> World:
    """
    Args:
        sizes: the spread of the logarithm of sizes around 1.
    """
    draw = random.Random(seed)
    lasts = calls / per_minute * 60.0
    providers = [
        Provider(nature, episodes(random.Random(seed * 1000 + number), number, lasts), draw.random())
        for number, nature in enumerate(natures)
    ]
    arrivals, at = [], 0.0
    for _ in range(calls):
        at += draw.expovariate(per_minute / 60.0)
        size = math.exp(draw.gauss(0.0, sizes)) if sizes else 1.0
        luck = tuple(tuple(_luck(nature, draw) for _ in range(TRIES)) for nature in natures)
        arrivals.append(Arrival(at, size, luck))
    return World(providers, arrivals, deadline_seconds)


def _luck(nature: Nature, draw: random.Random) -> Draw:
    noise = draw.gauss(0.0, nature.spread)
    if nature.tail:
        noise /= math.sqrt(draw.gammavariate(nature.tail / 2.0, 2.0) / nature.tail)
    return Draw(noise, draw.random(), draw.uniform(3.0, 8.0), draw.random())


def now_and_then(
    every_seconds: float, lasts_seconds: tuple[float, float], *kinds: Callable[[random.Random], dict[str, float | bool]]
) -> Callable[[random.Random, float], list[Episode]]:
    """Episodes of one of *kinds* each, that begin *every_seconds* in the mean after the end of the one before."""

    def made(draw: random.Random, until: float) -> list[Episode]:
        found, at = [], draw.expovariate(1.0 / every_seconds)
        while at < until:
            end = at + draw.uniform(*lasts_seconds)
            found.append(Episode(at, end, **draw.choice(kinds)(draw)))  # type: ignore[arg-type]
            at = end + draw.expovariate(1.0 / every_seconds)
        return found

    return made
