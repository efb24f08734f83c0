"""Replicas of the injector over the cluster that is made up, and who reaches them."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp

from sidecar.addresses import Address
from sidecar.inject import InjectSettings
from sidecar.webhook.keeping import Keeper
from sidecar.webhook.serving import Webhook
from tests.sidecar.webhook.cluster import OBJECTS, Clock, Cluster
from tests.sidecar.webhook.test_admission import review

NAME = OBJECTS.names[0]
ANYWHERE = Address("127.0.0.1:0")


class Replica(NamedTuple):
    keeper: Keeper
    webhook: Webhook

    async def reviews(self, trusted: bytes) -> bool:
        """Whether an API server that trusts *trusted* gets an answer, by a connection of its own."""
        port = self.webhook.addresses["webhook"].rpartition(":")[2]
        context = ssl.create_default_context(cadata=trusted.decode())
        async with aiohttp.ClientSession() as http:
            try:
                async with http.post(
                    f"https://127.0.0.1:{port}/mutate/any", json=review(), ssl=context, server_hostname=NAME
                ) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                return False


@asynccontextmanager
async def replica(api: Cluster, clock: Clock, chance: float = 0.5) -> AsyncIterator[Replica]:
    keeper = api.keeper(clock, chance)
    webhook = Webhook(InjectSettings(), keeper)
    try:
        await webhook.start(ANYWHERE, ANYWHERE)
        yield Replica(keeper, webhook)
    finally:
        await webhook.stop()


def counted(keeper: Keeper) -> dict[str, float]:
    return {f"{each.name}{each.labels}": each.value for each in keeper.counts}
