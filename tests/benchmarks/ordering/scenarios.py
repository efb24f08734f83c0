"""What happens to providers, one kind of trouble at a time, and all of them together."""

import random
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tests.benchmarks.ordering.world import Episode, Episodes, Nature, World, now_and_then, world

#: The prototype of the project's notes: medians of 1.0, 1.15 and 1.5 s.
THREE: Final = (
    Nature(name="a", seconds=1.0, spread=0.25),
    Nature(name="b", seconds=1.15, spread=0.3),
    Nature(name="c", seconds=1.5, spread=0.35),
)
_HOUR: Final = 3600.0
_TURN_SECONDS: Final = 1200.0


TROUBLE: Final = "all kinds of trouble"
NINETY: Final = "each provider alone at 88-92 %"
NINETY_IN_TURN: Final = "the same, never two in trouble at once"


class Scenario(Struct, frozen=True, kw_only=True):
    name: str
    episodes: Episodes
    natures: tuple[Nature, ...] = THREE
    per_minute: float = 3.0
    calls: int = 4000
    deadline_seconds: float = 8.0
    sizes: float = 0.0
    believed: tuple[float, ...] = ()

    def world(self, seed: int) -> World:
        return world(
            self.natures,
            self.episodes,
            seed=seed,
            calls=self.calls,
            per_minute=self.per_minute,
            deadline_seconds=self.deadline_seconds,
            sizes=self.sizes,
        )


def quiet(draw: random.Random, number: int, lasts: float) -> list[Episode]:
    return []


def of_all(every_seconds: float, lasts: tuple[float, float], **trouble: float | bool) -> Episodes:
    made = now_and_then(every_seconds, lasts, lambda draw: trouble)
    return lambda draw, number, until: made(draw, until)


def of_the_best(every_seconds: float, lasts: tuple[float, float], **trouble: float | bool) -> Episodes:
    made = now_and_then(every_seconds, lasts, lambda draw: trouble)
    return lambda draw, number, until: made(draw, until) if number == 0 else []


def mixed(every_seconds: float) -> Episodes:
    """Brown-outs, bursts of errors, hangs, refusals for the rate, with and without a word of when to come again."""
    made = now_and_then(
        every_seconds,
        (120.0, 1500.0),
        lambda draw: {"factor": draw.choice([2.0, 3.0, 5.0])},
        lambda draw: {"factor": draw.choice([3.0, 5.0]), "hangs": 0.1},
        lambda draw: {"errors": draw.choice([0.3, 0.6, 0.95])},
        lambda draw: {"hangs": draw.choice([0.5, 1.0])},
        lambda draw: {"limited": draw.choice([0.5, 1.0]), "says_when": draw.random() < 0.5},
    )
    return lambda draw, number, until: made(draw, until)


def dead(draw: random.Random, number: int, lasts: float) -> list[Episode]:
    if number == 0:
        return [Episode(0.3 * lasts, lasts, errors=1.0)]
    return mixed(4 * _HOUR)(draw, number, lasts)


def failing(errors: float) -> tuple[Nature, ...]:
    """The three, each of them failing now and then beside its episodes."""
    return tuple(replace(each, errors=errors) for each in THREE)


def tenth(errors: float, *, in_turn: bool = False) -> Episodes:
    """So that, with so many *errors* at any time, each provider alone answers between 88 and 92 calls of a hundred.

    Args:
        in_turn: never two of them are in trouble at the same time.
    """
    made = now_and_then(
        1500.0 if in_turn else 5400.0,
        (120.0, 900.0),
        lambda draw: {"errors": draw.choice([0.6, 0.95])},
        lambda draw: {"hangs": draw.choice([0.5, 1.0])},
        lambda draw: {"limited": 1.0, "says_when": draw.random() < 0.5},
        lambda draw: {"factor": draw.choice([3.0, 5.0]), "errors": 0.3},
    )

    def found(draw: random.Random, number: int, lasts: float) -> list[Episode]:
        while True:
            episodes = [each for each in made(draw, lasts) if not in_turn or _is_turn(each, number)]
            lost = sum((each.end - each.begin) * (each.errors + each.hangs + each.limited) for each in episodes)
            if 0.085 <= errors + lost / lasts <= 0.115:
                return episodes

    return found


def _is_turn(episode: Episode, number: int) -> bool:
    begins, ends = episode.begin // _TURN_SECONDS, episode.end // _TURN_SECONDS
    return begins == ends and begins % len(THREE) == number


SCENARIOS: Final = (
    Scenario(name="nothing but drift and stragglers", episodes=quiet),
    Scenario(name="the best is 3x slower now and then", episodes=of_the_best(2 * _HOUR, (600.0, 1800.0), factor=3.0)),
    Scenario(name="all are 5x slower now and then", episodes=of_all(3 * _HOUR, (600.0, 1800.0), factor=5.0)),
    Scenario(name="bursts of errors", episodes=of_all(_HOUR, (60.0, 300.0), errors=0.7)),
    Scenario(name="hangs", episodes=of_all(3 * _HOUR, (120.0, 900.0), hangs=0.9)),
    Scenario(name="429 with Retry-After", episodes=of_all(2 * _HOUR, (30.0, 300.0), limited=1.0, says_when=True)),
    Scenario(name="429 without a word", episodes=of_all(2 * _HOUR, (30.0, 300.0), limited=1.0)),
    Scenario(name="one dies for good, the others as below", episodes=dead),
    Scenario(name=TROUBLE, episodes=mixed(4 * _HOUR)),
    Scenario(name="the same, 0.5 calls/min", episodes=mixed(4 * _HOUR), per_minute=0.5),
    Scenario(name="the same, 10 calls/min", episodes=mixed(_HOUR), per_minute=10.0),
    Scenario(name="the same, 60 calls/min", episodes=mixed(_HOUR), per_minute=60.0, calls=10_000),
    Scenario(name="the same, wrong priors", episodes=mixed(4 * _HOUR), believed=(2.0, 1.0, 0.5)),
    Scenario(
        name="the same, heavy tails",
        episodes=mixed(4 * _HOUR),
        natures=tuple(
            Nature(name=one.name, seconds=one.seconds, spread=one.spread, tail=3.0, stragglers=0.02) for one in THREE
        ),
    ),
    Scenario(
        name="the same, sizes differ",
        episodes=mixed(4 * _HOUR),
        natures=(
            Nature(name="a", seconds=1.0, spread=0.25, size_share=0.2),
            Nature(name="b", seconds=0.95, spread=0.25, size_share=0.8),
            Nature(name="c", seconds=1.5, size_share=0.5),
        ),
        sizes=0.8,
    ),
    Scenario(
        name="the same, as good as each other",
        episodes=mixed(4 * _HOUR),
        natures=tuple(Nature(name=name, seconds=1.0 + 0.02 * at) for at, name in enumerate("abc")),
    ),
    Scenario(
        name="20 calls a minute each, 30 come",
        episodes=quiet,
        natures=tuple(replace(each, per_minute=20) for each in THREE),
        per_minute=30.0,
    ),
    Scenario(
        name="the best takes 2 calls at a time, 60 a minute come",
        episodes=quiet,
        natures=(replace(THREE[0], places=2), *THREE[1:]),
        per_minute=60.0,
    ),
    Scenario(name=NINETY, episodes=tenth(0.02), natures=failing(0.02)),
    Scenario(name=NINETY_IN_TURN, episodes=tenth(0.02, in_turn=True), natures=failing(0.02)),
)
BY_NAME: Final = {each.name: each for each in SCENARIOS}
