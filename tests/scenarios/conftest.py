"""One world for all scenarios: what takes long is started once."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.scenarios.sdk.world import World, world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("agents")) as made:
        yield made


@pytest.fixture
def here(shared_world: World) -> World:
    """The world, with nothing left in it of what other tests did."""
    shared_world.forget()
    return shared_world
