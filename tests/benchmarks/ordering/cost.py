"""What it costs to rank."""

import random
import time
from typing import Final

from sidecar_ordering.balancer import Balancer
from sidecar_ordering.candidates import Asked, Candidate, Prior
from sidecar_ordering.gates import Accounts
from sidecar_ordering.hedging import HedgePolicy
from sidecar_ordering.score import Policy

_CALLS: Final = 200
_ROUNDS: Final = 40


def known(candidates: int) -> Balancer:
    """So many, of which each has answered a hundred calls."""
    draw = random.Random(1)
    offered = [
        Candidate(
            name=f"{number}",
            provider=f"{number}",
            price=1.0 + number,
            prior=Prior(first_byte_seconds=1.0 + 0.1 * number, size_share=0.5),
        )
        for number in range(candidates)
    ]
    balancer = Balancer("any", offered, Policy(price_weight=0.2), HedgePolicy(), Accounts(draw), draw, 0.0)
    for at in range(100):
        for member in balancer.members.values():
            member.statistics.answered(1.0, draw.lognormvariate(0.0, 0.3), 5.0 * at)
    return balancer


def microseconds(candidates: int) -> tuple[float, float]:
    """CPU time of one ranking: the least and the median of some rounds (others use this machine too)."""
    balancer, asked, rounds = known(candidates), Asked(size=2.0, deadline=1e9), []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for call in range(_CALLS):
            balancer.rank(asked, 500.0 + call)
        rounds.append((time.process_time() - began) / _CALLS * 1e6)
    rounds.sort()
    return rounds[0], rounds[_ROUNDS // 2]
