"""What all tests share."""

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on uvloop, as the product does; those marked ``both_loops`` on asyncio's own loop as well."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.get_closest_marker("both_loops"):
        factories["asyncio"] = asyncio.new_event_loop
    return factories


@pytest.fixture
def skip_or_fail() -> Callable[[str], None]:
    """Skip with a reason, or fail where everything must be there: CI sets SIDECAR_REQUIRE_ALL."""

    def skip(reason: str) -> None:
        if os.environ.get("SIDECAR_REQUIRE_ALL"):
            pytest.fail(f"SIDECAR_REQUIRE_ALL is set, and {reason}")
        pytest.skip(reason)

    return skip
