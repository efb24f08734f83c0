"""Who is first, and why: scores, modes, floors, and what is told of each candidate."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar_ordering.candidates import Candidate
from sidecar_ordering.score import Contender, Mode, Policy, Ranking, Standing, rank
from sidecar_ordering.statistics import Prediction


def contender(name: str, seconds: float = 1.0, *, failure: float = 0.01, **more: Any) -> Contender:
    of_candidate = {key: more.pop(key) for key in ("price", "quality", "priority", "weight") if key in more}
    known = Prediction(seconds, seconds, 0.99, failure, 0.3)
    return Contender(Candidate(name=name, provider=name, **of_candidate), known, **more)


def ranked(contenders: Sequence[Contender], seed: int = 1, **more: Any) -> Ranking:
    policy = Policy(**{key: more.pop(key) for key in list(more) if key in Policy.__struct_fields__})
    return rank(contenders, policy, random.Random(seed), **more)


def order(contenders: Sequence[Contender], **more: Any) -> str:
    return "".join(place.candidate.name for place in ranked(contenders, **more).order)


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (contender("a", 1.0), contender("b", 1.1)),
        (contender("a", failure=0.01), contender("b", failure=0.2)),
        (contender("a", quality=1.0), contender("b", quality=0.7)),
        (contender("a", 1.0), contender("b", 0.9, waits_seconds=0.5)),
        (contender("a", 1.2), contender("b", 1.0, failure=0.3)),
        (contender("a", 1.0, quality=1.0), contender("b", 0.6, quality=0.5)),
    ],
)
def test_sooner_surer_and_better_is_first(one: Contender, other: Contender) -> None:
    assert order([other, one]) == "ab"


@pytest.mark.parametrize(("weight", "wanted"), [(0.0, "ab"), (1.0, "ba")])
def test_a_price_counts_as_much_as_is_wanted(weight: float, wanted: str) -> None:
    both = [contender("a", 1.0, price=2.0), contender("b", 1.1, price=1.0)]
    assert order(both, price_weight=weight, middle_price=1.5) == wanted


def test_a_price_that_is_not_known_is_a_middle_one_and_nothing_is_not_infinitely_good() -> None:
    three = [contender("a", price=2.0), contender("b"), contender("c", price=0.5), contender("d", 1000.0, price=0.0)]
    assert order(three, price_weight=1.0, middle_price=1.0) == "cbad"


def test_it_is_cheaper_to_fail_soon_than_late() -> None:
    soon = Contender(Candidate(name="a", provider="a"), Prediction(1.0, 1.0, 1.0, 0.2, 0.1))
    late = Contender(Candidate(name="b", provider="b"), Prediction(1.0, 1.0, 1.0, 0.2, 6.0))
    assert order([late, soon]) == "ab"


def test_what_it_is_worth_is_told_in_parts_whose_product_it_is() -> None:
    contenders = [contender("a", 1.0, quality=0.8, price=2.0), contender("b", 2.0, price=1.0)]
    ranking = ranked(contenders, price_weight=0.5, middle_price=1.5)
    for place in ranking.order:
        parts = place.speed_part * place.chance_part * place.quality_part * place.price_part
        assert place.value == pytest.approx(parts)
        assert place.effective_seconds > place.predicted_seconds


# -- modes -------------------------------------------------------------------------------------------------------------


def test_the_one_that_was_first_stays_unless_another_is_clearly_better() -> None:
    both = [contender("a", 1.0), contender("b", 0.97)]
    assert order(both, hysteresis=0.05) == "ba"
    assert order(both, hysteresis=0.05, incumbent="a") == "ab"
    assert order([contender("a", 1.0), contender("b", 0.7)], hysteresis=0.05, incumbent="a") == "ba"
    tried = contender("a", 1.0, standing=Standing.TRIAL)
    assert order([tried, contender("b", 0.97)], hysteresis=0.05, incumbent="a") == "ba"


def test_of_those_that_are_fast_enough_the_cheapest() -> None:
    three = [contender("a", 1.0, price=5.0), contender("b", 1.2, price=2.0), contender("c", 3.0, price=1.0)]
    assert order(three, mode=Mode.CHEAPEST_WITHIN, within=0.3) == "bac"
    assert order(three, mode=Mode.CHEAPEST_WITHIN, within=0.05) == "abc"
    assert order(three, mode=Mode.CHEAPEST_WITHIN, within=0.05, bound_seconds=4.0) == "cba"


def test_in_order_of_priority_and_among_equals_by_value() -> None:
    three = [contender("a", 1.0, priority=1), contender("b", 3.0), contender("c", 2.0)]
    assert order(three, mode=Mode.PRIORITY) == "cba"


def test_by_weight() -> None:
    three = [contender("a", weight=3.0), contender("b", 2.0, weight=1.0), contender("c", 0.1, weight=0.0)]
    draws = [order(three, mode=Mode.WEIGHTED, seed=seed)[0] for seed in range(400)]
    assert 240 < draws.count("a") < 360
    assert draws.count("c") == 0
    none = [contender("a", weight=0.0), contender("b", 0.5, weight=0.0)]
    assert order(none, mode=Mode.WEIGHTED) == "ba"


def test_a_conversation_stays_where_it_began_while_that_can_answer() -> None:
    both = [contender("a", 1.0), contender("b", 5.0)]
    assert order(both, mode=Mode.STICKY, settled="b") == "ba"
    closed = contender("b", 5.0, standing=Standing.CLOSED)
    assert order([both[0], closed], mode=Mode.STICKY, settled="b") == "a"


# -- who is left out ---------------------------------------------------------------------------------------------------


def test_who_is_not_wanted_or_closed_is_told_with_the_reason() -> None:
    ranking = ranked(
        [
            contender("a", quality=0.5),
            contender("b", price=9.0),
            contender("c", standing=Standing.CLOSED, reason="limits the rate", opens_at=7.0),
            contender("d", standing=Standing.RESORT, reason="it fails", opens_at=9.0),
            contender("e"),
        ],
        min_quality=0.6,
        max_price=8.0,
    )
    assert [place.candidate.name for place in ranking.order] == ["e"]
    assert [place.candidate.name for place in ranking.resorts] == ["d"]
    assert {place.candidate.name: place.reason for place in ranking.closed} == {
        "a": "its quality is below 0.6",
        "b": "its price is above 8",
        "c": "limits the rate",
    }


def test_a_trial_is_worth_it_only_if_it_could_be_first() -> None:
    known = contender("a", 1.0)
    assert ranked([known, contender("b", 3.0, trial_seconds=0.8)]).trial is not None
    assert ranked([known, contender("b", 3.0, trial_seconds=1.3)]).trial is None
    assert ranked([known, contender("b", 3.0)]).trial is None
    assert ranked([known, contender("b", 3.0, trial_seconds=0.8)], mode=Mode.PRIORITY).trial is None


STANDINGS = st.sampled_from(Standing)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1.0), STANDINGS, st.floats(0.0, 100.0), st.floats(0.01, 1.0)),
        max_size=6,
    ),
    st.sampled_from(Mode),
    st.sampled_from([None, "0", "1", "x"]),
)
def test_everybody_has_a_place_and_while_one_is_open_one_is_first(
    told: list[tuple[float, float, Standing, float, float]], mode: Mode, named: str | None
) -> None:
    contenders = [
        contender(str(number), seconds, failure=failure, standing=standing, price=price, quality=quality)
        for number, (seconds, failure, standing, price, quality) in enumerate(told)
    ]
    ranking = ranked(contenders, mode=mode, price_weight=0.3, middle_price=1.0, incumbent=named, settled=named)
    names = [place.candidate.name for place in (*ranking.order, *ranking.resorts, *ranking.closed)]
    assert sorted(names) == sorted(each.candidate.name for each in contenders)
    may = sum(each.standing in (Standing.OPEN, Standing.TRIAL) for each in contenders)
    assert len(ranking.order) == may
