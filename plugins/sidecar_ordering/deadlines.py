"""How long an attempt may take before the next one must begin. No I/O."""

import math
from typing import Final

#: An attempt is given up at so many times what nearly all answers take.
PATIENCE: Final = 1.5
PATIENCE_QUANTILE: Final = 0.99
LEAST_PATIENCE_SECONDS: Final = 1.0
#: A stream is stalled after so many times what the longest pause of nearly all answers is. (Not of nearly all pauses:
#: of a hundred pauses in an answer one is longer than that.)
STALL: Final = 1.5
STALL_QUANTILE: Final = 0.99
LEAST_STALL_SECONDS: Final = 1.0
MOST_STALL_SECONDS: Final = 30.0
#: Where nobody can go on with an answer that stalls, giving it up early gains nothing.
LEAST_WAIT_SECONDS: Final = 10.0
#: What is kept for the next attempt, in its usual times.
RESERVE: Final = 2.0
#: When everybody who is left is asked at once: so many usual times before the caller gives up.
RESCUE: Final = 3.0


def patience_seconds(
    late_seconds: float, usual_seconds: float, left_seconds: float, next_seconds: float | None
) -> float:
    """For the first byte of an attempt.

    Args:
        late_seconds: within which nearly all of its answers come.
        usual_seconds: the median of its times.
        left_seconds: until the caller gives up.
        next_seconds: the median of the next candidate's times; None if there is none, and giving up gains nothing.
    """
    if next_seconds is None:
        return left_seconds
    patience = max(PATIENCE * late_seconds, LEAST_PATIENCE_SECONDS)
    fits = left_seconds - RESERVE * next_seconds
    if fits < usual_seconds:  # two do not fit: all that is left is for this one
        return left_seconds
    return min(patience, fits)


def rescue_at(deadline: float, now: float, usual_seconds: float) -> float:
    """When there is no time left for one after the other.

    Args:
        usual_seconds: the median of the fastest.
    """
    at = deadline - RESCUE * usual_seconds
    return at if at - now > usual_seconds else math.inf


def stall_seconds(pause_seconds: float, *, resumable: bool) -> float:
    """Of silence between two chunks after which a stream is given up.

    Args:
        pause_seconds: the longest pause of nearly all answers.
        resumable: whether another can go on with it.
    """
    least = LEAST_STALL_SECONDS if resumable else LEAST_WAIT_SECONDS
    return min(max(STALL * pause_seconds, least), MOST_STALL_SECONDS)
