"""Which known call a call that is not known is like, and in what the two differ."""

import random
import tracemalloc
from collections.abc import Iterable

import pytest
from sidecar_cache.nearest import Near, Nearest, Parts


def parts(**values: str) -> Parts:
    """Parts whose digests follow from their names and values; of one tenant, provider and endpoint, unless they say."""
    scope = {"tenant": "t", "provider": "p", "endpoint": "e"}
    return [(name, digest(name, value)) for name, value in sorted({**scope, **values}.items())]


def digest(name: str, value: str) -> int:
    return random.Random(f"{name}={value}").getrandbits(64)


def knowing(**known: Parts) -> Nearest:
    nearest = Nearest()
    for key, of in known.items():
        nearest.add(key, of)
    return nearest


def test_the_part_is_named_in_which_the_nearest_differs() -> None:
    nearest = knowing(
        a=parts(voice="alloy", model="m", text="hello"),
        b=parts(voice="alloy", model="m", text="good bye"),
        c=parts(voice="alloy", model="other", text="hello"),
    )
    assert nearest.nearest(parts(voice="alloy", model="other", text="welcome")) == Near("c", ("text",))
    assert nearest.nearest(parts(voice="nova", model="other", text="hello")) == Near("c", ("voice",))


def test_a_part_that_only_one_of_the_two_has_is_named_too() -> None:
    nearest = knowing(a=parts(text="hello", speed="1"))
    assert nearest.nearest(parts(text="hello")) == Near("a", ("speed",))
    assert nearest.nearest(parts(text="hello", speed="1", seed="2")) == Near("a", ("seed",))


def test_an_entry_of_long_ago_is_found_if_it_differs_in_one_part() -> None:
    nearest = Nearest()
    nearest.add("old", parts(voice="alloy", text="hello"))
    for at in range(1000):
        nearest.add(f"{at}", parts(voice=f"v{at}", text=f"text {at}"))
    assert nearest.nearest(parts(voice="nova", text="hello")) == Near("old", ("voice",))


def test_otherwise_the_one_of_the_latest_is_named_that_differs_in_the_fewest_parts() -> None:
    nearest = knowing(
        far=parts(a="1", b="1", c="1", d="1"),
        near=parts(a="2", b="2", c="1", d="1"),
        farther=parts(a="1", b="1", c="1", d="2"),
    )
    assert nearest.nearest(parts(a="2", b="3", c="3", d="1")) == Near("near", ("b", "c"))


@pytest.mark.parametrize("scope", ["tenant", "provider", "endpoint"])
def test_nothing_is_said_of_the_calls_of_others(scope: str) -> None:
    nearest = knowing(a=parts(text="hello"))
    assert nearest.nearest(parts(text="hello", **{scope: "another"})) is None
    assert nearest.nearest(parts(text="other", **{scope: "another"})) is None


def test_what_is_discarded_is_not_named_and_what_stays_is() -> None:
    nearest = knowing(a=parts(voice="a", text="x"), b=parts(voice="b", text="x"))
    missed = parts(voice="c", text="x")
    assert nearest.nearest(missed) == Near("b", ("voice",))
    nearest.discard("b")
    nearest.discard("b")
    assert nearest.nearest(missed) == Near("a", ("voice",))
    nearest.discard("a")
    assert nearest.nearest(missed) is None
    assert (len(nearest), nearest.held_bytes) == (0, 0)
    assert not nearest._by_number
    assert not nearest._latest


def test_adding_a_key_again_replaces_what_it_was() -> None:
    nearest = knowing(a=parts(text="x", voice="a"))
    held = nearest.held_bytes
    nearest.add("a", parts(text="y", voice="a"))
    assert (len(nearest), nearest.held_bytes) == (1, held)
    assert nearest.nearest(parts(text="y", voice="b")) == Near("a", ("voice",))


def test_the_same_call_is_not_near_itself() -> None:
    assert knowing(a=parts(text="x")).nearest(parts(text="x")) is None


def drawn(choose: random.Random) -> Parts:
    return parts(**{name: str(choose.randrange(3)) for name in "abcd" if choose.random() < 0.8})


def differing(one: Parts, other: Parts) -> tuple[str, ...]:
    mine, theirs = dict(one), dict(other)
    return tuple(sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_named_is_as_near_as_any(seed: int) -> None:
    choose, nearest = random.Random(seed), Nearest()
    known: dict[str, Parts] = {}
    for at in range(60):
        if known and choose.random() < 0.3:
            gone = choose.choice(list(known))
            del known[gone]
            nearest.discard(gone)
        if (made := drawn(choose)) not in known.values():
            known[f"{at}"] = made
            nearest.add(f"{at}", made)
        missed = drawn(choose)
        others: Iterable[int] = filter(None, (len(differing(missed, of)) for of in known.values()))
        least, found = min(others, default=None), nearest.nearest(missed)
        assert (None if found is None else len(found.differs)) == least
        assert found is None or found.differs == differing(missed, known[found.key])


@pytest.mark.parametrize("alike", [True, False])
def test_what_is_held_is_bounded_and_counted(alike: bool) -> None:
    """Phrases in one voice share most of their numbers; calls that have nothing in common share none."""
    names = [f"part{at}" for at in range(12)]

    def made(at: int) -> Parts:
        same = dict.fromkeys(names, "same" if alike else f"{at}")
        return parts(**{**same, "text": f"{at}"})

    known = [(f"{at:032}", made(at)) for at in range(3000)]
    tracemalloc.start()
    try:
        nearest = Nearest(2 * 1024 * 1024)
        for key, of in known:
            nearest.add(key, of)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert nearest.held_bytes <= 2 * 1024 * 1024
    assert held <= nearest.held_bytes, (held, nearest.held_bytes, len(nearest))
    assert held >= nearest.held_bytes * (0.25 if alike else 0.5), (held, nearest.held_bytes, len(nearest))
    assert nearest.nearest([*known[-1][1], ("further", 1)]) == Near(known[-1][0], ("further",))
