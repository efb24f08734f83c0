"""The plugin's own decisions, in the simulator: the very `Balancer` and `Course` that serve."""

import random
from collections.abc import Callable

from sidecar_ordering.balancer import Balancer
from sidecar_ordering.candidates import Asked, Candidate, Prior
from sidecar_ordering.course import Course
from sidecar_ordering.gates import Accounts
from sidecar_ordering.hedging import HedgePolicy
from sidecar_ordering.score import Policy

from sidecar.dialect import Limit
from tests.benchmarks.ordering.world import Arrival, World


class Ours:
    """
    Args:
        believed: what priors say, as a factor of each provider's true time.
    """

    overhead_seconds = 0.0

    def __init__(
        self,
        world: World,
        draw: random.Random,
        *,
        policy: Policy | None = None,
        hedging: HedgePolicy | None = None,
        believed: tuple[float, ...] = (),
    ) -> None:
        natures = [each.nature for each in world.providers]
        factors = believed or (1.0,) * len(natures)
        candidates = [
            Candidate(
                name=nature.name,
                provider=nature.name,
                price=nature.price,
                prior=Prior(
                    first_byte_seconds=nature.seconds * factor,
                    end_seconds=nature.seconds * factor,
                    size_share=nature.size_share,
                    end_size_share=nature.size_share,
                ),
            )
            for nature, factor in zip(natures, factors, strict=True)
        ]
        self.balancer = Balancer(
            "any", candidates, policy or Policy(), hedging or HedgePolicy(), Accounts(draw), draw, 0.0
        )

    def limits(self, provider: str, limits: tuple[Limit, ...], now: float) -> None:
        self.balancer.limits(provider, limits, now)

    def call(self, asked: Asked, arrival: Arrival, wake: Callable[[], None]) -> Course:
        return self.balancer.course(asked, wake)
