"""What each candidate is worth for a call, and in which order they are asked. No I/O.

    effective = expected seconds + waiting for a place + chance of failure · (seconds until it shows + the next's)
    value     = quality^q · chance^c · 1 / (1 + effective / reference) · (price / middle price)^-w

Values are multiplied and never added: by a sum a fast provider that answers badly wins (LQM-ContextRoute, arXiv
2605.14241).
"""

import math
import random
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from sidecar_ordering.candidates import Candidate
from sidecar_ordering.statistics import Prediction

#: A price of nothing is taken to be this share of the middle one.
_LEAST_PRICE: Final = 0.01


class Mode(StrEnum):
    FASTEST = "fastest"
    """The highest value first."""
    CHEAPEST_WITHIN = "cheapest-within"
    """The cheapest of those whose predicted time is within ``within`` of the best one's, or below ``bound_seconds``."""
    PRIORITY = "priority"
    """As configured, and by value among equals."""
    WEIGHTED = "weighted"
    """The first is drawn by weight, the others follow by value."""
    STICKY = "sticky"
    """What a conversation began with, as long as it can answer; otherwise by value."""


class Policy(Struct, frozen=True, kw_only=True):
    """What is wanted."""

    mode: Mode = Mode.FASTEST
    within: float = 0.25
    bound_seconds: float | None = None
    quality_weight: float = 1.0
    chance_weight: float = 1.0
    price_weight: float = 0.0
    reference_seconds: float = 1.0
    """By so long a wait a value is halved."""
    hysteresis: float = 0.03
    """By what share another candidate must be worth more than the one that was first until now."""
    elsewhere: frozenset[str] = frozenset()
    """Kinds of failure that another provider may answer for though it is not plain that it should: auth, refused."""
    min_quality: float = 0.0
    max_price: float = math.inf


class Standing(StrEnum):
    """Whether a candidate may be asked."""

    OPEN = "open"
    TRIAL = "trial"
    """It was out of order; a call may try it."""
    RESORT = "resort"
    """It is out of order; only if there is no other."""
    CLOSED = "closed"
    """It cannot answer, or must not be asked."""


class Contender(Struct, gc=False):
    """A candidate as a call finds it."""

    candidate: Candidate
    prediction: Prediction
    standing: Standing = Standing.OPEN
    reason: str = ""
    """Why it is not open."""
    waits_seconds: float = 0.0
    """For one of the places that it has, in the mean."""
    opens_at: float = 0.0
    """When it may be asked again, if that is known."""
    trial_seconds: float | None = None
    """What it may well take if it were tried now; None if it is not to be tried."""


class Place(Struct, frozen=True, gc=False):
    """Where a candidate stands for a call, and why."""

    candidate: Candidate
    standing: Standing
    reason: str
    predicted_seconds: float
    """The mean until what the caller waits for, if it answers."""
    usual_seconds: float
    """The median while all is as usual."""
    usual: float
    """How likely it is that all is as usual."""
    chance: float
    """Of success."""
    effective_seconds: float
    """With waiting for a place, and what failing costs."""
    value: float
    speed_part: float
    chance_part: float
    quality_part: float
    price_part: float
    opens_at: float


class Ranking(Struct, frozen=True):
    """All candidates of a call."""

    order: tuple[Place, ...]
    """Those that may be asked, the first one first."""
    trial: Place | None
    """One that was out of order, or slow, and is worth a try now."""
    resorts: tuple[Place, ...]
    """Those to be asked only if there is no other."""
    closed: tuple[Place, ...]


class Worth(NamedTuple):
    """A value, and what it is the product of."""

    value: float
    speed: float
    chance: float
    quality: float
    price: float


def worth(candidate: Candidate, effective_seconds: float, chance: float, policy: Policy, middle_price: float) -> Worth:
    """
    Args:
        middle_price: of the candidates of the operation; 0 if none is known.
    """
    speed = 1.0 / (1.0 + max(effective_seconds, 0.0) / policy.reference_seconds)
    surely = chance**policy.chance_weight if chance > 0.0 else 0.0
    quality = candidate.quality**policy.quality_weight
    price = 1.0
    if policy.price_weight and candidate.price is not None and middle_price > 0.0:
        price = max(candidate.price / middle_price, _LEAST_PRICE) ** -policy.price_weight
    return Worth(speed * surely * quality * price, speed, surely, quality, price)


