"""What agents ask for again, and what they do not. Sources: algorithms.md 2.1 and 7.1 of the shared reference."""

import csv
import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

#: Answers as agents ask for them: bytes per second of speech.
FORMATS = {"opus 32 kbit/s": 4_000, "mp3 64 kbit/s": 8_000, "pcm 24 kHz": 48_000}
_SPOKEN_MEDIAN_SECONDS, _SPOKEN_SIGMA = 3.0, 0.6
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.3, 30.0

TRACE = Path(__file__).parents[4] / "shared" / "data" / "azure_llm_2023_conv.csv"
_EVENT_BYTES, _OPENING_BYTES = 180, 400
"""Of a streamed answer: per token, and besides."""
DECISION_SECONDS = 300.0


class Asked(NamedTuple):
    source: str
    """Why it may repeat: phrase, retry, fan-out, replay; or unique, which never does."""
    key: int
    size_bytes: int
    """Of the answer."""
    at_seconds: float = 0.0


class Sizes:
    """Lognormal seconds of speech in a format."""

    def __init__(self, chance: random.Random, format_name: str) -> None:
        self._chance = chance
        self._bytes_per_second = FORMATS[format_name]

    def draw(self) -> int:
        seconds = self._chance.lognormvariate(math.log(_SPOKEN_MEDIAN_SECONDS), _SPOKEN_SIGMA)
        return int(self._bytes_per_second * min(max(seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS))


def ranks(count: int, alpha: float, chance: random.Random) -> Callable[[], int]:
    """Draws ranks by Zipf's law."""
    weights = list(accumulate(1.0 / (rank + 1) ** alpha for rank in range(count)))
    return lambda: bisect(weights, chance.random() * weights[-1])


def phrases(
    calls: int,
    *,
    count: int,
    alpha: float,
    unique: float = 0.3,
    drift: float = 0.001,
    format_name: str = "mp3 64 kbit/s",
    seed: int = 1,
) -> Iterator[Asked]:
    """A vocabulary of *count* phrases; a share *unique* is of none; one phrase becomes another now and then."""
    chance = random.Random(seed)
    sizes, rank = Sizes(chance, format_name), ranks(count, alpha, chance)
    names, spoken, following = list(range(count)), [sizes.draw() for _ in range(count)], count
    for number in range(calls):
        if chance.random() < unique:
            yield Asked("unique", -1 - number, sizes.draw())
            continue
        if chance.random() < drift:
            changed = chance.randrange(count)
            names[changed], spoken[changed], following = following, sizes.draw(), following + 1
        drawn = rank()
        yield Asked("phrase", names[drawn], spoken[drawn])


def shifting(calls: int, *, count: int, every: int, seed: int = 1) -> Iterator[Asked]:
    """A quarter of what is popular is popular no longer, again and again: campaigns, shifts, times of day."""
    sizes: dict[int, int] = {}
    for number, asked in enumerate(phrases(calls, count=count, alpha=1.0, seed=seed)):
        if asked.source == "unique":
            yield asked
        else:
            key = (asked.key + number // every * (count // 4)) % (2 * count)
            yield asked._replace(key=key, size_bytes=sizes.setdefault(key, asked.size_bytes))


def scanned(calls: int, *, count: int, loop: int, seed: int = 1) -> Iterator[Asked]:
    """Somebody replays *loop* recordings in order, again and again, while agents go on."""
    chance = random.Random(seed)
    sizes = Sizes(chance, "mp3 64 kbit/s")
    replayed, at = [Asked("replay", 10**9 + number, sizes.draw()) for number in range(loop)], 0
    for number, asked in enumerate(phrases(calls, count=count, alpha=1.0, seed=seed)):
        if number // 3000 % 2:
            yield replayed[at % loop]
            at += 1
        else:
            yield asked


def retried(calls: int, *, count: int, seed: int = 1) -> Iterator[Asked]:
    """A tenth of all calls is tried again soon; a twentieth goes out three times at once."""
    chance = random.Random(seed)
    waiting: list[tuple[int, Asked]] = []
    for number, asked in enumerate(phrases(calls, count=count, alpha=1.0, seed=seed)):
        yield asked
        draw = chance.random()
        if draw < 0.1:
            waiting.append((number + chance.randrange(1, 40), asked._replace(source="retry")))
        elif draw < 0.15:
            yield from [asked._replace(source="fan-out")] * 2
        yield from (again for due, again in waiting if due <= number)
        waiting = [(due, again) for due, again in waiting if due > number]


def conversations(calls: int, *, count: int, alpha: float, unique: float, seed: int = 1) -> Iterator[Asked]:
    """The arrivals and answer lengths of Azure's conversation trace of 2023, each asking one of *count* questions or a
    new one; what is answered is good for five minutes. What they really said is not in the trace.
    """
    chance = random.Random(seed)
    rank = ranks(count, alpha, chance)
    sizes: dict[int, int] = {}
    for number, (at_seconds, tokens) in enumerate(arrivals()[:calls]):
        size_bytes = _OPENING_BYTES + _EVENT_BYTES * tokens
        if chance.random() < unique:
            yield Asked("unique", -1 - number, size_bytes, at_seconds)
        else:
            key = rank()
            yield Asked("phrase", key, sizes.setdefault(key, size_bytes), at_seconds)


def arrivals() -> list[tuple[float, int]]:
    """Seconds since the first one, and the tokens of the answer."""
    with TRACE.open(newline="") as file:
        rows = [
            (datetime.fromisoformat(row["TIMESTAMP"][:26]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)
        ]
    return [((at - rows[0][0]).total_seconds(), tokens) for at, tokens in rows]
