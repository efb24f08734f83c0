"""What the tests of the injector share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sidecar.webhook.cluster import Cluster, cluster


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path) as made_up:
        yield made_up