def rank(
    contenders: Sequence[Contender],
    policy: Policy,
    draw: random.Random,
    *,
    incumbent: str | None = None,
    settled: str | None = None,
    middle_price: float = 0.0,
) -> Ranking:
    """
    Args:
        incumbent: who was first until now.
        settled: what the conversation began with.
    """
    places = _places(contenders, policy, middle_price)
    ordered = sorted((each for each in places if each.standing in _ASKED), key=_by_value)
    resorts = [each for each in places if each.standing is Standing.RESORT]
    closed = [each for each in places if each.standing is Standing.CLOSED]
    if ordered:
        _stay(ordered, incumbent, policy.hysteresis)
        _arrange(ordered, policy, draw, settled)
    trial = _trial(contenders, ordered, policy, middle_price) if ordered and policy.mode in _TRYING else None
    return Ranking(tuple(ordered), trial, tuple(sorted(resorts, key=_by_value)), tuple(closed))


_TRYING: Final = (Mode.FASTEST, Mode.CHEAPEST_WITHIN)
_ASKED: Final = (Standing.OPEN, Standing.TRIAL)


def _by_value(place: Place) -> float:
    return -place.value


def _places(contenders: Sequence[Contender], policy: Policy, middle_price: float) -> list[Place]:
    asked = [
        each.prediction.seconds + each.waits_seconds for each in contenders if each.standing is not Standing.CLOSED
    ]
    asked.sort()
    places = []
    for each in contenders:
        candidate, known, standing = each.candidate, each.prediction, each.standing
        reason = each.reason
        if standing is not Standing.CLOSED and (unwanted := _unwanted(candidate, policy)):
            standing, reason = Standing.CLOSED, unwanted
        seconds = known.seconds + each.waits_seconds
        others = asked[1] if len(asked) > 1 and asked[0] == seconds else asked[0] if asked else seconds
        effective = seconds + known.failure * (known.failing_seconds + others)
        found = worth(candidate, effective, 1.0 - known.failure, policy, middle_price)
        places.append(
            Place(
                candidate,
                standing,
                reason,
                known.seconds,
                known.usual_seconds,
                known.usual,
                1.0 - known.failure,
                effective,
                *found,
                each.opens_at,
            )
        )
    return places


def _unwanted(candidate: Candidate, policy: Policy) -> str:
    if candidate.quality < policy.min_quality:
        return f"its quality is below {policy.min_quality:g}"
    if candidate.price is not None and candidate.price > policy.max_price:
        return f"its price is above {policy.max_price:g}"
    return ""


def _stay(ordered: list[Place], incumbent: str | None, hysteresis: float) -> None:
    """Let the one that was first be first still, unless another is worth clearly more."""
    if incumbent is None or ordered[0].candidate.name == incumbent:
        return
    for at, place in enumerate(ordered):
        if place.candidate.name == incumbent:
            if place.standing is Standing.OPEN and place.value * (1.0 + hysteresis) >= ordered[0].value:
                ordered.insert(0, ordered.pop(at))
            return


def _arrange(ordered: list[Place], policy: Policy, draw: random.Random, settled: str | None) -> None:
    """In place, from that by value to that of the mode."""
    if policy.mode is Mode.PRIORITY:
        ordered.sort(key=lambda place: place.candidate.priority)
    elif policy.mode is Mode.CHEAPEST_WITHIN:
        bound = min(place.effective_seconds for place in ordered) * (1.0 + policy.within)
        bound = max(bound, policy.bound_seconds or 0.0)
        ordered.sort(key=lambda place: _price(place) if place.effective_seconds <= bound else math.inf)
    elif policy.mode is Mode.WEIGHTED:
        weights = [max(place.candidate.weight, 0.0) for place in ordered]
        if sum(weights) > 0.0:
            ordered.insert(0, ordered.pop(draw.choices(range(len(ordered)), weights)[0]))
    elif policy.mode is Mode.STICKY:
        for at, place in enumerate(ordered):
            if place.candidate.name == settled:
                ordered.insert(0, ordered.pop(at))
                return


def _price(place: Place) -> float:
    """One that is not known is above all that are."""
    return sys.float_info.max if place.candidate.price is None else place.candidate.price


def _trial(
    contenders: Sequence[Contender], ordered: Sequence[Place], policy: Policy, middle_price: float
) -> Place | None:
    """The one to be tried that would be worth more than the first, if all were well with it."""
    first = ordered[0]
    best, found = first.value, None
    for each in contenders:
        if each.trial_seconds is None or each.candidate.name == first.candidate.name:
            continue
        value = worth(each.candidate, each.trial_seconds, first.chance, policy, middle_price).value
        if value > best:
            best, found = value, each.candidate.name
    return None if found is None else next((each for each in ordered if each.candidate.name == found), None)
